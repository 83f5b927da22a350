"""Published reliabilities of Montgomery's central composite design, one response and three."""

import numpy as np
import pandas as pd
import pytest

from surrogates.linear.joint.multivariate import fit_multivariate
from surrogates.linear.model import fit_linear
from tests.surrogates.linear.examples import montgomery_study, plane

LIMITS = {"yield": (78.5, None), "viscosity": (62, 68), "molecular weight": (None, 3400)}
NAMES = tuple(LIMITS)

# reference_cases.md, case 1: P(yield >= 78.5), Student's t with 7 degrees of freedom.
RELIABILITIES = [
    ((0, 0), 0.9991642),
    ((1, 1), 0.9771580),
    ((0.389, 0.306), 0.9997005),
    ((1, -1), 0.0376481),
    ((-1, 1), 0.0008597),
    ((-1, -1), 0.0001701),
]
# Case 2: all three responses, multivariate t with 5 degrees of freedom, large quasi-Monte Carlo.
JOINT = [
    ((0, 0), 0.1411),
    ((0.4, -0.9), 0.2560),
    ((0.389, 0.306), 0.1340),
    ((-1, 1), 0.0001),
    ((-0.4, 0.9), 0.1302),
]


@pytest.mark.requirement("DS-1")
def test_reliability_of_one_response():
    model = fit_linear(montgomery_study(), "yield")

    found = model.probability_within(plane(*[point for point, _ in RELIABILITIES]), 78.5, None)

    np.testing.assert_allclose(found, [value for _, value in RELIABILITIES], rtol=1e-3, atol=6e-8)
    np.testing.assert_allclose(found[:4], [value for _, value in RELIABILITIES[:4]], atol=6e-8)


@pytest.mark.requirement("DS-3")
def test_the_share_of_the_square_that_is_reliable():
    """Case 1: grid of 801 x 801 points, end points included."""
    model = fit_linear(montgomery_study(), "yield")
    places = np.linspace(-1, 1, 801)
    grid = pd.DataFrame({"x1": np.repeat(places, 801), "x2": np.tile(places, 801)})

    chance = model.probability_within(grid, 78.5, None)

    for target, share in ((0.5, 0.7745), (0.90, 0.6458), (0.95, 0.6003), (0.99, 0.4872)):
        assert np.mean(chance >= target) == pytest.approx(share, abs=5.1e-5)


@pytest.mark.requirement("DS-1")
def test_joint_reliability_of_three_responses():
    joint = fit_multivariate(montgomery_study(), NAMES)
    settings = plane(*[point for point, _ in JOINT])

    found = joint.probability_within(settings, LIMITS, rng=np.random.default_rng(1))

    assert joint.degrees == 5
    assert (found.standard_error < 2e-4).all()
    np.testing.assert_allclose(found.value, [value for _, value in JOINT], atol=5e-4)


def test_residual_correlations_of_the_three_responses():
    correlations = fit_multivariate(montgomery_study(), NAMES).correlations

    found = correlations[np.triu_indices(3, 1)]
    np.testing.assert_allclose(found, [-0.4292, 0.2930, 0.0939], atol=5.1e-5)


@pytest.mark.requirement("DS-1")
def test_adding_responses_lowers_the_probability_of_one():
    """Requirements, section 4: .99916 alone, .9956 as a margin of the model of three."""
    joint = fit_multivariate(montgomery_study(), NAMES)["yield"]

    assert joint.probability_within(plane((0, 0)), 78.5, None)[0] == pytest.approx(0.9956, abs=1e-4)


@pytest.mark.requirement("DS-1")
def test_an_overlay_of_means_is_no_design_space():
    """Case 2: means meet all limits on 4.04 % of the square, at joint chances of .12 to .38."""
    joint = fit_multivariate(montgomery_study(), NAMES)
    places = np.linspace(-(2**0.5), 2**0.5, 401)
    grid = pd.DataFrame({"x1": np.repeat(places, 401), "x2": np.tile(places, 401)})
    means = joint.distribution(grid).location
    inside = (means[:, 0] >= 78.5) & (means[:, 1] >= 62) & (means[:, 1] <= 68)
    inside &= means[:, 2] <= 3400

    chance = joint.probability_within(
        grid[inside].iloc[::25], LIMITS, rng=np.random.default_rng(1)
    ).value

    assert inside.mean() == pytest.approx(0.0404, abs=3e-4)
    assert 0.11 < chance.min() < 0.14
    assert 0.36 < chance.max() < 0.39
