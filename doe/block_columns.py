"""The columns that take up the differences between blocks in a model of runs."""

from collections.abc import Mapping, Sequence

import numpy as np

from doe.arrays import FloatArray


def block_columns(blocks: Mapping[str, Sequence[str]], n_runs: int) -> FloatArray:
    """Return a column of 0 and 1 per block but the first of each block factor.

    Shape ``(n_runs, n_columns)``. The first block of a block factor is the one that the model's
    terms refer to, so that a further block never changes what the terms mean.

    Args:
        blocks: For each block factor, the level of each run.
        n_runs: How many runs there are.
    """
    columns = [
        [float(found == level) for found in levels]
        for levels in blocks.values()
        for level in list(dict.fromkeys(levels))[1:]
    ]
    return np.array(columns, dtype=np.float64).reshape(len(columns), n_runs).T
