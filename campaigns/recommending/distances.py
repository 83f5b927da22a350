"""How far settings are from each other, in ranges of the factors."""

from typing import TYPE_CHECKING

import numpy as np

from campaigns.recommending.strategy import StrategyContext
from doe.arrays import FloatArray
from doe.factors import CategoricalFactor
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd


def distances(space: FactorSpace, settings: "pd.DataFrame", others: "pd.DataFrame") -> FloatArray:
    """Return the distance of each setting from each other one, ``(n_settings, n_others)``.

    It is the root mean square over factors of the difference in units of the factor's range (on
    its scale); another level of a categorical factor counts as one range.
    """
    squares = np.zeros((len(settings), len(others)))
    coded, coded_others = space.to_coded(settings), space.to_coded(others)
    for factor in space.searched:
        new, old = coded[factor.name].to_numpy(), coded_others[factor.name].to_numpy()
        if isinstance(factor, CategoricalFactor):
            squares += new[:, None] != old[None, :]
            continue
        ends = settings.iloc[[0, 0]].reset_index(drop=True)
        ends[factor.name] = [factor.low, factor.high]
        low, high = space.to_coded(ends)[factor.name].to_numpy(np.float64)
        gap = new.astype(np.float64)[:, None] - old.astype(np.float64)[None, :]
        squares += (gap / (high - low)) ** 2
    return np.asarray(np.sqrt(squares / len(space.searched)), dtype=np.float64)


def runs_known(context: StrategyContext) -> "pd.DataFrame":
    """Return the settings of every run done or pending, index run, columns the factors."""
    import pandas as pd

    names = list(context.space.names)
    done, pending = context.observations.target[names], context.pending.reindex(columns=names)
    both = pd.concat([part for part in (done, pending) if len(part)] or [done])
    return both[~both.index.duplicated()]
