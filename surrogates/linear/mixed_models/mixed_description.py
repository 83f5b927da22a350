"""What a mixed model is, in words and as plain JSON."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from surrogates.linear.mixed_models.variance_intervals import satterthwaite_degrees

if TYPE_CHECKING:
    from surrogates.linear.mixed_models.mixed import MixedModel

# A variance that rests on fewer degrees of freedom than this is worth a warning.
FEW_DEGREES = 3.0
PREDICTIVE = (
    "Student's t at each setting, degrees of freedom by Satterthwaite; those of a new run are at "
    "most those of the mean"
)


def describe(model: "MixedModel") -> Mapping[str, object]:
    """Return what a model is, plain JSON: terms, coefficients, components, warnings."""
    replicates = model.rows.replicate_spread()
    return {
        "kind": "mixed model",
        "method": model.fit.problem.method,
        "degrees_method": model.inference.method,
        "response": model.response,
        "unit": model.rows.response.unit,
        "transform": model.fixed.transform.kind,
        "terms": list(model.terms.names),
        "random": list(model.random),
        "block_columns": list(model.fixed.block_contrasts.columns),
        "aliased": [column.sentence() for column in model.fixed.aliased],
        "n_runs": model.n_runs,
        "coefficients": _coefficients(model),
        "variance_components": _components(model),
        "minus_twice_log_likelihood": model.fit.deviance,
        "noise_std": model.residual_std,
        "replicate_std": replicates.std if replicates.degrees else None,
        "replicate_degrees_of_freedom": replicates.degrees,
        "weighted": bool(np.ptp(model.fixed.weights) > 0),
        "predictive": PREDICTIVE,
        "treatment": None if model.treatment is None else dict(model.treatment.document()),
        "data_sha256": model.rows.sha256(),
        "warnings": list(model.warnings),
    }


def _coefficients(model: "MixedModel") -> list[dict[str, object]]:
    degrees = model.inference.degrees_of(np.eye(model.n_coefficients))
    table = zip(
        model.coefficient_names, model.coefficients, model.standard_errors, degrees, strict=True
    )
    return [
        {
            "term": name,
            "coded": float(value),
            "standard_error": float(error),
            "degrees_of_freedom": float(df),
        }
        for name, value, error, df in table
    ]


def _components(model: "MixedModel") -> list[dict[str, object]]:
    total = float(model.fit.variances.sum())
    degrees = satterthwaite_degrees(model.fit)
    components = zip((*model.random, "residual"), model.fit.variances, degrees, strict=True)
    return [
        {
            "component": name,
            "variance": float(variance),
            "share": float(variance) / total,
            "degrees_of_freedom": float(df) if np.isfinite(df) else None,
        }
        for name, variance, df in components
    ]


def mixed_warnings(model: "MixedModel") -> tuple[str, ...]:
    """Return what was left out, assumed or is poorly known, each a sentence."""
    # The fixed part's own remarks on blocks and noise are those of another model.
    found = [*model.rows.warnings, *(column.sentence() for column in model.fixed.aliased)]
    degrees = satterthwaite_degrees(model.fit)
    for place, name in enumerate(model.random):
        n_levels = len(model.levels.levels[name])
        if model.fit.at_zero[place]:
            found.append(
                f"The variance of '{name}' ({n_levels} levels) is estimated as zero, the least "
                "there can be: the levels differ no more than the noise within them lets expect. "
                "It is not known to be zero; see the upper end of its interval."
            )
        elif degrees[place] < FEW_DEGREES:
            found.append(
                f"The variance of '{name}' ({n_levels} levels) rests on about "
                f"{degrees[place]:.1f} degrees of freedom: terms that change only between its "
                "levels, and predictions for a new level, are poorly known."
            )
    if model.fixed.block_contrasts.columns:
        found.append(
            "Fixed blocks are constants of these runs: a prediction is for the average of those "
            "studied unless a level is named."
        )
    if model.fixed.recommended:
        found.append(
            f"{len(model.fixed.recommended)} of {model.n_runs} runs were recommended by an "
            "optimizer, not drawn at random: p values and intervals of terms are descriptive."
        )
    note = model.fixed.transform.note()
    return (*found, note) if note else tuple(found)
