"""Published definitive screening designs, and blocked second-order designs, with their numbers."""

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from doe.designs.definitive import definitive_screening
from doe.designs.response_surface import central_composite
from doe.factors import ContinuousFactor
from doe.space import FactorSpace

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def coded_space(n_factors: int) -> FactorSpace:
    return FactorSpace(tuple(ContinuousFactor(f"x{i}", -1, 1) for i in range(1, n_factors + 1)))


def published_screen() -> pd.DataFrame:
    """Return the runs and response of Erler and others (2013), Biotechnology Letters."""
    path = SHARED_DATA / "dsd17_protein_crosslinking.csv"
    if not path.is_file():
        pytest.skip("needs the published data set dsd17_protein_crosslinking")
    return pd.read_csv(path)


def row_numbers(points):
    """Return each run as a number, sorted; shape ``(..., n_runs)``."""
    digits = 3 ** np.arange(points.shape[-1])
    return np.sort((np.rint(points).astype(int) + 1) @ digits, axis=-1)


def same_but_for_names_and_signs(one, other):
    """Return whether designs are the same but for the order of factors and what is called low."""
    signs = np.array(list(product((-1, 1), repeat=one.shape[1])))
    wanted = row_numbers(other)
    return any(
        (row_numbers(one[:, order] * signs[:, None, :]) == wanted).all(axis=1).any()
        for order in map(list, permutations(range(one.shape[1])))
    )


@pytest.mark.requirement("DOE-3")
def test_six_factors_in_thirteen_runs():
    """Jones and Nachtsheim (2011), J. Quality Technology 43, 1-15."""
    points = definitive_screening(coded_space(6)).coded().to_numpy()

    assert points.shape == (13, 6)
    np.testing.assert_array_equal(points.T @ points, 10 * np.eye(6))
    correlations = np.corrcoef((points**2).T)
    np.testing.assert_allclose(correlations[np.triu_indices(6, 1)], 0.1333, atol=5e-5)


@pytest.mark.requirement("DOE-3")
def test_the_published_bioprocess_screen_is_our_design_of_six_factors():
    """Erler and others (2013): 13 runs and four more centre runs; main effects as R gives them."""
    table = published_screen()
    points = table.iloc[:, :6].to_numpy(dtype=float)

    ours = definitive_screening(coded_space(6), centre_points=5).coded().to_numpy()

    assert ours.shape == points.shape == (17, 6)
    np.testing.assert_array_equal(points.T @ points, ours.T @ ours)
    assert same_but_for_names_and_signs(ours, points)
    effects = points.T @ table["Extent_of_polymerization"].to_numpy() / 10
    np.testing.assert_allclose(effects, [10.62, -0.78, 1.16, 3.90, 1.00, 5.46], atol=0.005)


@pytest.mark.requirement("DOE-3")
@pytest.mark.parametrize(
    ("n_factors", "n_runs"),
    [(3, 9), (4, 9), (5, 13), (6, 13), (7, 17), (8, 17), (9, 21), (10, 21), (11, 25), (12, 25)],
)
def test_numbers_of_runs(n_factors, n_runs):
    """Xiao, Lin and Bai (2012), J. Quality Technology 44, 2-8: 2k + 1, and 2k + 3 for odd k."""
    assert definitive_screening(coded_space(n_factors)).n_runs == n_runs


@pytest.mark.requirement("DOE-4")
@pytest.mark.parametrize(
    ("n_factors", "fraction", "n_blocks", "centre", "n_runs", "distance"),
    [
        (2, None, 2, (3, 3), 14, 1.414),
        (3, None, 3, (2, 2), 20, 1.633),
        (4, None, 3, (2, 2), 30, 2.000),
        (5, None, 5, (2, 4), 54, 2.366),
        (5, "resolution V", 2, (6, 1), 33, 2.000),
        (6, None, 9, (1, 6), 90, 2.828),
        (6, "resolution V", 3, (4, 2), 54, 2.366),
        (7, "resolution V", 9, (1, 4), 90, 2.828),
    ],
)
def test_central_composite_designs_in_orthogonal_blocks(
    n_factors, fraction, n_blocks, centre, n_runs, distance
):
    """Myers, Montgomery and Anderson-Cook (2016), Response Surface Methodology, ch. 8.

    After Box and Hunter (1957), Annals of Mathematical Statistics 28, 195-241.
    """
    design = central_composite(
        coded_space(n_factors),
        kind="orthogonal blocks",
        fraction=fraction,
        n_blocks=n_blocks,
        centre_points=centre,
        axial="beyond",
    )

    assert design.n_runs == n_runs
    assert design.details["axial_distance"] == pytest.approx(distance, abs=5e-4)


@pytest.mark.requirement("DOE-4")
def test_three_factors_in_three_blocks_have_their_axial_runs_at_1_632993():
    """Box and Hunter (1957): four centre runs in the core blocks, two in the axial block."""
    design = central_composite(coded_space(3), kind="orthogonal blocks", n_blocks=3, axial="beyond")

    assert design.details["axial_distance"] == pytest.approx(1.632993, abs=5e-7)
    assert [design.blocks["block"].count(level) for level in "123"] == [6, 6, 8]
