"""What residuals are drawn against: its axis, each run's place on it, and what the groups show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.errors import UnknownNameError
from doe.factors import CategoricalFactor, MixtureComponent, SearchedFactor
from doe.plots import Axis
from surrogates.blocks import block_paths

if TYPE_CHECKING:
    from surrogates.linear.diagnosing.diagnostics import Diagnostics

# Averages smaller than this share of the largest residual are rounding.
ROUNDING = 1e-9
ROOM = 0.06


@dataclass(frozen=True, eq=False)
class Places:
    """Where each run stands on an axis.

    Attributes:
        axis: The axis.
        x: Place of each run, ``nan`` where nothing was recorded, shape ``(n,)``.
        sentence: What the residuals over it say.
    """

    axis: Axis
    x: FloatArray
    sentence: str


def known_places(diagnostics: "Diagnostics") -> tuple[str, ...]:
    """Return everything that the residuals can be drawn against.

    Covariates and contexts are among it where they were recorded and vary: what they explain is
    not in the model.
    """
    space, settings = diagnostics.model.space, diagnostics.model.rows.settings
    recorded = [covariate.name for covariate in space.covariates]
    recorded += [context.name for context in space.contexts]
    varying = [
        name for name in recorded if name in settings and settings[name].dropna().nunique() > 1
    ]
    blocks = [block.name for block in space.blocks]
    return ("predicted", "run order", *space.names, *blocks, *varying)


def places_of(diagnostics: "Diagnostics", against: str, values: FloatArray) -> Places:
    """Return where the runs stand and what their residuals say there.

    Args:
        diagnostics: Of the model.
        against: One of ``known_places``.
        values: The residuals that are drawn, ``nan`` where there is none, shape ``(n,)``.

    Raises:
        UnknownNameError: If there is nothing of that name.
    """
    model, space = diagnostics.model, diagnostics.model.space
    if against not in known_places(diagnostics):
        raise UnknownNameError(
            f"There are no residuals against '{against}'; choose one of "
            f"{', '.join(known_places(diagnostics))}."
        )
    if against == "predicted":
        axis = Axis(f"{model.response}, predicted", diagnostics.unit, *ends_of(model.fitted))
        sentence = f"Breusch-Pagan: {diagnostics.constant_variance.reading}"
        return Places(axis, model.fitted, sentence)
    if against == "run order":
        order = diagnostics.run_number.astype(np.float64)
        drift, memory = diagnostics.drift.reading, diagnostics.autocorrelation.reading
        return Places(order_axis(diagnostics), order, f"{drift} Durbin-Watson: {memory}")
    if against in [block.name for block in space.blocks]:
        levels = ["/".join(path) for path in block_paths(space, model.rows.settings, against)]
        return _categories(against, levels, tuple(dict.fromkeys(levels)), values)
    searched = {factor.name: factor for factor in space.searched}
    if against in searched:
        return _over_factor(diagnostics, searched[against], values)
    return _over_recorded(diagnostics, against, values)


def order_axis(diagnostics: "Diagnostics") -> Axis:
    """Return the axis of the order of doing; it says when that is the order of the rows."""
    order = "doing" if diagnostics.order_is_given else "the rows"
    return Axis(f"run, in the order of {order}", "", 0.5, len(diagnostics.runs) + 0.5)


def ends_of(values: FloatArray) -> tuple[float, float]:
    """Return the ends of an axis that shows all values with some room."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    size = max(abs(low), abs(high))
    room = ROOM * (high - low) if high - low > ROUNDING * size else ROOM * (size or 1.0)
    return low - room, high + room


def _over_factor(diagnostics: "Diagnostics", factor: SearchedFactor, values: FloatArray) -> Places:
    column = diagnostics.model.rows.settings[factor.name]
    if isinstance(factor, CategoricalFactor):
        return _categories(factor.name, [str(level) for level in column], factor.levels, values)
    x = column.to_numpy(dtype=np.float64)
    if isinstance(factor, MixtureComponent) or factor.scale == "linear":
        axis = Axis(factor.name, factor.unit, *ends_of(x))
        return Places(axis, x, _by_thirds(x, factor.name, values))
    low, high = (float(np.exp(end)) for end in ends_of(np.log(x)))
    axis = Axis(factor.name, factor.unit, low, high, "log")
    return Places(axis, x, _by_thirds(np.log(x), factor.name, values))


def _over_recorded(diagnostics: "Diagnostics", name: str, values: FloatArray) -> Places:
    space, column = diagnostics.model.space, diagnostics.model.rows.settings[name]
    for context in space.contexts:
        if context.name == name:
            levels = [str(level) for level in column.astype(object).where(column.notna(), "")]
            return _unrecorded(_categories(name, levels, context.levels, values), name)
    x = column.to_numpy(dtype=np.float64, na_value=np.nan)
    unit = next(covariate.unit for covariate in space.covariates if covariate.name == name)
    axis = Axis(name, unit, *ends_of(x))
    return _unrecorded(Places(axis, x, _by_thirds(x, name, values)), name)


def _unrecorded(places: Places, name: str) -> Places:
    n_missing = int(np.isnan(places.x).sum())
    if not n_missing:
        return places
    words = f" {n_missing} of {len(places.x)} runs have no {name} on record."
    return Places(places.axis, places.x, places.sentence + words)


def _categories(
    name: str, levels: Sequence[str], categories: tuple[str, ...], values: FloatArray
) -> Places:
    place = {level: float(number) for number, level in enumerate(categories)}
    x = np.array([place.get(level, np.nan) for level in levels])
    axis = Axis(name, "", -0.5, len(categories) - 0.5, "category", categories)
    groups = {f"{name} {level}": np.asarray(x == number) for level, number in place.items()}
    return Places(axis, x, _by_group(groups, values))


def _by_thirds(x: FloatArray, name: str, values: FloatArray) -> str:
    low, high = float(np.nanmin(x)), float(np.nanmax(x))
    bounds = (low + (high - low) / 3, low + 2 * (high - low) / 3)
    groups = {
        f"the lowest third of {name}": np.asarray(x < bounds[0]),
        f"the middle third of {name}": np.asarray((x >= bounds[0]) & (x <= bounds[1])),
        f"the highest third of {name}": np.asarray(x > bounds[1]),
    }
    return _by_group(groups, values)


def _by_group(groups: Mapping[str, BoolArray], values: FloatArray) -> str:
    """Return where the residuals' average is furthest from zero, and their spread most unequal."""
    known = np.isfinite(values)
    parts = {name: values[rows & known] for name, rows in groups.items()}
    parts = {name: part for name, part in parts.items() if len(part)}
    if not parts:
        return "No run has both."
    name = max(parts, key=lambda each: abs(float(parts[each].mean())))
    furthest = float(parts[name].mean())
    if abs(furthest) <= ROUNDING * float(np.nanmax(np.abs(values))):
        said = "The averages are zero, as the model makes them"
    else:
        said = f"The average is furthest from zero, {furthest:+.2g}, at {name}"
    stds = {each: float(part.std(ddof=1)) for each, part in parts.items() if len(part) > 1}
    if len(stds) < 2:
        return f"{said}."
    wide, narrow = max(stds, key=stds.__getitem__), min(stds, key=stds.__getitem__)
    return f"{said}; the SD is from {stds[narrow]:.2g} at {narrow} to {stds[wide]:.2g} at {wide}."
