"""From a design to a run sheet and back: blocks, whole plots, codes, targets, achieved values."""

from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from campaigns.campaign import Campaign
from campaigns.exports.run_sheet import run_sheet, write_run_sheet
from campaigns.run_codes import run_code
from doe.errors import InvalidValueError, StateError
from doe.factors import BlockFactor
from doe.runs import Design
from doe.space import FactorSpace
from doe.tables import TableImport, read_table
from tests.campaigns.campaigns import ANA, SPACE, corners, new_campaign, results


def in_whole_plots(space: FactorSpace = SPACE, levels: str = "1122") -> Design:
    """Return four runs, the temperature set once per whole plot."""
    extended = FactorSpace((*space.factors, BlockFactor("whole plot")))
    runs = pd.DataFrame({"pH": [6.8, 7.4, 6.8, 7.4], "temperature": [30.0, 30.0, 38.0, 38.0]})
    return Design(
        extended,
        runs,
        "split-plot by hand",
        blocks={"whole plot": tuple(levels)},
        whole_plots=("whole plot",),
    )


def read_back(campaign: Campaign, path: Path) -> TableImport:
    responses = campaign.state.definition.responses
    return read_table(path, space=campaign.space, responses=responses)


def filled_in(path: Path, cells: dict[tuple[int, str], object]) -> None:
    """Write values below headers of a sheet as a person would, rows counted from 1."""
    book = openpyxl.load_workbook(path)
    sheet = book["runs"]
    header = {cell.value: cell.column for cell in sheet[1]}
    for (row, name), value in cells.items():
        sheet.cell(row + 1, header[name]).value = value
    book.save(path)


@pytest.mark.requirement("DOE-8", "DOE-11")
def test_a_filled_in_sheet_comes_back_by_import_without_a_mapping(tmp_path: Path) -> None:
    campaign = new_campaign()
    campaign.seed(corners())
    path = tmp_path / "sheet.xlsx"
    write_run_sheet(campaign.state, path)
    filled_in(
        path,
        {
            (1, "titre [g/L]"): 4.5,
            (1, "aggregates [%]"): 1.25,
            (1, "temperature (actual) [degC]"): 30.2,
            (3, "titre [g/L]"): 3.5,
        },
    )

    names = campaign.import_runs(read_back(campaign, path))

    assert names == ("1", "3")
    assert campaign.state.run("1").target == {"pH": 6.8, "temperature": 30}
    assert campaign.state.run("1").actual == {"temperature": 30.2}
    assert campaign.state.run("3").actual == {}
    assert campaign.observations.runs == ("1", "3")
    assert len(campaign.state.runs) == 5


@pytest.mark.requirement("DOE-8")
def test_a_sheet_whose_rows_were_mixed_up_is_refused_as_a_whole(tmp_path: Path) -> None:
    campaign = new_campaign()
    campaign.seed(corners())
    path = tmp_path / "sheet.xlsx"
    write_run_sheet(campaign.state, path)
    filled_in(path, {(1, "run"): "2", (2, "run"): "1", (1, "titre [g/L]"): 4.5})

    for take in (campaign.import_runs, campaign.record_table):
        with pytest.raises(InvalidValueError, match=r"'1-\w{4}' is not that of run 2 .*mixed up"):
            take(read_back(campaign, path))
    assert campaign.state.measurements == {}


def sheet_of(campaign: Campaign, path: Path, cells: dict[tuple[int, str], object]) -> TableImport:
    """Return the run sheet of a campaign with cells filled in, as it is read back."""
    write_run_sheet(campaign.state, path)
    filled_in(path, cells)
    return read_back(campaign, path)


def without_codes(path: Path, *, column: bool) -> None:
    """Take the run codes out of a sheet, or the whole column."""
    book = openpyxl.load_workbook(path)
    sheet = book["runs"]
    place = next(cell.column for cell in sheet[1] if cell.value == "run code")
    for row in range(1 if column else 2, sheet.max_row + 1):
        sheet.cell(row, place).value = None
    book.save(path)


@pytest.mark.requirement("DOE-8")
def test_the_sheet_of_another_campaign_is_not_imported_as_runs_of_this_one(tmp_path: Path) -> None:
    ours, other = new_campaign(), new_campaign(name="other study")
    other.seed(corners())
    path = tmp_path / "sheet.xlsx"
    table = sheet_of(other, path, {(1, "titre [g/L]"): 4.5})

    with pytest.raises(InvalidValueError, match=r"of another campaign.*remove the column 'run co"):
        ours.import_runs(table)
    assert ours.state.runs == {}

    without_codes(path, column=True)
    assert len(ours.import_runs(read_back(ours, path))) == 5


@pytest.mark.requirement("DOE-8")
@pytest.mark.parametrize("column", [True, False], ids=["no column", "an empty column"])
def test_planned_runs_without_their_codes_are_not_imported_as_further_ones(
    tmp_path: Path, *, column: bool
) -> None:
    campaign = new_campaign()
    campaign.seed(corners())
    path = tmp_path / "sheet.xlsx"
    sheet_of(campaign, path, {(1, "titre [g/L]"): 4.5})
    without_codes(path, column=column)
    table = read_back(campaign, path)

    reason = "it has no run codes" if column else "its column 'run code' is empty"
    with pytest.raises(StateError, match=f"planned runs of .* and {reason}: .*bayeswell record"):
        campaign.import_runs(table)
    assert campaign.record_table(table) == ("1",)


def test_a_refusal_says_how_many_more_runs_are_there_already(tmp_path: Path) -> None:
    campaign = new_campaign()
    rows = "\n".join(f"old {number},7.0,33,4.0" for number in range(9))
    path = tmp_path / "history.csv"
    path.write_text(f"run,pH,temperature,titre\n{rows}\n", encoding="utf-8")
    campaign.import_runs(read_back(campaign, path))
    path.write_text(f"run,pH,temperature,titre\n{rows}\nnew,7,33,4\n", encoding="utf-8")

    with pytest.raises(StateError, match=r"old 0, .*, old 4 and 4 more are already in campaign"):
        campaign.import_runs(read_back(campaign, path))


@pytest.mark.requirement("DOE-11")
def test_settings_that_differ_from_the_plan_are_achieved_ones_and_pointed_out(
    tmp_path: Path,
) -> None:
    campaign = new_campaign()
    campaign.seed(in_whole_plots())
    cells: dict[tuple[int, str], object] = {
        (1, "pH"): 6.9,
        (1, "titre [g/L]"): 4.5,
        (2, "pH"): 7.3,
        (2, "titre [g/L]"): 4.1,
        (3, "whole plot"): "1",
        (3, "titre [g/L]"): 4.2,
    }
    table = sheet_of(campaign, tmp_path / "sheet.xlsx", cells)

    notes = campaign.notes_on(table)
    campaign.import_runs(table)

    assert notes == (
        "settings of runs 1 and 2 differ from the plan (pH) and are taken as achieved",
        "whole plot of run 3 differs from the plan, and the sheet's is taken",
    )
    assert campaign.state.run("1").actual == {"pH": 6.9}
    assert campaign.state.run("3").recorded["whole plot"] == "1"


@pytest.mark.requirement("DOE-11")
def test_a_setting_achieved_far_outside_its_range_is_a_lost_decimal_point(tmp_path: Path) -> None:
    campaign = new_campaign()
    campaign.seed(corners())
    path = tmp_path / "sheet.xlsx"
    done = {(1, "titre [g/L]"): 4.5}
    refusal = r"Run 1: 'pH' was achieved at 70, more than 10 times the .* 7\.4\) .*correct"

    with pytest.raises(InvalidValueError, match=refusal):
        campaign.import_runs(sheet_of(campaign, path, {**done, (1, "pH (actual)"): 70}))
    with pytest.raises(InvalidValueError, match="Run 2: 'pH' was achieved at 70"):
        campaign.record(results(campaign, "2"), actual={"2": {"pH": 70.0}})
    table = sheet_of(campaign, path, {**done, (1, "pH (actual)"): 9, (2, "pH (actual)"): 7.5})
    assert [note.partition(": ")[2] for note in table.notes if "was done at" in note] == [
        "run '1' was done at pH 9, outside its range 6.8 to 7.4, by more than its width: correct "
        "the cell if it is a typing error; the row is kept",
        "run '2' was done at pH 7.5, outside its range 6.8 to 7.4; the row is kept",
    ]


def test_a_code_tells_runs_and_campaigns_apart() -> None:
    codes = {run_code(name, str(run)) for name in ("a", "b") for run in range(1, 500)}

    assert len(codes) == 2 * 499
    assert {code.split("-")[1] for code in codes}.isdisjoint({"1", "O", "I"})
    assert run_code("feed study", "12") == run_code("feed study", "12")


@pytest.mark.requirement("DOE-7", "DOE-8")
def test_the_whole_plots_of_a_design_reach_the_runs_and_what_learns_from_them() -> None:
    campaign = new_campaign()
    campaign.seed(in_whole_plots())
    campaign.record(results(campaign, "1", "3"))

    assert [block.name for block in campaign.space.blocks] == ["whole plot"]
    assert campaign.observations.recorded["whole plot"].tolist() == ["1", "2"]
    assert campaign.observations.space == campaign.space
    assert run_sheet(campaign.state)["whole plot"].tolist() == ["1", "2"]


@pytest.mark.requirement("DOE-7")
def test_runs_done_before_whole_plots_were_known_were_each_set_up_alone() -> None:
    campaign = new_campaign()
    campaign.seed(corners())
    campaign.record(results(campaign, "1", "2", "3", "4", "5"))
    campaign.seed(in_whole_plots(campaign.space))

    plots = campaign.observations.recorded["whole plot"].tolist()
    assert plots == [f"run {run} alone" for run in (1, 2, 3, 4, 5)]


@pytest.mark.requirement("DOE-7")
def test_whole_plots_of_a_second_design_are_other_plots() -> None:
    campaign = new_campaign()
    campaign.seed(in_whole_plots())
    campaign.seed(in_whole_plots())

    plots = [campaign.state.run(str(run)).recorded["whole plot"] for run in range(1, 9)]
    assert plots == ["1", "1", "2", "2", "3", "3", "4", "4"]


def test_a_design_of_other_factors_or_undeclared_blocks_is_refused() -> None:
    campaign = new_campaign()
    undeclared = Design(SPACE, corners().runs, "by hand", blocks={"day": tuple("11222")})

    with pytest.raises(InvalidValueError, match=r"blocks \['day'\].*add BlockFactor"):
        campaign.seed(undeclared)
    with pytest.raises(InvalidValueError, match=r"another factor space: make it with campaign"):
        campaign.seed(corners(FactorSpace(SPACE.factors, mixture_total=100)))
    assert campaign.state.runs == {}


def test_a_campaign_with_whole_plots_is_the_same_after_opening_it_again(tmp_path: Path) -> None:
    store = tmp_path / "study.db"
    with new_campaign(store) as campaign:
        campaign.seed(in_whole_plots())
        before = campaign.state

    with Campaign.open(store, "feed study", actor=ANA) as again:
        assert again.state.space == before.space
        assert again.state.runs == before.runs
