"""The search for an optimal design: many starts, exchanges, and the best of what they found."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from doe.arrays import FloatArray
from doe.designs.assembly import check_count
from doe.designs.optimal.budgets import untold, within_budget
from doe.designs.optimal.coordinate_exchange import exchange_coordinates
from doe.designs.optimal.largest_variance import largest_variances, lower_largest_variance
from doe.designs.optimal.point_exchange import exchange_points
from doe.designs.optimal.problem import Exchange, Problem, Report
from doe.designs.optimal.starts import Starts
from doe.errors import DesignError
from doe.random_draws import check_rng

Method = Literal["automatic", "coordinate", "point"]

MAX_SEARCHED_RUNS = 2_000
_N_POLISHED = 4
_MAX_STARTS = 1_000
# Runs times columns times starts that the search may take without being asked for more.
_USUAL_WORK = 28_000
_USUAL_STARTS = (20, 200)
# Runs times factors times starts, with what wide models take besides, that take about ten seconds.
_MOST_WORK = 60_000
_WIDE = 20
# How many random starts there are to each that is prepared for the determinant first.
_EVERY = 4


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a search found.

    Attributes:
        points: The best design, shape ``(n_slots, n_factors)``.
        efficiencies: Of every start against the best, shape ``(n_starts,)``; zero for a start that
            stayed singular or beyond the budget.
        methods: What was exchanged, in words.
    """

    points: FloatArray
    efficiencies: FloatArray
    methods: tuple[str, ...]


def usual_starts(problem: Problem) -> int:
    """Return how many starts a search has when nobody says.

    20; up to 200 for small designs; for large ones fewer, down to 2, so that the search takes about
    ten seconds where that can be (with 15 factors or more two starts take longer).
    """
    n_slots, n_columns = len(problem.slots.weights), len(problem.base)
    n_factors = len(problem.points.low)
    part = 4 if problem.is_constrained else 1
    usual = np.clip(_USUAL_WORK // part // (n_slots * n_columns), *_USUAL_STARTS)
    most = _MOST_WORK / (n_slots * n_factors * (1 + (n_columns / _WIDE) ** 2))
    return int(max(2, min(usual, most)))


def check_search(
    n_runs: int, n_starts: int | None, method: str, *, rng: np.random.Generator
) -> None:
    """Refuse a search that cannot be made.

    Raises:
        DesignError: If the number of runs, of starts, or the method is not allowed.
        InvalidValueError: If ``rng`` is no generator.
    """
    check_rng(rng)
    if n_starts is None and check_count(n_runs, "n_runs", at_least=1) > MAX_SEARCHED_RUNS:
        raise DesignError(
            f"{n_runs} runs are more than the {MAX_SEARCHED_RUNS} that are searched for without "
            "being told how long: plan fewer and repeat them, or set n_starts (1 is quickest)."
        )
    if n_starts is not None and check_count(n_starts, "n_starts", at_least=1) > _MAX_STARTS:
        raise DesignError(f"{n_starts} starts are more than {_MAX_STARTS}: ask for fewer.")
    if method not in get_args(Method):
        raise DesignError(f"method is {method!r}; expected one of {', '.join(get_args(Method))}.")


def search(
    problem: Problem,
    *,
    n_starts: int,
    method: Method,
    rng: np.random.Generator,
    progress: Report | None,
) -> Found:
    """Return the best design of many starts.

    Args:
        problem: What is searched for.
        n_starts: How many random designs the search begins at.
        method: How runs are exchanged.
        rng: Source of the random designs.
        progress: Told how much is done, from 0 to 1; may raise to stop the search.

    Raises:
        DesignError: If every start stays singular, or none fits the budget.
    """
    report = progress or untold
    uses_points = method == "point" or (method == "automatic" and problem.is_constrained)
    exchanges = [exchange_points] * uses_points + [exchange_coordinates] * (method != "point")
    points = begin(problem, n_starts, rng)
    report(0.0)
    if problem.budget is not None:
        points = within_budget(problem, points, exchanges[-1], rng=rng)
    end = 0.7 if problem.by_largest_variance else 1.0
    if problem.loading is not None:
        points = _determined(problem, points, exchanges[0], lambda done: report(0.2 * done))
    first = 0.0 if problem.loading is None else 0.2
    for place, exchange in enumerate(exchanges):
        low, high = (first + (end - first) * (place + i) / len(exchanges) for i in (0, 1))
        points = exchange(problem, points, _part(report, low, high))
    points, values = _repaired(problem, points, exchanges)
    _check_found(values)
    if problem.by_largest_variance:
        points, values = _lowered(problem, points, values, method, report)
    best = int(values.argmax())
    report(1.0)
    words = {exchange_points: "point exchange", exchange_coordinates: "coordinate exchange"}
    efficiencies = np.zeros(n_starts)
    efficiencies[: len(values)] = np.exp(values - values[best])
    return Found(points[best], efficiencies, tuple(words[each] for each in exchanges))


def _part(report: Report, low: float, high: float) -> Report:
    return lambda done: report(low + (high - low) * done)


def _determined(
    problem: Problem, points: FloatArray, exchange: Exchange, report: Report
) -> FloatArray:
    """Return designs of which some were made good for the determinant first.

    A trace is dominated by what a poor design hardly estimates, so that a search for it may end in
    a corner that a search for the determinant passes by; with constraints it mostly does.
    """
    points = points.copy()
    chosen = slice(None) if problem.is_constrained else slice(1, None, _EVERY)
    if len(points[chosen]):
        points[chosen] = exchange(replace(problem, loading=None), points[chosen], report)
    return points


def _repaired(
    problem: Problem, points: FloatArray, exchanges: Sequence[Exchange]
) -> tuple[FloatArray, FloatArray]:
    """Return designs and their values; those that stayed singular had whole points exchanged.

    Where there are hardly more runs than terms, moves of one factor alone may not lead out of a
    singular design.
    """
    values = Starts.at(problem, points).values()
    singular = np.flatnonzero(~np.isfinite(values))
    if singular.size and exchange_points not in exchanges:
        points = points.copy()
        points[singular] = exchange_points(problem, points[singular], untold)
        for exchange in exchanges:
            points[singular] = exchange(problem, points[singular], untold)
        values = Starts.at(problem, points).values()
    return points, values


def _lowered(
    problem: Problem, points: FloatArray, values: FloatArray, method: Method, report: Report
) -> tuple[FloatArray, FloatArray]:
    """Return designs of which the best few were improved for the largest variance, and values."""
    largest = largest_variances(problem, points)
    order = np.argsort(np.where(np.isfinite(values), largest, np.inf), kind="stable")
    points = points.copy()
    chosen = order[:_N_POLISHED]
    for place, start in enumerate(chosen, start=1):
        points[start] = lower_largest_variance(problem, points[start], with_moves=method != "point")
        report(0.7 + 0.3 * place / len(chosen))
    lowered = largest_variances(problem, points)
    return points, np.where(np.isfinite(values), -np.log(lowered), -np.inf)


def begin(problem: Problem, n_starts: int, rng: np.random.Generator) -> FloatArray:
    """Return random designs, shape ``(n_starts, n_slots, n_factors)``."""
    slots = problem.slots
    if problem.is_constrained:
        pool = problem.pool
    else:
        pool = _scattered(problem, n_starts * len(slots.weights), rng)
    drawn = pool[rng.integers(len(pool), size=(n_starts, len(slots.weights)))]
    return np.where(np.isnan(slots.fixed), drawn, slots.fixed)


def _scattered(problem: Problem, count: int, rng: np.random.Generator) -> FloatArray:
    points = problem.points
    drawn = points.low + (points.high - points.low) * rng.random((count, len(points.low)))
    return points.snapped(drawn)


def _check_found(values: FloatArray) -> None:
    if not np.isfinite(values).any():
        raise DesignError(
            f"None of {len(values)} starts led to runs that can estimate all terms: add runs, "
            "raise the budget, fix fewer runs, or drop terms."
        )
