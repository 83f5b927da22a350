"""Campaigns that cannot be learned from, or ask for what does not exist: a message, not a crash."""

import numpy as np
import pandas as pd
import pytest

from campaigns.recommending.bayesian import BayesianStrategy
from campaigns.recommending.search import Effort
from campaigns.recommending.strategy import BatchRequest, StrategyContext
from doe.errors import InvalidValueError, TooFewDataError, UnknownNameError
from doe.factors import ContinuousFactor
from doe.responses import Goal, Pareto, Response, Single, Specification
from doe.runs import Observations
from doe.space import FactorSpace
from tests.campaigns.recommending.examples import (
    PURITY,
    SQUARE,
    TITRE,
    context_of,
    hill,
    known_scales,
    settings_of,
    study,
)

STRATEGY = BayesianStrategy(Effort(n_draws=64, n_raw=64, n_starts=2, n_iterations=20))
KNOWN = known_scales(length={"pH": 0.5, "feed": 3.0}, signal=3.0, noise=0.3, mean=5.0)


def propose(context, n_runs=2, **request):
    return STRATEGY.propose(context, BatchRequest(n_runs, **request), rng=np.random.default_rng(3))


def without_results(n_runs: int) -> StrategyContext:
    drawn = study(SQUARE, {"titre": hill}, n_runs=max(n_runs, 1))
    runs = drawn.target.iloc[:n_runs]
    empty = Observations(
        SQUARE, (TITRE,), runs, drawn.actual.iloc[:n_runs], drawn.recorded.iloc[:n_runs], ()
    )
    return StrategyContext(empty, None, (), Single(Goal("titre")), runs.iloc[:0])


@pytest.mark.requirement("OPT-5")
def test_without_any_run_it_says_which_runs_to_do_first():
    with pytest.raises(TooFewDataError, match=r"no runs.*about 6 runs.*latin_hypercube"):
        propose(without_results(0))


@pytest.mark.requirement("OPT-5")
def test_when_every_run_failed_it_says_so():
    with pytest.raises(TooFewDataError, match="4 runs without a result"):
        propose(without_results(4))


@pytest.mark.requirement("OPT-5")
def test_a_response_that_never_changes_is_named_with_its_value():
    observations = study(SQUARE, {"titre": lambda s: np.full(len(s), 2.5)}, n_runs=6, noise=0.0)
    context = context_of(study(SQUARE, {"titre": hill}, n_runs=6))
    context = StrategyContext(
        observations, context.surrogates, (), context.objective, context.pending
    )

    with pytest.raises(TooFewDataError, match=r"'titre' is 2.5 g/L on all 6 results"):
        propose(context)


@pytest.mark.requirement("OPT-5")
def test_three_runs_are_enough_for_a_first_batch():
    context = context_of(study(SQUARE, {"titre": hill}, n_runs=3), options=KNOWN)

    settings = settings_of(propose(context, 3).runs)

    assert SQUARE.contains(settings).all()
    assert len(settings.drop_duplicates()) == 3


@pytest.mark.requirement("OPT-5")
def test_more_factors_than_runs_are_no_hindrance():
    space = FactorSpace(tuple(ContinuousFactor(f"x{i}", 0, 1, step=0.01) for i in range(12)))
    context = context_of(
        study(space, {"titre": lambda s: s["x0"].to_numpy() * 3}, n_runs=6, noise=0.05)
    )

    assert len(propose(context, 2).runs) == 2


@pytest.mark.requirement("OPT-5")
def test_the_same_setting_many_times_over_is_no_hindrance():
    settings = pd.concat([SQUARE.sample(4, rng=np.random.default_rng(1))] * 4, ignore_index=True)
    context = context_of(study(SQUARE, {"titre": hill}, settings=settings, noise=0.3))

    assert len(propose(context, 2).runs) == 2


@pytest.mark.requirement("OPT-5")
def test_an_outlier_of_a_hundred_standard_deviations_is_no_hindrance():
    def spoilt(settings):
        titre = hill(settings)
        titre[3] += 100 * titre.std()
        return titre

    context = context_of(study(SQUARE, {"titre": spoilt}, n_runs=12))

    settings = settings_of(propose(context, 2).runs)

    assert SQUARE.contains(settings).all()


@pytest.mark.requirement("OPT-5")
def test_a_response_that_some_runs_lack_is_learned_from_the_others():
    complete = study(
        SQUARE, {"titre": hill, "purity": lambda s: 90 + hill(s)}, (TITRE, PURITY), n_runs=12
    )
    measured = tuple(
        m for m in complete.measurements if m.response == "titre" or int(m.run[1:]) <= 6
    )
    observations = Observations(
        SQUARE, (TITRE, PURITY), complete.target, complete.actual, complete.recorded, measured
    )
    context = context_of(observations, specifications=[Specification("purity", 95.0)])

    assert len(propose(context, 2).runs) == 2


def test_runs_outside_the_factor_space_inform_but_are_not_what_is_to_be_beaten():
    observations = study(SQUARE, {"titre": hill}, n_runs=12)
    low = FactorSpace(
        (
            ContinuousFactor("pH", 6.0, 7.0, step=0.02),
            ContinuousFactor("feed", 0, 10, "mL/h", step=0.1),
        )
    )
    table = observations.target.assign(
        run=observations.runs, titre=observations.values("titre")["value"].to_numpy()
    )
    context = context_of(Observations.from_frame(table, low, (TITRE,)))
    outside = int((observations.target["pH"] > 7.0).sum())

    proposal = propose(context, 1)

    assert f"{outside} earlier runs" in proposal.notes[0]
    assert proposal.runs[0].settings["pH"] <= 7.0
    assert proposal.runs[0].settings["pH"] > 6.8
    assert proposal.runs[0].acquisition > -20


@pytest.mark.parametrize(
    ("objective", "specifications", "error", "message"),
    [
        (Single(Goal("yield")), (), UnknownNameError, "The objective names 'yield'"),
        (None, (Specification("yield", 1.0),), UnknownNameError, "A specification names 'yield'"),
        (Single(Goal("colour")), (), TooFewDataError, r"No surrogate predicts \['colour'\]"),
        (Pareto(tuple(map(Goal, "abcde"))), (), UnknownNameError, "The objective names 'a'"),
    ],
)
def test_an_objective_that_nothing_is_known_about_is_refused(
    objective, specifications, error, message
):
    nothing = {"colour": lambda s: np.full(len(s), np.nan)}
    responses = (TITRE, Response("colour"))
    observations = study(SQUARE, {"titre": hill, **nothing}, responses, n_runs=8)
    learned = context_of(study(SQUARE, {"titre": hill}, n_runs=8))
    context = StrategyContext(
        observations,
        learned.surrogates,
        specifications,
        objective or learned.objective,
        learned.pending,
    )

    with pytest.raises(error, match=message):
        propose(context)


def test_surrogates_of_another_factor_space_are_refused():
    other = FactorSpace((ContinuousFactor("pH", 6.0, 7.5), ContinuousFactor("feed", 0, 10)))
    observations = study(other, {"titre": hill}, n_runs=8)
    learned = context_of(study(SQUARE, {"titre": hill}, n_runs=8))
    context = StrategyContext(
        observations, learned.surrogates, (), learned.objective, learned.pending
    )

    with pytest.raises(InvalidValueError, match="fit them again"):
        propose(context)
