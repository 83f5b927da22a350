"""One person's session with one campaign: what a page shows, and what the person does in it.

Nothing here knows the library that draws the page, so everything can be tested without one.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import param

from campaigns.batch import Batch
from campaigns.campaign import Campaign
from campaigns.commands.session import chosen_campaign, open_ledger
from campaigns.envelope import Actor
from campaigns.ledger import RecordCheck
from campaigns.recommending.strategy import Progress, no_progress
from campaigns.state import CampaignState
from dashboards.maps import MapRequest, draw_map
from dashboards.tables import BatchTable, RunTable, batch_table, run_table
from doe.errors import ConflictError, StateError
from doe.responses import Goal, ProbabilityInSpecification, goals_of

if TYPE_CHECKING:
    from campaigns.maps import ReliabilityMap
    from surrogates.drivers import DriverRanking

RESEARCH_MODE = (
    "Research mode: whoever can write this store can write in any name. "
    "Nothing on this page is signed."
)


@dataclass(frozen=True, slots=True)
class Overview:
    """Where a campaign stands.

    Attributes:
        name: The campaign's name.
        description: What it is for.
        counts: Number of runs by status, in the order of a run's life.
        wanted: The objective in words.
        limits: The specifications in words.
        record: What the check of the record found.
        mode: Who answers for what is written here.
        notes: What imports pointed out.
    """

    name: str
    description: str
    counts: Mapping[str, int] = field(hash=False)
    wanted: str
    limits: tuple[str, ...]
    record: RecordCheck
    mode: str
    notes: tuple[str, ...]


class Session(param.Parameterized):
    """What one person sees of one campaign, and does in it.

    Watch ``revision``: it grows whenever the campaign's state may have changed.
    """

    revision = param.Integer(default=0, doc="Grows with every change of the campaign's state.")

    def __init__(self, campaign: Campaign, resources: ExitStack | None = None) -> None:
        """Take over an open campaign; ``close`` closes it, and what it was opened from."""
        super().__init__(name=campaign.name)  # type: ignore[no-untyped-call]  # param
        self.campaign = campaign
        self._resources = resources or ExitStack()
        self._lock = threading.Lock()
        self._writing: str | None = None

    @classmethod
    def open(cls, store: str, name: str | None, *, actor: Actor) -> Self:
        """Open a campaign of a store that is there; without a name, the only one.

        Raises:
            UnknownNameError: If there is no such store or campaign.
            InvalidValueError: If there are several campaigns and none was named.
            StoreError: If the store cannot be opened.
            RecordError: If its record does not fit together.
        """
        with ExitStack() as stack:
            ledger = stack.enter_context(open_ledger(store))
            campaign = Campaign.open(ledger, chosen_campaign(ledger, store, name), actor=actor)
            return cls(campaign, stack.pop_all())

    def close(self) -> None:
        """Close the campaign."""
        self.campaign.close()
        self._resources.close()

    @property
    def state(self) -> CampaignState:
        """Everything that is true of the campaign now."""
        return self.campaign.state

    @property
    def actor(self) -> Actor:
        """In whose name the session writes."""
        return self.campaign.actor

    def overview(self) -> Overview:
        """Return where the campaign stands; checks the whole record."""
        state = self.state
        units = {r.name: r.unit for r in state.definition.responses}
        return Overview(
            name=self.campaign.name,
            description=state.definition.description,
            counts=_counts(state),
            wanted=_objective_sentence(state),
            limits=tuple(s.sentence(units[s.response]) for s in state.specifications),
            record=self.campaign.check_record(),
            mode=RESEARCH_MODE,
            notes=state.notes,
        )

    def runs(self) -> RunTable:
        """Return every run with its status, settings and results."""
        return run_table(self.state)

    def batch(self, number: int | None = None) -> BatchTable | None:
        """Return a recommended batch, the last one without a number; None before the first."""
        batches = self.campaign.batches
        if not batches:
            return None
        place = len(batches) if number is None else number
        return batch_table(batches[place - 1], self.state)

    def fit(self, progress: Progress = no_progress) -> None:
        """Learn from the results; what was learned is kept until the results change.

        Raises:
            TooFewDataError: If a response has too few values.
        """
        progress(0.0, "Fitting the surrogates to the results")
        self.campaign.surrogates()

    def drivers(self, progress: Progress = no_progress) -> "DriverRanking":
        """Return how much each factor drives each response.

        Raises:
            TooFewDataError: If a response has too few values, or too few factors were varied.
            InvalidValueError: If the factors cannot vary independently.
        """
        self.fit(progress)
        progress(0.5, "Ranking the drivers")
        return self.campaign.drivers()

    def map(self, request: MapRequest, progress: Progress = no_progress) -> "ReliabilityMap":
        """Return the probability of meeting every specification over two factors.

        Raises:
            TooFewDataError: If a response has too few values.
            StateError: If the campaign has no specification.
        """
        self.fit(progress)
        progress(0.5, "Computing the map")
        return draw_map(self.campaign, request)

    def recommend(self, n_runs: int, progress: Progress = no_progress) -> Batch:
        """Recommend the next runs; may run in another thread, then call ``publish`` on this one.

        Raises:
            StateError: If the campaign has no objective, or something else is being written.
            TooFewDataError: If the results cannot support a recommendation.
            ConflictError: If somebody else wrote meanwhile.
            CancelledError: If ``progress`` raised it.
        """
        with self._free():
            self._writing = "A batch is being recommended on the present state"
        try:
            return self.campaign.recommend(n_runs, progress=progress)
        finally:
            self._writing = None

    def approve(self, run: str) -> None:
        """Agree, in the actor's name, that a recommended run be done.

        Raises:
            StateError: If the run is not proposed, or something else is being written.
            ConflictError: If somebody else wrote first; the session then shows the new state.
        """
        with self._shown_after(), self._free():
            self.campaign.approve([run])

    def reject(self, run: str, reason: str) -> None:
        """Decide, in the actor's name, that a recommended run be not done.

        Raises:
            InvalidValueError: If no reason is given.
            StateError: If the run is neither proposed nor approved.
            ConflictError: If somebody else wrote first; the session then shows the new state.
        """
        with self._shown_after(), self._free():
            self.campaign.reject([run], reason)

    def refresh(self) -> None:
        """Take over what others wrote.

        Raises:
            StateError: If something is being written.
        """
        with self._free():
            self.campaign.refresh()
        self.publish()

    def publish(self) -> None:
        """Tell whoever watches that the state may have changed."""
        self.revision += 1

    @contextmanager
    def _free(self) -> Iterator[None]:
        """Let nothing else begin meanwhile.

        A batch is computed from one state: an act in between would make it the answer to another.
        """
        with self._lock:
            if self._writing is not None:
                raise StateError(f"{self._writing}: wait until it is there, or cancel it.")
            yield

    @contextmanager
    def _shown_after(self) -> Iterator[None]:
        try:
            yield
        except ConflictError as error:
            self.campaign.refresh()
            self.publish()
            raise ConflictError(
                f"{error} Nothing was written. The page now shows the new state: decide again."
            ) from error
        self.publish()


def _counts(state: CampaignState) -> dict[str, int]:
    order = (
        "done", "started", "approved", "proposed", "failed", "aborted", "rejected", "excluded"
    )  # fmt: skip
    statuses = [str(run.status) for run in state.runs.values() if run.excluded is None]
    counted = Counter(statuses)
    counted["excluded"] = len(state.runs) - len(statuses)
    return {status: counted[status] for status in order if counted[status]}


def _objective_sentence(state: CampaignState) -> str:
    if state.objective is None:
        return "No objective yet: this campaign learns and does not recommend."
    if isinstance(state.objective, ProbabilityInSpecification):
        return "Maximise the probability of meeting every specification."
    units = {r.name: r.unit for r in state.definition.responses}
    kind = type(state.objective).__name__
    goals = " and ".join(_goal(goal, units[goal.response]) for goal in goals_of(state.objective))
    lead = "" if kind == "Single" else f"{kind}: "
    return f"{lead}{goals[0].upper() if not lead else goals[0]}{goals[1:]}."


def _goal(goal: Goal, unit: str) -> str:
    named = f"{goal.response} ({unit})" if unit else goal.response
    match goal.aim:
        case "target":
            return f"bring {named} to {goal.target:g}"
        case "range":
            return f"keep {named} from {goal.low:g} to {goal.high:g}"
        case _:
            return f"{goal.aim} {named}"
