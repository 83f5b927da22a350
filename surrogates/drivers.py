"""Which factors drive a response: Sobol indices and effects, with how sure each is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.errors import InvalidValueError, TooFewDataError, UnknownNameError
from doe.plots import Axis, Bars, Plot
from surrogates.factor_ranges import FactorRanges
from surrogates.sobol import SobolDraws, sobol_design, sobol_indices
from surrogates.surrogate import SurrogateSet

if TYPE_CHECKING:
    import pandas as pd

COVERAGE = 0.95
N_EFFECT_POINTS = 64
# Points of a joint draw: a draw's cost grows with their cube.
MAX_JOINT_POINTS = 2000
MAX_INFEASIBLE_SHARE = 0.5
LABEL = "effect over studied range"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % credible interval from posterior draws."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, draws: FloatArray) -> "Estimate":
        """Return mean and equal-tailed interval of draws, shape ``(n_draws,)``."""
        low, high = np.quantile(draws, [0.5 - COVERAGE / 2, 0.5 + COVERAGE / 2])
        return cls(float(draws.mean()), float(low), float(high))


@dataclass(frozen=True, slots=True)
class Driver:
    """What one factor does to one response over its studied range.

    Attributes:
        factor: The factor.
        response: The response.
        total: Share of the surface's variance that vanishes when the factor is held, with all its
            interactions.
        first_order: Share that the factor explains alone.
        effect: Change of the response, in its unit, from the low to the high end of the studied
            range, averaged over the others; for a categorical factor the largest difference
            between two levels.
        rank_probability: Probability of each rank, first rank first.
        studied: The range or levels, in words.
    """

    factor: str
    response: str
    total: Estimate
    first_order: Estimate
    effect: Estimate
    rank_probability: tuple[float, ...]
    studied: str

    @property
    def sentence(self) -> str:
        """What the numbers say."""
        return (
            f"{self.factor} over {self.studied} accounts for {self.total.mean:.0%} of the "
            f"variation of {self.response} ({self.total.low:.0%} to {self.total.high:.0%}); it is "
            f"the strongest driver with probability {self.rank_probability[0]:.2f}."
        )


@dataclass(frozen=True, eq=False)
class DriverRanking:
    """The drivers of each response, strongest first.

    Attributes:
        drivers: By response, ordered by mean total index.
        units: Unit of each response.
        label: What the effects are.
        notes: What the numbers assume, each a sentence.
        n_points: Base points of the design of the indices.
        n_draws: Posterior draws behind the intervals.
    """

    drivers: Mapping[str, tuple[Driver, ...]]
    units: Mapping[str, str]
    label: str
    notes: tuple[str, ...]
    n_points: int
    n_draws: int

    def of(self, response: str) -> tuple[Driver, ...]:
        """Return the drivers of a response, strongest first.

        Raises:
            UnknownNameError: If there is no such response.
        """
        if response not in self.drivers:
            raise UnknownNameError(
                f"No drivers of '{response}' were ranked; there are {list(self.drivers)}."
            )
        return self.drivers[response]

    def table(self) -> "pd.DataFrame":
        """Return a row per response and factor, strongest first."""
        import pandas as pd

        rows = [
            {
                "response": driver.response,
                "rank": rank,
                "factor": driver.factor,
                "total": driver.total.mean,
                "total low": driver.total.low,
                "total high": driver.total.high,
                "first order": driver.first_order.mean,
                LABEL: driver.effect.mean,
                "effect low": driver.effect.low,
                "effect high": driver.effect.high,
                "P(rank 1)": driver.rank_probability[0],
                "studied": driver.studied,
            }
            for drivers in self.drivers.values()
            for rank, driver in enumerate(drivers, start=1)
        ]
        return pd.DataFrame(rows)

    def plot(self, response: str) -> Plot:
        """Return the total indices as bars with intervals, strongest on top.

        Raises:
            UnknownNameError: If there is no such response.
        """
        drivers = self.of(response)
        places = np.arange(len(drivers), dtype=np.float64)[::-1]
        numbers = {
            end: np.array([getattr(driver.total, end) for driver in drivers])
            for end in ("mean", "low", "high")
        }
        return Plot(
            title=f"Drivers of {response}",
            sentence=" ".join([drivers[0].sentence, *self.notes]),
            x=Axis("Share of variation, with interactions", "", 0.0, max(1.0, *numbers["high"])),
            y=Axis(
                "Factor",
                "",
                -0.5,
                len(drivers) - 0.5,
                scale="category",
                categories=tuple(driver.factor for driver in reversed(drivers)),
            ),
            layers=(
                Bars(
                    "Total Sobol index, 95 % interval",
                    places,
                    numbers["mean"],
                    numbers["low"],
                    numbers["high"],
                ),
            ),
        )


def rank_drivers(
    surrogate_set: SurrogateSet,
    *,
    n_draws: int = 200,
    n_points: int | None = None,
    rng: np.random.Generator,
) -> DriverRanking:
    """Return how much each factor drives each response over its studied range.

    Sobol indices are computed on every one of ``n_draws`` joint draws of the surfaces, over one
    quasi-random design, so that their intervals hold what the runs leave open. Factors vary
    independently and uniformly over the studied range (on the logarithm where the scale is log).

    Args:
        surrogate_set: Surrogates of one factor space.
        n_draws: Posterior draws.
        n_points: Base points of the design, a power of two; chosen from the number of factors
            when absent.
        rng: Source of draws and of the scrambling of the design.

    Raises:
        InvalidValueError: If the space has mixture components, whose shares cannot vary
            independently, or most of the studied ranges breaks the constraints.
        TooFewDataError: If fewer than two factors were varied, or a surface is flat.
    """
    ranges = FactorRanges.studied(surrogate_set)
    notes = _notes(surrogate_set, ranges, rng=rng)
    n_factors = len(ranges.names)
    if n_points is None:
        n_points = 2 ** int(np.log2(MAX_JOINT_POINTS / (n_factors + 2)))
    design = sobol_design(n_factors, n_points, rng=rng)
    settings = ranges.settings(design.reshape(-1, n_factors))
    values = surrogate_set.sample(settings, n_draws, kind="latent", rng=rng)
    effects = _effects(surrogate_set, ranges, n_draws, rng=rng)
    drivers, units = {}, {}
    for place, response in enumerate(surrogate_set.responses):
        draws = values[:, :, place].reshape(n_draws, n_factors + 2, n_points)
        indices = sobol_indices(draws)
        _check_not_flat(response, indices)
        drivers[response] = _ranked(response, ranges, indices, effects[:, :, place])
        units[response] = surrogate_set.unit(response)
    return DriverRanking(drivers, units, LABEL, tuple(notes), n_points, n_draws)


def _notes(
    surrogate_set: SurrogateSet, ranges: FactorRanges, *, rng: np.random.Generator
) -> list[str]:
    space = surrogate_set.space
    if space.mixture:
        raise InvalidValueError(
            f"Sobol indices need factors that vary independently; the mixture components "
            f"{[c.name for c in space.mixture]} add up to a constant. Rank the process factors of "
            "a space without the mixture, or read the blending curves."
        )
    if len(ranges.names) < 1:
        raise TooFewDataError("No factor was varied in the runs: there is nothing to rank.")
    notes = ["All numbers are effects over the studied ranges, not over wider or narrower ones."]
    if ranges.unvaried:
        notes.append(f"Not varied, so not ranked: {', '.join(ranges.unvaried)}.")
    if space.constraints:
        settings = ranges.random(2000, rng=rng)
        allowed = np.all([constraint.holds(settings) for constraint in space.constraints], axis=0)
        share = 1 - float(allowed.mean())
        if share > MAX_INFEASIBLE_SHARE:
            raise InvalidValueError(
                f"{share:.0%} of the box of studied ranges breaks the constraints: factors vary "
                "together there, and indices over the box would describe settings that cannot be "
                "run. Rank within narrower ranges."
            )
        notes.append(
            f"Computed over the whole box of studied ranges, {share:.0%} of which breaks the "
            "constraints."
        )
    return notes


def _effects(
    surrogate_set: SurrogateSet, ranges: FactorRanges, n_draws: int, *, rng: np.random.Generator
) -> FloatArray:
    """Return the effect of each factor in each draw, ``(n_draws, n_factors, n_responses)``."""
    import pandas as pd

    n_parts = sum(len(ranges.ends(name)) for name in ranges.names)
    n_points = min(N_EFFECT_POINTS, 2 ** int(np.log2(MAX_JOINT_POINTS / n_parts)))
    places = sobol_design(len(ranges.names), n_points, rng=rng)[0]
    others = ranges.settings(places)
    tables = [others.assign(**{name: end}) for name in ranges.names for end in ranges.ends(name)]
    settings = pd.concat(tables, ignore_index=True)
    draws = surrogate_set.sample(settings, n_draws, kind="latent", rng=rng)
    means = draws.reshape(n_draws, n_parts, n_points, -1).mean(axis=2)
    effects, first = [], 0
    for name in ranges.names:
        part = means[:, first : first + len(ranges.ends(name))]
        first += len(ranges.ends(name))
        is_level = isinstance(ranges.ends(name)[0], str)
        effects.append(np.ptp(part, axis=1) if is_level else part[:, -1] - part[:, 0])
    return np.stack(effects, axis=1)


def _ranked(
    response: str, ranges: FactorRanges, indices: SobolDraws, effects: FloatArray
) -> tuple[Driver, ...]:
    n_factors = len(ranges.names)
    # Rank of each factor in each draw, 0 for the strongest.
    ranks = np.argsort(np.argsort(-indices.total, axis=1, kind="stable"), axis=1)
    drivers = [
        Driver(
            factor=name,
            response=response,
            total=Estimate.of(indices.total[:, place]),
            first_order=Estimate.of(indices.first_order[:, place]),
            effect=Estimate.of(effects[:, place]),
            rank_probability=tuple(
                float((ranks[:, place] == rank).mean()) for rank in range(n_factors)
            ),
            studied=ranges.text(name),
        )
        for place, name in enumerate(ranges.names)
    ]
    return tuple(sorted(drivers, key=lambda driver: -driver.total.mean))


def _check_not_flat(response: str, indices: SobolDraws) -> None:
    if not (np.isfinite(indices.total).all() and (indices.variance > 0).all()):
        raise TooFewDataError(
            f"The surface of '{response}' is flat or undefined over the studied range: there is no "
            "variation to share among factors."
        )
