"""The columns that take up the differences between blocks in a model of runs."""

from collections.abc import Mapping, Sequence

import numpy as np

from doe.arrays import FloatArray


def block_columns(blocks: Mapping[str, Sequence[str]], n_runs: int) -> FloatArray:
    """Return a column per block but the first of each block factor, coded to sum to zero.

    Shape ``(n_runs, n_columns)``: 1 in that block, -1 in the first, 0 in the others. The terms of a
    model then refer to the mean of the blocks, as in ``doe.evaluation``.

    Args:
        blocks: For each block factor, the level of each run.
        n_runs: How many runs there are.
    """
    columns = [
        [float(found == level) - float(found == levels[0]) for found in levels]
        for levels in blocks.values()
        for level in list(dict.fromkeys(levels))[1:]
    ]
    return np.array(columns, dtype=np.float64).reshape(len(columns), n_runs).T
