"""Which factors of a campaign's screening design are active: effects, two stages, probabilities."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from campaigns.analysis_tables import made
from campaigns.response_models import with_usable_blocks
from doe.errors import InvalidValueError

if TYPE_CHECKING:
    import pandas as pd

    from campaigns.campaign import Campaign
    from doe.plots import Plot
    from doe.runs import Observations
    from surrogates.linear.screening.bayesian_screening import BayesianScreening
    from surrogates.linear.screening.definitive_analysis import DefinitiveAnalysis, NoiseFrom
    from surrogates.linear.screening.effects import Effects

ScreeningKind = Literal["effects", "definitive", "bayesian"]
_BASIS = {
    "effects": "All effects that the runs of a two-level design can tell apart.",
    "definitive": "Two stages: main effects, then second-order effects of those that are active.",
    "bayesian": "The probability of every set of active factors, after Box and Meyer.",
}


@dataclass(frozen=True, eq=False)
class Screening:
    """What the runs of a screening design say of one response, ready to be shown or written.

    Attributes:
        response: What was measured.
        kind: How active factors are found.
        found: The answer.
        remarks: What was not done as declared, each a sentence.
    """

    response: str
    kind: ScreeningKind
    found: "Effects | DefinitiveAnalysis | BayesianScreening"
    remarks: tuple[str, ...] = ()

    @property
    def basis(self) -> str:
        """How active factors are found, in words."""
        return _BASIS[self.kind]

    def tables(self) -> dict[str, "pd.DataFrame"]:
        """Return the tables by name; what the runs cannot support is left out and in ``notes``."""
        return self._tables[0]

    def plots(self) -> dict[str, "Plot"]:
        """Return the figures by name, as the tables."""
        return self._plots[0]

    def sentences(self) -> tuple[str, ...]:
        """Return what to make of it, in words."""
        return (self.basis, *self.remarks, self.found.sentence(), *self.found.notes)

    def notes(self) -> tuple[str, ...]:
        """Return which tables and figures there are none of, and why."""
        return (*self._tables[1], *self._plots[1])

    def describe(self) -> Mapping[str, object]:
        """Return what was done, plain JSON."""
        return {"kind": f"screening, {self.kind}", "response": self.response, "basis": self.basis}

    @cached_property
    def _tables(self) -> tuple[dict[str, "pd.DataFrame"], tuple[str, ...]]:
        return made(_tables_of(self.found), "table")

    @cached_property
    def _plots(self) -> tuple[dict[str, "Plot"], tuple[str, ...]]:
        return made(_plots_of(self.found), "figure")


def screen(
    campaign: "Campaign", response: str, kind: ScreeningKind, *, noise: "NoiseFrom | None" = None
) -> Screening:
    """Return which factors are active, by one of three ways.

    Args:
        campaign: The campaign.
        response: A measured response.
        kind: ``effects`` of a two-level design, ``definitive`` for the two stages of a definitive
            screening design, ``bayesian`` for the probability that each factor is active.
        noise: For ``definitive``, what main effects are tested against: ``clean`` (when absent), or
            all that they leave, ``residual``.

    Raises:
        UnknownNameError: If there is no such response.
        DesignError: If the runs are not those of such a design.
        InvalidValueError: If a value or setting cannot be used, a value is known only as a limit,
            or ``noise`` is given for another way.
        TooFewDataError: If there are too few runs.
    """
    from surrogates.linear.screening.bayesian_screening import screen_factors
    from surrogates.linear.screening.definitive_analysis import analyse_definitive_screening
    from surrogates.linear.screening.two_level import two_level_effects

    if noise is not None and kind != "definitive":
        raise InvalidValueError(
            f"noise='{noise}' is for the two stages of a definitive screening design: leave it out."
        )
    campaign.observations.response(response)
    _check_measured(campaign.observations, response)
    observations, remarks = with_usable_blocks(campaign.observations, response, "refuse")
    found: Effects | DefinitiveAnalysis | BayesianScreening
    match kind:
        case "effects":
            found = two_level_effects(observations, response)
        case "definitive":
            found = analyse_definitive_screening(observations, response, noise=noise or "clean")
        case "bayesian":
            found = screen_factors(observations, response)
    return Screening(response, kind, found, remarks)


def _check_measured(observations: "Observations", response: str) -> None:
    values = [m for m in observations.measurements if m.response == response]
    beyond = [m for m in values if m.qualifier != "="]
    if beyond:
        raise InvalidValueError(
            f"{len(beyond)} of {len(values)} values of '{response}' are known only as a limit (run "
            f"'{beyond[0].run}'), and screening takes measured values: analyse by a model, which "
            "says what becomes of them."
        )


def _tables_of(
    found: "Effects | DefinitiveAnalysis | BayesianScreening",
) -> dict[str, Callable[[], "pd.DataFrame"]]:
    from surrogates.linear.screening.definitive_analysis import DefinitiveAnalysis
    from surrogates.linear.screening.effects import Effects

    match found:
        case Effects():
            return {"effects": found.table}
        case DefinitiveAnalysis():
            model = found.model
            return {
                "decisions": found.table,
                "analysis of variance": lambda: model.anova().table(),
                "coefficients, coded": lambda: model.coefficient_table().table(),
            }
        case _:
            return {"probabilities": found.table, "sets of factors": lambda: _sets(found)}


def _plots_of(
    found: "Effects | DefinitiveAnalysis | BayesianScreening",
) -> dict[str, Callable[[], "Plot"]]:
    from surrogates.linear.screening.definitive_analysis import DefinitiveAnalysis
    from surrogates.linear.screening.effects import Effects

    match found:
        case Effects():
            return {
                "effects, half-normal": found.half_normal_plot,
                "effects, normal": found.normal_plot,
                "effects, Pareto": found.pareto_plot,
            }
        case DefinitiveAnalysis():
            model = found.model
            return {
                "coefficients": lambda: model.coefficient_table().plot(),
                "effects, Pareto": lambda: model.effects().pareto_plot(),
            }
        case _:
            return {"active factors": found.plot}


def _sets(found: "BayesianScreening") -> "pd.DataFrame":
    """Return the most probable sets of active factors, with their probabilities."""
    import pandas as pd

    return pd.DataFrame(
        {
            "active factors": [", ".join(names) or "none" for names, _ in found.models],
            "probability": [probability for _, probability in found.models],
        }
    )
