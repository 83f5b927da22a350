"""Runs and their mirror images: what main effects explain, apart from what second-order ones do."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from doe.arrays import FloatArray
from surrogates.linear.model import LinearModel

# Achieved settings this near to a mirror image, in coded units, count as it.
PAIR_TOLERANCE = 0.1


@dataclass(frozen=True, eq=False)
class MirrorPairs:
    """The values of fold-over pairs and centre runs, split into an odd and an even part.

    The odd part changes its sign with all factors (main effects and third-order effects), the even
    part does not (constant, blocks, second-order effects), and each is free of the other.

    Attributes:
        pairs: Rows of each run and its mirror image.
        centres: Rows of centre runs.
        unpaired: Rows of runs whose mirror image is missing.
        odd: Half the difference of each pair, shape ``(n_pairs,)``.
        even: Mean of each pair, then each centre run, shape ``(n_pairs + n_centres,)``.
        cells: Number of the group of equal settings and block of each entry of ``even``.
    """

    pairs: tuple[tuple[int, int], ...]
    centres: tuple[int, ...]
    unpaired: tuple[int, ...]
    odd: FloatArray
    even: FloatArray
    cells: tuple[int, ...]

    @property
    def even_rows(self) -> list[int]:
        """The row that stands for each entry of ``even``."""
        return [*(one for one, _ in self.pairs), *self.centres]

    @property
    def even_weights(self) -> FloatArray:
        """How many runs are behind each entry of ``even``."""
        return np.array([2.0] * len(self.pairs) + [1.0] * len(self.centres))

    def pure_error(self) -> tuple[float, int]:
        """Return sum of squares and degrees of freedom of repeats of the even part."""
        squares, cells, weights = 0.0, np.array(self.cells), self.even_weights
        for cell in set(self.cells):
            own, weight = self.even[cells == cell], weights[cells == cell]
            squares += float(weight @ np.square(own - weight @ own / weight.sum()))
        return squares, len(self.cells) - len(set(self.cells))


def mirror_pairs(model: LinearModel, columns: FloatArray) -> MirrorPairs:
    """Return the pairs of a design whose runs have mirror images.

    Args:
        model: Gives values and blocks.
        columns: Main-effect columns, coded, shape ``(n_runs, n_factors)``.
    """
    keys = _blocks(model)
    size = np.abs(columns).max(axis=1)
    centres = tuple(int(row) for row in np.flatnonzero(size <= PAIR_TOLERANCE))
    waiting = [row for row in range(len(columns)) if row not in centres]
    pairs, unpaired = [], []
    while waiting:
        row = waiting.pop(0)
        near = [
            (float(np.abs(columns[row] + columns[other]).max()), other)
            for other in waiting
            if keys[other] == keys[row]
        ]
        gap, other = min(near, default=(np.inf, -1))
        if gap <= PAIR_TOLERANCE:
            waiting.remove(other)
            pairs.append((row, other))
        else:
            unpaired.append(row)
    values = model.values
    odd = np.array([(values[one] - values[other]) / 2 for one, other in pairs])
    even = np.array(
        [*((values[one] + values[other]) / 2 for one, other in pairs), *values[list(centres)]]
    )
    cells = _cells(columns, keys, pairs, centres)
    return MirrorPairs(tuple(pairs), centres, tuple(unpaired), odd, even, cells)


def _blocks(model: LinearModel) -> list[object]:
    """Return for each run the blocks that it was done in, where the model takes these into it."""
    if model.blocks == "ignore":
        return [()] * model.n_runs
    return list(zip(*model.rows.block_paths().values(), strict=True)) or [()] * model.n_runs


def _cells(
    columns: FloatArray,
    keys: Sequence[object],
    pairs: Sequence[tuple[int, int]],
    centres: Sequence[int],
) -> tuple[int, ...]:
    found: list[tuple[FloatArray, object]] = []
    numbers = []
    for row in [*(one for one, _ in pairs), *centres]:
        here = next(
            (
                number
                for number, (other, key) in enumerate(found)
                if key == keys[row]
                and min(np.abs(columns[row] - other).max(), np.abs(columns[row] + other).max())
                <= PAIR_TOLERANCE
            ),
            None,
        )
        if here is None:
            here = len(found)
            found.append((columns[row], keys[row]))
        numbers.append(here)
    return tuple(numbers)
