"""The distribution behind a prediction: quantiles, densities and probabilities of a new run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from scipy import special

from doe.arrays import FloatArray
from surrogates.transforms import ResponseTransform, quadrature

Kind = Literal["latent", "new_run"]
NO_TRANSFORM = ResponseTransform()


class Predictive(Protocol):
    """What a surrogate believes about each of several settings, one by one."""

    def quantile(self, probability: FloatArray | float, kind: Kind) -> FloatArray:
        """Return the values below which the truth lies with ``probability``.

        Shape ``(n_settings,)`` for one probability, ``(n, n_settings)`` for several.
        """

    def log_density(self, values: FloatArray) -> FloatArray:
        """Return the log density of one new run's value at each setting."""

    def probability_within(self, lower: float | None, upper: float | None) -> FloatArray:
        """Return P(lower <= value of one new run <= upper) at each setting."""


@dataclass(frozen=True, slots=True, eq=False)
class NormalPredictive:
    """Normal on the scale of a transform.

    Attributes:
        location: Mean on the transformed scale, shape ``(n_settings,)``.
        latent_scale: SD of the surface, transformed scale.
        new_run_scale: SD of one new run, transformed scale.
        transform: From the natural unit to that scale.
    """

    location: FloatArray
    latent_scale: FloatArray
    new_run_scale: FloatArray
    transform: ResponseTransform = NO_TRANSFORM

    def moments(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return mean, SD of the mean and SD of a new run in the natural unit.

        With z the surface on the transformed scale, the expected value of a new run given z is
        h(z) = E[T^-1(z + e)], e being block effect and noise. The three numbers are E[h(z)],
        SD[h(z)] and SD[T^-1(z + e)].
        """
        run_to_run = self._run_to_run()
        if self.transform.kind == "none":
            return self.location, self.latent_scale, self.new_run_scale
        if self.transform.kind == "log":
            variance, total = np.square(self.latent_scale), np.square(self.new_run_scale)
            mean = np.exp(self.location + total / 2)
            return mean, mean * np.sqrt(np.expm1(variance)), mean * np.sqrt(np.expm1(total))
        nodes, weights = quadrature()
        places = self.location[:, None] + self.latent_scale[:, None] * nodes
        surface = self.transform.expected(places, run_to_run[:, None])
        mean = surface @ weights
        runs = self.transform.backward(self.location[:, None] + self.new_run_scale[:, None] * nodes)
        latent = np.sqrt(np.square(surface - mean[:, None]) @ weights)
        spread = np.sqrt(np.square(runs - (runs @ weights)[:, None]) @ weights)
        # Both come from finite quadrature; the law of total variance orders them exactly.
        return mean, latent, np.maximum(spread, latent)

    def quantile(self, probability: FloatArray | float, kind: Kind) -> FloatArray:
        """Return the values below which the truth lies with ``probability``."""
        chance = np.asarray(probability, dtype=np.float64)
        score = special.ndtri(chance if self.transform.increasing else 1 - chance)
        scale = self.latent_scale if kind == "latent" else self.new_run_scale
        places = self.location + scale * score[..., None]
        if kind == "latent":
            places = self.transform.expected(places, self._run_to_run())
        else:
            places = self.transform.backward(places)
        return places.reshape(*chance.shape, len(self.location))

    def log_density(self, values: FloatArray) -> FloatArray:
        """Return the log density of one new run's value at each setting, in the natural unit."""
        score = (self.transform.forward(values) - self.location) / self.new_run_scale
        log_density = -0.5 * np.square(score) - np.log(self.new_run_scale * np.sqrt(2 * np.pi))
        return np.asarray(log_density + np.log(self.transform.slope(values)))

    def probability_within(self, lower: float | None, upper: float | None) -> FloatArray:
        """Return P(lower <= value of one new run <= upper), exactly on the transformed scale."""
        ends = [np.nan if end is None else end for end in (lower, upper)]
        low, high = self.transform.forward(np.asarray(ends))
        if not self.transform.increasing:
            low, high = high, low
        a = -np.inf if np.isnan(low) else (low - self.location) / self.new_run_scale
        b = np.inf if np.isnan(high) else (high - self.location) / self.new_run_scale
        if self.transform.kind == "sqrt":  # transformed values below zero stand for zero
            a = -np.inf if lower is not None and lower <= 0 else a
            b = -np.inf if upper is not None and upper < 0 else b
        return _difference(special.ndtr, a, b, len(self.location))

    def _run_to_run(self) -> FloatArray:
        squares = np.square(self.new_run_scale) - np.square(self.latent_scale)
        return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


@dataclass(frozen=True, slots=True, eq=False)
class StudentPredictive:
    """Student's t about a location, as least squares with an unknown variance gives it.

    Attributes:
        location: Centre, shape ``(n_settings,)``.
        latent_scale: Scale of the surface: the standard error of the mean.
        new_run_scale: Scale of one new run.
        degrees: Degrees of freedom.
    """

    location: FloatArray
    latent_scale: FloatArray
    new_run_scale: FloatArray
    degrees: float

    def quantile(self, probability: FloatArray | float, kind: Kind) -> FloatArray:
        """Return the values below which the truth lies with ``probability``."""
        chance = np.asarray(probability, dtype=np.float64)
        scale = self.latent_scale if kind == "latent" else self.new_run_scale
        places = self.location + scale * special.stdtrit(self.degrees, chance)[..., None]
        return np.asarray(places.reshape(*chance.shape, len(self.location)))

    def log_density(self, values: FloatArray) -> FloatArray:
        """Return the log density of one new run's value at each setting."""
        score = (values - self.location) / self.new_run_scale
        half = (self.degrees + 1) / 2
        constant = special.gammaln(half) - special.gammaln(self.degrees / 2)
        constant -= 0.5 * np.log(self.degrees * np.pi)
        return np.asarray(
            constant - np.log(self.new_run_scale) - half * np.log1p(score**2 / self.degrees)
        )

    def probability_within(self, lower: float | None, upper: float | None) -> FloatArray:
        """Return P(lower <= value of one new run <= upper) at each setting."""
        a = -np.inf if lower is None else (lower - self.location) / self.new_run_scale
        b = np.inf if upper is None else (upper - self.location) / self.new_run_scale

        def below(score: FloatArray) -> FloatArray:
            return np.asarray(special.stdtr(self.degrees, score))

        return _difference(below, a, b, len(self.location))


def _difference(
    below: Callable[[FloatArray], FloatArray],
    a: FloatArray | float,
    b: FloatArray | float,
    n_settings: int,
) -> FloatArray:
    """Return F(b) - F(a) of a symmetric distribution, without cancellation in the upper tail."""
    low = np.broadcast_to(np.asarray(a, dtype=np.float64), (n_settings,))
    high = np.broadcast_to(np.asarray(b, dtype=np.float64), (n_settings,))
    # Beyond the centre both F are near one; by symmetry the mirrored tails are small and exact.
    mirrored = low > 0
    first = np.where(mirrored, -high, low)
    second = np.where(mirrored, -low, high)
    return np.asarray(np.clip(below(second) - below(first), 0.0, 1.0), dtype=np.float64)
