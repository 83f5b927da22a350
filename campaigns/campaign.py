"""The campaign: the one stateful class, through which everything is read and written."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

from campaigns import decisions, filled_sheets, intake
from campaigns import events as happened
from campaigns.batch import Batch
from campaigns.definition import CampaignDefinition
from campaigns.envelope import Actor, Draft, Event
from campaigns.ledger import Ledger, RecordCheck
from campaigns.randomness import Purpose, generator, spawn_key
from campaigns.recommending.strategy import BatchRequest, Progress, Strategy, no_progress
from campaigns.state import CampaignState, advance, replay
from campaigns.streams import campaign_names, stream_of
from doe.errors import StateError, UnknownNameError
from doe.responses import AnyResponse, Objective, Specification
from doe.runs import Design, Measurement, Observations
from doe.space import FactorSpace

if TYPE_CHECKING:
    import numpy as np

    from campaigns.exports.package import Exported
    from campaigns.progress import ProgressReport
    from campaigns.reproduction import Reproduction
    from doe.tables import TableImport
    from surrogates.drivers import DriverRanking
    from surrogates.surrogate import SurrogateSet

Store = str | Path | Ledger


class Campaign:
    """A campaign of experiments: its state, and every act that changes it.

    Each act appends one event to the ledger in the name of ``actor``, or raises and changes
    nothing. When somebody else wrote first it raises ``ConflictError``: ``refresh`` and decide
    again. What each act asks of the state, and which error says so, stands in
    ``campaigns.decisions`` under the same name.
    """

    def __init__(self, ledger: Ledger, state: CampaignState, actor: Actor) -> None:
        """Hold an open campaign; use ``create`` or ``open``."""
        self.ledger = ledger
        self.actor = actor
        self._state = state
        self._surrogates: tuple[int, SurrogateSet] | None = None

    @classmethod
    def create(
        cls,
        store: Store,
        name: str,
        space: FactorSpace,
        responses: Sequence[AnyResponse],
        specifications: Sequence[Specification] = (),
        objective: Objective | None = None,
        *,
        seed: int,
        actor: Actor,
    ) -> Self:
        """Begin a campaign in a store: a file's path, a database's URL, or an open ledger.

        Raises:
            InvalidValueError: If the parts do not fit each other.
            StateError: If a campaign of this name is already there.
        """
        definition = CampaignDefinition(
            name,
            space.factors,
            tuple(responses),
            space.constraints,
            tuple(specifications),
            objective,
            seed=seed,
            mixture_total=space.mixture_total,
        )
        return cls.create_from(store, definition, actor=actor)

    @classmethod
    def create_from(cls, store: Store, definition: CampaignDefinition, *, actor: Actor) -> Self:
        """Begin a campaign from its definition.

        Raises:
            StateError: If a campaign of this name is already there.
        """
        with ExitStack() as stack:
            ledger = _entered(store, stack)
            stream = stream_of(definition.name)
            if ledger.head(stream) is not None:
                raise StateError(
                    f"Campaign '{definition.name}' already exists: open it, or choose another name."
                )
            draft = happened.draft(happened.CampaignCreated(definition))
            events = ledger.append(stream, [draft], actor=actor, expected=0)
            stack.pop_all()
            return cls(ledger, replay(events), actor)

    @classmethod
    def open(cls, store: Store, name: str, *, actor: Actor) -> Self:
        """Open a campaign that is there.

        Raises:
            UnknownNameError: If there is no campaign of this name.
            RecordError: If its record does not fit together.
        """
        with ExitStack() as stack:
            ledger = _entered(store, stack)
            events = ledger.read(stream_of(name))
            if not events:
                raise UnknownNameError(
                    f"There is no campaign '{name}' in this store; there are "
                    f"{', '.join(campaign_names(ledger)) or 'none'}."
                )
            stack.pop_all()
            return cls(ledger, replay(events), actor)

    def __enter__(self) -> Self:
        """Return the campaign itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the ledger."""
        self.close()

    def close(self) -> None:
        """Close the ledger; everything is stored already."""
        self.ledger.close()

    @property
    def name(self) -> str:
        """The campaign's name, unique in its store."""
        return self._state.definition.name

    @property
    def state(self) -> CampaignState:
        """Everything that is true of the campaign now."""
        return self._state

    @property
    def space(self) -> FactorSpace:
        """The factor space."""
        return self._state.space

    @property
    def observations(self) -> Observations:
        """The runs and values that count."""
        return self._state.observations()

    @property
    def batches(self) -> tuple[Batch, ...]:
        """The batches that were recommended."""
        return tuple(Batch.of(record.event) for record in self._state.batches)

    def events(self) -> tuple[Event, ...]:
        """Return the whole record."""
        return self.ledger.read(stream_of(self.name))

    def refresh(self) -> None:
        """Take over what others wrote since."""
        later = self.ledger.read(stream_of(self.name), after=self._state.sequence)
        self._state = advance(self._state, later)

    def rng(self, purpose: Purpose) -> "np.random.Generator":
        """Return the generator for a purpose; equal until the data or models change."""
        key = spawn_key(self._state.data_sequence, purpose)
        return generator(self._state.definition.seed, key)

    def seed(self, design: Design) -> tuple[str, ...]:
        """Take over a classical design; its runs count as approved by whoever seeds it.

        Block factors that the design brings along become part of the campaign's space.

        Returns:
            The names of the runs, in standard order.

        Raises:
            InvalidValueError: If the design belongs to another factor space.
        """
        event = intake.seeded(self._state, design)
        self._append(happened.draft(event))
        return event.runs

    def import_runs(self, source: "Observations | TableImport") -> tuple[str, ...]:
        """Add runs that nobody here planned, with their results; or take a filled-in run sheet.

        A table with run codes is a run sheet.

        Args:
            source: The runs, or a table that was read with ``doe.read_table``, whose file and
                notes are then kept beside them.

        Returns:
            The names of the runs as they are now called.

        Raises:
            StateError: If a run of that name is already there.
            InvalidValueError: If a run, code or value does not fit the campaign.
        """
        if isinstance(source, Observations):
            event = intake.imported(self._state, source)
        elif source.codes:
            return self.record_table(source)
        else:
            event = intake.imported_table(self._state, source)
        self._append(happened.draft(event))
        return tuple(entry.run for entry in event.runs)

    def recommend(
        self,
        request: BatchRequest | int,
        strategy: Strategy | None = None,
        *,
        progress: Progress = no_progress,
    ) -> Batch:
        """Recommend the next runs; they are proposed until somebody approves or rejects them.

        Args:
            request: What is asked, or just how many runs.
            strategy: Who answers; the Bayesian strategy when absent.
            progress: Called with the share done and a sentence; may raise ``CancelledError``.

        Raises:
            TooFewDataError: If the results cannot support a recommendation.
            StateError: If the campaign has no objective.
        """
        from campaigns.reproduction import recommendation

        state = self._state
        asked = request if isinstance(request, BatchRequest) else BatchRequest(request)
        learn = self.surrogates if state.measurements else None
        event = recommendation(state, asked, strategy, surrogates=learn, progress=progress)
        self._append(happened.draft(event), expected=state.sequence)
        return Batch.of(event)

    def approve(self, runs: Iterable[str]) -> None:
        """Agree that recommended runs be done."""
        self._append(decisions.approve(self._state, runs))

    def reject(self, runs: Iterable[str], reason: str) -> None:
        """Decide that recommended runs be not done."""
        self._append(decisions.reject(self._state, runs, reason))

    def start(self, run: str, *, recorded: Mapping[str, str] | None = None) -> None:
        """Say that an approved run began, with the blocks and contexts that are known."""
        self._append(decisions.start(self._state, run, recorded or {}))

    def record(
        self,
        measurements: Iterable[Measurement],
        *,
        actual: Mapping[str, happened.SettingsMap] | None = None,
        recorded: Mapping[str, happened.SettingsMap] | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        """Take results of planned runs.

        Args:
            measurements: The values.
            actual: By run, settings achieved where they differ from those asked for.
            recorded: By run, covariates, contexts and blocks.
            idempotency_key: The same key with the same content is recorded once only.

        Raises:
            StateError: If a run was not approved, or ended without a result.
            InvalidValueError: If a value is impossible or there already.
        """
        event = happened.MeasurementsRecorded(tuple(measurements), actual or {}, recorded or {})
        # A repeat is compared by the ledger; here its values would look recorded twice.
        if idempotency_key is None or idempotency_key not in self._state.keys:
            intake.check_recorded(self._state, event)
        self._append(happened.draft(event, idempotency_key=idempotency_key))

    def record_table(self, table: "TableImport") -> tuple[str, ...]:
        """Take the results of a filled-in run sheet that was read with ``doe.read_table``.

        Settings that differ from those asked for count as achieved.
        """
        filled_sheets.check_codes(self._state, table.codes)
        values, actual, recorded = filled_sheets.from_table(self._state, table.observations)
        source = (table.file_name, table.sha256)
        event = happened.MeasurementsRecorded(values, actual, recorded, *source)
        intake.check_recorded(self._state, event)
        self._append(happened.draft(event))
        return tuple(dict.fromkeys(measurement.run for measurement in values))

    def notes_on(self, table: "TableImport") -> tuple[str, ...]:
        """Return where a filled-in run sheet, before it is taken, differs from the plan."""
        return filled_sheets.notes_on(self._state, table)

    def fail(self, run: str, reason: str) -> None:
        """Say that a run gave no usable result."""
        self._append(decisions.fail(self._state, run, reason))

    def abort(self, run: str, reason: str) -> None:
        """Say that a run was called off."""
        self._append(decisions.abort(self._state, run, reason))

    def correct(self, measurement: Measurement, value: float, *, reason: str) -> None:
        """Replace a value; the old one stays in the record."""
        self._append(decisions.correct(self._state, measurement, value, reason))

    def exclude(self, what: Measurement | str, *, reason: str) -> None:
        """Leave a value, or a run with all its values, out of the models, not of the record."""
        self._append(decisions.exclude(self._state, what, reason))

    def include(self, run: str, *, reason: str) -> None:
        """Let a run, with every value of it, count again."""
        self._append(decisions.include(self._state, run, reason))

    def choose_model(
        self,
        response: str,
        model: str,
        *,
        censored: happened.Censored = "refuse",
        reason: str,
    ) -> None:
        """Choose the kind of surrogate for a response, and what becomes of values at a limit."""
        choice = happened.ModelChosen(response, model, censored)
        self._append(decisions.choose_model(self._state, choice, reason))

    def change_objective(self, objective: Objective, *, reason: str) -> None:
        """Change what is wanted."""
        self._append(decisions.change_objective(self._state, objective, reason))

    def change_specifications(
        self, specifications: Sequence[Specification], *, reason: str
    ) -> None:
        """Change the limits."""
        self._append(decisions.change_specifications(self._state, specifications, reason))

    def surrogates(self) -> "SurrogateSet":
        """Return what the results say, one surrogate per measured response.

        Raises:
            TooFewDataError: If a response has too few values.
        """
        from campaigns.modelling import fit_models

        if self._surrogates is None or self._surrogates[0] != self._state.data_sequence:
            fitted = fit_models(self.observations, self._state.models, rng=self.rng("surrogates"))
            self._surrogates = (self._state.data_sequence, fitted)
        return self._surrogates[1]

    def drivers(self) -> "DriverRanking":
        """Return how much each factor drives each response, with intervals.

        Raises:
            TooFewDataError: If a response has too few values.
        """
        from surrogates.drivers import rank_drivers

        return rank_drivers(self.surrogates(), rng=self.rng("drivers"))

    def check_record(self) -> RecordCheck:
        """Check every event's hash, its link to the one before, and the head."""
        return self.ledger.check(stream_of(self.name))

    def reproduce(self, batch: int) -> "Reproduction":
        """Do the work of a recommended batch again and compare.

        Raises:
            UnknownNameError: If there is no such batch.
        """
        from campaigns.reproduction import reproduce

        return reproduce(self.events(), batch)

    def progress(self) -> "tuple[ProgressReport, ...]":
        """Return the results run by run, with the best so far: one report per response."""
        from campaigns.progress import report_progress

        return report_progress(self._state)

    def export(self, folder: Path, *, replace: bool = False) -> "Exported":
        """Write run sheet, results, record and figures: see ``export_campaign``."""
        from campaigns.exports.package import export_campaign

        return export_campaign(self, folder, replace=replace)

    def _append(self, draft: Draft, expected: int | None = None) -> None:
        before = self._state.sequence
        seen = before if expected is None else expected
        stored = self.ledger.append(stream_of(self.name), [draft], actor=self.actor, expected=seen)
        # An idempotent repeat returns the event that is there, which was taken over long ago.
        self._state = advance(self._state, [e for e in stored if e.sequence > before])


def _entered(store: Store, stack: ExitStack) -> Ledger:
    return store if isinstance(store, Ledger) else stack.enter_context(Ledger(store))
