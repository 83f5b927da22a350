"""The nearest settings that the equipment can set and every constraint allows.

Nearness is the sum over factors of the change in coded units; changing a categorical level counts
for more than any change of numbers. Linear constraints, steps, levels, forbidden combinations and
cardinality are met by a mixed-integer program, so nothing is nearer; but on a log scale a change
upwards is taken as growing as fast as its first step. With expression constraints the answer is
near, and not surely the nearest.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.coding import NumericFactor, coded_number, coded_values, is_log, numbers_of
from doe.constraints import ExpressionConstraint
from doe.errors import InfeasibleSpaceError, InvalidValueError
from doe.factors import CategoricalFactor, DiscreteFactor, Settings, Value
from doe.feasible.programs import Affine, Program, build_program, solve, values_of
from doe.rounding import balanced_mixture, clean_number, nearest_numbers, next_settings
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

_RATIO = 0.6
# A part of a program: a weighted sum of factors in natural units that must not fall below a value.
Cut = tuple[dict[str, float], float]


def project(space: FactorSpace, settings: "pd.DataFrame") -> "pd.DataFrame":
    """Return the nearest allowed settings; other columns and the index are kept.

    Raises:
        InvalidValueError: If a setting is missing or infinite, or a level is unknown.
        InfeasibleSpaceError: If a row has no allowed neighbour that could be found.
    """
    space.check_columns(settings)
    _check_values(space, settings)
    projected = settings.copy()
    rounded = rounded_settings(space, settings)
    for name in space.names:
        projected[name] = rounded[name].to_numpy()
    for row in np.flatnonzero(~space.contains(rounded)).tolist():
        target: dict[str, Value] = {name: settings[name].iloc[row] for name in space.names}
        nearest = nearest_setting(space, target)
        if nearest is None:
            raise InfeasibleSpaceError(
                f"Row {settings.index.tolist()[row]!r} ({_text(target)}) has no allowed neighbour "
                "that could be found: relax a constraint or a step, or start from other settings."
            )
        for name, value in nearest.items():
            projected.iloc[row, list(projected.columns).index(name)] = value
    return projected


def nearest_setting(space: FactorSpace, target: Settings) -> dict[str, Value] | None:
    """Return the allowed setting nearest to a target, or None if none was found."""
    nearest = nearest_linear(space, target)
    if nearest is None or is_allowed(space, nearest):
        return nearest
    if any(isinstance(constraint, ExpressionConstraint) for constraint in space.constraints):
        from doe.feasible.repair import repaired

        return repaired(space, target, nearest)
    return None


def nearest_linear(
    space: FactorSpace, target: Settings, cuts: Sequence[Cut] = ()
) -> dict[str, Value] | None:
    """Return the setting nearest to a target that meets all constraints but the expressions.

    Args:
        space: The factor space.
        target: Natural units.
        cuts: Further rows to meet.
    """
    program = build_program(space)
    for factor in space.searched:
        if isinstance(factor, CategoricalFactor):
            _cost_of_levels(program, factor, target[factor.name], 2.0 * len(space.searched) + 1.0)
        else:
            _cost_of_change(program, space, factor, float(target[factor.name]))
    for weights, low in cuts:
        total = program.sum_of(weights)
        program.row(total.weights, low - total.offset, np.inf)
    solution = solve(program)
    if solution is None:
        return None
    found = values_of(program, solution)
    clean = {
        factor.name: found[factor.name]
        if isinstance(factor, CategoricalFactor)
        else clean_number(factor, float(found[factor.name]), float(target[factor.name]))
        for factor in space.searched
    }
    # Rounding to few digits may step over a constraint by more than is forgiven.
    return clean if is_allowed(space, clean) or not is_allowed(space, found) else found


def is_allowed(space: FactorSpace, setting: Settings) -> bool:
    """Return whether a setting is within ranges, on steps, and meets every constraint."""
    import pandas as pd

    table = pd.DataFrame({name: [setting[name]] for name in space.names})
    return bool(space.contains(table)[0] and space.on_steps(table)[0])


def change(space: FactorSpace, settings: "pd.DataFrame", target: Settings) -> FloatArray:
    """Return how far settings are from a target in coded units, shape ``(n_rows,)``."""
    total = np.zeros(len(settings))
    for factor in space.searched:
        column = settings[factor.name]
        if isinstance(factor, CategoricalFactor):
            moved = np.asarray(column != target[factor.name], dtype=np.float64)
            total += moved * (2.0 * len(space.searched) + 1.0)
        else:
            start = min(max(float(target[factor.name]), factor.low), factor.high)
            ends = coded_values(factor, numbers_of(column), space.mixture_total)
            total += np.abs(ends - coded_number(factor, start, space.mixture_total))
    return total


def rounded_settings(space: FactorSpace, settings: "pd.DataFrame") -> "pd.DataFrame":
    """Return the factors on their steps and in their ranges, mixtures on their total."""
    rounded = settings[list(space.names)].copy()
    for factor in space.searched:
        if not isinstance(factor, CategoricalFactor):
            rounded[factor.name] = nearest_numbers(factor, numbers_of(settings[factor.name]))
    if not space.mixture:
        return rounded
    components = [component.name for component in space.mixture]
    shares = np.column_stack([numbers_of(settings[name]) for name in components])
    balanced = balanced_mixture(space.mixture, shares, space.mixture_total)
    if balanced is not None:
        off: BoolArray = ~space.contains(rounded)
        for place, name in enumerate(components):
            rounded[name] = np.where(off, balanced[:, place], rounded[name].to_numpy())
    return rounded


def _check_values(space: FactorSpace, settings: "pd.DataFrame") -> None:
    for factor in space.searched:
        column = settings[factor.name]
        if isinstance(factor, CategoricalFactor):
            wrong = ~column.isin(list(factor.levels)).to_numpy()
            expected = f"expected one of {', '.join(factor.levels)}"
        else:
            wrong = ~np.isfinite(numbers_of(column))
            expected = "expected a finite number"
        for row in np.flatnonzero(wrong).tolist():
            raise InvalidValueError(
                f"Row {settings.index.tolist()[row]!r}: factor '{factor.name}' is "
                f"{column.tolist()[row]!r}, {expected}: only complete settings can be moved."
            )


def _cost_of_levels(
    program: Program, factor: CategoricalFactor, target: Value, penalty: float
) -> None:
    for level, place in program.choices[factor.name].items():
        program.cost[place] = 0.0 if level == target else penalty


def _cost_of_change(
    program: Program, space: FactorSpace, factor: NumericFactor, target: float
) -> None:
    target = min(max(target, factor.low), factor.high)
    coded = coded_number(factor, target, space.mixture_total)
    if isinstance(factor, DiscreteFactor):
        for level, place in program.choices[factor.name].items():
            at_level = coded_number(factor, float(level), space.mixture_total)
            program.cost[place] = abs(at_level - coded)
        return
    width = factor.high - factor.low
    value: Affine = program.numbers[factor.name]
    weights = dict(value.weights)
    above, below = next_settings(factor, target)
    points = [below] if not is_log(factor) else _points_below(factor, below)
    for sign, start, end in ((-1.0, target, above), *_segments(target, points)):
        change = abs(
            coded_number(factor, end, space.mixture_total)
            - coded_number(factor, start, space.mixture_total)
        )
        room = width if sign < 0 or end == points[-1] else abs(end - start)
        column = program.column(0.0, room / width, cost=change / abs(end - start) * width)
        weights[column] = sign * width
    program.row(weights, target - value.offset, target - value.offset)


def _segments(start: float, points: Sequence[float]) -> list[tuple[float, float, float]]:
    return [(1.0, a, b) for a, b in pairwise((start, *points))]


def _points_below(factor: NumericFactor, first: float) -> list[float]:
    """Return points down to the lowest setting between which a logarithm is taken as straight.

    Downwards the change grows ever faster, so a program uses the segments in their order.
    """
    points = [first]
    while points[-1] > factor.low * (1 + 1e-9):
        points.append(max(points[-1] * _RATIO, factor.low))
    return points


def _text(target: Settings) -> str:
    return ", ".join(
        f"{name} {value}" if isinstance(value, str) else f"{name} {value:g}"
        for name, value in target.items()
    )
