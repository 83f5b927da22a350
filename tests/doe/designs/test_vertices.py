from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from doe.constraints import LinearConstraint
from doe.designs.mixture_regions import find_regions
from doe.designs.vertices import (
    Limit,
    cut,
    face_centroids,
    mean_blend,
    short_fraction,
    simplex_corners,
)
from doe.errors import DesignError
from doe.factors import MixtureComponent
from doe.space import FactorSpace
from tests.doe.designs.mixture_examples import bounded_mixtures, corners_one_by_one, mixture


@pytest.mark.requirement("DOE-9")
@given(space=bounded_mixtures())
@settings(max_examples=60, deadline=None)
def test_the_corners_are_those_found_by_trying_every_choice_of_limits(space):
    (region,) = find_regions(space)

    assert set(region.blends) == corners_one_by_one(space)
    assert len(set(region.blends)) == len(region.blends)


@given(space=bounded_mixtures())
@settings(max_examples=20, deadline=None)
def test_no_corner_is_a_mixture_of_other_corners(space):
    (region,) = find_regions(space)
    corners = np.array(region.blends, dtype=float)

    for i in range(len(corners)):
        others = np.delete(corners, i, axis=0)
        if len(others):
            weights = np.vstack([others.T, np.ones(len(others))])
            found = linprog(np.zeros(len(others)), A_eq=weights, b_eq=[*corners[i], 1.0])
            assert not found.success


@given(space=bounded_mixtures())
@settings(max_examples=40, deadline=None)
def test_corners_edges_and_faces_are_as_many_as_eulers_formula_asks(space):
    """Euler and Poincare: the alternating sum of a d-polytope's proper faces is 1 - (-1)^d."""
    (region,) = find_regions(space)
    d = region.n_dimensions

    counts = [len(face_centroids(region, k, at_most=1000)) for k in range(d + 1)]

    assert counts[d] == 1
    assert sum((-1) ** k * count for k, count in enumerate(counts[:d])) == 1 - (-1) ** d
    differences = np.array(region.blends, dtype=float) - np.array(region.blends[0], dtype=float)
    assert d == np.linalg.matrix_rank(differences, tol=1e-9)


@pytest.mark.parametrize("n_components", [2, 3, 4, 5, 6])
def test_a_simplex_has_a_face_for_every_subset_of_its_corners(n_components):
    whole = simplex_corners([Fraction(0)] * n_components)

    for k in range(n_components):
        faces = face_centroids(whole, k, at_most=1000)
        assert len(faces) == comb(n_components, k + 1)
        for face in faces:
            assert sorted(face)[-(k + 1) :] == [Fraction(1, k + 1)] * (k + 1)


def test_limits_that_meet_in_one_corner_give_it_once():
    """Five limits meet at a = b = 1/2, where two would do."""
    sums = [LinearConstraint({"m1": 1, "m2": k}, upper=(1 + k) / 2) for k in (2, 3)]
    (region,) = find_regions(mixture(3, high=0.5, constraints=sums))

    half, none = Fraction(1, 2), Fraction(0)
    assert set(region.blends) == {(half, half, none), (half, none, half), (none, half, half)}


def test_thirds_typed_with_sixteen_digits_still_meet():
    third = 1 / 3
    factors = (MixtureComponent("a", 0, third), MixtureComponent("b", 0, third))
    (region,) = find_regions(FactorSpace((*factors, MixtureComponent("c", 0, third))))

    assert region.blends == ((Fraction(1, 3),) * 3,)
    assert region.n_dimensions == 0


@pytest.mark.parametrize(
    ("constraints", "n_dimensions", "n_corners"),
    [
        ([LinearConstraint({"m1": 1, "m2": 1}, equals=0.5)], 2, 4),
        ([LinearConstraint({"m1": 1, "m2": 1}, equals=1)], 1, 2),
        ([LinearConstraint({"m1": 1}, equals=1)], 0, 1),
        ([LinearConstraint({"m1": 1, "m2": 1}, lower=1)], 1, 2),
        ([LinearConstraint({"m1": 1, "m2": -2}, equals=0)], 2, 3),
    ],
)
def test_a_flat_region_has_its_corners_too(constraints, n_dimensions, n_corners):
    (region,) = find_regions(mixture(4, constraints=constraints))

    assert region.n_dimensions == n_dimensions
    assert len(region.blends) == n_corners


def test_the_number_of_corners_of_evenly_bounded_components_is_the_known_one():
    """Shares at most 2.2/q: q C(q - 1, floor(q / 2.2)) corners, one share between its bounds."""
    for q, n_full in ((6, 2), (8, 3), (10, 4)):
        (region,) = find_regions(mixture(q, high=2.2 / q))

        assert len(region.blends) == q * comb(q - 1, n_full)


@pytest.mark.parametrize(
    ("number", "fraction"),
    [
        (0.1, Fraction(1, 10)),
        (0.1 + 0.2, Fraction(3, 10)),
        (1 / 3, Fraction(1, 3)),
        (0.123456789, Fraction(123456789, 10**9)),
        (2.5e-9, Fraction(25, 10**10)),
        (0.0, Fraction(0)),
        (-40.0, Fraction(-40)),
        (123456.75, Fraction(493827, 4)),
    ],
)
def test_a_number_is_read_as_the_fraction_that_was_meant(number, fraction):
    assert short_fraction(number) == fraction


@given(number=st.floats(-1e9, 1e9))
@settings(max_examples=50)
def test_reading_a_number_changes_it_by_rounding_error_at_most(number):
    assert float(short_fraction(number)) == pytest.approx(number, rel=1e-13, abs=0.0)


def test_a_region_with_too_many_corners_or_faces_is_refused_with_what_to_use():
    whole = simplex_corners([Fraction(0)] * 6)
    limit = Limit(tuple((i, Fraction(1)) for i in range(3)), Fraction(1, 2))

    with pytest.raises(DesignError, match="more than 8 vertices: use optimal_design"):
        cut(whole, limit, at_most=8)
    with pytest.raises(DesignError, match=r"more than 14 faces of dimension 1: .*optimal_design"):
        face_centroids(whole, 1, at_most=14)


def test_a_limit_that_leaves_nothing_leaves_none():
    whole = simplex_corners([Fraction(0)] * 3)

    assert cut(whole, Limit(((0, Fraction(1)),), Fraction(-1)), at_most=9) is None
    assert simplex_corners([Fraction(2, 3), Fraction(1, 2)]) is None


def test_the_mean_of_blends_is_exact():
    blends = [(Fraction(1, 3), Fraction(2, 3)), (Fraction(1, 7), Fraction(6, 7))]

    assert mean_blend(blends) == (Fraction(5, 21), Fraction(16, 21))
