"""A plot as a plotly figure: plain dictionaries, nothing left for the library to guess."""

from typing import TypedDict

import numpy as np

from dashboards.figures.looks import GRID, INK, MUTED, with_looks
from dashboards.figures.surfaces import level_labels
from dashboards.figures.text import Trace, escaped, name_labels
from dashboards.figures.traces import traces_of
from doe.plots import Axis, Plot, Points, Surface

FONT = "Roboto, Helvetica, Arial, sans-serif"

# Trace types that plotly.js 3.1.0, which Panel serves, can draw.
TRACE_TYPES = frozenset({"bar", "contour", "heatmap", "scatter"})


CATEGORY_CHARACTERS = 60
"""Letters of category names that fit side by side under the horizontal axis."""


class Figure(TypedDict):
    """What plotly draws."""

    data: list[Trace]
    layout: dict[str, object]


def to_plotly(plot: Plot) -> Figure:
    """Return the figure of a plot; its traces hold the plot's own arrays.

    Title and sentence are left to the page around it, which sets them as text that can be read
    aloud and copied.
    """
    data = [
        trace for layer, look in with_looks(plot.layers) for trace in traces_of(layer, look, plot)
    ]
    # One kind of mark is named by the axis it is measured on.
    return {"data": data, "layout": {**_layout(plot), "showlegend": _list_once(data) > 1}}


def _list_once(data: list[Trace]) -> int:
    """Let the legend name each label once, and return how many it names."""
    listed: set[object] = set()
    for trace in data:
        if trace.get("showlegend", True):
            trace["showlegend"] = trace["name"] not in listed
            listed.add(trace["name"])
    return len(listed)


def _layout(plot: Plot) -> dict[str, object]:
    has_colour_bar = any(isinstance(layer, Surface) for layer in plot.layers)
    return {
        # Without one, plotly.py would put its own style over ours.
        "template": {"data": {"scatter": [{"type": "scatter"}]}},
        "font": {"family": FONT, "size": 13, "color": INK},
        "paper_bgcolor": "#FFFFFF",
        "plot_bgcolor": "#FFFFFF",
        "margin": {"l": 64, "r": 16 if has_colour_bar else 24, "t": 16, "b": 56},
        "legend": {
            "orientation": "h",
            "x": 0.0,
            "xanchor": "left",
            "y": 1.04,
            "yanchor": "bottom",
            "font": {"size": 12, "color": INK},
            "bgcolor": "rgba(255, 255, 255, 0)",
            "itemclick": False,
            "itemdoubleclick": False,
        },
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": "#FFFFFF", "bordercolor": GRID, "font": {"color": INK}},
        "bargap": 0.3,
        "dragmode": False,
        "annotations": _annotations(plot),
        "xaxis": {**_axis(plot.x), **_upright(plot.x)},
        "yaxis": _axis(plot.y),
    }


def _annotations(plot: Plot) -> list[dict[str, object]]:
    labels: list[dict[str, object]] = []
    for layer in plot.layers:
        if isinstance(layer, Surface):
            labels += level_labels(layer, plot)
        elif isinstance(layer, Points) and layer.role == "recommended":
            labels += name_labels(layer, plot)
    return labels


def _upright(axis: Axis) -> dict[str, object]:
    """Return what stands long names up, of which plotly would leave some out."""
    return {"tickangle": -90} if sum(map(len, axis.categories)) > CATEGORY_CHARACTERS else {}


def _axis(axis: Axis) -> dict[str, object]:
    common: dict[str, object] = {
        "title": {"text": escaped(axis.title), "standoff": 10, "font": {"size": 13, "color": INK}},
        "autorange": False,
        "range": [axis.low, axis.high],
        "fixedrange": True,
        "automargin": True,
        "showline": True,
        "linecolor": MUTED,
        "linewidth": 1,
        "ticks": "outside",
        "tickcolor": MUTED,
        "tickfont": {"size": 12, "color": MUTED},
        "gridcolor": GRID,
        "zeroline": False,
    }
    match axis.scale:
        case "linear":
            return {**common, "type": "linear"}
        case "log":
            # Plotly takes the range of a logarithmic axis as exponents of ten.
            ends = [float(np.log10(axis.low)), float(np.log10(axis.high))]
            return {**common, "type": "log", "range": ends}
        case "category":
            places = list(range(len(axis.categories)))
            return {
                **common,
                "type": "linear",
                "tickmode": "array",
                "tickvals": places,
                "ticktext": [escaped(name) for name in axis.categories],
                "showgrid": False,
            }
