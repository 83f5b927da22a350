"""A generator's result is looked at before it is used; the broken ones here are all refused."""

import numpy as np
import pyDOE3
import pytest
from scipy.stats import qmc

from doe.designs import fractional_factorial, full_factorial, plackett_burman, screening, sobol
from doe.designs.structure import (
    check_all_combinations,
    check_balanced,
    check_composite,
    check_distinct,
    check_edges,
    check_latin,
    check_moments,
    check_orthogonal,
    check_resolution,
    check_rotatable,
    check_two_levels,
)
from doe.errors import DesignError
from tests.doe.designs.examples import continuous

CORE = np.array([[a, b] for b in (-1.0, 1.0) for a in (-1.0, 1.0)])
AXIAL = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
REFUSED = "fails its structural check"


def rotatable_points():
    return np.vstack([CORE, 2**0.5 * AXIAL, np.zeros((3, 2))])


@pytest.mark.parametrize("n_factors", [8, 9, 10])
def test_the_fraction_that_pydoe3_calls_resolution_five_is_found_to_have_four(n_factors):
    signs = pyDOE3.fracfact_by_res(n_factors, 5)

    with pytest.raises(DesignError, match="runs have resolution IV, expected resolution V"):
        check_resolution(signs, 5, "fraction")


@pytest.mark.parametrize(("n_factors", "n_edge"), [(6, 48), (7, 56)])
def test_the_oversized_box_behnken_designs_of_pydoe3_are_refused(n_factors, n_edge):
    points = pyDOE3.bbdesign(n_factors, center=6)

    with pytest.raises(DesignError, match=f"must have {n_edge} runs with 3 factors off the middle"):
        check_edges(points, n_edge, 3, 6, "Box-Behnken")


def test_the_faulty_orthogonal_array_of_pydoe3_is_refused():
    array = 2.0 * pyDOE3.get_orthogonal_array("L64(2^31)") - 1

    with pytest.raises(DesignError, match=r"not orthogonal|not balanced"):
        check_orthogonal(array, "L64")


def test_a_fraction_with_one_wrong_sign_is_refused(monkeypatch):
    generated = pyDOE3.fracfact

    def broken(words):
        signs = generated(words)
        signs[3, 2] *= -1
        return signs

    monkeypatch.setattr(pyDOE3, "fracfact", broken)

    with pytest.raises(DesignError, match=f"{REFUSED}: factor 3 is not balanced"):
        fractional_factorial(continuous(5))


def test_a_fraction_of_lower_resolution_than_its_generators_is_refused(monkeypatch):
    monkeypatch.setattr(
        pyDOE3, "fracfact", lambda _, generated=pyDOE3.fracfact: generated("d c b a ab")
    )

    with pytest.raises(DesignError, match="resolution III, expected resolution V"):
        fractional_factorial(continuous(5))


def test_a_factorial_with_a_repeated_run_is_refused(monkeypatch):
    generated = pyDOE3.fullfact

    def broken(levels):
        runs = generated(levels)
        runs[-1] = runs[0]
        return runs

    monkeypatch.setattr(pyDOE3, "fullfact", broken)

    with pytest.raises(DesignError, match="not each of the 8 combinations of levels once"):
        full_factorial(continuous(3))


def test_a_screening_design_from_a_misprinted_row_is_refused(monkeypatch):
    monkeypatch.setitem(screening._CYCLIC, 12, "++-+++---++")

    with pytest.raises(DesignError, match="not balanced"):
        plackett_burman(continuous(11))


def test_a_sequence_that_leaves_parts_of_a_range_empty_is_refused(monkeypatch):
    class Broken(qmc.Sobol):
        def random_base2(self, m):
            return super().random_base2(m) ** 2

    monkeypatch.setattr(qmc, "Sobol", Broken)

    with pytest.raises(DesignError, match="one run in each of 16 equal bins"):
        sobol(continuous(2), 16, rng=np.random.default_rng(1))


@pytest.mark.parametrize(
    ("points", "complaint"),
    [
        (np.array([[0.0, 1.0], [1.0, -1.0]]), "must be -1 or \\+1"),
        (np.array([1.0, -1.0]), "must be -1 or \\+1"),
        (np.ones((0, 2)), "must be -1 or \\+1"),
    ],
)
def test_points_that_are_not_two_levels_are_refused(points, complaint):
    with pytest.raises(DesignError, match=complaint):
        check_two_levels(points, "design")


def test_factors_that_move_together_are_refused():
    signs = np.array([[-1.0, -1], [1, 1], [-1, -1], [1, 1]])

    with pytest.raises(DesignError, match="factors 1 and 2 are not orthogonal"):
        check_orthogonal(signs, "design")


def test_a_full_factorial_is_no_fraction():
    with pytest.raises(DesignError, match="no word at all"):
        check_resolution(CORE, 3, "fraction")


@pytest.mark.parametrize(
    "levels", [[[0, 0], [1, 0], [0, 1]], [[0, 0], [1, 0], [0, 1], [2, 1]], [[0, 0]] * 4]
)
def test_a_factorial_with_missing_or_foreign_combinations_is_refused(levels):
    with pytest.raises(DesignError, match="not each of the 4 combinations"):
        check_all_combinations(np.array(levels), [2, 2], "full factorial")


def test_unbalanced_and_foreign_levels_are_refused():
    check_balanced(["a", "b", "a"], ["a", "b"], "design")
    with pytest.raises(DesignError, match="not used equally often"):
        check_balanced(["a", "a", "a", "b"], ["a", "b"], "design")
    with pytest.raises(DesignError, match="not used equally often"):
        check_balanced(["a", "b", "c"], ["a", "b"], "design")


@pytest.mark.parametrize("column", [[0.1, 0.2, 0.9], [0.1, 0.5, 1.2], [-0.2, 0.5, 0.9]])
def test_a_column_that_is_not_latin_is_refused(column):
    check_latin(np.array([0.9, 0.1, 0.5]), "design")
    with pytest.raises(DesignError, match="each of 3 equal bins"):
        check_latin(np.array(column), "design")


@pytest.mark.parametrize("change", ["distance", "missing", "core"])
def test_a_composite_design_with_wrong_parts_is_refused(change):
    points = rotatable_points()
    check_composite(points, CORE, 2**0.5, 3, "central composite")
    broken = {
        "distance": np.vstack([CORE, 1.4 * AXIAL, np.zeros((3, 2))]),
        "missing": points[:-1],
        "core": np.vstack([np.abs(CORE), points[4:]]),
    }[change]

    with pytest.raises(DesignError, match=r"not the 4 runs of the core, 4 axial runs at 1.41421"):
        check_composite(broken, CORE, 2**0.5, 3, "central composite")


def test_a_face_centred_design_is_not_rotatable():
    check_rotatable(rotatable_points(), "central composite")
    with pytest.raises(DesignError, match="not three times"):
        check_rotatable(np.vstack([CORE, AXIAL, np.zeros((3, 2))]), "central composite")


def test_overlapping_effects_are_refused():
    with pytest.raises(DesignError, match="main effects, interactions and squares overlap"):
        check_moments(np.vstack([rotatable_points(), [[1.0, 1.0]]]), "central composite")


def test_squares_that_cannot_be_told_apart_are_refused():
    with pytest.raises(DesignError, match="cannot tell all squares and interactions apart"):
        check_moments(CORE, "factorial")


@pytest.mark.parametrize("fault", ["value", "unequal"])
def test_a_box_behnken_design_with_wrong_edges_is_refused(fault):
    points = pyDOE3.bbdesign(3, center=3)
    check_edges(points, 12, 2, 3, "Box-Behnken")
    broken = points.copy()
    if fault == "value":
        broken[0] = [-1.0, -1.0, 0.5]
    else:
        broken[4:8] = broken[:4]

    with pytest.raises(DesignError, match=r"must be -1, 0 or|varied unequally often"):
        check_edges(broken, 12, 2, 3, "Box-Behnken")


def test_repeated_runs_are_refused_where_all_must_differ():
    with pytest.raises(DesignError, match="1 runs repeat others"):
        check_distinct(np.array([[0.0, 1], [1, 1], [0, 1]]), "subset")
