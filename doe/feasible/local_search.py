"""The place nearest to a target where expression constraints hold, as far as slopes lead.

The columns of the search are the places of the moving factors, then how far each lies above its
goal, then how far below; so the change in coded units, a sum of absolute values, is a linear cost.
"""

from typing import Any

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.factors import Settings, Value
from doe.feasible.branches import level_totals
from doe.feasible.regions import Points, Region
from doe.space import FactorSpace

_SMALL = 1e-7
_BEYOND = 1e6


def moved_near(space: FactorSpace, target: Settings, origin: Settings) -> dict[str, Value]:
    """Return a local optimum near a target, steps aside, with the levels of the origin.

    It may miss a constraint by the accuracy of the solver, or by more where that found nothing.
    """
    from scipy.optimize import Bounds, minimize

    region = Region(space)
    n = len(region.moving)
    if n == 0:
        return dict(origin)
    place, goal = region.places_of(origin), region.places_of(target)
    levels = region.levels_of(origin)
    held = _held(region, origin)
    low, high = np.where(held, place, 0.0), np.where(held, place, 1.0)
    widths = region.coded_widths()
    cost = np.concatenate([np.zeros(n), widths, widths])

    def price(columns: FloatArray, /) -> float:
        return float(cost @ columns)

    def slope(_: FloatArray, /) -> FloatArray:
        return cost

    found: Any = minimize(
        price,
        np.concatenate([place, np.maximum(place - goal, 0.0), np.maximum(goal - place, 0.0)]),
        jac=slope,
        bounds=Bounds(
            np.concatenate([low, np.zeros(2 * n)]), np.concatenate([high, np.full(2 * n, 2.0)])
        ),
        constraints=[*_linear_rows(region, goal, levels), _slack_rows(region, place, levels)],
        method="SLSQP",
        options={"maxiter": 100, "ftol": 1e-10},
    )
    moved = np.clip(np.where(np.isfinite(found.x[:n]), found.x[:n], place), low, high)
    values = region.values(Points(moved[None], levels[None]))
    return {**origin, **{f.name: float(values[f.name][0]) for f in region.moving}}


def _held(region: Region, origin: Settings) -> BoolArray:
    """Return which moving factors stay at zero, since a cardinality constraint counts them."""
    counted = {name for constraint in region.counted for name in constraint.factors}
    return np.array([f.name in counted and float(origin[f.name]) == 0 for f in region.moving])


def _linear_rows(region: Region, goal: FloatArray, levels: IntArray) -> list[Any]:
    n = len(goal)
    above_below = np.hstack([np.eye(n), -np.eye(n), np.eye(n)])
    equations = np.hstack([region.equations, np.zeros((len(region.equations), 2 * n))])
    matrix = np.vstack([above_below, equations])
    ends = np.concatenate([goal, level_totals(region, levels[None])[0]])
    inside = np.hstack([-region.matrix, np.zeros((len(region.upper), 2 * n))])
    return [
        {"type": "eq", "fun": lambda c: matrix @ c - ends, "jac": lambda _: matrix},
        {"type": "ineq", "fun": lambda c: inside @ c + region.upper, "jac": lambda _: inside},
    ]


def _slack_rows(region: Region, place: FloatArray, levels: IntArray) -> Any:
    """Return the rows of what is not linear, with slopes from one-sided differences."""
    n = len(place)

    def slacks(places: FloatArray) -> FloatArray:
        chosen = np.tile(levels, (len(places), 1))
        parts = region.slacks(Points(np.clip(places, 0.0, 1.0), chosen))
        return np.clip(np.where(np.isnan(parts), -_BEYOND, parts), -_BEYOND, _BEYOND)

    scale = np.maximum(np.abs(slacks(place[None])[0]), 1e-12)

    def slack(columns: FloatArray) -> FloatArray:
        return np.asarray(slacks(columns[None, :n])[0] / scale, dtype=np.float64)

    def slope(columns: FloatArray) -> FloatArray:
        inward = np.where(columns[:n] < 0.5, 1.0, -1.0)
        here, there = slacks(columns[None, :n]), slacks(columns[:n] + np.diag(_SMALL * inward))
        by_place = ((there - here) / scale).T * inward / _SMALL
        return np.hstack([by_place, np.zeros((len(scale), 2 * n))])

    return {"type": "ineq", "fun": slack, "jac": slope}
