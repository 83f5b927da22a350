"""Lines of equal value over a grid."""

import numpy as np

from doe.arrays import FloatArray

_Edge = tuple[int, int, int]  # row, column, 0 along x or 1 along y


def contour_lines(
    x: FloatArray, y: FloatArray, values: FloatArray, level: float
) -> tuple[tuple[FloatArray, FloatArray], ...]:
    """Return the pieces of the line where ``values`` cross ``level``, as ``(x, y)`` each.

    Closed pieces end where they start. Undefined values have no line next to them.

    Args:
        x: Places of the columns, ascending.
        y: Places of the rows, ascending.
        values: Shape ``(len(y), len(x))``.
        level: The value of the line.

    Source:
        Marching squares: Lorensen and Cline (1987), SIGGRAPH 21, 163-169, in two dimensions.
        Ambiguous cells are decided by the mean of their corners.
    """
    above = values >= level
    links: dict[_Edge, list[_Edge]] = {}
    for row, column in np.argwhere(_mixed(above) & np.isfinite(_corner_sum(values))):
        for one, other in _segments(above, values, int(row), int(column), level):
            links.setdefault(one, []).append(other)
            links.setdefault(other, []).append(one)
    return tuple(_points(piece, x, y, values, level) for piece in _pieces(links))


def _mixed(above: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> FloatArray:
    count = above.astype(np.int64)
    total = count[:-1, :-1] + count[1:, :-1] + count[:-1, 1:] + count[1:, 1:]
    return np.asarray((total > 0) & (total < 4))


def _corner_sum(values: FloatArray) -> FloatArray:
    return np.asarray(values[:-1, :-1] + values[1:, :-1] + values[:-1, 1:] + values[1:, 1:])


def _segments(
    above: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]",
    values: FloatArray,
    row: int,
    column: int,
    level: float,
) -> list[tuple[_Edge, _Edge]]:
    """Return the pairs of cell edges that the line joins within one cell."""
    bottom, top = (row, column, 0), (row + 1, column, 0)
    left, right = (row, column, 1), (row, column + 1, 1)
    corners = above[[row, row, row + 1, row + 1], [column, column + 1, column + 1, column]]
    around = [bottom, right, top, left]  # the edge after each corner, counter-clockwise
    crossed = [
        edge for place, edge in enumerate(around) if corners[place] != corners[(place + 1) % 4]
    ]
    if len(crossed) == 2:
        return [(crossed[0], crossed[1])]
    middle = values[row : row + 2, column : column + 2].mean() >= level
    if middle == corners[0]:
        return [(bottom, right), (top, left)]
    return [(left, bottom), (right, top)]


def _pieces(links: dict[_Edge, list[_Edge]]) -> list[list[_Edge]]:
    """Return chains of linked edges: open ones from an end, then closed ones."""
    left = {edge: list(others) for edge, others in links.items()}
    starts = [edge for edge, others in links.items() if len(others) == 1]
    pieces = []
    for start in [*starts, *links]:
        piece = [start]
        while left[piece[-1]]:
            following = left[piece[-1]].pop()
            left[following].remove(piece[-1])
            piece.append(following)
        if len(piece) > 1:
            pieces.append(piece)
    return pieces


def _points(
    piece: list[_Edge], x: FloatArray, y: FloatArray, values: FloatArray, level: float
) -> tuple[FloatArray, FloatArray]:
    places = []
    for row, column, along_y in piece:
        start = values[row, column]
        end = values[row + along_y, column + 1 - along_y]
        share = (level - start) / (end - start)
        if along_y:
            places.append((x[column], y[row] + share * (y[row + 1] - y[row])))
        else:
            places.append((x[column] + share * (x[column + 1] - x[column]), y[row]))
    line = np.array(places)
    return line[:, 0], line[:, 1]
