"""Natural and coded units of one factor, and its range with what rounding may do to it."""

from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
    SearchedFactor,
)

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-9

NumericFactor = ContinuousFactor | DiscreteFactor | MixtureComponent


def coded_column(
    factor: SearchedFactor, column: "pd.Series[Any]", mixture_total: float
) -> FloatArray | list[object]:
    """Return a factor's settings in coded units, shape ``(n_rows,)``."""
    if isinstance(factor, CategoricalFactor):
        return list(column)
    return coded_values(factor, numbers_of(column), mixture_total)


def natural_column(
    factor: SearchedFactor, column: "pd.Series[Any]", mixture_total: float
) -> FloatArray | list[object]:
    """Return a factor's coded settings in natural units, shape ``(n_rows,)``."""
    if isinstance(factor, CategoricalFactor):
        return list(column)
    return natural_values(factor, numbers_of(column), mixture_total)


def coded_values(factor: NumericFactor, values: FloatArray, mixture_total: float) -> FloatArray:
    """Return numbers in natural units of a factor in its coded units, same shape."""
    if isinstance(factor, MixtureComponent):
        return values / mixture_total
    middle, half = _centre(factor)
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = np.log(values) if factor.scale == "log" else values
    return np.asarray((scaled - middle) / half, dtype=np.float64)


def coded_number(factor: NumericFactor, value: float, mixture_total: float) -> float:
    """Return one number in natural units of a factor in its coded units."""
    return float(coded_values(factor, np.array([value]), mixture_total)[0])


def natural_values(factor: NumericFactor, coded: FloatArray, mixture_total: float) -> FloatArray:
    """Return coded numbers of a factor in its natural units, same shape."""
    if isinstance(factor, MixtureComponent):
        return coded * mixture_total
    middle, half = _centre(factor)
    scaled = middle + half * coded
    return np.asarray(np.exp(scaled) if factor.scale == "log" else scaled, dtype=np.float64)


def numbers_of(column: "pd.Series[Any]") -> FloatArray:
    """Return a column as floats, shape ``(n_rows,)``, NaN where it is empty."""
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def size_of(factor: NumericFactor, values: FloatArray) -> FloatArray:
    """Return how large a factor's settings are, shape ``(n_rows,)``.

    Differences of ``TOLERANCE`` times this are rounding error. It follows the factor's range, not
    its unit: 5e-9 mol/L and 5 nmol/L must be judged alike.
    """
    if is_log(factor):
        return np.abs(values)
    return np.full(values.shape, max(abs(factor.low), abs(factor.high)))


def is_within(factor: SearchedFactor, column: "pd.Series[Any]") -> BoolArray:
    """Return which settings are in the factor's range or among its levels, up to rounding."""
    match factor:
        case CategoricalFactor(levels=levels):
            return np.asarray(column.isin(list(levels)), dtype=np.bool_)
        case DiscreteFactor():
            values = numbers_of(column)
            allowed = np.asarray(factor.levels)
            size = np.abs(allowed) if is_log(factor) else np.abs(allowed).max()
            distance = np.abs(values[:, None] - allowed)
            return np.asarray((distance <= TOLERANCE * size).any(axis=1), dtype=np.bool_)
        case ContinuousFactor(low=low, high=high) | MixtureComponent(low=low, high=high):
            values = numbers_of(column)
            size = max(abs(low), abs(high))
            at_low = TOLERANCE * (low if is_log(factor) else size)
            inside = (values >= low - at_low) & (values <= high + TOLERANCE * size)
            return np.asarray(inside, dtype=np.bool_)
        case _:
            assert_never(factor)


def is_log(factor: NumericFactor) -> bool:
    """Return whether ratios of a factor's settings matter rather than differences."""
    return not isinstance(factor, MixtureComponent) and factor.scale == "log"


def _centre(factor: ContinuousFactor | DiscreteFactor) -> tuple[float, float]:
    low, high = factor.low, factor.high
    if factor.scale == "log":
        low, high = float(np.log(low)), float(np.log(high))
    return (low + high) / 2, (high - low) / 2
