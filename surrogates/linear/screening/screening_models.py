"""The models of all sets of active factors, and how well each explains the results."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import special

from doe.arrays import FloatArray
from doe.errors import TooFewDataError

CHUNK = 512
# Directions with less than this share of the largest belong to constant and blocks.
RANK_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class ScreeningModels:
    """What of the results each model explains, in a form that serves every spread at once.

    Beside constant and blocks the results are normal with covariance sigma^2 (I + gamma^2 Z Z'),
    where Z holds a model's columns. The eigenvalues of Z Z' and the results along its eigenvectors
    are all that is needed.

    Attributes:
        sets: Places of the active factors of each model, the empty set first.
        membership: Which factors are in which model, shape ``(n_models, n_factors)``.
        eigenvalues: Of each model, shape ``(n_models, n_free)``.
        squares: Squares of the results along the eigenvectors, same shape.
    """

    sets: Sequence[tuple[int, ...]]
    membership: FloatArray
    eigenvalues: FloatArray
    squares: FloatArray

    @classmethod
    def of(
        cls,
        groups: Sequence[FloatArray],
        values: FloatArray,
        always: FloatArray,
        sets: Sequence[tuple[int, ...]],
        max_interaction: int,
    ) -> "ScreeningModels":
        """Return the models of sets of factors.

        Args:
            groups: Main-effect columns of each factor, shape ``(n_runs, n_own)`` each.
            values: The results, shape ``(n_runs,)``.
            always: Constant and blocks, shape ``(n_runs, n_always)``.
            sets: Places of the active factors of each model, the empty set first.
            max_interaction: Largest number of factors in an interaction.

        Raises:
            TooFewDataError: If fewer than two runs are left beside constant and blocks.
        """
        free = _complement(always)
        if free.shape[1] < 2:
            raise TooFewDataError(
                f"{len(values)} runs leave {free.shape[1]} beside constant and blocks; at least 2 "
                "are needed to compare models: add runs."
            )
        largest = min(max_interaction, max((len(chosen) for chosen in sets), default=0))
        products = [
            chosen
            for size in range(1, largest + 1)
            for chosen in combinations(range(len(groups)), size)
        ]
        # One factor's part of Z Z' per product, so that a model's is a sum over its products.
        parts = np.array([_outer(free, [groups[i] for i in chosen]) for chosen in products])
        membership = np.zeros((len(sets), len(groups)))
        for row, chosen in enumerate(sets):
            membership[row, list(chosen)] = 1.0
        results = free.T @ values
        eigenvalues = np.empty((len(sets), free.shape[1]))
        squares = np.empty_like(eigenvalues)
        masks = [list(chosen) for chosen in products]
        for start in range(0, len(sets), CHUNK):
            own = membership[start : start + CHUNK]
            inside = np.column_stack([own[:, mask].all(axis=1) for mask in masks]).astype(float)
            sums = np.tensordot(inside, parts, axes=1)
            levels, vectors = np.linalg.eigh(sums)
            eigenvalues[start : start + CHUNK] = np.maximum(levels, 0.0)
            squares[start : start + CHUNK] = np.square(np.swapaxes(vectors, 1, 2) @ results)
        return cls(sets, membership, eigenvalues, squares)

    def log_prior(self, chance: float) -> FloatArray:
        """Return the log prior of each model, each factor active with this chance."""
        sizes = self.membership.sum(axis=1)
        found = sizes * np.log(chance) + (self.membership.shape[1] - sizes) * np.log1p(-chance)
        return np.asarray(found - special.logsumexp(found))

    def log_likelihood(self, spread: float) -> FloatArray:
        """Return each model's log likelihood, the noise integrated out, less that of no effect.

        Source:
            Box and Meyer (1993), J. Quality Technology 25, 94-105, equation 5, in terms of the
            covariance of the results.
        """
        inflation = 1 + spread**2 * self.eigenvalues
        left = (self.squares / inflation).sum(axis=1) / self.squares.sum(axis=1)
        free = self.eigenvalues.shape[1]
        return np.asarray(-0.5 * np.log(inflation).sum(axis=1) - 0.5 * free * np.log(left))

    def log_evidence(self, log_prior: FloatArray, spread: float) -> float:
        """Return the log probability of the results over all models, less that of no effect."""
        return float(special.logsumexp(log_prior + self.log_likelihood(spread)))

    def posterior(self, log_prior: FloatArray, spread: float) -> FloatArray:
        """Return the posterior probability of each model, shape ``(n_models,)``."""
        return np.asarray(special.softmax(log_prior + self.log_likelihood(spread)))


def _complement(columns: FloatArray) -> FloatArray:
    """Return an orthonormal basis of what these columns do not span."""
    left, sizes, _ = np.linalg.svd(columns, full_matrices=True)
    rank = int((sizes > RANK_TOLERANCE * sizes.max(initial=0.0)).sum())
    return np.asarray(left[:, rank:])


def _outer(free: FloatArray, factors: Sequence[FloatArray]) -> FloatArray:
    """Return Z Z' of the interaction of some factors, outside constant and blocks."""
    columns = factors[0]
    for other in factors[1:]:
        columns = (columns[:, :, None] * other[:, None, :]).reshape(len(columns), -1)
    own = free.T @ columns
    return np.asarray(own @ own.T)
