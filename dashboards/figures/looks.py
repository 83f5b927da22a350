"""One colour, dash and symbol per role: the same on a page as in a document.

Source:
    Okabe & Ito (2008), Color Universal Design: eight colours that people with any kind of colour
    vision tell apart.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from doe.plots import Layer, Role, Surface

INK = "#1F2933"
"""Text, axis lines and error bars."""

MUTED = "#52606D"
"""Tick labels."""

GRID = "#E4E7EB"
"""Lines behind the data."""

SURFACE_COLOURS = "Cividis"
"""Colour scale of surfaces: the same to every colour vision, and in grey."""

VEIL = "rgba(255, 255, 255, 0.55)"
"""Laid over places where a surface extrapolates."""

CLEAR = "rgba(255, 255, 255, 0)"
"""Lets everything through."""

HATCH = "#7F7F7F"
"""Strokes over those places."""


@dataclass(frozen=True, slots=True)
class Look:
    """How one layer is drawn; without colour, layers still differ.

    Attributes:
        colour: Of its lines, bars and markers, ``#RRGGBB``.
        symbol: Of its markers, in plotly's words.
        dash: Of its lines, in plotly's words.
    """

    colour: str
    symbol: str
    dash: str


_Choices = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]

# Colours, symbols and dashes. Where a role comes several times, later layers take later ones.
_CHOICES: Mapping[Role, _Choices] = {
    "estimate": (
        ("#0072B2", "#CC79A7", "#009E73"),
        ("circle", "square", "triangle-up"),
        ("solid", "dash", "dashdot"),
    ),
    "data": (
        ("#000000", "#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00", "#0072B2", "#7F7F7F"),
        (
            "circle", "square", "triangle-up", "diamond",
            "triangle-down", "cross", "x", "triangle-left",
        ),
        ("solid", "dash", "dashdot", "dot"),
    ),
    "limit": (("#D55E00",), ("line-ew",), ("dash", "dot")),
    "target": (("#009E73",), ("star",), ("dashdot", "dot")),
    "recommended": (("#D55E00", "#CC79A7"), ("diamond", "square"), ("solid", "dash")),
    "reference": (("#7F7F7F", "#A6A6A6"), ("square", "triangle-up"), ("dot", "dash")),
    "excluded": (("#7F7F7F",), ("x-thin", "cross-thin"), ("dot",)),
}  # fmt: skip


def with_looks(layers: Iterable[Layer]) -> Iterator[tuple[Layer, Look]]:
    """Yield each layer with its look: by role, and by its place among those of its role.

    Layers of one kind and label, such as the pieces of a broken line, look the same.
    """
    labels: defaultdict[tuple[Role, type[Layer]], list[str]] = defaultdict(list)
    for layer in layers:
        role: Role = "estimate" if isinstance(layer, Surface) else layer.role
        known = labels[role, type(layer)]
        if layer.label not in known:
            known.append(layer.label)
        place = known.index(layer.label)
        colours, symbols, dashes = _CHOICES[role]
        yield layer, Look(_nth(colours, place), _nth(symbols, place), _nth(dashes, place))


def translucent(colour: str, opacity: float) -> str:
    """Return a ``#RRGGBB`` colour that lets the background through."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity:g})"


def _nth(choices: tuple[str, ...], place: int) -> str:
    return choices[place % len(choices)]
