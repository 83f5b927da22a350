"""Tables and words of a model with values beyond a limit: coefficients, comparison, description."""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from doe.arrays import FloatArray
from surrogates.linear.model import LinearModel
from surrogates.linear.prediction import critical_t

if TYPE_CHECKING:
    import pandas as pd

    from surrogates.linear.censored import CensoredModel

# With a larger share of values beyond a limit the fit leans on the normal shape more than on data.
MANY_CENSORED = 0.5
RESIDUAL_SD = "residual SD"
# Moves of fewer standard errors than this are rounding.
NO_MOVE = 1e-6


def coefficient_table(model: "CensoredModel", coverage: float) -> "pd.DataFrame":
    """Return the coefficients in coded units with both standard errors, t, p and interval.

    Raises:
        InvalidValueError: If ``coverage`` is not between 0 and 1.
    """
    import pandas as pd

    errors = model.standard_errors
    reach = critical_t(coverage, model.degrees) * errors
    t_values = model.coefficients / errors
    return pd.DataFrame(
        {
            "coefficient": model.coefficient_names,
            "estimate": model.coefficients,
            "standard error": errors,
            "standard error (information)": model.information_errors,
            "df": model.degrees,
            "t": t_values,
            "p": 2 * stats.t.sf(np.abs(t_values), model.degrees),
            "low": model.coefficients - reach,
            "high": model.coefficients + reach,
        }
    )


def comparison(model: "CensoredModel") -> "pd.DataFrame":
    """Return the coefficients and SD by likelihood, without these values, and at the limits."""
    import pandas as pd

    names = [*model.coefficient_names, RESIDUAL_SD]
    return pd.DataFrame(
        {
            "coefficient": names,
            "likelihood": [*model.coefficients, model.residual_std],
            "left out": _numbers(model.left_out, names),
            "at limit": _numbers(model.at_limit, names),
        }
    )


def comparison_sentence(model: "CensoredModel") -> str:
    """Return how much hangs on the treatment of values beyond a limit, in words."""
    n_beyond = model.n_runs - model.n_known
    if n_beyond == 0:
        return "No value is beyond a limit: likelihood and least squares agree."
    text = (
        f"{n_beyond} of {model.n_runs} values count by the chance of being beyond their limit. "
        f"Taking the limits as values would move {_largest_move(model, model.at_limit)}"
    )
    if model.left_out is None:
        return text + "; without these runs the model could not be fitted."
    return text + f"; leaving these runs out {_largest_move(model, model.left_out)}."


def censored_warnings(model: "CensoredModel") -> tuple[str, ...]:
    """Return what was left out or assumed, each a sentence."""
    found = [*model.rows.warnings, *(a.sentence() for a in model.at_limit.aliased)]
    share = 1 - model.n_known / model.n_runs
    if share > MANY_CENSORED:
        found.append(
            f"{share:.0%} of the values are beyond a limit: the fit rests on the assumption of "
            "normal noise more than on data. Use a more sensitive method, or dilute."
        )
    if model.at_limit.blocks == "ignore":
        found += [
            f"Block factor '{block.name}' is not in the model: its effect counts as noise."
            for block in model.space.blocks
        ]
    elif model.space.blocks:
        found.append(
            "Blocks are constants of these runs here, random ones too: how far a new block may "
            "differ is not in the uncertainty of a prediction."
        )
    note = model.at_limit.transform.note()
    return (*found, note) if note else tuple(found)


def describe(model: "CensoredModel") -> Mapping[str, object]:
    """Return what a model is, plain JSON: terms, coefficients, comparison, treatment, warnings."""
    names = list(model.coefficient_names)
    columns = zip(
        names,
        model.coefficients,
        model.standard_errors,
        _numbers(model.left_out, names),
        _numbers(model.at_limit, names),
        strict=True,
    )
    return {
        "kind": "censored likelihood",
        "response": model.response,
        "unit": model.rows.response.unit,
        "transform": model.at_limit.transform.kind,
        "terms": list(model.terms.names),
        "blocks": model.at_limit.blocks,
        "n_runs": model.n_runs,
        "n_known": model.n_known,
        "degrees_of_freedom": model.degrees,
        "coefficients": [
            {
                "term": name,
                "coded": float(value),
                "standard_error": float(error),
                "left_out": out if np.isfinite(out) else None,
                "at_limit": at if np.isfinite(at) else None,
            }
            for name, value, error, out, at in columns
        ],
        "log_likelihood": model.fit.log_likelihood,
        "noise_std": model.residual_std,
        "noise_std_of_likelihood": model.fit.std,
        "comparison": model.sentence(),
        "treatment": dict(model.treatment.document()),
        "data_sha256": _sha256(model),
        "warnings": list(model.warnings),
    }


def _numbers(model: LinearModel | None, names: list[str]) -> list[float]:
    """Return the coefficients of these names, and the residual SD; ``nan`` where there is none."""
    if model is None:
        return [float("nan")] * len(names)
    columns = (*model.columns, *model.block_contrasts.columns)
    found = dict(zip(columns, map(float, model.solution.coefficients), strict=True))
    found[RESIDUAL_SD] = model.residual_std
    return [found.get(name, float("nan")) for name in names]


def _largest_move(model: "CensoredModel", other: LinearModel) -> str:
    names = list(model.coefficient_names)
    numbers: FloatArray = np.array(_numbers(other, names))
    moves = np.abs(numbers - model.coefficients) / model.standard_errors
    most = int(np.nanargmax(moves))
    if not moves[most] > NO_MOVE:
        return "no coefficient"
    return f"'{names[most]}' most, by {moves[most]:.2g} standard errors"


def _sha256(model: "CensoredModel") -> str:
    sides = sorted(zip(model.rows.runs, map(int, model.sides), strict=True))
    text = json.dumps([model.rows.sha256(), sides])
    return hashlib.sha256(text.encode()).hexdigest()
