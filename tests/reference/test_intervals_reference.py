"""Published tolerance factors, and the intervals of Montgomery's central composite design."""

import numpy as np
import pytest

from surrogates.linear.intervals import mean_interval, prediction_interval, tolerance_interval
from surrogates.linear.model import fit_linear
from surrogates.linear.tolerance import tolerance_factor
from tests.surrogates.linear.examples import montgomery_study, plane

# reference_cases.md, case 6: n, content, confidence, one-sided, Howe's approximation, exact.
FACTORS = [
    (10, 0.95, 0.95, 2.9110, 3.3819, 3.3934),
    (10, 0.99, 0.95, 3.9811, 4.4446, 4.4369),
    (30, 0.95, 0.95, 2.2198, 2.5496, 2.5549),
    (5, 0.95, 0.95, 4.2027, 5.0935, 5.0769),
]


@pytest.mark.requirement("ANA-10")
@pytest.mark.parametrize(("n", "content", "confidence", "one_sided", "howe", "exact"), FACTORS)
def test_tolerance_factors_of_plain_samples(n, content, confidence, one_sided, howe, exact):
    both = tolerance_factor(content, confidence, leverage=1 / n, degrees=n - 1)
    lower = tolerance_factor(content, confidence, leverage=1 / n, degrees=n - 1, side="lower")

    assert float(lower) == pytest.approx(one_sided, abs=5.1e-5)
    assert float(both) == pytest.approx(exact, abs=5.1e-5)
    assert abs(float(both) - howe) > 0.001


@pytest.mark.requirement("ANA-10")
def test_factors_at_the_centre_of_the_central_composite_design():
    """Case 1: leverage 0.2, seven degrees of freedom."""
    for content, one_sided, exact in ((0.95, 3.3050, 3.8722), (0.99, 4.4481, 5.0225)):
        both = tolerance_factor(content, 0.95, leverage=0.2, degrees=7)
        lower = tolerance_factor(content, 0.95, leverage=0.2, degrees=7, side="lower")
        assert float(lower) == pytest.approx(one_sided, abs=5.1e-5)
        assert float(both) == pytest.approx(exact, abs=5.1e-5)


@pytest.mark.requirement("ANA-10")
def test_intervals_at_the_centre_of_the_central_composite_design():
    """Case 1: confidence and prediction half-widths, tolerance limits of the yield."""
    model, centre = fit_linear(montgomery_study(), "yield"), plane((0, 0))

    mean, new_run = mean_interval(model, centre), prediction_interval(model, centre)

    assert mean.upper[0] - mean.estimate[0] == pytest.approx(0.281293, abs=1e-6)
    assert new_run.upper[0] - new_run.estimate[0] == pytest.approx(0.689024, abs=1e-6)
    for content, bound, ends in (
        (0.95, 79.0609, (78.9100, 80.9700)),
        (0.99, 78.7568, (78.6040, 81.2760)),
    ):
        lower = tolerance_interval(model, centre, content=content, side="lower")
        both = tolerance_interval(model, centre, content=content)
        assert lower.lower[0] == pytest.approx(bound, abs=1e-4)
        np.testing.assert_allclose([both.lower[0], both.upper[0]], ends, atol=1e-4)
