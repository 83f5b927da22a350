"""Sobol indices: shares of a surface's variance that factors explain, alone and in interactions."""

from dataclasses import dataclass

import numpy as np

from doe.arrays import FloatArray
from doe.errors import InvalidValueError


@dataclass(frozen=True, slots=True, eq=False)
class SobolDraws:
    """Indices of each of several surfaces.

    Attributes:
        first_order: Shape ``(n_surfaces, n_factors)``; may fall below 0 by the error of the design.
        total: Shape ``(n_surfaces, n_factors)``.
        variance: Variance of each surface over the design, shape ``(n_surfaces,)``.
    """

    first_order: FloatArray
    total: FloatArray
    variance: FloatArray


def sobol_design(n_factors: int, n_points: int, *, rng: np.random.Generator) -> FloatArray:
    """Return places in the unit cube, shape ``(n_factors + 2, n_points, n_factors)``.

    The first two parts are independent samples A and B; part ``2 + i`` is A with column i of B.

    Raises:
        InvalidValueError: If ``n_points`` is not a power of two, which the balance of a Sobol
            sequence needs.

    Source:
        Saltelli et al. (2010), Computer Physics Communications 181, 259-270: radial design on a
        quasi-random sequence of 2 n_factors dimensions.
    """
    from scipy.stats import qmc

    power = int(n_points).bit_length() - 1
    if n_points < 2 or n_points != 2**power:
        raise InvalidValueError(f"n_points must be a power of two from 2 on, got {n_points}.")
    points = qmc.Sobol(2 * n_factors, scramble=True, rng=rng).random_base2(power)
    a, b = points[:, :n_factors], points[:, n_factors:]
    mixed = np.repeat(a[None], n_factors, axis=0)
    for factor in range(n_factors):
        mixed[factor, :, factor] = b[:, factor]
    return np.concatenate([a[None], b[None], mixed])


def sobol_indices(values: FloatArray) -> SobolDraws:
    """Return the indices of surfaces evaluated on a ``sobol_design``.

    With V the variance over A and B together: total index of factor i is
    mean((f(A) - f(A_i))^2) / 2V, first-order index 1 - mean((f(B) - f(A_i))^2) / 2V.

    Args:
        values: Shape ``(n_surfaces, n_factors + 2, n_points)``.

    Source:
        Jansen (1999), Computer Physics Communications 117, 35-43; compared in Saltelli et al.
        (2010), table 2, (c) and (f).
    """
    a, b, mixed = values[:, :1], values[:, 1:2], values[:, 2:]
    variance = values[:, :2].reshape(len(values), -1).var(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.square(a - mixed).mean(axis=2) / (2 * variance[:, None])
        first = 1 - np.square(b - mixed).mean(axis=2) / (2 * variance[:, None])
    return SobolDraws(first, total, variance)
