"""The Bayesian strategy: each run of a batch promises most, given those before it."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from campaigns.recommending.acquisition import Acquisition
from campaigns.recommending.facts import proposed_runs
from campaigns.recommending.problem import Problem, problem_of
from campaigns.recommending.reasons import reason_for
from campaigns.recommending.repeats import Repeat, best_repeat, log_gain
from campaigns.recommending.search import SAME, Effort, Search, Tally
from campaigns.recommending.strategy import (
    BatchRequest,
    Progress,
    Proposal,
    ProposedRun,
    Reason,
    StrategyContext,
    no_progress,
)
from campaigns.recommending.values import Improvement
from doe.runs import JSON
from surrogates.gaussian_process.torch_session import seeded_torch

SEEDS = 2**31 - 1
# The smooth maximum never promises less than about a millionth of a scale.
FLAT = 1e-5
NOTHING_TO_GAIN = (
    "By these models there is nothing left to gain: no setting promises a better result than the "
    "runs so far, so these runs are about as good as any others. Look at the goal and the limits "
    "(all met already, or out of reach?), or stop here."
)
NEGLIGIBLE = 1e-6  # of the volume in units of the scales
# A new setting also teaches about its neighbourhood, which its improvement does not count: to
# repeat as soon as that gains more led to worse set points in simulated campaigns than never to.
REPEAT_MARGIN = 3.0


@dataclass(frozen=True)
class BayesianStrategy:
    """Recommends runs by what they are expected to bring, with BoTorch.

    One value to make large (a goal, a weighted sum, a desirability, the probability of meeting the
    specifications): noisy expected improvement. Several: noisy expected hypervolume improvement.
    While no run is likely to meet the specifications: improvement of the probability to meet them.

    A batch of any size is chosen run by run. Each is rounded to the equipment's steps before the
    next is chosen, and stands, with the runs under way, among those to be improved on.

    Specifications are outcome constraints on the *new run*, noise and block effect included: that
    is what a design space is about. A limit on the expected value alone, as BoTorch's constraints
    on the surface are, would put half of the runs at an active limit out of specification. How
    the probability enters is said in ``values``.

    A new setting is weighed against repeating a run by what either result would teach about the
    best choice; see ``repeats``. The acquisition of a repeat is the logarithm of that gain.

    Attributes:
        effort: How much optimiser work is done for each run.
    """

    effort: Effort = field(default_factory=Effort)

    @property
    def learns(self) -> bool:
        """Whether it asks what the results say: it does."""
        return True

    @property
    def name(self) -> str:
        """Name and version, kept in the record."""
        return "bayesian/1"

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
            TooFewDataError: If the results cannot support a recommendation; says what to do.
            InvalidValueError: If the objective cannot be searched, or a fixed setting is not
                allowed.
            UnknownNameError: If objective, specifications or fixed factors name what is not there.
            InfeasibleSpaceError: If no allowed setting is left.
            CancelledError: If ``progress`` raised it; nothing was changed.
        """
        progress(0.0, "Reading what the results say")
        with seeded_torch(rng), _one_thread():
            problem = problem_of(context, request, seed=int(rng.integers(SEEDS)))
            return self._propose(problem, context, request, rng, progress)

    def _propose(
        self,
        problem: Problem,
        context: StrategyContext,
        request: BatchRequest,
        rng: np.random.Generator,
        progress: Progress,
    ) -> Proposal:
        region = problem.region
        raw = region.encoding.encode(region.space.sample(self.effort.n_raw, rng=rng))
        search = Search(region, raw, self.effort, Tally())
        acquisition = problem.acquisition(
            request.n_runs, self.effort.n_draws, seed=int(rng.integers(SEEDS))
        )
        chosen = _Batch(problem, search, acquisition)
        for place in range(request.n_runs):
            progress(place / request.n_runs, f"Choosing run {place + 1} of {request.n_runs}")
            chosen.add_run()
        progress(1.0, "Describing the runs")
        settings = region.space.project(region.encoding.decode(torch.stack(chosen.settings)))
        runs = proposed_runs(
            context, settings, chosen.reasons, chosen.values, block=request.block, rng=rng
        )
        work = self._work(problem, len(acquisition.normals), search.tally)
        notes = (*problem.notes, *chosen.notes(), *_extrapolation_note(runs))
        return Proposal(runs, self.name, work, notes)

    def _work(self, problem: Problem, n_draws: int, tally: Tally) -> dict[str, JSON]:
        return {
            "acquisition": problem.worth.name,
            "n_draws": n_draws,
            "n_raw": self.effort.n_raw,
            "n_starts": self.effort.n_starts,
            "n_iterations": self.effort.n_iterations,
            "n_standing": len(problem.standing),
            "evaluations": list(tally.evaluations),
        }


def _extrapolation_note(runs: Sequence[ProposedRun]) -> tuple[str, ...]:
    n_outside = sum(run.extrapolates for run in runs)
    if not n_outside:
        return ()
    return (
        f"{n_outside} of {len(runs)} runs lie outside what the runs so far support: they would "
        "teach the most, and their predictions are the least sure. To stay closer, hold factors "
        "fixed or narrow the ranges that are searched.",
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch compute on one thread, so that sums do not depend on the number of cores.

    The matrices here are small: more threads would mostly wait for each other.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


@dataclass
class _Batch:
    """The runs chosen so far, and the acquisition of the next one."""

    problem: Problem
    search: Search
    acquisition: Acquisition
    settings: list[Tensor] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)

    def add_run(self) -> None:
        """Choose the next run: the best new setting, or a repeat that teaches more."""
        self.search.tally.begin_run()
        taken = torch.cat([self.problem.known, *(one[None] for one in self.settings)])
        setting, value = self.search.best_setting(
            self.acquisition, self.problem.standing[: self.problem.n_done], taken
        )
        is_new = bool(((taken - setting).abs() > SAME).any(dim=-1).all())
        repeat = best_repeat(
            self.acquisition,
            value,
            n_done=self.problem.n_done,
            allowed=torch.from_numpy(self.problem.region.can_be_set(self.acquisition.standing)),
        )
        names = (
            *self.problem.standing_names,
            *(f"run {place + 1} of this batch" for place in range(len(self.settings))),
        )
        if repeat is not None and (not is_new or self._prefers(repeat)):
            setting, value = self.acquisition.standing[repeat.place], log_gain(repeat.gain)
        else:
            repeat = None
        self.reasons.append(
            reason_for(self.acquisition, setting, standing_names=names, repeat=repeat)
        )
        self.settings.append(setting)
        self.values.append(value)
        self.acquisition = self.acquisition.with_run(setting)

    def _prefers(self, repeat: Repeat) -> bool:
        """Return whether a repeat is worth more than the best new setting."""
        if len(self.acquisition.worth.wanted.values) > 1:
            # Volume and rise of a sum have no common unit: only where there is no volume to gain.
            return repeat.gain_of_new < NEGLIGIBLE
        return repeat.gain > REPEAT_MARGIN * repeat.gain_of_new

    def _is_flat(self) -> bool:
        """Return whether the first run, which promises most, promises next to nothing."""
        worth = self.acquisition.worth
        unit = worth.scale if isinstance(worth, Improvement) else 1.0
        return self.values[0] < math.log(FLAT * unit)

    def notes(self) -> tuple[str, ...]:
        """Return what a person should know about the batch as a whole."""
        n_repeats = sum(reason.tag == "replicate" for reason in self.reasons)
        flat = (NOTHING_TO_GAIN,) if self._is_flat() else ()
        if not n_repeats:
            return flat
        return (
            *flat,
            f"{n_repeats} of {len(self.reasons)} runs repeat a setting: with this noise a second "
            "result there teaches more about the best choice than any new setting that was found.",
        )
