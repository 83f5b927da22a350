import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.stats import qmc

from doe.constraints import (
    CardinalityConstraint,
    ExpressionConstraint,
    ForbiddenCombination,
    LinearConstraint,
)
from doe.designs.projections import max_projection_criterion
from doe.designs.space_filling import latin_hypercube, sobol
from doe.designs.unit_points import point_columns, smallest_distance, unit_points
from doe.errors import DesignError
from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor, MixtureComponent
from doe.space import FactorSpace
from tests.doe.designs.examples import continuous, mixed_spaces

CONSTRAINED = FactorSpace(
    (
        ContinuousFactor("a", 0, 10, step=0.5),
        ContinuousFactor("b", 1, 10, scale="log"),
        CategoricalFactor("resin", ("A", "B", "C")),
        DiscreteFactor("shift", (1, 2, 4)),
    ),
    (
        LinearConstraint({"a": 1, "b": 1}, upper=12),
        ForbiddenCombination({"a": (5, None), "resin": "B"}),
        ExpressionConstraint("a * b <= 40"),
    ),
)
MIXTURE = FactorSpace(
    (
        *(MixtureComponent(f"m{i}", 0.0, 60.0, "%", step=1.0) for i in range(4)),
        ContinuousFactor("T", 20, 40),
    ),
    (LinearConstraint({"m0": 1, "m1": 1}, upper=50),),
    mixture_total=100,
)


def rng(seed=1):
    return np.random.default_rng(seed)


@pytest.mark.requirement("DOE-6")
@given(
    n_factors=st.integers(1, 5),
    n_runs=st.integers(2, 20),
    seed=st.integers(0, 2**32 - 1),
    criterion=st.sampled_from(["maximin", "correlation", "max projection", "random"]),
    scale=st.sampled_from(["linear", "log"]),
)
@settings(max_examples=20)
def test_a_latin_hypercube_has_one_run_in_each_part_of_every_range(
    n_factors, n_runs, seed, criterion, scale
):
    space = continuous(n_factors, scale=scale)

    design = latin_hypercube(space, n_runs, rng=rng(seed), criterion=criterion)

    unit = (design.coded().to_numpy() + 1) / 2
    bins = np.minimum((unit * n_runs + 1e-9).astype(int), n_runs - 1)
    for column in bins.T:
        assert sorted(column) == list(range(n_runs))
    assert space.contains(design.runs).all()


def test_a_maximin_latin_hypercube_reaches_both_ends_of_every_range():
    design = latin_hypercube(continuous(3), 9, rng=rng())

    for factor in design.space.searched:
        settings_used = sorted(design.runs[factor.name])
        assert (settings_used[0], settings_used[-1]) == (factor.low, factor.high)
        np.testing.assert_allclose(np.diff(settings_used), 0.5)


@pytest.mark.requirement("DOE-6")
@pytest.mark.parametrize("n_runs", [3, 4, 5, 6, 7])
def test_small_maximin_latin_hypercubes_are_the_best_of_all_arrangements(n_runs):
    steps = np.arange(n_runs)
    best = max(
        pdist(np.column_stack([steps, order]), "sqeuclidean").min()
        for order in itertools.permutations(range(n_runs))
    )

    design = latin_hypercube(continuous(2), n_runs, rng=rng())

    found = pdist(design.coded().to_numpy() * (n_runs - 1) / 2, "sqeuclidean").min()
    assert found == pytest.approx(best)


def test_maximin_runs_are_farther_apart_than_random_ones():
    space = continuous(5)
    for seed in range(2):
        spread = latin_hypercube(space, 20, rng=rng(seed)).details["smallest_distance"]
        random = latin_hypercube(space, 20, rng=rng(seed), criterion="random")

        assert spread > 1.3 * random.details["smallest_distance"]


@pytest.mark.requirement("DOE-6")
@given(
    space=mixed_spaces(),
    n_runs=st.integers(2, 24),
    seed=st.integers(0, 2**32 - 1),
    build=st.sampled_from([latin_hypercube, sobol]),
)
@settings(max_examples=20)
def test_levels_are_used_equally_often_and_every_run_can_be_set(space, n_runs, seed, build):
    design = build(space, n_runs, rng=rng(seed))

    assert design.n_runs == n_runs
    assert space.contains(design.runs).all()
    assert space.on_steps(design.runs).all()
    for factor in space.searched:
        if isinstance(factor, CategoricalFactor | DiscreteFactor) and len(factor.levels) <= n_runs:
            counts = [int((design.runs[factor.name] == level).sum()) for level in factor.levels]
            assert max(counts) - min(counts) <= 1
            assert sum(counts) == n_runs


@pytest.mark.requirement("DOE-6")
@given(power=st.integers(1, 6), n_factors=st.integers(1, 6), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_a_sobol_sequence_of_a_power_of_two_is_balanced_in_every_factor(power, n_factors, seed):
    n_runs = 2**power

    design = sobol(continuous(n_factors), n_runs, rng=rng(seed))

    bins = ((design.coded().to_numpy() + 1) / 2 * n_runs).astype(int)
    for column in bins.T:
        assert sorted(column) == list(range(n_runs))


def test_a_sobol_sequence_is_more_even_than_random_points():
    space = continuous(4)
    points = (sobol(space, 64, rng=rng()).coded().to_numpy() + 1) / 2

    random = np.median([qmc.discrepancy(rng(seed).random((64, 4))) for seed in range(9)])
    assert qmc.discrepancy(points) < 0.5 * random


@pytest.mark.requirement("DOE-6")
@pytest.mark.parametrize("build", [latin_hypercube, sobol])
@pytest.mark.parametrize("space", [CONSTRAINED, MIXTURE], ids=["constrained", "mixture"])
def test_every_run_in_a_constrained_space_is_allowed_on_its_steps_and_different(build, space):
    design = build(space, 25, rng=rng())

    assert space.contains(design.runs).all()
    assert space.on_steps(design.runs).all()
    assert not design.runs.duplicated().any()
    assert design.method.startswith("space-filling subset of allowed settings")
    assert set(design.point_types) == {"space"}


@pytest.mark.requirement("DOE-6")
def test_a_subset_stays_apart_in_projections_of_a_constrained_space_better_than_chance():
    columns = point_columns(CONSTRAINED)
    for seed in range(2):
        chosen = latin_hypercube(CONSTRAINED, 20, rng=rng(seed))
        points = unit_points(CONSTRAINED, chosen.runs)
        drawn = unit_points(CONSTRAINED, CONSTRAINED.sample(20, rng=rng(seed)))

        value = max_projection_criterion(points, columns)
        assert value < 0.7 * max_projection_criterion(drawn, columns)
        distance = smallest_distance(points, columns.is_category)
        assert distance > 1.5 * smallest_distance(drawn, columns.is_category)
        assert distance == pytest.approx(chosen.details["smallest_distance"], rel=1e-3)


@pytest.mark.requirement("DOE-6")
def test_a_medium_of_few_components_is_filled_under_its_cardinality():
    space = FactorSpace(
        tuple(MixtureComponent(f"m{i}", 0, 1) for i in range(6)),
        (CardinalityConstraint(tuple(f"m{i}" for i in range(6)), 3),),
    )

    runs = latin_hypercube(space, 15, rng=rng()).runs

    assert ((runs > 1e-9).sum(axis=1) <= 3).all()
    assert space.contains(runs).all()
    np.testing.assert_allclose(runs.sum(axis=1), 1.0)


@pytest.mark.parametrize("build", [latin_hypercube, sobol])
@pytest.mark.parametrize("space", [continuous(3), CONSTRAINED], ids=["free", "constrained"])
def test_the_same_seed_gives_the_same_design(build, space):
    design = build(space, 8, rng=rng(5))

    assert build(space, 8, rng=rng(5)) == design
    assert build(space, 8, rng=rng(6)) != design


def test_more_runs_than_steps_share_the_steps_evenly():
    space = FactorSpace((ContinuousFactor("pH", 6.6, 7.4, step=0.1), ContinuousFactor("T", 0, 1)))

    counts = latin_hypercube(space, 20, rng=rng()).runs["pH"].value_counts()

    assert sorted(counts) == [2] * 7 + [3] * 2


def test_fewer_runs_than_steps_are_set_to_the_nearest_step():
    space = FactorSpace((ContinuousFactor("pH", 6, 8, step=0.1), ContinuousFactor("T", 0, 1)))

    design = latin_hypercube(space, 7, rng=rng())

    assert sorted(design.runs["pH"]) == [6.0, 6.3, 6.7, 7.0, 7.3, 7.7, 8.0]
    assert design.details["rounded_to_steps"] == pytest.approx(1 / 30, abs=1e-4)


def test_fewer_different_settings_than_runs_are_refused():
    space = FactorSpace(
        (CategoricalFactor("resin", ("A", "B")), CategoricalFactor("salt", ("x", "y"))),
        (ForbiddenCombination({"resin": "A", "salt": "x"}),),
    )

    with pytest.raises(DesignError, match="Only 3 different allowed settings"):
        latin_hypercube(space, 4, rng=rng())


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"n_runs": 1}, "n_runs must be a whole number of at least 2"),
        ({"n_runs": 1001}, "1001 runs are more than the 1000"),
        ({"n_runs": 5, "criterion": "entropy"}, "criterion is 'entropy'"),
    ],
)
def test_options_that_make_no_latin_hypercube_are_refused(options, complaint):
    with pytest.raises(DesignError, match=complaint):
        latin_hypercube(continuous(2), rng=rng(), **options)


def test_a_long_sobol_sequence_is_drawn_and_a_longer_one_refused():
    assert sobol(continuous(2), 1500, rng=rng()).n_runs == 1500
    with pytest.raises(DesignError, match="10001 runs are more than the 10000"):
        sobol(continuous(2), 10_001, rng=rng())
