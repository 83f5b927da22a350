"""Latin hypercubes whose nearest two points are as far apart as can be found.

Points are in unit coordinates, each factor from 0 at its low to 1 at its high end. Two levels of a
categorical factor are as far apart as low and high.
"""

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.designs.unit_points import smallest_distance, squared_distances

# A large power makes the sum of inverse distances follow the smallest distance.
_POWER = 15
_MAX_SWAPS = 20_000
_MAX_STARTS = 8
# Distances between equal points are not zero to the criterion, so that it can compare them.
_FLOOR = 1e-6


def spread_latin(
    planned: FloatArray, is_category: BoolArray, *, rng: np.random.Generator
) -> IntArray:
    """Return which planned value each run has of each factor, shape ``(n_runs, n_factors)``.

    Every column is a permutation. Pairs of entries of a column are swapped at random, and swaps
    that lower the criterion (a sum of inverse powers of the distances) are kept; small designs are
    started several times, and the start whose nearest two runs are farthest apart is returned.

    Args:
        planned: Unit coordinates that each factor's runs must have, shape ``(n_runs, n_factors)``;
            numbers of levels where ``is_category``.
        is_category: Which factors have levels without order.
        rng: Source of the random draws.

    Source:
        Morris and Mitchell (1995), J. Statistical Planning and Inference 43, 381-402: the
        criterion.
    """
    n_runs, n_factors = planned.shape
    if n_runs < 3 or n_factors < 2:
        return _random_table(n_runs, n_factors, rng=rng)
    tables: list[IntArray] = []
    n_swaps = _MAX_SWAPS
    while n_swaps > 0 and len(tables) < _MAX_STARTS:
        table, used = _improved(planned, is_category, n_swaps, rng=rng)
        tables.append(table)
        n_swaps -= used
    distances = [
        smallest_distance(np.take_along_axis(planned, table, axis=0), is_category)
        for table in tables
    ]
    return tables[int(np.argmax(distances))]


def _random_table(n_runs: int, n_factors: int, *, rng: np.random.Generator) -> IntArray:
    columns = [rng.permutation(n_runs) for _ in range(n_factors)]
    return np.column_stack(columns).astype(np.int64)


def _improved(
    planned: FloatArray, is_category: BoolArray, n_swaps: int, *, rng: np.random.Generator
) -> tuple[IntArray, int]:
    """Return a random table after swaps that lower the criterion, and how many were tried."""
    n_runs, n_factors = planned.shape
    table = _random_table(n_runs, n_factors, rng=rng)
    points = np.take_along_axis(planned, table, axis=0)
    squares = squared_distances(points, points, is_category)
    np.fill_diagonal(squares, np.inf)
    columns = rng.integers(n_factors, size=n_swaps)
    firsts = rng.integers(n_runs, size=n_swaps)
    seconds = (firsts + rng.integers(1, n_runs, size=n_swaps)) % n_runs
    # After so many failures in a row hardly any swap is left that would help.
    patience = n_factors * n_runs * (n_runs - 1)
    last_gain = 0
    for swap, (column, one, other) in enumerate(zip(columns, firsts, seconds, strict=True)):
        if swap - last_gain > patience:
            return table, swap
        before = squares[[one, other]]
        after = before + _change(
            points[:, column], one, other, is_category=bool(is_category[column])
        )
        after[0, other], after[1, one] = before[0, other], before[1, one]
        after[0, one] = after[1, other] = np.inf
        # Compared on the two rows alone: in the sum over all pairs a small gain would be lost.
        if _energy(after).sum() >= _energy(before).sum() * (1 - 1e-9):
            continue
        last_gain = swap
        for rows in (points[:, column], table[:, column]):
            rows[[one, other]] = rows[[other, one]]
        squares[[one, other]] = after
        squares[:, [one, other]] = after.T
    return table, n_swaps


def _change(column: FloatArray, one: int, other: int, *, is_category: bool) -> FloatArray:
    """Return how the squared distances of two rows change when they swap their entries."""
    apart = column[[one, other]][:, None] - column[None, :]
    squares = (apart != 0) * 1.0 if is_category else apart**2
    return np.asarray(squares[::-1] - squares, dtype=np.float64)


def _energy(squares: FloatArray) -> FloatArray:
    return np.asarray((squares + _FLOOR) ** (-_POWER / 2), dtype=np.float64)
