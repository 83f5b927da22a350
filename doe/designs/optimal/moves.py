"""Where a run may move: along one factor, or along directions that keep sums as they are."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.designs.optimal.points import PointSpace
from doe.factors import MixtureComponent

# Given the runs of a slot, (n_starts, n_factors), the points to try and which are allowed.
Move = Callable[[FloatArray], tuple[FloatArray, BoolArray | None]]

N_LEVELS = 5
_MAX_PAIRS = 66
_HALVINGS = 12
_STILL = 1e-9


def level_lists(
    points: PointSpace, highest_power: Sequence[int], *, at_least: int = 2
) -> list[FloatArray]:
    """Return the coded levels that a coordinate exchange tries first, for each factor.

    Ends and middle, and a grid between them fine enough for the highest power of the factor; of a
    stepped factor the settings nearest to these; all levels of discrete and categorical factors.
    """
    lists = []
    for place, (grid, power) in enumerate(zip(points.grids, highest_power, strict=True)):
        if points.is_category[place] and grid is not None:
            lists.append(grid)
            continue
        n_levels = 2 if power <= 1 else max(N_LEVELS, 2 * (power // 2) + 3)
        n_levels = max(n_levels, at_least)
        levels = np.linspace(points.low[place], points.high[place], n_levels)
        if grid is not None:
            # Few levels are all tried: those of a discrete factor need not be evenly spaced.
            levels = grid if len(grid) <= max(12, n_levels) else _from_grid(grid, levels)
        lists.append(levels)
    return lists


def _from_grid(grid: FloatArray, levels: FloatArray) -> FloatArray:
    return np.unique(grid[np.abs(grid[:, None] - levels).argmin(axis=0)])


def to_levels(factor: int, levels: FloatArray) -> Move:
    """Return the move of one factor to each of some levels."""

    def move(here: FloatArray) -> tuple[FloatArray, None]:
        tried = np.repeat(here[:, None, :], len(levels), axis=1)
        tried[:, :, factor] = levels
        return tried, None

    return move


def by_steps(points: PointSpace, factor: int, size: float) -> Move:
    """Return the move of one numeric factor up or down by a step, at least to its next setting."""
    grid = points.grids[factor]

    def move(here: FloatArray) -> tuple[FloatArray, None]:
        tried = np.repeat(here[:, None, :], 2, axis=1)
        aim = here[:, factor, None] + np.array([-size, size])
        if grid is not None:
            at = np.abs(grid - here[:, factor, None]).argmin(axis=1)
            beside = np.clip(at[:, None] + np.array([-1, 1]), 0, len(grid) - 1)
            nearest = np.abs(grid - aim[..., None]).argmin(axis=-1)
            aim = grid[np.where(nearest == at[:, None], beside, nearest)]
        tried[:, :, factor] = np.clip(aim, points.low[factor], points.high[factor])
        return tried, None

    return move


class Directions:
    """Moves of a run in a region that constraints shape, all of them at once.

    Along each factor; along pairs of factors such that a constraint's sum stays the same; towards
    and away from each pure component of a mixture while the others keep their proportions (Cox's
    directions); and to other levels. The ends of a move are where the region ends.

    Args:
        points: The factor space.
        levels: Levels to try, for each factor.

    Source:
        Piepel, Cooley and Jones (2005), Quality Engineering 17, 579-594: coordinate exchange for
        mixtures along Cox's directions.
    """

    def __init__(self, points: PointSpace, levels: Sequence[FloatArray]) -> None:
        self._points = points
        self._levels = levels
        in_equation = (points.equations != 0).any(axis=0)
        numeric = np.flatnonzero(~points.is_category)
        self._alone = np.array([j for j in numeric if not in_equation[j]], dtype=np.int64)
        self._switched = np.flatnonzero(points.is_category)
        axes = np.eye(len(points.low))[self._alone]
        self._straight = np.vstack([axes, _pairs(points)])
        searched = points.space.searched
        self._mixture = np.flatnonzero([isinstance(f, MixtureComponent) for f in searched])
        has_steps = any(points.grids[j] is not None for j in self._mixture)
        # Shares on steps leave their grid when they shrink in proportion.
        self._cox = self._mixture if not has_steps else self._mixture[:0]

        widths = (points.high - points.low) / 2
        straight = np.abs(self._straight)
        with np.errstate(divide="ignore"):
            reaches = np.where(straight > 0, widths / straight, np.inf).min(axis=1)
        self._half_widths = np.concatenate([reaches, widths[self._cox]])

    def move(self, size: float | None) -> Move:
        """Return the move to the ends and to levels, or by this part of half a range."""

        def move(here: FloatArray) -> tuple[FloatArray, BoolArray]:
            directions = self._directions(here)
            first, last = self._chords(here, directions)
            if size is None:
                ends = self._shortened(here, directions, np.stack([first, last], axis=-1))
                reach = np.concatenate([ends, ends / 2], axis=-1)
            else:
                sizes = size * self._half_widths[:, None] * np.array([-1.0, 1.0])
                reach = np.clip(sizes, first[..., None], last[..., None])
            along = self._on_grid(here, directions, reach)
            tried = np.concatenate([along, self._levelled(here, size)], axis=1)
            moved = np.abs(tried - here[:, None, :]) > _STILL
            useful = np.asarray(moved.any(axis=-1), dtype=np.bool_)
            useful[useful] = self._points.allows(tried[useful])
            return _gathered(tried, useful)

        return move

    def _directions(self, here: FloatArray) -> FloatArray:
        straight = np.broadcast_to(self._straight, (len(here), *self._straight.shape))
        if not self._cox.size:
            return straight
        n_cox = len(self._cox)
        room = here[:, self._cox] - self._points.low[self._cox]
        others = np.repeat(room[:, None, :], n_cox, axis=1) * (1 - np.eye(n_cox))
        total = others.sum(axis=2, keepdims=True)
        shares = np.divide(others, total, out=np.zeros_like(others), where=total > _STILL)
        cox = np.zeros((len(here), n_cox, here.shape[1]))
        cox[:, :, self._cox] = np.where(total > _STILL, np.eye(n_cox) - shares, 0.0)
        return np.concatenate([straight, cox], axis=1)

    def _chords(self, here: FloatArray, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return how far one can go back and forth, shapes ``(n_starts, n_directions)``."""
        slack = np.maximum(self._points.upper - here @ self._points.matrix.T, 0.0)[:, None, :]
        rate = directions @ self._points.matrix.T
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = slack / rate
        last = np.where(rate > _STILL, reach, np.inf).min(axis=-1, initial=np.inf)
        first = np.where(rate < -_STILL, reach, -np.inf).max(axis=-1, initial=-np.inf)
        is_still = ~(np.isfinite(first) & np.isfinite(last))
        return np.where(is_still, 0.0, first), np.where(is_still, 0.0, last)

    def _shortened(self, here: FloatArray, directions: FloatArray, ends: FloatArray) -> FloatArray:
        """Return the ends, drawn back to where constraints that are not linear allow them."""
        at = here[:, None, None, :] + ends[..., None] * directions[:, :, None, :]
        outside = ~self._points.allows(at)
        if not outside.any():
            return ends
        start, place, side = np.nonzero(outside)
        from_here, along = here[start], directions[start, place]
        far = ends[start, place, side]
        near = np.zeros_like(far)
        for _ in range(_HALVINGS):
            middle = (near + far) / 2
            is_allowed = self._points.allows(from_here + middle[:, None] * along)
            near, far = np.where(is_allowed, middle, near), np.where(is_allowed, far, middle)
        shortened = ends.copy()
        shortened[start, place, side] = near
        return shortened

    def _on_grid(self, here: FloatArray, directions: FloatArray, reach: FloatArray) -> FloatArray:
        along = here[:, None, None, :] + reach[..., None] * directions[:, :, None, :]
        n_tries = directions.shape[1] * reach.shape[2]
        return self._points.snapped(along.reshape(len(here), n_tries, here.shape[1]))

    def _levelled(self, here: FloatArray, size: float | None) -> FloatArray:
        parts = [here[:, None, :]]
        for place in [*self._switched, *self._alone]:
            grid = self._points.grids[place]
            if size is None:
                parts.append(to_levels(place, self._levels[place])(here)[0])
            elif grid is not None and not self._points.is_category[place]:
                # A small part of the range may be less than a step.
                parts.append(by_steps(self._points, place, size)(here)[0])
        if size is not None or self._mixture.size:
            parts.append(self._swapped_steps(here))
        return np.concatenate(parts, axis=1)

    def _swapped_steps(self, here: FloatArray) -> FloatArray:
        """Return shares with one or more steps moved from one component to another."""
        steps = {
            round(float(grid[1] - grid[0]), 12)
            for j in self._mixture
            if (grid := self._points.grids[j]) is not None
        }
        if len(steps) != 1 or any(self._points.grids[j] is None for j in self._mixture):
            return here[:, :0].reshape(len(here), 0, here.shape[1])
        step = steps.pop()
        pairs = list(combinations(self._mixture, 2))[:_MAX_PAIRS]
        moves = np.zeros((len(pairs), here.shape[1]))
        for row, (one, other) in enumerate(pairs):
            moves[row, one], moves[row, other] = step, -step
        widest = max(float(self._points.high[j] - self._points.low[j]) for j in self._mixture)
        counts = 2 ** np.arange(int(np.log2(max(widest / step, 1.0))) + 1)
        both = np.concatenate([sign * count * moves for count in counts for sign in (-1, 1)])
        tried = here[:, None, :] + both
        # Clipping to the ranges would change the total, so that such points stay where they are.
        outside = ((tried < self._points.low - _STILL) | (tried > self._points.high + _STILL)).any(
            axis=-1, keepdims=True
        )
        return self._points.snapped(np.where(outside, here[:, None, :], tried))


def _gathered(tried: FloatArray, useful: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Return the useful points of each start in front, and no more columns than hold them."""
    count = max(1, int(useful.sum(axis=1).max()))
    order = np.argsort(~useful, axis=1, kind="stable")[:, :count]
    rows = np.arange(len(tried))[:, None]
    return tried[rows, order], useful[rows, order]


def _pairs(points: PointSpace) -> FloatArray:
    """Return directions that move two factors such that a linear constraint's sum stays."""
    found = []
    rows = [*points.equations, *points.matrix]
    for row in rows:
        places = np.flatnonzero((row != 0) & ~points.is_category)
        if len(places) < 2:
            continue
        pairs = list(combinations(places, 2))
        if len(pairs) > _MAX_PAIRS:
            pairs = list(zip(places, np.roll(places, 1), strict=True))
        for one, other in pairs:
            direction = np.zeros(len(row))
            direction[one], direction[other] = 1.0 / row[one], -1.0 / row[other]
            found.append(direction / np.abs(direction).max())
    if not found:
        return np.zeros((0, len(points.low)))
    return np.unique(np.round(np.array(found), 12), axis=0)
