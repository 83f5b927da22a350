"""The space-filling strategy: each run as far as possible from all others; it learns nothing."""

from dataclasses import dataclass

import numpy as np

from campaigns.recommending.distances import distances, runs_known
from campaigns.recommending.facts import proposed_runs
from campaigns.recommending.feasible import narrowed
from campaigns.recommending.strategy import (
    BatchRequest,
    Progress,
    Proposal,
    Reason,
    StrategyContext,
    no_progress,
)


@dataclass(frozen=True)
class SpaceFillingStrategy:
    """Recommends runs far from those done, under way and chosen, whatever their results are.

    Of settings drawn over the allowed region each run takes the one that is furthest from its
    nearest neighbour. It needs no results and has no acquisition.

    Attributes:
        n_drawn: From how many drawn settings a batch is chosen, at least.

    Source:
        Kennard and Stone (1969), Technometrics 11, 137-148: the sequential maximin choice.
    """

    n_drawn: int = 512

    @property
    def learns(self) -> bool:
        """Whether it asks what the results say: it does not."""
        return False

    @property
    def name(self) -> str:
        """Name and version, kept in the record."""
        return "space-filling/1"

    def propose(
        self,
        context: StrategyContext,
        request: BatchRequest,
        *,
        rng: np.random.Generator,
        progress: Progress = no_progress,
    ) -> Proposal:
        """Return exactly ``request.n_runs`` allowed runs.

        Raises:
            InvalidValueError: If a fixed setting is not allowed.
            UnknownNameError: If a fixed factor does not exist.
            InfeasibleSpaceError: If no allowed setting is left.
            CancelledError: If ``progress`` raised it; nothing was changed.
        """
        progress(0.0, "Drawing settings over the allowed region")
        space = narrowed(context.space, request.fixed) if request.fixed else context.space
        n_drawn = max(self.n_drawn, 4 * request.n_runs)
        drawn = space.sample(n_drawn, rng=rng)
        known = runs_known(context)
        gaps = np.full(n_drawn, np.inf)
        if len(known):
            gaps = distances(space, drawn, known).min(axis=1)
        chosen: list[int] = []
        reasons = []
        for place in range(request.n_runs):
            progress(place / request.n_runs, f"Choosing run {place + 1} of {request.n_runs}")
            row = int(gaps.argmax())
            reasons.append(_reason(float(gaps[row]), n_drawn))
            chosen.append(row)
            gaps = np.minimum(gaps, distances(space, drawn, drawn.iloc[[row]])[:, 0])
        settings = drawn.iloc[chosen].reset_index(drop=True)
        runs = proposed_runs(
            context, settings, reasons, [None] * request.n_runs, block=request.block, rng=rng
        )
        return Proposal(runs, self.name, {"n_drawn": n_drawn})


def _reason(gap: float, n_drawn: int) -> Reason:
    if not np.isfinite(gap):
        return Reason("explore", "Fills the space: it is the first run.")
    if gap == 0:
        return Reason(
            "replicate", f"Repeats a run: all {n_drawn} drawn settings are taken already."
        )
    return Reason(
        "explore",
        f"Fills the space: the nearest run is {gap:.2g} ranges of the factors away, the most among "
        f"{n_drawn} drawn settings.",
    )
