"""Runs as points in unit coordinates, and the facts that say how well they fill the space.

A number is 0 at its factor's low and 1 at its high end (on the logarithm where the scale is
``log``); a level of a categorical factor is its place among the levels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.coding import coded_values, numbers_of
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
    SearchedFactor,
    Value,
)
from doe.rounding import grid_values, number_of_steps
from doe.runs import JSON
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class PointColumns:
    """What the columns of unit points are.

    Attributes:
        is_category: Which columns are numbers of levels without order.
        n_levels: How many values each column can take; 0 where it can take any.
    """

    is_category: BoolArray
    n_levels: IntArray

    @property
    def grains(self) -> FloatArray:
        """The part of the range that one level stands for; 0 where every value is possible."""
        shares = 1.0 / np.maximum(self.n_levels, 1)
        return np.asarray(np.where(self.n_levels > 0, shares, 0.0), dtype=np.float64)


def point_columns(space: FactorSpace) -> PointColumns:
    """Return what the columns of the unit points of a space are."""
    return PointColumns(
        np.array([isinstance(factor, CategoricalFactor) for factor in space.searched]),
        np.array([_number_of_levels(factor) for factor in space.searched], dtype=np.int64),
    )


def unit_points(space: FactorSpace, settings: "pd.DataFrame") -> FloatArray:
    """Return settings in natural units as unit points, shape ``(n_runs, n_factors)``."""
    columns: list[FloatArray] = []
    for factor in space.searched:
        if isinstance(factor, CategoricalFactor):
            places = [factor.levels.index(level) for level in settings[factor.name]]
            columns.append(np.array(places, dtype=np.float64))
            continue
        ends = np.array([factor.low, factor.high])
        low, high = coded_values(factor, ends, space.mixture_total)
        coded = coded_values(factor, numbers_of(settings[factor.name]), space.mixture_total)
        columns.append((coded - low) / (high - low))
    return np.column_stack(columns)


def level_coordinates(factor: SearchedFactor, space: FactorSpace) -> Sequence[Value] | None:
    """Return the coded values a factor can take, or None when every value is possible.

    A mixture component has none: its share follows from the others.
    """
    match factor:
        case CategoricalFactor(levels=levels):
            return levels
        case DiscreteFactor(levels=numbers):
            values = np.asarray(numbers)
        case ContinuousFactor(step=None):
            return None
        case ContinuousFactor():
            values = grid_values(factor, np.arange(number_of_steps(factor) + 1))
        case MixtureComponent():
            return None
        case _:
            assert_never(factor)
    return [float(value) for value in coded_values(factor, values, space.mixture_total)]


def smallest_distance(points: FloatArray, is_category: BoolArray) -> float:
    """Return the distance of the nearest two points, in unit coordinates."""
    squares = squared_distances(points, points, is_category)
    np.fill_diagonal(squares, np.inf)
    return float(np.sqrt(squares.min()))


def squared_distances(points: FloatArray, others: FloatArray, is_category: BoolArray) -> FloatArray:
    """Return squared distances, shape ``(n_points, n_others)``.

    Two levels of a categorical factor are as far apart as low and high.
    """
    squares = np.zeros((len(points), len(others)))
    for column, category in enumerate(is_category):
        apart = points[:, column][:, None] - others[:, column][None, :]
        squares += (apart != 0) * 1.0 if category else apart**2
    return squares


def contrasts(column: FloatArray, *, is_category: bool) -> FloatArray:
    """Return orthonormal columns that span what a factor says, the mean left out.

    One column for a number, one fewer than the levels in use for a categorical factor, none for a
    factor that does not vary; shape ``(n_runs, n_columns)``.
    """
    if not is_category:
        centred = column - column.mean()
        length = float(np.linalg.norm(centred))
        return (centred / length)[:, None] if length > 1e-9 else np.empty((len(column), 0))
    indicators = (column[:, None] == np.unique(column)[None, :]).astype(np.float64)
    centred_indicators = (indicators - indicators.mean(axis=0))[:, 1:]
    return np.asarray(np.linalg.qr(centred_indicators)[0], dtype=np.float64)


def largest_correlation(points: FloatArray, is_category: BoolArray) -> float:
    """Return the largest absolute correlation of two factors; 0 with fewer than two that vary.

    With a categorical factor it is the multiple correlation (between two of them, the largest
    canonical correlation), which does not depend on how levels are coded.
    """
    blocks = [
        contrasts(column, is_category=bool(category))
        for column, category in zip(points.T, is_category, strict=True)
    ]
    blocks = [block for block in blocks if block.shape[1]]
    largest = 0.0
    for place, block in enumerate(blocks):
        for other in blocks[:place]:
            largest = max(largest, float(np.linalg.norm(block.T @ other, ord=2)))
    return min(largest, 1.0)


def filling_facts(
    space: FactorSpace, points: FloatArray, *, with_discrepancy: bool = True
) -> dict[str, JSON]:
    """Return how well runs fill the space, each number to four digits.

    ``smallest_distance`` of two runs in unit coordinates; ``max_projection``, the criterion of
    ``max_projection_criterion``, None where two runs share the value of a factor without levels;
    ``largest_correlation`` of two factors; and, where the whole box of numbers is allowed,
    ``discrepancy``, the centred one.

    Source:
        Hickernell (1998), Mathematics of Computation 67, 299-322: the centred discrepancy.
    """
    from scipy.stats.qmc import discrepancy

    from doe.designs.projections import max_projection_criterion

    columns = point_columns(space)
    criterion = max_projection_criterion(points, columns)
    facts: dict[str, JSON] = {
        "smallest_distance": _short(smallest_distance(points, columns.is_category)),
        "max_projection": _short(criterion) if np.isfinite(criterion) else None,
        "largest_correlation": _short(largest_correlation(points, columns.is_category)),
    }
    if with_discrepancy and not space.all_constraints and not columns.is_category.any():
        facts["discrepancy"] = _short(float(discrepancy(np.clip(points, 0.0, 1.0))))
    return facts


def _number_of_levels(factor: SearchedFactor) -> int:
    match factor:
        case CategoricalFactor(levels=names):
            return len(names)
        case DiscreteFactor(levels=numbers):
            return len(numbers)
        case ContinuousFactor() | MixtureComponent():
            return 0 if factor.step is None else number_of_steps(factor) + 1
        case _:
            assert_never(factor)


def _short(value: float) -> float:
    # Rounding error of an exact zero would read as a number.
    return 0.0 if abs(value) < 1e-12 else float(f"{value:.4g}")
