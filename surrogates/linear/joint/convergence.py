"""Whether chains of draws have settled, and how many independent draws they are worth."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from doe.arrays import FloatArray

# Vehtari et al. (2021), section 4: chains are used below this, and with this many draws.
LARGEST_R_HAT = 1.01
SMALLEST_ESS = 400.0


@dataclass(frozen=True, slots=True)
class Convergence:
    """The worst figures over everything that was drawn.

    Attributes:
        r_hat: Largest split R-hat; 1 where chains agree with each other and with their halves.
        r_hat_of: What has it.
        effective_draws: Smallest effective number of draws.
        effective_draws_of: What has it.
        n_chains: Chains.
        n_draws: Draws kept of each.
    """

    r_hat: float
    r_hat_of: str
    effective_draws: float
    effective_draws_of: str
    n_chains: int
    n_draws: int

    @property
    def is_settled(self) -> bool:
        """Whether R-hat is at most 1.01 and there are at least 400 effective draws."""
        # Written so that figures that are no numbers are not settled.
        return self.r_hat <= LARGEST_R_HAT and self.effective_draws >= SMALLEST_ESS

    def sentence(self) -> str:
        """Return what to make of it."""
        figures = (
            f"{self.n_chains} chains of {self.n_draws} draws: largest split R-hat "
            f"{self.r_hat:.3f} ({self.r_hat_of}), smallest effective number of draws "
            f"{self.effective_draws:.0f} ({self.effective_draws_of})"
        )
        if self.is_settled:
            return f"{figures}; the chains have settled."
        return (
            f"{figures}; at most {LARGEST_R_HAT} and at least {SMALLEST_ESS:.0f} are wanted: "
            "give a larger burn_in and n_draws."
        )


def convergence(chains: Mapping[str, FloatArray]) -> Convergence:
    """Return the worst figures of named quantities.

    Args:
        chains: Draws of each quantity, shape ``(n_chains, n_draws)``, at least four draws.
    """
    ratios = {name: split_r_hat(draws) for name, draws in chains.items()}
    counts = {name: effective_draws(draws) for name, draws in chains.items()}
    # A ratio that is no number is worse than any other.
    worst = max(ratios, key=lambda name: np.nan_to_num(ratios[name], nan=np.inf))
    fewest = min(counts, key=lambda name: np.nan_to_num(counts[name], nan=0.0))
    n_chains, n_draws = next(iter(chains.values())).shape
    return Convergence(ratios[worst], worst, counts[fewest], fewest, n_chains, n_draws)


def split_r_hat(chains: FloatArray) -> float:
    """Return the potential scale reduction of chains, each split in halves.

    Args:
        chains: Draws, shape ``(n_chains, n_draws)``.

    Source:
        Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., equations 11.1 to 11.4.
    """
    halves = _halves(chains)
    n_draws = halves.shape[1]
    within = float(halves.var(axis=1, ddof=1).mean())
    between = n_draws * float(halves.mean(axis=1).var(ddof=1))
    if within <= 0:
        return float("nan") if between > 0 else 1.0
    return float(np.sqrt((n_draws - 1) / n_draws + between / (n_draws * within)))


def effective_draws(chains: FloatArray) -> float:
    """Return how many independent draws would give the mean as exactly.

    Args:
        chains: Draws, shape ``(n_chains, n_draws)``.

    Source:
        Vehtari et al. (2021), Bayesian Analysis 16, 667-718, section 3.2: the autocorrelations of
        split chains, summed by Geyer's (1992) initial monotone sequence.
    """
    halves = _halves(chains)
    n_chains, n_draws = halves.shape
    total = n_chains * n_draws
    covariances = _autocovariances(halves)
    within = float(covariances[:, 0].mean()) * n_draws / (n_draws - 1)
    between = float(halves.mean(axis=1).var(ddof=1))
    variance = within * (n_draws - 1) / n_draws + between
    if variance <= 0:
        return float(total)
    mean_covariance = covariances.mean(axis=0) * n_draws / (n_draws - 1)
    correlations = 1 - (within - mean_covariance) / variance
    correlations[0] = 1.0
    pairs = correlations[: n_draws // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs <= 0)
    pairs = pairs[: negative[0]] if negative.size else pairs
    time = -1 + 2 * float(np.minimum.accumulate(pairs).sum())
    # Chains that swing about the mean are worth more than their length, within reason.
    return float(total / max(time, 1 / np.log10(total)))


def _halves(chains: FloatArray) -> FloatArray:
    half = chains.shape[1] // 2
    return np.concatenate([chains[:, :half], chains[:, chains.shape[1] - half :]])


def _autocovariances(chains: FloatArray) -> FloatArray:
    """Return the autocovariance of each chain at every lag, biased towards zero."""
    n_draws = chains.shape[1]
    centred = chains - chains.mean(axis=1, keepdims=True)
    # Twice the length, so that the ends of a chain do not meet.
    spectrum = np.fft.rfft(centred, 2 * n_draws, axis=1)
    squares = np.fft.irfft(np.abs(spectrum) ** 2, 2 * n_draws, axis=1)
    return np.asarray(squares[:, :n_draws] / n_draws)
