"""How well a linear model fits and predicts: every statistic of the report, in numbers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from surrogates.linear.reports.decomposition import Decomposition, decompose, is_rounding
from surrogates.linear.solution import Solution

if TYPE_CHECKING:
    import pandas as pd

    from surrogates.linear.model import LinearModel

# The slope that makes the model validity 0.25 where the p value of lack of fit is 0.05.
VALIDITY_SLOPE = 0.57647
# A run whose leverage is closer to 1 than this is fitted by a coefficient of its own.
FULL_LEVERAGE = 1e-9


@dataclass(frozen=True, eq=False)
class FitStatistics:
    """The statistics of one fit; None where one is not available, ``readings`` says why.

    R2, Q2 and their kin are shares of what is left after blocks, about the mean; so too for mixture
    models without an intercept, whose components add up to a constant. Only a model that cannot
    express a constant is compared with zero. All are on the modelled scale.

    Attributes:
        response: What is modelled.
        unit: Its unit, with the transform where there is one.
        n_runs: Runs fitted.
        n_coefficients: Coefficients, those of fixed blocks counted.
        parts: Sums of squares and degrees of freedom of each source.
        mean: Mean of the modelled values, weighted where runs have weights.
        residual_std: Root of the residual mean square.
        cv: Residual SD as a percentage of the mean; of the value itself for a log scale, where the
            value is lognormal; None on other scales.
        r2: Share of the variation that the model explains.
        adjusted_r2: The same with each sum of squares per degree of freedom.
        press: Sum of squared errors when each run is predicted from the others.
        q2: 1 - PRESS / total sum of squares; below 0 when worse than the mean.
        adequate_precision: Range of the fitted values over their average standard error.
        log_likelihood: At the maximum, of the values in their own unit.
        aicc: Akaike's criterion, corrected for few runs; lower is better.
        bic: Schwarz's criterion; lower is better.
        reproducibility: 1 - pure error mean square / total mean square.
        model_validity: 1 + 0.57647 log10 p of lack of fit.
        lack_of_fit_f: F of lack of fit against pure error.
        lack_of_fit_p: Its p value.
        full_leverage: Runs that no other run checks: they have leverage 1.
        recommended: How many runs an optimizer recommended.
        scale: The scale on which the response is modelled.

    Source:
        Myers, Montgomery and Anderson-Cook (2016), Response Surface Methodology, 4th ed., ch. 2;
        adequate precision: Box and Wetz (1973), Technical Report 9, University of Wisconsin;
        AICc: Hurvich and Tsai (1989), Biometrika 76, 297-307; BIC: Schwarz (1978), Annals of
        Statistics 6, 461-464; reproducibility and model validity: Eriksson et al. (2008), Design
        of Experiments: Principles and Applications, 3rd ed., Umetrics.
    """

    response: str
    unit: str
    n_runs: int
    n_coefficients: int
    parts: Decomposition
    mean: float
    residual_std: float | None
    cv: float | None
    r2: float | None
    adjusted_r2: float | None
    press: float | None
    q2: float | None
    adequate_precision: float | None
    log_likelihood: float | None
    aicc: float | None
    bic: float | None
    reproducibility: float | None
    model_validity: float | None
    lack_of_fit_f: float | None
    lack_of_fit_p: float | None
    full_leverage: tuple[str, ...]
    recommended: int
    scale: str = "none"

    @property
    def has_artificial_lack_of_fit(self) -> bool:
        """Whether lack of fit shows only because replicates agree unusually well."""
        from surrogates.linear.reports.statistic_readings import has_artificial_lack_of_fit

        return has_artificial_lack_of_fit(self)

    def readings(self) -> dict[str, str]:
        """Return for each statistic a sentence that says what to make of it."""
        from surrogates.linear.reports.statistic_readings import readings

        return readings(self)

    def table(self) -> "pd.DataFrame":
        """Return a row per statistic: ``value`` (missing where not available) and ``meaning``."""
        import pandas as pd

        values = self.values()
        meanings = self.readings()
        return pd.DataFrame(
            {
                "value": [np.nan if value is None else value for value in values.values()],
                "meaning": [meanings[name] for name in values],
            },
            index=pd.Index(list(values), name="statistic"),
        )

    def values(self) -> dict[str, float | int | None]:
        """Return the statistics by the name that people know them by, plain JSON."""
        parts = self.parts
        return {
            "runs": self.n_runs,
            "coefficients": self.n_coefficients,
            "df model": parts.model.degrees,
            "df blocks": parts.blocks.degrees,
            "df residual": parts.residual.degrees,
            "df lack of fit": parts.lack_of_fit.degrees,
            "df pure error": parts.pure_error.degrees,
            "mean": self.mean,
            "residual SD": self.residual_std,
            "CV %": self.cv,
            "R2": self.r2,
            "adjusted R2": self.adjusted_r2,
            "Q2": self.q2,
            "PRESS": self.press,
            "adequate precision": self.adequate_precision,
            "log likelihood": self.log_likelihood,
            "AICc": self.aicc,
            "BIC": self.bic,
            "reproducibility": self.reproducibility,
            "model validity": self.model_validity,
        }


def fit_statistics(model: "LinearModel") -> FitStatistics:
    """Return the statistics of a linear model; sources stand with ``FitStatistics``."""
    parts = decompose(model)
    lack_f, lack_p = parts.lack_of_fit_test
    r2, adjusted = r_squared(parts)
    press = press_of(model.solution)
    loglik = log_likelihood(model)
    mean = float(np.average(model.solution.values, weights=model.weights))
    std = _known(model.residual_std)
    full = model.leverage > 1 - FULL_LEVERAGE
    return FitStatistics(
        response=model.response,
        unit=modelled_unit(model),
        n_runs=model.n_runs,
        n_coefficients=model.n_coefficients,
        parts=parts,
        mean=mean,
        residual_std=std,
        cv=_variation(std, mean, model.transform.kind),
        r2=r2,
        adjusted_r2=adjusted,
        press=press,
        q2=None if press is None else _share(press, parts.explainable.squares),
        adequate_precision=_adequate_precision(model),
        log_likelihood=loglik,
        aicc=aicc(loglik, model.n_runs, model.n_coefficients + 1),
        bic=bic(loglik, model.n_runs, model.n_coefficients + 1),
        reproducibility=_reproducibility(parts),
        model_validity=_validity(lack_p),
        lack_of_fit_f=_known(lack_f),
        lack_of_fit_p=_known(lack_p),
        full_leverage=tuple(np.array(model.rows.runs)[full].tolist()),
        recommended=len(model.recommended),
        scale=model.transform.kind,
    )


def r_squared(parts: Decomposition) -> tuple[float | None, float | None]:
    """Return R2 and adjusted R2 of what lies within blocks; None where not available."""
    whole, rest = parts.explainable, parts.residual
    r2 = _share(rest.squares, whole.squares)
    if rest.degrees < 1 or whole.degrees < 1:
        return r2, None
    return r2, _share(rest.mean_square, whole.mean_square)


def press_of(solution: Solution) -> float | None:
    """Return the sum of w e^2 / (1 - h)^2: each run predicted from the others, without refitting.

    None when a run has leverage 1: without it the others do not determine the model.

    Source:
        Allen (1974), Technometrics 16, 125-127.
    """
    left = 1 - solution.leverage
    if solution.degrees < 1 or (left < FULL_LEVERAGE).any():
        return None
    return float(solution.weights @ np.square(solution.residuals / left))


def log_likelihood(model: "LinearModel") -> float | None:
    """Return the log likelihood at its maximum, of the values in their own unit.

    The slope of the transform is counted, so that scales of one response can be compared. None
    when the residuals are zero, or a value stands where the scale has no slope.
    """
    solution = model.solution
    squares = solution.rss / model.n_runs
    slopes = model.transform.slope(model.rows.measured)
    if solution.degrees < 1 or not np.isfinite(slopes).all():
        return None
    if is_rounding(solution.rss, solution.values, solution.weights):
        return None
    normal = -0.5 * model.n_runs * (np.log(2 * np.pi * squares) + 1)
    return float(normal + 0.5 * np.log(model.weights).sum() + np.log(slopes).sum())


def aicc(log_likelihood: float | None, n_runs: int, n_parameters: int) -> float | None:
    """Return Akaike's criterion with the correction for few runs; None where not available.

    Args:
        log_likelihood: At the maximum.
        n_runs: Runs fitted.
        n_parameters: Coefficients and the variance.

    Source:
        Hurvich and Tsai (1989), Biometrika 76, 297-307.
    """
    left = n_runs - n_parameters - 1
    if log_likelihood is None or left < 1:
        return None
    return -2 * log_likelihood + 2 * n_parameters * n_runs / left


def bic(log_likelihood: float | None, n_runs: int, n_parameters: int) -> float | None:
    """Return Schwarz's criterion; arguments and source as for ``aicc`` and ``FitStatistics``."""
    if log_likelihood is None:
        return None
    return float(-2 * log_likelihood + n_parameters * np.log(n_runs))


def modelled_unit(model: "LinearModel") -> str:
    """Return the unit of the modelled values, such as ``log(g/L)``."""
    unit = model.rows.response.unit
    kind = model.transform.kind
    return unit if kind == "none" else f"{kind}({unit or model.response})"


def _variation(std: float | None, mean: float, scale: str) -> float | None:
    """Return the coefficient of variation in percent; that of a lognormal value on a log scale."""
    if std is None or scale not in ("none", "log"):
        return None
    if scale == "log":
        return float(100 * np.sqrt(np.expm1(std**2)))
    return None if mean == 0 else 100 * std / abs(mean)


def _adequate_precision(model: "LinearModel") -> float | None:
    variance = model.n_coefficients * model.residual_std**2 / model.n_runs
    if not variance > 0 or is_rounding(model.solution.rss, model.values, model.weights):
        return None
    # Without the blocks: their differences are no signal.
    fitted: FloatArray = model.matrix.to_numpy(dtype=np.float64) @ model.coefficients
    return float(np.ptp(fitted) / np.sqrt(variance))


def _reproducibility(parts: Decomposition) -> float | None:
    if parts.pure_error.degrees < 1 or parts.explainable.degrees < 1:
        return None
    if parts.has_identical_replicates:
        return None
    return _share(parts.pure_error.mean_square, parts.explainable.mean_square)


def _validity(lack_p: float) -> float | None:
    if np.isnan(lack_p):
        return None
    # The smallest positive number stands for a p value that underflows.
    return float(1 + VALIDITY_SLOPE * np.log10(max(lack_p, np.finfo(np.float64).tiny)))


def _share(part: float, whole: float) -> float | None:
    """Return the share of the whole that is not this part; None of nothing."""
    return float(1 - part / whole) if whole > 0 else None


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
