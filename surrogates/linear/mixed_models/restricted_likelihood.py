"""Variance components by restricted or full maximum likelihood: numbers only, no names."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy import linalg, optimize

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.errors import TooFewDataError

Method = Literal["REML", "ML"]

# Ratios of a component to the residual variance are searched as ratio/(1 + ratio) up to this.
LARGEST_SHARE = 1 - 1e-9
# A share below this is the boundary, zero.
ZERO_SHARE = 1e-7
# Components whose information, scaled to a unit diagonal, has a smaller eigenvalue are the same.
IDENTIFIED = 1e-9
NEWTON_STEPS = 20


@dataclass(frozen=True, eq=False)
class VarianceProblem:
    """Values with mean ``matrix @ b`` and covariance sum_j theta_j Z_j Z_j', residual last.

    Attributes:
        matrix: Columns of the fixed effects, shape ``(n, p)``, of full column rank.
        values: The values, shape ``(n,)``.
        roots: Z of each component, shape ``(n, q_j)``: a column per level for random intercepts,
            a diagonal of reciprocal root weights for the residual, which comes last.
        method: ``REML`` or ``ML``.
    """

    matrix: FloatArray
    values: FloatArray
    roots: tuple[FloatArray, ...]
    method: Method = "REML"

    @property
    def degrees(self) -> int:
        """What the residual sum of squares is divided by: n - p for REML, n for ML."""
        n_runs = len(self.values)
        return n_runs - self.matrix.shape[1] if self.method == "REML" else n_runs

    @cached_property
    def _squares(self) -> FloatArray:
        return np.array([root @ root.T for root in self.roots])

    def at(self, variances: FloatArray) -> "CovarianceState":
        """Return the algebra at given variance components.

        Raises:
            numpy.linalg.LinAlgError: If their covariance is not positive definite.
        """
        lower = linalg.cholesky(np.tensordot(variances, self._squares, axes=1), lower=True)
        whitened = linalg.solve_triangular(lower, self.matrix, lower=True)
        orthogonal, triangular = linalg.qr(whitened, mode="economic")
        values = linalg.solve_triangular(lower, self.values, lower=True)
        return CovarianceState(
            self, variances, lower, np.asarray(orthogonal), np.asarray(triangular), values
        )


@dataclass(frozen=True, eq=False)
class CovarianceState:
    """Generalised least squares at given variance components, and the likelihood's derivatives.

    With V = LL', everything is in the whitened space of L^-1 y, in which P becomes the projection
    M = I - QQ' off the whitened columns.

    Attributes:
        problem: What is estimated.
        variances: theta, shape ``(n_components,)``, residual last.
        lower: L, shape ``(n, n)``.
        orthogonal: Q of L^-1 X, shape ``(n, p)``.
        triangular: R of it.
        whitened: L^-1 y, shape ``(n,)``.

    Source:
        Searle, Casella and McCulloch (1992), Variance Components, sections 6.2 and 6.6: both
        likelihoods, their derivatives and information.
    """

    problem: VarianceProblem
    variances: FloatArray
    lower: FloatArray
    orthogonal: FloatArray
    triangular: FloatArray
    whitened: FloatArray

    @cached_property
    def coefficients(self) -> FloatArray:
        """The fixed effects, shape ``(p,)``."""
        projected = self.orthogonal.T @ self.whitened
        return np.asarray(linalg.solve_triangular(self.triangular, projected))

    @cached_property
    def covariance(self) -> FloatArray:
        """(X'V^-1 X)^-1, shape ``(p, p)``: the fixed effects' covariance with V as known."""
        half = linalg.solve_triangular(self.triangular, np.eye(len(self.triangular)))
        return np.asarray(half @ half.T)

    @cached_property
    def residuals(self) -> FloatArray:
        """L^-1 (y - Xb), shape ``(n,)``."""
        return np.asarray(
            self.whitened - self.orthogonal @ (self.orthogonal.T @ self.whitened), dtype=np.float64
        )

    @cached_property
    def whitened_roots(self) -> tuple[FloatArray, ...]:
        """L^-1 Z of each component."""
        return tuple(
            np.asarray(linalg.solve_triangular(self.lower, root, lower=True))
            for root in self.problem.roots
        )

    def solve(self, columns: FloatArray) -> FloatArray:
        """Return V^-1 times columns."""
        return np.asarray(linalg.cho_solve((self.lower, True), columns))

    def unexplained(self, covariances: FloatArray) -> FloatArray:
        """Return C'V^-1 (y - Xb) for columns C: predictions of what covaries with the values."""
        half = linalg.solve_triangular(self.lower, covariances, lower=True)
        return np.asarray(half.T @ self.residuals)

    @property
    def log_determinants(self) -> float:
        """log|V|, and for REML log|X'V^-1 X| with it."""
        found = 2 * float(np.log(np.diag(self.lower)).sum())
        if self.problem.method == "REML":
            found += 2 * float(np.log(np.abs(np.diag(self.triangular))).sum())
        return found

    @property
    def deviance(self) -> float:
        """Minus twice the log likelihood, restricted for REML."""
        constant = self.problem.degrees * np.log(2 * np.pi)
        return float(constant + self.log_determinants + self.residuals @ self.residuals)

    def _projected(self, columns: FloatArray) -> FloatArray:
        return np.asarray(columns - self.orthogonal @ (self.orthogonal.T @ columns))

    @cached_property
    def traces(self) -> FloatArray:
        """tr(P G_j), for ML tr(V^-1 G_j), shape ``(n_components,)``."""
        found = []
        for root in self.whitened_roots:
            trace = float(np.square(root).sum())
            if self.problem.method == "REML":
                trace -= float(np.square(self.orthogonal.T @ root).sum())
            found.append(trace)
        return np.array(found)

    @cached_property
    def squares(self) -> FloatArray:
        """The forms y'P G_j P y of each component, shape ``(n_components,)``."""
        return np.array(
            [float(np.square(root.T @ self.residuals).sum()) for root in self.whitened_roots]
        )

    @property
    def gradient(self) -> FloatArray:
        """The derivative of the deviance by each component."""
        return np.asarray(self.traces - self.squares)

    @cached_property
    def information(self) -> FloatArray:
        """The expected information of the components, tr(P G_i P G_j)/2, for ML with V^-1."""
        restricted = self.problem.method == "REML"
        roots = [self._projected(r) if restricted else r for r in self.whitened_roots]
        found = [
            [np.square(one.T @ other).sum() / 2 for other in self.whitened_roots] for one in roots
        ]
        return np.array(found)

    @property
    def hessian(self) -> FloatArray:
        """The second derivatives of the deviance by the components."""
        pulled = np.array([r @ (r.T @ self.residuals) for r in self.whitened_roots])
        curved = pulled @ self._projected(pulled.T)
        return np.asarray(2 * curved - 2 * self.information)


@dataclass(frozen=True, eq=False)
class VarianceFit:
    """The variance components of largest likelihood.

    Attributes:
        state: The algebra at the estimates.
        at_zero: Which components are estimated as zero: the boundary of what is possible.
    """

    state: CovarianceState
    at_zero: BoolArray

    @property
    def problem(self) -> VarianceProblem:
        """What was estimated."""
        return self.state.problem

    @property
    def variances(self) -> FloatArray:
        """The estimates, shape ``(n_components,)``, residual last."""
        return self.state.variances

    @property
    def deviance(self) -> float:
        """Minus twice the maximised log likelihood."""
        return self.state.deviance

    @cached_property
    def covariance(self) -> FloatArray:
        """The components' large-sample covariance: the inverse of their expected information."""
        scale = 1 / np.sqrt(np.diag(self.state.information))
        inverse = linalg.inv(self.state.information * np.outer(scale, scale))
        return np.asarray(inverse * np.outer(scale, scale))


def fit_variances(problem: VarianceProblem) -> VarianceFit:
    """Return the variance components of largest likelihood.

    The residual variance is profiled out; the ratios of the others to it are searched between 0
    and infinity with the exact gradient from several fixed starts, and the best end is polished by
    Newton's method. A component may end at zero.

    Raises:
        TooFewDataError: If the values are fitted exactly, or the search ends without residual
            variance.

    Source:
        Patterson and Thompson (1971), Biometrika 58, 545-554: restricted maximum likelihood.
    """
    n_random = len(problem.roots) - 1
    unit = _residual_unit(problem)
    best: tuple[float, FloatArray] | None = None
    for start in _starts(n_random):
        found = least_between(
            lambda shares: _profile(problem, shares, unit),
            start,
            np.zeros(n_random),
            np.full(n_random, LARGEST_SHARE),
        )
        # A later start must be better by more than rounding: the order of rows means nothing.
        if best is None or found[0] < best[0] - 1e-9 * (1 + abs(best[0])):
            best = found
    if best is None or (best[1] >= 1 - 1e-7).any():
        raise TooFewDataError(
            "The runs within a block do not differ beyond what the terms explain: no residual "
            "variance is left to compare with. Check the values, or leave terms out."
        )
    shares = np.where(best[1] < ZERO_SHARE, 0.0, best[1])
    variances = _variances(problem, shares, unit)
    return _polished(problem, variances)


def least_between(
    goal: Callable[[FloatArray], tuple[float, FloatArray]],
    start: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
) -> tuple[float, FloatArray]:
    """Return the least value of a goal within bounds, and the place of it.

    Args:
        goal: Value and gradient at a place.
        start: Where to begin, shape ``(n,)``.
        lower: Lower bounds.
        upper: Upper bounds.

    Source:
        Byrd, Lu, Nocedal and Zhu (1995), SIAM J. Scientific Computing 16, 1190-1208.
    """
    found = optimize.minimize(
        goal,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=optimize.Bounds(lower, upper),
        options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 500},
    )
    return float(found.fun), np.asarray(found.x, dtype=np.float64)


def identified(problem: VarianceProblem) -> BoolArray:
    """Return which components these runs can tell from the fixed effects and from those after.

    The residual comes last and is always told; a component that equals a combination of later ones
    (such as a block of one run each) is not.
    """
    sizes = np.array([np.square(root).sum() for root in problem.roots])
    state = VarianceProblem(problem.matrix, problem.values, problem.roots).at(1 / sizes)
    scaled = state.information / np.outer(sizes, sizes)
    scale = np.sqrt(np.diag(scaled))
    found = np.ones(len(sizes), dtype=np.bool_)
    kept: list[int] = []
    largest = scale.max()
    for place in reversed(range(len(sizes))):
        trial = [*kept, place]
        if scale[place] <= IDENTIFIED * largest:
            found[place] = False
            continue
        part = scaled[np.ix_(trial, trial)] / np.outer(scale[trial], scale[trial])
        if np.linalg.eigvalsh(part)[0] <= IDENTIFIED:
            found[place] = False
        else:
            kept = trial
    return found


def _residual_unit(problem: VarianceProblem) -> float:
    """Return the mean variance of a value per unit of the residual component."""
    return float(np.square(problem.roots[-1]).sum() / len(problem.values))


def _starts(n_random: int) -> list[FloatArray]:
    middles = [np.full(n_random, share) for share in (0.5, 0.1, 0.9)]
    if n_random == 1:
        return middles
    alone = [np.where(np.arange(n_random) == place, 0.6, 0.02) for place in range(n_random)]
    return [*middles, *alone]


def _components(shares: FloatArray, unit: float) -> FloatArray:
    """Return the components at a residual variance of one typical value equal to one."""
    return np.append(shares / (1 - shares), 1 / unit)


def _profile(problem: VarianceProblem, shares: FloatArray, unit: float) -> tuple[float, FloatArray]:
    """Return the deviance with the residual variance profiled out, and its gradient."""
    state = problem.at(_components(shares, unit))
    rss = float(state.residuals @ state.residuals)
    degrees = problem.degrees
    if rss <= 1e-20 * float(state.whitened @ state.whitened):
        raise TooFewDataError(
            "The fixed terms fit every value exactly: nothing is left for variance components. "
            "Leave terms out, or add runs."
        )
    deviance = degrees * (np.log(2 * np.pi * rss / degrees) + 1) + state.log_determinants
    slopes = state.traces[:-1] - degrees * state.squares[:-1] / rss
    return float(deviance), np.asarray(slopes / np.square(1 - shares))


def _variances(problem: VarianceProblem, shares: FloatArray, unit: float) -> FloatArray:
    components = _components(shares, unit)
    state = problem.at(components)
    return np.asarray(components * float(state.residuals @ state.residuals) / problem.degrees)


def _polished(problem: VarianceProblem, variances: FloatArray) -> VarianceFit:
    """Return the fit after Newton's steps on the components that are not at zero."""
    free = np.flatnonzero(variances > 0).astype(np.int64)
    state = problem.at(variances)
    for _ in range(NEWTON_STEPS):
        step = np.zeros(len(variances))
        hessian = state.hessian[np.ix_(free, free)]
        if np.linalg.eigvalsh(hessian)[0] <= 0:
            break
        step[free] = linalg.solve(hessian, state.gradient[free], assume_a="sym")
        moved = state.variances - step
        if (moved[free] <= 0).any():
            break
        following = problem.at(moved)
        if _steepness(following, free) >= _steepness(state, free):
            break
        state = following
    return VarianceFit(state, state.variances <= 0)


def _steepness(state: CovarianceState, free: IntArray) -> float:
    return float(np.abs(state.gradient[free] * state.variances[free]).max())
