"""Designs that a budget can pay for, from designs that exceed it."""

from dataclasses import replace

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.designs.optimal.problem import Exchange, Problem
from doe.errors import DesignError

_CENT = 1e-9
_FIRST_PRICE = 0.02
_RAISE = 2.0
_MAX_RAISES = 24


def within_budget(
    problem: Problem, points: FloatArray, exchange: Exchange, *, rng: np.random.Generator
) -> FloatArray:
    """Return designs that come within the budget, as many as there are or fewer.

    Every other design has its dearest runs replaced by random cheaper ones. In the rest, cost is
    made to count ever more: an exchange of one run alone cannot trade a dear run against several
    cheap ones; with a price on cost it can, and the price that just keeps to the budget is fair.

    Args:
        problem: What is searched for.
        points: Designs of any cost, shape ``(n_starts, n_slots, n_factors)``.
        exchange: How runs are exchanged.
        rng: Source of the random replacements.

    Raises:
        DesignError: If no design is within the budget; with the cheapest total.

    Source:
        Everett (1963), Operations Research 11, 399-417: Lagrange multipliers for budgets.
    """
    _check_payable(problem)
    points = points.copy()
    for start in points[1::2]:
        _make_payable(problem, start, rng)
    points[::2] = exchange(_priced(problem, 0.0), points[::2], untold)
    spread = float(np.ptp(problem.costs(problem.pool)))
    price = _FIRST_PRICE * len(problem.basis) / max(spread, _CENT)
    for _ in range(_MAX_RAISES):
        dear = np.flatnonzero(~_is_payable(problem, points))
        if not dear.size:
            return points
        points[dear] = exchange(_priced(problem, price), points[dear], untold)
        price *= _RAISE
    paid = _is_payable(problem, points)
    if not paid.any():
        cheapest = float((problem.costs(points) @ problem.slots.weights).min())
        raise DesignError(
            f"No design within the budget of {problem.budget:g} was found that can estimate all "
            f"terms; the cheapest found costs {cheapest:g}: raise the budget, or drop terms or "
            "runs."
        )
    return points[paid]


def _make_payable(problem: Problem, start: FloatArray, rng: np.random.Generator) -> None:
    """Replace the dearest runs of a design by cheaper ones, in place, until it can be paid."""
    free = np.flatnonzero(problem.slots.is_free)
    pool_costs, costs = problem.costs(problem.pool), problem.costs(start)
    while not _is_payable(problem, start):
        slot = free[costs[free].argmax()]
        cheaper = np.flatnonzero(pool_costs < costs[slot])
        taken = cheaper[rng.integers(len(cheaper))]
        start[slot], costs[slot] = problem.pool[taken], pool_costs[taken]


def _priced(problem: Problem, price: float) -> Problem:
    return replace(problem, price=price)


def untold(done: float) -> None:
    """Take note of how much is done, and tell nobody."""


def _is_payable(problem: Problem, points: FloatArray) -> BoolArray:
    assert problem.budget is not None
    total = problem.costs(points) @ problem.slots.weights
    margin = _CENT * max(1.0, abs(problem.budget))
    return np.asarray(total <= problem.budget + margin, dtype=np.bool_)


def _check_payable(problem: Problem) -> None:
    """Refuse a budget that not even the cheapest runs keep to."""
    assert problem.budget is not None
    slots = problem.slots
    costs = np.full(len(slots.weights), float(problem.costs(problem.pool).min()))
    fixed = np.flatnonzero(~slots.is_free)
    costs[fixed] = problem.costs(slots.fixed[fixed])
    total = float(costs @ slots.weights)
    if total > problem.budget + _CENT * max(1.0, abs(problem.budget)):
        raise DesignError(
            f"{int(slots.weights.sum())} runs cost at least {total:g}, the budget is "
            f"{problem.budget:g}: raise the budget, or ask for fewer runs."
        )
