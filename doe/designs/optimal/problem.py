"""What an optimal design is searched for, compiled: terms, region, fixed runs, blocks, costs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.designs.optimal.costs import CompiledCost
from doe.designs.optimal.points import PointSpace
from doe.designs.optimal.rows import ModelRows


@dataclass(frozen=True, slots=True, eq=False)
class Slots:
    """Places for runs: each holds one setting, done once or, for replicates, more often.

    Attributes:
        weights: How often each is done, shape ``(n_slots,)``.
        blocks: Places of the blocks.
        fixed: The points of slots that are not searched, NaN elsewhere, ``(n_slots, n_factors)``.
        point_types: What each is, in words.
    """

    weights: FloatArray
    blocks: IntArray
    fixed: FloatArray
    point_types: tuple[str, ...]

    @property
    def is_free(self) -> BoolArray:
        """Which slots are searched."""
        return np.asarray(np.isnan(self.fixed).any(axis=1), dtype=np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """All that the search needs to know.

    Attributes:
        points: The factor space, for many points at once.
        model: Rows of the model matrix.
        basis: Takes these rows into a basis in which they are about equally long, shape
            ``(n_terms, n_terms)``.
        block_contrasts: A row per block, shape ``(n_blocks, n_blocks - 1)``.
        base: Information of kept runs and of a prior, in the basis, blocks last.
        prior: The part of it that is a prior, shape ``(n_terms, n_terms)``.
        moments: Mean of x x' over the region, in the basis, of the primary terms.
        n_kept: How many kept runs are in ``base``.
        loading: For criteria that are traces; see ``Information``.
        slots: Places for runs.
        pool: Allowed points from everywhere in the region, shape ``(n_pool, n_factors)``.
        cost: The cost of a point, where there is one.
        budget: The most that all runs may cost.
        price: What a unit of cost takes off the logarithm of the criterion, while a search may
            still exceed the budget; the budget holds where it is None.
        by_largest_variance: Whether the designs found are improved for the largest variance (G).
    """

    points: PointSpace
    model: ModelRows
    basis: FloatArray
    block_contrasts: FloatArray
    base: FloatArray
    prior: FloatArray
    moments: FloatArray
    n_kept: int
    loading: FloatArray | None
    slots: Slots
    pool: FloatArray
    cost: CompiledCost | None
    budget: float | None
    price: float | None = None
    by_largest_variance: bool = False

    @property
    def is_constrained(self) -> bool:
        """Whether there is anything besides ranges, steps and levels."""
        return bool(self.points.space.all_constraints)

    @property
    def limits_cost(self) -> bool:
        """Whether exchanges must watch the budget, or what runs cost."""
        return self.budget is not None

    def rows(self, points: FloatArray, block: int | IntArray) -> FloatArray:
        """Return rows in the basis, of points of one block or of one block per point."""
        rows = self.model(points) @ self.basis
        if not self.block_contrasts.shape[1]:
            return np.asarray(rows, dtype=np.float64)
        parts = np.broadcast_to(
            self.block_contrasts[block], (*rows.shape[:-1], self.block_contrasts.shape[1])
        )
        return np.concatenate([rows, parts], axis=-1)

    def slot_rows(self, points: FloatArray) -> FloatArray:
        """Return the weighted rows of designs, ``(n_starts, n_slots, n_columns)``."""
        return self.rows(points, self.slots.blocks) * np.sqrt(self.slots.weights)[:, None]

    def costs(self, points: FloatArray) -> FloatArray:
        """Return what a run at each point costs, shape ``(...)``; zero without a cost."""
        return np.zeros(points.shape[:-1]) if self.cost is None else self.cost(points)


Report = Callable[[float], None]
# Designs of shape (n_starts, n_slots, n_factors), improved; told how much is done, from 0 to 1.
Exchange = Callable[[Problem, FloatArray, Report], FloatArray]
