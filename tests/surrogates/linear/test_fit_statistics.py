from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from doe.factors import ContinuousFactor
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.linear.model import LinearModel, fit_linear
from surrogates.linear.reports.fit_summary import fit_summary
from surrogates.linear.reports.statistics import fit_statistics
from surrogates.validation import without_runs
from tests.surrogates.examples import culture_study
from tests.surrogates.linear.examples import straight_line

LINE = FactorSpace((ContinuousFactor("x", -1.0, 1.0),))


def line_model(x, values, terms="linear") -> LinearModel:
    table = pd.DataFrame({"x": np.asarray(x, dtype=np.float64), "y": values})
    return fit_linear(Observations.from_frame(table, LINE, (Response("y"),)), "y", terms)


@pytest.mark.requirement("ANA-1")
def test_press_is_that_of_refitting_without_each_run():
    study = culture_study()
    model = fit_linear(study, "titre")
    errors = []
    for run in study.runs:
        rest = fit_linear(without_runs(study, {run}), "titre")
        left_out = study.settings().loc[[int(run)]] if run not in study.target.index else None
        settings = study.settings().loc[[run]] if left_out is None else left_out
        value = next(m.value for m in study.measurements if m.run == run)
        errors.append(value - rest.predict(settings).mean[0])

    found = fit_statistics(model)

    assert found.press == pytest.approx(np.square(errors).sum(), rel=1e-9)
    values = model.rows.measured
    assert found.q2 == pytest.approx(1 - found.press / np.square(values - values.mean()).sum())


@pytest.mark.requirement("ANA-1")
def test_q2_is_not_clipped_at_zero():
    """Noise about a constant: a line predicts runs left out worse than their mean does."""
    model = line_model([-1, -0.5, 0, 0.5, 1], [1.0, -1.0, 1.0, -1.0, 1.0], "x + I(x**2)")
    found = fit_statistics(model)

    assert found.q2 < -1
    assert "worse than by their mean" in found.readings()["Q2"]


@pytest.mark.requirement("ANA-3")
def test_reproducibility_and_validity_follow_from_pure_error():
    """p = .05 of lack of fit is a validity of .25 by construction (Eriksson et al. 2008)."""
    x = np.repeat([-1.0, 0.0, 1.0], 3)
    noise = np.array([0.1, -0.1, 0.0, 0.2, 0.0, -0.2, 0.05, -0.05, 0.0])
    found = fit_statistics(line_model(x, 3 * x + noise))
    values = 3 * x + noise
    pure = np.sum([np.square(values[x == v] - values[x == v].mean()).sum() for v in (-1, 0, 1)]) / 6
    total = np.square(values - values.mean()).sum() / 8

    assert found.reproducibility == pytest.approx(1 - pure / total)
    assert found.model_validity == pytest.approx(1 + 0.57647 * np.log10(found.lack_of_fit_p))
    assert 1 + 0.57647 * np.log10(0.05) == pytest.approx(0.25, abs=5e-6)


@pytest.mark.requirement("ANA-3")
def test_a_tiny_pure_error_gives_artificial_lack_of_fit_and_it_is_said():
    x = np.array([-1, -1, -0.5, -0.5, 0, 0, 0.5, 0.5, 1, 1])
    wiggle = np.repeat([0.05, -0.1, 0.08, -0.06, 0.03], 2)
    values = 5 * x + wiggle + 1e-4 * np.tile([1, -1], 5)
    found = fit_statistics(line_model(x, values))

    assert found.model_validity < 0
    assert found.q2 > 0.99
    assert found.has_artificial_lack_of_fit
    assert "artificial" in found.readings()["model validity"]
    honest = fit_statistics(line_model(x, 5 * x**2 + 0.1 * np.tile([1, -1], 5)))
    assert honest.model_validity < 0.25
    assert not honest.has_artificial_lack_of_fit


@pytest.mark.requirement("ANA-3")
def test_what_cannot_be_had_is_none_and_says_why():
    found = fit_statistics(line_model([-1, -0.3, 0.4, 1], [1.0, 2.5, 2.0, 4.0]))
    saturated = fit_statistics(line_model([-1, 0, 1], [1.0, 2.5, 2.0], "x + I(x**2)"))

    assert found.reproducibility is None
    assert found.model_validity is None
    assert "no setting was repeated" in found.readings()["model validity"]
    assert found.readings()["df model"] == "The terms take 1 degree of freedom."
    assert found.aicc is None
    assert "too few" in found.readings()["AICc"]
    for name in ("residual_std", "cv", "adjusted_r2", "press", "q2", "adequate_precision", "bic"):
        assert getattr(saturated, name) is None
    table = saturated.table()
    assert table.loc["PRESS", "value"] != table.loc["PRESS", "value"]
    assert table["meaning"].str.len().min() > 15


def test_a_run_that_no_other_checks_is_named():
    model = line_model([-1, -1, -1, -1, 1], [1.0, 1.2, 0.9, 1.1, 4.0])
    found = fit_statistics(model)

    assert found.full_leverage == ("5",)
    assert found.q2 is None
    assert "run 5 has leverage 1" in found.readings()["Q2"]


@pytest.mark.requirement("ANA-1")
def test_blocks_are_no_merit_of_the_model():
    """R2 within blocks is that of values and columns from which block means were taken out."""
    study = culture_study(block_std=20.0)
    found = fit_statistics(fit_linear(study, "titre", "linear"))
    model = fit_linear(study, "titre", "linear", blocks="ignore")
    days = study.settings()["day"].to_numpy()

    def within(column):
        return column - pd.Series(column).groupby(days).transform("mean").to_numpy()

    columns = np.column_stack([within(c) for c in model.matrix.to_numpy().T[1:]])
    reference = sm.OLS(within(model.values), columns).fit()
    assert found.r2 == pytest.approx(reference.rsquared, rel=1e-9)
    assert found.parts.blocks.degrees == 5
    assert found.r2 > fit_statistics(model).r2


@pytest.mark.requirement("ANA-1")
def test_criteria_compare_scales_of_the_response():
    """Box and Cox (1964): the likelihood of the values counts the slope of the transform."""
    study = culture_study(transform="log")
    log = fit_statistics(fit_linear(study, "titre"))
    plain = fit_statistics(fit_linear(study, "titre", transform="none"))
    values = np.array([m.value for m in study.measurements])
    matrix = fit_linear(study, "titre").matrix.to_numpy()
    reference = sm.OLS(np.log(values), matrix).fit()

    assert log.log_likelihood == pytest.approx(reference.llf - np.log(values).sum(), rel=1e-9)
    assert log.aicc < plain.aicc
    k, n = 11, 24
    assert log.aicc == pytest.approx(
        -2 * log.log_likelihood + 2 * k + 2 * k * (k + 1) / (n - k - 1)
    )
    assert log.unit == "log(g/L)"


def test_statistics_on_recommended_runs_say_so():
    study = replace(culture_study(), origins=("recommended",) * 24)

    assert "optimizer" in fit_statistics(fit_linear(study, "titre")).readings()["runs"]


@pytest.mark.requirement("ANA-6")
def test_noise_supports_no_order():
    rng = np.random.default_rng(11)
    found = fit_summary(line_model(rng.uniform(-1, 1, 14), rng.normal(size=14)))

    assert found.suggested == "mean"
    assert "No order explains more than chance" in found.reason
    assert [order.name for order in found.orders] == ["mean", "linear", "quadratic", "cubic"]


@pytest.mark.requirement("ANA-6")
def test_aliased_orders_are_flagged_and_not_suggested():
    """A two-level design with centre runs sees curvature, but not whose."""
    corners = [(a, b) for a in (-1, 1) for b in (-1, 1)] * 2 + [(0, 0)] * 4
    rng = np.random.default_rng(3)
    points = np.array(corners, dtype=np.float64)
    values = 5 - 8 * points[:, 0] ** 2 + 0.1 * rng.normal(size=12)
    space = FactorSpace((ContinuousFactor("a", -1.0, 1.0), ContinuousFactor("b", -1.0, 1.0)))
    table = pd.DataFrame(points, columns=["a", "b"]).assign(y=values)
    model = fit_linear(Observations.from_frame(table, space, (Response("y"),)), "y", "linear")
    found = fit_summary(model)

    assert found.order("quadratic").aliased == ("b^2",)
    assert found.order("quadratic").p < 1e-6
    assert found.suggested == "mean"
    assert "No order up to two-factor interactions explains more than chance" in found.reason
    assert "Quadratic is not judged, as the runs cannot tell b^2 apart" in found.reason
    assert found.table().loc["quadratic", "aliased"]


@pytest.mark.requirement("ANA-6")
def test_blocks_come_before_the_terms_in_the_summary():
    found = fit_linear(culture_study(block_std=3.0), "titre").fit_summary()

    assert [order.name for order in found.orders][:3] == ["mean", "blocks", "linear"]
    assert found.order("blocks").added_degrees == 5
    assert found.order("blocks").p is None
    assert found.suggested == "quadratic"
    assert found.sentence().startswith("Suggested: quadratic. It is the highest order")


def test_a_saturated_model_leaves_no_order_to_test():
    corners = [(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)]
    space = FactorSpace(tuple(ContinuousFactor(name, -1.0, 1.0) for name in "abc"))
    runs = pd.DataFrame([(a, b, a * b) for a, b in corners], columns=list("abc"))
    study = Observations.from_frame(runs.assign(y=[1.0, 4.0, 2.0, 9.0]), space, (Response("y"),))
    found = fit_linear(study, "y", "linear").fit_summary()

    assert "takes every degree of freedom, so no order can be tested" in found.reason


@pytest.mark.requirement("ANA-1")
def test_weighted_statistics_are_those_of_statsmodels():
    study = culture_study()
    weights = np.random.default_rng(5).uniform(0.2, 3.0, 24)
    model = fit_linear(study, "titre", weights=weights)
    reference = sm.WLS(model.rows.measured, model.matrix.to_numpy(), weights=weights).fit()
    found = fit_statistics(model)

    assert found.r2 == pytest.approx(reference.rsquared, rel=1e-9)
    assert found.adjusted_r2 == pytest.approx(reference.rsquared_adj, rel=1e-9)
    assert found.log_likelihood == pytest.approx(reference.llf, rel=1e-9)
    assert model.anova().row("Model").f == pytest.approx(reference.fvalue, rel=1e-9)


@pytest.mark.parametrize("factor", [1.0, 1000.0])
def test_the_coefficient_of_variation_of_a_log_response_does_not_depend_on_its_unit(factor):
    """CV of a lognormal value: sqrt(exp(sigma^2) - 1)."""
    x = np.linspace(-1, 1, 9)
    noise = 0.3 * np.sin(7 * np.arange(9))
    study = straight_line(x, factor * np.exp(1 + x + noise), "log")
    found = fit_statistics(fit_linear(study, "y", "linear"))
    std = np.sqrt(sm.OLS(1 + x + noise, sm.add_constant(x)).fit().mse_resid)

    assert found.cv == pytest.approx(100 * np.sqrt(np.exp(std**2) - 1))
    assert "lognormal" in found.readings()["CV %"]
    root = fit_statistics(fit_linear(study, "y", "linear", transform="sqrt"))
    assert root.cv is None
    assert "Not available on the sqrt scale" in root.readings()["CV %"]


def test_a_model_without_a_constant_is_compared_with_zero():
    x = np.array([-1.0, -0.4, 0.3, 0.7, 1.0])
    values = 2 * x + [0.1, -0.1, 0.05, 0.1, -0.1]
    found = fit_statistics(line_model(x, values, "0 + x"))

    assert found.r2 == pytest.approx(sm.OLS(values, x).fit().rsquared, rel=1e-10)
    assert found.parts.total.degrees == 5
    assert "about zero" in found.readings()["R2"]
