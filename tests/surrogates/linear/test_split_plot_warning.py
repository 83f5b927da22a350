import numpy as np
import pandas as pd
import pytest

from doe.factors import BlockFactor, ContinuousFactor, MixtureComponent
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.learning_rows import learning_rows
from surrogates.linear.mixed_models.mixed import MixedModel, fit_mixed
from surrogates.linear.model import fit_linear
from surrogates.linear.split_plot_warning import unrespected_plots
from tests.surrogates.linear.test_mixed import FEED, HEAT, baking

PURITY = ContinuousFactor("purity", 0.0, 1.0)


def study_of(table, factors) -> Observations:
    values = np.random.default_rng(1).standard_normal(len(table))
    return Observations.from_frame(table.assign(y=values), FactorSpace(factors), (Response("y"),))


@pytest.mark.requirement("DOE-7")
def test_a_split_plot_analysed_as_randomised_warns_and_has_another_p_for_the_whole_plot_factor():
    study = baking(plot_std=2.0)

    warnings = unrespected_plots(study, study.space)
    mixed = fit_mixed(study, "yield", "temperature + feed").anova().tests["temperature"]
    naive = fit_linear(study, "yield", "temperature + feed", blocks="ignore")
    t_value = naive.coefficients[1] / naive.standard_errors[1]

    assert len(warnings) == 1
    assert warnings[0] in naive.warnings
    assert "'temperature' was set once per 'oven' (8 in 32 runs)" in warnings[0]
    assert mixed.denominator == pytest.approx(6.0)
    # Eight whole plots, not 32 runs: the naive F is too large by the variance ratio.
    assert t_value**2 > 2 * mixed.statistic


@pytest.mark.requirement("DOE-7")
def test_random_blocks_in_fit_linear_are_the_mixed_model():
    study = baking()

    model = fit_linear(study, "yield", "temperature + feed", blocks="random")

    assert isinstance(model, MixedModel)
    expected = fit_mixed(study, "yield", "temperature + feed")
    np.testing.assert_array_equal(model.coefficients, expected.coefficients)
    assert not any("was set once per" in text for text in model.warnings)


def test_runs_and_rows_are_warned_of_alike():
    study = baking()

    assert unrespected_plots(learning_rows(study, "yield"), study.space) == unrespected_plots(
        study, study.space
    )


def test_factors_reset_within_blocks_are_no_split_plot():
    table = pd.DataFrame({"day": [0, 0, 1, 1, 2, 2], "feed": [1, 5, 1, 5, 1, 5.0]})
    study = study_of(table.assign(purity=[0, 1, 1, 0, 0.5, 0]), (FEED, PURITY, BlockFactor("day")))

    assert unrespected_plots(study, study.space) == ()


def test_the_outermost_plot_that_holds_a_factor_is_named():
    table = pd.DataFrame(
        {
            "oven": np.repeat([0, 1, 2, 3], 4),
            "tray": np.tile([0, 0, 1, 1], 4),
            "temperature": np.repeat([30.0, 40.0, 40.0, 30.0], 4),
            "feed": np.tile([1.0, 1.0, 5.0, 5.0], 4),
            "purity": np.tile([0.0, 1.0], 8),
        }
    )
    blocks = (BlockFactor("tray", nested_in="oven"), BlockFactor("oven"))
    study = study_of(table, (HEAT, FEED, PURITY, *blocks))

    first, second = unrespected_plots(study, study.space)

    assert "'temperature' was set once per 'oven' (4 in 16 runs)" in first
    assert "'feed' was set once per 'tray' (8 in 16 runs)" in second


def test_a_hard_factor_without_recorded_plots_is_asked_about():
    table = pd.DataFrame(
        {"temperature": np.repeat([30.0, 40.0], 4), "feed": np.tile([1.0, 5.0], 4)}
    )
    study = study_of(table, (HEAT, FEED))

    (warning,) = unrespected_plots(study, study.space)

    assert "'temperature' is hard to change and its 2 settings are shared by 8 runs" in warning


def test_easy_factors_and_mixtures_without_blocks_need_no_warning():
    parts = (MixtureComponent("water"), MixtureComponent("salt"))
    table = pd.DataFrame({"water": [0.2, 0.8] * 4, "salt": [0.8, 0.2] * 4})
    study = study_of(table.assign(feed=[1.0, 1, 5, 5] * 2), (*parts, FEED))

    assert unrespected_plots(study, study.space) == ()
