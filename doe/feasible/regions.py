"""The allowed region of a factor space in coordinates that are fit for random walks.

Continuous factors and mixture components move in the unit interval (on the logarithm where the
scale is ``log``), ignoring steps; discrete and categorical factors take levels by their place.
Linear constraints among moving factors shape the region exactly (``matrix``, ``equations``). All
others are judged by ``excess``: how far a point is from being allowed, zero where it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.coding import TOLERANCE, is_log
from doe.constraints import (
    CardinalityConstraint,
    Constraint,
    ExpressionConstraint,
    ForbiddenCombination,
    LinearConstraint,
)
from doe.expressions import parse_comparison
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
    SearchedFactor,
    Settings,
)
from doe.space import FactorSpace

MovingFactor = ContinuousFactor | MixtureComponent
ChosenFactor = DiscreteFactor | CategoricalFactor


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Places in a region.

    Attributes:
        moving: Shape ``(n_points, n_moving)``, between 0 and 1.
        chosen: Places of the levels, shape ``(n_points, n_chosen)``.
    """

    moving: FloatArray
    chosen: IntArray

    def __len__(self) -> int:
        """Return how many points there are."""
        return len(self.moving)

    def take(self, rows: IntArray | BoolArray) -> "Points":
        """Return some of the points."""
        return Points(self.moving[rows], self.chosen[rows])


class Region:
    """What is allowed, compiled for many points at once.

    Args:
        space: The factor space.
        constraints: Those to obey; all of the space's where absent.
        without_logs: Whether factors on a log scale move on a linear one.

    Attributes:
        moving: Factors that move in the unit interval.
        chosen: Factors that take levels.
        matrix: Rows ``matrix @ z <= upper`` of the moving factors, bounds included.
        upper: Ends of these rows.
        equations: Rows ``equations @ z + level_weights @ levels = totals``.
        totals: Ends of these rows.
        level_weights: Weight of each chosen factor's level in the equations.
        counted: The cardinality constraints.
        constraints: All that the region obeys.
    """

    def __init__(
        self,
        space: FactorSpace,
        constraints: Sequence[Constraint] | None = None,
        *,
        without_logs: bool = False,
    ) -> None:
        self.space = space
        self.moving = tuple(f for f in space.searched if isinstance(f, MovingFactor))
        self.chosen = tuple(f for f in space.searched if isinstance(f, ChosenFactor))
        kept = space.all_constraints if constraints is None else tuple(constraints)
        self.constraints = kept
        self.counted = tuple(c for c in kept if isinstance(c, CardinalityConstraint))
        linear = [c for c in kept if isinstance(c, LinearConstraint)]
        equal = [c for c in linear if c.equals is not None]
        in_equations = {name for constraint in equal for name in constraint.factors}
        # A sum of logarithms is not the logarithm of a sum: in an equation a factor moves as it is.
        self.is_log = np.array(
            [not without_logs and is_log(f) and f.name not in in_equations for f in self.moving],
            dtype=np.bool_,
        )
        self._places = {f.name: i for i, f in enumerate(self.moving)}
        self._chosen_places = {f.name: i for i, f in enumerate(self.chosen)}
        straight = {f.name for f, log in zip(self.moving, self.is_log, strict=True) if not log}
        exact = [c for c in linear if c.equals is None and straight.issuperset(c.factors)]
        self._judged = [
            c for c in kept if c not in self.counted and c not in exact and c not in equal
        ]
        self._low = np.array([f.low for f in self.moving])
        self._width = np.array([f.high - f.low for f in self.moving])
        self._set_rows(exact, equal)

    def _set_rows(
        self, exact: Sequence[LinearConstraint], equal: Sequence[LinearConstraint]
    ) -> None:
        n = len(self.moving)
        rows, ends = [np.eye(n), -np.eye(n)], [np.ones(n), np.zeros(n)]
        for constraint in exact:
            weights, _, offset = self._weights(constraint)
            scale = float(np.abs(weights).max())
            if constraint.upper is not None:
                rows.append(weights[None] / scale)
                ends.append(np.array([(constraint.upper - offset) / scale]))
            if constraint.lower is not None:
                rows.append(-weights[None] / scale)
                ends.append(np.array([(offset - constraint.lower) / scale]))
        self.matrix, self.upper = np.vstack(rows), np.concatenate(ends)
        self.equations = np.zeros((len(equal), n))
        self.level_weights = np.zeros((len(equal), len(self.chosen)))
        self.totals = np.zeros(len(equal))
        for place, constraint in enumerate(equal):
            weights, level_weights, offset = self._weights(constraint)
            scale = float(np.abs(weights).max(initial=0.0)) or float(np.abs(level_weights).max())
            self.equations[place] = weights / scale
            self.level_weights[place] = level_weights / scale
            self.totals[place] = ((constraint.equals or 0.0) - offset) / scale

    def _weights(self, constraint: LinearConstraint) -> tuple[FloatArray, FloatArray, float]:
        weights, level_weights = np.zeros(len(self.moving)), np.zeros(len(self.chosen))
        offset = 0.0
        for name, coefficient in constraint.coefficients.items():
            if name in self._places:
                place = self._places[name]
                weights[place] = coefficient * self._width[place]
                offset += coefficient * self._low[place]
            else:
                level_weights[self._chosen_places[name]] = coefficient
        return weights, level_weights, offset

    @property
    def is_judged(self) -> bool:
        """Whether there are constraints that only ``excess`` knows."""
        return bool(self._judged)

    def values(self, points: Points) -> dict[str, FloatArray]:
        """Return the numeric factors in natural units, each of shape ``(n_points,)``."""
        natural = self._low + self._width * points.moving
        if self.is_log.any():
            low, width = self._low[self.is_log], self._width[self.is_log]
            natural[:, self.is_log] = low * (1 + width / low) ** points.moving[:, self.is_log]
        values = {f.name: natural[:, i] for i, f in enumerate(self.moving)}
        for place, factor in enumerate(self.chosen):
            if isinstance(factor, DiscreteFactor):
                values[factor.name] = np.asarray(factor.levels)[points.chosen[:, place]]
        return values

    def excess(self, points: Points) -> FloatArray:
        """Return how far each point is from being allowed, shape ``(n_points,)``; zero inside.

        Comparable between points of one region; infinite where an expression has no value.
        """
        worst = np.zeros(len(points))
        if not self._judged:
            return worst
        values = self.values(points)
        for constraint in self._judged:
            match constraint:
                case ExpressionConstraint():
                    excess = _expression_excess(constraint, values, len(points))
                case ForbiddenCombination():
                    excess = self._forbidden_excess(constraint, points, values)
                case LinearConstraint():
                    excess = self._linear_excess(constraint, values, len(points))
                case _:
                    raise TypeError(f"{constraint!r} is not judged by excess.")
            worst = np.maximum(worst, excess)
        return worst

    def slacks(self, points: Points) -> FloatArray:
        """Return how far inside each judged linear or expression constraint the points are.

        Shape ``(n_points, n_slacks)``; negative outside, NaN where an expression has no value.
        """
        values = self.values(points)
        parts: list[FloatArray] = [np.ones(len(points))]
        for constraint in self._judged:
            if isinstance(constraint, ExpressionConstraint):
                comparison = parse_comparison(constraint.expression)
                parts.append(np.broadcast_to(comparison.slack(values), (len(points),)))
            elif isinstance(constraint, LinearConstraint):
                total = np.zeros(len(points))
                for name, coefficient in constraint.coefficients.items():
                    total = total + coefficient * values[name]
                parts += [constraint.upper - total] if constraint.upper is not None else []
                parts += [total - constraint.lower] if constraint.lower is not None else []
        return np.column_stack(parts)

    def places_of(self, setting: Settings) -> FloatArray:
        """Return where the moving factors of a setting stand, shape ``(n_moving,)``, 0 to 1."""
        values = np.array([float(setting[f.name]) for f in self.moving])
        high = self._low + self._width
        values = np.clip(values, self._low, high)
        places = (values - self._low) / self._width
        low, log = self._low[self.is_log], self.is_log
        places[log] = np.log(values[log] / low) / np.log(high[log] / low)
        return np.asarray(places, dtype=np.float64)

    def levels_of(self, setting: Settings) -> IntArray:
        """Return the places of a setting's levels, shape ``(n_chosen,)``."""
        return np.array(
            [list(f.levels).index(setting[f.name]) for f in self.chosen], dtype=np.int64
        )

    def coded_widths(self) -> FloatArray:
        """Return the width of each moving factor's range in coded units."""
        total = self.space.mixture_total
        return np.array(
            [
                width / total if isinstance(factor, MixtureComponent) else 2.0
                for factor, width in zip(self.moving, self._width, strict=True)
            ]
        )

    def _linear_excess(
        self, constraint: LinearConstraint, values: Mapping[str, FloatArray], n_points: int
    ) -> FloatArray:
        total, scale = np.zeros(n_points), 0.0
        for name, coefficient in constraint.coefficients.items():
            total = total + coefficient * values[name]
            low, high = self.range_of(name)
            scale += abs(coefficient) * (high - low)
        above = -np.inf if constraint.upper is None else total - constraint.upper
        below = -np.inf if constraint.lower is None else constraint.lower - total
        return np.asarray(np.maximum(0.0, np.maximum(above, below)) / scale, dtype=np.float64)

    def _forbidden_excess(
        self,
        constraint: ForbiddenCombination,
        points: Points,
        values: Mapping[str, FloatArray],
    ) -> FloatArray:
        """Return how deep a point is in the forbidden box; 1 where only levels could change it."""
        depth = np.full(len(points), np.inf)
        for name, condition in constraint.conditions.items():
            if name in values:
                low, high = (None if end is None else float(end) for end in condition)
                range_low, range_high = self.range_of(name)
                above = np.inf if low is None else values[name] - low
                below = np.inf if high is None else high - values[name]
                inside = np.minimum(above, below) / (range_high - range_low)
                if low == high:
                    inside = np.where(inside == 0, 1.0, 0.0)
                depth = np.minimum(depth, np.maximum(0.0, inside))
            else:
                factor = self.chosen[self._chosen_places[name]]
                met = np.array([level in condition for level in factor.levels])
                place = self._chosen_places[name]
                depth = np.where(met[points.chosen[:, place]], depth, 0.0)
        return np.asarray(np.minimum(depth, 1.0), dtype=np.float64)

    def range_of(self, name: str) -> tuple[float, float]:
        """Return the range of a numeric factor in natural units."""
        factor: SearchedFactor = next(f for f in self.space.searched if f.name == name)
        if isinstance(factor, CategoricalFactor):
            raise TypeError(f"Factor '{name}' has no range.")
        return factor.low, factor.high


def _expression_excess(
    constraint: ExpressionConstraint, values: Mapping[str, FloatArray], n_points: int
) -> FloatArray:
    comparison = parse_comparison(constraint.expression)
    columns = {name: values[name] for name in comparison.names}
    smaller = np.broadcast_to(np.asarray(comparison.smaller.evaluate(columns)), (n_points,))
    larger = np.broadcast_to(np.asarray(comparison.larger.evaluate(columns)), (n_points,))
    with np.errstate(invalid="ignore"):
        excess = smaller - larger
        # Half of what ``holds`` forgives, so that a pair of comparisons can act as an equation.
        forgiven = TOLERANCE / 2 * np.maximum(np.abs(smaller), np.abs(larger))
    excess = np.where(excess <= forgiven, 0.0, excess)
    defined = np.isfinite(smaller) & np.isfinite(larger)
    return np.where(defined, excess, np.inf)
