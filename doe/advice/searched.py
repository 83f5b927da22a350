"""Designs that are searched for: optimal, split-plot and space-filling, within a budget."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from doe.advice.goals import LEAST_POWER, Candidate, StudyGoal, goal_terms, hard_to_change
from doe.runs import Design
from doe.space import FactorSpace
from doe.terms import Terms, interaction_terms, linear_terms, model_columns

Criterion = Literal["D", "I"]

# Runs beyond the coefficients of the model, so that its noise can be estimated.
SPARE_RUNS = 5
# Whole plots beyond the coefficients that they carry: degrees of freedom for their error.
SPARE_PLOTS = 3
MAX_RUNS_PER_COLUMN = 4


def optimal_candidates(
    space: FactorSpace, goal: StudyGoal, budget: int, *, ratio: float, rng: np.random.Generator
) -> Iterator[Candidate]:
    """Yield optimal designs for the goal's model, or the largest one within the budget.

    The first is as large as the power asked for needs (for optimisation, as the error needs), the
    second as the budget allows, up to ``MAX_RUNS_PER_COLUMN`` for each coefficient.
    """
    terms, n_columns = _largest_model(space, goal, budget)
    budget = min(budget, MAX_RUNS_PER_COLUMN * n_columns)
    n_runs = min(budget, n_columns + SPARE_RUNS)
    if goal != "optimise":
        n_runs = max(n_runs, _powered_runs(n_columns, budget, ratio))
    first: Criterion = "I" if goal == "optimise" else "D"
    other: Criterion = "D" if goal == "optimise" else "I"
    yield _searched(space, terms, n_runs, first, f"{first}-optimal", rng=rng)
    if budget > n_runs:
        yield _searched(space, terms, budget, first, f"{first}-optimal, larger", rng=rng)
    else:
        yield _searched(space, terms, n_runs, other, f"{other}-optimal", rng=rng)


def _powered_runs(n_columns: int, budget: int, ratio: float) -> int:
    """Return the fewest runs, a multiple of four, that find an effect; the budget if none do.

    As if the columns were orthogonal, plus and minus one, which multiples of four make possible.
    """
    from doe.evaluation.power import power_of_f_test

    for n_runs in range(4 * (n_columns // 4 + 1), budget + 1, 4):
        noncentrality = n_runs * (ratio / 2) ** 2
        if power_of_f_test(noncentrality, 1, n_runs - n_columns, alpha=0.05) >= LEAST_POWER:
            return n_runs
    return budget


def _largest_model(space: FactorSpace, goal: StudyGoal, budget: int) -> tuple[Terms, int]:
    """Return the goal's model, or the largest smaller one that so many runs can estimate."""
    models = [goal_terms(space, goal), interaction_terms(space), linear_terms(space)]
    sizes = [len(model_columns(model, space)) for model in models]
    place = next((i for i, size in enumerate(sizes) if size < budget), len(models) - 1)
    return models[place], sizes[place]


def _searched(
    space: FactorSpace,
    terms: Terms,
    n_runs: int,
    criterion: Criterion,
    name: str,
    *,
    rng: np.random.Generator,
) -> Candidate:
    from doe.designs.optimal import optimal_design

    best = "coefficients" if criterion == "D" else "predictions over the space"
    return Candidate(
        name,
        lambda: optimal_design(space, n_runs, terms, criterion=criterion, rng=rng),
        f"The most precise {best} for this model in {n_runs} runs, under every constraint and "
        "with any mix of factors.",
        "It is best for this model alone: what the model leaves out biases it, and there are no "
        "replicates beyond those that the search chose.",
        "Goos and Jones (2011), Optimal Design of Experiments, chapters 2 and 4",
    )


def space_filling_candidates(
    space: FactorSpace, budget: int, *, rng: np.random.Generator
) -> Iterator[Candidate]:
    """Yield a design that presumes no model."""
    from doe.designs.fast_flexible import fast_flexible_filling

    # Ten runs a factor is the usual advice where runs are cheap; half of it where they are not.
    n_runs = max(2, min(budget, 5 * len(space.names)))
    yield Candidate(
        "space filling",
        lambda: fast_flexible_filling(space, n_runs, rng=rng),
        "No model is presumed: a Gaussian process can learn any smooth shape, and batches that are "
        "recommended later build on it.",
        "Coefficients of a polynomial are less precise than from a design made for them, and "
        "there is no pure error.",
        "Lekivetz and Jones (2015), Quality and Reliability Engineering International 31, 829-837; "
        "number of runs: half of Loeppky, Sacks and Welch (2009), Technometrics 51, 366-376",
    )


def split_plot_candidates(
    space: FactorSpace, goal: StudyGoal, budget: int, *, rng: np.random.Generator
) -> Iterator[Candidate]:
    """Yield a design that sets hard-to-change factors once per plot."""
    hard = hard_to_change(space)
    if len(hard) == len(space.names):
        # Every run would be a whole plot of its own.
        return
    plots = _numbers_of_plots(space, goal, budget)
    terms, _ = _largest_model(space, goal, budget)

    def made() -> Design:
        from doe.designs.split_plot import split_plot_design

        return split_plot_design(
            space,
            terms,
            n_whole_plots=plots.whole,
            n_sub_plots=plots.sub,
            n_runs=plots.runs,
            criterion="I" if goal == "optimise" else "D",
            rng=rng,
        )

    numbers = f"{plots.whole} whole plots"
    if plots.sub is not None:
        numbers += f", {plots.sub} sub-plots"
    yield Candidate(
        f"split-plot, {numbers}",
        made,
        f"{', '.join(hard)} is set once per plot ({numbers}), and effects of the other factors are "
        "compared within one setting of it.",
        f"Effects of {', '.join(hard)} are less precise, and the analysis needs the errors of "
        "plots and runs (REML).",
        "Jones and Goos (2007), Applied Statistics 56, 347-364",
    )


@dataclass(frozen=True, slots=True)
class _Plots:
    """How many whole plots, sub-plots (where there are any) and runs."""

    whole: int
    sub: int | None
    runs: int


def _numbers_of_plots(space: FactorSpace, goal: StudyGoal, budget: int) -> _Plots:
    """Return numbers that leave degrees of freedom for the error of each kind of plot."""
    terms, n_columns = _largest_model(space, goal, budget)
    columns = model_columns(terms, space)
    change = {factor.name: getattr(factor, "change", "easy") for factor in space.searched}
    very_hard = {name for name, kind in change.items() if kind == "very_hard"}
    hard = {name for name, kind in change.items() if kind == "hard"}

    def n_within(names: set[str]) -> int:
        return sum(set(column.term.factors) <= names for column in columns)

    n_whole = n_within(very_hard or hard) + SPARE_PLOTS
    n_sub = None
    if very_hard and hard:
        n_sub = max(n_within(very_hard | hard) + SPARE_PLOTS, 2 * n_whole)
    n_runs = max(n_columns + SPARE_RUNS, 2 * (n_sub or n_whole))
    return _Plots(n_whole, n_sub, n_runs)
