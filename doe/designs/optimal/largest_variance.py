"""The largest prediction variance in the region (criterion G), and exchanges that lower it."""

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.designs.optimal.coordinate_exchange import STEP_SIZES, moves_of
from doe.designs.optimal.criteria import SINGULAR, Information
from doe.designs.optimal.problem import Problem

_MAX_PLACES = 1_500
_MAX_PASSES = 6
_SMALLEST_GAIN = 1e-4


def places_of(problem: Problem) -> FloatArray:
    """Return rows at places all over the region, in the middle of the blocks."""
    rows = problem.model(problem.pool[:_MAX_PLACES]) @ problem.basis
    return np.hstack([rows, np.zeros((len(rows), problem.block_contrasts.shape[1]))])


def largest_variances(problem: Problem, points: FloatArray) -> FloatArray:
    """Return the largest prediction variance of each design, shape ``(n_starts,)``.

    Args:
        problem: What is searched for; its pool is where the variance is looked at.
        points: Shape ``(n_starts, n_slots, n_factors)``.
    """
    inverse = Information(problem.slot_rows(points), problem.base, None).inverse
    places = places_of(problem)
    return np.array([((places @ each) * places).sum(axis=1).max() for each in inverse])


def lower_largest_variance(problem: Problem, start: FloatArray, *, with_moves: bool) -> FloatArray:
    """Return a design improved for the largest prediction variance, ``(n_slots, n_factors)``.

    Args:
        problem: What is searched for.
        start: The design to begin at, such as one that is D-optimal.
        with_moves: Whether runs may leave the candidate points.

    Source:
        Rodriguez, Jones, Borror and Montgomery (2010), J. Quality Technology 42, 3-20: coordinate
        exchange for the G criterion.
    """
    search = _Search(problem, start)
    for size in (None, *STEP_SIZES) if with_moves else (None,):
        for _ in range(_MAX_PASSES):
            if not search.one_pass(size, with_moves=with_moves):
                break
    return search.points


class _Search:
    def __init__(self, problem: Problem, start: FloatArray) -> None:
        self._problem = problem
        self.points = start.copy()
        self._places = places_of(problem)
        self._free = np.flatnonzero(problem.slots.is_free)

    def one_pass(self, size: float | None, *, with_moves: bool) -> bool:
        """Offer each run its moves once; return whether any was taken."""
        problem, moved = self._problem, False
        moves = moves_of(problem, size) if with_moves else []
        for slot in self._free:
            here = self.points[None, slot]
            tries = [here if with_moves else problem.pool]
            for move in moves:
                tried, allowed = move(here)
                tries.append(tried[0] if allowed is None else tried[0][allowed[0]])
            moved |= self._improve(int(slot), np.vstack(tries))
        return moved

    def _improve(self, slot: int, tried: FloatArray) -> bool:
        problem = self._problem
        tried = tried[self._affordable(slot, tried)]
        if not len(tried):
            return False
        rows = problem.slot_rows(self.points[None])
        inverse = Information(rows, problem.base, None).inverse[0]
        weight, block = problem.slots.weights[slot], int(problem.slots.blocks[slot])
        new = problem.rows(tried, block) * np.sqrt(weight)
        largest = largest_after(inverse, rows[0, slot], new, self._places)
        now = float(((self._places @ inverse) * self._places).sum(axis=1).max())
        best = int(largest.argmin())
        if not largest[best] < now * (1 - _SMALLEST_GAIN):
            return False
        self.points[slot] = tried[best]
        return True

    def _affordable(self, slot: int, tried: FloatArray) -> BoolArray:
        problem = self._problem
        if problem.budget is None:
            return np.ones(len(tried), dtype=np.bool_)
        weights = problem.slots.weights
        costs = problem.costs(self.points) * weights
        total = costs.sum() - costs[slot] + problem.costs(tried) * weights[slot]
        return np.asarray(total <= problem.budget + 1e-9 * max(1.0, abs(problem.budget)))


def largest_after(
    inverse: FloatArray, old: FloatArray, new: FloatArray, places: FloatArray
) -> FloatArray:
    """Return the largest variance after each exchange, shape ``(n_tries,)``."""
    old_side, new_sides = inverse @ old, new @ inverse
    old_old, new_old = float(old @ old_side), new @ old_side
    new_new = (new_sides * new).sum(axis=1)
    ratio = (1 + new_new) * (1 - old_old) + new_old**2
    at = places @ inverse
    now = (at * places).sum(axis=1)[:, None]
    by_new, by_old = places @ new_sides.T, (places @ old_side)[:, None]
    change = (old_old - 1) * by_new**2 - 2 * new_old * by_new * by_old
    change += (1 + new_new) * by_old**2
    usable = ratio > SINGULAR
    after = now + change / np.where(usable, ratio, 1.0)
    return np.where(usable, after.max(axis=0), np.inf)
