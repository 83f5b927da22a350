"""Why a run is recommended: what its acquisition would be with one cause taken away.

The causes of a recommendation are taken away one at a time, at the chosen setting, given the runs
that stand and the earlier ones of the batch; the acquisition itself is then evaluated again on the
same random numbers:

- *uncertainty* (tag ``explore``): as if the expected values, here and at the runs to be beaten,
  were known to be as predicted. What remains is what the prediction alone promises.
- *predicted gain* (tag ``exploit``): the expected values of the responses that the objective reads
  are set to those of the best standing run. What remains is the value of uncertainty.
- *specification* (tag ``feasibility``): the limits are dropped, so that better runs outside them
  count as well.

While a run that meets the specifications is looked for, the gain in question is that of their
probability, and the predicted part of it is tagged ``feasibility``.

The share of the acquisition that falls away is kept per cause, and the largest names the tag. On a
tie uncertainty comes before gain, and gain before the specification, which is the background of
every run in a campaign that has limits. A repeated setting is tagged ``replicate``; see
``repeats``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from botorch.utils.multi_objective.pareto import is_non_dominated
from torch import Tensor

from campaigns.recommending.acquisition import Acquisition, Moments
from campaigns.recommending.outcomes import Draws
from campaigns.recommending.strategy import Tag
from campaigns.recommending.values import (
    HypervolumeImprovement,
    Improvement,
    ReliabilityImprovement,
    Worth,
)

TIE = 0.01
FEW_DRAWS = 16


@dataclass(frozen=True, eq=False)
class Decomposition:
    """The acquisition at a setting as it is, and with each cause taken away.

    Attributes:
        whole: The acquisition, not its logarithm.
        without: The acquisition without each cause.
        uncertain: The response whose uncertainty alone counts the most.
        best: Place of the standing run whose expected values replaced the predicted gain, if any.
        moments: Mean and covariance at the standing runs and, last, the setting.
        draws: Joint draws there.
    """

    whole: float
    without: Mapping[Tag, float]
    uncertain: str
    best: int | None
    moments: Moments
    draws: Draws

    @property
    def shares(self) -> dict[str, float]:
        """The share of the acquisition that falls away with each cause, from 0 to 1."""
        return {cause: self.share(rest) for cause, rest in self.without.items()}

    def share(self, rest: float) -> float:
        """Return the share that is lost when ``rest`` remains."""
        if self.whole <= 0:
            return 0.0
        return min(1.0, max(0.0, 1.0 - rest / self.whole))

    @property
    def tag(self) -> Tag:
        """The cause without which the acquisition falls the most."""
        shares = self.shares
        most = max(shares.values())
        order: tuple[Tag, ...] = ("explore", "exploit", "feasibility")
        return next(tag for tag in order if tag in shares and shares[tag] >= most - TIE)


def decompose(acquisition: Acquisition, setting: Tensor) -> Decomposition:
    """Return the acquisition at a setting with each of its causes taken away.

    Args:
        acquisition: As it was when the setting was chosen.
        setting: Encoded, shape ``(d,)``.
    """
    worth, outcomes = acquisition.worth, acquisition.outcomes
    moments = acquisition.moments_with(setting)
    places = tuple(range(len(outcomes.scales)))
    as_predicted = moments.known(places)

    def value(changed: Moments, of: Worth | None = None) -> float:
        return math.exp(acquisition.gain_under(changed, setting, worth=of))

    whole = value(moments)
    seeks = isinstance(worth, ReliabilityImprovement) and worth.seeks
    gain: Tag = "feasibility" if seeks else "exploit"
    without: dict[Tag, float] = {"explore": value(as_predicted), gain: whole}
    best = _beaten(acquisition.draws_with(as_predicted, setting), worth)
    if best is not None:
        read = {part for name in worth.wanted.responses for part in outcomes.measured_in(name)}
        moved = [place for place in places if outcomes.scales[place].name in read]
        without[gain] = value(moments.mean_of_last(moved, moments.mean[:, best]))
    if isinstance(worth, Improvement | HypervolumeImprovement) and worth.specifications:
        without["feasibility"] = value(moments, replace(worth, specifications=()))
    return Decomposition(
        whole=whole,
        without=without,
        uncertain=_most_uncertain(acquisition, moments, setting),
        best=best,
        moments=moments,
        draws=acquisition.draws_with(moments, setting),
    )


def _most_uncertain(acquisition: Acquisition, moments: Moments, setting: Tensor) -> str:
    """Return the measured response without whose uncertainty the acquisition falls the most."""
    names = [scale.name for scale in acquisition.outcomes.scales]
    if len(names) == 1:
        return names[0]
    # Only their order matters, and with more than two goals a draw costs milliseconds.
    n_draws = FEW_DRAWS if len(acquisition.worth.wanted.values) > 2 else None
    rest = [
        acquisition.gain_under(moments.known([place]), setting, n_draws=n_draws)
        for place in range(len(names))
    ]
    return names[rest.index(min(rest))]


def _beaten(draws: Draws, worth: Worth) -> int | None:
    """Return the best standing run if the setting is predicted to do better than all, else None."""
    values = worth.values(draws).mean(dim=0)
    standing, new = values[:-1], values[-1]
    if isinstance(worth, HypervolumeImprovement):
        if bool((standing >= new).all(dim=-1).any()):
            return None
        front = is_non_dominated(standing)
        distance = (standing - new).square().sum(dim=-1)
        return int(torch.where(front, distance, torch.full_like(distance, torch.inf)).argmin())
    place = int(standing.argmax())
    return place if new > standing[place] else None
