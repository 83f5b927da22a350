from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.constraints import LinearConstraint
from doe.designs import plackett_burman
from doe.designs.aliasing import two_level_signs
from doe.designs.screening import hadamard_columns
from doe.errors import DesignError
from doe.factors import CategoricalFactor, ContinuousFactor
from doe.space import FactorSpace
from tests.doe.designs.examples import continuous, two_level_spaces


@pytest.mark.requirement("DOE-2")
@pytest.mark.parametrize("n_runs", range(4, 49, 4))
def test_the_saturated_design_of_every_multiple_of_four_is_orthogonal(n_runs):
    design = plackett_burman(continuous(n_runs - 1))

    matrix = np.column_stack([np.ones(n_runs), np.sign(design.coded().to_numpy())])
    np.testing.assert_array_equal(matrix.T @ matrix, n_runs * np.eye(n_runs))
    assert design.method == f"Plackett-Burman, {n_runs} runs"


@pytest.mark.requirement("DOE-2")
@given(space=two_level_spaces(min_size=1, max_size=12), larger=st.sampled_from([None, 20, 28, 36]))
@settings(max_examples=30)
def test_main_effects_are_balanced_and_orthogonal_for_every_kind_of_factor(space, larger):
    design = plackett_burman(space, n_runs=larger)

    signs = two_level_signs(design)
    np.testing.assert_array_equal(signs.T @ signs, design.n_runs * np.eye(len(space.names)))
    assert (signs.sum(axis=0) == 0).all()
    assert design.n_runs == (larger or 4 * (len(space.names) // 4 + 1))
    assert space.contains(design.runs).all()


def test_the_smallest_sizes_agree_with_an_independent_generator():
    """pyDOE3 turns rows otherwise; the aliases of the two agree up to order and sign."""
    from pyDOE3 import pbdesign

    for n_runs in (12, 20):
        aliases = [
            np.sort(np.abs(_triples(columns)))
            for columns in (hadamard_columns(n_runs), pbdesign(n_runs - 1))
        ]
        np.testing.assert_array_equal(*aliases)


@pytest.mark.parametrize("n_runs", [24, 28, 36, 44, 48])
def test_no_interaction_is_fully_aliased_where_that_can_be_had(n_runs):
    """Doubling a smaller design, as some software does for 24 and 48 runs, would alias fully."""
    assert np.abs(_triples(hadamard_columns(n_runs))).max() <= 0.5 * n_runs


def _triples(signs):
    places = combinations(range(signs.shape[1]), 3)
    return np.array([signs[:, triple].prod(axis=1).sum() for triple in places])


def test_the_doubled_design_repeats_no_run():
    assert not plackett_burman(continuous(8), n_runs=40).runs.duplicated().any()


def test_centre_runs_are_added_for_every_level_without_a_middle():
    space = FactorSpace((*continuous(3).factors, CategoricalFactor("resin", ("A", "B"))))

    design = plackett_burman(space, centre_points=2)

    assert (design.n_runs, design.point_types.count("centre")) == (8 + 4, 4)


@pytest.mark.requirement("DOE-8")
@given(space=two_level_spaces(min_size=1, max_size=12), centre=st.integers(0, 2))
@settings(max_examples=20)
def test_two_blocks_are_orthogonal_to_main_effects(space, centre):
    numeric = any(isinstance(factor, ContinuousFactor) for factor in space.searched)

    design = plackett_burman(space, n_blocks=2, centre_points=centre if numeric else 0)

    levels = np.array(design.blocks["block"])
    assert (levels == "1").sum() == (levels == "2").sum()
    is_factorial = np.array(design.point_types) == "factorial"
    signs = two_level_signs(design)
    np.testing.assert_array_equal(signs.T @ signs, len(signs) * np.eye(len(space.names)))
    for level in "12":
        np.testing.assert_array_equal(signs[levels[is_factorial] == level].sum(axis=0), 0)
    assert len(signs) == 4 * ((len(space.names) + 1) // 4 + 1)


def test_blocks_take_a_column_that_could_hold_a_factor():
    assert plackett_burman(continuous(11)).n_runs == 12
    assert plackett_burman(continuous(11), n_blocks=2).n_runs == 16
    with pytest.raises(DesignError, match=r"this space has 11 factors and blocks: take n_runs=16"):
        plackett_burman(continuous(11), n_runs=12, n_blocks=2)
    with pytest.raises(DesignError, match=r"has 1 or 2: choose one, or use fractional_factorial"):
        plackett_burman(continuous(5), n_blocks=4)


@pytest.mark.parametrize(
    ("n_factors", "n_runs", "complaint"),
    [
        (5, 10, "sizes are 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48"),
        (5, 52, "No Plackett-Burman design has 52 runs"),
        (12, 12, "12 runs hold at most 11 factors.* take n_runs=16"),
        (48, None, "up to 48 runs for 47 factors"),
        (5, 12.5, "whole number"),
    ],
)
def test_a_size_that_does_not_exist_or_fit_is_refused(n_factors, n_runs, complaint):
    with pytest.raises(DesignError, match=complaint):
        plackett_burman(continuous(n_factors), n_runs=n_runs)


def test_a_constraint_that_cuts_corners_is_refused_with_the_runs():
    space = FactorSpace(
        tuple(ContinuousFactor(name, 0, 1) for name in "AB"),
        (LinearConstraint({"A": 1, "B": 1}, upper=1.5),),
    )

    with pytest.raises(DesignError, match=r"1 of 4 runs .* breaks A \+ B <= 1.5"):
        plackett_burman(space)
