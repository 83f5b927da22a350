"""The posterior of a fitted model by cached exact algebra: fast for many settings, and joint."""

from typing import Protocol

import torch
from botorch.models import SingleTaskGP
from gpytorch.likelihoods import FixedNoiseGaussianLikelihood
from torch import Tensor

from surrogates.gaussian_process.kernels import BlockKernel, ProcessKernel
from surrogates.gaussian_process.single_task import (
    noise_module,
    process_kernel,
    standardisation,
)
from surrogates.surrogate import NumericalError

CHUNK = 8192
# Relative to the prior variance. The first is none at all; the last leaves six digits.
JITTERS = (0.0, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6)
# What the runs are taken to be uncertain by when only their distance is asked for.
DISTANCE_NUGGET = 1e-4


class LevelIndices(Protocol):
    """A level number per block factor, one past the last for a new block."""

    def __len__(self) -> int: ...
    def __getitem__(self, place: int, /) -> int: ...


class PosteriorAlgebra:
    """Means, variances and covariances on the transformed scale, from factors computed once.

    With K the covariance of the runs (surface, blocks, noise) and k that of settings with runs:
    mean = c + k K^-1 (y - c) and covariance = k** - k K^-1 k'.

    Source:
        Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, equations
        2.23-2.26 and algorithm 2.1.
    """

    def __init__(self, model: SingleTaskGP) -> None:
        self.kernel: ProcessKernel = process_kernel(model)
        inputs: Tensor = model.train_inputs[0].detach()
        n = self.kernel.n_factors
        self.factors, self.blocks = inputs[:, :n], inputs[:, n:]
        self.location, self.scale = standardisation(model)
        self.constant = float(model.mean_module.constant.detach())
        self.noise_variance = float(noise_module(model).noise.detach()) * self.scale**2
        with torch.no_grad():
            self.covariance: Tensor = self.kernel.forward(inputs, inputs) + torch.diag(
                run_noise(model, len(inputs))
            )
            self.inverse_root = _inverse_root(self.covariance)
            residual = model.train_targets - self.constant
            self.weights: Tensor = self.inverse_root.T @ (self.inverse_root @ residual)
            self._correlation_root: Tensor | None = None

    @property
    def block_kernels(self) -> tuple[BlockKernel, ...]:
        """The kernels of the block factors, in order."""
        return self.kernel.blocks

    def block_variance(self, block: BlockKernel) -> float:
        """Return the variance between the levels of a block factor, transformed scale."""
        return float(block.deviation.detach()) ** 2 * self.scale**2

    def new_block_variance(self, levels: LevelIndices) -> float:
        """Return the variance that the random blocks not seen add to a new run."""
        return sum(
            self.block_variance(block)
            for i, block in enumerate(self.block_kernels)
            if block.random and levels[i] == len(block.pattern) - 1
        )

    def marginal(self, encoded: Tensor, levels: LevelIndices) -> tuple[Tensor, Tensor]:
        """Return mean and variance of the surface at each setting, each shape ``(n_settings,)``.

        Args:
            encoded: Encoded factors, shape ``(n_settings, n_factors)``.
            levels: Level number per block factor; a named level adds its own effect.
        """
        means, variances = [], []
        with torch.no_grad():
            prior = self.kernel.level_variance + self.kernel.signal_variance
            prior = prior + self._known_block_effects(levels)
            for part in torch.split(encoded.to(self.factors), CHUNK):
                cross = self._cross(part, levels)
                means.append(self.constant + cross @ self.weights)
                explained = (cross @ self.inverse_root.T).square().sum(dim=1)
                variances.append((prior - explained).clamp_min(0.0))
        mean, variance = torch.cat(means).cpu(), torch.cat(variances).cpu()
        return self.location + self.scale * mean, self.scale**2 * variance

    def joint(self, encoded: Tensor, levels: LevelIndices) -> tuple[Tensor, Tensor]:
        """Return mean ``(n_settings,)`` and covariance ``(n_settings, n_settings)``."""
        with torch.no_grad():
            places = encoded.to(self.factors)
            cross = self._cross(places, levels)
            half = cross @ self.inverse_root.T
            prior = self.kernel.surface(places, places) + self._known_block_effects(levels)
            mean = self.constant + cross @ self.weights
            covariance = prior - half @ half.T
        return self.location + self.scale * mean, self.scale**2 * covariance

    def distance(self, encoded: Tensor) -> Tensor:
        """Return the kernel distance from the runs, shape ``(n_settings,)``, from 0 to 1.

        It is the share of its own variance that the surface would keep at the setting if every run
        were known without noise: 0 at a run, 1 where the runs say nothing. Noise and block effects
        are left out, because they make a prediction uncertain everywhere, not far away.
        """
        parts = []
        with torch.no_grad():
            if self._correlation_root is None:
                correlation = self.kernel.correlation(self.factors, self.factors)
                nugget = DISTANCE_NUGGET * torch.ones_like(correlation[0])
                self._correlation_root = _inverse_root(correlation + torch.diag(nugget))
            for part in torch.split(encoded.to(self.factors), CHUNK):
                cross = self.kernel.correlation(part, self.factors)
                kept = 1 - (cross @ self._correlation_root.T).square().sum(dim=1)
                parts.append(kept.clamp(0.0, 1.0))
        return torch.cat(parts).cpu()

    def _cross(self, places: Tensor, levels: LevelIndices) -> Tensor:
        cross = self.kernel.surface(places, self.factors)
        for i, block in enumerate(self.block_kernels):
            index = torch.full((1,), levels[i], device=cross.device)
            cross = cross + block.between(index, self.blocks[:, i])
        return cross

    def _known_block_effects(self, levels: LevelIndices) -> Tensor:
        """Return the prior variance of the effects of the blocks that are named."""
        total = torch.zeros(1, dtype=torch.float64, device=self.factors.device)
        for i, block in enumerate(self.block_kernels):
            index = torch.full((1,), levels[i], device=total.device)
            if levels[i] < len(block.pattern) - 1:
                total = total + block.between(index, index)[0]
        return total


def run_noise(model: SingleTaskGP, n_rows: int) -> Tensor:
    """Return the noise variance of each run, known and learned parts together, standardised."""
    noise: Tensor = noise_module(model).noise.detach().expand(n_rows)
    if isinstance(model.likelihood, FixedNoiseGaussianLikelihood):
        noise = noise + model.likelihood.noise_covar.noise
    return noise


def covariance_root(covariance: Tensor) -> Tensor:
    """Return a lower-triangular root of a covariance that may be singular up to rounding.

    Raises:
        NumericalError: If not even a jitter of 1e-6 of the largest variance makes it definite.
    """
    size = covariance.diagonal().max().clamp_min(torch.finfo(covariance.dtype).tiny)
    diagonal = torch.ones_like(covariance[0])
    for jitter in JITTERS:
        root: Tensor
        root, failed = torch.linalg.cholesky_ex(covariance + torch.diag(jitter * size * diagonal))
        if int(failed) == 0 and bool(torch.isfinite(root).all()):
            return root
    raise NumericalError(
        f"The joint covariance of {len(covariance)} settings has no Cholesky factor, even with "
        f"{JITTERS[-1]:g} of its largest variance added: ask for fewer settings, further apart."
    )


def _inverse_root(covariance: Tensor) -> Tensor:
    root = covariance_root(covariance)
    identity = torch.eye(len(root), dtype=root.dtype, device=root.device)
    inverse: Tensor = torch.linalg.solve_triangular(root, identity, upper=False)
    return inverse
