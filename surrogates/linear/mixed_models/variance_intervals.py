"""How well variance components are known: intervals by profile likelihood and by Satterthwaite."""

from collections.abc import Callable

import numpy as np
from scipy import optimize, stats

from doe.arrays import FloatArray, IntArray
from doe.errors import InvalidValueError
from surrogates.linear.mixed_models.restricted_likelihood import (
    VarianceFit,
    VarianceProblem,
    least_between,
)

# Ends of profile intervals are sought up to this multiple of the values' own variance.
FARTHEST = 1e8
# The residual variance is searched down to this share of its estimate.
SMALLEST_RESIDUAL = 1e-6
# Ends are found to this relative accuracy.
ACCURACY = 1e-6


def profile_intervals(fit: VarianceFit, coverage: float) -> tuple[FloatArray, FloatArray]:
    """Return the ends of each component's interval by profile likelihood.

    The interval holds the values at which twice the log likelihood, maximised over all else, falls
    by no more than the quantile of chi-square with one degree of freedom. Its lower end is 0 when
    a component of zero is among them; its upper end is infinite where the likelihood never falls
    that far.

    Args:
        fit: The variance components.
        coverage: The share of intervals that are to hold the truth, such as 0.95.

    Returns:
        Lower and upper ends, each shape ``(n_components,)``.

    Raises:
        InvalidValueError: If ``coverage`` is not between 0 and 1.

    Source:
        Venzon and Moolgavkar (1988), Applied Statistics 37, 87-94.
    """
    _check_coverage(coverage)
    allowed = float(stats.chi2.ppf(coverage, 1))
    n_components = len(fit.variances)
    ends = [_profile_ends(fit, place, allowed) for place in range(n_components)]
    lower, upper = zip(*ends, strict=True)
    return np.array(lower), np.array(upper)


def satterthwaite_degrees(fit: VarianceFit) -> FloatArray:
    """Return the degrees of freedom of each component's estimate, 2 theta^2/Var(theta).

    ``nan`` where the estimate is zero.

    Source:
        Satterthwaite (1946), Biometrics Bulletin 2, 110-114.
    """
    variances = np.diag(fit.covariance)
    degrees = 2 * np.square(fit.variances) / variances
    return np.where(fit.at_zero, np.nan, degrees)


def satterthwaite_intervals(fit: VarianceFit, coverage: float) -> tuple[FloatArray, FloatArray]:
    """Return the ends of each component's interval from chi-square with estimated degrees.

    Exact for the residual of balanced data, rough for components estimated from few levels.
    ``nan`` where the estimate is zero: the method has no answer there.

    Raises:
        InvalidValueError: If ``coverage`` is not between 0 and 1.

    Source:
        Satterthwaite (1946), Biometrics Bulletin 2, 110-114.
    """
    _check_coverage(coverage)
    degrees = satterthwaite_degrees(fit)
    tail = (1 - coverage) / 2
    lower = degrees * fit.variances / stats.chi2.ppf(1 - tail, degrees)
    upper = degrees * fit.variances / stats.chi2.ppf(tail, degrees)
    return np.asarray(lower), np.asarray(upper)


def _check_coverage(coverage: float) -> None:
    if not 0 < coverage < 1:
        raise InvalidValueError(
            f"coverage is {coverage}; expected a share between 0 and 1, such as 0.95."
        )


def _profile_ends(fit: VarianceFit, place: int, allowed: float) -> tuple[float, float]:
    estimate = float(fit.variances[place])
    whole = float(fit.variances @ [np.square(root).mean() for root in _weighted_roots(fit)])
    others = np.delete(fit.variances, place)

    def excess(value: float, start: FloatArray) -> tuple[float, FloatArray]:
        deviance, best = _profiled(fit, place, value, start)
        return deviance - fit.deviance - allowed, best

    lower = _lower_end(excess, estimate, others, is_residual=place == len(fit.variances) - 1)
    step = max(estimate, 0.05 * whole)
    inner, outer, start = estimate, estimate + step, others
    while True:
        value, start = excess(outer, start)
        if value > 0:
            break
        if outer > FARTHEST * whole:
            return lower, float("inf")
        inner, outer = outer, 2 * outer
    return lower, _crossing(excess, inner, outer, start)


def _weighted_roots(fit: VarianceFit) -> list[FloatArray]:
    n_runs = len(fit.problem.values)
    return [np.sqrt(np.square(root).sum(axis=1)).reshape(n_runs, 1) for root in fit.problem.roots]


def _lower_end(
    excess: Callable[[float, FloatArray], tuple[float, FloatArray]],
    estimate: float,
    others: FloatArray,
    *,
    is_residual: bool,
) -> float:
    if estimate == 0:
        return 0.0
    if not is_residual and excess(0.0, others)[0] <= 0:
        return 0.0
    inner, outer, start = estimate, estimate / 2, others
    while True:
        value, start = excess(outer, start)
        if value > 0:
            return _crossing(excess, inner, outer, start)
        if outer < estimate * SMALLEST_RESIDUAL:
            return 0.0
        inner, outer = outer, outer / 2


def _crossing(
    excess: Callable[[float, FloatArray], tuple[float, FloatArray]],
    inner: float,
    outer: float,
    start: FloatArray,
) -> float:
    """Return where the excess passes zero between a value inside and a value outside."""
    if inner == 0:
        inner = outer * 1e-6
    end = optimize.brentq(
        lambda log: excess(float(np.exp(log)), start)[0],
        np.log(inner),
        np.log(outer),
        xtol=ACCURACY,
    )
    return float(np.exp(end))


def _profiled(
    fit: VarianceFit, place: int, value: float, start: FloatArray
) -> tuple[float, FloatArray]:
    """Return the least deviance with one component held, and the other components there."""
    problem = fit.problem
    others = np.delete(np.arange(len(fit.variances), dtype=np.int64), place)
    scale = np.maximum(fit.variances[others], 1e-3 * float(fit.variances.max()))
    # Only the residual must stay above zero; when it is the one held, the others may all be zero.
    is_residual = others == len(fit.variances) - 1
    lower = np.where(is_residual, SMALLEST_RESIDUAL, 0.0)
    upper = np.full(len(others), np.inf)
    deviance, best = least_between(
        lambda x: _deviance(problem, np.insert(x * scale, place, value), others, scale),
        np.maximum(start / scale, lower),
        lower,
        upper,
    )
    return deviance, best * scale


def _deviance(
    problem: VarianceProblem, variances: FloatArray, places: IntArray, scale: FloatArray
) -> tuple[float, FloatArray]:
    state = problem.at(variances)
    return state.deviance, np.asarray(state.gradient[places] * scale)
