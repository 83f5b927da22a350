"""Lenth's method: which of many effects stand out when nothing else measures the noise."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from doe.arrays import FloatArray
from doe.errors import InvalidValueError, TooFewDataError

MIN_EFFECTS = 3
MIN_DRAWS = 1000
# Effects above this many initial standard errors are left out of the final one.
TRIM = 2.5
# The median of |z| of a standard normal z is 1 / 1.4826; Lenth rounds it.
MEDIAN_FACTOR = 1.5


@dataclass(frozen=True, slots=True)
class Lenth:
    """The noise of effects, judged by the small ones, and how large an active one has to be.

    Attributes:
        pse: Pseudo standard error of an effect, in its unit.
        margin: Margin of error (ME): an effect beyond it may be active.
        simultaneous: Simultaneous margin of error (SME): an effect beyond it is active, however
            many were looked at.
        level: Confidence of both margins.
        n_effects: How many effects were judged together.
        limits: Where the margins come from, in words.
    """

    pse: float
    margin: float
    simultaneous: float
    level: float
    n_effects: int
    limits: str

    def sentence(self, unit: str = "") -> str:
        """Return the three numbers in words."""
        suffix = f" {unit}" if unit else ""
        return (
            f"Lenth's pseudo standard error of an effect is {self.pse:.4g}{suffix}; the margin of "
            f"error is {self.margin:.4g}{suffix}, the simultaneous one {self.simultaneous:.4g}"
            f"{suffix} ({self.level:.0%}, {self.limits})."
        )


def pseudo_standard_error(effects: FloatArray) -> FloatArray:
    """Return the pseudo standard error of sets of effects.

    Args:
        effects: Independent effects with the same variance, shape ``(..., n_effects)``.

    Source:
        Lenth (1989), Technometrics 31, 469-473, equations 1 and 2.
    """
    sizes = np.abs(np.asarray(effects, dtype=np.float64))
    first = MEDIAN_FACTOR * np.median(sizes, axis=-1, keepdims=True)
    # Where more than half of the effects are exactly zero, zero is the answer.
    small = np.where((sizes < TRIM * first) | (first == 0), sizes, np.nan)
    return np.asarray(MEDIAN_FACTOR * np.nanmedian(small, axis=-1))


def lenth(effects: FloatArray, *, level: float = 0.95) -> Lenth:
    """Return Lenth's margins with the critical values that he gives: t with a third of m degrees.

    The individual one is cautious (for 15 effects 2.57, where simulation gives about 2.16); see
    ``simulated_lenth``.

    Args:
        effects: Independent effects with the same variance, shape ``(n_effects,)``.
        level: Confidence of the margins.

    Raises:
        TooFewDataError: If there are fewer than three effects.
        InvalidValueError: If ``level`` is not between 0 and 1, or an effect is not finite.

    Source:
        Lenth (1989), Technometrics 31, 469-473.
    """
    values = _checked(effects, level)
    pse, degrees = float(pseudo_standard_error(values)), len(values) / 3
    one = float(special.stdtrit(degrees, 0.5 + level / 2))
    most = float(special.stdtrit(degrees, 0.5 + 0.5 * level ** (1 / len(values))))
    limits = f"t with {degrees:.4g} degrees of freedom"
    return Lenth(pse, one * pse, most * pse, level, len(values), limits)


def simulated_lenth(
    effects: FloatArray,
    *,
    level: float = 0.95,
    n_draws: int = 40_000,
    rng: np.random.Generator,
) -> Lenth:
    """Return Lenth's margins with critical values from draws of effects that are all noise.

    Args:
        effects: Independent effects with the same variance, shape ``(n_effects,)``.
        level: Confidence of the margins.
        n_draws: How many sets of effects are drawn.
        rng: Source of the draws.

    Raises:
        TooFewDataError: If there are fewer than three effects.
        InvalidValueError: If ``level`` is not between 0 and 1, an effect is not finite, or there
            are fewer than 1000 draws.

    Source:
        Ye and Hamada (2000), J. Quality Technology 32, 57-66.
    """
    values = _checked(effects, level)
    if n_draws < MIN_DRAWS:
        raise InvalidValueError(
            f"n_draws is {n_draws}; a limit exceeded in few draws needs at least {MIN_DRAWS}."
        )
    draws = rng.standard_normal((n_draws, len(values)))
    ratios = np.abs(draws) / pseudo_standard_error(draws)[:, None]
    pse = float(pseudo_standard_error(values))
    one = float(np.quantile(ratios, level))
    most = float(np.quantile(ratios.max(axis=1), level))
    limits = f"limits from {n_draws} simulated sets of {len(values)} inactive effects"
    return Lenth(pse, one * pse, most * pse, level, len(values), limits)


def _checked(effects: FloatArray, level: float) -> FloatArray:
    values = np.asarray(effects, dtype=np.float64)
    if not 0 < level < 1:
        raise InvalidValueError(
            f"level is {level}; expected a confidence between 0 and 1, such as 0.95."
        )
    if len(values) < MIN_EFFECTS:
        raise TooFewDataError(
            f"{len(values)} effects are too few to judge the noise by the small ones; Lenth's "
            f"method needs at least {MIN_EFFECTS}: fit a model with more terms, or replicate runs."
        )
    if not np.isfinite(values).all():
        raise InvalidValueError("An effect is not finite: correct the values it comes from.")
    return values
