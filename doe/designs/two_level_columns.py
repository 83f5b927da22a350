"""Columns of a conference matrix for factors without a middle: which levels stand in for zero."""

from collections.abc import Sequence

import numpy as np

from doe.arrays import FloatArray

_N_STARTS = 16
_MAX_SWEEPS = 50
# More centre runs repeat these, which are as many as all columns can be orthogonal in.
_MAX_DIFFERENT = 32


def filled_columns(
    matrix: FloatArray, columns: Sequence[int], n_centre: int
) -> tuple[FloatArray, FloatArray]:
    """Return columns of a conference matrix without zeros, and levels for centre runs.

    All runs come in pairs of opposite signs, of which this is the one half. The signs in the places
    of the zeros and in the centre runs are chosen so that the columns are as nearly orthogonal as
    can be found: the sum of squares of their products is least, over coordinate descents from 16
    fixed starts.

    Args:
        matrix: The conference matrix, shape ``(order, order)``.
        columns: Which of its columns are filled; may be none.
        n_centre: How many centre runs there are in this half.

    Returns:
        The filled columns, shape ``(order, n_columns)``, and the centre runs, shape ``(n_centre,
        n_columns)``, all -1 or +1.

    Source:
        Jones and Nachtsheim (2013), J. Quality Technology 45, 121-129: designs with zeros filled.
    """
    places = list(columns)
    n_columns = len(places)
    best: tuple[FloatArray, FloatArray] = (
        matrix[:, places].copy(),
        np.zeros((n_centre, n_columns)),
    )
    if not n_columns:
        return best
    least = np.inf
    for start in range(_N_STARTS):
        signs = _start(start, n_columns, min(n_centre, _MAX_DIFFERENT))
        filled, centre = _descent(matrix, places, *signs)
        value = _overlap(filled, centre)
        if value < least - 1e-9:
            least, best = value, (filled, centre)
    filled, different = best
    return filled, different[np.arange(n_centre) % max(len(different), 1)]


def _start(start: int, n_columns: int, n_centre: int) -> tuple[FloatArray, FloatArray]:
    """Return signs for the zeros, shape ``(n_columns,)``, and for the centre runs."""
    numbers = np.arange(n_columns)
    zeros = 1.0 - 2.0 * (np.bitwise_count(numbers & (start // 4)) % 2)
    centre = [
        1.0 - 2.0 * (np.bitwise_count(numbers & (start % 4 + run)) % 2) for run in range(n_centre)
    ]
    return zeros, np.array(centre).reshape(n_centre, n_columns)


def _descent(
    matrix: FloatArray, places: list[int], zeros: FloatArray, centre: FloatArray
) -> tuple[FloatArray, FloatArray]:
    filled = matrix[:, places].copy()
    filled[places, range(len(places))] = zeros
    centre = centre.copy()
    least = _overlap(filled, centre)
    for _ in range(_MAX_SWEEPS):
        before = least
        signs = [(filled, (row, column)) for column, row in enumerate(places)]
        signs += [(centre, place) for place in np.ndindex(*centre.shape)]
        for table, place in signs:
            table[place] *= -1
            value = _overlap(filled, centre)
            if value < least - 1e-9:
                least = value
            else:
                table[place] *= -1
        if least == before:
            break
    return filled, centre


def _overlap(filled: FloatArray, centre: FloatArray) -> float:
    products = filled.T @ filled + centre.T @ centre
    return float((products**2).sum() - (np.diag(products) ** 2).sum())
