"""A surface as plotly traces: steps of colour, labelled levels, hatched extrapolation."""

import math

import numpy as np

from dashboards.figures.looks import CLEAR, HATCH, SURFACE_COLOURS, VEIL
from dashboards.figures.text import Trace, escaped, hover, position
from doe.arrays import BoolArray, FloatArray
from doe.plots import Plot, Surface

COLOUR_STEPS = 10
"""Steps of the colour scale; a step can be read off the bar, a gradient cannot."""

_STROKES = 60  # per axis: dense enough to look hatched, sparse enough to draw fast


def surface_traces(layer: Surface, plot: Plot) -> list[Trace]:
    """Return the colours, the hatching and the levels of a surface, back to front."""
    traces = [_fields(layer, plot) if layer.cells else _colours(layer, plot)]
    if layer.shaded is not None and np.any(layer.shaded):
        traces += _hatching(layer, np.asarray(layer.shaded, dtype=np.float64) > 0)
    for level in levels_within(layer):
        traces += _level(layer, level)
    return traces


def level_labels(layer: Surface, plot: Plot) -> list[dict[str, object]]:
    """Return an annotation on the line of each level, readable on every colour of the scale."""
    levels = levels_within(layer)
    labels: list[dict[str, object]] = []
    for place, level in enumerate(levels):
        # Levels side by side would hide each other's label at the same height.
        wanted = (place + 1) / (len(levels) + 1)
        x, y = _place_on_level(layer, level, wanted)
        labels.append(
            {
                "x": position(x, plot.x),
                "y": position(y, plot.y),
                "text": f"{level:g}",
                "showarrow": False,
                "bgcolor": "rgba(0, 0, 0, 0.75)",
                "borderpad": 2,
                "font": {"size": 12, "color": "#FFFFFF"},
            }
        )
    return labels


def levels_within(layer: Surface) -> tuple[float, ...]:
    """Return the levels that the surface passes through; fields apart have none between them."""
    if layer.cells:
        return ()
    lowest, highest = np.nanmin(layer.z), np.nanmax(layer.z)
    return tuple(level for level in layer.levels if lowest < level < highest)


def _colours(layer: Surface, plot: Plot) -> Trace:
    title = f"{layer.label} ({layer.unit})" if layer.unit else layer.label
    unit = f" {layer.unit}" if layer.unit else ""
    step = (layer.high - layer.low) / COLOUR_STEPS
    return {
        "type": "contour",
        "name": layer.label,
        "x": layer.x,
        "y": layer.y,
        "z": layer.z,
        "zauto": False,
        "zmin": layer.low,
        "zmax": layer.high,
        "autocontour": False,
        "contours": {
            "coloring": "fill",
            "showlines": False,
            "start": layer.low + step,
            "end": layer.high - step,
            "size": step,
        },
        "colorscale": SURFACE_COLOURS,
        "showlegend": False,
        "colorbar": {
            "title": {"text": escaped(title), "side": "right", "font": {"size": 13}},
            "thickness": 14,
            "outlinewidth": 0,
            "tick0": layer.low,
            "dtick": 2 * step,
            "tickfont": {"size": 12},
        },
        "hovertemplate": hover(plot, f"{escaped(layer.label)}: %{{z:.3g}}{escaped(unit)}"),
    }


def _fields(layer: Surface, plot: Plot) -> Trace:
    """Return the values as fields with a gap between them, hovering names their categories."""
    trace = _colours(layer, plot)
    for key in ("contours", "autocontour"):
        del trace[key]
    names = [
        [" and ".join(_category_names(x, y, plot)) for x in layer.x.tolist()]
        for y in layer.y.tolist()
    ]
    hovered = f"<b>%{{customdata}}</b><br>{escaped(layer.label)}: %{{z:.3g}}<extra></extra>"
    return {**trace, "type": "heatmap", "xgap": 1, "ygap": 1, "customdata": names} | {
        "hovertemplate": hovered
    }


def _category_names(x: float, y: float, plot: Plot) -> list[str]:
    return [
        escaped(axis.category_at(place) if axis.scale == "category" else f"{place:g}")
        for place, axis in ((x, plot.x), (y, plot.y))
    ]


def _level(layer: Surface, level: float) -> list[Trace]:
    below: Trace = {
        "type": "contour",
        "name": f"{layer.label} = {level:g}",
        "x": layer.x,
        "y": layer.y,
        "z": layer.z,
        "autocontour": False,
        "contours": {"coloring": "none", "start": level, "end": level, "size": 1},
        # White on black is seen on every colour of the scale.
        "line": {"color": "#000000", "width": 4},
        "showscale": False,
        "showlegend": False,
        "hoverinfo": "skip",
    }
    return [below, {**below, "line": {"color": "#FFFFFF", "width": 1.8}}]


def _hatching(layer: Surface, shaded: BoolArray) -> list[Trace]:
    veil: Trace = {
        "type": "contour",
        "name": f"veil over {layer.shading}",
        "x": layer.x,
        "y": layer.y,
        "z": shaded.astype(np.float64),
        "zauto": False,
        "zmin": 0.0,
        "zmax": 1.0,
        "autocontour": False,
        "contours": {"coloring": "fill", "showlines": False, "start": 0.5, "end": 0.5, "size": 1},
        "colorscale": [[0.0, CLEAR], [0.5, CLEAR], [0.5, VEIL], [1.0, VEIL]],
        "showscale": False,
        "showlegend": False,
        "hoverinfo": "skip",
    }
    rows = _spread(len(layer.y))
    columns = _spread(len(layer.x))
    sparse = np.zeros_like(shaded)
    sparse[np.ix_(rows, columns)] = shaded[np.ix_(rows, columns)]
    down, across = np.nonzero(sparse)
    strokes: Trace = {
        "type": "scatter",
        "mode": "markers",
        "name": f"hatched: {layer.shading}",
        "x": layer.x[across],
        "y": layer.y[down],
        "marker": {"symbol": "line-ne", "size": 8, "line": {"color": HATCH, "width": 1.2}},
        "hoverinfo": "skip",
        "showlegend": True,
    }
    return [veil, strokes]


def _spread(length: int) -> range:
    return range(0, length, math.ceil(length / _STROKES))


def _place_on_level(layer: Surface, level: float, wanted: float) -> tuple[float, float]:
    """Return a place where the surface has this value, near a wanted share of the height."""
    for values, along, across, is_row in (
        (layer.z, layer.x, layer.y, True),
        (layer.z.T, layer.y, layer.x, False),
    ):
        order = np.argsort(np.abs(np.arange(len(across)) - wanted * (len(across) - 1)))
        for line in order:
            crossing = _crossing(along, values[line], level)
            if crossing is not None:
                place = (crossing, float(across[line]))
                return place if is_row else (place[1], place[0])
    raise AssertionError(f"the surface does not pass through {level}")


def _crossing(along: FloatArray, values: FloatArray, level: float) -> float | None:
    above = values > level
    known = np.isfinite(values)
    found = np.flatnonzero((above[1:] != above[:-1]) & known[1:] & known[:-1])
    if not len(found):
        return None
    # The middle one: a label at the edge would be cut off.
    start = found[len(found) // 2]
    share = (level - values[start]) / (values[start + 1] - values[start])
    return float(along[start] + share * (along[start + 1] - along[start]))
