"""Factor spaces as mixed-integer linear programs: all constraints but the expressions, exactly.

Steps are whole numbers, discrete and categorical levels are binaries, forbidden combinations and
cardinality are binaries with the tightest bounds that the ranges allow.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, assert_never

import numpy as np

from doe.arrays import FloatArray
from doe.coding import TOLERANCE, NumericFactor
from doe.constraints import (
    CardinalityConstraint,
    Condition,
    Constraint,
    ExpressionConstraint,
    ForbiddenCombination,
    LinearConstraint,
)
from doe.factors import CategoricalFactor, DiscreteFactor, Value
from doe.rounding import number_of_steps
from doe.space import FactorSpace

# How far a factor's range is widened to see whether it takes part in a contradiction.
WIDENING = 100.0
# A forbidden point is left by this share of the range: no setting is the nearest one beside it.
POINT_MARGIN = 1e-5
_LARGEST_EXACT = 10**7

Domain = Literal["full", "without_steps", "free"]


@dataclass(frozen=True, slots=True)
class Affine:
    """A factor's value as ``offset`` plus a weighted sum of columns."""

    offset: float
    weights: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Row:
    """A weighted sum of columns between two ends."""

    weights: Mapping[int, float]
    low: float
    high: float


@dataclass
class Program:
    """Columns with their ranges, rows, and where each factor stands in the columns.

    Attributes:
        low: Lowest value of each column.
        high: Highest value of each column.
        is_whole: Whether each column takes whole numbers only.
        cost: What a unit of each column costs.
        rows: What must hold of the columns.
        numbers: Each numeric factor's value.
        choices: The binary column of each level of a categorical or discrete factor.
        ranges: The range of each numeric factor in natural units, widened where it is free.
    """

    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    is_whole: list[bool] = field(default_factory=list)
    cost: list[float] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    numbers: dict[str, Affine] = field(default_factory=dict)
    choices: dict[str, dict[Value, int]] = field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)

    def column(self, low: float, high: float, *, whole: bool = False, cost: float = 0.0) -> int:
        """Add a column and return its place."""
        self.low.append(low)
        self.high.append(high)
        self.is_whole.append(whole)
        self.cost.append(cost)
        return len(self.low) - 1

    def row(self, weights: Mapping[int, float], low: float, high: float) -> None:
        """Add a row, scaled so that its largest weight is one, or all are whole numbers."""
        weights = {place: weight for place, weight in weights.items() if weight != 0}
        largest = max((abs(weight) for weight in weights.values()), default=1.0)
        self.rows.append(
            Row(
                {place: weight / largest for place, weight in weights.items()},
                low / largest,
                high / largest,
            )
        )

    def sum_of(self, coefficients: Mapping[str, float]) -> Affine:
        """Return a weighted sum of numeric factors in terms of the columns."""
        offset, weights = 0.0, dict[int, float]()
        for name, coefficient in coefficients.items():
            part = self.numbers[name]
            offset += coefficient * part.offset
            for place, weight in part.weights.items():
                weights[place] = weights.get(place, 0.0) + coefficient * weight
        return Affine(offset, weights)


def build_program(
    space: FactorSpace,
    constraints: Sequence[Constraint] | None = None,
    *,
    domains: Mapping[str, Domain] | None = None,
) -> Program:
    """Return the program of a factor space.

    Args:
        space: Its factors.
        constraints: Those to keep; all of the space's where absent. Expressions are left out.
        domains: How much of each factor's range and steps to keep; all of it where absent.
    """
    program = Program()
    for factor in space.searched:
        domain = (domains or {}).get(factor.name, "full")
        if isinstance(factor, CategoricalFactor):
            # A level that is no level stands for a setting outside the list.
            levels = (*factor.levels, "") if domain == "free" else factor.levels
            _add_choice(program, factor.name, levels)
        else:
            _add_number(program, factor, domain)
    for constraint in space.all_constraints if constraints is None else constraints:
        match constraint:
            case LinearConstraint():
                _add_linear(program, constraint)
            case CardinalityConstraint():
                _add_cardinality(program, constraint)
            case ForbiddenCombination():
                _add_forbidden(program, constraint)
            case ExpressionConstraint():
                continue
            case _:
                assert_never(constraint)
    return program


def solve(program: Program) -> FloatArray | None:
    """Return the cheapest values of the columns, or None where no values meet every row."""
    from doe.feasible.highs import minimise_mixed

    matrix = np.zeros((len(program.rows), len(program.low)))
    for place, row in enumerate(program.rows):
        for column, weight in row.weights.items():
            matrix[place, column] = weight
    return minimise_mixed(
        np.array(program.cost),
        matrix,
        np.array([row.low for row in program.rows], dtype=np.float64),
        np.array([row.high for row in program.rows], dtype=np.float64),
        np.array(program.low),
        np.array(program.high),
        np.array(program.is_whole),
    )


def values_of(program: Program, solution: FloatArray) -> dict[str, Value]:
    """Return each factor's setting in natural units."""
    values: dict[str, Value] = {
        name: affine.offset + sum(w * float(solution[i]) for i, w in affine.weights.items())
        for name, affine in program.numbers.items()
        if name not in program.choices
    }
    for name, places in program.choices.items():
        values[name] = max(places, key=lambda level: float(solution[places[level]]))
    return values


def _add_number(program: Program, factor: NumericFactor, domain: Domain) -> None:
    name, low, high = factor.name, factor.low, factor.high
    if domain == "free":
        width = WIDENING * max(high - low, abs(low), abs(high))
        low, high = low - width, high + width
    program.ranges[name] = (low, high)
    if domain == "full" and isinstance(factor, DiscreteFactor):
        _add_choice(program, name, factor.levels)
        places = program.choices[name]
        weights = {places[level]: level - low for level in factor.levels}
        program.numbers[name] = Affine(low, weights)
    elif domain == "full" and not isinstance(factor, DiscreteFactor) and factor.step is not None:
        place = program.column(0, number_of_steps(factor), whole=True)
        program.numbers[name] = Affine(low, {place: factor.step})
    else:
        program.numbers[name] = Affine(low, {program.column(0.0, 1.0): high - low})


def _add_choice(program: Program, name: str, levels: Sequence[Value]) -> None:
    places: dict[Value, int] = {level: program.column(0, 1, whole=True) for level in levels}
    program.choices[name] = places
    program.row(dict.fromkeys(places.values(), 1.0), 1.0, 1.0)


def _add_linear(program: Program, constraint: LinearConstraint) -> None:
    low = constraint.lower if constraint.equals is None else constraint.equals
    high = constraint.upper if constraint.equals is None else constraint.equals
    total = program.sum_of(constraint.coefficients)
    low = -math.inf if low is None else low
    high = math.inf if high is None else high
    if all(program.is_whole[place] for place in total.weights):
        _add_whole_row(program, constraint, total, low, high)
    else:
        program.row(total.weights, low - total.offset, high - total.offset)


def _add_whole_row(
    program: Program, constraint: LinearConstraint, total: Affine, low: float, high: float
) -> None:
    """Add a row of whole columns only, with whole weights.

    The solver forgives 1e-6; three steps of 0.333333 would add up to 1. Whole numbers do not.
    """
    weights = {i: _exact(weight) for i, weight in total.weights.items()}
    scale = math.lcm(*(weight.denominator for weight in weights.values()))
    divisor = math.gcd(*(int(weight * scale) for weight in weights.values())) or 1
    whole = {i: float(weight * scale / divisor) for i, weight in weights.items()}
    if max(map(abs, whole.values()), default=0.0) > _LARGEST_EXACT:
        program.row(total.weights, low - total.offset, high - total.offset)
        return
    sizes = [abs(c) * max(map(abs, program.ranges[n])) for n, c in constraint.coefficients.items()]
    bounds = [abs(bound) for bound in (low, high) if math.isfinite(bound)]
    margin = TOLERANCE * max(*sizes, *bounds)
    factor = float(Fraction(scale, divisor))
    if math.isfinite(low):
        low = math.ceil((low - margin - total.offset) * factor)
    if math.isfinite(high):
        high = math.floor((high + margin - total.offset) * factor)
    program.rows.append(Row(whole, low, high))


def _exact(number: float) -> Fraction:
    """Return the shortest decimal that stands for a float: 0.1, not 0.1000000000000000055."""
    return Fraction(repr(float(f"{number:.12g}")))


def _add_cardinality(program: Program, constraint: CardinalityConstraint) -> None:
    uses = {}
    for name in constraint.factors:
        low, high = program.ranges[name]
        use = program.column(0, 1, whole=True)
        value = program.numbers[name]
        program.row({**value.weights, use: -high}, -math.inf, -value.offset)
        program.row({**value.weights, use: -low}, -value.offset, math.inf)
        uses[use] = 1.0
    program.row(uses, -math.inf, constraint.at_most)


def _add_forbidden(program: Program, constraint: ForbiddenCombination) -> None:
    """Demand that at least one condition is not met."""
    ways: list[int] = []
    for name, condition in constraint.conditions.items():
        if name in program.choices:
            choices = program.choices[name].items()
            ways += [place for level, place in choices if not _meets(level, condition)]
        else:
            low, high = condition
            ways += _ways_out(program, name, low, high)  # type: ignore[arg-type]  # not levels
    program.row(dict.fromkeys(ways, 1.0), 1.0, math.inf)


def _meets(level: Value, condition: Condition) -> bool:
    if isinstance(level, str):
        return level in condition
    low, high = condition
    if low == high:
        return level == low
    above = low is None or level > float(low)
    return above and (high is None or level < float(high))


def _ways_out(program: Program, name: str, low: float | None, high: float | None) -> list[int]:
    """Add a binary column for each side of an open range that the factor can be on."""
    value = program.numbers[name]
    range_low, range_high = program.ranges[name]
    (place, weight), one_point, ways = next(iter(value.weights.items())), low == high, []
    if program.is_whole[place]:
        margin = (1 - 1e-6) * weight if one_point else 0.0
    else:
        margin = POINT_MARGIN * (range_high - range_low) if one_point else 0.0
    if low is not None:
        last = (low - margin - value.offset) / weight
        if program.is_whole[place]:
            last = math.floor(last + 1e-6)
        if last >= program.low[place] - TOLERANCE:
            way = program.column(0, 1, whole=True)
            program.row(
                {place: 1.0, way: program.high[place] - last}, -math.inf, program.high[place]
            )
            ways.append(way)
    if high is not None:
        first = (high + margin - value.offset) / weight
        if program.is_whole[place]:
            first = math.ceil(first - 1e-6)
        if first <= program.high[place] + TOLERANCE:
            way = program.column(0, 1, whole=True)
            program.row({place: 1.0, way: -first}, program.low[place], math.inf)
            ways.append(way)
    return ways
