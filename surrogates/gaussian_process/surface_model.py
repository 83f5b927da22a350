"""The process surface as a BoTorch model, for acquisition functions."""

from typing import assert_never

import torch
from botorch.acquisition.objective import PosteriorTransform
from botorch.models.gpytorch import GPyTorchModel
from botorch.posteriors.gpytorch import GPyTorchPosterior
from gpytorch.distributions import MultivariateNormal
from gpytorch.likelihoods import Likelihood
from linear_operator import to_linear_operator
from torch import Tensor

from doe.errors import InvalidValueError
from surrogates.gaussian_process.algebra import PosteriorAlgebra
from surrogates.transforms import ResponseTransform, quadrature

# Acquisition functions take joint roots at runs that are repeated; their covariance is singular
# without it. In units of the variance of the values.
JITTER = 1e-8


class SurfaceModel(GPyTorchModel):
    """The posterior of the surface over the encoded searched factors, for a block not yet seen.

    Inputs are ``batch x q x d`` tensors in the unit cube (``Encoding.encode``); there is no block
    column. The posterior has one output, on the transformed scale of the response, which is its
    natural unit where the transform is ``none``; sign and unit are those of the response. It is a
    ``GPyTorchPosterior``, differentiable in the inputs, and usable in ``ModelListGP`` and with
    cached roots. With ``observation_noise=True`` run-to-run noise is added, but no block effect,
    which all runs of one block would share.
    """

    def __init__(self, algebra: PosteriorAlgebra, likelihood: Likelihood) -> None:
        super().__init__()
        self.algebra = algebra
        self.likelihood = likelihood  # ModelListGP asks each of its models for one

    @property
    def num_outputs(self) -> int:
        """One response."""
        return 1

    @property
    def batch_shape(self) -> torch.Size:
        """No batch of models."""
        return torch.Size()

    def posterior(  # type: ignore[override]  # BoTorch's own two bases differ in the order
        self,
        X: Tensor,  # noqa: N803  # the name is BoTorch's
        observation_noise: bool | Tensor = False,  # noqa: FBT001, FBT002  # BoTorch's signature
        posterior_transform: PosteriorTransform | None = None,
        output_indices: list[int] | None = None,
        **kwargs: object,
    ) -> GPyTorchPosterior:
        """Return the joint posterior at ``batch x q x d`` encoded settings.

        Raises:
            InvalidValueError: If an output other than the first is asked for.
        """
        if kwargs or output_indices not in (None, [0]):
            raise InvalidValueError(
                f"There is one output, 0, and no further option; got {output_indices}, {kwargs}."
            )
        algebra = self.algebra
        places = X.to(algebra.factors)
        cross = algebra.kernel.surface(places, algebra.factors)
        half = cross @ algebra.inverse_root.T
        mean = algebra.location + algebra.scale * (algebra.constant + cross @ algebra.weights)
        prior = algebra.kernel.surface(places, places)
        identity = torch.eye(X.shape[-2]).to(places)
        covariance = algebra.scale**2 * (prior + JITTER * identity - half @ half.transpose(-1, -2))
        if isinstance(observation_noise, Tensor):
            covariance = covariance + torch.diag_embed(
                observation_noise[..., 0].to(mean).expand_as(mean)
            )
        elif observation_noise:
            covariance = covariance + algebra.noise_variance * identity
        posterior = GPyTorchPosterior(
            MultivariateNormal(mean.to(X), to_linear_operator(covariance.to(X)))
        )
        if posterior_transform is None:
            return posterior
        transformed = posterior_transform(posterior=posterior, X=X)
        assert isinstance(transformed, GPyTorchPosterior)
        return transformed


def natural_values(transform: ResponseTransform, samples: Tensor, run_to_run: float) -> Tensor:
    """Return the expected natural value of a new run where the surface has sampled values.

    The same as ``ResponseTransform.expected``, differentiable.

    Args:
        transform: Of the response.
        samples: Values of the surface on the transformed scale, any shape.
        run_to_run: SD of block effect and noise together, on that scale.
    """
    match transform.kind:
        case "none":
            return samples
        case "log":
            return torch.exp(samples + run_to_run**2 / 2)
        case "sqrt" | "inverse" | "logit":
            nodes, weights = (torch.from_numpy(part).to(samples) for part in quadrature())
            places = samples[..., None] + run_to_run * nodes
            return _backward(transform, places) @ weights
        case _:
            assert_never(transform.kind)


def _backward(transform: ResponseTransform, places: Tensor) -> Tensor:
    if transform.kind == "sqrt":
        return places.clamp_min(0.0).square()
    if transform.kind == "inverse":
        return 1 / places.clamp_min(transform.floor)
    return transform.total * torch.sigmoid(places)
