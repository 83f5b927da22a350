"""What a linear model is, in words and as plain JSON."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from surrogates.linear.split_plot_warning import unrespected_plots

if TYPE_CHECKING:
    from surrogates.linear.model import LinearModel


def describe(model: "LinearModel") -> Mapping[str, object]:
    """Return what a model is, plain JSON: terms, coefficients, residual SD, warnings."""
    replicates = model.rows.replicate_spread()
    table = zip(model.columns, model.coefficients, model.standard_errors, strict=True)
    return {
        "kind": "least squares",
        "response": model.response,
        "unit": model.rows.response.unit,
        "transform": model.transform.kind,
        "terms": list(model.terms.names),
        "blocks": model.blocks,
        "block_columns": list(model.block_contrasts.columns),
        "aliased": [column.sentence() for column in model.aliased],
        "n_runs": model.n_runs,
        "degrees_of_freedom": model.degrees,
        "coefficients": [
            {"term": name, "coded": float(value), "standard_error": _number(error)}
            for name, value, error in table
        ],
        "noise_std": _number(model.residual_std),
        "replicate_std": replicates.std if replicates.degrees else None,
        "replicate_degrees_of_freedom": replicates.degrees,
        "weighted": bool(np.ptp(model.weights) > 0),
        "treatment": None if model.treatment is None else dict(model.treatment.document()),
        "prior": "proportional to 1/sigma^2",
        "data_sha256": model.rows.sha256(),
        "warnings": list(model.warnings),
    }


def model_warnings(model: "LinearModel") -> tuple[str, ...]:
    """Return what was left out, assumed or cannot be told apart, each a sentence."""
    found = [*model.rows.warnings, *(column.sentence() for column in model.aliased)]
    if model.blocks == "ignore":
        found += _left_out(model)
    elif model.block_contrasts.columns:
        found.append(
            "Blocks are constants of these runs here: a prediction for a new block is for the "
            "average of those studied, and how far a new one may differ is not in its uncertainty."
        )
    if model.blocks == "ignore" or not model.space.blocks:
        found += unrespected_plots(model.rows, model.space)
    if model.recommended:
        found.append(
            f"{len(model.recommended)} of {model.n_runs} runs were recommended by an optimizer, "
            "not drawn at random: p values, lack of fit and intervals of terms are descriptive."
        )
    note = model.transform.note()
    return (*found, note) if note else tuple(found)


def _left_out(model: "LinearModel") -> list[str]:
    """Return what it means for each block factor that it is not in the model."""
    found = []
    for name, levels in model.block_contrasts.levels.levels.items():
        if len(levels) == 1:
            found.append(
                f"All runs are in one level of block factor '{name}': how far runs of another may "
                "differ is not in the uncertainty."
            )
        else:
            found.append(f"Block factor '{name}' is not in the model: its effect counts as noise.")
    return found


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
