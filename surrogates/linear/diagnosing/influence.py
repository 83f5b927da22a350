"""What each run does to a least-squares fit: studentised residuals, deletion, influence."""

from dataclasses import dataclass

import numpy as np

from doe.arrays import BoolArray, FloatArray
from surrogates.linear.reports.statistics import FULL_LEVERAGE
from surrogates.linear.solution import Solution

# Residuals smaller than this share of the values are rounding, not noise.
ROUNDING = 1e-12
# A residual sum of squares of which less than this share is left has lost all its digits.
NOTHING_LEFT = 1e-10


@dataclass(frozen=True, eq=False)
class Influence:
    """The case statistics of a fit, a row per run; ``nan`` where a number does not exist.

    With e the residual, w the weight, h the leverage, s the residual SD, s(i) that of the other
    runs, p the number of coefficients and C = (X'WX)^-1:

    Attributes:
        leverage: h, shape ``(n,)``.
        internal: Internally studentised residual, sqrt(w) e / (s sqrt(1 - h)).
        external: Externally studentised residual, sqrt(w) e / (s(i) sqrt(1 - h)).
        press: PRESS residual e / (1 - h): the value minus its prediction from the other runs.
        cook: Cook's distance, internal^2 h / (p (1 - h)).
        dffits: external sqrt(h / (1 - h)): change of the fitted value, in standard errors.
        dfbetas: (b - b(i)) / (s(i) sqrt(C_jj)), shape ``(n, p)``: change of each coefficient, in
            standard errors.
        is_alone: Where the leverage is 1: no other run checks this one.
        makes_all_noise: Where the other runs, without this one, are fitted exactly.
        is_exact: Whether all runs are fitted exactly, so that the residuals are rounding.
        degrees: Degrees of freedom of the residuals.

    Source:
        Cook (1977), Technometrics 19, 15-18; Belsley, Kuh and Welsch (1980), Regression
        Diagnostics, section 2.1; Cook and Weisberg (1982), Residuals and Influence in Regression,
        chapters 2 and 3; PRESS: Allen (1974), Technometrics 16, 125-127.
    """

    leverage: FloatArray
    internal: FloatArray
    external: FloatArray
    press: FloatArray
    cook: FloatArray
    dffits: FloatArray
    dfbetas: FloatArray
    is_alone: BoolArray
    makes_all_noise: BoolArray
    is_exact: bool
    degrees: int


def influence(solution: Solution) -> Influence:
    """Return the case statistics of a fit; formulas and sources as for ``Influence``.

    Nothing is refitted: each deletion has a closed form.
    """
    is_alone = np.asarray(1 - solution.leverage < FULL_LEVERAGE, dtype=np.bool_)
    left = np.where(is_alone, np.nan, 1 - solution.leverage)
    weighted = np.sqrt(solution.weights) * solution.residuals
    is_exact = _is_exact(solution)
    std = solution.residual_std if solution.degrees > 0 and not is_exact else np.nan
    internal = weighted / (std * np.sqrt(left))
    others, makes_all_noise = _others_std(solution, weighted**2 / left, is_exact=is_exact)
    external = weighted / (others * np.sqrt(left))
    odds = solution.leverage / left
    press = solution.residuals / left
    change = (solution.matrix * (solution.weights * press)[:, None]) @ solution.inverse
    errors = np.sqrt(np.diag(solution.inverse))
    return Influence(
        leverage=solution.leverage,
        internal=internal,
        external=external,
        press=press if solution.degrees > 0 else np.full_like(press, np.nan),
        cook=internal**2 * odds / solution.n_columns,
        dffits=external * np.sqrt(odds),
        dfbetas=change / (others[:, None] * errors),
        is_alone=is_alone,
        makes_all_noise=makes_all_noise,
        is_exact=is_exact,
        degrees=solution.degrees,
    )


def _is_exact(solution: Solution) -> bool:
    if solution.degrees < 1:
        return True
    root = np.sqrt(solution.weights)
    size = float(np.abs(root * solution.values).max())
    return bool(solution.residual_std <= ROUNDING * size)


def _others_std(
    solution: Solution, explained: FloatArray, *, is_exact: bool
) -> tuple[FloatArray, BoolArray]:
    """Return the residual SD without each run, and where nothing would be left of it.

    Args:
        solution: The fit.
        explained: What leaving out each run takes from the residual sum of squares.
        is_exact: Whether there is no residual at all.
    """
    if solution.degrees < 2 or is_exact:
        return np.full(solution.n_runs, np.nan), np.zeros(solution.n_runs, dtype=np.bool_)
    remainder = solution.rss - explained
    gone = np.asarray(remainder <= NOTHING_LEFT * solution.rss, dtype=np.bool_)
    return np.sqrt(np.where(gone, np.nan, remainder) / (solution.degrees - 1)), gone
