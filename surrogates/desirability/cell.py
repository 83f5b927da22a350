"""The smooth part of a desirability: factors that move freely while all others are held."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize

from doe.arrays import FloatArray
from doe.coding import coded_number, natural_values, numbers_of
from doe.constraints import (
    CardinalityConstraint,
    Constraint,
    ExpressionConstraint,
    ForbiddenCombination,
    LinearConstraint,
)
from doe.factors import CategoricalFactor, ContinuousFactor, MixtureComponent, Settings, Value
from doe.responses import Desirability
from doe.space import FactorSpace
from surrogates.desirability.expected_responses import ExpectedResponses

if TYPE_CHECKING:
    import pandas as pd

FreeFactor = ContinuousFactor | MixtureComponent
Slack = Callable[["pd.DataFrame"], FloatArray]

# Differences for slopes, in coded units.
CHANGE = 1e-5
# Inequalities are met with this much to spare, so that rounding error does not break them.
SPARE = 1e-9
# Logarithms of desirabilities are taken down to here.
SMALLEST = 1e-4
MAX_ITERATIONS = 200
ACCURACY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Ramps:
    """The straight pieces of every desirability: ``factor * response + offset``, at most 1.

    A desirability is the smallest of its pieces, cut at 0 and 1, to the power of its weight.

    Attributes:
        goals: Place of the goal that each piece belongs to, shape ``(n_pieces,)``.
        factors: Slope of each piece.
        offsets: Value of each piece where the response is zero.
        is_limit: Pieces that only must not be negative: the ends of a range.
        exponents: Of each goal's ramp in the overall desirability, shape ``(n_goals,)``.
    """

    goals: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    factors: FloatArray
    offsets: FloatArray
    is_limit: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
    exponents: FloatArray

    @classmethod
    def of(cls, objective: Desirability) -> "Ramps":
        """Return the pieces of an objective."""
        pieces: list[tuple[int, float, float, bool]] = []
        for place, goal in enumerate(objective.goals):
            low, high = float(goal.low or 0.0), float(goal.high or 0.0)
            top = {"maximise": high, "minimise": low}.get(goal.aim, goal.target)
            if goal.aim == "range":
                span = high - low
                pieces += [(place, 1 / span, -low / span, True)]
                pieces += [(place, -1 / span, high / span, True)]
                continue
            peak = float(top or 0.0)
            if goal.aim in ("maximise", "target"):
                pieces.append((place, 1 / (peak - low), -low / (peak - low), False))
            if goal.aim in ("minimise", "target"):
                pieces.append((place, -1 / (high - peak), high / (high - peak), False))
        goals, factors, offsets, limits = zip(*pieces, strict=True)
        total = sum(goal.importance for goal in objective.goals)
        return cls(
            np.array(goals, dtype=np.int64),
            np.array(factors),
            np.array(offsets),
            np.array(limits, dtype=np.bool_),
            np.array([goal.weight * goal.importance / total for goal in objective.goals]),
        )

    def heights(self, values: FloatArray) -> FloatArray:
        """Return each piece's height, shape ``(n_pieces, n_settings)``.

        Args:
            values: Responses, shape ``(n_goals, n_settings)``.
        """
        return self.factors[:, None] * values[self.goals] + self.offsets[:, None]


@dataclass(frozen=True, eq=False)
class Cell:
    """Settings that differ in the free factors only, searched by sequential programming.

    The corners of a desirability would stop a method that follows slopes. Instead of the smallest
    piece a free height below every piece is maximised, which is smooth and has the same solution.

    Attributes:
        space: The factor space.
        expected: What gives the responses.
        ramps: The pieces of the desirabilities.
        fixed: Settings of the factors that are held, natural units.
        free: The factors that move.
        start: A setting of all factors, natural units; forbidden combinations are left on the side
            on which it lies.

    Source:
        Sequential least-squares programming: Kraft (1988), DFVLR-FB 88-28; the smooth form of a
        smallest value: Boyd and Vandenberghe (2004), Convex Optimization, section 4.1.3.
    """

    space: FactorSpace
    expected: ExpectedResponses
    ramps: Ramps
    fixed: Mapping[str, Value]
    free: tuple[FreeFactor, ...]
    start: Settings

    @classmethod
    def about(
        cls,
        space: FactorSpace,
        expected: ExpectedResponses,
        ramps: Ramps,
        start: Settings,
        *,
        held: frozenset[str] = frozenset(),
    ) -> "Cell":
        """Return the cell of a setting; levels, ``held`` factors and left-out ones stay."""
        left_out = {
            name
            for constraint in space.constraints
            if isinstance(constraint, CardinalityConstraint)
            for name in constraint.factors
            if float(start[name]) == 0.0
        }
        free = tuple(
            factor
            for factor in space.searched
            if isinstance(factor, FreeFactor) and factor.name not in held | left_out
        )
        names = {factor.name for factor in free}
        fixed = {name: start[name] for name in space.names if name not in names}
        return cls(space, expected, ramps, fixed, free, start)

    @cached_property
    def bounds(self) -> FloatArray:
        """Ends of the free factors in coded units, shape ``(n_free, 2)``."""
        return np.array([[self._coded(f, f.low), self._coded(f, f.high)] for f in self.free])

    def place(self, setting: Settings) -> FloatArray:
        """Return where the free factors of a setting are, coded, shape ``(n_free,)``."""
        return np.array([self._coded(f, float(setting[f.name])) for f in self.free])

    def settings(self, places: FloatArray) -> "pd.DataFrame":
        """Return places of the free factors, ``(n, n_free)`` coded, as settings."""
        import pandas as pd

        columns: dict[str, FloatArray | list[Value]] = {}
        order = {factor.name: place for place, factor in enumerate(self.free)}
        for factor in self.space.searched:
            if factor.name in order and not isinstance(factor, CategoricalFactor):
                column = places[:, order[factor.name]]
                values = natural_values(factor, column, self.space.mixture_total)
                columns[factor.name] = np.clip(values, factor.low, factor.high)
            else:
                columns[factor.name] = [self.fixed[factor.name]] * len(places)
        return pd.DataFrame(columns)

    def best(self) -> "pd.DataFrame":
        """Return the local optimum that is reached from the start, one row of settings."""
        z = self.place(self.start)
        if not len(z):
            return self.settings(z[None, :])
        z = np.clip(z, self.bounds[:, 0], self.bounds[:, 1])
        n_goals = len(self.ramps.exponents)
        heights = np.full(n_goals, 0.5)
        pieces = self.ramps.heights(self.expected.means(self.settings(z[None, :])))[:, 0]
        for goal in range(n_goals):
            own = pieces[(self.ramps.goals == goal) & ~self.ramps.is_limit]
            heights[goal] = np.clip(own.min(), 0.05, 1.0) if len(own) else 1.0
        found = optimize.minimize(  # type: ignore[call-overload]  # plain dictionaries, as documented
            self._loss,
            np.concatenate([z, heights]),
            jac=self._loss_slope,
            bounds=[*map(tuple, self.bounds), *[(SMALLEST, 1.0)] * n_goals],
            constraints=self._programs(),
            method="SLSQP",
            options={"maxiter": MAX_ITERATIONS, "ftol": ACCURACY},
        )
        place = np.clip(found.x[: len(z)], self.bounds[:, 0], self.bounds[:, 1])
        return self.settings(place[None, :])

    def _coded(self, factor: FreeFactor, value: float) -> float:
        return coded_number(factor, value, self.space.mixture_total)

    def _loss(self, unknowns: FloatArray) -> float:
        heights = unknowns[len(self.free) :]
        return -float(self.ramps.exponents @ np.log(np.maximum(heights, SMALLEST)))

    def _loss_slope(self, unknowns: FloatArray) -> FloatArray:
        heights = np.maximum(unknowns[len(self.free) :], SMALLEST)
        return np.concatenate([np.zeros(len(self.free)), -self.ramps.exponents / heights])

    def _programs(self) -> list[dict[str, object]]:
        """Return the constraints as scipy wants them."""
        inequalities, equations = self._slacks()
        ramps, n_free = self.ramps, len(self.free)
        above = np.zeros((len(ramps.goals), len(ramps.exponents)))
        above[np.arange(len(ramps.goals)), ramps.goals] = np.where(ramps.is_limit, 0.0, 1.0)

        def heights(table: "pd.DataFrame") -> FloatArray:
            pieces = ramps.heights(self.expected.means(table))
            own = np.array([slack(table) for slack in inequalities]).reshape(-1, len(table))
            return np.vstack([pieces, own]) - SPARE

        def left(table: "pd.DataFrame") -> FloatArray:
            return np.array([equation(table) for equation in equations]).reshape(-1, len(table))

        taken = np.vstack([above, np.zeros((len(inequalities), above.shape[1]))])
        found = [self._program("ineq", heights, taken, n_free)]
        if equations:
            none = np.zeros((len(equations), above.shape[1]))
            found.append(self._program("eq", left, none, n_free))
        return found

    def _program(
        self, kind: str, of: Callable[["pd.DataFrame"], FloatArray], taken: FloatArray, n_free: int
    ) -> dict[str, object]:
        latest: dict[bytes, tuple[FloatArray, FloatArray]] = {}

        def at(place: FloatArray) -> tuple[FloatArray, FloatArray]:
            key = place.tobytes()
            if key not in latest:
                latest.clear()
                latest[key] = self._values_and_slopes(of, place)
            return latest[key]

        def value(unknowns: FloatArray) -> FloatArray:
            return np.asarray(at(unknowns[:n_free])[0] - taken @ unknowns[n_free:])

        def slope(unknowns: FloatArray) -> FloatArray:
            return np.hstack([at(unknowns[:n_free])[1], -taken])

        return {"type": kind, "fun": value, "jac": slope}

    def _values_and_slopes(
        self, of: Callable[["pd.DataFrame"], FloatArray], place: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return values, and central differences that are one-sided at the bounds.

        Both from one table: a surrogate predicts many settings in hardly more time than one.
        """
        n, units = len(place), np.eye(len(place))
        up = np.minimum(place + CHANGE * units, self.bounds[:, 1])
        down = np.maximum(place - CHANGE * units, self.bounds[:, 0])
        values = of(self.settings(np.vstack([place, up, down])))
        slopes = (values[:, 1 : n + 1] - values[:, n + 1 :]) / np.diag(up - down)
        return values[:, 0], np.asarray(slopes)

    def _slacks(self) -> tuple[list[Slack], list[Slack]]:
        """Return the constraints on free factors: what must not be negative, what must be zero."""
        inequalities: list[Slack] = []
        equations: list[Slack] = []
        names = {factor.name for factor in self.free}
        for constraint in self.space.all_constraints:
            if not names & set(constraint.factors):
                continue
            if isinstance(constraint, LinearConstraint) and constraint.equals is not None:
                equations.append(_scaled(_equation(constraint), self._size(constraint)))
            else:
                inequalities += self._one_sided(constraint)
        return inequalities, equations

    def _one_sided(self, constraint: Constraint) -> list[Slack]:
        match constraint:
            case LinearConstraint():
                size = self._size(constraint)
                return [_scaled(slack, size) for slack in _linear(constraint)]
            case ExpressionConstraint():
                size = self._change(constraint)
                return [_scaled(constraint.slack, size)]
            case ForbiddenCombination():
                return self._kept_away(constraint)
            case CardinalityConstraint():
                return []  # what is left out is not free

    def _size(self, constraint: LinearConstraint) -> float:
        widths = [
            abs(constraint.coefficients[factor.name]) * (factor.high - factor.low)
            for factor in self.free
            if factor.name in constraint.coefficients
        ]
        return max(widths) or 1.0

    def _change(self, constraint: ExpressionConstraint) -> float:
        """Return by how much the free factors can change an expression, one at a time."""
        z = self.place(self.start)
        rows = np.tile(z, (2 * len(z), 1))
        for place in range(len(z)):
            rows[2 * place, place], rows[2 * place + 1, place] = self.bounds[place]
        values = constraint.slack(self.settings(rows))
        values = values[np.isfinite(values)]
        return float(np.ptp(values)) if len(values) and np.ptp(values) > 0 else 1.0

    def _kept_away(self, constraint: ForbiddenCombination) -> list[Slack]:
        """Return the end of one range that keeps the start, and what is near it, allowed."""
        free = {factor.name: factor for factor in self.free}
        ways: list[tuple[float, Slack]] = []
        for name, ends in constraint.conditions.items():
            if name not in free:
                if self._is_outside(constraint, name):
                    return []
                continue
            width = free[name].high - free[name].low
            for end, sign in zip(ends, (-1.0, 1.0), strict=True):
                if end is not None:
                    margin = sign * (float(self.start[name]) - float(end)) / width
                    ways.append((margin, _beyond(name, float(end), sign / width)))
        return [max(ways, key=lambda way: way[0])[1]] if ways else []

    def _is_outside(self, constraint: ForbiddenCombination, name: str) -> bool:
        """Return whether a factor that is held already breaks the combination."""
        import pandas as pd

        alone = ForbiddenCombination({name: constraint.conditions[name]})
        return bool(alone.holds(pd.DataFrame({name: [self.fixed[name]]}))[0])


def _scaled(slack: Slack, size: float) -> Slack:
    return lambda table: np.asarray(slack(table) / size)


def _beyond(name: str, end: float, weight: float) -> Slack:
    return lambda table: np.asarray((numbers_of(table[name]) - end) * weight)


def _total(constraint: LinearConstraint, table: "pd.DataFrame") -> FloatArray:
    total = np.zeros(len(table))
    for name, coefficient in constraint.coefficients.items():
        total = total + coefficient * numbers_of(table[name])
    return total


def _equation(constraint: LinearConstraint) -> Slack:
    total = float(constraint.equals or 0.0)
    return lambda table: np.asarray(_total(constraint, table) - total)


def _linear(constraint: LinearConstraint) -> list[Slack]:
    found: list[Slack] = []
    upper, lower = constraint.upper, constraint.lower
    if upper is not None:
        found.append(lambda table: np.asarray(upper - _total(constraint, table)))
    if lower is not None:
        found.append(lambda table: np.asarray(_total(constraint, table) - lower))
    return found
