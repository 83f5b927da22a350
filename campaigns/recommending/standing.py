"""The runs that a new one has to beat, and what beating them is worth."""

from collections.abc import Mapping, Sequence
from typing import assert_never

import numpy as np
import torch
from botorch.utils.multi_objective.pareto import is_non_dominated
from torch import Tensor

from campaigns.recommending.acquisition import (
    Posterior,
    joint_draws,
    root_of,
    standard_normals,
)
from campaigns.recommending.goals import Wanted, log_all_within, wanted
from campaigns.recommending.outcomes import Draws
from campaigns.recommending.values import (
    HypervolumeImprovement,
    Improvement,
    ReliabilityImprovement,
    Worth,
    reference_of,
    scales_of,
    worst_of,
)
from doe.errors import InvalidValueError
from doe.responses import (
    Desirability,
    Goal,
    Objective,
    Pareto,
    ProbabilityInSpecification,
    Single,
    Specification,
    Weighted,
)

# Below this probability that the best run so far meets the specifications, that is improved first.
FEASIBLE_KNOWN = 0.5
MAX_JOINT = 300  # runs drawn jointly; of more, the most promising by their own distribution
MAX_STANDING = 32
N_DRAWS = 512


def independent_draws(posterior: Posterior, settings: Tensor, *, seed: int) -> Tensor:
    """Return draws at each setting by itself, shape ``(n_draws, n_settings, n_measured)``.

    Right for each setting, not jointly; cheap for thousands.
    """
    with torch.no_grad():
        mean, covariance = posterior.moments(settings[:, None, :])
        normals = standard_normals(N_DRAWS // 4, 1, mean.shape[-2], seed=seed)
        std = covariance[..., 0, 0].clamp_min(0.0).sqrt()
        return mean[..., 0] + std * normals


def draws_at(posterior: Posterior, settings: Tensor, *, seed: int) -> Tensor:
    """Return joint draws at settings ``(n_settings, d)``, ``(n_draws, n_settings, n_measured)``."""
    with torch.no_grad():
        mean, covariance = posterior.moments(settings)
        normals = standard_normals(N_DRAWS, len(settings), mean.shape[-2], seed=seed)
        return joint_draws(mean, root_of(covariance), normals)


def shortlist(goal: Wanted, limits: Sequence[Specification], draws: Draws) -> list[int]:
    """Return the most promising settings, at most ``MAX_JOINT``, in their order.

    Each value gets its share of places for the settings with the highest mean plus two SD; so does
    the probability of meeting the specifications.

    Args:
        goal: What is to be made large.
        limits: Specifications.
        draws: Independent draws at all settings.
    """
    n_settings = draws.modelled.shape[1]
    if n_settings <= MAX_JOINT:
        return list(range(n_settings))
    values = torch.nan_to_num(goal(draws), nan=-torch.inf)
    scores = [(v.mean(dim=0) + 2 * v.std(dim=0)).numpy() for v in values.unbind(dim=-1)]
    if limits:
        scores.append(log_all_within(draws, limits).exp().mean(dim=0).numpy())
    share = MAX_JOINT // len(scores)
    found = {int(place) for score in scores for place in np.argsort(-score, kind="stable")[:share]}
    return sorted(found)


def worth_of(
    objective: Objective, goal: Wanted, limits: tuple[Specification, ...], draws: Draws
) -> tuple[Worth, tuple[str, ...]]:
    """Return what a run is worth at this stage, with notes for people.

    While no run so far is likely to meet the specifications, the probability of meeting them is
    improved instead of the objective: improvement on what does not count says little.

    Args:
        objective: The objective.
        goal: The same, as values to make large.
        limits: Specifications.
        draws: Joint draws at the runs so far.
    """
    chance = wanted(ProbabilityInSpecification(), limits, spreads={}, units={}) if limits else goal
    if isinstance(objective, ProbabilityInSpecification):
        return ReliabilityImprovement(chance, limits), ()
    if limits:
        best = float(log_all_within(draws, limits).exp().mean(dim=0).max())
        if best < FEASIBLE_KNOWN:
            note = (
                f"No setting run so far is likely to meet every specification (the best has "
                f"probability {best:.2g}): this batch looks for one that does, before it improves "
                "the objective."
            )
            return ReliabilityImprovement(chance, limits, seeks=True), (note,)
    values = goal(draws)
    scales = scales_of(values)
    match objective:
        case Pareto(goals, reference):
            given = [_given(reference, g) for g in goals]
            point = reference_of(torch.nanmean(values, dim=0), given, scales)
            return HypervolumeImprovement(goal, limits, scales, point), ()
        case Single() | Weighted() | Desirability():
            worst = worst_of(values[..., 0], scales[0])
            return Improvement(goal, limits, scales[0], worst), ()
        case _:
            assert_never(objective)


def contenders(worth: Worth, draws: Draws) -> list[int]:
    """Return the settings with a chance to be among the best, at most ``MAX_STANDING``.

    The others do not change what a new run is worth; leaving them out saves their time.

    Args:
        worth: What a run is worth.
        draws: Joint draws at all settings.
    """
    values = worth.values(draws)
    if values.dim() == 3:
        best = is_non_dominated(values) & (values > 0).all(dim=-1)
        share = best.to(torch.float64).mean(dim=0).numpy()
    else:
        winners = values.argmax(dim=-1).numpy()
        share = np.bincount(winners, minlength=values.shape[1]) / len(values)
    order = np.argsort(-share, kind="stable")[:MAX_STANDING]
    return sorted(int(place) for place in order if share[place] > 0) or [int(order[0])]


def _given(reference: Mapping[str, float] | None, goal: Goal) -> float | None:
    """Return the reference of one goal as a value to maximise, where it is given."""
    if reference is None or goal.response not in reference:
        return None
    value = reference[goal.response]
    match goal.aim:
        case "maximise":
            return value
        case "minimise":
            return -value
        case "target":
            return -abs(value - (goal.target or 0.0))
        case "range":
            raise InvalidValueError(
                f"The Pareto reference of '{goal.response}' is {value:g}, but a goal to stay in a "
                "range counts a probability: leave it out of the reference."
            )
        case _:
            assert_never(goal.aim)
