"""How many directions the runs rule out as that of steepest ascent."""

import numpy as np
from scipy import integrate, linalg, special

from doe.arrays import FloatArray


def fraction_excluded(
    gradient: FloatArray, covariance: FloatArray, degrees: int, *, coverage: float = 0.95
) -> float:
    """Return the share of all directions outside the confidence cone of the steepest one.

    A direction d is inside when no multiple of it differs from the estimated gradient b by more
    than F allows: b'V^-1 b - (b'V^-1 d)^2 / (d'V^-1 d) <= (k - 1) F. With equal variances the cone
    is round and the share follows from Student's t; otherwise it is the chance that a quadratic
    form of normal variables is negative.

    Args:
        gradient: Estimated gradient b, shape ``(k,)``.
        covariance: Its estimated covariance V, shape ``(k, k)``.
        degrees: Degrees of freedom of the residual variance.
        coverage: Of the cone.

    Returns:
        Between 0 and 1; ``nan`` for one factor, or without degrees of freedom.

    Source:
        Box and Draper (2007), Response Surfaces, Mixtures, and Ridge Analyses, 2nd ed., section
        6.4; the chance: Imhof (1961), Biometrika 48, 419-426, equation 3.2.
    """
    k = len(gradient)
    if k < 2 or degrees < 1:
        return float("nan")
    # Only ratios of variances matter: without this, units of 1e-9 would lose all digits.
    precision = np.asarray(linalg.inv(covariance / np.trace(covariance))) / np.trace(covariance)
    toward = precision @ gradient
    spare = float(gradient @ toward) - (k - 1) * float(special.fdtri(k - 1, degrees, coverage))
    if spare <= 0:
        return 0.0
    form = np.outer(toward, toward) - spare * precision
    values = linalg.eigvalsh(form)
    # Both a direction and its opposite meet the squared condition; only one of them climbs.
    return 1.0 - 0.5 * _chance_positive(np.asarray(values) / np.abs(values).max())


def _chance_positive(weights: FloatArray) -> float:
    """Return P(sum of weights times squared standard normals > 0).

    Source:
        Imhof (1961), Biometrika 48, 419-426, equation 3.2 at x = 0.
    """

    def integrand(u: float) -> float:
        angle = 0.5 * float(np.arctan(weights * u).sum())
        # Logarithms, because the product overflows for many factors.
        log_length = 0.25 * float(np.log1p(np.square(weights * u)).sum())
        return float(np.sin(angle) * np.exp(-log_length)) / u

    total = 0.0
    for low, high in ((0.0, 1.0), (1.0, np.inf)):
        total += integrate.quad(integrand, low, high, epsabs=1e-10, epsrel=1e-10, limit=400)[0]
    return float(np.clip(0.5 + total / np.pi, 0.0, 1.0))
