"""The figures of a model's diagnostics: residuals against everything, and predictions."""

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from scipy import special

from doe.arrays import FloatArray
from doe.errors import InvalidValueError, TooFewDataError
from doe.plots import Axis, Layer, Line, Plot, Points
from surrogates.linear.diagnosing.residual_places import (
    ends_of,
    known_places,
    order_axis,
    places_of,
)
from surrogates.linear.reports.statistics import fit_statistics

if TYPE_CHECKING:
    from surrogates.linear.diagnosing.diagnostics import Diagnostics

ResidualKind = Literal["residual", "internal", "external"]
LABELS = {
    "residual": "residual",
    "internal": "internally studentised residual",
    "external": "externally studentised residual",
}
# Limits further out than this many times the largest residual would flatten the picture.
FAR_LIMIT = 3.0


def residual_panel(
    diagnostics: "Diagnostics", *, kind: ResidualKind = "external"
) -> tuple[Plot, ...]:
    """Return all plots: normal, predicted, order, each factor and block, actual, Cook's distance.

    Raises:
        InvalidValueError: If ``kind`` is not one of the three.
        TooFewDataError: If there are no such residuals.
    """
    return (
        normal_plot(diagnostics),
        *(residual_plot(diagnostics, place, kind=kind) for place in known_places(diagnostics)),
        predicted_plot(diagnostics),
        cook_plot(diagnostics),
    )


def normal_plot(diagnostics: "Diagnostics") -> Plot:
    """Return the normal plot of the internally studentised residuals: a line when normal.

    Raises:
        TooFewDataError: If there are no studentised residuals.

    Source:
        Plotting positions (i - 3/8)/(n + 1/4): Blom (1958), Statistical Estimates and Transformed
        Beta-Variables.
    """
    values = _residuals(diagnostics, "internal")
    known = np.flatnonzero(np.isfinite(values))
    ranked = known[np.argsort(values[known], kind="stable")]
    chances = (np.arange(1, len(ranked) + 1) - 0.375) / (len(ranked) + 0.25)
    scores = np.full(len(values), np.nan)
    scores[ranked] = special.ndtri(chances)
    reach = 1.1 * float(np.nanmax(np.abs(scores)))
    ends = np.array([-reach, reach])
    return Plot(
        f"Normal plot of residuals, {diagnostics.model.response}",
        f"Shapiro-Wilk: {diagnostics.normality.reading}",
        Axis("normal score", "", -reach, reach),
        _residual_axis(values, "internal", "", ()),
        (Line("normal", ends, ends, "reference"), *_runs(diagnostics, scores, values)),
    )


def residual_plot(
    diagnostics: "Diagnostics", against: str, *, kind: ResidualKind = "external"
) -> Plot:
    """Return the residuals against the predicted value, the run order, a factor or a block.

    Studentised residuals come with the limits beyond which a run is an outlier.

    Args:
        diagnostics: Of the model.
        against: ``predicted``, ``run order``, or the name of a factor, a block, or a covariate or
            context that was recorded and varies.
        kind: ``residual`` in its unit, or studentised ``internal`` or ``external``.

    Raises:
        UnknownNameError: If there is nothing of that name.
        InvalidValueError: If ``kind`` is not one of the three.
        TooFewDataError: If there are no such residuals.
    """
    values = _residuals(diagnostics, kind)
    places = places_of(diagnostics, against, values)
    axis = places.axis
    limits = _limits(diagnostics, values, kind)
    # Within half a place of the outer categories, so that tables can name the place.
    inset = 0.05 if axis.scale == "category" else 0.0
    ends = np.array([axis.low + inset, axis.high - inset])
    lines: list[Layer] = [Line("zero", ends, np.zeros(2), "reference")]
    lines += [Line("limit for outliers", ends, np.full(2, each), "limit") for each in limits]
    largest = int(np.nanargmax(np.abs(values)))
    unit = f" {diagnostics.unit}" if kind == "residual" and diagnostics.unit else ""
    return Plot(
        f"Residuals against {against}, {diagnostics.model.response}",
        f"{places.sentence} The largest is {values[largest]:+.3g}{unit}, run "
        f"{diagnostics.runs[largest]}.{_left_out(values)}",
        axis,
        _residual_axis(values, kind, diagnostics.unit, limits),
        (*lines, *_runs(diagnostics, places.x, values)),
    )


def predicted_plot(diagnostics: "Diagnostics") -> Plot:
    """Return predicted against measured values, fitted and each without its own run.

    Predictions on a transformed scale come back as medians.
    """
    measured = diagnostics.model.rows.measured
    fitted, without = diagnostics.predicted, diagnostics.predicted_without
    known = np.isfinite(without)
    everything = np.concatenate([measured, fitted, without[known]])
    low, high = ends_of(everything)
    ends = np.array([low, high])
    names = np.array(diagnostics.runs)
    layers: list[Layer] = [
        Line("measured = predicted", ends, ends, "reference"),
        Points("fitted", measured, fitted, "data", tuple(names)),
    ]
    if known.any():
        label = "predicted without the run"
        layers.append(Points(label, measured[known], without[known], "data", tuple(names[known])))
    unit = diagnostics.model.rows.response.unit
    response = diagnostics.model.response
    return Plot(
        f"Predicted against measured, {response}",
        _predicted_sentence(diagnostics) + _left_out(without),
        Axis(f"{response}, measured", unit, low, high),
        Axis(f"{response}, predicted", unit, low, high),
        tuple(layers),
    )


def cook_plot(diagnostics: "Diagnostics") -> Plot:
    """Return Cook's distance of each run, in the order of doing, with its limit.

    Raises:
        TooFewDataError: If there are no studentised residuals.
    """
    _residuals(diagnostics, "internal")
    values, limit = diagnostics.influence.cook, diagnostics.thresholds.cook
    order = diagnostics.run_number.astype(np.float64)
    axis = order_axis(diagnostics)
    largest = int(np.nanargmax(values))
    top = float(values[largest])
    layers: list[Layer] = []
    words = ""
    if limit is not None:
        layers.append(
            Line("limit, median of F", np.array([axis.low, axis.high]), np.full(2, limit), "limit")
        )
        n_beyond = int((np.nan_to_num(values) > limit).sum())
        words = f"; {n_beyond or 'no'} run{'s are' if n_beyond > 1 else ' is'} beyond {limit:.2g}"
        top = max(top, limit)
    return Plot(
        f"Cook's distance, {diagnostics.model.response}",
        f"Run {diagnostics.runs[largest]} moves the model most, with a Cook's distance of "
        f"{values[largest]:.2g}{words}.{_left_out(values)}",
        axis,
        Axis("Cook's distance", "", 0.0, 1.1 * top),
        (*layers, *_runs(diagnostics, order, values)),
    )


def _residuals(diagnostics: "Diagnostics", kind: ResidualKind) -> FloatArray:
    if kind not in get_args(ResidualKind):
        raise InvalidValueError(
            f"kind is {kind!r}; expected one of {', '.join(get_args(ResidualKind))}."
        )
    found = diagnostics.influence
    values = {
        "residual": diagnostics.model.residuals,
        "internal": found.internal,
        "external": found.external,
    }[kind]
    if not np.isfinite(values).any() or found.is_exact:
        reasons = " ".join(diagnostics.notes)
        raise TooFewDataError(
            f"There is no {LABELS[kind]} of '{diagnostics.model.response}' to draw. {reasons}"
        )
    return np.asarray(values)


def _limits(
    diagnostics: "Diagnostics", values: FloatArray, kind: ResidualKind
) -> tuple[float, ...]:
    limit = diagnostics.thresholds.outlier
    if kind != "external" or limit is None:
        return ()
    far = limit > FAR_LIMIT * max(float(np.nanmax(np.abs(values))), 1.0)
    return () if far else (-limit, limit)


def _residual_axis(
    values: FloatArray, kind: ResidualKind, unit: str, limits: tuple[float, ...]
) -> Axis:
    reach = max(float(np.nanmax(np.abs(values))), *map(abs, limits), 0.0)
    if reach == 0:
        reach = 1.0
    return Axis(LABELS[kind], unit if kind == "residual" else "", -1.12 * reach, 1.12 * reach)


def _runs(diagnostics: "Diagnostics", x: FloatArray, y: FloatArray) -> list[Layer]:
    """Return the runs, those that stand out as a layer of their own; unknown ones left out."""
    flagged = {finding.run for finding in diagnostics.findings if finding.kind == "outlier"}
    flagged |= {f.run for f in diagnostics.findings if f.kind == "influence on the model"}
    out = np.array([run in flagged for run in diagnostics.runs], dtype=np.bool_)
    known = np.isfinite(x) & np.isfinite(y)
    names = np.array(diagnostics.runs)
    layers: list[Layer] = []
    plain, marked = known & ~out, known & out
    if plain.any():
        layers.append(Points("run", x[plain], y[plain], "data", tuple(names[plain])))
    if marked.any():
        layers.append(
            Points("flagged run", x[marked], y[marked], "recommended", tuple(names[marked]))
        )
    return layers


def _predicted_sentence(diagnostics: "Diagnostics") -> str:
    statistics = fit_statistics(diagnostics.model)
    r2 = "not available" if statistics.r2 is None else f"{statistics.r2:.3f}"
    q2 = "not available" if statistics.q2 is None else f"{statistics.q2:.3f}"
    kind = diagnostics.model.transform.kind
    scale = "" if kind == "none" else f" (on the {kind} scale; predictions are medians)"
    return f"R2 of the fitted values is {r2}; Q2, each run predicted from the others, {q2}{scale}."


def _left_out(values: FloatArray) -> str:
    n_missing = int((~np.isfinite(values)).sum())
    if not n_missing:
        return ""
    runs = "1 run is" if n_missing == 1 else f"{n_missing} runs are"
    return f" {runs} not shown: no other run checks {'it' if n_missing == 1 else 'them'}."
