"""The tables and figures of a linear model, and why there are none of some of them."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from doe.errors import ExperimentError
from doe.factors import ContinuousFactor, DiscreteFactor

if TYPE_CHECKING:
    import pandas as pd

    from campaigns.response_models import AnyLinear
    from doe.plots import Plot
    from surrogates.linear.diagnosing.diagnostics import Diagnostics
    from surrogates.linear.model import LinearModel
    from surrogates.linear.reports.anova import AnovaKind

Shown = TypeVar("Shown")
MOST_NAMED = 6


def model_tables(
    model: "AnyLinear", *, run_order: tuple[str, ...], anova_kind: "AnovaKind"
) -> tuple[dict[str, "pd.DataFrame"], tuple[str, ...]]:
    """Return the tables of a model by name, and which the runs cannot support, and why."""
    from surrogates.linear.mixed_models.mixed import MixedModel
    from surrogates.linear.model import LinearModel

    makers: dict[str, Callable[[], pd.DataFrame]]
    match model:
        case LinearModel():
            makers = _least_squares(model, run_order, anova_kind)
        case MixedModel():
            makers = {
                "analysis of variance": lambda: model.anova().table(),
                "coefficients, coded": model.coefficient_table,
                "variance components": lambda: model.variance_components().table(),
                "block effects": model.block_effects,
            }
        case _:
            makers = {
                "coefficients, coded": model.coefficient_table,
                "values at a limit": model.comparison,
            }
    return made(makers, "table")


def model_plots(
    model: "AnyLinear", *, run_order: tuple[str, ...]
) -> tuple[dict[str, "Plot"], tuple[str, ...]]:
    """Return the figures of a model by name, and which the runs cannot support, and why."""
    from surrogates.linear.model import LinearModel
    from surrogates.response_plots import contour_plot, interaction_plot, perturbation_plot

    numeric = [
        factor.name
        for factor in model.space.searched
        if isinstance(factor, ContinuousFactor | DiscreteFactor)
    ]
    # A blend must add up to its total: the mean of the runs does, and lies among them.
    blend = {part.name: float(model.domain.runs[part.name].mean()) for part in model.space.mixture}
    makers: dict[str, Callable[[], Plot]] = {
        "perturbation": lambda: perturbation_plot(model, at=blend)
    }
    if len(numeric) >= 2:
        x, y = numeric[:2]
        makers["contours"] = lambda: contour_plot(model, x, y, at=blend)
        makers["interaction"] = lambda: interaction_plot(model, x, y, at=blend)
    if isinstance(model, LinearModel):
        makers |= {
            "effects, half-normal": lambda: model.effects().half_normal_plot(),
            "effects, Pareto": lambda: model.effects().pareto_plot(),
            "Box-Cox": lambda: model.box_cox().plot(),
            "coefficients": lambda: model.coefficient_table().plot(),
            **_residual_plots(model.diagnostics(run_order=run_order)),
        }
    return made(makers, "figure")


def made(
    makers: Mapping[str, Callable[[], Shown]], what: str
) -> tuple[dict[str, Shown], tuple[str, ...]]:
    """Return what can be made, by name, and a sentence for each reason why some cannot.

    Args:
        makers: What makes each, by name.
        what: What they are, in one word.
    """
    found: dict[str, Shown] = {}
    refused: dict[str, list[str]] = {}
    for name, maker in makers.items():
        try:
            found[name] = maker()
        except ExperimentError as error:
            refused.setdefault(str(error), []).append(f"'{name}'")
    return found, tuple(
        f"No {what}{'s' if len(names) > 1 else ''} {_listed(names)}: {reason}"
        for reason, names in refused.items()
    )


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:MOST_NAMED])} and {more} more"


def _least_squares(
    model: "LinearModel", run_order: tuple[str, ...], anova_kind: "AnovaKind"
) -> dict[str, Callable[[], "pd.DataFrame"]]:
    diagnostics = model.diagnostics(run_order=run_order)
    return {
        "fit": lambda: model.statistics().table(),
        "analysis of variance": lambda: model.anova(kind=anova_kind).table(),
        "coefficients, coded": lambda: model.coefficient_table().table(),
        "coefficients, natural units": lambda: model.coefficient_table(units="natural").table(),
        "effects": lambda: model.effects().table(),
        "fit summary": lambda: model.fit_summary().table(),
        "stationary point": lambda: model.canonical().table(),
        "canonical axes": lambda: model.canonical().axes(),
        "diagnostics": diagnostics.table,
        "findings": lambda: _findings(diagnostics),
        "influence on coefficients": diagnostics.dfbetas,
        "residual tests": diagnostics.tests,
    }


def _findings(diagnostics: "Diagnostics") -> "pd.DataFrame":
    """Return a row per finding, what matters most first; ``run`` is empty where it is about all."""
    import pandas as pd

    changes = diagnostics.dfbetas()
    found = diagnostics.findings
    moved = [
        str(changes.loc[finding.run].abs().fillna(0.0).idxmax())
        if finding.kind == "influence on a coefficient"
        else ""
        for finding in found
    ]
    return pd.DataFrame(
        {
            "finding": [finding.kind for finding in found],
            "run": [finding.run or "" for finding in found],
            "coefficient": moved,
            "value": [finding.value for finding in found],
            "threshold": [finding.threshold for finding in found],
            "sentence": [finding.sentence for finding in found],
            "action": [finding.action for finding in found],
        }
    )


def _residual_plots(diagnostics: "Diagnostics") -> dict[str, Callable[[], "Plot"]]:
    """Return what draws each figure of the residuals, one by one: some may exist without others."""
    from surrogates.linear.diagnosing.residual_places import known_places
    from surrogates.linear.diagnosing.residual_plots import (
        cook_plot,
        normal_plot,
        predicted_plot,
        residual_plot,
    )

    return {
        "residuals, normal": lambda: normal_plot(diagnostics),
        **{
            f"residuals against {place}": partial(residual_plot, diagnostics, place)
            for place in known_places(diagnostics)
        },
        "predicted against measured": lambda: predicted_plot(diagnostics),
        "Cook's distance": lambda: cook_plot(diagnostics),
    }
