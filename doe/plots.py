"""Plots as data: arrays, units, ranges, a title and a sentence; other code draws them."""

from collections.abc import Sized
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from doe.arrays import FloatArray
from doe.errors import InvalidValueError

Role = Literal["estimate", "data", "limit", "target", "recommended", "reference", "excluded"]
AxisScale = Literal["linear", "log", "category"]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis, with its range always stated so that no drawing library guesses it.

    Attributes:
        label: What it shows.
        unit: Its unit, empty for a plain number.
        low: Lower end.
        high: Upper end.
        scale: Linear, logarithmic, or one place per category.
        categories: Names of the places of a category axis, at 0, 1, 2, ...
    """

    label: str
    unit: str
    low: float
    high: float
    scale: AxisScale = "linear"
    categories: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise InvalidValueError(
                f"Axis '{self.label}' needs a finite range, got {self.low} to {self.high}."
            )
        if self.scale == "log" and self.low <= 0:
            raise InvalidValueError(
                f"Axis '{self.label}' has scale 'log' but starts at {self.low:g}: start above zero."
            )
        if (self.scale == "category") != bool(self.categories):
            raise InvalidValueError(
                f"Axis '{self.label}': a category axis, and no other, needs categories; got scale "
                f"'{self.scale}' and {list(self.categories)}."
            )

    @property
    def title(self) -> str:
        """The label with its unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def category_at(self, place: float) -> str:
        """Return the category at a place, or the nearest one at the ends of the axis."""
        return self.categories[min(max(round(place), 0), len(self.categories) - 1)]


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Markers at places, with error bars where ``error_low`` and ``error_high`` are given."""

    label: str
    x: FloatArray
    y: FloatArray
    role: Role = "data"
    names: tuple[str, ...] = ()
    error_low: FloatArray | None = None
    error_high: FloatArray | None = None

    def __post_init__(self) -> None:
        _check_lengths(
            self.label,
            x=self.x,
            y=self.y,
            names=self.names or None,
            error_low=self.error_low,
            error_high=self.error_high,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line through places in order."""

    label: str
    x: FloatArray
    y: FloatArray
    role: Role = "estimate"

    def __post_init__(self) -> None:
        _check_lengths(self.label, x=self.x, y=self.y)


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """The area between two curves over the same places."""

    label: str
    x: FloatArray
    low: FloatArray
    high: FloatArray
    role: Role = "estimate"

    def __post_init__(self) -> None:
        _check_lengths(self.label, x=self.x, low=self.low, high=self.high)


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Horizontal bars at category places of the y axis, with intervals."""

    label: str
    y: FloatArray
    value: FloatArray
    low: FloatArray
    high: FloatArray
    role: Role = "estimate"

    def __post_init__(self) -> None:
        _check_lengths(self.label, y=self.y, value=self.value, low=self.low, high=self.high)


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A value over a grid, shape ``(len(y), len(x))``, with contour levels to draw.

    ``shaded`` marks places to grey out, same shape, and ``shading`` says why. ``cells`` draws every
    value as a field of its own, with nothing between them, as category axes need.
    """

    label: str
    unit: str
    x: FloatArray
    y: FloatArray
    z: FloatArray
    low: float
    high: float
    levels: tuple[float, ...] = ()
    shaded: FloatArray | None = None
    shading: str = "extrapolation"
    cells: bool = False

    def __post_init__(self) -> None:
        wanted = (len(self.y), len(self.x))
        for what, grid in (("z", self.z), ("shaded", self.shaded)):
            if grid is not None and np.shape(grid) != wanted:
                raise InvalidValueError(
                    f"Surface '{self.label}': {what} has shape {np.shape(grid)}; expected one row "
                    f"per y and one column per x, {wanted}."
                )


Layer = Points | Line | Band | Bars | Surface


@dataclass(frozen=True, slots=True, eq=False)
class Plot:
    """Everything a figure shows, before any drawing library.

    Attributes:
        title: What is shown.
        sentence: What to see in it, with the number behind the picture.
        x: The horizontal axis.
        y: The vertical axis.
        layers: What is drawn, from back to front.
    """

    title: str
    sentence: str
    x: Axis
    y: Axis
    layers: tuple[Layer, ...] = field(default=())


def _check_lengths(label: str, **parts: Sized | None) -> None:
    lengths = {name: len(part) for name, part in parts.items() if part is not None}
    if len(set(lengths.values())) > 1:
        raise InvalidValueError(
            f"'{label}' has parts of different lengths, {lengths}: give one entry per place."
        )
