"""Responses with terms of their own, and whether the chains that draw them have settled."""

import json
from dataclasses import replace

import numpy as np
import pytest

from doe.errors import InvalidValueError, TooFewDataError, UnknownNameError
from doe.responses import Response
from doe.runs import Observations
from surrogates.linear.joint.convergence import convergence, effective_draws, split_r_hat
from surrogates.linear.joint.multivariate import fit_multivariate
from surrogates.linear.joint.seemingly_unrelated import fit_seemingly_unrelated
from surrogates.linear.model import fit_linear
from surrogates.surrogate import JointSurrogate
from surrogates.validation import without_runs
from tests.surrogates.linear.examples import PLANE, montgomery_study, paired_study, plane

NAMES = ("yield", "viscosity", "molecular weight")
LIMITS = {"yield": (78.5, None), "viscosity": (62, 68), "molecular weight": (None, 3400)}
SETTINGS = plane((0, 0), (0.4, -0.9), (-0.4, 0.9), (1, 1))
OWN_TERMS = {"yield": "quadratic", "viscosity": "quadratic", "molecular weight": "linear"}


def fitted(terms, *, seed=1, **options):
    return fit_seemingly_unrelated(
        montgomery_study(), NAMES, terms, rng=np.random.default_rng(seed), **options
    )


@pytest.fixture(scope="module")
def own():
    return fitted(OWN_TERMS)


@pytest.mark.requirement("DS-1")
def test_with_the_same_terms_it_agrees_with_the_closed_form():
    """An independent route to the same posterior: Gibbs sampling against multivariate t."""
    drawn = fitted(dict.fromkeys(NAMES, "quadratic"), n_draws=3000)
    exact = fit_multivariate(montgomery_study(), NAMES)

    found = drawn.probability_within(SETTINGS, LIMITS)
    expected = exact.probability_within(SETTINGS, LIMITS, rng=np.random.default_rng(1))

    assert drawn.convergence.is_settled
    assert (found.standard_error < 0.004).all()
    np.testing.assert_array_less(np.abs(found.value - expected.value), 4.5 * found.standard_error)
    for name in NAMES:
        one, other = drawn[name].predict(SETTINGS), exact[name].predict(SETTINGS)
        scale = other.latent_std
        np.testing.assert_allclose((one.mean - other.mean) / scale, 0, atol=0.06)
        np.testing.assert_allclose(one.latent_std, other.latent_std, rtol=0.06)
        for low_or_high, reference in zip(one.interval(0.9), other.interval(0.9), strict=True):
            np.testing.assert_allclose((low_or_high - reference) / other.new_run_std, 0, atol=0.05)
        lower, upper = LIMITS[name]
        np.testing.assert_allclose(
            drawn[name].probability_within(SETTINGS, lower, upper),
            exact[name].probability_within(SETTINGS, lower, upper),
            atol=0.012,
        )


@pytest.mark.requirement("DS-1")
def test_one_response_alone_is_the_linear_model():
    drawn = fit_seemingly_unrelated(
        montgomery_study(), ["yield"], {"yield": "quadratic"}, rng=np.random.default_rng(3)
    )
    model = fit_linear(montgomery_study(), "yield")

    one, other = drawn["yield"].predict(SETTINGS), model.predict(SETTINGS)
    np.testing.assert_allclose((one.mean - other.mean) / other.latent_std, 0, atol=0.06)
    np.testing.assert_allclose(one.new_run_std, other.new_run_std, rtol=0.05)


@pytest.mark.requirement("DS-1")
def test_only_the_larger_of_two_nested_models_gains_from_the_correlation():
    """Revankar (1974), JASA 69, 187-190: the smaller model's estimate stays least squares."""
    study = paired_study(correlation=0.95)
    joint = fit_seemingly_unrelated(
        study,
        ["titre", "aggregates"],
        {"titre": "quadratic", "aggregates": "pH"},
        rng=np.random.default_rng(1),
    )
    table = joint.table().set_index(["response", "term"])
    larger = joint.models[0]
    error = dict(zip(larger.columns, larger.standard_errors, strict=True))["temperature"]

    assert table.loc[("titre", "temperature"), "SD"] < 0.6 * error
    small = table.loc[("aggregates", "pH")]
    assert abs(small["mean"] - small["least squares"]) < 0.05 * small["SD"]
    assert joint.correlations[0, 1] > 0.8


@pytest.mark.requirement("DS-1")
def test_coefficients_follow_the_posterior_that_a_grid_integrates():
    """p(beta | y) is proportional to |E'E|^(-n/2), E the errors (Zellner 1971, section 8.5)."""
    table = montgomery_study().table()[["x1", "x2"]]
    errors = np.random.default_rng(6).standard_normal((13, 2)) @ [[1.0, 0.7], [0.0, 0.7]]
    table["y"] = 2 * table["x1"] + errors[:, 0]
    table["z"] = table["x2"] - table["x1"] * table["x2"] + errors[:, 1]
    drawn = fit_seemingly_unrelated(
        Observations.from_frame(table, PLANE, (Response("y"), Response("z"))),
        ["y", "z"],
        {"y": "0 + x1", "z": "0 + x2 + x1:x2"},
        rng=np.random.default_rng(2),
        n_draws=4000,
    )
    first, second = drawn.models
    fits = [model.solution for model in drawn.models]
    width = [6 * model.standard_errors for model in drawn.models]
    axes = [
        np.linspace(centre - reach, centre + reach, 61)
        for centre, reach in zip(
            np.concatenate([fit.coefficients for fit in fits]), np.concatenate(width), strict=True
        )
    ]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    one = first.values - points[:, :1] @ fits[0].matrix.T
    other = second.values - points[:, 1:] @ fits[1].matrix.T
    determinant = (one**2).sum(1) * (other**2).sum(1) - (one * other).sum(1) ** 2
    weight = np.exp(-13 / 2 * (np.log(determinant) - np.log(determinant).min()))
    weight /= weight.sum()
    mean = weight @ points
    covariance = (points - mean).T @ ((points - mean) * weight[:, None])

    draws = np.hstack(drawn.coefficients)
    std = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose((draws.mean(axis=0) - mean) / std, 0, atol=0.05)
    np.testing.assert_allclose(draws.std(axis=0), std, rtol=0.04)
    np.testing.assert_allclose(np.corrcoef(draws.T), covariance / np.outer(std, std), atol=0.05)


def test_draws_have_the_stated_probabilities_and_correlations(own):
    n = 40_000
    draws = own.sample(SETTINGS, n, kind="new_run", rng=np.random.default_rng(2))
    found = own.probability_within(SETTINGS, LIMITS)

    low, high = np.array([78.5, 62, -np.inf]), np.array([np.inf, 68, 3400])
    share = ((draws >= low) & (draws <= high)).all(axis=2).mean(axis=0)
    np.testing.assert_allclose(found.value, share, atol=4.5 * np.sqrt(0.25 / n))
    assert np.corrcoef(draws[:, 0, 0], draws[:, 0, 1])[0, 1] < -0.2


def test_the_same_generator_gives_the_same_model_and_later_answers_need_none(own):
    again = fitted(OWN_TERMS)

    assert np.array_equal(again.covariances, own.covariances)
    one, other = (m.probability_within(SETTINGS, LIMITS) for m in (again, own))
    assert np.array_equal(one.value, other.value)
    assert np.array_equal(own.probability_within(SETTINGS, LIMITS).value, other.value)
    assert again.describe() == own.describe()


def test_the_coding_and_the_order_of_rows_and_columns_mean_nothing(own):
    study = montgomery_study()
    order = np.random.default_rng(3).permutation(13)
    shuffled = replace(
        study,
        target=study.target.iloc[order],
        actual=study.actual.iloc[order],
        recorded=study.recorded.iloc[order],
        measurements=tuple(reversed(study.measurements)),
    )
    other = fit_seemingly_unrelated(
        shuffled,
        NAMES,
        {**OWN_TERMS, "yield": "I(x2**2) + x2*x1 + I((x1 - 3)**2)"},
        rng=np.random.default_rng(1),
    )

    np.testing.assert_allclose(
        other.probability_within(SETTINGS, LIMITS).value,
        own.probability_within(SETTINGS, LIMITS).value,
        rtol=1e-6,
    )


def test_the_unit_of_a_response_means_nothing(own):
    study = montgomery_study()
    small = tuple(
        replace(m, value=m.value / 1000) if m.response == "molecular weight" else m
        for m in study.measurements
    )
    scaled = fit_seemingly_unrelated(
        replace(study, measurements=small), NAMES, OWN_TERMS, rng=np.random.default_rng(1)
    )

    np.testing.assert_allclose(
        scaled.probability_within(SETTINGS, {**LIMITS, "molecular weight": (None, 3.4)}).value,
        own.probability_within(SETTINGS, LIMITS).value,
        rtol=1e-8,
    )


def test_it_is_a_joint_surrogate_and_supplies_a_set(own):
    assert isinstance(own, JointSurrogate)
    group = own.surrogate_set()

    one = group.sample(SETTINGS, 50, kind="latent", rng=np.random.default_rng(4))
    other = own.sample(SETTINGS, 50, kind="latent", rng=np.random.default_rng(4))

    assert np.array_equal(one, other)
    assert not group.independent


def test_quantiles_turn_probabilities_around(own):
    drawn = own["yield"].distribution(SETTINGS)

    for share in (0.01, 0.5, 0.975):
        ends = drawn.quantile(share, "new_run")
        for place, end in enumerate(ends):
            below = drawn.probability_within(None, float(end))[place]
            assert below == pytest.approx(share, abs=1e-9)


def test_the_log_density_integrates_to_one():
    joint = fit_seemingly_unrelated(
        paired_study(transform="log"),
        ["titre", "aggregates"],
        {"titre": "quadratic", "aggregates": "linear"},
        rng=np.random.default_rng(1),
        n_draws=100,
    )
    settings = joint.space.sample(1, rng=np.random.default_rng(2))
    drawn = joint["titre"].distribution(settings)
    places = np.linspace(5.0, 40.0, 3001)

    density = np.array([np.exp(drawn.log_density(np.array([y])))[0] for y in places])

    assert np.trapezoid(density, places) == pytest.approx(1.0, abs=1e-3)


def test_the_description_is_plain_json_and_reports_convergence(own):
    described = own.describe()

    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert described["split_r_hat"] < 1.01
    assert described["effective_draws"] > 400
    assert described["terms"]["molecular weight"] == ["Intercept", "x1", "x2"]
    assert "settled" in described["convergence"]
    assert set(own.table()["response"]) == set(NAMES)


def test_too_few_draws_are_said_to_be_too_few():
    short = fitted(OWN_TERMS, n_draws=40, burn_in=0)

    assert not short.convergence.is_settled
    assert any("larger burn_in and n_draws" in text for text in short.warnings)


def test_autocorrelated_chains_are_worth_fewer_draws():
    """A first-order autoregression with coefficient phi is worth (1 - phi)/(1 + phi) of it."""
    rng, phi = np.random.default_rng(1), 0.6
    noise = rng.standard_normal((4, 20_000))
    chains = np.empty_like(noise)
    chains[:, 0] = noise[:, 0] / np.sqrt(1 - phi**2)
    for step in range(1, noise.shape[1]):
        chains[:, step] = phi * chains[:, step - 1] + noise[:, step]

    assert effective_draws(chains) == pytest.approx(80_000 * 0.4 / 1.6, rel=0.1)
    assert effective_draws(noise) == pytest.approx(80_000, rel=0.1)


def test_chains_that_disagree_or_drift_have_a_large_r_hat():
    rng = np.random.default_rng(2)
    chains = rng.standard_normal((4, 500))

    assert split_r_hat(chains) == pytest.approx(1.0, abs=0.01)
    assert split_r_hat(chains + np.arange(4)[:, None]) > 1.4
    assert split_r_hat(chains + np.linspace(0, 4, 500)) > 1.3
    worst = convergence({"steady": chains, "apart": chains + np.arange(4)[:, None]})
    assert worst.r_hat_of == worst.effective_draws_of == "apart"
    assert "apart" in worst.sentence()


def test_responses_without_terms_and_wrong_numbers_are_refused():
    with pytest.raises(UnknownNameError, match=r"no terms for \['viscosity'\]"):
        fitted({"yield": "linear", "molecular weight": "linear"})
    with pytest.raises(InvalidValueError, match="n_draws is 5"):
        fitted(OWN_TERMS, n_draws=5)
    with pytest.raises(InvalidValueError, match="burn_in is -1"):
        fitted(OWN_TERMS, burn_in=-1)
    with pytest.raises(InvalidValueError, match="blocks is 'random'"):
        fitted(OWN_TERMS, blocks="random")


def test_a_response_that_is_twice_another_is_refused_with_other_terms_too():
    study = montgomery_study()
    table = study.settings()[["x1", "x2"]].assign(
        Y=study.values("yield")["value"].to_numpy(dtype=np.float64)
    )
    table["V"] = 2 * table["Y"]
    twins = Observations.from_frame(table, study.space, (Response("Y"), Response("V")))
    for terms in ({"Y": "linear", "V": "quadratic"}, {"Y": "quadratic", "V": "linear"}):
        with pytest.raises(InvalidValueError, match=r"'V' follow from those of \['Y'\] and"):
            fit_seemingly_unrelated(twins, ["Y", "V"], terms, rng=np.random.default_rng(1))


def test_without_a_number_of_draws_it_draws_until_they_are_enough():
    study, terms = paired_study(correlation=0.99), {"titre": "quadratic", "aggregates": "pH"}
    asked = {"observations": study, "responses": list(terms), "terms_by_response": terms}
    once = fit_seemingly_unrelated(**asked, n_draws=100, rng=np.random.default_rng(3))
    first = fit_seemingly_unrelated(**asked, rng=np.random.default_rng(3))
    again = fit_seemingly_unrelated(**asked, rng=np.random.default_rng(3))

    assert not once.convergence.is_settled
    assert first.convergence.is_settled
    assert first.convergence.n_draws in range(2000, 10_001, 2000)
    np.testing.assert_array_equal(first.covariances, again.covariances)


def test_terms_that_together_leave_no_error_are_refused():
    """With n = rank + q - 1 some weighted sum of the responses is fitted without error."""
    few = without_runs(montgomery_study(), {"6", "7", "8", "9", "11", "13"})

    with pytest.raises(TooFewDataError, match="make 6 different columns; at least 8 are needed"):
        fit_seemingly_unrelated(
            few,
            ["yield", "viscosity"],
            {"yield": "x1 + I(x1**2)", "viscosity": "0 + x2 + x1:x2 + I(x2**2)"},
            rng=np.random.default_rng(1),
        )
