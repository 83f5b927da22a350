"""The axes of plots over factors: places along a numeric factor, and where the others are held."""

from collections.abc import Mapping

import numpy as np

from doe.arrays import FloatArray
from doe.errors import InvalidValueError, UnknownNameError
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
    Value,
)
from doe.plots import Axis
from doe.space import FactorSpace
from surrogates.factor_ranges import FactorRanges

NumericFactor = ContinuousFactor | DiscreteFactor


def numeric_factor(space: FactorSpace, name: str) -> NumericFactor:
    """Return the factor of this name, which has an axis of its own.

    Raises:
        InvalidValueError: If it is categorical or a mixture component.
        UnknownNameError: If there is none.
    """
    factors = {factor.name: factor for factor in space.searched}
    if name not in factors:
        raise UnknownNameError(f"No factor is called '{name}'; the factors are {list(factors)}.")
    factor = factors[name]
    if isinstance(factor, CategoricalFactor):
        raise InvalidValueError(
            f"'{name}' is categorical and has no axis: draw a map per level, at={{'{name}': ...}}."
        )
    if isinstance(factor, MixtureComponent):
        raise InvalidValueError(
            f"'{name}' is a mixture component: changing it changes the others, so it has no axis "
            "of its own. Map two process factors at a blend given by 'at'."
        )
    return factor


def places_along(factor: NumericFactor, n: int) -> FloatArray:
    """Return places over a factor's range, ends included; the levels of a discrete factor."""
    if isinstance(factor, DiscreteFactor):
        return np.asarray(factor.levels, dtype=np.float64)
    spaced = np.geomspace if factor.scale == "log" else np.linspace
    places = np.asarray(spaced(factor.low, factor.high, n), dtype=np.float64)
    places[[0, -1]] = factor.low, factor.high
    return places


def held_settings(
    ranges: FactorRanges, axes: set[str], at: Mapping[str, Value]
) -> dict[str, Value]:
    """Return the settings of the factors that are on no axis: as given, or in the middle.

    Raises:
        UnknownNameError: If ``at`` names a factor that is on an axis, or none.
        InvalidValueError: If a mixture component is not given.
    """
    names = [name for name in ranges.space.names if name not in axes]
    unknown = [name for name in at if name not in names]
    if unknown:
        raise UnknownNameError(
            f"'at' names {unknown}; factors that are on no axis of this map are {names}."
        )
    blend = [component.name for component in ranges.space.mixture if component.name not in at]
    if blend:
        raise InvalidValueError(f"A map in a space with a mixture needs {blend} given by 'at'.")
    return {name: at.get(name, ranges.middles[name]) for name in names}


def factor_axis(factor: NumericFactor) -> Axis:
    """Return the axis of a factor over its allowed range, in its unit."""
    return Axis(factor.name, factor.unit, factor.low, factor.high, scale=factor.scale)
