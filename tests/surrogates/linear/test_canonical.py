"""Canonical analysis: the stationary point, the axes, and what the surface is like there."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from doe.errors import InvalidValueError, TooFewDataError, UnknownNameError
from doe.factors import BlockFactor, CategoricalFactor, ContinuousFactor, MixtureComponent
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.linear.model import fit_linear
from surrogates.linear.optimum.canonical import canonical_analysis
from tests.surrogates.examples import mixed_study
from tests.surrogates.linear.examples import montgomery_study, straight_line
from tests.surrogates.linear.surface_examples import cube, grid, surface_model

HILL = [[-2.0, 0.3], [0.3, -1.0]]


@pytest.mark.requirement("ANA-9")
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_factors=st.integers(1, 4))
def test_the_gradient_vanishes_at_the_stationary_point(seed, n_factors):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n_factors, n_factors))
    model = surface_model(rng.normal(size=n_factors), root + root.T + np.eye(n_factors))

    analysis = canonical_analysis(model)

    assert analysis.coded is not None
    gradient = analysis.surface.gradient(analysis.coded)
    size = 1 + np.linalg.norm(analysis.coded)
    np.testing.assert_allclose(gradient, 0, atol=1e-9 * size * np.abs(analysis.eigenvalues).max())


@pytest.mark.requirement("ANA-9")
def test_a_surface_without_noise_gives_back_its_own_stationary_point_and_curvature():
    slope, curvature = np.array([1.0, -0.6]), np.array(HILL)
    analysis = canonical_analysis(surface_model(slope, curvature, noise=1e-9))

    np.testing.assert_allclose(analysis.coded, -0.5 * np.linalg.solve(curvature, slope), atol=1e-7)
    np.testing.assert_allclose(analysis.eigenvalues, np.linalg.eigvalsh(curvature), atol=1e-7)
    rebuilt = analysis.eigenvectors @ np.diag(analysis.eigenvalues) @ analysis.eigenvectors.T
    np.testing.assert_allclose(rebuilt, curvature, atol=1e-7)


@pytest.mark.requirement("ANA-9")
def test_the_errors_of_the_eigenvalues_are_those_of_a_second_regression_on_the_canonical_axes():
    """Bisgaard and Ankenman (1996): rotate the runs onto the axes and fit the quadratic again."""
    model = surface_model([1.0, -0.6, 0.2], np.diag([-2.0, -1.0, 0.7]) + 0.2, noise=0.3)
    analysis = canonical_analysis(model, coverage=0.9)

    rotated = grid(model.space).to_numpy() @ analysis.eigenvectors
    pairs = [rotated[:, i] * rotated[:, j] for i in range(3) for j in range(i)]
    matrix = np.column_stack([np.ones(len(rotated)), rotated, *pairs, rotated**2])
    inverse = np.linalg.inv(matrix.T @ matrix)
    coefficients = inverse @ matrix.T @ model.rows.measured
    errors = model.residual_std * np.sqrt(np.diag(inverse))[-3:]

    np.testing.assert_allclose(coefficients[-3:], analysis.eigenvalues, atol=1e-10)
    np.testing.assert_allclose(coefficients[4:7], 0, atol=1e-10)  # no interactions are left
    np.testing.assert_allclose(analysis.eigenvalue_errors, errors)
    reach = stats.t.ppf(0.95, len(rotated) - 10)
    np.testing.assert_allclose(analysis.eigenvalue_upper, analysis.eigenvalues + reach * errors)


@pytest.mark.requirement("ANA-9")
@pytest.mark.parametrize(
    ("slope", "curvature", "nature"),
    [
        ([0.5, 0.5], [[-2, 0], [0, -1]], "maximum"),
        ([0.5, 0.5], [[2, 0], [0, 1]], "minimum"),
        ([0.5, 0.5], [[2, 0], [0, -1]], "saddle"),
        ([0.5, 0.02], [[-2, 0], [0, -0.02]], "stationary ridge"),
        ([0.5, 0.5], [[-2, 0], [0, -0.02]], "rising ridge"),
        ([0.5, 0.5], [[2, 0], [0, 0.02]], "falling ridge"),
        ([0.5, 0.5], [[-2, 0], [0, 0.02]], "rising ridge"),
    ],
)
def test_the_nature_of_the_surface_follows_from_its_curvature(slope, curvature, nature):
    analysis = canonical_analysis(surface_model(slope, curvature, noise=1e-6))

    assert analysis.nature == nature
    assert nature in analysis.sentence()


@pytest.mark.requirement("ANA-9")
def test_a_surface_that_is_straight_along_one_factor_is_level_nowhere():
    model = surface_model([0.5, 0.5], [[-2, 0], [0, 0]], terms="x1 + x2 + I(x1**2)")

    analysis = canonical_analysis(model)

    assert analysis.coded is None
    assert analysis.settings is None
    assert analysis.nature == "rising ridge"
    assert np.isnan(analysis.predicted)
    assert not analysis.inside
    assert analysis.table()["coded"].isna().all()
    assert "level nowhere" in analysis.sentence()


@pytest.mark.requirement("ANA-9")
def test_a_factor_on_a_log_scale_has_its_stationary_point_on_the_logarithm():
    space = FactorSpace(
        (ContinuousFactor("feed", 0.1, 10.0, "mL/h", scale="log"), ContinuousFactor("pH", 6, 8))
    )
    analysis = canonical_analysis(surface_model([0.8, 0.4], [[-2, 0], [0, -1]], space=space))

    assert analysis.coded is not None
    natural = analysis.table()["natural"]
    assert natural["feed"] == pytest.approx(10 ** analysis.coded[0])
    assert natural["pH"] == pytest.approx(7 + analysis.coded[1])


@pytest.mark.requirement("ANA-9")
def test_a_stationary_point_outside_the_studied_ranges_is_said_to_be():
    analysis = canonical_analysis(surface_model([4.0, 0.0], HILL))

    assert not analysis.inside
    assert any("x1" in reason and "not studied" in reason for reason in analysis.reasons)
    assert "Outside what was studied" in analysis.sentence()


@pytest.mark.requirement("ANA-9")
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-3, 1e3))
def test_order_and_units_of_the_factors_do_not_matter(seed, scale):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, size=(20, 2))
    y = 5 - points[:, 0] ** 2 - 2 * points[:, 1] ** 2 + points[:, 0] + rng.normal(size=20) / 10
    a, b = ContinuousFactor("a", -1, 1), ContinuousFactor("b", -scale, scale)
    table = pd.DataFrame({"a": points[:, 0], "b": points[:, 1], "y": y})

    def analysed(space, frame):
        study = Observations.from_frame(frame, space, (Response("y"),))
        return canonical_analysis(fit_linear(study, "y"))

    first = analysed(cube(2), table.rename(columns={"a": "x1", "b": "x2"}))
    second = analysed(FactorSpace((b, a)), table.assign(b=table["b"] * scale))

    np.testing.assert_allclose(second.eigenvalues, first.eigenvalues, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(second.coded[::-1], first.coded, rtol=1e-7, atol=1e-9)
    assert second.predicted == pytest.approx(first.predicted)
    assert second.standard_error == pytest.approx(first.standard_error, rel=1e-6)


@pytest.mark.requirement("ANA-9")
def test_the_confidence_region_is_where_the_gradient_could_be_zero():
    """Box and Hunter (1954), with the inverse covariance written out."""
    model = fit_linear(montgomery_study(), "yield")
    analysis = canonical_analysis(model)
    places = np.random.default_rng(3).uniform(-1, 1, size=(200, 2))
    covariance = model.residual_std**2 * np.linalg.inv(model.matrix.T @ model.matrix)
    names = list(model.columns)
    expected = []
    for x1, x2 in places:
        forms = np.zeros((2, 6))
        forms[0, names.index("x1")] = forms[1, names.index("x2")] = 1
        forms[0, names.index("x1^2")], forms[1, names.index("x2^2")] = 2 * x1, 2 * x2
        forms[0, names.index("x1:x2")], forms[1, names.index("x1:x2")] = x2, x1
        gradient = forms @ model.coefficients
        ratio = gradient @ np.linalg.solve(forms @ covariance @ forms.T, gradient) / 2
        expected.append(ratio <= stats.f.ppf(0.95, 2, 7))

    found = analysis.could_be_stationary(pd.DataFrame(places, columns=["x1", "x2"]))

    assert 0 < sum(expected) < 200
    np.testing.assert_array_equal(found, expected)
    assert analysis.settings is not None
    assert analysis.could_be_stationary(analysis.settings)[0]


@pytest.mark.requirement("ANA-9")
def test_with_a_categorical_factor_each_level_has_its_own_stationary_point():
    study = mixed_study(n_runs=40)
    model = fit_linear(study, "purity", "resin*pH + `shift day` + I(pH**2) + I(`shift day`**2)")

    points = {}
    for level in ("A", "B", "C"):
        analysis = canonical_analysis(model, at={"resin": level})
        assert analysis.settings is not None
        assert analysis.settings["resin"].tolist() == [level]
        moved = analysis.settings.assign(pH=analysis.settings["pH"] + 1e-4)
        change = model.predict(moved).mean[0] - model.predict(analysis.settings).mean[0]
        assert abs(change) < 1e-5
        assert analysis.predicted == pytest.approx(model.predict(analysis.settings).mean[0])
        points[level] = float(analysis.settings["pH"].iloc[0])

    assert len({round(point, 6) for point in points.values()}) == 3
    with pytest.raises(InvalidValueError, match=r"'resin' is in the model.*at=\{'resin': 'A'\}"):
        canonical_analysis(model)
    with pytest.raises(InvalidValueError, match="'Z' is not a level of 'resin'"):
        canonical_analysis(model, at={"resin": "Z"})
    with pytest.raises(UnknownNameError, match="'column' is not a factor"):
        canonical_analysis(model, at={"column": "A"})


@pytest.mark.requirement("ANA-9")
def test_a_factor_that_is_held_leaves_the_surface_of_the_others():
    model = surface_model([1.0, -0.6, 0.2], np.diag([-2.0, -1.0, -0.7]) + 0.2, noise=0.1)

    analysis = canonical_analysis(model, at={"x3": 0.5})

    assert analysis.surface.names == ("x1", "x2")
    assert analysis.settings is not None
    assert analysis.settings["x3"].tolist() == [0.5]
    near = pd.concat([analysis.settings] * 2).assign(x1=lambda table: table["x1"] + [1e-4, -1e-4])
    assert abs(np.ptp(model.predict(near).mean)) < 1e-7


@pytest.mark.requirement("ANA-9")
def test_a_response_modelled_as_its_inverse_has_its_maximum_where_the_inverse_is_smallest():
    space = cube(2)
    table = grid(space)
    inverse = 1.0 + 0.3 * (table["x1"] - 0.2) ** 2 + 0.5 * table["x2"] ** 2
    noise = 1e-3 * np.random.default_rng(1).standard_normal(9)
    study = Observations.from_frame(
        table.assign(y=1 / inverse + noise), space, (Response("y", transform="inverse"),)
    )

    analysis = canonical_analysis(fit_linear(study, "y"))

    assert analysis.nature == "maximum"
    assert (analysis.eigenvalues > 0).all()
    assert analysis.predicted == pytest.approx(1.0, abs=0.01)
    assert analysis.lower < analysis.predicted < analysis.upper
    assert "inverse scale" in analysis.sentence()


@pytest.mark.requirement("ANA-9")
def test_blocks_shift_the_response_and_not_its_stationary_point():
    space = FactorSpace((*cube(2).factors, BlockFactor("day", random=False)))
    table = pd.concat([grid(cube(2))] * 2, ignore_index=True)
    table["day"] = ["1"] * 9 + ["2"] * 9
    x1, x2 = table["x1"], table["x2"]
    y = 10 + x1 - 2 * x1**2 - x2**2 + 0.01 * np.random.default_rng(4).standard_normal(18)
    study = Observations.from_frame(
        table.assign(y=y + 4.0 * (table["day"] == "2")), space, (Response("y"),)
    )

    analysis = canonical_analysis(fit_linear(study, "y"))

    np.testing.assert_allclose(analysis.coded, [0.25, 0.0], atol=0.02)
    assert analysis.predicted == pytest.approx(10.125 + 2.0, abs=0.02)


@pytest.mark.requirement("ANA-9")
def test_a_saturated_model_has_a_stationary_point_and_no_errors():
    space = cube(1)
    table = pd.DataFrame({"x1": [-1.0, 0.0, 1.0], "y": [1.0, 3.0, 2.0]})
    study = Observations.from_frame(table, space, (Response("y"),))

    analysis = canonical_analysis(fit_linear(study, "y"))

    np.testing.assert_allclose(analysis.coded, [1 / 6])
    assert np.isnan(analysis.eigenvalue_errors).all()
    assert "no errors can be given" in analysis.sentence()
    assert analysis.plot().layers
    with pytest.raises(TooFewDataError, match="leave no degrees of freedom"):
        analysis.could_be_stationary(table)


@pytest.mark.requirement("ANA-9")
@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ("linear", "no second-order term in x1, x2"),
        ("x1*x2 + I(x1**2) + I(x1**2):x2", r"'x1\^2:x2', which is above second order"),
        ("x1 + x2 + I(x1**2) + exp(x2)", r"'exp\(x2\)', which is no product"),
    ],
)
def test_a_model_that_is_not_of_second_order_is_refused(terms, message):
    model = surface_model([0.5, 0.5], HILL, terms=terms, noise=0.2)

    with pytest.raises(InvalidValueError, match=message):
        canonical_analysis(model)


@pytest.mark.requirement("ANA-9")
def test_a_mixture_is_refused_and_told_what_to_use():
    space = FactorSpace(tuple(MixtureComponent(name) for name in ("A", "B", "C")))
    table = space.sample(12, rng=np.random.default_rng(1))
    study = Observations.from_frame(table.assign(y=np.arange(12.0) ** 1.5), space, (Response("y"),))

    with pytest.raises(InvalidValueError, match=r"components of a mixture.*optimise_desirability"):
        canonical_analysis(fit_linear(study, "y"))


@pytest.mark.requirement("ANA-9")
def test_axes_that_cannot_be_told_apart_are_named():
    analysis = canonical_analysis(fit_linear(montgomery_study(), "molecular weight"))
    assert "includes zero" in analysis.sentence()

    round_hill = canonical_analysis(
        surface_model([0.1, 0.1], [[-1, 0], [0, -1]], noise=0.1, seed=2)
    )
    assert "differ by less than two standard errors" in round_hill.sentence()


@pytest.mark.requirement("ANA-9")
def test_the_signs_of_the_axes_are_fixed_by_their_largest_entry():
    model = surface_model([1.0, -0.6, 0.2], np.diag([-2.0, -1.0, 0.7]) + 0.2, noise=0.3)
    vectors = canonical_analysis(model).eigenvectors

    largest = np.abs(vectors).argmax(axis=0)
    assert (vectors[largest, range(3)] > 0).all()
    assert list(canonical_analysis(model).axes().columns[-3:]) == ["x1", "x2", "x3"]


def test_a_model_of_the_mean_alone_has_no_surface_to_search():
    x = np.linspace(-1, 1, 6)
    model = fit_linear(straight_line(x, x**2 + 0.1 * np.sin(9 * x)), "y", "1")
    for analysis in (model.canonical, model.steepest_ascent):
        with pytest.raises(InvalidValueError, match="has no factor, so its surface is level"):
            analysis()


def test_only_categorical_factors_leave_nothing_to_move():
    space = FactorSpace((CategoricalFactor("resin", ("A", "B")),))
    table = pd.DataFrame({"resin": ["A", "B"] * 3, "y": [1.0, 2.0, 1.1, 2.1, 0.9, 2.2]})
    model = fit_linear(Observations.from_frame(table, space, (Response("y"),)), "y", "linear")

    with pytest.raises(InvalidValueError, match="No numeric factor"):
        canonical_analysis(model, at={"resin": "A"})
