"""Factors of tolerance intervals: how many SDs hold a share of all runs, with confidence."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy import special, stats

from doe.arrays import FloatArray
from doe.errors import InvalidValueError, TooFewDataError

Side = Literal["both", "lower", "upper"]

# Integration over the error of the centre, in its standard errors; beyond lies 1e-17 of it.
REACH = 8.6
N_NODES = 64
# Halvings that leave nothing of a bracket at the accuracy of the machine's numbers.
HALVINGS = 50


def tolerance_factor(
    content: float,
    confidence: float,
    *,
    leverage: FloatArray | float,
    degrees: int,
    side: Side = "both",
) -> FloatArray:
    """Return k such that the interval estimate -+ k s is a tolerance interval.

    With probability ``confidence`` over studies like this one, it holds at least a share
    ``content`` of all future runs at the setting. Both kinds are exact for normal errors.

    Args:
        content: Share of future runs to be held.
        confidence: Share of studies whose interval holds them.
        leverage: h = x'(X'X)^-1 x of each setting; the effective number of runs there is 1/h,
            for a plain sample n. Any shape.
        degrees: Degrees of freedom of s: n - p, for a plain sample n - 1.
        side: ``both`` for a two-sided interval about the estimate, ``lower`` or ``upper`` for one
            bound; the factors of the two bounds are equal.

    Returns:
        The factors, in the shape of ``leverage``.

    Raises:
        InvalidValueError: If a share is not between 0 and 1, or a leverage is negative.
        TooFewDataError: If there is no degree of freedom.

    Source:
        One-sided: Owen (1968), Technometrics 10, 445-478, the noncentral t distribution.
        Two-sided: the exact condition of Wald and Wolfowitz (1946), Annals of Mathematical
        Statistics 17, 208-215, integrated as in Krishnamoorthy and Mathew (2009), Statistical
        Tolerance Regions, section 2.3. At a setting of a regression, with 1/h for n: Wallis
        (1951), Second Berkeley Symposium, 43-51.
    """
    check_share(content, "content")
    check_share(confidence, "confidence")
    numbers = np.asarray(leverage, dtype=np.float64)
    if not (np.isfinite(numbers).all() and (numbers >= 0).all()):
        raise InvalidValueError(
            f"Leverage {numbers.min():g}: expected finite numbers of zero or above, "
            "x'(X'X)^-1 x of each setting."
        )
    if degrees < 1:
        raise TooFewDataError(
            f"{degrees} degrees of freedom are left for the noise; a tolerance interval needs at "
            "least 1: add runs or choose a smaller model."
        )
    # Runs of a design share few leverages; each is solved once.
    distinct, places = np.unique(numbers.ravel(), return_inverse=True)
    solve = two_sided_factors if side == "both" else one_sided_factors
    return np.asarray(solve(content, confidence, distinct, degrees)[places]).reshape(numbers.shape)


def one_sided_factors(
    content: float, confidence: float, leverage: FloatArray, degrees: int
) -> FloatArray:
    """Return exact one-sided factors; see ``tolerance_factor``."""
    score = float(special.ndtri(content))
    # Without an error of the centre only the SD is uncertain.
    tail = confidence if score > 0 else 1 - confidence
    known_centre = score * np.sqrt(degrees / special.chdtri(degrees, tail))
    root = np.sqrt(np.where(leverage > 0, leverage, 1.0))
    found = stats.nct.ppf(confidence, degrees, score / root) * root
    return np.asarray(np.where(leverage > 0, found, known_centre))


def two_sided_factors(
    content: float, confidence: float, leverage: FloatArray, degrees: int
) -> FloatArray:
    """Return exact two-sided factors; see ``tolerance_factor``."""
    nodes, weights = _half_normal()
    reach = _reach(content, np.sqrt(leverage)[:, None] * nodes)

    def shortfall(log_factor: FloatArray) -> FloatArray:
        squares = degrees * np.square(reach / np.exp(log_factor)[:, None])
        return np.asarray(special.chdtrc(degrees, squares) @ weights - confidence)

    # The interval must at least reach what an exactly known centre asks for, and with the worst
    # node's reach it would hold the content whatever the error of the centre.
    spread = 0.5 * np.log(degrees / special.chdtri(degrees, np.array([confidence])))
    low = np.log(reach.min(axis=1)) + spread - 1e-6
    high = np.log(reach.max(axis=1)) + spread + 1e-6
    return np.exp(_bisected(shortfall, low, high))


def check_share(value: float, name: str) -> None:
    """Refuse a share that is not between 0 and 1.

    Raises:
        InvalidValueError: If it is not.
    """
    if not 0 < value < 1:
        raise InvalidValueError(
            f"{name} is {value}; expected a share between 0 and 1, such as 0.95."
        )


def _half_normal() -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights of a mean over the size of a standard normal variable."""
    nodes, weights = np.polynomial.legendre.leggauss(N_NODES)
    places = REACH * (nodes + 1) / 2
    density = weights * np.exp(-0.5 * np.square(places))
    return places, np.asarray(density / density.sum())


def _reach(content: float, offset: FloatArray) -> FloatArray:
    """Return r with P(offset - r < Z < offset + r) = content for a standard normal Z."""

    def shortfall(reach: FloatArray) -> FloatArray:
        return np.asarray(special.ndtr(reach - offset) - special.ndtr(-reach - offset) - content)

    low = np.maximum(offset + special.ndtri(content), 0.0)
    return _bisected(shortfall, low, offset + special.ndtri(0.5 + content / 2))


def _bisected(
    shortfall: Callable[[FloatArray], FloatArray], low: FloatArray, high: FloatArray
) -> FloatArray:
    """Return where each increasing function crosses zero, between ends of opposite sign."""
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        beyond = shortfall(middle) > 0
        high, low = np.where(beyond, middle, high), np.where(beyond, low, middle)
    return np.asarray((low + high) / 2)
