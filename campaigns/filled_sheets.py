"""A filled-in run sheet: whose runs it holds, what it says, and where that is not the plan."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from campaigns.events import SettingsMap
from campaigns.run_codes import run_code
from campaigns.state import CampaignState
from doe.errors import InvalidValueError, StateError
from doe.factors import Value
from doe.runs import Measurement, Observations

if TYPE_CHECKING:
    from doe.tables import TableImport

MOST_NAMED = 5


def check_codes(state: CampaignState, codes: Mapping[str, str]) -> None:
    """Refuse a sheet whose codes belong to other runs or to another campaign.

    Raises:
        InvalidValueError: With the first run and code that do not fit.
    """
    name = state.definition.name
    wrong = [run for run, code in codes.items() if code != run_code(name, run)]
    if wrong:
        if len(wrong) == len(codes):
            cause = "the sheet is of another campaign, or its rows were mixed up"
        else:
            cause = "rows were mixed up, or cells were changed"
        raise InvalidValueError(
            f"Run code {codes[wrong[0]]!r} is not that of run {wrong[0]} in campaign '{name}', "
            f"which is {run_code(name, wrong[0])!r} ({len(wrong)} of {len(codes)} do not fit): "
            f"{cause}. Correct the columns 'run' and 'run code', or write the sheet anew with "
            "`bayeswell export`. To import the runs of another campaign on purpose, remove the "
            "column 'run code'."
        )


def check_not_planned(state: CampaignState, table: "TableImport") -> None:
    """Refuse to import runs that have both name and settings of runs that were planned here.

    Raises:
        StateError: With the names.
    """
    held = set(table.columns.values())
    if "run" not in held:
        return
    runs = table.observations.runs
    planned = [
        run for run in runs if run in state.runs and _is_planned(state, run, table.observations)
    ]
    if planned:
        code = "its column 'run code' is empty" if "run code" in held else "it has no run codes"
        raise StateError(
            f"Runs {listed(planned)} of '{table.file_name}' are planned runs of campaign "
            f"'{state.definition.name}', and {code}: take their results with `bayeswell record "
            f"{table.file_name}`, or, if they are other runs, give them other names."
        )


def from_table(
    state: CampaignState, observations: Observations
) -> tuple[tuple[Measurement, ...], dict[str, SettingsMap], dict[str, SettingsMap]]:
    """Return measurements, achieved and recorded settings of a filled-in run sheet.

    Settings in the sheet that differ from what was asked for count as achieved. A sheet is filled
    in bit by bit: runs without a result were not done yet, and results that are recorded already,
    with the same value, are not new.
    """
    values = tuple(m for m in observations.measurements if not _is_recorded(state, m))
    measured = {measurement.run for measurement in values}
    actual: dict[str, SettingsMap] = {}
    known: dict[str, SettingsMap] = {}
    for run in observations.runs:
        changed = _changed(state, observations, run)
        if run not in measured:
            continue
        if achieved := {**changed, **present(observations.actual, run)}:
            actual[run] = achieved
        if facts := present(observations.recorded, run):
            known[run] = facts
    return values, actual, known


def notes_on(state: CampaignState, table: "TableImport") -> tuple[str, ...]:
    """Return where a filled-in run sheet says otherwise than the plan; it is taken as done so.

    Raises:
        UnknownNameError: If there is no run of a name.
        InvalidValueError: If a code is not that of its run.
    """
    check_codes(state, table.codes)
    values, _, recorded = from_table(state, table.observations)
    measured = dict.fromkeys(measurement.run for measurement in values)
    changed = {run: _changed(state, table.observations, run) for run in measured}
    edited = [run for run, settings in changed.items() if settings]
    notes = []
    if edited:
        names = dict.fromkeys(name for run in edited for name in changed[run])
        notes.append(
            f"settings of {_runs(edited)} differ from the plan ({', '.join(names)}) and are taken "
            "as achieved"
        )
    for block in state.space.blocks:
        planned = {run: state.run(run).recorded.get(block.name) for run in measured}
        moved = [
            run
            for run, level in planned.items()
            if level is not None and recorded.get(run, {}).get(block.name, level) != level
        ]
        if moved:
            notes.append(
                f"{block.name} of {_runs(moved)} differs from the plan, and the sheet's is taken"
            )
    return tuple(notes)


def listed(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"


def present(table: pd.DataFrame, run: str) -> dict[str, Value]:
    """Return what a table says of a run, without the cells that are empty."""
    # One run, so one record; iterating cells keeps text and numbers apart.
    (record,) = table.loc[[run]].to_dict(orient="records")
    settings: dict[str, Value] = {}
    for name, value in record.items():
        if isinstance(value, str):
            settings[str(name)] = value
        elif value is not None and not pd.isna(value):
            settings[str(name)] = float(value)
    return settings


def _is_planned(state: CampaignState, run: str, observations: Observations) -> bool:
    return state.runs[run].origin != "imported" and not _changed(state, observations, run)


def _changed(state: CampaignState, observations: Observations, run: str) -> dict[str, Value]:
    asked = state.run(run).target
    given = present(observations.target, run)
    return {name: value for name, value in given.items() if not _same(value, asked[name])}


def _runs(names: Sequence[str]) -> str:
    *others, last = names
    if len(names) > MOST_NAMED:
        return f"runs {listed(names)}"
    return f"runs {', '.join(others)} and {last}" if others else f"run {last}"


def _is_recorded(state: CampaignState, measurement: Measurement) -> bool:
    there = state.measurements.get(measurement.key)
    return there is not None and there.current == measurement


def _same(given: Value, asked: Value) -> bool:
    if isinstance(given, str) or isinstance(asked, str):
        return given == asked
    return abs(given - asked) <= 1e-9 * max(1.0, abs(given), abs(asked))
