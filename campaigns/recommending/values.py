"""What one more run is worth, given the runs that stand: improvement, volume, probability.

Each is the logarithm of an expectation over joint draws, for one new run at a time; the runs that
are under way or already chosen for the batch stand beside the observed ones, so a batch is chosen
one by one, each for what it adds.

Specifications are about new runs, noise and block effect included, as a design space is. In each
draw of the surfaces a setting has the value that a new run there has on average when a run that
misses the specifications counts as the worst: ``worst + (value - worst) * P(within | draw)``.
Without noise this is the usual constrained improvement. With noise it keeps a distance from the
limits, it has the same meaning for the runs to be beaten as for the new one, and a repeated setting
improves on nothing. (A hard limit on the expected value would put half of the runs at an active
limit out of specification.)
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from botorch.utils.multi_objective.box_decompositions.box_decomposition_list import (
    BoxDecompositionList,
)
from botorch.utils.multi_objective.box_decompositions.non_dominated import (
    FastNondominatedPartitioning,
)
from botorch.utils.safe_math import log_fatplus, logmeanexp
from torch import Tensor

from campaigns.recommending.goals import Wanted, log_all_within
from campaigns.recommending.outcomes import Draws
from doe.responses import Specification

TAU = 1e-6  # sharpness of the smooth maximum, in units of a value's scale (BoTorch's default)
UNBOUNDED = 1e10
MOST_BEHIND = 50.0  # in log probability; further behind there is no more to lose

Gain = Callable[[Draws], Tensor]


class Worth(Protocol):
    """What a run is worth; the log gain keeps a direction where the gain itself is nothing."""

    @property
    def wanted(self) -> Wanted:
        """What is to be made large."""

    @property
    def specifications(self) -> tuple[Specification, ...]:
        """Limits that a run has to meet."""

    @property
    def name(self) -> str:
        """Name of the acquisition function, kept in the record."""

    def values(self, draws: Draws) -> Tensor:
        """Return what settings are worth in each draw, ``(n_draws, n_settings)``, maybe several."""

    def over(self, standing: Draws) -> Gain:
        """Return the function from draws at new settings to log gain, shape ``(n_settings,)``.

        The draws at new settings must be joint with those at the standing ones.
        """


@dataclass(frozen=True)
class Improvement:
    """Expected improvement of the best value.

    Attributes:
        wanted: The value to make large.
        specifications: Limits that a run has to meet.
        scale: Typical difference between runs in the value, so that smoothing has no unit.
        worst: Value of a run that misses the specifications.

    Source:
        Letham, Karrer, Ottoni and Bakshy (2019), Bayesian Analysis 14, 495-519 (noisy EI);
        Ament et al. (2023), NeurIPS, arXiv:2310.20708 (the smooth logarithm).
    """

    wanted: Wanted
    specifications: tuple[Specification, ...]
    scale: float
    worst: float
    name: str = "qLogNEI"

    def values(self, draws: Draws) -> Tensor:
        """Return the value of each setting in each draw, shape ``(n_draws, n_settings)``."""
        value = _defined(self.wanted(draws)[..., 0], self.worst)
        if not self.specifications:
            return value
        return self.worst + (value - self.worst) * log_all_within(draws, self.specifications).exp()

    def over(self, standing: Draws) -> Gain:
        """Return the log expected improvement over the standing runs."""
        with torch.no_grad():
            best = self.values(standing).amax(dim=-1)

        def gain(draws: Draws) -> Tensor:
            above = (self.values(draws) - best[:, None]) / self.scale
            return _log_mean(log_fatplus(above, tau=TAU)) + math.log(self.scale)

        return gain


@dataclass(frozen=True)
class HypervolumeImprovement:
    """Expected growth of the volume that the Pareto front dominates.

    The volume is in units of the scales, and reaches from ``reference`` upwards.

    Attributes:
        wanted: The values to make large.
        specifications: Limits that a run has to meet; one that misses them is at ``reference``.
        scales: Typical difference between runs, per value.
        reference: The worst acceptable value, per value.

    Source:
        Daulton, Balandat and Bakshy (2021), NeurIPS, arXiv:2105.08195 (noisy EHVI); Ament et al.
        (2023), NeurIPS, arXiv:2310.20708 (the smooth logarithm).
    """

    wanted: Wanted
    specifications: tuple[Specification, ...]
    scales: tuple[float, ...]
    reference: tuple[float, ...]
    name: str = "qLogNEHVI"

    def values(self, draws: Draws) -> Tensor:
        """Return the values less the reference, in scales, ``(n_draws, n_settings, n_values)``."""
        reference = torch.tensor(self.reference, dtype=torch.float64)
        values = self.wanted(draws)
        values = torch.where(torch.isnan(values), reference, values) - reference
        values = values / torch.tensor(self.scales, dtype=torch.float64)
        if not self.specifications:
            return values
        return values * log_all_within(draws, self.specifications).exp()[..., None]

    def over(self, standing: Draws) -> Gain:
        """Return the log expected hypervolume improvement over the standing runs."""
        with torch.no_grad():
            lower, upper = _cells(self.values(standing))
            log_sides = (upper.clamp_max(UNBOUNDED) - lower).log()

        def gain(draws: Draws) -> Tensor:
            above = log_fatplus(self.values(draws)[:, :, None, :] - lower[:, None], tau=TAU)
            # BoTorch rounds this minimum's corner; averaged over draws that changes no digit shown.
            areas = torch.minimum(above, log_sides[:, None]).sum(dim=-1)
            return _log_mean(torch.logsumexp(areas, dim=-1))

        return gain


@dataclass(frozen=True)
class ReliabilityImprovement:
    """Expected improvement of the probability that a new run meets every specification.

    Kept in logarithms, so that it has a direction where every probability is next to nothing;
    there it is the logarithm of the probability itself, the usual probability of feasibility.

    Attributes:
        wanted: That probability, as a value.
        specifications: Limits that a run has to meet.
        seeks: Whether it stands in for another objective until a run meets the specifications.

    Source:
        Gardner et al. (2014), ICML, PMLR 32, 937-945: probability of feasibility while nothing
        feasible is known.
    """

    wanted: Wanted
    specifications: tuple[Specification, ...]
    seeks: bool = False
    name: str = "qLogNEI of the probability in specification"

    def values(self, draws: Draws) -> Tensor:
        """Return the probability in each draw, shape ``(n_draws, n_settings)``."""
        return log_all_within(draws, self.specifications).exp()

    def over(self, standing: Draws) -> Gain:
        """Return the log expected improvement of the probability over the standing runs."""
        with torch.no_grad():
            best = log_all_within(standing, self.specifications).amax(dim=-1)

        def gain(draws: Draws) -> Tensor:
            chance = log_all_within(draws, self.specifications)
            # chance - best as a share of chance: exact, and harmless where both underflow.
            share = -torch.expm1((best[:, None] - chance).clamp_max(MOST_BEHIND))
            return _log_mean(chance + log_fatplus(share, tau=TAU))

        return gain


def _cells(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return lower and upper corners of the cells above zero that no run dominates, per draw."""
    reference = torch.zeros(values.shape[-1], dtype=values.dtype)
    if len(reference) == 2:
        bounds = FastNondominatedPartitioning(reference, values).get_hypercell_bounds()
    else:
        # botorch splits one set of runs at a time when there are more than two values.
        parts = [FastNondominatedPartitioning(reference, one) for one in values]
        bounds = BoxDecompositionList(*parts).get_hypercell_bounds()
    return bounds[0], bounds[1]


def _defined(value: Tensor, worst: float) -> Tensor:
    return torch.where(torch.isnan(value), torch.full_like(value, worst), value)


def _log_mean(log_values: Tensor) -> Tensor:
    mean: Tensor = logmeanexp(log_values, dim=0)
    return mean


def scales_of(values: Tensor) -> tuple[float, ...]:
    """Return the typical difference between runs of each value, ``(n_draws, n_settings, n)``.

    It is the SD over draws and settings together, and never zero.
    """
    flat = values.reshape(-1, values.shape[-1])
    scales = []
    for column in flat.T:
        finite = column[torch.isfinite(column)]
        spread = float(finite.std()) if finite.numel() > 1 else 0.0
        size = float(finite.abs().max()) if finite.numel() else 1.0
        scales.append(max(spread, 1e-9 * size, 1e-12))
    return tuple(scales)


def worst_of(values: Tensor, scale: float) -> float:
    """Return a value below that of the runs so far, from draws ``(n_draws, n_settings)``."""
    mean = torch.nanmean(values, dim=0)
    finite = mean[torch.isfinite(mean)]
    return float(finite.min()) - scale if finite.numel() else 0.0


def reference_of(
    values: Tensor, given: Sequence[float | None], scales: Sequence[float]
) -> tuple[float, ...]:
    """Return the reference point: what is given, else a tenth of the front's range below it.

    Args:
        values: Mean value of each run, shape ``(n_settings, n_values)``, larger is better.
        given: Per value the worst acceptable one, or None.
        scales: Typical difference per value; the range of a front of one run.

    Source:
        Ishibuchi et al. (2018), Evolutionary Computation 26, 411-440: nadir less a tenth of range.
    """
    from botorch.utils.multi_objective.pareto import is_non_dominated

    defined = values[torch.isfinite(values).all(dim=-1)]
    front = defined[is_non_dominated(defined)]
    reference = []
    for place, known in enumerate(given):
        column = front[:, place]
        span = float(column.max() - column.min()) or scales[place]
        reference.append(float(column.min()) - 0.1 * span if known is None else known)
    return tuple(reference)
