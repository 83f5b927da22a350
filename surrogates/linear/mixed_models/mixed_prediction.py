"""What a mixed model says of a setting in a new or a known block, in the natural unit."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg, special

from doe.arrays import FloatArray
from surrogates.linear.mixed_models.kenward_roger import MANY_DEGREES
from surrogates.predictive import Kind, NormalPredictive
from surrogates.surrogate import Block, Prediction
from surrogates.transforms import ResponseTransform

if TYPE_CHECKING:
    import pandas as pd

    from surrogates.linear.mixed_models.mixed import MixedModel

# With fewer degrees of freedom Student's t has no variance; SDs are then those at this many.
MOMENT_DEGREES = 3.0
# Degrees of freedom by Satterthwaite are not taken below this.
FEWEST_DEGREES = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class ApproximateStudent:
    """Student's t with degrees of freedom of its own at each setting, on a transformed scale.

    Attributes:
        location: Centre, transformed scale, shape ``(n_settings,)``.
        latent_scale: Standard error of the mean.
        new_run_scale: Scale of one new run.
        latent_degrees: Degrees of freedom of the mean.
        new_run_degrees: Those of a new run; never more, so that its intervals hold the mean's.
        transform: From the natural unit to that scale.
    """

    location: FloatArray
    latent_scale: FloatArray
    new_run_scale: FloatArray
    latent_degrees: FloatArray
    new_run_degrees: FloatArray
    transform: ResponseTransform

    @property
    def stds(self) -> tuple[FloatArray, FloatArray]:
        """The SDs of the mean and of a new run, transformed scale."""
        latent = self.latent_scale * _widening(self.latent_degrees)
        return latent, self.new_run_scale * _widening(self.new_run_degrees)

    @property
    def run_to_run(self) -> FloatArray:
        """The SD of a new run about its mean: unknown blocks and residual."""
        latent, new_run = self.stds
        return np.asarray(np.sqrt(np.square(new_run) - np.square(latent)))

    def quantile(self, probability: FloatArray | float, kind: Kind) -> FloatArray:
        """Return the values below which the truth lies with ``probability``."""
        chance = np.asarray(probability, dtype=np.float64)
        below = (chance if self.transform.increasing else 1 - chance)[..., None]
        if kind == "latent":
            places = self.location + self.latent_scale * special.stdtrit(self.latent_degrees, below)
            places = self.transform.expected(places, self.run_to_run)
        else:
            score = special.stdtrit(self.new_run_degrees, below)
            places = self.transform.backward(self.location + self.new_run_scale * score)
        return np.asarray(places.reshape(*chance.shape, len(self.location)))

    def log_density(self, values: FloatArray) -> FloatArray:
        """Return the log density of one new run's value at each setting, in the natural unit."""
        degrees = self.new_run_degrees
        score = (self.transform.forward(values) - self.location) / self.new_run_scale
        half = (degrees + 1) / 2
        constant = special.gammaln(half) - special.gammaln(degrees / 2)
        constant -= 0.5 * np.log(degrees * np.pi) + np.log(self.new_run_scale)
        inner = constant - half * np.log1p(np.square(score) / degrees)
        return np.asarray(inner + np.log(self.transform.slope(values)))

    def probability_within(self, lower: float | None, upper: float | None) -> FloatArray:
        """Return P(lower <= value of one new run <= upper) at each setting."""
        low, high = self._end(lower, is_lower=True), self._end(upper, is_lower=False)
        if not self.transform.increasing:
            low, high = high, low
        a = (-np.inf if low is None else low - self.location) / self.new_run_scale
        b = (np.inf if high is None else high - self.location) / self.new_run_scale
        # Beyond the centre both chances are near one; by symmetry the mirrored tails are exact.
        mirrored = a > 0
        first, second = np.where(mirrored, -b, a), np.where(mirrored, -a, b)
        degrees = self.new_run_degrees
        chance = special.stdtr(degrees, second) - special.stdtr(degrees, first)
        return np.asarray(np.clip(chance, 0.0, 1.0))

    def _end(self, end: float | None, *, is_lower: bool) -> float | None:
        if end is None:
            return None
        if self.transform.kind == "sqrt" and is_lower and end <= 0:
            return None  # transformed values below zero stand for zero
        if self.transform.kind == "sqrt" and not is_lower and end < 0:
            return -np.inf
        return float(self.transform.forward(np.asarray([end]))[0])


@dataclass(frozen=True, eq=False)
class _Target:
    """Best linear unbiased predictors a'y of x'b + z'u at settings in one block.

    Attributes:
        differences: x minus what the block's own runs say of it, shape ``(m, p)``.
        location: The predictions, shape ``(m,)``.
        block_variance: What is left unknown of the block's effect when b is known.
        variance: Of the prediction error with the components as known, shape ``(m,)``.
        excess: What Kenward and Roger's adjustment adds, shape ``(m,)``.
        slopes: Derivatives of ``variance`` by the components, shape ``(n_components, m)``.
        unknown: Per component, whether a new run adds it.
    """

    differences: FloatArray
    location: FloatArray
    block_variance: float
    variance: FloatArray
    excess: FloatArray
    slopes: FloatArray
    unknown: FloatArray


def predictive(model: "MixedModel", settings: "pd.DataFrame", block: Block) -> ApproximateStudent:
    """Return the predictive distribution at each setting in a new or known block."""
    return _student(model, _target(model, settings, block))


def predict(model: "MixedModel", settings: "pd.DataFrame", block: Block) -> Prediction:
    """Return the prediction at each setting, in the response's unit."""
    student = predictive(model, settings, block)
    normal = NormalPredictive(student.location, *student.stds, student.transform)
    fixed = model.fixed
    leverage = fixed.solution.leverage_of(fixed.rows_at(settings))
    return Prediction(*normal.moments(), fixed.domain.outside(settings, leverage), student)


def sample(
    model: "MixedModel",
    settings: "pd.DataFrame",
    n_draws: int,
    *,
    kind: Kind,
    block: Block,
    rng: np.random.Generator,
) -> FloatArray:
    """Return joint draws, shape ``(n_draws, n_settings)``.

    Each setting has the t distribution of ``predictive``; settings are joined by the Gaussian
    copula of their prediction errors, whose correlation is that of the mixed model.
    """
    target = _target(model, settings, block)
    student = _student(model, target)
    root = linalg.cholesky(model.inference.covariance, lower=True)
    errors = rng.standard_normal((n_draws, len(root))) @ (target.differences @ root).T
    errors += np.sqrt(target.block_variance) * rng.standard_normal((n_draws, 1))
    if kind == "latent":
        draws = _student_draws(errors, student.latent_scale, student.latent_degrees)
        return student.transform.expected(student.location + draws, student.run_to_run)
    shared = float(target.unknown[:-1] @ model.fit.variances[:-1])
    errors += np.sqrt(shared) * rng.standard_normal((n_draws, 1))
    errors += model.residual_std * rng.standard_normal(errors.shape)
    draws = _student_draws(errors, student.new_run_scale, student.new_run_degrees)
    return student.transform.backward(student.location + draws)


def _student_draws(errors: FloatArray, scale: FloatArray, degrees: FloatArray) -> FloatArray:
    """Return normal errors of SD ``scale``, made Student's t of that scale."""
    score = errors / scale
    # In the lower tail the normal chance keeps its digits.
    size = -special.stdtrit(degrees, special.ndtr(-np.abs(score)))
    return np.asarray(np.sign(score) * size * scale)


def _widening(degrees: FloatArray) -> FloatArray:
    enough = np.maximum(degrees, MOMENT_DEGREES)
    return np.asarray(np.sqrt(enough / (enough - 2)))


def _target(model: "MixedModel", settings: "pd.DataFrame", block: Block) -> _Target:
    """Return the predictors, their error variance and its derivatives.

    The weights a minimise the error variance under X'a = x, which does not depend on the
    components; so the variance's derivative is that at fixed weights (envelope theorem).

    Source:
        Robinson (1991), Statistical Science 6, 15-51: best linear unbiased prediction.
    """
    state, fit = model.fit.state, model.fit
    rows, known = model.rows_at(settings, block)
    roots = fit.problem.roots
    covariances = np.zeros(len(fit.problem.values))
    own = 0.0
    for variance, root, place in zip(fit.variances, roots, known, strict=False):
        if place is not None:
            covariances += variance * root[:, place]
            own += float(variance)
    pulled = state.solve(covariances)
    differences = rows - pulled @ fit.problem.matrix
    weights = state.solve(fit.problem.matrix) @ (state.covariance @ differences.T)
    weights += pulled[:, None]
    slopes = []
    for root, place in zip(roots, (*known, None), strict=True):
        shares = root.T @ weights
        if place is not None:
            shares[place] -= 1.0
        slopes.append(np.square(shares).sum(axis=0))
    block_variance = max(own - float(covariances @ pulled), 0.0)
    return _Target(
        differences,
        rows @ state.coefficients + state.unexplained(covariances),
        block_variance,
        block_variance + _quadratic(differences, state.covariance),
        _quadratic(differences, model.inference.excess),
        np.array(slopes),
        np.array([float(place is None) for place in (*known, None)]),
    )


def _student(model: "MixedModel", target: _Target) -> ApproximateStudent:
    variances = model.fit.variances
    run_to_run = float(target.unknown @ variances)
    latent = _degrees(model, target.variance, target.slopes)
    whole = _degrees(model, target.variance + run_to_run, target.slopes + target.unknown[:, None])
    return ApproximateStudent(
        target.location,
        np.sqrt(target.variance + target.excess),
        np.sqrt(target.variance + target.excess + run_to_run),
        latent,
        np.minimum(latent, whole),
        model.fixed.transform,
    )


def _degrees(model: "MixedModel", variance: FloatArray, slopes: FloatArray) -> FloatArray:
    spread = np.einsum("im,ij,jm->m", slopes, model.fit.covariance, slopes)
    return np.asarray(np.clip(2 * np.square(variance) / spread, FEWEST_DEGREES, MANY_DEGREES))


def _quadratic(rows: FloatArray, matrix: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("mi,ij,mj->m", rows, matrix, rows))
