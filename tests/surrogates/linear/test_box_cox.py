"""On which scale to model: the profile agrees with refitting, and the way back names its bias."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from campaigns.exports.figures import draw
from dashboards.figures import data_table, to_plotly
from doe.errors import InvalidValueError, TooFewDataError
from doe.factors import ContinuousFactor
from doe.plots import Points
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.linear.diagnosing.back_transform import back_transformed
from surrogates.linear.diagnosing.box_cox import box_cox
from surrogates.linear.model import fit_linear
from surrogates.linear.reports.statistics import fit_statistics
from surrogates.transforms import POWERS

SPACE = FactorSpace((ContinuousFactor("pH", 6.0, 8.0), ContinuousFactor("feed", 1.0, 3.0, "g/L")))
POINTS = np.array([(a, b) for a in (-1.0, 0.0, 1.0) for b in (-1.0, 0.0, 1.0)] * 3)


def study(values, unit="g/L"):
    """Return runs on three levels of two factors, each setting three times."""
    points = POINTS[: len(values)]
    frame = pd.DataFrame({"pH": 7 + points[:, 0], "feed": 2 + points[:, 1], "titre": values})
    return Observations.from_frame(frame, SPACE, (Response("titre", unit),))


def surface(seed, noise=0.1):
    """Return a plane in the coded factors with noise, about 3."""
    rng = np.random.default_rng(seed)
    plane = 3 + 0.6 * POINTS[:, 0] - 0.4 * POINTS[:, 1]
    return plane + noise * rng.standard_normal(len(POINTS))


@pytest.mark.requirement("ANA-8")
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), weighted=st.booleans())
def test_the_profile_is_the_likelihood_of_the_models_refitted_on_each_scale(seed, weighted):
    observations = study(np.exp(surface(seed, 0.2)))
    weights = np.random.default_rng(seed).uniform(0.5, 2, len(POINTS)) if weighted else None
    models = {
        kind: fit_linear(observations, "titre", "linear", transform=kind, weights=weights)
        for kind in ("none", "sqrt", "log", "inverse")
    }

    profile = box_cox(models["none"])

    for kind, model in models.items():
        assert profile.scales[kind] == pytest.approx(fit_statistics(model).log_likelihood, rel=1e-9)
        assert box_cox(model).power == pytest.approx(profile.power, abs=1e-6)


@pytest.mark.requirement("ANA-8")
def test_the_power_of_values_alone_is_scipys():
    """Of a constant, without factors to speak of: scipy.stats.boxcox maximises the same."""
    values = np.exp(surface(5, 0.4))
    profile = box_cox(fit_linear(study(values), "titre", "1"))

    transformed, power, ends = stats.boxcox(values, alpha=0.05)

    assert len(transformed) == len(values)
    assert profile.power == pytest.approx(power, abs=1e-4)
    assert (profile.lower, profile.upper) == pytest.approx(ends, abs=1e-4)


@pytest.mark.requirement("ANA-8")
@pytest.mark.parametrize(
    ("back", "scale"), [(np.exp, "log"), (np.square, "sqrt"), (np.reciprocal, "inverse")]
)
def test_the_scale_that_made_the_values_is_recommended(back, scale):
    profile = box_cox(fit_linear(study(back(surface(2, 0.05))), "titre", "linear"))

    assert profile.recommended == scale
    assert profile.rounded == POWERS[scale]
    assert profile.contains(POWERS[scale])
    assert not profile.contains(1.0)
    assert f"model it on the {scale} scale" in profile.sentence()
    assert f"{profile.power:.3g}" in profile.sentence()


def test_values_that_are_linear_already_stay_as_they_are():
    profile = box_cox(fit_linear(study(surface(3)), "titre", "linear"))

    assert profile.recommended == "none"
    assert profile.rounded == 1.0
    assert "model it as it is" in profile.sentence()


@pytest.mark.parametrize(
    ("seed", "words"), [(4, "1 is in the interval, but the logit"), (6, "as likely as the best")]
)
def test_a_percentage_is_modelled_on_the_logit_scale_where_that_is_likelier(seed, words):
    values = 100 / (1 + np.exp(-2.5 * (surface(seed, 0.1) - 2.8)))
    profile = box_cox(fit_linear(study(values, "%"), "titre", "linear"))
    logit = fit_linear(study(values, "%"), "titre", "linear", transform="logit")

    assert profile.recommended == "logit"
    assert words in profile.sentence()
    assert "model it on the logit scale" in profile.sentence()
    assert profile.scales["logit"] == pytest.approx(fit_statistics(logit).log_likelihood, rel=1e-9)
    assert profile.table().loc["logit", "allowed"]
    assert np.isnan(profile.table().loc["logit", "power"])
    assert "logit" not in box_cox(fit_linear(study(values), "titre", "linear")).scales


def test_a_power_without_a_scale_is_named_and_the_likeliest_scale_with_it():
    values = surface(6, 0.01) ** 0.25
    profile = box_cox(fit_linear(study(values), "titre", "linear"))

    assert profile.recommended == "none"
    assert profile.rounded == pytest.approx(round(profile.power, 1))
    assert "is not among the scales" in profile.sentence()
    assert "differ little" in profile.sentence()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), factor=st.floats(1e-4, 1e4))
def test_the_power_does_not_depend_on_the_unit(seed, factor):
    values = np.exp(surface(seed, 0.3))
    one = box_cox(fit_linear(study(values), "titre", "linear"))
    other = box_cox(fit_linear(study(factor * values), "titre", "linear"))

    assert other.power == pytest.approx(one.power, abs=1e-5)
    assert (other.lower, other.upper) == pytest.approx((one.lower, one.upper), abs=1e-5)


def test_the_interval_ends_where_the_likelihood_has_fallen_by_half_a_quantile():
    profile = box_cox(fit_linear(study(np.exp(surface(7, 0.2))), "titre", "linear"), coverage=0.9)
    assert profile.lower is not None
    assert profile.upper is not None

    heights = np.interp([profile.lower, profile.upper], profile.powers, profile.log_likelihood)

    expected = profile.highest - stats.chi2.ppf(0.9, 1) / 2
    np.testing.assert_allclose(heights, expected, atol=0.02)
    assert profile.limit == pytest.approx(expected)


def test_values_that_hardly_vary_leave_the_power_open():
    values = 100 + 0.01 * surface(8)
    profile = box_cox(fit_linear(study(values), "titre", "linear"))

    assert profile.lower is None
    assert profile.upper is None
    assert profile.contains(1.0)
    assert "below -20 to above 20" in profile.sentence()
    assert profile.recommended == "none"


def test_values_without_noise_give_a_finite_profile():
    profile = box_cox(fit_linear(study(np.exp(surface(1, 0.0))), "titre", "linear"))

    assert profile.power == pytest.approx(0.0, abs=1e-6)
    assert np.isfinite(profile.log_likelihood).all()
    assert profile.recommended == "log"
    assert all(len(layer.x) > 0 for layer in profile.plot().layers)


@pytest.mark.parametrize(
    ("values", "terms", "words"),
    [
        (np.append(surface(1)[:-1], 0.0), "linear", "run '27' has 0 g/L"),
        (np.append(surface(1)[:-1], -2.0), "linear", "need values above zero"),
        (surface(1), "0 + pH + feed", "add the intercept"),
    ],
)
def test_what_has_no_profile_is_refused_with_the_reason(values, terms, words):
    with pytest.raises(InvalidValueError, match=words):
        box_cox(fit_linear(study(values), "titre", terms))


def test_a_saturated_model_has_no_profile():
    with pytest.raises(TooFewDataError, match=r"no degrees of freedom.*add runs or drop terms"):
        box_cox(
            fit_linear(
                study(surface(1)[:9]), "titre", "(1 + pH + I(pH**2))*(1 + feed + I(feed**2))"
            )
        )


def test_a_coverage_that_is_no_share_is_refused():
    model = fit_linear(study(surface(1)), "titre", "linear")

    with pytest.raises(InvalidValueError, match="coverage is 95"):
        box_cox(model, coverage=95)


@pytest.mark.requirement("ANA-8")
def test_the_profile_is_drawn_with_its_power_and_interval():
    profile = box_cox(fit_linear(study(np.exp(surface(2, 0.1))), "titre", "linear"))

    plot = profile.plot()

    peak = next(layer for layer in plot.layers if isinstance(layer, Points))
    assert (peak.x[0], peak.y[0]) == (profile.power, profile.highest)
    assert plot.x.low < profile.lower < profile.upper < plot.x.high
    assert plot.y.low < profile.limit < profile.highest < plot.y.high
    assert plot.sentence == profile.sentence()
    assert len(to_plotly(plot)["data"]) == len(plot.layers)
    assert draw(plot).axes[0].get_ylabel() == plot.y.title
    assert len(data_table(plot)) > 0


@pytest.mark.requirement("ANA-8")
def test_on_the_log_scale_the_naive_way_back_is_the_median_and_below_the_mean():
    observations = study(np.exp(surface(9, 0.5)))
    model = fit_linear(observations, "titre", "linear", transform="log")
    settings_ = pd.DataFrame({"pH": [7.0, 8.0], "feed": [2.0, 1.0]})

    found = model.back_transformed(settings_)

    median = model.predict(settings_).predictive.quantile(0.5, "new_run")
    np.testing.assert_allclose(found.median, np.ravel(median), rtol=1e-9)
    # A lognormal mean is exp(m + v/2), v the variance of a new run.
    degrees = model.degrees
    leverage = model.solution.leverage_of(model.rows_at(settings_))
    variance = model.residual_std**2 * (1 + leverage) * degrees / (degrees - 2)
    np.testing.assert_allclose(found.mean, found.median * np.exp(variance / 2), rtol=1e-9)
    assert (found.bias < 0).all()
    assert "median of a new run, which lies below its mean" in found.sentence()
    assert "in closed form" in found.sentence()
    assert list(found.table().columns) == ["median", "mean", "bias"]


@pytest.mark.requirement("ANA-8")
@pytest.mark.parametrize("kind", ["sqrt", "inverse", "logit"])
def test_the_mean_on_other_scales_is_that_of_simulated_runs(kind):
    unit = "%" if kind == "logit" else "g/L"
    values = {
        "sqrt": np.square,
        "inverse": np.reciprocal,
        "logit": lambda z: 100 / (1 + np.exp(-z)),
    }
    observations = study(values[kind](surface(10, 0.15)), unit)
    model = fit_linear(observations, "titre", "linear", transform=kind)
    middle = pd.DataFrame({"pH": [7.0], "feed": [2.0]})

    found = back_transformed(model, middle)

    leverage = model.solution.leverage_of(model.rows_at(middle))[0]
    std = model.residual_std * np.sqrt((1 + leverage) * model.degrees / (model.degrees - 2))
    centre = model.transform.forward(found.median)[0]
    drawn = model.transform.backward(
        centre + std * np.random.default_rng(1).standard_normal(200_000)
    )
    assert found.mean[0] == pytest.approx(drawn.mean(), abs=3 * drawn.std() / np.sqrt(200_000))
    assert "by quadrature" in found.sentence()
    assert found.bias[0] == pytest.approx(found.median[0] - found.mean[0])


def test_without_a_transformation_there_is_no_bias():
    model = fit_linear(study(surface(1)), "titre", "linear")

    found = back_transformed(model, pd.DataFrame({"pH": [7.5], "feed": [1.5]}))

    assert found.bias[0] == pytest.approx(0.0, abs=1e-12)
    assert "the same" in found.sentence()
