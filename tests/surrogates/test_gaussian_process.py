from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.models import ModelListGP
from botorch.optim import optimize_acqf

from doe.errors import InvalidValueError, TooFewDataError
from doe.factors import BlockFactor, ContinuousFactor
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.fitting import fit_surrogates
from surrogates.gaussian_process.algebra import covariance_root
from surrogates.gaussian_process.fitting import fit_gp
from surrogates.gaussian_process.options import FixedHyperparameters, GPOptions
from surrogates.gaussian_process.torch_session import seeded_torch
from surrogates.surrogate import NumericalError
from tests.surrogates.examples import CULTURE, culture_study, mixed_study, truth

LINE = FactorSpace((ContinuousFactor("pH", 6.0, 8.0),))


def fitted(observations, response="titre", *, seed=5, **options):
    return fit_gp(
        observations, response, options=GPOptions(**options), rng=np.random.default_rng(seed)
    )


def line_study(values, *, settings=None, response=None, sds=None, runs=None) -> Observations:
    """Return runs along one factor."""
    settings = np.linspace(6.0, 8.0, len(values)) if settings is None else settings
    table = pd.DataFrame({"pH": settings, "titre": values})
    if runs is not None:
        table.insert(0, "run", runs)
    response = Response("titre", "g/L") if response is None else response
    observations = Observations.from_frame(table, LINE, (response,))
    if sds is None:
        return observations
    measured = tuple(
        replace(m, sd=sd) for m, sd in zip(observations.measurements, sds, strict=True)
    )
    return replace(observations, measurements=measured)


@pytest.fixture(scope="module")
def blocked():
    return fitted(culture_study(block_std=3.0))


def test_the_cached_algebra_is_botorchs_posterior(blocked):
    settings = blocked.space.sample(200, rng=np.random.default_rng(1))
    level = blocked.blocks.indices("4")[0]
    inputs = torch.cat(
        [blocked.encoding.encode(settings), torch.full((200, 1), float(level))], dim=1
    )

    posterior = blocked.single_task_gp.posterior(inputs[:, None, :])
    prediction = blocked.predict(settings, block="4")

    np.testing.assert_allclose(prediction.mean, posterior.mean.numpy().ravel(), atol=1e-10)
    np.testing.assert_allclose(
        prediction.latent_std**2, posterior.variance.numpy().ravel(), atol=1e-10
    )


def test_the_posterior_is_that_of_a_dense_computation_by_hand():
    """Surface, two crossed random blocks and noise, with every hyper-parameter given."""
    rng = np.random.default_rng(3)
    space = FactorSpace(
        (ContinuousFactor("pH", 6.0, 8.0), BlockFactor("day"), BlockFactor("vessel"))
    )
    table = pd.DataFrame(
        {
            "pH": rng.uniform(6, 8, 12),
            "day": [str(i % 3) for i in range(12)],
            "vessel": [str(i % 4) for i in range(12)],
            "titre": rng.normal(5, 1, 12),
        }
    )
    fixed = FixedHyperparameters(
        mean=4.0,
        signal_variance=1.5,
        length_scales={"pH": 0.7},
        noise_variance=0.2,
        block_variances={"day": 0.6, "vessel": 0.3},
    )
    model = fitted(Observations.from_frame(table, space, (Response("titre"),)), fixed=fixed)

    def matern(a, b):
        r = np.sqrt(5) * np.abs(np.subtract.outer(a, b)) / 0.7
        return 1.5 * (1 + r + r**2 / 3) * np.exp(-r)

    x, y = table["pH"].to_numpy(), table["titre"].to_numpy()
    day, vessel = table["day"].to_numpy(), table["vessel"].to_numpy()
    runs = matern(x, x) + 0.6 * np.equal.outer(day, day) + 0.3 * np.equal.outer(vessel, vessel)
    runs += 0.2 * np.eye(12)
    places = np.array([6.1, 7.0, 7.9])
    cross = matern(places, x) + 0.6 * (day == "1")
    mean = 4.0 + cross @ np.linalg.solve(runs, y - 4.0)
    variance = 1.5 + 0.6 - np.einsum("ij,ji->i", cross, np.linalg.solve(runs, cross.T))

    found = model.predict(pd.DataFrame({"pH": places}), block={"day": "1"})

    np.testing.assert_allclose(found.mean, mean, rtol=1e-9)
    np.testing.assert_allclose(found.latent_std**2, variance, rtol=1e-8)
    np.testing.assert_allclose(found.new_run_std**2, variance + 0.3 + 0.2, rtol=1e-8)


def test_a_new_block_adds_its_variance_and_a_known_one_its_effect(blocked):
    settings = blocked.space.sample(5, rng=np.random.default_rng(1))
    new, known = blocked.predict(settings), blocked.predict(settings, block="2")
    between = blocked.describe()["blocks"][0]["std"]
    noise = blocked.describe()["noise_std"]

    np.testing.assert_allclose(new.new_run_std**2, new.latent_std**2 + between**2 + noise**2)
    np.testing.assert_allclose(known.new_run_std**2, known.latent_std**2 + noise**2)
    assert np.ptp(known.mean - new.mean) < 1e-9 + 0.5 * abs(known.mean - new.mean).mean()


def test_a_strong_day_effect_is_told_from_the_surface():
    """Six days, SD 3 between them and 1 within; the surface itself spans about 25."""
    study = culture_study(n_runs=36, block_std=3.0, seed=2)
    model = fitted(study)
    settings = study.settings()
    effects = study.values("titre").set_index("run")["value"] - truth(settings)

    description = model.describe()

    realised = effects.groupby(settings["day"]).mean().std()
    assert description["blocks"][0]["std"] == pytest.approx(realised, rel=0.3)
    assert description["noise_std"] == pytest.approx(1.0, rel=0.3)
    settings = FactorSpace(CULTURE).sample(200, rng=np.random.default_rng(9))
    prediction = model.predict(settings)
    low, high = prediction.interval(0.95, kind="latent")
    true = truth(settings)
    assert ((low < true) & (true < high)).mean() > 0.85


def test_predictions_without_a_fixed_block_are_the_average_over_its_levels():
    study = culture_study(block_std=3.0, n_blocks=4)
    factors = tuple(
        replace(f, random=False) if isinstance(f, BlockFactor) else f for f in study.space.factors
    )
    model = fitted(replace(study, space=FactorSpace(factors)))
    settings = study.space.sample(6, rng=np.random.default_rng(1))

    each = [model.predict(settings, block=str(day)).mean for day in range(4)]
    average = model.predict(settings)

    np.testing.assert_allclose(np.mean(each, axis=0), average.mean, rtol=1e-9)
    noise = model.describe()["noise_std"]
    np.testing.assert_allclose(average.new_run_std**2, average.latent_std**2 + noise**2)


def test_draws_of_new_runs_in_one_new_block_share_its_effect(blocked):
    settings = blocked.space.sample(2, rng=np.random.default_rng(1))
    blocks = blocked.describe()["blocks"][0]["std"] ** 2

    rng = np.random.default_rng(2)
    runs = blocked.sample(settings, 20_000, kind="new_run", rng=rng)
    surface = blocked.sample(settings, 20_000, kind="latent", rng=rng)

    shared = np.cov(runs.T)[0, 1] - np.cov(surface.T)[0, 1]
    assert shared == pytest.approx(blocks, rel=0.1)


@pytest.mark.requirement("ANA-14")
def test_the_noise_of_many_replicates_is_their_pooled_sd():
    """Four settings, eight replicates each: the pure error has 28 degrees of freedom."""
    rng = np.random.default_rng(8)
    settings = np.repeat([6.0, 6.7, 7.4, 8.0], 8)
    values = 10 + 3 * (settings - 7) ** 2 + 0.4 * rng.standard_normal(32)
    model = fitted(line_study(values, settings=settings))

    description = model.describe()

    groups = values.reshape(4, 8)
    pooled = np.sqrt(groups.var(axis=1, ddof=1).mean())
    assert description["replicate_std"] == pytest.approx(pooled)
    assert description["replicate_degrees_of_freedom"] == 28
    assert description["noise_std"] == pytest.approx(pooled, rel=0.08)


@pytest.mark.requirement("ANA-14")
def test_repeated_determinations_on_a_run_are_not_taken_for_replicate_runs():
    """Measuring a run twice with the same result says nothing about run-to-run noise."""
    values = 10 + np.sin(np.arange(10.0))
    once = line_study(values, runs=[f"R{i}" for i in range(10)])
    twice = line_study(
        np.repeat(values, 2),
        settings=np.repeat(np.linspace(6.0, 8.0, 10), 2),
        runs=np.repeat([f"R{i}" for i in range(10)], 2),
    )
    settings = pd.DataFrame({"pH": [6.3, 7.1]})

    one, other = fitted(once).predict(settings), fitted(twice).predict(settings)

    assert np.array_equal(one.mean, other.mean)
    assert np.array_equal(one.new_run_std, other.new_run_std)


def test_a_known_measurement_sd_is_added_to_the_run_to_run_noise():
    rng = np.random.default_rng(4)
    values = 10 + rng.standard_normal(20)
    response = Response("titre", "g/L", method_sd=0.9)
    model = fitted(line_study(values, response=response))
    prediction = model.predict(pd.DataFrame({"pH": [7.0]}))

    description = model.describe()

    assert description["known_measurement_std"] == pytest.approx(0.9)
    assert description["noise_std"] < fitted(line_study(values)).describe()["noise_std"]
    expected = prediction.latent_std**2 + description["noise_std"] ** 2 + 0.81
    np.testing.assert_allclose(prediction.new_run_std**2, expected)


def test_the_measurement_sd_may_be_known_for_some_runs_only():
    sds = [0.5, None] * 6
    model = fitted(line_study(10 + np.sin(np.arange(12.0)), sds=sds))

    assert np.isfinite(model.predict(pd.DataFrame({"pH": [7.0]})).mean).all()
    assert any("known for 6 of 12 runs" in text for text in model.describe()["warnings"])


def test_a_run_with_a_precise_value_pulls_the_surface_harder():
    values = [10.0, 10.0, 10.0, 13.0, 10.0, 10.0, 10.0]
    at = pd.DataFrame({"pH": [7.0]})

    precise = fitted(line_study(values, sds=[0.5, 0.5, 0.5, 0.01, 0.5, 0.5, 0.5]))
    vague = fitted(line_study(values, sds=[0.5, 0.5, 0.5, 5.0, 0.5, 0.5, 0.5]))

    assert precise.predict(at).mean[0] > vague.predict(at).mean[0] + 0.5


@pytest.mark.requirement("OPT-5")
@pytest.mark.parametrize(
    ("values", "words"),
    [([3.2] * 6, "All 6 values of 'titre' are 3.2 g/L"), ([1.0, 2.0], "2 runs have a value")],
)
def test_data_that_cannot_be_learned_from_get_a_message(values, words):
    with pytest.raises(TooFewDataError, match=words):
        fitted(line_study(values))


@pytest.mark.requirement("ANA-14")
def test_values_below_detection_are_refused_unless_their_treatment_is_chosen():
    study = line_study(np.linspace(1.0, 2.0, 8))
    first = replace(study.measurements[0], qualifier="<")
    study = replace(study, measurements=(first, *study.measurements[1:]))

    with pytest.raises(InvalidValueError, match="censored='leave_out' or 'at_limit'"):
        fitted(study)
    for choice, n_runs in (("leave_out", 7), ("at_limit", 8)):
        description = fitted(study, censored=choice).describe()
        assert description["n_runs"] == n_runs
        assert any("only as a limit" in text for text in description["warnings"])


@pytest.mark.requirement("ANA-14")
def test_runs_without_a_value_are_left_out_and_named():
    values = np.linspace(1.0, 2.0, 8) ** 2
    values[2] = np.nan

    description = fitted(line_study(values)).describe()

    assert description["n_runs"] == 7
    assert any("1 of 8 runs have no value" in text for text in description["warnings"])


@pytest.mark.requirement("OPT-5")
def test_a_level_without_runs_is_pointed_out_and_extrapolates():
    study = mixed_study()
    target = study.target.assign(resin=study.target["resin"].replace("C", "A"))
    model = fitted(replace(study, target=target), "purity")
    settings = study.space.sample(9, rng=np.random.default_rng(1)).assign(resin="C")

    assert model.predict(settings).extrapolates.all()
    assert any("No run has resin at C" in text for text in model.describe()["warnings"])


@pytest.mark.requirement("OPT-5")
@pytest.mark.parametrize("size", [1e-12, 1e-6, 1e6, 1e12])
def test_the_unit_of_the_response_means_nothing(size):
    values = 10 + np.sin(np.arange(9.0))
    settings = pd.DataFrame({"pH": [6.3, 7.1]})

    one = fitted(line_study(values)).predict(settings)
    other = fitted(line_study(values * size)).predict(settings)

    np.testing.assert_allclose(other.mean, size * one.mean, rtol=1e-6)
    np.testing.assert_allclose(other.new_run_std, size * one.new_run_std, rtol=1e-5)


@pytest.mark.requirement("OPT-5")
def test_more_factors_than_runs_give_finite_predictions():
    rng = np.random.default_rng(1)
    space = FactorSpace(tuple(ContinuousFactor(f"x{i}", 0.0, 1.0) for i in range(30)))
    table = space.sample(20, rng=rng)
    table["titre"] = 5 + 2 * table["x3"] + 0.1 * rng.standard_normal(20)

    model = fitted(Observations.from_frame(table, space, (Response("titre"),)))

    prediction = model.predict(space.sample(10, rng=rng))
    assert np.isfinite([prediction.mean, prediction.new_run_std]).all()


@pytest.mark.requirement("OPT-5")
def test_one_setting_repeated_gives_its_mean_and_says_that_nothing_was_varied():
    model = fitted(line_study([9.0, 10.0, 11.0, 10.0], settings=[7.0] * 4))

    prediction = model.predict(pd.DataFrame({"pH": [7.0, 7.5]}))

    assert prediction.mean[0] == pytest.approx(10.0, abs=1e-6)
    assert prediction.extrapolates.tolist() == [False, True]
    assert any("in every run" in text for text in model.describe()["warnings"])


def test_replicates_that_agree_too_well_for_the_noise_are_pointed_out():
    rng = np.random.default_rng(6)
    settings = np.concatenate([rng.uniform(6, 8, 20), [7.0] * 4])
    values = np.concatenate([10 + rng.standard_normal(20), [10.0, 10.01, 9.99, 10.0]])

    warnings = fitted(line_study(values, settings=settings)).describe()["warnings"]

    assert any("Replicate runs of the same block agree" in text for text in warnings)


def test_few_blocks_say_that_their_variance_is_mostly_prior():
    warnings = fitted(culture_study(block_std=2.0, n_blocks=2)).describe()["warnings"]

    assert any("rests on 2 of them" in text for text in warnings)


def test_a_search_that_was_stopped_early_says_so():
    model = fitted(culture_study(), max_iterations=1)

    assert any("before it converged" in text for text in model.describe()["warnings"])


def test_fitting_leaves_torchs_random_state_alone():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()

    fitted(line_study(10 + np.sin(np.arange(6.0))))
    with seeded_torch(np.random.default_rng(1)):
        one = torch.rand(3)
    with seeded_torch(np.random.default_rng(1)):
        other = torch.rand(3)

    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(one, other)


def test_a_covariance_that_is_none_is_refused():
    with pytest.raises(NumericalError, match="no Cholesky factor"):
        covariance_root(torch.tensor([[1.0, 2.0], [2.0, 1.0]], dtype=torch.float64))


def test_fixed_hyper_parameters_are_checked_against_the_space():
    fixed = FixedHyperparameters(length_scales={"temperature": 1.0})

    with pytest.raises(InvalidValueError, match=r"numeric factors are \['pH'\]"):
        fitted(line_study([1.0, 2.0, 1.5]), fixed=fixed)
    with pytest.raises(InvalidValueError, match="must be positive"):
        FixedHyperparameters(noise_variance=0.0)


def test_adding_a_response_does_not_change_the_fit_of_another():
    study = culture_study()
    more = replace(
        study,
        responses=(*study.responses, Response("purity", "%")),
        measurements=(
            *study.measurements,
            *(replace(m, response="purity", value=m.value / 2 + 3) for m in study.measurements),
        ),
    )
    settings = study.space.sample(3, rng=np.random.default_rng(1))

    alone = fit_surrogates(study, rng=np.random.default_rng(2))
    both = fit_surrogates(more, rng=np.random.default_rng(2))

    assert both.responses == ("titre", "purity")
    one, other = (s["titre"].predict(settings).mean for s in (alone, both))
    assert np.array_equal(one, other)


class TestAcquisitionModel:
    """What a recommender builds on: the surface as a BoTorch model."""

    def test_it_is_the_surface_without_block_effects(self, blocked):
        settings = blocked.space.sample(6, rng=np.random.default_rng(1))
        encoded = blocked.encoding.encode(settings).view(2, 3, -1)

        posterior = blocked.botorch_model().posterior(encoded)

        prediction = blocked.predict(settings)
        np.testing.assert_allclose(posterior.mean.numpy().ravel(), prediction.mean, rtol=1e-10)
        variance = posterior.variance.numpy().ravel()
        np.testing.assert_allclose(variance, prediction.latent_std**2, rtol=1e-5)

    def test_noise_is_added_on_request(self, blocked):
        encoded = blocked.encoding.encode(blocked.domain.runs.head(2))
        model = blocked.botorch_model()
        noise = blocked.describe()["noise_std"] ** 2

        plain = model.posterior(encoded).variance
        noisy = model.posterior(encoded, observation_noise=True).variance
        given = model.posterior(encoded, observation_noise=torch.full((2, 1), 4.0)).variance

        np.testing.assert_allclose((noisy - plain).numpy(), noise, rtol=1e-9)
        np.testing.assert_allclose((given - plain).numpy(), 4.0, rtol=1e-9)

    def test_gradients_are_finite_even_at_the_runs(self, blocked):
        encoded = blocked.encoding.encode(blocked.domain.runs)[:, None, :]
        encoded.requires_grad_(requires_grad=True)

        posterior = blocked.botorch_model().posterior(encoded)
        (posterior.mean.sum() + posterior.variance.sum()).backward()

        assert encoded.grad is not None
        assert bool(torch.isfinite(encoded.grad).all())

    def test_the_gradient_is_the_slope_of_the_prediction(self, blocked):
        settings = blocked.space.sample(1, rng=np.random.default_rng(1))
        encoded = blocked.encoding.encode(settings).requires_grad_(requires_grad=True)
        blocked.botorch_model().posterior(encoded).mean.sum().backward()

        step = 1e-5
        up, down = (
            blocked.predict(settings.assign(pH=settings["pH"] + s)).mean[0] for s in (step, -step)
        )

        slope = (up - down) / (2 * step) * blocked.encoding.length("pH")
        assert encoded.grad is not None
        assert float(encoded.grad[0, 0]) == pytest.approx(slope, rel=1e-4)

    @pytest.mark.parametrize("cache_root", [True, False])
    def test_noisy_expected_improvement_takes_it(self, blocked, cache_root):
        with seeded_torch(np.random.default_rng(1)):
            acquisition = qLogNoisyExpectedImprovement(
                blocked.botorch_model(),
                blocked.encoding.encode(blocked.domain.runs),
                prune_baseline=True,
                cache_root=cache_root,
            )
            candidates, value = optimize_acqf(
                acquisition, blocked.encoding.bounds, q=2, num_restarts=2, raw_samples=16
            )

        assert torch.isfinite(value)
        assert blocked.space.contains(blocked.encoding.decode(candidates)).all()

    def test_several_responses_make_a_model_list(self, blocked):
        models = ModelListGP(blocked.botorch_model(), blocked.botorch_model())

        posterior = models.posterior(blocked.encoding.encode(blocked.domain.runs.head(3)))

        assert posterior.mean.shape == (3, 2)

    def test_samples_on_the_log_scale_come_back_as_expected_values(self):
        model = fitted(culture_study(transform="log"))
        settings = model.space.sample(4, rng=np.random.default_rng(1))
        posterior = model.botorch_model().posterior(model.encoding.encode(settings))

        with seeded_torch(np.random.default_rng(1)):
            natural = model.to_natural(posterior.rsample(torch.Size([4000])))

        prediction = model.predict(settings)
        error = 5 * prediction.latent_std / np.sqrt(4000)
        assert (np.abs(natural.mean(dim=0).numpy().ravel() - prediction.mean) < error).all()


@pytest.mark.gpu
def test_a_gpu_gives_the_predictions_of_the_cpu():
    study = culture_study(block_std=3.0)
    settings = study.space.sample(50, rng=np.random.default_rng(1))

    one, other = (fitted(study, device=device).predict(settings) for device in ("cpu", "cuda"))

    np.testing.assert_allclose(one.mean, other.mean, rtol=1e-6)
    np.testing.assert_allclose(one.new_run_std, other.new_run_std, rtol=1e-5)
