"""The main job on published data: what it tells is what the data say, computed a second way."""

import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from campaigns.campaign import Campaign
from campaigns.demo import example_data, example_definition, play
from campaigns.demo_folder import MANIFEST, STORE, fresh_folder, remember
from campaigns.envelope import Actor
from doe.errors import InvalidValueError

ANA = Actor("ana", "Ana Silva")
SOURCE = example_data().with_suffix(".md")


@pytest.fixture(scope="module")
def published() -> pd.DataFrame:
    """The data as the file has them, with the culture time by hand; index: run, from 1."""
    table = pd.read_csv(example_data())
    table.columns = [name.partition(" [")[0] for name in table.columns]
    table.index = pd.RangeIndex(1, len(table) + 1, name="run")
    growth = table["wet mass"] - table["start wet mass"]
    return table.assign(hours=growth / table["wet mass increase"])


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str, Path]:
    """The facts, the story as it was told, and the folder with what was written."""
    told = io.StringIO()
    with redirect_stdout(told):
        facts = play(tmp_path_factory.mktemp("demo") / "a trial", actor=ANA)
    # Terminals fold lines; the words are what counts.
    return facts, " ".join(told.getvalue().split()), Path(facts["folder"])


# The data


def test_the_example_is_the_published_table_with_its_licence(published: pd.DataFrame) -> None:
    """Shape and extremes as the source describes them; best wet mass 297.3 g/L in batch 5."""
    assert published.shape == (34, 9)
    assert published["batch"].value_counts().to_dict() == {0: 10} | dict.fromkeys(range(1, 7), 4)
    best = published["wet mass"].idxmax()
    assert (best, published["batch"][best]) == (27, 5)
    assert published["wet mass"][best] == pytest.approx(297.3, abs=0.05)
    text = SOURCE.read_text(encoding="utf-8")
    assert "Copyright (c) 2025 larsleyendecker" in text
    assert "Permission is hereby granted, free of charge" in text


def test_the_factors_may_be_set_where_the_source_searched() -> None:
    """Ranges of the source's config.json."""
    ranges = {f.name: (f.low, f.high) for f in example_definition().space.searched}

    assert ranges == {
        "phosphate": (1.97, 15),
        "nitrate": (5, 150),
        "ammonium": (5, 60),
        "sucrose": (20, 175),
        "start wet mass": (5, 22),
    }


# The story


@pytest.mark.slow
def test_everything_is_imported_and_the_impossible_row_is_pointed_out(
    played: tuple[dict[str, Any], str, Path], published: pd.DataFrame
) -> None:
    facts, story, _ = played

    assert (facts["runs"], facts["values"], facts["batches"]) == (34, 68, 7)
    assert (len(facts["factors"]), len(facts["responses"])) == (5, 2)
    impossible = published.index[published["hours"] < 0]
    assert [found["run"] for found in facts["contradictions"]] == [str(run) for run in impossible]
    assert list(impossible) == [13]
    assert "Run 13 would have grown from 22 to 4.13 g/L at +0.179 g/(h L)" in story
    assert "row 14" in story


@pytest.mark.slow
def test_batch_and_harvest_time_are_shown_to_be_confounded(
    played: tuple[dict[str, Any], str, Path], published: pd.DataFrame
) -> None:
    """The same medium: 212 g/L after 165 h, 64 to 67 g/L after 58 h."""
    facts, story, _ = played
    medium = ["phosphate", "NO3-", "NH4+", "Sucrose", "start wet mass"]
    same = published[(published[medium] == published.loc[22, medium]).all(axis=1)]

    found = facts["confounding"]
    assert found["same_medium_runs"] == [str(run) for run in same.index]
    by_batch = {row["batch"]: row for row in found["same_medium"]}
    for batch, part in same.groupby("batch"):
        row = by_batch[str(batch)]
        assert row["response low"] == pytest.approx(part["wet mass"].min())
        assert row["response high"] == pytest.approx(part["wet mass"].max())
        assert row["covariate low"] == pytest.approx(part["hours"].min())
    assert round(by_batch["3"]["response high"]) == 212
    assert round(by_batch["3"]["covariate high"]) == 165
    assert [round(by_batch["6"][end]) for end in ("response low", "response high")] == [64, 67]
    assert round(by_batch["6"]["covariate low"]) == 58
    assert "212 g/L after 165 h in batch 3" in story
    assert "64 to 67 g/L after 58 to 59 h in batch 6" in story


@pytest.mark.slow
def test_the_share_between_batches_is_that_of_an_analysis_of_variance(
    played: tuple[dict[str, Any], str, Path], published: pd.DataFrame
) -> None:
    import statsmodels.formula.api as smf

    counted = published.drop(index=13)
    eta_squared = smf.ols("hours ~ C(batch)", counted).fit().rsquared

    assert played[0]["confounding"]["share_between_batches"] == pytest.approx(eta_squared)


@pytest.mark.slow
@pytest.mark.requirement("ANA-11")
def test_validation_by_batch_is_told_however_bad_it_is(
    played: tuple[dict[str, Any], str, Path],
) -> None:
    facts, story, _ = played
    by_batch = facts["validation"]["batch"]["candidates"]["gaussian_process"]

    assert (by_batch["groups"], by_batch["n_folds"], by_batch["n_runs"]) == ("batch", 7, 33)
    assert f"Q2 is {by_batch['q2']:.2f}" in story
    if by_batch["q2"] < 0.25:
        assert "do not rely on it" in story
    beside = facts["validation"]["run"]["candidates"]["quadratic"]
    assert f"{beside['q2']:.2f}" in story


@pytest.mark.slow
@pytest.mark.requirement("ANA-13")
def test_drivers_come_with_intervals_and_the_map_with_its_limit(
    played: tuple[dict[str, Any], str, Path],
) -> None:
    facts, _, _ = played

    assert {driver["factor"] for driver in facts["drivers"]} == set(facts["factors"])
    for driver in facts["drivers"]:
        assert driver["low"] <= driver["total"] <= driver["high"]
    assert facts["map"]["limit"] == 1.0
    assert 0 < facts["map"]["highest"] < 1


@pytest.mark.slow
@pytest.mark.requirement("OPT-4")
def test_four_runs_are_recommended_that_can_be_set(
    played: tuple[dict[str, Any], str, Path],
) -> None:
    facts, story, _ = played
    space = example_definition().space
    runs = facts["batch"]["runs"]
    settings = pd.DataFrame([run["settings"] for run in runs])

    assert [run["run"] for run in runs] == ["35", "36", "37", "38"]
    assert space.contains(settings).all()
    assert space.on_steps(settings).all()
    for run in runs:
        (rate,) = (p for p in run["predictions"] if p["response"] == "growth rate")
        assert rate["low"] < rate["mean"] < rate["high"]
        assert 0 <= run["probability_in_specification"] <= 1
        assert " ".join(run["reason"].split()) in story


@pytest.mark.slow
@pytest.mark.requirement("MG-7", "DI-9")
def test_the_files_are_there_and_the_record_is_intact(
    played: tuple[dict[str, Any], str, Path],
) -> None:
    facts, _, folder = played

    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert written == set(facts["files"])
    assert facts["record"]["intact"] is True
    with Campaign.open(folder / STORE, "BY-2 medium", actor=ANA) as campaign:
        assert campaign.check_record().intact
        assert str(campaign.check_record().head) == facts["record"]["head"]
        waiting = {run.name for run in campaign.state.runs.values() if run.status == "proposed"}
        assert campaign.reproduce(1).outcome == "identical"
    rows = list(openpyxl.load_workbook(folder / "run_sheet.xlsx")["runs"].values)
    assert {row[rows[0].index("run")] for row in rows[1:]} == waiting
    assert {row[rows[0].index("status")] for row in rows[1:]} == {"waits for approval: do not run"}
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    assert record["head"]["hash"] in facts["record"]["head"]


@pytest.mark.slow
def test_the_story_has_ten_steps_and_says_what_it_cannot_support(
    played: tuple[dict[str, Any], str, Path], report_measurement: Callable[[str], None]
) -> None:
    facts, story, _ = played

    report_measurement(f"the demonstration took {facts['seconds']:.0f} s (60 s on two idle cores)")
    places = [story.find(f"{step}/10") for step in range(1, 11)]
    assert places == sorted(places)
    assert min(places) >= 0
    assert story.find("What to open next") < story.find("What these data cannot support")


# The folder


def wrote(folder: Path, **files: str) -> None:
    """Play a demonstration that writes these files only."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    remember(folder, [folder / name for name in files])


def test_a_second_demonstration_replaces_what_the_first_one_wrote(tmp_path: Path) -> None:
    folder = fresh_folder(tmp_path / "demo")
    wrote(folder, sheet="first", figure="first")
    (folder / "my notes.txt").write_text("mine", encoding="utf-8")

    again = fresh_folder(tmp_path / "demo")

    assert again == folder
    assert [path.name for path in folder.iterdir()] == ["my notes.txt"]


def test_a_campaign_that_somebody_went_on_with_is_left_alone(tmp_path: Path) -> None:
    folder = fresh_folder(tmp_path / "demo")
    wrote(folder, campaign="first")
    (folder / "campaign").write_text("continued", encoding="utf-8")

    again = fresh_folder(tmp_path / "demo")

    assert again == tmp_path / "demo-2"
    assert (folder / "campaign").read_text(encoding="utf-8") == "continued"


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.txt").write_text("mine", encoding="utf-8")

    assert fresh_folder(tmp_path / "demo") == tmp_path / "demo-2"
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["thesis.txt"]


def test_nothing_outside_the_folder_is_removed(tmp_path: Path) -> None:
    """A list of files that somebody tampered with leads nowhere else."""
    outside = tmp_path / "thesis.txt"
    outside.write_text("mine", encoding="utf-8")
    folder = fresh_folder(tmp_path / "demo")
    wrote(folder, sheet="first")
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    manifest["files"] |= {"../thesis.txt": manifest["files"]["sheet"], str(outside): "0"}
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")

    fresh_folder(tmp_path / "demo")

    assert outside.read_text(encoding="utf-8") == "mine"


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("a file", encoding="utf-8")

    with pytest.raises(InvalidValueError, match="is a file"):
        fresh_folder(tmp_path / "demo")


def test_the_present_folder_and_its_parents_are_folders_like_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert fresh_folder(Path()) == (tmp_path / "here").resolve()
    with pytest.raises(InvalidValueError, match="name another"):
        fresh_folder(Path("/"))
