from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from doe.errors import InvalidValueError, TooFewDataError
from doe.factors import BlockFactor, ContinuousFactor
from doe.responses import Response
from doe.runs import Measurement, Observations
from doe.space import FactorSpace
from surrogates.linear.censored import fit_censored
from surrogates.linear.model import fit_linear
from surrogates.linear.tobit import fit_tobit, obstacle
from surrogates.surrogate import Surrogate
from tests.contracts.test_surrogate_contract import SurrogateContract
from tests.surrogates.examples import culture_study

SALT = ContinuousFactor("salt", 0.0, 500.0, "mM")
PH = ContinuousFactor("pH", 6.0, 8.0)


def detected(values, low=-np.inf, high=np.inf) -> list[object]:
    """Return values as a laboratory reports them, ``<low`` and ``>high`` beyond its limits."""
    return [
        f"<{low}" if value < low else f">{high}" if value > high else float(value)
        for value in values
    ]


def impurity(*, n_runs=30, low=-np.inf, high=np.inf, transform="none", seed=4) -> Observations:
    """Return runs over salt and pH whose impurity may be below detection."""
    rng = np.random.default_rng(seed)
    salt, ph = rng.uniform(0, 500, n_runs), rng.uniform(6, 8, n_runs)
    values = 5 + 2 * (salt - 250) / 250 - 1.5 * (ph - 7) + 0.6 * rng.standard_normal(n_runs)
    if transform != "none":
        values = np.exp(values / 5)
    table = pd.DataFrame({"salt": salt, "pH": ph, "impurity": detected(values, low, high)})
    response = Response("impurity", "ppm", transform=transform)
    return Observations.from_frame(table, FactorSpace((SALT, PH)), (response,))


def arrays(n_runs=40, seed=3, low=4.0, high=7.0):
    rng = np.random.default_rng(seed)
    matrix = np.column_stack([np.ones(n_runs), rng.uniform(-1, 1, (n_runs, 3))])
    values = matrix @ [5.0, 2.0, -1.0, 0.5] + 0.7 * rng.standard_normal(n_runs)
    sides = np.where(values < low, -1, np.where(values > high, 1, 0))
    return matrix, np.clip(values, low, high), sides


def minus_log_likelihood(parameters, matrix, values, sides):
    """Return it as the definition has it, in coefficients and the SD itself."""
    score = (values - matrix @ parameters[:-1]) / parameters[-1]
    known = stats.norm.logpdf(score[sides == 0]).sum() - np.log(parameters[-1]) * (sides == 0).sum()
    beyond = stats.norm.logcdf(score[sides < 0]).sum() + stats.norm.logsf(score[sides > 0]).sum()
    return -(known + beyond)


class TestCensoredModel(SurrogateContract):
    @classmethod
    def study(cls):
        study = culture_study(n_runs=36)
        values = sorted(m.value for m in study.measurements)
        low = values[4]
        return replace(
            study,
            measurements=tuple(
                replace(m, value=low, qualifier="<") if m.value < low else m
                for m in study.measurements
            ),
        )

    @classmethod
    def fit(cls, observations) -> Surrogate:
        return fit_censored(observations, "titre")


@pytest.mark.requirement("ANA-14")
@pytest.mark.parametrize(("low", "high"), [(4.0, 7.0), (None, 5.5), (4.5, None)])
def test_the_maximum_is_where_a_general_optimiser_finds_it(low, high):
    ends = (-np.inf if low is None else low, np.inf if high is None else high)
    matrix, values, sides = arrays(low=ends[0], high=ends[1])
    fit = fit_tobit(matrix, values, sides)
    found = optimize.minimize(
        minus_log_likelihood,
        [5.0, 2.0, -1.0, 0.5, 0.7],
        args=(matrix, values, sides),
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 8000, "maxfev": 8000},
    )

    assert fit.log_likelihood == pytest.approx(-found.fun, abs=1e-9)
    np.testing.assert_allclose([*fit.coefficients, fit.std], found.x, atol=1e-5)


def test_standard_errors_are_those_of_the_observed_information():
    """The second derivatives of the log likelihood in coefficients and SD, by differences."""
    data = arrays()
    fit = fit_tobit(*data)
    place = np.array([*fit.coefficients, fit.std])
    steps = 1e-4 * np.eye(len(place))
    curvature = [
        [
            (
                minus_log_likelihood(place + one + other, *data)
                - minus_log_likelihood(place + one - other, *data)
                - minus_log_likelihood(place - one + other, *data)
                + minus_log_likelihood(place - one - other, *data)
            )
            / 4e-8
            for other in steps
        ]
        for one in steps
    ]

    np.testing.assert_allclose(fit.covariance, np.linalg.inv(curvature), rtol=1e-4, atol=1e-7)


@pytest.mark.requirement("ANA-14")
def test_without_values_beyond_a_limit_it_is_least_squares():
    study = impurity()
    censored, plain = fit_censored(study, "impurity"), fit_linear(study, "impurity")
    at = study.space.sample(5, rng=np.random.default_rng(1))

    np.testing.assert_allclose(censored.coefficients, plain.coefficients, rtol=1e-8)
    np.testing.assert_allclose(censored.standard_errors, plain.standard_errors, rtol=1e-8)
    assert censored.residual_std == pytest.approx(plain.residual_std)
    assert censored.degrees == plain.degrees
    for coverage in (0.5, 0.95):
        np.testing.assert_allclose(
            censored.predict(at).interval(coverage), plain.predict(at).interval(coverage)
        )
    assert "likelihood and least squares agree" in censored.sentence()


@pytest.mark.requirement("ANA-14")
def test_likelihood_finds_a_slope_that_limits_and_omission_flatten():
    """Tobin (1958): a third of the values below detection, averaged over 200 simulated studies."""
    rng = np.random.default_rng(8)
    slopes = []
    for _ in range(200):
        x = rng.uniform(-1, 1, 40)
        values = 2 * x + 0.8 * rng.standard_normal(40)
        sides = np.where(values < -0.7, -1, 0)
        values = np.maximum(values, -0.7)
        matrix = np.column_stack([np.ones(40), x])
        known = sides == 0
        slopes.append(
            [
                fit_tobit(matrix, values, sides).coefficients[1],
                np.linalg.lstsq(matrix, values, rcond=None)[0][1],
                np.linalg.lstsq(matrix[known], values[known], rcond=None)[0][1],
            ]
        )
    likelihood, at_limit, left_out = np.mean(slopes, axis=0)
    error = np.std(slopes, axis=0)[0] / np.sqrt(200)

    assert abs(likelihood - 2) < 4 * error
    assert at_limit < 1.7
    assert left_out < 1.8


@given(unit=st.floats(1e-6, 1e6), sign=st.sampled_from([1, -1]))
@settings(max_examples=20, deadline=None)
def test_unit_and_direction_of_the_response_mean_nothing(unit, sign):
    matrix, values, sides = arrays()
    fit = fit_tobit(matrix, values, sides)

    other = fit_tobit(matrix, sign * unit * values, sign * sides)

    np.testing.assert_allclose(other.coefficients, sign * unit * fit.coefficients, rtol=1e-7)
    assert other.std == pytest.approx(unit * fit.std, rel=1e-7)


def test_a_limit_far_from_the_values_says_nothing():
    """A run known to be below a limit a hundred SDs above it counts as if it were not there."""
    matrix, values, sides = arrays(low=-np.inf, high=np.inf)
    values[7], sides[7] = 80.0, -1
    rest = np.arange(len(values)) != 7

    fit = fit_tobit(matrix, values, sides)
    without = fit_tobit(matrix[rest], values[rest], sides[rest])

    np.testing.assert_allclose(fit.coefficients, without.coefficients, rtol=1e-8)
    assert fit.std == pytest.approx(without.std, rel=1e-8)


def test_a_limit_that_moves_lower_lowers_the_prediction_there():
    predictions = []
    for low in (4.5, 3.5, 3.0):
        study = impurity(low=4.5)
        lowered = tuple(
            replace(m, value=low) if m.qualifier == "<" else m for m in study.measurements
        )
        model = fit_censored(replace(study, measurements=lowered), "impurity", "linear")
        setting = pd.DataFrame({"salt": [20.0], "pH": [7.8]})
        predictions.append(model.predict(setting).mean[0])

    assert predictions[0] > predictions[1] > predictions[2]


@pytest.mark.requirement("ANA-14")
def test_what_hangs_on_the_treatment_is_reported():
    model = fit_censored(impurity(low=4.0), "impurity", "linear")
    table = model.comparison().set_index("coefficient")
    described = model.describe()

    assert list(table.columns) == ["likelihood", "left out", "at limit"]
    slope = table.loc["salt"]
    assert slope["likelihood"] > slope["at limit"]
    n_below = int((model.sides < 0).sum())
    assert described["treatment"]["censored_values"] == n_below > 3
    assert described["treatment"]["censored_as"] == "counted by the chance of being beyond it"
    assert f"{n_below} of 30 values count by the chance" in model.sentence()
    assert described["comparison"] == model.sentence()


def test_on_the_log_and_inverse_scales_below_stays_below():
    """1/y turns below into above; both fits see slow growth with salt and agree on direction."""
    for transform in ("log", "inverse"):
        study = impurity(low=2.0, transform=transform)
        model = fit_censored(study, "impurity", "linear")
        at_limit = fit_linear(study, "impurity", "linear", censored="at_limit")
        low_corner = pd.DataFrame({"salt": [20.0], "pH": [7.9]})

        quantiles = [m.predict(low_corner).interval(0.5)[1][0] for m in (model, at_limit)]

        assert quantiles[0] < quantiles[1]


def test_determinations_of_which_some_are_beyond_a_limit_bound_their_mean():
    study = impurity()
    first = study.measurements[0]
    again = Measurement("1", "impurity", 1.0, qualifier="<", replicate=2)
    model = fit_censored(
        replace(study, measurements=(*study.measurements, again)), "impurity", "linear"
    )

    assert first.run == "1"
    assert list(model.sides) == [-1] + [0] * 29
    assert model.rows.measured[0] == pytest.approx((first.value + 1.0) / 2)
    assert model.treatment.averaged == ("1",)


def test_blocks_are_constants_unless_ignored():
    study = culture_study(block_std=2.0)
    with_blocks = fit_censored(study, "titre", "linear")
    without = fit_censored(study, "titre", "linear", blocks="ignore")

    assert len(with_blocks.coefficients) == len(without.coefficients) + 5
    assert with_blocks.residual_std < without.residual_std
    assert any("random ones too" in text for text in with_blocks.warnings)
    assert any("counts as noise" in text for text in without.warnings)
    assert any(isinstance(block, BlockFactor) for block in study.space.blocks)
    with pytest.raises(InvalidValueError, match="expected 'fixed' or 'ignore'"):
        fit_censored(study, "titre", "linear", blocks="random")


def test_only_values_beyond_a_limit_are_no_data():
    with pytest.raises(TooFewDataError, match="All 30 runs have 'impurity' beyond a limit"):
        fit_censored(impurity(low=50.0), "impurity", "linear")


def test_an_effect_seen_only_beyond_the_limit_is_refused():
    """Every run at the high level is below detection: how far below, nobody knows."""
    rng = np.random.default_rng(2)
    salt = np.tile([0.0, 500.0], 8)
    values = np.where(salt > 0, 0.1, 4 + rng.standard_normal(16) * 0.3)
    table = pd.DataFrame({"salt": salt, "pH": rng.uniform(6, 8, 16)})
    table["impurity"] = detected(values, low=1.0)
    study = Observations.from_frame(table, FactorSpace((SALT, PH)), (Response("impurity"),))

    with pytest.raises(TooFewDataError, match=r"likelihood has no maximum.*grow without end"):
        fit_censored(study, "impurity", "linear")


def test_known_values_fitted_exactly_are_refused():
    matrix, values, sides = arrays(low=-np.inf, high=np.inf)
    values[4:], sides[4:] = -100.0, 1

    assert obstacle(matrix, values, sides) == "exact"
    with pytest.raises(TooFewDataError, match="fits every known value exactly"):
        fit_tobit(matrix, values, sides)


def test_a_run_both_below_and_above_is_refused():
    study = impurity()
    beyond = (
        Measurement("1", "impurity", 2.0, qualifier="<", replicate=2),
        Measurement("1", "impurity", 9.0, qualifier=">", replicate=3),
    )

    with pytest.raises(InvalidValueError, match="below one limit and above another"):
        fit_censored(replace(study, measurements=(*study.measurements, *beyond)), "impurity")


def test_predicting_with_too_few_known_values_is_refused():
    study = impurity(n_runs=9, low=5.5, seed=6)
    model = fit_censored(study, "impurity", "linear")

    assert model.n_known - len(model.coefficients) < 3
    with pytest.raises(TooFewDataError, match="known values of 'impurity'"):
        model.predict(study.target)


def test_mostly_censored_data_are_warned_of():
    model = fit_censored(impurity(low=6.0), "impurity", "linear")

    assert any("rests on the assumption of normal noise" in text for text in model.warnings)


@pytest.mark.slow
def test_intervals_of_the_slope_hold_it_as_often_as_they_say():
    rng = np.random.default_rng(5)
    held = []
    for _ in range(600):
        x = np.linspace(-1, 1, 14)
        values = 2 * x + 0.8 * rng.standard_normal(14)
        table = pd.DataFrame({"salt": 250 + 250 * x, "y": detected(values, low=-0.9)})
        study = Observations.from_frame(table, FactorSpace((SALT,)), (Response("y"),))
        row = fit_censored(study, "y", "linear").coefficient_table(0.9).iloc[1]
        held.append(row["low"] <= 2 <= row["high"])

    # Two-sided 90 %, three standard errors of a share in 600; a little wide is allowed.
    assert 0.9 - 3 * np.sqrt(0.09 / 600) < np.mean(held) < 0.96


def test_a_censored_model_is_shown_in_one_line():
    model = fit_censored(impurity(low=4.0), "impurity", "linear")

    assert repr(model).startswith("<CensoredModel of 'impurity': 30 runs")
    assert "values at a limit" in repr(model)
