"""Weighted least squares by orthogonal triangularisation: numbers only, no names and no units."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg

from doe.arrays import FloatArray
from doe.errors import InvalidValueError, TooFewDataError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, eq=False)
class Solution:
    """The least-squares solution of ``matrix @ coefficients = values``.

    Attributes:
        matrix: The columns, shape ``(n_runs, n_columns)``, of full column rank.
        values: What is fitted, shape ``(n_runs,)``.
        weights: Reciprocal of each value's variance, up to a common factor, shape ``(n_runs,)``.
        orthogonal: Q of the weighted and column-scaled matrix, shape ``(n_runs, n_columns)``.
        triangular: R of it, shape ``(n_columns, n_columns)``.
        scales: What each column was divided by, shape ``(n_columns,)``.
    """

    matrix: FloatArray
    values: FloatArray
    weights: FloatArray
    orthogonal: FloatArray
    triangular: FloatArray
    scales: FloatArray

    @property
    def n_runs(self) -> int:
        """How many values were fitted."""
        return len(self.values)

    @property
    def n_columns(self) -> int:
        """How many coefficients there are."""
        return int(self.matrix.shape[1])

    @property
    def degrees(self) -> int:
        """Degrees of freedom of the residuals."""
        return self.n_runs - self.n_columns

    @cached_property
    def coefficients(self) -> FloatArray:
        """The coefficients, shape ``(n_columns,)``."""
        projected = self.orthogonal.T @ (np.sqrt(self.weights) * self.values)
        return np.asarray(linalg.solve_triangular(self.triangular, projected) / self.scales)

    @cached_property
    def half_inverse(self) -> FloatArray:
        """A square matrix H with H H' = (X'WX)^-1, shape ``(n_columns, n_columns)``."""
        inverse = linalg.solve_triangular(self.triangular, np.eye(self.n_columns))
        return np.asarray(inverse / self.scales[:, None])

    @cached_property
    def inverse(self) -> FloatArray:
        """(X'WX)^-1, shape ``(n_columns, n_columns)``: the coefficients' covariance per sigma^2."""
        return np.asarray(self.half_inverse @ self.half_inverse.T)

    @cached_property
    def fitted(self) -> FloatArray:
        """The fitted values, shape ``(n_runs,)``."""
        return np.asarray(self.matrix @ self.coefficients)

    @cached_property
    def residuals(self) -> FloatArray:
        """Value minus fitted value, unweighted, shape ``(n_runs,)``."""
        return np.asarray(self.values - self.fitted)

    @cached_property
    def leverage(self) -> FloatArray:
        """The diagonal of the hat matrix, w_i x_i'(X'WX)^-1 x_i, shape ``(n_runs,)``."""
        return np.asarray(np.square(self.orthogonal).sum(axis=1))

    @cached_property
    def rss(self) -> float:
        """The weighted sum of squared residuals."""
        return float(self.weights @ np.square(self.residuals))

    @cached_property
    def residual_std(self) -> float:
        """The residual SD of a value of weight 1; ``nan`` without residual degrees of freedom."""
        return float(np.sqrt(self.rss / self.degrees)) if self.degrees > 0 else float("nan")

    def leverage_of(self, rows: FloatArray) -> FloatArray:
        """Return x'(X'WX)^-1 x of each row x, shape ``(n_rows,)``.

        Args:
            rows: Rows of the model matrix, shape ``(n_rows, n_columns)``.
        """
        return np.asarray(np.square(rows @ self.half_inverse).sum(axis=1))

    def explained_by(self, columns: "Sequence[int]") -> float:
        """Return the sum of squares lost when these columns leave the model, all together.

        For one column it is the square of its t value times sigma^2.
        """
        return self.explained_by_contrasts(np.eye(self.n_columns)[list(columns)])

    def explained_by_contrasts(self, contrasts: FloatArray) -> float:
        """Return the sum of squares lost when each row of contrasts is held at zero.

        This is (Lb)' [L (X'WX)^-1 L']^-1 (Lb).

        Args:
            contrasts: L, shape ``(n_contrasts, n_columns)``, rows independent of each other.

        Source:
            Seber and Lee (2003), Linear Regression Analysis, 2nd ed., theorem 4.1.
        """
        if not len(contrasts):
            return 0.0
        # R of the transposed rows is the root of their covariance, without squaring it.
        root = linalg.qr((contrasts @ self.half_inverse).T, mode="r")[0][: len(contrasts)]
        scores = linalg.solve_triangular(root, contrasts @ self.coefficients, trans="T")
        return float(scores @ scores)


def solve(matrix: FloatArray, values: FloatArray, weights: FloatArray | None = None) -> Solution:
    """Return the least-squares solution by Householder's triangularisation.

    Columns are divided by their length first, so that the unit of a factor costs no digits; the
    normal equations, which square the condition number, are never formed.

    Args:
        matrix: Model matrix, shape ``(n_runs, n_columns)``, of full column rank.
        values: What is fitted, shape ``(n_runs,)``.
        weights: Reciprocal variances up to a common factor; all 1 when absent.

    Raises:
        InvalidValueError: If a number is not finite, a shape does not fit, or a weight is not
            positive.
        TooFewDataError: If there are fewer runs than columns.

    Source:
        Golub (1965), Numerische Mathematik 7, 206-216; Golub and Van Loan (2013), Matrix
        Computations, 4th ed., section 5.3.
    """
    rows = np.asarray(matrix, dtype=np.float64)
    given = np.asarray(values, dtype=np.float64)
    weighing = np.ones(len(given)) if weights is None else np.asarray(weights, dtype=np.float64)
    _check(rows, given, weighing)
    root = np.sqrt(weighing)[:, None]
    scales = np.linalg.norm(root * rows, axis=0)
    scales = np.where(scales > 0, scales, 1.0)
    orthogonal, triangular = linalg.qr(root * rows / scales, mode="economic")
    return Solution(rows, given, weighing, np.asarray(orthogonal), np.asarray(triangular), scales)


def _check(rows: FloatArray, values: FloatArray, weights: FloatArray) -> None:
    if rows.ndim != 2 or values.shape != (len(rows),) or weights.shape != values.shape:
        raise InvalidValueError(
            f"Least squares needs a row and a weight per value, got a matrix of shape "
            f"{rows.shape}, {values.shape} values and {weights.shape} weights: give them the same "
            "length."
        )
    for what, numbers in (("model matrix", rows), ("values", values), ("weights", weights)):
        if not np.isfinite(numbers).all():
            place = int(np.argwhere(~np.isfinite(numbers))[0][0])
            raise InvalidValueError(
                f"Row {place + 1} of the {what} holds a number that is not finite; least squares "
                "needs finite numbers: correct or leave out this run."
            )
    if not (weights > 0).all():
        raise InvalidValueError(
            f"Weight {weights.min():g} is not positive; a weight is the reciprocal of a variance: "
            "leave out runs that are not to count."
        )
    if len(rows) < rows.shape[1]:
        raise TooFewDataError(
            f"{len(rows)} runs cannot estimate {rows.shape[1]} coefficients: choose a smaller "
            "model or add runs."
        )
