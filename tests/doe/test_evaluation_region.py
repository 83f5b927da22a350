"""The variance of predictions over the allowed region, and the fraction of design space."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from doe.constraints import LinearConstraint
from doe.designs import central_composite, full_factorial
from doe.errors import DesignError, InvalidValueError, TooFewRunsError
from doe.evaluation import evaluate, prediction_variance
from doe.evaluation.region import even_settings
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
)
from doe.space import FactorSpace
from doe.terms import interaction_terms, linear_terms, quadratic_terms

pytestmark = pytest.mark.requirement("DOE-10")

SQUARE = FactorSpace((ContinuousFactor("a", 0.0, 10.0), ContinuousFactor("b", 5.0, 6.0)))
CUT = FactorSpace(SQUARE.factors, (LinearConstraint({"a": 1.0, "b": 1.0}, upper=13.0),))
MIXTURE = FactorSpace(
    (MixtureComponent("a"), MixtureComponent("b", 0.0, 0.5), MixtureComponent("c"))
)


def test_the_fraction_of_design_space_of_a_two_level_factorial_is_known_in_closed_form():
    """Its variance is (1 + a^2 + b^2) / 4: within a circle of the square, pi r^2 / 4 of it."""
    evaluation = evaluate(full_factorial(SQUARE), "a + b", sd=2.0)

    for radius in (0.3, 0.6, 0.9, 1.0):
        share = evaluation.region.fraction_below((1 + radius**2) / 4)
        assert share == pytest.approx(np.pi * radius**2 / 4, abs=0.006)
    # 75 % is the largest round share whose circle the square does not cut.
    assert evaluation.prediction_sd(0.75) == pytest.approx(
        2.0 * np.sqrt((1 + 4 * 0.75 / np.pi) / 4), rel=2e-3
    )


def test_an_acceptable_half_width_is_held_where_t_times_the_sd_is_within_it():
    evaluation = evaluate(full_factorial(SQUARE, replicates=3), "a + b", sd=0.7, alpha=0.1)
    radius = 0.8
    half_width = stats.t.isf(0.05, 9) * 0.7 * np.sqrt((1 + radius**2) / 12)

    assert evaluation.fraction_within(half_width) == pytest.approx(np.pi * 0.64 / 4, abs=0.006)
    assert evaluation.fraction_within(100.0) == 1.0


def test_the_largest_variance_is_at_the_corners_and_gives_the_g_efficiency():
    """G of an orthogonal two-level design is 100 %: its worst prediction is p / n, at a corner."""
    space = FactorSpace(tuple(ContinuousFactor(f"x{i}", 0, 1) for i in range(5)))

    evaluation = evaluate(full_factorial(space), linear_terms(space))

    assert evaluation.efficiencies.largest_variance == pytest.approx(6 / 32)
    assert evaluation.efficiencies.g == pytest.approx(100.0)


def test_with_too_many_corners_to_list_those_next_to_the_settings_are_looked_at():
    space = FactorSpace(tuple(ContinuousFactor(f"x{i}", 0, 1) for i in range(14)))
    signs = np.random.default_rng(0).choice([0.0, 1.0], (64, 14))
    runs = pd.DataFrame(signs, columns=list(space.names))

    evaluation = evaluate(runs, linear_terms(space), space=space)

    # For main effects the variance is convex, so that the corners beat every inner setting.
    assert evaluation.region.largest > evaluation.region.variances.max() * 1.3


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None)
def test_even_settings_and_random_draws_agree_and_the_average_is_exact(seed):
    space = FactorSpace(
        (
            ContinuousFactor("a", 0.1, 10.0, scale="log"),
            DiscreteFactor("n", (1, 2, 4)),
            CategoricalFactor("resin", ("A", "B", "C")),
        )
    )
    runs = full_factorial(space, levels={"a": 3}).runs
    terms = interaction_terms(space)

    even = evaluate(runs, terms, space=space)
    drawn = evaluate(runs, terms, space=space, rng=np.random.default_rng(seed))

    assert even.efficiencies.average_variance == drawn.efficiencies.average_variance
    assert even.region.variances.mean() == pytest.approx(even.region.average, rel=0.005)
    assert drawn.region.variances.mean() == pytest.approx(even.region.average, rel=0.05)
    assert drawn.prediction_sd(0.8) == pytest.approx(even.prediction_sd(0.8), rel=0.05)


def test_a_region_cut_by_a_constraint_is_drawn_and_the_words_say_how_often():
    runs = CUT.sample(12, rng=np.random.default_rng(1))

    known = evaluate(runs, "a + b", space=CUT, rng=np.random.default_rng(2), n_draws=2000)
    unknown = evaluate(runs, "a + b", space=CUT)

    at = CUT.sample(20_000, rng=np.random.default_rng(3))
    variances = prediction_variance(runs, at, terms=linear_terms(CUT), space=CUT)
    assert known.efficiencies.average_variance == pytest.approx(variances.mean(), rel=0.05)
    assert known.region.average_from == "mean over 2000 random draws"
    assert known.region.largest >= known.region.variances.max()
    assert unknown.region is None
    assert unknown.efficiencies.g is None
    assert any("needs evaluate(..., rng=)" in words for words in unknown.sentences())
    with pytest.raises(DesignError, match=r"call evaluate with rng="):
        unknown.prediction_sd()


@pytest.mark.parametrize("n_draws", [2, 3, 1000, 1024])
def test_any_number_of_even_settings_is_allowed_and_inside(n_draws):
    even = even_settings(SQUARE, n_draws)

    assert len(even) == n_draws
    assert SQUARE.contains(even).all()
    assert even.equals(even_settings(SQUARE, n_draws))


def test_the_same_seed_draws_the_same_region():
    runs = MIXTURE.sample(12, rng=np.random.default_rng(1))

    one, two = (
        evaluate(runs, quadratic_terms(MIXTURE), space=MIXTURE, rng=np.random.default_rng(7))
        for _ in range(2)
    )

    np.testing.assert_array_equal(one.region.variances, two.region.variances)


def test_scheffes_quadratic_model_on_its_lattice_predicts_worst_at_the_vertices():
    """Cornell (2002), section 2.6: on the {3, 2} lattice the variance at each of its points is one.

    Between them it is less everywhere, so that the G efficiency is 100 %.
    """
    space = FactorSpace((MixtureComponent("a"), MixtureComponent("b"), MixtureComponent("c")))
    lattice = pd.DataFrame(
        [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)],
        columns=list("abc"),
        dtype=float,
    )

    evaluation = evaluate(
        lattice, quadratic_terms(space), space=space, rng=np.random.default_rng(5)
    )

    assert evaluation.efficiencies.largest_variance == pytest.approx(1.0, abs=1e-9)
    assert evaluation.efficiencies.g == pytest.approx(100.0, abs=1e-6)
    assert evaluation.degrees_of_freedom.residual == 0
    assert evaluation.least_power is None


def test_prediction_variance_is_that_of_the_function_of_this_name():
    design = central_composite(SQUARE, kind="face-centred")
    terms = quadratic_terms(SQUARE)
    at = SQUARE.sample(30, rng=np.random.default_rng(0))

    found = evaluate(design, terms).prediction_variance(at)

    expected = prediction_variance(design.runs, at, terms=terms, space=SQUARE)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_table_needs_its_space_runs_and_sensible_numbers():
    runs = full_factorial(SQUARE).runs

    with pytest.raises(DesignError, match="needs its factor space"):
        evaluate(runs, "a + b")
    with pytest.raises(TooFewRunsError, match="no run to evaluate"):
        evaluate(runs.head(0), "a + b", space=SQUARE)
    with pytest.raises(
        InvalidValueError, match="n_draws must be a whole number from 2 to 1,000,000"
    ):
        evaluate(runs, "a + b", space=SQUARE, n_draws=1)
    with pytest.raises(InvalidValueError, match=r"lack the factors \['b'\]"):
        evaluate(runs[["a"]], "a + b", space=SQUARE)
    evaluation = evaluate(runs, "a + b", space=SQUARE)
    with pytest.raises(InvalidValueError, match=r"write 0\.8 for 80 %"):
        evaluation.prediction_sd(80)
    with pytest.raises(InvalidValueError, match="half_width must be positive"):
        evaluation.fraction_within(0.0)


def test_a_mixture_is_covered_without_random_numbers():
    """The mean of a share over a simplex of three is 1/3, of a product of two 1/12 (Dirichlet)."""
    mixture = FactorSpace(
        tuple(MixtureComponent(name, 0.0, 100.0) for name in "abc"), mixture_total=100
    )

    even = even_settings(mixture, 2048)

    assert mixture.contains(even).all()
    shares = even.to_numpy() / 100
    np.testing.assert_allclose(shares.mean(axis=0), 1 / 3, atol=2e-3)
    assert (shares[:, 0] * shares[:, 1]).mean() == pytest.approx(1 / 12, rel=0.01)
    evaluation = evaluate(mixture.sample(12, rng=np.random.default_rng(1)), "linear", space=mixture)
    assert evaluation.region is not None
    assert evaluation.region.settings == "4096 Sobol points"


def test_a_mixture_keeps_to_its_bounds_when_it_is_covered():
    mixture = FactorSpace(
        (
            MixtureComponent("a", 0.1, 0.4),
            MixtureComponent("b", 0.0, 0.5),
            MixtureComponent("c", 0.2, 1.0),
        )
    )

    even = even_settings(mixture, 500)

    assert len(even) == 500
    assert mixture.contains(even).all()
    drawn = mixture.sample(4000, rng=np.random.default_rng(1))
    np.testing.assert_allclose(even.mean(), drawn.mean()[even.columns], atol=0.02)


def test_more_settings_than_anybody_needs_are_refused():
    with pytest.raises(InvalidValueError, match="from 2 to 1,000,000, got 1000000000"):
        evaluate(full_factorial(SQUARE), "a + b", n_draws=10**9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": None}, "alpha must be a number, got None"),
        ({"effect": "x"}, "effect must be a number, got 'x'"),
        ({"effect": 0}, "effect must be positive, got 0: give"),
        ({"rng": 5}, "rng must be a random generator, got 5"),
        ({"terms": None}, "The model is None"),
    ],
)
def test_arguments_of_a_wrong_kind_are_refused(options, message):
    with pytest.raises(InvalidValueError, match=message):
        evaluate(full_factorial(SQUARE), **{"terms": "a + b", **options})


def test_runs_are_a_design_or_a_table():
    with pytest.raises(InvalidValueError, match=r"The runs are \[1, 2\]; expected a design, or a"):
        evaluate([1, 2], "a + b", space=SQUARE)
