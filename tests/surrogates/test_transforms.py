import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from doe.errors import InvalidValueError
from doe.responses import Response
from surrogates.gaussian_process.surface_model import natural_values
from surrogates.predictive import NormalPredictive, StudentPredictive
from surrogates.transforms import ResponseTransform

KINDS = ("none", "log", "sqrt", "inverse", "logit")


def normal(kind, location=1.2, latent=0.1, new_run=0.25):
    transform = ResponseTransform(kind, floor=0.05)
    return NormalPredictive(
        np.array([location]), np.array([latent]), np.array([new_run]), transform
    )


@given(kind=st.sampled_from(KINDS), value=st.floats(0.01, 0.99))
def test_transforming_back_gives_the_value(kind, value):
    transform = ResponseTransform(kind)

    there = transform.forward(np.array([value]))

    assert transform.backward(there)[0] == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_slope_is_the_derivative(kind):
    transform = ResponseTransform(kind)
    up, down = (transform.forward(np.array([0.4 + step])) for step in (1e-6, -1e-6))

    slope = transform.slope(np.array([0.4]))[0]

    assert slope == pytest.approx(abs(up - down)[0] / 2e-6, rel=1e-6)


def test_the_mean_on_the_log_scale_is_that_of_the_lognormal_distribution():
    mean, latent_std, new_run_std = normal("log").moments()

    # scipy's lognormal is the independent implementation.
    run = stats.lognorm(s=0.25, scale=np.exp(1.2))
    surface = stats.lognorm(s=0.1, scale=np.exp(1.2 + (0.25**2 - 0.1**2) / 2))
    assert mean[0] == pytest.approx(run.mean(), rel=1e-12)
    assert new_run_std[0] == pytest.approx(run.std(), rel=1e-12)
    assert (mean[0], latent_std[0]) == pytest.approx((surface.mean(), surface.std()), rel=1e-12)


@pytest.mark.parametrize("kind", ["sqrt", "inverse", "logit"])
def test_the_moments_by_quadrature_are_those_by_integration(kind):
    transform = ResponseTransform(kind, floor=0.05)
    density = stats.norm(1.2, 0.15).pdf

    def moment(power):
        value, _ = integrate.quad(
            lambda z: density(z) * float(transform.backward(np.array([z]))[0]) ** power, 0.2, 2.2
        )
        return value

    mean, _, std = normal(kind, latent=0.05, new_run=0.15).moments()

    assert mean[0] == pytest.approx(moment(1), rel=1e-6)
    assert std[0] == pytest.approx(np.sqrt(moment(2) - moment(1) ** 2), rel=1e-4)


@settings(max_examples=40)
@given(
    kind=st.sampled_from(KINDS),
    lower=st.floats(0.05, 0.45),
    upper=st.floats(0.5, 0.95),
    location=st.floats(0.7, 1.5),
)
def test_the_probability_within_quantiles_is_what_they_say(kind, lower, upper, location):
    predictive = normal(kind, location=location)

    ends = predictive.quantile(np.array([lower, upper]), "new_run")[:, 0]

    found = predictive.probability_within(ends[0], ends[1])
    assert found[0] == pytest.approx(upper - lower, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_density_of_a_new_run_integrates_to_the_probability(kind):
    predictive = normal(kind)
    low, high = predictive.quantile(np.array([0.1, 0.8]), "new_run")[:, 0]

    area, _ = integrate.quad(
        lambda y: float(np.exp(predictive.log_density(np.array([y]))[0])), low, high
    )

    assert area == pytest.approx(0.7, abs=1e-7)


def test_tail_probabilities_keep_their_digits():
    """P(Z > 8) = 6.22e-16: 1 - P(Z < 8) would be zero or rounding."""
    predictive = NormalPredictive(np.zeros(1), np.zeros(1), np.ones(1))

    assert predictive.probability_within(8.0, None)[0] == pytest.approx(6.220960574271785e-16)
    assert predictive.probability_within(None, -8.0)[0] == pytest.approx(6.220960574271785e-16)


def test_students_t_is_scipys():
    predictive = StudentPredictive(np.array([3.0]), np.array([0.5]), np.array([2.0]), 7.0)
    reference = stats.t(df=7, loc=3.0, scale=2.0)

    assert predictive.quantile(0.95, "new_run")[0] == pytest.approx(reference.ppf(0.95))
    assert predictive.log_density(np.array([4.2]))[0] == pytest.approx(reference.logpdf(4.2))
    within = predictive.probability_within(1.0, 6.0)[0]
    assert within == pytest.approx(reference.cdf(6.0) - reference.cdf(1.0))


@pytest.mark.parametrize(
    ("kind", "limits", "expected"),
    [
        ("log", (None, -1.0), 0.0),
        ("log", (0.0, None), 1.0),
        ("sqrt", (-1.0, None), 1.0),
        ("sqrt", (None, -0.1), 0.0),
        ("inverse", (None, 0.0), 0.0),
        ("logit", (None, 1.5), 1.0),
    ],
)
def test_limits_outside_the_domain_of_a_transform_are_certain(kind, limits, expected):
    assert normal(kind).probability_within(*limits)[0] == pytest.approx(expected)


def test_a_value_without_a_transformed_value_is_refused():
    response = Response("impurity", "g/L", transform="log")

    with pytest.raises(InvalidValueError, match=r"impurity.*log scale.*0 g/L.*above zero"):
        ResponseTransform.of(response, np.array([0.3, 0.0]))


def test_a_percentage_goes_to_100_on_the_logit_scale():
    transform = ResponseTransform.of(
        Response("purity", "%", transform="logit"), np.array([50.0, 99.0])
    )

    assert transform.forward(np.array([50.0]))[0] == pytest.approx(0.0)
    with pytest.raises(InvalidValueError, match="between 0 and 100"):
        ResponseTransform.of(Response("purity", "%", transform="logit"), np.array([100.0]))


@pytest.mark.parametrize("kind", KINDS)
def test_samples_of_an_acquisition_function_come_back_like_predictions(kind):
    transform = ResponseTransform(kind, floor=0.05)
    places = np.linspace(0.3, 2.0, 7)

    samples = torch.from_numpy(places).requires_grad_(requires_grad=True)
    natural = natural_values(transform, samples, 0.2)
    natural.sum().backward()

    expected = transform.expected(places, np.full(7, 0.2))
    np.testing.assert_allclose(natural.detach().numpy(), expected, rtol=1e-12)
    assert samples.grad is not None
    assert bool(torch.isfinite(samples.grad).all())
