"""What each run does to a fit, and what its residuals say: checked by refitting without the run."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.diagnostic import het_breuschpagan
from statsmodels.stats.outliers_influence import OLSInfluence
from statsmodels.stats.stattools import durbin_watson

from dashboards.figures import to_plotly
from doe.errors import InvalidValueError, TooFewDataError, UnknownNameError
from doe.factors import ContinuousFactor
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.linear.diagnosing.diagnostics import diagnostics
from surrogates.linear.diagnosing.findings import outlier_probabilities
from surrogates.linear.diagnosing.influence import influence
from surrogates.linear.diagnosing.residual_plots import predicted_plot, residual_plot
from surrogates.linear.diagnosing.residual_tests import constant_variance, durbin_watson_probability
from surrogates.linear.model import fit_linear
from surrogates.linear.solution import solve
from tests.surrogates.examples import culture_study, mixed_study

SPACE = FactorSpace(
    (ContinuousFactor("pH", 6.0, 8.0), ContinuousFactor("temperature", 30.0, 40.0, "degC"))
)


def study(values, *, points=None, space=SPACE):
    """Return runs on two factors over a grid of three by three, repeated as often as needed."""
    grid = [(a, b) for a in (6.0, 7.0, 8.0) for b in (30.0, 35.0, 40.0)]
    rows = [grid[i % 9] for i in range(len(values))] if points is None else points
    frame = pd.DataFrame(rows, columns=["pH", "temperature"]).assign(titre=values)
    return Observations.from_frame(frame, space, (Response("titre", "g/L"),))


def noisy(n_runs, seed, *, noise=1.0):
    rng = np.random.default_rng(seed)
    return 20 + np.arange(n_runs) % 9 + noise * rng.standard_normal(n_runs)


def without(matrix, values, weights, run):
    """Return the coefficients and the residual SD of the other runs, refitted."""
    keep = np.arange(len(values)) != run
    root = np.sqrt(weights[keep])
    left, right = matrix[keep] * root[:, None], values[keep] * root
    coefficients = np.linalg.lstsq(left, right, rcond=None)[0]
    rest = right - left @ coefficients
    return coefficients, np.sqrt(rest @ rest / (keep.sum() - matrix.shape[1]))


@pytest.mark.requirement("ANA-7")
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), weighted=st.booleans())
def test_deletion_in_closed_form_is_what_refitting_without_the_run_gives(seed, weighted):
    rng = np.random.default_rng(seed)
    matrix = np.column_stack([np.ones(14), rng.normal(size=(14, 3))])
    values = rng.normal(50, 3, 14)
    weights = rng.uniform(0.3, 3, 14) if weighted else np.ones(14)

    found = influence(solve(matrix, values, weights))

    whole = solve(matrix, values, weights)
    errors = np.sqrt(np.diag(np.linalg.inv(matrix.T @ (matrix * weights[:, None]))))
    for run in range(14):
        coefficients, std = without(matrix, values, weights, run)
        predicted = matrix[run] @ coefficients
        change = whole.coefficients - coefficients
        moved = np.sqrt(weights) * (matrix @ change)
        assert found.press[run] == pytest.approx(values[run] - predicted, rel=1e-8)
        np.testing.assert_allclose(found.dfbetas[run], change / (std * errors), rtol=1e-7)
        spread = whole.residual_std
        assert found.cook[run] == pytest.approx(moved @ moved / (4 * spread**2), rel=1e-7)
        leverage = found.leverage[run]
        scale = std * np.sqrt(leverage / weights[run])
        assert found.dffits[run] == pytest.approx(matrix[run] @ change / scale, rel=1e-7)
        # The t value of a column that is 1 for this run only.
        alone = solve(np.column_stack([matrix, np.eye(14)[run]]), values, weights)
        t = alone.coefficients[-1] / (alone.residual_std * np.sqrt(alone.inverse[-1, -1]))
        assert found.external[run] == pytest.approx(t, rel=1e-7)


@pytest.mark.requirement("ANA-7")
@pytest.mark.parametrize("observations", [culture_study(seed=5), mixed_study(seed=6)])
def test_case_statistics_are_those_of_statsmodels(observations):
    model = fit_linear(observations, observations.responses[0].name, "interaction")
    found = diagnostics(model)

    fit = sm.OLS(model.values, model.matrix.to_numpy()).fit()
    reference = OLSInfluence(fit)

    got = found.influence
    np.testing.assert_allclose(got.leverage, reference.hat_matrix_diag, rtol=1e-9)
    np.testing.assert_allclose(got.internal, reference.resid_studentized_internal, rtol=1e-8)
    np.testing.assert_allclose(got.external, reference.resid_studentized_external, rtol=1e-8)
    np.testing.assert_allclose(got.cook, reference.cooks_distance[0], rtol=1e-8)
    np.testing.assert_allclose(got.dffits, reference.dffits[0], rtol=1e-8)
    np.testing.assert_allclose(got.dfbetas, reference.dfbetas, rtol=1e-7)
    np.testing.assert_allclose(got.press, reference.resid_press, rtol=1e-8)


@pytest.mark.requirement("ANA-7")
def test_tests_of_residuals_are_those_of_statsmodels():
    model = fit_linear(culture_study(n_runs=30, seed=7), "titre")
    found = diagnostics(model)
    residuals, fitted = model.residuals, model.fitted

    chi2, p, *_ = het_breuschpagan(residuals, np.column_stack([np.ones(30), fitted]))
    assert found.constant_variance.statistic == pytest.approx(chi2, rel=1e-9)
    assert found.constant_variance.p == pytest.approx(p, rel=1e-9)
    chi2, p, *_ = het_breuschpagan(residuals, model.matrix.to_numpy())
    columns = constant_variance(model, found.influence, against="columns")
    assert (columns.statistic, columns.p) == pytest.approx((chi2, p), rel=1e-8)
    assert found.autocorrelation.statistic == pytest.approx(durbin_watson(residuals), rel=1e-12)


@pytest.mark.requirement("ANA-7")
@pytest.mark.parametrize("weighted", [False, True])
def test_drift_is_the_coefficient_of_the_run_number_beside_all_terms(weighted):
    rng = np.random.default_rng(11)
    order = rng.permutation(18)
    values = noisy(18, 11, noise=0.4)
    values[order] += 0.15 * np.arange(18)
    weights = rng.uniform(0.5, 2.0, 18) if weighted else np.ones(18)
    model = fit_linear(study(values), "titre", "interaction", weights=weights)
    runs = np.array(model.rows.runs)[order]

    found = diagnostics(model, run_order=runs.tolist())

    number = np.empty(18)
    number[order] = np.arange(18)
    columns = np.column_stack([model.matrix.to_numpy(), number])
    fit = sm.WLS(values, columns, weights=weights).fit()
    drift = found.drift
    assert (drift.slope, drift.standard_error) == pytest.approx((fit.params[-1], fit.bse[-1]))
    assert (drift.t, drift.p) == pytest.approx((fit.tvalues[-1], fit.pvalues[-1]))
    assert drift.change == pytest.approx(17 * fit.params[-1])
    assert "drift" in {finding.kind for finding in found.findings}
    assert f"{drift.change:+.3g} g/L" in drift.reading
    np.testing.assert_array_equal(found.run_number, number + 1)


@pytest.mark.parametrize("statistic", [1.05, 1.5, 2.0, 2.4, 2.97])
def test_the_durbin_watson_distribution_of_three_runs_has_a_closed_form(statistic):
    """Three runs and a mean: d = 2 - cos(2 angle), the angle uniform, so P = arccos(2 - d)/pi."""
    basis = np.full((3, 1), 1 / np.sqrt(3))

    found = durbin_watson_probability(statistic, basis)

    assert found == pytest.approx(np.arccos(2 - statistic) / np.pi, abs=1e-6)


def test_the_durbin_watson_distribution_is_that_of_simulated_noise():
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(np.column_stack([np.ones(16), rng.normal(size=(16, 4))]))[0]
    noise = rng.standard_normal((40_000, 16))
    residuals = noise - noise @ basis @ basis.T
    drawn = np.square(np.diff(residuals)).sum(axis=1) / np.square(residuals).sum(axis=1)

    for statistic in (1.2, 1.9, 2.6):
        share = np.mean(drawn <= statistic)
        found = durbin_watson_probability(statistic, basis)
        assert found == pytest.approx(share, abs=3 * np.sqrt(share * (1 - share) / 40_000))


@pytest.mark.requirement("ANA-7")
def test_one_gross_error_is_flagged_with_its_value_and_limit_and_stays_in_the_model():
    values = noisy(18, 4)
    values[6] += 15
    model = fit_linear(study(values), "titre", "linear")

    found = diagnostics(model)

    outliers = [finding for finding in found.findings if finding.kind == "outlier"]
    assert [finding.run for finding in outliers] == ["7"]
    assert outliers[0].value == pytest.approx(found.influence.external[6])
    assert outliers[0].value > outliers[0].threshold
    assert "signature" in outliers[0].action
    assert "7" in found.table().index
    assert found.model.n_runs == 18
    assert found.table().loc["7", "findings"].startswith("outlier")
    assert found.sentence().startswith("Run '7' is an outlier")


@pytest.mark.requirement("ANA-7")
def test_bonferroni_flags_a_run_of_plain_noise_no_more_often_than_it_says():
    """At most 5 % of studies, by Bonferroni's inequality; nearly 5 %, as the bound is close."""
    rng = np.random.default_rng(8)
    matrix = np.column_stack([np.ones(12), rng.normal(size=(12, 2))])
    model = fit_linear(study(noisy(12, 1)), "titre", "linear")
    base = diagnostics(model)
    limit = base.thresholds.outlier
    assert limit is not None

    largest = [
        np.abs(influence(solve(matrix, rng.standard_normal(12))).external).max()
        for _ in range(2000)
    ]

    share = np.mean(np.array(largest) > limit)
    assert share <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)
    assert share >= 0.04 - 3 * np.sqrt(0.05 * 0.95 / 2000)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), factor=st.floats(1e-3, 1e3))
def test_diagnostics_depend_neither_on_the_unit_nor_on_the_order_of_the_rows(seed, factor):
    rng = np.random.default_rng(seed)
    values = noisy(13, seed)
    rows = rng.permutation(13)
    names = [f"run {i}" for i in range(13)]
    grid = [(a, b) for a in (6.0, 7.0, 8.0) for b in (30.0, 35.0, 40.0)]
    frame = pd.DataFrame([grid[i % 9] for i in range(13)], columns=["pH", "temperature"])
    frame = frame.assign(titre=values, run=names)
    moved = frame.iloc[rows].assign(titre=factor * values[rows])
    responses = (Response("titre", "g/L"),)
    one = diagnostics(
        fit_linear(Observations.from_frame(frame, SPACE, responses), "titre", "linear")
    )
    other = diagnostics(
        fit_linear(Observations.from_frame(moved, SPACE, responses), "titre", "linear"),
        run_order=names,
    )

    kept = ["leverage", "internally studentised", "externally studentised", "Cook's distance"]
    first, second = one.table()[kept], other.table().loc[names, kept]
    np.testing.assert_allclose(first.to_numpy(), second.to_numpy(), rtol=1e-7, atol=1e-9)
    for test in ("normality", "constant_variance", "autocorrelation", "drift"):
        assert getattr(one, test).p == pytest.approx(getattr(other, test).p, abs=1e-7)


def test_a_run_that_nothing_else_checks_has_no_residual_and_is_named():
    points = [(6.0, 30.0), (8.0, 30.0), (6.0, 30.0), (8.0, 30.0), (6.0, 30.0), (7.0, 40.0)]
    values = np.array([10.0, 14.0, 10.5, 14.2, 9.8, 30.0])
    model = fit_linear(study(values, points=points), "titre", "linear")

    found = diagnostics(model)

    assert found.of("6")["leverage"] == pytest.approx(1.0)
    for name in ("internally studentised", "externally studentised", "Cook's distance"):
        assert found.of("6")[name] is None
        assert found.of("1")[name] is not None
    assert found.of("6")["predicted without it"] is None
    assert [f.run for f in found.findings if f.kind == "unchecked"] == ["6"]
    assert any("leverage 1" in note and "(6)" in note for note in found.notes)
    assert "1 run is not shown" in residual_plot(found, "pH").sentence
    assert "1 run is not shown" in predicted_plot(found).sentence


def test_one_degree_of_freedom_leaves_no_run_to_be_judged_by_the_others():
    values = np.array([10.0, 12.0, 14.0, 17.0])
    points = [(6.0, 30.0), (8.0, 30.0), (6.0, 40.0), (8.0, 40.0)]
    found = diagnostics(fit_linear(study(values, points=points), "titre", "linear"))

    np.testing.assert_allclose(np.abs(found.influence.internal), 1.0, rtol=1e-9)
    assert found.of("1")["externally studentised"] is None
    assert found.thresholds.outlier is None
    assert found.normality.p is None
    assert "1 degrees of freedom" in found.normality.reading
    assert any("+1 or -1" in note for note in found.notes)
    assert np.isnan(outlier_probabilities(found)).all()
    with pytest.raises(TooFewDataError, match=r"no externally studentised residual.*Add runs"):
        found.plots()
    assert len(found.plots("internal")) == 7


def test_a_saturated_model_says_that_nothing_can_be_said():
    values = np.array([10.0, 12.0, 14.0, 17.0])
    points = [(6.0, 30.0), (8.0, 30.0), (6.0, 40.0), (8.0, 40.0)]
    found = diagnostics(fit_linear(study(values, points=points), "titre", "interaction"))

    assert found.findings == ()
    assert any("as many coefficients as runs" in note for note in found.notes)
    assert found.tests()["p"].isna().all()
    assert found.of("2")["PRESS residual"] is None
    with pytest.raises(TooFewDataError, match="no residual of 'titre' to draw"):
        residual_plot(found, "predicted", kind="residual")


def test_a_model_of_the_mean_alone_has_residuals_and_no_spread_to_follow():
    found = diagnostics(fit_linear(study(noisy(10, 5)), "titre", "1"))

    assert found.normality.p is not None
    assert found.constant_variance.p is None
    assert "cannot tell a spread that follows 0 quantities" in found.constant_variance.reading
    for plot in found.plots():
        assert len(to_plotly(plot)["data"]) == len(plot.layers)


def test_values_that_were_computed_are_told_from_values_that_were_measured():
    frame = study(np.zeros(18)).target
    exact = 3 + 2 * frame["pH"].to_numpy(float) - 0.1 * frame["temperature"].to_numpy(float)
    found = diagnostics(fit_linear(study(exact), "titre", "linear"))

    assert found.influence.is_exact
    assert found.tests()["p"].isna().all()
    assert any("measured, not computed" in note for note in found.notes)
    assert not [finding for finding in found.findings if finding.kind == "outlier"]


def test_a_run_without_which_all_others_fit_exactly_is_an_outlier():
    frame = study(np.zeros(18)).target
    exact = 3 + 2 * frame["pH"].to_numpy(float) - 0.1 * frame["temperature"].to_numpy(float)
    exact[4] += 1.0

    found = diagnostics(fit_linear(study(exact), "titre", "linear"))

    assert found.findings[0].sentence == "Without run '5' the model fits all other runs exactly."
    assert found.of("5")["externally studentised"] is None


def test_a_run_order_that_is_a_column_of_the_model_cannot_show_a_drift():
    points = [(6.0 + 0.25 * i, 30.0 + (i % 2) * 10) for i in range(9)]
    found = diagnostics(
        fit_linear(study(noisy(9, 2), points=points), "titre", "linear"),
        run_order=[str(i) for i in range(1, 10)],
    )

    assert found.drift.p is None
    assert "Randomise" in found.drift.reading


@pytest.mark.parametrize(
    ("order", "error", "words"),
    [
        (["1", "2"], UnknownNameError, "Run '3' has no place in the run order"),
        (["1", "1", *map(str, range(2, 14))], InvalidValueError, "Run '1' stands twice"),
        ({str(i): 1 for i in range(1, 14)}, InvalidValueError, "same place in the run order"),
    ],
)
def test_a_run_order_that_is_none_is_refused(order, error, words):
    model = fit_linear(study(noisy(13, 1)), "titre", "linear")

    with pytest.raises(error, match=words):
        diagnostics(model, run_order=order)


def test_what_cannot_be_asked_is_refused_with_what_can():
    found = diagnostics(fit_linear(study(noisy(13, 1)), "titre", "linear"))

    with pytest.raises(UnknownNameError, match=r"against 'day'.*run order, pH"):
        residual_plot(found, "day")
    with pytest.raises(InvalidValueError, match="expected one of residual, internal, external"):
        found.plots("raw")
    with pytest.raises(UnknownNameError, match="Run '99' is not among those fitted"):
        found.of("99")
    with pytest.raises(InvalidValueError, match="expected a share between 0 and 1"):
        diagnostics(found.model, significance=5)
    with pytest.raises(InvalidValueError, match="expected 'predicted' or 'columns'"):
        constant_variance(found.model, found.influence, against="fitted")


def test_predictions_without_the_run_come_back_in_the_unit_of_the_response():
    values = np.exp(noisy(18, 12) / 10)
    model = fit_linear(study(values), "titre", "linear", transform="log")
    found = diagnostics(model)

    matrix = model.solution.matrix
    for run in (0, 7):
        coefficients, _ = without(matrix, model.values, np.ones(18), run)
        expected = np.exp(matrix[run] @ coefficients)
        assert found.predicted_without[run] == pytest.approx(expected, rel=1e-8)
    assert any("medians" in note for note in found.notes)
