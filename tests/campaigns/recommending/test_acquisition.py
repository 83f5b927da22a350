"""The acquisition against BoTorch's own, closed forms and finite differences."""

import math

import numpy as np
import pytest
import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.multi_objective import logei as multi_objective_logei
from botorch.acquisition.multi_objective.objective import WeightedMCMultiOutputObjective
from botorch.acquisition.objective import GenericMCObjective
from botorch.models import ModelListGP
from botorch.sampling import SobolQMCNormalSampler
from scipy.stats import norm

from campaigns.recommending.acquisition import Acquisition, standard_normals
from campaigns.recommending.botorch_models import SurfacePosterior
from campaigns.recommending.goals import Wanted, wanted
from campaigns.recommending.outcomes import Outcomes, ResponseScale
from campaigns.recommending.values import (
    HypervolumeImprovement,
    Improvement,
    ReliabilityImprovement,
    Worth,
)
from doe.responses import Goal, Pareto, ProbabilityInSpecification, Single, Specification
from surrogates.gaussian_process.fitting import fit_gp
from tests.campaigns.recommending.examples import PURITY, QUICK, SQUARE, TITRE, hill, study

VOLUME = torch.tensor([-1.0, -1.0, 0.5], dtype=torch.float64)
N_DRAWS = 2048


def slope(settings):
    return 90 + 2 * settings["pH"].to_numpy(np.float64) - settings["feed"].to_numpy(np.float64)


def waste(settings):
    return np.abs(settings["feed"].to_numpy(np.float64) - 5) / 2


@pytest.fixture(scope="module")
def observations():
    responses = (TITRE, PURITY, type(TITRE)("waste"))
    truths = {"titre": hill, "purity": slope, "waste": waste}
    return study(SQUARE, truths, responses, n_runs=8, noise=0.5)


@pytest.fixture(scope="module")
def models(observations):
    names = ("titre", "purity", "waste")
    rng = np.random.default_rng(0)
    return [fit_gp(observations, name, options=QUICK, rng=rng) for name in names]


@pytest.fixture(scope="module")
def standing(observations, models):
    return models[0].encoding.encode(observations.target)


@pytest.fixture(scope="module")
def candidates():
    return torch.rand(40, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(4))


def goal(*goals: Goal) -> Wanted:
    spreads = dict.fromkeys(("titre", "purity", "waste"), 1.0)
    objective = Single(goals[0]) if len(goals) == 1 else Pareto(goals)
    return wanted(objective, (), spreads=spreads, units=dict.fromkeys(spreads, ""))


def acquisition(models, worth: Worth, standing, *, run_std=0.5, n_draws=N_DRAWS) -> Acquisition:
    scales = tuple(
        ResponseScale(m.response, "", run_std, lambda z: z, lambda value: value) for m in models
    )
    return Acquisition(
        posterior=SurfacePosterior(tuple(model.botorch_model() for model in models)),
        outcomes=Outcomes(scales, (), lambda settings: {}),
        worth=worth,
        standing=standing,
        normals=standard_normals(n_draws, len(standing) + 2, len(models), seed=1),
    )


def assert_agree(ours, theirs, *, above: float) -> None:
    """Compare where the acquisition is large enough that random draws resolve it."""
    large = theirs > above
    assert int(large.sum()) >= 8
    torch.testing.assert_close(ours[large].exp(), theirs[large].exp(), rtol=0.06, atol=0.002)


def test_the_improvement_of_one_goal_is_botorchs_noisy_expected_improvement(
    models, standing, candidates
):
    worth = Improvement(goal(Goal("titre")), (), scale=1.0, worst=-100.0)
    reference = qLogNoisyExpectedImprovement(
        models[0].botorch_model(),
        standing,
        sampler=SobolQMCNormalSampler(torch.Size([N_DRAWS]), seed=3),
        prune_baseline=False,
    )

    ours = acquisition(models[:1], worth, standing)(candidates)

    assert_agree(ours, reference(candidates[:, None]), above=-5)


def test_a_specification_without_noise_is_botorchs_outcome_constraint(models, standing, candidates):
    limits = (Specification("purity", 100.0, None),)
    worth = Improvement(goal(Goal("titre")), limits, scale=1.0, worst=-60.0)
    reference = qLogNoisyExpectedImprovement(
        ModelListGP(*(model.botorch_model() for model in models[:2])),
        standing,
        objective=GenericMCObjective(lambda samples, **_: samples[..., 0] + 60.0),
        constraints=[lambda samples: 100.0 - samples[..., 1]],
        eta=1e-4,
        fat=False,
        sampler=SobolQMCNormalSampler(torch.Size([N_DRAWS]), seed=3),
        prune_baseline=False,
    )

    ours = acquisition(models[:2], worth, standing, run_std=1e-4)(candidates)

    assert_agree(ours, reference(candidates[:, None]), above=-4)


@pytest.mark.parametrize(
    ("n_goals", "n_draws"), [(2, 512), pytest.param(3, 64, marks=pytest.mark.slow)]
)
def test_several_goals_give_botorchs_noisy_hypervolume_improvement(
    models, standing, candidates, monkeypatch, n_goals, n_draws
):
    # BoTorch would compile a C++ kernel at this point.
    monkeypatch.setattr(multi_objective_logei, "_load_attempted", True)
    goals = [Goal("titre"), Goal("purity"), Goal("waste", "minimise")][:n_goals]
    reference_point = (0.0, 85.0, -3.0)[:n_goals]
    worth = HypervolumeImprovement(goal(*goals), (), (1.0,) * n_goals, reference_point)
    weights = torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)[:n_goals]
    reference = multi_objective_logei.qLogNoisyExpectedHypervolumeImprovement(
        ModelListGP(*(model.botorch_model() for model in models[:n_goals])),
        torch.tensor(reference_point, dtype=torch.float64),
        standing,
        objective=WeightedMCMultiOutputObjective(weights),
        sampler=SobolQMCNormalSampler(torch.Size([n_draws]), seed=3),
        prune_baseline=False,
    )

    ours = acquisition(models[:n_goals], worth, standing, n_draws=n_draws)(candidates)

    large = (theirs := reference(candidates[:, None]).detach()) > 0
    gap = ours[large] - theirs[large]
    assert float(gap.mean()) == pytest.approx(0.0, abs=0.2)
    assert float(gap.abs().max()) < 0.6


def test_with_one_known_run_it_is_the_closed_form_of_jones(models, candidates):
    """Jones, Schonlau and Welch (1998), equation 15, between two correlated expected values."""
    one_run = torch.tensor([[0.7, 0.3]], dtype=torch.float64)
    worth = Improvement(goal(Goal("titre")), (), scale=1.0, worst=-100.0)
    model = models[0].botorch_model()

    ours = acquisition(models[:1], worth, one_run)(candidates)

    for setting, value in zip(candidates[:10], ours.exp(), strict=False):
        joint = model.posterior(torch.stack([one_run[0], setting])).distribution
        gain = float(joint.mean[1] - joint.mean[0])
        cov = joint.covariance_matrix.detach().numpy()
        std = math.sqrt(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1])
        expected = gain * norm.cdf(gain / std) + std * norm.pdf(gain / std)
        assert float(value) == pytest.approx(expected, rel=0.03, abs=1e-3)


@pytest.mark.parametrize(
    "worth",
    [
        Improvement(goal(Goal("titre")), (Specification("purity", 100.0),), 2.0, -20.0),
        HypervolumeImprovement(goal(Goal("titre"), Goal("purity")), (), (2.0, 3.0), (0.0, 85.0)),
        ReliabilityImprovement(
            wanted(
                ProbabilityInSpecification(),
                (Specification("titre", 9.0), Specification("purity", 95.0, 100.0)),
                spreads={},
                units={},
            ),
            (Specification("titre", 9.0), Specification("purity", 95.0, 100.0)),
        ),
    ],
    ids=lambda worth: worth.name,
)
def test_gradients_are_those_of_finite_differences(models, standing, worth):
    function = acquisition(models[:2], worth, standing, n_draws=64)
    settings = torch.tensor([[0.62, 0.35], [0.2, 0.8]], dtype=torch.float64, requires_grad=True)

    (gradient,) = torch.autograd.grad(function(settings).sum(), settings)

    for column in range(2):
        step = torch.zeros(2, dtype=torch.float64)
        step[column] = 1e-6
        with torch.no_grad():
            change = (function(settings + step) - function(settings - step)) / 2e-6
        torch.testing.assert_close(gradient[:, column], change, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("specifications", [(), (Specification("purity", 99.0, 101.0),)])
def test_a_setting_that_stands_already_improves_on_nothing(
    models, standing, candidates, specifications
):
    worth = Improvement(goal(Goal("titre")), specifications, scale=1.0, worst=-100.0)
    function = acquisition(models[:2], worth, standing)

    # What is left is the rounding error of the kernel's distances.
    assert float(function(standing).exp().max()) < 0.02 * float(function(candidates).exp().max())


def test_a_chosen_run_lowers_what_its_neighbourhood_is_worth(models, standing, candidates):
    worth = Improvement(goal(Goal("titre")), (), scale=1.0, worst=-100.0)
    before = acquisition(models[:1], worth, standing)
    best = candidates[int(before(candidates).argmax())]

    after = before.with_run(best)

    assert float(after(best[None])) < float(before(best[None])) - 5
    assert bool((after(candidates).exp() <= before(candidates).exp() + 0.02).all())


def test_probability_keeps_its_direction_where_it_is_next_to_nothing(models, standing):
    """Purity of 300 % is hundreds of SD away; the slope still points to where purity rises."""
    limits = (Specification("purity", 300.0),)
    chance = wanted(ProbabilityInSpecification(), limits, spreads={}, units={})
    function = acquisition(models[:2], ReliabilityImprovement(chance, limits), standing, run_std=8)
    setting = torch.tensor([[0.5, 0.5]], dtype=torch.float64, requires_grad=True)

    (gradient,) = torch.autograd.grad(function(setting).sum(), setting)

    assert float(gradient[0, 0]) > 0 > float(gradient[0, 1])
