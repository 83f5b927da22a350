"""The contract of a strategy: what it is asked, what it may know, and what it must answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np

from doe.errors import InvalidValueError
from doe.factors import Value
from doe.responses import AnyResponse, Objective, Specification
from doe.runs import JSON, Observations
from doe.space import FactorSpace
from surrogates.surrogate import SurrogateSet

if TYPE_CHECKING:
    import pandas as pd

Purpose = Literal["improve"]
Tag = Literal["exploit", "explore", "feasibility", "replicate"]
MAX_RUNS = 1_000

Progress = Callable[[float, str], None]


def no_progress(fraction: float, sentence: str) -> None:
    """Take a report of progress and show it nowhere."""


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """What is asked of a strategy.

    Attributes:
        n_runs: How many runs are to be recommended.
        purpose: What the batch is for.
        objective: What is wanted, when it differs from the campaign's objective.
        fixed: Factors held at one setting over the batch, in natural units.
        block: The level of each block factor that the batch will be run in, when it is known.

    Raises:
        InvalidValueError: If the count is not from 1 to ``MAX_RUNS``, or the purpose is unknown.
    """

    n_runs: int
    purpose: Purpose = "improve"
    objective: Objective | None = None
    fixed: Mapping[str, Value] = field(default_factory=dict, hash=False)
    block: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        whole = isinstance(self.n_runs, int) and not isinstance(self.n_runs, bool)
        if not whole or not 1 <= self.n_runs <= MAX_RUNS:
            raise InvalidValueError(
                f"n_runs is {self.n_runs!r}; ask for a whole number of runs from 1 to {MAX_RUNS}."
            )
        if self.purpose != "improve":
            raise InvalidValueError(f"Purpose {self.purpose!r} is unknown; use 'improve'.")


@dataclass(frozen=True, slots=True)
class StrategyContext:
    """What a strategy may know when it is asked.

    Attributes:
        observations: Every run and value that counts (excluded ones are left out).
        surrogates: What the results say; absent before there are results.
        specifications: Limits on responses and derived responses.
        objective: What is wanted.
        pending: Settings of runs that are proposed, approved or under way, one row per run.
    """

    observations: Observations
    surrogates: SurrogateSet | None
    specifications: tuple[Specification, ...]
    objective: Objective
    pending: "pd.DataFrame"

    @property
    def space(self) -> FactorSpace:
        """The factor space to search."""
        return self.observations.space

    @property
    def responses(self) -> tuple[AnyResponse, ...]:
        """What is measured and derived."""
        return self.observations.responses


@dataclass(frozen=True, slots=True)
class ResponsePrediction:
    """What one new run is expected to give for one response, in its natural unit.

    Attributes:
        response: Name of the response or derived response.
        mean: Expected value.
        low: Lower end of the 95 % interval of one new run.
        high: Upper end of the 95 % interval of one new run.
        unit: The response's unit.
    """

    response: str
    mean: float
    low: float
    high: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a run is recommended, from the decomposition of the acquisition at its setting.

    Attributes:
        tag: The cause without which the acquisition would fall the most.
        sentence: The same in one plain sentence, with the numbers behind it.
        parts: Share of the acquisition that falls away when each cause is removed; for a repeat,
            when the best new setting is taken instead.
    """

    tag: Tag
    sentence: str
    parts: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class ProposedRun:
    """One recommended run with everything a person needs to decide on it.

    Attributes:
        settings: In natural units, on the equipment's steps, allowed by every constraint.
        predictions: One per response and derived response.
        probability_in_specification: P(all specifications met) for one new run; absent without
            specifications.
        nearest_run: The run done or pending that is nearest; absent when there is none.
        nearest_distance: Its distance: root mean square over factors of the difference in units of
            the factor's range (a different level counts as one range).
        reason: Why.
        acquisition: Value of the acquisition for this run given those before it in the batch.
        extrapolates: Whether the setting is outside the surrogates' applicability domain.
        slack: Room left under each constraint, by its sentence; forbidden combinations have none.
    """

    settings: Mapping[str, Value] = field(hash=False)
    predictions: tuple[ResponsePrediction, ...]
    probability_in_specification: float | None
    nearest_run: str | None
    nearest_distance: float | None
    reason: Reason
    acquisition: float | None
    extrapolates: bool
    slack: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A strategy's answer.

    Attributes:
        runs: The recommended runs, in the order in which they were chosen.
        strategy: Name and version of the strategy.
        work: The optimiser work that was done (starts, iterations, samples), so that it can be
            done again; plain JSON.
        notes: What a person should know about the batch as a whole.
    """

    runs: tuple[ProposedRun, ...]
    strategy: str
    work: Mapping[str, JSON] = field(default_factory=dict, hash=False)
    notes: tuple[str, ...] = ()


@runtime_checkable
class Strategy(Protocol):
    """Recommends the next runs."""

    @property
    def name(self) -> str:
        """Name and version, kept in the record."""

    @property
    def learns(self) -> bool:
        """Whether it asks what the results say; models are fitted only for one that does."""

    def propose(
        self,
        context: StrategyContext,
        request: BatchRequest,
        *,
        rng: np.random.Generator,
        progress: Progress = no_progress,
    ) -> Proposal:
        """Return exactly ``request.n_runs`` allowed runs.

        The same context, request and state of ``rng`` give the same proposal.

        Raises:
            TooFewDataError: If the results cannot support a recommendation.
            InfeasibleSpaceError: If no allowed setting is left.
            CancelledError: If ``progress`` raised it; nothing was changed.
        """
