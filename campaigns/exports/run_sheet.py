"""The sheet that people run by and fill in, and the table of everything that was measured."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from campaigns.envelope import Event
from campaigns.events import DesignSeeded, decode
from campaigns.exports.origin import origin
from campaigns.recommending.strategy import ProposedRun
from campaigns.run_codes import run_code
from campaigns.state import CampaignState, RunRecord
from doe.errors import StateError
from doe.factors import BlockFactor, Context, Covariate
from doe.responses import Response
from doe.tables import write_table

if TYPE_CHECKING:
    import pandas as pd

TO_DO = ("proposed", "approved", "started")
HOW_TO = (
    "Fill in the results, the blocks where they are empty, and what was achieved where it was read "
    "(actual). Leave the results of a run that was not done empty. Then: bayeswell import FILE"
)
UNDECIDED = "waits for approval: do not run"


def write_run_sheet(
    state: CampaignState, path: Path, *, runs: Iterable[str] | None = None, predict: bool = False
) -> None:
    """Write the runs that are to be done as a CSV or XLSX file that `record` takes back.

    Runs that nobody has approved yet are listed and marked.

    Args:
        state: The campaign.
        path: A file that ends in ``.xlsx`` or ``.csv``.
        runs: Which runs, in the order of doing; all that are to be done when absent.
        predict: Whether the predictions made when a run was recommended stand beside it.

    Raises:
        StateError: If there is no run to do.
        UnknownNameError: If there is no such run.
    """
    frame = run_sheet(state, runs=runs, predict=predict)
    metadata = {**origin(state), "how to fill in": HOW_TO}
    write_table(path, frame, units=_units(state), title="Run sheet", metadata=metadata)


def run_sheet(
    state: CampaignState, *, runs: Iterable[str] | None = None, predict: bool = False
) -> "pd.DataFrame":
    """Return the run sheet: order, run and its code, status, blocks, targets, and what to fill in.

    Settings achieved (``<factor> (actual)``) and results are empty.

    Raises:
        StateError: If there is no run to do.
        UnknownNameError: If there is no such run.
    """
    import pandas as pd

    if runs is None:
        chosen = [run for run in state.runs.values() if run.status in TO_DO]
    else:
        chosen = [state.run(name) for name in runs]
    if not chosen:
        raise StateError(
            f"Campaign '{state.definition.name}' has no run to do: recommend some with "
            "`bayeswell recommend`, or plan some with `bayeswell design`."
        )
    proposals = _proposals(state)
    rows = [
        {"order": place, **_row(state, run, proposals.get(run.name) if predict else None)}
        for place, run in enumerate(chosen, start=1)
    ]
    return pd.DataFrame(rows)


def in_order_of_doing(events: Iterable[Event], runs: Iterable[str]) -> tuple[str, ...]:
    """Return runs in the random order that their design gave them; others keep their place."""
    places: dict[str, tuple[int, int]] = {}
    for event in events:
        if event.kind == "design-seeded":
            seeded = decode(event)
            if isinstance(seeded, DesignSeeded):
                order = seeded.design.run_order
                places |= {
                    run: (event.sequence, place)
                    for run, place in zip(seeded.runs, order, strict=True)
                }
    # Runs of no design are recommended or added, and come after the designs.
    return tuple(sorted(runs, key=lambda run: places.get(run, (2**53, 0))))


def results_table(state: CampaignState) -> "pd.DataFrame":
    """Return every value of every run, a row each: also those that do not count, with why.

    A corrected value stands with what it was before.
    """
    import pandas as pd

    rows = []
    for record in state.measurements.values():
        value, run = record.current, state.runs[record.current.run]
        rows.append(
            {
                "run": value.run,
                **{name: _text(run.recorded.get(name)) for name in _recorded_names(state)},
                **{name: run.actual.get(name, run.target[name]) for name in state.space.names},
                "response": value.response,
                "value": value.value,
                "qualifier": None if value.qualifier == "=" else value.qualifier,
                "replicate": value.replicate,
                "time": value.time,
                "origin": run.origin,
                "left out because": run.excluded or record.excluded,
                "before": "; ".join(f"{old.value:.10g}" for old in record.before) or None,
            }
        )
    return pd.DataFrame(rows)


def _row(state: CampaignState, run: RunRecord, proposal: ProposedRun | None) -> dict[str, object]:
    row: dict[str, object] = {
        "run": run.name,
        "run code": run_code(state.definition.name, run.name),
        "status": UNDECIDED if run.status == "proposed" else run.status,
    }
    for name in _recorded_names(state):
        row[name] = _text(run.recorded.get(name))
    for name in state.space.names:
        row[name] = run.target[name]
    for name in state.space.names:
        row[f"{name} (actual)"] = None
    for response in _measured(state):
        row[response.name] = None
    if proposal is not None:
        for prediction in proposal.predictions:
            interval = f"{prediction.low:.3g} to {prediction.high:.3g}"
            row.setdefault(f"expected {prediction.response}", f"{prediction.mean:.3g} ({interval})")
        row.setdefault("why", proposal.reason.sentence)
    return row


def _proposals(state: CampaignState) -> dict[str, ProposedRun]:
    return {
        name: run
        for batch in state.batches
        for name, run in zip(batch.event.runs, batch.event.proposal.runs, strict=True)
    }


def _recorded_names(state: CampaignState) -> list[str]:
    """Return what people write down beside the settings; what follows from a formula does not."""
    return [
        factor.name
        for factor in state.space.factors
        if isinstance(factor, BlockFactor | Context)
        or (isinstance(factor, Covariate) and factor.expression is None)
    ]


def _measured(state: CampaignState) -> list[Response]:
    return [r for r in state.definition.responses if isinstance(r, Response)]


def _units(state: CampaignState) -> dict[str, str]:
    units = {factor.name: getattr(factor, "unit", "") for factor in state.space.factors}
    units |= {f"{name} (actual)": units[name] for name in state.space.names}
    return units | {response.name: response.unit for response in _measured(state)}


def _text(value: object) -> object:
    return value if isinstance(value, int | float) else None if value is None else str(value)
