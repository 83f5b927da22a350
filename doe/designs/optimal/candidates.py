"""Allowed points from everywhere in the region: corners, edges, faces and the inside."""

from itertools import product
from math import prod

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.constraints import CardinalityConstraint
from doe.designs.optimal.moves import Directions
from doe.designs.optimal.points import PointSpace
from doe.evaluation.moments import without_steps
from doe.factors import CategoricalFactor, DiscreteFactor

MAX_POOL = 2_500
_MAX_FACTORIAL = 2_000
_MAX_CORNERS = 300
_MAX_PAIRS = 3_000
_N_DRAWS = 600
_N_ON_STEPS = 100
_N_WALKS = 100
_STILL = 1e-9


def candidate_pool(
    points: PointSpace, n_levels: IntArray, n_at_least: int, *, rng: np.random.Generator
) -> FloatArray:
    """Return allowed points, shape ``(n_points, n_factors)``, none twice.

    Without constraints: all combinations of levels, or a random part of them when they are many.
    With constraints: corners, reached from draws by random walks to a face, an edge and a corner;
    levels; middles between corners; and the draws.

    Args:
        points: The factor space.
        n_levels: How many levels of each factor matter.
        n_at_least: How many points to try for, where there are so many.
        rng: Source of the random draws.

    Raises:
        InfeasibleSpaceError: If no allowed settings can be found.
    """
    if not points.space.all_constraints:
        return _combinations(points, n_levels, rng)
    draws = _draws(points, max(_N_DRAWS, 2 * n_at_least), rng)
    corners = _usable(points, _corners(points, draws, rng))
    levelled = draws[:0] if len(points.equations) else _combinations(points, n_levels, rng)
    middles = _middles(corners[:_MAX_CORNERS], rng)
    ends = _ends(points, draws[: _N_WALKS * points.is_bent], rng)
    # The first are the most useful: corners, levels and middles; then points of the inside.
    return _usable(points, np.vstack([corners, ends, levelled, middles, draws]))[:MAX_POOL]


def _draws(points: PointSpace, count: int, rng: np.random.Generator) -> FloatArray:
    """Return draws from the region, some of them on steps where there are steps."""
    space = points.space
    loose = without_steps(space)
    draws = points.points_of(loose.sample(count, rng=rng))
    if loose == space:
        return draws
    # Where constraints tie steps together, few of the loose draws have an allowed setting nearby.
    exact = points.points_of(space.sample(_N_ON_STEPS, rng=rng))
    return np.vstack([exact, draws])


def _usable(points: PointSpace, found: FloatArray) -> FloatArray:
    """Return points put on their steps, without those not allowed and those that repeat."""
    snapped = _balanced(points, points.snapped(found))
    allowed = snapped[points.allows(snapped)]
    _, first = np.unique(np.round(allowed, 9), axis=0, return_index=True)
    return np.asarray(allowed[np.sort(first)], dtype=np.float64)


def _combinations(points: PointSpace, n_levels: IntArray, rng: np.random.Generator) -> FloatArray:
    levels = []
    for place, n in enumerate(n_levels):
        grid = points.grids[place]
        if points.is_category[place] and grid is not None:
            levels.append(grid)
            continue
        spread = np.linspace(points.low[place], points.high[place], int(n))
        if grid is not None:
            spread = np.unique(grid[np.abs(grid[:, None] - spread).argmin(axis=0)])
        levels.append(spread)
    if prod(len(values) for values in levels) <= _MAX_FACTORIAL:
        return np.array(list(product(*levels)))
    drawn = np.column_stack(
        [values[rng.integers(len(values), size=_MAX_FACTORIAL)] for values in levels]
    )
    ends = np.column_stack(
        [
            values[rng.integers(len(values), size=_MAX_FACTORIAL)]
            if is_category
            else values[[0, -1]][rng.integers(2, size=_MAX_FACTORIAL)]
            for values, is_category in zip(levels, points.is_category, strict=True)
        ]
    )
    return np.unique(np.vstack([drawn, ends[: _MAX_FACTORIAL // 4]]), axis=0)


def _balanced(points: PointSpace, found: FloatArray) -> FloatArray:
    """Return points with a mixture on its steps and on its total, where steps are equal."""
    from doe.feasible.projection import rounded_settings

    mixture = [f.name for f in points.space.mixture if f.step is not None]
    if not mixture:
        return found
    return points.points_of(rounded_settings(points.space, points.settings_of(found)))


def _corners(points: PointSpace, draws: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return where random walks of the draws along faces and edges end."""
    found = [draws[:0]]
    if points.is_category.all():
        return found[0]
    walk = _Walk(points, draws)
    for _ in range(draws.shape[1]):
        first_end, second_end = walk.both_ends(rng)
        # On an edge the region ends in a corner on either side.
        is_last = walk.n_left == 1
        found += [first_end[is_last], second_end[is_last]]
        walk.go(first_end)
    return np.vstack(found)


def _ends(points: PointSpace, draws: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return where walks from end to end of the region stop: corners of bent constraints too."""
    if not len(draws):
        return draws
    ends = [np.array(pair) for pair in zip(points.low, points.high, strict=True)]
    move = Directions(points, ends).move(None)
    found, here = [], draws
    for _ in range(draws.shape[1] + 2):
        tried, allowed = move(here)
        chances = rng.random(tried.shape[:2]) * (1.0 if allowed is None else allowed)
        best = chances.argmax(axis=1)
        rows = np.arange(len(here))
        is_moved = chances[rows, best] > 0
        here = np.where(is_moved[:, None], tried[rows, best], here)
        found.append(here)
    return np.vstack(found[::-1])


def _middles(corners: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return middles between corners: of edges, of faces, and of the inside."""
    one, other = np.triu_indices(len(corners), 1)
    if len(one) > _MAX_PAIRS:
        chosen = np.sort(rng.choice(len(one), _MAX_PAIRS, replace=False))
        one, other = one[chosen], other[chosen]
    return (corners[one] + corners[other]) / 2


class _Walk:
    """Walks from draws to the boundary of the linear constraints, one more of them at each stop.

    A coordinate that a cardinality constraint leaves out stays out, and levels stay as drawn.
    """

    def __init__(self, points: PointSpace, here: FloatArray) -> None:
        self._points = points
        self.here = here.copy()
        n, k = here.shape
        self._basis = np.zeros((n, k, k))
        self._count = np.zeros(n, dtype=np.int64)
        for held in np.eye(k)[_keep_levels(points)]:
            self._hold(np.tile(held, (n, 1)))
        for row in points.equations:
            self._hold(np.tile(row, (n, 1)))
        counted = [c for c in points.space.constraints if isinstance(c, CardinalityConstraint)]
        values = points.natural(here) if counted else {}
        for name in {name: None for constraint in counted for name in constraint.factors}:
            is_off = np.abs(values[name]) <= _STILL * np.abs(values[name]).max()
            self._hold(np.eye(k)[points.space.names.index(name)] * is_off[:, None])

    @property
    def n_left(self) -> IntArray:
        """In how many dimensions each walk can still move."""
        return np.asarray(self._basis.shape[1] - self._count, dtype=np.int64)

    def _hold(self, normals: FloatArray) -> None:
        """Let no walk move along its normal any more; zeros hold nothing."""
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        units = np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0)
        for _ in range(2):
            units = units - ((self._basis @ units[..., None]).swapaxes(1, 2) @ self._basis)[:, 0]
        rest = np.linalg.norm(units, axis=1)
        which = np.flatnonzero((rest > 1e-7) & (self._count < self._basis.shape[1]))
        self._basis[which, self._count[which]] = units[which] / rest[which, None]
        self._count[which] += 1

    def both_ends(self, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw a direction for each walk and return where the region ends on either side."""
        direction = rng.standard_normal(self.here.shape)
        for _ in range(2):
            inside = (self._basis @ direction[..., None]).swapaxes(1, 2) @ self._basis
            direction = direction - inside[:, 0]
        direction[self.n_left == 0] = 0.0
        rate = direction @ self._points.matrix.T
        slack = np.maximum(self._points.upper - self.here @ self._points.matrix.T, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = slack / rate
        ahead = np.where(rate > _STILL, reach, np.inf)
        behind = np.where(rate < -_STILL, reach, -np.inf)
        self._hit = ahead.argmin(axis=1)
        last, first = ahead.min(axis=1), behind.max(axis=1)
        is_still = ~(np.isfinite(first) & np.isfinite(last))
        ends = [np.where(is_still, 0.0, end)[:, None] * direction for end in (last, first)]
        return self.here + ends[0], self.here + ends[1]

    def go(self, ends: FloatArray) -> None:
        """Move each walk to its end and hold the constraint that it met there."""
        moved = self.n_left > 0
        self.here = np.where(moved[:, None], ends, self.here)
        self._hold(self._points.matrix[self._hit] * moved[:, None])


def _keep_levels(points: PointSpace) -> BoolArray:
    """Return which factors do not move in the walk: those that take levels."""
    kinds = (CategoricalFactor, DiscreteFactor)
    return np.array([isinstance(factor, kinds) for factor in points.space.searched])
