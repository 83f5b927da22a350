"""Whether a run is better spent on repeating a setting: what its result would teach.

Improvement sees no use in a setting that was run: what it gives on average is what it gives. But
with noise that average is not known, and another result may decide which setting is taken for the
best. A repeat is worth the expected rise of the highest expected value among the settings at hand
once its result is in (the knowledge gradient); a new setting is worth its expected improvement.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from campaigns.recommending.acquisition import Acquisition


@dataclass(frozen=True, slots=True)
class Repeat:
    """The most instructive repeat of a standing run.

    Attributes:
        place: Which standing run.
        gain: Expected rise of the highest expected value from repeating it.
        gain_of_new: Expected improvement of the best new setting.
    """

    place: int
    gain: float
    gain_of_new: float


def best_repeat(
    acquisition: Acquisition, log_gain_of_new: float, *, n_done: int, allowed: Tensor
) -> Repeat | None:
    """Return the most instructive repeat, or None where nothing can be repeated.

    Values are taken as linear in the surfaces about their expected values, which is exact for a
    goal on an untransformed response. Runs that are under way or chosen count as if their results
    were in, at their expected values.

    Args:
        acquisition: Of the next run; its standing runs come first that are done, then the others.
        log_gain_of_new: Acquisition of the best new setting.
        n_done: How many of the standing runs have results.
        allowed: Which standing runs could be done again as they are, shape ``(n_standing,)``.

    Source:
        Frazier, Powell and Dayanik (2009), INFORMS J. Computing 21, 599-613, equation 14.
    """
    if not bool(allowed.any()):
        return None
    n_standing = len(acquisition.standing)
    mean, covariance = acquisition.standing_moments
    noise = torch.tensor([s.run_std**2 for s in acquisition.outcomes.scales], dtype=torch.float64)
    covariance = _after(covariance, range(n_done, n_standing), noise)
    values, slopes = _linear_values(acquisition, mean)
    # change of expected value j per SD of the result of run i, by response: (m, i, j)
    spread = covariance.diagonal(dim1=-2, dim2=-1) + noise[:, None]
    change = slopes.T[:, None, :] * covariance / spread.sqrt()[..., None]
    scores = acquisition.normals[:, n_standing]
    after = values + torch.einsum("sm,mij->sij", scores, change)
    gains = after.amax(dim=-1).mean(dim=0) - values.max()
    gains = torch.where(allowed, gains, torch.full_like(gains, -1.0))
    place = int(gains.argmax())
    return Repeat(place, max(0.0, float(gains[place])), math.exp(log_gain_of_new))


def _after(covariance: Tensor, places: range, noise: Tensor) -> Tensor:
    """Return the covariance once runs at some places have given their results."""
    if not len(places):
        return covariance
    index = torch.tensor(list(places))
    cross = covariance[:, :, index]
    within = cross[:, index] + noise[:, None, None] * torch.eye(len(index), dtype=noise.dtype)
    reduced: Tensor = covariance - cross @ torch.linalg.solve(within, cross.transpose(-1, -2))
    return reduced


def _linear_values(acquisition: Acquisition, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Return the values at the expected surfaces ``(n,)`` and their slopes ``(n, n_measured)``.

    Several goals are added up, in units of their scales.
    """
    modelled = mean.T.clone()[None].requires_grad_()
    draws = acquisition.outcomes.draws(modelled, acquisition.standing)
    values = acquisition.worth.values(draws)[0]
    values = values.sum(dim=-1) if values.dim() == 2 else values
    (slopes,) = torch.autograd.grad(values.sum(), modelled)
    return values.detach(), torch.nan_to_num(slopes[0])


def log_gain(gain: float) -> float:
    """Return the logarithm of a gain; a very small number stands for none."""
    return math.log(max(gain, 1e-300))
