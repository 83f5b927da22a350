"""Many random walks at once through a region, until they are spread evenly over it.

Each walk is hit-and-run: from a point in a random direction to an even draw among the allowed
points of the chord. Constraints that are not linear are met by multilevel splitting: walks that
break them more than half of the others are dropped, the rest are copied and walk on without
breaking them more than that, until all are allowed. So a small region is found without luck, and
separate regions keep their shares.

Source:
    Smith (1984), Operations Research 32, 1296-1308: hit-and-run, also for regions in several
    pieces. Neal (2003), Annals of Statistics 31, 705-767, section 4: shrinking the chord after a
    refused draw. Botev and Kroese (2012), Statistics and Computing 22, 1-16: splitting.
"""

from dataclasses import dataclass, replace

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.feasible.branches import FREE, Branches, find_branches
from doe.feasible.regions import Points, Region

MAX_WALKS = 1024
MIN_JUDGED_WALKS = 256
_MAX_LEVELS = 60
# An excess that has shrunk by this much and is never zero belongs to a region without volume.
_VANISHED = 1e-11
# An excess that a level takes down by less than this comes near to its smallest value, not to zero.
_SLOW = 0.999
_MAX_STUCK = 10
_MAX_SHRINKS = 40


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """Where all walks stand.

    Attributes:
        points: One per walk.
        branch: The branch that each walk stays in, shape ``(n_walks,)``.
    """

    points: Points
    branch: IntArray

    def take(self, rows: IntArray) -> "Ensemble":
        """Return some of the walks, copied where a row repeats."""
        return Ensemble(self.points.take(rows), self.branch[rows])


def draw_points(region: Region, n_points: int, *, rng: np.random.Generator) -> Points | None:
    """Return allowed points spread evenly over the region, or None if none was found."""
    if not (region.is_judged or region.counted or len(region.equations)) and len(
        region.upper
    ) == 2 * len(region.moving):
        return _draw_box(region, n_points, rng)
    n_walks = min(n_points, MAX_WALKS)
    if region.is_judged:
        n_walks = max(n_walks, MIN_JUDGED_WALKS)
    branches = find_branches(region, n_walks, rng=rng)
    if branches is None:
        return None
    walker = Walker(region, branches)
    ensemble = walker.walk(walker.start(n_walks, rng), np.inf, walker.n_mixing, rng)
    if region.is_judged:
        descended = walker.descend(ensemble, rng)
        if descended is None:
            return None
        ensemble = descended
    drawn = [ensemble.points.take(rng.permutation(n_walks)[:n_points])]
    while sum(map(len, drawn)) < n_points:
        ensemble = walker.walk(ensemble, 0.0, walker.n_mixing, rng)
        drawn.append(ensemble.points)
    moving = np.vstack([points.moving for points in drawn])[:n_points]
    return Points(moving, np.vstack([points.chosen for points in drawn])[:n_points])


def _draw_box(region: Region, n_points: int, rng: np.random.Generator) -> Points:
    counts = np.array([len(factor.levels) for factor in region.chosen], dtype=np.int64)
    chosen = rng.integers(counts, size=(n_points, len(counts)))
    return Points(rng.random((n_points, len(region.moving))), chosen)


class Walker:
    """Moves ensembles through a region."""

    def __init__(self, region: Region, branches: Branches) -> None:
        self._region = region
        self._centres = np.array([p.centre for p in branches.polytopes])
        self._moves = np.array([p.moves for p in branches.polytopes])
        self._is_loose = np.array([p.is_loose for p in branches.polytopes])
        self._normals = np.array(
            [np.zeros(len(p.centre)) if p.normal is None else p.normal for p in branches.polytopes]
        )
        self._is_free = np.array([p.is_free for p in branches.polytopes])
        self._can_pair = np.array(
            [p.normal is not None and p.is_free.sum() > 1 for p in branches.polytopes]
        )
        self._levels = branches.levels
        self._counts = np.array([len(f.levels) for f in region.chosen], dtype=np.int64)
        # From the centre; measured on simplices, corners and boxes of 2 to 20 factors.
        n_steps = 30 + 8 * len(region.moving)
        self.n_mixing = n_steps if self._can_pair.all() else 3 * n_steps

    def start(self, n_walks: int, rng: np.random.Generator) -> Ensemble:
        """Return walks in the centre of their branches, with random levels."""
        # Each branch in turn: where there are as many as walks, none is drawn twice.
        branch = rng.permutation(np.arange(n_walks) % len(self._centres))
        held = self._levels[branch]
        drawn = rng.integers(self._counts, size=(n_walks, len(self._counts)))
        chosen = np.where(held == FREE, drawn, held)
        return Ensemble(Points(self._centres[branch], chosen), branch)

    def walk(
        self, ensemble: Ensemble, limit: float, n_steps: int, rng: np.random.Generator
    ) -> Ensemble:
        """Return the ensemble after so many steps that keep the excess at or below ``limit``."""
        for step in range(n_steps):
            is_paired = step % 3 > 0 and self._can_pair.all()
            direct = self._paired if is_paired else self._round
            ensemble = self._step(ensemble, direct(ensemble, rng), limit, rng)
            if self._region.is_judged and len(self._counts):
                ensemble = self._switch(ensemble, limit, rng)
        return ensemble

    def descend(self, ensemble: Ensemble, rng: np.random.Generator) -> Ensemble | None:
        """Return an ensemble without excess, or None if it could not be reached."""
        n_walks, n_stuck, n_slow = len(ensemble.branch), 0, 0
        n_steps = max(8, self.n_mixing // 4)
        first = before = np.inf
        for _ in range(_MAX_LEVELS):
            excess = self._region.excess(ensemble.points)
            worst = float(excess.max())
            if worst == 0:
                return self.walk(ensemble, 0.0, self.n_mixing, rng)
            first = worst if not np.isfinite(first) else first
            n_slow = n_slow + 1 if worst > _SLOW * before else 0
            before = worst
            is_hopeless = worst < _VANISHED * first or n_slow > _MAX_STUCK
            if n_stuck > _MAX_STUCK or (float(excess.min()) > 0 and is_hopeless):
                return None
            limit = float(np.sort(excess)[(n_walks - 1) // 2])
            limit = limit if limit < worst else np.nextafter(worst, 0.0)
            better = np.flatnonzero(excess <= limit)
            if not len(better):
                n_stuck += 1
                ensemble = self.walk(ensemble, worst, n_steps, rng)
                continue
            copies = np.concatenate([better, rng.choice(better, size=n_walks - len(better))])
            ensemble = self.walk(ensemble.take(copies), float(excess[better].max()), n_steps, rng)
        return None

    def _round(self, ensemble: Ensemble, rng: np.random.Generator) -> FloatArray:
        """Return directions that are even where the region looks round."""
        draws = rng.standard_normal(ensemble.points.moving.shape)
        if len(self._moves) == 1:
            return np.asarray(draws @ self._moves[0].T, dtype=np.float64)
        moved = np.einsum("wij,wj->wi", self._moves[ensemble.branch], draws)
        return np.asarray(moved, dtype=np.float64)

    def _paired(self, ensemble: Ensemble, rng: np.random.Generator) -> FloatArray:
        """Return directions in which two factors move: in a mixture these mix much sooner."""
        shape = ensemble.points.moving.shape
        keys = np.where(self._is_free[ensemble.branch], rng.random(shape), -1.0)
        pair = np.argpartition(keys, -2, axis=1)[:, -2:]
        weights = np.take_along_axis(self._normals[ensemble.branch], pair, axis=1)[:, ::-1]
        # Without an equation any two amounts will do.
        is_tied = weights.any(axis=1, keepdims=True)
        weights = np.where(is_tied, weights * [1.0, -1.0], rng.standard_normal(pair.shape))
        direction = np.zeros(shape)
        np.put_along_axis(direction, pair, weights, axis=1)
        return direction

    def _step(
        self, ensemble: Ensemble, direction: FloatArray, limit: float, rng: np.random.Generator
    ) -> Ensemble:
        place = ensemble.points.moving
        first, last = self._chord(place, direction, ensemble.branch)
        at = first + (last - first) * rng.random(len(place))
        if self._region.is_judged:
            at = self._shrink(ensemble.points, direction, first, last, at, limit, rng)
        moved = np.clip(place + at[:, None] * direction, 0.0, 1.0)
        return replace(ensemble, points=replace(ensemble.points, moving=moved))

    def _chord(
        self, place: FloatArray, direction: FloatArray, branch: IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return how far each walk can go back and forth, shapes ``(n_walks,)``."""
        region = self._region
        rate = direction @ region.matrix.T
        slack = np.maximum(region.upper - place @ region.matrix.T, 0.0)
        length = np.linalg.norm(direction, axis=1, keepdims=True)
        counts = self._is_loose[branch] & (np.abs(rate) > 1e-12 * length)
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(counts, slack / rate, np.inf)
        last = np.where(reach > 0, reach, np.inf)
        last = np.where(counts & (slack == 0) & (rate > 0), 0.0, last).min(axis=1, initial=np.inf)
        first = np.where(reach < 0, reach, -np.inf)
        first = np.where(counts & (slack == 0) & (rate < 0), 0.0, first).max(
            axis=1, initial=-np.inf
        )
        is_still = ~(np.isfinite(first) & np.isfinite(last))
        return np.where(is_still, 0.0, first), np.where(is_still, 0.0, last)

    def _shrink(
        self,
        points: Points,
        direction: FloatArray,
        first: FloatArray,
        last: FloatArray,
        at: FloatArray,
        limit: float,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Draw again nearer to where the walk stands until the excess is at or below the limit."""
        first, last, at = first.copy(), last.copy(), at.copy()
        open_ = np.arange(len(at))
        for _ in range(_MAX_SHRINKS):
            tried = points.moving[open_] + at[open_, None] * direction[open_]
            candidates = Points(np.clip(tried, 0.0, 1.0), points.chosen[open_])
            open_ = open_[self._region.excess(candidates) > limit]
            if not len(open_):
                return at
            refused = at[open_]
            first[open_] = np.where(refused < 0, refused, first[open_])
            last[open_] = np.where(refused > 0, refused, last[open_])
            at[open_] = first[open_] + (last[open_] - first[open_]) * rng.random(len(open_))
        at[open_] = 0.0
        return at

    def _switch(self, ensemble: Ensemble, limit: float, rng: np.random.Generator) -> Ensemble:
        """Draw the level of one factor anew where that keeps the excess at or below the limit."""
        chosen = ensemble.points.chosen.copy()
        rows = np.arange(len(chosen))
        which = rng.integers(len(self._counts), size=len(chosen))
        chosen[rows, which] = rng.integers(self._counts[which])
        chosen = np.where(self._levels[ensemble.branch] == FREE, chosen, ensemble.points.chosen)
        proposed = replace(ensemble.points, chosen=chosen)
        allowed: BoolArray = self._region.excess(proposed) <= limit
        kept = np.where(allowed[:, None], chosen, ensemble.points.chosen)
        return replace(ensemble, points=replace(ensemble.points, chosen=kept))
