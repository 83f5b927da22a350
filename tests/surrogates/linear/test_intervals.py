"""Intervals at a setting: for the mean, for future runs, and for a share of them."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from campaigns.exports.figures import image
from dashboards.figures.plotly_figure import to_plotly
from doe.errors import InvalidValueError, TooFewDataError
from doe.factors import BlockFactor
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.linear.intervals import mean_interval, prediction_interval, tolerance_interval
from surrogates.linear.model import fit_linear
from tests.surrogates.examples import culture_study
from tests.surrogates.linear.examples import montgomery_study, plane, straight_line

LINE_X = np.array([-1.0, -0.8, -0.4, 0.0, 0.1, 0.5, 0.9, 1.0])
LINE_Y = np.array([2.0, 2.4, 2.9, 3.1, 3.6, 4.1, 4.3, 5.0])
ON_THE_LINE = pd.DataFrame({"x": [-0.7, 0.2, 1.0]})


@pytest.mark.requirement("ANA-10")
def test_intervals_for_the_mean_and_a_new_run_are_those_of_statsmodels():
    study = culture_study()
    model = fit_linear(study, "titre")
    settings = study.space.sample(6, rng=np.random.default_rng(1))
    reference = sm.OLS(model.values, model.matrix.to_numpy()).fit()
    expected = reference.get_prediction(model.model_rows(settings)).summary_frame(alpha=0.1)

    mean = mean_interval(model, settings, coverage=0.9).table()
    new_run = prediction_interval(model, settings, coverage=0.9).table()

    np.testing.assert_allclose(mean["lower"], expected["mean_ci_lower"])
    np.testing.assert_allclose(mean["upper"], expected["mean_ci_upper"])
    np.testing.assert_allclose(new_run["lower"], expected["obs_ci_lower"])
    np.testing.assert_allclose(new_run["upper"], expected["obs_ci_upper"])
    np.testing.assert_allclose(mean["estimate"], expected["mean"])


@pytest.mark.requirement("ANA-10")
def test_the_mean_of_many_future_runs_is_as_sure_as_the_expected_value():
    model = fit_linear(straight_line(LINE_X, LINE_Y), "y", "linear")

    one = prediction_interval(model, ON_THE_LINE, of="mean")
    many = prediction_interval(model, ON_THE_LINE, n_future=10**9, of="mean")

    np.testing.assert_allclose(one.lower, prediction_interval(model, ON_THE_LINE).lower)
    np.testing.assert_allclose(many.lower, mean_interval(model, ON_THE_LINE).lower, rtol=1e-8)


@pytest.mark.requirement("ANA-10")
def test_an_interval_for_each_of_five_runs_holds_all_five_at_least_as_often_as_it_says():
    rng, model = np.random.default_rng(3), fit_linear(straight_line(LINE_X, LINE_Y), "y", "linear")
    at = ON_THE_LINE.head(1)
    interval = prediction_interval(model, at, n_future=5, coverage=0.9)
    leverage = float(model.solution.leverage_of(model.rows_at(at))[0])

    # In units of the true SD the study's estimates and the future runs are as follows.
    centre = np.sqrt(leverage) * rng.standard_normal((40_000, 1))
    std = np.sqrt(rng.chisquare(model.degrees, (40_000, 1)) / model.degrees)
    off = np.abs(rng.standard_normal((40_000, 5)) - centre) / std
    held = float((off <= interval.factor[0]).all(axis=1).mean())

    assert 0.9 - 0.005 < held < 0.93


def test_one_sided_bounds_spend_all_the_chance_of_error_on_one_side():
    model = fit_linear(straight_line(LINE_X, LINE_Y), "y", "linear")
    for function in (mean_interval, prediction_interval):
        both = function(model, ON_THE_LINE, coverage=0.9)
        lower = function(model, ON_THE_LINE, coverage=0.95, side="lower")
        upper = function(model, ON_THE_LINE, coverage=0.95, side="upper")

        np.testing.assert_allclose(lower.lower, both.lower)
        np.testing.assert_allclose(upper.upper, both.upper)
        assert np.isposinf(lower.upper).all()
        assert np.isneginf(upper.lower).all()


@pytest.mark.requirement("ANA-10")
def test_a_band_for_the_whole_line_is_that_of_working_and_hotelling():
    """Half-width sqrt(2 F) standard errors; the worst error over all x stays within it."""
    model = fit_linear(straight_line(LINE_X, LINE_Y), "y", "linear")
    band = mean_interval(model, ON_THE_LINE, together="scheffe")
    alone = mean_interval(model, ON_THE_LINE)

    ratio = np.sqrt(2 * stats.f.ppf(0.95, 2, 6)) / stats.t.ppf(0.975, 6)
    np.testing.assert_allclose(band.factor / alone.factor, ratio)

    rng = np.random.default_rng(8)
    matrix = np.column_stack([np.ones(8), LINE_X])
    errors = rng.standard_normal((20_000, 8))
    estimates = errors @ matrix @ np.linalg.inv(matrix.T @ matrix)
    variance = np.square(errors - estimates @ matrix.T).sum(axis=1) / 6
    angles = np.linspace(0, np.pi, 400)
    rows = np.column_stack([np.cos(angles), np.sin(angles)])
    spread = np.sqrt(((rows @ np.linalg.inv(matrix.T @ matrix)) * rows).sum(axis=1))
    worst = (np.abs(estimates @ rows.T) / spread).max(axis=1) / np.sqrt(variance)
    limit = float(
        (band.factor / np.sqrt(model.solution.leverage_of(model.rows_at(ON_THE_LINE))))[0]
    )
    assert np.mean(worst <= limit) == pytest.approx(0.95, abs=0.007)


def test_settings_taken_together_by_bonferroni_share_the_chance_of_error():
    model = fit_linear(straight_line(LINE_X, LINE_Y), "y", "linear")

    together = mean_interval(model, ON_THE_LINE, coverage=0.94, together="bonferroni")
    alone = mean_interval(model, ON_THE_LINE, coverage=0.98)

    np.testing.assert_allclose(together.factor, alone.factor)


@pytest.mark.requirement("ANA-10")
@pytest.mark.parametrize(
    ("transform", "there", "back"),
    [("log", np.log, np.exp), ("inverse", np.reciprocal, np.reciprocal)],
)
def test_intervals_of_a_transformed_response_are_mapped_back_end_by_end(transform, there, back):
    plain = fit_linear(straight_line(LINE_X, there(LINE_Y)), "y", "linear")
    scaled = fit_linear(straight_line(LINE_X, LINE_Y, transform), "y", "linear")
    for function in (mean_interval, prediction_interval, tolerance_interval):
        expected, found = function(plain, ON_THE_LINE), function(scaled, ON_THE_LINE)

        ends = np.sort([back(expected.lower), back(expected.upper)], axis=0)
        np.testing.assert_allclose([found.lower, found.upper], ends)
        assert f"{transform} scale" in found.sentence()
    lower = tolerance_interval(scaled, ON_THE_LINE, side="lower")
    side = "upper" if transform == "inverse" else "lower"
    beyond = tolerance_interval(plain, ON_THE_LINE, side=side)
    np.testing.assert_allclose(lower.lower, back(getattr(beyond, side)))


def test_a_tolerance_interval_holds_the_prediction_interval_and_that_the_confidence_interval():
    model = fit_linear(montgomery_study(), "yield")
    settings = plane((0, 0), (1, 1), (-1, 0.5))

    inner = mean_interval(model, settings)
    middle = prediction_interval(model, settings)
    outer = tolerance_interval(model, settings)

    assert (outer.lower < middle.lower).all()
    assert (middle.lower < inner.lower).all()
    assert (inner.upper < middle.upper).all()
    assert (middle.upper < outer.upper).all()


def test_the_unit_of_a_factor_and_the_order_of_factors_mean_nothing():
    study = culture_study()
    settings = study.space.sample(4, rng=np.random.default_rng(2))
    turned = FactorSpace(tuple(reversed(study.space.factors)))
    other = Observations.from_frame(
        settings_with_values(study), turned, (Response("titre", "g/L"),)
    )

    one = tolerance_interval(fit_linear(study, "titre"), settings)
    same = tolerance_interval(fit_linear(other, "titre"), settings)

    np.testing.assert_allclose(one.lower, same.lower, rtol=1e-9)
    np.testing.assert_allclose(one.upper, same.upper, rtol=1e-9)


def settings_with_values(study: Observations) -> pd.DataFrame:
    return study.table()[[*study.space.names, "titre"]]


def test_a_table_has_the_settings_and_says_where_the_model_extrapolates():
    model = fit_linear(montgomery_study(), "yield")

    table = tolerance_interval(model, plane((0, 0), (3, 3))).table()

    assert list(table.columns) == ["x1", "x2", "estimate", "lower", "upper", "extrapolates"]
    assert table["extrapolates"].tolist() == [False, True]


def test_the_sentence_names_the_interval_its_ends_and_the_unit():
    model = fit_linear(montgomery_study(), "yield")

    text = tolerance_interval(model, plane((0, 0))).sentence()

    assert "95 %/95 % tolerance interval of yield is 78.91 to 80.97 %" in text
    assert "at least 95 % of future runs" in text


def test_intervals_can_be_drawn():
    model = fit_linear(montgomery_study(), "yield")
    for side in ("both", "lower"):
        plot = tolerance_interval(model, plane((0, 0), (1, 1)), side=side).plot()

        assert plot.x.categories == ("1", "2")
        assert plot.y.low < plot.layers[0].error_low.min() < plot.y.high
        assert to_plotly(plot)["data"][0]["error_y"]["arrayminus"] == pytest.approx(
            plot.layers[0].y - plot.layers[0].error_low
        )
        assert image(plot, "svg").startswith(b"<?xml")


def test_intervals_in_the_presence_of_blocks_say_what_they_leave_out():
    space = FactorSpace((*montgomery_study().space.factors, BlockFactor("day", random=False)))
    table = montgomery_study().table()
    table["day"] = ["1", "2"] * 6 + ["1"]
    study = Observations.from_frame(
        table[["x1", "x2", "day", "yield"]], space, (Response("yield", "%"),)
    )
    model = fit_linear(study, "yield", "linear")

    average = mean_interval(model, plane((0, 0)))
    first = mean_interval(model, plane((0, 0)), block="1")
    second = mean_interval(model, plane((0, 0)), block="2")

    assert average.estimate[0] == pytest.approx((first.estimate[0] + second.estimate[0]) / 2)
    assert "new block" in average.sentence()


def test_a_saturated_model_has_no_interval():
    x = np.array([-1.0, 0.0, 1.0])
    model = fit_linear(straight_line(x, x**2 + x), "y", "quadratic")

    with pytest.raises(TooFewDataError, match="no degrees of freedom"):
        tolerance_interval(model, ON_THE_LINE)


@pytest.mark.parametrize(
    ("function", "wrong", "message"),
    [
        (mean_interval, {"coverage": 95}, "coverage is 95"),
        (mean_interval, {"together": "all"}, "together is 'all'"),
        (mean_interval, {"together": "scheffe", "side": "lower"}, "two sides"),
        (prediction_interval, {"n_future": 0}, "n_future is 0"),
        (prediction_interval, {"of": "some"}, "of is 'some'"),
        (prediction_interval, {"side": "left"}, "side is 'left'"),
        (tolerance_interval, {"content": 0}, "content is 0"),
        (tolerance_interval, {"side": "left"}, "side is 'left'"),
    ],
)
def test_choices_that_are_not_allowed_are_refused_by_name(function, wrong, message):
    model = fit_linear(montgomery_study(), "yield")

    with pytest.raises(InvalidValueError, match=message):
        function(model, plane((0, 0)), **wrong)


def test_no_settings_are_refused():
    model = fit_linear(montgomery_study(), "yield")

    with pytest.raises(InvalidValueError, match="no settings"):
        mean_interval(model, plane((0, 0)).head(0))
