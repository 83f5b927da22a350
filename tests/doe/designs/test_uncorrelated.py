import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.designs.space_filling import latin_hypercube
from doe.designs.unit_points import largest_correlation
from doe.factors import CategoricalFactor, ContinuousFactor
from doe.space import FactorSpace
from tests.doe.designs.examples import continuous


def rng(seed=1):
    return np.random.default_rng(seed)


def correlations(table):
    matrix = np.corrcoef(table, rowvar=False)
    return np.abs(matrix[np.triu_indices(matrix.shape[1], 1)])


@pytest.mark.requirement("DOE-6")
@given(n_factors=st.integers(2, 6), n_runs=st.integers(12, 40), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None)
def test_factors_of_a_correlation_latin_hypercube_are_nearly_uncorrelated(n_factors, n_runs, seed):
    space = continuous(n_factors)

    design = latin_hypercube(space, n_runs, rng=rng(seed), criterion="correlation")

    found = correlations(design.coded().to_numpy())
    assert found.max() < 0.05
    assert found.max() == pytest.approx(design.details["largest_correlation"], abs=1e-4)


@pytest.mark.requirement("DOE-6")
@pytest.mark.parametrize(("n_factors", "n_runs"), [(4, 20), (6, 40)])
def test_correlations_are_a_small_part_of_those_left_to_chance(n_factors, n_runs):
    space = continuous(n_factors)
    for seed in range(2):
        ours, chance = (
            correlations(
                latin_hypercube(space, n_runs, rng=rng(seed), criterion=criterion)
                .coded()
                .to_numpy()
            ).max()
            for criterion in ("correlation", "random")
        )

        assert ours < 0.1 * chance


def test_the_smallest_correlation_of_all_arrangements_is_found():
    steps = np.arange(6.0)
    best = min(abs(np.corrcoef(steps, order)[0, 1]) for order in itertools.permutations(range(6)))

    design = latin_hypercube(continuous(2), 6, rng=rng(), criterion="correlation")

    assert correlations(design.coded().to_numpy()).max() == pytest.approx(best)


@pytest.mark.requirement("DOE-6")
def test_numbers_are_nearly_uncorrelated_with_the_levels_of_a_choice():
    space = FactorSpace(
        (
            ContinuousFactor("a", 0, 1),
            ContinuousFactor("b", 1, 10, scale="log"),
            CategoricalFactor("resin", ("A", "B", "C")),
        )
    )

    design = latin_hypercube(space, 18, rng=rng(), criterion="correlation")

    a = design.coded()["a"].astype(float)
    means = [a[design.runs["resin"] == level].mean() for level in "ABC"]
    assert np.ptp(means) < 0.05
    assert design.details["largest_correlation"] < 0.05


def test_the_correlation_with_a_choice_is_the_multiple_correlation():
    points = np.column_stack([rng().random(20), rng().integers(3, size=20)])
    indicators = (points[:, 1][:, None] == np.arange(3)).astype(float)
    fit = indicators @ np.linalg.lstsq(indicators, points[:, 0], rcond=None)[0]
    expected = np.corrcoef(fit, points[:, 0])[0, 1]

    found = largest_correlation(points, np.array([False, True]))

    assert found == pytest.approx(expected)


@pytest.mark.slow
@pytest.mark.requirement("DOE-6")
def test_a_thousand_runs_in_ten_factors_are_practically_uncorrelated():
    design = latin_hypercube(continuous(10), 1000, rng=rng(), criterion="correlation")

    assert correlations(design.coded().to_numpy()).max() < 1e-3
