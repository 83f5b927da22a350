"""Coordinate exchange: runs move, one factor or direction at a time, while that is a gain."""

from collections.abc import Callable, Sequence

import numpy as np

from doe.arrays import FloatArray
from doe.designs.optimal.moves import N_LEVELS, Directions, Move, by_steps, level_lists, to_levels
from doe.designs.optimal.problem import Problem
from doe.designs.optimal.starts import Starts

# Coded sizes of the moves that follow the exchange of levels; all of them are read easily.
STEP_SIZES = (0.2, 0.1, 0.05, 0.02, 0.01)
_MAX_PASSES = 30
_MAX_FINE_PASSES = 3
# Passes times runs times factors, with what wide models take besides: where a pass takes a second,
# the first few have most of the gain.
_MOST_WORK = 600_000
_FEWEST_PASSES = 5
_WIDE = 20


def exchange_coordinates(
    problem: Problem, points: FloatArray, report: Callable[[float], None]
) -> FloatArray:
    """Return designs improved as far as moves of single coordinates go.

    First to levels (ends, middle, a grid), pass after pass until no run of a design moves; then by
    ever smaller steps.

    Args:
        problem: What is searched for.
        points: Designs to begin at, shape ``(n_starts, n_slots, n_factors)``.
        report: Told how much is done, from 0 to 1.

    Source:
        Meyer and Nachtsheim (1995), Technometrics 37, 60-69.
    """
    moves = moves_of(problem, None)
    n_passes = _usual_passes(problem)
    n_fine = min(_MAX_FINE_PASSES, max(1, n_passes // _FEWEST_PASSES))
    points = _until_still(problem, points, moves, n_passes)
    report(0.6)
    for place, size in enumerate(STEP_SIZES, start=1):
        points = _until_still(problem, points, moves_of(problem, size), n_fine)
        report(0.6 + 0.4 * place / len(STEP_SIZES))
    return points


def _usual_passes(problem: Problem) -> int:
    n_slots, n_factors = len(problem.slots.weights), len(problem.points.low)
    work = n_slots * n_factors * (1 + (len(problem.base) / _WIDE) ** 2)
    return int(np.clip(_MOST_WORK // work, _FEWEST_PASSES, _MAX_PASSES))


def moves_of(problem: Problem, size: float | None) -> list[Move]:
    """Return the moves to levels, or by steps of a size."""
    points = problem.points
    powers = problem.model.highest_power
    # Between the ends of a linear effect there is nothing to gain, but money to save.
    at_least = N_LEVELS if problem.limits_cost else 2
    levels = level_lists(points, [int(power) for power in powers], at_least=at_least)
    if problem.is_constrained:
        return [Directions(points, levels).move(size)]
    used = [place for place in range(len(levels)) if powers[place] or problem.cost is not None]
    if size is None:
        return [to_levels(place, levels[place]) for place in used]
    return [by_steps(points, place, size) for place in used if not points.is_category[place]]


def _until_still(
    problem: Problem, points: FloatArray, moves: Sequence[Move], n_passes: int
) -> FloatArray:
    """Return designs after passes over all runs; a design that does not change is left alone."""
    points = points.copy()
    free = np.flatnonzero(problem.slots.is_free)
    active = np.arange(len(points))
    for _ in range(n_passes):
        if not moves or not active.size:
            break
        starts = Starts.at(problem, points[active])
        moved = np.zeros(len(active), dtype=np.bool_)
        for slot in free:
            for move in moves:
                tried, allowed = move(starts.points[:, slot])
                moved |= starts.improve(int(slot), tried, allowed)
        points[active] = starts.points
        active = active[moved]
    return points
