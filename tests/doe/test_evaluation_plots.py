"""The figures of an evaluation hold its numbers, with ranges, units and the finding in words."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.constraints import LinearConstraint
from doe.designs import central_composite, full_factorial
from doe.errors import DesignError, InvalidValueError, UnknownNameError
from doe.evaluation import (
    correlation_plot,
    evaluate,
    fraction_plot,
    leverage_plot,
    power_plot,
    prediction_plot,
)
from doe.evaluation.prediction_map import _round_ends
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
)
from doe.plots import Line, Points, Surface
from doe.space import FactorSpace
from doe.terms import linear_terms, quadratic_terms

pytestmark = pytest.mark.requirement("DOE-10")

SPACE = FactorSpace(
    (
        ContinuousFactor("pH", 6.0, 8.0),
        ContinuousFactor("temperature", 30.0, 40.0, "degC"),
        CategoricalFactor("resin", ("A", "B")),
    )
)
EVALUATION = evaluate(
    full_factorial(SPACE, levels={"pH": 3, "temperature": 3}), quadratic_terms(SPACE), sd=0.5
)


def test_power_is_drawn_per_term_with_the_level_that_is_asked_for():
    plot = power_plot(EVALUATION)

    bars, line = plot.layers
    assert plot.y.categories[-1] == "pH"
    assert "Intercept" not in plot.y.categories
    powers = {term.name: term.power for term in EVALUATION.tested_terms}
    assert bars.value.tolist() == [powers[name] for name in plot.y.categories]
    assert isinstance(line, Line)
    assert set(line.x.tolist()) == {0.8}
    assert f"the least is {EVALUATION.least_power:.2f}" in plot.sentence


def test_the_fraction_curve_rises_and_is_marked_at_80_percent():
    plot = fraction_plot(EVALUATION, half_width=0.66)

    curve, mark, limit = plot.layers
    assert (np.diff(curve.y) >= 0).all()
    assert (plot.x.low, plot.x.high, plot.x.unit) == (0.0, 100.0, "%")
    assert isinstance(mark, Points)
    assert mark.y[0] == pytest.approx(EVALUATION.prediction_sd(0.8))
    assert np.interp(80.0, curve.x, curve.y) == pytest.approx(mark.y[0])
    # The line crosses the curve where the share of the sentence is reached.
    share = EVALUATION.fraction_within(0.66)
    assert np.interp(100 * share, curve.x, curve.y) == pytest.approx(limit.y[0], rel=0.01)
    assert f"{mark.y[0]:.3g}" in plot.sentence
    assert f"In {100 * share:.0f} % of it" in plot.sentence


def test_the_prediction_map_shows_the_sd_at_the_settings_held():
    plot = prediction_plot(EVALUATION, "pH", "temperature", at={"resin": "B"})

    surface, runs = plot.layers
    assert isinstance(surface, Surface)
    assert (plot.y.label, plot.y.unit, plot.y.low, plot.y.high) == ("temperature", "degC", 30, 40)
    at = pd.DataFrame({"pH": [surface.x[7]], "temperature": [surface.y[11]], "resin": ["B"]})
    expected = 0.5 * np.sqrt(EVALUATION.prediction_variance(at)[0])
    assert surface.z[11, 7] == pytest.approx(expected)
    assert len(runs.x) == EVALUATION.n_runs
    assert surface.shaded is None
    assert "with resin B" in plot.sentence
    assert f"to {surface.z.max():.3g}" in plot.sentence
    assert surface.low <= surface.z.min() < surface.z.max() <= surface.high


@given(low=st.floats(0.01, 10.0), width=st.floats(0.0, 20.0))
@settings(max_examples=100)
def test_the_scale_of_a_map_covers_its_values_in_ten_round_steps(low, width):
    start, end = _round_ends(low, low + width)

    assert start <= low * (1 + 1e-9)
    assert end >= (low + width) * (1 - 1e-9)
    step = (end - start) / 10
    assert float(f"{step:.2g}") == pytest.approx(step)
    assert step <= 5 * max(width, 1e-3 * (low + width)) / 10


def test_what_is_not_allowed_is_shaded_on_the_map():
    cut = FactorSpace(
        (ContinuousFactor("a", 0.0, 1.0), DiscreteFactor("n", (1, 10, 100), scale="log")),
        (LinearConstraint({"a": 100.0, "n": 1.0}, upper=120.0),),
    )
    runs = cut.sample(10, rng=np.random.default_rng(0))

    plot = prediction_plot(evaluate(runs, "a + n", space=cut), "a", "n")

    surface = plot.layers[0]
    assert plot.y.scale == "log"
    assert bool(surface.shaded[-1, -1])
    assert not surface.shaded[0, -1]
    assert surface.z.max() <= surface.high


def test_on_a_map_of_a_mixture_the_other_components_fill_up():
    space = FactorSpace(
        (MixtureComponent("a"), MixtureComponent("b"), MixtureComponent("c"), *SPACE.factors[:1])
    )
    runs = space.sample(20, rng=np.random.default_rng(0))
    evaluation = evaluate(runs, linear_terms(space), space=space)

    plot = prediction_plot(evaluation, "a", "pH", at={"b": 0.3, "c": 0.1})

    surface = plot.layers[0]
    assert surface.shaded is None
    share = surface.x[15]
    at = pd.DataFrame({"a": [share], "b": [0.75 * (1 - share)], "c": [0.25 * (1 - share)]})
    at["pH"] = surface.y[4]
    assert surface.z[4, 15] == pytest.approx(np.sqrt(evaluation.prediction_variance(at)[0]))
    assert "b and c the rest of the mixture" in plot.sentence


def test_the_correlation_map_has_a_field_per_pair_with_the_model_first():
    evaluation = evaluate(
        central_composite(FactorSpace(SPACE.factors[:2]), kind="face-centred"), "pH + temperature"
    )

    plot = correlation_plot(evaluation)

    (surface,) = plot.layers
    table = evaluation.correlations(evaluation.left_out())
    assert surface.cells
    assert plot.x.categories == tuple(table.columns)
    assert plot.y.categories == tuple(table.columns[::-1])
    np.testing.assert_array_equal(surface.z[::-1], table.to_numpy())
    assert "between pH^2 and temperature^2" in plot.sentence


def test_leverage_is_drawn_per_run_with_its_mean():
    plot = leverage_plot(EVALUATION)

    points = plot.layers[-1]
    np.testing.assert_array_equal(points.y, EVALUATION.leverage)
    assert plot.x.categories[0] == "1"
    assert f"{EVALUATION.leverage.max():.2f}" in plot.sentence


def test_figures_that_cannot_be_drawn_say_why():
    saturated = evaluate(full_factorial(SPACE), "pH*temperature*resin")
    aliased = evaluate(full_factorial(SPACE), quadratic_terms(SPACE))
    pair = FactorSpace((MixtureComponent("a"), MixtureComponent("b")))
    blends = evaluate(pd.DataFrame({"a": [0, 1, 0.5], "b": [1, 0, 0.5]}), "0 + a + b", space=pair)

    with pytest.raises(DesignError, match=r"No term of .* has a power"):
        power_plot(saturated)
    with pytest.raises(DesignError, match=r"cannot estimate .*pH\^2"):
        prediction_plot(aliased, "pH", "temperature")
    with pytest.raises(DesignError, match=r"cannot estimate .*pH\^2"):
        fraction_plot(aliased)
    with pytest.raises(InvalidValueError, match="'resin' has levels without order"):
        prediction_plot(EVALUATION, "pH", "resin")
    with pytest.raises(InvalidValueError, match="Both axes are 'pH'"):
        prediction_plot(EVALUATION, "pH", "pH")
    with pytest.raises(UnknownNameError, match="No varied factor is called 'feed'"):
        prediction_plot(EVALUATION, "pH", "feed")
    with pytest.raises(UnknownNameError, match=r"at= names \['feed'\]"):
        prediction_plot(EVALUATION, "pH", "temperature", at={"feed": 1.0})
    with pytest.raises(DesignError, match="are all components of the mixture"):
        prediction_plot(blends, "a", "b")
    with pytest.raises(DesignError, match="at least two columns that vary"):
        correlation_plot(evaluate(full_factorial(FactorSpace(SPACE.factors[:1])), "pH"))
