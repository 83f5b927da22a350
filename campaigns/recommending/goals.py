"""What is wanted, as numbers to make large: one or several differentiable values per run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import torch
from torch import Tensor

from campaigns.recommending.outcomes import Draws
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
    goals_of,
)

MAX_GOALS = 4
SOFTNESS = 0.02  # of a desirability's span: how far its corners are rounded
LEAK = 1e-3  # slope of a desirability beyond its span: without it a search there has no direction

Value = Callable[[Draws], Tensor]


@dataclass(frozen=True, slots=True)
class Wanted:
    """An objective as values to maximise.

    Attributes:
        values: Each maps draws to ``(n_draws, n_settings)``; several for a Pareto objective.
        responses: The responses and derived responses that they read.
        label: What one value is, for people, such as ``growth rate``.
        unit: Its unit; empty for several or for a plain number.
        sign: -1 when people see the value with its sign changed (minimise).
    """

    values: tuple[Value, ...]
    responses: tuple[str, ...]
    label: str
    unit: str = ""
    sign: float = 1.0

    def __call__(self, draws: Draws) -> Tensor:
        """Return the values in each draw, shape ``(n_draws, n_settings, n_values)``."""
        return torch.stack([value(draws) for value in self.values], dim=-1)


def wanted(
    objective: Objective,
    specifications: Sequence[Specification],
    *,
    spreads: Mapping[str, float],
    units: Mapping[str, str],
) -> Wanted:
    """Return what an objective asks for.

    A goal to stay in a range counts the probability that a new run does: a penalty would be flat
    inside the range, and would not see the noise. A target counts the distance of the expected
    value from it. A desirability is that of the expected value, with its corners rounded.

    Args:
        objective: The objective.
        specifications: Limits, for the probability of meeting all of them.
        spreads: Typical difference between runs, by response, in natural units.
        units: Unit by response.

    Raises:
        InvalidValueError: If there are too many goals at once, or no specification to meet.
    """
    responses = tuple(goal.response for goal in goals_of(objective))
    match objective:
        case Single(goal):
            return _single(goal, spreads, units)
        case Pareto(goals):
            if len(goals) > MAX_GOALS:
                raise InvalidValueError(
                    f"A Pareto objective of {len(goals)} goals: at most {MAX_GOALS} are compared "
                    "at once. Turn goals that only must be met into specifications, or combine "
                    "goals with Desirability or Weighted."
                )
            values = tuple(_value(goal, spreads) for goal in goals)
            return Wanted(values, responses, " and ".join(responses))
        case Weighted(goals):
            return Wanted((_weighted(goals),), responses, "weighted sum")
        case Desirability(goals):
            return Wanted((_desirability(goals),), responses, "desirability")
        case ProbabilityInSpecification():
            limits = tuple(specifications)
            if not limits:
                raise InvalidValueError(
                    "The objective is the probability of meeting the specifications, but there "
                    "is no specification: add one, or choose another objective."
                )
            names = tuple(dict.fromkeys(limit.response for limit in limits))
            return Wanted((_all_within(limits),), names, "probability in specification")
        case _:
            assert_never(objective)


def log_all_within(draws: Draws, specifications: Sequence[Specification]) -> Tensor:
    """Return log P(a new run meets every specification | draw), ``(n_draws, n_settings)``.

    Given what a setting gives on average, the noises of different responses are independent.
    """
    total = torch.zeros(draws.modelled.shape[:-1], dtype=draws.modelled.dtype)
    for limits in specifications:
        total = total + draws.log_within(limits)
    return total


def _single(goal: Goal, spreads: Mapping[str, float], units: Mapping[str, str]) -> Wanted:
    value, unit, name = _value(goal, spreads), units[goal.response], goal.response
    match goal.aim:
        case "maximise":
            return Wanted((value,), (name,), name, unit)
        case "minimise":
            return Wanted((value,), (name,), name, unit, sign=-1.0)
        case "target":
            label = f"distance of {name} from {goal.target:g}"
            return Wanted((value,), (name,), label, unit, sign=-1.0)
        case "range":
            label = f"probability of {goal.low:g} <= {name} <= {goal.high:g}"
            return Wanted((value,), (name,), label)
        case _:
            assert_never(goal.aim)


def _value(goal: Goal, spreads: Mapping[str, float]) -> Value:
    name = goal.response
    match goal.aim:
        case "maximise":
            return lambda draws: draws.value(name)
        case "minimise":
            return lambda draws: -draws.value(name)
        case "target":
            target, corner = goal.target or 0.0, 1e-3 * spreads[name]
            return lambda draws: -_rounded_abs(draws.value(name) - target, corner)
        case "range":
            return _all_within((Specification(name, goal.low, goal.high),))
        case _:
            assert_never(goal.aim)


def _all_within(limits: Sequence[Specification]) -> Value:
    return lambda draws: log_all_within(draws, limits).exp()


def _weighted(goals: Sequence[Goal]) -> Value:
    signs = {goal.response: 1.0 if goal.aim == "maximise" else -1.0 for goal in goals}

    def value(draws: Draws) -> Tensor:
        parts = [signs[g.response] * g.weight * draws.value(g.response) for g in goals]
        return torch.stack(parts).sum(dim=0)

    return value


def _desirability(goals: Sequence[Goal]) -> Value:
    total = sum(goal.importance for goal in goals)

    def value(draws: Draws) -> Tensor:
        logs = [g.importance * torch.log(one_desirability(g, draws)) for g in goals]
        return torch.exp(torch.stack(logs).sum(dim=0) / total)

    return value


def one_desirability(goal: Goal, draws: Draws) -> Tensor:
    """Return the desirability of one response, with rounded corners; a little above 0 at worst.

    Source:
        Derringer and Suich (1980), J. Quality Technology 12, 214-219, equations 1 and 2.
    """
    low, high, value = goal.low or 0.0, goal.high or 0.0, draws.value(goal.response)
    match goal.aim:
        case "maximise":
            ramp = _ramp((value - low) / (high - low))
        case "minimise":
            ramp = _ramp((high - value) / (high - low))
        case "target":
            peak = goal.target or 0.0
            ramp = torch.minimum(
                _ramp((value - low) / (peak - low)), _ramp((high - value) / (high - peak))
            )
        case "range":
            # Derringer and Suich have no such goal: one inside, falling over a tenth outside.
            edge = 0.1 * (high - low)
            ramp = torch.minimum(_ramp((value - low) / edge + 1), _ramp((high - value) / edge + 1))
        case _:
            assert_never(goal.aim)
    return ramp**goal.weight


def _ramp(share: Tensor) -> Tensor:
    """Return ``share`` limited to between 0 and 1, rounded at the corners and never quite flat."""
    soft = torch.nn.functional.softplus
    limited = SOFTNESS * (soft(share / SOFTNESS) - soft((share - 1) / SOFTNESS))
    # Bounded, so that no distance outweighs a desirability and none makes it negative.
    leak = LEAK * torch.sigmoid(share)
    return limited.clamp_min(0.0) + leak


def _rounded_abs(difference: Tensor, corner: float) -> Tensor:
    return torch.sqrt(difference.square() + corner**2) - corner
