"""Small screening studies for the tests of effects, selection and screening analyses."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd

from doe.arrays import FloatArray
from doe.factors import BlockFactor, ContinuousFactor, Factor
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace

# Montgomery, Design and Analysis of Experiments, example 6-2: filtration rate, A varies fastest.
FILTRATION = (45, 71, 48, 65, 68, 60, 80, 65, 43, 100, 45, 104, 75, 86, 70, 96)


def two_levels(n_factors: int) -> FloatArray:
    """Return the full factorial in standard order as -1 and +1, the first factor fastest."""
    runs = product((-1.0, 1.0), repeat=n_factors)
    return np.array([run[::-1] for run in runs])


def coded_study(
    points: FloatArray,
    values: Sequence[float] | FloatArray,
    names: Sequence[str] = (),
    *,
    blocks: Sequence[str] | None = None,
    low: float = -1.0,
    high: float = 1.0,
) -> Observations:
    """Return runs given in coded units, with factors that run from ``low`` to ``high``."""
    names = tuple(names) or tuple("ABCDEFGHJKLMNOPQRSTUV"[: points.shape[1]])
    factors: list[Factor] = [ContinuousFactor(name, low, high) for name in names]
    table = pd.DataFrame(low + (np.asarray(points) + 1) / 2 * (high - low), columns=names)
    if blocks is not None:
        factors.append(BlockFactor("day"))
        table["day"] = list(blocks)
    table["y"] = np.asarray(values, dtype=np.float64)
    return Observations.from_frame(table, FactorSpace(tuple(factors)), (Response("y", "g/L"),))


def filtration() -> Observations:
    """Return the unreplicated 2^4 filtration study."""
    return coded_study(two_levels(4), FILTRATION)
