"""How well the models of a campaign predict runs that they have not seen, beside a peer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from campaigns.modelling import DEFAULT_MODEL
from campaigns.recommending.strategy import Progress, no_progress
from doe.plots import Axis, Layer, Line, Plot, Points
from doe.space import FactorSpace
from surrogates.fitting import gaussian_process_candidate, quadratic_candidate
from surrogates.validation import REPLICATES, Comparison, SurrogateFactory, Validation, compare

if TYPE_CHECKING:
    from campaigns.campaign import Campaign

# The peers that everybody knows; a surrogate that does not beat them is not worth its trouble.
PEERS = ("quadratic", "linear")


def validate_model(
    campaign: "Campaign",
    response: str,
    *,
    groups: str | None = None,
    progress: Progress = no_progress,
) -> Comparison:
    """Return the validation of a response's model, with response surfaces beside it.

    A peer that the runs of some fold cannot support is listed with the reason.

    Args:
        campaign: The campaign.
        response: A measured response.
        groups: What is held out together: ``run``, ``replicates`` or a block factor; the first
            random block factor when absent, or replicates where there is none.
        progress: Called with the share done and a sentence; may raise ``CancelledError``.

    Raises:
        InvalidValueError: If ``groups`` is none of these.
        UnknownNameError: If there is no such response.
        TooFewDataError: If there are too few runs or groups.
    """
    chosen = campaign.state.models.get(response, DEFAULT_MODEL)
    candidates = {name: _candidate(response, name) for name in (chosen, *PEERS)}
    return compare(
        campaign.observations,
        response,
        candidates,
        groups=groups or usual_groups(campaign.space),
        rng=campaign.rng("validation"),
        progress=progress,
    )


def usual_groups(space: FactorSpace) -> str:
    """Return what is held out together where nobody says otherwise.

    A run predicted from others of its own batch looks better than one of a batch to come.
    """
    return next((block.name for block in space.blocks if block.random), REPLICATES)


def validation_plot(validations: Mapping[str, Validation]) -> Plot:
    """Return predicted against measured values of held-out runs, with 95 % intervals."""
    tables = {name: found.table for name, found in validations.items()}
    first = next(iter(validations.values()))
    spans = [
        np.concatenate([t["observed"], t["mean"] - 1.96 * t["new_run_std"]])
        for t in tables.values()
    ]
    tops = [
        np.concatenate([t["observed"], t["mean"] + 1.96 * t["new_run_std"]])
        for t in tables.values()
    ]
    low, high = float(np.min(np.concatenate(spans))), float(np.max(np.concatenate(tops)))
    margin = 0.03 * (high - low) or 1.0
    ends = np.array([low - margin, high + margin])
    layers: list[Layer] = [Line("measured = predicted", ends, ends, "reference")]
    for name, table in tables.items():
        mean = table["mean"].to_numpy(dtype=np.float64)
        half = 1.96 * table["new_run_std"].to_numpy(dtype=np.float64)
        observed = table["observed"].to_numpy(dtype=np.float64)
        layers.append(Points(name, observed, mean, "data", (), mean - half, mean + half))
    return Plot(
        title=f"{first.response} of held-out runs, predicted and measured",
        sentence=" ".join(f"{name}: {found.verdict}" for name, found in validations.items()),
        x=Axis(f"measured {first.response}", first.unit, float(ends[0]), float(ends[1])),
        y=Axis(f"predicted {first.response}", first.unit, float(ends[0]), float(ends[1])),
        layers=tuple(layers),
    )


def _candidate(response: str, model: str) -> SurrogateFactory:
    match model:
        case "linear" | "interaction" | "quadratic" as terms:
            return quadratic_candidate(response, terms)
        case _:
            return gaussian_process_candidate(response)
