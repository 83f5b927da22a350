"""The figures of a finished design by every criterion, of all its runs and those kept."""

from dataclasses import dataclass

import numpy as np

from doe.arrays import FloatArray
from doe.designs.optimal.largest_variance import places_of
from doe.designs.optimal.problem import Problem


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a design is, kept runs included, effects of blocks eliminated.

    Attributes:
        d: det(X'X)^(1/p) / n of the coded model, larger is better.
        a: trace (X'X)^-1 of the coded model, the intercept included, smaller is better.
        i: Average prediction variance over the region, smaller is better.
        g: Largest prediction variance found in the region, smaller is better.
        bayesian_d: det(X'X + prior)^(1/p) / n with the potential terms scaled, larger is better;
            None without potential terms.
    """

    d: float
    a: float
    i: float
    g: float
    bayesian_d: float | None


def quality(problem: Problem, points: FloatArray) -> Quality:
    """Return the figures of a design, points of shape ``(n_slots, n_factors)``."""
    n_runs = float(problem.slots.weights.sum()) + problem.n_kept
    rows = problem.slot_rows(points[None])[0]
    n_terms, n_primary = len(problem.basis), len(problem.moments)
    information = rows.T @ rows + problem.base
    bayesian = None
    if n_primary < n_terms:
        sign, size = np.linalg.slogdet(information)
        bayesian = float(np.exp(size / len(information)) / n_runs) if sign > 0 else 0.0
    information[:n_terms, :n_terms] -= problem.prior
    used = [*range(n_primary), *range(n_terms, len(information))]
    inverse = np.linalg.inv(information[np.ix_(used, used)])[:n_primary, :n_primary]
    basis = problem.basis[:n_primary, :n_primary]
    size = np.linalg.slogdet(inverse)[1] + 2 * np.linalg.slogdet(basis)[1]
    places = places_of(problem)[:, :n_primary]
    return Quality(
        d=float(np.exp(-size / n_primary) / n_runs),
        a=float(np.trace(basis @ inverse @ basis.T)),
        i=float(np.trace(problem.moments @ inverse)),
        g=float(((places @ inverse) * places).sum(axis=1).max()),
        bayesian_d=bayesian,
    )
