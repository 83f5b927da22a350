"""How desirable values of responses are, one by one and together."""

from collections.abc import Mapping

import numpy as np

from doe.arrays import FloatArray
from doe.errors import InvalidValueError, UnknownNameError
from doe.responses import Desirability, Goal


def desirability_of(goal: Goal, values: FloatArray) -> FloatArray:
    """Return how desirable values of one response are, from 0 to 1, same shape.

    ``maximise`` rises from ``low`` to ``high``, ``minimise`` falls, ``target`` rises to its target
    and falls again, each to the power of the goal's weight. ``range`` is 1 inside and 0 outside.

    Args:
        goal: What is wanted, with ``low`` and ``high``.
        values: Values of the response, in its unit.

    Raises:
        InvalidValueError: If the goal has no ``low`` or ``high``.

    Source:
        Derringer and Suich (1980), J. Quality Technology 12, 214-219, equations 1 and 2; after
        Harrington (1965), Industrial Quality Control 21, 494-498. They have no range.
    """
    if goal.low is None or goal.high is None:
        raise InvalidValueError(
            f"Desirability of '{goal.response}' needs low and high: the values between which it "
            "changes from 0 to 1."
        )
    values = np.asarray(values, dtype=np.float64)
    low, high = goal.low, goal.high
    if goal.aim == "range":
        return np.where((values >= low) & (values <= high), 1.0, 0.0)
    peak = {"maximise": high, "minimise": low}.get(goal.aim, goal.target)
    top = high if peak is None else peak
    ramp = np.ones_like(values)
    if goal.aim != "minimise":
        ramp = np.minimum(ramp, (values - low) / (top - low))
    if goal.aim != "maximise":
        ramp = np.minimum(ramp, (high - values) / (high - top))
    return np.asarray(np.clip(ramp, 0.0, 1.0) ** goal.weight)


def overall_desirability(objective: Desirability, values: Mapping[str, FloatArray]) -> FloatArray:
    """Return the geometric mean of the desirabilities, weighted by importance.

    Args:
        objective: The goals.
        values: By response, all of one shape.

    Raises:
        UnknownNameError: If a goal's response has no values.

    Source:
        Derringer and Suich (1980), equation 3; with importances Derringer (1994), Quality Progress
        27(6), 51-58.
    """
    total = sum(goal.importance for goal in objective.goals)
    overall: FloatArray | float = 1.0
    for goal in objective.goals:
        if goal.response not in values:
            raise UnknownNameError(f"No values of '{goal.response}', which the objective names.")
        one = desirability_of(goal, np.asarray(values[goal.response], dtype=np.float64))
        overall = overall * one ** (goal.importance / total)
    return np.asarray(overall)
