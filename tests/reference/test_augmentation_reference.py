"""Augmented designs against published designs and figures."""

import numpy as np
import pytest

from doe.augmentation import (
    add_axial_points,
    add_centre_points,
    add_fold_over,
    augment_optimal,
    combined_design,
)
from doe.designs import fractional_factorial, full_factorial
from doe.designs.aliasing import defining_relation
from doe.factors import ContinuousFactor
from doe.runs import Design
from doe.space import FactorSpace
from doe.terms import model_matrix, quadratic_terms


def lettered(n_factors: int) -> FactorSpace:
    """Return continuous factors A, B, C, ... from 0 to 10."""
    return FactorSpace(
        tuple(ContinuousFactor(name, 0.0, 10.0) for name in "ABCDEFGHJK"[:n_factors])
    )


@pytest.mark.requirement("DOE-12")
@pytest.mark.parametrize(
    ("n_factors", "kind", "centre", "d_percent"),
    # D% = 100 |X'X|^(1/p)/n of central composite designs, reference_cases.md, case 8.
    [
        (2, "rotatable", 5, 56.902),
        (3, "rotatable", 6, 61.579),
        (3, "face-centred", 6, 36.673),
    ],
)
def test_a_factorial_completed_in_two_steps_has_the_published_d_efficiency(
    n_factors, kind, centre, d_percent
):
    factorial = full_factorial(lettered(n_factors))
    with_centre = combined_design(
        factorial, add_centre_points(factorial, centre_points=centre, in_new_block=False)
    )

    axial = add_axial_points(
        with_centre, kind=kind, axial="beyond", centre_points=0, in_new_block=False
    )

    assert 100 * axial.details["d_efficiency"]["after"] == pytest.approx(d_percent, abs=5e-4)


@pytest.mark.requirement("DOE-12")
def test_two_factors_in_two_equal_blocks_are_orthogonally_blocked():
    """Box and Hunter (1957): two factors, blocks of 4 + 3 and 4 + 3 runs, axial distance 1.414."""
    core = full_factorial(lettered(2), centre_points=3)

    axial = add_axial_points(core, kind="rotatable", axial="beyond", centre_points=3)

    whole = combined_design(core, axial)
    matrix = model_matrix(quadratic_terms(whole.space), whole.runs, whole.space).to_numpy()
    block = np.repeat([-1.0, 1.0], 7)
    np.testing.assert_allclose(matrix.T @ block, 0.0, atol=1e-9)
    free = np.diag(np.linalg.inv(matrix.T @ matrix))[1:]
    stated = [both["after"] for both in axial.details["coefficient_variances"].values()][1:]
    np.testing.assert_allclose(stated, free, rtol=1e-5)


@pytest.mark.requirement("DOE-12")
def test_the_full_fold_over_of_the_seven_factor_fraction_has_the_published_words():
    """The even words of D=AB, E=AC, F=BC, G=ABC: Montgomery (2017), chapter 8.

    Design and Analysis of Experiments: the words of odd length drop out of the relation.
    """
    fraction = fractional_factorial(lettered(7), generators=["D=AB", "E=AC", "F=BC", "G=ABC"])

    added = add_fold_over(fraction)

    whole = combined_design(fraction, added)
    plain = Design(lettered(7), whole.runs, "both halves", ("factorial",) * 16)
    assert defining_relation(plain) == "I = ABCG = ABEF = ACDF = ADEG = BCDE = BDFG = CEFG"
    assert added.details["defining_relation"] == defining_relation(plain)


@pytest.mark.requirement("DOE-12")
def test_the_d_optimal_runs_beside_a_factorial_reach_the_published_optimum():
    """D = det(X'X/n)^(1/10) of 14 runs at three levels, reference_cases.md, case 8: 0.46304474."""
    factorial = full_factorial(lettered(3))

    added = augment_optimal(
        factorial,
        n_runs=6,
        terms="quadratic",
        criterion="D",
        in_new_block=False,
        rng=np.random.default_rng(1),
    )

    assert added.details["d_efficiency"]["after"] >= 0.46304474 * 0.999
