"""An evaluation as tables, plain sentences and plain JSON."""

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from doe.evaluation.readings import power_sentences, readings
from doe.runs import JSON

if TYPE_CHECKING:
    import pandas as pd

    from doe.evaluation.evaluation import DesignEvaluation

FRACTION = 0.8
_QUANTILES = 20


def terms_table(evaluation: "DesignEvaluation") -> "pd.DataFrame":
    """Return a row per term; numbers that are not defined are empty.

    Columns ``term``, ``columns``, ``estimable``, ``aliased with``, ``standard error`` (in multiples
    of the run-to-run SD, the largest of the term's coefficients), ``VIF``, ``effect`` (in the unit
    of the response), ``error df``, ``power``.
    """
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "term": term.name,
                "columns": term.n_columns,
                "estimable": term.is_estimable,
                "aliased with": ", ".join(term.aliased_with),
                "standard error": _number(term.standard_error),
                "VIF": _number(term.vif),
                "effect": term.effect * evaluation.sd,
                "error df": term.df_error,
                "power": _number(term.power),
            }
            for term in evaluation.tested_terms
        ]
    )


def coefficients_table(evaluation: "DesignEvaluation") -> "pd.DataFrame":
    """Return a row per column of the model matrix; numbers that are not defined are empty.

    Columns ``column``, ``term``, ``estimable``, ``standard error`` (in multiples of the run-to-run
    SD), ``VIF``, ``power``.
    """
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "column": coefficient.column,
                "term": coefficient.term,
                "estimable": coefficient.is_estimable,
                "standard error": _number(coefficient.standard_error),
                "VIF": _number(coefficient.vif),
                "power": _number(coefficient.power),
            }
            for coefficient in evaluation.coefficients
        ]
    )


def summary(evaluation: "DesignEvaluation") -> "pd.DataFrame":
    """Return ``measure``, ``value`` and ``meaning`` of the numbers of the whole design."""
    import pandas as pd

    rows = [(measure, _number(value), meaning) for measure, value, meaning in _measures(evaluation)]
    return pd.DataFrame(rows, columns=["measure", "value", "meaning"])


def sentences(evaluation: "DesignEvaluation") -> tuple[str, ...]:
    """Return what to make of the numbers, the most important first."""
    return (*readings(evaluation), *power_sentences(evaluation))


def to_record(evaluation: "DesignEvaluation") -> dict[str, JSON]:
    """Return the evaluation as plain JSON; numbers that are not defined are null."""
    spent, merit = evaluation.degrees_of_freedom, evaluation.efficiencies
    return {
        "formula": evaluation.terms.formula,
        "n_runs": evaluation.n_runs,
        "n_columns": evaluation.n_columns,
        "n_centre_points": evaluation.n_centre_points,
        "sd": evaluation.sd,
        "alpha": evaluation.alpha,
        "degrees_of_freedom": {
            "model": spent.model,
            "blocks": spent.blocks,
            "residual": spent.residual,
            "pure_error": spent.pure_error,
            "lack_of_fit": spent.lack_of_fit,
        },
        "d_efficiency": merit.d,
        "a_efficiency": merit.a,
        "g_efficiency": merit.g,
        "average_prediction_variance": merit.average_variance,
        "largest_prediction_variance": merit.largest_variance,
        "condition_number": _finite(evaluation.condition_number),
        "largest_leverage": float(evaluation.leverage.max()),
        "blocks": [
            {"name": group.name, "random": group.is_random, "variance_ratio": group.variance_ratio}
            for group in evaluation.blocks
        ],
        "terms": _term_records(evaluation),
        "fraction_of_design_space": _fraction_record(evaluation),
        "sentences": list(sentences(evaluation)),
    }


def _term_records(evaluation: "DesignEvaluation") -> list[JSON]:
    return [
        {
            "term": term.name,
            "columns": term.n_columns,
            "estimable": term.is_estimable,
            "aliased_with": list(term.aliased_with),
            "standard_error": term.standard_error,
            "vif": term.vif,
            "effect": term.effect * evaluation.sd,
            "error_df": term.df_error,
            "power": term.power,
        }
        for term in evaluation.tested_terms
    ]


def _fraction_record(evaluation: "DesignEvaluation") -> dict[str, JSON] | None:
    """Return the curve at every twentieth of the region, not at each of thousands of settings."""
    if evaluation.region is None:
        return None
    fractions = [float(fraction) for fraction in np.linspace(0.0, 1.0, _QUANTILES + 1)]
    return {
        "fraction": fractions,
        "prediction_sd": [evaluation.prediction_sd(fraction) for fraction in fractions],
        "settings": evaluation.region.settings,
    }


def _measures(evaluation: "DesignEvaluation") -> list[tuple[str, float | None, str]]:
    spent, merit = evaluation.degrees_of_freedom, evaluation.efficiencies
    region = evaluation.region
    source = "unknown" if region is None else region.average_from
    ideal = _ideal(evaluation)
    sd_there = None if region is None else evaluation.prediction_sd(FRACTION)
    return [
        ("runs", evaluation.n_runs, "experiments to be done"),
        ("columns", evaluation.n_columns, "coefficients of the model"),
        ("df model", spent.model, "coefficients that can be told apart, without the mean"),
        ("df blocks", spent.blocks, "differences between blocks and whole plots"),
        ("df residual", spent.residual, "runs left to estimate the error"),
        ("df lack of fit", spent.lack_of_fit, "of these, to see whether the model is enough"),
        ("df pure error", spent.pure_error, "of these, from exact repeats in the same block"),
        ("centre points", evaluation.n_centre_points, "runs in the middle of all ranges"),
        ("D efficiency (%)", merit.d, f"coefficients taken together; {ideal}"),
        ("A efficiency (%)", merit.a, f"coefficients one by one; {ideal}"),
        ("G efficiency (%)", merit.g, "worst prediction in the allowed region"),
        (
            "average prediction variance",
            merit.average_variance,
            f"over the region, in run variances; {source}",
        ),
        (
            "largest prediction variance",
            merit.largest_variance,
            "found over the region, in run variances",
        ),
        (
            f"prediction SD at {100 * FRACTION:.0f} %",
            sd_there,
            "this share of the region is predicted at least as surely, in response units",
        ),
        ("condition number", evaluation.condition_number, "1 is orthogonal"),
        ("largest VIF", evaluation.largest_vif, "1 is orthogonal; above 5 look, above 10 act"),
        ("least power", evaluation.least_power, "chance to find the effect hardest to find"),
        ("largest leverage", float(evaluation.leverage.max()), "1 means a run fits itself"),
    ]


def _ideal(evaluation: "DesignEvaluation") -> str:
    # Shares that add up to one are never orthogonal.
    return "compare for one model only" if evaluation.space.mixture else "100 is orthogonal"


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
