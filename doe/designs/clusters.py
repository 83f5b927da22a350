"""Allowed settings in as many cells as runs are wanted, and the run that is picked in each."""

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.designs.projections import log_nearness
from doe.designs.unit_points import PointColumns

_MAX_ROUNDS = 10
_MAX_PAIRS = 300
_MAX_STEPS = 25
# Levels of categorical factors part cells only where numbers cannot: each cell then offers all.
_LEVEL_WEIGHT = 0.05
_LARGEST_EXPONENT = 600.0


def placed(points: FloatArray, columns: PointColumns, candidates: FloatArray) -> FloatArray:
    """Return points where distances can be taken, shape ``(n_points, n_dimensions)``.

    Numbers run from 0 to 1 over what the candidates reach, which constraints may narrow.
    """
    blocks: list[FloatArray] = []
    for place, category in enumerate(columns.is_category):
        values = points[:, place]
        if category:
            levels = np.arange(columns.n_levels[place])
            blocks.append((values[:, None] == levels[None, :]) * _LEVEL_WEIGHT)
            continue
        low, high = candidates[:, place].min(), candidates[:, place].max()
        blocks.append(((values - low) / (high - low if high > low else 1.0))[:, None])
    return np.hstack(blocks)


def ward_cells(located: FloatArray, n_cells: int) -> IntArray:
    """Return the cell of each point, 0 to ``n_cells - 1``, every cell having one or more points.

    Source:
        Ward (1963), J. American Statistical Association 58, 236-244; Lekivetz and Jones (2015),
        Quality and Reliability Engineering International 31, 829-837: cells of a design.
    """
    from scipy.cluster.hierarchy import linkage
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_points = len(located)
    n_merges = n_points - n_cells
    if n_merges == 0:
        return np.arange(n_points)
    merges = linkage(located, "ward")[:n_merges, :2].astype(np.int64)
    new = np.repeat(n_points + np.arange(n_merges), 2)
    size = n_points + n_merges
    graph = coo_array((np.ones(len(new)), (merges.ravel(), new)), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    return np.unique(labels[:n_points], return_inverse=True)[1].astype(np.int64)


def free_cells(located: FloatArray, fixed: FloatArray, n_cells: int) -> IntArray:
    """Return the cell of each point between points that stand already; -1 is a cell of those.

    The new cells start where points are farthest from all others, and their centres then move to
    the middle of their points, while those of the fixed points stay.

    Source:
        Lloyd (1982), IEEE Transactions on Information Theory 28, 129-137, with fixed centres.
    """
    nearest = _squares(located, fixed).min(axis=1)
    centres = np.empty((n_cells, located.shape[1]))
    for cell in range(n_cells):
        centres[cell] = located[int(nearest.argmax())]
        nearest = np.minimum(nearest, _squares(located, centres[[cell]])[:, 0])
    to_fixed = _squares(located, fixed).min(axis=1)
    cells = np.empty(len(located), dtype=np.int64)
    for _ in range(_MAX_STEPS):
        to_centres = _squares(located, centres)
        cells = to_centres.argmin(axis=1).astype(np.int64)
        cells[to_fixed < to_centres.min(axis=1)] = -1
        _fill_empty(cells, to_centres, n_cells)
        moved = np.stack([located[cells == cell].mean(axis=0) for cell in range(n_cells)])
        if np.allclose(moved, centres, rtol=0.0, atol=1e-9):
            break
        centres = moved
    return cells


def picked(
    points: FloatArray,
    cells: IntArray,
    columns: PointColumns,
    fixed: FloatArray,
    *,
    rng: np.random.Generator,
) -> IntArray:
    """Return one point of each cell, such that they stay apart in projections.

    Point after point is exchanged for the one of its cell that has the lowest maximum projection
    criterion beside all others. Levels of categorical factors come first: as equally often as the
    cells offer, alone and in combination. Where they do, pairs of runs exchange their levels.

    Args:
        points: Unit coordinates of the candidates, shape ``(n_points, n_factors)``.
        cells: The cell of each; -1 for none.
        columns: What the factors are.
        fixed: Points that stand already, shape ``(n_fixed, n_factors)``.
        rng: The order in which cells are visited.

    Returns:
        Rows of ``points``, shape ``(n_cells,)``.

    Source:
        Lekivetz and Jones (2015), Quality and Reliability Engineering International 31, 829-837;
        Lekivetz and Jones (2019), Quality and Reliability Engineering International 35, 1-14:
        balanced levels.
    """
    n_cells = int(cells.max()) + 1
    members = [np.flatnonzero(cells == cell) for cell in range(n_cells)]
    combinations = _combinations(points, columns.is_category)
    search = _Search(points, columns, fixed, combinations)
    chosen = np.full(n_cells, -1, dtype=np.int64)
    for cell in rng.permutation(n_cells):
        chosen[cell] = search.best(members[cell], chosen)
    for _ in range(_MAX_ROUNDS):
        before = chosen.copy()
        for cell in rng.permutation(n_cells):
            chosen[cell] = search.best(members[cell], np.delete(chosen, cell))
        if columns.is_category.any() and n_cells > 1:
            search.exchange_levels(chosen, members, rng=rng)
        if (before == chosen).all():
            break
    return chosen


def exchanged(points: FloatArray, chosen: IntArray, columns: PointColumns) -> IntArray:
    """Return rows of points after exchanges, with all points, that lower the criterion.

    Levels of categorical factors stay with their runs, so that their balance is kept.

    Args:
        points: Unit coordinates of all points, shape ``(n_points, n_factors)``.
        chosen: The rows to begin with, shape ``(n_runs,)``, all different; they stay so.
        columns: What the factors are.

    Source:
        Joseph, Gul and Ba (2015), Biometrika 102, 371-380: the criterion.
    """
    combinations = _combinations(points, columns.is_category)
    chosen = chosen.copy()
    logs = log_nearness(points, points[chosen], columns)
    # Compared within one table: a common factor does not matter, and the nearest pairs do.
    shift = float(np.median(logs))
    table = np.exp(np.minimum(logs - shift, _LARGEST_EXPONENT))
    for _ in range(_MAX_ROUNDS):
        moved = False
        for place in range(len(chosen)):
            others = np.ones(len(chosen))
            others[place] = 0.0
            sums = table @ others
            sums[combinations != combinations[chosen[place]]] = np.inf
            sums[np.delete(chosen, place)] = np.inf
            best = int(sums.argmin())
            if sums[best] >= sums[chosen[place]] * (1 - 1e-9):
                continue
            moved = True
            chosen[place] = best
            new = log_nearness(points, points[[best]], columns)[:, 0]
            table[:, place] = np.exp(np.minimum(new - shift, _LARGEST_EXPONENT))
        if not moved:
            break
    return chosen


class _Search:
    """What picking points one by one needs to know of all candidates."""

    def __init__(
        self, points: FloatArray, columns: PointColumns, fixed: FloatArray, combinations: IntArray
    ) -> None:
        self.points = points
        self.columns = columns
        self.fixed = fixed
        self.combinations = combinations
        self.levels = points[:, columns.is_category].astype(np.int64)
        self.fixed_levels = fixed[:, columns.is_category].astype(np.int64)

    def best(self, members: IntArray, chosen: IntArray) -> int:
        """Return the member that keeps levels in balance and is farthest from those chosen."""
        chosen = chosen[chosen >= 0]
        excess = self._excess(members, chosen)
        members = members[excess == excess.min()]
        return int(members[int(self._pressure(members, chosen).argmin())])

    def exchange_levels(
        self, chosen: IntArray, members: list[IntArray], *, rng: np.random.Generator
    ) -> None:
        """Let pairs of runs, each in its cell, take over each other's levels where that helps."""
        ones, others = np.triu_indices(len(chosen), 1)
        for pair in rng.permutation(len(ones))[:_MAX_PAIRS]:
            one, other = int(ones[pair]), int(others[pair])
            codes = self.combinations[chosen[[one, other]]]
            if codes[0] == codes[1]:
                continue
            for_one = members[one][self.combinations[members[one]] == codes[1]]
            for_other = members[other][self.combinations[members[other]] == codes[0]]
            if not for_one.size or not for_other.size:
                continue
            rest = np.delete(chosen, [one, other])
            new_one, before_other = self._farthest(for_one, rest)
            new_other, after = self._farthest(for_other, np.append(rest, new_one))
            first = self._pressure(chosen[[one]], rest)[0]
            second = self._pressure(chosen[[other]], np.append(rest, chosen[one]))[0]
            if np.logaddexp(before_other, after) < np.logaddexp(first, second) - 1e-9:
                chosen[[one, other]] = new_one, new_other

    def _farthest(self, members: IntArray, chosen: IntArray) -> tuple[int, float]:
        pressures = self._pressure(members, chosen)
        best = int(pressures.argmin())
        return int(members[best]), float(pressures[best])

    def _pressure(self, members: IntArray, chosen: IntArray) -> FloatArray:
        """Return the logarithm of each member's part in the criterion, beside those chosen."""
        others = np.vstack([self.points[chosen], self.fixed])
        if not len(others):
            # The first run of all: in the middle, since nothing else speaks for any place.
            middle = self.points[members][:, ~self.columns.is_category] - 0.5
            return np.asarray((middle**2).sum(axis=1), dtype=np.float64)
        logs = log_nearness(self.points[members], others, self.columns)
        largest = logs.max(axis=1)
        sums = np.exp(logs - largest[:, None]).sum(axis=1)
        return np.asarray(largest + np.log(sums), dtype=np.float64)

    def _excess(self, members: IntArray, chosen: IntArray) -> FloatArray:
        """Return how often the levels of each member are used already, alone before together."""
        excess = np.zeros(len(members))
        if not self.levels.shape[1]:
            return excess
        used = np.vstack([self.levels[chosen], self.fixed_levels])
        for place in range(used.shape[1]):
            counts = np.bincount(used[:, place], minlength=int(self.levels[:, place].max()) + 1)
            excess += counts[self.levels[members, place]] * (len(used) + 1.0)
        together = np.bincount(
            self.combinations[chosen], minlength=int(self.combinations.max()) + 1
        )
        return np.asarray(excess + together[self.combinations[members]], dtype=np.float64)


def _combinations(points: FloatArray, is_category: BoolArray) -> IntArray:
    """Return a number for each combination of levels of the categorical factors."""
    if not is_category.any():
        return np.zeros(len(points), dtype=np.int64)
    inverse = np.unique(points[:, is_category], axis=0, return_inverse=True)[1]
    return np.asarray(inverse, dtype=np.int64).ravel()


def _fill_empty(cells: IntArray, to_centres: FloatArray, n_cells: int) -> None:
    for cell in range(n_cells):
        if (cells == cell).any():
            continue
        sizes = np.bincount(cells[cells >= 0], minlength=n_cells)
        spare = (cells < 0) | (sizes[np.maximum(cells, 0)] > 1)
        cells[int(np.where(spare, to_centres[:, cell], np.inf).argmin())] = cell


def _squares(points: FloatArray, others: FloatArray) -> FloatArray:
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(points, others, "sqeuclidean"), dtype=np.float64)
