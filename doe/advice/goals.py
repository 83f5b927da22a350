"""What a study is for, the model that it needs, and a candidate design for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from doe.runs import Design
from doe.space import FactorSpace
from doe.terms import Terms, interaction_terms, linear_terms, quadratic_terms

StudyGoal = Literal["screen", "characterise", "optimise", "robustness"]

# Cohen (1988), Statistical Power Analysis, 2nd ed., p. 56: the usual convention.
LEAST_POWER = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A kind of design that a goal may call for.

    Attributes:
        name: The kind in words.
        make: Makes it; raises ``DesignError`` where the space does not allow it.
        reason: What speaks for it.
        caution: What speaks against it.
        source: Where that is from.
    """

    name: str
    make: Callable[[], Design]
    reason: str
    caution: str
    source: str


def goal_terms(space: FactorSpace, goal: StudyGoal) -> Terms:
    """Return the model that a goal needs: what is to be estimated, and no more.

    Screening and robustness ask which factors matter (main effects); characterisation which act
    together (interactions of two); optimisation where the best is (the full quadratic).

    Source:
        Montgomery (2017), Design and Analysis of Experiments, 9th ed., sections 1.4 and 11.1.
    """
    match goal:
        case "screen" | "robustness":
            return linear_terms(space)
        case "characterise":
            return interaction_terms(space)
        case "optimise":
            return quadratic_terms(space)


def hard_to_change(space: FactorSpace) -> list[str]:
    """Return the factors that are hard or very hard to change."""
    return [f.name for f in space.searched if getattr(f, "change", "easy") != "easy"]
