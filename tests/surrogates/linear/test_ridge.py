"""Ridge analysis: the best settings at each distance from the centre."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from campaigns.exports.figures import image
from doe.errors import InvalidValueError
from doe.factors import ContinuousFactor
from doe.space import FactorSpace
from surrogates.linear.model import fit_linear
from surrogates.linear.optimum.canonical import canonical_analysis
from surrogates.linear.optimum.ridge import best_on_sphere, ridge_analysis
from tests.surrogates.examples import mixed_study
from tests.surrogates.linear.examples import montgomery_study
from tests.surrogates.linear.surface_examples import surface_model

SADDLE = [[1.0, 0.3], [0.3, -1.0]]


@pytest.mark.requirement("ANA-9")
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_factors=st.integers(1, 5),
    radius=st.floats(1e-3, 20),
    has_no_top_slope=st.booleans(),
)
def test_no_place_on_the_sphere_is_better(seed, n_factors, radius, has_no_top_slope):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n_factors, n_factors))
    curvature, slope = root + root.T, rng.normal(size=n_factors)
    if has_no_top_slope:  # the case in which Lagrange's multiplier may be the eigenvalue itself
        top = np.linalg.eigh(curvature)[1][:, -1]
        slope = slope - top * (top @ slope)

    place, is_forked = best_on_sphere(slope, curvature, radius)

    directions = rng.normal(size=(3000, n_factors))
    others = radius * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    values = others @ slope + ((others @ curvature) * others).sum(axis=1)
    best = place @ slope + place @ curvature @ place
    assert np.linalg.norm(place) == pytest.approx(radius)
    assert best >= values.max() - 1e-9 * (1 + np.abs(values).max())
    if is_forked:
        top = np.linalg.eigh(curvature)[1][:, -1]
        mirrored = place - 2 * top * (top @ place)
        assert mirrored @ slope + mirrored @ curvature @ mirrored == pytest.approx(best)


@pytest.mark.requirement("ANA-9")
def test_the_path_leads_through_a_maximum_at_its_distance():
    model = fit_linear(montgomery_study(), "yield")
    peak = canonical_analysis(model).coded
    assert peak is not None

    path = ridge_analysis(model, radii=[np.linalg.norm(peak), 1.0])

    np.testing.assert_allclose(path.coded[0], peak, atol=1e-9)


@pytest.mark.requirement("ANA-9")
def test_the_path_starts_along_the_gradient_and_ends_along_the_largest_eigenvalue():
    model = surface_model([0.5, 0.4], SADDLE)
    path = ridge_analysis(model, radii=[0, 1e-4, 1e4])
    surface = path.surface

    start = path.coded[1] / 1e-4
    np.testing.assert_allclose(start, surface.slope / np.linalg.norm(surface.slope), atol=1e-3)
    top = np.linalg.eigh(surface.curvature)[1][:, -1]
    assert abs(path.coded[2] @ top) / 1e4 == pytest.approx(1, abs=1e-3)
    assert path.coded[0].tolist() == [0, 0]


@pytest.mark.requirement("ANA-9")
def test_the_smallest_response_is_the_largest_of_its_negative():
    up = ridge_analysis(surface_model([0.5, 0.4], SADDLE, noise=1e-9))
    down = ridge_analysis(
        surface_model([-0.5, -0.4], [[-1.0, -0.3], [-0.3, 1.0]], noise=1e-9), aim="minimise"
    )

    np.testing.assert_allclose(up.coded, down.coded, atol=1e-6)
    np.testing.assert_allclose(up.estimate - 50, 50 - down.estimate, atol=1e-6)


@pytest.mark.requirement("ANA-9")
def test_errors_along_the_path_are_those_of_the_expected_response():
    model = fit_linear(montgomery_study(), "yield")
    path = ridge_analysis(model, radii=[0.5, 2.5], coverage=0.9)

    prediction = model.predict(path.settings)
    reach = stats.t.ppf(0.95, 7)
    scale = np.sqrt(5 / 7)  # from the SD of Student's t to its scale
    np.testing.assert_allclose(path.estimate, prediction.mean)
    np.testing.assert_allclose(path.standard_error, prediction.latent_std * scale)
    np.testing.assert_allclose(path.upper, path.estimate + reach * path.standard_error)
    assert path.extrapolates.tolist() == [False, True]
    assert "extrapolates at distance 2.5" in path.sentence()
    table = path.table()
    assert table["radius"].tolist() == [0.5, 2.5]
    np.testing.assert_allclose(table[["x1 (coded)", "x2 (coded)"]], table[["x1", "x2"]])


@pytest.mark.requirement("ANA-9")
def test_a_path_that_forks_says_so():
    model = surface_model([0.0, 0.0], [[1.0, 0.0], [0.0, -1.0]], noise=1e-12)
    symmetric = best_on_sphere(np.zeros(2), np.diag([1.0, -1.0]), 1.0)

    np.testing.assert_allclose(symmetric[0], [1.0, 0.0])
    assert symmetric[1]
    path = ridge_analysis(model, radii=[0.0, 1.0])
    assert path.estimate[1] == pytest.approx(51)


@pytest.mark.requirement("ANA-9")
def test_settings_of_a_log_factor_come_back_in_its_unit():
    space = FactorSpace(
        (ContinuousFactor("feed", 0.1, 10.0, "mL/h", scale="log"), ContinuousFactor("pH", 6, 8))
    )
    path = ridge_analysis(surface_model([0.8, 0.4], SADDLE, space=space), radii=[0.7])

    table = path.table()
    np.testing.assert_allclose(table["feed"], 10 ** table["feed (coded)"])
    np.testing.assert_allclose(table["pH"], 7 + table["pH (coded)"])


@pytest.mark.requirement("ANA-9")
def test_a_categorical_factor_is_held_along_the_path():
    model = fit_linear(mixed_study(n_runs=40), "purity")
    path = ridge_analysis(model, at={"resin": "B"}, radii=[0.2, 0.6])

    assert path.settings["resin"].tolist() == ["B", "B"]
    np.testing.assert_allclose(path.estimate, model.predict(path.settings).mean)


@pytest.mark.requirement("ANA-9")
def test_the_figures_of_a_path_draw():
    path = ridge_analysis(fit_linear(montgomery_study(), "yield"), radii=[0, 1, 2, 3])

    for figure in (path.plot(), path.settings_plot()):
        assert image(figure, "png")
    assert {layer.label for layer in path.settings_plot().layers} == {"x1", "x2"}


@pytest.mark.requirement("ANA-9")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"aim": "upwards"}, "aim is 'upwards'; expected 'maximise' or 'minimise'"),
        ({"radii": []}, "expected distances in coded units"),
        ({"radii": [-1.0, 1.0]}, "none negative"),
        ({"radii": [0.0]}, "at least one above 0"),
        ({"radii": [float("nan")]}, "Radius"),
        ({"coverage": 95}, "coverage is 95"),
    ],
)
def test_an_argument_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(InvalidValueError, match=message):
        ridge_analysis(fit_linear(montgomery_study(), "yield"), **arguments)


@pytest.mark.requirement("ANA-9")
def test_a_plane_has_no_ridge():
    with pytest.raises(InvalidValueError, match="use steepest ascent"):
        ridge_analysis(fit_linear(montgomery_study(), "yield", "linear"))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_the_factors_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    root, slope = rng.normal(size=(3, 3)), rng.normal(size=3)
    order = rng.permutation(3)
    curvature = root + root.T
    values = np.linalg.eigvalsh(curvature)
    assume(values[-1] - values[-2] > 1e-3)

    first, _ = best_on_sphere(slope, curvature, 1.5)
    second, _ = best_on_sphere(slope[order], curvature[np.ix_(order, order)], 1.5)

    np.testing.assert_allclose(second, first[order], atol=1e-8)
