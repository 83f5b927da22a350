"""What a fitted Gaussian process says about itself, as plain JSON with a sentence per number."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch

from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor, MixtureComponent
from surrogates.gaussian_process.kernels import MIN_NOISE, BlockKernel

if TYPE_CHECKING:
    from surrogates.gaussian_process.gp import GaussianProcess

POINT_ESTIMATES = (
    "Hyper-parameters are point estimates (posterior mode); their own uncertainty is not in the "
    "intervals, which are somewhat too narrow with few runs."
)
KERNEL_TEXT = {
    "matern52": "Matérn 5/2 with a length scale per factor",
    "rbf": "squared exponential with a length scale per factor",
}
FEW_BLOCKS = 5
# How many times the replicate variance the noise variance may be before it is pointed out; the
# 99 % point of F(20, 4), a small study with five replicates.
NOISE_RATIO_LIMIT = 14.0


def describe(gp: "GaussianProcess") -> Mapping[str, object]:
    """Return kind, preset, hyper-parameters in natural units, noise, blocks, data and warnings."""
    response, preset = gp.rows.response, gp.options.preset
    replicates = gp.rows.replicate_spread()
    algebra = gp.algebra
    fixed = gp.options.fixed
    return {
        "kind": "Gaussian process",
        "response": response.name,
        "unit": response.unit,
        "transform": gp.transform.kind,
        "back_transform": gp.transform.note(),
        "preset": {"name": preset.name, "version": preset.version},
        "prior_sources": preset.sources(),
        "kernel": KERNEL_TEXT[preset.kernel],
        "n_runs": gp.rows.n_rows,
        "mean": "integrated out" if fixed.mean is None else f"fixed at {fixed.mean:g}",
        "surface_std": float(algebra.kernel.signal_variance.detach()) ** 0.5 * algebra.scale,
        "length_scales": _length_scales(gp),
        "level_correlations": _level_correlations(gp),
        "noise_std": algebra.noise_variance**0.5,
        "scale_of_stds": "response" if gp.transform.kind == "none" else gp.transform.kind,
        "replicate_std": replicates.std if replicates.degrees else None,
        "replicate_degrees_of_freedom": replicates.degrees,
        "known_measurement_std": gp.new_measurement_sd() or None,
        "blocks": _blocks(gp),
        "hyperparameters": POINT_ESTIMATES,
        "search": {
            "log_posterior": gp.search.log_posterior,
            "n_starts": gp.search.n_starts,
            "n_evaluations": gp.search.n_evaluations,
            "converged": gp.search.converged,
        },
        "seed": gp.search.seed,
        "data_sha256": gp.rows.sha256(),
        "not_modelled": [covariate.name for covariate in gp.space.covariates],
        "warnings": list(_warnings(gp)),
    }


def _length_scales(gp: "GaussianProcess") -> list[dict[str, object]]:
    kernel = gp.algebra.kernel.numeric
    if kernel is None:
        return []
    lengths = kernel.lengthscale.detach().cpu().ravel()
    ends = torch.stack([torch.zeros(len(lengths)), torch.ones(len(lengths))]).to(lengths)
    found: list[dict[str, object]] = []
    for place, column in enumerate(gp.encoding.numeric_columns):
        factor = gp.space.searched[column]
        assert not isinstance(factor, CategoricalFactor)
        only = torch.full_like(ends, 0.0)
        only[1, place] = 1.0
        correlation = float(kernel.forward(only[:1].to(kernel.device), only[1:].to(kernel.device)))
        relative = float(lengths[place])
        found.append(
            {
                "factor": factor.name,
                "length_scale": relative * gp.encoding.length(factor.name),
                "unit": "ln " + factor.unit if _is_log(factor) else factor.unit,
                "share_of_range": relative,
                "correlation_low_high": correlation,
                "sentence": _length_sentence(factor.name, correlation),
            }
        )
    return found


def _length_sentence(factor: str, correlation: float) -> str:
    if correlation > 0.9:
        shape = "straight or flat over its range"
    elif correlation > 0.5:
        shape = "gently curved over its range"
    elif correlation > 0.1:
        shape = "curved: it may bend once over its range"
    else:
        shape = "free to bend more than once over its range"
    return (
        f"Along {factor} the surface is {shape} (its ends correlate {correlation:.2f}). This is "
        "about shape, not importance: see the driver ranking for that."
    )


def _level_correlations(gp: "GaussianProcess") -> list[dict[str, object]]:
    kernel = gp.algebra.kernel.levels
    if kernel is None:
        return []
    scales = kernel.lengthscale.detach().cpu().ravel()
    found: list[dict[str, object]] = []
    for place, column in enumerate(gp.encoding.categorical_columns):
        name = gp.space.names[column]
        correlation = float(torch.exp(-1 / (scales[place] * len(scales))))
        found.append(
            {
                "factor": name,
                "correlation": correlation,
                "sentence": (
                    f"Surfaces of different levels of {name} correlate {correlation:.2f}: "
                    + ("nearly the same." if correlation > 0.9 else "each learns from the others.")
                ),
            }
        )
    return found


def _blocks(gp: "GaussianProcess") -> list[dict[str, object]]:
    algebra = gp.algebra
    kernels: tuple[BlockKernel, ...] = algebra.block_kernels
    signal = float(algebra.kernel.signal_variance.detach()) * algebra.scale**2
    random = {k.block: algebra.block_variance(k) for k in kernels if k.random}
    total = signal + algebra.noise_variance + sum(random.values())
    found: list[dict[str, object]] = []
    for kernel in kernels:
        n_levels = len(kernel.pattern) - 1
        entry: dict[str, object] = {
            "factor": kernel.block,
            "random": kernel.random,
            "n_levels": n_levels,
        }
        if kernel.random:
            share = random[kernel.block] / total
            entry["std"] = random[kernel.block] ** 0.5
            entry["variance_share"] = share
            entry["sentence"] = (
                f"{share:.0%} of the variance of a run at a random setting lies between levels of "
                f"{kernel.block}; a prediction for a new one carries it."
            )
        else:
            entry["sentence"] = (
                f"The {n_levels} levels of {kernel.block} are taken as all there are; predictions "
                "without a level are their average."
            )
        found.append(entry)
    return found


def _warnings(gp: "GaussianProcess") -> list[str]:
    found = list(gp.rows.warnings)
    if not gp.search.converged:
        found.append(
            "The search for hyper-parameters stopped before it converged: raise max_iterations or "
            "look for a factor that hardly varies."
        )
    found.extend(_unvaried(gp))
    for kernel in gp.algebra.block_kernels:
        n_levels = len(kernel.pattern) - 1
        if kernel.random and n_levels == 1:
            found.append(
                f"All runs are in one level of {kernel.block}: its effect cannot be told from the "
                "overall level, and the variance between levels is a guess."
            )
        elif kernel.random and n_levels < FEW_BLOCKS:
            found.append(
                f"The variance between levels of {kernel.block} rests on {n_levels} of them, that "
                "is mostly on its prior."
            )
    found.extend(_noise_warnings(gp))
    return found


def _unvaried(gp: "GaussianProcess") -> list[str]:
    found = []
    for factor in gp.space.searched:
        studied = gp.domain.studied[factor.name]
        if isinstance(factor, CategoricalFactor):
            unseen = [level for level in factor.levels if level not in studied]
            if unseen:
                found.append(
                    f"No run has {factor.name} at {', '.join(unseen)}: predictions there borrow "
                    "from the other levels and are marked as extrapolation."
                )
        elif studied[0] == studied[1]:
            found.append(
                f"{factor.name} was {studied[0]:g} {factor.unit}".rstrip()
                + " in every run: nothing is known about its effect."
            )
    return found


def _noise_warnings(gp: "GaussianProcess") -> list[str]:
    found = []
    algebra = gp.algebra
    if algebra.noise_variance < 2 * MIN_NOISE * algebra.scale**2:
        found.append(
            "The estimated noise is at its lower bound: the surface goes through nearly every "
            "value. Repeat some runs to see how well they agree."
        )
    replicates = gp.rows.replicate_spread()
    if replicates.degrees < 2 or replicates.std <= 0:
        return found
    centre = np.asarray([float(np.median(gp.rows.measured))])
    pure = float(gp.transform.spread(centre, replicates.std)[0])
    if pure > 0 and algebra.noise_variance > NOISE_RATIO_LIMIT * pure**2:
        found.append(
            f"Replicate runs of the same block agree to SD {replicates.std:.2g} "
            f"({replicates.degrees} degrees of freedom), yet the runs as a whole need noise of SD "
            f"{algebra.noise_variance**0.5:.2g}: the replicates were not independent runs, the "
            "noise differs between blocks, or something that was not recorded changes the runs."
        )
    return found


def _is_log(factor: ContinuousFactor | DiscreteFactor | MixtureComponent) -> bool:
    return not isinstance(factor, MixtureComponent) and factor.scale == "log"
