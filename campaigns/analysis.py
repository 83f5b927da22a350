"""The analysis of one response of a campaign: its linear model, tables, figures and sentences."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from campaigns.analysis_tables import model_plots, model_tables
from campaigns.events import Censored
from campaigns.response_models import (
    censored_remarks,
    fitted_model,
    selected_model,
    starting_terms,
    with_usable_blocks,
)
from doe.errors import InvalidValueError

if TYPE_CHECKING:
    import pandas as pd

    from campaigns.campaign import Campaign
    from campaigns.response_models import AnyLinear
    from doe.plots import Plot
    from doe.runs import Observations
    from surrogates.linear.model import LinearModel
    from surrogates.linear.reports.anova import AnovaKind
    from surrogates.linear.screening.selection import Criterion as SelectionCriterion
    from surrogates.linear.screening.selection import Method


@dataclass(frozen=True, eq=False)
class Analysis:
    """What a linear model of one response says, ready to be shown or written.

    Attributes:
        response: What is modelled.
        model: The model.
        basis: Where its terms come from, in words.
        run_order: The runs in the order of doing.
        anova_kind: How sums of squares are divided among terms.
        remarks: What was not done as declared or asked, each a sentence.
    """

    response: str
    model: "AnyLinear"
    basis: str
    run_order: tuple[str, ...]
    anova_kind: "AnovaKind" = "III"
    remarks: tuple[str, ...] = ()

    def tables(self) -> dict[str, "pd.DataFrame"]:
        """Return the tables by name; what the runs cannot support is left out and in ``notes``."""
        return self._tables[0]

    def plots(self) -> dict[str, "Plot"]:
        """Return the figures by name; what the runs cannot support is left out, as with tables."""
        return self._plots[0]

    def sentences(self) -> tuple[str, ...]:
        """Return what to make of it, in words, warnings included."""
        warnings = tuple(map(str, _listed(self.model.describe().get("warnings"))))
        return (self.basis, *self.remarks, *_readings(self.model, self.run_order), *warnings)

    def notes(self) -> tuple[str, ...]:
        """Return which tables and figures there are none of, and why."""
        return (*self._tables[1], *self._plots[1])

    def describe(self) -> Mapping[str, object]:
        """Return the model, plain JSON."""
        return self.model.describe()

    @cached_property
    def _tables(self) -> tuple[dict[str, "pd.DataFrame"], tuple[str, ...]]:
        return model_tables(self.model, run_order=self.run_order, anova_kind=self.anova_kind)

    @cached_property
    def _plots(self) -> tuple[dict[str, "Plot"], tuple[str, ...]]:
        return model_plots(self.model, run_order=self.run_order)


def analyse(
    campaign: "Campaign",
    response: str,
    *,
    terms: str | None = None,
    censored: Censored | None = None,
    select: "Method | None" = None,
    criterion: "SelectionCriterion | None" = None,
    anova_kind: "AnovaKind" = "III",
) -> Analysis:
    """Return the analysis of a response by a linear model.

    The model is the scientist's: the one that was chosen for the response with ``choose_model``, if
    it is linear, unless ``terms`` names another one. Where nobody has chosen, the order that the
    sequential fit summary suggests is taken, with random blocks the highest one whose added terms
    are significant in the mixed model, and ``basis`` says so. Random blocks and whole plots are
    random in the model (REML), fixed blocks fixed.

    Args:
        campaign: The campaign.
        response: A measured response.
        terms: ``linear``, ``interaction``, ``quadratic``, ``cubic`` or a formula.
        censored: What becomes of values known only as a limit; as was chosen when absent.
        select: How terms are selected from these: ``backward``, ``forward``, ``stepwise``, ``all``.
        criterion: What decides the selection: ``p`` (when absent), ``AICc`` or ``BIC``.
        anova_kind: Partial (III) or sequential (I) sums of squares.

    Raises:
        UnknownNameError: If there is no such response.
        TooFewDataError: If the runs cannot support the model.
        InvalidValueError: If a value cannot be used, values at a limit need a decision, or a
            criterion or kind of sums of squares has nothing that it is for.
    """
    if criterion is not None and select is None:
        raise InvalidValueError(
            f"criterion='{criterion}' decides a selection of terms, and none was asked for: say "
            "select='backward', 'forward', 'stepwise' or 'all', or leave the criterion out."
        )
    campaign.observations.response(response)
    chosen = campaign.state.models.get(response)
    wanted = censored or (chosen.censored if chosen is not None else "refuse")
    treatment, remarks = censored_remarks(
        campaign.observations, response, wanted, is_asked=censored is not None
    )
    observations, about_blocks = with_usable_blocks(campaign.observations, response, treatment)
    asked, basis = starting_terms(
        observations, response, chosen=chosen, asked=terms, censored=treatment
    )
    model: AnyLinear
    if select is None:
        model = fitted_model(observations, response, asked, treatment)
    else:
        model, basis = selected_model(
            observations,
            response,
            asked,
            censored=treatment,
            method=select,
            criterion=criterion or "p",
        )
    _check_kind(model, anova_kind)
    order = _order_of_doing(campaign, observations)
    return Analysis(response, model, basis, order, anova_kind, (*remarks, *about_blocks))


def _check_kind(model: "AnyLinear", anova_kind: "AnovaKind") -> None:
    from surrogates.linear.model import LinearModel

    if anova_kind != "III" and not isinstance(model, LinearModel):
        raise InvalidValueError(
            f"Sequential sums of squares (anova_kind='{anova_kind}') exist in models with "
            f"independent errors only; that of '{model.response}' has random blocks or values at a "
            "limit, where each term is tested after all others: leave the kind out."
        )


def _order_of_doing(campaign: "Campaign", observations: "Observations") -> tuple[str, ...]:
    from campaigns.exports.run_sheet import in_order_of_doing

    return in_order_of_doing(campaign.events(), observations.runs)


def _readings(model: "AnyLinear", run_order: tuple[str, ...]) -> tuple[str, ...]:
    from surrogates.linear.mixed_models.mixed import MixedModel
    from surrogates.linear.model import LinearModel

    match model:
        case LinearModel():
            return _least_squares_readings(model, run_order)
        case MixedModel():
            return (model.variance_components().sentence(),)
        case _:
            return (model.sentence(),)


def _least_squares_readings(model: "LinearModel", run_order: tuple[str, ...]) -> tuple[str, ...]:
    diagnostics = model.diagnostics(run_order=run_order)
    said = [model.anova().sentence()]
    if model.degrees == 0 and len(model.term_places()) > 0 and not model.space.mixture:
        said.append(model.effects().sentence())
    said.append(diagnostics.sentence())
    if len(diagnostics.findings) > 1:
        said.append("All findings, with what to do, are in the table 'findings'.")
    return tuple(said)


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def plain(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return a table with its named index as a column and cells that are missing as None."""
    flat = table.reset_index() if table.index.name is not None else table
    return flat.astype(object).where(flat.notna(), None)


def as_records(tables: Mapping[str, "pd.DataFrame"]) -> dict[str, list[dict[str, object]]]:
    """Return tables as plain JSON, one record per row."""
    return {
        name: [
            {str(key): value for key, value in row.items()}
            for row in plain(table).to_dict(orient="records")
        ]
        for name, table in tables.items()
    }
