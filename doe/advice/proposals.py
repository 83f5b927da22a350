"""One design that is proposed: what it estimates, how surely, at what cost, and the case for it."""

from dataclasses import dataclass

import numpy as np

from doe.advice.goals import Candidate, StudyGoal, goal_terms
from doe.designs.optimal.costs import CompiledCost, RunCost
from doe.designs.optimal.points import PointSpace
from doe.evaluation.evaluation import DesignEvaluation, evaluate
from doe.evaluation.information import Information
from doe.formulas import formula_name
from doe.runs import Design
from doe.space import FactorSpace
from doe.terms import (
    Term,
    Terms,
    interaction_terms,
    linear_terms,
    model_matrix,
    parse_terms,
    quadratic_terms,
)


@dataclass(frozen=True, eq=False)
class DesignProposal:
    """One design that the advice offers, with what it can do and what it costs.

    Attributes:
        name: The kind of design in words.
        design: The design, in standard order.
        evaluation: What it can do for the largest model of the goal that it supports.
        model: That model in words.
        estimable: What can be estimated, in words.
        main_effect_bias: The largest part of a two-factor interaction that lands on a main effect;
            None where the model holds the interactions.
        cost: Of all its runs.
        reason: What speaks for it.
        caution: What speaks against it.
        source: Where both are from.
    """

    name: str
    design: Design
    evaluation: DesignEvaluation
    model: str
    estimable: str
    main_effect_bias: float | None
    cost: float
    reason: str
    caution: str
    source: str

    @property
    def n_runs(self) -> int:
        """How many runs it has."""
        return self.design.n_runs

    @property
    def least_power(self) -> float | None:
        """The least power among the terms of the model; None where no error can be estimated."""
        return self.evaluation.least_power

    @property
    def prediction_sd(self) -> float | None:
        """The SD of a predicted mean that 80 % of the space keeps to, in the unit of ``sd``."""
        return None if self.evaluation.region is None else self.evaluation.prediction_sd(0.8)


def proposal_of(
    candidate: Candidate,
    design: Design,
    goal: StudyGoal,
    *,
    effect: float,
    sd: float,
    cost: float | RunCost,
    rng: np.random.Generator,
) -> DesignProposal:
    """Return a candidate's design with what it can do for a goal, and what it costs.

    Args:
        candidate: The kind of design, with the case for and against it.
        design: The design that it made.
        goal: What the study is for.
        effect: The difference that should be found, in the unit of the response.
        sd: The run-to-run SD, in the same unit.
        cost: Of one run, or how it follows from the settings.
        rng: Source of settings that stand for a space with constraints.
    """
    evaluation, model = _supported(design, goal, effect=effect, sd=sd, rng=rng)
    return DesignProposal(
        name=candidate.name,
        design=design,
        evaluation=evaluation,
        model=model,
        estimable=_estimable(design),
        main_effect_bias=_main_effect_bias(evaluation),
        cost=_cost(design, cost),
        reason=candidate.reason,
        caution=candidate.caution,
        source=candidate.source,
    )


def _supported(
    design: Design, goal: StudyGoal, *, effect: float, sd: float, rng: np.random.Generator
) -> tuple[DesignEvaluation, str]:
    """Return the evaluation for the largest model of the goal that the design can estimate."""
    space = design.space
    first, second, third = _model_names(space)
    wanted = {"characterise": second, "optimise": third}.get(goal, first)
    models = [
        (goal_terms(space, goal), wanted),
        (interaction_terms(space), second),
        (linear_terms(space), first),
    ]
    evaluation = None
    for terms, name in models:
        evaluation = evaluate(design, terms, effect=effect, sd=sd, rng=rng)
        if not evaluation.not_estimable:
            return evaluation, name
    assert evaluation is not None
    return evaluation, f"{first}, not all"


def _model_names(space: FactorSpace) -> tuple[str, str, str]:
    """Return what the models of first and second order are called, without and with squares."""
    if len(space.mixture) == len(space.names):
        return "linear blending", "quadratic blending", "quadratic blending"
    return "main effects", "interactions", "full quadratic"


def _estimable(design: Design) -> str:
    """Return which models the runs can estimate, largest last."""
    space = design.space
    linear, squares = linear_terms(space), _squares(space)
    first, second, third = _model_names(space)
    models: list[tuple[str, Terms]] = [(first, linear)]
    if squares:
        formula = " + ".join([linear.formula, *(f"I({term})" for term in squares)])
        models.append((f"{first} and squares", parse_terms(formula, space)))
    models.append((f"{first} and interactions", interaction_terms(space)))
    if second == third:
        models[-1] = (second, interaction_terms(space))
    elif squares:
        models.append((third, quadratic_terms(space)))
    # Whole plots weigh the runs and leave what they can tell apart as it is.
    found = [
        name
        for name, terms in models
        if Information(model_matrix(terms, design.runs, space).to_numpy()).is_estimable.all()
    ]
    if not found:
        return f"not all of: {first}"
    if found[-1] in (second, third):
        return found[-1]
    return "; or ".join(found[1:] or found)


def _squares(space: FactorSpace) -> list[str]:
    squares = [term for term in quadratic_terms(space).terms if _is_square(term)]
    return [f"{formula_name(term.powers[0][0])}**2" for term in squares]


def _is_square(term: Term) -> bool:
    return len(term.powers) == 1 and term.powers[0][1] == 2


def _main_effect_bias(evaluation: DesignEvaluation) -> float | None:
    """Return the largest part of a two-factor interaction that lands on a main effect."""
    space = evaluation.space
    held = set(evaluation.terms.terms)
    crossed = tuple(
        term
        for term in interaction_terms(space).terms
        if term.order == 2 and len(term.powers) == 2 and term not in held
    )
    if evaluation.not_estimable or not crossed or space.mixture:
        return None
    left_out = Terms(" + ".join(term.name for term in crossed), crossed)
    aliases = evaluation.alias_matrix(left_out)
    rows = [name for name in aliases.index if name != "Intercept"]
    return float(np.abs(aliases.loc[rows].to_numpy()).max(initial=0.0))


def _cost(design: Design, cost: float | RunCost) -> float:
    if not isinstance(cost, RunCost):
        return float(cost) * design.n_runs
    points = PointSpace(design.space)
    return float(CompiledCost(cost, points)(points.points_of(design.runs)).sum())
