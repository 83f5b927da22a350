"""Point exchange: runs are replaced by the best of a list of candidate points."""

from collections.abc import Callable

import numpy as np

from doe.arrays import FloatArray
from doe.designs.optimal.criteria import SINGULAR, exchange_of
from doe.designs.optimal.problem import Problem
from doe.designs.optimal.starts import SMALLEST_GAIN, Starts

_MAX_PASSES = 20


def exchange_points(
    problem: Problem, points: FloatArray, report: Callable[[float], None]
) -> FloatArray:
    """Return designs improved as far as replacing one run by a candidate goes.

    Args:
        problem: What is searched for; its pool holds the candidates.
        points: Designs to begin at, shape ``(n_starts, n_slots, n_factors)``.
        report: Told how much is done, from 0 to 1.

    Source:
        Fedorov (1972), Theory of Optimal Experiments, ch. 3, in the order of Cook and Nachtsheim
        (1980), Technometrics 22, 315-324: each run in turn gets its best replacement.
    """
    n_blocks = len(problem.block_contrasts)
    rows = np.stack([problem.rows(problem.pool, block) for block in range(n_blocks)])
    costs = problem.costs(problem.pool)
    found = []
    for place, start in enumerate(points, start=1):
        found.append(_exchanged(problem, start, rows, costs))
        report(place / len(points))
    return np.stack(found)


def _exchanged(
    problem: Problem, start: FloatArray, rows: FloatArray, costs: FloatArray
) -> FloatArray:
    """Return one design after passes over its runs, shape ``(n_slots, n_factors)``."""
    points = start
    for _ in range(_MAX_PASSES):
        search = Starts.at(problem, points[None])
        if not _one_pass(search, _Candidates(rows, search), costs):
            break
        points = search.points[0]
    return points


def _one_pass(search: Starts, candidates: "_Candidates", costs: FloatArray) -> bool:
    slots, pool = search.problem.slots, search.problem.pool
    moved = False
    for slot in np.flatnonzero(slots.is_free):
        weight, block = float(slots.weights[slot]), int(slots.blocks[slot])
        gains = candidates.gains(search.rows[0, slot], weight, block)
        if search.problem.limits_cost:
            gains = search.paid(int(slot), gains[None], costs[None])[0]
        best = int(gains.argmax())
        if gains[best] > SMALLEST_GAIN:
            moved = True
            old, new = search.rows[0, slot].copy(), candidates.rows[block, best] * np.sqrt(weight)
            search.rows[0, slot] = new
            if candidates.exchange(old, new):
                search.refresh()
                candidates.begin(search)
            search.points[0, slot] = pool[best]
            search.costs[0, slot] = costs[best]
    return moved


class _Candidates:
    """What each candidate would do to one design, kept up to date from exchange to exchange.

    Args:
        rows: Of the candidates in each block, shape ``(n_blocks, n_candidates, n_columns)``.
        search: The design.
    """

    def __init__(self, rows: FloatArray, search: Starts) -> None:
        self.rows = rows
        self._loading = search.problem.loading
        self.begin(search)

    def begin(self, search: Starts) -> None:
        """Compute all anew from what the runs of the design tell."""
        self._inverse = search.information.inverse[0]
        self._sides = self.rows @ self._inverse
        self._variances = (self._sides * self.rows).sum(axis=-1)
        if self._loading is not None:
            self._halves = self._sides @ self._loading
            self._trace = float((self._loading * (self._inverse @ self._loading)).sum())

    def gains(self, old: FloatArray, weight: float, block: int) -> FloatArray:
        """Return what ``Information.gains`` does, shape ``(n_candidates,)``."""
        new_new = weight * self._variances[block]
        new_old = np.sqrt(weight) * (self._sides[block] @ old)
        old_side = self._inverse @ old
        old_old = float(old @ old_side)
        ratio = (1 + new_new) * (1 - old_old) + new_old**2
        with np.errstate(divide="ignore", invalid="ignore"):
            if self._loading is None:
                return np.where(ratio > SINGULAR, np.log(ratio), -np.inf)
            halves, half = self._halves[block], self._loading.T @ old_side
            gained = (1 - old_old) * weight * (halves**2).sum(axis=-1)
            gained += 2 * new_old * np.sqrt(weight) * (halves @ half)
            gained -= (1 + new_new) * float(half @ half)
            left = 1 - gained / ratio / self._trace
            usable = (ratio > SINGULAR) & (left > 0)
            return np.where(usable, -np.log(np.where(usable, left, 1.0)), -np.inf)

    def exchange(self, old: FloatArray, new: FloatArray) -> bool:
        """Take over that the design has another row; return whether to begin anew instead."""
        pair = np.column_stack([new, old])
        inner, is_rough = (each[0] for each in exchange_of(self._inverse[None], pair[None]))
        if is_rough:
            return True
        sides = self._inverse @ pair
        change = np.linalg.solve(inner, sides.T)
        along = self.rows @ sides
        self._variances -= (along * np.linalg.solve(inner, along[..., None])[..., 0]).sum(axis=-1)
        self._sides -= along @ change
        self._inverse = self._inverse - sides @ change
        if self._loading is not None:
            self._halves -= along @ (change @ self._loading)
            self._trace = float((self._loading * (self._inverse @ self._loading)).sum())
        return False
