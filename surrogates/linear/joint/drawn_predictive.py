"""The predictive distribution behind stored posterior draws: a mixture of normals."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from doe.arrays import FloatArray
from surrogates.linear.joint.bayesian import limits_on_scale
from surrogates.predictive import Kind
from surrogates.transforms import ResponseTransform

# Settings times draws that are held in memory together.
CHUNK = 2_000_000
# Quantiles are found to this share of the widest bracket, mostly in five steps.
PRECISION, STEPS = 1e-11, 60


@dataclass(frozen=True, slots=True, eq=False)
class DrawnPredictive:
    """One response at several settings: each posterior draw gives a normal, all count alike.

    It is worked out from the stored draws without drawing again, so it is the same every time.

    Attributes:
        rows: Rows of the model matrix, shape ``(n_settings, p)``.
        coefficients: Drawn coefficients, shape ``(n_draws, p)``.
        noise_std: Drawn run-to-run SD on the modelled scale, shape ``(n_draws,)``.
        transform: From the natural unit to the modelled scale.
    """

    rows: FloatArray
    coefficients: FloatArray
    noise_std: FloatArray
    transform: ResponseTransform

    def moments(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return mean, SD of the surface and SD of a new run on the modelled scale."""
        deviations = self.coefficients - self.coefficients.mean(axis=0)
        covariance = deviations.T @ deviations / len(deviations)
        surface = np.maximum(((self.rows @ covariance) * self.rows).sum(axis=1), 0.0)
        total = surface + np.square(self.noise_std).mean()
        return self.rows @ self.coefficients.mean(axis=0), np.sqrt(surface), np.sqrt(total)

    def quantile(self, probability: FloatArray | float, kind: Kind) -> FloatArray:
        """Return the values below which the truth lies with ``probability``."""
        chance = np.asarray(probability, dtype=np.float64)
        found = np.empty((chance.size, len(self.rows)))
        for part in self._parts():
            places = self._places(part)
            for row, share in enumerate(chance.ravel()):
                if kind == "latent":
                    surface = self.transform.expected(places, self.noise_std[:, None])
                    found[row, part] = np.quantile(surface, share, axis=0)
                else:
                    below = share if self.transform.increasing else 1 - share
                    found[row, part] = self.transform.backward(self._new_run(places, below))
        return found.reshape(*chance.shape, len(self.rows))

    def log_density(self, values: FloatArray) -> FloatArray:
        """Return the log density of one new run's value at each setting, in the natural unit."""
        forward = self.transform.forward(np.asarray(values, dtype=np.float64))
        found = np.empty(len(self.rows))
        for part in self._parts():
            scores = (forward[part] - self._places(part)) / self.noise_std[:, None]
            logs = -0.5 * np.square(scores) - np.log(self.noise_std * np.sqrt(2 * np.pi))[:, None]
            found[part] = special.logsumexp(logs, axis=0) - np.log(len(self.noise_std))
        return np.asarray(found + np.log(self.transform.slope(values)))

    def probability_within(self, lower: float | None, upper: float | None) -> FloatArray:
        """Return P(lower <= value of one new run <= upper) at each setting."""
        low, high = limits_on_scale(self.transform, lower, upper)
        found = np.zeros(len(self.rows))
        if low >= high:
            return found
        for part in self._parts():
            places = self._places(part)
            ends = [(end - places) / self.noise_std[:, None] for end in (low, high)]
            # In the upper tail both chances are near one; mirrored they are small and exact.
            mirrored = ends[0] > 0
            first = special.ndtr(np.where(mirrored, -ends[1], ends[0]))
            second = special.ndtr(np.where(mirrored, -ends[0], ends[1]))
            found[part] = (second - first).mean(axis=0)
        return np.clip(found, 0.0, 1.0)

    def _parts(self) -> list[slice]:
        step = max(1, CHUNK // len(self.noise_std))
        return [slice(start, start + step) for start in range(0, len(self.rows), step)]

    def _places(self, part: slice) -> FloatArray:
        return np.asarray(self.coefficients @ self.rows[part].T)

    def _new_run(self, places: FloatArray, share: float) -> FloatArray:
        """Return quantiles of the mixture, between the least and the largest of its parts'.

        Newton's steps are taken on normal scores, on which a mixture of normals this much alike is
        nearly a straight line; where a step would leave the bracket, the bracket is halved.
        """
        noise, score = self.noise_std[:, None], float(special.ndtri(share))
        each = places + noise * score
        low, high = each.min(axis=0), each.max(axis=0)
        found, width = each.mean(axis=0), float((high - low).max())
        for _ in range(STEPS):
            scores = (found - places) / noise
            below = special.ndtr(scores).mean(axis=0)
            low, high = np.where(below <= share, found, low), np.where(below > share, found, high)
            density = (np.exp(-0.5 * np.square(scores)) / noise).mean(axis=0)
            with np.errstate(all="ignore"):
                own = special.ndtri(below)
                step = found + (score - own) * np.exp(-0.5 * np.square(own)) / density
            moved = np.where((step >= low) & (step <= high), step, (low + high) / 2)
            largest = float(np.abs(moved - found).max())
            found = moved
            if largest <= PRECISION * width:
                break
        return np.asarray(found)
