from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from doe.constraints import LinearConstraint
from doe.errors import InvalidValueError, TooFewDataError, UnknownNameError
from doe.factors import CategoricalFactor, ContinuousFactor, MixtureComponent
from doe.plots import Bars
from doe.responses import DerivedResponse
from doe.space import FactorSpace
from surrogates.domain import ApplicabilityDomain
from surrogates.drivers import rank_drivers
from surrogates.fitting import fit_surrogates
from surrogates.sobol import sobol_design, sobol_indices
from surrogates.surrogate import Prediction, SurrogateSet
from tests.surrogates.examples import culture_study

CUBE = FactorSpace(tuple(ContinuousFactor(f"x{i}", -np.pi, np.pi) for i in (1, 2, 3)))


@dataclass(frozen=True)
class Known:
    """A surface that is known exactly, as a surrogate."""

    space: FactorSpace
    function: object
    response: str = "y"

    @property
    def domain(self):
        ends = [
            {
                f.name: f.levels[k] if isinstance(f, CategoricalFactor) else (f.low, f.high)[k]
                for f in self.space.searched
            }
            for k in (0, 1)
        ]
        return ApplicabilityDomain(self.space, pd.DataFrame(ends), "none", 1.0, "")

    def predict(self, settings, *, block="new"):
        mean = self.function(settings)
        nothing = np.zeros(len(mean))
        return Prediction(mean, nothing, nothing, nothing.astype(bool))

    def sample(self, settings, n_draws, *, kind, block="new", rng):
        return np.tile(self.function(settings), (n_draws, 1))

    def probability_within(self, settings, lower, upper):
        raise NotImplementedError

    def describe(self):
        return {"unit": "g/L"}


def ishigami(settings):
    x1, x2, x3 = (settings[name].to_numpy() for name in ("x1", "x2", "x3"))
    return np.sin(x1) + 7 * np.sin(x2) ** 2 + 0.1 * x3**4 * np.sin(x1)


@pytest.fixture(scope="module")
def of_ishigami():
    return rank_drivers(
        SurrogateSet({"y": Known(CUBE, ishigami)}),
        n_draws=1,
        n_points=16384,
        rng=np.random.default_rng(1),
    )


@pytest.mark.requirement("ANA-13")
def test_the_indices_of_ishigamis_function_are_the_published_ones(of_ishigami):
    """a = 7, b = 0.1: Ishigami and Homma (1990)."""
    found = {driver.factor: driver for driver in of_ishigami.of("y")}

    for name, first, total in (
        ("x1", 0.3139, 0.5576),
        ("x2", 0.4424, 0.4424),
        ("x3", 0.0, 0.2437),
    ):
        assert found[name].first_order.mean == pytest.approx(first, abs=0.01)
        assert found[name].total.mean == pytest.approx(total, abs=0.01)
    assert [driver.factor for driver in of_ishigami.of("y")] == ["x1", "x2", "x3"]


def test_the_total_indices_of_an_additive_surface_are_its_shares():
    """y = 3 a + b + 0 c over equal ranges: shares 9/10, 1/10 and 0."""
    space = FactorSpace(tuple(ContinuousFactor(n, 0.0, 1.0) for n in "abc"))
    known = Known(space, lambda s: 3 * s["a"].to_numpy() + s["b"].to_numpy())

    ranking = rank_drivers(
        SurrogateSet({"y": known}), n_draws=1, n_points=4096, rng=np.random.default_rng(1)
    )

    found = {driver.factor: driver for driver in ranking.of("y")}
    for name, share, effect in (("a", 0.9, 3.0), ("b", 0.1, 1.0), ("c", 0.0, 0.0)):
        assert found[name].total.mean == pytest.approx(share, abs=0.005)
        assert found[name].first_order.mean == pytest.approx(share, abs=0.005)
        assert found[name].effect.mean == pytest.approx(effect, abs=1e-9)


def test_a_categorical_factor_has_the_largest_difference_between_levels_as_effect():
    space = FactorSpace((ContinuousFactor("pH", 6.0, 8.0), CategoricalFactor("resin", ("A", "B"))))
    known = Known(
        space, lambda s: (s["pH"].to_numpy() - 7) + s["resin"].map({"A": 0.0, "B": 5.0}).to_numpy()
    )

    ranking = rank_drivers(
        SurrogateSet({"y": known}), n_draws=1, n_points=1024, rng=np.random.default_rng(1)
    )

    resin = ranking.of("y")[0]
    assert resin.factor == "resin"
    assert resin.effect.mean == pytest.approx(5.0)
    assert resin.studied == "A, B"


@pytest.mark.requirement("ANA-13")
def test_the_factor_that_matters_is_first_and_an_inert_one_is_not():
    rng = np.random.default_rng(5)
    study = culture_study(n_runs=30)
    values = 50 + 20 * study.target["pH"].to_numpy() + 0.5 * rng.standard_normal(30)
    measured = dict(zip(study.target.index, values, strict=True))
    study = type(study)(
        study.space,
        study.responses,
        study.target,
        study.actual,
        study.recorded,
        tuple(_valued(m, measured[m.run]) for m in study.measurements),
    )

    ranking = rank_drivers(fit_surrogates(study, rng=rng), rng=rng)

    first = ranking.of("titre")[0]
    assert first.factor == "pH"
    assert first.rank_probability[0] == 1.0
    assert first.effect.low < 20 * np.ptp(study.target["pH"]) < first.effect.high
    for driver in ranking.of("titre")[1:]:
        assert driver.effect.low < 0 < driver.effect.high
        assert driver.total.mean < 0.1


def _valued(measurement, value):
    from dataclasses import replace

    return replace(measurement, value=value)


@pytest.fixture(scope="module")
def ranking():
    surrogates = fit_surrogates(culture_study(), rng=np.random.default_rng(1))
    both = SurrogateSet(surrogates.surrogates, (DerivedResponse("double", "2 * titre", "g/L"),))
    return rank_drivers(both, n_draws=100, n_points=64, rng=np.random.default_rng(2))


def test_ranks_are_probabilities(ranking):
    drivers = ranking.of("titre")

    by_rank = np.array([driver.rank_probability for driver in drivers])
    np.testing.assert_allclose(by_rank.sum(axis=0), 1.0)
    np.testing.assert_allclose(by_rank.sum(axis=1), 1.0)
    means = [driver.total.mean for driver in drivers]
    assert means == sorted(means, reverse=True)


def test_a_derived_response_is_ranked_on_the_same_draws(ranking):
    """Twice the titre has the shares of the titre and twice its effects."""
    for one, other in zip(ranking.of("titre"), ranking.of("double"), strict=True):
        assert one.factor == other.factor
        assert other.total.mean == pytest.approx(one.total.mean)
        assert other.effect.mean == pytest.approx(2 * one.effect.mean)


def test_the_plot_says_what_the_table_says(ranking):
    plot = ranking.plot("titre")
    bars = plot.layers[0]
    table = ranking.table().query("response == 'titre'")

    assert isinstance(bars, Bars)
    np.testing.assert_array_equal(bars.value, table["total"])
    order = [plot.y.categories[int(place)] for place in bars.y]
    assert order == table["factor"].tolist()
    assert table["factor"].iloc[0] in plot.sentence
    assert ranking.label == "effect over studied range"
    with pytest.raises(UnknownNameError, match="purity"):
        ranking.plot("purity")


def test_the_same_seed_gives_the_same_ranking():
    surrogates = fit_surrogates(culture_study(), rng=np.random.default_rng(1))

    one, other = (
        rank_drivers(surrogates, n_draws=20, n_points=32, rng=np.random.default_rng(2)).table()
        for _ in range(2)
    )

    assert one.equals(other)


def test_mixtures_are_refused_with_the_reason():
    space = FactorSpace((MixtureComponent("water"), MixtureComponent("salt")))
    known = Known(space, lambda s: s["salt"].to_numpy())

    with pytest.raises(InvalidValueError, match="add up to a constant"):
        rank_drivers(SurrogateSet({"y": known}), rng=np.random.default_rng(1))


def test_constraints_are_named_in_the_result_or_refused_when_they_take_most_of_the_box():
    def ranked(upper):
        factors = tuple(ContinuousFactor(n, 0.0, 1.0) for n in "ab")
        space = FactorSpace(factors, (LinearConstraint({"a": 1.0, "b": 1.0}, upper=upper),))
        known = Known(space, lambda s: s["a"].to_numpy())
        return rank_drivers(
            SurrogateSet({"y": known}), n_draws=1, n_points=64, rng=np.random.default_rng(1)
        )

    assert any("breaks the constraints" in note for note in ranked(1.5).notes)
    with pytest.raises(InvalidValueError, match="vary together"):
        ranked(0.5)


def test_a_flat_surface_has_no_drivers():
    known = Known(CUBE, lambda s: np.full(len(s), 3.0))

    with pytest.raises(TooFewDataError, match="flat"):
        rank_drivers(SurrogateSet({"y": known}), rng=np.random.default_rng(1))


def test_the_design_swaps_one_column_at_a_time():
    design = sobol_design(3, 8, rng=np.random.default_rng(1))

    a, b = design[0], design[1]
    for factor in range(3):
        assert np.array_equal(design[2 + factor][:, factor], b[:, factor])
        others = [k for k in range(3) if k != factor]
        assert np.array_equal(design[2 + factor][:, others], a[:, others])
    with pytest.raises(InvalidValueError, match="power of two"):
        sobol_design(3, 100, rng=np.random.default_rng(1))


def test_indices_do_not_depend_on_the_unit_of_the_surface():
    values = np.random.default_rng(1).normal(size=(2, 5, 64))

    one, other = sobol_indices(values), sobol_indices(1e6 * values + 3.0)

    np.testing.assert_allclose(one.total, other.total, rtol=1e-6)
    np.testing.assert_allclose(one.first_order, other.first_order, rtol=1e-6)
