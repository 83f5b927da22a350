"""Whether residuals look like noise: normal, of one spread, without memory and without drift."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import integrate, linalg, stats

from doe.arrays import FloatArray, IntArray
from doe.errors import InvalidValueError
from surrogates.linear.diagnosing.influence import Influence
from surrogates.linear.solution import Solution

if TYPE_CHECKING:
    from surrogates.linear.model import LinearModel

Against = Literal["predicted", "columns"]
# With fewer degrees of freedom the residuals are too much alike for any of these tests.
MIN_DEGREES = 3
# Below this many, a test that finds nothing says little.
FEW_DEGREES = 10
# Royston's approximation of the p value is for this many values at most.
MOST_FOR_NORMALITY = 5000
# Regressors that vary by less than this share of their size do not vary.
SAME = 1e-9
# An order of which less than this share is left beside the model is one of its columns.
ORDER_LEFT = 1e-6


@dataclass(frozen=True, slots=True)
class ResidualTest:
    """One test of the residuals.

    Attributes:
        name: What is tested.
        statistic: The test's statistic; None where the test cannot be done.
        p: Probability of a statistic at least as extreme if the residuals were plain noise.
        reading: What to make of it, or why it cannot be done, a sentence.
    """

    name: str
    statistic: float | None
    p: float | None
    reading: str


@dataclass(frozen=True, slots=True)
class Drift:
    """The change of the response over the order of doing, the factors' effects taken out.

    Attributes:
        slope: Change per run on the modelled scale; None where it cannot be told.
        standard_error: Of the slope.
        change: Slope times the number of runs between the first and the last.
        t: Slope over its standard error.
        p: Two-sided p value of the slope.
        reading: What to make of it, or why it cannot be told, a sentence.
    """

    slope: float | None
    standard_error: float | None
    change: float | None
    t: float | None
    p: float | None
    reading: str


def normality(influence: Influence, significance: float) -> ResidualTest:
    """Return the Shapiro-Wilk test of the internally studentised residuals.

    Studentised, because raw residuals of unequal leverage do not have one variance.

    Args:
        influence: The case statistics of the fit.
        significance: The p value below which the reading warns.

    Source:
        Shapiro and Wilk (1965), Biometrika 52, 591-611; p value: Royston (1995), Applied
        Statistics 44, 547-551.
    """
    name = "normality (Shapiro-Wilk)"
    lacking = _lacking(influence)
    residuals = influence.internal[np.isfinite(influence.internal)]
    if not lacking and len(residuals) > MOST_FOR_NORMALITY:
        lacking = f"the p value is known for up to {MOST_FOR_NORMALITY} runs: read the normal plot"
    if lacking:
        return ResidualTest(name, None, None, f"Not tested: {lacking}.")
    statistic, p = (float(number) for number in stats.shapiro(residuals))
    reading = f"W = {statistic:.4f}, p = {p:.3g}: " + (
        "the residuals are not normal. Look at the normal plot for single runs and at the "
        "Box-Cox profile; F and t tests stand this better than prediction limits do."
        if p < significance
        else "no sign that the residuals are not normal."
    )
    if p >= significance and influence.degrees < FEW_DEGREES:
        reading += f" With {influence.degrees} degrees of freedom only gross departures show."
    return ResidualTest(name, statistic, p, reading)


def constant_variance(
    model: "LinearModel",
    influence: Influence,
    *,
    against: Against = "predicted",
    significance: float = 0.05,
) -> ResidualTest:
    """Return the Breusch-Pagan test, studentised: do squared residuals follow the fitted values?

    Squared weighted residuals are regressed on the fitted values, or on all columns of the model;
    the statistic is n R2, chi-square with as many degrees of freedom as regressors.

    Args:
        model: The fit.
        influence: Its case statistics.
        against: What the variance may follow. Few runs leave no room for all columns.
        significance: The p value below which the reading warns.

    Raises:
        InvalidValueError: If ``against`` is not one of the two.

    Source:
        Breusch and Pagan (1979), Econometrica 47, 1287-1294; Koenker (1981), J. Econometrics 17,
        107-112; variance as a function of the fitted values: Cook and Weisberg (1983), Biometrika
        70, 1-10.
    """
    name = f"constant variance (Breusch-Pagan, against {against})"
    if against not in ("predicted", "columns"):
        raise InvalidValueError(f"against is {against!r}; expected 'predicted' or 'columns'.")
    lacking = _lacking(influence)
    if lacking:
        return ResidualTest(name, None, None, f"Not tested: {lacking}.")
    used = ~influence.is_alone
    residuals = (np.sqrt(model.weights) * model.residuals)[used]
    chosen = model.fitted[:, None] if against == "predicted" else model.solution.matrix
    regressors = chosen[used] - chosen[used].mean(axis=0)
    rank = int(np.linalg.matrix_rank(regressors, tol=SAME * float(np.linalg.norm(chosen))))
    if rank < 1 or used.sum() < rank + 2:
        reading = (
            f"Not tested: {used.sum()} residuals cannot tell a spread that follows {rank} "
            "quantities; add runs or terms."
        )
        return ResidualTest(name, None, None, reading)
    squares = residuals**2 - np.mean(residuals**2)
    total = float(squares @ squares)
    fit = regressors @ np.linalg.lstsq(regressors, squares, rcond=None)[0]
    share = float(fit @ fit) / total if total > 0 else 0.0
    # In folded-over designs it is zero but for rounding.
    statistic = len(squares) * share if share > SAME else 0.0
    p = float(stats.chi2.sf(statistic, rank))
    reading = f"Chi-square = {statistic:.3g} on {rank} df, p = {p:.3g}: " + (
        "the spread changes. See the residuals against predicted; where it grows with the value, "
        "the Box-Cox profile names a scale, otherwise give weights."
        if p < significance
        else "no sign that the spread changes."
    )
    return ResidualTest(name, statistic, p, reading)


def autocorrelation(
    solution: Solution, influence: Influence, order: IntArray, significance: float
) -> ResidualTest:
    """Return the Durbin-Watson test over the order of doing, with its exact two-sided p value.

    About 2 without memory; below 2 when neighbouring runs err in the same direction.

    Args:
        solution: The fit.
        influence: Its case statistics.
        order: Places of the runs in the order of doing, first first.
        significance: The p value below which the reading warns.

    Source:
        Durbin and Watson (1950), Biometrika 37, 409-428; distribution: Imhof (1961), Biometrika
        48, 419-426.
    """
    name = "independence of neighbouring runs (Durbin-Watson)"
    lacking = _lacking(influence)
    if lacking:
        return ResidualTest(name, None, None, f"Not tested: {lacking}.")
    residuals = (np.sqrt(solution.weights) * solution.residuals)[order]
    statistic = float(np.square(np.diff(residuals)).sum() / (residuals @ residuals))
    below = durbin_watson_probability(statistic, solution.orthogonal[order])
    p = min(1.0, 2 * min(below, 1 - below))
    if p >= significance:
        finding = "no sign that neighbouring runs err alike."
    elif statistic < 2:
        finding = (
            "neighbouring runs err in the same direction: something drifted or came in batches. "
            "Look for it in the run order plot, and add it as a block."
        )
    else:
        finding = (
            "neighbouring runs err in opposite directions, as when two instruments or operators "
            "take turns: add that as a block."
        )
    return ResidualTest(name, statistic, p, f"DW = {statistic:.3g}, p = {p:.3g}: {finding}")


def durbin_watson_probability(statistic: float, orthogonal: FloatArray) -> float:
    """Return P(DW <= statistic) for independent normal noise and the columns of this model.

    Args:
        statistic: A value of Durbin and Watson's d.
        orthogonal: An orthonormal basis of the columns, rows in the order of doing, shape
            ``(n_runs, n_columns)``.

    Source:
        Imhof (1961), Biometrika 48, 419-426, equation 3.2.
    """
    complement = linalg.qr(orthogonal)[0][:, orthogonal.shape[1] :]
    steps = np.diff(complement, axis=0)
    excess = np.linalg.eigvalsh(steps.T @ steps) - statistic
    excess = excess / np.abs(excess).max()
    # All of one sign: the statistic is at or beyond the end of what this model allows.
    if excess.min() >= 0 or excess.max() <= 0:
        return 0.0 if excess.min() >= 0 else 1.0

    def integrand(u: float) -> float:
        angle = 0.5 * float(np.arctan(excess * u).sum())
        size = 0.25 * float(np.log1p(np.square(excess * u)).sum())
        return float(np.sin(angle) * np.exp(-size) / u)

    near, _ = integrate.quad(integrand, 0.0, 1.0, limit=200, epsabs=1e-10)
    far, _ = integrate.quad(integrand, 1.0, np.inf, limit=400, epsabs=1e-9)
    return float(np.clip(0.5 - (near + far) / np.pi, 0.0, 1.0))


def drift(
    solution: Solution,
    influence: Influence,
    order: IntArray,
    *,
    unit: str = "",
    significance: float = 0.05,
) -> Drift:
    """Return the slope over the order of doing, estimated beside all terms of the model.

    It is the coefficient of the run number added to the model. Residuals regressed on the run
    number would understate it wherever the order is not orthogonal to the factors.

    Args:
        solution: The fit.
        influence: Its case statistics.
        order: Places of the runs in the order of doing, first first.
        unit: Of the modelled values, for the reading.
        significance: The p value below which the reading warns.

    Source:
        Frisch and Waugh (1933), Econometrica 1, 387-401: a coefficient from what the other columns
        leave; Draper and Smith (1998), Applied Regression Analysis, 3rd ed., section 2.3.
    """
    lacking = _lacking(influence)
    if lacking:
        return Drift(None, None, None, None, None, f"Not tested: {lacking}.")
    root = np.sqrt(solution.weights)
    number = np.empty(solution.n_runs)
    number[order] = np.arange(solution.n_runs) - (solution.n_runs - 1) / 2
    basis = solution.orthogonal
    rest = root * number - basis @ (basis.T @ (root * number))
    rest = rest - basis @ (basis.T @ rest)
    if np.linalg.norm(rest) <= ORDER_LEFT * np.linalg.norm(root * number):
        reading = (
            "Not tested: the order of the runs is a combination of the model's columns, so a drift "
            "would be taken for their effects. Randomise the order of the next runs."
        )
        return Drift(None, None, None, None, None, reading)
    slope = float(rest @ (root * solution.residuals) / (rest @ rest))
    # In balanced orders the slope is zero but for rounding.
    if abs(slope) * solution.n_runs <= SAME * solution.residual_std:
        slope = 0.0
    remainder = max(solution.rss - slope**2 * float(rest @ rest), 0.0)
    error = float(np.sqrt(remainder / (solution.degrees - 1) / (rest @ rest)))
    change = slope * (solution.n_runs - 1)
    t = slope / error if error > 0 else float(np.copysign(np.inf, slope))
    p = float(2 * stats.t.sf(abs(t), solution.degrees - 1))
    amount = f"{change:+.3g} {unit}".rstrip()
    reading = f"From the first to the last run the response changed by {amount}, p = {p:.3g}: " + (
        "it drifted. Find the cause (column age, operator, lot), and add the run number or a block "
        "to the model."
        if p < significance
        else "no sign of a drift."
    )
    return Drift(slope, error, change, None if np.isinf(t) else t, p, reading)


def _lacking(influence: Influence) -> str:
    """Return why the residuals cannot be tested; empty when they can."""
    if influence.degrees < MIN_DEGREES:
        return (
            f"{influence.degrees} degrees of freedom are left for the residual, at least "
            f"{MIN_DEGREES} are needed; add runs or drop terms"
        )
    if influence.is_exact:
        return "the model reproduces every run to the last digit, so that residuals are rounding"
    return ""
