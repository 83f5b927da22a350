import numpy as np
import pytest
from pyDOE3 import doehlert_shell_design

from doe.designs.structure import check_uniform_shell
from doe.designs.uniform_shell import doehlert, uniform_shell
from doe.errors import DesignError
from doe.factors import CategoricalFactor, DiscreteFactor, MixtureComponent
from doe.space import FactorSpace
from doe.terms import model_matrix, quadratic_terms
from tests.doe.designs.examples import continuous


@pytest.mark.requirement("DOE-4")
@pytest.mark.parametrize("n_factors", range(2, 8))
def test_runs_are_spread_evenly_over_a_shell_and_support_the_quadratic_model(n_factors):
    """Doehlert (1970): each run has 2(k - 1) neighbours at the distance of the centre."""
    space = continuous(n_factors)

    design = doehlert(space, centre_points=2)

    assert design.n_runs == n_factors * (n_factors + 1) + 2
    shell = uniform_shell(n_factors)
    np.testing.assert_allclose(np.linalg.norm(shell, axis=1), 1)
    distances = np.linalg.norm(shell[:, None] - shell[None], axis=2)
    neighbours = np.isclose(distances, 1).sum(axis=1)
    np.testing.assert_array_equal(neighbours, 2 * (n_factors - 1))
    assert distances[~np.eye(len(shell), dtype=bool)].min() == pytest.approx(1)
    matrix = model_matrix(quadratic_terms(space), design.runs, space).to_numpy()
    assert np.linalg.matrix_rank(matrix) == matrix.shape[1]
    assert space.contains(design.runs).all()
    np.testing.assert_allclose(np.abs(design.coded().to_numpy()).max(axis=0), 1)


def test_two_factors_make_the_published_hexagon():
    """Doehlert (1970), Applied Statistics 19, 231-239."""
    found = np.round(uniform_shell(2), 3) + 0.0

    hexagon = [(1, 0), (-1, 0), (0.5, 0.866), (-0.5, -0.866), (0.5, -0.866), (-0.5, 0.866)]
    assert set(map(tuple, found.tolist())) == set(hexagon)


def test_three_factors_make_the_published_cuboctahedron():
    """Ferreira and others (2004), Talanta 63, 1061-1067: the matrix of three factors."""
    found = np.round(uniform_shell(3), 3) + 0.0

    half = [(1, 0, 0), (0.5, 0.866, 0), (0.5, 0.289, 0.816), (0.5, -0.866, 0)]
    half += [(0.5, -0.289, -0.816), (0, 0.577, -0.816)]
    both = {tuple(sign * x + 0.0 for x in point) for point in half for sign in (1, -1)}
    assert set(map(tuple, found.tolist())) == both


@pytest.mark.parametrize("n_factors", [2, 3, 4])
def test_the_first_factor_has_five_settings_the_last_three_and_others_seven(n_factors):
    """Ferreira and others (2004), Talanta 63, 1061-1067."""
    counts = doehlert(continuous(n_factors)).details["n_settings"]

    assert list(counts.values()) == [5, *[7] * (n_factors - 2), 3]


@pytest.mark.parametrize("n_factors", [2, 3])
def test_the_shells_that_pydoe3_calls_doehlert_designs_are_refused(n_factors):
    shell = doehlert_shell_design(n_factors, num_center_points=1)[1:]

    with pytest.raises(DesignError, match=f"must have {n_factors * (n_factors + 1)} runs"):
        check_uniform_shell(shell, "Doehlert design")


def test_the_design_is_repeated_for_each_resin():
    space = FactorSpace((CategoricalFactor("resin", ("A", "B")), *continuous(2).factors))

    design = doehlert(space)

    assert design.n_runs == 14
    assert design.runs.groupby("resin").size().tolist() == [7, 7]


@pytest.mark.parametrize(
    ("space", "complaint"),
    [
        (continuous(1), "needs two or more factors, and this space has only 'x1'"),
        (
            FactorSpace((*continuous(2).factors, MixtureComponent("a"), MixtureComponent("b"))),
            "cannot vary mixture components",
        ),
        (
            FactorSpace((DiscreteFactor("shift", (1, 2, 3)), *continuous(1).factors)),
            "needs 'shift' at .*, but its levels are",
        ),
    ],
)
def test_factors_that_do_not_fit_are_refused(space, complaint):
    with pytest.raises(DesignError, match=complaint):
        doehlert(space)


def test_a_design_needs_its_centre():
    with pytest.raises(DesignError, match="centre_points must be a whole number of at least 1"):
        doehlert(continuous(2), centre_points=0)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda shell: shell[:-1], "must have 12 runs"),
        (lambda shell: shell * 1.01, "not equally far"),
        (lambda shell: np.vstack([shell[:2], shell[:-2]]), "not evenly spread"),
    ],
)
def test_a_broken_shell_is_refused(change, complaint):
    with pytest.raises(DesignError, match=complaint):
        check_uniform_shell(change(uniform_shell(3)), "Doehlert design")
