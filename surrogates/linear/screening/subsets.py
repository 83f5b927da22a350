"""Residual sums of squares of many models of the same runs, each from one triangular matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.space import FactorSpace
from doe.terms import Term, Terms, model_columns, model_matrix
from surrogates.linear.model import LinearModel

# A column of which less than this is left after the others of a model adds nothing to it.
RANK_TOLERANCE = 1e-9
CHUNK = 4096


@dataclass(frozen=True, eq=False)
class Subsets:
    """Candidate terms of one set of runs, reduced to what decides how well each subset fits.

    Attributes:
        terms: The candidates.
        places: The columns of each candidate.
        columns: Columns after those that every model has, reduced, shape ``(rank, n_columns)``.
        values: Values likewise, shape ``(rank,)``.
        left: Squares that no candidate explains.
        n_runs: How many runs there are.
        n_always: Columns that every model has: blocks, intercept, forced terms.
    """

    terms: tuple[Term, ...]
    places: Mapping[Term, tuple[int, ...]]
    columns: FloatArray
    values: FloatArray
    left: float
    n_runs: int
    n_always: int

    @property
    def total(self) -> float:
        """Residual sum of squares without any candidate."""
        return self.left + float(self.values @ self.values)

    def n_columns(self, subset: Sequence[Term]) -> int:
        """Return how many columns a model with these candidates has."""
        return self.n_always + sum(len(self.places[term]) for term in subset)

    def rss(self, subsets: Sequence[Sequence[Term]]) -> FloatArray:
        """Return the residual sum of squares of each subset; ``nan`` where a column adds nothing.

        Shape ``(n_subsets,)``.
        """
        found = np.full(len(subsets), np.nan)
        by_size: dict[int, list[int]] = {}
        for number, subset in enumerate(subsets):
            size = self.n_columns(subset) - self.n_always
            by_size.setdefault(size, []).append(number)
        for size, numbers in by_size.items():
            if self.n_always + size > self.n_runs or size > self.columns.shape[0]:
                continue
            for start in range(0, len(numbers), CHUNK):
                chunk = numbers[start : start + CHUNK]
                picked = np.array(
                    [[p for t in subsets[n] for p in self.places[t]] for n in chunk], dtype=np.int64
                ).reshape(len(chunk), size)
                found[chunk] = self._squares(picked)
        return found

    def _squares(self, picked: IntArray) -> FloatArray:
        if picked.shape[1] == 0:
            return np.full(len(picked), self.total)
        stacked = np.moveaxis(self.columns[:, picked], 1, 0)
        q, r = np.linalg.qr(stacked)
        # Residuals first and squares then: a difference of squares loses the digits of a good fit.
        rest = self.values - (q @ (np.swapaxes(q, 1, 2) @ self.values)[:, :, None])[:, :, 0]
        squares = self.left + np.square(rest).sum(axis=1)
        diagonal = np.abs(np.diagonal(r, axis1=1, axis2=2)).min(axis=1)
        return np.where(diagonal > RANK_TOLERANCE, squares, np.nan)


def subsets_of(model: LinearModel, candidates: Terms, always: Sequence[Term]) -> Subsets:
    """Return the candidates that are free to come and go, beside the terms that always stay.

    Candidates that add nothing to those that stay are left out.

    Args:
        model: Gives the runs, their values, weights and blocks.
        candidates: All terms.
        always: Those of them that every model has.
    """
    places, matrix = _places(model, candidates, model.space)
    root = np.sqrt(model.weights)
    fixed = [place for term in always for place in places[term]]
    stay = np.hstack([model.block_matrix, matrix[:, fixed]]) * root[:, None]
    basis = _basis(stay)
    values = _outside(basis, root * model.values)
    scaled = matrix * root[:, None]
    sizes = np.linalg.norm(scaled, axis=0)
    rest = _outside(basis, scaled / np.where(sizes > 0, sizes, 1.0))
    free: list[Term] = []
    own: dict[Term, tuple[int, ...]] = {}
    kept: list[int] = []
    for term in candidates.terms:
        columns = [p for p in places[term] if np.linalg.norm(rest[:, p]) > RANK_TOLERANCE]
        if term in always or len(columns) < len(places[term]):
            continue
        own[term] = tuple(range(len(kept), len(kept) + len(columns)))
        kept.extend(columns)
        free.append(term)
    reduced = rest[:, kept]
    q = np.linalg.qr(reduced)[0] if kept else np.empty((len(values), 0))
    projected = q.T @ values
    unexplained = values - q @ projected
    return Subsets(
        terms=tuple(free),
        places=own,
        columns=np.asarray(q.T @ reduced),
        values=np.asarray(projected),
        left=float(unexplained @ unexplained),
        n_runs=model.n_runs,
        n_always=basis.shape[1],
    )


def _places(
    model: LinearModel, candidates: Terms, space: FactorSpace
) -> tuple[dict[Term, tuple[int, ...]], FloatArray]:
    matrix = model_matrix(candidates, model.rows.settings, space).to_numpy(dtype=np.float64)
    found: dict[Term, tuple[int, ...]] = dict.fromkeys(candidates.terms, ())
    for place, column in enumerate(model_columns(candidates, space)):
        found[column.term] = (*found[column.term], place)
    return found, matrix


def _basis(columns: FloatArray) -> FloatArray:
    """Return orthonormal columns that span these, without those that add nothing."""
    sizes = np.linalg.norm(columns, axis=0)
    basis = np.empty((len(columns), 0))
    for column in (columns / np.where(sizes > 0, sizes, 1.0)).T:
        rest = _outside(basis, column)
        if np.linalg.norm(rest) > RANK_TOLERANCE:
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
    return basis


def _outside(basis: FloatArray, columns: FloatArray) -> FloatArray:
    # Twice, since one pass loses digits where little is left.
    rest = columns - basis @ (basis.T @ columns)
    return np.asarray(rest - basis @ (basis.T @ rest))
