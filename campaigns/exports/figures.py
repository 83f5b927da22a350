"""Plots drawn for documents, by matplotlib; the page draws the same arrays with plotly."""

from collections import defaultdict
from io import BytesIO
from math import ceil
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, assert_never

import numpy as np

from doe.arrays import FloatArray
from doe.plots import Axis, Band, Bars, Layer, Line, Plot, Points, Role, Surface

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Places = defaultdict[tuple[Role, type], list[str]]
FigureFormat = Literal["png", "svg"]
DOTS_PER_INCH = 200
_WIDTH = 7.0  # inches: a text column of A4 and letter paper
_AXES_HEIGHT = 3.9
_PER_CATEGORY = 0.4
_LINE = 0.175  # inches of one line of legend or caption
_CAPTION_CHARACTERS = 100
_TITLE_CHARACTERS = 75
_CATEGORY_CHARACTERS = 60
_AT_THE_EDGE = 0.01  # of the axes' length
_MOST_NAMES = 12


class _Look(NamedTuple):
    """How the layers of one role are drawn; without colour they still differ."""

    colours: tuple[str, ...]
    markers: tuple[str, ...]
    dashes: tuple[str, ...]


class _Legend(NamedTuple):
    """What stands below the axes."""

    handles: tuple[Any, ...]
    n_columns: int
    n_rows: int


# Okabe and Ito (2008): colours that people with any colour vision tell apart. Where a role comes
# several times in one plot, the later layers take the later colours, markers and dashes.
_LOOKS: dict[Role, _Look] = {
    "estimate": _Look(("#0072B2", "#CC79A7", "#009E73"), ("o", "s", "^"), ("-", "--", "-.")),
    "data": _Look(
        ("#000000", "#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00", "#0072B2", "#7F7F7F"),
        ("o", "s", "^", "D", "v", "P", "X", "<"),
        ("-", "--", "-.", ":"),
    ),
    "limit": _Look(("#D55E00",), ("_",), ("--", ":")),
    "target": _Look(("#009E73",), ("*",), ("-.", ":")),
    "recommended": _Look(("#D55E00", "#CC79A7"), ("D", "s"), ("-", "--")),
    "reference": _Look(("#7F7F7F", "#A6A6A6"), ("s", "^"), (":", "--")),
    "excluded": _Look(("#7F7F7F",), ("x", "+"), (":",)),
}
_SURFACE_COLOURS = "cividis"  # the same to every colour vision, and in grey


def draw(plot: Plot) -> "Figure":
    """Return the figure of a plot: title, axes with units, legend below, sentence as caption.

    It stands for itself: no setting that matplotlib shares with other figures is changed.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(_WIDTH, _AXES_HEIGHT), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    # First, because names are placed by where a point is within the axes.
    _set_axis(axes, plot.x, horizontal=True)
    _set_axis(axes, plot.y, horizontal=False)
    places: Places = defaultdict(list)
    for layer in plot.layers:
        # Pieces of one line (a contour in several parts) share its look.
        labels = places[_role_of(layer), type(layer)]
        if layer.label not in labels:
            labels.append(layer.label)
        _draw_layer(figure, axes, layer, labels.index(layer.label))
    title = wrap(plot.title, _TITLE_CHARACTERS)
    axes.set_title("\n".join(title), loc="left", fontsize=11, fontweight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    caption, legend = wrap(plot.sentence, _CAPTION_CHARACTERS), _legend_of(axes, plot.layers)
    below = [_LINE * (len(caption) + 0.8), _LINE * (legend.n_rows + 0.6)]
    body = _AXES_HEIGHT if plot.y.scale != "category" else _category_height(plot.y)
    height = body + sum(below) + _LINE * len(title)
    figure.set_size_inches(_WIDTH, height)
    bottom = sum(below) / height
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=(0, bottom, 1, 1 - bottom)))
    if legend.handles:
        place: dict[str, Any] = {"bbox_to_anchor": (0.0, bottom), "ncols": legend.n_columns}
        look: dict[str, Any] = {"frameon": False, "fontsize": 8.5}
        shown = figure.legend(handles=legend.handles, loc="upper left", **place, **look)
        shown.set_in_layout(False)
    words = figure.text(0.012, _LINE * 0.4 / height, "\n".join(caption), fontsize=8.5, va="bottom")
    words.set_in_layout(False)
    _take_words_as_words(figure)
    _settle(figure)
    return figure


def _settle(figure: "Figure") -> None:
    """Lay the figure out once and for all, with legend and caption part of it.

    A notebook crops a figure to what takes part in its layout, and would cut both off.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for words in (*figure.legends, *figure.texts):
        words.set_in_layout(True)


def image(plot: Plot, kind: FigureFormat) -> bytes:
    """Return a plot as the content of a PNG or SVG file, without the time of its making."""
    buffer = BytesIO()
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    draw(plot).savefig(buffer, format=kind, dpi=DOTS_PER_INCH, metadata=metadata)
    return buffer.getvalue()


def _draw_layer(figure: "Figure", axes: "Axes", layer: Layer, place: int) -> None:
    look = _LOOKS[_role_of(layer)]
    colour = _nth(look.colours, place)
    match layer:
        case Surface():
            _draw_surface(figure, axes, layer)
        case Band(label, x, low, high):
            axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0, label=label)
        case Line(label, x, y):
            dashes = _nth(look.dashes, place)
            axes.plot(x, y, color=colour, linestyle=dashes, linewidth=1.6, label=label)
        case Bars(label, y, value, low, high):
            axes.barh(y, value, height=0.55, color=colour, alpha=0.55, label=label)
            spread = _spread(value, low, high)
            # Bars without an interval have no ends to mark.
            if spread.any():
                axes.errorbar(value, y, xerr=spread, fmt="none", ecolor="#000000", capsize=3)
        case Points():
            _draw_points(axes, layer, colour, _nth(look.markers, place))
        case _:
            assert_never(layer)


def _draw_points(axes: "Axes", layer: Points, colour: str, marker: str) -> None:
    is_filled = marker not in ("x", "+", "_")
    (drawn,) = axes.plot(
        layer.x,
        layer.y,
        color=colour,
        marker=marker,
        linestyle="none",
        markersize=8.5 if layer.role in ("recommended", "target") else 6.5,
        markeredgecolor="white" if is_filled else colour,
        markeredgewidth=0.6 if is_filled else 1.6,
        label=layer.label,
        zorder=3,
    )
    # Whole at the edge of the axes; but a run done far outside would be drawn off the figure.
    drawn.set_clip_on(not all(_is_shown(axes, x, y) for x, y in zip(layer.x, layer.y, strict=True)))
    if layer.error_low is not None and layer.error_high is not None:
        spread = _spread(layer.y, layer.error_low, layer.error_high)
        axes.errorbar(
            layer.x, layer.y, yerr=spread, fmt="none", ecolor=colour, elinewidth=1, capsize=2
        )
    _write_names(axes, layer)


def _write_names(axes: "Axes", layer: Points) -> None:
    """Write the names beside the points, towards the middle of the axes; not where they crowd."""
    from matplotlib.patheffects import withStroke

    names: dict[tuple[float, float], list[str]] = {}
    for name, x, y in zip(layer.names, layer.x, layer.y, strict=False):
        if name:
            names.setdefault((float(x), float(y)), []).append(name)
    if len(names) > _MOST_NAMES:
        return
    for (x, y), here in names.items():
        if not _is_shown(axes, x, y):
            continue
        across, up = _within_axes(axes, x, y)
        offset = (-5 if across > 0.9 else 5, -5 if up > 0.9 else 5)
        text = axes.annotate(
            ", ".join(here),
            (x, y),
            xytext=offset,
            textcoords="offset points",
            ha="right" if across > 0.9 else "left",
            va="top" if up > 0.9 else "bottom",
            fontsize=8,
            zorder=4,
        )
        text.set_path_effects([withStroke(linewidth=2, foreground="white")])


def _within_axes(axes: "Axes", x: float, y: float) -> tuple[float, float]:
    across, up = axes.transAxes.inverted().transform(axes.transData.transform((x, y)))
    return float(across), float(up)


def _is_shown(axes: "Axes", x: float, y: float) -> bool:
    return all(-_AT_THE_EDGE <= place <= 1 + _AT_THE_EDGE for place in _within_axes(axes, x, y))


def _draw_surface(figure: "Figure", axes: "Axes", surface: Surface) -> None:
    from matplotlib.patheffects import withStroke

    mesh = axes.pcolormesh(
        surface.x,
        surface.y,
        surface.z,
        cmap=_SURFACE_COLOURS,
        vmin=surface.low,
        vmax=surface.high,
        shading="nearest",
        rasterized=True,
    )
    bar = figure.colorbar(mesh, ax=axes, pad=0.02)
    bar.set_label(f"{surface.label} ({surface.unit})" if surface.unit else surface.label)
    drawn, width = ([], 0.0) if surface.cells else _levels(surface)
    if drawn:
        lines = axes.contour(
            surface.x, surface.y, surface.z, levels=drawn, colors="white", linewidths=width
        )
        # White with a black edge is seen on every colour of the scale.
        lines.set_path_effects([withStroke(linewidth=2 * width, foreground="black")])
        for text in axes.clabel(lines, fmt=lambda level: f"{level:g}", fontsize=8.5):
            text.set_path_effects([withStroke(linewidth=2.5, foreground="black")])
    if surface.shaded is not None and _is_shaded(surface):
        axes.contourf(
            surface.x,
            surface.y,
            np.asarray(surface.shaded, dtype=np.float64),
            levels=[0.5, 1.5],
            colors=["white"],
            alpha=0.55,
            hatches=["///"],
        )


def _levels(surface: Surface) -> tuple[list[float], float]:
    """Return the contours to draw and how wide; thin round ones where none asked for is there."""
    from matplotlib.ticker import MaxNLocator

    low, high = float(surface.z.min()), float(surface.z.max())
    asked = [level for level in surface.levels if low < level < high]
    if asked or not low < high:
        return asked, 1.5
    ticks = MaxNLocator(nbins=5, steps=[1, 2, 5, 10]).tick_values(low, high)
    return [float(level) for level in ticks if low < level < high], 0.8


def _set_axis(axes: "Axes", axis: Axis, *, horizontal: bool) -> None:
    side = axes.xaxis if horizontal else axes.yaxis
    match axis.scale:
        case "linear":
            pass
        case "log":
            (axes.set_xscale if horizontal else axes.set_yscale)("log")
        case "category":
            side.set_ticks(range(len(axis.categories)), [*axis.categories])
            if horizontal and sum(map(len, axis.categories)) > _CATEGORY_CHARACTERS:
                side.set_tick_params(rotation=90)
        case _:
            assert_never(axis.scale)
    (axes.set_xlim if horizontal else axes.set_ylim)(axis.low, axis.high)
    (axes.set_xlabel if horizontal else axes.set_ylabel)(axis.title)


def _legend_of(axes: "Axes", layers: tuple[Layer, ...]) -> _Legend:
    from matplotlib.patches import Patch

    entries = {
        label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    for layer in layers:
        if isinstance(layer, Surface) and _is_shaded(layer):
            label = layer.shading
            entries[label] = Patch(facecolor="white", edgecolor="#7F7F7F", hatch="///", label=label)
    longest = max(map(len, entries), default=0)
    n_columns = max(1, min(5, len(entries), _CAPTION_CHARACTERS // (longest + 9)))
    if sum(len(label) + 9 for label in entries) <= _CAPTION_CHARACTERS:
        n_columns = len(entries)
    return _Legend(tuple(entries.values()), n_columns, ceil(len(entries) / max(1, n_columns)))


def _take_words_as_words(figure: "Figure") -> None:
    """Let a dollar sign be one: matplotlib would read what stands between two as a formula."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        # The numbers of a log axis are formulas of matplotlib's own; they have no text yet.
        if isinstance(text, Text) and text.get_text():
            text.set_parse_math(False)


def _role_of(layer: Layer) -> Role:
    return "estimate" if isinstance(layer, Surface) else layer.role


def _is_shaded(surface: Surface) -> bool:
    return surface.shaded is not None and bool(np.any(surface.shaded))


def _category_height(axis: Axis) -> float:
    return 0.9 + _PER_CATEGORY * len(axis.categories)


def _spread(value: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Return the lengths of error bars, shape ``(2, n)``; never negative."""
    return np.maximum(np.stack([value - low, high - value]), 0.0)


def _nth(choices: tuple[str, ...], place: int) -> str:
    return choices[place % len(choices)]
