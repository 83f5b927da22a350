"""Several responses traded for each other: desirability, and every setting that is best nearby."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doe.errors import InvalidValueError
from doe.factors import CategoricalFactor, Value
from doe.plots import Axis, Plot, Points
from doe.responses import Desirability, Goal, Specification
from doe.space import FactorSpace
from surrogates.desirability.expected_responses import ExpectedResponses, Responses
from surrogates.desirability.optimum import Optimum, described
from surrogates.desirability.search import Search
from surrogates.desirability.values import desirability_of, overall_desirability

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DesirabilityOptima",
    "Optimum",
    "desirability_of",
    "optimise_desirability",
    "overall_desirability",
]

N_STARTS = 24


@dataclass(frozen=True, eq=False)
class DesirabilityOptima:
    """Every distinct optimum that was found, best first.

    Attributes:
        objective: What was wanted.
        space: Where it was searched.
        units: Unit by response.
        optima: The optima; none when no setting has a desirability above zero.
        best_values: For each response the expected value nearest to what is wanted, of all looked
            at, whatever the others were.
        n_starts: How many starts the search had.
        coverage: Of the intervals.
    """

    objective: Desirability
    space: FactorSpace
    units: Mapping[str, str]
    optima: tuple[Optimum, ...]
    best_values: Mapping[str, float]
    n_starts: int
    coverage: float

    def table(self) -> "pd.DataFrame":
        """Return a row per optimum: settings, coded ones, D, each d, responses, intervals, P."""
        import pandas as pd

        rows = [_row(optimum) for optimum in self.optima]
        index = pd.RangeIndex(1, len(rows) + 1, name="optimum")
        return pd.DataFrame(rows, index=index)

    def sentence(self) -> str:
        """Return in words the best optimum, how many others there are, and what to mind."""
        if not self.optima:
            goals = ", ".join(self._missed(goal) for goal in self.objective.goals)
            return (
                f"No setting has a desirability above zero ({self.n_starts} starts). Nearest to "
                f"what is wanted, each response alone: {goals}. Widen low or high of a goal, or "
                "the factor space."
            )
        best = self.optima[0]
        where = ", ".join(_setting_text(self.space, name, v) for name, v in best.settings.items())
        values = ", ".join(
            f"{name} {value:.5g}{self._unit(name)} (d {best.parts[name]:.3f})"
            for name, value in best.predicted.items()
        )
        found = [f"The best setting is {where}: D {best.desirability:.4f} with {values}."]
        if best.probability is not None:
            found.append(f"One new run meets every specification with P {best.probability:.3f}.")
        if best.extrapolates:
            found.append("The surrogates extrapolate there: test it before it is believed.")
        if best.is_flat:
            found.append("A whole region reaches this D; the setting is one in its middle.")
        if len(self.optima) > 1:
            n = len(self.optima) - 1
            others = "1 other setting is" if n == 1 else f"{n} other settings are"
            found.append(
                f"{others} best nearby, the next with D {self.optima[1].desirability:.4f}."
            )
        if best.expected_desirability is not None:
            found.append(
                "D is that of expected values; over new runs it is "
                f"{best.expected_desirability:.4f} on average."
            )
        return " ".join(found)

    def plot(self) -> Plot:
        """Return the overall and each response's desirability of every optimum.

        Raises:
            InvalidValueError: If there is no optimum.
        """
        if not self.optima:
            raise InvalidValueError(f"There is nothing to show. {self.sentence()}")
        places = np.arange(len(self.optima), dtype=np.float64)
        layers = [
            Points(
                name,
                places,
                np.array([optimum.parts[name] for optimum in self.optima]),
                "data",
            )
            for name in self.best_values
        ]
        overall = np.array([optimum.desirability for optimum in self.optima])
        return Plot(
            "Desirability of every optimum found",
            self.sentence(),
            Axis(
                "Optimum",
                "",
                -0.5,
                len(places) - 0.5,
                "category",
                tuple(str(place + 1) for place in range(len(places))),
            ),
            Axis("Desirability", "", -0.02, 1.02),
            (*layers, Points("Overall D", places, overall, "estimate")),
        )

    def _unit(self, response: str) -> str:
        unit = self.units[response]
        return f" {unit}" if unit else ""

    def _missed(self, goal: Goal) -> str:
        value = f"{self.best_values[goal.response]:.5g}{self._unit(goal.response)}"
        return f"{goal.response} {value} ({goal.aim}, {goal.low:g} to {goal.high:g})"


def optimise_desirability(
    responses: Responses,
    objective: Desirability,
    space: FactorSpace,
    *,
    specifications: Sequence[Specification] = (),
    n_starts: int = N_STARTS,
    coverage: float = 0.95,
    rng: np.random.Generator,
) -> DesirabilityOptima:
    """Return every distinct setting at which the overall desirability is best nearby.

    D is that of the expected responses. From starts spread over the allowed settings a local
    search climbs in all factors that move freely; then settings are put on the steps of the
    equipment and improved step by step. Optima without a descent on the line between them count as
    one. Levels of categorical factors are searched apart, up to 24 combinations of them.

    Args:
        responses: A surrogate set, or by response a surrogate or a function from settings (a data
            frame in natural units) to values, shape ``(n_settings,)``.
        objective: The goals.
        space: Where to search.
        specifications: Limits, for the probability that a new run meets them; surrogates only.
        n_starts: How many local searches; per combination of levels at least one.
        coverage: Of the intervals of a new run.
        rng: Source of the starts and of draws; the same seed gives the same list.

    Raises:
        InvalidValueError: If an argument is out of range, a function gives no finite number, or
            specifications are given where functions give responses.
        UnknownNameError: If a goal or specification names a response that nothing gives.

    Source:
        Derringer and Suich (1980), J. Quality Technology 12, 214-219; several starts because D has
        several optima: Myers, Montgomery and Anderson-Cook (2016), Response Surface Methodology,
        4th ed., section 7.3.
    """
    if isinstance(n_starts, bool) or not isinstance(n_starts, int) or n_starts < 1:
        raise InvalidValueError(f"n_starts must be a whole number of at least 1, got {n_starts!r}.")
    if not 0 < coverage < 1:
        raise InvalidValueError(f"coverage must be between 0 and 1, got {coverage}.")
    names = tuple(goal.response for goal in objective.goals)
    expected = ExpectedResponses.of(responses, names)
    if specifications and not expected.is_predicted:
        raise InvalidValueError(
            f"{', '.join(sorted(expected.functions))} are plain functions without uncertainty, so "
            "P(in specification) is not known: give surrogates, or no specifications."
        )
    found = Search(space, objective, expected).optima(n_starts, rng=rng)
    optima = described(
        found,
        objective,
        space=space,
        expected=expected,
        specifications=specifications,
        coverage=coverage,
        rng=rng,
    )
    return DesirabilityOptima(
        objective=objective,
        space=space,
        units={name: expected.unit(name) for name in names},
        optima=optima,
        best_values=dict(zip(names, map(float, found.best_means), strict=True)),
        n_starts=found.n_starts,
        coverage=coverage,
    )


def _row(optimum: Optimum) -> dict[str, object]:
    row: dict[str, object] = dict(optimum.settings)
    row |= {f"{name} (coded)": value for name, value in optimum.coded.items()}
    row["D"] = optimum.desirability
    for name, value in optimum.predicted.items():
        row[f"d({name})"] = optimum.parts[name]
        row[f"{name} (predicted)"] = value
        if name in optimum.intervals:
            row[f"{name} (lower)"], row[f"{name} (upper)"] = optimum.intervals[name]
    for name in ("expected_desirability", "probability", "extrapolates"):
        if getattr(optimum, name) is not None:
            row[name] = getattr(optimum, name)
    return row | {"starts": optimum.n_reached, "flat": optimum.is_flat}


def _setting_text(space: FactorSpace, name: str, value: Value) -> str:
    factor = space.factor(name)
    if isinstance(factor, CategoricalFactor) or isinstance(value, str):
        return f"{name} {value}"
    return f"{name} {value:.5g} {factor.unit}".rstrip()  # type: ignore[union-attr]  # searched factors with numbers have units
