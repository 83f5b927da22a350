"""Settings near a target where a constraint is an expression, which no linear program knows."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from doe.constraints import ExpressionConstraint
from doe.expressions import parse_comparison
from doe.factors import CategoricalFactor, DiscreteFactor, Settings, Value
from doe.feasible.ensembles import MIN_JUDGED_WALKS
from doe.feasible.local_search import moved_near
from doe.feasible.projection import Cut, change, is_allowed, nearest_linear, rounded_settings
from doe.feasible.regions import MovingFactor
from doe.feasible.sampling import draw_settings
from doe.rounding import clean_number
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

# The settings that repairs start from are drawn alike every time: equal rows give equal answers.
_SEED = 1
_N_STARTS = 3
_N_TRIED = 2  # starts after which one answer will do
_N_ROUNDS = 4
_N_NEIGHBOURS = 400
_N_DESCENTS = 40
_FRACTIONS = (1.0, 0.75, 0.5, 0.25, 0.1)


def repaired(space: FactorSpace, target: Settings, start: Settings) -> dict[str, Value] | None:
    """Return an allowed setting near a target, or None if none was found.

    Args:
        space: The factor space; at least one constraint is an expression.
        target: What was asked for.
        start: A setting that meets the other constraints.
    """
    pool = allowed_pool(space)
    if pool is None:
        return None
    order = np.argsort(change(space, pool, target), kind="stable")
    near = [_setting(space, pool, int(row)) for row in order[:_N_STARTS]]
    found: list[dict[str, Value]] = []
    for number, origin in enumerate((start, *near)):
        if found and number >= _N_TRIED:
            break
        place = moved_near(space, target, origin)
        for candidate in (_pulled(space, place, near[0]), *_settled(space, target, place)):
            if is_allowed(space, candidate):
                found.append(dict(candidate))
    if not found:
        return None
    best = int(np.argmin(change(space, _table(space, found), target)))
    return _cleaned(space, target, _descended(space, target, found[best]))


@lru_cache(maxsize=16)
def allowed_pool(space: FactorSpace) -> "pd.DataFrame | None":
    """Return settings that all constraints allow, steps aside, or None if none was found."""
    return draw_settings(space, MIN_JUDGED_WALKS, rng=np.random.default_rng(_SEED))


def _pulled(space: FactorSpace, setting: Settings, inner: Settings) -> dict[str, Value]:
    """Return the first allowed setting on the way to an inner one; solvers stop a little outside.

    The way is straight in natural units, so linear constraints hold all along.
    """
    numeric = [f.name for f in space.searched if not isinstance(f, CategoricalFactor)]
    same = all(
        setting[f.name] == inner[f.name]
        for f in space.searched
        if isinstance(f, CategoricalFactor | DiscreteFactor)
    )
    if not same:
        return dict(setting)
    shares = np.concatenate([[0.0], np.geomspace(1e-10, 1.0, 40)])
    table = _table(space, [dict(setting)] * len(shares))
    for name in numeric:
        start, end = float(setting[name]), float(inner[name])
        table[name] = start + shares * (end - start)
    inside = np.flatnonzero(space.contains(table))
    return _setting(space, table, int(inside[0])) if len(inside) else dict(setting)


def _settled(space: FactorSpace, target: Settings, place: Settings) -> list[dict[str, Value]]:
    """Return settings on steps near a place, allowed or not."""
    found = []
    cuts: list[Cut] = []
    point: Settings = place
    for _ in range(_N_ROUNDS):
        cuts += _cuts_at(space, point)
        nearest = nearest_linear(space, target, cuts)
        if nearest is None:
            break
        found.append(nearest)
        if is_allowed(space, nearest):
            break
        point = nearest
    neighbours = _neighbours(space, place)
    allowed = neighbours[space.contains(neighbours) & space.on_steps(neighbours)]
    if len(allowed):
        best = int(np.argmin(change(space, allowed, target)))
        found.append(_setting(space, allowed, best))
    return found


def _cuts_at(space: FactorSpace, point: Settings) -> list[Cut]:
    """Return the expression constraints as linear ones that agree with them at a point."""
    cuts = []
    for constraint in space.constraints:
        if not isinstance(constraint, ExpressionConstraint):
            continue
        comparison = parse_comparison(constraint.expression)
        values = {name: float(point[name]) for name in comparison.names}
        slopes = {}
        for factor in space.searched:
            if factor.name not in values or isinstance(factor, CategoricalFactor):
                continue
            small = 1e-6 * (factor.high - factor.low)
            ends = np.array([values[factor.name] - small, values[factor.name] + small])
            columns = {name: np.full(2, value) for name, value in values.items()}
            below, above = comparison.slack({**columns, factor.name: ends})
            slopes[factor.name] = float((above - below) / (2 * small))
        here = float(comparison.slack({name: np.array([v]) for name, v in values.items()})[0])
        low = sum(slope * values[name] for name, slope in slopes.items()) - here
        if np.isfinite(low) and any(slopes.values()):
            cuts.append((slopes, low))
    return cuts


def _neighbours(space: FactorSpace, place: Settings) -> "pd.DataFrame":
    """Return settings on steps within two steps of a place."""
    rng = np.random.default_rng(_SEED)
    table = _table(space, [dict(place)] * _N_NEIGHBOURS)
    for factor in space.searched:
        if isinstance(factor, MovingFactor) and factor.step is not None:
            shift = rng.uniform(-2.0, 2.0, _N_NEIGHBOURS) * factor.step
            table[factor.name] = float(place[factor.name]) + shift
    return rounded_settings(space, table)


def _descended(space: FactorSpace, target: Settings, setting: Settings) -> dict[str, Value]:
    """Return the setting after moving single factors towards the target while that is allowed."""
    for _ in range(_N_DESCENTS):
        tried = [dict(setting)]
        for factor in space.searched:
            if isinstance(factor, CategoricalFactor):
                tried.append({**setting, factor.name: target[factor.name]})
                continue
            start, end = float(setting[factor.name]), float(target[factor.name])
            tried += [{**setting, factor.name: start + f * (end - start)} for f in _FRACTIONS]
        table = rounded_settings(space, _table(space, tried))
        far = change(space, table, target)
        far[~(space.contains(table) & space.on_steps(table))] = np.inf
        best = int(np.argmin(far))
        if not far[best] < far[0] - 1e-9:
            break
        setting = _setting(space, table, best)
    return dict(setting)


def _cleaned(space: FactorSpace, target: Settings, setting: Settings) -> dict[str, Value]:
    clean = {
        f.name: setting[f.name]
        if isinstance(f, CategoricalFactor)
        else clean_number(f, float(setting[f.name]), float(target[f.name]))
        for f in space.searched
    }
    return clean if is_allowed(space, clean) else dict(setting)


def _table(space: FactorSpace, settings: Sequence[Settings]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame({name: [s[name] for s in settings] for name in space.names})


def _setting(space: FactorSpace, table: "pd.DataFrame", row: int) -> dict[str, Value]:
    return {name: table[name].iloc[row] for name in space.names}
