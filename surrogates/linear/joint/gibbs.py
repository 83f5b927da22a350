"""Gibbs sampling of seemingly unrelated regressions: numbers only, no names and no units."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from doe.arrays import FloatArray
from surrogates.linear.joint.bayesian import covariance_roots
from surrogates.linear.solution import Solution

N_CHAINS = 4
# Chains start this many standard errors from the least-squares fit.
DISPERSION = 3.0
# How often as many draws again are added when they are not enough.
MAX_ROUNDS = 5


@dataclass(frozen=True, eq=False)
class GibbsDraws:
    """Draws from the posterior, chain by chain.

    Attributes:
        coefficients: Per response, shape ``(n_chains, n_draws, p_j)``.
        covariances: Of the errors of the responses, shape ``(n_chains, n_draws, q, q)``.
    """

    coefficients: tuple[FloatArray, ...]
    covariances: FloatArray


@dataclass(frozen=True, eq=False)
class _Problem:
    """The regressions in units of their residual SDs, about their least-squares fits.

    Attributes:
        bases: Orthonormal columns of each regression, side by side, shape ``(n, P)``.
        owners: Which response each column belongs to, shape ``(P,)``.
        residuals: Least-squares residuals over their SDs, shape ``(n, q)``.
        stds: Those SDs, shape ``(q,)``.
        ways_back: From a regression's own coordinates to its coefficients, ``(p_j, p_j)`` each.
    """

    bases: FloatArray
    owners: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    residuals: FloatArray
    stds: FloatArray
    ways_back: tuple[FloatArray, ...]


def draw_unrelated(
    solutions: Sequence[Solution],
    *,
    n_draws: int,
    burn_in: int,
    rng: np.random.Generator,
    enough: Callable[[GibbsDraws], bool] | None = None,
) -> GibbsDraws:
    """Return draws of the coefficients and the error covariance of several regressions.

    The prior is flat in the coefficients and proportional to |Sigma|^-(q+1)/2. Given the
    covariance the coefficients are normal about the generalised least-squares fit; given the
    coefficients the covariance is inverse Wishart with n degrees of freedom.

    Coordinates are chosen so that neither the coding nor the order of columns matters for a given
    state of ``rng``; runs count in the order given.

    Args:
        solutions: Least squares of each response over the same runs, weights 1.
        n_draws: Draws kept of each of the four chains.
        burn_in: Draws of each chain that are left out first.
        rng: Source of the draws.
        enough: Asked after every ``n_draws`` whether to stop; they are drawn at most five times.
            One time when absent.

    Source:
        Zellner (1971), An Introduction to Bayesian Inference in Econometrics, section 8.5; Gibbs
        sampling of it: Percy (1992), J. R. Stat. Soc. B 54, 243-252; for reliability: Peterson,
        Miro-Quesada and del Castillo (2009), Quality Technology and Quantitative Management 6,
        353-369.
    """
    problem = _problem(solutions, rng)
    places = DISPERSION * rng.standard_normal((N_CHAINS, len(problem.owners)))
    if burn_in:
        places = _chains(problem, places, burn_in, rng)[0][:, -1]
    kept, covariances = _chains(problem, places, n_draws, rng)
    found = _in_own_units(problem, solutions, kept, covariances)
    while enough is not None and kept.shape[1] < MAX_ROUNDS * n_draws and not enough(found):
        more, further = _chains(problem, kept[:, -1], n_draws, rng)
        kept = np.concatenate([kept, more], axis=1)
        covariances = np.concatenate([covariances, further], axis=1)
        found = _in_own_units(problem, solutions, kept, covariances)
    return found


def _chains(
    problem: _Problem, places: FloatArray, n_draws: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return draws of the places and covariances that follow on places."""
    n_responses, n_columns = problem.residuals.shape[1], len(problem.owners)
    kept = np.empty((N_CHAINS, n_draws, n_columns))
    covariances = np.empty((N_CHAINS, n_draws, n_responses, n_responses))
    for step in range(n_draws):
        covariance = _draw_covariance(problem, places, rng)
        places = _draw_places(problem, covariance, rng)
        kept[:, step], covariances[:, step] = places, covariance
    return kept, covariances


def _in_own_units(
    problem: _Problem,
    solutions: Sequence[Solution],
    kept: FloatArray,
    covariances: FloatArray,
) -> GibbsDraws:
    coefficients = [
        solution.coefficients + std * kept[:, :, problem.owners == place] @ back.T
        for place, (solution, std, back) in enumerate(
            zip(solutions, problem.stds, problem.ways_back, strict=True)
        )
    ]
    return GibbsDraws(tuple(coefficients), covariances * np.outer(problem.stds, problem.stds))


def _problem(solutions: Sequence[Solution], rng: np.random.Generator) -> _Problem:
    largest = max(solution.n_columns for solution in solutions)
    directions = rng.standard_normal((solutions[0].n_runs, largest))
    bases, owners, ways_back = [], [], []
    for place, solution in enumerate(solutions):
        # Directions projected on the model's space do not depend on how its columns are written.
        own = solution.orthogonal @ (solution.orthogonal.T @ directions[:, : solution.n_columns])
        basis, triangular = linalg.qr(own, mode="economic")
        basis = basis * np.where(np.diag(triangular) < 0, -1.0, 1.0)
        bases.append(basis)
        owners += [place] * solution.n_columns
        ways_back.append(solution.half_inverse @ (solution.orthogonal.T @ basis))
    stds = np.array([solution.residual_std for solution in solutions])
    residuals = np.column_stack([solution.residuals for solution in solutions]) / stds
    return _Problem(np.hstack(bases), np.array(owners), residuals, stds, tuple(ways_back))


def _draw_covariance(problem: _Problem, places: FloatArray, rng: np.random.Generator) -> FloatArray:
    n_runs, n_responses = problem.residuals.shape
    errors = np.empty((len(places), n_runs, n_responses))
    for response in range(n_responses):
        own = problem.owners == response
        errors[:, :, response] = (
            problem.residuals[:, response] - places[:, own] @ problem.bases[:, own].T
        )
    roots = covariance_roots(errors.transpose(0, 2, 1) @ errors, n_runs, rng)
    return np.asarray(roots @ roots.transpose(0, 2, 1))


def _draw_places(problem: _Problem, covariance: FloatArray, rng: np.random.Generator) -> FloatArray:
    precision = np.linalg.inv(covariance)
    by_column = precision[:, problem.owners]
    information = by_column[:, :, problem.owners] * (problem.bases.T @ problem.bases)
    target = (by_column * (problem.bases.T @ problem.residuals)).sum(axis=-1)
    lower = np.linalg.cholesky(information)
    scores = rng.standard_normal(target.shape)
    half = np.linalg.solve(lower, target[:, :, None]) + scores[:, :, None]
    return np.asarray(np.linalg.solve(lower.transpose(0, 2, 1), half)[:, :, 0])
