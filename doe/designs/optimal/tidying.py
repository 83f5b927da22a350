"""Settings of found points as people write them, still allowed."""

from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.coding import NumericFactor, is_log, numbers_of
from doe.designs.optimal.points import PointSpace
from doe.errors import DesignError
from doe.factors import CategoricalFactor, DiscreteFactor, MixtureComponent
from doe.rounding import nearest_numbers
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

# Of the range of a factor; the first that leaves a run allowed is used.
_FRACTIONS = (2e-3, 1e-4, 1e-6, 1e-9, 0.0)
_SAME = 1e-9


def tidied(points: PointSpace, found: FloatArray, *, finest: bool = False) -> "pd.DataFrame":
    """Return points in natural units with few digits, on steps, within every constraint.

    Args:
        points: The factor space.
        found: Shape ``(n_points, n_factors)``.
        finest: Whether only rounding error may be rounded away.

    Raises:
        DesignError: If a run cannot be set exactly.
    """
    exact = points.settings_of(found)
    result = exact.copy()
    left = np.arange(len(exact))
    for fraction in _FRACTIONS[-2:] if finest else _FRACTIONS:
        tried = _rounded(points.space, exact.iloc[left].reset_index(drop=True), fraction)
        good = points.space.contains(tried) & points.space.on_steps(tried)
        for name in points.space.names:
            values = result[name].to_numpy().copy()
            values[left[good]] = tried[name].to_numpy()[good]
            result[name] = values
        left = left[~good]
        if not left.size:
            return result
    fault = "; ".join(points.space.faults(exact.iloc[left[:1]])[0])
    raise DesignError(
        f"Run {left[0] + 1} of the optimal design cannot be set exactly ({fault or 'its steps'}): "
        "give finer steps, or none."
    )


def _rounded(space: FactorSpace, exact: "pd.DataFrame", fraction: float) -> "pd.DataFrame":
    rounded = exact.copy()
    for factor in space.searched:
        if not isinstance(factor, CategoricalFactor | DiscreteFactor):
            values = numbers_of(exact[factor.name])
            rounded[factor.name] = nearest_numbers(factor, _few_digits(factor, values, fraction))
    mixture = [c for c in space.mixture if c.step is None]
    if len(mixture) == len(space.mixture) and mixture:
        _fill_up(space, mixture, rounded)
    return rounded


def _few_digits(factor: NumericFactor, values: FloatArray, fraction: float) -> FloatArray:
    if fraction == 0:
        return values
    if is_log(factor):
        digits = max(2, round(1 - np.log10(fraction)))
        few = np.array([float(f"{value:.{digits}g}") for value in values])
    else:
        places = -int(np.floor(np.log10((factor.high - factor.low) * fraction)))
        few = np.round(values, places) + 0.0
    # The ends were given by people, perhaps with more digits.
    for end in (factor.low, factor.high):
        few = np.where(np.abs(values - end) <= _SAME * (factor.high - factor.low), end, few)
    return few


def _fill_up(space: FactorSpace, mixture: list[MixtureComponent], rounded: "pd.DataFrame") -> None:
    """Give one component of each run what rounding left of the total: the one with most room."""
    names = [component.name for component in mixture]
    shares = np.column_stack([numbers_of(rounded[name]) for name in names])
    low = np.array([component.low for component in mixture])
    high = np.array([component.high for component in mixture])
    room: FloatArray = np.minimum(shares - low, high - shares)
    # A component at zero may be one that has to be left out.
    largest = np.where(shares > 0, room, -1.0).argmax(axis=1)
    rows = np.arange(len(shares))
    others = shares.sum(axis=1) - shares[rows, largest]
    filled = space.mixture_total - others
    is_off: BoolArray = np.abs(filled - shares[rows, largest]) > 0
    digits = 12 - int(np.ceil(np.log10(space.mixture_total)))
    shares[rows, largest] = np.where(is_off, np.round(filled, digits), shares[rows, largest])
    for place, name in enumerate(names):
        rounded[name] = shares[:, place]
