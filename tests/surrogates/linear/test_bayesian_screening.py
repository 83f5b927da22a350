"""Posterior probabilities of active factors and effects."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from campaigns.exports.figures import image
from dashboards.figures.plotly_figure import to_plotly
from doe.designs import plackett_burman
from doe.errors import InvalidValueError, TooFewDataError, UnknownNameError
from doe.factors import CategoricalFactor, ContinuousFactor
from doe.plots import Bars
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.linear.screening.bayesian_screening import active_probabilities, screen_factors
from tests.surrogates.linear.screening_examples import coded_study, filtration, two_levels

pytestmark = pytest.mark.requirement("ANA-5")


def columns_of(points, chosen, max_interaction):
    sizes = range(1, min(max_interaction, len(chosen)) + 1)
    found = [points[:, part].prod(axis=1) for n in sizes for part in combinations(chosen, n)]
    return np.column_stack([np.ones(len(points)), *found])


def brute_force(points, values, *, prior, spread, max_interaction, always=None):
    """Box and Meyer (1993), equation 5, with their matrices written out."""
    n, k = points.shape
    weights = {}
    null = np.ones((n, 1)) if always is None else always
    null_left = values - null @ np.linalg.lstsq(null, values, rcond=None)[0]
    for size in range(k + 1):
        for chosen in combinations(range(k), size):
            matrix = np.column_stack(
                [null, columns_of(points, list(chosen), max_interaction)[:, 1:]]
            )
            q = null.shape[1]
            gamma = np.diag([0.0] * q + [spread**-2] * (matrix.shape[1] - q))
            inner = gamma + matrix.T @ matrix
            beta = np.linalg.solve(inner, matrix.T @ values)
            rest = values - matrix @ beta
            squares = rest @ rest + beta @ gamma @ beta
            weights[chosen] = (
                (prior / (1 - prior)) ** size
                * spread ** -(matrix.shape[1] - q)
                * np.sqrt(np.linalg.det(null.T @ null) / np.linalg.det(inner))
                * (squares / (null_left @ null_left)) ** (-(n - q) / 2)
            )
    total = sum(weights.values())
    return {chosen: weight / total for chosen, weight in weights.items()}


def marginal(weights, factor):
    return sum(weight for chosen, weight in weights.items() if factor in chosen)


@pytest.mark.parametrize("max_interaction", [1, 2, 3])
@pytest.mark.parametrize("spread", [0.4, 2.0])
def test_probabilities_are_those_of_box_and_meyers_formula(max_interaction, spread):
    base = two_levels(3)
    points = np.column_stack([base, base[:, 0] * base[:, 1], base[:, 1] * base[:, 2]])
    values = np.array([3.1, 5.2, 4.0, 9.3, 2.8, 5.5, 4.4, 8.7])

    found = screen_factors(
        coded_study(points, values), "y", spread=spread, max_interaction=max_interaction
    )

    expected = brute_force(
        points, values, prior=0.25, spread=spread, max_interaction=max_interaction
    )
    for place, name in enumerate("ABCDE"):
        assert found[name] == pytest.approx(marginal(expected, place), abs=1e-10)
    assert found.none == pytest.approx(expected[()], abs=1e-10)
    names, weight = found.models[0]
    best = max(expected, key=expected.get)
    assert names == tuple("ABCDE"[i] for i in best)
    assert weight == pytest.approx(expected[best], abs=1e-10)
    assert found.n_models == 32


def test_probabilities_are_those_of_numerical_integration_over_the_noise():
    """The marginal density of the results, by quadrature over log sigma for each model."""
    points = two_levels(2)
    values = np.array([1.0, 3.2, 1.3, 6.0])
    spread, prior = 1.5, 0.3
    contrasts = np.linalg.qr(np.column_stack([np.ones(4), points, points.prod(axis=1)]))[0][:, 1:]
    weights = {}
    for chosen in [(), (0,), (1,), (0, 1)]:
        matrix = columns_of(points, list(chosen), 2)[:, 1:]
        own = contrasts.T @ matrix if matrix.size else np.zeros((3, 1))
        covariance = np.eye(3) + spread**2 * own @ own.T

        def density(log_sigma, covariance=covariance):
            normal = stats.multivariate_normal(np.zeros(3), np.exp(2 * log_sigma) * covariance)
            return normal.pdf(contrasts.T @ values)

        weights[chosen] = integrate.quad(density, -8, 12, limit=400, epsabs=1e-14)[0]
        weights[chosen] *= (prior / (1 - prior)) ** len(chosen)
    total = sum(weights.values())

    found = screen_factors(coded_study(points, values), "y", prior=prior, spread=spread)

    assert found["A"] == pytest.approx((weights[0,] + weights[0, 1]) / total, rel=1e-6)
    assert found["B"] == pytest.approx((weights[1,] + weights[0, 1]) / total, rel=1e-6)


def test_blocks_have_flat_priors():
    points = two_levels(3)
    days = ["1", "2"] * 2 + ["2", "1"] * 2
    values = np.array([3.0, 5, 4, 9, 2, 5, 4, 8]) + 30 * (np.array(days) == "2")
    always = np.column_stack([np.ones(8), np.where(np.array(days) == "1", 1.0, -1.0)])

    found = screen_factors(coded_study(points, values, blocks=days), "y", spread=2.0)

    expected = brute_force(points, values, prior=0.25, spread=2.0, max_interaction=2, always=always)
    for place, name in enumerate("ABC"):
        assert found[name] == pytest.approx(marginal(expected, place), abs=1e-10)


def test_the_spread_is_the_one_that_makes_no_active_factor_least_probable():
    """Box and Meyer (1993): the density of the results does not depend on gamma without effects."""
    observations = filtration()
    found = screen_factors(observations, "y")

    for factor in (0.8, 0.95, 1.05, 1.25):
        other = screen_factors(observations, "y", spread=factor * found.spread)
        assert other.none >= found.none * (1 - 1e-6)
    assert found.spread_is_estimated
    assert {name for name in "ABCD" if found[name] > 0.5} == {"A", "C", "D"}


def test_the_factors_behind_an_aliased_interaction_are_found_in_a_plackett_burman_design():
    space = FactorSpace(tuple(ContinuousFactor(f"x{i}", 0, 10) for i in range(1, 12)))
    design = plackett_burman(space)
    coded = design.coded()
    y = 4 * coded["x2"] + 3 * coded["x2"] * coded["x5"]
    y = y + 0.3 * np.random.default_rng(1).standard_normal(12)
    table = design.runs.assign(y=np.asarray(y))
    observations = Observations.from_frame(table, space, (Response("y"),))

    found = screen_factors(observations, "y", max_active=4)

    assert found.n_models == 1 + 11 + 55 + 165 + 330
    assert set(found.models[0][0]) == {"x2", "x5"}
    assert found["x2"] > 0.9
    assert any("more than 4 of the 11" in note for note in found.notes)


def test_categories_with_several_levels_are_one_factor():
    rng = np.random.default_rng(3)
    space = FactorSpace(
        (
            CategoricalFactor("resin", ("A", "B", "C")),
            ContinuousFactor("pH", 6, 8),
            ContinuousFactor("salt", 0, 1),
        )
    )
    table = pd.DataFrame(
        [(r, p, s) for r in "ABC" for p in (6.0, 8.0) for s in (0.0, 1.0)],
        columns=["resin", "pH", "salt"],
    )
    table["y"] = table["resin"].map({"A": 0.0, "B": 5.0, "C": 1.0}) + rng.normal(0, 0.5, 12)
    found = screen_factors(Observations.from_frame(table, space, (Response("y"),)), "y")

    assert found["resin"] > 0.9
    assert found["pH"] < 0.5


@given(
    values=st.lists(st.floats(-20, 20).map(lambda x: round(x, 2)), min_size=8, max_size=8),
    order=st.permutations(range(4)),
    scale=st.sampled_from([1e-3, 7.0]),
)
@settings(max_examples=15, deadline=None)
def test_probabilities_do_not_depend_on_factor_order_units_or_signs(values, order, scale):
    base = two_levels(3)
    points = np.column_stack([base, base.prod(axis=1)])
    values = np.array(values) + np.arange(8)
    one = screen_factors(coded_study(points, values, "ABCD"), "y", spread=1.7)

    turned = -points[:, list(order)]
    other = screen_factors(
        coded_study(turned, 3 - scale * values, ["ABCD"[i] for i in order], low=5.0, high=9.0),
        "y",
        spread=1.7,
    )

    for name in "ABCD":
        assert other[name] == pytest.approx(one[name], abs=1e-9)
        assert 0 <= one[name] <= 1


def test_the_table_and_the_figure_show_every_factor_with_its_range():
    found = screen_factors(filtration(), "y", max_interaction=3)
    table = found.table()

    assert list(table["probability"]) == sorted(table["probability"], reverse=True)
    assert (table["lowest"] <= table["probability"]).all()
    assert (table["probability"] <= table["highest"]).all()
    plot = found.plot()
    assert image(plot, "png").startswith(b"\x89PNG")
    assert to_plotly(plot)["data"]
    bars = next(layer for layer in plot.layers if isinstance(layer, Bars))
    assert plot.y.categories[-1] == table.index[0]
    assert bars.value[-1] == pytest.approx(table["probability"].iloc[0])


def test_active_effects_are_told_from_noise_as_the_sum_over_all_sets_does():
    """Box and Meyer (1986): sigma integrated out exactly for each set of active effects."""
    values = np.array([21.6, 3.1, -9.9, 14.6, 0.1, -2.2, 1.9])
    prior, inflation = 0.2, 10.0
    weights, inside = [], []
    for size in range(8):
        for chosen in combinations(range(7), size):
            active = np.isin(np.arange(7), chosen)
            squares = np.sum(np.where(active, values / inflation, values) ** 2)
            weights.append((prior / (1 - prior) / inflation) ** size * squares ** (-7 / 2))
            inside.append(active)
    expected = np.array(weights) @ np.array(inside) / sum(weights)

    np.testing.assert_allclose(active_probabilities(values), expected, rtol=1e-8)


@given(
    values=st.lists(st.floats(-50, 50), min_size=4, max_size=20).filter(any),
    factor=st.floats(0.01, 100),
)
@settings(max_examples=30, deadline=None)
def test_probabilities_of_effects_do_not_depend_on_unit_and_rise_with_size(values, factor):
    values = np.array(values)
    found = active_probabilities(values)

    np.testing.assert_allclose(active_probabilities(-factor * values), found, atol=1e-6)
    order = np.argsort(np.abs(values))
    assert (np.diff(found[order]) >= -1e-9).all()


def test_curvature_is_named_as_part_of_the_noise():
    points = np.vstack([two_levels(2), np.zeros((2, 2))])
    found = screen_factors(coded_study(points, [1, 2, 3, 4, 9, 9.2]), "y", spread=2.0)

    assert any("curvature" in note for note in found.notes)


def test_bad_requests_are_refused_in_words():
    observations = filtration()
    for options, words in [
        ({"prior": 1.0}, "prior is 1"),
        ({"spread": -1.0}, "spread is -1"),
        ({"max_interaction": 0}, "max_interaction is 0"),
        ({"max_active": 5}, "max_active is 5; expected 1 to 4"),
    ]:
        with pytest.raises(InvalidValueError, match=words):
            screen_factors(observations, "y", **options)
    with pytest.raises(UnknownNameError, match="no factor 'Z'"):
        screen_factors(observations, "y", spread=2.0)["Z"]
    with pytest.raises(TooFewDataError, match="beside constant and blocks"):
        screen_factors(coded_study(np.array([[-1.0], [1.0]]), [1, 2]), "y")
    many = np.random.default_rng(0).choice([-1.0, 1.0], (20, 20))
    with pytest.raises(InvalidValueError, match="choose up to 5"):
        screen_factors(coded_study(many, np.arange(20.0)), "y", max_active=12)
    with pytest.raises(InvalidValueError, match="inflation"):
        active_probabilities(np.arange(5.0), inflation=0.5)
    with pytest.raises(TooFewDataError, match="at least three"):
        active_probabilities(np.zeros(5))
