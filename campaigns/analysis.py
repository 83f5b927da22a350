"""The analysis of one response of a campaign: its linear model, tables, figures and sentences."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from campaigns.events import Censored, ModelChosen
from campaigns.modelling import DEFAULT_MODEL, numbered
from doe.errors import ExperimentError
from doe.factors import ContinuousFactor, DiscreteFactor
from doe.plots import Plot

if TYPE_CHECKING:
    import pandas as pd

    from campaigns.campaign import Campaign
    from doe.runs import Observations
    from surrogates.linear.censored import CensoredModel
    from surrogates.linear.mixed_models.mixed import MixedModel
    from surrogates.linear.model import LinearModel
    from surrogates.linear.reports.anova import AnovaKind
    from surrogates.linear.screening.selection import Criterion as SelectionCriterion
    from surrogates.linear.screening.selection import Method

    AnyLinear = LinearModel | MixedModel | CensoredModel


@dataclass(frozen=True, eq=False)
class Analysis:
    """What a linear model of one response says, ready to be shown or written.

    Attributes:
        response: What is modelled.
        model: The model.
        basis: Where its terms come from, in words.
        run_order: The runs in the order of doing.
        anova_kind: How sums of squares are divided among terms.
    """

    response: str
    model: "AnyLinear"
    basis: str
    run_order: tuple[str, ...]
    anova_kind: "AnovaKind" = "III"

    def tables(self) -> dict[str, "pd.DataFrame"]:
        """Return the tables by name; what the runs cannot support is left out and in ``notes``."""
        return _tables(self)[0]

    def plots(self) -> dict[str, Plot]:
        """Return the figures by name."""
        return _plots(self)[0]

    def sentences(self) -> tuple[str, ...]:
        """Return what to make of it, in words, warnings included."""
        warnings = tuple(map(str, _listed(self.model.describe().get("warnings"))))
        return (self.basis, *_readings(self.model), *warnings)

    def notes(self) -> tuple[str, ...]:
        """Return which tables and figures there are none of, and why."""
        return (*_tables(self)[1], *_plots(self)[1])


def analyse(
    campaign: "Campaign",
    response: str,
    *,
    terms: str | None = None,
    censored: Censored | None = None,
    select: "Method | None" = None,
    criterion: "SelectionCriterion" = "p",
    anova_kind: "AnovaKind" = "III",
) -> Analysis:
    """Return the analysis of a response by a linear model.

    The model is the scientist's: the one that was chosen for the response with ``choose_model``, if
    it is linear, unless ``terms`` names another one. Where nobody has chosen, the order that the
    sequential fit summary suggests is taken, and ``basis`` says so. Random blocks and whole plots
    are random in the model (REML), fixed blocks fixed.

    Args:
        campaign: The campaign.
        response: A measured response.
        terms: ``linear``, ``interaction``, ``quadratic``, ``cubic`` or a formula.
        censored: What becomes of values known only as a limit; as was chosen when absent.
        select: How terms are selected from these: ``backward``, ``forward``, ``stepwise``, ``all``.
        criterion: What decides the selection: ``p``, ``AICc`` or ``BIC``.
        anova_kind: Partial (III) or sequential (I) sums of squares.

    Raises:
        UnknownNameError: If there is no such response.
        TooFewDataError: If the runs cannot support the model.
        InvalidValueError: If a value cannot be used, or values at a limit need a decision.
    """
    observations = campaign.observations
    observations.response(response)
    chosen = campaign.state.models.get(response)
    treatment = censored or (chosen.censored if chosen is not None else "refuse")
    asked, basis = _terms(observations, response, chosen, terms, treatment)
    model = _fitted(observations, response, asked, treatment)
    if select is not None:
        model, basis = _selected(model, select, criterion)
    order = _order_of_doing(campaign, observations)
    return Analysis(response, model, basis, order, anova_kind)


def _terms(
    observations: "Observations",
    response: str,
    chosen: ModelChosen | None,
    terms: str | None,
    censored: Censored,
) -> tuple[str, str]:
    if terms is not None:
        return terms, f"Model: {terms}, as asked for; nothing is recorded by it."
    if chosen is not None and chosen.model != DEFAULT_MODEL:
        return chosen.model, f"Model: {chosen.model}, chosen for {response}."
    from surrogates.learning_rows import learning_rows
    from surrogates.linear.fitting import fit_rows

    treatment = "at_limit" if censored == "likelihood" else numbered(censored)
    rows = learning_rows(observations, response, censored=treatment)
    summary = fit_rows(rows, "linear").fit_summary()
    return summary.terms.formula, (
        f"Model: {summary.suggested}, suggested by the sequential fit summary. {summary.reason} "
        "Choose one with a reason to keep it: `bayeswell choose-model`."
    )


def _fitted(
    observations: "Observations", response: str, terms: str, censored: Censored
) -> "AnyLinear":
    from surrogates.linear.censored import fit_censored
    from surrogates.linear.model import fit_linear

    if censored == "likelihood":
        return fit_censored(observations, response, terms)
    treatment = numbered(censored)
    levels = observations.recorded
    random = [
        block.name
        for block in observations.space.blocks
        if block.random and 1 < levels[block.name].nunique() < len(levels)
    ]
    if random:
        return fit_linear(observations, response, terms, blocks="random", censored=treatment)
    return fit_linear(observations, response, terms, blocks="fixed", censored=treatment)


def _selected(
    model: "AnyLinear", method: "Method", criterion: "SelectionCriterion"
) -> tuple["AnyLinear", str]:
    from doe.errors import InvalidValueError
    from surrogates.linear.model import LinearModel
    from surrogates.linear.screening.selection import select_terms

    if not isinstance(model, LinearModel):
        raise InvalidValueError(
            "Terms are selected in models with independent errors; this one has random blocks or "
            "values at a limit: name the terms yourself."
        )
    found = select_terms(model, method=method, criterion=criterion)
    return found.model, " ".join([found.sentence(), *found.notes])


def _order_of_doing(campaign: "Campaign", observations: "Observations") -> tuple[str, ...]:
    from campaigns.exports.run_sheet import in_order_of_doing

    return in_order_of_doing(campaign.events(), observations.runs)


def _tables(analysis: Analysis) -> tuple[dict[str, "pd.DataFrame"], list[str]]:
    from surrogates.linear.mixed_models.mixed import MixedModel
    from surrogates.linear.model import LinearModel

    model = analysis.model
    match model:
        case LinearModel():
            diagnostics = model.diagnostics(run_order=analysis.run_order)
            makers = {
                "fit": lambda: model.statistics().table(),
                "analysis of variance": lambda: model.anova(kind=analysis.anova_kind).table(),
                "coefficients, coded": lambda: model.coefficient_table().table(),
                "coefficients, natural units": lambda: model.coefficient_table(
                    units="natural"
                ).table(),
                "fit summary": lambda: model.fit_summary().table(),
                "stationary point": lambda: model.canonical().table(),
                "canonical axes": lambda: model.canonical().axes(),
                "diagnostics": diagnostics.table,
                "residual tests": diagnostics.tests,
            }
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
    made: dict[str, pd.DataFrame] = {}
    refused = []
    for name, maker in makers.items():
        try:
            made[name] = maker()
        except ExperimentError as error:
            refused.append(f"No table '{name}': {error}")
    return made, refused


def _plots(analysis: Analysis) -> tuple[dict[str, Plot], list[str]]:
    from surrogates.linear.model import LinearModel
    from surrogates.response_plots import contour_plot, interaction_plot, perturbation_plot

    model = analysis.model
    numeric = [
        factor.name
        for factor in model.space.searched
        if isinstance(factor, ContinuousFactor | DiscreteFactor)
    ]
    makers: dict[str, Callable[[], Plot]] = {"perturbation": lambda: perturbation_plot(model)}
    if len(numeric) >= 2:
        x, y = numeric[:2]
        makers["contours"] = lambda: contour_plot(model, x, y)
        makers["interaction"] = lambda: interaction_plot(model, x, y)
    if isinstance(model, LinearModel):
        makers |= {
            "effects, half-normal": lambda: model.effects().half_normal_plot(),
            "effects, Pareto": lambda: model.effects().pareto_plot(),
            "Box-Cox": lambda: model.box_cox().plot(),
            "coefficients": lambda: model.coefficient_table().plot(),
        }
    made: dict[str, Plot] = {}
    refused = []
    for name, maker in makers.items():
        try:
            made[name] = maker()
        except ExperimentError as error:
            refused.append(f"No figure '{name}': {error}")
    if isinstance(model, LinearModel):
        for plot in model.diagnostics(run_order=analysis.run_order).plots():
            made[plot.title] = plot
    return made, refused


def _readings(model: "AnyLinear") -> tuple[str, ...]:
    from surrogates.linear.mixed_models.mixed import MixedModel
    from surrogates.linear.model import LinearModel

    match model:
        case LinearModel():
            return (model.anova().sentence(), model.diagnostics().sentence())
        case MixedModel():
            return (model.variance_components().sentence(),)
        case _:
            return (model.sentence(),)


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def as_records(tables: Mapping[str, "pd.DataFrame"]) -> dict[str, list[dict[str, object]]]:
    """Return tables as plain JSON, one record per row."""
    found: dict[str, list[dict[str, object]]] = {}
    for name, table in tables.items():
        flat = table.reset_index() if table.index.name is not None else table
        found[name] = [
            {str(key): value for key, value in row.items()}
            for row in flat.to_dict(orient="records")
        ]
    return found
