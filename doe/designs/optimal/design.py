"""Optimal designs: for any terms, factors, constraints, kept runs, blocks, replicates and costs."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.designs.optimal.costs import RunCost
from doe.designs.optimal.problem import Problem
from doe.designs.optimal.quality import quality
from doe.designs.optimal.requests import Criterion, Model, Request, make_request
from doe.designs.optimal.search import Found, Method, check_search, search, usual_starts
from doe.designs.optimal.setup import make_problem
from doe.designs.optimal.tidying import tidied
from doe.runs import JSON, Design
from doe.space import FactorSpace
from doe.terms import Terms

if TYPE_CHECKING:
    import pandas as pd


def optimal_design(
    space: FactorSpace,
    n_runs: int,
    terms: Terms | Model | str,
    *,
    criterion: Criterion = "I",
    rng: np.random.Generator,
    keep: "pd.DataFrame | Design | None" = None,
    include: "pd.DataFrame | None" = None,
    block_sizes: Sequence[int] | None = None,
    block: str | None = None,
    replicates: int = 0,
    centre_points: int = 0,
    potential: Terms | str | None = None,
    cost: RunCost | None = None,
    budget: float | None = None,
    n_starts: int | None = None,
    method: Method = "automatic",
    progress: Callable[[float], None] | None = None,
) -> Design:
    """Return the runs that tell most about a model, within everything that limits them.

    Criteria, of the model in coded units with kept runs counted and effects of blocks eliminated:
    ``D`` makes det(X'X)^(1/p)/n large (small joint uncertainty of the coefficients), ``A`` makes
    trace (X'X)^-1 small, the intercept included (small mean variance of the coefficients), ``I``
    makes the average prediction variance over the allowed region small, ``G`` its maximum.
    ``bayesian D`` guards against potential terms, for which there may be fewer runs than terms.

    Coordinate exchange where only ranges, steps and levels limit the runs; with constraints or a
    mixture first point exchange among corners, edges, faces and draws of the allowed region, and
    then moves along factors, sums and Cox's directions. The best of many random starts is returned.

    ``details`` holds the criterion and its value, ``D``, ``A``, ``I`` and ``G`` of the design,
    ``start_efficiencies`` of all starts against the best (sorted), how many candidate points there
    were, the exchanges used, and the ``total_cost``.

    Args:
        space: The factors and constraints.
        n_runs: How many runs the design has, without those kept; more than 2,000 only with
            ``n_starts``.
        terms: The model: terms, a formula, or ``linear``, ``interaction``, ``quadratic``.
        criterion: What makes a design good.
        rng: Source of the random starts.
        keep: Runs already done, in natural units: they count, and are not part of the design. With
            blocks they are in blocks of their own.
        include: Runs that must be in the design, among its ``n_runs``.
        block_sizes: How many runs each block has; their sum is ``n_runs``.
        block: Name of the block factor; see ``doe.designs.blocks.with_block``.
        replicates: How many runs, at least, repeat another run of the design exactly.
        centre_points: How many of the runs stand at the centre.
        potential: Terms that may matter, for ``bayesian D``.
        cost: What a run costs.
        budget: The most that all runs together may cost.
        n_starts: How many random designs the search begins at; where absent 20, up to 200 for
            small designs, which have many optima of their own and are searched quickly, and down to
            2 for large ones, so that they take about ten seconds.
        method: ``coordinate`` or ``point`` exchange alone, or what suits the space.
        progress: Called with the part that is done, 0 to 1; may raise ``CancelledError``.

    Raises:
        TooFewRunsError: If there are fewer runs, with those kept, than terms.
        DesignError: If terms cannot be estimated in this space, the runs do not fit the blocks or
            the budget, or an argument is not allowed.
        ExpressionError: If a formula cannot be read.

    Source:
        Meyer and Nachtsheim (1995), Technometrics 37, 60-69: coordinate exchange; Cook and
        Nachtsheim (1980), Technometrics 22, 315-324: point exchange; Piepel, Cooley and Jones
        (2005), Quality Engineering 17, 579-594: mixtures; DuMouchel and Jones (1994), Technometrics
        36, 37-47: the Bayesian criterion.
    """
    check_search(n_runs, n_starts, method, rng=rng)
    asked = make_request(
        space,
        n_runs,
        terms=terms,
        criterion=criterion,
        keep=keep,
        include=include,
        block_sizes=block_sizes,
        block=block,
        replicates=replicates,
        centre_points=centre_points,
        potential=potential,
        cost=cost,
        budget=budget,
    )
    problem = make_problem(asked, rng=rng)
    starts = usual_starts(problem) if n_starts is None else n_starts
    found = search(problem, n_starts=starts, method=method, rng=rng, progress=progress)
    return _design(asked, problem, found)


def _design(asked: Request, problem: Problem, found: Found) -> Design:
    settings = tidied(problem.points, found.points)
    points = problem.points.points_of(settings)
    if problem.budget is not None and _total_cost(problem, points) > problem.budget * (1 + 1e-9):
        settings = tidied(problem.points, found.points, finest=True)
        points = problem.points.points_of(settings)
    slots = problem.slots
    order = _standard_order(points, slots.blocks, slots.point_types)
    rows = np.repeat(order, slots.weights[order].astype(np.int64))
    labels = asked.new_labels
    return Design(
        asked.space_with_blocks,
        settings.iloc[rows].reset_index(drop=True),
        f"{asked.criterion[:1].upper()}{asked.criterion[1:]}-optimal",
        _point_types([slots.point_types[row] for row in rows], points[rows]),
        blocks={asked.block: tuple(labels[i] for i in slots.blocks[rows])} if labels else {},
        details=_details(problem, found, points, asked.criterion),
    )


def _standard_order(points: FloatArray, blocks: IntArray, point_types: Sequence[str]) -> IntArray:
    """Return slots by block, the first factor changing fastest, centre runs last."""
    keys = [*np.round(points, 9).T, np.asarray(point_types) == "centre", blocks]
    return np.lexsort(keys).astype(np.int64)


def _point_types(kinds: Sequence[str], points: FloatArray) -> tuple[str, ...]:
    """Return what each run is: a run that was chosen and repeats another one is a replicate."""
    seen: set[tuple[float, ...]] = set()
    types = []
    for kind, point in zip(kinds, np.round(points, 9) + 0.0, strict=True):
        types.append("replicate" if kind == "optimal" and tuple(point) in seen else str(kind))
        seen.add(tuple(point))
    return tuple(types)


def _details(
    problem: Problem, found: Found, points: FloatArray, criterion: Criterion
) -> dict[str, JSON]:
    figures = quality(problem, points)
    values = {"D": figures.d, "A": figures.a, "I": figures.i, "G": figures.g}
    # Potential terms that are all in the model anyway leave the plain determinant.
    prior = figures.d if figures.bayesian_d is None else figures.bayesian_d
    value = prior if criterion == "bayesian D" else values[criterion]
    details: dict[str, JSON] = {
        "criterion": criterion,
        "criterion_value": value,
        **values,
        "n_starts": len(found.efficiencies),
        "start_efficiencies": [round(float(e), 6) for e in np.sort(found.efficiencies)[::-1]],
        "n_kept_runs": problem.n_kept,
        "n_candidates": len(problem.pool),
        "method": "; ".join(found.methods),
    }
    if problem.cost is not None:
        details["total_cost"] = _total_cost(problem, points)
        details["budget"] = problem.budget
    return details


def _total_cost(problem: Problem, points: FloatArray) -> float:
    return float(problem.costs(points) @ problem.slots.weights)
