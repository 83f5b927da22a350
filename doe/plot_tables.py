"""Every number of a plot as a table, for those who read it as numbers."""

from typing import TYPE_CHECKING, assert_never

import numpy as np

from doe.arrays import FloatArray
from doe.plots import Band, Bars, Layer, Line, Plot, Points, Surface

if TYPE_CHECKING:
    import pandas as pd


def data_table(plot: Plot) -> "pd.DataFrame":
    """Return every number of a plot, one row per mark, columns titled with their units.

    Columns are what is shown, its name where it has one, the place on both axes, the value where
    a colour shows it, the ends of the interval where there is one, and extrapolation.
    """
    import pandas as pd

    rows = pd.concat([_rows(layer, plot) for layer in plot.layers], ignore_index=True)
    for letter, axis in (("x", plot.x), ("y", plot.y)):
        if axis.scale == "category":
            rows[letter] = [axis.category_at(place) for place in rows[letter]]
    return rows.dropna(axis="columns", how="all").rename(
        columns={"x": plot.x.title, "y": plot.y.title}
    )


def _rows(layer: Layer, plot: Plot) -> "pd.DataFrame":
    import pandas as pd

    columns: dict[str, object]
    match layer:
        case Points():
            columns = {"name": list(layer.names) or None, "x": layer.x, "y": layer.y}
            columns |= {"low": layer.error_low, "high": layer.error_high}
        case Line():
            columns = {"x": layer.x, "y": layer.y}
        case Band():
            columns = {"x": layer.x, "low": layer.low, "high": layer.high}
        case Bars():
            columns = {"x": layer.value, "y": layer.y, "low": layer.low, "high": layer.high}
        case Surface():
            x, y = np.meshgrid(layer.x, layer.y)
            title = f"{layer.label} ({layer.unit})" if layer.unit else layer.label
            columns = {"x": x.ravel(), "y": y.ravel(), title: layer.z.ravel()}
            columns[layer.shading] = _yes_no(layer.shaded)
        case _:
            assert_never(layer)
    length = len(np.asarray(columns["x"]))
    order = ["shown", "name", "x", "y"]
    table = pd.DataFrame({"shown": [layer.label] * length, **columns})
    return table.reindex(columns=[*order, *(c for c in table.columns if c not in order)])


def _yes_no(shaded: FloatArray | None) -> list[str] | None:
    return None if shaded is None else ["yes" if place > 0 else "no" for place in shaded.ravel()]
