"""Tests and intervals of fixed effects when variances are estimated: Kenward and Roger's method."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy import linalg, stats

from doe.arrays import FloatArray
from doe.errors import InvalidValueError
from surrogates.linear.mixed_models.restricted_likelihood import VarianceFit

DegreesMethod = Literal["kenward_roger", "satterthwaite"]

# Below this both parts of a ratio count as zero, and the ratio as its limit, one.
NOTHING = 1e-9
# Denominator degrees beyond this are as good as infinite.
MANY_DEGREES = 1e6


@dataclass(frozen=True, slots=True)
class FixedTest:
    """An F test of one or several contrasts of the fixed effects being zero.

    Attributes:
        numerator: How many independent contrasts there are.
        denominator: Degrees of freedom of the error that they are compared with; ``nan`` where
            the approximation has no solution.
        statistic: The F value, scaled.
        scaling: What the Wald statistic per contrast was multiplied by.
        p_value: The chance of a larger F if all contrasts are zero.
    """

    numerator: int
    denominator: float
    statistic: float
    scaling: float
    p_value: float


@dataclass(frozen=True, eq=False)
class FixedInference:
    """What can be said of the fixed effects of a mixed model.

    The generalised least-squares covariance takes the variance components as known. Kenward and
    Roger add what their estimation costs, and find the degrees of freedom at which F has the mean
    and variance that it should. Components at zero count as estimated: a block variance that came
    out as zero is not known to be zero.

    Attributes:
        fit: The variance components.
        method: ``kenward_roger`` (adjusted covariance, REML only) or ``satterthwaite``.

    Source:
        Kenward and Roger (1997), Biometrics 53, 983-997: equations for the adjusted covariance and
        section 4 for F; the second derivatives of V, which is linear in the components, are zero.
        Satterthwaite's for several contrasts: Fai and Cornelius (1996), J. Statistical Computation
        and Simulation 54, 363-378.
    """

    fit: VarianceFit
    method: DegreesMethod = "kenward_roger"

    def __post_init__(self) -> None:
        if self.method not in ("kenward_roger", "satterthwaite"):
            raise InvalidValueError(
                f"degrees method is {self.method!r}; expected 'kenward_roger' or 'satterthwaite'."
            )
        if self.method == "kenward_roger" and self.fit.problem.method != "REML":
            raise InvalidValueError(
                f"Kenward and Roger's method adjusts REML estimates, and these are by "
                f"{self.fit.problem.method}: fit with method='REML', or use 'satterthwaite'."
            )

    @property
    def _unadjusted(self) -> FloatArray:
        return self.fit.state.covariance

    @cached_property
    def _slopes(self) -> tuple[FloatArray, ...]:
        """Minus P_i of the paper, X'V^-1 G_i V^-1 X, in the coordinates of X."""
        found = []
        for root in self._rotated:
            half = self.fit.state.triangular.T @ root
            found.append(np.asarray(half @ half.T))
        return tuple(found)

    @cached_property
    def _rotated(self) -> tuple[FloatArray, ...]:
        """Q'L^-1 Z_i, shape ``(p, q_i)``."""
        state = self.fit.state
        return tuple(np.asarray(state.orthogonal.T @ root) for root in state.whitened_roots)

    @cached_property
    def excess(self) -> FloatArray:
        """What the adjustment adds to the covariance, shape ``(p, p)``; zero for Satterthwaite."""
        n_columns = len(self._unadjusted)
        if self.method == "satterthwaite":
            return np.zeros((n_columns, n_columns))
        roots, rotated = self.fit.state.whitened_roots, self._rotated
        total = np.zeros((n_columns, n_columns))
        for i, (left, first) in enumerate(zip(rotated, roots, strict=True)):
            for j, (right, second) in enumerate(zip(rotated, roots, strict=True)):
                inner = first.T @ second - left.T @ right
                total += self.fit.covariance[i, j] * (left @ inner @ right.T)
        half = linalg.solve_triangular(self.fit.state.triangular, total)
        whole = linalg.solve_triangular(self.fit.state.triangular, half.T)
        # Rounding alone breaks the symmetry.
        return np.asarray(whole + whole.T)

    @cached_property
    def covariance(self) -> FloatArray:
        """The covariance of the fixed effects, shape ``(p, p)``."""
        return np.asarray(self._unadjusted + self.excess)

    @property
    def standard_errors(self) -> FloatArray:
        """The standard error of each fixed effect, shape ``(p,)``."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    def degrees_of(self, contrasts: FloatArray) -> FloatArray:
        """Return the degrees of freedom of single contrasts, one per row, shape ``(m,)``.

        Both methods agree here: 2 v^2/Var(v) for the variance v of the contrast.
        """
        variance = np.einsum("ij,jk,ik->i", contrasts, self._unadjusted, contrasts)
        pulled = contrasts @ self._unadjusted
        slopes = np.array([np.einsum("ij,jk,ik->i", pulled, s, pulled) for s in self._slopes])
        spread = np.einsum("ji,jk,ki->i", slopes, self.fit.covariance, slopes)
        return np.asarray(np.minimum(2 * np.square(variance) / spread, MANY_DEGREES))

    def test(self, contrasts: FloatArray) -> FixedTest:
        """Return the test that all contrasts are zero.

        Args:
            contrasts: Independent combinations of the fixed effects, shape ``(l, p)``.

        Raises:
            InvalidValueError: If they do not fit the model, or are not independent.
        """
        rows = np.atleast_2d(np.asarray(contrasts, dtype=np.float64))
        self._check(rows)
        estimates = rows @ self.fit.state.coefficients
        n_contrasts = len(rows)
        wald = float(estimates @ linalg.solve(rows @ self.covariance @ rows.T, estimates))
        if n_contrasts == 1:
            scaling, denominator = 1.0, float(self.degrees_of(rows)[0])
        elif self.method == "satterthwaite":
            scaling, denominator = 1.0, self._fai_cornelius(rows)
        else:
            scaling, denominator = self._kenward_roger(rows)
        statistic = scaling * wald / n_contrasts
        p_value = float(stats.f.sf(statistic, n_contrasts, denominator))
        return FixedTest(n_contrasts, denominator, statistic, scaling, p_value)

    def _check(self, rows: FloatArray) -> None:
        n_columns = len(self._unadjusted)
        if rows.ndim != 2 or rows.shape[1] != n_columns or not np.isfinite(rows).all():
            raise InvalidValueError(
                f"Contrasts of shape {rows.shape} do not fit {n_columns} fixed effects: give a "
                "finite number per effect."
            )
        if np.linalg.matrix_rank(rows) < len(rows):
            raise InvalidValueError(
                f"The {len(rows)} contrasts are not independent: leave out those that follow from "
                "others."
            )

    def _kenward_roger(self, rows: FloatArray) -> tuple[float, float]:
        """Return the scaling of F and its denominator degrees of freedom."""
        n = len(rows)
        first, second = self._moments(rows)
        spread = (first + 6 * second) / (2 * n)
        g = ((n + 1) * first - (n + 4) * second) / ((n + 2) * second)
        common = 3 * n + 2 * (1 - g)
        numerator = 1 + g / common * spread
        pole = 1 - (n - g) / common * spread
        far_pole = 1 - (n + 2 - g) / common * spread
        mean = 1 - second / n
        # At two degrees of freedom mean and pole vanish together; for strata their ratio is one.
        ratio = 1.0 if max(abs(mean), abs(pole)) < NOTHING else mean / pole
        difference = numerator * ratio**2 - far_pole
        if abs(difference) < NOTHING:
            return 1.0, MANY_DEGREES
        degrees = 4 + (n + 2) * far_pole / difference
        at_two = max(abs(degrees - 2), abs(mean)) < NOTHING**0.5
        scaling = 1.0 if at_two else degrees * mean / (degrees - 2)
        if degrees <= 0 or scaling <= 0:
            return float("nan"), float("nan")
        return scaling, min(degrees, MANY_DEGREES)

    def _moments(self, rows: FloatArray) -> tuple[float, float]:
        """Return A1 and A2 of the paper."""
        unadjusted = self._unadjusted
        root = linalg.cholesky(rows @ unadjusted @ rows.T, lower=True)
        # Whitened contrasts: Theta of the paper is their square.
        whitened = linalg.solve_triangular(root, rows @ unadjusted, lower=True)
        parts = [whitened @ slope @ whitened.T for slope in self._slopes]
        traces = np.array([np.trace(part) for part in parts])
        weights = self.fit.covariance
        products = np.array([[np.sum(one * other) for other in parts] for one in parts])
        return float(traces @ weights @ traces), float(np.sum(weights * products))

    def _fai_cornelius(self, rows: FloatArray) -> float:
        _, vectors = np.linalg.eigh(rows @ self._unadjusted @ rows.T)
        degrees = self.degrees_of(vectors.T @ rows)
        if np.ptp(degrees) <= NOTHING * degrees.max():
            return float(degrees.mean())
        if degrees.min() <= 2:
            return float(degrees.min())  # the mean of F does not exist: the weakest contrast rules
        expected = float(np.sum(degrees / (degrees - 2)))
        return min(2 * expected / (expected - len(degrees)), MANY_DEGREES)
