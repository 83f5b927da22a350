"""The covariance of a process: a surface over the factors plus an effect per block."""

import math
from collections.abc import Sequence

import torch
from botorch.models.kernels import CategoricalKernel
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import Kernel, MaternKernel, RBFKernel
from gpytorch.priors import GammaPrior, NormalPrior
from torch import Tensor

from doe.space import FactorSpace
from surrogates.blocks import BlockLevels
from surrogates.gaussian_process.encoding import Encoding
from surrogates.gaussian_process.options import Preset

# Lower bounds of standardised scales; below them the covariance is not usable in double precision.
MIN_LENGTH = 0.025
MIN_VARIANCE = 1e-6
MIN_NOISE = 1e-4


def positive(lower_bound: float) -> GreaterThan:
    """Return the constraint of a scale, searched on the logarithm above a lower bound."""
    return GreaterThan(lower_bound, transform=torch.exp, inv_transform=torch.log)


class BlockKernel(Kernel):  # type: ignore[misc]  # gpytorch ships no types
    """Covariance of the effects of one block factor.

    Random blocks: ``deviation^2`` within a level, 0 between levels. Fixed blocks: effects that
    add up to zero within the level they are nested in, with a wide prior that is not learned.
    Index ``n_levels`` is a new block: of random blocks one more draw, of fixed ones the average.

    Args:
        name: The block factor.
        parents: Per level the number of the level it is nested in, shape ``(n_levels,)``.
        preset: Priors.
        random: Whether the levels are a sample of many.
    """

    pattern: Tensor

    def __init__(self, name: str, parents: Sequence[int], preset: Preset, *, random: bool) -> None:
        super().__init__()
        self.block = name
        self.random = random
        n_levels = len(parents)
        pattern = torch.eye(n_levels + 1, dtype=torch.float64)
        if not random:
            parent = torch.tensor(parents)
            same = (parent[:, None] == parent[None, :]).to(torch.float64)
            pattern[:n_levels, :n_levels] -= same / same.sum(dim=1, keepdim=True)
            pattern[n_levels, n_levels] = 0.0
        self.register_buffer("pattern", pattern)
        start = 0.5 if random else preset.fixed_block_std
        self.register_parameter("raw_deviation", torch.nn.Parameter(torch.zeros(1)))
        self.register_constraint("raw_deviation", positive(1e-4))
        self.deviation = torch.tensor([start])
        if random:
            # s exp(-rate s): the density of log s under an exponential prior.
            prior = GammaPrior(2.0, preset.block_rate)
            self.register_prior("deviation_prior", prior, _deviation)
        else:
            self.raw_deviation.requires_grad_(requires_grad=False)

    @property
    def deviation(self) -> Tensor:
        """The SD between blocks, shape ``(1,)``."""
        value: Tensor = self.raw_deviation_constraint.transform(self.raw_deviation)
        return value

    @deviation.setter
    def deviation(self, value: Tensor) -> None:
        value = value.to(self.raw_deviation)
        self.initialize(raw_deviation=self.raw_deviation_constraint.inverse_transform(value))

    def between(self, index1: Tensor, index2: Tensor) -> Tensor:
        """Return the covariance of level indices ``(..., n)`` and ``(..., m)``."""
        rows = self.pattern[index1.long()[..., :, None], index2.long()[..., None, :]]
        return rows * self.deviation**2


class ProcessKernel(Kernel):  # type: ignore[misc]  # gpytorch ships no types
    """Covariance of a run's expected value: level, surface and block effects, independent.

    ``level_variance + signal_variance * numeric(x, x') * levels(c, c') + sum of block kernels``
    over inputs whose first columns are the encoded factors and whose last ones are block indices.

    The numeric part is a Matern-5/2 or squared-exponential kernel with a length scale per factor,
    the categorical part botorch's ``CategoricalKernel`` with a scale per factor.
    """

    level_variance: Tensor

    def __init__(
        self, space: FactorSpace, encoding: Encoding, blocks: BlockLevels, preset: Preset
    ) -> None:
        super().__init__()
        self.n_factors = encoding.n_columns
        self.numeric_columns = list(encoding.numeric_columns)
        self.level_columns = list(encoding.categorical_columns)
        self.numeric = _numeric_kernel(len(self.numeric_columns), preset)
        self.levels = _level_kernel(len(self.level_columns), preset)
        self.register_buffer("level_variance", torch.tensor(preset.level_std**2))
        self.register_parameter("raw_signal", torch.nn.Parameter(torch.zeros(1)))
        self.register_constraint("raw_signal", positive(MIN_VARIANCE))
        self.register_prior("signal_prior", NormalPrior(0.0, preset.signal_log_std), _log_signal)
        self.signal_variance = torch.ones(1)
        random = {factor.name: factor.random for factor in space.blocks}
        kernels = [
            BlockKernel(name, _parents(levels), preset, random=random[name])
            for name, levels in blocks.levels.items()
        ]
        self.block_modules = torch.nn.ModuleList(kernels)

    @property
    def signal_variance(self) -> Tensor:
        """The variance of the surface about its level, shape ``(1,)``."""
        value: Tensor = self.raw_signal_constraint.transform(self.raw_signal)
        return value

    @signal_variance.setter
    def signal_variance(self, value: Tensor) -> None:
        value = value.to(self.raw_signal)
        self.initialize(raw_signal=self.raw_signal_constraint.inverse_transform(value))

    @property
    def blocks(self) -> tuple[BlockKernel, ...]:
        """The kernels of the block factors, in order."""
        return tuple(kernel for kernel in self.block_modules if isinstance(kernel, BlockKernel))

    def correlation(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return the correlation of the surface, ``(..., n, d)`` and ``(..., m, d)`` factors."""
        product = torch.ones((), dtype=x1.dtype, device=x1.device)
        if self.numeric is not None:
            columns = self.numeric_columns
            product = product * self.numeric.forward(x1[..., columns], x2[..., columns])
        if self.levels is not None:
            columns = self.level_columns
            product = product * self.levels.forward(x1[..., columns], x2[..., columns])
        return product

    def surface(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return the covariance of level plus surface, without block effects."""
        return self.level_variance + self.signal_variance * self.correlation(x1, x2)

    def block_effects(self, b1: Tensor, b2: Tensor) -> Tensor:
        """Return the covariance of the summed block effects, ``(..., n, k)``, ``(..., m, k)``."""
        total = torch.zeros(b1.shape[-2], b2.shape[-2], dtype=b1.dtype, device=b1.device)
        for column, kernel in enumerate(self.blocks):
            total = total + kernel.between(b1[..., column], b2[..., column])
        return total

    def forward(
        self,
        x1: Tensor,
        x2: Tensor,
        diag: bool = False,  # noqa: FBT001, FBT002  # gpytorch's signature
        **params: object,
    ) -> Tensor:
        """Return the covariance of full inputs, factors first; gpytorch's own interface."""
        del params  # options of kernels that this one does not take
        n = self.n_factors
        covariance: Tensor = self.surface(x1[..., :n], x2[..., :n])
        if len(self.blocks):
            covariance = covariance + self.block_effects(x1[..., n:], x2[..., n:])
        return covariance.diagonal(dim1=-2, dim2=-1) if diag else covariance


def _numeric_kernel(n_columns: int, preset: Preset) -> MaternKernel | RBFKernel | None:
    if n_columns == 0:
        return None
    kind = RBFKernel if preset.kernel == "rbf" else MaternKernel
    kernel = kind(ard_num_dims=n_columns, lengthscale_constraint=positive(MIN_LENGTH))
    # The density of log l under an inverse-gamma prior is a gamma density of 1/l, one shape more.
    prior = GammaPrior(preset.length_shape + 1, preset.length_rate * math.sqrt(n_columns))
    kernel.register_prior("length_prior", prior, _inverse_length)
    return kernel


def _level_kernel(n_columns: int, preset: Preset) -> CategoricalKernel | None:
    if n_columns == 0:
        return None
    kernel = CategoricalKernel(ard_num_dims=n_columns, lengthscale_constraint=positive(MIN_LENGTH))
    prior = NormalPrior(preset.level_log_mean, preset.level_log_std)
    kernel.register_prior("level_prior", prior, _log_length)
    return kernel


def _parents(levels: Sequence[tuple[str, ...]]) -> list[int]:
    numbers: dict[tuple[str, ...], int] = {}
    return [numbers.setdefault(path[:-1], len(numbers)) for path in levels]


def _deviation(kernel: BlockKernel) -> Tensor:
    return kernel.deviation


def _log_signal(kernel: ProcessKernel) -> Tensor:
    return kernel.signal_variance.log()


def _inverse_length(kernel: Kernel) -> Tensor:
    inverse: Tensor = 1 / kernel.lengthscale
    return inverse


def _log_length(kernel: Kernel) -> Tensor:
    logarithm: Tensor = kernel.lengthscale.log()
    return logarithm
