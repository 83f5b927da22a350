"""Looking back: where a campaign stands, what happened, whether the record is what was written."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from campaigns.commands.session import (
    DEFAULT_STORE,
    ActorOption,
    CampaignOption,
    ForceOption,
    JsonOption,
    StoreOption,
    chosen_campaign,
    open_ledger,
    opened,
    shown,
)

if TYPE_CHECKING:
    from campaigns.state import CampaignState

EXIT_FOUND_WRONG = 1


def status(
    *,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show where the campaign stands: runs, what waits for a decision, goal and limits."""
    from campaigns.commands.console import answer_json, say, show_table

    with opened(store, campaign, actor) as study:
        document = status_document(study.state)
    if as_json:
        answer_json({"store": shown(store), **document})
        return
    say(f"{document['campaign']}: {document['runs']} runs, {document['values']} values.")
    show_table(("status", "runs"), list(document["by_status"].items()))
    say(f"Goal: {document['objective']}")
    say(f"Limits: {'; '.join(document['specifications']) or 'none'}")
    if document["excluded"]:
        say(f"Left out of the models: {', '.join(document['excluded'])}")
    for note in document["notes"]:
        say(f"Note: {note}", style="yellow")
    if document["waiting"]:
        say(f"Waiting for approval: {', '.join(document['waiting'])}")


def status_document(state: "CampaignState") -> dict[str, Any]:
    """Return where a campaign stands as plain JSON."""
    from doe.responses import Response

    units = {r.name: r.unit for r in state.definition.responses if isinstance(r, Response)}
    return {
        "campaign": state.definition.name,
        "description": state.definition.description,
        "runs": len(state.runs),
        "values": len(state.measurements),
        "by_status": dict(Counter(run.status for run in state.runs.values())),
        "batches": len(state.batches),
        "waiting": [run.name for run in state.runs.values() if run.status == "proposed"],
        "to_do": [run.name for run in state.runs.values() if run.status == "approved"],
        "excluded": [run.name for run in state.runs.values() if run.excluded is not None],
        "objective": objective_sentence(state),
        "specifications": [s.sentence(units.get(s.response, "")) for s in state.specifications],
        "models": {name: choice.model for name, choice in state.models.items()},
        "notes": list(state.notes),
        "head": {"sequence": state.sequence, "hash": state.head},
    }


def objective_sentence(state: "CampaignState") -> str:
    """Return what is wanted, in words."""
    from doe.responses import ProbabilityInSpecification, goals_of

    if state.objective is None:
        return "none"
    if isinstance(state.objective, ProbabilityInSpecification):
        return "the highest probability of meeting every specification"
    kind = type(state.objective).__name__.lower()
    goals = " and ".join(
        f"{goal.aim} {goal.response}{'' if goal.target is None else f' {goal.target:g}'}"
        for goal in goals_of(state.objective)
    )
    return goals if kind == "single" else f"{kind}: {goals}"


def log(
    *,
    last: Annotated[
        int | None, typer.Option("--last", min=1, help="The latest events only.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what happened, who did it, when and why."""
    from campaigns import events as happened
    from campaigns.commands.console import answer_json, show_table

    with opened(store, campaign, actor) as study:
        events = study.events()
    shown_events = events if last is None else events[-last:]
    if as_json:
        documents = [
            {**event.to_document(), "sentence": happened.sentence(happened.decode(event))}
            for event in shown_events
        ]
        answer_json({"events": documents})
        return
    rows = [
        (
            event.sequence,
            f"{event.recorded_at:%Y-%m-%d %H:%M:%S} UTC",
            event.actor.name,
            happened.sentence(happened.decode(event)),
            event.reason or "",
        )
        for event in shown_events
    ]
    show_table(("", "recorded", "who", "what", "why"), rows)


def check(
    *,
    anchor: Annotated[
        str | None,
        typer.Option("--anchor", help="A head kept elsewhere, as an export prints it: 12:ab34..."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that the record is what was written; exit code 1 when it is not."""
    from campaigns.commands.console import answer_json, say
    from campaigns.ledger import Head
    from campaigns.streams import stream_of

    head = None if anchor is None else Head.parse(anchor)
    with open_ledger(store) as ledger:
        name = chosen_campaign(ledger, store, campaign)
        found = ledger.check(stream_of(name), anchor=head)
    if as_json:
        answer_json(
            {
                "campaign": name,
                "intact": found.intact,
                "events": found.n_events,
                "head": None if found.head is None else str(found.head),
                "faults": [str(fault) for fault in found.faults],
                "notes": [str(note) for note in found.notes],
            }
        )
    else:
        say(found.sentence(), style="green" if found.intact else "red")
        for fault in found.faults[1:]:
            say(str(fault))
    if not found.intact:
        raise typer.Exit(EXIT_FOUND_WRONG)


def reproduce(
    batch: Annotated[int, typer.Argument(metavar="BATCH", help="Number of the batch, from 1.")],
    *,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do the work of a recommended batch again and compare; exit code 1 when it differs."""
    from campaigns.commands.console import answer_json, say

    with opened(store, campaign, actor) as study:
        again = study.reproduce(batch)
    if as_json:
        answer_json(
            {
                "batch": again.batch,
                "outcome": again.outcome,
                "largest_difference": again.largest_difference,
                "versions_differ": list(again.versions_differ),
            }
        )
    else:
        say(f"Batch {batch} made again is {again.outcome}.")
        if again.largest_difference:
            say(f"  largest difference of a setting: {again.largest_difference:.3g} of its range")
        for change in again.versions_differ:
            say(f"  another version: {change}")
    if again.outcome == "different":
        raise typer.Exit(EXIT_FOUND_WRONG)


def export(
    folder: Annotated[Path, typer.Argument(help="Where to write; made when it is not there.")],
    *,
    force: ForceOption = False,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the run sheet (XLSX), the record (JSON) and the figures (PNG and SVG)."""
    from campaigns.commands.console import answer_json, say, showing_progress
    from campaigns.exports.package import export_campaign

    with opened(store, campaign, actor) as study, showing_progress("Exporting") as progress:
        written = export_campaign(study, folder, replace=force, progress=progress)
    if as_json:
        answer_json(
            {
                "folder": str(folder),
                "files": [str(path) for path in written.files],
                "left_out": list(written.left_out),
                "anchor": written.anchor,
            }
        )
        return
    for path in written.files:
        say(str(path))
    for what in written.left_out:
        say(f"Left out: {what}", style="yellow")
    say(f"Head of the record, to be kept elsewhere: {written.anchor}")
