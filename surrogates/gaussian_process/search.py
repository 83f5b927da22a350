"""The search for the hyper-parameters of highest posterior density, from several starts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood
from linear_operator.utils.errors import NanError, NotPSDError
from scipy.optimize import minimize

from doe.arrays import FloatArray
from surrogates.gaussian_process.options import GPOptions
from surrogates.gaussian_process.single_task import noise_module, process_kernel
from surrogates.surrogate import NumericalError

# Scales are searched on the logarithm; beyond these bounds nothing changes but overflow.
SEARCH_BOUNDS = (-20.0, 10.0)
GRADIENT_TOLERANCE = 1e-6
VALUE_TOLERANCE = 1e-13


@dataclass(frozen=True, slots=True)
class SearchStart:
    """Standardised values at which a search starts: all length scales alike."""

    length_scale: float
    noise_variance: float
    block_deviation: float
    signal_variance: float = 1.0


STARTS = (
    SearchStart(0.5, 0.1, 0.5),
    SearchStart(2.0, 0.3, 0.3),
    SearchStart(0.25, 0.01, 1.0),
)


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """How the hyper-parameters were found.

    Attributes:
        log_posterior: Log density of data and hyper-parameters, standardised units.
        n_starts: How many starts led to usable hyper-parameters.
        n_evaluations: How often the density was evaluated, all starts together.
        converged: Whether the best search met its tolerance.
        seed: What torch was seeded with.
    """

    log_posterior: float
    n_starts: int
    n_evaluations: int
    converged: bool
    seed: int


def learn_hyperparameters(
    model: SingleTaskGP, options: GPOptions, *, seed: int, rng: np.random.Generator
) -> SearchRecord:
    """Set the model's hyper-parameters to those of highest posterior density that were found.

    The density is the exact marginal likelihood of the rows times the density of the logarithms
    of the hyper-parameters under their priors; the search (L-BFGS-B) is on these logarithms.

    Raises:
        NumericalError: If no start leads to finite values.
    """
    objective = _Objective(model)
    if not objective.parameters:
        value, _ = objective(np.empty(0))
        model.eval()
        return SearchRecord(-value, 1, 1, converged=True, seed=seed)
    found = []
    n_evaluations = 0
    for start in starting_values(options.n_starts, rng=rng):
        _set(model, start)
        result = minimize(
            objective,
            objective.position(),
            jac=True,
            method="L-BFGS-B",
            bounds=[SEARCH_BOUNDS] * len(objective.position()),
            options={
                "maxiter": options.max_iterations,
                "gtol": GRADIENT_TOLERANCE,
                "ftol": VALUE_TOLERANCE,
            },
        )
        n_evaluations += int(result.nfev)
        if np.isfinite(result.fun) and result.fun < UNUSABLE:
            found.append((float(result.fun), np.asarray(result.x), bool(result.success)))
    if not found:
        raise NumericalError(
            f"None of {options.n_starts} starts found hyper-parameters for which the covariance of "
            "the runs can be factorised. Look for values many orders of magnitude apart, or use a "
            "log transform."
        )
    # Equal up to rounding means the same optimum: the earlier start is kept, whatever the noise.
    best = min(value for value, _, _ in found)
    value, position, converged = next(f for f in found if f[0] <= best + 1e-8 * (1 + abs(best)))
    objective.move_to(position)
    model.eval()
    return SearchRecord(-value, len(found), n_evaluations, converged, seed)


def starting_values(n_starts: int, *, rng: np.random.Generator) -> Sequence[SearchStart]:
    """Return the fixed starts first, then random ones."""
    random = [
        SearchStart(*np.exp(rng.uniform(np.log([0.15, 0.003, 0.1]), np.log([4.0, 0.7, 1.5]))))
        for _ in range(max(0, n_starts - len(STARTS)))
    ]
    return (*STARTS[:n_starts], *random)


UNUSABLE = 1e25


class _Objective:
    """The negative log posterior density as a function of the free parameters, with gradient."""

    def __init__(self, model: SingleTaskGP) -> None:
        self.model = model.train()
        self.likelihood = ExactMarginalLogLikelihood(model.likelihood, model)
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.n_rows = len(model.train_targets)

    def position(self) -> FloatArray:
        parts = [p.detach().cpu().numpy().ravel() for p in self.parameters]
        clipped: FloatArray = np.clip(np.concatenate(parts), *SEARCH_BOUNDS)
        return clipped

    def move_to(self, position: FloatArray) -> None:
        offset = 0
        with torch.no_grad():
            for parameter in self.parameters:
                size = parameter.numel()
                values = torch.from_numpy(position[offset : offset + size].copy())
                parameter.copy_(values.view_as(parameter))
                offset += size

    def __call__(self, position: FloatArray) -> tuple[float, FloatArray]:
        self.move_to(position)
        self.model.zero_grad()
        try:
            distribution = self.model(*self.model.train_inputs)
            # gpytorch divides by the number of rows; undone so that tolerances mean the same.
            loss = -self.likelihood(distribution, self.model.train_targets) * self.n_rows
        except (NanError, NotPSDError):
            return UNUSABLE, np.zeros_like(position)
        if not self.parameters:
            return float(loss), np.empty(0)
        loss.backward()
        gradient = [p.grad.cpu().numpy().ravel() for p in self.parameters if p.grad is not None]
        return float(loss.detach()), np.concatenate(gradient)


def _set(model: SingleTaskGP, start: SearchStart) -> None:
    """Set the free hyper-parameters to starting values."""
    kernel = process_kernel(model)
    wanted = [
        (kernel, "signal_variance", "raw_signal", start.signal_variance),
        (noise_module(model), "noise", "raw_noise", start.noise_variance),
        (kernel.numeric, "lengthscale", "raw_lengthscale", start.length_scale),
        (kernel.levels, "lengthscale", "raw_lengthscale", 1.0),
        *((block, "deviation", "raw_deviation", start.block_deviation) for block in kernel.blocks),
    ]
    for module, attribute, raw, value in wanted:
        if module is not None and getattr(module, raw).requires_grad:
            setattr(module, attribute, torch.full_like(getattr(module, raw), value))
