"""Making a recommendation from a state, and doing the same work again to compare."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from campaigns import events as happened
from campaigns.envelope import Event
from campaigns.intake import new_run_names
from campaigns.modelling import (
    fit_models,
    library_versions,
    thread_count,
    training_data_hash,
)
from campaigns.randomness import generator, spawn_key
from campaigns.recommending.strategy import (
    BatchRequest,
    Progress,
    ProposedRun,
    Strategy,
    StrategyContext,
    no_progress,
)
from campaigns.state import CampaignState, replay
from doe.errors import StateError, UnknownNameError
from doe.factors import CategoricalFactor

if TYPE_CHECKING:
    from surrogates.surrogate import SurrogateSet

Outcome = Literal["identical", "within 1e-10", "different"]
TOLERANCE = 1e-10


@dataclass(frozen=True)
class Reproduction:
    """What came of doing the work of a batch again.

    Attributes:
        batch: Number of the batch.
        outcome: How the settings compare.
        largest_difference: Largest difference of a setting, in units of the factor's range.
        versions_differ: Libraries whose version is not the one of then, as ``name: then -> now``.
    """

    batch: int
    outcome: Outcome
    largest_difference: float
    versions_differ: tuple[str, ...]


def recommendation(
    state: CampaignState,
    request: BatchRequest,
    strategy: Strategy | None,
    *,
    surrogates: "Callable[[], SurrogateSet] | None",
    progress: Progress = no_progress,
) -> happened.BatchRecommended:
    """Return the event of a recommendation, with all that is needed to make it again.

    Args:
        state: The campaign as it is.
        request: What is asked.
        strategy: Who answers; the Bayesian strategy when absent.
        surrogates: Fits the surrogates; absent before there are results.
        progress: Called with the share done and a sentence.

    Raises:
        StateError: If neither the campaign nor the request has an objective.
        TooFewDataError: If the results cannot support a recommendation.
    """
    objective = request.objective or state.objective
    if objective is None:
        raise StateError(
            f"Campaign '{state.definition.name}' has no objective: say what is wanted, for example "
            "Single(Goal('titre', 'maximise'))."
        )
    if strategy is None:
        from campaigns.recommending.bayesian import BayesianStrategy

        strategy = BayesianStrategy()
    observations = state.observations()
    progress(0.0, "Learning from the results" if strategy.learns else "Choosing settings")
    context = StrategyContext(
        observations,
        surrogates() if surrogates is not None and strategy.learns else None,
        state.specifications,
        objective,
        state.pending(),
    )
    key = spawn_key(state.sequence, "recommend")
    rng = generator(state.definition.seed, key)
    proposal = strategy.propose(context, request, rng=rng, progress=progress)
    return happened.BatchRecommended(
        batch=len(state.batches) + 1,
        runs=new_run_names(state, len(proposal.runs)),
        request=request,
        proposal=proposal,
        spawn_key=key,
        training_data_hash=training_data_hash(observations),
        versions=library_versions(),
        n_threads=thread_count(),
    )


def reproduce(
    record: Sequence[Event], batch: int, strategy: Strategy | None = None
) -> Reproduction:
    """Return how a batch compares with the same work done again on the same part of the record.

    Args:
        record: Every event of the campaign.
        batch: Number of the batch.
        strategy: Who answered then; the Bayesian strategy when absent.

    Raises:
        UnknownNameError: If there is no such batch.
        StateError: If another strategy made the batch.
    """
    state = replay(record)
    if not 1 <= batch <= len(state.batches):
        raise UnknownNameError(
            f"There is no batch {batch}; this campaign has {len(state.batches)} batches."
        )
    then = state.batches[batch - 1]
    before = replay(record[: then.sequence - 1])
    if strategy is None:
        from campaigns.recommending.bayesian import BayesianStrategy

        strategy = BayesianStrategy()
    if strategy.name != then.event.proposal.strategy:
        raise StateError(
            f"Batch {batch} was made by '{then.event.proposal.strategy}', not by "
            f"'{strategy.name}': pass that strategy to reproduce it."
        )

    def fitted() -> "SurrogateSet":
        rng = generator(before.definition.seed, spawn_key(before.data_sequence, "surrogates"))
        return fit_models(before.observations(), before.models, rng=rng)

    surrogates = fitted if before.measurements else None
    again = recommendation(before, then.event.request, strategy, surrogates=surrogates)
    difference = _largest_difference(before, then.event.proposal.runs, again.proposal.runs)
    outcome: Outcome = "different"
    if difference == 0 and again.training_data_hash == then.event.training_data_hash:
        outcome = "identical"
    elif difference <= TOLERANCE:
        outcome = "within 1e-10"
    now = again.versions
    changed = tuple(
        f"{name}: {version} -> {now.get(name, 'absent')}"
        for name, version in then.event.versions.items()
        if now.get(name) != version
    )
    return Reproduction(batch, outcome, difference, changed)


def _largest_difference(
    state: CampaignState, then: Sequence[ProposedRun], now: Sequence[ProposedRun]
) -> float:
    if len(then) != len(now):
        return float("inf")
    ranges = {
        factor.name: factor.high - factor.low
        for factor in state.space.searched
        if not isinstance(factor, CategoricalFactor)
    }
    largest = 0.0
    for one, other in zip(then, now, strict=True):
        for name in state.space.names:
            before, after = one.settings[name], other.settings[name]
            if isinstance(before, str) or isinstance(after, str):
                largest = max(largest, 0.0 if before == after else 1.0)
            else:
                largest = max(largest, abs(before - after) / ranges[name])
    return largest
