"""Objectives as values to make large."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.recommending.goals import one_desirability, wanted
from campaigns.recommending.outcomes import Outcomes, ResponseScale
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

NAMES = ("titre", "purity", "cost", "time", "waste")


def value_of(objective: Objective, *values: float, specifications=()) -> list[float]:
    """Return the objective's values for one run with these responses, noise 0.5."""
    outcomes = Outcomes(
        tuple(
            ResponseScale(name, "g/L", 0.5, lambda z: z, lambda value: value)
            for name in NAMES[: len(values)]
        ),
        (),
        lambda x: {},
    )
    draws = outcomes.draws(torch.tensor([[values]], dtype=torch.float64), torch.zeros(1, 1))
    spreads, units = dict.fromkeys(NAMES, 1.0), dict.fromkeys(NAMES, "g/L")
    asked = wanted(objective, specifications, spreads=spreads, units=units)
    return asked(draws)[0, 0].tolist()


def test_maximise_and_minimise_are_the_value_and_its_opposite():
    assert value_of(Single(Goal("titre")), 3.0) == [3.0]
    assert value_of(Single(Goal("titre", "minimise")), 3.0) == [-3.0]
    assert value_of(Pareto((Goal("titre"), Goal("purity", "minimise"))), 3.0, 2.0) == [3.0, -2.0]
    assert value_of(
        Weighted((Goal("titre", weight=2.0), Goal("purity", "minimise", weight=3.0))), 5.0, 1.0
    ) == [7.0]


@given(value=st.floats(-20, 20))
@settings(max_examples=30)
def test_a_target_is_missed_by_the_distance(value):
    (found,) = value_of(Single(Goal("titre", "target", target=4.0)), value)

    assert found == pytest.approx(-abs(value - 4.0), abs=2e-3)


def test_a_range_counts_the_probability_that_a_new_run_is_in_it():
    """Between -1 and 1 SD lies 0.6827 of a normal distribution."""
    (inside,) = value_of(Single(Goal("titre", "range", low=2.5, high=3.5)), 3.0)

    assert inside == pytest.approx(0.6827, abs=1e-4)


@pytest.mark.requirement("OPT-1")
def test_the_probability_in_specification_is_the_product_over_responses():
    limits = (Specification("titre", 3.0), Specification("purity", None, 2.5))

    (chance,) = value_of(ProbabilityInSpecification(), 3.0, 2.0, specifications=limits)

    assert chance == pytest.approx(0.5 * 0.841345, abs=1e-5)


@pytest.mark.requirement("OPT-1")
@pytest.mark.parametrize(
    ("goal", "value", "desirability"),
    [
        (Goal("titre", "maximise", low=2, high=6), 3.0, 0.25),
        (Goal("titre", "maximise", low=2, high=6, weight=2.0), 4.0, 0.25),
        (Goal("titre", "maximise", low=2, high=6), 9.0, 1.0),
        (Goal("titre", "maximise", low=2, high=6), -9.0, 0.0),
        (Goal("titre", "minimise", low=2, high=6), 5.0, 0.25),
        (Goal("titre", "target", low=2, high=6, target=5), 5.0, 1.0),
        (Goal("titre", "target", low=2, high=6, target=5), 3.5, 0.5),
        (Goal("titre", "target", low=2, high=6, target=5), 5.5, 0.5),
        (Goal("titre", "range", low=2, high=6), 4.0, 1.0),
    ],
)
def test_a_desirability_is_derringers_and_suichs_up_to_its_rounded_corners(
    goal, value, desirability
):
    """Derringer and Suich (1980), equations 1 and 2."""
    found = value_of(Desirability((goal,)), value)

    assert found == pytest.approx([desirability], abs=0.015)


@pytest.mark.requirement("OPT-1")
def test_desirabilities_are_joined_by_their_geometric_mean_weighted_by_importance():
    goals = (
        Goal("titre", low=0, high=10, importance=3.0),
        Goal("purity", low=0, high=10, importance=1.0),
    )

    (found,) = value_of(Desirability(goals), 8.0, 2.0)

    assert found == pytest.approx(0.8**0.75 * 0.2**0.25, abs=2e-3)


def test_a_desirability_of_nothing_still_has_a_direction():
    goal = Goal("titre", low=2, high=6)
    outcomes = Outcomes(
        (ResponseScale("titre", "", 0.5, lambda z: z, lambda v: v),), (), lambda x: {}
    )
    modelled = torch.full((1, 1, 1), -10.0, dtype=torch.float64, requires_grad=True)

    one_desirability(goal, outcomes.draws(modelled, torch.zeros(1, 1))).sum().backward()

    assert modelled.grad.item() > 0


def test_more_than_four_goals_at_once_are_refused_with_what_to_do():
    with pytest.raises(InvalidValueError, match="specifications, or combine"):
        value_of(Pareto(tuple(map(Goal, NAMES))), *np.ones(5))


def test_without_a_specification_there_is_no_probability_of_meeting_them():
    with pytest.raises(InvalidValueError, match="add one"):
        value_of(ProbabilityInSpecification(), 1.0)
