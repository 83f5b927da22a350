"""The map of two factors that a page shows: which one, and the runs that are drawn on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from campaigns.state import PENDING, CampaignState, RunRecord
from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor, SearchedFactor, Value
from doe.plots import Layer, Points, Role

if TYPE_CHECKING:
    from campaigns.campaign import Campaign
    from campaigns.maps import ReliabilityMap
    from surrogates.drivers import DriverRanking

DEFAULT_TARGET = 0.95
TARGETS = (0.5, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class MapRequest:
    """Which map is wanted.

    Attributes:
        x: The factor along the horizontal axis.
        y: The factor along the vertical axis.
        at: The setting of every other factor, in natural units; as in the run that is likeliest to
            meet the specifications when absent.
        target: The reliability R that is asked for.
    """

    x: str
    y: str
    at: Mapping[str, Value] | None = field(default=None, hash=False)
    target: float = DEFAULT_TARGET


def draw_map(campaign: "Campaign", request: MapRequest) -> "ReliabilityMap":
    """Return the probability of meeting every specification over two factors, with all runs.

    Raises:
        StateError: If the campaign has no specification.
        TooFewDataError: If a response has too few values.
    """
    from campaigns.maps import map_reliability

    found = map_reliability(campaign, request.x, request.y, at=request.at, target=request.target)
    layers = (*found.plot.layers, *run_layers(campaign.state, request.x, request.y))
    return replace(found, plot=replace(found.plot, layers=layers))


def mappable(state: CampaignState) -> tuple[str, ...]:
    """Return the factors that can be an axis: numbers that can be set without setting others."""
    kinds = (ContinuousFactor, DiscreteFactor)
    return tuple(f.name for f in state.space.searched if isinstance(f, kinds))


def strongest_axes(state: CampaignState, ranking: "DriverRanking | None") -> tuple[str, ...]:
    """Return the two factors to begin with: the strongest drivers of what is limited first."""
    names = mappable(state)
    strength = dict.fromkeys(names, 0.0)
    if ranking is not None:
        limited = {specification.response for specification in state.specifications}
        for driver in (d for name in limited & set(ranking.drivers) for d in ranking.of(name)):
            if driver.factor in strength:
                strength[driver.factor] = max(strength[driver.factor], driver.total.mean)
    return tuple(sorted(names, key=lambda name: -strength[name]))[:2]


def middle(factor: SearchedFactor) -> Value:
    """Return the setting in the middle of a factor's range, or its first choice."""
    if isinstance(factor, CategoricalFactor):
        return factor.levels[0]
    return (factor.low + factor.high) / 2


def settings_of(run: RunRecord) -> dict[str, Value]:
    """Return what was achieved where it was read, else what was asked for."""
    return {**run.target, **run.actual}


def run_layers(state: CampaignState, x: str, y: str) -> tuple[Layer, ...]:
    """Return, as they project on two factors, the runs that surrogates did not learn from."""
    runs = list(state.runs.values())
    excluded = [run for run in runs if run.excluded is not None]
    pending = [run for run in runs if run.status in PENDING and run.excluded is None]
    return (
        *_points("excluded runs", excluded, x, y, "excluded"),
        *_points("recommended or planned runs", pending, x, y, "recommended"),
    )


def _points(
    label: str, runs: Sequence[RunRecord], x: str, y: str, role: Role
) -> tuple[Points, ...]:
    if not runs:
        return ()
    places = [
        np.array([settings_of(run)[name] for run in runs], dtype=np.float64) for name in (x, y)
    ]
    return (Points(label, places[0], places[1], role, names=tuple(run.name for run in runs)),)
