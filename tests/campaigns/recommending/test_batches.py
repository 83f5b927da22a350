"""Batches as a whole: what each run adds, repeats, blocks, any factor space, the work done."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.recommending.bayesian import BayesianStrategy
from campaigns.recommending.distances import distances
from campaigns.recommending.search import Effort
from campaigns.recommending.space_filling import SpaceFillingStrategy
from doe.factors import DiscreteFactor
from doe.responses import (
    Goal,
    ProbabilityInSpecification,
    Response,
    Single,
    Specification,
)
from doe.space import FactorSpace
from tests.campaigns.recommending.examples import (
    SQUARE,
    context_of,
    hill,
    known_scales,
    propose,
    settings_of,
    study,
)
from tests.doe.strategies import spaces


def test_pending_runs_are_left_alone_and_their_place_is_not_wanted_again():
    context = context_of(study(SQUARE, {"titre": hill}, n_runs=12, noise=0.1))
    first = settings_of(propose(context, 1).runs)
    first.index = pd.Index(["P1"])

    waiting = propose(context_of(context.observations, pending=first), 2)

    gaps = distances(SQUARE, settings_of(waiting.runs), first)
    assert gaps.min() > 0.02


def test_runs_of_a_batch_are_chosen_for_what_each_adds():
    context = context_of(study(SQUARE, {"titre": hill}, n_runs=10, noise=0.1))

    proposal = propose(context, 4)

    settings = settings_of(proposal.runs)
    gaps = distances(SQUARE, settings, settings) + np.eye(4)
    assert gaps.min() > 0.01
    values = [run.acquisition for run in proposal.runs]
    assert values[0] == max(values)


def test_in_an_exhausted_space_the_most_instructive_run_is_repeated():
    space = FactorSpace((DiscreteFactor("day", (1, 2, 3)),))
    settings = pd.DataFrame({"day": [1.0, 2.0, 3.0]})
    truth = {"titre": lambda s: np.array([1.0, 3.0, 3.1])}
    options = known_scales(length={"day": 0.3}, signal=2.0, noise=1.0, mean=2.0)
    observations = study(space, truth, settings=settings, noise=0.0)

    proposal = propose(context_of(observations, options=options), 2)

    assert [run.reason.tag for run in proposal.runs] == ["replicate"] * 2
    assert {run.settings["day"] for run in proposal.runs} == {2.0, 3.0}
    assert all(run.nearest_distance == 0 for run in proposal.runs)
    assert "repeat a setting" in proposal.notes[-1]


def test_a_repeated_run_is_left_alone_once_its_value_is_known():
    """The cause of a repeat is the noise: with 40 results as predicted it is gone."""
    space = FactorSpace((DiscreteFactor("day", (1, 2, 3)),))
    days = pd.DataFrame({"day": [1.0, 2.0, 3.0]})
    options = known_scales(length={"day": 0.3}, signal=2.0, noise=1.0, mean=2.0)
    titre = {"titre": lambda s: s["day"].map({1.0: 1.0, 2.0: 3.0, 3.0: 3.1}).to_numpy().copy()}
    context = context_of(study(space, titre, settings=days, noise=0.0), options=options)
    (run,) = propose(context, 1).runs
    day = run.settings["day"]
    again = pd.concat([days, pd.DataFrame({"day": [day] * 40})], ignore_index=True)

    def as_predicted(table):
        values = titre["titre"](table)
        values[3:] = run.predictions[0].mean
        return values

    known = context_of(
        study(space, {"titre": as_predicted}, settings=again, noise=0.0), options=options
    )

    (after,) = propose(known, 1).runs

    assert run.reason.tag == after.reason.tag == "replicate"
    assert run.reason.parts["replicate"] > 0.9
    assert after.settings["day"] != day


def test_the_batch_is_predicted_for_the_block_it_will_be_run_in():
    from doe.factors import BlockFactor

    space = FactorSpace((*SQUARE.factors, BlockFactor("day")))
    settings = SQUARE.sample(16, rng=np.random.default_rng(1))
    settings["day"] = ["mon", "tue"] * 8
    shift = np.where(settings["day"] == "mon", 3.0, -3.0)
    observations = study(space, {"titre": lambda s: hill(s) + shift}, settings=settings, noise=0.1)
    context = context_of(observations)

    means = {
        day: propose(context, 1, block={"day": day}).runs[0].predictions[0].mean
        for day in ("mon", "tue", "wed")
    }

    assert means["mon"] - means["tue"] == pytest.approx(6.0, abs=1.5)
    assert means["tue"] < means["wed"] < means["mon"]


def test_the_work_that_was_done_is_counted():
    context = context_of(study(SQUARE, {"titre": hill}))

    work = propose(context, 2).work

    assert work["n_draws"] == 64
    assert len(work["evaluations"]) == 2
    assert all(128 <= n < 1_000 for n in work["evaluations"])


def test_the_batch_does_not_depend_on_the_number_of_threads():
    context = context_of(study(SQUARE, {"titre": hill}))
    n_threads = torch.get_num_threads()
    proposals = []
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            proposals.append(propose(context, 2))
            assert torch.get_num_threads() == n
    finally:
        torch.set_num_threads(n_threads)

    assert proposals[0] == proposals[1]


def test_space_filling_spreads_where_the_bayesian_strategy_focuses():
    context = context_of(study(SQUARE, {"titre": hill}, n_runs=20, noise=0.05))

    focused = settings_of(propose(context, 4).runs)
    spread = settings_of(propose(context, 4, strategy=SpaceFillingStrategy()).runs)

    assert hill(focused).mean() > hill(spread).mean() + 2


@pytest.mark.requirement("OPT-3")
@given(space=spaces(recorded=False), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8)
def test_in_any_factor_space_every_run_is_allowed_and_on_the_steps(space, seed):
    """Steps, levels, log scales, mixtures and all kinds of constraints together."""
    runs = space.sample(6, rng=np.random.default_rng(seed))
    rising = {"result": lambda table: np.linspace(0, 1, len(table))}
    observations = study(space, rising, (Response("result"),), settings=runs, seed=seed)
    context = context_of(observations, Single(Goal("result")))
    little = Effort(n_draws=32, n_raw=32, n_starts=2, n_iterations=10)

    for strategy in (BayesianStrategy(little), SpaceFillingStrategy(n_drawn=32)):
        batch = settings_of(propose(context, 2, seed=seed, strategy=strategy).runs)

        assert space.contains(batch).all()
        assert space.on_steps(batch).all()


@pytest.mark.requirement("OPT-6")
@pytest.mark.parametrize(
    ("lower", "is_flat"),
    [(-1000.0, True), (1000.0, True), (9.0, False)],
    ids=["met everywhere", "out of reach", "met in part"],
)
def test_a_batch_says_when_there_is_nothing_left_to_gain(lower: float, is_flat: bool) -> None:
    context = context_of(
        study(SQUARE, {"titre": hill}),
        ProbabilityInSpecification(),
        (Specification("titre", lower=lower),),
    )
    proposal = propose(context, 1)
    assert any("nothing left to gain" in note for note in proposal.notes) == is_flat
