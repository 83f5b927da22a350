"""The command line as people and scripts meet it: help, answers, refusals, exit codes."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
import typer
from typer.testing import CliRunner, Result

import campaigns.reproduction
from campaigns.campaign import Campaign
from campaigns.cli import COMMANDS, app
from campaigns.commands.definitions import template_text
from campaigns.definition import CampaignDefinition
from campaigns.ledger import Ledger
from doe.documents import from_document, load_document
from tests.campaigns.campaigns import ANA, DrawnStrategy, corners, new_campaign, results

Run = Callable[..., Result]
REASON = ("--reason", "a reason that a reader understands")
STORE = Path("bayeswell.sqlite")
COMMAND = Path(sys.executable).with_name("bayeswell")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAYESWELL_STORE", str(STORE))
    monkeypatch.setenv("BAYESWELL_ACTOR", "ana")
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def run() -> Run:
    runner = CliRunner()
    return lambda *words: runner.invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A store made once: to write the same five events for each test takes longer than the test."""
    path = tmp_path_factory.mktemp("prepared") / STORE
    with new_campaign(path) as campaign:
        campaign.seed(corners())
        campaign.record(results(campaign, "1", "2", "3", "4", "5"))
        campaign.seed(corners())
        campaign.recommend(3, DrawnStrategy())
    return path.read_bytes()


@pytest.fixture
def store(prepared: bytes) -> Path:
    """Runs 1 to 5 are designed and done, 6 to 10 designed and to do, 11 to 13 proposed."""
    STORE.write_bytes(prepared)
    return STORE


def answer(result: Result) -> dict[str, object]:
    """Return the JSON that a command answered with."""
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def n_events(store: Path) -> int:
    """Return how many events a store holds."""
    if not store.is_file():
        return 0
    with Ledger(store) as ledger:
        return sum(summary.n_events for summary in ledger.streams())


def fill_in(sheet: Path, row: int, **values: object) -> None:
    """Write values into one row of a run sheet (1 is the first run), by the start of a heading."""
    book = openpyxl.load_workbook(sheet)
    cells = book["runs"]
    headings = [str(cell.value) for cell in cells[1]]
    for name, value in values.items():
        place = next(i for i, text in enumerate(headings) if text.startswith(name))
        cells.cell(row + 1, place + 1).value = value
    book.save(sheet)


# Help


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_says_what_it_does_with_an_example(run: Run, command) -> None:
    shown = run(command.name, "--help")

    assert shown.exit_code == 0
    words = " ".join(shown.stdout.split())
    first_line = (command.function.__doc__ or "").splitlines()[0]
    assert first_line in words
    assert command.examples
    for example in command.examples:
        assert re.sub(r"\W+", " ", example).strip() in re.sub(r"\W+", " ", words)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_example_can_be_typed_as_it_stands(command) -> None:
    group = typer.main.get_command(app)
    for example in command.examples:
        program, name, *words = shlex.split(example.partition(" > ")[0])

        assert (program, name) == ("bayeswell", command.name)
        group.commands[name].make_context(name, words)


def test_every_command_of_the_application_is_listed_with_its_examples() -> None:
    assert {command.name for command in COMMANDS} == set(typer.main.get_command(app).commands)


def test_every_answer_for_people_can_be_had_as_json() -> None:
    """Schema answers in JSON always; everything else that answers takes --json."""
    group = typer.main.get_command(app)
    without = {
        name
        for name, command in group.commands.items()
        if "--json" not in [option for p in command.params for option in p.opts]
    }
    assert without == {"schema"}


# Beginning


def test_the_template_is_a_definition_with_and_without_its_comments() -> None:
    plain = from_document(CampaignDefinition, load_document(template_text()))
    everything = template_text().replace("\n#  - ", "\n  - ")
    full = from_document(CampaignDefinition, load_document(everything))

    assert plain.objective is not None
    assert len(full.factors) > len(plain.factors)
    assert len(full.constraints) > len(plain.constraints)


def test_a_campaign_begins_from_the_template(run: Run) -> None:
    Path("my study.yaml").write_text(run("new", "--template").stdout, encoding="utf-8")

    begun = answer(run("new", "my study.yaml", "--name", "second feed study", "--json"))

    assert begun["campaign"] == "second feed study"
    assert answer(run("status", "--json"))["campaign"] == "second feed study"


def test_the_schema_describes_a_campaign_definition(run: Run) -> None:
    from jsonschema import Draft202012Validator

    schema = json.loads(run("schema").stdout)

    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(dict(load_document(template_text())))


# Designs and results


@pytest.mark.requirement("DOE-8")
@pytest.mark.parametrize(
    ("words", "n_runs"),
    [
        (("full-factorial",), 4),
        (("full-factorial", "--levels", "3", "--centre-points", "2"), 11),
        (("central-composite", "--centre-points", "3"), 11),
        (("central-composite", "--variant", "rotatable", "--beyond"), 13),
        (("plackett-burman", "--runs", "8"), 8),
        (("latin-hypercube", "--runs", "6"), 6),
        (("sobol", "--runs", "8"), 8),
    ],
)
def test_a_design_becomes_runs_and_a_sheet(run: Run, words: tuple[str, ...], n_runs: int) -> None:
    new_campaign(STORE).close()

    planned = answer(run("design", *words, "--out", "run sheet.xlsx", "--json"))

    assert len(planned["runs"]) == n_runs
    assert sorted(row["run order"] for row in planned["table"]) == list(range(1, n_runs + 1))
    rows = list(openpyxl.load_workbook("run sheet.xlsx")["runs"].iter_rows(values_only=True))
    assert [row[rows[0].index("run")] for row in rows[1:]] == [r["run"] for r in planned["table"]]


def test_a_preview_records_and_writes_nothing(run: Run) -> None:
    new_campaign(STORE).close()

    shown = answer(run("design", "full-factorial", "--preview", "--json"))

    assert (shown["runs"], shown["sheet"], len(shown["table"])) == (None, None, 4)
    assert n_events(STORE) == 1
    assert [path.name for path in Path().iterdir()] == [STORE.name]


def test_two_designs_of_the_same_kind_are_not_in_the_same_order(run: Run) -> None:
    new_campaign(STORE).close()
    words = ("design", "latin-hypercube", "--runs", "8", "--json", "--out")

    first, second = (answer(run(*words, f"{name}.xlsx"))["table"] for name in "ab")

    assert [row["pH"] for row in first] != [row["pH"] for row in second]


@pytest.mark.requirement("DOE-11")
def test_a_run_sheet_is_filled_in_bit_by_bit(run: Run) -> None:
    """A sheet may come back half full, and once more; a changed setting is what was achieved."""
    new_campaign(STORE).close()
    run("design", "full-factorial", "--standard-order", "--out", "sheet.xlsx")
    sheet = Path("sheet.xlsx")

    fill_in(sheet, 1, titre=3.5, aggregates=1.5, pH=6.85)
    first = answer(run("record", sheet, "--json"))
    fill_in(sheet, 2, titre="<0.5")
    second = answer(run("record", sheet, "--json"))

    assert (first["runs"], first["values"]) == ({"1": "done"}, 2)
    assert (second["runs"], second["values"]) == ({"2": "done"}, 1)
    with Campaign.open(STORE, "feed study", actor=ANA) as campaign:
        assert campaign.state.run("1").target["pH"] == 6.8
        assert campaign.state.run("1").actual == {"pH": 6.85}
        assert campaign.state.run("3").status == "approved"
        (below,) = (m for m in campaign.observations.measurements if m.run == "2")
        assert (below.value, below.qualifier) == (0.5, "<")


def test_one_run_is_recorded_without_a_sheet(run: Run, store: Path) -> None:
    words = ("--value", "titre=4.2", "--value", "aggregates=1.1", "--actual", "pH=6.83")

    recorded = answer(run("record", "--run", "6", *words, "--json"))

    assert recorded == {"runs": {"6": "done"}, "values": 2, "notes": []}


def test_a_table_of_other_runs_is_imported_with_its_own_headings(run: Run) -> None:
    new_campaign(STORE).close()
    Path("old runs.csv").write_text(
        "Säure,temperature [K],titre\n7.0,307.15,4.1\n7.1,308.15,4.4\n", encoding="utf-8"
    )

    imported = answer(run("import", "old runs.csv", "--column", "Säure=pH", "--json"))

    assert imported["runs"] == ["1", "2"]
    assert imported["columns"]["Säure"] == "pH"
    with Campaign.open(STORE, "feed study", actor=ANA) as campaign:
        assert campaign.state.run("1").target == {"pH": 7.0, "temperature": 34.0}


# Decisions


@pytest.mark.requirement("OPT-9", "MG-7")
def test_a_recommended_run_is_recorded_only_after_somebody_approved_it(
    run: Run, store: Path
) -> None:
    result = ("record", "--run", "11", "--value", "titre=4")

    assert run(*result).exit_code == 2
    assert answer(run("approve", "11", "--json")) == {"runs": {"11": "approved"}}
    assert run("start", "11").exit_code == 0
    assert run(*result).exit_code == 0
    assert answer(run("status", "--json"))["waiting"] == ["12", "13"]


def test_all_proposed_runs_are_decided_on_at_once(run: Run, store: Path) -> None:
    assert answer(run("reject", "--all", *REASON, "--json"))["runs"] == dict.fromkeys(
        ("11", "12", "13"), "rejected"
    )
    assert run("approve", "--all").exit_code == 2


@pytest.mark.requirement("DI-2")
def test_a_correction_keeps_the_old_value_and_the_reason(run: Run, store: Path) -> None:
    corrected = answer(run("correct", "1", "titre", "-0.25", *REASON, "--json"))

    assert corrected["after"] == -0.25
    last = answer(run("log", "--last", "1", "--json"))["events"][0]
    assert last["reason"] == REASON[1]
    assert last["payload"]["before"]["value"] == corrected["before"]


def test_a_run_is_left_out_and_taken_back(run: Run, store: Path) -> None:
    assert answer(run("exclude", "2", *REASON, "--json"))["excluded"] == REASON[1]
    assert answer(run("include", "2", *REASON, "--json"))["excluded"] is None
    value = answer(run("exclude", "2", "--response", "titre", *REASON, "--json"))
    assert value["excluded_values"] == {"titre": REASON[1]}


# Refusals

REFUSED = {
    "a run that is not there": ("approve", "99"),
    "no run named": ("approve",),
    "runs named, and all": ("approve", "11", "--all"),
    "approving what was approved": ("approve", "6"),
    "rejecting without saying why": ("reject", "11", "--reason", "  "),
    "starting what nobody approved": ("start", "11"),
    "failing what is done": ("fail", "1", *REASON),
    "aborting what nobody approved": ("abort", "12", *REASON),
    "recording what nobody approved": ("record", "--run", "11", "--value", "titre=3"),
    "recording twice": ("record", "--run", "1", "--value", "titre=3"),
    "recording nothing": ("record", "--run", "6"),
    "recording neither table nor run": ("record",),
    "recording table and run": ("record", "x.csv", "--run", "6"),
    "a value without a name": ("record", "--run", "6", "--value", "3.5"),
    "a value that is no number": ("record", "--run", "6", "--value", "titre=3,5"),
    "a value that is not finite": ("record", "--run", "6", "--value", "titre=inf"),
    "a response that is not there": ("record", "--run", "6", "--value", "colour=3"),
    "a setting that is not there": (
        *("record", "--run", "6", "--value", "titre=3"),
        *("--actual", "stirrer=60"),
    ),
    "a table that is not there": ("record", "nothing.xlsx"),
    "a table that is a folder": ("import", "folder"),
    "a table that is no table": ("import", "text.xlsx"),
    "a table of something else": ("import", "other.csv"),
    "a correction of a value that is not there": ("correct", "6", "titre", "3", *REASON),
    "a correction that changes nothing": ("correct", "1", "aggregates", "1.5", *REASON),
    "a correction that is no number": ("correct", "1", "titre", "much", *REASON),
    "a reason that says nothing": ("exclude", "1", "--reason", "no"),
    "counting what counts": ("include", "1", *REASON),
    "a model that does not exist": ("choose-model", "titre", "oracle", *REASON),
    "a model of nothing": ("choose-model", "colour", "linear", *REASON),
    "a campaign that is not there": ("status", "--campaign", "other study"),
    "a store that is not there": ("status", "--store", "other.sqlite"),
    "a store that is a folder": ("log", "--store", "folder"),
    "a store that is something else": ("check", "--store", "text.xlsx"),
    "an address that is no store": ("status", "--store", "mysql://host/base"),
    "a batch that is not there": ("reproduce", "9"),
    "an anchor that is none": ("check", "--anchor", "12"),
    "no runs": ("recommend", "0"),
    "a factor that is not there": ("recommend", "2", "--fix", "stirrer=3"),
    "a design without its size": ("design", "sobol"),
    "a design that leaves the ranges": ("design", "central-composite", "--variant", "rotatable"),
    "a design of no runs": ("design", "latin-hypercube", "--runs", "0"),
    "an option that means nothing there": ("design", "sobol", "--runs", "4", "--levels", "3"),
    "a sheet that is there": ("design", "full-factorial", "--out", "other.csv"),
    "a figure of another kind": ("design-space", "--out", "map.jpg"),
    "a sheet that is a folder": ("design", "full-factorial", "--out", "folder"),
    "a sheet in no folder": ("design", "full-factorial", "--out", "nowhere/sheet.xlsx"),
    "a sheet of another kind": ("design", "full-factorial", "--out", "sheet.pdf"),
    "an export into a file": ("export", "other.csv"),
    "a figure of every response": ("drivers", "--out", "drivers.png"),
    "a figure that is there": ("design-space", "--out", "map.png"),
    "no definition": ("new",),
    "a definition that is not there": ("new", "nothing.yaml"),
    "a definition of nothing": ("new", "other.csv"),
    "a campaign that is there": ("new", "study.yaml"),
    "a demonstration into a file": ("demo", "--folder", "other.csv"),
}


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_is_one_message_and_changes_nothing(
    run: Run, store: Path, words: tuple[str, ...]
) -> None:
    Path("folder").mkdir()
    Path("text.xlsx").write_text("not a workbook", encoding="utf-8")
    Path("other.csv").write_text("colour,smell\nred,none\n", encoding="utf-8")
    Path("map.png").write_text("a figure of somebody else", encoding="utf-8")
    study = template_text().replace("Feed study", "feed study")
    Path("study.yaml").write_text(study, encoding="utf-8")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}

    refused = run(*words)

    assert refused.exit_code == 2
    assert refused.stdout == ""
    assert refused.stderr.startswith("Error: ")
    assert refused.stderr.count("Error") == 1
    assert "Traceback" not in refused.stderr
    after = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert after == before


def test_an_option_that_is_missing_is_named(run: Run, store: Path) -> None:
    refused = run("exclude", "1")

    assert refused.exit_code == 2
    assert "--reason" in refused.stderr
    assert n_events(store) == 5


def test_a_bug_is_not_dressed_up_as_a_refusal(
    run: Run, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Campaign, "approve", broken)

    assert isinstance(run("approve", "11").exception, ZeroDivisionError)


def test_stopping_long_work_writes_nothing(
    run: Run, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(campaigns.reproduction, "recommendation", stopped)

    cancelled = run("recommend", "2")

    assert cancelled.exit_code == 130
    assert cancelled.stderr.startswith("Cancelled")
    assert n_events(store) == 5


def test_several_campaigns_in_a_store_are_named(run: Run, store: Path) -> None:
    new_campaign(STORE, "second study").close()

    refused = run("status")

    assert refused.exit_code == 2
    assert "feed study" in refused.stderr
    assert "second study" in refused.stderr
    assert answer(run("status", "-c", "second study", "--json"))["runs"] == 0


# Looking back


@pytest.mark.requirement("DI-1")
def test_a_changed_record_is_found_and_the_exit_code_says_so(run: Run, store: Path) -> None:
    import sqlite3

    assert answer(run("check", "--json"))["intact"] is True
    connection = sqlite3.connect(store)
    with connection:
        for (trigger,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            connection.execute(f'DROP TRIGGER "{trigger}"')
        connection.execute("UPDATE bayeswell_events SET actor_name = 'Eve' WHERE sequence = 2")
    connection.close()

    found = run("check", "--json")

    assert found.exit_code == 1
    assert json.loads(found.stdout)["intact"] is False
    assert run("check").exit_code == 1


def test_an_anchor_kept_elsewhere_tells_one_record_from_another(run: Run, store: Path) -> None:
    head = answer(run("check", "--json"))["head"]
    run("approve", "11")

    assert run("check", "--anchor", head).exit_code == 0
    assert run("check", "--anchor", f"5:{'0' * 63}1").exit_code == 1


def test_the_log_says_who_did_what_and_why(run: Run, store: Path) -> None:
    run("exclude", "1", *REASON, "--actor", "Ben Okafor")

    last = run("log", "--last", "1").stdout

    assert "Ben Okafor" in last
    assert "excluded 1" in last
    assert REASON[1] in last


def test_names_with_brackets_and_colons_are_shown_as_they_are(run: Run) -> None:
    """Terminal markup in a name is a name: nobody's factor turns the log red."""
    text = template_text().replace("Feed study", "'[red]feed[/red] :smile:'")
    Path("study.yaml").write_text(text, encoding="utf-8")
    run("new", "study.yaml")

    assert "[red]feed[/red] :smile:" in run("status").stdout


# As a process


def process(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the installed command, as a shell would."""
    return subprocess.run(
        [str(COMMAND), *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.slow
def test_what_goes_into_a_file_has_no_colour_and_whole_lines(store: Path) -> None:
    shown = process("log")

    assert shown.returncode == 0, shown.stderr
    assert "\x1b" not in shown.stdout
    assert len(shown.stdout.splitlines()) == 2 + n_events(store)


@pytest.mark.slow
def test_a_refusal_of_the_installed_command_has_no_traceback() -> None:
    refused = process("status", "--store", "a folder/with spaces.sqlite")

    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr.startswith("Error: There is no store 'a folder/with spaces.sqlite'")
    assert "Traceback" not in refused.stderr


@pytest.mark.slow
def test_a_reader_that_stops_early_meets_no_traceback(store: Path) -> None:
    shown = subprocess.run(
        f"{shlex.quote(str(COMMAND))} log --json | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert shown.stdout == "{\n"
    assert "Traceback" not in shown.stderr


# The installation


@pytest.mark.slow
def test_the_doctor_finds_this_installation_in_order(run: Run, store: Path) -> None:
    examined = run("doctor", "--json")

    findings = json.loads(examined.stdout)["findings"]
    assert [f for f in findings if f["verdict"] == "wrong"] == []
    assert examined.exit_code == 0


@pytest.mark.parametrize(
    ("version", "bounds", "meets"),
    [
        ("2.13.0+cpu", "==2.13.0", True),
        ("0.18.2", "<0.18.2,>=0.18.1", False),
        ("0.18.1", "<0.18.2,>=0.18.1", True),
        ("3.1", ">=3.1.0", True),
        ("1.10", ">=1.9", True),
        ("2.0", "~=1.4", False),
        ("1.9", "~=1.4", True),
        ("5.0", "", True),
    ],
)
def test_versions_are_compared_as_numbers(version: str, bounds: str, meets: bool) -> None:
    """The rules of PEP 440 for releases."""
    from campaigns import doctor

    assert doctor.meets(version, bounds) is meets


def test_the_doctor_names_a_store_that_cannot_be_read(run: Run) -> None:
    Path("damaged.sqlite").write_bytes(b"SQLite format 3\0 and then nothing")

    examined = run("doctor", "--store", "damaged.sqlite", "--json")

    assert examined.exit_code == 1
    found = {f["subject"]: f["verdict"] for f in json.loads(examined.stdout)["findings"]}
    assert found["store damaged.sqlite"] == "wrong"
