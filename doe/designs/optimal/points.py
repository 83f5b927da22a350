"""Points as the search has them: coded numbers and places of levels, and which are allowed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, assert_never

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.coding import TOLERANCE, coded_values, is_log, natural_values, numbers_of, size_of
from doe.constraints import (
    CardinalityConstraint,
    Constraint,
    ExpressionConstraint,
    ForbiddenCombination,
    LinearConstraint,
)
from doe.expressions import parse_comparison
from doe.factors import CategoricalFactor, DiscreteFactor, MixtureComponent
from doe.rounding import grid_values, number_of_steps
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

_MAX_GRID = 20_000


class PointSpace:
    """A factor space for points of shape ``(..., n_factors)``, compiled for many at once.

    Attributes:
        space: The factor space.
        low: Lowest coded setting of each factor; 0 for categorical factors.
        high: Highest coded setting; for categorical factors the last place of a level.
        grids: The coded settings that a factor can have, None where it can have all of its range.
        is_category: Which factors are categorical.
        is_free: Which factors move without steps or levels.
        matrix: Rows ``matrix @ point <= upper`` of linear constraints and of the ranges.
        upper: Ends of these rows.
        equations: Rows ``equations @ point = totals`` of linear constraints.
        totals: Ends of these rows.
        is_bent: Whether some constraint is neither linear in coded units nor a cardinality.
    """

    def __init__(self, space: FactorSpace) -> None:
        self.space = space
        self._naturals = [_natural_grid(factor, space) for factor in space.searched]
        self.is_category = np.array([isinstance(f, CategoricalFactor) for f in space.searched])
        self.grids = [
            grid
            if grid is None or isinstance(factor, CategoricalFactor)
            else coded_values(factor, grid, space.mixture_total)
            for factor, grid in zip(space.searched, self._naturals, strict=True)
        ]
        ends = [_coded_ends(f, space.mixture_total) for f in space.searched]
        self.low, self.high = np.array(ends).T
        self.is_free = np.array([grid is None for grid in self.grids])
        self._places = {name: place for place, name in enumerate(space.names)}
        self._set_rows()

    def _set_rows(self) -> None:
        numeric = np.flatnonzero(~self.is_category)
        identity = np.eye(len(self.low))[numeric]
        rows, ends = [identity, -identity], [self.high[numeric], -self.low[numeric]]
        equations, totals = [], []
        self.is_bent = False
        for constraint in self.space.all_constraints:
            if not isinstance(constraint, LinearConstraint) or not self._is_straight(constraint):
                self.is_bent |= not isinstance(constraint, CardinalityConstraint)
                continue
            weights, offset = self._weights(constraint)
            scale = float(np.abs(weights).max())
            if constraint.equals is not None:
                equations.append(weights / scale)
                totals.append((constraint.equals - offset) / scale)
            if constraint.upper is not None:
                rows.append(weights[None] / scale)
                ends.append(np.array([(constraint.upper - offset) / scale]))
            if constraint.lower is not None:
                rows.append(-weights[None] / scale)
                ends.append(np.array([(offset - constraint.lower) / scale]))
        self.matrix, self.upper = np.vstack(rows), np.concatenate(ends)
        self.equations = np.array(equations).reshape(len(equations), len(self.low))
        self.totals = np.array(totals)

    def _is_straight(self, constraint: LinearConstraint) -> bool:
        """Whether the constraint is linear in coded units too: no factor on a log scale."""
        factors = [self.space.searched[self._places[name]] for name in constraint.factors]
        return not any(not isinstance(f, CategoricalFactor) and is_log(f) for f in factors)

    def _weights(self, constraint: LinearConstraint) -> tuple[FloatArray, float]:
        weights, offset = np.zeros(len(self.low)), 0.0
        for name, coefficient in constraint.coefficients.items():
            factor = self.space.searched[self._places[name]]
            assert not isinstance(factor, CategoricalFactor)
            if isinstance(factor, MixtureComponent):
                weights[self._places[name]] = coefficient * self.space.mixture_total
            else:
                weights[self._places[name]] = coefficient * (factor.high - factor.low) / 2
                offset += coefficient * (factor.high + factor.low) / 2
        return weights, offset

    def points_of(self, settings: "pd.DataFrame") -> FloatArray:
        """Return settings in natural units as points, shape ``(n_runs, n_factors)``."""
        coded = self.space.to_coded(settings)
        columns = [
            np.array([factor.levels.index(level) for level in coded[factor.name]], dtype=np.float64)
            if isinstance(factor, CategoricalFactor)
            else numbers_of(coded[factor.name])
            for factor in self.space.searched
        ]
        return np.column_stack(columns)

    def settings_of(self, points: FloatArray) -> "pd.DataFrame":
        """Return points in natural units, a row per point."""
        import pandas as pd

        values = self.natural(points)
        return pd.DataFrame(
            {
                factor.name: [factor.levels[int(place)] for place in values[factor.name]]
                if isinstance(factor, CategoricalFactor)
                else values[factor.name]
                for factor in self.space.searched
            }
        )

    def natural(self, points: FloatArray) -> dict[str, FloatArray]:
        """Return each factor in natural units, or the places of its levels."""
        values = {}
        for place, factor in enumerate(self.space.searched):
            column, grid, natural = points[..., place], self.grids[place], self._naturals[place]
            if isinstance(factor, CategoricalFactor):
                values[factor.name] = column
            elif grid is not None and natural is not None:
                # The number as people wrote it, not one that a round trip has changed.
                values[factor.name] = natural[_nearest(grid, column)]
            else:
                computed = natural_values(factor, column, self.space.mixture_total)
                values[factor.name] = np.clip(computed, factor.low, factor.high)
        return values

    def snapped(self, points: FloatArray) -> FloatArray:
        """Return points with every stepped or discrete factor at the nearest of its settings."""
        moved = np.clip(points, self.low, self.high)
        for place, grid in enumerate(self.grids):
            if grid is not None:
                moved[..., place] = grid[_nearest(grid, moved[..., place])]
        return moved

    def allows(self, points: FloatArray) -> BoolArray:
        """Return which points are in the ranges and meet every constraint, shape ``(...)``."""
        margin = TOLERANCE * (self.high - self.low)
        inside = ((points >= self.low - margin) & (points <= self.high + margin)).all(axis=-1)
        if not self.space.all_constraints:
            return np.asarray(inside, dtype=np.bool_)
        values = self.natural(points)
        sizes = {
            factor.name: size_of(factor, values[factor.name])
            for factor in self.space.searched
            if not isinstance(factor, CategoricalFactor)
        }
        for constraint in self.space.all_constraints:
            inside &= self._holds(constraint, values, sizes)
        return np.asarray(inside, dtype=np.bool_)

    def _holds(
        self,
        constraint: Constraint,
        values: Mapping[str, FloatArray],
        sizes: Mapping[str, FloatArray],
    ) -> BoolArray:
        match constraint:
            case LinearConstraint():
                return _holds_linear(constraint, values, sizes)
            case CardinalityConstraint(factors, at_most):
                used = sum(np.abs(values[f]) > TOLERANCE * sizes[f] for f in factors)
                return np.asarray(used <= at_most, dtype=np.bool_)
            case ExpressionConstraint(expression):
                return parse_comparison(expression).holds(values, tolerance=TOLERANCE, sizes=sizes)
            case ForbiddenCombination():
                return ~self._meets_all(constraint, values, sizes)
            case _:
                assert_never(constraint)

    def _meets_all(
        self,
        constraint: ForbiddenCombination,
        values: Mapping[str, FloatArray],
        sizes: Mapping[str, FloatArray],
    ) -> BoolArray:
        met = np.ones(values[constraint.factors[0]].shape, dtype=np.bool_)
        for name, condition in constraint.conditions.items():
            factor = self.space.searched[self._places[name]]
            if isinstance(factor, CategoricalFactor):
                is_named = np.array([level in condition for level in factor.levels])
                met &= is_named[values[name].astype(np.int64)]
                continue
            one_point = condition[0] == condition[1]
            margin = TOLERANCE * sizes[name]
            for end, sign in zip(condition, (1.0, -1.0), strict=True):
                if end is not None:
                    # Ends are allowed, except of a range that is one point.
                    distance = sign * (values[name] - float(end))
                    met &= distance >= -margin if one_point else distance > margin
        return met


def _holds_linear(
    constraint: LinearConstraint, values: Mapping[str, FloatArray], sizes: Mapping[str, FloatArray]
) -> BoolArray:
    total: FloatArray | float = 0.0
    bounds = [constraint.upper, constraint.lower, constraint.equals]
    size: FloatArray | float = max(abs(bound) for bound in bounds if bound is not None)
    for name, coefficient in constraint.coefficients.items():
        total = total + coefficient * values[name]
        size = np.maximum(size, abs(coefficient) * sizes[name])
    low = constraint.equals if constraint.lower is None else constraint.lower
    high = constraint.equals if constraint.upper is None else constraint.upper
    met = np.ones(np.shape(total), dtype=np.bool_)
    if low is not None:
        met &= total - low >= -TOLERANCE * size
    if high is not None:
        met &= high - total >= -TOLERANCE * size
    return met


def _natural_grid(factor: object, space: FactorSpace) -> FloatArray | None:
    if isinstance(factor, CategoricalFactor):
        return np.arange(len(factor.levels), dtype=np.float64)
    if isinstance(factor, DiscreteFactor):
        return np.array(factor.levels)
    step = getattr(factor, "step", None)
    # A step too fine to list moves like none; the runs are put on it at the end.
    if step is None or number_of_steps(factor) > _MAX_GRID:  # type: ignore[arg-type]  # has steps
        return None
    return grid_values(factor, np.arange(number_of_steps(factor) + 1))  # type: ignore[arg-type]


def _coded_ends(factor: object, total: float) -> tuple[float, float]:
    if isinstance(factor, CategoricalFactor):
        return 0.0, float(len(factor.levels) - 1)
    if isinstance(factor, MixtureComponent):
        return factor.low / total, factor.high / total
    return -1.0, 1.0


def _nearest(grid: FloatArray, values: FloatArray) -> IntArray:
    place = np.clip(np.searchsorted(grid, values), 1, len(grid) - 1)
    is_lower = values - grid[place - 1] <= grid[place] - values
    return np.asarray(place - is_lower, dtype=np.int64)
