"""How well the models of a campaign predict runs that they have not seen, beside a peer."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from campaigns.events import ModelChosen
from campaigns.modelling import DEFAULT_MODEL, candidate
from campaigns.recommending.strategy import Progress, no_progress
from doe.arrays import FloatArray
from doe.plots import Axis, Line, Plot, Points
from doe.space import FactorSpace
from surrogates.validation import REPLICATES, Comparison, Validation, compare

if TYPE_CHECKING:
    from campaigns.campaign import Campaign

# The peers that everybody knows; a surrogate that does not beat them is not worth its trouble.
_HELD_OUT = "held-out runs, 95 % interval of the prediction"
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
    chosen = campaign.state.models.get(response) or ModelChosen(response, DEFAULT_MODEL)
    choices = {name: replace(chosen, model=name) for name in (chosen.model, *PEERS)}
    candidates = {name: candidate(choice) for name, choice in choices.items()}
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


def validation_plot(found: Validation, peers: Mapping[str, Validation] | None = None) -> Plot:
    """Return predicted over measured values of held-out runs, with 95 % intervals.

    Args:
        found: What is drawn.
        peers: Whose Q2 the sentence names beside it.
    """
    observed = found.table["observed"].to_numpy(dtype=np.float64)
    mean = found.table["mean"].to_numpy(dtype=np.float64)
    half = 1.96 * found.table["new_run_std"].to_numpy(dtype=np.float64)
    everything = np.concatenate([observed, mean - half, mean + half])
    x, y = _with_margin(observed), _with_margin(everything)
    ends = np.array(x)
    others = "; ".join(
        f"{name} {peer.q2:.2f}" for name, peer in (peers or {}).items() if name != found.candidate
    )
    return Plot(
        title=f"Held-out runs, predicted and measured: {found.response}",
        sentence=found.verdict + (f" Q2 of others on the same folds: {others}." if others else ""),
        x=Axis(f"measured {found.response}", found.unit, *x),
        y=Axis(f"predicted {found.response}", found.unit, *y),
        layers=(
            Line("measured = predicted", ends, ends, "reference"),
            Line("mean of all runs", ends, np.full(2, observed.mean()), "limit"),
            Points(_HELD_OUT, observed, mean, "data", (), mean - half, mean + half),
        ),
    )


def _with_margin(values: FloatArray) -> tuple[float, float]:
    margin = 0.04 * float(np.ptp(values)) or 1.0
    return float(values.min()) - margin, float(values.max()) + margin
