"""Published numbers and published designs that the designs and their evaluation must reproduce."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from doe.designs import (
    alias_table,
    box_behnken,
    central_composite,
    fractional_factorial,
    full_factorial,
    plackett_burman,
    resolution,
    word_length_pattern,
)
from doe.designs.aliasing import word_lengths
from doe.designs.screening import hadamard_columns
from doe.designs.structure import check_orthogonal
from doe.evaluation import average_prediction_variance, d_efficiency, prediction_variance
from doe.factors import ContinuousFactor
from doe.space import FactorSpace
from doe.terms import linear_terms, model_matrix, parse_terms, quadratic_terms

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def read_published(name: str) -> pd.DataFrame:
    """Return a published data set that lies beside the repository."""
    path = SHARED_DATA / f"{name}.csv"
    if not path.is_file():
        pytest.skip(f"needs the published data set {name}, beside the repository")
    return pd.read_csv(path)


def coded_space(n_factors: int) -> FactorSpace:
    return FactorSpace(tuple(ContinuousFactor(f"x{i}", -1, 1) for i in range(1, n_factors + 1)))


def same_runs(one: pd.DataFrame, other: pd.DataFrame, *, atol: float = 1e-9) -> bool:
    """Return whether two tables hold the same runs in any order, columns in the same order."""
    tables = [np.round(table.to_numpy(dtype=float), 6) + 0.0 for table in (one, other)]
    rows = [table[np.lexsort(np.round(table, 1).T)] for table in tables]
    return rows[0].shape == rows[1].shape and bool(np.allclose(*rows, rtol=0, atol=atol))


@pytest.mark.requirement("DOE-1")
@pytest.mark.parametrize(
    ("n_factors", "n_runs", "lengths"),
    [
        (5, 16, {5: 1}),
        (6, 16, {4: 3}),
        (7, 16, {4: 7}),
        (7, 8, {3: 7, 4: 7, 7: 1}),
        (8, 16, {4: 14, 8: 1}),
    ],
)
def test_word_lengths_of_the_textbook_fractions(n_factors, n_runs, lengths):
    """Montgomery, Design and Analysis of Experiments; FrF2 in R 4.2 gives the same."""
    design = fractional_factorial(coded_space(n_factors), n_runs=n_runs)

    assert word_length_pattern(design) == lengths
    assert resolution(design) == min(lengths)


@pytest.mark.requirement("DOE-1")
def test_aliases_of_the_seven_factor_fraction_in_sixteen_runs():
    """Montgomery, Design and Analysis of Experiments: E = ABC, F = ABD, G = ACD."""
    design = fractional_factorial(coded_space(7), generators=["E=ABC", "F=ABD", "G=ACD"])

    assert alias_table(design, order=2) == (
        *"ABCDEFG",
        "AB = CE = DF",
        "AC = BE = DG",
        "AD = BF = CG",
        "AE = BC = FG",
        "AF = BD = EG",
        "AG = CD = EF",
        "BG = CF = DE",
    )


@pytest.mark.requirement("DOE-2")
def test_twelve_run_plackett_burman_design_from_its_published_row():
    """Plackett and Burman (1946): first row ++-+++---+-."""
    design = plackett_burman(coded_space(11))

    row = np.array([1.0 if sign == "+" else -1.0 for sign in "++-+++---+-"])
    np.testing.assert_array_equal(design.runs.iloc[0], row)
    np.testing.assert_array_equal(design.runs.iloc[11], -np.ones(11))
    x = np.column_stack([np.ones(12), design.runs.to_numpy()])
    np.testing.assert_array_equal(x.T @ x, 12 * np.eye(12))


@pytest.mark.requirement("DOE-2")
def test_twelve_run_plackett_burman_design_aliases_by_a_third_or_not_at_all():
    """Every main effect with every two-factor interaction: +-1/3, or 0 where a factor is shared."""
    space = coded_space(11)
    runs = plackett_burman(space).runs
    main = model_matrix(linear_terms(space), runs, space)

    for one in range(1, 12):
        for other in range(one + 1, 12):
            crossed = parse_terms(f"0 + x{one}:x{other}", space)
            interaction = model_matrix(crossed, runs, space).to_numpy()[:, 0]
            aliases = np.linalg.lstsq(main.to_numpy(), interaction)[0]
            shared = [0, one, other]
            np.testing.assert_allclose(aliases[shared], 0.0, atol=1e-12)
            np.testing.assert_allclose(np.abs(np.delete(aliases, shared)), 1 / 3)


@pytest.mark.requirement("DOE-2")
def test_twenty_eight_runs_hold_the_published_blocks():
    """Plackett and Burman (1946): rows 1, 10 and 19 of the design for 28 runs."""
    signs = hadamard_columns(28)

    published = {
        0: "+-++++----+---+--+++-+-++-+",
        9: "++-+-++-++-++++----+---+--+",
        18: "-+---+--+++-+-++-++-++++---",
    }
    for row, text in published.items():
        assert "".join("+" if sign > 0 else "-" for sign in signs[row]) == text


@pytest.mark.requirement("DOE-4")
@pytest.mark.parametrize(("n_factors", "distance"), [(2, 1.414214), (3, 1.681793), (4, 2.0)])
def test_rotatable_axial_distances(n_factors, distance):
    """Box and Hunter (1957): (number of core runs)^(1/4)."""
    design = central_composite(coded_space(n_factors), kind="rotatable", axial="beyond")

    assert design.details["axial_distance"] == pytest.approx(distance, abs=5e-7)
    assert np.abs(design.runs.to_numpy()).max() == pytest.approx(distance, abs=5e-7)


@pytest.mark.requirement("DOE-4")
def test_axial_distance_of_the_orthogonally_blocked_design():
    """The rsm package for R: three factors, 4 centre runs with the core and 2 with the axial."""
    design = central_composite(
        coded_space(3), kind="orthogonal blocks", centre_points=(4, 2), axial="beyond"
    )

    assert design.details["axial_distance"] == pytest.approx(1.632993, abs=5e-7)


@pytest.mark.requirement("DOE-4")
@pytest.mark.parametrize(
    ("n_factors", "n_edge", "n_runs"),
    [(3, 12, 15), (4, 24, 27), (5, 40, 46), (6, 48, 54), (7, 56, 62)],
)
def test_box_behnken_run_counts(n_factors, n_edge, n_runs):
    """Box and Behnken (1960)."""
    design = box_behnken(coded_space(n_factors))

    assert design.point_types.count("edge") == n_edge
    assert design.n_runs == n_runs


def _efficiency(design):
    matrix = model_matrix(quadratic_terms(design.space), design.runs, design.space)
    return 100 * d_efficiency(matrix.to_numpy())


def _average_variance(design):
    return average_prediction_variance(
        design.runs, terms=quadratic_terms(design.space), space=design.space
    )


def rotatable(n_factors):
    return central_composite(coded_space(n_factors), kind="rotatable", axial="beyond")


@pytest.mark.requirement("DOE-4")
@pytest.mark.parametrize(
    ("design", "n_runs", "percent"),
    [
        (rotatable(2), 13, 56.902),
        (rotatable(3), 20, 61.579),
        (central_composite(coded_space(3)), 20, 36.673),
        (box_behnken(coded_space(3)), 15, 36.643),
    ],
    ids=["rotatable 2", "rotatable 3", "face-centred 3", "Box-Behnken 3"],
)
def test_d_efficiency_of_response_surface_designs(design, n_runs, percent):
    """Full quadratic model, core at +-1; computed with rsm and AlgDesign in R 4.2."""
    assert design.n_runs == n_runs
    assert _efficiency(design) == pytest.approx(percent, abs=5e-4)


@pytest.mark.requirement("DOE-4")
@pytest.mark.parametrize(
    ("design", "average"),
    [
        (central_composite(coded_space(3)), 0.29621),
        (rotatable(3), 0.21387),
        (box_behnken(coded_space(3)), 0.38472),
    ],
    ids=["face-centred 3", "rotatable 3", "Box-Behnken 3"],
)
def test_average_prediction_variance_of_response_surface_designs(design, average):
    """Mean over the cube, full quadratic model, from the exact moments."""
    assert _average_variance(design) == pytest.approx(average, abs=5e-6)


@pytest.mark.requirement("DOE-4")
def test_scaled_prediction_variance_of_the_face_centred_design():
    """At the centre, a corner and the middle of a face; 20 runs, full quadratic model."""
    design = central_composite(coded_space(3))
    at = pd.DataFrame([[0.0, 0, 0], [1, 1, 1], [1, 0, 0]], columns=list(design.space.names))

    variance = prediction_variance(
        design.runs, at, terms=quadratic_terms(design.space), space=design.space
    )

    np.testing.assert_allclose(20 * variance, [2.3636, 15.8636, 9.8182], atol=5e-5)


@pytest.mark.requirement("DOE-4")
def test_montgomerys_central_composite_design_in_natural_units():
    """Montgomery, Design and Analysis of Experiments, example 11-1: axial level printed 1.414."""
    published = read_published("montgomery_ccd_three_responses")
    space = FactorSpace((ContinuousFactor("Time", 80, 90), ContinuousFactor("Temp", 170, 180)))

    runs = central_composite(space, kind="rotatable", axial="beyond").runs

    assert same_runs(runs, published[["Time", "Temp"]], atol=2e-3)


@pytest.mark.requirement("DOE-4")
def test_the_inscribed_design_of_the_nist_handbook():
    """NIST/SEMATECH e-Handbook 5.4.7.3: pressure 4 to 80, H2/WF6 2 to 10, corners at 0.71."""
    published = read_published("nist_handbook_lpcvd_ccd")
    space = FactorSpace((ContinuousFactor("pressure", 4, 80), ContinuousFactor("h2_wf6", 2, 10)))

    runs = central_composite(space, kind="inscribed", centre_points=3).runs

    assert same_runs(runs, published[["pressure", "h2_wf6"]], atol=6e-3)


@pytest.mark.requirement("DOE-1")
def test_the_reactor_factorial_is_in_standard_order():
    """Box, Hunter and Hunter (1978), p. 377: 2^5, first factor changing fastest."""
    published = read_published("nist_bhh_reactor_2p5").drop(columns="y_pct_reacted")
    space = FactorSpace(tuple(ContinuousFactor(name, -1, 1) for name in published.columns))

    np.testing.assert_array_equal(full_factorial(space).runs, published)


@pytest.mark.requirement("DOE-1")
def test_the_sonoluminescence_fraction_of_the_nist_handbook():
    """NIST/SEMATECH e-Handbook: 2^(7-3) of resolution IV, in standard order."""
    published = read_published("nist_handbook_sonoluminescence_2p7_3").drop(columns="y_intensity")
    space = FactorSpace(tuple(ContinuousFactor(name, -1, 1) for name in published.columns))

    design = fractional_factorial(space, generators=["E=BCD", "F=ACD", "G=ABC"])

    np.testing.assert_array_equal(design.runs, published)
    assert word_length_pattern(design) == {4: 7}


@pytest.mark.requirement("DOE-2")
def test_the_published_medium_screening_is_the_twenty_run_design_in_another_order():
    """World J. Microbiol. Biotechnol., doi 10.1007/BF00369470: 19 components in 20 runs."""
    table = read_published("pb20_aspergillus_galactosidase")
    signs = 2.0 * table.filter(like="_coded").to_numpy(dtype=float) - 1

    check_orthogonal(signs, "published screening")

    # Levels, rows and columns are named at will; what is aliased with what is not.
    assert word_lengths(signs) == word_lengths(hadamard_columns(20))
