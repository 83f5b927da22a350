"""Contours, interactions and perturbation show what the surrogate predicts, and where."""

import numpy as np
import pandas as pd
import pytest

from campaigns.analysis_tables import model_plots
from campaigns.exports.figures import draw
from dashboards.figures import data_table, to_plotly
from doe.designs import central_composite
from doe.errors import InvalidValueError, UnknownNameError
from doe.factors import CategoricalFactor, ContinuousFactor, MixtureComponent
from doe.plots import Line, Points, Surface
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates import contour_plot, fit_linear, interaction_plot, perturbation_plot
from surrogates.linear.model import LinearModel

SPACE = FactorSpace(
    (
        ContinuousFactor("time", 80, 90, "min"),
        ContinuousFactor("load", 1, 100, "g/L", scale="log"),
        CategoricalFactor("resin", ("A", "B")),
    )
)


@pytest.fixture(scope="module")
def model() -> LinearModel:
    """A surface without noise but for 0.01: 80 - t^2 + 2 l + t l, one more for resin B."""
    design = central_composite(SPACE)
    coded = design.coded()
    rng = np.random.default_rng(3)
    values = (
        80
        - coded["time"] ** 2
        + 2 * coded["load"]
        + coded["time"] * coded["load"]
        + (design.runs["resin"] == "B")
        + rng.normal(0, 0.01, len(coded))
    )
    table = design.runs.assign(**{"yield": values})
    observations = Observations.from_frame(table, SPACE, (Response("yield", "%"),))
    return fit_linear(observations, "yield", "quadratic")


def test_contours_hold_the_predicted_means_over_the_ranges(model):
    plot = contour_plot(model, "time", "load", at={"resin": "B"})

    (surface,) = (layer for layer in plot.layers if isinstance(layer, Surface))
    at = pd.DataFrame({"time": [surface.x[7]], "load": [surface.y[30]], "resin": ["B"]})
    assert surface.z[30, 7] == pytest.approx(model.predict(at).mean[0])
    assert (plot.x.low, plot.x.high, plot.x.unit) == (80, 90, "min")
    assert plot.y.scale == "log"
    assert surface.unit == "%"
    assert all(surface.z.min() <= level <= surface.z.max() for level in surface.levels)
    assert "highest at time 87.5, load 100" in plot.sentence
    assert plot.sentence.endswith("Held at resin B.")


def test_runs_beyond_the_axes_are_left_out_of_the_map():
    """Axial runs of a rotatable design lie outside the ranges that the axes span."""
    space = FactorSpace((*SPACE.factors[:1], ContinuousFactor("pH", 6, 8)))
    design = central_composite(space, kind="rotatable", axial="beyond")
    values = 5 + design.coded()["time"] + np.random.default_rng(1).normal(0, 0.1, design.n_runs)
    observed = Observations.from_frame(design.runs.assign(y=values), space, (Response("y"),))
    plot = contour_plot(fit_linear(observed, "y", "quadratic"), "time", "pH")

    (runs,) = (layer for layer in plot.layers if isinstance(layer, Points))
    assert design.n_runs == 13
    assert len(runs.x) == 9
    assert runs.x.min() >= 80
    assert runs.x.max() <= 90


def test_an_interaction_is_seen_as_lines_that_are_not_parallel(model):
    """The coefficient of the product is 1, so that the rises differ by 4 coded units."""
    plot = interaction_plot(model, "time", "load")

    low, high = (layer for layer in plot.layers if isinstance(layer, Line))
    rise = [float(line.y[-1] - line.y[0]) for line in (low, high)]
    assert rise == pytest.approx([-2.0, 2.0], abs=0.05)
    assert (low.label, high.label) == ("load 1", "load 100")
    assert "at load 1" in plot.sentence


def test_levels_of_a_category_have_a_line_each(model):
    lines = [p for p in interaction_plot(model, "time", "resin").layers if isinstance(p, Line)]

    assert [line.label for line in lines] == ["resin A", "resin B"]


def test_each_factor_moves_alone_from_the_reference_point(model):
    plot = perturbation_plot(model, at={"resin": "A"})

    lines = {layer.label: layer for layer in plot.layers if isinstance(layer, Line)}
    assert set(lines) == {"time", "load"}
    middle = len(lines["time"].x) // 2
    assert lines["time"].y[middle] == pytest.approx(lines["load"].y[middle])
    assert np.ptp(lines["load"].y) == pytest.approx(4.0, abs=0.05)
    assert "changes most with load: by 4" in plot.sentence


@pytest.mark.parametrize("make", [contour_plot, interaction_plot])
def test_every_figure_can_be_drawn_and_read_as_numbers(model, make):
    for plot in (make(model, "time", "load"), perturbation_plot(model)):
        assert to_plotly(plot)["data"]
        assert len(data_table(plot)) > 40
        draw(plot)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda m: contour_plot(m, "time", "time"), InvalidValueError, "two different factors"),
        (lambda m: contour_plot(m, "time", "resin"), InvalidValueError, "'resin' is categorical"),
        (lambda m: contour_plot(m, "time", "pH"), UnknownNameError, "No factor is called 'pH'"),
        (
            lambda m: contour_plot(m, "time", "load", at={"time": 85}),
            UnknownNameError,
            r"'at' names \['time'\]",
        ),
        (lambda m: interaction_plot(m, "time", "time"), InvalidValueError, "two different factors"),
    ],
)
def test_what_cannot_be_drawn_is_refused(model, make, error, message):
    with pytest.raises(error, match=message):
        make(model)


def test_a_mixture_component_has_no_axis_of_its_own():
    space = FactorSpace((MixtureComponent("a"), MixtureComponent("b"), MixtureComponent("c")))
    shares = pd.DataFrame(
        [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
        columns=list("abc"),
    )
    table = pd.concat([shares, shares]).assign(y=np.arange(12.0) % 5)
    observed = Observations.from_frame(table.reset_index(drop=True), space, (Response("y"),))
    blend = fit_linear(observed, "y", "linear")

    with pytest.raises(InvalidValueError, match="'a' is a mixture component"):
        contour_plot(blend, "a", "b")
    with pytest.raises(InvalidValueError, match="needs a continuous process factor"):
        perturbation_plot(blend)


def test_process_factors_beside_a_mixture_are_drawn_at_a_blend_that_adds_up():
    space = FactorSpace(
        (
            *(MixtureComponent(name) for name in "abc"),
            ContinuousFactor("pH", 6.0, 8.0, unit="1"),
            ContinuousFactor("time", 1.0, 5.0, unit="h"),
        )
    )
    rng = np.random.default_rng(3)
    table = pd.DataFrame(rng.dirichlet([1, 1, 1], 20), columns=list("abc"))
    table = table.assign(pH=rng.uniform(6, 8, 20), time=rng.uniform(1, 5, 20))
    table["y"] = table["a"] + 2 * table["pH"] - table["time"] + rng.normal(0, 0.1, 20)
    mixed = fit_linear(Observations.from_frame(table, space, (Response("y"),)), "y", "linear")

    for make in (
        lambda: contour_plot(mixed, "pH", "time"),
        lambda: interaction_plot(mixed, "pH", "time"),
        lambda: perturbation_plot(mixed),
    ):
        with pytest.raises(InvalidValueError, match="given by 'at'"):
            make()

    plots, notes = model_plots(mixed, run_order=tuple(map(str, mixed.domain.runs.index)))

    mean = table[list("abc")].mean()
    held = f"a {mean['a']:.4g}, b {mean['b']:.4g}, c {mean['c']:.4g}"
    assert {"contours", "interaction", "perturbation"} <= set(plots)
    assert not any("given by 'at'" in note for note in notes)
    assert held in plots["contours"].sentence
