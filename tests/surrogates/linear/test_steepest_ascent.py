"""Steepest ascent: the path, its settings, and how sure its direction is."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from campaigns.exports.figures import image
from doe.errors import InvalidValueError, UnknownNameError
from doe.factors import ContinuousFactor, DiscreteFactor
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.linear.intervals import mean_interval, prediction_interval
from surrogates.linear.model import fit_linear
from surrogates.linear.optimum.direction_cone import fraction_excluded
from surrogates.linear.optimum.steepest_ascent import steepest_ascent
from tests.surrogates.examples import mixed_study
from tests.surrogates.linear.examples import montgomery_study
from tests.surrogates.linear.surface_examples import surface_model

STEPPED = FactorSpace(
    (
        ContinuousFactor("time", 30.0, 40.0, "min", step=0.5),
        ContinuousFactor("feed", 1.0, 100.0, "mL/h", scale="log"),
    )
)


def plane_model(slope=(0.775, 0.325), *, noise=0.2, space=None, seed=1):
    k = len(slope)
    return surface_model(
        slope, np.zeros((k, k)), terms="linear", noise=noise, space=space, seed=seed
    )


@pytest.mark.requirement("ANA-9")
def test_the_path_follows_the_coefficients_in_coded_units():
    model = plane_model()
    path = steepest_ascent(model, step=0.5, n_steps=4)

    b = model.coefficients[1:]
    np.testing.assert_allclose(path.direction, b / np.linalg.norm(b))
    np.testing.assert_allclose(path.distance, [0, 0.5, 1, 1.5, 2], atol=1e-9)
    np.testing.assert_allclose(
        path.settings.to_numpy(), path.distance[:, None] * path.direction, atol=1e-9
    )
    np.testing.assert_allclose(np.diff(path.estimate), 0.5 * np.linalg.norm(b), atol=1e-8)


@pytest.mark.requirement("ANA-9")
def test_descent_goes_the_opposite_way():
    up, down = (steepest_ascent(plane_model(), aim=aim) for aim in ("maximise", "minimise"))

    np.testing.assert_allclose(down.direction, -up.direction)
    assert (np.diff(down.estimate) < 0).all()
    assert "falls fastest" in down.sentence()


@pytest.mark.requirement("ANA-9")
def test_a_step_can_be_given_as_the_change_of_one_factor_in_its_unit():
    model = plane_model(space=STEPPED)
    path = steepest_ascent(model, step={"time": 2.0}, n_steps=5)

    np.testing.assert_allclose(path.settings["time"], 35.0 + 2.0 * np.arange(6))
    ratio = model.coefficients[2] / model.coefficients[1]
    np.testing.assert_allclose(np.log10(path.settings["feed"]) - 1, ratio * 0.4 * np.arange(6))


@pytest.mark.requirement("ANA-9")
def test_settings_are_on_the_steps_of_the_equipment_also_beyond_the_range():
    path = steepest_ascent(plane_model(space=STEPPED), step=0.37, n_steps=12)

    steps = (path.settings["time"] - 30.0) / 0.5
    np.testing.assert_array_equal(steps, steps.round())
    assert path.settings["time"].max() > 40.0
    assert not path.allowed[-1]
    assert path.allowed[0]
    assert path.extrapolates[-1]
    assert "leave the factor space" in path.sentence()
    assert "extrapolates" in path.sentence()


@pytest.mark.requirement("ANA-9")
def test_predictions_are_those_at_the_rounded_settings():
    model = plane_model(space=STEPPED)
    path = steepest_ascent(model, step=0.37, n_steps=3, coverage=0.9)
    mean = mean_interval(model, path.settings, coverage=0.9)
    run = prediction_interval(model, path.settings, coverage=0.9)

    np.testing.assert_allclose(path.estimate, mean.estimate)
    np.testing.assert_allclose(path.mean_lower, mean.lower)
    np.testing.assert_allclose(path.mean_upper, mean.upper)
    np.testing.assert_allclose(path.run_lower, run.lower)
    np.testing.assert_allclose(path.run_upper, run.upper)
    assert path.table().index.tolist() == [0, 1, 2, 3]


@pytest.mark.requirement("ANA-9")
def test_on_a_curved_surface_the_path_follows_the_gradient_at_its_start():
    model = surface_model([0.5, 0.2], [[-1.0, 0.4], [0.4, -0.5]])
    start = {"x1": -0.5, "x2": 0.5}
    path = steepest_ascent(model, start=start, step=1e-3, n_steps=1)

    nudge = 1e-6
    table = path.settings.iloc[[0] * 3].reset_index(drop=True)
    table.loc[1, "x1"] += nudge
    table.loc[2, "x2"] += nudge
    mean = model.predict(table).mean
    gradient = (mean[1:] - mean[0]) / nudge
    np.testing.assert_allclose(path.direction, gradient / np.linalg.norm(gradient), atol=1e-4)
    assert path.settings.iloc[0].to_dict() == start


@pytest.mark.requirement("ANA-9")
def test_on_a_hill_the_best_step_along_the_line_is_named():
    path = steepest_ascent(surface_model([1.0, 0.0], [[-1.0, 0], [0, -1.0]], noise=0.01), step=0.25)

    assert int(path.estimate.argmax()) == 2  # the top lies at a distance of one half
    assert "the fitted surface is best at step 2" in path.sentence()
    assert "is best at step" not in steepest_ascent(plane_model()).sentence()


@pytest.mark.requirement("ANA-9")
@pytest.mark.parametrize("k", [2, 3, 5, 8])
def test_with_equal_errors_the_cone_is_round_and_its_share_is_a_tail_of_students_t(k):
    """Box and Draper (2007), section 6.4."""
    gradient, variance, degrees = np.linspace(1, 2, k), 0.05, 6
    spare = gradient @ gradient / (variance * stats.f.ppf(0.95, k - 1, degrees)) - (k - 1)
    expected = 1 - stats.t.sf(np.sqrt(spare), k - 1)

    found = fraction_excluded(gradient, variance * np.eye(k), degrees)

    assert found == pytest.approx(expected, abs=1e-8)


@pytest.mark.requirement("ANA-9")
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(2, 4))
def test_the_cone_holds_as_many_random_directions_as_it_says(seed, k):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(k, k)) * 0.3
    covariance = root @ root.T + 0.02 * np.eye(k)
    gradient = rng.normal(size=k)
    n_draws = 40_000
    directions = rng.normal(size=(n_draws, k))
    precision = np.linalg.inv(covariance)
    along = directions @ precision @ gradient
    left = gradient @ precision @ gradient - along**2 / ((directions @ precision) * directions).sum(
        axis=1
    )
    limit = (k - 1) * stats.f.ppf(0.95, k - 1, 5)
    share = np.mean((left > limit) | (along < 0))

    found = fraction_excluded(gradient, covariance, 5)

    if gradient @ precision @ gradient > limit:
        assert found == pytest.approx(share, abs=5 * np.sqrt(0.25 / n_draws))
    else:
        assert found == 0


@pytest.mark.requirement("ANA-9")
def test_effects_within_the_noise_rule_out_no_direction():
    path = steepest_ascent(plane_model((0.01, 0.01), noise=2.0, seed=5))

    assert path.fraction_excluded == 0
    assert "rule out no direction at all" in path.sentence()


@pytest.mark.requirement("ANA-9")
def test_one_factor_has_a_direction_and_no_cone():
    path = steepest_ascent(plane_model((0.5,)))

    assert path.direction.tolist() == [1.0]
    assert np.isnan(path.fraction_excluded)
    assert "rule out" not in path.sentence()


@pytest.mark.requirement("ANA-9")
def test_a_discrete_factor_takes_its_levels_and_a_categorical_one_is_held():
    model = fit_linear(mixed_study(n_runs=40), "purity", "linear")
    path = steepest_ascent(model, at={"resin": "C"}, step=0.4, n_steps=3)

    assert set(path.settings["shift day"]) <= {3.0, 4.0, 5.0, 7.0}
    assert set(path.settings["resin"]) == {"C"}
    assert isinstance(model.space.factor("shift day"), DiscreteFactor)


@pytest.mark.requirement("ANA-9")
def test_the_path_draws():
    assert image(steepest_ascent(plane_model()).plot(), "png")


@pytest.mark.requirement("ANA-9")
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"aim": "up"}, InvalidValueError, "aim is 'up'"),
        ({"n_steps": 0}, InvalidValueError, "n_steps must be a whole number"),
        ({"step": -0.5}, InvalidValueError, "coded distance above 0, got -0.5"),
        ({"step": {"x1": 0.0}}, InvalidValueError, "gives no step along the path"),
        ({"step": {"x1": 1.0, "x2": 1.0}}, InvalidValueError, "expected the change of one factor"),
        ({"step": {"pH": 1.0}}, UnknownNameError, "'pH' is not a factor that moves"),
        ({"start": {"pH": 1.0}}, UnknownNameError, "'pH' is not a factor that moves"),
        ({"start": {"x1": float("inf")}}, InvalidValueError, "Start of 'x1'"),
        ({"coverage": 0.0}, InvalidValueError, "coverage is 0.0"),
    ],
)
def test_an_argument_that_makes_no_sense_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        steepest_ascent(plane_model(), **arguments)


@pytest.mark.requirement("ANA-9")
def test_a_start_that_has_no_logarithm_is_refused():
    with pytest.raises(InvalidValueError, match="Start of 'feed' must be above zero"):
        steepest_ascent(plane_model(space=STEPPED), start={"feed": 0.0})


@pytest.mark.requirement("ANA-9")
def test_a_level_surface_has_no_steepest_direction():
    model = fit_linear(montgomery_study(), "yield")
    slope, curvature = model.coefficients[1:3], np.zeros((2, 2))
    names = list(model.columns)
    for i, j, name in ((0, 0, "x1^2"), (1, 1, "x2^2"), (0, 1, "x1:x2")):
        value = model.coefficients[names.index(name)]
        curvature[i, j] += value / 2
        curvature[j, i] += value / 2
    peak = -0.5 * np.linalg.solve(curvature, slope)

    with pytest.raises(InvalidValueError, match="level at the start"):
        steepest_ascent(model, start={"x1": float(peak[0]), "x2": float(peak[1])})


@pytest.mark.requirement("ANA-9")
def test_a_saturated_model_has_a_path_without_intervals():
    space = FactorSpace((ContinuousFactor("x", 0.0, 10.0, step=1.0),))
    table = pd.DataFrame({"x": [0.0, 10.0], "y": [1.0, 3.0]})
    model = fit_linear(Observations.from_frame(table, space, (Response("y"),)), "y", "linear")

    path = steepest_ascent(model, step={"x": 2.0}, n_steps=2)

    assert path.settings["x"].tolist() == [5.0, 7.0, 9.0]
    np.testing.assert_allclose(path.estimate, [2.0, 2.4, 2.8])
    assert np.isnan(path.run_upper).all()
    assert path.plot().layers
