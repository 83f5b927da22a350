"""Tolerance factors: a stated share of future runs, held with a stated confidence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from doe.errors import InvalidValueError, TooFewDataError
from surrogates.linear.tolerance import tolerance_factor

SHARES = st.sampled_from([0.5, 0.9, 0.95, 0.99])
LEVERAGES = st.floats(0.01, 5.0)
DEGREES = st.integers(1, 40)


@pytest.mark.requirement("ANA-10")
@pytest.mark.parametrize(("leverage", "degrees"), [(0.2, 7), (0.625, 7), (0.05, 1), (2.5, 12)])
def test_a_two_sided_factor_meets_the_definition_by_adaptive_quadrature(leverage, degrees):
    """The content is a noncentral chi-squared; the confidence integrates over the centre."""
    content, confidence = 0.95, 0.9
    factor = float(tolerance_factor(content, confidence, leverage=leverage, degrees=degrees))

    def held(z: float) -> float:
        reach = stats.ncx2.ppf(content, 1, leverage * z**2)
        enough = stats.chi2.sf(degrees * reach / factor**2, degrees)
        return float(2 * stats.norm.pdf(z) * enough)

    found, _ = integrate.quad(held, 1e-9, 9.0, epsabs=1e-10)
    assert found == pytest.approx(confidence, abs=1e-8)


@pytest.mark.requirement("ANA-10")
@pytest.mark.parametrize("side", ["both", "lower", "upper"])
def test_simulated_studies_hold_the_content_as_often_as_the_confidence_says(side):
    rng, n = np.random.default_rng(5), 40_000
    leverage, degrees, content, confidence = 0.3, 6, 0.9, 0.95
    factor = float(
        tolerance_factor(content, confidence, leverage=leverage, degrees=degrees, side=side)
    )
    centre = np.sqrt(leverage) * rng.standard_normal(n)
    std = np.sqrt(rng.chisquare(degrees, n) / degrees)

    below = stats.norm.cdf(centre + factor * std) if side != "lower" else 1.0
    above = stats.norm.cdf(centre - factor * std) if side != "upper" else 0.0

    assert np.mean(below - above >= content) == pytest.approx(
        confidence, abs=4 * np.sqrt(confidence * (1 - confidence) / n)
    )


@settings(max_examples=40, deadline=None)
@given(content=SHARES, confidence=SHARES, leverage=LEVERAGES, degrees=DEGREES)
def test_more_to_be_held_with_less_knowledge_needs_a_wider_interval(
    content, confidence, leverage, degrees
):
    def factor(more_content=0.0, more_confidence=0.0, more_leverage=1.0, more_degrees=0):
        return float(
            tolerance_factor(
                content + more_content,
                confidence + more_confidence,
                leverage=leverage * more_leverage,
                degrees=degrees + more_degrees,
            )
        )

    assert factor(more_content=0.005) > factor()
    assert factor(more_confidence=0.005) > factor()
    assert factor(more_leverage=1.2) > factor()
    if confidence > 0.5:
        assert factor(more_degrees=1) < factor()


def test_with_a_known_centre_only_the_sd_is_uncertain():
    """k = z sqrt(nu / chi-squared quantile), one-sided and two-sided."""
    spread = np.sqrt(8 / stats.chi2.ppf(0.05, 8))
    for side, share in (("upper", 0.95), ("lower", 0.95), ("both", 0.975)):
        factor = tolerance_factor(0.95, 0.95, leverage=0.0, degrees=8, side=side)
        assert float(factor) == pytest.approx(stats.norm.ppf(share) * spread, rel=1e-9)


def test_with_very_many_runs_the_factor_is_the_normal_quantile():
    for side, share in (("upper", 0.99), ("both", 0.995)):
        factor = tolerance_factor(0.99, 0.95, leverage=1e-8, degrees=100_000_000, side=side)
        assert float(factor) == pytest.approx(stats.norm.ppf(share), rel=1e-3)


def test_factors_come_in_the_shape_of_the_leverages():
    grid = np.array([[0.2, 0.625], [0.625, 0.2]])

    factors = tolerance_factor(0.95, 0.95, leverage=grid, degrees=7)

    assert factors.shape == (2, 2)
    assert factors[0, 0] == factors[1, 1] < factors[0, 1] == factors[1, 0]


@pytest.mark.parametrize(("content", "confidence", "name"), [(95, 0.9, "content"), (0.9, 1.0, "c")])
def test_shares_outside_zero_to_one_are_refused_by_name(content, confidence, name):
    with pytest.raises(InvalidValueError, match=f"{name}.*between 0 and 1"):
        tolerance_factor(content, confidence, leverage=0.2, degrees=7)


def test_a_negative_leverage_and_no_degrees_are_refused():
    with pytest.raises(InvalidValueError, match=r"Leverage -0\.1"):
        tolerance_factor(0.9, 0.9, leverage=-0.1, degrees=7)
    with pytest.raises(TooFewDataError, match="0 degrees of freedom"):
        tolerance_factor(0.9, 0.9, leverage=0.1, degrees=0)
