"""Numbers that the equipment can set and that print as people write them."""

import math
from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.coding import TOLERANCE, NumericFactor, coded_values, is_log
from doe.factors import ContinuousFactor, DiscreteFactor, MixtureComponent

# Rounding error of a computation with a few operations, relative to the largest term.
_NOISE = 1e-12
# Significant digits of a restored setting, of the largest value of its factor.
_N_DIGITS = 11
_MAX_MOVES = 2_000


def nearest_numbers(factor: NumericFactor, values: FloatArray) -> FloatArray:
    """Return the nearest numbers in coded units that a factor can be set to, same shape."""
    inside = np.clip(values, factor.low, factor.high)
    if isinstance(factor, DiscreteFactor):
        levels = np.asarray(factor.levels)
        distance = np.abs(
            coded_values(factor, inside[:, None], 1.0) - coded_values(factor, levels, 1.0)
        )
        return np.asarray(levels[np.argmin(distance, axis=1)], dtype=np.float64)
    if factor.step is None:
        return _snapped(factor, inside)
    place = np.floor((inside - factor.low) / factor.step + TOLERANCE).astype(np.int64)
    last = number_of_steps(factor)
    below, above = np.clip(place, 0, last), np.clip(place + 1, 0, last)
    lower, upper = grid_values(factor, below), grid_values(factor, above)
    here = coded_values(factor, inside, 1.0)
    is_upper = np.abs(coded_values(factor, upper, 1.0) - here) < np.abs(
        here - coded_values(factor, lower, 1.0)
    )
    return np.where(is_upper, upper, lower)


def _snapped(factor: NumericFactor, values: FloatArray) -> FloatArray:
    """Return values with those that miss an end or zero by rounding error put onto it."""
    size = max(abs(factor.low), abs(factor.high))
    near_low = TOLERANCE * (factor.low if is_log(factor) else size)
    values = np.where(np.abs(values) <= _NOISE * size if not is_log(factor) else False, 0.0, values)
    values = np.where(values - factor.low <= near_low, factor.low, values)
    return np.where(factor.high - values <= TOLERANCE * size, factor.high, values)


def number_of_steps(factor: ContinuousFactor | MixtureComponent) -> int:
    """Return how many whole steps fit into a stepped factor's range."""
    if factor.step is None:
        raise TypeError(f"Factor '{factor.name}' has no step.")
    return math.floor((factor.high - factor.low) / factor.step * (1 + TOLERANCE) + TOLERANCE)


def grid_values(factor: ContinuousFactor | MixtureComponent, steps: IntArray) -> FloatArray:
    """Return ``low + i * step`` as it would be written: 0.3, not 0.30000000000000004."""
    step = factor.step or 0.0
    digits = max(_n_decimals(factor.low), _n_decimals(step))
    different, places = np.unique(steps, return_inverse=True)
    values = [min(round(factor.low + int(i) * step, digits), factor.high) for i in different]
    return np.asarray(values, dtype=np.float64)[places]


def _n_decimals(number: float) -> int:
    exponent = Decimal(repr(number)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def next_settings(
    factor: ContinuousFactor | MixtureComponent, target: float
) -> tuple[float, float]:
    """Return the next setting above and below a target, of which the change is measured.

    Without a step, or at the end of the range, a small change stands for the step.
    """
    small = 1e-3 * (target if is_log(factor) else factor.high - factor.low)
    above, below = target + small, target - small
    if factor.step is None:
        return above, below
    place = math.floor((target - factor.low) / factor.step + TOLERANCE)
    higher, lower = factor.low + (place + 1) * factor.step, factor.low + place * factor.step
    return higher, lower if target - lower > TOLERANCE * factor.step else below


def clean_number(factor: NumericFactor, value: float, target: float) -> float:
    """Return a computed setting with few digits, on its step, or at the target if it is there."""
    if isinstance(factor, DiscreteFactor) or factor.step is not None:
        return float(nearest_numbers(factor, np.array([value]))[0])
    size = abs(value) if is_log(factor) else max(abs(factor.low), abs(factor.high))
    if abs(value - target) <= TOLERANCE * size and factor.low <= target <= factor.high:
        return target
    digits = _N_DIGITS - math.ceil(math.log10(size)) if size > 0 else 0
    return float(_snapped(factor, np.array([round(value, digits)]))[0])


def balanced_mixture(
    components: Sequence[MixtureComponent], shares: FloatArray, total: float
) -> FloatArray | None:
    """Return the nearest shares on equal steps that add up to the total, same shape.

    Each share goes to the nearest step; what is missing is taken where the rounding was largest.
    Rows that cannot be balanced come back as they are after rounding.

    Args:
        components: The components; None is returned unless all have the same step.
        shares: Shape ``(n_rows, n_components)``.
        total: What each row must add up to.
    """
    steps = {component.step for component in components}
    step = next(iter(steps))
    if len(steps) > 1 or step is None:
        return None
    low = np.array([component.low for component in components])
    last = np.array([number_of_steps(component) for component in components])
    wanted = (total - low.sum()) / step
    if abs(wanted - round(wanted)) > TOLERANCE * max(1.0, abs(wanted)):
        return None
    exact = (shares - low) / step
    counts = np.clip(np.round(exact), 0, last)
    rows = np.arange(len(counts))
    for _ in range(_MAX_MOVES):
        missing = round(wanted) - counts.sum(axis=1)
        if not missing.any():
            break
        sign = np.sign(missing)[:, None]
        has_room = np.where(sign > 0, counts < last, counts > 0)
        gain = np.where(has_room, sign * (exact - counts), -np.inf)
        best = gain.argmax(axis=1)
        counts[rows, best] += np.where(np.isfinite(gain[rows, best]), sign[:, 0], 0.0)
    whole = counts.astype(np.int64)
    return np.column_stack([grid_values(c, whole[:, i]) for i, c in enumerate(components)])
