"""Surrogates as BoTorch models: what a gradient search needs of them, all responses together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import torch
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from torch import Tensor

from campaigns.recommending.feasible import FeasibleRegion
from campaigns.recommending.outcomes import Outcomes, ResponseScale
from doe.errors import InvalidValueError
from surrogates.gaussian_process.encoding import Encoding
from surrogates.predictive import NormalPredictive
from surrogates.surrogate import Surrogate, SurrogateSet
from surrogates.transforms import ResponseTransform

if TYPE_CHECKING:
    import pandas as pd


@runtime_checkable
class DifferentiableSurrogate(Surrogate, Protocol):
    """A surrogate whose surface a gradient search can follow."""

    @property
    def encoding(self) -> Encoding:
        """From settings in natural units to model inputs, and back."""

    def botorch_model(self) -> Model:
        """Return the surface over encoded factors, on the modelled scale, for a new block."""

    def to_natural(self, samples: Tensor) -> Tensor:
        """Return the expected natural values of runs where the surface has sampled values."""


@dataclass(frozen=True, eq=False)
class SurfacePosterior:
    """The joint posterior of several surfaces, independent of each other.

    Attributes:
        models: One BoTorch model with one output per measured response.
    """

    models: tuple[Model, ...]

    def moments(self, settings: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean ``(..., n_measured, n_settings)`` and the covariance over settings."""
        normals = []
        for model in self.models:
            posterior = model.posterior(settings)
            assert isinstance(posterior, GPyTorchPosterior)
            normals.append(posterior.distribution)
        mean = torch.stack([normal.mean for normal in normals], dim=-2)
        covariance = torch.stack([normal.covariance_matrix for normal in normals], dim=-3)
        return mean, covariance


def differentiable(
    surrogates: SurrogateSet, responses: Sequence[str]
) -> tuple[DifferentiableSurrogate, ...]:
    """Return the surrogates of measured responses, checked to be ones a search can follow.

    Raises:
        UnknownNameError: If a response has no surrogate.
        InvalidValueError: If a surrogate has no gradients.
    """
    found = []
    for response in responses:
        surrogate = surrogates[response]
        if not isinstance(surrogate, DifferentiableSurrogate):
            raise InvalidValueError(
                f"The surrogate of '{response}' ({type(surrogate).__name__}) has no gradients to "
                "search with: choose a Gaussian process for it (fit_gp)."
            )
        found.append(surrogate)
    return tuple(found)


def posterior_of(surrogates: Sequence[DifferentiableSurrogate]) -> SurfacePosterior:
    """Return the joint posterior of the surrogates' surfaces."""
    return SurfacePosterior(tuple(surrogate.botorch_model() for surrogate in surrogates))


def outcomes_of(
    surrogates: Sequence[DifferentiableSurrogate],
    surrogate_set: SurrogateSet,
    region: FeasibleRegion,
    units: dict[str, str],
    known: "pd.DataFrame",
) -> Outcomes:
    """Return how draws of the surfaces become responses in natural units.

    Args:
        surrogates: Of the measured responses that matter.
        surrogate_set: Holds the derived responses; those whose parts are not all among
            ``surrogates`` are left out.
        region: Decodes factors.
        units: Unit by response.
        known: Settings of runs, over which the noise of a new run is averaged.
    """
    scales = tuple(_scale(surrogate, units, known) for surrogate in surrogates)
    readable = {scale.name for scale in scales} | set(region.space.names)
    derived = []
    for response in surrogate_set.derived:
        from doe.expressions import parse_expression

        if set(parse_expression(response.expression).names) <= readable:
            derived.append(response)
            readable.add(response.name)
    return Outcomes(scales, tuple(derived), region.natural)


def _scale(
    surrogate: DifferentiableSurrogate, units: dict[str, str], known: "pd.DataFrame"
) -> ResponseScale:
    predictive = surrogate.predict(known).predictive
    if not isinstance(predictive, NormalPredictive):
        raise InvalidValueError(
            f"The surrogate of '{surrogate.response}' predicts no normal distribution "
            f"({type(predictive).__name__}): choose a Gaussian process for it (fit_gp)."
        )
    variance = np.square(predictive.new_run_scale) - np.square(predictive.latent_scale)
    smallest = 1e-9 * float(np.max(predictive.new_run_scale)) + 1e-300
    transform = predictive.transform
    return ResponseScale(
        name=surrogate.response,
        unit=units.get(surrogate.response, ""),
        run_std=max(float(np.sqrt(max(float(np.median(variance)), 0.0))), smallest),
        to_natural=surrogate.to_natural,
        to_modelled=lambda value: _modelled(transform, value),
        increasing=transform.increasing,
    )


def _modelled(transform: ResponseTransform, value: float) -> float:
    if transform.kind == "sqrt" and value <= 0:
        return -np.inf  # modelled values below zero stand for zero
    return float(transform.forward(np.asarray([value]))[0])
