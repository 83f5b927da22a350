"""What a linear model says of a new run: Student's t, exactly, mapped back to the natural unit."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from doe.arrays import FloatArray
from doe.errors import InvalidValueError, TooFewDataError
from surrogates.predictive import Kind, NormalPredictive, Predictive, StudentPredictive
from surrogates.surrogate import NEW_BLOCK, Block, Prediction
from surrogates.transforms import ResponseTransform

if TYPE_CHECKING:
    import pandas as pd

    from surrogates.linear.model import LinearModel

# The variance of Student's t exists from three degrees of freedom on.
MIN_DEGREES = 3


@dataclass(frozen=True, slots=True, eq=False)
class TransformedStudent:
    """Student's t on the scale of a transform, seen in the natural unit.

    Quantiles, densities and probabilities of a new run are exact, since the transform is monotone.
    ``latent`` is the expected value of a new run given the surface, its noise normal with the
    residual SD.

    Attributes:
        student: The distribution on the transformed scale.
        noise_std: The residual SD on that scale.
        transform: From the natural unit to that scale.
    """

    student: StudentPredictive
    noise_std: float
    transform: ResponseTransform

    def quantile(self, probability: FloatArray | float, kind: Kind) -> FloatArray:
        """Return the values below which the truth lies with ``probability``."""
        chance = np.asarray(probability, dtype=np.float64)
        below = chance if self.transform.increasing else 1 - chance
        places = self.student.quantile(below, kind)
        if kind == "latent":
            return self.transform.expected(places, np.asarray(self.noise_std))
        return self.transform.backward(places)

    def log_density(self, values: FloatArray) -> FloatArray:
        """Return the log density of one new run's value at each setting, in the natural unit."""
        inner = self.student.log_density(self.transform.forward(values))
        return np.asarray(inner + np.log(self.transform.slope(values)))

    def probability_within(self, lower: float | None, upper: float | None) -> FloatArray:
        """Return P(lower <= value of one new run <= upper) at each setting."""
        low, high = (self._end(lower, is_lower=True), self._end(upper, is_lower=False))
        if not self.transform.increasing:
            low, high = high, low
        return self.student.probability_within(low, high)

    def _end(self, end: float | None, *, is_lower: bool) -> float | None:
        if end is None:
            return None
        if self.transform.kind == "sqrt" and is_lower and end <= 0:
            return None  # transformed values below zero stand for zero
        if self.transform.kind == "sqrt" and not is_lower and end < 0:
            return -np.inf
        return float(self.transform.forward(np.asarray([end]))[0])


def distribution(
    model: "LinearModel", settings: "pd.DataFrame", *, block: Block = NEW_BLOCK
) -> Predictive:
    """Return the predictive distribution of one new run at each setting, in the natural unit.

    Raises:
        InvalidValueError: If a setting is missing or cannot be read.
        UnknownNameError: If a block has no such level.
        TooFewDataError: If fewer than three degrees of freedom are left for the noise.
    """
    return _natural(model, _student(model, model.rows_at(settings, block=block)))


def predict(model: "LinearModel", settings: "pd.DataFrame", *, block: Block) -> Prediction:
    """Return the prediction at each setting, in the response's unit.

    On a transformed scale mean and SDs are those of the normal distribution with the mean and SD
    of the t distribution: the exponential of Student's t has no mean. Quantiles and probabilities
    are exact.

    Raises:
        InvalidValueError: If a setting is missing or cannot be read.
        UnknownNameError: If a block has no such level.
        TooFewDataError: If fewer than three degrees of freedom are left for the noise.
    """
    rows = model.rows_at(settings, block=block)
    student = _student(model, rows)
    # Student's t is wider than its scale by this factor.
    widening = float(np.sqrt(model.degrees / (model.degrees - 2)))
    normal = NormalPredictive(
        student.location,
        student.latent_scale * widening,
        student.new_run_scale * widening,
        model.transform,
    )
    outside = model.domain.outside(settings, model.solution.leverage_of(model.rows_at(settings)))
    return Prediction(*normal.moments(), outside, _natural(model, student))


def sample(
    model: "LinearModel",
    settings: "pd.DataFrame",
    n_draws: int,
    *,
    kind: Kind,
    block: Block,
    rng: np.random.Generator,
) -> FloatArray:
    """Return joint draws from the exact posterior, shape ``(n_draws, n_settings)``.

    Raises:
        InvalidValueError: If a setting is missing or cannot be read.
        UnknownNameError: If a block has no such level.
        TooFewDataError: If fewer than three degrees of freedom are left for the noise.
    """
    check_predictable(model)
    rows = model.rows_at(settings, block=block)
    solution = model.solution
    sigma = model.residual_std * np.sqrt(model.degrees / rng.chisquare(model.degrees, n_draws))
    scores = rng.standard_normal((solution.n_columns, n_draws))
    deviations = solution.half_inverse @ scores * sigma
    draws = np.asarray((rows @ (solution.coefficients[:, None] + deviations)).T)
    if kind == "latent":
        return model.transform.expected(draws, np.asarray(model.residual_std))
    noisy = draws + sigma[:, None] * rng.standard_normal(draws.shape)
    return model.transform.backward(noisy)


def check_predictable(model: "LinearModel") -> None:
    """Refuse to predict from a model that leaves too little for the noise.

    Raises:
        TooFewDataError: If fewer than three degrees of freedom are left for the noise.
    """
    if model.degrees < MIN_DEGREES:
        raise TooFewDataError(
            f"{model.n_runs} runs and {model.n_coefficients} coefficients "
            f"({', '.join([*model.terms.names, *model.block_contrasts.columns])}) leave "
            f"{model.degrees} degrees of freedom for the noise; at least {MIN_DEGREES} are "
            "needed: choose a smaller model (terms='interaction' or 'linear') or add runs."
        )


def _student(model: "LinearModel", rows: FloatArray) -> StudentPredictive:
    check_predictable(model)
    leverage = model.solution.leverage_of(rows)
    return StudentPredictive(
        np.asarray(rows @ model.solution.coefficients),
        np.asarray(model.residual_std * np.sqrt(leverage)),
        np.asarray(model.residual_std * np.sqrt(1 + leverage)),
        float(model.degrees),
    )


def _natural(model: "LinearModel", student: StudentPredictive) -> Predictive:
    if model.transform.kind == "none":
        return student
    return TransformedStudent(student, model.residual_std, model.transform)


def critical_t(coverage: float, degrees: int) -> float:
    """Return the t value that a two-sided interval reaches out by; ``nan`` without degrees.

    Raises:
        InvalidValueError: If ``coverage`` is not between 0 and 1.
    """
    if not 0 < coverage < 1:
        raise InvalidValueError(
            f"coverage is {coverage}; expected a share between 0 and 1, such as 0.95."
        )
    if degrees < 1:
        return float("nan")
    return float(special.stdtrit(float(degrees), 0.5 + coverage / 2))
