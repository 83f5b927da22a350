"""Several searches at once: where each stands, and exchanges of runs that make it better."""

from dataclasses import dataclass

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.designs.optimal.criteria import Information, log_values
from doe.designs.optimal.problem import Problem

# Smaller gains in the logarithm of the criterion are rounding error or waste of time.
SMALLEST_GAIN = 1e-7
# What is left of a budget is known up to rounding error.
_CENT = 1e-9


@dataclass(slots=True, eq=False)
class Starts:
    """Designs under way.

    Attributes:
        problem: What is searched for.
        points: Shape ``(n_starts, n_slots, n_factors)``; changed by the search.
        rows: Their weighted rows.
        information: What they tell.
        costs: Of one run in each slot, shape ``(n_starts, n_slots)``.
    """

    problem: Problem
    points: FloatArray
    rows: FloatArray
    information: Information
    costs: FloatArray

    @classmethod
    def at(cls, problem: Problem, points: FloatArray) -> "Starts":
        """Return searches that begin at designs of shape ``(n_starts, n_slots, n_factors)``."""
        rows = problem.slot_rows(points)
        information = Information(rows, problem.base, problem.loading)
        return cls(problem, points.copy(), rows, information, problem.costs(points))

    def refresh(self) -> None:
        """Clear away the rounding error of many exchanges."""
        self.information.refresh(self.rows)

    def values(self) -> FloatArray:
        """Return the logarithm of the criterion, larger is better, shape ``(n_starts,)``."""
        return log_values(self.rows, self.problem.base, self.problem.loading)

    def improve(self, slot: int, tried: FloatArray, allowed: BoolArray | None = None) -> BoolArray:
        """Give one slot of each start the best of the points tried, where that is a gain.

        Args:
            slot: The slot.
            tried: Shape ``(n_starts, n_tries, n_factors)``.
            allowed: Which of them may be used; all where absent, but for the budget.

        Returns:
            In which starts the slot has changed.
        """
        problem = self.problem
        weight = problem.slots.weights[slot]
        rows = problem.rows(tried, int(problem.slots.blocks[slot])) * np.sqrt(weight)
        gains = self.information.gains(self.rows[:, slot], rows)
        if allowed is not None:
            gains = np.where(allowed, gains, -np.inf)
        if problem.limits_cost:
            gains = self.paid(slot, gains, problem.costs(tried))
        best = gains.argmax(axis=1)
        is_better = gains[np.arange(len(best)), best] > SMALLEST_GAIN
        which = np.flatnonzero(is_better)
        if which.size:
            self._take(slot, which, tried[which, best[which]], rows[which, best[which]])
        return np.asarray(is_better, dtype=np.bool_)

    def paid(self, slot: int, gains: FloatArray, costs: FloatArray) -> FloatArray:
        """Return gains less the price of the cost, or without those that exceed the budget.

        Args:
            slot: The slot.
            gains: Of the points tried, shape ``(n_starts, n_tries)``.
            costs: Of one run at these, same shape.
        """
        budget, weights = self.problem.budget, self.problem.slots.weights
        more = (costs - self.costs[:, slot, None]) * weights[slot]
        if self.problem.price is not None:
            return np.asarray(gains - self.problem.price * more, dtype=np.float64)
        if budget is None:
            return gains
        total = (self.costs @ weights)[:, None] + more
        return np.where(total <= budget + _CENT * max(1.0, abs(budget)), gains, -np.inf)

    def _take(self, slot: int, which: IntArray, points: FloatArray, rows: FloatArray) -> None:
        is_rough = self.information.exchange(which, self.rows[which, slot], rows)
        self.points[which, slot] = points
        self.rows[which, slot] = rows
        rough = which[is_rough]
        if rough.size:
            self.information.renew(rough, self.rows[rough])
        if self.problem.cost is not None:
            self.costs[which, slot] = self.problem.costs(points)
