"""What a plot says is what is drawn: the same numbers, ranges, units and colours."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.exports.figures import draw
from dashboards.figures import data_table, description, to_plotly
from dashboards.figures.plotly_figure import TRACE_TYPES, Figure
from doe.designs import central_composite
from doe.evaluation import (
    correlation_plot,
    evaluate,
    fraction_plot,
    leverage_plot,
    power_plot,
    prediction_plot,
)
from doe.factors import ContinuousFactor
from doe.plots import Axis, Band, Bars, Layer, Line, Plot, Points, Surface
from doe.space import FactorSpace
from doe.terms import quadratic_terms

ROOT = Path(__file__).resolve().parents[2]
X = Axis("temperature", "degC", 30.0, 40.0)
Y = Axis("titre", "g/L", 0.0, 6.0)
PLACES = np.array([31.0, 34.5, 38.0])
VALUES = np.array([2.0, 4.5, 3.0])


def plot_of(*layers: Layer, x: Axis = X, y: Axis = Y) -> Plot:
    return Plot("Titre", "The titre is highest, 4.5 g/L, at 34.5 degC.", x, y, layers)


def surface(
    levels: tuple[float, ...] = (0.5, 0.9), *, shaded: bool = False, x: Axis = X, y: Axis = Y
) -> Surface:
    across, up = np.linspace(x.low, x.high, 21), np.linspace(y.low, y.high, 11)
    middle_x, middle_y = (x.low + x.high) / 2, (y.low + y.high) / 2
    z = np.exp(
        -(((across[None, :] - middle_x) / (x.high - x.low) * 3) ** 2)
        - ((up[:, None] - middle_y) / (y.high - y.low) * 3) ** 2
    )
    outside = (np.add.outer(np.arange(11), np.arange(21)) < 6).astype(float) if shaded else None
    return Surface("P(in specification)", "", across, up, z, 0.0, 1.0, levels, outside)


def every_kind() -> list[Plot]:
    drivers = Axis("factor", "", -0.5, 2.5, "category", ("pH", "feed", "temperature"))
    share = Axis("share of variation", "", 0.0, 1.0)
    dose = Axis("dose", "mg/L", 0.1, 100.0, "log")
    bars = Bars("total index", np.arange(3.0), VALUES / 5, VALUES / 6, VALUES / 4.6)
    following = Points("next", PLACES, VALUES, "recommended", ("7", "8", "9"))
    return [
        plot_of(Points("runs", PLACES, VALUES, names=("R1", "R2", "R3"))),
        plot_of(Points("means", PLACES, VALUES, "estimate", (), VALUES - 1, VALUES + 0.5)),
        plot_of(Line("limit", PLACES, VALUES, "limit")),
        plot_of(Band("95 %", PLACES, VALUES - 1, VALUES + 1), Line("mean", PLACES, VALUES)),
        plot_of(bars, x=share, y=drivers),
        plot_of(surface(shaded=True), following),
        plot_of(Line("response to dose", np.array([1.0, 10.0]), np.array([2.0, 3.0])), x=dose),
    ]


def named(figure: Figure, name: str) -> dict[str, object]:
    return next(trace for trace in figure["data"] if trace["name"] == name)


@pytest.mark.parametrize("plot", every_kind())
def test_plotly_accepts_every_kind_of_layer_in_trace_types_that_panel_can_draw(plot: Plot):
    figure = go.Figure(to_plotly(plot))

    assert {trace.type for trace in figure.data} <= TRACE_TYPES


@pytest.mark.parametrize("plot", every_kind())
def test_axes_have_the_stated_range_and_unit_and_are_never_guessed(plot: Plot):
    layout = to_plotly(plot)["layout"]

    for key, axis in (("xaxis", plot.x), ("yaxis", plot.y)):
        drawn = layout[key]
        ends = np.log10([axis.low, axis.high]) if axis.scale == "log" else [axis.low, axis.high]
        np.testing.assert_allclose(drawn["range"], ends)
        assert drawn["autorange"] is False
        assert drawn["title"]["text"] == axis.title


def test_points_lines_and_their_errors_are_the_arrays_of_the_plot():
    low, high = VALUES - 1.0, VALUES + 0.5
    points = Points("means", PLACES, VALUES, "estimate", (), low, high)
    figure = to_plotly(plot_of(points, Line("limit", PLACES, low, "limit")))

    drawn, line = named(figure, "means"), named(figure, "limit")
    np.testing.assert_array_equal(drawn["x"], PLACES)
    np.testing.assert_array_equal(drawn["y"], VALUES)
    np.testing.assert_allclose(drawn["y"] + drawn["error_y"]["array"], high)
    np.testing.assert_allclose(drawn["y"] - drawn["error_y"]["arrayminus"], low)
    np.testing.assert_array_equal(line["y"], low)


def test_a_band_is_filled_between_its_two_curves():
    figure = to_plotly(plot_of(Band("95 %", PLACES, VALUES - 1, VALUES + 1)))

    lower, upper = figure["data"]
    np.testing.assert_array_equal(lower["y"], VALUES - 1)
    np.testing.assert_array_equal(upper["y"], VALUES + 1)
    assert upper["fill"] == "tonexty"


def test_bars_lie_at_their_categories_with_their_intervals():
    plot = every_kind()[4]
    bars = plot.layers[0]
    figure = to_plotly(plot)

    drawn, axis = figure["data"][0], figure["layout"]["yaxis"]
    np.testing.assert_array_equal(drawn["x"], bars.value)
    np.testing.assert_allclose(drawn["x"] + drawn["error_x"]["array"], bars.high)
    np.testing.assert_allclose(drawn["x"] - drawn["error_x"]["arrayminus"], bars.low)
    assert axis["ticktext"][int(drawn["y"][2])] == "temperature"


def test_a_surface_keeps_its_values_its_scale_and_its_unit():
    layer = surface()
    figure = to_plotly(plot_of(Surface(**{**_fields(layer), "unit": "g/L", "high": 2.0})))

    drawn = named(figure, "P(in specification)")
    np.testing.assert_array_equal(drawn["z"], layer.z)
    assert (drawn["zmin"], drawn["zmax"]) == (0.0, 2.0)
    assert drawn["colorbar"]["title"]["text"] == "P(in specification) (g/L)"


@given(level=st.floats(0.2, 0.95), log=st.booleans())
def test_the_label_of_a_level_stands_where_the_surface_has_this_value(level: float, log: bool):
    x = Axis("dose", "mg/L", 1.0, 100.0, "log" if log else "linear")
    layer = surface((level,), x=x)
    figure = to_plotly(plot_of(layer, x=x))

    (label,) = figure["layout"]["annotations"]
    across = 10.0 ** label["x"] if log else label["x"]
    row = int(np.argmin(np.abs(layer.y - label["y"])))
    column = int(np.argmin(np.abs(layer.x - across)))
    on_row = np.isclose(layer.y[row], label["y"])
    along, place = (layer.z[row], across) if on_row else (layer.z[:, column], label["y"])
    assert np.interp(place, layer.x if on_row else layer.y, along) == pytest.approx(level)
    assert label["text"] == f"{level:g}"


def test_a_level_that_the_surface_does_not_reach_is_not_drawn():
    figure = to_plotly(plot_of(surface((0.5, 1.5))))

    names = [trace["name"] for trace in figure["data"]]
    assert "P(in specification) = 0.5" in names
    assert "P(in specification) = 1.5" not in names


def test_extrapolation_is_hatched_exactly_where_the_plot_says_so():
    layer = surface(shaded=True)
    figure = to_plotly(plot_of(layer))

    strokes = named(figure, "hatched: extrapolation")
    drawn = set(zip(strokes["x"].tolist(), strokes["y"].tolist(), strict=True))
    down, across = np.nonzero(layer.shaded)
    assert drawn == set(zip(layer.x[across].tolist(), layer.y[down].tolist(), strict=True))
    assert not any("hatched" in trace["name"] for trace in to_plotly(plot_of(surface()))["data"])


def test_pieces_of_one_line_look_alike_and_are_named_once():
    pieces = [Line("sweet spot (means only)", PLACES + i, VALUES, "reference") for i in range(3)]
    figure = to_plotly(plot_of(*pieces, Points("runs", PLACES, VALUES)))

    lines = [trace for trace in figure["data"] if trace["mode"] == "lines"]
    assert len({str(trace["line"]) for trace in lines}) == 1
    assert sum(bool(trace["showlegend"]) for trace in lines) == 1
    assert figure["layout"]["legend"]["orientation"] == "h"


def test_fields_of_categories_are_drawn_apart_without_levels_between_them():
    names = Axis("column", "", -0.5, 2.5, "category", ("pH", "feed <1>", "pH:feed"))
    z = np.array([[1.0, 0.2, 0.0], [0.2, 1.0, 0.5], [0.0, 0.5, 1.0]])
    places = np.arange(3.0)
    layer = Surface("|r|", "", places, places, z, 0.0, 1.0, (0.5,), cells=True)
    figure = to_plotly(plot_of(layer, x=names, y=names))

    (drawn,) = figure["data"]
    assert drawn["type"] == "heatmap"
    np.testing.assert_array_equal(drawn["z"], z)
    assert (drawn["zmin"], drawn["zmax"]) == (0.0, 1.0)
    assert drawn["customdata"][0][1] == "feed &lt;1&gt; and pH"
    assert figure["layout"]["annotations"] == []
    assert go.Figure(figure).data[0].type == "heatmap"
    in_document = draw(plot_of(layer, x=names, y=names)).axes[0]
    # One mesh, and no contour lines over it.
    assert len(in_document.collections) == 1
    np.testing.assert_array_equal(in_document.collections[0].get_array().reshape(3, 3), z)


def test_long_names_under_the_axis_stand_upright_so_that_none_is_left_out():
    few = Axis("run", "", -0.5, 1.5, "category", ("1", "2"))
    many = Axis("run", "", -0.5, 1.5, "category", ("temperature:" * 3, "feed rate:" * 4))
    line = Line("one", np.arange(2.0), np.ones(2))

    assert "tickangle" not in to_plotly(plot_of(line, x=few))["layout"]["xaxis"]
    assert to_plotly(plot_of(line, x=many))["layout"]["xaxis"]["tickangle"] == -90
    upright = draw(plot_of(line, x=many)).axes[0].get_xticklabels()
    assert {label.get_rotation() for label in upright} == {90.0}


def test_bars_without_an_interval_have_no_error_bars():
    drivers = Axis("term", "", -0.5, 2.5, "category", ("pH", "feed", "temperature"))
    bars = Bars("power", np.arange(3.0), VALUES / 5, VALUES / 5, VALUES / 5)
    plot = plot_of(bars, x=Axis("power", "", 0.0, 1.0), y=drivers)

    (drawn,) = to_plotly(plot)["data"]

    assert "error_x" not in drawn
    assert "interval" not in drawn["hovertemplate"]
    assert draw(plot).axes[0].get_lines() == []


def test_every_figure_of_an_evaluation_is_drawn_on_a_page_and_in_a_document():
    space = FactorSpace(
        (ContinuousFactor("pH", 6.0, 8.0), ContinuousFactor("feed", 1.0, 100.0, scale="log"))
    )
    evaluation = evaluate(central_composite(space, kind="face-centred"), quadratic_terms(space))
    plots = [
        power_plot(evaluation),
        fraction_plot(evaluation, half_width=1.5),
        prediction_plot(evaluation, "pH", "feed"),
        correlation_plot(evaluation),
        leverage_plot(evaluation),
    ]

    for plot in plots:
        on_page = go.Figure(to_plotly(plot))
        assert {trace.type for trace in on_page.data} <= TRACE_TYPES
        in_document = draw(plot).axes[0]
        assert in_document.get_xlabel() == plot.x.title
        assert in_document.get_xlim() == (plot.x.low, plot.x.high)
        assert plot.sentence in description(plot)
        assert len(data_table(plot)) >= len(plot.layers)


def test_recommended_runs_are_named_and_those_at_one_place_together():
    twice = np.array([31.0, 31.0, 38.0])
    layer = Points("next", twice, np.array([2.0, 2.0, 3.0]), "recommended", ("7", "8", "9"))

    labels = to_plotly(plot_of(layer))["layout"]["annotations"]

    assert [label["text"] for label in labels] == ["7, 8", "9"]


def test_names_from_outside_are_shown_as_text_and_never_as_markup():
    layer = Points("<b>x</b>", PLACES, VALUES, names=("<img src=x>", "&", "ok"))
    figure = to_plotly(plot_of(layer, x=Axis("<i>pH</i>", "", 30.0, 40.0)))

    texts = [*figure["data"][0]["customdata"], figure["layout"]["xaxis"]["title"]["text"]]
    assert not any("<" in text for text in texts)


@pytest.mark.parametrize("role", ["estimate", "data", "limit", "target", "reference", "excluded"])
def test_a_role_has_the_same_colour_on_a_page_as_in_a_document(role: str):
    plot = plot_of(*(Line(f"{role} {i}", PLACES, VALUES + i / 10, role) for i in range(2)))

    on_page = [trace["line"]["color"] for trace in to_plotly(plot)["data"]]
    in_document = [line.get_color() for line in draw(plot).axes[0].get_lines()]

    assert on_page == in_document


@pytest.mark.parametrize("plot", every_kind())
def test_the_table_beside_a_figure_holds_its_numbers_with_units(plot: Plot):
    table = data_table(plot)

    assert plot.x.title in table.columns
    for layer in plot.layers:
        rows = table[table["shown"] == layer.label]
        if isinstance(layer, Surface):
            np.testing.assert_array_equal(rows[layer.label], layer.z.ravel())
        elif isinstance(layer, Bars):
            np.testing.assert_array_equal(rows[plot.x.title], layer.value)
        else:
            np.testing.assert_array_equal(rows[plot.x.title], layer.x)


def test_a_figure_is_described_in_words_with_its_axes_ranges_and_finding():
    words = description(plot_of(Points("runs", PLACES, VALUES)))

    assert "temperature from 30 to 40 degC" in words
    assert "titre from 0 to 6 g/L" in words
    assert "4.5 g/L, at 34.5 degC" in words


def test_figures_and_the_session_are_independent_of_the_library_that_draws_pages():
    program = (
        "import sys, dashboards.figures.plotly_figure, dashboards.figures.tables, "
        "dashboards.session, dashboards.jobs\n"
        "assert not {'panel', 'bokeh', 'plotly', 'torch'} & set(sys.modules), sorted(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def _fields(layer: Surface) -> dict[str, object]:
    return {name: getattr(layer, name) for name in layer.__slots__}
