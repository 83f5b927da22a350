"""Sampled settings are allowed, on steps, and spread evenly over the allowed region.

Distributions are compared with exact ones at fixed seeds; a test fails below p = 0.001.
"""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

from doe.constraints import (
    CardinalityConstraint,
    ExpressionConstraint,
    ForbiddenCombination,
    LinearConstraint,
)
from doe.errors import InvalidValueError
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
)
from doe.space import FactorSpace
from tests.doe.strategies import spaces_with_setting

P_MIN = 0.001


def rng(seed: int = 2026) -> np.random.Generator:
    return np.random.default_rng(seed)


def box(n: int, *constraints, **options) -> FactorSpace:
    return FactorSpace(
        tuple(ContinuousFactor(f"x{i}", 0, 1, **options) for i in range(n)), constraints
    )


def total(n: int, **ends: float) -> LinearConstraint:
    return LinearConstraint({f"x{i}": 1.0 for i in range(n)}, **ends)


@pytest.mark.requirement("DOE-6", "OPT-3")
@settings(max_examples=30)
@given(spaces_with_setting())
def test_every_sampled_setting_is_allowed_and_can_be_set(pair):
    space, _ = pair

    sample = space.sample(5, rng=rng())

    assert list(sample.columns) == list(space.names)
    assert space.contains(sample).all(), space.faults(sample)
    assert space.on_steps(sample).all()


@settings(max_examples=10)
@given(spaces_with_setting())
def test_equal_seeds_give_equal_samples(pair):
    space, _ = pair

    assert space.sample(4, rng=rng(1)).equals(space.sample(4, rng=rng(1)))


@pytest.mark.parametrize("n", [2, 3, 6, 12])
def test_shares_of_a_whole_mixture_follow_the_even_dirichlet_distribution(n):
    """Dirichlet(1, ..., 1): each share is Beta(1, n - 1), with known variance and covariance."""
    space = FactorSpace(tuple(MixtureComponent(f"c{i}") for i in range(n)))

    shares = space.sample(4000, rng=rng()).to_numpy()

    assert all(stats.kstest(column, stats.beta(1, n - 1).cdf).pvalue > P_MIN for column in shares.T)
    exact = (np.eye(n) * n - 1) / (n**2 * (n + 1))
    measured = np.cov(shares.T)
    np.testing.assert_allclose(measured, exact, atol=0.15 * exact[0, 0])
    assert np.trace(measured) == pytest.approx(np.trace(exact), rel=0.04)


def test_a_triangle_with_lower_bounds_is_a_smaller_triangle():
    """Pseudo-components: what is left above the lower bounds is an even Dirichlet again."""
    low = np.array([0.1, 0.3, 0.2])
    space = FactorSpace(
        tuple(MixtureComponent(name, value) for name, value in zip("abc", low, strict=True))
    )

    above = (space.sample(4000, rng=rng()).to_numpy() - low) / 0.4

    assert all(stats.kstest(column, stats.beta(1, 2).cdf).pvalue > P_MIN for column in above.T)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_box_without_constraints_is_filled_evenly(n):
    sample = box(n).sample(4000, rng=rng()).to_numpy()

    assert all(stats.kstest(column, "uniform").pvalue > P_MIN for column in sample.T)


@pytest.mark.parametrize("n", [2, 6, 10])
def test_the_corner_of_a_box_is_filled_evenly(n):
    """Below the sum of one, each coordinate is Beta(1, n) with mean 1 / (n + 1)."""
    sample = box(n, total(n, upper=1)).sample(4000, rng=rng()).to_numpy()

    assert all(stats.kstest(column, stats.beta(1, n).cdf).pvalue > P_MIN for column in sample.T)


def test_a_square_cut_in_half_has_the_centroid_of_a_triangle():
    sample = box(2, total(2, lower=1)).sample(6000, rng=rng())

    standard_error = np.sqrt(1 / 18 / 6000)
    np.testing.assert_allclose(sample.mean(), [2 / 3, 2 / 3], atol=4 * standard_error)


def test_a_band_of_very_different_widths_is_filled_evenly():
    """Amounts in mol/L beside a temperature: no direction is lost to the scale."""
    space = FactorSpace(
        (ContinuousFactor("a", 0, 1e-9), ContinuousFactor("b", 0, 1e6)),
        (LinearConstraint({"a": 1e15, "b": 1}, upper=1e6),),
    )

    sample = space.sample(4000, rng=rng())

    assert stats.kstest(sample["a"] / 1e-9, stats.beta(1, 2).cdf).pvalue > P_MIN
    assert stats.kstest(sample["b"] / 1e6, stats.beta(1, 2).cdf).pvalue > P_MIN


def test_a_factor_on_a_log_scale_is_spread_over_its_ratios():
    space = FactorSpace((ContinuousFactor("k", 1e-9, 1e9, scale="log"),))

    exponents = np.log10(space.sample(4000, rng=rng())["k"])

    assert stats.kstest(exponents, stats.uniform(-9, 18).cdf).pvalue > P_MIN


def test_a_log_scale_stays_even_below_a_limit_on_the_sum():
    space = FactorSpace(
        (ContinuousFactor("k", 1, 1e4, scale="log"), ContinuousFactor("x", 0, 1)),
        (LinearConstraint({"k": 1, "x": 0.001}, upper=100),),
    )

    exponents = np.log10(space.sample(2000, rng=rng())["k"])

    assert stats.kstest(exponents, stats.uniform(0, 2).cdf).pvalue > P_MIN


@pytest.mark.requirement("DOE-6")
def test_a_ball_of_two_ten_thousandths_of_the_volume_is_filled_evenly():
    """In 6 dimensions the sixth power of the relative radius is uniform."""
    squares = " + ".join(f"(x{i} - 0.7) ** 2" for i in range(6))
    space = box(6, ExpressionConstraint(f"{squares} <= 0.0337"))
    assert np.pi**3 / 6 * 0.0337**3 < 2e-4

    sample = space.sample(1000, rng=rng()).to_numpy() - 0.7

    powers = ((sample**2).sum(axis=1) / 0.0337) ** 3
    assert stats.kstest(powers, "uniform").pvalue > P_MIN
    np.testing.assert_allclose(sample.mean(axis=0), 0, atol=0.01)


def test_regions_in_two_pieces_keep_their_shares():
    """Discs of radius 0.1 and 0.05 have areas of four to one."""
    first, second = "(x0 - 0.2) ** 2 + (x1 - 0.2) ** 2", "(x0 - 0.8) ** 2 + (x1 - 0.8) ** 2"
    space = box(2, ExpressionConstraint(f"min({first} - 0.01, {second} - 0.0025) <= 0"))

    sample = space.sample(1000, rng=rng())

    # Walks are copied on the way in, so that the share varies more than in independent draws.
    assert np.mean(sample["x0"] > 0.5) == pytest.approx(0.2, abs=0.07)


def test_levels_are_as_likely_as_the_volume_allowed_with_them():
    space = FactorSpace(
        (DiscreteFactor("n", (1, 2, 3)), ContinuousFactor("x", 0, 3)),
        (LinearConstraint({"n": 1, "x": 1}, upper=4),),
    )

    counts = space.sample(3000, rng=rng())["n"].value_counts()

    assert stats.chisquare(counts[[1, 2, 3]], 3000 * np.array([3, 2, 1]) / 6).pvalue > P_MIN


def test_a_forbidden_half_halves_the_chance_of_its_level():
    space = FactorSpace(
        (CategoricalFactor("resin", ("A", "B")), ContinuousFactor("pH", 6, 8)),
        (ForbiddenCombination({"resin": "B", "pH": (7, None)}),),
    )

    sample = space.sample(3000, rng=rng())

    counts = sample["resin"].value_counts()
    assert stats.chisquare(counts[["A", "B"]], [2000, 1000]).pvalue > P_MIN
    with_b = sample.loc[sample["resin"] == "B", "pH"]
    assert stats.kstest(with_b, stats.uniform(6, 1).cdf).pvalue > P_MIN


def test_levels_without_constraints_are_equally_likely():
    space = FactorSpace((CategoricalFactor("r", ("A", "B", "C")), DiscreteFactor("n", (1, 5))))

    sample = space.sample(3000, rng=rng())

    assert stats.chisquare(sample.value_counts()).pvalue > P_MIN


def test_levels_that_must_add_up_are_equally_likely_among_those_that_do():
    space = FactorSpace(
        tuple(DiscreteFactor(name, (0, 1, 2, 3)) for name in "abc"),
        (LinearConstraint(dict.fromkeys("abc", 1.0), equals=5),),
    )

    counts = space.sample(3000, rng=rng()).value_counts()

    assert len(counts) == 12
    assert stats.chisquare(counts).pvalue > P_MIN


@pytest.mark.requirement("DOE-9")
def test_a_limited_number_of_components_is_chosen_evenly():
    names = tuple(f"c{i}" for i in range(5))
    space = FactorSpace(
        tuple(MixtureComponent(name) for name in names), (CardinalityConstraint(names, 2),)
    )

    used = space.sample(2000, rng=rng()) > 0

    assert (used.sum(axis=1) == 2).all()
    pairs = used.value_counts()
    assert len(pairs) == 10
    assert stats.chisquare(pairs).pvalue > P_MIN


@pytest.mark.requirement("DOE-9")
@pytest.mark.parametrize("step", [None, 0.05], ids=["continuous", "steps"])
def test_twelve_bounded_components_are_sampled_well_under_a_second(step, report_measurement):
    space = FactorSpace(
        tuple(MixtureComponent(f"c{i}", 0.0, 0.3 if i else 0.8, step=step) for i in range(12))
    )
    space.sample(1, rng=rng())

    started = time.perf_counter()
    sample = space.sample(200, rng=rng())
    duration = time.perf_counter() - started

    report_measurement(f"200 mixtures of 12, step {step}: {1000 * duration:.0f} ms")
    assert duration < 1.0
    np.testing.assert_allclose(sample.sum(axis=1), 1, rtol=1e-9)
    assert space.on_steps(sample).all()


def test_a_thin_mixture_on_steps_reaches_every_grid_point_it_allows():
    space = FactorSpace(
        tuple(MixtureComponent(name, 0.2, 0.5, step=0.05) for name in "abc"),
        (LinearConstraint({"a": 1, "b": -1}, equals=0),),
    )

    sample = space.sample(300, rng=rng()).drop_duplicates().sort_values("a")

    assert sample["a"].tolist() == [0.25, 0.3, 0.35, 0.4]
    assert sample["c"].tolist() == [0.5, 0.4, 0.3, 0.2]


def test_a_stepped_factor_lands_on_the_nearest_step():
    """Inner steps are twice as likely as the two ends, whose cells are cut in half."""
    sample = box(1, step=0.25).sample(4000, rng=rng())

    counts = sample["x0"].value_counts().sort_index()

    assert counts.index.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert stats.chisquare(counts, 4000 * np.array([1, 2, 2, 2, 1]) / 8).pvalue > P_MIN


def test_sampled_numbers_print_as_people_write_them():
    space = FactorSpace(
        (
            *(MixtureComponent(name, step=0.01) for name in "abc"),
            ContinuousFactor("pH", 6.8, 7.4, step=0.1),
        )
    )

    for value in space.sample(200, rng=rng()).to_numpy().ravel():
        assert len(repr(float(value))) <= 4


@pytest.mark.parametrize("n_runs", [0, -1, 2.0, "3", None, True])
def test_a_number_of_runs_that_is_none_is_refused(n_runs):
    with pytest.raises(InvalidValueError, match=r"n_runs must be a whole number of at least 1"):
        box(1).sample(n_runs, rng=rng())


def test_more_runs_than_walks_are_sampled():
    sample = box(2, total(2, upper=1)).sample(2500, rng=rng())

    assert len(sample.drop_duplicates()) == 2500
