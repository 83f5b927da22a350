"""How surely a design will predict over the allowed region: the fraction of design space."""

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.coding import natural_values
from doe.errors import InvalidValueError
from doe.factors import ROUNDING, CategoricalFactor, DiscreteFactor, MixtureComponent, Value
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

N_DRAWS = 4096
MAX_DRAWS = 1_000_000
MAX_CORNERS = 4096
# Of the points wanted; a mixture of which even less is allowed is sparsely covered.
_MOST_TRIED = 64


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
    """Return settings spread evenly over ranges and a mixture, the same every time.

    They are points of the Sobol sequence, each in the middle of its cell; levels are taken equally
    often, steps of the equipment aside. Its first points are left out, because they lie on the
    diagonal in every dimension. There are ``n_draws``, or fewer where a mixture's upper bounds
    leave little of its simplex; constraints besides the mixture's total are not looked at.

    Source:
        Sobol (1967), USSR Computational Mathematics and Mathematical Physics 7, 86-112.
    """
    n_tried = n_draws
    while True:
        tried = _sobol_settings(space, n_tried)
        found = tried[_is_within(tried, space)]
        n_tried *= 4
        if len(found) >= n_draws or n_tried > _MOST_TRIED * n_draws or n_tried > MAX_DRAWS:
            return found.iloc[:n_draws].reset_index(drop=True)


def _sobol_settings(space: FactorSpace, count: int) -> "pd.DataFrame":
    import pandas as pd
    from scipy.stats import qmc

    # The last component is what the others leave.
    n_dimensions = len(space.names) - bool(space.mixture)
    skipped = 2 ** (count - 1).bit_length()
    sequence = qmc.Sobol(n_dimensions, scramble=False).fast_forward(skipped)
    points = iter((sequence.random(count) + 0.25 / skipped).T)
    free = [factor for factor in space.searched if not isinstance(factor, MixtureComponent)]
    columns: dict[str, object] = {}
    for factor in free:
        point = next(points)
        if isinstance(factor, CategoricalFactor | DiscreteFactor):
            which = np.floor(point * len(factor.levels)).astype(np.int64)
            columns[factor.name] = [factor.levels[level] for level in which]
        else:
            coded = 2.0 * point - 1.0
            columns[factor.name] = natural_values(factor, coded, space.mixture_total)
    if space.mixture:
        shares = _spread_shares(np.reshape(list(points), (-1, count)))
        spare = space.mixture_total - sum(part.low for part in space.mixture)
        for part, share in zip(space.mixture, shares, strict=True):
            columns[part.name] = part.low + spare * share
    return pd.DataFrame(columns)[list(space.names)]


def _spread_shares(uniform: FloatArray) -> FloatArray:
    """Return evenly spread shares that add up to one, shape ``(n_shares, n_points)``.

    Args:
        uniform: Numbers between 0 and 1, shape ``(n_shares - 1, n_points)``.

    Source:
        Devroye (1986), Non-Uniform Random Variate Generation, ch. XI.4: the uniform Dirichlet
        distribution as parts broken off a stick, each by the inverse of its distribution.
    """
    left = np.ones(uniform.shape[1])
    shares = []
    for place, row in enumerate(uniform):
        part = left * (1.0 - (1.0 - row) ** (1.0 / (len(uniform) - place)))
        shares.append(part)
        left = left - part
    return np.array([*shares, left])


def _is_within(settings: "pd.DataFrame", space: FactorSpace) -> BoolArray:
    """Return which settings keep to the upper bounds of a mixture."""
    inside = np.ones(len(settings), dtype=np.bool_)
    for part in space.mixture:
        inside &= settings[part.name].to_numpy() <= part.high + ROUNDING * space.mixture_total
    return inside


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
