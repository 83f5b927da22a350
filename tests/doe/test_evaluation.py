import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.constraints import LinearConstraint
from doe.designs import central_composite, full_factorial
from doe.errors import DesignError, TooFewRunsError
from doe.evaluation import average_prediction_variance, d_efficiency, prediction_variance
from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor, MixtureComponent
from doe.space import FactorSpace
from doe.terms import interaction_terms, linear_terms, model_matrix, parse_terms, quadratic_terms


def continuous(n_factors: int) -> FactorSpace:
    return FactorSpace(tuple(ContinuousFactor(f"x{i}", 10.0, 30.0) for i in range(n_factors)))


MIXED = FactorSpace(
    (
        ContinuousFactor("pH", 6.0, 8.0),
        DiscreteFactor("shift", (3, 4, 7)),
        CategoricalFactor("resin", ("A", "B", "C")),
        ContinuousFactor("feed", 1, 100, scale="log"),
    )
)


@pytest.mark.parametrize("n_factors", [3, 12])
def test_a_two_level_factorial_is_fully_efficient_for_main_effects(n_factors):
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=n_factors)))

    assert d_efficiency(np.column_stack([np.ones(len(signs)), signs])) == pytest.approx(1.0)


def test_a_design_that_cannot_tell_terms_apart_has_no_efficiency():
    x = np.array([-1.0, -1.0, 1.0, 1.0])

    assert d_efficiency(np.column_stack([np.ones(4), x, 1e-7 * x])) == 0.0


def test_fewer_runs_than_terms_are_refused():
    with pytest.raises(TooFewRunsError, match="2 runs cannot estimate 3 terms"):
        d_efficiency(np.ones((2, 3)))


@given(seed=st.integers(0, 2**32 - 1), n_factors=st.integers(1, 4))
@settings(max_examples=20)
def test_efficiency_does_not_depend_on_the_order_of_factors_or_runs(seed, n_factors):
    rng = np.random.default_rng(seed)
    space = continuous(n_factors)
    runs = pd.DataFrame(rng.uniform(10, 30, (20, n_factors)), columns=list(space.names))
    order = rng.permutation(n_factors)
    turned = FactorSpace(tuple(space.searched[i] for i in order))

    one = model_matrix(quadratic_terms(space), runs, space).to_numpy()
    other = model_matrix(quadratic_terms(turned), runs.sample(frac=1, random_state=1), turned)

    assert d_efficiency(one) == pytest.approx(d_efficiency(other.to_numpy()), rel=1e-9)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_prediction_variance_at_the_runs_is_the_leverage_that_statsmodels_computes(seed):
    rng = np.random.default_rng(seed)
    coded = pd.DataFrame(
        {
            "pH": rng.uniform(-1, 1, 30),
            "shift": rng.choice([-1.0, -0.5, 1.0], 30),
            "resin": ["A", "B", "C"] * 10,
            "feed": rng.uniform(-1, 1, 30),
        }
    )
    runs = MIXED.to_natural(coded)
    terms = interaction_terms(MIXED)

    found = prediction_variance(runs, runs, terms=terms, space=MIXED)

    matrix = model_matrix(terms, runs, MIXED).to_numpy()
    leverage = sm.OLS(rng.normal(size=30), matrix).fit().get_influence().hat_matrix_diag
    np.testing.assert_allclose(found, leverage, rtol=1e-8, atol=1e-10)
    assert found.sum() == pytest.approx(matrix.shape[1])


@pytest.mark.parametrize("build", [linear_terms, interaction_terms, quadratic_terms])
def test_the_average_prediction_variance_is_the_integral_over_the_ranges(build):
    """Gauss-Legendre quadrature with five nodes is exact up to the ninth power."""
    runs = full_factorial(MIXED, levels={"pH": 3, "feed": 3}).runs
    nodes, weights = np.polynomial.legendre.leggauss(5)
    shifts = [-1.0, -0.5, 1.0]
    grid = list(itertools.product(range(5), shifts, "ABC", range(5)))
    at = MIXED.to_natural(
        pd.DataFrame(
            [(nodes[i], shift, resin, nodes[j]) for i, shift, resin, j in grid],
            columns=list(MIXED.names),
        )
    )
    mass = np.array([weights[i] * weights[j] / 36 for i, _, _, j in grid])
    terms = build(MIXED)

    variance = prediction_variance(runs, at, terms=terms, space=MIXED)

    average = average_prediction_variance(runs, terms=terms, space=MIXED)
    assert average == pytest.approx(float(mass @ variance), rel=1e-9)


@given(n_factors=st.integers(2, 5), radius=st.floats(0.1, 1.5), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
@pytest.mark.requirement("DOE-4")
def test_a_rotatable_design_is_equally_sure_in_every_direction(n_factors, radius, seed):
    """Box & Hunter (1957): prediction variance depends only on the distance from the centre."""
    space = continuous(n_factors)
    design = central_composite(space, kind="rotatable", axial="beyond")
    directions = np.random.default_rng(seed).normal(size=(50, n_factors))
    coded = radius * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    at = space.to_natural(pd.DataFrame(coded, columns=list(space.names)))

    variance = prediction_variance(design.runs, at, terms=quadratic_terms(space), space=space)

    np.testing.assert_allclose(variance, variance[0], rtol=1e-9)


def test_terms_that_runs_cannot_tell_apart_are_named():
    space = continuous(2)
    runs = pd.DataFrame({"x0": [10.0, 30.0, 10.0, 30.0], "x1": [10.0, 30.0, 10.0, 30.0]})

    with pytest.raises(DesignError, match=r"cannot tell x[01] apart"):
        prediction_variance(runs, runs, terms=linear_terms(space), space=space)


def test_an_average_without_a_closed_form_is_refused():
    constrained = FactorSpace(
        (ContinuousFactor("a", 0, 1), ContinuousFactor("b", 0, 1)),
        (LinearConstraint({"a": 1, "b": 1}, upper=1.5),),
    )
    mixture = FactorSpace((MixtureComponent("a"), MixtureComponent("b")))
    free = continuous(1)
    runs = pd.DataFrame({"x0": [10.0, 20.0, 30.0]})

    with pytest.raises(DesignError, match=r"constraints, such as a \+ b <= 1.5"):
        average_prediction_variance(runs, terms=linear_terms(constrained), space=constrained)
    with pytest.raises(DesignError, match=r"constraints, such as a \+ b = 1"):
        average_prediction_variance(runs, terms=linear_terms(mixture), space=mixture)
    with pytest.raises(DesignError, match=r"not 'exp\(x0\)'"):
        average_prediction_variance(runs, terms=parse_terms("exp(x0)", free), space=free)
