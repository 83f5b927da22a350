"""The figures of the diagnostics: the numbers of the diagnostics, drawn on page and in document."""

import numpy as np
import pandas as pd
import pytest

from campaigns.exports.figures import draw
from dashboards.figures import data_table, to_plotly
from doe.factors import BlockFactor, CategoricalFactor, Context, ContinuousFactor, Covariate
from doe.plots import Line, Points
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.linear.diagnosing.diagnostics import diagnostics
from surrogates.linear.diagnosing.residual_plots import (
    cook_plot,
    normal_plot,
    predicted_plot,
    residual_plot,
)
from surrogates.linear.model import fit_linear

CULTURE = (
    ContinuousFactor("pH", 6.0, 8.0),
    ContinuousFactor("temperature", 30.0, 40.0, "degC"),
)
GRID = [(a, b) for a in (6.0, 7.0, 8.0) for b in (30.0, 35.0, 40.0)]


def culture(seed=3, noise=0.3):
    """Return settings and titres of 18 runs: a grid of three by three, twice."""
    frame = pd.DataFrame(GRID * 2, columns=["pH", "temperature"])
    return frame, 20 + np.arange(18) % 9 + noise * np.random.default_rng(seed).normal(size=18)


def blocked():
    space = FactorSpace(
        (
            ContinuousFactor("feed rate", 0.1, 10.0, "mL/h", scale="log"),
            CategoricalFactor("resin", ("A", "B")),
            BlockFactor("day"),
        )
    )
    rng = np.random.default_rng(9)
    frame = pd.DataFrame(
        {
            "feed rate": np.tile([0.1, 1.0, 10.0], 6),
            "resin": np.repeat(["A", "B"], 9),
            "day": np.resize(["mon", "tue"], 18),
        }
    )
    values = 5 + np.log(frame["feed rate"]) + rng.normal(0, 0.5, 18)
    responses = (Response("titre", "g/L", transform="log"),)
    return Observations.from_frame(frame.assign(titre=values), space, responses)


@pytest.mark.requirement("ANA-7")
@pytest.mark.parametrize("kind", ["residual", "external"])
def test_every_plot_is_drawn_for_page_and_document_with_the_numbers_of_the_diagnostics(kind):
    found = diagnostics(fit_linear(blocked(), "titre", "linear"))

    plots = found.plots(kind)

    titles = [plot.title.removesuffix(", titre") for plot in plots]
    against = ["predicted", "run order", "feed rate", "resin", "day"]
    residual_titles = [f"Residuals against {name}" for name in against]
    assert titles[1:6] == residual_titles
    unit = "log(g/L)" if kind == "residual" else ""
    assert {plot.y.unit for plot in plots[1:6]} == {unit}
    assert plots[3].x.scale == "log"
    assert plots[3].x.unit == "mL/h"
    assert plots[5].x.categories == ("mon", "tue")
    assert (plots[6].x.unit, plots[6].y.unit) == ("g/L", "g/L")
    for plot in plots:
        drawn = to_plotly(plot)
        assert len(drawn["data"]) == len(plot.layers)
        figure = draw(plot)
        assert figure.axes[0].get_xlabel() == plot.x.title
        assert len(data_table(plot)) > 0
    numbers = found.influence.external if kind == "external" else found.model.residuals
    shown = np.concatenate([layer.y for layer in plots[2].layers if hasattr(layer, "names")])
    np.testing.assert_allclose(np.sort(shown), np.sort(numbers))


def test_residuals_show_a_covariate_that_the_model_leaves_out():
    space = FactorSpace(
        (*CULTURE, Covariate("seeding density", "1/mL"), Context("site", ("Basel", "Cork")))
    )
    frame, values = culture()
    density = np.tile([2e5, 4e5, 6e5], 6) + np.repeat([0.0, 1e4], 9)
    frame["titre"] = values + density / 2e5
    frame["seeding density"] = np.where(np.arange(18) == 4, np.nan, density)
    frame["site"] = np.repeat(["Basel", "Cork"], 9)
    observations = Observations.from_frame(frame, space, (Response("titre", "g/L"),))
    found = diagnostics(fit_linear(observations, "titre", "linear"))

    plot = residual_plot(found, "seeding density", kind="residual")

    assert plot.x.title == "seeding density (1/mL)"
    assert "at the" in plot.sentence
    assert "1 of 18 runs have no seeding density on record" in plot.sentence
    assert sum(len(layer.x) for layer in plot.layers if hasattr(layer, "names")) == 17
    assert residual_plot(found, "site").x.categories == ("Basel", "Cork")
    assert len(found.plots()) == 9


@pytest.mark.requirement("ANA-7")
def test_an_outlier_is_marked_beyond_its_limit_and_named():
    frame, values = culture(noise=1.0)
    values[6] += 15
    responses = (Response("titre", "g/L"),)
    observations = Observations.from_frame(
        frame.assign(titre=values), FactorSpace(CULTURE), responses
    )
    order = [str(number) for number in range(1, 19)]
    found = diagnostics(fit_linear(observations, "titre", "linear"), run_order=order)

    for plot in (residual_plot(found, "run order"), normal_plot(found)):
        marked = [layer for layer in plot.layers if getattr(layer, "role", "") == "recommended"]
        assert [layer.names for layer in marked] == [("7",)]
        assert marked[0].label == "flagged run"
    plot = residual_plot(found, "predicted")
    limits = [layer.y[0] for layer in plot.layers if isinstance(layer, Line) and layer.y[0]]
    assert limits == [-found.thresholds.outlier, found.thresholds.outlier]
    assert "run 7" in plot.sentence
    assert cook_plot(found).x.label == "run, in the order of doing"
    largest = float(np.max(found.influence.cook))
    assert f"{largest:.2g}" in cook_plot(found).sentence


@pytest.mark.requirement("ANA-7")
def test_the_plot_of_predictions_shows_each_run_with_and_without_itself():
    frame, values = culture()
    observations = Observations.from_frame(
        frame.assign(titre=values), FactorSpace(CULTURE), (Response("titre", "g/L"),)
    )
    model = fit_linear(observations, "titre", "linear")
    found = diagnostics(model)

    plot = predicted_plot(found)

    fitted, without = (layer for layer in plot.layers if isinstance(layer, Points))
    np.testing.assert_allclose(fitted.y, model.fitted)
    np.testing.assert_allclose(values - without.y, found.influence.press)
    total = np.square(values - values.mean()).sum()
    q2 = 1 - np.square(values - without.y).sum() / total
    assert f"{q2:.3f}" in plot.sentence
    assert (plot.x.low, plot.x.high) == (plot.y.low, plot.y.high)
