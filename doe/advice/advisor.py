"""Advice before any run is spent: designs that suit a goal and a budget, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np

from doe.advice.candidates import candidates
from doe.advice.goals import Candidate, StudyGoal
from doe.advice.proposals import DesignProposal, proposal_of
from doe.advice.rules import meets_rules, ranked
from doe.designs.optimal.costs import RunCost
from doe.errors import CancelledError, DesignError, ExperimentError, TooFewRunsError
from doe.factors import check_number
from doe.runs import Design
from doe.space import FactorSpace
from doe.terms import linear_terms, model_columns

if TYPE_CHECKING:
    import pandas as pd

MIN_PROPOSALS = 3


@dataclass(frozen=True, eq=False)
class Advice:
    """Designs for a goal within a budget, the recommended one first.

    Attributes:
        goal: What the study is for.
        budget: The most runs.
        effect: The difference that should be found, in the unit of the response.
        sd: The run-to-run SD that was assumed, in the same unit.
        proposals: The designs.
        left_out: Designs that were considered and are not offered, each with why.
    """

    goal: StudyGoal
    budget: int
    effect: float
    sd: float
    proposals: tuple[DesignProposal, ...]
    left_out: tuple[tuple[str, str], ...]

    def table(self) -> "pd.DataFrame":
        """Return a row per design: runs, what it estimates, power, VIF, prediction SD, cost."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "design": proposal.name,
                    "runs": proposal.n_runs,
                    "model": proposal.model,
                    "estimable": proposal.estimable,
                    "least power": _rounded(proposal.least_power),
                    "largest VIF": _rounded(proposal.evaluation.largest_vif),
                    "prediction SD at 80 %": _rounded(proposal.prediction_sd),
                    "cost": proposal.cost,
                    "meets the rules": meets_rules(proposal, self.goal),
                    "for": proposal.reason,
                    "against": proposal.caution,
                    "source": proposal.source,
                }
                for proposal in self.proposals
            ]
        )

    def sentences(self) -> tuple[str, ...]:
        """Return the recommendation and what it rests on, in words."""
        best = self.proposals[0]
        purpose = "for robustness" if self.goal == "robustness" else f"to {self.goal}"
        verdict = (
            f"Recommended {purpose}: {best.name}, {best.n_runs} runs. {best.reason}"
            if meets_rules(best, self.goal)
            else f"No design within {self.budget} runs meets the rules {purpose}; the nearest is "
            f"{best.name}, {best.n_runs} runs. {best.reason}"
        )
        assumed = (
            f"Power is for a difference of {self.effect:g} between two settings of a factor when "
            f"one run has an SD of {self.sd:g}: {self.effect / self.sd:g} SD."
        )
        blocks = [block.name for block in best.design.space.blocks]
        free = [name for name in blocks if name not in best.design.blocks]
        if free:
            hint = (
                f"{', '.join(free)} is not in these designs: divide the chosen one into blocks "
                "(in_blocks) before it is run."
            )
            return (verdict, f"Against it: {best.caution}", assumed, hint)
        return (verdict, f"Against it: {best.caution}", assumed)


def advise(
    space: FactorSpace,
    goal: StudyGoal,
    budget: int,
    *,
    effect: float | None = None,
    sd: float = 1.0,
    run_cost: float | RunCost = 1.0,
    rng: np.random.Generator,
) -> Advice:
    """Return at least three designs for a goal within a budget of runs, the recommended one first.

    All are made and evaluated; nothing is judged by its name. The rules that order them are
    ``RULES``, each with its source.

    Args:
        space: The factors, with everything that limits them.
        goal: ``screen`` (which of many factors matter), ``characterise`` (which act, alone and two
            together), ``optimise`` (where the best is) or ``robustness`` (does anything matter in
            small ranges).
        budget: The most runs that can be done.
        effect: The difference in the response that should be found, in its unit; ``2 * sd`` where
            it is not given.
        sd: The run-to-run SD, in the same unit.
        run_cost: Cost of one run, in any currency, or how it follows from the settings.
        rng: Source of the random draws.

    Raises:
        DesignError: If the goal or a number is not allowed, or fewer than three designs exist.
        TooFewRunsError: If the budget does not even allow main effects.
    """
    if goal not in get_args(StudyGoal):
        raise DesignError(f"goal is {goal!r}; expected one of {', '.join(get_args(StudyGoal))}.")
    _check_budget(space, budget)
    difference = 2.0 * sd if effect is None else effect
    for what, value in (("sd", sd), ("effect", difference)):
        if check_number(value, what) <= 0:
            raise DesignError(f"{what} must be positive, got {value:g}, in the response's unit.")
    if not isinstance(run_cost, RunCost) and check_number(run_cost, "run_cost") < 0:
        raise DesignError(f"run_cost is {run_cost:g}; a run costs nothing or more.")
    proposals: list[DesignProposal] = []
    left_out: list[tuple[str, str]] = []
    for candidate in candidates(space, goal, int(budget), ratio=difference / sd, rng=rng):
        made = _made(candidate, int(budget))
        if isinstance(made, str):
            left_out.append((candidate.name, made))
        elif not any(_same_runs(made, other.design) for other in proposals):
            proposals.append(
                proposal_of(candidate, made, goal, effect=difference, sd=sd, cost=run_cost, rng=rng)
            )
    if len(proposals) < MIN_PROPOSALS:
        reasons = dict.fromkeys(why for _, why in left_out)
        raise DesignError(
            f"Only {len(proposals)} different designs of at most {budget} runs exist here. "
            f"{' '.join(reasons)}"
        )
    ordered = ranked(proposals, goal, space)
    return Advice(goal, int(budget), difference, sd, tuple(ordered), tuple(left_out))


def _check_budget(space: FactorSpace, budget: object) -> None:
    if isinstance(budget, bool) or not isinstance(budget, int | np.integer):
        raise DesignError(f"budget must be a whole number of runs, got {budget!r}.")
    least = len(model_columns(linear_terms(space), space)) + 1
    if budget < least:
        raise TooFewRunsError(
            f"budget is {budget} runs, but the main effects of {len(space.names)} factors and an "
            f"error to judge them by need at least {least}: allow more runs or leave out factors."
        )


def _made(candidate: Candidate, budget: int) -> Design | str:
    """Return the design, or why it is not offered."""
    try:
        design = candidate.make()
    except CancelledError:
        raise
    except ExperimentError as error:
        return str(error)
    if design.n_runs > budget:
        return f"It has {design.n_runs} runs, and the budget is {budget}."
    return design


def _same_runs(one: Design, other: Design) -> bool:
    def rows(design: Design) -> Sequence[tuple[object, ...]]:
        return sorted(map(tuple, design.runs.round(9).astype(object).to_numpy().tolist()), key=str)

    return one.blocks == other.blocks and rows(one) == rows(other)


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.3g}")
