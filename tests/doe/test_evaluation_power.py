"""Power: the noncentral F distribution, the size of an effect, and which error it meets."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from doe.designs import full_factorial
from doe.errors import InvalidValueError, UnknownNameError
from doe.evaluation import evaluate, power_of_f_test
from doe.evaluation.effects import extreme_rows
from doe.evaluation.power import least_noncentrality
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
)
from doe.space import FactorSpace
from doe.terms import interaction_terms, model_columns, model_matrix, parse_terms, quadratic_terms

pytestmark = pytest.mark.requirement("DOE-10")

MIXED = FactorSpace(
    (
        ContinuousFactor("pH", 6.0, 8.0),
        DiscreteFactor("shift", (3, 4, 7)),
        CategoricalFactor("resin", ("A", "B", "C")),
        ContinuousFactor("feed", 1, 100, scale="log"),
    )
)


def power_by_integration(noncentrality: float, df_effect: int, df_error: int, alpha: float):
    """Integrate over the error variance: the numerator is a noncentral chi-square."""
    critical = stats.f.isf(alpha, df_effect, df_error)

    def part(deviation: float) -> float:
        limit = critical * df_effect * deviation**2 / df_error
        return stats.ncx2.sf(limit, df_effect, noncentrality) * stats.chi.pdf(deviation, df_error)

    # In the deviation, not its square: the density is smooth down to one degree of freedom.
    ends = stats.chi.ppf([0.0, 1 - 1e-14], df_error)
    return integrate.quad(part, *ends, limit=200, epsabs=1e-9, epsrel=1e-9)[0]


@given(
    noncentrality=st.floats(0.01, 150.0),
    df_effect=st.integers(1, 6),
    df_error=st.integers(1, 40),
    alpha=st.sampled_from([0.01, 0.05, 0.1]),
)
@settings(max_examples=12, deadline=None)
def test_power_is_what_integration_over_the_error_gives(noncentrality, df_effect, df_error, alpha):
    found = power_of_f_test(noncentrality, df_effect, df_error, alpha=alpha)

    expected = power_by_integration(noncentrality, df_effect, df_error, alpha)
    assert found == pytest.approx(expected, abs=1e-7)


@given(df_effect=st.integers(1, 9), df_error=st.integers(1, 200), alpha=st.floats(0.001, 0.5))
@settings(max_examples=25)
def test_without_an_effect_the_test_finds_one_at_its_level(df_effect, df_error, alpha):
    assert power_of_f_test(0.0, df_effect, df_error, alpha=alpha) == pytest.approx(alpha, rel=1e-9)


@pytest.mark.parametrize("noncentrality", [1e3, 1e5, 1e7])
def test_a_huge_effect_is_found_for_sure(noncentrality):
    assert power_of_f_test(noncentrality, 1, 3) == pytest.approx(1.0, abs=1e-9)


@given(effects=st.tuples(st.floats(0.1, 5.0), st.floats(0.1, 5.0)))
@settings(max_examples=8, deadline=None)
def test_larger_effects_and_more_runs_are_found_more_often(effects):
    space = FactorSpace((ContinuousFactor("a", 0, 1), CategoricalFactor("b", ("x", "y", "z"))))
    small, large = sorted(effects)

    def powers(effect: float, replicates: int) -> np.ndarray:
        design = full_factorial(space, replicates=replicates)
        return evaluate(design, "a*b", effect=effect).terms_table()["power"].to_numpy()[1:]

    assert (powers(small, 2) <= powers(large, 2) + 1e-12).all()
    assert (powers(small, 2) <= powers(small, 3) + 1e-12).all()


@given(unit=st.sampled_from([1e-3, 0.25, 7.0, 1e4]), shift=st.sampled_from([-300.0, 0.0, 273.15]))
@settings(max_examples=12, deadline=None)
def test_power_and_inflation_depend_on_neither_the_units_of_factors_nor_of_the_response(
    unit, shift
):
    runs = pd.DataFrame({"a": [0.0, 1, 0, 1, 0.5, 0.2], "b": [0.0, 0, 1, 1, 0.5, 0.9]})
    space = FactorSpace((ContinuousFactor("a", 0, 1), ContinuousFactor("b", 0, 1)))
    other = FactorSpace(
        (ContinuousFactor("a", shift, shift + unit), ContinuousFactor("b", shift, shift + unit))
    )

    one = evaluate(runs, "a*b", space=space, effect=3.0, sd=1.5)
    two = evaluate(shift + runs * unit, "a*b", space=other, effect=3.0 * unit, sd=1.5 * unit)

    for column in ("standard error", "VIF", "power"):
        np.testing.assert_allclose(
            one.terms_table()[column], two.terms_table()[column], rtol=1e-6, equal_nan=True
        )
    assert one.efficiencies.d == pytest.approx(two.efficiencies.d, rel=1e-9)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=6, deadline=None)
def test_the_order_of_factors_and_runs_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    runs = MIXED.sample(45, rng=rng)
    turned = FactorSpace(tuple(MIXED.searched[place] for place in rng.permutation(4)))

    one = evaluate(runs, interaction_terms(MIXED), space=MIXED)
    other = evaluate(runs.sample(frac=1.0, random_state=1), interaction_terms(turned), space=turned)

    def by_factors(evaluation):
        return {
            frozenset(term.name.split(":")): (term.power, term.vif, term.standard_error)
            for term in evaluation.tested_terms
            if term.power is not None
        }

    found, expected = by_factors(other), by_factors(one)
    assert found.keys() == expected.keys()
    for key, numbers in expected.items():
        assert found[key] == pytest.approx(numbers, rel=1e-6)
    assert other.efficiencies.d == pytest.approx(one.efficiencies.d, rel=1e-8)


def test_an_effect_of_a_factor_is_its_change_from_low_to_high_and_of_a_square_from_the_middle():
    space = FactorSpace((ContinuousFactor("a", 10.0, 50.0), DiscreteFactor("n", (1, 2, 3))))

    def change(formula: str) -> float:
        terms = parse_terms(formula, space)
        return float(np.ptp(extreme_rows(model_columns(terms, space)[-1:], space)))

    assert change("a") == 2.0
    assert change("a:n") == 2.0
    assert change("I(a**2)") == 1.0
    assert change("I(n**3)") == 2.0


def test_the_power_of_a_one_way_layout_is_for_two_levels_apart_and_the_rest_between():
    """Kastenbaum, Hoel and Bowman (1970): noncentrality n effect^2 / (2 sd^2), n runs per level."""
    space = FactorSpace((CategoricalFactor("resin", ("A", "B", "C", "D")),))
    runs = pd.DataFrame({"resin": list("ABCD") * 5})

    evaluation = evaluate(runs, "resin", space=space, effect=3.0, sd=2.0)

    expected = power_by_integration(5 * 1.5**2 / 2, 3, 16, 0.05)
    assert evaluation.tested_terms[1].power == pytest.approx(expected, abs=1e-8)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None)
def test_no_other_way_to_make_the_same_difference_is_harder_to_find(seed):
    rng = np.random.default_rng(seed)
    terms = parse_terms("resin:pH - 1", MIXED)
    columns = model_columns(terms, MIXED)
    rows = extreme_rows(columns, MIXED)
    half = rng.normal(size=(4, 2))
    covariance = half.T @ half + 0.01 * np.eye(2)

    least = least_noncentrality(rows, covariance, 2.0)

    for coefficients in rng.normal(size=(50, 2)):
        scaled = coefficients * 2.0 / np.ptp(rows @ coefficients)
        assert scaled @ np.linalg.solve(covariance, scaled) >= least * (1 - 1e-9)


@pytest.mark.parametrize("formula", ["pH:feed", "I(pH**2):shift", "resin:pH", "I(shift**2)"])
def test_the_extremes_of_a_term_are_those_on_a_dense_grid(formula):
    grid = pd.DataFrame(
        list(itertools.product(np.linspace(6, 8, 21), (3, 4, 7), "ABC", np.geomspace(1, 100, 21))),
        columns=list(MIXED.names),
    )
    terms = parse_terms(f"{formula} - 1", MIXED)

    rows = extreme_rows(model_columns(terms, MIXED), MIXED)

    values = model_matrix(terms, grid, MIXED).to_numpy()
    np.testing.assert_allclose(rows.min(axis=0), values.min(axis=0), atol=1e-12)
    np.testing.assert_allclose(rows.max(axis=0), values.max(axis=0), atol=1e-12)


def test_the_extremes_of_a_blend_are_those_that_the_sum_of_the_mixture_allows():
    space = FactorSpace(
        (
            MixtureComponent("a", 0.1, 0.6),
            MixtureComponent("b", 0.0, 0.3),
            MixtureComponent("c", 0.2, 0.9),
        )
    )
    drawn = space.sample(4000, rng=np.random.default_rng(3))
    terms = parse_terms("a + a:b + a:c - 1", space)

    values = model_matrix(terms, drawn, space).to_numpy()

    for place, column in enumerate(model_columns(terms, space)):
        rows = extreme_rows([column], space)
        assert values[:, place].max() <= rows.max() + 1e-9
        assert values[:, place].max() == pytest.approx(rows.max(), abs=0.02)
        assert values[:, place].min() >= rows.min() - 1e-9


def test_scheffes_full_cubic_term_is_sized_over_the_simplex():
    """The largest a b (a - b) with a + b <= 1 is sqrt(3) / 18, at a = (3 + sqrt(3)) / 6."""
    space = FactorSpace((MixtureComponent("a"), MixtureComponent("b"), MixtureComponent("c")))
    terms = parse_terms("a:b:I(a - b) - 1", space)

    rows = extreme_rows(model_columns(terms, space), space)

    assert np.sort(rows.ravel()) == pytest.approx([-(3**0.5) / 18, 3**0.5 / 18], rel=0.01)


def test_a_term_that_computes_is_sized_by_its_values_over_the_range():
    space = FactorSpace((ContinuousFactor("a", 0.0, 2.0),))

    rows = extreme_rows(model_columns(parse_terms("exp(a) - 1", space), space), space)

    assert rows.ravel() == pytest.approx([np.exp(-1.0), np.exp(1.0)])


def test_effects_may_differ_by_term():
    space = FactorSpace((ContinuousFactor("a", 0, 1), ContinuousFactor("b", 0, 1)))
    runs = pd.DataFrame({"a": [0, 1, 0, 1] * 2, "b": [0, 0, 1, 1] * 2}, dtype=float)

    evaluation = evaluate(runs, "a + b", space=space, effect={"b": 4.0})

    table = evaluation.terms_table().set_index("term")
    assert table["effect"].tolist() == [2.0, 2.0, 4.0]
    assert table.loc["b", "power"] > table.loc["a", "power"]


def test_the_intercept_and_pure_blends_are_levels_and_no_effects():
    space = FactorSpace((MixtureComponent("a"), MixtureComponent("b")))
    runs = pd.DataFrame({"a": [0, 1, 0.5, 0.5, 0.25], "b": [1, 0, 0.5, 0.5, 0.75]})

    evaluation = evaluate(runs, quadratic_terms(space), space=space)

    powers = {term.name: term.power for term in evaluation.tested_terms}
    assert powers["a"] is None
    assert powers["b"] is None
    assert powers["a:b"] is not None


def test_impossible_questions_are_refused_with_what_to_do():
    space = FactorSpace((ContinuousFactor("a", 0, 1),))
    runs = pd.DataFrame({"a": [0.0, 1.0, 0.5]})

    with pytest.raises(InvalidValueError, match="sd must be positive, got 0"):
        evaluate(runs, "a", space=space, sd=0.0)
    with pytest.raises(InvalidValueError, match="effect must be positive, got -1 for 'a'"):
        evaluate(runs, "a", space=space, effect={"a": -1.0})
    with pytest.raises(UnknownNameError, match=r"effect names \['b'\]"):
        evaluate(runs, "a", space=space, effect={"b": 1.0})
    with pytest.raises(InvalidValueError, match="alpha must be between 0 and 1"):
        evaluate(runs, "a", space=space, alpha=5)
    with pytest.raises(InvalidValueError, match="needs degrees of freedom"):
        power_of_f_test(1.0, 1, 0)
    with pytest.raises(InvalidValueError, match="noncentrality must be zero or more"):
        power_of_f_test(-1.0, 1, 5)
