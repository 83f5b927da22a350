import json
from decimal import Decimal
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.constraints import (
    CardinalityConstraint,
    ExpressionConstraint,
    ForbiddenCombination,
    LinearConstraint,
)
from doe.designs.mixture import extreme_vertices, simplex_centroid
from doe.designs.subset import d_optimal_rows
from doe.errors import DesignError, TooFewRunsError
from doe.factors import ContinuousFactor, MixtureComponent
from doe.mixture_terms import scheffe_terms
from doe.space import FactorSpace
from doe.terms import model_matrix, quadratic_terms
from tests.doe.designs.mixture_examples import FLARE, bounded_mixtures, mixture, rank, rows_of

T = ContinuousFactor("T", 20, 40, "degC")


def decimal_sums(runs):
    return {sum(Decimal(repr(value)) for value in row) for row in runs.to_numpy().tolist()}


@pytest.mark.requirement("DOE-9")
@given(
    space=bounded_mixtures(),
    centroids=st.sampled_from([None, "edges", "faces", "all"]),
    overall=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_every_run_at_the_corners_is_allowed_and_different(space, centroids, overall):
    design = extreme_vertices(space, centroids=centroids, overall_centroid=overall)

    assert space.contains(design.runs).all()
    assert len(rows_of(design)) == design.n_runs == len(design.point_types)
    np.testing.assert_allclose(design.runs.sum(axis=1), 1.0, rtol=1e-14)
    json.dumps(design.details)


@pytest.mark.requirement("DOE-9")
@given(space=bounded_mixtures(max_size=5, total=100.0, step=5.0))
@settings(max_examples=12, deadline=None)
def test_runs_on_equipment_steps_are_allowed_and_add_up_to_the_last_digit(space):
    design = extreme_vertices(space, centroids="all")

    assert space.contains(design.runs).all()
    assert space.on_steps(design.runs).all()
    assert decimal_sums(design.runs) == {Decimal(100)}
    assert len(rows_of(design)) == design.n_runs


def test_a_design_says_how_far_steps_moved_its_runs_and_which_became_one():
    fine = extreme_vertices(mixture(4, high=0.45, step=0.05))
    coarse = extreme_vertices(mixture(4, high=0.5, step=0.25), centroids="all")

    assert fine.details["rounded_to_steps"] == pytest.approx(0.025)
    assert "merged_by_steps" not in fine.details
    # Centroids of faces have thirds and sixths, which quarters do not tell apart from corners.
    exact = extreme_vertices(mixture(4, high=0.5), centroids="all")
    assert coarse.n_runs == exact.n_runs - coarse.details["merged_by_steps"]
    assert coarse.details["merged_by_steps"] > 0


def test_a_component_without_a_step_makes_up_what_steps_leave():
    factors = (MixtureComponent("salt", 0.01, 0.13, step=0.03), MixtureComponent("sugar", 0.1, 0.4))
    stepped = MixtureComponent("oil", 0.05, 0.3, step=0.05)
    space = FactorSpace((*factors, stepped, MixtureComponent("water", 0.2, 0.7)))

    design = extreme_vertices(space, centroids="all")

    assert space.contains(design.runs).all()
    assert space.on_steps(design.runs).all()
    assert all(abs(total - 1) < Decimal("1e-15") for total in decimal_sums(design.runs))
    assert design.details["rounded_to_steps"] < 0.05


def test_edges_and_faces_of_known_bodies_are_all_found():
    """A square, and the tetrahedron with its four corners cut off."""
    square = mixture(4, constraints=[LinearConstraint({"m1": 1, "m2": 1}, equals=0.5)])

    found = [
        extreme_vertices(space, centroids="all").details["blends_found"]
        for space in (square, mixture(4, high=0.75))
    ]

    assert found[0] == {"vertex": 4, "edge centroid": 4, "centroid": 1}
    assert found[1] == {"vertex": 12, "edge centroid": 18, "face centroid": 8, "centroid": 1}


def test_a_single_possible_blend_is_a_design_of_one_run():
    space = mixture(3, constraints=[LinearConstraint({"m1": 1, "m2": -1}, lower=1)])

    design = extreme_vertices(space)

    assert design.runs.to_numpy().tolist() == [[1.0, 0.0, 0.0]]
    assert design.details["dimensions"] == 0


@pytest.mark.requirement("DOE-9")
def test_a_cardinality_constraint_gives_the_corners_of_every_choice_of_components():
    """Two of four at most 0.6 each: each pair leaves a segment from 0.4 to 0.6."""
    names = tuple(f"m{i}" for i in range(1, 5))
    space = mixture(4, high=0.6, constraints=[CardinalityConstraint(names, 2)])

    design = extreme_vertices(space)

    expected = set()
    for one, other in combinations(range(4), 2):
        for share in (0.4, 0.5, 0.6):
            row = [0.0] * 4
            row[one], row[other] = share, round(1 - share, 9)
            expected.add(tuple(row))
    assert rows_of(design) == expected
    assert design.details["regions"] == 6


def test_a_cardinality_constraint_without_bounds_leaves_the_simplex_corners():
    names = tuple(f"m{i}" for i in range(1, 7))
    space = mixture(6, constraints=[CardinalityConstraint(names, 3)])

    design = extreme_vertices(space, centroids="all")

    assert rows_of(design) == rows_of(simplex_centroid(mixture(6), max_order=3))


@pytest.mark.slow
@pytest.mark.requirement("DOE-9")
def test_four_of_ten_bounded_components_have_all_their_corners():
    """Four shares of at most 0.4: two full and one of 0.2, 12 corners for each choice of four."""
    names = tuple(f"m{i}" for i in range(1, 11))
    space = mixture(10, high=0.4, constraints=[CardinalityConstraint(names, 4)])

    design = extreme_vertices(space)

    assert design.details["regions"] == comb(10, 4)
    # Each corner uses three components: two of ten full, one of the other eight at 0.2.
    assert design.details["blends_found"]["vertex"] == comb(10, 2) * 8
    assert space.contains(design.runs).all()


def test_a_forbidden_range_cuts_the_region_in_two():
    forbidden = ForbiddenCombination({"m1": (0.2, 0.5), "m2": (0.3, None)})
    space = mixture(3, constraints=[forbidden])

    design = extreme_vertices(space, centroids=None, overall_centroid=False)

    assert space.contains(design.runs).all()
    assert design.details["regions"] == 3
    # The corners of the forbidden part that the rest of the region touches.
    assert {(0.2, 0.8, 0.0), (0.2, 0.0, 0.8), (0.5, 0.5, 0.0), (0.7, 0.3, 0.0)} <= rows_of(design)


def test_hard_limits_on_products_of_components_are_left_to_the_optimal_design():
    space = mixture(3, constraints=[ExpressionConstraint("m1 * m2 <= 0.1")])

    with pytest.raises(DesignError, match=r"edge centroid\): breaks m1 \* m2 <= 0.1.*optimal"):
        extreme_vertices(space)
    assert extreme_vertices(space, centroids=None, overall_centroid=False).n_runs == 3


@pytest.mark.requirement("DOE-9")
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None)
def test_chosen_runs_are_worth_more_than_any_random_choice(seed):
    whole = extreme_vertices(FLARE)
    terms = quadratic_terms(FLARE)
    matrix = model_matrix(terms, whole.runs, FLARE).to_numpy()

    design = extreme_vertices(FLARE, max_runs=12, rng=np.random.default_rng(seed))

    assert design.n_runs == 12
    assert rows_of(design) <= rows_of(whole)
    chosen = model_matrix(terms, design.runs, FLARE).to_numpy()
    best = np.linalg.slogdet(chosen.T @ chosen)[1]
    rng = np.random.default_rng(seed)
    for _ in range(200):
        rows = matrix[rng.permutation(len(matrix))[:12]]
        assert np.linalg.slogdet(rows.T @ rows)[1] <= best + 1e-9


def test_the_best_subset_is_found_where_all_can_be_tried():
    candidates = np.random.default_rng(5).normal(size=(12, 3))
    values = [
        np.linalg.det(candidates[list(rows)].T @ candidates[list(rows)])
        for rows in combinations(range(12), 5)
    ]

    chosen = candidates[d_optimal_rows(candidates, 5, rng=np.random.default_rng(0))]

    assert np.linalg.det(chosen.T @ chosen) == pytest.approx(max(values))


def test_the_same_seed_chooses_the_same_runs():
    one, other = (
        extreme_vertices(FLARE, max_runs=12, rng=np.random.default_rng(7)) for _ in range(2)
    )

    assert one == other
    assert one.details["candidates"] == 21


def test_runs_are_chosen_among_all_settings_of_mixture_and_process():
    space = mixture(3, T, high=0.6)
    terms = scheffe_terms(space, "linear", process="linear")

    design = extreme_vertices(
        space,
        process="full factorial",
        max_runs=14,
        replicates=2,
        rng=np.random.default_rng(1),
        terms=terms,
    )

    assert design.n_runs == 14
    assert design.details["replicates"] == 2
    assert rank(design, terms) == (6, 6)


def test_a_choice_larger_than_the_design_keeps_every_run():
    design = extreme_vertices(FLARE, max_runs=100, rng=np.random.default_rng(1))

    assert design == extreme_vertices(FLARE)


def test_a_model_that_the_runs_cannot_support_is_refused_before_the_choice():
    with pytest.raises(TooFewRunsError, match="9 different runs cannot estimate the 10 terms"):
        extreme_vertices(FLARE, max_runs=9, rng=np.random.default_rng(1))
    space = mixture(3, T)
    # Two temperatures cannot show a curve.
    with pytest.raises(DesignError, match=r"cannot tell .* apart from the other terms: add cent"):
        extreme_vertices(space, process="full factorial", max_runs=12, rng=np.random.default_rng(1))
