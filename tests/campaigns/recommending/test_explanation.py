"""Reasons: the named cause is taken away, and the run or its tag changes."""

import numpy as np
import pandas as pd
import pytest
import torch

from campaigns.recommending.acquisition import Moments
from campaigns.recommending.bayesian import BayesianStrategy
from campaigns.recommending.distances import distances
from campaigns.recommending.search import Effort
from campaigns.recommending.strategy import BatchRequest, ProposedRun, StrategyContext
from doe.factors import ContinuousFactor
from doe.responses import (
    Goal,
    Pareto,
    ProbabilityInSpecification,
    Response,
    Single,
    Specification,
)
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.gaussian_process.fitting import fit_gp
from surrogates.gaussian_process.options import GPOptions
from surrogates.surrogate import SurrogateSet
from tests.campaigns.recommending.examples import PURITY, TITRE, known_scales, settings_of

STRATEGY = BayesianStrategy(Effort(n_draws=128, n_raw=128, n_starts=3, n_iterations=40))
LINE = FactorSpace((ContinuousFactor("feed", 0.0, 10.0, step=0.05),))
SCALES = {
    "titre": known_scales(length={"feed": 1.5}, signal=2.0, noise=0.2, mean=5.0),
    "purity": known_scales(length={"feed": 2.5}, signal=3.0, noise=0.3, mean=96.0),
}


SHARP = {"titre": known_scales(length={"feed": 1.5}, signal=3.0, noise=0.05, mean=4.0)}


def runs_of(**columns) -> Observations:
    responses = tuple(r for r in (TITRE, PURITY) if r.name in columns)
    names = [f"R{i + 1}" for i in range(len(columns["feed"]))]
    return Observations.from_frame(pd.DataFrame({"run": names, **columns}), LINE, responses)


def context_with(
    observations: Observations, objective=None, specifications=(), options=SCALES
) -> StrategyContext:
    names = [response.name for response in observations.responses]
    rng = np.random.default_rng(0)
    fitted = {name: fit_gp(observations, name, options=options[name], rng=rng) for name in names}
    return StrategyContext(
        observations=observations,
        surrogates=SurrogateSet(fitted),
        specifications=tuple(specifications),
        objective=objective or Single(Goal("titre")),
        pending=observations.target.iloc[:0],
    )


def first_run(context: StrategyContext) -> ProposedRun:
    return STRATEGY.propose(context, BatchRequest(1), rng=np.random.default_rng(4)).runs[0]


def with_pseudo_results(context: StrategyContext, run: ProposedRun, n: int = 9) -> StrategyContext:
    """Return the campaign after ``n`` results at the run that are just as predicted.

    They take the uncertainty away and leave every expected value where it was.
    """
    observations = context.observations
    table = observations.target.assign(run=observations.runs)
    added = pd.concat([settings_of([run])] * n, ignore_index=True)
    added["run"] = [f"X{i}" for i in range(n)]
    for prediction in run.predictions:
        table[prediction.response] = observations.values(prediction.response)["value"].to_numpy()
        added[prediction.response] = prediction.mean
    both = Observations.from_frame(
        pd.concat([table, added], ignore_index=True), LINE, observations.responses
    )
    return context_with(both, context.objective, context.specifications)


def with_the_gain_elsewhere(context: StrategyContext, run: ProposedRun) -> StrategyContext:
    """Return the campaign with a far run that is known to give more than is predicted here.

    Too far to change any expected value at the recommended run: only its gain is gone.
    """
    observations = context.observations
    titre = observations.values("titre")["value"].to_numpy().copy()
    titre[-2] = run.predictions[0].mean + 0.3
    table = observations.target.assign(run=observations.runs, titre=titre)
    changed = Observations.from_frame(table, LINE, observations.responses)
    return context_with(changed, context.objective, options=SHARP)


def assert_another_choice(context: StrategyContext, before: ProposedRun) -> None:
    """Check that the run moved by more than two steps, or that its tag changed."""
    after = first_run(context)
    moved = float(distances(LINE, settings_of([after]), settings_of([before]))[0, 0])
    assert moved > 0.011 or after.reason.tag != before.reason.tag


def gap(seed: int) -> StrategyContext:
    """Two well-known ends and nothing between."""
    rng = np.random.default_rng(seed)
    feed = np.array([0.0, 0.5, 1.0, 9.0, 9.5, 10.0])
    return context_with(runs_of(feed=feed, titre=5 + 0.2 * rng.standard_normal(6)))


def top_between(seed: int, steepness: float) -> StrategyContext:
    """A top at feed 2 that its flanks give away, and far from it some dull runs."""
    rng = np.random.default_rng(seed)
    flanks = np.array([0.0, 0.5, 1.0, 1.5, 2.5, 3.0, 3.5, 4.0])
    titre = np.concatenate([8 - steepness * (flanks - 2) ** 2, [3.0, 3.2, 3.1]])
    feed = np.concatenate([flanks, [9.0, 9.5, 10.0]])
    observations = runs_of(feed=feed, titre=titre + 0.05 * rng.standard_normal(11))
    return context_with(observations, options=SHARP)


@pytest.mark.requirement("OPT-4")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_run_in_a_gap_explores_and_is_not_wanted_once_the_gap_is_known(seed):
    context = gap(seed)
    run = first_run(context)

    assert run.reason.tag == "explore"
    assert 2 < run.settings["feed"] < 8
    assert run.reason.parts["explore"] > 0.6
    assert "titre is uncertain here" in run.reason.sentence
    assert_another_choice(with_pseudo_results(context, run), run)


@pytest.mark.requirement("OPT-4")
@pytest.mark.parametrize("steepness", [2.0, 4.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_run_that_exploits_is_not_chosen_for_that_once_an_old_run_gives_as_much(seed, steepness):
    context = top_between(seed, steepness)
    run = first_run(context)

    assert run.settings["feed"] == pytest.approx(2.0, abs=0.2)
    assert run.reason.tag == "exploit"
    assert run.reason.parts["exploit"] > 0.5
    assert "the best so far" in run.reason.sentence
    assert_another_choice(with_the_gain_elsewhere(context, run), run)


@pytest.mark.requirement("OPT-4")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_run_that_serves_the_specification_moves_when_it_is_dropped(seed):
    """Titre rises with the feed and purity falls: only the limit keeps the feed low."""
    rng = np.random.default_rng(seed)
    feed = np.arange(0.0, 10.5, 1.0)
    titre = feed / 2 + 2 + 0.02 * rng.standard_normal(11)
    purity = 100 - feed + 0.05 * rng.standard_normal(11)
    observations = runs_of(feed=feed, titre=titre, purity=purity)
    context = context_with(observations, specifications=[Specification("purity", 96.0)])
    run = first_run(context)

    assert run.reason.tag == "feasibility"
    assert run.reason.parts["feasibility"] > 0.7
    assert "purity >= 96 %" in run.reason.sentence
    assert run.settings["feed"] < 5
    assert_another_choice(context_with(observations), run)


@pytest.mark.requirement("OPT-4")
def test_with_several_goals_each_cause_can_be_taken_away_as_well():
    feed = np.array([0.0, 0.5, 1.0, 4.0, 9.0, 9.5, 10.0])
    observations = runs_of(feed=feed, titre=4 + feed / 4, purity=98 - feed / 2)
    context = context_with(observations, Pareto((Goal("titre"), Goal("purity"))))
    run = first_run(context)

    assert run.reason.tag == "explore"
    assert "Pareto front" in run.reason.sentence
    assert_another_choice(with_pseudo_results(context, run), run)


@pytest.mark.requirement("OPT-4")
def test_with_a_probability_as_the_goal_each_cause_can_be_taken_away_as_well():
    feed = np.array([0.0, 1.0, 2.0, 3.0, 8.0, 9.0])
    observations = runs_of(feed=feed, titre=np.array([3.0, 4.0, 5.0, 6.2, 5.0, 4.0]))
    limits = [Specification("titre", 6.5)]
    context = context_with(observations, ProbabilityInSpecification(), limits)
    run = first_run(context)

    assert 3.0 < run.settings["feed"] < 8.0
    assert run.reason.tag == "explore"
    assert "expected gain in the probability of titre >= 6.5 g/L" in run.reason.sentence
    assert_another_choice(with_pseudo_results(context, run), run)


@pytest.mark.requirement("OPT-4")
def test_the_sentence_gives_the_numbers_of_the_prediction_and_of_the_best_run():
    context = top_between(1, 2.0)
    run = first_run(context)
    (prediction,) = run.predictions
    surrogate = context.surrogates["titre"]
    best = surrogate.predict(context.observations.target).mean.max()

    assert f"is {prediction.mean:.3g} g/L, against {best:.3g} g/L" in run.reason.sentence


def test_what_the_acquisition_reports_is_what_the_sentence_starts_from():
    run = first_run(gap(1))

    whole = float(run.reason.sentence.split("would fall from ")[1].split(" to ")[0])

    assert whole == pytest.approx(np.exp(run.acquisition), rel=0.03)


def test_knowing_a_response_leaves_its_mean_and_takes_all_of_its_variance():
    moments = Moments(
        torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
        torch.eye(2, dtype=torch.float64).expand(2, 2, 2).clone(),
    )

    known = moments.known([1])

    assert torch.equal(known.mean, moments.mean)
    assert torch.equal(known.covariance[0], moments.covariance[0])
    assert not known.covariance[1].any()


def test_the_shares_of_a_well_known_optimum_fall_only_with_its_gain():
    """A second response that the goal does not read is no cause of anything."""
    options = GPOptions(n_starts=1)
    feed = np.arange(0.0, 10.5, 1.0)
    waste = Response("waste")
    titre = 10 - 0.3 * (feed - 5.5) ** 2
    table = pd.DataFrame({"feed": feed, "titre": titre, "waste": np.sin(feed)})
    observations = Observations.from_frame(table, LINE, (TITRE, waste))
    both = {"titre": SCALES["titre"], "waste": options}

    run = first_run(context_with(observations, options=both))

    assert set(run.reason.parts) == {"explore", "exploit"}
    assert {p.response for p in run.predictions} == {"titre", "waste"}
