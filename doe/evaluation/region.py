"""How surely a design will predict over the allowed region: the fraction of design space."""

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.coding import natural_values
from doe.errors import InvalidValueError
from doe.factors import CategoricalFactor, DiscreteFactor, Value
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

N_DRAWS = 4096
MAX_CORNERS = 4096


@dataclass(frozen=True, eq=False)
class RegionVariance:
    """The variance of predictions over the allowed region, in multiples of the variance of a run.

    Attributes:
        variances: At settings spread evenly over the region, ascending, shape ``(n_draws,)``.
        average: Mean over the region.
        largest: The largest found: at the settings, the corners of the ranges that are allowed, and
            the runs. The true largest may lie above it where constraints cut the region.
        settings: Where the settings come from, in words.
        average_from: Where the average comes from, in words.
    """

    variances: FloatArray
    average: float
    largest: float
    settings: str
    average_from: str

    def quantile(self, fraction: float) -> float:
        """Return the variance that this fraction of the region does not exceed.

        Raises:
            InvalidValueError: If the fraction is not within 0 and 1.

        Source:
            Zahran, Anderson-Cook and Myers (2003), J. Quality Technology 35, 377-386.
        """
        if not 0.0 <= fraction <= 1.0:
            raise InvalidValueError(
                f"A fraction of the region lies between 0 and 1, got {fraction!r}: write 0.8 for "
                "80 %."
            )
        return float(np.quantile(self.variances, fraction))

    def fraction_below(self, variance: float) -> float:
        """Return the fraction of the region where the variance is at most this."""
        inside = np.searchsorted(self.variances, variance * (1 + 1e-12), side="right")
        return float(inside / len(self.variances))


def even_settings(space: FactorSpace, n_draws: int) -> "pd.DataFrame":
    """Return settings spread evenly over ranges without constraints, the same every time.

    They are points of the Sobol sequence, each in the middle of its cell; levels are taken equally
    often, steps of the equipment aside. Its first points are left out, because they lie on the
    diagonal in every dimension.

    Source:
        Sobol (1967), USSR Computational Mathematics and Mathematical Physics 7, 86-112.
    """
    import pandas as pd
    from scipy.stats import qmc

    skipped = 2 ** (n_draws - 1).bit_length()
    sequence = qmc.Sobol(len(space.names), scramble=False).fast_forward(skipped)
    points = sequence.random(n_draws) + 0.25 / skipped
    columns: dict[str, object] = {}
    for place, factor in enumerate(space.searched):
        if isinstance(factor, CategoricalFactor | DiscreteFactor):
            which = np.floor(points[:, place] * len(factor.levels)).astype(np.int64)
            columns[factor.name] = [factor.levels[level] for level in which]
        else:
            coded = 2.0 * points[:, place] - 1.0
            columns[factor.name] = natural_values(factor, coded, space.mixture_total)
    return pd.DataFrame(columns)


def corners(space: FactorSpace) -> "pd.DataFrame":
    """Return the corners of the ranges that the constraints allow; none when there are too many."""
    import pandas as pd

    ends: list[tuple[Value, ...]] = [
        factor.levels if isinstance(factor, CategoricalFactor) else (factor.low, factor.high)
        for factor in space.searched
    ]
    names = list(space.names)
    if prod(map(len, ends)) > MAX_CORNERS:
        return pd.DataFrame(columns=names)
    table = pd.DataFrame(list(product(*ends)), columns=names)
    return table[space.contains(table)].reset_index(drop=True)


def nearest_corners(settings: "pd.DataFrame", space: FactorSpace) -> "pd.DataFrame":
    """Return for each of the settings the corner next to it, where the constraints allow that."""
    moved, coded = settings.copy(), space.to_coded(settings)
    for factor in space.searched:
        if not isinstance(factor, CategoricalFactor):
            is_high = coded[factor.name] > 0
            moved[factor.name] = np.where(is_high, factor.high, factor.low)
    return moved[space.contains(moved)].reset_index(drop=True)
