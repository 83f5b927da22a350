"""A linear model of values of which some are only known to be below or above a limit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from scipy import linalg

from doe.arrays import FloatArray, IntArray
from doe.errors import InvalidValueError, TooFewDataError
from doe.runs import Observations
from doe.space import FactorSpace
from doe.terms import Terms
from surrogates.domain import ApplicabilityDomain
from surrogates.learning_rows import LearningRows, learning_rows
from surrogates.linear.model import LinearModel, ModelOrder
from surrogates.linear.prediction import MIN_DEGREES, TransformedStudent
from surrogates.linear.tobit import ABOVE, BELOW, KNOWN, TobitFit, fit_tobit
from surrogates.linear.treatment import Treatment, treatment_of
from surrogates.predictive import Kind, NormalPredictive, Predictive, StudentPredictive
from surrogates.surrogate import NEW_BLOCK, Block, Prediction

if TYPE_CHECKING:
    import pandas as pd

    from doe.responses import Transform
    from surrogates.transforms import ResponseTransform

FixedBlocks = Literal["fixed", "ignore"]


@dataclass(frozen=True, eq=False)
class CensoredModel:
    """Coefficients of largest likelihood; a value beyond a limit counts by its chance to be there.

    Likelihood makes the residual SD too small by the factor sqrt((n - p)/n) in least squares. The
    standard errors of tests, intervals and predictions here are those of the observed information
    times the reciprocal, with Student's t of as many degrees of freedom as known values exceed
    coefficients. Without values beyond a limit this is least squares, exactly.

    Attributes:
        rows: What it was learned from; a value beyond a limit stands at the limit.
        at_limit: Least squares with limits taken as values: its columns, blocks and scale.
        left_out: Least squares without the values beyond a limit; None where they are needed.
        sides: 0 where the value is known, -1 below the limit, 1 above, in the natural unit.
        fit: The likelihood's maximum on the modelled scale.
        treatment: What became of the runs and values.

    Source:
        Tobin (1958), Econometrica 26, 24-36; for concentrations below a detection limit Helsel
        (2012), Statistics for Censored Environmental Data, 2nd ed., chapter 12.
    """

    rows: LearningRows
    at_limit: LinearModel
    left_out: LinearModel | None
    sides: IntArray
    fit: TobitFit
    treatment: Treatment

    def __repr__(self) -> str:
        return (
            f"<CensoredModel of '{self.response}': {self.n_runs} runs, "
            f"{int(np.count_nonzero(self.sides))} values at a limit>"
        )

    @property
    def response(self) -> str:
        """The response that it predicts."""
        return self.rows.response.name

    @property
    def space(self) -> FactorSpace:
        """The factor space that it was learned in."""
        return self.rows.space

    @property
    def domain(self) -> ApplicabilityDomain:
        """The runs that it was learned from, and how far from them it can be trusted."""
        return self.at_limit.domain

    @property
    def terms(self) -> Terms:
        """The effects that were fitted."""
        return self.at_limit.terms

    @property
    def n_runs(self) -> int:
        """How many runs it was fitted to."""
        return self.rows.n_rows

    @property
    def n_known(self) -> int:
        """How many of them have a value that is known."""
        return int((self.sides == KNOWN).sum())

    @property
    def coefficient_names(self) -> tuple[str, ...]:
        """The coefficients: model columns, then those of fixed blocks."""
        return (*self.at_limit.columns, *self.at_limit.block_contrasts.columns)

    @property
    def coefficients(self) -> FloatArray:
        """The coefficients in coded units, on the modelled scale, shape ``(p,)``."""
        return self.fit.coefficients

    @property
    def information_errors(self) -> FloatArray:
        """Their standard errors from the observed information alone, shape ``(p,)``."""
        return np.asarray(np.sqrt(np.diag(self.fit.covariance)[:-1]))

    @property
    def widening(self) -> float:
        """What standard errors and the SD are multiplied by, sqrt(n/(n - p))."""
        return float(np.sqrt(self.n_runs / max(self.n_runs - len(self.coefficients), 1)))

    @property
    def standard_errors(self) -> FloatArray:
        """Their standard errors, widened for a small sample, shape ``(p,)``."""
        return self.information_errors * self.widening

    @property
    def residual_std(self) -> float:
        """The SD of a run on the modelled scale, widened for a small sample."""
        return self.fit.std * self.widening

    @property
    def degrees(self) -> int:
        """By how many the known values exceed the coefficients; at least one."""
        return max(self.n_known - len(self.coefficients), 1)

    def coefficient_table(self, coverage: float = 0.95) -> "pd.DataFrame":
        """Return the coefficients in coded units with both standard errors, t, p and interval.

        Raises:
            InvalidValueError: If ``coverage`` is not between 0 and 1.
        """
        from surrogates.linear.censored_tables import coefficient_table

        return coefficient_table(self, coverage)

    def comparison(self) -> "pd.DataFrame":
        """Return the coefficients beside those of leaving values out and of taking the limits.

        Coefficients that cannot be estimated in one of these ways are missing there.
        """
        from surrogates.linear.censored_tables import comparison

        return comparison(self)

    def sentence(self) -> str:
        """Return how much hangs on the treatment of values beyond a limit, in words."""
        from surrogates.linear.censored_tables import comparison_sentence

        return comparison_sentence(self)

    def predict(self, settings: "pd.DataFrame", *, block: Block = NEW_BLOCK) -> Prediction:
        """Return the prediction of the true value at each setting, limits or not.

        Raises:
            InvalidValueError: If a setting is missing or cannot be read.
            UnknownNameError: If a block has no such level.
            TooFewDataError: If known values exceed coefficients by fewer than three.
        """
        student = self._student(self.at_limit.rows_at(settings, block=block))
        widening = float(np.sqrt(self.degrees / (self.degrees - 2)))
        normal = NormalPredictive(
            student.location,
            student.latent_scale * widening,
            student.new_run_scale * widening,
            self.at_limit.transform,
        )
        leverage = self.at_limit.solution.leverage_of(self.at_limit.rows_at(settings))
        outside = self.domain.outside(settings, leverage)
        return Prediction(*normal.moments(), outside, self._natural(student))

    def sample(
        self,
        settings: "pd.DataFrame",
        n_draws: int,
        *,
        kind: Kind,
        block: Block = NEW_BLOCK,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Return joint draws of the true values, multivariate t, ``(n_draws, n_settings)``.

        Raises:
            InvalidValueError: If a setting is missing or cannot be read.
            UnknownNameError: If a block has no such level.
            TooFewDataError: If known values exceed coefficients by fewer than three.
        """
        self._check_predictable()
        rows = self.at_limit.rows_at(settings, block=block)
        scale = self.widening * np.sqrt(self.degrees / rng.chisquare(self.degrees, (n_draws, 1)))
        scores = rng.standard_normal((n_draws, len(self.coefficients)))
        draws = rows @ self.coefficients + scale * (scores @ (rows @ self._root).T)
        if kind == "latent":
            return self.at_limit.transform.expected(draws, np.asarray(self.residual_std))
        noise = scale * self.fit.std * rng.standard_normal(draws.shape)
        return self.at_limit.transform.backward(np.asarray(draws + noise))

    def probability_within(
        self, settings: "pd.DataFrame", lower: float | None, upper: float | None
    ) -> FloatArray:
        """Return P(lower <= true value of one new run <= upper), shape ``(n_settings,)``."""
        student = self._student(self.at_limit.rows_at(settings))
        return self._natural(student).probability_within(lower, upper)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What was left out or assumed, each a sentence."""
        from surrogates.linear.censored_tables import censored_warnings

        return censored_warnings(self)

    def describe(self) -> Mapping[str, object]:
        """Return what it is, plain JSON: terms, coefficients, comparison, treatment, warnings."""
        from surrogates.linear.censored_tables import describe

        return describe(self)

    @cached_property
    def _root(self) -> FloatArray:
        return np.asarray(linalg.cholesky(self.fit.covariance[:-1, :-1], lower=True))

    def _student(self, rows: FloatArray) -> StudentPredictive:
        self._check_predictable()
        latent = self.widening * np.sqrt(np.square(rows @ self._root).sum(axis=1))
        return StudentPredictive(
            np.asarray(rows @ self.coefficients),
            np.asarray(latent),
            np.sqrt(np.square(latent) + self.residual_std**2),
            float(self.degrees),
        )

    def _natural(self, student: StudentPredictive) -> Predictive:
        if self.at_limit.transform.kind == "none":
            return student
        return TransformedStudent(student, self.residual_std, self.at_limit.transform)

    def _check_predictable(self) -> None:
        left = self.n_known - len(self.coefficients)
        if left < MIN_DEGREES:
            raise TooFewDataError(
                f"{self.n_known} known values of '{self.response}' and {len(self.coefficients)} "
                f"coefficients leave {left} degrees of freedom for the noise; at least "
                f"{MIN_DEGREES} are needed to predict: choose a smaller model or add runs."
            )


def fit_censored(
    observations: Observations,
    response: str,
    terms: ModelOrder | str | Terms = "quadratic",
    *,
    blocks: FixedBlocks = "fixed",
    transform: "Transform | ResponseTransform | None" = None,
) -> CensoredModel:
    """Return the linear model of a response with values below detection or above a limit.

    Several determinations on a run count by their mean; where some are beyond a limit the mean is
    known to be beyond the mean with the limits in their place.

    Args:
        observations: All runs.
        response: A measured response.
        terms: As for ``fit_linear``.
        blocks: Whether differences between blocks are constants, or left in the noise.
        transform: The scale on which the response is modelled; the response's own when absent.

    Raises:
        InvalidValueError: If values or settings cannot be used, or one run has determinations both
            below one limit and above another.
        TooFewDataError: If every value is beyond a limit, the runs cannot estimate a term, or the
            likelihood has no maximum.
    """
    from surrogates.linear.fitting import fit_rows

    if blocks not in get_args(FixedBlocks):
        raise InvalidValueError(f"blocks is {blocks!r}; expected 'fixed' or 'ignore'.")
    rows = learning_rows(observations, response, censored="at_limit")
    sides = _sides(observations, rows)
    if (sides != KNOWN).all():
        raise TooFewDataError(
            f"All {rows.n_rows} runs have '{response}' beyond a limit; a model needs known values. "
            "Measure with a more sensitive method, or model whether the limit is passed."
        )
    if (sides != KNOWN).any():
        # The first warning is about taking limits as values, which is not done here.
        rows = replace(rows, warnings=rows.warnings[1:])
    by_run = dict(zip(observations.runs, observations.origins, strict=True))
    origins = tuple(by_run[run] for run in rows.runs)
    at_limit = fit_rows(rows, terms, blocks=blocks, transform=transform, origins=origins)
    matrix = np.hstack([at_limit.matrix.to_numpy(dtype=np.float64), at_limit.block_matrix])
    on_scale = sides if at_limit.transform.increasing else -sides
    return CensoredModel(
        rows=rows,
        at_limit=at_limit,
        left_out=_left_out(observations, response, at_limit, blocks),
        sides=sides,
        fit=fit_tobit(matrix, at_limit.values, on_scale),
        treatment=treatment_of(observations, rows, censored="likelihood"),
    )


def _sides(observations: Observations, rows: LearningRows) -> IntArray:
    values = observations.values(rows.response.name)
    found: dict[str, set[str]] = {}
    for run, qualifier in zip(values["run"].astype(str), values["qualifier"], strict=True):
        found.setdefault(run, set()).add(str(qualifier))
    for run in rows.runs:
        if {"<", ">"} <= found[run]:
            raise InvalidValueError(
                f"Run '{run}' has determinations of '{rows.response.name}' below one limit and "
                "above another, so nothing is known of their mean: correct or exclude one."
            )
    side = {"<": BELOW, ">": ABOVE}
    return np.array(
        [next((side[q] for q in found[run] if q in side), KNOWN) for run in rows.runs],
        dtype=np.int64,
    )


def _left_out(
    observations: Observations, response: str, at_limit: LinearModel, blocks: FixedBlocks
) -> LinearModel | None:
    """Return least squares without the values beyond a limit; None where these are needed."""
    from surrogates.linear.fitting import fit_rows

    rows = learning_rows(observations, response, censored="leave_out")
    try:
        return fit_rows(rows, at_limit.terms, blocks=blocks, transform=at_limit.transform)
    except (TooFewDataError, InvalidValueError):
        return None  # the comparison says so; the model itself does not depend on it
