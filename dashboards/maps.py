"""The map of two factors that a page shows: which one, and the runs that are drawn on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from campaigns.state import PENDING, CampaignState, RunRecord
from doe.errors import StateError
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    SearchedFactor,
    Settings,
    Value,
)
from doe.plots import Layer, Plot, Points, Role

if TYPE_CHECKING:
    from surrogates.surrogate import SurrogateSet

DEFAULT_TARGET = 0.9
TARGETS = (0.5, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class MapRequest:
    """Which map is wanted.

    Attributes:
        x: The factor along the horizontal axis.
        y: The factor along the vertical axis.
        at: The setting of every other factor, in natural units.
        reliability_target: The probability R whose line is drawn.
    """

    x: str
    y: str
    at: Mapping[str, Value] = field(hash=False)
    reliability_target: float = DEFAULT_TARGET


def mappable(state: CampaignState) -> tuple[str, ...]:
    """Return the factors that can be an axis: numbers that can be set without setting others."""
    kinds = (ContinuousFactor, DiscreteFactor)
    return tuple(f.name for f in state.space.searched if isinstance(f, kinds))


def middle(factor: SearchedFactor) -> Value:
    """Return the setting in the middle of a factor's range, or its first choice."""
    if isinstance(factor, CategoricalFactor):
        return factor.levels[0]
    return (factor.low + factor.high) / 2


def settings_of(run: RunRecord) -> dict[str, Value]:
    """Return what was achieved where it was read, else what was asked for."""
    return {**run.target, **run.actual}


def base_settings(state: CampaignState) -> dict[str, Value]:
    """Return the settings that a map begins with: the run recommended first, else the middle."""
    if state.batches:
        return dict(state.runs[state.batches[-1].event.runs[0]].target)
    return {factor.name: middle(factor) for factor in state.space.searched}


def request_for(
    state: CampaignState,
    x: str,
    y: str,
    settings: Settings,
    reliability_target: float = DEFAULT_TARGET,
) -> MapRequest:
    """Return the request for two factors, the others held as in the settings."""
    at = {name: settings[name] for name in state.space.names if name not in (x, y)}
    return MapRequest(x, y, at, reliability_target)


def map_plot(
    state: CampaignState,
    surrogates: "SurrogateSet",
    request: MapRequest,
    *,
    rng: np.random.Generator,
) -> Plot:
    """Return the probability of meeting every specification over two factors, with the runs.

    Raises:
        StateError: If the campaign has no specifications.
    """
    from surrogates.maps import probability_map

    if not state.specifications:
        raise StateError(
            "A design-space map needs limits to meet, and this campaign has no specification: "
            "add one with `campaign.change_specifications`."
        )
    plot = probability_map(
        surrogates,
        state.specifications,
        request.x,
        request.y,
        at=request.at,
        reliability_target=request.reliability_target,
        rng=rng,
    )
    return replace(plot, layers=(*plot.layers, *run_layers(state, request.x, request.y)))


def run_layers(state: CampaignState, x: str, y: str) -> tuple[Layer, ...]:
    """Return, as they project on two factors, the runs that surrogates did not learn from."""
    runs = list(state.runs.values())
    excluded = [run for run in runs if run.excluded is not None]
    pending = [run for run in runs if run.status in PENDING and run.excluded is None]
    return (
        *_points("excluded runs", excluded, x, y, "excluded"),
        *_points("runs recommended or planned", pending, x, y, "recommended"),
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
