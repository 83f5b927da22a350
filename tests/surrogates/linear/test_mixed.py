import numpy as np
import pandas as pd
import pytest
from scipy import stats

from campaigns.exports.figures import image
from dashboards.figures.plotly_figure import to_plotly
from doe.errors import InvalidValueError, TooFewDataError, UnknownNameError
from doe.factors import BlockFactor, ContinuousFactor, MixtureComponent
from doe.responses import Response
from doe.runs import Measurement, Observations
from doe.space import FactorSpace
from surrogates.linear.mixed_models.mixed import fit_mixed
from surrogates.surrogate import Surrogate
from tests.contracts.test_surrogate_contract import SurrogateContract
from tests.surrogates.examples import culture_study

HEAT = ContinuousFactor("temperature", 30.0, 40.0, "degC", change="hard")
FEED = ContinuousFactor("feed", 1.0, 5.0, "mL/h")


def baking(
    *, n_plots=8, n_runs=4, plot_std=2.0, seed=3, transform="none", random=True
) -> Observations:
    """Return a split plot: temperature set once per oven run, feed varied within."""
    rng = np.random.default_rng(seed)
    plot = np.repeat(np.arange(n_plots), n_runs)
    heat = np.array([30.0, 40.0])[plot % 2]
    feed = np.tile(np.linspace(1.0, 5.0, n_runs), n_plots)
    values = 20 + 0.1 * (heat - 35) + 1.5 * (feed - 3)
    values = values + plot_std * rng.standard_normal(n_plots)[plot]
    values = values + 0.5 * rng.standard_normal(len(plot))
    table = pd.DataFrame({"oven": plot.astype(str), "temperature": heat, "feed": feed})
    space = FactorSpace((HEAT, FEED, BlockFactor("oven", random=random)))
    response = Response("yield", "g", transform=transform)
    return Observations.from_frame(table.assign(**{"yield": values}), space, (response,))


class TestMixedModel(SurrogateContract):
    @classmethod
    def study(cls):
        return culture_study(block_std=3.0)

    @classmethod
    def fit(cls, observations) -> Surrogate:
        return fit_mixed(observations, observations.responses[0].name)


class TestMixedModelOnTheLogScale(TestMixedModel):
    @classmethod
    def study(cls):
        return culture_study(block_std=3.0, transform="log")


@pytest.mark.requirement("ANA-12")
def test_components_and_block_effects_are_those_of_statsmodels():
    import statsmodels.api as sm

    model = fit_mixed(baking(), "yield", "temperature*feed")
    matrix, groups = model.fixed.matrix.to_numpy(), model.rows.settings["oven"].to_numpy()
    expected = sm.MixedLM(model.fixed.values, matrix, groups).fit(reml=True, gtol=1e-12)
    effects = model.block_effects().set_index("level")["effect"]

    assert model.fit.variances[0] == pytest.approx(expected.cov_re[0, 0], rel=1e-4)
    assert model.fit.variances[1] == pytest.approx(expected.scale, rel=1e-4)
    np.testing.assert_allclose(model.coefficients, expected.fe_params, rtol=1e-6)
    for level, effect in expected.random_effects.items():
        assert effects[level] == pytest.approx(float(np.asarray(effect)[0]), rel=1e-3, abs=1e-6)


def crossed_study(n_lots=5, n_days=4, seed=2):
    rng = np.random.default_rng(seed)
    lot, day, half = (
        g.ravel() for g in np.meshgrid(range(n_lots), range(n_days), range(2), indexing="ij")
    )
    values = 10 + 2 * rng.standard_normal(n_lots)[lot] + 1.5 * rng.standard_normal(n_days)[day]
    values = values + 0.7 * half + 0.4 * rng.standard_normal(len(lot))
    table = pd.DataFrame({"lot": lot, "day": day, "feed": 1.0 + 4.0 * half, "y": values})
    space = FactorSpace((FEED, BlockFactor("lot"), BlockFactor("day")))
    return Observations.from_frame(table, space, (Response("y"),)), values.reshape(
        n_lots, n_days, 2
    )


@pytest.mark.requirement("ANA-12")
def test_crossed_lots_and_days_have_the_components_of_the_mean_squares():
    """Searle, Casella and McCulloch (1992), Variance Components, section 4.3: in balanced data
    whose analysis-of-variance estimates are positive, REML equals them.
    """
    study, y = crossed_study()
    n_lots, n_days, n_half = y.shape
    lots, days, halves = y.mean(axis=(1, 2)), y.mean(axis=(0, 2)), y.mean(axis=(0, 1))
    rest = y - lots[:, None, None] - days[None, :, None] - halves[None, None] + 2 * y.mean()
    noise = np.sum(rest**2) / (y.size - 1 - (n_lots - 1) - (n_days - 1) - (n_half - 1))
    lot = (n_days * n_half * lots.var(ddof=1) - noise) / (n_days * n_half)
    day = (n_lots * n_half * days.var(ddof=1) - noise) / (n_lots * n_half)

    model = fit_mixed(study, "y", "feed")

    assert model.random == ("lot", "day")
    np.testing.assert_allclose(model.fit.variances, [lot, day, noise], rtol=1e-6)


def test_sub_plots_of_the_same_name_in_different_whole_plots_are_different():
    rng = np.random.default_rng(5)
    plot, sub, run = (g.ravel() for g in np.meshgrid(range(6), range(3), range(3), indexing="ij"))
    deep = 6 * rng.standard_normal((6, 3))
    values = deep[plot, sub] + 0.3 * rng.standard_normal(len(plot)) + 0.2 * run
    table = pd.DataFrame({"oven": plot, "tray": sub, "feed": 1.0 + 2 * run, "y": values})
    space = FactorSpace((FEED, BlockFactor("oven"), BlockFactor("tray", nested_in="oven")))
    study = Observations.from_frame(table, space, (Response("y"),))

    components = fit_mixed(study, "y", "feed").variance_components()

    assert components.n_levels == (6, 18, 54)
    tray = components.table().set_index("component").loc["tray"]
    assert tray["sd lower"] < deep.std(ddof=1) < tray["sd upper"]


@pytest.mark.requirement("ANA-12")
def test_intervals_of_components_hold_the_estimate_and_widen_with_coverage():
    model = fit_mixed(baking(), "yield", "temperature + feed")
    narrow, wide = model.variance_components(0.5), model.variance_components(0.99)

    assert (wide.lower < narrow.lower).all()
    assert (narrow.lower < narrow.variances).all()
    assert (narrow.variances < narrow.upper).all()
    assert (narrow.upper < wide.upper).all()
    assert narrow.shares.sum() == pytest.approx(1.0)
    with pytest.raises(InvalidValueError, match="coverage is 95"):
        model.variance_components(95)


def test_the_ends_of_a_profile_interval_lose_what_chi_square_allows():
    """The deviance there, by brute force over a grid of the other component."""
    model = fit_mixed(baking(), "yield", "temperature + feed")
    components = model.variance_components(0.95)
    problem = model.fit.problem
    for place, end in ((0, components.upper[0]), (1, components.lower[1])):
        grid = model.fit.variances[1 - place] * np.geomspace(0.2, 5, 2001)
        pairs = np.column_stack([np.full(2001, end), grid])
        deviance = min(problem.at(pair if place == 0 else pair[::-1]).deviance for pair in pairs)
        assert deviance - model.fit.deviance == pytest.approx(3.841459, abs=2e-3)


@pytest.mark.requirement("ANA-12")
def test_the_noise_of_a_balanced_study_has_the_interval_of_chi_square():
    """Eight ovens of four runs, one slope within: 32 - 8 - 1 = 23 degrees of freedom."""
    components = fit_mixed(baking(), "yield", "temperature + feed").variance_components(0.95)
    noise = 23 * components.variances[1]

    assert components.degrees[1] == pytest.approx(23.0)
    assert components.approximate_lower[1] == pytest.approx(noise / stats.chi2.ppf(0.975, 23))
    assert components.approximate_upper[1] == pytest.approx(noise / stats.chi2.ppf(0.025, 23))


def test_components_are_drawn_with_their_intervals_on_screen_and_paper():
    components = fit_mixed(baking(), "yield", "temperature + feed").variance_components()
    plot = components.plot()

    assert plot.y.categories == ("oven", "residual")
    assert plot.x.title == "SD (g)"
    np.testing.assert_allclose(plot.layers[0].high ** 2, components.upper)
    assert len(to_plotly(plot)["data"]) == 1
    assert image(plot, "png").startswith(b"\x89PNG")


@pytest.mark.requirement("ANA-12")
def test_a_variance_estimated_as_zero_is_said_and_keeps_an_upper_end():
    study = next(
        s
        for s in (baking(plot_std=0.0, seed=seed) for seed in range(30))
        if fit_mixed(s, "yield", "temperature + feed").fit.at_zero[0]
    )
    model = fit_mixed(study, "yield", "temperature + feed")
    components = model.variance_components()

    assert components.variances[0] == 0
    assert components.lower[0] == 0
    assert components.upper[0] > 0
    assert np.isnan(components.degrees[0])
    assert any("estimated as zero" in warning for warning in model.warnings)
    assert "does not mean that there is none" in components.sentence()


def test_a_known_block_is_surer_than_a_new_one_and_carries_its_effect():
    model = fit_mixed(baking(), "yield", "temperature + feed")
    setting = pd.DataFrame({"temperature": [30.0], "feed": [3.0]})
    effects = model.block_effects().set_index("level")
    new, known = model.predict(setting), model.predict(setting, block="0")

    assert known.mean[0] - new.mean[0] == pytest.approx(effects.loc["0", "effect"])
    assert known.new_run_std[0] < new.new_run_std[0]
    both = model.predict(setting, block={"oven": "0"})
    assert both.mean[0] == known.mean[0]
    with pytest.raises(UnknownNameError, match="no level '99'"):
        model.predict(setting, block="99")


def test_the_error_variance_of_a_prediction_is_that_of_the_mixed_model_equations():
    """Henderson (1975), Biometrics 31, 423-447: the inverse of the coefficient matrix."""
    model = fit_mixed(baking(), "yield", "temperature + feed", degrees_method="satterthwaite")
    plots, residual = model.fit.variances
    x, z = model.fit.problem.matrix, model.fit.problem.roots[0]
    both = np.hstack([x, z])
    equations = both.T @ both / residual
    equations[3:, 3:] += np.eye(z.shape[1]) / plots
    inverse = np.linalg.inv(equations)
    solved = inverse @ both.T @ model.rows.measured / residual
    setting = pd.DataFrame({"temperature": [30.0, 36.0], "feed": [3.0, 2.0]})
    at = np.hstack([model.rows_at(setting)[0], np.tile(np.eye(8)[2], (2, 1))])

    known = model.predict(setting, block="2").predictive

    np.testing.assert_allclose(known.location, at @ solved)
    expected = np.sqrt(np.einsum("mi,ij,mj->m", at, inverse, at))
    np.testing.assert_allclose(known.latent_scale, expected)


def test_the_mean_of_a_balanced_study_has_the_interval_of_its_whole_plot_means():
    """With n equal whole plots the grand mean is known like the mean of n plot means."""
    study = baking(n_plots=8)
    model = fit_mixed(study, "yield", "temperature + feed")
    means = pd.DataFrame({"y": model.rows.measured}).groupby(study.recorded["oven"].to_numpy())
    plots = means["y"].mean().to_numpy()
    heat = np.array([-1, 1] * 4)
    rest = plots - plots.mean() - heat * np.mean(plots * heat)
    error = np.sqrt(rest @ rest / 6 / 8)
    centre = pd.DataFrame({"temperature": [35.0], "feed": [3.0]})

    low, high = model.predict(centre).interval(0.95, kind="latent")

    reach = 2.446912 * error  # t with 6 degrees of freedom
    np.testing.assert_allclose([low[0], high[0]], plots.mean() + reach * np.array([-1, 1]))


def test_fixed_blocks_beside_random_ones_are_terms_of_their_own():
    study, _ = crossed_study()
    model = fit_mixed(study, "y", "feed", random=["lot"])

    assert model.random == ("lot",)
    assert list(model.anova().tests) == ["feed", "day"]
    assert model.anova().tests["day"].numerator == 3
    setting = pd.DataFrame({"feed": [3.0]})
    by_day = [model.predict(setting, block={"day": str(d)}).mean[0] for d in range(4)]
    assert np.mean(by_day) == pytest.approx(model.predict(setting).mean[0])
    assert np.ptp(by_day) > 0


def test_linear_blending_of_a_mixture_is_one_test_that_no_component_is_different():
    """Scheffe's linear model in two components is a line in one: the same F and p."""
    rng = np.random.default_rng(6)
    share, lot = np.tile([0.0, 0.25, 0.5, 0.75, 1.0], 6), np.repeat(np.arange(6), 5)
    y = 3 + share + rng.standard_normal(6)[lot] + 0.3 * rng.standard_normal(30)
    parts = (MixtureComponent("water"), MixtureComponent("salt"))
    table = pd.DataFrame({"water": share, "salt": 1 - share, "lot": lot, "y": y})
    space = FactorSpace((*parts, BlockFactor("lot")))
    blend = fit_mixed(
        Observations.from_frame(table, space, (Response("y"),)), "y", "0 + water + salt"
    )
    line_space = FactorSpace((ContinuousFactor("water", 0.0, 1.0), BlockFactor("lot")))
    line_table = table.drop(columns="salt")
    line = fit_mixed(
        Observations.from_frame(line_table, line_space, (Response("y"),)), "y", "water"
    )

    (test,) = blend.anova().tests.values()

    assert list(blend.anova().tests) == ["linear blending"]
    expected = line.anova().tests["water"]
    assert test.statistic == pytest.approx(expected.statistic)
    assert test.denominator == pytest.approx(expected.denominator)


def test_contrasts_are_tested_by_name():
    model = fit_mixed(baking(), "yield", "temperature*feed")
    table = model.coefficient_table().set_index("coefficient")

    test = model.test([{"feed": 1.0}])

    assert test.statistic == pytest.approx(table.loc["feed", "t"] ** 2)
    assert test.p_value == pytest.approx(table.loc["feed", "p"])
    assert model.test([{"feed": 1.0}, {"temperature": 2.0}]).numerator == 2
    with pytest.raises(UnknownNameError, match="No coefficient is called 'pH'"):
        model.test([{"pH": 1.0}])


def test_weights_that_are_all_equal_change_nothing():
    study = baking()
    plain = fit_mixed(study, "yield", "temperature + feed")
    weighted = fit_mixed(study, "yield", "temperature + feed", weights=np.full(32, 4.0))

    np.testing.assert_allclose(weighted.coefficients, plain.coefficients, rtol=1e-8)
    np.testing.assert_allclose(weighted.fit.variances, plain.fit.variances * [1, 4], rtol=1e-6)
    np.testing.assert_allclose(weighted.standard_errors, plain.standard_errors, rtol=1e-6)


@pytest.mark.requirement("ANA-14")
def test_the_description_says_what_became_of_every_run_and_value():
    study = baking()
    kept = tuple(m for m in study.measurements if m.run != "3")
    again = Measurement("5", "yield", 20.0, replicate=2)
    limited = Measurement("6", "yield", 15.0, qualifier="<", replicate=2)
    changed = Observations(
        study.space,
        study.responses,
        study.target,
        study.actual,
        study.recorded,
        (*kept, again, limited),
    )

    described = fit_mixed(changed, "yield", "temperature + feed", censored="leave_out").describe()

    assert described["treatment"] == {
        "runs": 32,
        "values": 33,
        "censored_values": 1,
        "censored_as": "left out",
        "runs_used": 31,
        "runs_without_value": ["3"],
        "runs_left_out": [],
        "runs_averaged": ["5"],
        "replicate_runs": 23,
    }


def test_a_block_factor_with_one_run_per_level_cannot_have_a_variance():
    study = culture_study(block_std=1.0, n_blocks=24)

    with pytest.raises(TooFewDataError, match=r"variance of 'day' \(24 levels.*one run each"):
        fit_mixed(study, "titre", "linear")


def test_one_level_says_nothing_of_how_levels_differ():
    study = culture_study(block_std=1.0, n_blocks=1)

    with pytest.raises(TooFewDataError, match="All 24 runs are in one level of 'day'"):
        fit_mixed(study, "titre", "linear")


def test_terms_that_explain_every_difference_between_blocks_are_refused():
    study = baking(n_plots=2)

    with pytest.raises(TooFewDataError, match="explain every difference between its levels"):
        fit_mixed(study, "yield", "temperature + feed")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"random": []}, InvalidValueError, "random names no block factor"),
        ({"random": ["day"]}, UnknownNameError, "No block factor is called 'day'"),
        ({"method": "ANOVA"}, InvalidValueError, "expected 'REML' or 'ML'"),
        ({"degrees_method": "residual"}, InvalidValueError, "'satterthwaite'"),
        ({"method": "ML", "degrees_method": "kenward_roger"}, InvalidValueError, "REML estimates"),
    ],
)
def test_options_that_do_not_exist_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        fit_mixed(baking(), "yield", "temperature + feed", **options)


def test_a_study_without_random_blocks_is_sent_to_least_squares():
    with pytest.raises(InvalidValueError, match="use fit_linear"):
        fit_mixed(baking(random=False), "yield", "temperature + feed")


def test_a_fixed_block_within_a_random_one_is_refused():
    space = FactorSpace(
        (FEED, BlockFactor("oven"), BlockFactor("tray", nested_in="oven", random=False))
    )
    table = pd.DataFrame(
        {"oven": [0, 0, 1, 1] * 3, "tray": [0, 1] * 6, "feed": [1.0, 5.0, 2.0] * 4, "y": range(12)}
    )
    study = Observations.from_frame(table.astype({"y": float}), space, (Response("y"),))

    with pytest.raises(InvalidValueError, match="'tray' is fixed, but nested in 'oven'"):
        fit_mixed(study, "y", "feed")


@pytest.mark.slow
@pytest.mark.requirement("ANA-12")
def test_intervals_for_new_and_known_blocks_hold_as_often_as_they_say():
    """90 % intervals in 300 simulated split plots of six whole plots and three runs each."""
    setting = pd.DataFrame({"temperature": [40.0], "feed": [4.2]})
    mean = 20 + 0.5 + 1.5 * 1.2
    rng = np.random.default_rng(9)
    held = []
    for seed in range(1000, 1300):
        model = fit_mixed(baking(n_plots=6, n_runs=3, seed=seed), "yield", "temperature + feed")
        plots = 2.0 * np.random.default_rng(seed).standard_normal(6)
        noise = 0.5 * rng.standard_normal(2)
        new, known = model.predict(setting), model.predict(setting, block="1")
        truths = (
            (new.interval(0.9, kind="latent"), mean),
            (new.interval(0.9), mean + 2.0 * rng.standard_normal() + noise[0]),
            (known.interval(0.9), mean + plots[1] + noise[1]),
        )
        held.append([low[0] <= truth <= high[0] for (low, high), truth in truths])

    # Three standard errors of a share of 90 % in 300.
    np.testing.assert_allclose(np.mean(held, axis=0), 0.9, atol=3 * np.sqrt(0.09 / 300))
