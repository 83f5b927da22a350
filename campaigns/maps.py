"""The map of the design space of a campaign: which two factors, and where the others are held."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.errors import InvalidValueError, StateError
from doe.factors import ContinuousFactor, DiscreteFactor, Value
from doe.plots import Plot, Points, Surface
from surrogates.surrogate import SurrogateSet

if TYPE_CHECKING:
    from campaigns.campaign import Campaign

MAX_TABLE = 9


@dataclass(frozen=True, slots=True, eq=False)
class ReliabilityMap:
    """Where a new run is likely to meet every specification, over two factors.

    Attributes:
        x: Factor of the horizontal axis.
        y: Factor of the vertical axis.
        at: Where the other factors are held.
        held_as_in: The run whose settings those are; absent when they were given.
        plot: The map.
    """

    x: str
    y: str
    at: Mapping[str, Value]
    held_as_in: str | None
    plot: Plot

    @property
    def surface(self) -> Surface:
        """The probability over the grid."""
        return next(layer for layer in self.plot.layers if isinstance(layer, Surface))

    def coarse(self) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
        """Return some columns and rows of the grid: x, y, probability, whether it extrapolates.

        At most ``MAX_TABLE`` each way; rows from the highest down, as in the figure.
        """
        surface = self.surface
        columns = _some(len(surface.x))
        rows = _some(len(surface.y))[::-1]
        shaded = np.zeros_like(surface.z) if surface.shaded is None else surface.shaded
        part = np.ix_(rows, columns)
        outside: BoolArray = shaded[part] > 0.5
        return surface.x[columns], surface.y[rows], surface.z[part], outside

    def with_batch(self, names: Sequence[str], settings: Sequence[Mapping[str, Value]]) -> Plot:
        """Return the map with recommended runs, whose other settings may differ from its own."""
        x, y = (np.array([float(run[axis]) for run in settings]) for axis in (self.x, self.y))
        batch = Points("recommended runs", x, y, "recommended", tuple(names))
        return replace(self.plot, layers=(*self.plot.layers, batch))


def map_reliability(
    campaign: "Campaign",
    x: str | None = None,
    y: str | None = None,
    *,
    at: Mapping[str, Value] | None = None,
    target: float = 0.95,
    n: int = 45,
) -> ReliabilityMap:
    """Return the map over two factors, the two strongest drivers where none are named.

    Factors that are neither on an axis nor in ``at`` are held as in the run, of those done, at
    which a new run would be likeliest to meet the specifications.

    Args:
        campaign: The campaign.
        x: Factor of the horizontal axis.
        y: Factor of the vertical axis.
        at: Where to hold other factors.
        target: The reliability that is asked for.
        n: Places along each axis.

    Raises:
        StateError: If nothing is limited.
        TooFewDataError: If the results cannot support surrogates.
        UnknownNameError: If a name is no factor.
        InvalidValueError: If fewer than two factors can be on an axis.
    """
    from surrogates.maps import probability_map

    limits = campaign.state.specifications
    if not limits:
        raise StateError(
            f"Campaign '{campaign.name}' has no specification, so nothing can be met or missed: "
            "add one with change_specifications."
        )
    limited = _limited(campaign)
    across, up = _axes(campaign, x, y)
    run, settings = _likeliest_run(campaign, limited)
    given = dict(at or {})
    others = {name: value for name, value in settings.items() if name not in (across, up)}
    plot = probability_map(
        limited,
        limits,
        across,
        up,
        at={**others, **given},
        reliability_target=target,
        n=n,
        rng=campaign.rng("design_space"),
    )
    held_as_in = run if set(others) - set(given) else None
    return ReliabilityMap(across, up, {**others, **given}, held_as_in, plot)


def _limited(campaign: "Campaign") -> SurrogateSet:
    """Return the surrogates that the specifications need; the others would only add their doubt."""
    whole = campaign.surrogates()
    names = {specification.response for specification in campaign.state.specifications}
    if names & {derived.name for derived in whole.derived}:
        return whole
    kept = {name: surrogate for name, surrogate in whole.surrogates.items() if name in names}
    return replace(whole, surrogates=kept, derived=())


def _axes(campaign: "Campaign", x: str | None, y: str | None) -> tuple[str, str]:
    if x is not None and y is not None:
        return x, y
    numeric = [
        factor.name
        for factor in campaign.space.searched
        if isinstance(factor, ContinuousFactor | DiscreteFactor)
    ]
    if len(numeric) < 2:
        raise InvalidValueError("A map needs two numeric factors, and this campaign has fewer.")
    limits = {specification.response for specification in campaign.state.specifications}
    strength = dict.fromkeys(numeric, 0.0)
    ranking = campaign.drivers()
    for response in limits & set(ranking.drivers):
        for driver in ranking.of(response):
            if driver.factor in strength:
                strength[driver.factor] = max(strength[driver.factor], driver.total.mean)
    strongest = sorted(numeric, key=lambda name: -strength[name])
    free = [name for name in strongest if name not in (x, y)]
    return x or free.pop(0), y or free.pop(0)


def _likeliest_run(campaign: "Campaign", limited: SurrogateSet) -> tuple[str, Mapping[str, Value]]:
    from surrogates.probability import probability_in_specification

    settings = campaign.observations.settings()[list(campaign.space.names)]
    found = probability_in_specification(
        limited, campaign.state.specifications, settings, rng=campaign.rng("design_space")
    )
    place = int(found.joint.argmax())
    (record,) = settings.iloc[[place]].to_dict(orient="records")
    return str(settings.index[place]), {str(name): value for name, value in record.items()}


def _some(n: int) -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
    return np.unique(np.linspace(0, n - 1, min(n, MAX_TABLE)).round().astype(np.intp))
