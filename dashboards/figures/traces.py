"""Each layer of a plot as plotly traces, plain dictionaries that hold the layer's own arrays."""

from typing import assert_never

import numpy as np

from dashboards.figures.looks import INK, Look, translucent
from dashboards.figures.surfaces import surface_traces
from dashboards.figures.text import Trace, escaped, hover
from doe.arrays import FloatArray
from doe.plots import Band, Bars, Layer, Line, Plot, Points, Surface

_STROKE_SYMBOLS = ("line-ew", "x-thin", "cross-thin")


def traces_of(layer: Layer, look: Look, plot: Plot) -> list[Trace]:
    """Return the traces of one layer, back to front."""
    match layer:
        case Points():
            return [_points(layer, look, plot)]
        case Line():
            return _line(layer, look, plot)
        case Band():
            return _band(layer, look)
        case Bars():
            return [_bars(layer, look, plot)]
        case Surface():
            return surface_traces(layer, plot)
        case _:
            assert_never(layer)


def _points(layer: Points, look: Look, plot: Plot) -> Trace:
    stroked = look.symbol in _STROKE_SYMBOLS
    trace: Trace = {
        "type": "scatter",
        "mode": "markers",
        "name": layer.label,
        "x": layer.x,
        "y": layer.y,
        "marker": {
            "color": look.colour,
            "symbol": look.symbol,
            "size": 12 if layer.role in ("recommended", "target") else 8,
            # A white rim keeps a marker visible on every colour of a surface.
            "line": {"color": look.colour if stroked else "#FFFFFF", "width": 2 if stroked else 1},
        },
        "hovertemplate": hover(plot, "%{customdata}" if layer.names else escaped(layer.label)),
        # A mark on the edge of the axes is shown whole.
        "cliponaxis": False,
    }
    if layer.names:
        label = escaped(layer.label)
        trace["customdata"] = [f"{label}: {escaped(name)}" for name in layer.names]
    if layer.error_low is not None and layer.error_high is not None:
        trace["error_y"] = _errors(layer.y, layer.error_low, layer.error_high, look.colour)
    return trace


def _line(layer: Line, look: Look, plot: Plot) -> list[Trace]:
    line: Trace = {
        "type": "scatter",
        "mode": "lines",
        "name": layer.label,
        "x": layer.x,
        "y": layer.y,
        "line": {"color": look.colour, "dash": look.dash, "width": 2},
        "hovertemplate": hover(plot, escaped(layer.label)),
    }
    if not any(isinstance(other, Surface) for other in plot.layers):
        return [line]
    # A white edge keeps a line visible on every colour of a surface.
    edge = {"color": "rgba(255, 255, 255, 0.8)", "width": 5}
    return [{**line, "line": edge, "showlegend": False, "hoverinfo": "skip"}, line]


def _band(layer: Band, look: Look) -> list[Trace]:
    lower: Trace = {
        "type": "scatter",
        "mode": "lines",
        "name": f"{layer.label}, lower end",
        "x": layer.x,
        "y": layer.low,
        "line": {"color": look.colour, "width": 0},
        "showlegend": False,
        "hoverinfo": "skip",
    }
    upper: Trace = {
        **lower,
        "name": layer.label,
        "y": layer.high,
        "fill": "tonexty",
        "fillcolor": translucent(look.colour, 0.2),
        "showlegend": True,
    }
    return [lower, upper]


def _bars(layer: Bars, look: Look, plot: Plot) -> Trace:
    unit = f" {escaped(plot.x.unit)}" if plot.x.unit else ""
    named = plot.y.scale == "category"
    names = [plot.y.category_at(place) if named else f"{place:g}" for place in layer.y]
    heading = f"<b>%{{hovertext}}</b><br>{escaped(layer.label)}: %{{x:.3g}}{unit}"
    bars: Trace = {
        "type": "bar",
        "orientation": "h",
        "name": layer.label,
        "x": layer.value,
        "y": layer.y,
        "marker": {"color": translucent(look.colour, 0.55), "line": {"width": 0}},
        "hovertext": [escaped(name) for name in names],
        "hovertemplate": f"{heading}<extra></extra>",
    }
    # Bars without an interval have no ends to mark.
    if np.array_equal(layer.low, layer.high):
        return bars
    interval = f"<br>interval %{{customdata[0]:.3g}} to %{{customdata[1]:.3g}}{unit}"
    return {
        **bars,
        "error_x": _errors(layer.value, layer.low, layer.high, INK),
        "customdata": np.column_stack([layer.low, layer.high]),
        "hovertemplate": f"{heading}{interval}<extra></extra>",
    }


def _errors(value: FloatArray, low: FloatArray, high: FloatArray, colour: str) -> Trace:
    return {
        "type": "data",
        "symmetric": False,
        # Rounding can leave an end on the wrong side of the value; plotly takes no negative length.
        "array": np.maximum(high - value, 0.0),
        "arrayminus": np.maximum(value - low, 0.0),
        "color": colour,
        "thickness": 1.5,
        "width": 4,
    }
