"""Forward, backward and stepwise selection, and the comparison of all models."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.errors import InvalidValueError, TooFewDataError
from doe.factors import BlockFactor, CategoricalFactor, ContinuousFactor, MixtureComponent
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from doe.terms import model_matrix, parse_terms
from surrogates.linear.model import fit_linear
from surrogates.linear.reports.statistics import fit_statistics
from surrogates.linear.screening.selection import select_terms
from surrogates.linear.screening.subsets import subsets_of
from surrogates.linear.term_formulas import parents, terms_from
from tests.surrogates.linear.screening_examples import coded_study, filtration, two_levels

pytestmark = pytest.mark.requirement("ANA-5")

WAYS = ["forward", "backward", "stepwise", "all"]


def surface(n_runs=30, noise=0.3, seed=0, order=(0, 1, 2)):
    """Return runs of a surface with A, B, A:B and A^2 active, factors listed in some order."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (n_runs, 3))
    values = 4 + 3 * points[:, 0] - 2 * points[:, 1] + 2.5 * points[:, 0] * points[:, 1]
    values = values - 3 * points[:, 0] ** 2 + noise * rng.standard_normal(n_runs)
    names = ["A", "B", "C"]
    return coded_study(points[:, list(order)], values, [names[i] for i in order])


def is_hierarchical(terms):
    present = set(terms.terms)
    return all(
        all(name in {t.name for t in present} for name in _parts(term))
        for term in present
        if term.order == 2
    )


def _parts(term):
    return [name for name, _ in term.powers]


@pytest.mark.parametrize("method", WAYS)
@pytest.mark.parametrize("criterion", ["p", "AICc", "BIC"])
def test_every_way_finds_strong_effects_and_keeps_to_hierarchy(method, criterion):
    model = fit_linear(surface(), "y")

    found = select_terms(model, method=method, criterion=criterion)

    assert {"A", "B", "A:B", "A^2"} <= set(found.terms.names)
    assert is_hierarchical(found.terms)
    assert found.model.terms == found.terms
    assert parse_terms(found.terms.formula, model.space) == found.terms
    assert found.steps
    assert any("too good" in note for note in found.notes)


def test_backward_selection_removes_the_largest_p_value_first_as_statsmodels_counts_it():
    observations = surface(seed=3)
    model = fit_linear(observations, "y")
    found = select_terms(model, method="backward", leave=0.05, hierarchy=False)

    matrix = model.matrix.copy()
    expected = []
    while True:
        fit = sm.OLS(model.values, matrix.to_numpy()).fit()
        p = dict(zip(matrix.columns, fit.pvalues, strict=True))
        p.pop("Intercept")
        worst = max(p, key=p.get)
        if p[worst] <= 0.05:
            break
        expected.append((worst, p[worst]))
        matrix = matrix.drop(columns=worst)
    removed = [(step.term, step.p) for step in found.steps if step.action == "removed"]
    assert [name for name, _ in removed] == [name for name, _ in expected]
    np.testing.assert_allclose([p for _, p in removed], [p for _, p in expected], rtol=1e-8)


def test_each_step_tells_the_f_of_its_term_and_the_criteria_of_the_model_after_it():
    found = select_terms(fit_linear(surface(seed=3), "y"), method="backward", leave=0.05)

    last = found.steps[-1]
    statistics = fit_statistics(found.model)
    assert last.aicc == pytest.approx(statistics.aicc, rel=1e-9)
    assert last.bic == pytest.approx(statistics.bic, rel=1e-9)
    assert last.r2 == pytest.approx(statistics.r2, rel=1e-9)
    assert last.residual_std == pytest.approx(found.model.residual_std, rel=1e-9)
    assert all(step.p is not None and step.p > 0.05 for step in found.steps[1:])
    table = found.table()
    assert table["action"].iloc[0] == "start"
    assert len(table) == len(found.steps)


@pytest.mark.parametrize("criterion", ["AICc", "BIC"])
def test_all_models_are_compared_as_brute_force_does(criterion):
    model = fit_linear(surface(n_runs=14, noise=2.0, seed=8), "y")
    found = select_terms(model, method="all", criterion=criterion)

    names = [name for name in model.terms.names if name != "Intercept"]
    best = {}
    for size in range(len(names) + 1):
        for chosen in combinations(names, size):
            terms = terms_from(
                [t for t in model.terms.terms if t.is_intercept or t.name in chosen], model.space
            )
            if not is_hierarchical(terms):
                continue
            statistics = fit_statistics(model.refit(terms))
            value = statistics.aicc if criterion == "AICc" else statistics.bic
            if value is not None:
                best[frozenset(chosen)] = value
    wanted = min(best, key=best.get)
    assert set(found.terms.names) - {"Intercept"} == wanted
    listed = [step.aicc if criterion == "AICc" else step.bic for step in found.steps]
    np.testing.assert_allclose(listed, sorted(best.values())[: len(listed)], rtol=1e-9)


def test_the_best_of_all_by_p_value_has_only_small_p_values_and_the_smallest_residual():
    model = fit_linear(filtration(), "y", "interaction")
    found = select_terms(model, method="all", criterion="p", leave=0.05)

    assert found.terms.names == ("Intercept", "A", "C", "D", "A:C", "A:D")


def test_hierarchy_can_be_left_out_and_is_on_record():
    points = two_levels(3).repeat(2, axis=0)
    noise = np.random.default_rng(1).normal(0, 0.1, 16)
    model = fit_linear(coded_study(points, 3 * points[:, 0] * points[:, 1] + noise), "y", "A*B*C")

    strict = select_terms(model, method="backward", leave=0.01)
    loose = select_terms(model, method="backward", leave=0.01, hierarchy=False)

    assert strict.terms.names == ("Intercept", "A", "B", "A:B")
    assert loose.terms.names == ("Intercept", "A:B")
    assert strict.keeps_hierarchy
    assert not loose.keeps_hierarchy
    assert "hierarchy not asked for" in loose.sentence()
    assert any("Hierarchy was not asked for" in note for note in loose.notes)


@pytest.mark.parametrize("method", WAYS)
def test_forced_terms_stay_with_what_they_build_on(method):
    model = fit_linear(surface(seed=2), "y")

    found = select_terms(model, method=method, forced=["A:C"])

    assert {"A", "C", "A:C"} <= set(found.terms.names)
    assert set(found.forced) == {"Intercept", "A", "C", "A:C"}
    assert all(step.term not in found.forced for step in found.steps if step.action == "removed")


def test_the_levels_of_a_category_come_and_go_together():
    rng = np.random.default_rng(4)
    space = FactorSpace(
        (
            ContinuousFactor("pH", 6, 8),
            CategoricalFactor("resin", ("A", "B", "C")),
            CategoricalFactor("salt", ("P", "Q", "R", "S")),
        )
    )
    table = space.sample(40, rng=rng)
    table["y"] = table["resin"].map({"A": 0, "B": 2, "C": 5}) + rng.normal(0, 0.5, 40)
    model = fit_linear(Observations.from_frame(table, space, (Response("y"),)), "y", "linear")

    found = select_terms(model, method="backward", leave=0.01)

    assert found.terms.names == ("Intercept", "resin")
    assert found.model.columns == ("Intercept", "resin[A]", "resin[B]")
    salt = next(step for step in found.steps if step.term == "salt")
    assert found.steps[salt.number - 1].n_coefficients - salt.n_coefficients == 3


def test_more_candidates_than_runs_can_be_searched_forward():
    points = np.random.default_rng(6).choice([-1.0, 0.0, 1.0], (12, 5))
    values = 5 * points[:, 0] + 4 * points[:, 1] + 3 * points[:, 0] * points[:, 1]
    values = values + np.random.default_rng(7).normal(0, 0.1, 12)
    model = fit_linear(coded_study(points, values), "y", "linear")

    found = select_terms(model, "quadratic", method="forward", criterion="BIC", forced=["A"])

    assert found.n_candidates > 12
    assert {"A", "B", "A:B"} <= set(found.terms.names)
    with pytest.raises(TooFewDataError, match="leave no degrees of freedom"):
        select_terms(model, "quadratic", method="backward")


@pytest.mark.parametrize("method", ["forward", "stepwise"])
@pytest.mark.parametrize("criterion", ["p", "BIC"])
def test_adding_stops_where_a_nearly_saturated_pool_would_fit_the_noise(method, criterion):
    """Pure noise on a saturated Plackett-Burman design: terms keep coming as the noise shrinks."""
    first = np.array([1 if sign == "+" else -1 for sign in "++--++++-+-+----++-"], dtype=float)
    points = np.vstack([*(np.roll(first, shift) for shift in range(19)), -np.ones(19)])
    for seed in range(8):
        values = np.random.default_rng(seed).standard_normal(20)
        model = fit_linear(coded_study(points, values), "y", "1")
        names = "+".join("ABCDEFGHJKLMNOPQRST")
        found = select_terms(model, names, method=method, criterion=criterion, enter=0.1)

        assert found.model.degrees >= 5
        assert "20 coefficients of 20 runs" in found.sentence()
        if found.stopped:
            assert found.model.degrees == 5
            assert "at least 5 are kept" in found.sentence()
        if len(found.terms.names) > 1:
            assert "is too small, since its terms were chosen" in found.sentence()


def test_blocks_stay_in_every_model():
    observations = surface(seed=5)
    table = observations.settings().assign(y=observations.values("y")["value"].to_numpy())
    table["day"] = ["1", "2", "3"] * 10
    table["y"] += table["day"].map({"1": 0.0, "2": 40.0, "3": -25.0})
    space = FactorSpace((*observations.space.factors, BlockFactor("day")))
    model = fit_linear(Observations.from_frame(table, space, (Response("y"),)), "y")

    found = select_terms(model, method="backward")

    assert {"A", "B", "A:B", "A^2"} <= set(found.terms.names)
    assert found.steps[0].n_coefficients == model.n_coefficients
    assert found.model.block_matrix.shape[1] == 2


def test_linear_blending_stays_in_a_mixture_model():
    rng = np.random.default_rng(8)
    space = FactorSpace(tuple(MixtureComponent(name) for name in ("oil", "water", "soap")))
    shares = rng.dirichlet(np.ones(3), 20)
    table = pd.DataFrame(shares, columns=["oil", "water", "soap"])
    table["y"] = 5 + 20 * shares[:, 0] * shares[:, 1] + rng.normal(0, 0.2, 20)
    observations = Observations.from_frame(table, space, (Response("y"),))

    found = select_terms(fit_linear(observations, "y"), method="backward")

    assert found.terms.names == ("oil", "water", "soap", "oil:water")
    assert set(found.forced) == {"oil", "water", "soap"}


def test_weights_decide_as_they_do_in_the_fit():
    observations = surface(seed=9, noise=1.0)
    weights = np.random.default_rng(10).uniform(0.2, 5, 30)
    model = fit_linear(observations, "y", weights=list(weights))

    found = select_terms(model, method="backward", criterion="BIC")

    assert found.steps[-1].bic == pytest.approx(fit_statistics(found.model).bic, rel=1e-9)


@given(
    order=st.permutations([0, 1, 2]),
    seed=st.integers(0, 20),
    method=st.sampled_from(WAYS),
    criterion=st.sampled_from(["p", "AICc", "BIC"]),
)
@settings(max_examples=20, deadline=None)
def test_the_choice_does_not_depend_on_the_order_of_the_factors(order, seed, method, criterion):
    one = select_terms(
        fit_linear(surface(noise=1.5, seed=seed), "y"), method=method, criterion=criterion
    )
    other = select_terms(
        fit_linear(surface(noise=1.5, seed=seed, order=order), "y"),
        method=method,
        criterion=criterion,
    )

    def plain(selection):
        return {frozenset(term.powers) for term in selection.terms.terms}

    assert plain(one) == plain(other)


def test_ties_are_decided_by_order_and_name():
    """All interactions of a symmetric response are equal: the first in the alphabet comes in."""
    points = two_levels(3)
    values = points.sum(axis=1) + np.array([0.3, 0, 0, 0, 0, 0, 0, 0.3])
    for names in (["A", "B", "C"], ["C", "B", "A"]):
        model = fit_linear(coded_study(points, values, names), "y", "linear")
        found = select_terms(model, method="forward", criterion="p", enter=1.0)
        assert [step.term for step in found.steps[1:]] == ["A", "B", "C"]


def test_residual_squares_of_subsets_are_those_of_separate_fits():
    model = fit_linear(surface(seed=11), "y")
    always = [term for term in model.terms.terms if term.is_intercept]
    subsets = subsets_of(model, model.terms, always)
    rng = np.random.default_rng(12)
    tried = [tuple(t for t in subsets.terms if rng.random() < 0.5) for _ in range(20)]

    found = subsets.rss(tried)

    for chosen, rss in zip(tried, found, strict=True):
        matrix = model_matrix(
            terms_from([*always, *chosen], model.space), model.rows.settings, model.space
        )
        assert rss == pytest.approx(sm.OLS(model.values, matrix.to_numpy()).fit().ssr, rel=1e-10)


def test_a_term_builds_on_those_one_power_smaller():
    space = FactorSpace(tuple(ContinuousFactor(name, -1, 1) for name in "AB"))
    terms = parse_terms("A + B + A:B + I(A**2) + I(A**2):B + I(A**3)", space)
    by_name = {term.name: term for term in terms.terms}

    def names(term):
        return {parent.name for parent in parents(by_name[term], terms.terms)}

    assert names("A:B") == {"A", "B"}
    assert names("A^2:B") == {"A:B", "A^2"}
    assert names("A^3") == {"A^2"}
    assert names("A") == set()
    assert parents(by_name["A^3"], [by_name["A"]]) == (by_name["A"],)


def test_bad_requests_are_refused_in_words():
    model = fit_linear(filtration(), "y", "interaction")
    for options, words in [
        ({"method": "magic"}, "method is 'magic'"),
        ({"criterion": "R2"}, "criterion is 'R2'"),
        ({"leave": 0.0}, "leave is 0"),
        ({"method": "stepwise", "enter": 0.2}, "come and go for ever"),
        ({"forced": ["Z"]}, "'Z' is not one of the terms"),
        ({"method": "all", "max_models": 10}, "max_models=10"),
    ]:
        with pytest.raises(InvalidValueError, match=words):
            select_terms(model, **options)
