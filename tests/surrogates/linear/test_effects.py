"""Effects, Lenth's method and their figures."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from campaigns.exports.figures import image
from dashboards.figures.plotly_figure import to_plotly
from doe.errors import InvalidValueError, TooFewDataError, UnknownNameError
from doe.factors import CategoricalFactor, ContinuousFactor, MixtureComponent
from doe.plots import Bars, Line, Points
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.linear.model import fit_linear
from surrogates.linear.screening.effects import effects
from surrogates.linear.screening.lenth import lenth, pseudo_standard_error, simulated_lenth
from surrogates.linear.screening.two_level import two_level_effects
from tests.surrogates.linear.screening_examples import coded_study, filtration, two_levels

pytestmark = pytest.mark.requirement("ANA-5")

VALUES = st.lists(st.floats(-50, 50).map(lambda x: round(x, 3)), min_size=16, max_size=16)


def full_model(observations):
    return fit_linear(observations, "y", "(A + B + C + D)**4")


@given(values=VALUES)
@settings(max_examples=25, deadline=None)
def test_an_effect_is_the_mean_at_high_less_the_mean_at_low(values):
    points, values = two_levels(4), np.array(values) + np.arange(16)
    found = effects(full_model(coded_study(points, values)))

    for size in (1, 2, 3, 4):
        for chosen in combinations(range(4), size):
            sign = points[:, chosen].prod(axis=1)
            expected = values[sign > 0].mean() - values[sign < 0].mean()
            name = ":".join("ABCD"[i] for i in chosen)
            assert found[name].value == pytest.approx(expected, abs=1e-9)


@given(values=VALUES, scale=st.sampled_from([1e-3, 2.5, 1e4]), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_effects_do_not_depend_on_run_order_or_units_of_factors_and_scale_with_the_response(
    values, scale, seed
):
    points, values = two_levels(4), np.array(values) + np.arange(16)
    order = np.random.default_rng(seed).permutation(16)

    one = effects(full_model(coded_study(points, values)))
    other = effects(
        full_model(coded_study(points[order], scale * values[order], low=300.0, high=310.0))
    )

    np.testing.assert_allclose(other.contrasts, scale * one.contrasts, atol=1e-9 * scale)
    assert other.lenth.pse == pytest.approx(scale * one.lenth.pse, abs=1e-9 * scale)


def test_the_effect_of_a_category_is_its_last_level_less_its_first():
    space = FactorSpace((ContinuousFactor("pH", 6, 8), CategoricalFactor("resin", ("old", "new"))))
    table = pd.DataFrame(
        {"pH": [6, 6, 8, 8], "resin": ["old", "new"] * 2, "y": [10.0, 13.0, 11.0, 18.0]}
    )
    found = effects(
        fit_linear(Observations.from_frame(table, space, (Response("y"),)), "y", "pH * resin")
    )

    assert found["resin"].value == pytest.approx((13 + 18) / 2 - (10 + 11) / 2)
    assert found["pH"].value == pytest.approx((11 + 18) / 2 - (10 + 13) / 2)
    assert found["pH:resin"].value == pytest.approx((18 - 11) / 2 - (13 - 10) / 2)


def test_the_effect_of_a_square_is_the_change_from_the_middle_to_the_ends():
    points = np.array([[-1.0], [0.0], [1.0], [-1.0], [1.0], [0.0]])
    values = 5 + 2 * points[:, 0] + 3 * points[:, 0] ** 2 + [0.1, -0.1, 0, 0, 0.1, -0.1]
    model = fit_linear(coded_study(points, values), "y", "A + I(A**2)")

    found = effects(model)

    assert found["A"].value == pytest.approx(2 * model.coefficients[1])
    assert found["A^2"].value == pytest.approx(model.coefficients[2])


def test_t_values_and_limits_are_those_of_the_coefficients():
    model = fit_linear(filtration(), "y", "A + C + D + A:C + A:D")
    found = effects(model)

    t = model.coefficients[1:] / model.standard_errors[1:]
    np.testing.assert_allclose([e.t for e in found.effects], t)
    np.testing.assert_allclose([e.p for e in found.effects], 2 * stats.t.sf(np.abs(t), 10))
    assert found.t_limit == pytest.approx(stats.t.ppf(0.975, 10))
    assert found.bonferroni_limit == pytest.approx(stats.t.ppf(1 - 0.025 / 5, 10))
    assert sum(effect.share for effect in found.effects) == pytest.approx(1)


def test_a_saturated_model_has_no_t_values_and_says_that_lenth_judges_alone():
    found = effects(full_model(filtration()))

    assert found.degrees == 0
    assert found.t_limit is None
    assert found.bonferroni_limit is None
    assert all(effect.t is None and effect.standard_error is None for effect in found.effects)
    assert "only Lenth's method judges" in found.sentence()
    assert "No degrees of freedom" in found.pareto_plot().sentence


def test_lenths_margins_are_t_values_with_a_third_of_the_number_of_effects():
    """Lenth (1989): computed step by step as the paper describes."""
    values = np.array(effects(full_model(filtration())).contrasts)
    first = 1.5 * np.median(np.abs(values))
    pse = 1.5 * np.median(np.abs(values)[np.abs(values) < 2.5 * first])

    found = lenth(values)

    assert found.pse == pytest.approx(pse)
    assert found.margin == pytest.approx(stats.t.ppf(0.975, 5) * pse)
    assert found.simultaneous == pytest.approx(stats.t.ppf((1 + 0.95 ** (1 / 15)) / 2, 5) * pse)


@given(
    values=st.lists(st.floats(-100, 100), min_size=5, max_size=31).filter(any),
    factor=st.floats(0.1, 1000),
)
def test_the_pseudo_standard_error_scales_with_the_effects_and_ignores_signs(values, factor):
    values = np.round(values, 6)

    one = pseudo_standard_error(values)

    assert pseudo_standard_error(-values[::-1]) == pytest.approx(one)
    assert pseudo_standard_error(factor * values) == pytest.approx(factor * one, rel=1e-9)
    assert one <= 1.5 * np.median(np.abs(values)) * (1 + 1e-12)


def test_simulated_limits_hold_what_they_promise_for_effects_that_are_all_noise():
    limits = simulated_lenth(np.arange(1.0, 16.0), n_draws=20_000, rng=np.random.default_rng(3))
    draws = np.random.default_rng(4).standard_normal((20_000, 15))
    ratios = np.abs(draws) / pseudo_standard_error(draws)[:, None]

    assert (ratios > limits.margin / limits.pse).mean() == pytest.approx(0.05, abs=0.003)
    largest = ratios.max(axis=1)
    assert (largest > limits.simultaneous / limits.pse).mean() == pytest.approx(0.05, abs=0.006)
    again = simulated_lenth(np.arange(1.0, 16.0), n_draws=20_000, rng=np.random.default_rng(3))
    assert again == limits


def test_effects_can_take_simulated_limits():
    found = effects(full_model(filtration()))

    simulated = found.simulated(n_draws=5000, rng=np.random.default_rng(1))

    assert simulated.lenth.margin < found.lenth.margin
    assert simulated.names == found.names
    assert "simulated" in simulated.sentence()


def test_terms_with_several_columns_are_judged_by_their_joint_test():
    rng = np.random.default_rng(5)
    space = FactorSpace((ContinuousFactor("pH", 6, 8), CategoricalFactor("resin", ("A", "B", "C"))))
    table = pd.DataFrame({"pH": [6.0, 8.0] * 6, "resin": list("AABBCC") * 2})
    table["y"] = table["pH"] + 2 * (table["resin"] == "C") + rng.normal(0, 0.3, 12)
    model = fit_linear(Observations.from_frame(table, space, (Response("y"),)), "y", "pH + resin")

    found = effects(model)

    small = fit_linear(Observations.from_frame(table, space, (Response("y"),)), "y", "pH")
    f = (small.solution.rss - model.solution.rss) / 2 / model.residual_std**2
    assert 2 * stats.t.sf(found.joint["resin"], 8) == pytest.approx(stats.f.sf(f, 2, 8))
    assert found.names == ("pH",)
    assert "resin" in " ".join(found.notes)
    assert "resin" in found.pareto_plot().y.categories


def test_correlated_estimates_are_named_as_such():
    points = two_levels(3)[:-1]
    found = effects(fit_linear(coded_study(points, np.arange(7.0) ** 2), "y", "linear"))

    assert any("correlated" in note for note in found.notes)


def test_the_aliases_of_a_fraction_are_those_of_its_defining_relation():
    """2^(4-1) with D = ABC: AB = CD, AC = BD, AD = BC."""
    base = two_levels(3)
    points = np.column_stack([base, base.prod(axis=1)])
    found = two_level_effects(coded_study(points, np.arange(8.0) ** 1.5), "y")

    assert len(found.effects) == 7
    assert {e.name: set(e.aliases) for e in found.effects if e.aliases} == {
        "A:B": {"C:D"},
        "A:C": {"B:D"},
        "A:D": {"B:C"},
    }
    with_threes = two_level_effects(coded_study(points, np.arange(8.0)), "y", alias_order=3)
    assert set(with_threes["A"].aliases) == {"B:C:D"}
    reversed_sign = np.column_stack([base, -base.prod(axis=1)])
    other = two_level_effects(coded_study(reversed_sign, np.arange(8.0)), "y")
    assert set(other["A:B"].aliases) == {"-C:D"}


def test_centre_points_measure_the_noise_of_effects():
    points = np.vstack([two_levels(3), np.zeros((3, 3))])
    values = np.array([3.0, 5, 4, 8, 3, 6, 4, 9, 5, 5.2, 4.9])
    found = two_level_effects(coded_study(points, values), "y")

    assert len(found.effects) == 7
    assert found.degrees == 2
    pure = np.var([5, 5.2, 4.9], ddof=1)
    assert found["A"].standard_error == pytest.approx(2 * np.sqrt(pure / 8))
    assert found["A"].value == pytest.approx(values[[1, 3, 5, 7]].mean() - values[:8:2].mean())


def test_curvature_is_tested_against_the_pure_error_of_the_centre():
    """Montgomery, Design and Analysis of Experiments, 8th ed., section 6.8: SS of curvature."""
    points = np.array([(-1, -1), (1, -1), (-1, 1), (1, 1), (0, 0), (0, 0), (0, 0)], dtype=float)
    centre = [5.5, 5.6, 5.55]
    found = two_level_effects(coded_study(points, [1.0, 2, 3, 5, *centre]), "y")

    difference = 2.75 - np.mean(centre)
    squares = 4 * 3 * difference**2 / 7
    ratio = squares / np.var(centre, ddof=1)
    assert found.curvature.value == pytest.approx(difference)
    assert found.curvature.squares == pytest.approx(squares)
    assert found.curvature.f == pytest.approx(ratio)
    assert found.curvature.p == pytest.approx(stats.f.sf(ratio, 1, 2))
    assert found["B"].t == pytest.approx(2.5 / 0.05)
    assert found.table().loc["curvature", "F"] == pytest.approx(ratio)
    assert "do not describe what lies between" in found.sentence()
    assert any(note.startswith("Curvature") for note in found.notes)


@pytest.mark.parametrize("centre", [[5.5], [5.5, 5.5]])
def test_without_a_measured_noise_curvature_is_not_judged(centre):
    points = np.vstack([two_levels(2), np.zeros((len(centre), 2))])
    found = two_level_effects(coded_study(points, [1.0, 2, 3, 5, *centre]), "y")

    assert found.curvature.p is None
    assert found["A"].t is None
    assert "cannot be judged" in found.sentence()


def test_effects_that_reproduce_every_run_are_not_compared_with_rounding():
    points = two_levels(3)
    found = effects(fit_linear(coded_study(points, 3 + points @ [1.0, -2, 0.7]), "y", "linear"))

    assert found["A"].t is None
    assert "check that the values were measured" in found.sentence()
    assert "check that the values were measured" in found.pareto_plot().sentence


def test_effects_confounded_with_blocks_are_left_to_the_blocks():
    points = two_levels(3)
    days = ["1" if sign > 0 else "2" for sign in points.prod(axis=1)]
    found = two_level_effects(coded_study(points, np.arange(8.0) ** 2, blocks=days), "y")

    assert "A:B:C" not in found.names
    assert len(found.effects) == 6


@pytest.mark.parametrize("which", ["half_normal_plot", "normal_plot", "pareto_plot"])
@pytest.mark.parametrize("terms", ["(A + B + C + D)**4", "A + C + D + A:C + A:D"])
def test_figures_of_effects_can_be_drawn_on_screen_and_on_paper(which, terms):
    plot = getattr(effects(fit_linear(filtration(), "y", terms)), which)()

    assert image(plot, "png").startswith(b"\x89PNG")
    assert to_plotly(plot)["data"]
    assert plot.sentence
    for layer in plot.layers:
        if isinstance(layer, Points | Line):
            assert layer.x.min() >= plot.x.low - 1e-9
            assert layer.x.max() <= plot.x.high + 1e-9


def test_the_half_normal_plot_holds_the_effects_and_the_limits():
    found = effects(full_model(filtration()))
    layers = found.half_normal_plot().layers
    points = [layer for layer in layers if isinstance(layer, Points)]

    sizes = np.sort(np.concatenate([layer.y for layer in points]))
    np.testing.assert_allclose(sizes, np.sort(np.abs(found.contrasts)))
    expected = np.sort(np.concatenate([layer.x for layer in points]))
    np.testing.assert_allclose(expected, stats.halfnorm.ppf((np.arange(1, 16) - 0.5) / 15))
    heights = {layer.label: layer.y[0] for layer in layers if isinstance(layer, Line)}
    assert heights["ME (95%)"] == pytest.approx(found.lenth.margin)
    assert heights["SME"] == pytest.approx(found.lenth.simultaneous)


def test_the_pareto_chart_is_sorted_and_has_both_limits():
    found = effects(fit_linear(filtration(), "y", "A + C + D + A:C + A:D"))
    plot = found.pareto_plot()
    bars = next(layer for layer in plot.layers if isinstance(layer, Bars))
    lines = [layer.x[0] for layer in plot.layers if isinstance(layer, Line)]

    assert plot.y.categories == ("C", "D", "A:D", "A:C", "A")
    np.testing.assert_allclose(bars.value, np.sort([abs(e.t) for e in found.effects]))
    np.testing.assert_allclose(lines, [found.t_limit, found.bonferroni_limit])


def test_bad_requests_are_refused_in_words():
    model = fit_linear(filtration(), "y", "linear")
    with pytest.raises(InvalidValueError, match=r"level is 95.*between 0 and 1"):
        effects(model, level=95)
    with pytest.raises(InvalidValueError, match="no term but the intercept"):
        effects(fit_linear(filtration(), "y", "1"))
    with pytest.raises(UnknownNameError, match="no effect 'Z'"):
        effects(model)["Z"]
    with pytest.raises(TooFewDataError, match="2 effects are too few"):
        lenth(np.array([1.0, 2.0]))
    with pytest.raises(InvalidValueError, match="at least 1000"):
        simulated_lenth(np.arange(5.0), n_draws=10, rng=np.random.default_rng(0))
    with pytest.raises(TooFewDataError, match="too few for Lenth's method"):
        effects(fit_linear(filtration(), "y", "A")).half_normal_plot()
    three = np.array([[-1.0, -1], [0.4, 1], [1, -1], [1, 1], [-1, 1]])
    with pytest.raises(InvalidValueError, match="two levels of it"):
        two_level_effects(coded_study(three, np.arange(5.0)), "y")


def test_components_of_a_mixture_have_coefficients_and_no_effects():
    space = FactorSpace((MixtureComponent("oil"), MixtureComponent("water")))
    table = pd.DataFrame({"oil": [1, 0, 0.5, 0.25], "water": [0, 1, 0.5, 0.75], "y": [1, 2, 4, 3]})
    model = fit_linear(Observations.from_frame(table, space, (Response("y"),)), "y", "linear")

    with pytest.raises(InvalidValueError, match="add up to a constant"):
        effects(model)
