"""Everything that can happen to a campaign; each kind is one frozen dataclass."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, assert_never

from campaigns.canonical import JSON, plain
from campaigns.definition import CampaignDefinition
from campaigns.envelope import Draft, Event
from campaigns.recommending.strategy import BatchRequest, Proposal
from doe.documents import from_document, to_document
from doe.errors import DocumentError
from doe.factors import Value
from doe.responses import Objective, Specification
from doe.runs import Design, Measurement

SettingsMap = Mapping[str, Value]
Censored = Literal["refuse", "leave_out", "at_limit", "likelihood"]


@dataclass(frozen=True)
class CampaignCreated:
    """The campaign began."""

    definition: CampaignDefinition


@dataclass(frozen=True)
class DesignSeeded:
    """A classical design was taken over; its runs are approved by whoever seeded it.

    Attributes:
        design: As it was made.
        runs: Identifier of each run, in standard order.
    """

    design: Design
    runs: tuple[str, ...]


@dataclass(frozen=True)
class RunEntry:
    """A run done outside the campaign's own plans.

    Attributes:
        run: Identifier.
        target: Settings asked for.
        actual: Settings achieved, where they were read.
        recorded: Covariates, contexts and blocks.
    """

    run: str
    target: SettingsMap = field(hash=False)
    actual: SettingsMap = field(default_factory=dict, hash=False)
    recorded: SettingsMap = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class RunsImported:
    """Runs that nobody here planned were added, with their results.

    Attributes:
        runs: The runs.
        measurements: Everything measured on them.
        file_name: The file they came from, if any.
        file_sha256: SHA-256 of that file.
        columns: Which column of the file was read as what.
        notes: What was pointed out to the person who imported them.
    """

    runs: tuple[RunEntry, ...]
    measurements: tuple[Measurement, ...]
    file_name: str | None = None
    file_sha256: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class BatchRecommended:
    """A strategy recommended runs.

    Attributes:
        batch: Number of the batch, from 1.
        runs: Identifier of each recommended run, in the order of the proposal.
        request: What was asked.
        proposal: What was answered, with the optimiser work that was done.
        spawn_key: With the campaign's seed, the source of every random draw.
        training_data_hash: SHA-256 of the observations that the surrogates learned from.
        versions: Versions of the product and of the libraries that took part.
        n_threads: How many threads the numerical libraries used.
    """

    batch: int
    runs: tuple[str, ...]
    request: BatchRequest
    proposal: Proposal
    spawn_key: tuple[int, ...]
    training_data_hash: str
    versions: Mapping[str, str] = field(hash=False)
    n_threads: int = 1


@dataclass(frozen=True)
class RunsApproved:
    """A person agreed that these recommended runs be done."""

    runs: tuple[str, ...]


@dataclass(frozen=True)
class RunsRejected:
    """A person decided that these recommended runs be not done; the reason stands beside."""

    runs: tuple[str, ...]


@dataclass(frozen=True)
class RunStarted:
    """A run began.

    Attributes:
        run: Identifier.
        recorded: Contexts and blocks that are known when it begins.
    """

    run: str
    recorded: SettingsMap = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class MeasurementsRecorded:
    """Results came in.

    Attributes:
        measurements: The values.
        actual: By run, the settings achieved.
        recorded: By run, covariates, contexts and blocks.
        file_name: The run sheet they came from, if any.
        file_sha256: SHA-256 of that file.
    """

    measurements: tuple[Measurement, ...]
    actual: Mapping[str, SettingsMap] = field(default_factory=dict, hash=False)
    recorded: Mapping[str, SettingsMap] = field(default_factory=dict, hash=False)
    file_name: str | None = None
    file_sha256: str | None = None


@dataclass(frozen=True)
class RunFailed:
    """A run gave no usable result; the reason stands beside."""

    run: str


@dataclass(frozen=True)
class RunAborted:
    """A run was called off before its end; the reason stands beside."""

    run: str


@dataclass(frozen=True)
class MeasurementCorrected:
    """A value was replaced; the old one stays in the record.

    Attributes:
        before: As it stood.
        after: As it stands now.
    """

    before: Measurement
    after: Measurement


@dataclass(frozen=True)
class MeasurementExcluded:
    """A value no longer counts; it stays in the record and in the exports."""

    measurement: Measurement


@dataclass(frozen=True)
class RunExcluded:
    """A run no longer counts; it stays in the record and in the exports."""

    run: str


@dataclass(frozen=True)
class ExclusionLifted:
    """A run, with every value of it, counts again.

    Attributes:
        run: Identifier.
    """

    run: str


@dataclass(frozen=True)
class ModelChosen:
    """A person chose the kind of surrogate for a response.

    Attributes:
        response: The response.
        model: One of ``MODELS`` in ``campaigns.modelling``, or the formula of a linear model.
        censored: What becomes of values known only as a limit: ``refuse`` to model, ``leave_out``,
            take them ``at_limit``, or (linear models) by their ``likelihood``.
    """

    response: str
    model: str
    censored: Censored = "refuse"


@dataclass(frozen=True)
class ObjectiveChanged:
    """What is wanted changed."""

    objective: Objective


@dataclass(frozen=True)
class SpecificationsChanged:
    """The limits changed."""

    specifications: tuple[Specification, ...]


CampaignEvent = (
    CampaignCreated
    | DesignSeeded
    | RunsImported
    | BatchRecommended
    | RunsApproved
    | RunsRejected
    | RunStarted
    | MeasurementsRecorded
    | RunFailed
    | RunAborted
    | MeasurementCorrected
    | MeasurementExcluded
    | RunExcluded
    | ExclusionLifted
    | ModelChosen
    | ObjectiveChanged
    | SpecificationsChanged
)

# The kind is what the ledger stores; a class may be renamed, a kind never.
KINDS: Mapping[str, type[CampaignEvent]] = {
    "campaign-created": CampaignCreated,
    "design-seeded": DesignSeeded,
    "runs-imported": RunsImported,
    "batch-recommended": BatchRecommended,
    "runs-approved": RunsApproved,
    "runs-rejected": RunsRejected,
    "run-started": RunStarted,
    "measurements-recorded": MeasurementsRecorded,
    "run-failed": RunFailed,
    "run-aborted": RunAborted,
    "measurement-corrected": MeasurementCorrected,
    "measurement-excluded": MeasurementExcluded,
    "run-excluded": RunExcluded,
    "exclusion-lifted": ExclusionLifted,
    "model-chosen": ModelChosen,
    "objective-changed": ObjectiveChanged,
    "specifications-changed": SpecificationsChanged,
}
_KIND_OF = {kind: name for name, kind in KINDS.items()}
FORMAT_VERSION = 1


def kind_of(event: CampaignEvent) -> str:
    """Return the kind under which the ledger stores an event."""
    return _KIND_OF[type(event)]


def draft(
    event: CampaignEvent, *, reason: str | None = None, idempotency_key: str | None = None
) -> Draft:
    """Return the event as it is handed to the ledger."""
    return Draft(
        kind=kind_of(event),
        payload=to_document(event),
        reason=reason,
        idempotency_key=idempotency_key,
        format_version=FORMAT_VERSION,
    )


def decode(event: Event) -> CampaignEvent:
    """Return what happened, from a stored event of any format version that was ever written.

    Raises:
        DocumentError: If the kind is unknown, or the payload does not fit it.
    """
    if event.kind not in KINDS:
        raise DocumentError(
            f"Event {event.sequence} of '{event.stream}' is of kind '{event.kind}', which this "
            "version does not know: open the campaign with the version that wrote it, or newer."
        )
    if event.format_version > FORMAT_VERSION:
        raise DocumentError(
            f"Event {event.sequence} of '{event.stream}' has format version "
            f"{event.format_version}; this version reads up to {FORMAT_VERSION}: update bayeswell."
        )
    return from_document(KINDS[event.kind], _lifted(event))


def _lifted(event: Event) -> Mapping[str, JSON]:
    # Version 1 is the first; a later version adds its lift from the one before here.
    payload = plain(event.payload)
    if not isinstance(payload, dict):
        raise DocumentError(f"Event {event.sequence} of '{event.stream}' has no JSON object.")
    return payload


def sentence(event: CampaignEvent) -> str:
    """Return what happened in one line, for the log."""
    match event:
        case CampaignCreated(definition):
            return f"created with {len(definition.space.searched)} factors to vary"
        case DesignSeeded(design, runs):
            return f"seeded with {len(runs)} runs: {design.method}"
        case RunsImported(runs, measurements, file_name):
            source = f" from {file_name}" if file_name else ""
            return f"imported {len(runs)} runs with {len(measurements)} values{source}"
        case BatchRecommended(batch, runs, _, proposal):
            return f"batch {batch}: {proposal.strategy} recommended {', '.join(runs)}"
        case RunsApproved(runs):
            return f"approved {', '.join(runs)}"
        case RunsRejected(runs):
            return f"rejected {', '.join(runs)}"
        case RunStarted(run):
            return f"started {run}"
        case MeasurementsRecorded(measurements):
            runs = tuple(dict.fromkeys(m.run for m in measurements))
            return f"recorded {len(measurements)} values of {', '.join(runs)}"
        case RunFailed(run):
            return f"{run} failed"
        case RunAborted(run):
            return f"{run} was aborted"
        case _:
            return _change_sentence(event)


def _change_sentence(
    event: MeasurementCorrected
    | MeasurementExcluded
    | RunExcluded
    | ExclusionLifted
    | ModelChosen
    | ObjectiveChanged
    | SpecificationsChanged,
) -> str:
    match event:
        case MeasurementCorrected(before, after):
            return (
                f"corrected {before.response} of {before.run} from {before.value:g} "
                f"to {after.value:g}"
            )
        case MeasurementExcluded(measurement):
            return f"excluded {measurement.response} of {measurement.run}"
        case RunExcluded(run):
            return f"excluded {run}"
        case ExclusionLifted(run):
            return f"counts {run} again"
        case ModelChosen(response, model, censored):
            limits = "" if censored == "refuse" else f", values at a limit: {censored}"
            return f"chose {model} for {response}{limits}"
        case ObjectiveChanged():
            return "changed the objective"
        case SpecificationsChanged(specifications):
            return f"changed the limits: {'; '.join(s.sentence() for s in specifications)}"
        case _:
            assert_never(event)
