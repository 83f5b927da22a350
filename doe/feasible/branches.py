"""Choices that decide which moving factors are left to move: the branches of a region.

A cardinality constraint says that some factors are zero; an equation that holds a discrete factor
leaves the others a total that depends on its level. Within a branch the region is one polytope.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.coding import TOLERANCE
from doe.factors import DiscreteFactor
from doe.feasible.polytope import Polytope, find_polytope
from doe.feasible.programs import build_program, solve, values_of
from doe.feasible.regions import Region

MAX_BRANCHES = 200
MAX_LISTED = 20_000
_N_DRAWS = 2_000
_N_BLIND_DRAWS = 50_000
_N_SEARCHES = 12
FREE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Branches:
    """The branches that hold settings, each equally likely.

    Attributes:
        polytopes: What the moving factors can do in each.
        levels: The level that each chosen factor is held at, ``FREE`` where it is not held, shape
            ``(n_branches, n_chosen)``.
    """

    polytopes: tuple[Polytope, ...]
    levels: IntArray


def find_branches(region: Region, n_branches: int, *, rng: np.random.Generator) -> Branches | None:
    """Return at most so many branches drawn at random, or None if none was found."""
    held = np.flatnonzero((region.level_weights != 0).any(axis=0))
    if not region.counted and not len(held):
        candidates: Sequence[tuple[BoolArray, IntArray]] = [_free_branch(region)]
    else:
        candidates = _draw_candidates(region, held, min(n_branches, MAX_BRANCHES), rng)
    found = _with_polytopes(region, candidates)
    if found is None and (region.counted or len(held)):
        found = _with_polytopes(region, _searched_candidates(region, held, rng))
    return found


def _free_branch(region: Region) -> tuple[BoolArray, IntArray]:
    zero = np.zeros(len(region.moving), dtype=np.bool_)
    return zero, np.full(len(region.chosen), FREE, dtype=np.int64)


def _with_polytopes(
    region: Region, candidates: Sequence[tuple[BoolArray, IntArray]]
) -> Branches | None:
    polytopes, levels = [], []
    zero_places = zeros_of(region)
    for zero, fixed in candidates:
        held = np.eye(len(zero))[zero]
        equations = np.vstack([region.equations, held])
        totals = np.concatenate([level_totals(region, fixed[None])[0], zero_places[zero]])
        polytope = find_polytope(equations, totals, region.matrix, region.upper)
        if polytope is not None:
            polytopes.append(polytope)
            levels.append(fixed)
    return Branches(tuple(polytopes), np.array(levels)) if polytopes else None


def zeros_of(region: Region) -> FloatArray:
    """Return the coordinate of zero of each moving factor, shape ``(n_moving,)``."""
    return np.array([(0.0 - f.low) / (f.high - f.low) for f in region.moving])


def level_totals(region: Region, levels: IntArray) -> FloatArray:
    """Return what the moving factors must add up to, shape ``(n_branches, n_equations)``."""
    totals = np.tile(region.totals, (len(levels), 1))
    for place, factor in enumerate(region.chosen):
        if isinstance(factor, DiscreteFactor):
            held = levels[:, place] != FREE
            values = np.asarray(factor.levels)[levels[held, place]]
            totals[held] -= values[:, None] * region.level_weights[:, place]
    return totals


def _draw_candidates(
    region: Region, held: IntArray, n_branches: int, rng: np.random.Generator
) -> list[tuple[BoolArray, IntArray]]:
    n_levels = math.prod(len(region.chosen[place].levels) for place in held)
    # Levels that are not listed must add up by luck, so more of them are drawn.
    zero, levels = _draw_zeros(region, _N_DRAWS if n_levels <= MAX_LISTED else _N_BLIND_DRAWS, rng)
    levels = _draw_levels(region, held, levels, rng)
    kept = _may_hold(region, zero, levels)
    both = np.unique(np.hstack([zero[kept], levels[kept]]), axis=0)
    both = both[rng.permutation(len(both))][:n_branches]
    n = len(region.moving)
    return [(row[:n].astype(np.bool_), row[n:]) for row in both]


def _draw_zeros(
    region: Region, n_draws: int, rng: np.random.Generator
) -> tuple[BoolArray, IntArray]:
    """Return which factors are zero so that every cardinality constraint holds."""
    zero = np.zeros((n_draws, len(region.moving)), dtype=np.bool_)
    levels = np.full((n_draws, len(region.chosen)), FREE, dtype=np.int64)
    moving = {factor.name: i for i, factor in enumerate(region.moving)}
    chosen = {factor.name: i for i, factor in enumerate(region.chosen)}
    for constraint in region.counted:
        n_zero = len(constraint.factors) - constraint.at_most
        keys = rng.random((n_draws, len(constraint.factors)))
        for place, name in enumerate(constraint.factors):
            if name in chosen and 0.0 not in region.chosen[chosen[name]].levels:
                keys[:, place] = 1.0
        is_off = np.argsort(np.argsort(keys, axis=1), axis=1) < n_zero
        for place, name in enumerate(constraint.factors):
            off = is_off[:, place]
            if name in moving:
                zero[off, moving[name]] = True
                continue
            factor = region.chosen[chosen[name]]
            if isinstance(factor, DiscreteFactor) and 0.0 in factor.levels:
                levels[off, chosen[name]] = factor.levels.index(0.0)
    return zero, levels


def _draw_levels(
    region: Region, held: IntArray, levels: IntArray, rng: np.random.Generator
) -> IntArray:
    """Give each chosen factor in an equation a level, where a zero does not hold it already."""
    if not len(held):
        return levels
    counts = [len(region.chosen[place].levels) for place in held]
    if math.prod(counts) <= MAX_LISTED:
        listed = np.full((math.prod(counts), levels.shape[1]), FREE, dtype=np.int64)
        listed[:, held] = np.array(np.unravel_index(np.arange(len(listed)), counts)).T
        none = np.zeros((len(listed), len(region.moving)), dtype=np.bool_)
        listed = listed[_may_hold(region, none, listed)]
        if len(listed):
            drawn = listed[rng.integers(len(listed), size=len(levels))]
            return np.where(levels == FREE, drawn, levels)
    for place, count in zip(held, counts, strict=True):
        drawn = rng.integers(count, size=len(levels))
        levels[:, place] = np.where(levels[:, place] == FREE, drawn, levels[:, place])
    return levels


def _may_hold(region: Region, zero: BoolArray, levels: IntArray) -> BoolArray:
    """Return which branches the ranges alone do not rule out; quick, before the programs."""
    places = zeros_of(region)
    low, high = np.where(zero, places, 0.0), np.where(zero, places, 1.0)
    up, down = np.maximum(region.equations, 0.0), np.minimum(region.equations, 0.0)
    totals = level_totals(region, levels)
    margin = TOLERANCE * np.maximum(1.0, np.abs(totals))
    kept = (low @ up.T + high @ down.T <= totals + margin).all(axis=1)
    kept &= (high @ up.T + low @ down.T >= totals - margin).all(axis=1)
    smallest = low @ np.maximum(region.matrix, 0.0).T + high @ np.minimum(region.matrix, 0.0).T
    return np.asarray(kept & (smallest <= region.upper + TOLERANCE).all(axis=1), dtype=np.bool_)


def _searched_candidates(
    region: Region, held: IntArray, rng: np.random.Generator
) -> list[tuple[BoolArray, IntArray]]:
    """Return the branches of settings that are cheapest for random costs."""
    candidates = []
    program = build_program(region.space, region.constraints)
    for _ in range(_N_SEARCHES):
        program.cost[:] = rng.normal(size=len(program.cost)).tolist()
        solution = solve(program)
        if solution is None:
            break
        values = values_of(program, solution)
        zero, levels = _free_branch(region)
        counted = {name for constraint in region.counted for name in constraint.factors}
        for place, moving in enumerate(region.moving):
            size = max(abs(moving.low), abs(moving.high))
            zero[place] = moving.name in counted and abs(float(values[moving.name])) < 1e-9 * size
        for place, factor in enumerate(region.chosen):
            if not isinstance(factor, DiscreteFactor):
                continue
            level = factor.levels.index(float(values[factor.name]))
            if place in held or (factor.name in counted and factor.levels[level] == 0):
                levels[place] = level
        candidates.append((zero, levels))
    return candidates
