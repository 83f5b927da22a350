"""Points that stay apart in every projection on some of the factors: maximum projection."""

from collections.abc import Mapping

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.designs.unit_points import PointColumns

# The work of a search in multiplications, so that it does not depend on the clock.
_WORK = 1.2e10
_WORK_PER_SWAP = 6e4
_MAX_STARTS = 30
_MAX_SWEEPS = 100
_MAX_POLISH = 150
_MIN_POLISH = 20
_POLISH_WORK = 8e7
_MAX_POLISHED = 10
_MAX_ROUNDS = 10
_MULTIPLIED = 8
# Two values this near count as this far apart in a search, which so can compare all points.
_NEAREST = 1e-9


def max_projection_criterion(points: FloatArray, columns: PointColumns) -> float:
    """Return how near points come to each other in projections; the smaller the better.

    It is ``(mean over pairs of 1 / prod_l d_l^2)^(1/p)`` over ``p`` factors, where ``d_l`` is the
    difference in a factor of any value; the difference plus one over the number of levels in a
    number that has levels; and for a categorical factor one over the number of its levels, and 1
    more where the levels differ. Infinite when two points share a value of a factor without levels.

    Args:
        points: Unit coordinates, shape ``(n_runs, n_factors)``.
        columns: What the factors are.

    Source:
        Joseph, Gul and Ba (2015), Biometrika 102, 371-380, equation 5; Joseph, Gul and Ba (2020),
        J. Quality Technology 52, 343-354: discrete and categorical factors.
    """
    n_runs, n_factors = points.shape
    pairs = np.triu_indices(n_runs, 1)
    logs = np.zeros(len(pairs[0]))
    for place, grain in enumerate(columns.grains):
        values = points[:, place]
        apart = np.abs(values[pairs[0]] - values[pairs[1]])
        gap = ((apart != 0) if columns.is_category[place] else apart) + grain
        if not gap.all():
            return float("inf")
        logs -= 2.0 * np.log(gap)
    return float(np.exp((_log_sum(logs) - np.log(len(logs))) / n_factors))


def log_nearness(points: FloatArray, others: FloatArray, columns: PointColumns) -> FloatArray:
    """Return the logarithm of each pair's part in the criterion, shape ``(n_points, n_others)``."""
    logs = np.zeros((len(points), len(others)))
    product = np.ones_like(logs)
    for place in range(points.shape[1]):
        product *= squared_gaps(points[:, place], others[:, place], columns, place)
        # A logarithm costs far more than a product, which must not underflow either.
        if place % _MULTIPLIED == _MULTIPLIED - 1:
            logs -= np.log(product)
            product[:] = 1.0
    return np.asarray(logs - np.log(product), dtype=np.float64)


def squared_gaps(
    values: FloatArray, others: FloatArray, columns: PointColumns, place: int
) -> FloatArray:
    """Return the squared difference that the criterion sees in one factor, never quite 0."""
    apart = np.abs(values[:, None] - others[None, :])
    if columns.is_category[place]:
        apart = (apart != 0) * 1.0
    return np.asarray(np.maximum(apart + columns.grains[place], _NEAREST) ** 2, dtype=np.float64)


def project_latin(
    planned: FloatArray, columns: PointColumns, *, rng: np.random.Generator
) -> IntArray:
    """Return which planned value each run has of each factor, shape ``(n_runs, n_factors)``.

    Every column is a permutation. All swaps of two entries of a column are judged at once, and the
    best ones made, until none lowers the maximum projection criterion; then some entries are
    swapped at random and the search goes on from there, keeping the best.

    Args:
        planned: Unit coordinates that each factor's runs must have, shape ``(n_runs, n_factors)``.
        columns: What the factors are.
        rng: Source of the random draws.

    Source:
        Joseph, Gul and Ba (2015), Biometrika 102, 371-380: the criterion.
    """
    return _best_tables(planned, columns, 1, rng=rng)[0]


def projected_points(
    planned: FloatArray,
    columns: PointColumns,
    choices: Mapping[int, FloatArray],
    *,
    rng: np.random.Generator,
) -> FloatArray:
    """Return points of low maximum projection criterion, shape ``(n_runs, n_factors)``.

    The best Latin hypercubes of the planned values are polished, which leaves the equal spacing:
    factors with many steps are moved step by step, and then factors that can take any value along
    the gradient of the criterion.

    Args:
        planned: As for ``project_latin``.
        columns: What the factors are.
        choices: For the columns with more steps than runs, the unit coordinates of the steps.
        rng: Source of the random draws.

    Source:
        Joseph, Gul and Ba (2015), Biometrika 102, 371-380, section 3.
    """
    n_runs, n_factors = planned.shape
    affordable = int(_POLISH_WORK / (n_runs**2 * n_factors * _MAX_POLISH))
    n_polished = min(max(affordable, 1), _MAX_POLISHED)
    tables = _best_tables(planned, columns, n_polished, rng=rng)
    starts = [np.take_along_axis(planned, table, axis=0) for table in tables]
    polished = [_polished(_stepped(points, columns, choices), columns) for points in starts]
    values = [max_projection_criterion(points, columns) for points in polished]
    return polished[int(np.argmin(values))]


def _best_tables(
    planned: FloatArray, columns: PointColumns, count: int, *, rng: np.random.Generator
) -> list[IntArray]:
    """Return up to ``count`` different tables, that of the lowest criterion first."""
    n_runs, n_factors = planned.shape
    shuffled = [rng.permutation(n_runs) for _ in range(n_factors)]
    best = np.column_stack(shuffled).astype(np.int64)
    if n_runs < 3 or n_factors < 2:
        return [best]
    sweeps_left = max(3, int(_WORK / (n_runs * n_factors * (n_runs**2 + _WORK_PER_SWAP))))
    best, value, used = _descended(planned, best, columns, sweeps_left)
    found = {value: best}
    sweeps_left -= used
    starts = 1
    while sweeps_left > 0 and starts < _MAX_STARTS:
        table, value, used = _descended(
            planned, _shaken(found[min(found)], rng=rng), columns, sweeps_left
        )
        sweeps_left -= used
        starts += 1
        found[value] = table
    return [found[value] for value in sorted(found)[:count]]


def _shaken(table: IntArray, *, rng: np.random.Generator) -> IntArray:
    n_runs, n_factors = table.shape
    shaken = table.copy()
    for _ in range(max(2, n_runs * n_factors // 10)):
        column = int(rng.integers(n_factors))
        pair = rng.choice(n_runs, size=2, replace=False)
        shaken[pair, column] = shaken[pair[::-1], column]
    return shaken


def _descended(
    planned: FloatArray, table: IntArray, columns: PointColumns, max_sweeps: int
) -> tuple[IntArray, float, int]:
    """Return the table after swaps that lower the criterion, its value, and sweeps used."""
    table = table.copy()
    sweeps = 0
    for _ in range(min(max_sweeps, _MAX_SWEEPS)):
        sweeps += 1
        points = np.take_along_axis(planned, table, axis=0)
        logs = log_nearness(points, points, columns)
        np.fill_diagonal(logs, -np.inf)
        # The largest pair is 1: what underflows then is of no weight in the sum.
        nearness = np.exp(logs - logs.max())
        swapped = [
            _swap_column(points, table, nearness, columns, place)
            for place in range(points.shape[1])
        ]
        if not any(swapped):
            break
    points = np.take_along_axis(planned, table, axis=0)
    return table, max_projection_criterion(points, columns), sweeps


def _swap_column(
    points: FloatArray, table: IntArray, nearness: FloatArray, columns: PointColumns, place: int
) -> bool:
    """Swap entries of one column as long as listed swaps help; return whether any did.

    The sums after each possible swap are a product of matrices, since a swap multiplies a row of
    ``nearness`` by a ratio of squared gaps.
    """
    gaps = squared_gaps(points[:, place], points[:, place], columns, place)
    inverse = 1.0 / gaps
    np.fill_diagonal(inverse, 0.0)
    sums = nearness.sum(axis=1)
    after = (nearness * gaps) @ inverse
    change = after + after.T - (sums[:, None] + sums[None, :] - 2.0 * nearness)
    threshold = -1e-9 * float(sums.sum())
    ones, others = np.nonzero(np.triu(change, 1) < threshold)
    order = np.argsort(change[ones, others], kind="stable")[: len(points)]
    swapped = False
    for one, other in zip(ones[order], others[order], strict=True):
        rows = nearness[[one, other]]
        new = rows * gaps[[one, other]] * inverse[[other, one]]
        new[0, other], new[1, one] = rows[0, other], rows[1, one]
        if new.sum() - rows.sum() >= threshold:
            continue
        swapped = True
        nearness[[one, other]] = new
        nearness[:, [one, other]] = new.T
        for matrix in (gaps, inverse):
            matrix[[one, other]] = matrix[[other, one]]
            matrix[:, [one, other]] = matrix[:, [other, one]]
        for column in (points[:, place], table[:, place]):
            column[[one, other]] = column[[other, one]]
    return swapped


def _stepped(
    points: FloatArray, columns: PointColumns, choices: Mapping[int, FloatArray]
) -> FloatArray:
    """Return points whose entries in columns of many steps were exchanged for better steps."""
    if not choices:
        return points
    points = points.copy()
    logs = log_nearness(points, points, columns)
    np.fill_diagonal(logs, -np.inf)
    for _ in range(_MAX_ROUNDS):
        moved = False
        for place, steps in choices.items():
            for run in range(len(points)):
                column = points[:, place]
                old = squared_gaps(column[[run]], column, columns, place)
                new = squared_gaps(steps, column, columns, place)
                rows = logs[run] + np.log(old) - np.log(new)
                totals = np.exp(rows - logs[run].max()).sum(axis=1)
                best = int(totals.argmin())
                if totals[best] >= np.exp(logs[run] - logs[run].max()).sum() * (1 - 1e-9):
                    continue
                moved = True
                points[run, place] = steps[best]
                logs[run] = logs[:, run] = rows[best]
        if not moved:
            break
    return points


def _polished(points: FloatArray, columns: PointColumns) -> FloatArray:
    """Return points whose columns of any value were moved to a minimum of the criterion."""
    from scipy.optimize import minimize

    free = np.flatnonzero(columns.n_levels == 0)
    if not free.size:
        return points
    affordable = int(_POLISH_WORK / points.shape[0] ** 2 / points.shape[1])
    moved = points.copy()

    def value_and_gradient(flat: FloatArray) -> tuple[float, FloatArray]:
        moved[:, free] = flat.reshape(len(points), len(free))
        logs = log_nearness(moved, moved, columns)
        np.fill_diagonal(logs, -np.inf)
        total = _log_sum(logs.ravel())
        weights = np.exp(logs - total)
        gradient = np.empty((len(points), len(free)))
        for place, column in enumerate(free):
            apart = moved[:, column][:, None] - moved[:, column][None, :]
            # Two that stand at the same end of a range push neither way.
            push = np.divide(weights, apart, out=np.zeros_like(apart), where=apart != 0)
            gradient[:, place] = -4.0 * push.sum(axis=1)
        return total, gradient.ravel()

    found = minimize(
        value_and_gradient,
        points[:, free].ravel(),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, 1.0)] * (len(points) * len(free)),
        options={"maxiter": min(max(affordable, _MIN_POLISH), _MAX_POLISH), "ftol": 1e-10},
    )
    moved[:, free] = np.clip(found.x, 0.0, 1.0).reshape(len(points), len(free))
    better = max_projection_criterion(moved, columns) < max_projection_criterion(points, columns)
    return moved if better else points


def _log_sum(logs: FloatArray) -> float:
    largest = float(logs.max())
    return largest + float(np.log(np.exp(logs - largest).sum()))
