"""Whether intervals mean what they say, on simulated studies with a known truth."""

import numpy as np
import pandas as pd
import pytest
import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood
from scipy import stats

from doe.factors import ContinuousFactor
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.gaussian_process.fitting import fit_gp

N_STUDIES = 32
N_TEST = 200


def simulated(seed):
    """Return a study and a function: quadratic, smooth random or saturating with an optimum."""
    rng = np.random.default_rng(seed)
    n_factors = int(rng.integers(2, 7))
    active = rng.random(n_factors) < 0.7
    active[0] = True
    kind = seed % 3
    slopes, bends = rng.normal(size=n_factors) * active, -1.5 * rng.random(n_factors) * active
    waves = rng.normal(size=(200, n_factors)) / np.where(active, 0.7, 20.0)
    phases, weights = rng.uniform(0, 2 * np.pi, 200), rng.normal(size=200)
    centres, widths = rng.uniform(0.2, 0.8, n_factors), rng.uniform(0.25, 0.6, n_factors)

    def raw(places):
        if kind == 0:
            coded = 2 * places - 1
            return coded @ slopes + coded**2 @ bends + coded[:, 0] * coded[:, -1]
        if kind == 1:
            return np.cos(places @ waves.T + phases) @ weights
        bell = np.exp(-0.5 * np.square((places - centres) / widths))
        return np.prod(np.where(active, bell, 1.0), axis=1) * places[:, 0] / (places[:, 0] + 0.2)

    sample = raw(rng.random((2000, n_factors)))
    scale = sample.std()
    noise = rng.uniform(0.03, 0.08) * np.ptp(sample) / scale
    return rng, n_factors, lambda places: raw(places) / scale, noise


def log_density(mean, std, values):
    return float(stats.norm.logpdf(values, mean, std).mean())


@pytest.mark.slow
@pytest.mark.requirement("ANA-11")
def test_intervals_cover_and_the_preset_is_sharper_than_botorchs_default(report_measurement):
    """Latin hypercubes of 20 to 60 runs, 2 to 6 factors, noise 3 to 8 % of the range."""
    ours, theirs, inside, surface = [], [], [], []
    for seed in range(N_STUDIES):
        rng, n_factors, truth, noise = simulated(seed)
        n_runs = int(rng.integers(20, 61))
        places = stats.qmc.LatinHypercube(n_factors, rng=rng).random(n_runs)
        values = truth(places) + noise * rng.standard_normal(n_runs)
        test = rng.random((N_TEST, n_factors))
        new = truth(test) + noise * rng.standard_normal(N_TEST)
        space = FactorSpace(tuple(ContinuousFactor(f"x{i}", 0, 1) for i in range(n_factors)))
        table = pd.DataFrame(places, columns=space.names).assign(y=values)
        model = fit_gp(Observations.from_frame(table, space, (Response("y"),)), "y", rng=rng)

        prediction = model.predict(pd.DataFrame(test, columns=space.names))
        low, high = prediction.interval(0.95)
        inside.append(((low < new) & (new < high)).mean())
        low, high = prediction.interval(0.95, kind="latent")
        surface.append(((low < truth(test)) & (truth(test) < high)).mean())
        ours.append(log_density(prediction.mean, prediction.new_run_std, new))
        theirs.append(log_density(*botorch_default(places, values, test), new))

    report_measurement(
        f"calibration over {N_STUDIES} studies: 95 % intervals of a new run cover "
        f"{np.mean(inside):.3f}, of the surface {np.mean(surface):.3f}; log density "
        f"{np.mean(ours):.3f}, BoTorch's default {np.mean(theirs):.3f}"
    )
    # Point estimates of hyper-parameters leave the intervals somewhat too narrow.
    assert np.mean(inside) > 0.88
    assert np.mean(surface) > 0.88
    assert np.mean(ours) > np.mean(theirs) + 0.05


def botorch_default(places, values, test):
    model = SingleTaskGP(torch.from_numpy(places), torch.from_numpy(values)[:, None])
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    with torch.no_grad():
        posterior = model.posterior(torch.from_numpy(test), observation_noise=True)
    return (
        posterior.mean.detach().numpy().ravel(),
        posterior.variance.detach().sqrt().numpy().ravel(),
    )
