"""What a repeated run teaches, against the closed form for two alternatives."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from campaigns.recommending.acquisition import Acquisition, standard_normals
from campaigns.recommending.goals import wanted
from campaigns.recommending.outcomes import Outcomes, ResponseScale
from campaigns.recommending.repeats import best_repeat
from campaigns.recommending.values import Improvement
from doe.responses import Goal, Single


class KnownPosterior:
    """A joint normal distribution over settings 0, 1, ..., given by its moments."""

    def __init__(self, mean, covariance):
        self.mean = torch.tensor(mean, dtype=torch.float64)
        self.covariance = torch.tensor(covariance, dtype=torch.float64)

    def moments(self, settings):
        index = settings[..., 0].long()
        return self.mean[index][None], self.covariance[index[:, None], index][None]


def acquisition(mean, covariance, run_std):
    goal = wanted(Single(Goal("titre")), (), spreads={"titre": 1.0}, units={"titre": ""})
    scale = ResponseScale("titre", "", run_std, lambda z: z, lambda value: value)
    n = len(mean)
    return Acquisition(
        KnownPosterior(mean, covariance),
        Outcomes((scale,), (), lambda settings: {}),
        Improvement(goal, (), 1.0, -10.0),
        torch.arange(n, dtype=torch.float64)[:, None],
        standard_normals(4096, n + 1, 1, seed=2),
    )


def all_of(n: int) -> torch.Tensor:
    return torch.ones(n, dtype=torch.bool)


@pytest.mark.parametrize("gap", [0.0, 0.3, 1.0])
def test_the_gain_of_measuring_one_of_two_is_the_closed_form(gap):
    """Frazier, Powell and Dayanik (2009): s f(-|gap| / s), f(z) = z Phi(z) + phi(z)."""
    variance, run_std = 0.64, 0.6
    found = best_repeat(
        acquisition([1.0, 1.0 - gap], [[0.0, 0.0], [0.0, variance]], run_std),
        -20.0,
        n_done=2,
        allowed=all_of(2),
    )

    s = variance / math.sqrt(variance + run_std**2)
    z = -gap / s
    assert found is not None
    assert found.place == 1
    assert found.gain == pytest.approx(s * (z * norm.cdf(z) + norm.pdf(z)), rel=0.02, abs=1e-4)
    assert found.gain_of_new == pytest.approx(math.exp(-20.0))


def test_a_setting_that_is_known_exactly_teaches_nothing():
    found = best_repeat(
        acquisition([1.0, 0.9], np.zeros((2, 2)), 0.5), -20.0, n_done=2, allowed=all_of(2)
    )

    assert found is not None
    assert found.gain == pytest.approx(0.0, abs=1e-12)


def test_the_more_noise_a_result_has_the_less_it_teaches():
    covariance = [[0.0, 0.0], [0.0, 1.0]]
    gains = [
        best_repeat(
            acquisition([0.2, 0.0], covariance, run_std), -20.0, n_done=2, allowed=all_of(2)
        ).gain
        for run_std in (0.1, 0.5, 1.0, 3.0)
    ]

    assert gains == sorted(gains, reverse=True)


def test_a_run_that_is_under_way_leaves_less_to_learn_there():
    covariance = np.diag([1.0, 1.0, 0.0])
    done = acquisition([0.0, 0.0, 0.1], covariance, 0.3)

    under_way = best_repeat(done, -20.0, n_done=1, allowed=torch.tensor([False, True, False]))
    not_yet = best_repeat(done, -20.0, n_done=3, allowed=torch.tensor([False, True, False]))

    assert under_way.gain < 0.5 * not_yet.gain


def test_what_cannot_be_set_again_is_not_repeated():
    done = acquisition([0.0, 0.0], np.eye(2), 0.3)

    assert best_repeat(done, -20.0, n_done=2, allowed=torch.tensor([False, False])) is None
    only = best_repeat(done, -20.0, n_done=2, allowed=torch.tensor([False, True]))
    assert only.place == 1
