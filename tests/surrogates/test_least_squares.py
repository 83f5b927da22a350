import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from doe.errors import TooFewDataError
from doe.factors import BlockFactor, ContinuousFactor
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.linear.least_squares import fit_quadratic, inestimable_columns
from tests.surrogates.examples import culture_study

PLANE = FactorSpace((ContinuousFactor("a", -1.0, 1.0), ContinuousFactor("b", -1.0, 1.0)))


def plane_study(points, values) -> Observations:
    table = pd.DataFrame(points, columns=["a", "b"]).assign(y=values)
    return Observations.from_frame(table, PLANE, (Response("y"),))


def test_intervals_are_those_of_statsmodels():
    study = culture_study()
    surface = fit_quadratic(study, "titre")
    settings = study.space.sample(8, rng=np.random.default_rng(1))
    reference = sm.OLS(surface.rows.measured, surface.matrix.to_numpy()).fit()
    from doe.terms import model_matrix

    matrix = model_matrix(surface.terms, settings, study.space).to_numpy()
    expected = reference.get_prediction(matrix).summary_frame(alpha=0.05)

    prediction = surface.predict(settings)

    np.testing.assert_allclose(prediction.mean, expected["mean"])
    for kind, columns in (
        ("latent", ["mean_ci_lower", "mean_ci_upper"]),
        ("new_run", ["obs_ci_lower", "obs_ci_upper"]),
    ):
        low, high = prediction.interval(0.95, kind=kind)
        np.testing.assert_allclose(low, expected[columns[0]])
        np.testing.assert_allclose(high, expected[columns[1]])


@pytest.mark.requirement("ANA-15")
def test_coefficients_of_an_ill_conditioned_problem_keep_nine_digits():
    """Longley's data, NIST StRD certified values, through the same QR."""
    from scipy import linalg
    from statsmodels.datasets import longley

    data = longley.load_pandas()
    matrix = np.column_stack([np.ones(16), data.exog.to_numpy(dtype=np.float64)])
    q, r = linalg.qr(matrix, mode="economic")

    found = linalg.solve_triangular(r, q.T @ data.endog.to_numpy(dtype=np.float64))

    certified = [-3482258.63459582, 15.0618722713733, -0.0358191792925910, -2.02022980381683]
    certified += [-1.03322686717359, -0.0511041056535807, 1829.15146461355]
    np.testing.assert_allclose(found, certified, rtol=1e-9)
    assert inestimable_columns(pd.DataFrame(matrix)) == ()


def test_terms_that_the_runs_cannot_estimate_are_named():
    """A two-level factorial has every square equal to the intercept."""
    corners = [(-1, -1), (-1, 1), (1, -1), (1, 1)] * 3
    study = plane_study(corners, np.arange(12.0))

    with pytest.raises(TooFewDataError, match=r"cannot estimate a\^2, b\^2"):
        fit_quadratic(study, "y")
    assert fit_quadratic(study, "y", terms="interaction").degrees == 8


def test_too_few_degrees_of_freedom_are_refused_and_counted():
    points = [(-1, -1), (-1, 1), (1, -1), (1, 1), (0, 0), (1, 0), (0, 1)]

    with pytest.raises(TooFewDataError, match=r"7 runs and 6 coefficients.*leave 1"):
        fit_quadratic(plane_study(points, np.arange(7.0)), "y")


def test_what_the_model_leaves_out_is_said():
    study = culture_study(block_std=1.0, transform="log")

    warnings = fit_quadratic(study, "titre").describe()["warnings"]

    assert any("'day' is not in the model" in text for text in warnings)
    assert any("not on the log scale" in text for text in warnings)
    assert isinstance(study.space.blocks[0], BlockFactor)
