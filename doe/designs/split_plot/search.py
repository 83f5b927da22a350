"""The search for the best split-plot design: what is searched, and the best of many starts."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.designs.split_plot.coordinates import coordinates_of
from doe.designs.split_plot.criteria import Criterion, Objective, mean_products
from doe.designs.split_plot.exchange import Problem, exchange
from doe.designs.split_plot.layout import Layout
from doe.designs.split_plot.model_rows import model_rows
from doe.designs.split_plot.starts import random_starts, redrawn_runs
from doe.designs.split_plot.strata import Strata, check_plots
from doe.errors import DesignError, TooFewRunsError
from doe.evaluation.efficiency import unestimable_columns
from doe.space import FactorSpace
from doe.terms import Terms, model_matrix

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[float], None]

_N_POOL = 200
_AT_ONCE = 20
_N_ROUNDS = 12
# Runs times factors times rounds: a large design is left alone sooner.
_MOST_ROUNDS_WORK = 6_000
_N_REDRAWN = 3
_N_REFINED = 3
_USUAL_STARTS = 10
# Runs times factors times starts, with what wide models take besides, that take about ten seconds.
_MOST_WORK = 20_000
_WIDE = 20
# How far settings move in coded units when the best starts are refined.
_REACHES = ((0.25, 0.1, 0.05), (0.05, 0.02, 0.01))
# Small beside one run (columns have size one), large beside rounding error.
_RIDGE = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What kind of design is asked for.

    Attributes:
        space: The factors.
        terms: The effects.
        strata: Which factors are set together.
        layout: Which runs are in which plot.
        criterion: What is made best.
        ratios: Variance of whole plots and of sub-plots over that of runs.
    """

    space: FactorSpace
    terms: Terms
    strata: Strata
    layout: Layout
    criterion: Criterion
    ratios: tuple[float, float]


def problem_of(request: Request, *, rng: np.random.Generator) -> tuple[Problem, FloatArray]:
    """Return what is searched, and the mean of x x' over the allowed settings.

    Raises:
        TooFewRunsError: If there are fewer runs than columns of the model matrix.
        DesignError: If the space or the plots cannot tell all terms apart.
    """
    space, terms, layout = request.space, request.terms, request.layout
    model = model_rows(terms, space)
    if layout.n_runs < model.n_columns:
        raise TooFewRunsError(
            f"{layout.n_runs} runs cannot estimate the {model.n_columns} columns of "
            f"'{terms.formula}': plan at least {model.n_columns} runs, or drop terms."
        )
    pool = space.sample(max(_N_POOL, 5 * model.n_columns), rng=rng)
    _check_estimable(terms, pool, space)
    coordinates = coordinates_of(space, pool)
    check_plots(
        model,
        request.strata,
        coordinates.pool,
        n_whole=int(layout.whole.max()) + 1,
        n_sub=None if layout.sub is None else int(layout.sub.max()) + 1,
    )
    moments = mean_products(terms, space, rng=rng)
    # Columns of size one: then the ridge is equally small beside each of them.
    scale = 1 / np.sqrt(np.diag(moments))
    variance = layout.variance(*request.ratios)
    weights = np.asarray(np.linalg.inv(variance), dtype=np.float64)
    # The row sums of the covariance bound what a plot takes from the information.
    ridge = _RIDGE / float(variance.sum(axis=1).max())
    objective = Objective(request.criterion, moments * np.outer(scale, scale), ridge)
    scaled = replace(model, scale=scale)
    return Problem(scaled, coordinates, request.strata, layout, weights, objective), moments


def usual_starts(problem: Problem) -> int:
    """Return how many starts a search has when nobody says: 10, down to 2 for large designs."""
    n_columns, n_factors = problem.model.n_columns, len(problem.coordinates.values)
    work = problem.layout.n_runs * n_factors * (1 + (n_columns / _WIDE) ** 2)
    return int(np.clip(_MOST_WORK / work, 2, _USUAL_STARTS))


def search(
    problem: Problem, n_starts: int, *, rng: np.random.Generator, progress: Progress | None
) -> tuple[FloatArray, FloatArray]:
    """Return the best design, and the log criterion of each start.

    Args:
        problem: What is searched.
        n_starts: How many random starts are improved.
        rng: Source of the starts.
        progress: Called with the share of the work that is done.

    Returns:
        The best settings, shape ``(n_runs, n_factors)``; and the log criterion that each start came
        to before the best of them were refined, shape ``(n_starts,)``.
    """
    found: list[FloatArray] = []
    sizes = [min(_AT_ONCE, n_starts - first) for first in range(0, n_starts, _AT_ONCE)]
    size_of_all = problem.layout.n_runs * len(problem.coordinates.values)
    n_rounds = int(np.clip(_MOST_ROUNDS_WORK // size_of_all, 2, _N_ROUNDS))
    n_parts = len(sizes) * (n_rounds + 1) + len(_REACHES)

    def report(part: int) -> None:
        if progress is not None:
            progress(part / n_parts)

    for place, size in enumerate(sizes):
        settings = exchange(problem, random_starts(problem, size, rng=rng), None, rng=rng)
        for count in range(n_rounds):
            report(place * (n_rounds + 1) + count)
            settings = _disturbed(problem, settings, count, rng=rng)
        found.append(settings)
    everything = np.concatenate(found)
    values = problem.value(everything)
    best = everything[np.argsort(-values, kind="stable")[:_N_REFINED]]
    for count, reach in enumerate(_REACHES):
        report(n_parts - len(_REACHES) + count)
        best = exchange(problem, best, reach, rng=rng)
    report(n_parts)
    return best[problem.value(best).argmax()], values


def _disturbed(
    problem: Problem, settings: FloatArray, count: int, *, rng: np.random.Generator
) -> FloatArray:
    """Return starts of which a part was drawn anew and improved, where that made them better.

    By turns the part is a few runs or a whole plot: either alone stays longer where it is.

    Source:
        Sambo, Borrotti and Mylona (2014), Computational Statistics and Data Analysis 71,
        1193-1207: local search from disturbed optima, for split-plot designs.
    """
    layout, n_starts = problem.layout, len(settings)
    if count % 2:
        fresh = random_starts(problem, n_starts, rng=rng)
        drawn = rng.integers(layout.whole.max() + 1, size=(n_starts, 1))
        anew = layout.whole == drawn
    else:
        fresh = redrawn_runs(problem, settings, rng=rng)
        anew = rng.random(settings.shape[:2]) < _N_REDRAWN / layout.n_runs
    tried = np.where(anew[:, :, None], fresh, settings)
    tried = exchange(problem, tried, None, rng=rng)
    is_better = problem.value(tried) > problem.value(settings)
    return np.where(is_better[:, None, None], tried, settings)


def _check_estimable(terms: Terms, pool: "pd.DataFrame", space: FactorSpace) -> None:
    matrix = model_matrix(terms, pool, space)
    aliased = unestimable_columns(matrix.to_numpy())
    if aliased.size:
        names = ", ".join(list(matrix.columns)[place] for place in aliased)
        raise DesignError(
            f"No runs in this space can tell {names} apart from the other terms of "
            f"'{terms.formula}' (a square needs three levels, a mixture takes no intercept): drop "
            "them."
        )
