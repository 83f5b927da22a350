"""The state of a campaign: what its events add up to, computed and never stored."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, assert_never

from campaigns import events as happened
from campaigns.definition import CampaignDefinition
from campaigns.envelope import GENESIS, Event
from doe.errors import RecordError, UnknownNameError
from doe.factors import Value
from doe.responses import Objective, Specification
from doe.runs import Design, Measurement, Observations, Origin
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

RunStatus = Literal["proposed", "approved", "rejected", "started", "done", "failed", "aborted"]
MOST_LISTED = 12
PENDING: tuple[RunStatus, ...] = ("proposed", "approved", "started")
MeasurementKey = tuple[str, str, float | None, int]


@dataclass(frozen=True)
class RunRecord:
    """A run as it stands.

    Attributes:
        name: Identifier.
        origin: How it came to be.
        status: Where it is between proposed and done.
        target: Settings asked for, in natural units.
        actual: Settings achieved, where they were read.
        recorded: Covariates, contexts and blocks.
        batch: Number of the batch that recommended it.
        reason: Why it was rejected, failed or aborted.
        excluded: Why it does not count; absent when it does.
    """

    name: str
    origin: Origin
    status: RunStatus
    target: Mapping[str, Value] = field(hash=False)
    actual: Mapping[str, Value] = field(default_factory=dict, hash=False)
    recorded: Mapping[str, Value] = field(default_factory=dict, hash=False)
    batch: int | None = None
    reason: str | None = None
    excluded: str | None = None


@dataclass(frozen=True)
class MeasurementRecord:
    """A value as it stands, with what it was before.

    Attributes:
        current: The value that counts, unless it is excluded.
        before: Earlier values, oldest first.
        excluded: Why it does not count; absent when it does.
    """

    current: Measurement
    before: tuple[Measurement, ...] = ()
    excluded: str | None = None


@dataclass(frozen=True)
class BatchRecord:
    """A batch of recommended runs.

    Attributes:
        event: What was asked and answered.
        sequence: Place of the event in the stream.
    """

    event: happened.BatchRecommended
    sequence: int


@dataclass(frozen=True)
class CampaignState:
    """Everything that is true of a campaign after some of its events.

    Attributes:
        definition: As it was created.
        space: The factor space, with the block factors that designs brought along.
        objective: What is wanted now.
        specifications: The limits now.
        runs: By identifier, in the order in which they came.
        measurements: By run, response, time and replicate.
        batches: In order.
        models: What a person chose to model a response by.
        notes: What imports pointed out.
        sequence: Place of the last event.
        data_sequence: Place of the last event that changed what surrogates learn from.
        head: Hash of the last event.
        keys: Idempotency keys in use.
        files: Name of each imported file, by its SHA-256.
    """

    definition: CampaignDefinition
    space: FactorSpace
    objective: Objective | None
    specifications: tuple[Specification, ...]
    runs: Mapping[str, RunRecord] = field(default_factory=dict)
    measurements: Mapping[MeasurementKey, MeasurementRecord] = field(default_factory=dict)
    batches: tuple[BatchRecord, ...] = ()
    models: Mapping[str, happened.ModelChosen] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sequence: int = 0
    data_sequence: int = 0
    head: str = GENESIS
    keys: frozenset[str] = frozenset()
    files: Mapping[str, str] = field(default_factory=dict)

    def run(self, name: str) -> RunRecord:
        """Return the run of this name.

        Raises:
            UnknownNameError: If there is none.
        """
        if name not in self.runs:
            raise UnknownNameError(
                f"No run is called '{name}' in campaign '{self.definition.name}'"
                f"{_nearest(name, self.runs)}. {_listed(self.runs)}"
            )
        return self.runs[name]

    def observations(self) -> Observations:
        """Return the runs and values that count."""
        import pandas as pd

        counted = tuple(
            record.current
            for record in self.measurements.values()
            if record.excluded is None and self.runs[record.current.run].excluded is None
        )
        measured = {measurement.run for measurement in counted}
        runs = [run for run in self.runs.values() if run.name in measured]
        index = pd.Index([run.name for run in runs], name="run", dtype=object)
        names = list(self.space.names)
        recorded = [f.name for f in self.space.factors if f.name not in self.space.names]
        return Observations(
            self.space,
            self.definition.responses,
            target=pd.DataFrame([dict(run.target) for run in runs], index=index, columns=names),
            actual=pd.DataFrame([dict(run.actual) for run in runs], index=index, columns=names),
            recorded=pd.DataFrame(
                [dict(run.recorded) for run in runs], index=index, columns=recorded
            ),
            measurements=counted,
            origins=tuple(run.origin for run in runs),
        )

    def pending(self) -> "pd.DataFrame":
        """Return the settings of runs proposed, approved or under way that have no result yet."""
        import pandas as pd

        runs = [run for run in self.runs.values() if run.status in PENDING]
        return pd.DataFrame(
            [dict(run.target) for run in runs],
            index=pd.Index([run.name for run in runs], name="run", dtype=object),
            columns=list(self.space.names),
        )


def replay(events: Iterable[Event]) -> CampaignState:
    """Return the state that a campaign's events add up to. Pure: the same events, the same state.

    Raises:
        RecordError: If the events do not begin with the campaign's creation, or do not fit.
        DocumentError: If an event cannot be read.
    """
    iterator = iter(events)
    first = next(iterator, None)
    created = happened.decode(first) if first is not None else None
    if first is None or not isinstance(created, happened.CampaignCreated):
        raise RecordError("The events do not begin with the creation of a campaign.")
    definition = created.definition
    state = CampaignState(
        definition,
        definition.space,
        definition.objective,
        definition.specifications,
        sequence=first.sequence,
        data_sequence=first.sequence,
        head=first.hash,
    )
    return advance(state, tuple(iterator))


def advance(state: CampaignState, events: Sequence[Event]) -> CampaignState:
    """Return the state after further events. Pure.

    Raises:
        RecordError: If an event does not follow the last one, or names a run that is not there.
    """
    for event in events:
        if event.sequence != state.sequence + 1 or event.previous_hash != state.head:
            raise RecordError(
                f"Event {event.sequence} of '{event.stream}' does not follow event "
                f"{state.sequence}: the record is incomplete. `bayeswell check` says where."
            )
        body = happened.decode(event)
        try:
            state = _apply(state, body, event.reason, event.sequence)
        except (KeyError, UnknownNameError) as error:
            raise RecordError(
                f"Event {event.sequence} of '{event.stream}' ({event.kind}) names {error}, which "
                "is not there: the record does not fit together."
            ) from error
        keys = state.keys | {event.idempotency_key} if event.idempotency_key else state.keys
        state = replace(state, sequence=event.sequence, head=event.hash, keys=keys)
    return state


def _apply(
    state: CampaignState, event: happened.CampaignEvent, reason: str | None, sequence: int
) -> CampaignState:
    match event:
        case happened.CampaignCreated():
            raise RecordError(f"Event {sequence} creates a campaign that already exists.")
        case happened.DesignSeeded():
            return _seeded(state, event)
        case happened.RunsImported():
            return _imported(state, event, sequence)
        case happened.BatchRecommended():
            return _recommended(state, event, sequence)
        case happened.RunsApproved(runs):
            return _with_runs(state, {r: replace(state.run(r), status="approved") for r in runs})
        case happened.RunsRejected(runs):
            changed = {r: replace(state.run(r), status="rejected", reason=reason) for r in runs}
            return _with_runs(state, changed)
        case happened.RunStarted(run, recorded):
            known = {**state.run(run).recorded, **recorded}
            changed = {run: replace(state.run(run), status="started", recorded=known)}
            return _with_runs(state, changed)
        case happened.RunFailed(run):
            return _with_runs(state, {run: replace(state.run(run), status="failed", reason=reason)})
        case happened.RunAborted(run):
            changed = {run: replace(state.run(run), status="aborted", reason=reason)}
            return _with_runs(state, changed)
        case happened.ObjectiveChanged(objective):
            return replace(state, objective=objective)
        case happened.SpecificationsChanged(specifications):
            return replace(state, specifications=specifications)
        case _:
            return replace(_learn(state, event, reason or ""), data_sequence=sequence)


def _learn(
    state: CampaignState,
    event: happened.MeasurementsRecorded
    | happened.MeasurementCorrected
    | happened.MeasurementExcluded
    | happened.RunExcluded
    | happened.ExclusionLifted
    | happened.ModelChosen,
    reason: str,
) -> CampaignState:
    match event:
        case happened.MeasurementsRecorded():
            return _measured(state, event)
        case happened.MeasurementCorrected(before, after):
            record = state.measurements[before.key]
            changed = replace(record, current=after, before=(*record.before, record.current))
            return _with_values(state, {before.key: changed})
        case happened.MeasurementExcluded(measurement):
            record = state.measurements[measurement.key]
            return _with_values(state, {measurement.key: replace(record, excluded=reason)})
        case happened.RunExcluded(run):
            return _with_runs(state, {run: replace(state.run(run), excluded=reason)})
        case happened.ExclusionLifted(run):
            values = {
                key: replace(record, excluded=None)
                for key, record in state.measurements.items()
                if record.current.run == run
            }
            counted = _with_values(state, values)
            return _with_runs(counted, {run: replace(state.run(run), excluded=None)})
        case happened.ModelChosen(response):
            return replace(state, models={**state.models, response: event})
        case _:
            assert_never(event)


def _seeded(state: CampaignState, event: happened.DesignSeeded) -> CampaignState:
    design = event.design
    before = {block.name for block in state.space.blocks}
    brought = [block.name for block in design.space.blocks if block.name not in before]
    # A run done before whole plots were known was set up on its own; other blocks it was not in.
    earlier = {
        name: replace(
            run, recorded={**run.recorded, **{b: _block_before(design, b, name) for b in brought}}
        )
        for name, run in state.runs.items()
    }
    added = {
        name: RunRecord(
            name,
            "designed",
            "approved",
            target={str(k): v for k, v in row.items()},
            recorded={block: levels[i] for block, levels in design.blocks.items()},
        )
        for i, (name, row) in enumerate(
            zip(event.runs, design.runs.to_dict(orient="records"), strict=True)
        )
    }
    known = replace(state, space=design.space) if brought else state
    return _with_runs(known, {**(earlier if brought else {}), **added})


def _block_before(design: Design, block: str, run: str) -> str:
    return f"run {run} alone" if block in design.whole_plots else "earlier runs"


def _imported(state: CampaignState, event: happened.RunsImported, sequence: int) -> CampaignState:
    added = {
        entry.run: RunRecord(
            entry.run,
            "imported",
            "done",
            target=entry.target,
            actual=entry.actual,
            recorded=entry.recorded,
        )
        for entry in event.runs
    }
    values = {m.key: MeasurementRecord(m) for m in event.measurements}
    learned = _with_values(_with_runs(state, added), values)
    notes, files = (*state.notes, *event.notes), dict(state.files)
    if event.file_sha256 is not None:
        files[event.file_sha256] = event.file_name or "a file"
    return replace(learned, notes=notes, files=files, data_sequence=sequence)


def _recommended(
    state: CampaignState, event: happened.BatchRecommended, sequence: int
) -> CampaignState:
    added = {
        name: RunRecord(
            name, "recommended", "proposed", target=proposed.settings, batch=event.batch
        )
        for name, proposed in zip(event.runs, event.proposal.runs, strict=True)
    }
    batches = (*state.batches, BatchRecord(event, sequence))
    return replace(_with_runs(state, added), batches=batches)


def _measured(state: CampaignState, event: happened.MeasurementsRecorded) -> CampaignState:
    values = {m.key: MeasurementRecord(m) for m in event.measurements}
    changed = {}
    for name in dict.fromkeys(
        [*(m.run for m in event.measurements), *event.actual, *event.recorded]
    ):
        run = state.run(name)
        changed[name] = replace(
            run,
            status="done",
            actual={**run.actual, **event.actual.get(name, {})},
            recorded={**run.recorded, **event.recorded.get(name, {})},
        )
    return _with_values(_with_runs(state, changed), values)


def _with_runs(state: CampaignState, runs: Mapping[str, RunRecord]) -> CampaignState:
    return replace(state, runs={**state.runs, **runs})


def _with_values(
    state: CampaignState, values: Mapping[MeasurementKey, MeasurementRecord]
) -> CampaignState:
    return replace(state, measurements={**state.measurements, **values})


def _listed(runs: Mapping[str, RunRecord]) -> str:
    if not runs:
        return "It has no runs yet."
    names = list(runs)
    shown = names if len(names) <= MOST_LISTED else [*names[: MOST_LISTED - 1], "...", names[-1]]
    return f"Its runs are {', '.join(shown)}."


def _nearest(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=3)
    return f"; the nearest are {', '.join(close)}" if close else ""
