"""The joint posterior predictive distribution and the probability of meeting all limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from doe.errors import InvalidValueError
from surrogates.linear.joint.bayesian import JointStudent, covariance_roots, limits_on_scale
from surrogates.linear.joint.box_probability import conditional_box, student_box, student_pair
from surrogates.transforms import ResponseTransform

LOWER = np.array([[-1.0, -np.inf], [-0.5, 0.2], [1.0, 1.0], [-np.inf, -3.0]])
UPPER = np.array([[np.inf, 0.7], [0.5, 0.9], [np.inf, np.inf], [2.0, 5.0]])
SCALE = np.array([[2.0, 0.9, -0.4], [0.9, 1.0, 0.3], [-0.4, 0.3, 0.7]])


@pytest.mark.requirement("DS-1")
@pytest.mark.parametrize("correlation", [0.0, 0.6, -0.95])
@pytest.mark.parametrize("degrees", [1, 5, 60])
def test_the_probability_of_two_responses_is_the_double_integral_of_their_density(
    correlation, degrees
):
    shape = np.array([[1.0, correlation], [correlation, 1.0]])
    together = stats.multivariate_t(shape=shape, df=degrees)
    found = student_pair(LOWER[1:2], UPPER[1:2], correlation, degrees)

    expected, _ = integrate.dblquad(
        lambda second, first: together.pdf([first, second]), -0.5, 0.5, 0.2, 0.9, epsabs=1e-10
    )

    assert float(found[0]) == pytest.approx(expected, abs=1e-9)


@pytest.mark.requirement("DS-1")
@settings(max_examples=40, deadline=None)
@given(correlation=st.floats(-0.9999, 0.9999), degrees=st.integers(1, 500))
def test_the_four_quarters_of_the_plane_hold_all_of_a_pair(correlation, degrees):
    """Zero limits: the chance that both are positive is 1/4 + arcsin(rho)/(2 pi) (Sheppard)."""
    low = np.array([[0.0, 0.0], [0.0, -np.inf], [-np.inf, 0.0], [-np.inf, -np.inf]])
    high = np.array([[np.inf, np.inf], [np.inf, 0.0], [0.0, np.inf], [0.0, 0.0]])

    found = student_pair(low, high, correlation, degrees)

    both = 0.25 + np.arcsin(correlation) / (2 * np.pi)
    np.testing.assert_allclose(found, [both, 0.5 - both, 0.5 - both, both], atol=2e-6)


@pytest.mark.requirement("DS-1")
@pytest.mark.parametrize("correlation", [0.0, 0.5, -0.99])
def test_quasi_monte_carlo_agrees_with_the_quadrature_within_its_error(correlation):
    root = np.linalg.cholesky([[1.0, correlation], [correlation, 1.0]])

    value, error = student_box(LOWER, UPPER, root, 5, n_points=2048, rng=np.random.default_rng(1))

    assert (error < 2e-4).all()
    exact = student_pair(LOWER, UPPER, correlation, 5)
    np.testing.assert_array_less(np.abs(value - exact), 6 * error + 1e-6)


@pytest.mark.requirement("DS-1")
def test_the_probability_of_three_responses_is_the_share_of_draws():
    joint = JointStudent(np.array([[0.2, 0.1, -0.3]]), np.array([1.3]), SCALE, 6.0)
    lower, upper = np.array([-1.0, -np.inf, -1.2]), np.array([2.0, 0.8, np.inf])
    n = 400_000
    rng = np.random.default_rng(4)
    normal = rng.standard_normal((n, 3)) @ np.linalg.cholesky(1.3 * SCALE).T
    draws = joint.location + normal / np.sqrt(rng.chisquare(6, n) / 6)[:, None]
    share = float(((draws > lower) & (draws < upper)).all(axis=1).mean())

    found = joint.probability_within(lower, upper, rng=np.random.default_rng(1))

    assert found.standard_error[0] < 3e-4
    assert float(found.value[0]) == pytest.approx(share, abs=4 * np.sqrt(0.25 / n))


def test_responses_without_limits_take_no_part():
    joint = JointStudent(np.zeros((2, 3)), np.array([1.2, 2.0]), SCALE, 5.0)
    none, some = np.full(3, -np.inf), np.array([np.inf, 0.8, np.inf])

    one = joint.probability_within(none, some)

    assert one.method.startswith("Closed form")
    expected = stats.t.cdf(0.8 / np.sqrt([1.2, 2.0]), 5)
    np.testing.assert_allclose(one.value, expected, rtol=1e-12)
    np.testing.assert_array_equal(joint.probability_within(none, -none).value, [1.0, 1.0])
    np.testing.assert_array_equal(joint.probability_within(-none, none).value, [0.0, 0.0])


def test_the_same_generator_gives_the_same_probability_and_none_is_refused():
    joint = JointStudent(np.zeros((1, 3)), np.ones(1), SCALE, 5.0)
    one, other = (
        joint.probability_within(-np.ones(3), np.ones(3), rng=np.random.default_rng(2)).value
        for _ in range(2)
    )

    assert one == other
    with pytest.raises(InvalidValueError, match="3 responses needs quasi-random points: give rng"):
        joint.probability_within(-np.ones(3), np.ones(3))


def test_limits_far_in_the_upper_tail_keep_their_digits():
    far = np.array([[9.0, 9.0]])
    found = conditional_box(far[:, :1], far[:, :1] + 1, np.eye(1), np.empty((1, 0)))

    assert float(found[0]) == pytest.approx(stats.norm.sf(9) - stats.norm.sf(10), rel=1e-10)
    pair = student_pair(far, far + 50, 0.5, 5)
    turned = student_pair(-far - 50, -far, 0.5, 5)
    np.testing.assert_allclose(pair, turned, rtol=1e-9)


def test_drawn_covariances_are_inverse_wishart():
    """The mean of the inverse Wishart is S/(nu - q - 1), of its inverse nu S^-1."""
    n, degrees = 40_000, 12
    roots = covariance_roots(np.broadcast_to(SCALE, (n, 3, 3)), degrees, np.random.default_rng(3))
    covariances = roots @ roots.transpose(0, 2, 1)

    np.testing.assert_allclose(covariances.mean(axis=0), SCALE / (12 - 4), atol=0.006)
    np.testing.assert_allclose(
        np.linalg.inv(covariances).mean(axis=0), degrees * np.linalg.inv(SCALE), rtol=0.03
    )
    peer = stats.invwishart(degrees, SCALE).rvs(n, random_state=np.random.default_rng(4))
    np.testing.assert_allclose(
        np.quantile(covariances[:, 0, 1], [0.1, 0.5, 0.9]),
        np.quantile(peer[:, 0, 1], [0.1, 0.5, 0.9]),
        atol=0.004,
    )


@pytest.mark.parametrize(
    ("kind", "lower", "upper", "expected"),
    [
        ("none", None, 3.0, (-np.inf, 3.0)),
        ("log", 1.0, np.e, (0.0, 1.0)),
        ("log", 0.0, None, (-np.inf, np.inf)),
        ("log", None, -1.0, (-np.inf, -np.inf)),
        ("inverse", 2.0, 4.0, (0.25, 0.5)),
        ("inverse", None, 4.0, (0.25, np.inf)),
        ("sqrt", 0.0, 4.0, (-np.inf, 2.0)),
        ("sqrt", None, -1.0, (-np.inf, -np.inf)),
        ("logit", 0.5, 1.0, (0.0, np.inf)),
    ],
)
def test_limits_go_to_the_modelled_scale_in_their_order(kind, lower, upper, expected):
    assert limits_on_scale(ResponseTransform(kind), lower, upper) == pytest.approx(expected)
