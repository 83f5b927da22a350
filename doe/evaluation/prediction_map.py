"""How surely a design predicts over two factors, the others at given settings."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.errors import DesignError, InvalidValueError, UnknownNameError
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
    SearchedFactor,
    Settings,
    Value,
)
from doe.plots import Axis, Plot, Points, Surface
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

    from doe.evaluation.evaluation import DesignEvaluation

_CELLS = 61
_SCALE_STEPS = 10


def prediction_plot(
    evaluation: "DesignEvaluation", x: str, y: str, *, at: Settings | None = None
) -> Plot:
    """Return the map of the SD of the predicted mean over two factors.

    Settings that are not allowed are hatched. Where a mixture component is drawn, the components
    that are not share what is left in the ratio of their settings in ``at``.

    Args:
        evaluation: Of a design whose model can be estimated.
        x: Numeric factor on the horizontal axis.
        y: Numeric factor on the vertical axis.
        at: Settings of the other factors in natural units; those not named are in the middle of
            their range, categorical ones at their first level.

    Raises:
        DesignError: If the model cannot be estimated, or the axes leave a mixture nothing to vary.
        UnknownNameError: If a factor is not there.
        InvalidValueError: If an axis is categorical, or both are the same.
    """
    space = evaluation.space
    axes = _checked_axes(evaluation, x, y)
    held = _held(space, {x, y}, at or {})
    across, up = (_spaced(axis) for axis in axes)
    grid = _grid(space, {x: across, y: up}, held)
    words = _words(held, _filling(space, {x, y}))
    allowed = space.contains(grid).reshape(_CELLS, _CELLS)
    if not allowed.any():
        raise DesignError(
            f"No setting of '{x}' and '{y}' is allowed with {words}: give other settings in at=."
        )
    deviations = evaluation.sd * np.sqrt(evaluation.prediction_variance(grid))
    values = deviations.reshape(_CELLS, _CELLS)
    low, high = float(values[allowed].min()), float(values[allowed].max())
    row, place = np.unravel_index(
        int(np.round(np.where(allowed, values, -1.0), 9).argmax()), values.shape
    )
    surface = Surface(
        "SD of the predicted mean",
        "",
        across,
        up,
        np.clip(values, low, high),
        *_round_ends(low, high),
        shaded=None if allowed.all() else (~allowed).astype(np.float64),
        shading="not allowed",
    )
    return Plot(
        f"How surely the mean is predicted over {x} and {y}",
        f"The SD of the predicted mean runs from {low:.3g} to {high:.3g} (run-to-run SD "
        f"{evaluation.sd:.3g}) and is largest at {x} {across[place]:.4g}, {y} {up[row]:.4g}"
        f"{f', with {words}' if words else ''}.",
        *axes,
        (surface, _runs_within(evaluation.runs, axes)),
    )


def _round_ends(low: float, high: float) -> tuple[float, float]:
    """Return the ends of a scale of ten round steps that covers both values."""
    least = max(high - low, 1e-3 * high) / _SCALE_STEPS
    power = 10.0 ** np.floor(np.log10(least))
    # Ten steps from a round number below may end short of the highest value; wider steps do not.
    for step in (step * power for step in (1.0, 2.0, 2.5, 5.0, 10.0, 20.0)):
        start = step * np.floor(low / step + 1e-9)
        if step >= least and start + _SCALE_STEPS * step >= high * (1 - 1e-12):
            return float(f"{start:.12g}"), float(f"{start + _SCALE_STEPS * step:.12g}")
    raise AssertionError(f"no round scale from {low} to {high}")


def _checked_axes(evaluation: "DesignEvaluation", x: str, y: str) -> tuple[Axis, Axis]:
    if evaluation.not_estimable:
        raise DesignError(
            f"The runs cannot estimate {', '.join(evaluation.not_estimable)}, so that predictions "
            "have no variance: drop these terms or add runs."
        )
    if x == y:
        raise InvalidValueError(f"Both axes are '{x}': name two factors.")
    return _axis(evaluation.space, x), _axis(evaluation.space, y)


def _runs_within(runs: "pd.DataFrame", axes: tuple[Axis, Axis]) -> Points:
    x, y = axes
    inside = runs[runs[x.label].between(x.low, x.high) & runs[y.label].between(y.low, y.high)]
    return Points(
        "runs",
        inside[x.label].to_numpy(dtype=np.float64),
        inside[y.label].to_numpy(dtype=np.float64),
        "data",
    )


def _axis(space: FactorSpace, name: str) -> Axis:
    if name not in space.names:
        raise UnknownNameError(
            f"No varied factor is called '{name}'; those are {list(space.names)}: correct it."
        )
    factor = space.factor(name)
    if not isinstance(factor, ContinuousFactor | DiscreteFactor | MixtureComponent):
        raise InvalidValueError(
            f"'{name}' has levels without order and cannot be an axis: give its level in at=."
        )
    is_log = not isinstance(factor, MixtureComponent) and factor.scale == "log"
    return Axis(name, factor.unit, factor.low, factor.high, "log" if is_log else "linear")


def _spaced(axis: Axis) -> FloatArray:
    if axis.scale == "log":
        places = np.geomspace(axis.low, axis.high, _CELLS)
        places[[0, -1]] = axis.low, axis.high
        return places
    return np.linspace(axis.low, axis.high, _CELLS)


def _held(space: FactorSpace, drawn: set[str], at: Settings) -> dict[str, Value]:
    """Return the setting of each factor that is not drawn."""
    unknown = [name for name in at if name not in space.names]
    if unknown:
        raise UnknownNameError(
            f"at= names {unknown}; the varied factors are {list(space.names)}: correct it."
        )
    rest = [factor for factor in space.searched if factor.name not in drawn]
    shares = _centroid(space)
    return {
        factor.name: at.get(factor.name, shares.get(factor.name, _middle(factor)))
        for factor in rest
    }


def _middle(factor: SearchedFactor) -> Value:
    if isinstance(factor, CategoricalFactor):
        return factor.levels[0]
    if isinstance(factor, DiscreteFactor):
        return factor.levels[(len(factor.levels) - 1) // 2]
    if isinstance(factor, ContinuousFactor) and factor.scale == "log":
        return float(np.sqrt(factor.low * factor.high))
    return (factor.low + factor.high) / 2.0


def _centroid(space: FactorSpace) -> dict[str, float]:
    """Return shares in the middle: the lowest, and the rest in the ratio of the ranges."""
    lows = sum(part.low for part in space.mixture)
    ranges = sum(part.high - part.low for part in space.mixture)
    return {
        part.name: part.low + (space.mixture_total - lows) * (part.high - part.low) / ranges
        for part in space.mixture
    }


def _grid(
    space: FactorSpace, drawn: Mapping[str, FloatArray], held: Mapping[str, Value]
) -> "pd.DataFrame":
    """Return the settings of the map, ``y`` outer and ``x`` inner, mixtures filled up."""
    import pandas as pd

    x, y = drawn
    right, high = np.meshgrid(drawn[x], drawn[y])
    columns: dict[str, object] = {x: right.ravel(), y: high.ravel()}
    columns |= {name: [value] * right.size for name, value in held.items()}
    grid = pd.DataFrame(columns)[list(space.names)]
    parts = [part.name for part in space.mixture if part.name in drawn]
    if not parts:
        return grid
    free = list(_filling(space, set(drawn)))
    if not free:
        raise DesignError(
            f"'{x}' and '{y}' are all components of the mixture, so that one follows from the "
            "other: draw one of them against a process factor."
        )
    left = space.mixture_total - grid[parts].sum(axis=1)
    shares = grid[free].sum(axis=1)
    for name in free:
        ratio = grid[name] / shares if float(shares.iloc[0]) > 0 else 1.0 / len(free)
        # Below zero there is nothing to predict; such places are hatched.
        grid[name] = np.maximum(left, 0.0) * ratio
    return grid


def _filling(space: FactorSpace, drawn: set[str]) -> tuple[str, ...]:
    """Return the components that take up what those drawn leave of the mixture."""
    parts = [part.name for part in space.mixture]
    is_drawn = any(name in drawn for name in parts)
    return tuple(name for name in parts if is_drawn and name not in drawn)


def _words(held: Mapping[str, Value], filling: Sequence[str]) -> str:
    words = [
        f"{name} {value if isinstance(value, str) else f'{value:.4g}'}"
        for name, value in held.items()
        if name not in filling
    ]
    if filling:
        words.append(f"{' and '.join(filling)} the rest of the mixture")
    return ", ".join(words)
