"""Runs as they are done: starting, recording, failing; and what becomes of their values."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from campaigns.commands.session import (
    DEFAULT_STORE,
    ActorOption,
    CampaignOption,
    JsonOption,
    ReasonOption,
    StoreOption,
    number,
    opened,
    pairs,
    settings_of,
)

if TYPE_CHECKING:
    from campaigns.campaign import Campaign
    from doe.runs import Measurement
    from doe.tables import TableImport

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Name of the run.")]
KnownOption = Annotated[
    list[str] | None,
    typer.Option("--known", help='Block, context or covariate of the run: "batch=7".'),
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option("--column", help='What a column of the table holds: "its heading=name".'),
]
SheetOption = Annotated[str | None, typer.Option("--sheet", help="Sheet of an XLSX file.")]


def start(
    run: RunArgument,
    *,
    known: KnownOption = None,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that an approved run began."""
    with opened(store, campaign, actor) as study:
        study.start(run, recorded=pairs(known or [], "--known"))
        _report(study, [run], as_json=as_json)


def record(
    table: Annotated[
        Path | None, typer.Argument(help="A filled-in run sheet, XLSX or CSV.")
    ] = None,
    *,
    run: Annotated[str | None, typer.Option("--run", help="One run, without a table.")] = None,
    value: Annotated[
        list[str] | None, typer.Option("--value", help='A result of that run: "titre=4.2".')
    ] = None,
    actual: Annotated[
        list[str] | None, typer.Option("--actual", help='A setting achieved: "pH=7.02".')
    ] = None,
    known: KnownOption = None,
    column: ColumnOption = None,
    sheet: SheetOption = None,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take the results of planned runs, from a run sheet or for one run."""
    from doe.errors import InvalidValueError

    if (table is None) == (run is None):
        raise InvalidValueError(
            "Give either the filled-in run sheet, or one run with --run and --value."
        )
    with opened(store, campaign, actor) as study:
        before = len(study.state.measurements)
        notes: tuple[str, ...] = ()
        if table is not None:
            read = read_for(study, table, column or [], sheet)
            notes = (*study.notes_on(read), *read.notes)
            names: Sequence[str] = study.record_table(read)
        else:
            _record_one(study, str(run), value or [], actual or [], known or [])
            names = [str(run)]
        n_values = len(study.state.measurements) - before
        _report(study, names, n_values, notes, as_json=as_json)


def _record_one(
    study: "Campaign", run: str, value: Sequence[str], actual: Sequence[str], known: Sequence[str]
) -> None:
    from doe.runs import Measurement

    values = [
        Measurement(run, response, number(text, f"Run {run}, {response}"))
        for response, text in pairs(value, "--value").items()
    ]
    achieved = settings_of(study.space.searched, pairs(actual, "--actual"))
    facts = settings_of(study.space.factors, pairs(known, "--known"))
    study.record(
        values,
        actual={run: achieved} if achieved else {},
        recorded={run: facts} if facts else {},
    )


def fail(
    run: RunArgument,
    *,
    reason: ReasonOption,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that a run gave no usable result."""
    with opened(store, campaign, actor) as study:
        study.fail(run, reason)
        _report(study, [run], as_json=as_json)


def abort(
    run: RunArgument,
    *,
    reason: ReasonOption,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that a run was called off."""
    with opened(store, campaign, actor) as study:
        study.abort(run, reason)
        _report(study, [run], as_json=as_json)


def import_runs(
    table: Annotated[Path, typer.Argument(help="Runs with their results, CSV or XLSX.")],
    *,
    column: ColumnOption = None,
    sheet: SheetOption = None,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add runs that were done elsewhere, with their results."""
    from campaigns.commands.console import answer_json, say

    with opened(store, campaign, actor) as study:
        before = len(study.state.measurements)
        read = read_for(study, table, column or [], sheet)
        differing = study.notes_on(read) if read.codes else ()
        names = study.import_runs(read)
        n_values = len(study.state.measurements) - before
    if as_json:
        answer_json(
            {
                "runs": list(names),
                "values": n_values,
                "columns": dict(read.columns),
                "notes": [*differing, *read.notes],
            }
        )
        return
    say(f"Imported {len(names)} runs with {n_values} values from {read.file_name}.")
    for heading, name in read.columns.items():
        say(f"  column '{heading}' is {name}")
    for note in (*differing, *read.notes):
        say(f"Note: {note}", style="yellow")


def correct(
    run: RunArgument,
    response: Annotated[str, typer.Argument(help="Which response.")],
    value: Annotated[str, typer.Argument(help="The value that is right, in its unit.")],
    *,
    reason: ReasonOption,
    replicate: Annotated[int, typer.Option(help="Which determination.")] = 1,
    time: Annotated[float | None, typer.Option(help="Which time of a time course.")] = None,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replace a value; the old one stays in the record."""
    from campaigns.commands.console import answer_json, say

    with opened(store, campaign, actor) as study:
        before = _value(study, run, response, replicate, time)
        after = number(value, f"Run {run}, {response}")
        study.correct(before, after, reason=reason)
    if as_json:
        answer_json({"run": run, "response": response, "before": before.value, "after": after})
    else:
        say(f"{response} of run {run} is now {after:g}; it was {before.value:g}.")


def exclude(
    run: RunArgument,
    *,
    reason: ReasonOption,
    response: Annotated[
        str | None, typer.Option("--response", help="One value only, not the whole run.")
    ] = None,
    replicate: Annotated[int, typer.Option(help="Which determination.")] = 1,
    time: Annotated[float | None, typer.Option(help="Which time of a time course.")] = None,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Leave a run, or one value of it, out of the models; it stays in the record."""
    with opened(store, campaign, actor) as study:
        what = run if response is None else _value(study, run, response, replicate, time)
        study.exclude(what, reason=reason)
        _report_counting(study, run, as_json=as_json)


def include(
    run: RunArgument,
    *,
    reason: ReasonOption,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a run count again, with every value of it."""
    with opened(store, campaign, actor) as study:
        study.include(run, reason=reason)
        _report_counting(study, run, as_json=as_json)


def read_for(
    study: "Campaign", table: Path, column: Sequence[str], sheet: str | None
) -> "TableImport":
    """Return a table read with the factors and responses of a campaign.

    Raises:
        TableError: With every problem of the table.
    """
    from doe.tables import read_table

    return read_table(
        table,
        space=study.space,
        responses=study.state.definition.responses,
        mapping=pairs(column, "--column"),
        sheet=sheet,
    )


def _value(
    study: "Campaign", run: str, response: str, replicate: int, time: float | None
) -> "Measurement":
    from doe.errors import UnknownNameError

    study.state.run(run)
    key = (run, response, time, replicate)
    if key not in study.state.measurements:
        known = [
            f"{name}{'' if at is None else f' at {at:g}'}{'' if n == 1 else f', replicate {n}'}"
            for owner, name, at, n in study.state.measurements
            if owner == run
        ]
        raise UnknownNameError(
            f"Run {run} has no such value of '{response}'; it has {'; '.join(known) or 'none'}."
        )
    return study.state.measurements[key].current


def _report(
    study: "Campaign",
    runs: Sequence[str],
    n_values: int = 0,
    notes: Sequence[str] = (),
    *,
    as_json: bool,
) -> None:
    from campaigns.commands.console import answer_json, say

    statuses = {run: study.state.run(run).status for run in runs}
    if as_json:
        answer_json({"runs": statuses, "values": n_values, "notes": list(notes)})
    elif n_values:
        say(f"Recorded {n_values} values of {len(runs)} runs: {', '.join(runs)}.")
    else:
        say("; ".join(f"Run {run} is {status}" for run, status in statuses.items()) + ".")
    if not as_json:
        for note in notes:
            say(f"Note: {note}", style="yellow")


def _report_counting(study: "Campaign", run: str, *, as_json: bool) -> None:
    from campaigns.commands.console import answer_json, say

    left_out = {
        key[1]: record.excluded
        for key, record in study.state.measurements.items()
        if key[0] == run and record.excluded is not None
    }
    whole = study.state.run(run).excluded
    if as_json:
        answer_json({"run": run, "excluded": whole, "excluded_values": left_out})
    elif whole is not None:
        say(f"Run {run} no longer counts: {whole}")
    elif left_out:
        say(f"Run {run} counts without {', '.join(left_out)}.")
    else:
        say(f"Run {run} counts.")
