"""The scale on which a response is modelled, and the way back to its natural unit."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import assert_never

import numpy as np

from doe.arrays import FloatArray
from doe.errors import InvalidValueError
from doe.responses import Response, Transform

N_NODES = 32
# The power of Box and Cox that a scale is, up to a linear change.
POWERS: Mapping[Transform, float | None] = {
    "none": 1.0,
    "sqrt": 0.5,
    "log": 0.0,
    "inverse": -1.0,
    "logit": None,
}
INVERSE_FLOOR = 0.1  # of the smallest modelled value: 1/z has no mean when z may come near zero


@dataclass(frozen=True, slots=True)
class ResponseTransform:
    """A monotone change of scale of a response.

    Attributes:
        kind: Which one.
        total: What the whole is for ``logit``: 1 for fractions, 100 for percentages.
        floor: Modelled values below it are taken as it on the way back (``inverse`` only).

    Source:
        Box and Cox (1964), J. R. Stat. Soc. B 26, 211-252: the transforms and their purpose.
    """

    kind: Transform = "none"
    total: float = 1.0
    floor: float = 0.0

    @classmethod
    def of(cls, response: Response, values: FloatArray) -> "ResponseTransform":
        """Return the transform that a response asks for, checked on its values.

        Raises:
            InvalidValueError: If a value has no transformed value.
        """
        total = 100.0 if response.unit.strip() in ("%", "percent") else 1.0
        transform = cls(response.transform, total)
        wrong = values[~transform.accepts(values)]
        if wrong.size:
            raise InvalidValueError(
                f"Response '{response.name}' is modelled on the {response.transform} scale, which "
                f"has no place for {wrong[0]:g} {response.unit}; expected {transform.domain()}. "
                "Correct the value, or choose another transform.".replace("  ", " ")
            )
        if response.transform == "inverse":
            return cls("inverse", total, INVERSE_FLOOR * float(np.min(1 / values)))
        return transform

    @property
    def increasing(self) -> bool:
        """Whether larger values have larger transformed values."""
        return self.kind != "inverse"

    def domain(self) -> str:
        """Return in words which values have a transformed value."""
        match self.kind:
            case "none":
                return "any number"
            case "log" | "inverse":
                return "values above zero"
            case "sqrt":
                return "values of zero or above"
            case "logit":
                return f"values between 0 and {self.total:g}"
            case _:
                assert_never(self.kind)

    def accepts(self, values: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Return which values have a transformed value."""
        match self.kind:
            case "none":
                allowed = np.isfinite(values)
            case "log" | "inverse":
                allowed = values > 0
            case "sqrt":
                allowed = values >= 0
            case "logit":
                allowed = (values > 0) & (values < self.total)
            case _:
                assert_never(self.kind)
        return np.asarray(allowed, dtype=np.bool_)

    def forward(self, values: FloatArray) -> FloatArray:
        """Return the transformed values; infinite or 0 at and beyond the ends of the domain."""
        with np.errstate(divide="ignore", invalid="ignore"):
            match self.kind:
                case "none":
                    return np.asarray(values, dtype=np.float64)
                case "log":
                    return np.asarray(np.log(np.maximum(values, 0.0)))
                case "sqrt":
                    return np.asarray(np.sqrt(np.maximum(values, 0.0)))
                case "inverse":
                    return np.asarray(1 / np.maximum(values, 0.0))
                case "logit":
                    share = np.clip(np.asarray(values) / self.total, 0.0, 1.0)
                    return np.asarray(np.log(share) - np.log1p(-share))
                case _:
                    assert_never(self.kind)

    def backward(self, transformed: FloatArray) -> FloatArray:
        """Return values in the natural unit."""
        match self.kind:
            case "none":
                return np.asarray(transformed, dtype=np.float64)
            case "log":
                return np.asarray(np.exp(transformed))
            case "sqrt":
                return np.asarray(np.square(np.maximum(transformed, 0.0)))
            case "inverse":
                return np.asarray(1 / np.maximum(transformed, self.floor))
            case "logit":
                return np.asarray(self.total / (1 + np.exp(-np.asarray(transformed))))
            case _:
                assert_never(self.kind)

    def slope(self, values: FloatArray) -> FloatArray:
        """Return the absolute change of the transformed value per unit of the natural value."""
        match self.kind:
            case "none":
                return np.ones_like(values, dtype=np.float64)
            case "log":
                return np.asarray(1 / values)
            case "sqrt":
                with np.errstate(divide="ignore"):
                    return np.asarray(0.5 / np.sqrt(values))
            case "inverse":
                return np.asarray(1 / values**2)
            case "logit":
                return np.asarray(self.total / (values * (self.total - values)))
            case _:
                assert_never(self.kind)

    def spread(self, values: FloatArray, std: FloatArray | float) -> FloatArray:
        """Return the SD of the transformed value where the natural value has a small SD.

        First order, ``slope * std``; for ``sqrt`` the change over one SD, which is finite at zero.
        """
        if self.kind == "sqrt":
            return np.asarray(np.sqrt(values + std) - np.sqrt(values))
        return np.asarray(self.slope(values) * std)

    def expected(self, transformed: FloatArray, std: FloatArray) -> FloatArray:
        """Return the mean natural value about transformed values with normal noise.

        Exact for none and log (the mean of a lognormal); for the others by Gauss-Hermite
        quadrature with 32 nodes. It differs from ``backward``, which gives the median: that
        difference is the bias of naive back-transformation.

        Args:
            transformed: Centres, any shape.
            std: Standard deviation of the noise on the transformed scale, broadcast to it.
        """
        if self.kind == "none":
            return np.asarray(transformed, dtype=np.float64)
        if self.kind == "log":
            return np.asarray(np.exp(transformed + np.square(std) / 2))
        nodes, weights = quadrature()
        places = np.asarray(transformed)[..., None] + np.asarray(std)[..., None] * nodes
        return np.asarray(self.backward(places) @ weights)

    def note(self) -> str:
        """Return in a sentence how predictions come back to the natural unit; empty for none."""
        match self.kind:
            case "none":
                return ""
            case "log":
                return (
                    "Modelled on the log scale. The mean is that of the lognormal distribution, "
                    "exp(m + v/2); the naive exp(m) would be its median and too low as a mean."
                )
            case "sqrt" | "logit":
                return (
                    f"Modelled on the {self.kind} scale. Mean and SD are taken over the predictive "
                    "distribution by quadrature; transforming the mean back would give the median."
                )
            case "inverse":
                return (
                    "Modelled on the inverse scale. Mean and SD are taken over the predictive "
                    "distribution by quadrature, cut at ten times the largest value observed, "
                    "because 1/z has no mean when z may be zero."
                )
            case _:
                assert_never(self.kind)


@cache
def quadrature() -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights of the mean over a standard normal variable, shape ``(32,)``.

    Source:
        Gauss-Hermite quadrature, weight exp(-x^2/2): Abramowitz and Stegun (1964), 25.4.46.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(N_NODES)
    return np.asarray(nodes), np.asarray(weights / weights.sum())
