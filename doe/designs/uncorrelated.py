"""Latin hypercubes whose columns are as little correlated as can be found."""

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.designs.unit_points import contrasts, largest_correlation, smallest_distance

# The work of a search in comparisons of two runs, so that it does not depend on the clock.
_WORK = 3e7
_WORK_PER_COLUMN = 4e3
_MAX_STARTS = 60
_MAX_SWEEPS = 30
_MAX_SWAPS = 20
# Below this a correlation no longer counts: of such designs the one that spreads best is taken.
_SMALL = 5e-4


def uncorrelate_latin(
    planned: FloatArray, is_category: BoolArray, *, rng: np.random.Generator
) -> IntArray:
    """Return which planned value each run has of each factor, shape ``(n_runs, n_factors)``.

    Every column is a permutation. All swaps of two entries of a column are judged at once by the
    sum of squared correlations with the other columns, and the best ones made, until none helps.
    Of several starts the one whose largest correlation is smallest is returned; among those that
    are practically uncorrelated, the one whose nearest two runs are farthest apart.

    Args:
        planned: Unit coordinates that each factor's runs must have, shape ``(n_runs, n_factors)``.
        is_category: Which factors have levels without order.
        rng: Source of the random draws.

    Source:
        Owen (1994), J. American Statistical Association 89, 1517-1522: control of correlations;
        Tang (1998), Statistica Sinica 8, 965-977.
    """
    n_runs, n_factors = planned.shape
    bases = [
        contrasts(column, is_category=bool(category))
        for column, category in zip(planned.T, is_category, strict=True)
    ]
    work_per_sweep = n_factors * (n_runs**2 + _WORK_PER_COLUMN)
    sweeps_left = max(10, int(_WORK / work_per_sweep))
    best: tuple[float, float] | None = None
    kept = np.empty((0, n_factors), dtype=np.int64)
    for _ in range(_MAX_STARTS):
        shuffled = [rng.permutation(n_runs) for _ in range(n_factors)]
        table = np.column_stack(shuffled).astype(np.int64)
        sweeps_left -= _descended(table, bases)
        points = np.take_along_axis(planned, table, axis=0)
        worst = max(largest_correlation(points, is_category), _SMALL)
        value = (round(worst, 9), -smallest_distance(points, is_category))
        if best is None or value < best:
            best, kept = value, table
        if sweeps_left <= 0 or n_factors < 2 or n_runs < 3:
            break
    return kept


def _descended(table: IntArray, bases: list[FloatArray]) -> int:
    """Swap entries of a table in place until no swap helps; return how many sweeps it took."""
    blocks = [base[rows] for base, rows in zip(bases, table.T, strict=True)]
    for sweep in range(_MAX_SWEEPS):
        swapped = False
        for place, block in enumerate(blocks):
            others = [other for number, other in enumerate(blocks) if number != place]
            if not block.shape[1] or not others:
                continue
            swapped |= _swap_column(table[:, place], block, np.hstack(others))
        if not swapped:
            return sweep + 1
    return _MAX_SWEEPS


def _swap_column(rows: IntArray, block: FloatArray, others: FloatArray) -> bool:
    """Swap entries of one factor, in place, as long as listed swaps help; return whether any did.

    A swap of runs i and j changes the products of columns ``C = block' others`` by
    ``-(block_i - block_j)' (others_i - others_j)``.
    """
    products = block.T @ others
    if not products.size or float((products**2).sum()) < 1e-18:
        return False
    pull = block @ (products @ others.T)
    at_home = np.diag(pull)
    gain = 2.0 * (at_home[:, None] + at_home[None, :] - pull - pull.T)
    change = _squares(block) * _squares(others) - gain
    ones, twos = np.nonzero(np.triu(change, 1) < -1e-15)
    order = np.argsort(change[ones, twos], kind="stable")[: max(_MAX_SWAPS, len(rows) // 4)]
    swapped = False
    for one, two in zip(ones[order], twos[order], strict=True):
        step = np.outer(block[one] - block[two], others[one] - others[two])
        new = products - step
        if float((new**2).sum()) >= float((products**2).sum()) - 1e-15:
            continue
        swapped = True
        products = new
        block[[one, two]] = block[[two, one]]
        rows[[one, two]] = rows[[two, one]]
    return swapped


def _squares(points: FloatArray) -> FloatArray:
    lengths = (points**2).sum(axis=1)
    squares = lengths[:, None] + lengths[None, :] - 2.0 * points @ points.T
    return np.asarray(np.maximum(squares, 0.0), dtype=np.float64)
