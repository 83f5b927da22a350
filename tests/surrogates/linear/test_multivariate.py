"""Several responses with the same terms: margins, correlated draws and joint probabilities."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from doe.errors import InvalidValueError, TooFewDataError, UnknownNameError
from doe.factors import BlockFactor
from doe.responses import DerivedResponse, Specification
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.linear.joint.multivariate import fit_multivariate
from surrogates.linear.model import fit_linear
from surrogates.probability import probability_in_specification
from surrogates.surrogate import JointSurrogate, SurrogateSet
from surrogates.validation import without_runs
from tests.surrogates.linear.examples import montgomery_study, paired_study, plane

NAMES = ("yield", "viscosity", "molecular weight")
SETTINGS = plane((0, 0), (0.4, -0.9), (-0.4, 0.9), (1, 1))


@pytest.fixture(scope="module")
def three():
    return fit_multivariate(montgomery_study(), NAMES)


def test_it_is_a_joint_surrogate(three):
    assert isinstance(three, JointSurrogate)


@pytest.mark.requirement("DS-1")
def test_one_response_alone_is_the_linear_model_itself():
    alone = fit_multivariate(montgomery_study(), ["yield"])["yield"]
    model = fit_linear(montgomery_study(), "yield")

    one, other = alone.predict(SETTINGS), model.predict(SETTINGS)
    np.testing.assert_allclose(one.mean, other.mean, rtol=1e-12)
    np.testing.assert_allclose(one.new_run_std, other.new_run_std, rtol=1e-12)
    np.testing.assert_allclose(
        alone.probability_within(SETTINGS, 78.5, 80),
        model.probability_within(SETTINGS, 78.5, 80),
        rtol=1e-10,
    )


@pytest.mark.requirement("DS-1")
def test_a_margin_has_fewer_degrees_of_freedom_than_the_response_alone(three):
    """n - p - q + 1 = 5 in place of n - p = 7, and the scale grows with it."""
    margin = three["yield"]
    model = fit_linear(montgomery_study(), "yield")
    scale = np.sqrt(
        (1 + model.solution.leverage_of(model.model_rows(SETTINGS))) * model.solution.rss
    )
    location = model.model_rows(SETTINGS) @ model.coefficients

    low, high = margin.predict(SETTINGS).interval(0.9)

    reach = stats.t.ppf(0.95, 5) * scale / np.sqrt(5)
    np.testing.assert_allclose([low, high], [location - reach, location + reach])
    assert (
        margin.probability_within(SETTINGS, 78.5, None)[:1]
        < model.probability_within(SETTINGS, 78.5, None)[:1]
    ).all()
    assert any("n - p - q + 1 = 5" in text for text in margin.describe()["warnings"])


@pytest.mark.requirement("DS-1")
def test_joint_draws_have_the_probability_and_the_correlation_that_are_stated(three):
    limits = {"yield": (78.5, None), "viscosity": (62, 68), "molecular weight": (None, 3400)}
    found = three.probability_within(SETTINGS, limits, rng=np.random.default_rng(1))
    n = 40_000

    draws = three.sample(SETTINGS, n, kind="new_run", rng=np.random.default_rng(2))

    low, high = np.array([78.5, 62, -np.inf]), np.array([np.inf, 68, 3400])
    share = ((draws >= low) & (draws <= high)).all(axis=2).mean(axis=0)
    np.testing.assert_allclose(found.value, share, atol=4.5 * np.sqrt(0.25 / n))
    # Rank correlations of a multivariate t are robust to its heavy tails.
    ranks = stats.spearmanr(draws[:, 0]).statistic
    expected = 6 / np.pi * np.arcsin(three.correlations / 2)
    np.testing.assert_allclose(ranks, expected, atol=0.03)


@pytest.mark.requirement("DS-1")
def test_latent_draws_leave_the_noise_out_and_keep_the_correlation(three):
    n = 40_000
    draws = three.sample(SETTINGS, n, kind="latent", rng=np.random.default_rng(2))
    prediction = three["viscosity"].predict(SETTINGS)

    np.testing.assert_allclose(draws[:, :, 1].std(axis=0), prediction.latent_std, rtol=0.05)
    ranks = stats.spearmanr(draws[:, 1]).statistic
    np.testing.assert_allclose(ranks, 6 / np.pi * np.arcsin(three.correlations / 2), atol=0.03)


def test_two_limited_responses_of_three_need_no_random_numbers(three):
    pair = three.probability_within(SETTINGS, {"yield": (78.5, None), "viscosity": (62, 68)})

    assert pair.method.startswith("Quadrature")
    assert (pair.standard_error == 0).all()
    smallest = np.minimum(
        three["yield"].probability_within(SETTINGS, 78.5, None),
        three["viscosity"].probability_within(SETTINGS, 62, 68),
    )
    assert (pair.value <= smallest).all()


def test_the_order_of_responses_and_of_runs_means_nothing(three):
    study = montgomery_study()
    order = np.random.default_rng(3).permutation(13)
    shuffled = replace(
        study,
        target=study.target.iloc[order],
        actual=study.actual.iloc[order],
        recorded=study.recorded.iloc[order],
        measurements=tuple(reversed(study.measurements)),
    )
    turned = fit_multivariate(shuffled, tuple(reversed(NAMES)))
    limits = {"yield": (78.5, None), "viscosity": (62, 68)}

    np.testing.assert_allclose(
        turned.probability_within(SETTINGS, limits).value,
        three.probability_within(SETTINGS, limits).value,
        rtol=1e-9,
    )
    np.testing.assert_allclose(turned.correlations, three.correlations[::-1, ::-1], rtol=1e-9)


def test_the_unit_of_a_response_means_nothing(three):
    study = montgomery_study()
    small = tuple(
        replace(m, value=m.value / 1000) if m.response == "molecular weight" else m
        for m in study.measurements
    )
    scaled = fit_multivariate(replace(study, measurements=small), NAMES)

    one = three.probability_within(
        SETTINGS, {"yield": (79, None), "molecular weight": (None, 3400)}
    )
    other = scaled.probability_within(
        SETTINGS, {"yield": (79, None), "molecular weight": (None, 3.4)}
    )
    np.testing.assert_allclose(one.value, other.value, rtol=1e-9)


@pytest.mark.requirement("DS-1")
def test_a_set_draws_the_responses_of_a_joint_model_together():
    """The errors of both responses correlate 0.8, so their difference varies less."""
    study = paired_study()
    joint = fit_multivariate(study, ["titre", "aggregates"], "quadratic")
    derived = DerivedResponse("difference", "titre - aggregates", "g/L")
    settings = study.space.sample(2, rng=np.random.default_rng(1))

    linked = joint.surrogate_set([derived])
    apart = SurrogateSet(linked.surrogates, (derived,))
    draws = {
        name: group.sample(settings, 8000, kind="new_run", rng=np.random.default_rng(5))
        for name, group in (("linked", linked), ("apart", apart))
    }

    assert linked.responses == ("titre", "aggregates", "difference")
    assert not linked.independent
    correlation = joint.correlations[0, 1]
    assert correlation > 0.5
    assert stats.spearmanr(draws["linked"][:, 0, 0], draws["linked"][:, 0, 1]).statistic == (
        pytest.approx(6 / np.pi * np.arcsin(correlation / 2), abs=0.04)
    )
    assert abs(stats.spearmanr(draws["apart"][:, 0, 0], draws["apart"][:, 0, 1]).statistic) < 0.04
    assert draws["linked"][:, 0, 2].std() < 0.8 * draws["apart"][:, 0, 2].std()
    np.testing.assert_allclose(
        draws["linked"][:, :, 2], draws["linked"][:, :, 0] - draws["linked"][:, :, 1]
    )


def test_the_probability_in_specification_of_a_set_uses_its_joint_draws(three):
    specifications = (
        Specification("yield", lower=78.5),
        Specification("viscosity", lower=62, upper=68),
        Specification("molecular weight", upper=3400),
    )
    found = probability_in_specification(
        three.surrogate_set(), specifications, SETTINGS, rng=np.random.default_rng(1)
    )

    limits = {s.response: (s.lower, s.upper) for s in specifications}
    exact = three.probability_within(SETTINGS, limits, rng=np.random.default_rng(2)).value
    np.testing.assert_allclose(found.joint, exact, atol=4.5 * 0.005)
    product = np.prod(found.marginal, axis=0)
    assert abs(found.joint[1] - exact[1]) < abs(product[1] - exact[1])


def test_responses_outside_the_joint_model_keep_their_place_and_their_own_draws(three):
    alone = fit_linear(montgomery_study(), "viscosity")
    pair = fit_multivariate(montgomery_study(), ["molecular weight", "yield"])
    group = SurrogateSet(
        {"yield": pair["yield"], "viscosity": alone, "molecular weight": pair["molecular weight"]},
        independent=False,
        joint=pair,
    )

    draws = group.sample(SETTINGS, 4000, kind="new_run", rng=np.random.default_rng(1))

    for place, name in enumerate(group.responses):
        prediction = group[name].predict(SETTINGS)
        np.testing.assert_allclose(
            draws[:, :, place].mean(axis=0),
            prediction.mean,
            atol=5 * prediction.new_run_std.max() / np.sqrt(4000),
        )


def test_a_set_refuses_a_joint_model_that_does_not_fit(three):
    with pytest.raises(InvalidValueError, match=r"no surrogates: give the margin.*'yield'"):
        SurrogateSet({"yield": three["yield"]}, independent=False, joint=three)
    margins = {name: three[name] for name in NAMES}
    with pytest.raises(InvalidValueError, match="set independent=False"):
        SurrogateSet(margins, joint=three)


@pytest.mark.requirement("DS-1")
def test_a_response_on_the_log_scale_keeps_exact_probabilities():
    joint = fit_multivariate(paired_study(transform="log"), ["titre", "aggregates"])
    settings = joint.space.sample(3, rng=np.random.default_rng(1))
    limits = {"titre": (11.0, 14.0), "aggregates": (None, 21.0)}

    found = joint.probability_within(settings, limits)
    draws = joint.sample(settings, 40_000, kind="new_run", rng=np.random.default_rng(3))

    met = (draws[:, :, 0] >= 11) & (draws[:, :, 0] <= 14) & (draws[:, :, 1] <= 21)
    np.testing.assert_allclose(found.value, met.mean(axis=0), atol=4.5 * np.sqrt(0.25 / 40_000))


def test_the_description_is_plain_json_and_states_the_prior(three):
    described = three.describe()

    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert "|Sigma|^-(q+1)/2" in described["prior"]
    assert described["degrees_of_freedom"] == 5
    assert "adding responses lowers" in described["warnings"][0]
    assert list(three.table().columns) == ["residual SD", *NAMES]


def test_runs_without_all_responses_are_refused_or_left_out_by_name():
    study = montgomery_study()
    kept = tuple(m for m in study.measurements if (m.run, m.response) != ("7", "viscosity"))
    fewer = replace(study, measurements=kept)

    with pytest.raises(InvalidValueError, match=r"1 runs have values of some.*: 7\. .*leave_out"):
        fit_multivariate(fewer, NAMES)
    joint = fit_multivariate(fewer, NAMES, incomplete="leave_out")
    assert joint.n_runs == 12
    assert any("left out of the joint model: 7" in text for text in joint.models[0].warnings)


def test_what_cannot_be_fitted_together_is_refused():
    study = montgomery_study()
    double = tuple(
        replace(m, value=2 * other.value + 3) if m.response == "viscosity" else m
        for m, other in zip(study.measurements, _of_yield(study), strict=True)
    )
    with pytest.raises(InvalidValueError, match=r"'viscosity' follow from those of \['yield'\]"):
        fit_multivariate(replace(study, measurements=double), ["yield", "viscosity"])
    with pytest.raises(InvalidValueError, match="different response names"):
        fit_multivariate(study, ["yield", "yield"])
    with pytest.raises(InvalidValueError, match="different response names"):
        fit_multivariate(study, "yield")
    with pytest.raises(InvalidValueError, match="blocks is 'random'"):
        fit_multivariate(study, NAMES, blocks="random")
    with pytest.raises(UnknownNameError, match="purity"):
        fit_multivariate(study, ["yield", "purity"])
    with pytest.raises(TooFewDataError, match=r"n - p - q \+ 1 = 1"):
        fit_multivariate(without_runs(study, {"5", "6", "7", "8"}), NAMES)


def _of_yield(study):
    by_run = {m.run: m for m in study.measurements if m.response == "yield"}
    return [by_run[m.run] for m in study.measurements]


def test_limits_of_responses_that_are_not_there_are_refused(three):
    with pytest.raises(UnknownNameError, match="'purity', which is not modelled"):
        three.probability_within(SETTINGS, {"purity": (90, None)})
    with pytest.raises(InvalidValueError, match="limit of 'yield' is not a number"):
        three.probability_within(SETTINGS, {"yield": (float("nan"), None)})
    with pytest.raises(UnknownNameError, match="'purity' is not modelled"):
        three["purity"]


def test_fixed_blocks_shift_all_responses_and_a_new_block_is_their_average():
    study = montgomery_study()
    space = FactorSpace((*study.space.factors, BlockFactor("day", random=False)))
    table = study.table().assign(day=["1", "2"] * 6 + ["1"])
    observations = Observations.from_frame(table, space, study.responses)

    joint = fit_multivariate(observations, ["yield", "viscosity"], "linear")

    places = [joint.distribution(SETTINGS, block=day).location for day in ("1", "2", "new")]
    np.testing.assert_allclose((places[0] + places[1]) / 2, places[2])
    assert np.abs(places[0] - places[1]).min() > 0
    left_out = fit_multivariate(observations, ["yield", "viscosity"], "linear", blocks="ignore")
    assert left_out.degrees == joint.degrees + 1
    assert joint.models[0].describe()["treatment"]["runs_used"] == 13
