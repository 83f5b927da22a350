"""The shape that a surrogate gives a response: contours, interactions, perturbation from a point.

They show the expected value; what it rests on stands in the bands and in the shade.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.errors import InvalidValueError, UnknownNameError
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    MixtureComponent,
    SearchedFactor,
    Value,
)
from doe.plots import Axis, Band, Layer, Line, Plot, Points, Surface
from surrogates.factor_axes import (
    NumericFactor,
    factor_axis,
    held_settings,
    numeric_factor,
    places_along,
)
from surrogates.factor_ranges import FactorRanges
from surrogates.surrogate import Prediction, Surrogate, SurrogateSet

if TYPE_CHECKING:
    import pandas as pd

PLACES = 41
N_LEVELS = 8
COVERAGE = 0.95
_MAX_LINES = 5


def contour_plot(
    surrogate: Surrogate, x: str, y: str, *, at: Mapping[str, Value] | None = None
) -> Plot:
    """Return the expected response over two factors, with the runs and where it extrapolates.

    Args:
        surrogate: Of the response.
        x: Numeric factor on the horizontal axis, over its allowed range.
        y: Numeric factor on the vertical axis.
        at: Settings of the other factors in natural units; those not given stay in the middle of
            the studied range, categorical ones at the level with most runs.

    Raises:
        InvalidValueError: If an axis is no numeric process factor, or both are the same.
        UnknownNameError: If a factor is not there.
    """
    ranges = _ranges(surrogate)
    across, up = numeric_factor(surrogate.space, x), numeric_factor(surrogate.space, y)
    if x == y:
        raise InvalidValueError(f"Contours need two different factors, got '{x}' twice.")
    fixed = held_settings(ranges, {x, y}, at or {})
    columns, rows = places_along(across, PLACES), places_along(up, PLACES)
    right, high = np.meshgrid(columns, rows)
    settings = _settings(ranges, {x: right.ravel(), y: high.ravel()}, fixed)
    found = surrogate.predict(settings)
    shape = (len(rows), len(columns))
    surface = _surface(surrogate, columns, rows, found, shape)
    row, column = np.unravel_index(int(found.mean.argmax()), shape)
    unit, outside = _unit(surrogate), found.extrapolates
    sentence = (
        f"Expected {surrogate.response} runs from {found.mean.min():.4g} to "
        f"{found.mean.max():.4g} {unit}".rstrip()
        + f" and is highest at {x} {columns[column]:.4g}, {y} {rows[row]:.4g}."
        + _held_words(fixed)
        + (f" Shaded: extrapolation ({outside.mean():.0%})." if outside.any() else "")
    )
    title = f"{surrogate.response} over {x} and {y}"
    layers = (surface, _runs_within(surrogate, across, up))
    return Plot(title, sentence, factor_axis(across), factor_axis(up), layers)


def interaction_plot(
    surrogate: Surrogate, x: str, by: str, *, at: Mapping[str, Value] | None = None
) -> Plot:
    """Return the expected response over one factor at the levels of another.

    Lines that are not parallel are an interaction. Bands are 95 % intervals of the expected value.

    Args:
        surrogate: Of the response.
        x: Numeric factor on the horizontal axis.
        by: The other factor: at its low and high end, or at each of its levels.
        at: Settings of the factors besides these two, as in ``contour_plot``.

    Raises:
        InvalidValueError: If ``x`` is no numeric process factor, ``by`` is a component or has more
            than five levels, or both are the same.
        UnknownNameError: If a factor is not there.
    """
    ranges = _ranges(surrogate)
    across = numeric_factor(surrogate.space, x)
    levels = _levels_of(surrogate, by)
    if x == by:
        raise InvalidValueError(f"An interaction needs two different factors, got '{x}' twice.")
    fixed = held_settings(ranges, {x, by}, at or {})
    places = places_along(across, PLACES)
    layers: list[Layer] = []
    found: list[Prediction] = []
    for level in levels:
        columns = {x: places, by: np.full(len(places), level, dtype=object)}
        prediction = surrogate.predict(_settings(ranges, columns, fixed))
        found.append(prediction)
        name = f"{by} {level:.4g}" if isinstance(level, float) else f"{by} {level}"
        layers += _curve(name, places, prediction)
    rises = [float(prediction.mean[-1] - prediction.mean[0]) for prediction in found]
    unit = _unit(surrogate)
    sentence = (
        f"From low to high {x}, expected {surrogate.response} changes by "
        + "; ".join(
            f"{rise:+.3g} {unit}".rstrip() + f" at {_named(by, level)}"
            for rise, level in zip(rises, levels, strict=True)
        )
        + "."
        + _held_words(fixed)
        + " Bands: 95 % interval of the expected value."
    )
    title = f"{surrogate.response}: {x} at levels of {by}"
    return Plot(title, sentence, factor_axis(across), _value_axis(surrogate, found), tuple(layers))


def perturbation_plot(surrogate: Surrogate, *, at: Mapping[str, Value] | None = None) -> Plot:
    """Return the expected response as each factor alone moves away from a reference point.

    Factors move over their whole range, in coded units: -1 is low, +1 is high. Mixture components
    and categorical factors stay.

    Args:
        surrogate: Of the response.
        at: The reference point; what is not given is as in ``contour_plot``.

    Raises:
        InvalidValueError: If the space has no numeric process factor.
        UnknownNameError: If a factor is not there.

    Source:
        Myers, Montgomery and Anderson-Cook (2016), Response Surface Methodology, 4th ed., ch. 11:
        trace plots.
    """
    ranges = _ranges(surrogate)
    moving = [f for f in surrogate.space.searched if isinstance(f, ContinuousFactor)]
    if not moving:
        raise InvalidValueError(
            "No factor moves freely here: a perturbation needs a continuous process factor."
        )
    point = held_settings(ranges, set(), at or {})
    coded = np.linspace(-1.0, 1.0, PLACES)
    layers: list[Layer] = []
    found: list[Prediction] = []
    for factor in moving:
        others = {name: value for name, value in point.items() if name != factor.name}
        settings = _settings(ranges, {factor.name: places_along(factor, PLACES)}, others)
        prediction = surrogate.predict(settings)
        found.append(prediction)
        layers.append(Line(factor.name, coded, prediction.mean))
    spans = {f.name: float(np.ptp(p.mean)) for f, p in zip(moving, found, strict=True)}
    steepest = max(spans, key=lambda name: spans[name])
    sentence = (
        f"Around the reference point expected {surrogate.response} changes most with {steepest}: "
        f"by {spans[steepest]:.3g} {_unit(surrogate)}".rstrip()
        + " over its range."
        + _held_words(point).replace("Held at", "Reference point:")
    )
    axis = Axis("factor setting, coded (-1 low, +1 high)", "", -1.0, 1.0)
    title = f"{surrogate.response}: one factor at a time from a reference point"
    return Plot(title, sentence, axis, _value_axis(surrogate, found), tuple(layers))


def _surface(
    surrogate: Surrogate,
    columns: FloatArray,
    rows: FloatArray,
    found: Prediction,
    shape: tuple[int, int],
) -> Surface:
    low, high = float(found.mean.min()), float(found.mean.max())
    levels = _levels(low, high)
    outside = found.extrapolates.reshape(shape)
    return Surface(
        f"expected {surrogate.response}",
        _unit(surrogate),
        columns,
        rows,
        found.mean.reshape(shape),
        min(low, *levels),
        max(high, *levels),
        levels=levels,
        shaded=outside.astype(np.float64) if outside.any() else None,
    )


def _runs_within(surrogate: Surrogate, across: NumericFactor, up: NumericFactor) -> Points:
    runs = surrogate.domain.runs
    for factor in (across, up):
        # Axial runs may lie beyond the range, where the map does not reach.
        runs = runs[runs[factor.name].between(factor.low, factor.high)]
    return Points(
        "runs",
        runs[across.name].to_numpy(dtype=np.float64),
        runs[up.name].to_numpy(dtype=np.float64),
        names=tuple(str(run) for run in runs.index),
    )


def _ranges(surrogate: Surrogate) -> FactorRanges:
    return FactorRanges.studied(SurrogateSet({surrogate.response: surrogate}))


def _searched(surrogate: Surrogate, name: str) -> SearchedFactor:
    factors = {factor.name: factor for factor in surrogate.space.searched}
    if name not in factors:
        raise UnknownNameError(f"No factor is called '{name}'; the factors are {list(factors)}.")
    return factors[name]


def _levels_of(surrogate: Surrogate, name: str) -> tuple[Value, ...]:
    factor = _searched(surrogate, name)
    match factor:
        case CategoricalFactor(levels=levels) if len(levels) <= _MAX_LINES:
            return levels
        case CategoricalFactor(levels=levels):
            raise InvalidValueError(
                f"'{name}' has {len(levels)} levels; at most {_MAX_LINES} lines can be told apart: "
                "put it on the other axis, or hold it."
            )
        case MixtureComponent():
            raise InvalidValueError(
                f"'{name}' is a mixture component: it does not change alone, so it has no levels."
            )
        case _:
            return (float(factor.low), float(factor.high))


def _settings(
    ranges: FactorRanges, drawn: Mapping[str, object], held: Mapping[str, Value]
) -> "pd.DataFrame":
    import pandas as pd

    table = pd.DataFrame(dict(drawn))
    for name, value in held.items():
        table[name] = value
    return table[list(ranges.space.names)]


def _curve(name: str, places: FloatArray, found: Prediction) -> list[Layer]:
    low, high = found.interval(COVERAGE, kind="latent")
    return [Band(name, places, low, high), Line(name, places, found.mean)]


def _value_axis(surrogate: Surrogate, found: list[Prediction]) -> Axis:
    ends = [found_one.interval(COVERAGE, kind="latent") for found_one in found]
    low = min(float(np.min(pair[0])) for pair in ends)
    high = max(float(np.max(pair[1])) for pair in ends)
    margin = 0.05 * (high - low) or 1.0
    return Axis(f"expected {surrogate.response}", _unit(surrogate), low - margin, high + margin)


def _levels(low: float, high: float) -> tuple[float, ...]:
    """Return round values between two ends: multiples of 1, 2 or 5 times a power of ten."""
    span = high - low
    if span <= 0:
        return (low,)
    power = 10.0 ** np.floor(np.log10(span / N_LEVELS))
    step = float(min((m for m in (1, 2, 5, 10) if span / (m * power) <= N_LEVELS), default=10))
    step *= float(power)
    first = int(np.ceil(low / step))
    values = [round(place * step, 12) for place in range(first, int(np.floor(high / step)) + 1)]
    return tuple(float(f"{value:.10g}") for value in values) or ((low + high) / 2,)


def _unit(surrogate: Surrogate) -> str:
    return str(surrogate.describe().get("unit", ""))


def _named(name: str, level: Value) -> str:
    return f"{name} {level:.4g}" if isinstance(level, float) else f"{name} {level}"


def _held_words(fixed: Mapping[str, Value]) -> str:
    if not fixed:
        return ""
    return f" Held at {', '.join(_named(name, value) for name, value in fixed.items())}."
