"""Bayesian analysis of screening designs: how probable it is that each factor is active."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize

from doe.arrays import FloatArray
from doe.errors import InvalidValueError, TooFewDataError, UnknownNameError
from doe.factors import CategoricalFactor
from doe.plots import Axis, Bars, Line, Plot
from doe.terms import linear_terms, model_columns, model_matrix
from surrogates.learning_rows import LearningRows, learning_rows
from surrogates.linear.block_contrasts import BlockContrasts
from surrogates.linear.fitting import transform_of
from surrogates.linear.screening.screening_models import ScreeningModels

if TYPE_CHECKING:
    import pandas as pd

    from doe.responses import Transform
    from doe.runs import Observations
    from surrogates.transforms import ResponseTransform

MAX_MODELS = 50_000
# Where the size of active effects, in noise SDs of one run, is looked for.
SPREADS = (0.1, 30.0)
N_GRID = 49
N_BEST = 10


@dataclass(frozen=True, eq=False)
class BayesianScreening:
    """Posterior probabilities of factors and of sets of active factors.

    Attributes:
        response: What was measured.
        probabilities: By factor, the probability that it is active: by itself, or in an interaction
            with other active factors.
        none: Probability that no factor is active.
        models: The most probable sets of active factors, with their probabilities.
        prior: Prior probability that a factor is active.
        spread: Prior SD of an effect (coefficient) of active factors, in noise SDs (gamma).
        spread_is_estimated: Whether it was chosen to make the results most probable.
        max_interaction: Largest number of factors in an interaction.
        max_active: Largest number of active factors that was looked at.
        n_models: How many sets of factors were compared; all of them, none by chance.
        sensitivity: Probabilities for other spreads, by spread.
        notes: What has to be known to read it, each a sentence.
    """

    response: str
    probabilities: Mapping[str, float]
    none: float
    models: tuple[tuple[tuple[str, ...], float], ...]
    prior: float
    spread: float
    spread_is_estimated: bool
    max_interaction: int
    max_active: int
    n_models: int
    sensitivity: Mapping[float, Mapping[str, float]]
    notes: tuple[str, ...]

    def __getitem__(self, factor: str) -> float:
        """Return the probability that a factor is active.

        Raises:
            UnknownNameError: If there is no such factor.
        """
        if factor not in self.probabilities:
            raise UnknownNameError(
                f"There is no factor '{factor}'; there are {list(self.probabilities)}."
            )
        return self.probabilities[factor]

    def table(self) -> "pd.DataFrame":
        """Return a row per factor, the most probable first, with the range over other spreads."""
        import pandas as pd

        order = self._ordered()
        ranges = {name: [row[name] for row in self.sensitivity.values()] for name in order}
        return pd.DataFrame(
            {
                "factor": order,
                "probability": [self.probabilities[name] for name in order],
                "lowest": [min(ranges[name]) for name in order],
                "highest": [max(ranges[name]) for name in order],
            }
        ).set_index("factor")

    def sentence(self) -> str:
        """Return which factors are probably active, and under what assumptions."""
        order = self._ordered()
        likely = [f"{name} ({self.probabilities[name]:.2f})" for name in order if self[name] >= 0.5]
        chosen = "the most probable one" if self.spread_is_estimated else "as given"
        best, weight = self.models[0]
        return (
            f"More probably active than not: {', '.join(likely) or 'none'}. The most probable set "
            f"is {', '.join(best) or 'no factor'} ({weight:.2f}). Prior probability of a factor "
            f"{self.prior:g}; effects of active factors vary with {self.spread:.3g} noise SDs "
            f"({chosen}); {self.n_models} sets of up to {self.max_active} factors, interactions of "
            f"up to {self.max_interaction}."
        )

    def plot(self) -> Plot:
        """Return the probabilities as bars, with their range over other spreads."""
        table = self.table().iloc[::-1]
        names = tuple(str(name) for name in table.index)
        places = np.arange(len(names), dtype=np.float64)
        low, value, high = (
            table[column].to_numpy(dtype=np.float64)
            for column in ("lowest", "probability", "highest")
        )
        ends = np.array([-0.5, len(names) - 0.5])
        return Plot(
            f"Factors active in {self.response}",
            self.sentence(),
            Axis("Probability that the factor is active", "", 0.0, 1.0),
            Axis("Factor", "", -0.5, len(names) - 0.5, "category", names),
            (
                Bars("Probability, and its range over other spreads", places, value, low, high),
                Line("Prior probability", np.full(2, self.prior), ends, "reference"),
            ),
        )

    def _ordered(self) -> list[str]:
        return sorted(self.probabilities, key=lambda name: (-self.probabilities[name], name))


def screen_factors(
    observations: "Observations",
    response: str,
    *,
    prior: float = 0.25,
    spread: float | None = None,
    max_interaction: int = 2,
    max_active: int | None = None,
    transform: "Transform | ResponseTransform | None" = None,
) -> BayesianScreening:
    """Return the probability that each factor is active, over every set of active factors.

    A set of active factors stands for a model with their main effects and all their interactions of
    up to ``max_interaction`` factors, so that aliased interactions compete with each other and the
    simpler explanation wins where both explain the results. Constant and blocks have flat priors,
    coefficients normal ones around zero with SD ``spread`` times the noise SD, and the noise SD the
    prior 1/sigma. Nothing is drawn: all sets are counted.

    Args:
        observations: Runs of a screening design; fractions and Plackett-Burman designs too.
        response: A measured response.
        prior: Probability that a factor is active before anything is known.
        spread: SD of a coefficient of active factors in coded units, in noise SDs (gamma); when
            absent the one that makes the results most probable.
        max_interaction: Largest number of factors in an interaction; 1 for main effects only.
        max_active: Largest number of active factors; when absent as many as give 50,000 sets.
        transform: The scale on which the response is modelled; the response's own when absent.

    Raises:
        InvalidValueError: If an argument is not allowed, or there would be too many sets.
        TooFewDataError: If fewer than two runs are left beside constant and blocks.

    Source:
        Box and Meyer (1993), J. Quality Technology 25, 94-105, equations 1 to 5; prior probability
        0.25 and gamma by maximisation as there.
    """
    rows = learning_rows(observations, response)
    names = rows.space.names
    _check(prior, spread, max_interaction, max_active, len(names))
    active = _most_active(len(names), max_active)
    models = _models(rows, transform, max_interaction, active)
    chances = models.log_prior(prior)
    used = spread if spread is not None else _best_spread(models, chances)
    weights = models.posterior(chances, used)
    grid = sorted({used, *(used * factor for factor in (0.5, 2**-0.5, 2**0.5, 2.0))})
    order = np.argsort(-weights, kind="stable")[:N_BEST]
    return BayesianScreening(
        response=response,
        probabilities=_marginals(models, weights, names),
        none=float(weights[0]),
        models=tuple(
            (tuple(names[i] for i in models.sets[place]), float(weights[place])) for place in order
        ),
        prior=prior,
        spread=float(used),
        spread_is_estimated=spread is None,
        max_interaction=max_interaction,
        max_active=active,
        n_models=len(models.sets),
        sensitivity={
            float(other): _marginals(models, models.posterior(chances, other), names)
            for other in grid
        },
        notes=_notes(rows, active, used, is_estimated=spread is None),
    )


def active_probabilities(
    effects: FloatArray, *, prior: float = 0.20, inflation: float = 10.0
) -> FloatArray:
    """Return the probability that each of many effects is active, shape ``(n_effects,)``.

    Inactive effects are normal around zero, active ones with an SD ``inflation`` times as large;
    the SD itself has the prior 1/sigma. For effects of a regular two-level design, with no word
    about factors.

    Args:
        effects: Independent effects with the same variance, such as ``Effects.contrasts``.
        prior: Probability that an effect is active.
        inflation: SD of an active effect, with its noise, in SDs of an inactive one (k).

    Raises:
        InvalidValueError: If an argument is not allowed.
        TooFewDataError: If there are fewer than three effects, or all are zero.

    Source:
        Box and Meyer (1986), Technometrics 28, 11-18; alpha 0.20 and k 10 as there.
    """
    values = np.asarray(effects, dtype=np.float64)
    if not 0 < prior < 1 or not (np.isfinite(inflation) and inflation > 1):
        raise InvalidValueError(
            f"prior is {prior} and inflation {inflation}; expected a probability between 0 and 1, "
            "and a number above 1."
        )
    if len(values) < 3 or not values.any():
        raise TooFewDataError(
            f"{len(values)} effects, the largest {np.abs(values).max(initial=0.0):g}: at least "
            "three are needed, and not all zero, to tell active ones from noise."
        )
    # The integral over log sigma is smooth and falls off on both sides: equal steps are exact.
    top = np.log(np.abs(values).max())
    ends = top - np.log(40 * inflation), top + 40 / len(values) + 1
    sigma = np.exp(np.linspace(*ends, 4001))[:, None]
    quiet = np.log1p(-prior) - np.log(sigma) - 0.5 * np.square(values / sigma)
    loud_sigma = inflation * sigma
    loud = np.log(prior) - np.log(loud_sigma) - 0.5 * np.square(values / loud_sigma)
    both = np.logaddexp(quiet, loud)
    total = both.sum(axis=1)
    weights = np.exp(total - total.max())
    return np.asarray(weights @ np.exp(loud - both) / weights.sum())


def _check(
    prior: float, spread: float | None, max_interaction: int, max_active: int | None, k: int
) -> None:
    if not 0 < prior < 1:
        raise InvalidValueError(
            f"prior is {prior}; expected a probability between 0 and 1, such as 0.25."
        )
    if spread is not None and not (np.isfinite(spread) and spread > 0):
        raise InvalidValueError(f"spread is {spread}; expected a number above 0, such as 2.")
    if max_interaction < 1:
        raise InvalidValueError(
            f"max_interaction is {max_interaction}; expected 1 (main effects only) or more."
        )
    if max_active is not None and not 1 <= max_active <= k:
        raise InvalidValueError(
            f"max_active is {max_active}; expected 1 to {k}, the number of factors."
        )


def _most_active(n_factors: int, wanted: int | None) -> int:
    """Return up to how many active factors all sets can be counted."""
    sizes = np.cumsum([comb(n_factors, size) for size in range(n_factors + 1)])
    possible = int(np.flatnonzero(sizes <= MAX_MODELS).max(initial=0))
    if wanted is not None and wanted > possible:
        raise InvalidValueError(
            f"{n_factors} factors have {sizes[wanted]} sets of up to max_active={wanted}, more "
            f"than the {MAX_MODELS} that are counted: choose up to {possible}."
        )
    return possible if wanted is None else wanted


def _models(
    rows: LearningRows,
    transform: "Transform | ResponseTransform | None",
    max_interaction: int,
    max_active: int,
) -> ScreeningModels:
    space = rows.space
    values = transform_of(transform, rows).forward(rows.measured)
    blocks = BlockContrasts.learned(space, rows.settings).matrix(rows.settings)
    terms = linear_terms(space)
    matrix = model_matrix(terms, rows.settings, space).to_numpy(dtype=np.float64)
    groups: dict[str, list[FloatArray]] = {name: [] for name in space.names}
    for place, column in enumerate(model_columns(terms, space)):
        if not column.term.is_intercept:
            groups[column.term.factors[0]].append(matrix[:, place])
    always = np.hstack([np.ones((rows.n_rows, 1)), blocks])
    sets = [
        chosen
        for size in range(max_active + 1)
        for chosen in combinations(range(len(space.names)), size)
    ]
    return ScreeningModels.of(
        [np.column_stack(own) for own in groups.values()], values, always, sets, max_interaction
    )


def _best_spread(models: ScreeningModels, chances: FloatArray) -> float:
    """Return the spread that makes the results most probable."""

    def badness(log_spread: float) -> float:
        return -models.log_evidence(chances, float(np.exp(log_spread)))

    grid = np.linspace(float(np.log(SPREADS[0])), float(np.log(SPREADS[1])), N_GRID)
    place = int(np.argmin([badness(value) for value in grid]))
    low, high = grid[max(place - 1, 0)], grid[min(place + 1, N_GRID - 1)]
    found = optimize.minimize_scalar(badness, bounds=(low, high), method="bounded")
    return float(np.exp(found.x))


def _marginals(
    models: ScreeningModels, weights: FloatArray, names: Sequence[str]
) -> dict[str, float]:
    totals = weights @ models.membership
    return {name: float(total) for name, total in zip(names, totals, strict=True)}


def _notes(
    rows: LearningRows, max_active: int, spread: float, *, is_estimated: bool
) -> tuple[str, ...]:
    notes = list(rows.warnings)
    n_factors = len(rows.space.names)
    if max_active < n_factors:
        notes.append(
            f"Sets of more than {max_active} of the {n_factors} factors were not looked at; the "
            "probabilities hold given that no more are active."
        )
    if is_estimated and not SPREADS[0] * 1.02 < spread < SPREADS[1] / 1.02:
        notes.append(
            f"The most probable spread lies at the end of {SPREADS[0]:g} to {SPREADS[1]:g}: the "
            "results say little about how large active effects are."
        )
    coded = rows.space.to_coded(rows.settings)
    curved = [
        f.name
        for f in rows.space.searched
        if not isinstance(f, CategoricalFactor) and len(set(coded[f.name].round(3))) > 2
    ]
    if curved:
        notes.append(
            f"{', '.join(curved)} has more than two settings; curvature is not in the models and "
            "counts as noise."
        )
    return tuple(notes)
