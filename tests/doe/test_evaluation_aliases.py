"""What runs can and cannot tell apart, and how effects left out land on those in the model."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.outliers_influence import variance_inflation_factor

from doe.designs import fractional_factorial, full_factorial
from doe.errors import DesignError
from doe.evaluation import evaluate
from doe.factors import CategoricalFactor, ContinuousFactor, MixtureComponent
from doe.space import FactorSpace
from doe.terms import interaction_terms, linear_terms, model_matrix, parse_terms, quadratic_terms

pytestmark = pytest.mark.requirement("DOE-10")


def coded(n_factors: int) -> FactorSpace:
    return FactorSpace(
        tuple(ContinuousFactor(name, -1.0, 1.0) for name in "ABCDEFGHJK"[:n_factors])
    )


def definitive_screening_6() -> pd.DataFrame:
    """Jones and Nachtsheim (2011): a conference matrix of order 6, its mirror image, a centre."""
    core = np.array(
        [
            [0, 1, 1, 1, 1, 1],
            [1, 0, 1, -1, -1, 1],
            [1, 1, 0, 1, -1, -1],
            [1, -1, 1, 0, 1, -1],
            [1, -1, -1, 1, 0, 1],
            [1, 1, -1, -1, 1, 0],
        ],
        dtype=float,
    )
    assert np.array_equal(core @ core.T, 5 * np.eye(6))
    return pd.DataFrame(np.vstack([core, -core, np.zeros((1, 6))]), columns=list("ABCDEF"))


@pytest.mark.requirement("DOE-3")
def test_definitive_screening_correlates_squares_a_little_and_main_effects_with_nothing():
    """Reference case 8: |r| between centred squares .1333, main effects clear of all else."""
    space = coded(6)
    evaluation = evaluate(definitive_screening_6(), linear_terms(space), space=space)

    table = evaluation.correlations(evaluation.left_out())

    mains, squares = list("ABCDEF"), [f"{name}^2" for name in "ABCDEF"]
    others = [name for name in table.columns if name not in mains]
    assert len(others) == 15 + 6
    assert table.loc[mains, others].to_numpy().max() == 0.0
    np.testing.assert_allclose(table.loc[mains, mains], np.eye(6), atol=1e-12)
    between = table.loc[squares, squares].to_numpy()[~np.eye(6, dtype=bool)]
    np.testing.assert_allclose(between, 2 / 15, atol=1e-12)
    assert evaluation.n_centre_points == 1


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_the_alias_matrix_is_the_regression_of_what_is_left_out_on_the_model(seed):
    rng = np.random.default_rng(seed)
    space = coded(3)
    runs = space.sample(12, rng=rng)
    left_out = parse_terms("A:B + A:C + B:C + I(A**2) - 1", space)

    found = evaluate(runs, linear_terms(space), space=space).alias_matrix(left_out)

    model = model_matrix(linear_terms(space), runs, space).to_numpy()
    others = model_matrix(left_out, runs, space).to_numpy()
    expected = np.linalg.lstsq(model, others, rcond=None)[0]
    np.testing.assert_allclose(found, expected, atol=1e-9)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_inflation_is_what_statsmodels_computes(seed):
    rng = np.random.default_rng(seed)
    space = coded(3)
    runs = space.sample(25, rng=rng)
    terms = quadratic_terms(space)

    found = evaluate(runs, terms, space=space).coefficients_table()["VIF"].iloc[1:]

    matrix = model_matrix(terms, runs, space).to_numpy()
    expected = [variance_inflation_factor(matrix, place) for place in range(1, 10)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_inflation_of_levels_does_not_depend_on_their_coding():
    """Fox and Monette (1992): 1 for an orthogonal factor, though its coded columns correlate."""
    space = FactorSpace((CategoricalFactor("resin", ("A", "B", "C")), ContinuousFactor("x", 0, 1)))
    turned = FactorSpace((CategoricalFactor("resin", ("C", "A", "B")), ContinuousFactor("x", 0, 1)))
    orthogonal = evaluate(full_factorial(space), linear_terms(space))
    runs = space.sample(15, rng=np.random.default_rng(4))

    assert [term.vif for term in orthogonal.tested_terms[1:]] == pytest.approx([1.0, 1.0])
    assert orthogonal.coefficients[1].vif == pytest.approx(4 / 3)
    one = [t.vif for t in evaluate(runs, interaction_terms(space), space=space).tested_terms[1:]]
    other = [
        t.vif for t in evaluate(runs, interaction_terms(turned), space=turned).tested_terms[1:]
    ]
    assert one[:2] == pytest.approx(other[:2], rel=1e-6)


@given(seed=st.integers(0, 2**32 - 1), n_factors=st.integers(2, 4))
@settings(max_examples=10, deadline=None)
def test_leverages_lie_between_zero_and_one_and_add_up_to_what_is_estimated(seed, n_factors):
    space = coded(n_factors)
    runs = space.sample(9, rng=np.random.default_rng(seed))

    evaluation = evaluate(runs, quadratic_terms(space), space=space)

    matrix = model_matrix(quadratic_terms(space), runs, space).to_numpy()
    assert evaluation.leverage.min() >= -1e-9
    assert evaluation.leverage.max() <= 1 + 1e-9
    assert evaluation.leverage.sum() == pytest.approx(np.linalg.matrix_rank(matrix))


def test_a_half_fraction_names_each_interaction_with_the_one_it_cannot_be_told_from():
    design = fractional_factorial(coded(4), generators=["D = ABC"])

    evaluation = evaluate(design, interaction_terms(design.space))

    aliases = {t.name: t.aliased_with for t in evaluation.tested_terms if not t.is_estimable}
    assert aliases == {
        "A:B": ("C:D",),
        "C:D": ("A:B",),
        "A:C": ("B:D",),
        "B:D": ("A:C",),
        "A:D": ("B:C",),
        "B:C": ("A:D",),
    }
    mains = [term for term in evaluation.tested_terms if term.is_estimable]
    assert [term.standard_error for term in mains] == pytest.approx([8**-0.5] * 5)
    assert evaluation.efficiencies.d == evaluation.efficiencies.a == evaluation.efficiencies.g == 0
    assert evaluation.condition_number == np.inf
    assert evaluation.largest_vif is None
    assert evaluation.region is None


def test_aliased_terms_do_not_spoil_the_power_of_the_others():
    design = fractional_factorial(coded(4), generators=["D = ABC"], replicates=2)

    partly = evaluate(design, interaction_terms(design.space)).terms_table().set_index("term")
    reduced = evaluate(design, "A + B + C + D + A:B + A:C + B:C").terms_table().set_index("term")

    assert partly.loc[list("ABCD"), "power"].tolist() == pytest.approx(
        reduced.loc[list("ABCD"), "power"].tolist()
    )
    assert partly.loc["A:B", ["power", "VIF", "standard error"]].isna().all()


def test_a_supersaturated_design_is_evaluated_as_far_as_it_goes():
    """Six runs, ten factors: nothing can be estimated, yet correlations and aliases are there."""
    rng = np.random.default_rng(0)
    space = coded(10)
    half = [
        [1.0 if place in chosen else -1.0 for place in range(6)]
        for chosen in itertools.combinations(range(6), 3)
        if 0 in chosen
    ]
    runs = pd.DataFrame(np.array(half)[rng.permutation(10)].T, columns=list(space.names))

    evaluation = evaluate(runs, linear_terms(space), space=space)

    assert len(evaluation.not_estimable) == 10
    assert evaluation.terms_table()["power"].isna().all()
    off = evaluation.correlations().to_numpy()[~np.eye(10, dtype=bool)]
    np.testing.assert_allclose(np.unique(np.round(off, 9)), [1 / 3])
    assert evaluation.degrees_of_freedom.model == 5
    assert evaluation.degrees_of_freedom.residual == 0
    assert evaluation.leverage == pytest.approx(np.ones(6))
    shares = evaluation.alias_matrix("A:B - 1")
    assert np.isfinite(shares.loc["Intercept", "A:B"])
    assert shares.drop(index="Intercept")["A:B"].isna().all()
    assert evaluation.efficiencies.d == 0.0


def test_a_factor_that_does_not_vary_is_said_not_to():
    space = coded(2)
    runs = pd.DataFrame({"A": [-1.0, 1.0, -1.0, 1.0], "B": [0.0, 0.0, 0.0, 0.0]})

    evaluation = evaluate(runs, "A + B", space=space)

    assert evaluation.not_estimable == ("B",)
    assert any("B (does not vary in these runs)" in words for words in evaluation.sentences())
    assert np.isnan(evaluation.correlations().loc["B", "B"])


def test_what_the_model_leaves_out_is_of_the_next_order():
    space = coded(3)
    design = full_factorial(space)

    assert set(evaluate(design, linear_terms(space)).left_out().names) == {
        *("A:B", "A:C", "B:C", "A^2", "B^2", "C^2")
    }
    assert evaluate(design, quadratic_terms(space)).left_out().names == ("A:B:C",)
    mixture = FactorSpace((MixtureComponent("a"), MixtureComponent("b"), MixtureComponent("c")))
    runs = mixture.sample(8, rng=np.random.default_rng(0))
    evaluation = evaluate(runs, quadratic_terms(mixture), space=mixture)
    assert evaluation.left_out().names == ("a:b:c",)
    with pytest.raises(DesignError, match="holds every effect up to the third order"):
        evaluate(design, "A*B*C + I(A**2) + I(B**2) + I(C**2)").alias_matrix()


def test_a_term_named_twice_is_shown_once():
    space = coded(2)

    table = evaluate(full_factorial(space), "A + B").correlations(parse_terms("A + A:B", space))

    assert list(table.columns) == ["A", "B", "A:B"]
    np.testing.assert_allclose(table, np.eye(3), atol=1e-12)


def test_achieved_settings_are_evaluated_as_they_are():
    """Runs off their targets lose a little of everything, and repeats are repeats no more."""
    space = coded(2)
    target = full_factorial(space, replicates=2).runs
    achieved = target + np.random.default_rng(1).normal(0.0, 0.05, target.shape)

    planned = evaluate(target, "A*B", space=space)
    done = evaluate(achieved, "A*B", space=space)

    assert planned.degrees_of_freedom.pure_error == 4
    assert done.degrees_of_freedom.pure_error == 0
    assert done.largest_vif > planned.largest_vif == pytest.approx(1.0)
    assert done.efficiencies.d == pytest.approx(planned.efficiencies.d, rel=0.1)
