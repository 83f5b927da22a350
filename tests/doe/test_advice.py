"""Advice: designs for a goal within a budget, judged by what they can do and not by their name."""

import numpy as np
import pytest
from scipy import stats

from doe.advice import Advice, advise
from doe.advice.rules import LEAST_POWER, RULES, meets_rules
from doe.constraints import ForbiddenCombination, LinearConstraint
from doe.designs.optimal import RunCost
from doe.errors import DesignError, TooFewRunsError
from doe.evaluation import evaluate
from doe.factors import BlockFactor, CategoricalFactor, ContinuousFactor, MixtureComponent
from doe.space import FactorSpace
from doe.terms import linear_terms

CULTURE = FactorSpace(
    (
        ContinuousFactor("pH", 6.8, 7.4),
        ContinuousFactor("temperature", 31, 37, "degC"),
        ContinuousFactor("DO", 30, 70, "%"),
        ContinuousFactor("feed rate", 2, 8, "mL/h"),
        ContinuousFactor("seeding density", 0.3, 1.2, "1e6/mL"),
        ContinuousFactor("shift day", 3, 7, "d"),
    )
)
LIMITED = FactorSpace(
    (
        ContinuousFactor("a", 0, 1),
        ContinuousFactor("b", 0, 10, step=1),
        CategoricalFactor("resin", ("A", "B", "C")),
    ),
    (
        LinearConstraint({"a": 1, "b": 0.1}, upper=1.5),
        ForbiddenCombination({"resin": "C", "a": (0.5, None)}),
    ),
)
BLEND = FactorSpace(
    (
        MixtureComponent("glucose", 0.1, 0.7),
        MixtureComponent("peptone", 0.1, 0.8),
        MixtureComponent("salts", 0.0, 0.5),
    )
)
HARD = FactorSpace(
    (
        ContinuousFactor("temperature", 30, 37, "degC", change="hard"),
        ContinuousFactor("pH", 6.8, 7.4),
        ContinuousFactor("feed", 1, 5, "g/L"),
    )
)
BUDGETS = {"screen": 20, "characterise": 40, "optimise": 50, "robustness": 20}


def advice(space: FactorSpace, goal: str, budget: int, **options: object) -> Advice:
    return advise(space, goal, budget, rng=np.random.default_rng(1), **options)


@pytest.mark.requirement("DOE-13")
@pytest.mark.slow
@pytest.mark.parametrize("space", [CULTURE, LIMITED, BLEND, HARD], ids=lambda s: s.names[0])
@pytest.mark.parametrize("goal", list(BUDGETS))
def test_there_are_three_designs_for_any_goal_each_within_the_budget_and_allowed(space, goal):
    found = advice(space, goal, BUDGETS[goal])

    assert len(found.proposals) >= 3
    for proposal in found.proposals:
        assert proposal.n_runs <= BUDGETS[goal]
        assert space.contains(proposal.design.runs).all()
        assert proposal.cost == proposal.n_runs
        assert proposal.reason
        assert proposal.caution
        assert proposal.source


@pytest.mark.requirement("DOE-13", "DOE-10")
def test_the_numbers_of_the_table_are_those_of_an_evaluation_of_the_design():
    found = advice(CULTURE, "screen", 20, effect=3.0, sd=1.5)

    table = found.table().set_index("design")
    for proposal in found.proposals:
        again = evaluate(proposal.design, linear_terms(CULTURE), effect=3.0, sd=1.5)
        row = table.loc[proposal.name]
        assert row["least power"] == pytest.approx(again.least_power, abs=5e-4)
        assert row["largest VIF"] == pytest.approx(again.largest_vif, rel=1e-2)
        assert row["prediction SD at 80 %"] == pytest.approx(again.prediction_sd(0.8), rel=0.05)
        assert row["runs"] == len(proposal.design.runs)


@pytest.mark.requirement("DOE-13")
def test_a_design_whose_main_effects_carry_interactions_is_not_recommended_for_screening():
    """A Plackett-Burman design of 12 runs has interactions in its main effects, by thirds."""
    found = advice(CULTURE, "screen", 20)
    by_name = {proposal.name: proposal for proposal in found.proposals}

    clear = by_name["definitive screening"]
    partial = by_name["Plackett-Burman"]
    assert clear.main_effect_bias == pytest.approx(0.0, abs=1e-9)
    assert partial.main_effect_bias > 0.3
    assert not meets_rules(partial, "screen")
    assert found.proposals[0].main_effect_bias == pytest.approx(0.0, abs=1e-9)


@pytest.mark.requirement("DOE-13")
def test_adequate_designs_come_first_and_the_cheapest_of_them_before_the_others():
    found = advice(CULTURE, "characterise", 60)

    verdicts = [meets_rules(proposal, "characterise") for proposal in found.proposals]
    assert verdicts == sorted(verdicts, reverse=True)
    costs = [p.cost for p in found.proposals if meets_rules(p, "characterise")]
    assert costs == sorted(costs)
    assert found.proposals[0].least_power >= LEAST_POWER


@pytest.mark.requirement("DOE-13")
def test_power_too_low_in_every_design_is_said_and_nothing_is_called_adequate():
    found = advice(CULTURE, "screen", 14, effect=0.5, sd=1.0)

    assert not found.table()["meets the rules"].any()
    assert found.sentences()[0].startswith("No design within 14 runs meets the rules to screen")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sd": 0.0}, r"sd must be positive, got 0"),
        ({"effect": -1.0}, r"effect must be positive, got -1"),
        ({"run_cost": -3}, r"run_cost is -3; a run costs nothing or more"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(options, message):
    with pytest.raises(DesignError, match=message):
        advice(CULTURE, "screen", 20, **options)


@pytest.mark.requirement("DOE-13", "DOE-10")
def test_the_first_optimal_design_is_as_large_as_the_power_needs():
    """In 8 and in 12 runs, by scipy's noncentral F: a coefficient of one SD among five terms."""

    def power(n_runs: int) -> float:
        limit = stats.f.isf(0.05, 1, n_runs - 5)
        return float(stats.ncf.sf(limit, 1, n_runs - 5, n_runs))

    space = FactorSpace((*CULTURE.factors[:3], CategoricalFactor("medium", ("A", "B"))))
    found = {p.name: p for p in advice(space, "screen", 24).proposals}

    assert power(8) < LEAST_POWER <= power(12)
    assert found["D-optimal"].n_runs == 12
    assert found["D-optimal"].least_power == pytest.approx(power(12), abs=1e-6)
    assert found["D-optimal, larger"].n_runs > 12


@pytest.mark.requirement("DOE-7", "DOE-13")
def test_a_factor_that_is_hard_to_change_calls_for_a_split_plot():
    found = advice(HARD, "optimise", 30)

    best = found.proposals[0]
    assert best.design.whole_plots
    plots = best.design.blocks[best.design.whole_plots[0]]
    settings = best.design.runs["temperature"].groupby(list(plots)).nunique()
    assert (settings == 1).all()


def test_designs_that_do_not_fit_are_named_with_the_reason():
    found = advice(FactorSpace(CULTURE.factors[:4]), "optimise", 22)

    left_out = dict(found.left_out)
    assert left_out["Box-Behnken"] == "It has 27 runs, and the budget is 22."


def test_the_cost_of_runs_follows_their_settings():
    cost = RunCost(base=100.0, expression="10 * `shift day`")
    found = advice(CULTURE, "screen", 20, run_cost=cost)

    for proposal in found.proposals:
        days = proposal.design.runs["shift day"]
        assert proposal.cost == pytest.approx(100 * len(days) + 10 * days.sum())


def test_block_factors_are_pointed_out_when_no_design_is_divided_into_them():
    space = FactorSpace((*CULTURE.factors[:3], BlockFactor("day")))

    assert advice(space, "screen", 16).sentences()[-1].startswith("day is not in these designs")


@pytest.mark.slow
def test_the_same_seed_gives_the_same_advice():
    one, other = (advice(LIMITED, "robustness", 12) for _ in range(2))

    assert one.table().equals(other.table())
    assert all(a.design == b.design for a, b in zip(one.proposals, other.proposals, strict=True))


def test_every_rule_stands_with_its_source():
    assert all("(" in rule for rule in RULES)


@pytest.mark.parametrize(
    ("goal", "budget", "error", "message"),
    [
        ("improve", 20, DesignError, r"goal is 'improve'; expected one of screen, characterise"),
        ("screen", 7, TooFewRunsError, r"budget is 7 runs, .* need at least 8"),
        ("screen", 20.5, DesignError, r"budget must be a whole number of runs, got 20.5"),
        ("screen", True, DesignError, r"budget must be a whole number of runs, got True"),
    ],
)
def test_what_cannot_be_advised_on_is_refused(goal, budget, error, message):
    with pytest.raises(error, match=message):
        advice(CULTURE, goal, budget)
