"""The acquisition: joint draws at standing runs and a new one, and what the new one is worth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import torch
from botorch.utils.sampling import draw_sobol_normal_samples
from linear_operator.utils.cholesky import psd_safe_cholesky
from torch import Tensor

from campaigns.recommending.outcomes import Draws, Outcomes
from campaigns.recommending.values import Gain, Worth

MIN_VARIANCE_SHARE = 1e-10  # of a response's largest variance; keeps square roots differentiable


class Posterior(Protocol):
    """Joint normal distribution of every measured response, on its modelled scale."""

    def moments(self, settings: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and covariance at encoded settings.

        Args:
            settings: Shape ``(..., n_settings, d)``.

        Returns:
            Mean ``(..., n_measured, n_settings)`` and covariance, with one more ``n_settings``.
            Responses are independent given what was learned.
        """


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and covariance at the standing runs and, last, at a new setting.

    Attributes:
        mean: Shape ``(n_measured, n_settings)``.
        covariance: Shape ``(n_measured, n_settings, n_settings)``.
    """

    mean: Tensor
    covariance: Tensor

    def known(self, places: Sequence[int]) -> "Moments":
        """Return what would be known if the expected values of responses were as predicted.

        Args:
            places: The measured responses of which this would be known, at every setting.
        """
        covariance = self.covariance.clone()
        covariance[list(places)] = 0.0
        return replace(self, covariance=covariance)

    def mean_of_last(self, places: Sequence[int], mean: Tensor) -> "Moments":
        """Return the same with other expected values at the last setting.

        Args:
            places: The measured responses to change.
            mean: Their new values, one per measured response.
        """
        changed = self.mean.clone()
        for place in places:
            changed[place, -1] = mean[place]
        return replace(self, mean=changed)

    def draws(self, normals: Tensor) -> Tensor:
        """Return joint draws, shape ``(n_draws, n_settings, n_measured)``."""
        return joint_draws(self.mean, root_of(self.covariance), normals)


@dataclass(frozen=True, eq=False)
class Acquisition:
    """What a new run at each setting is worth, given the runs that stand.

    Attributes:
        posterior: What is known.
        outcomes: From draws to responses in natural units.
        worth: What a run is worth.
        standing: Encoded settings of runs done, under way or chosen, ``(n_standing, d)``.
        normals: Standard normal numbers ``(n_draws, more than n_standing, n_measured)``; the same
            ones for all settings, so that the acquisition is smooth and repeatable.
    """

    posterior: Posterior
    outcomes: Outcomes
    worth: Worth
    standing: Tensor
    normals: Tensor

    def __call__(self, settings: Tensor) -> Tensor:
        """Return the log gain of each setting, shape ``(n_settings,)``; differentiable.

        Args:
            settings: Encoded, shape ``(n_settings, d)`` or ``(n_settings, 1, d)``.
        """
        new = settings.reshape(-1, 1, settings.shape[-1])
        n_standing = len(self.standing)
        both = torch.cat([self.standing.expand(len(new), -1, -1), new], dim=-2)
        mean, covariance = self.posterior.moments(both)
        cross = covariance[..., n_standing, :n_standing]
        # The last row of a Cholesky root, for all settings at once on one factorisation.
        weights = torch.linalg.solve_triangular(
            self._root, cross.movedim(0, -1), upper=False
        ).movedim(-1, 0)
        variance = covariance[..., n_standing, n_standing]
        floor = MIN_VARIANCE_SHARE * self._largest_variance
        left = torch.maximum(variance - weights.square().sum(dim=-1), floor)
        drawn = torch.einsum("bmn,snm->sbm", weights, self.normals[:, :n_standing])
        own = left.sqrt() * self.normals[:, None, n_standing]
        modelled = mean[..., n_standing] + drawn + own
        return self._gain(self.outcomes.draws(modelled, new[:, 0]))

    def gain_under(
        self,
        moments: Moments,
        setting: Tensor,
        *,
        worth: Worth | None = None,
        n_draws: int | None = None,
    ) -> float:
        """Return the log gain at a setting if other things were known or wanted.

        Args:
            moments: At the standing runs and the setting, last.
            setting: Encoded, shape ``(d,)``.
            worth: What a run is worth, where it differs.
            n_draws: How many of the draws to use; all where absent.
        """
        n_standing = len(self.standing)
        draws = self._drawn(moments, n_draws)
        with torch.no_grad():
            new = self.outcomes.draws(draws[:, n_standing:], setting[None])
            if worth is None and len(draws) == len(self.normals) and self._leaves_standing(moments):
                return float(self._gain(new))
            standing = self.outcomes.draws(draws[:, :n_standing], self.standing)
            return float((worth or self.worth).over(standing)(new))

    def draws_with(self, moments: Moments, setting: Tensor) -> Draws:
        """Return joint draws of moments at the standing runs and, last, a setting ``(d,)``."""
        with torch.no_grad():
            both = torch.cat([self.standing, setting[None]])
            return self.outcomes.draws(self._drawn(moments), both)

    def moments_with(self, setting: Tensor) -> Moments:
        """Return mean and covariance at the standing runs and a setting ``(d,)``, last."""
        rest = slice(0, len(self.standing))
        with torch.no_grad():
            mean, covariance = self.posterior.moments(torch.cat([self.standing, setting[None]]))
            # Equal to all digits, so that what depends on the standing runs alone can be reused.
            mean[..., rest], covariance[..., rest, rest] = self.standing_moments
            return Moments(mean, covariance)

    def _drawn(self, moments: Moments, n_draws: int | None = None) -> Tensor:
        # Without any uncertainty all draws are one.
        n_draws = n_draws if bool(moments.covariance.any()) else 1
        return moments.draws(self.normals[:n_draws, : moments.mean.shape[-1]])

    def _leaves_standing(self, moments: Moments) -> bool:
        """Return whether the standing runs are as they are now."""
        mean, covariance = self.standing_moments
        rest = slice(0, len(self.standing))
        return torch.equal(moments.mean[:, rest], mean) and torch.equal(
            moments.covariance[:, rest, rest], covariance
        )

    def with_run(self, setting: Tensor) -> "Acquisition":
        """Return the acquisition of the next run once a setting ``(d,)`` is chosen."""
        return replace(self, standing=torch.cat([self.standing, setting[None]]))

    @cached_property
    def standing_moments(self) -> tuple[Tensor, Tensor]:
        """Mean ``(n_measured, n_standing)`` and covariance at the standing runs."""
        with torch.no_grad():
            return self.posterior.moments(self.standing)

    @cached_property
    def _root(self) -> Tensor:
        return root_of(self.standing_moments[1])

    @cached_property
    def _largest_variance(self) -> Tensor:
        return self.standing_moments[1].diagonal(dim1=-2, dim2=-1).amax(dim=-1).clamp_min(1e-30)

    @cached_property
    def _gain(self) -> Gain:
        n_standing = len(self.standing)
        mean = self.standing_moments[0]
        with torch.no_grad():
            modelled = joint_draws(mean, self._root, self.normals[:, :n_standing])
            return self.worth.over(self.outcomes.draws(modelled, self.standing))


def standard_normals(n_draws: int, n_settings: int, n_measured: int, *, seed: int) -> Tensor:
    """Return scrambled Sobol normals, shape ``(n_draws, n_settings, n_measured)``."""
    flat: Tensor = draw_sobol_normal_samples(
        d=n_settings * n_measured, n=n_draws, dtype=torch.float64, seed=seed
    )
    return flat.reshape(n_draws, n_settings, n_measured)


def root_of(covariance: Tensor) -> Tensor:
    """Return the lower Cholesky root of each covariance, with as little jitter as is needed."""
    size = covariance.diagonal(dim1=-2, dim2=-1).amax(dim=-1)[..., None, None].clamp_min(1e-30)
    root: Tensor = psd_safe_cholesky(covariance / size + _jitter(covariance), max_tries=6)
    return root * size.sqrt()


def joint_draws(mean: Tensor, root: Tensor, normals: Tensor) -> Tensor:
    """Return joint draws ``(n_draws, n_settings, n_measured)``.

    Args:
        mean: Shape ``(n_measured, n_settings)``.
        root: Lower Cholesky root, shape ``(n_measured, n_settings, n_settings)``.
        normals: Shape ``(n_draws, n_settings, n_measured)``.
    """
    return mean.T + torch.einsum("mij,sjm->sim", root, normals)


def _jitter(covariance: Tensor) -> Tensor:
    # Settings that nearly repeat make the matrix singular to double precision; a variance of 1e-9
    # of the largest is far below what any draw can show.
    return 1e-9 * torch.eye(covariance.shape[-1], dtype=covariance.dtype)
