"""Which runs a new one has to beat, and what beating them is worth."""

import numpy as np
import pytest
import torch

from campaigns.recommending.goals import wanted
from campaigns.recommending.outcomes import Outcomes, ResponseScale
from campaigns.recommending.standing import MAX_JOINT, contenders, shortlist, worth_of
from campaigns.recommending.values import (
    HypervolumeImprovement,
    Improvement,
    ReliabilityImprovement,
    reference_of,
)
from doe.errors import InvalidValueError
from doe.responses import Goal, Pareto, ProbabilityInSpecification, Single, Specification

NAMES = ("titre", "waste")
UNITS, SPREADS = dict.fromkeys(NAMES, ""), dict.fromkeys(NAMES, 1.0)
TRADE_OFF = Pareto((Goal("titre"), Goal("waste", "minimise")))


def draws_of(titre, waste, *, std=0.1, n_draws=256):
    """Return independent normal draws about given means, noise of a run 0.1."""
    outcomes = Outcomes(
        tuple(ResponseScale(n, "", 0.1, lambda z: z, lambda value: value) for n in NAMES),
        (),
        lambda x: {},
    )
    mean = torch.tensor(np.stack([titre, waste], axis=-1), dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn((n_draws, *mean.shape), dtype=torch.float64, generator=generator)
    return outcomes.draws(mean + std * noise, torch.zeros(len(mean), 1))


def goal_of(objective, limits=()):
    return wanted(objective, limits, spreads=SPREADS, units=UNITS)


def test_only_runs_with_a_chance_to_be_the_best_have_to_be_beaten():
    draws = draws_of([1.0, 5.0, 4.9, 2.0], [0.0] * 4)
    worth, _ = worth_of(Single(Goal("titre")), goal_of(Single(Goal("titre"))), (), draws)

    assert isinstance(worth, Improvement)
    assert contenders(worth, draws) == [1, 2]


def test_runs_out_of_specification_are_not_to_be_beaten():
    draws = draws_of([5.0, 3.0, 2.0], [9.0, 1.0, 1.0])
    limits = (Specification("waste", None, 2.0),)
    worth, notes = worth_of(Single(Goal("titre")), goal_of(Single(Goal("titre"))), limits, draws)

    assert isinstance(worth, Improvement)
    assert notes == ()
    assert contenders(worth, draws) == [1]


def test_with_several_goals_the_front_has_to_be_beaten():
    draws = draws_of([5.0, 3.0, 2.0, 1.0], [3.0, 2.0, 2.9, 1.0], std=0.01)
    worth, _ = worth_of(TRADE_OFF, goal_of(TRADE_OFF), (), draws)

    assert isinstance(worth, HypervolumeImprovement)
    assert contenders(worth, draws) == [0, 1, 3]


@pytest.mark.parametrize("objective", [Single(Goal("titre")), TRADE_OFF])
def test_until_a_run_meets_the_specifications_their_probability_is_improved(objective):
    draws = draws_of([5.0, 3.0], [9.0, 4.0])
    limits = (Specification("waste", None, 2.0),)

    worth, (note,) = worth_of(objective, goal_of(objective), limits, draws)

    assert isinstance(worth, ReliabilityImprovement)
    assert worth.seeks
    assert "looks for one that does" in note
    assert contenders(worth, draws) == [1]


def test_the_probability_as_an_objective_seeks_nothing_else():
    limits = (Specification("waste", None, 2.0),)
    objective = ProbabilityInSpecification()

    worth, notes = worth_of(objective, goal_of(objective, limits), limits, draws_of([5.0], [9.0]))

    assert isinstance(worth, ReliabilityImprovement)
    assert not worth.seeks
    assert notes == ()


def test_of_thousands_of_runs_the_most_promising_by_each_goal_are_looked_at():
    titre = np.linspace(0, 10, 2_000)
    waste = np.sin(np.arange(2_000)) + 1
    draws = draws_of(titre, waste, n_draws=64)

    listed = shortlist(goal_of(TRADE_OFF), (), draws)

    assert MAX_JOINT / 2 <= len(listed) <= MAX_JOINT
    assert 1_999 in listed
    assert int(waste.argmin()) in listed
    assert listed == sorted(listed)


def test_the_reference_is_a_tenth_of_the_fronts_range_below_it():
    """Front (1, 5) to (3, 1): nadir (1, 1), ranges 2 and 4; (0, 0) is dominated."""
    values = torch.tensor([[1.0, 5.0], [3.0, 1.0], [0.0, 0.0]], dtype=torch.float64)

    assert reference_of(values, [None, None], [1.0, 1.0]) == pytest.approx((0.8, 0.6))
    assert reference_of(values, [None, -7.0], [1.0, 1.0]) == pytest.approx((0.8, -7.0))


def test_a_given_reference_is_in_natural_units_whatever_the_aim():
    draws = draws_of([5.0, 3.0], [3.0, 2.0])
    objective = Pareto(TRADE_OFF.goals, {"titre": 1.0, "waste": 4.0})

    worth, _ = worth_of(objective, goal_of(objective), (), draws)

    assert isinstance(worth, HypervolumeImprovement)
    assert worth.reference == (1.0, -4.0)


def test_a_goal_to_stay_in_a_range_takes_no_reference():
    goals = (Goal("titre"), Goal("waste", "range", low=1.0, high=2.0))
    objective = Pareto(goals, {"waste": 4.0})

    with pytest.raises(InvalidValueError, match="leave it out"):
        worth_of(objective, goal_of(objective), (), draws_of([5.0], [3.0]))
