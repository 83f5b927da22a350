"""The words in a figure: what hovering shows, and text that plotly takes for what it is."""

import math

from doe.plots import Axis, Plot, Points

Trace = dict[str, object]

MAX_NAMES = 30
"""Names that fit on a figure."""


def hover(plot: Plot, heading: str) -> str:
    """Return what is shown at a mark: a heading, and its place on both axes with units."""
    lines = [f"<b>{heading}</b>"]
    for letter, axis in (("x", plot.x), ("y", plot.y)):
        if axis.scale != "category":
            unit = f" {axis.unit}" if axis.unit else ""
            lines.append(f"{escaped(axis.label)}: %{{{letter}:.4g}}{escaped(unit)}")
    return "<br>".join(lines) + "<extra></extra>"


def name_labels(points: Points, plot: Plot) -> list[dict[str, object]]:
    """Return the names of a few points as annotations beside them; of many, hovering tells."""
    if len(points.names) > MAX_NAMES:
        return []
    together: dict[tuple[float, float], list[str]] = {}
    for name, x, y in zip(points.names, points.x.tolist(), points.y.tolist(), strict=True):
        together.setdefault((x, y), []).append(name)
    return [
        {
            "x": position(x, plot.x),
            "y": position(y, plot.y),
            "text": escaped(", ".join(names)),
            "showarrow": False,
            # To the right of the mark and above it, whatever the length of the names.
            "xanchor": "left",
            "yanchor": "bottom",
            "xshift": 5,
            "yshift": 4,
            "bgcolor": "rgba(255, 255, 255, 0.85)",
            "borderpad": 1,
            "font": {"size": 11, "color": "#000000"},
        }
        for (x, y), names in together.items()
    ]


def position(value: float, axis: Axis) -> float:
    """Return where an annotation goes: by the exponent of ten on a logarithmic axis."""
    return math.log10(value) if axis.scale == "log" else value


def escaped(text: str) -> str:
    """Return text that plotly shows as it is: it reads a few HTML tags."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
