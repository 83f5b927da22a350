"""Recommended batches: asking for one, and deciding on its runs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from campaigns.commands.session import (
    DEFAULT_STORE,
    ActorOption,
    CampaignOption,
    JsonOption,
    ReasonOption,
    StoreOption,
    opened,
    pairs,
    settings_of,
)

if TYPE_CHECKING:
    from campaigns.batch import Batch
    from campaigns.campaign import Campaign
    from campaigns.recommending.strategy import ProposedRun, ResponsePrediction

RunsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="RUNS...", help="Names of the runs.")
]


def recommend(
    n_runs: Annotated[int, typer.Argument(metavar="N", help="How many runs.")],
    *,
    fix: Annotated[
        list[str] | None, typer.Option("--fix", help='Hold a factor: "sucrose=80".')
    ] = None,
    block: Annotated[
        list[str] | None, typer.Option("--block", help='Block of the batch, if known: "batch=7".')
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recommend the next runs, each with its prediction and the reason for it."""
    from campaigns.commands.console import answer_json, hint, showing_progress
    from campaigns.recommending.strategy import BatchRequest

    with opened(store, campaign, actor) as study:
        request = BatchRequest(
            n_runs,
            fixed=settings_of(study.space.searched, pairs(fix or [], "--fix")),
            block=pairs(block or [], "--block"),
        )
        with showing_progress("Recommending") as progress:
            batch = study.recommend(request, progress=progress)
    if as_json:
        answer_json(batch_document(batch))
        return
    show_batch(batch)
    hint(
        f"Nothing is run before somebody agrees: `bayeswell approve {' '.join(batch.names)}`, or "
        "`bayeswell reject RUN --reason ...`."
    )


def approve(
    runs: RunsArgument = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every run that is proposed.")] = False,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Agree that recommended runs be done."""
    from campaigns.commands.console import hint

    with opened(store, campaign, actor) as study:
        names = _named(study, runs or [], every=every)
        study.approve(names)
        _report(study, names, as_json=as_json)
    if not as_json:
        hint("Write the sheet to run by with `bayeswell export FOLDER`.")


def reject(
    runs: RunsArgument = None,
    *,
    reason: ReasonOption,
    every: Annotated[bool, typer.Option("--all", help="Every run that is proposed.")] = False,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide that recommended runs be not done."""
    with opened(store, campaign, actor) as study:
        names = _named(study, runs or [], every=every)
        study.reject(names, reason)
        _report(study, names, as_json=as_json)


def batch_document(batch: "Batch") -> dict[str, Any]:
    """Return a batch as plain JSON."""
    return {
        "batch": batch.number,
        "strategy": batch.strategy,
        "notes": list(batch.notes),
        "runs": [
            {
                "run": name,
                "settings": dict(run.settings),
                "predictions": [
                    {
                        "response": p.response,
                        "unit": p.unit,
                        "mean": p.mean,
                        "low": p.low,
                        "high": p.high,
                    }
                    for p in run.predictions
                ],
                "probability_in_specification": run.probability_in_specification,
                "nearest_run": run.nearest_run,
                "nearest_distance": run.nearest_distance,
                "extrapolates": run.extrapolates,
                "tag": run.reason.tag,
                "reason": run.reason.sentence,
                "reason_parts": dict(run.reason.parts),
                "acquisition": run.acquisition,
                "slack": dict(run.slack),
            }
            for name, run in zip(batch.names, batch.runs, strict=True)
        ],
    }


def show_batch(batch: "Batch") -> None:
    """Write a batch for people: settings, then predictions, then a reason per run."""
    from campaigns.commands.console import say, stdout, table_of

    stdout().print(table_of(*settings_table(batch), title=f"Batch {batch.number}"))
    stdout().print(table_of(*prediction_table(batch)))
    for name, run in zip(batch.names, batch.runs, strict=True):
        say(f"Run {name}, {run.reason.tag}: {run.reason.sentence}")
    for note in batch.notes:
        say(f"Note: {note}", style="yellow")


def settings_table(batch: "Batch") -> tuple[list[str], list[list[object]]]:
    """Return the columns and rows of the settings of a batch."""
    factors = list(batch.runs[0].settings)
    rows: list[list[object]] = [
        [name, *(run.settings[factor] for factor in factors)]
        for name, run in zip(batch.names, batch.runs, strict=True)
    ]
    return ["run", *factors], rows


def prediction_table(
    batch: "Batch", responses: Sequence[str] | None = None
) -> tuple[list[str], list[list[object]]]:
    """Return the columns and rows of what the runs of a batch are expected to give.

    Args:
        batch: The batch.
        responses: Which responses; all when absent.
    """

    def shown(run: "ProposedRun") -> "list[ResponsePrediction]":
        return [p for p in run.predictions if responses is None or p.response in responses]

    expected = [f"{p.response}, {p.unit}" if p.unit else p.response for p in shown(batch.runs[0])]
    columns = ["run", *(f"{e} (95 %)" for e in expected), "P(in spec)", "nearest run", "why"]
    rows: list[list[object]] = []
    for name, run in zip(batch.names, batch.runs, strict=True):
        intervals = [f"{p.mean:.3g} ({p.low:.3g} to {p.high:.3g})" for p in shown(run)]
        nearest = (
            "" if run.nearest_run is None else f"{run.nearest_run}, {run.nearest_distance:.2f}"
        )
        why = f"{run.reason.tag}{', extrapolates' if run.extrapolates else ''}"
        likely = run.probability_in_specification
        rows.append([name, *intervals, "" if likely is None else f"{likely:.2f}", nearest, why])
    return columns, rows


def _named(study: "Campaign", runs: Sequence[str], *, every: bool) -> list[str]:
    from doe.errors import InvalidValueError, StateError

    if runs and every:
        raise InvalidValueError("Name the runs or say --all, not both.")
    if not every:
        return list(runs)
    waiting = [run.name for run in study.state.runs.values() if run.status == "proposed"]
    if not waiting:
        raise StateError("No run waits for a decision: recommend some first.")
    return waiting


def _report(study: "Campaign", runs: Sequence[str], *, as_json: bool) -> None:
    from campaigns.commands.console import answer_json, say

    statuses = {run: study.state.run(run).status for run in runs}
    if as_json:
        answer_json({"runs": statuses})
    else:
        say("; ".join(f"Run {run} is {status}" for run, status in statuses.items()) + ".")
