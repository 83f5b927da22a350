"""The rules by which designs for a goal are judged and ordered, each with its source."""

from collections.abc import Sequence

from doe.advice.goals import LEAST_POWER, StudyGoal, goal_terms, hard_to_change
from doe.advice.proposals import DesignProposal
from doe.space import FactorSpace

LARGEST_VIF = 5.0
LARGEST_ALIAS = 0.1
LARGEST_SD = 1.0
LEAST_DF = 4
# Designs whose cost times variance differ by less count as equally good, and the cheaper is taken.
NEAR = 1.25

RULES = (
    f"A design is adequate when the model of the goal is estimable in it with at least {LEAST_DF} "
    "degrees of freedom for the error (our choice: below it the t quantile of an interval is "
    "more than 1.4 times that of the normal distribution), and",
    f"for screening, characterisation and robustness: every effect of that model is found with a "
    f"power of at least {LEAST_POWER:g} (Cohen 1988, Statistical Power Analysis, 2nd ed., p. 56) "
    f"and no variance is inflated more than {LARGEST_VIF:g} times (Montgomery, Peck and Vining "
    "2012, Introduction to Linear Regression Analysis, 5th ed., chapter 9; not asked of mixtures, "
    "whose components are correlated by nature);",
    f"for screening also: no main effect is biased by a two-factor interaction by more than "
    f"{LARGEST_ALIAS:g} of it (clear main effects: Jones and Nachtsheim 2011, J. Quality "
    "Technology 43, 1-15);",
    "for optimisation: over 80 % of the space the SD of a predicted mean is at most that of a "
    "single run, its whole plot included (after Anderson and Whitcomb 2016, RSM Simplified, 2nd "
    "ed.: size a design by the fraction of its space).",
    "Adequate designs come first. Where factors are hard to change, a design that sets them once "
    "per whole plot comes before one that sets them in every run (Jones and Nachtsheim 2009, J. "
    "Quality Technology 41, 340-361).",
    "Among the rest the cheapest comes first; for optimisation the most precision for its cost "
    "(least cost times prediction variance at 80 % of the space), and of near equals the cheaper.",
)


def meets_rules(proposal: DesignProposal, goal: StudyGoal) -> bool:
    """Return whether a design is adequate for a goal by ``RULES``."""
    evaluation, bias = proposal.evaluation, proposal.main_effect_bias
    if evaluation.not_estimable or evaluation.terms != goal_terms(evaluation.space, goal):
        return False
    if evaluation.interval_df < (1 if evaluation.information.random else LEAST_DF):
        return False
    if goal == "optimise":
        ratios = [group.variance_ratio or 0.0 for group in evaluation.information.random]
        single = evaluation.sd * (1.0 + sum(ratios)) ** 0.5
        return (
            evaluation.region is not None and evaluation.prediction_sd(0.8) <= LARGEST_SD * single
        )
    power, vif = evaluation.least_power, evaluation.largest_vif
    if power is None or power < LEAST_POWER or vif is None:
        return False
    if vif > LARGEST_VIF and not evaluation.space.mixture:
        return False
    return goal != "screen" or bias is None or bias <= LARGEST_ALIAS


def ranked(
    proposals: Sequence[DesignProposal], goal: StudyGoal, space: FactorSpace
) -> list[DesignProposal]:
    """Return proposals in the order of ``RULES``, the recommended one first."""
    adequate = {id(proposal): meets_rules(proposal, goal) for proposal in proposals}
    worth = {id(proposal): _worth(proposal, goal) for proposal in proposals}
    best = min((worth[id(p)] for p in proposals if adequate[id(p)]), default=0.0)

    def place(proposal: DesignProposal) -> tuple[bool, bool, bool, float, float, str]:
        resets = bool(hard_to_change(space)) and not proposal.design.whole_plots
        value = worth[id(proposal)]
        near = goal == "optimise" and adequate[id(proposal)] and value <= NEAR * best
        # A smaller model is predicted more surely for leaving out what was asked for.
        falls_short = proposal.evaluation.terms != goal_terms(space, goal)
        return (
            not adequate[id(proposal)],
            falls_short,
            resets,
            0.0 if near else value,
            proposal.cost,
            proposal.name,
        )

    return sorted(proposals, key=place)


def _worth(proposal: DesignProposal, goal: StudyGoal) -> float:
    """Return what is to be small: the cost, or for optimisation cost times prediction variance."""
    if goal != "optimise":
        return proposal.cost
    spread = proposal.prediction_sd
    return float("inf") if spread is None else proposal.cost * spread**2
