"""Maximum likelihood of a linear model when some values are known only as a limit: numbers only."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy import linalg, optimize, special

from doe.arrays import FloatArray, IntArray
from doe.errors import TooFewDataError
from surrogates.surrogate import NumericalError

KNOWN, BELOW, ABOVE = 0, -1, 1
Obstacle = Literal["none", "exact", "separated"]

MAX_STEPS = 200
# At this decrement of Newton's method, twice the gain still to be had, the next step is the last.
DECREMENT = 1e-13
# A direction that a linear programme improves by less than this is none.
NO_DIRECTION = 1e-7


@dataclass(frozen=True, eq=False)
class TobitFit:
    """Coefficients and SD of largest likelihood.

    Attributes:
        matrix: Model matrix, shape ``(n, p)``.
        values: Values, or the limits that they are known to be beyond, shape ``(n,)``.
        sides: 0 where the value is known, -1 where it is below the limit, 1 above, shape ``(n,)``.
        scaled: The maximum in Olsen's parameters: b/sigma and then 1/sigma, shape ``(p + 1,)``.
    """

    matrix: FloatArray
    values: FloatArray
    sides: IntArray
    scaled: FloatArray

    @property
    def coefficients(self) -> FloatArray:
        """The coefficients, shape ``(p,)``."""
        return np.asarray(self.scaled[:-1] / self.scaled[-1])

    @property
    def std(self) -> float:
        """The residual SD of largest likelihood; small samples make it too small."""
        return float(1 / self.scaled[-1])

    @property
    def log_likelihood(self) -> float:
        """The maximised log likelihood."""
        return _log_likelihood(self.scaled, self.matrix, self.values, self.sides)[0]

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance of coefficients and SD from the observed information, ``(p + 1, p + 1)``.

        The SD comes last. It is carried over from Olsen's parameters by their derivatives, which
        at a maximum is the observed information in the new ones.
        """
        _, _, hessian = _log_likelihood(self.scaled, self.matrix, self.values, self.sides)
        n = len(self.coefficients)
        jacobian = np.zeros((n + 1, n + 1))
        jacobian[:n, :n] = np.eye(n) * self.std
        jacobian[:n, n] = -self.coefficients * self.std
        jacobian[n, n] = -(self.std**2)
        return np.asarray(jacobian @ linalg.solve(-hessian, jacobian.T, assume_a="pos"))


def fit_tobit(matrix: FloatArray, values: FloatArray, sides: IntArray) -> TobitFit:
    """Return the coefficients and SD of largest likelihood.

    A known value counts by its normal density, one beyond a limit by the chance of being there. In
    b/sigma and 1/sigma the log likelihood is concave, so Newton's method from any start finds the
    one maximum, where there is one; whether there is, is decided first by linear programming.

    Args:
        matrix: Model matrix, shape ``(n, p)``, of full column rank.
        values: Values or limits, shape ``(n,)``.
        sides: 0 known, -1 below, 1 above, shape ``(n,)``.

    Raises:
        TooFewDataError: If the likelihood has no maximum.
        NumericalError: If the search does not end.

    Source:
        Tobin (1958), Econometrica 26, 24-36; Olsen (1978), Econometrica 46, 1211-1215: concavity.
    """
    match obstacle(matrix, values, sides):
        case "exact":
            raise TooFewDataError(
                "The model fits every known value exactly, so the likelihood grows without end as "
                "the SD shrinks: leave terms out, or add runs with known values."
            )
        case "separated":
            raise TooFewDataError(
                "The likelihood has no maximum: some coefficient can grow without end, because "
                "along it all runs are beyond their limits in the direction it moves them. Leave "
                "out the term whose effect shows only in values beyond a limit, or add runs there "
                "with known values."
            )
        case "none":
            pass
    # Division by each column's size keeps the equations well conditioned in any unit.
    sizes = np.linalg.norm(matrix, axis=0)
    unit = float(np.std(values)) or 1.0
    scaled = _newton(
        _start(matrix / sizes, values / unit, sides), matrix / sizes, values / unit, sides
    )
    return TobitFit(matrix, values, sides, np.append(scaled[:-1] / sizes, scaled[-1] / unit))


def obstacle(matrix: FloatArray, values: FloatArray, sides: IntArray) -> Obstacle:
    """Return what keeps the likelihood from having a maximum, if anything does.

    It has none when there is a direction (d, e) in b/sigma and 1/sigma, e >= 0, that leaves every
    known value's term as it is and lowers no other: with e > 0 the known values are fitted exactly
    and the SD shrinks to nothing, with e = 0 the limits separate the runs.

    Source:
        Rockafellar (1970), Convex Analysis, theorem 27.1: directions of recession; for limits
        compare Albert and Anderson (1984), Biometrika 71, 1-10.
    """
    n_columns = matrix.shape[1]
    known, beyond = sides == KNOWN, sides != KNOWN
    sizes = np.linalg.norm(matrix, axis=0)
    unit = float(np.abs(values).max()) or 1.0
    # e times the value minus x'd, per run.
    moves = np.column_stack([-matrix / np.where(sizes > 0, sizes, 1.0), values / unit])
    # A value below its limit gains when limit minus prediction grows, one above when it falls.
    gains = -sides[beyond, None] * moves[beyond]
    bounds = [(-1.0, 1.0)] * n_columns + [(0.0, 1.0)]
    for goal, name in ((np.eye(n_columns + 1)[-1], "exact"), (gains.sum(axis=0), "separated")):
        if name == "separated":
            bounds[-1] = (0.0, 0.0)
        found = optimize.linprog(
            -goal,
            A_ub=-gains if beyond.any() else None,
            b_ub=np.zeros(int(beyond.sum())) if beyond.any() else None,
            A_eq=moves[known] if known.any() else None,
            b_eq=np.zeros(int(known.sum())) if known.any() else None,
            bounds=bounds,
            method="highs",
        )
        if found.success and float(goal @ found.x) > NO_DIRECTION:
            return "exact" if name == "exact" else "separated"
    return "none"


def _start(matrix: FloatArray, values: FloatArray, sides: IntArray) -> FloatArray:
    """Return Olsen's parameters of least squares with the limits taken as values."""
    coefficients = np.linalg.lstsq(matrix, values, rcond=None)[0]
    residuals = values - matrix @ coefficients
    std = float(np.sqrt(np.mean(np.square(residuals))))
    std = max(std, 1e-3 * float(np.std(values)), 1e-12)
    return np.append(coefficients, 1.0) / std


def _newton(
    start: FloatArray, matrix: FloatArray, values: FloatArray, sides: IntArray
) -> FloatArray:
    place = start
    level, gradient, hessian = _log_likelihood(place, matrix, values, sides)
    for _ in range(MAX_STEPS):
        step = linalg.solve(-hessian, gradient, assume_a="sym")
        decrement = float(gradient @ step)
        if decrement <= DECREMENT * max(1.0, abs(level)):
            return np.asarray(place + step)
        length = 1.0
        if step[-1] < 0:
            length = min(1.0, 0.9 * place[-1] / -step[-1])
        while True:
            following = place + length * step
            new_level, new_gradient, new_hessian = _log_likelihood(following, matrix, values, sides)
            if new_level >= level + 1e-4 * length * decrement:
                break
            length /= 2
            if length < 1e-10:
                return place  # rounding: nothing more can be gained
        place, level, gradient, hessian = following, new_level, new_gradient, new_hessian
    raise NumericalError(
        f"The likelihood with values beyond limits was not maximised in {MAX_STEPS} steps: look "
        "for a run that contradicts the others, or leave terms out."
    )


def _log_likelihood(
    scaled: FloatArray, matrix: FloatArray, values: FloatArray, sides: IntArray
) -> tuple[float, FloatArray, FloatArray]:
    """Return the log likelihood in Olsen's parameters, its gradient and second derivatives."""
    columns = np.column_stack([-matrix, values])
    score = columns @ scaled
    known, beyond = sides == KNOWN, sides != KNOWN
    # P(value < limit) is Phi(score), P(value > limit) is Phi(-score).
    signed = -sides[beyond] * score[beyond]
    log_chance = special.log_ndtr(signed)
    inverse = float(scaled[-1])
    level = float(
        known.sum() * (np.log(inverse) - 0.5 * np.log(2 * np.pi))
        - 0.5 * np.sum(np.square(score[known]))
        + log_chance.sum()
    )
    # The inverse Mills ratio phi/Phi, in logarithms since both vanish in the tail.
    mills = np.exp(-0.5 * np.square(signed) - 0.5 * np.log(2 * np.pi) - log_chance)
    slopes = np.zeros(len(values))
    slopes[known] = -score[known]
    slopes[beyond] = -sides[beyond] * mills
    curvature = np.ones(len(values))
    curvature[beyond] = mills * (mills + signed)
    gradient = columns.T @ slopes
    gradient[-1] += known.sum() / inverse
    hessian = -(columns.T * curvature) @ columns
    hessian[-1, -1] -= known.sum() / inverse**2
    return level, np.asarray(gradient), np.asarray(hessian)
