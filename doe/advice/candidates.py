"""Which designs are worth considering for a goal, given the kinds of factors and constraints."""

from collections.abc import Iterator

import numpy as np

from doe.advice.classical import (
    characterising_candidates,
    mixture_candidates,
    optimising_candidates,
    robustness_candidates,
    screening_candidates,
)
from doe.advice.goals import Candidate, StudyGoal, hard_to_change
from doe.advice.searched import (
    optimal_candidates,
    space_filling_candidates,
    split_plot_candidates,
)
from doe.space import FactorSpace


def candidates(
    space: FactorSpace, goal: StudyGoal, budget: int, *, ratio: float, rng: np.random.Generator
) -> Iterator[Candidate]:
    """Yield the candidates of a goal that suit the kinds of factors, classical designs first.

    Args:
        space: The factors.
        goal: What the study is for.
        budget: The most runs.
        ratio: The difference that should be found, in run-to-run SDs.
        rng: Source of the random draws of those that are searched for.
    """
    if hard_to_change(space):
        yield from split_plot_candidates(space, goal, budget, rng=rng)
    if space.mixture:
        yield from mixture_candidates(space, budget, rng=rng)
    elif not space.constraints:
        match goal:
            case "screen":
                yield from screening_candidates(space)
            case "characterise":
                yield from characterising_candidates(space)
            case "optimise":
                yield from optimising_candidates(space)
            case "robustness":
                yield from robustness_candidates(space)
    yield from optimal_candidates(space, goal, budget, ratio=ratio, rng=rng)
    yield from space_filling_candidates(space, budget, rng=rng)
