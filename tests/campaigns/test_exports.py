"""What leaves a campaign: the run sheet comes back, the record verifies, the figures say it all."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.campaign import Campaign
from campaigns.exports.figures import draw, image
from campaigns.exports.origin import RESEARCH_MODE
from campaigns.exports.package import export_campaign, figure_name
from campaigns.exports.record import write_record
from campaigns.exports.run_sheet import (
    UNDECIDED,
    in_order_of_doing,
    results_table,
    run_sheet,
    write_run_sheet,
)
from campaigns.ledger import Head, Ledger
from campaigns.streams import stream_of
from doe.errors import InvalidValueError, StateError
from doe.plots import Axis, Band, Bars, Layer, Line, Plot, Points, Surface
from doe.runs import Measurement
from doe.tables import read_table
from tests.campaigns.campaigns import (
    ANA,
    BLOCKED_SPACE,
    DrawnStrategy,
    corners,
    new_campaign,
    results,
)

# Run sheets


@pytest.fixture
def campaign() -> Campaign:
    """Five designed runs, two of them done; two recommended ones, of which one is approved."""
    campaign = new_campaign()
    campaign.seed(corners())
    campaign.record(results(campaign, "1", "2"))
    campaign.recommend(2, DrawnStrategy())
    campaign.approve(["6"])
    return campaign


@pytest.mark.requirement("DOE-8")
@pytest.mark.parametrize("ending", ["xlsx", "csv"])
def test_a_run_sheet_comes_back_with_the_settings_it_left_with(
    campaign: Campaign, tmp_path: Path, ending: str
) -> None:
    """To the last digit: what differs from the target would count as an achieved setting."""
    path = tmp_path / f"sheet.{ending}"

    write_run_sheet(campaign.state, path, predict=True)
    back = read_table(
        path, space=campaign.space, responses=campaign.state.definition.responses
    ).observations

    assert back.runs == ("3", "4", "5", "6", "7")
    assert back.measurements == ()
    for run in back.runs:
        asked = campaign.state.run(run).target
        assert dict(back.target.loc[run]) == dict(asked)


@pytest.mark.requirement("MG-7")
def test_a_run_that_nobody_approved_is_marked_on_the_sheet(campaign: Campaign) -> None:
    sheet = run_sheet(campaign.state).set_index("run")

    assert dict(sheet["status"].loc[["5", "6", "7"]]) == {
        "5": "approved",
        "6": "approved",
        "7": UNDECIDED,
    }


@pytest.mark.requirement("DOE-8")
def test_the_sheet_is_in_the_random_order_of_the_design() -> None:
    campaign = new_campaign()
    design = corners().randomised(rng=np.random.default_rng(4))
    names = campaign.seed(design)

    ordered = in_order_of_doing(campaign.events(), names)

    assert [design.run_order[names.index(name)] for name in ordered] == [1, 2, 3, 4, 5]
    assert ordered != names


def test_the_sheet_asks_for_the_blocks_that_are_not_known_yet() -> None:
    campaign = new_campaign(space=BLOCKED_SPACE)
    campaign.seed(corners(BLOCKED_SPACE))
    campaign.start("1", recorded={"vessel": "A"})

    sheet = run_sheet(campaign.state).set_index("run")

    assert sheet["vessel"].loc["1"] == "A"
    assert sheet["vessel"].drop("1").isna().all()


def test_every_sheet_says_where_it_comes_from(campaign: Campaign, tmp_path: Path) -> None:
    path = tmp_path / "sheet.xlsx"

    write_run_sheet(campaign.state, path)

    about = dict(openpyxl.load_workbook(path)["about"].iter_rows(values_only=True))
    assert about["campaign"] == "feed study"
    assert about["record head"] == f"{campaign.state.sequence}:{campaign.state.head}"
    assert about["mode"] == RESEARCH_MODE
    headings = [cell.value for cell in openpyxl.load_workbook(path)["runs"][1]]
    assert "temperature [degC]" in headings
    assert "titre [g/L]" in headings


def test_a_campaign_with_nothing_to_do_has_no_sheet(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="no run to do"):
        write_run_sheet(new_campaign().state, tmp_path / "sheet.xlsx")


@pytest.mark.requirement("ANA-14", "DI-12")
def test_the_results_hold_what_was_corrected_and_what_does_not_count(campaign: Campaign) -> None:
    titre = next(m for m in campaign.observations.measurements if m.key[:2] == ("1", "titre"))
    campaign.correct(titre, 9.5, reason="typing error")
    campaign.exclude("2", reason="the probe drifted")

    table = results_table(campaign.state).set_index(["run", "response"])

    assert len(table) == 4
    assert table.loc[("1", "titre"), "value"] == 9.5
    assert float(table.loc[("1", "titre"), "before"]) == pytest.approx(titre.value)
    assert set(table.loc["2"]["left out because"]) == {"the probe drifted"}


# The record


@pytest.mark.requirement("DI-9")
def test_an_exported_record_is_restored_elsewhere_and_verifies(
    campaign: Campaign, tmp_path: Path
) -> None:
    anchor = write_record(campaign, tmp_path / "record.json")
    document = json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))

    with Ledger(tmp_path / "elsewhere.sqlite") as ledger:
        ledger.restore(document)
        found = ledger.check(stream_of("feed study"), anchor=Head.parse(anchor))
    with Campaign.open(tmp_path / "elsewhere.sqlite", "feed study", actor=ANA) as restored:
        assert restored.state == campaign.state
    assert found.intact
    assert document["about"]["mode"] == RESEARCH_MODE


# The whole export


@pytest.mark.slow
def test_an_export_writes_every_part_once_and_replaces_nothing(tmp_path: Path) -> None:
    campaign = new_campaign(seed=3)
    campaign.seed(corners())
    campaign.record(results(campaign, "1", "2", "3", "4", "5"))
    campaign.recommend(2, DrawnStrategy())
    folder = tmp_path / "my export"

    written = campaign.export(folder)
    before = {path: path.read_bytes() for path in written.files}

    names = {path.relative_to(folder).as_posix() for path in written.files}
    assert {"run_sheet.xlsx", "results.xlsx", "record.json"} <= names
    assert {"figures/design_space.svg", "figures/drivers_titre.png"} <= names
    assert written.left_out == ()
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InvalidValueError, match="is there already"):
        campaign.export(folder)
    assert {path: path.read_bytes() for path in written.files} == before
    campaign.export(folder, replace=True)
    assert (folder / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_an_export_says_what_the_results_cannot_support(tmp_path: Path) -> None:
    campaign = new_campaign()
    campaign.seed(corners())
    campaign.record([Measurement("1", "titre", 4.0)])

    written = export_campaign(campaign, tmp_path / "export")

    assert [line for line in written.left_out if "drivers" in line]
    names = {path.name for path in written.files}
    assert {"run_sheet.xlsx", "record.json", "runs_titre.png"} <= names


@given(words=st.lists(st.text(max_size=20), min_size=1, max_size=3))
def test_a_figure_has_a_file_name_whatever_people_call_a_response(words: list[str]) -> None:
    name = figure_name("runs", *words)

    assert name == Path(name).name
    assert name.startswith("runs")
    assert not set(name) & set(' /\\:*?"<>|\n\t')


# Figures

X = Axis("temperature", "degC", 30, 38)
Y = Axis("titre", "g/L", 0, 6)
GRID = np.linspace(30, 38, 9), np.linspace(0, 6, 7)
SURFACE = Surface(
    "P(in specification)",
    "",
    *GRID,
    np.add.outer(GRID[1] / 12, (GRID[0] - 30) / 16),
    0.0,
    1.0,
    levels=(0.5,),
    shaded=np.add.outer(np.zeros(7), (GRID[0] > 36).astype(float)),
)
PLACES = np.array([31.0, 34.0, 37.0])
VALUES = np.array([2.0, 5.0, 3.0])
LAYERS: dict[str, Layer] = {
    "surface": SURFACE,
    "points": Points("runs", PLACES, VALUES, names=("1", "2", "3")),
    "points with error bars": Points(
        "held out", PLACES, VALUES, "data", (), VALUES - 1, VALUES + 1
    ),
    "line": Line("mean", PLACES, VALUES),
    "band": Band("95 % interval", PLACES, VALUES - 1, VALUES + 1),
}


def plot_of(*layers: Layer, x: Axis = X, y: Axis = Y) -> Plot:
    """Return a plot of some layers with a title and a sentence of two lines."""
    sentence = "The titre is highest, 5.0 g/L, at 34 degC; it falls on both sides of that. " * 2
    return Plot("Titre over temperature", sentence.strip(), x, y, layers)


BARS = plot_of(
    Bars("total index", np.array([0.0, 1.0]), VALUES[:2] / 6, VALUES[:2] / 9, VALUES[:2] / 5.5),
    x=Axis("share", "", 0, 1),
    y=Axis("", "", -0.5, 1.5, "category", ("pH", "temperature")),
)
PLOTS = {name: plot_of(layer) for name, layer in LAYERS.items()} | {
    "bars": BARS,
    "everything": plot_of(*LAYERS.values()),
    "nothing": plot_of(),
    "log axis": plot_of(LAYERS["line"], x=replace(X, scale="log")),
    "a run far outside": plot_of(
        Points("runs", np.array([33.0, 700.0]), VALUES[:2], names=("1", "2"))
    ),
    "a limit": plot_of(Line("limit", PLACES, np.full(3, 4.0), "limit"), LAYERS["points"]),
}


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS.keys())
def test_a_figure_holds_title_axes_with_units_legend_and_sentence(plot: Plot) -> None:
    # matplotlib draws text as shapes and keeps the words in comments.
    drawn = image(plot, "svg").decode("utf-8")
    for words in (plot.title, plot.x.title, plot.y.title, plot.sentence.split("; ")[0][:40]):
        assert words in drawn
    for layer in plot.layers:
        assert layer.label in drawn


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS.keys())
def test_nothing_that_is_written_covers_the_data_or_is_cut_off(plot: Plot) -> None:
    figure = draw(plot)
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    axes = figure.axes[0].get_tightbbox(renderer)
    caption = figure.texts[0].get_window_extent(renderer)

    below = [caption]
    for legend in figure.legends:
        below.append(legend.get_window_extent(renderer))
        assert not below[-1].overlaps(caption)
    for box in below:
        assert box.y1 <= axes.y0
    whole = figure.bbox
    for box in (*below, *(a.get_tightbbox(renderer) for a in figure.axes)):
        assert whole.x0 <= box.x0
        assert box.x1 <= whole.x1
        assert whole.y0 <= box.y0
        assert box.y1 <= whole.y1


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS.keys())
def test_the_axes_have_exactly_the_range_that_is_stated(plot: Plot) -> None:
    axes = draw(plot).axes[0]

    assert axes.get_xlim() == (plot.x.low, plot.x.high)
    assert axes.get_ylim() == (plot.y.low, plot.y.high)


@given(
    sentence=st.text("abc $_^%&µ°éΔ≥±²\\{}<>", max_size=300),
    names=st.lists(st.text("abc $_^%&µ\\{}", min_size=1, max_size=40), min_size=1, max_size=9),
)
@settings(max_examples=10)
def test_any_words_can_stand_in_a_figure(sentence: str, names: list[str]) -> None:
    """Dollar signs, underscores and backslashes are words here, not formulas."""
    layers = [Points(name, PLACES, VALUES, names=(name, "", name)) for name in names]
    axis = Axis(names[0], "$/L", 0.1, 6)
    plot = replace(plot_of(*layers, y=axis), sentence=sentence, title=names[-1])

    figure = draw(plot)
    figure.set_dpi(50)
    figure.canvas.draw()

    assert figure.axes[0].get_ylabel() == f"{names[0]} ($/L)"


def test_a_figure_is_the_same_each_time() -> None:
    assert image(PLOTS["everything"], "png") == image(PLOTS["everything"], "png")


@pytest.mark.slow
def test_drawing_leaves_what_matplotlib_shares_as_it_was() -> None:
    program = """
import sys
import matplotlib
# To read the backend is to choose one, which imports pyplot.
names = set(matplotlib.rcParams) - {"backend"}
before = {name: matplotlib.rcParams[name] for name in names}
from tests.campaigns.test_exports import PLOTS
from campaigns.exports.figures import image
image(PLOTS["everything"], "svg")
assert {name: matplotlib.rcParams[name] for name in names} == before
assert "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_no_two_layers_of_a_role_look_alike_without_colour() -> None:
    layers = [Points(f"batch {number}", PLACES, VALUES) for number in range(8)]

    lines = draw(plot_of(*layers)).axes[0].get_lines()

    assert len({line.get_marker() for line in lines}) == 8
    assert len({line.get_color() for line in lines}) == 8
