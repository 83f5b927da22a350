"""The posterior predictive distribution of several responses of one run: multivariate t."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.errors import InvalidValueError, UnknownNameError
from surrogates.linear.joint.box_probability import student_between, student_box, student_pair
from surrogates.linear.prediction import TransformedStudent
from surrogates.predictive import NormalPredictive, Predictive, StudentPredictive
from surrogates.surrogate import JointProbability, Prediction
from surrogates.transforms import ResponseTransform

if TYPE_CHECKING:
    from surrogates.linear.model import LinearModel

Limits = Mapping[str, tuple[float | None, float | None]]

JOINT_PRIOR = "proportional to |Sigma|^-(q+1)/2, flat in the coefficients"
N_POINTS = 256


@dataclass(frozen=True, slots=True, eq=False)
class JointStudent:
    """A multivariate t at each setting, on the modelled scales of q responses.

    Attributes:
        location: Centres, shape ``(n_settings, q)``.
        inflation: What multiplies the scale matrix: 1 + leverage, shape ``(n_settings,)``.
        scale: Scale matrix of a new run whose coefficients are known, shape ``(q, q)``.
        degrees: Degrees of freedom.
    """

    location: FloatArray
    inflation: FloatArray
    scale: FloatArray
    degrees: float

    def margin(self, place: int) -> StudentPredictive:
        """Return the distribution of one response."""
        unit = np.sqrt(self.scale[place, place])
        return StudentPredictive(
            self.location[:, place],
            np.asarray(unit * np.sqrt(self.inflation - 1)),
            np.asarray(unit * np.sqrt(self.inflation)),
            self.degrees,
        )

    def probability_within(
        self,
        lower: FloatArray,
        upper: FloatArray,
        *,
        rng: np.random.Generator | None = None,
        n_points: int = N_POINTS,
    ) -> JointProbability:
        """Return P(lower < value of one new run < upper for every response) at each setting.

        One response by the closed form, two by quadrature, more by randomised quasi-Monte Carlo.
        Responses without a limit take no part.

        Args:
            lower: Lower limits, shape ``(q,)``; minus infinity for none.
            upper: Upper limits, shape ``(q,)``; infinity for none.
            rng: Source of the quasi-random points; needed for three responses or more.
            n_points: Points per scramble, a power of two.

        Raises:
            InvalidValueError: If random points are needed and ``rng`` is absent.
        """
        limited = np.flatnonzero(np.isfinite(lower) | np.isfinite(upper))
        n_settings, count = len(self.location), len(limited)
        nothing = np.zeros(n_settings)
        if np.any(lower >= upper):
            return JointProbability(nothing, nothing, "Limits that exclude each other.")
        if count == 0:
            return JointProbability(np.ones(n_settings), nothing, "No limits.")
        std = np.sqrt(np.diag(self.scale)[limited])
        spread = np.sqrt(self.inflation)[:, None] * std
        low = (lower[limited] - self.location[:, limited]) / spread
        high = (upper[limited] - self.location[:, limited]) / spread
        if count == 1:
            value = student_between(self.degrees, low[:, 0], high[:, 0])
            return JointProbability(value, nothing, "Closed form for one response.")
        correlation = self.scale[np.ix_(limited, limited)] / np.outer(std, std)
        if count == 2:
            value = student_pair(low, high, float(correlation[0, 1]), self.degrees)
            return JointProbability(value, nothing, "Quadrature for two responses.")
        if rng is None:
            raise InvalidValueError(
                f"The joint probability of {count} responses needs quasi-random points: give rng."
            )
        root = np.linalg.cholesky(correlation)
        value, error = student_box(low, high, root, self.degrees, n_points=n_points, rng=rng)
        return JointProbability(
            value, error, f"Quasi-Monte Carlo for {count} responses, scrambled Sobol points."
        )


def covariance_roots(
    cross_products: FloatArray, degrees: int, rng: np.random.Generator
) -> FloatArray:
    """Return R with R R' drawn from the inverse Wishart distribution, one per cross product.

    Args:
        cross_products: Scale matrices S, shape ``(n_draws, q, q)``.
        degrees: Degrees of freedom; at least q.
        rng: Source of the draws.

    Source:
        Bartlett's decomposition: Anderson (2003), An Introduction to Multivariate Statistical
        Analysis, 3rd ed., section 7.2; Sigma^-1 is Wishart with scale S^-1.
    """
    n_draws, size, _ = cross_products.shape
    below = np.tril(rng.standard_normal((n_draws, size, size)), -1)
    squares = rng.chisquare(degrees - np.arange(size), (n_draws, size))
    places = np.arange(size)
    below[:, places, places] = np.sqrt(squares)
    roots = np.linalg.cholesky(cross_products)
    # S = C C' and Sigma^-1 = C^-T A A' C^-1, hence Sigma = (C A^-T)(C A^-T)'.
    return np.asarray(roots @ np.linalg.inv(below).transpose(0, 2, 1))


def student_in_unit(student: StudentPredictive, transform: ResponseTransform) -> Predictive:
    """Return Student's t on a modelled scale as the distribution in the natural unit."""
    if transform.kind == "none":
        return student
    noise = np.sqrt(np.square(student.new_run_scale) - np.square(student.latent_scale))
    return TransformedStudent(student, float(np.median(noise)), transform)


def student_prediction(
    student: StudentPredictive, transform: ResponseTransform, extrapolates: BoolArray
) -> Prediction:
    """Return the prediction behind which Student's t stands on a modelled scale.

    On a transformed scale mean and SDs are those of the normal distribution with its moments,
    because the exponential of Student's t has no mean; quantiles and probabilities are exact.
    """
    widening = float(np.sqrt(student.degrees / (student.degrees - 2)))
    normal = NormalPredictive(
        student.location,
        student.latent_scale * widening,
        student.new_run_scale * widening,
        transform,
    )
    return Prediction(*normal.moments(), extrapolates, student_in_unit(student, transform))


def limits_on_scale(
    transform: ResponseTransform, lower: float | None, upper: float | None
) -> tuple[float, float]:
    """Return limits in the natural unit as limits on a modelled scale, infinite where absent."""
    ends = [-np.inf, np.inf]
    for place, end in enumerate((lower, upper)):
        if end is None:
            continue
        if transform.kind == "sqrt" and (end <= 0 if place == 0 else end < 0):
            # Modelled values below zero stand for zero.
            ends[place] = -np.inf
            continue
        value = float(transform.forward(np.asarray([float(end)]))[0])
        ends[place if transform.increasing else 1 - place] = value
    return ends[0], ends[1]


def box_of(
    limits: Limits, models: Sequence["LinearModel"], responses: Sequence[str]
) -> tuple[FloatArray, FloatArray]:
    """Return the limits of all responses on their modelled scales, each shape ``(q,)``.

    Raises:
        UnknownNameError: If a limit is for a response that is not modelled.
        InvalidValueError: If a limit is not a number.
    """
    for name, ends in limits.items():
        if name not in responses:
            raise UnknownNameError(
                f"Limits are given for '{name}', which is not modelled here; there are "
                f"{list(responses)}."
            )
        if any(end is not None and np.isnan(end) for end in ends):
            raise InvalidValueError(
                f"A limit of '{name}' is not a number, {ends}: give a number, or None for no limit."
            )
    pairs = [
        limits_on_scale(model.transform, *limits.get(name, (None, None)))
        for name, model in zip(responses, models, strict=True)
    ]
    return np.array([low for low, _ in pairs]), np.array([high for _, high in pairs])
