"""A map of the probability that a new run meets its specifications, over two factors."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.errors import InvalidValueError
from doe.factors import (
    ContinuousFactor,
    DiscreteFactor,
    SearchedFactor,
    Value,
)
from doe.plots import Layer, Line, Plot, Points, Surface
from doe.responses import Specification
from surrogates.contours import contour_lines
from surrogates.factor_axes import factor_axis, held_settings, numeric_factor, places_along
from surrogates.factor_ranges import FactorRanges
from surrogates.probability import (
    ProbabilityWithin,
    means_in_specification,
    probability_in_specification,
)
from surrogates.surrogate import SurrogateSet

if TYPE_CHECKING:
    import pandas as pd

SWEET_SPOT = "sweet spot (means only)"
HALF = 0.5


def probability_map(
    surrogate_set: SurrogateSet,
    specifications: Sequence[Specification],
    x: str,
    y: str,
    *,
    at: Mapping[str, Value] | None = None,
    reliability_target: float = 0.95,
    n: int = 45,
    rng: np.random.Generator | None = None,
) -> Plot:
    """Return P(all specifications met for one new run) over two factors.

    Contours at the reliability target and at 0.5, the line where the predicted means alone meet
    the specifications, the runs, and a shade where the surrogates extrapolate.

    Args:
        surrogate_set: Surrogates of the responses.
        specifications: Limits to be met together.
        x: Factor of the horizontal axis, over its allowed range.
        y: Factor of the vertical axis.
        at: Settings of the other factors; those not given stay in the middle of the studied range
            (categorical ones at the level with most runs).
        reliability_target: The probability that is asked for.
        n: Places along each axis; discrete factors have their levels.
        rng: Source of draws, when the probability needs any.

    Raises:
        InvalidValueError: If a factor of an axis is categorical or a mixture component, both axes
            are the same, or the target is not between 0 and 1.
        UnknownNameError: If there is no such factor or response.
    """
    _check_target(reliability_target)
    across, up = _axes(surrogate_set, x, y)
    ranges = FactorRanges.studied(surrogate_set)
    fixed = held_settings(ranges, {x, y}, at or {})
    columns, rows = places_along(across, n), places_along(up, n)
    settings = _grid(ranges, (x, y), columns, rows, fixed)
    found = probability_in_specification(surrogate_set, specifications, settings, rng=rng)
    outside = _extrapolates(surrogate_set, settings)
    shape = (len(rows), len(columns))
    surface = Surface(
        "P(all specifications met)",
        "",
        columns,
        rows,
        found.joint.reshape(shape),
        0.0,
        1.0,
        levels=(HALF, reliability_target),
        shaded=outside.reshape(shape).astype(np.float64),
    )
    margin = means_in_specification(surrogate_set, specifications, settings).reshape(shape)
    return Plot(
        title="Probability of meeting "
        + " and ".join(s.sentence(surrogate_set.unit(s.response)) for s in specifications),
        sentence=_sentence(found, outside, settings, (across, up), fixed, reliability_target),
        x=factor_axis(across),
        y=factor_axis(up),
        layers=(surface, *_sweet_spot(columns, rows, margin), _runs(surrogate_set, across, up)),
    )


def _extrapolates(surrogate_set: SurrogateSet, settings: "pd.DataFrame") -> BoolArray:
    predictions = [s.predict(settings) for s in surrogate_set.surrogates.values()]
    outside = np.any([prediction.extrapolates for prediction in predictions], axis=0)
    return np.asarray(outside, dtype=np.bool_)


def _check_target(reliability_target: float) -> None:
    if not 0 < reliability_target < 1:
        raise InvalidValueError(
            f"reliability_target must be between 0 and 1, got {reliability_target}."
        )


def _axes(
    surrogate_set: SurrogateSet, x: str, y: str
) -> tuple[ContinuousFactor | DiscreteFactor, ContinuousFactor | DiscreteFactor]:
    across, up = numeric_factor(surrogate_set.space, x), numeric_factor(surrogate_set.space, y)
    if x == y:
        raise InvalidValueError(f"A map needs two different factors, got '{x}' twice.")
    return across, up


def _grid(
    ranges: FactorRanges,
    axes: tuple[str, str],
    columns: FloatArray,
    rows: FloatArray,
    fixed: Mapping[str, Value],
) -> "pd.DataFrame":
    import pandas as pd

    across, up = np.meshgrid(columns, rows)
    data: dict[str, object] = {axes[0]: across.ravel(), axes[1]: up.ravel()}
    data.update({name: [value] * across.size for name, value in fixed.items()})
    return pd.DataFrame(data)[list(ranges.space.names)]


def _sweet_spot(columns: FloatArray, rows: FloatArray, margin: FloatArray) -> list[Layer]:
    pieces = contour_lines(columns, rows, margin, 0.0)
    return [Line(SWEET_SPOT, x, y, role="reference") for x, y in pieces]


def _runs(
    surrogate_set: SurrogateSet,
    across: ContinuousFactor | DiscreteFactor,
    up: ContinuousFactor | DiscreteFactor,
) -> Points:
    import pandas as pd

    runs = pd.concat([s.domain.runs for s in surrogate_set.surrogates.values()])
    runs = runs[~runs.index.duplicated()]
    for factor in (across, up):
        # Axial runs may lie beyond the range, where the map does not reach.
        runs = runs[runs[factor.name].between(factor.low, factor.high)]
    x, y = across.name, up.name
    return Points(
        "runs",
        runs[x].to_numpy(dtype=np.float64),
        runs[y].to_numpy(dtype=np.float64),
        names=tuple(str(run) for run in runs.index),
    )


def _sentence(
    found: ProbabilityWithin,
    outside: BoolArray,
    settings: "pd.DataFrame",
    axes: Sequence[SearchedFactor],
    fixed: Mapping[str, Value],
    target: float,
) -> str:
    trusted = np.where(outside, -1.0, found.joint)
    if outside.all():
        opening = "Every place of this map is extrapolation: no probability here can be relied on."
    else:
        best = int(trusted.argmax())
        place = " and ".join(
            f"{f.name} {settings[f.name].iloc[best]:.3g} {getattr(f, 'unit', '')}".rstrip()
            for f in axes
        )
        reached = float((trusted >= target).sum() / (~outside).sum())
        opening = (
            f"The probability is highest, {_probability(trusted[best])}, at {place}; {reached:.0%} "
            f"of the map that the runs support reaches {target:g}."
        )
    parts = [opening, _limiting_sentence(found, outside, target)]
    if fixed:
        held = ", ".join(
            f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in fixed.items()
        )
        parts.append(f"Held at {held}.")
    parts.append(f"Shaded: extrapolation ({outside.mean():.0%}). {found.method}")
    return " ".join(part for part in parts if part)


def _probability(value: float) -> str:
    """Return a probability in two digits, never rounded up to certainty."""
    return "above 0.99" if value > 0.995 else f"{value:.2f}"


def _limiting_sentence(found: ProbabilityWithin, outside: BoolArray, target: float) -> str:
    responses = list(dict.fromkeys(s.response for s in found.specifications))
    short = (found.joint < target) & ~outside
    if len(responses) < 2 or not short.any():
        return ""
    limiting = np.array(found.limiting)[short]
    shares = {name: float((limiting == name).mean()) for name in responses}
    worst = max(shares, key=lambda name: shares[name])
    return (
        f"Where it falls short, {worst} is what limits it over {shares[worst]:.0%} of the places."
    )
