"""The BoTorch model behind a surrogate, built from rows and a preset, and its parts by name."""

from collections.abc import Iterator
from contextlib import contextmanager

import gpytorch
import numpy as np
import torch
from botorch.models import SingleTaskGP
from botorch.models.transforms.outcome import Standardize
from botorch.settings import validate_input_scaling
from gpytorch.likelihoods import FixedNoiseGaussianLikelihood, GaussianLikelihood
from gpytorch.likelihoods.noise_models import HomoskedasticNoise
from gpytorch.means import ConstantMean
from gpytorch.priors import NormalPrior
from torch import Tensor

from doe.arrays import FloatArray
from doe.errors import InvalidValueError
from surrogates.blocks import BlockLevels
from surrogates.gaussian_process.encoding import Encoding
from surrogates.gaussian_process.kernels import MIN_NOISE, ProcessKernel, positive
from surrogates.gaussian_process.options import FixedHyperparameters, GPOptions, Preset
from surrogates.gaussian_process.torch_session import choose_device
from surrogates.learning_rows import LearningRows
from surrogates.transforms import ResponseTransform

MAX_EXACT_RUNS = 10_000
SMALLEST_STD = 1e-150


@contextmanager
def exact_algebra() -> Iterator[None]:
    """Use Cholesky factors for every model size, not gpytorch's randomised approximations."""
    with gpytorch.settings.max_cholesky_size(MAX_EXACT_RUNS):
        yield


def single_task_gp(
    rows: LearningRows,
    transform: ResponseTransform,
    encoding: Encoding,
    blocks: BlockLevels,
    options: GPOptions,
) -> SingleTaskGP:
    """Return the model with its priors, not yet fitted.

    Inputs are the encoded factors, then a column of level numbers per block factor; outputs are
    standardised by the model itself.

    Raises:
        InvalidValueError: If a fixed hyper-parameter names an unknown factor or block factor.
    """
    block_numbers = torch.from_numpy(blocks.numbers(rows.settings).astype(np.float64))
    inputs = torch.cat([encoding.encode(rows.settings), block_numbers], dim=1)
    targets = torch.from_numpy(transform.forward(rows.measured))[:, None]
    std = float(targets.std())
    known = np.square(transform.spread(rows.measured, np.sqrt(rows.known_variance)) / std)
    # Block columns hold level numbers, which botorch's check of the unit cube would call unscaled.
    with validate_input_scaling(state=False), gpytorch.settings.min_fixed_noise(double_value=0.0):
        model = SingleTaskGP(
            inputs,
            targets,
            likelihood=_likelihood(known, options.preset),
            covar_module=ProcessKernel(rows.space, encoding, blocks, options.preset),
            mean_module=ConstantMean(),
            # Whatever the unit: botorch would leave values with an SD below 1e-8 as they are.
            outcome_transform=Standardize(m=1, min_stdv=SMALLEST_STD),
        )
    # The level is integrated out through the kernel, so the mean function has nothing to learn.
    model.mean_module.raw_constant.requires_grad_(requires_grad=False)
    _fix(model, options.fixed, encoding, float(targets.mean()), std)
    return model.to(choose_device(options.device, rows.n_rows))


def process_kernel(model: SingleTaskGP) -> ProcessKernel:
    """Return the model's kernel."""
    kernel = model.covar_module
    assert isinstance(kernel, ProcessKernel)
    return kernel


def standardisation(model: SingleTaskGP) -> tuple[float, float]:
    """Return mean and SD of the modelled values, which the model subtracts and divides by."""
    transform = model.outcome_transform
    assert isinstance(transform, Standardize)
    return transform.means.squeeze().item(), transform.stdvs.squeeze().item()


def noise_module(model: SingleTaskGP) -> HomoskedasticNoise:
    """Return the part of the likelihood that holds the run-to-run noise variance."""
    likelihood = model.likelihood
    if isinstance(likelihood, FixedNoiseGaussianLikelihood):
        return likelihood.second_noise_covar
    return likelihood.noise_covar


def _likelihood(known: FloatArray, preset: Preset) -> GaussianLikelihood:
    constraint = positive(MIN_NOISE)
    if known.any():
        likelihood = FixedNoiseGaussianLikelihood(
            torch.from_numpy(known), learn_additional_noise=True
        )
        likelihood.second_noise_covar = HomoskedasticNoise(noise_constraint=constraint)
        noise = likelihood.second_noise_covar
    else:
        likelihood = GaussianLikelihood(noise_constraint=constraint)
        noise = likelihood.noise_covar
    prior = NormalPrior(preset.noise_log_mean, preset.noise_log_std)
    noise.register_prior("log_noise_prior", prior, _log_noise)
    return likelihood


def _log_noise(noise: HomoskedasticNoise) -> Tensor:
    logarithm: Tensor = noise.noise.log()
    return logarithm


def _fix(
    model: SingleTaskGP, fixed: FixedHyperparameters, encoding: Encoding, mean: float, std: float
) -> None:
    """Set the hyper-parameters that are given, in standardised units, and freeze them."""
    kernel = process_kernel(model)
    if fixed.mean is not None:
        # As a tensor: gpytorch rounds a plain number to single precision.
        constant = torch.tensor((fixed.mean - mean) / std, dtype=torch.float64)
        model.mean_module.initialize(constant=constant)
        kernel.level_variance.zero_()
    if fixed.signal_variance is not None:
        _freeze(kernel, "signal_variance", "raw_signal", [fixed.signal_variance / std**2])
    if fixed.noise_variance is not None:
        _freeze(noise_module(model), "noise", "raw_noise", [fixed.noise_variance / std**2])
    if fixed.length_scales is not None and kernel.numeric is not None:
        names = [encoding.space.names[column] for column in encoding.numeric_columns]
        if set(names) != set(fixed.length_scales):
            raise InvalidValueError(
                f"Fixed length scales are given for {sorted(fixed.length_scales)}; the numeric "
                f"factors are {names}: give one for each, or none."
            )
        lengths = [fixed.length_scales[name] / encoding.length(name) for name in names]
        _freeze(kernel.numeric, "lengthscale", "raw_lengthscale", lengths)
    random = {block.block: block for block in kernel.blocks if block.random}
    for name, variance in fixed.block_variances.items():
        if name not in random:
            raise InvalidValueError(
                f"A block variance is fixed for '{name}'; the random block factors are "
                f"{sorted(random)}."
            )
        _freeze(random[name], "deviation", "raw_deviation", [variance**0.5 / std])


def _freeze(module: gpytorch.Module, attribute: str, raw: str, values: list[float]) -> None:
    # A value that is given may lie below the bound of those that are learned.
    module.register_constraint(raw, positive(0.0), replace=True)
    setattr(module, attribute, torch.tensor(values, dtype=torch.float64))
    getattr(module, raw).requires_grad_(requires_grad=False)
