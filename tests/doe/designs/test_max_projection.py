import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.designs.projections import log_nearness, max_projection_criterion, project_latin
from doe.designs.space_filling import latin_hypercube, max_projection
from doe.designs.unit_points import PointColumns, point_columns, unit_points
from doe.errors import DesignError
from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor, MixtureComponent
from doe.space import FactorSpace
from tests.doe.designs.examples import continuous, mixed_spaces


def rng(seed=1):
    return np.random.default_rng(seed)


def numbers(n_factors):
    return PointColumns(np.zeros(n_factors, dtype=bool), np.zeros(n_factors, dtype=np.int64))


def criterion_pair_by_pair(points, columns):
    """Joseph, Gul and Ba (2015, 2020) as they write it: a loop over pairs and factors."""
    total = 0.0
    pairs = list(itertools.combinations(points, 2))
    for one, other in pairs:
        product = 1.0
        for place, (a, b) in enumerate(zip(one, other, strict=True)):
            m = columns.n_levels[place]
            if columns.is_category[place]:
                product *= (float(a != b) + 1 / m) ** 2
            elif m:
                product *= (abs(a - b) + 1 / m) ** 2
            else:
                product *= (a - b) ** 2
        total += 1 / product
    return (total / len(pairs)) ** (1 / points.shape[1])


@pytest.mark.requirement("DOE-6")
@given(n_runs=st.integers(2, 12), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_the_criterion_is_the_mean_over_pairs_of_inverse_squared_products(n_runs, seed):
    points = rng(seed).random((n_runs, 4))
    points[:, 2] = rng(seed).integers(5, size=n_runs) / 4
    points[:, 3] = rng(seed).integers(3, size=n_runs)
    columns = PointColumns(np.array([False, False, False, True]), np.array([0, 0, 5, 3]))

    naive = criterion_pair_by_pair(points, columns)

    assert max_projection_criterion(points, columns) == pytest.approx(naive, rel=1e-9)
    nearness = np.exp(log_nearness(points, points, columns))[np.triu_indices(n_runs, 1)]
    assert nearness.mean() ** (1 / 4) == pytest.approx(naive, rel=1e-9)


def test_two_runs_that_share_a_value_are_infinitely_near_in_a_projection():
    assert max_projection_criterion(np.array([[0.5, 0.0], [0.5, 1.0]]), numbers(2)) == math.inf


@pytest.mark.requirement("DOE-6")
@pytest.mark.parametrize("n_runs", [3, 4, 5, 6, 7])
def test_small_projected_latin_hypercubes_are_the_best_of_all_arrangements(n_runs):
    steps = np.arange(n_runs) / (n_runs - 1)
    best = min(
        criterion_pair_by_pair(np.column_stack([steps, steps[list(order)]]), numbers(2))
        for order in itertools.permutations(range(n_runs))
    )

    design = latin_hypercube(continuous(2), n_runs, rng=rng(), criterion="max projection")

    assert max_projection_criterion(
        unit_points(design.space, design.runs), numbers(2)
    ) == pytest.approx(best)


@pytest.mark.requirement("DOE-6")
def test_small_three_factor_latin_hypercubes_come_near_the_best_of_all_arrangements():
    steps = np.arange(5) / 4
    orders = list(itertools.permutations(range(5)))
    best = min(
        criterion_pair_by_pair(np.column_stack([steps, steps[list(b)], steps[list(c)]]), numbers(3))
        for b in orders
        for c in orders[:60]
    )
    planned = np.tile(steps[:, None], (1, 3))

    table = project_latin(planned, numbers(3), rng=rng())

    found = max_projection_criterion(np.take_along_axis(planned, table, axis=0), numbers(3))
    assert found <= best * (1 + 1e-9)


@pytest.mark.requirement("DOE-6")
@pytest.mark.parametrize(("n_factors", "n_runs"), [(3, 12), (5, 20)])
def test_maximum_projection_beats_the_other_latin_hypercubes_on_its_criterion(n_factors, n_runs):
    space = continuous(n_factors)
    for seed in range(2):

        def value(criterion, seed=seed):
            design = latin_hypercube(space, n_runs, rng=rng(seed), criterion=criterion)
            return design.details["max_projection"]

        latin = value("max projection")
        polished = max_projection(space, n_runs, rng=rng(seed)).details["max_projection"]

        assert polished < 0.97 * latin
        assert latin < 0.9 * min(value("maximin"), value("random"), value("correlation"))


@pytest.mark.requirement("DOE-6")
@given(space=mixed_spaces(), n_runs=st.integers(2, 12), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_maximum_projection_uses_levels_equally_often_and_every_run_can_be_set(space, n_runs, seed):
    design = max_projection(space, n_runs, rng=rng(seed))

    assert design.n_runs == n_runs
    assert space.contains(design.runs).all()
    assert space.on_steps(design.runs).all()
    for factor in space.searched:
        if isinstance(factor, CategoricalFactor | DiscreteFactor) and len(factor.levels) <= n_runs:
            counts = [int((design.runs[factor.name] == level).sum()) for level in factor.levels]
            assert max(counts) - min(counts) <= 1


def test_every_run_of_a_maximum_projection_design_has_its_own_setting_of_every_factor():
    """Joseph, Gul and Ba (2015): a projection on one factor keeps all runs apart."""
    design = max_projection(continuous(4), 15, rng=rng())

    points = unit_points(design.space, design.runs)
    gaps = np.diff(np.sort(points, axis=0), axis=0)
    assert gaps.min() > 0.2 / 14
    np.testing.assert_allclose([points.min(axis=0), points.max(axis=0)], [[0] * 4, [1] * 4])


@pytest.mark.requirement("DOE-6")
def test_units_scale_and_order_of_factors_do_not_change_the_quality():
    fine = ContinuousFactor("t", 20, 40, "degC", step=0.5)
    rate = ContinuousFactor("r", 0.01, 1, "mL/min", scale="log")
    acid = ContinuousFactor("pH", 6, 8)
    resin = CategoricalFactor("resin", ("A", "B", "C"))
    spaces = [
        FactorSpace((fine, rate, acid, resin)),
        FactorSpace((resin, acid, rate, fine)),
        FactorSpace(
            (
                ContinuousFactor("t", 293, 313, "K", step=0.5),
                ContinuousFactor("r", 10, 1000, "uL/min", scale="log"),
                ContinuousFactor("pH", 0, 1),
                resin,
            )
        ),
    ]

    values = [max_projection(s, 18, rng=rng(4)).details["max_projection"] for s in spaces]

    assert max(values) < 1.1 * min(values)


@pytest.mark.requirement("DOE-6")
@pytest.mark.parametrize("n_components", [3, 4])
def test_maximum_projection_runs_of_a_mixture_are_allowed_and_have_different_shares(n_components):
    space = FactorSpace(
        tuple(MixtureComponent(f"m{i}", 0.05, 0.8) for i in range(n_components)),
    )

    design = max_projection(space, 10, rng=rng())

    assert space.contains(design.runs).all()
    points = unit_points(space, design.runs)
    assert np.diff(np.sort(points, axis=0), axis=0).min() > 1e-3
    drawn = unit_points(space, space.sample(10, rng=rng()))
    drawn_value = max_projection_criterion(drawn, point_columns(space))
    assert design.details["max_projection"] < 0.5 * drawn_value


def test_the_same_seed_gives_the_same_maximum_projection_design():
    space = continuous(3)

    assert max_projection(space, 9, rng=rng(5)) == max_projection(space, 9, rng=rng(5))
    assert max_projection(space, 9, rng=rng(5)) != max_projection(space, 9, rng=rng(6))


@pytest.mark.parametrize(
    ("n_runs", "complaint"),
    [(1, "n_runs must be a whole number of at least 2"), (1001, "1001 runs are more than the")],
)
def test_a_number_of_runs_that_does_not_fit_is_refused(n_runs, complaint):
    with pytest.raises(DesignError, match=complaint):
        max_projection(continuous(2), n_runs, rng=rng())


@pytest.mark.slow
@pytest.mark.requirement("DOE-6")
def test_two_hundred_runs_in_ten_factors_stay_apart_in_every_projection():
    design = max_projection(continuous(10), 200, rng=rng())

    assert design.details["max_projection"] < 40
    random = latin_hypercube(continuous(10), 200, rng=rng(), criterion="random")
    assert design.details["max_projection"] < 0.5 * random.details["max_projection"]
