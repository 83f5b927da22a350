"""Published blocks, fractions and fold-overs that the two-level designs must reproduce."""

import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from doe.designs import (
    box_behnken,
    defining_relation,
    fractional_factorial,
    full_factorial,
    plackett_burman,
)
from doe.designs.aliasing import two_level_signs
from doe.designs.blocking import in_blocks
from doe.designs.folding import fold_over, with_fold_over
from doe.factors import ContinuousFactor
from doe.runs import Design
from doe.space import FactorSpace
from doe.terms import quadratic_terms
from tests.reference.test_designs_reference import read_published


def space_of(names: str, half_range: float = 1.0) -> FactorSpace:
    return FactorSpace(tuple(ContinuousFactor(name, -half_range, half_range) for name in names))


def written_runs(design: Design, level: str) -> set[str]:
    """Return the runs of a block as textbooks write them: the letters that are high."""
    rows = design.runs[np.array(design.blocks["block"]) == level]
    return {
        "".join(name.lower() for name in rows.columns if run[name] > 0) or "(1)"
        for _, run in rows.iterrows()
    }


# Number of factors, generators, and what follows from them.
SUGGESTED_BLOCKS = [
    (3, ["ABC"], []),
    (3, ["AB", "AC"], ["BC"]),
    (4, ["ABCD"], []),
    (4, ["ABC", "ACD"], ["BD"]),
    (4, ["AB", "BC", "CD"], ["AC", "BD", "AD", "ABCD"]),
    (5, ["ABCDE"], []),
    (5, ["ABC", "CDE"], ["ABDE"]),
    (5, ["ABE", "BCE", "CDE"], ["AC", "ABCD", "BD", "ADE"]),
    (6, ["ABCDEF"], []),
    (6, ["ABCF", "CDEF"], ["ABDE"]),
    (6, ["ABEF", "ABCD", "ACE"], ["BCF", "BDE", "CDEF", "ADF"]),
]


@pytest.mark.requirement("DOE-8")
@pytest.mark.parametrize(("n_factors", "generators", "products"), SUGGESTED_BLOCKS)
def test_blocks_confound_what_the_textbook_says(n_factors, generators, products):
    """Montgomery, Design and Analysis of Experiments, table of suggested blocks of the 2^k."""
    space = space_of("ABCDEF"[:n_factors])

    given = full_factorial(space, block_generators=generators)
    chosen = full_factorial(space, n_blocks=2 ** len(generators))

    published = [*generators, *products]
    assert sorted(given.details["confounded"]) == sorted(published)
    # Ours may be another choice of letters, and is as good by its words.
    assert Counter(map(len, chosen.details["confounded"])) == Counter(map(len, published))


@pytest.mark.requirement("DOE-8")
def test_principal_blocks_of_the_textbook():
    """Montgomery: the 2^3 with ABC and the 2^4 with ABCD confounded."""
    three = full_factorial(space_of("ABC"), n_blocks=2)
    four = full_factorial(space_of("ABCD"), n_blocks=2)

    assert written_runs(three, "1") == {"(1)", "ab", "ac", "bc"}
    assert written_runs(three, "2") == {"a", "b", "c", "abc"}
    assert written_runs(four, "1") == {"(1)", "ab", "ac", "bc", "ad", "bd", "cd", "abcd"}


@pytest.mark.requirement("DOE-8")
def test_a_quarter_fraction_in_two_blocks():
    """Montgomery: the 2^(6-2) with E = ABC, F = BCD, ABD and its aliases confounded with blocks."""
    design = fractional_factorial(
        space_of("ABCDEF"), generators=["E=ABC", "F=BCD"], block_generators=["ABD"]
    )

    assert design.details["confounded"] == ["ABD = ACF = BEF = CDE"]
    assert design.details["lost_to_blocks"] == []
    assert written_runs(design, "1") == {
        *("(1)", "abf", "cef", "abce", "adef", "bde", "acd", "bcdf"),
    }


@pytest.mark.requirement("DOE-12")
def test_the_fold_over_of_seven_factors_in_eight_runs():
    """Montgomery: both fractions together are the 2^(7-3) of resolution IV."""
    space = space_of("ABCDEFG")
    design = fractional_factorial(space, generators=["D=AB", "E=AC", "F=BC", "G=ABC"])

    added = fold_over(design)
    combined = with_fold_over(design)

    assert added.generators == ("D = -AB", "E = -AC", "F = -BC", "G = ABC")
    published = {"ABCG", "BCDE", "ACDF", "CEFG", "ADEG", "BDFG", "ABEF"}
    assert set(defining_relation(combined).removeprefix("I = ").split(" = ")) == published
    assert combined.details["resolution"] == 4


@pytest.mark.requirement("DOE-12")
def test_twelve_runs_folded_over_are_twenty_four_of_resolution_four():
    """Plackett and Burman (1946); Box and Wilson (1951): main effects clear of interactions."""
    combined = with_fold_over(plackett_burman(space_of("ABCDEFGHJKL")))

    signs = two_level_signs(combined)
    np.testing.assert_array_equal(signs.T @ signs, 24 * np.eye(11))
    crossed = [
        signs[:, one] * signs[:, other] for one, other in itertools.combinations(range(11), 2)
    ]
    np.testing.assert_array_equal(signs.T @ np.column_stack(crossed), 0)


@pytest.mark.requirement("DOE-1")
def test_the_sonoluminescence_fraction_is_found_from_its_interactions():
    """NIST/SEMATECH e-Handbook (Inn 1999): a 2^(7-3) of resolution IV in sixteen runs."""
    published = read_published("nist_handbook_sonoluminescence_2p7_3")
    factors = [name for name in published.columns if name != "y_intensity"]
    space = FactorSpace(tuple(ContinuousFactor(name, -1, 1) for name in factors))

    design = fractional_factorial(
        space, estimate=["molarity:solute_type", "molarity:pH"], other_interactions="negligible"
    )

    assert design.n_runs == len(published)
    table = Design(space, published[factors], "published")
    words = [len(word) for word in defining_relation(table).split(" = ")[1:]]
    assert Counter(map(str, words)) == design.details["word_lengths"]


@pytest.mark.requirement("DOE-8")
@pytest.mark.parametrize(("n_factors", "n_blocks", "centre"), [(4, 3, 3), (5, 2, 6)])
def test_box_behnken_designs_have_orthogonal_blocks(n_factors, n_blocks, centre):
    """Box and Behnken (1960), table 4: three blocks of nine runs, two of twenty-three."""
    space = space_of("ABCDE"[:n_factors])
    design = box_behnken(space, centre_points=centre)

    divided = in_blocks(design, n_blocks, quadratic_terms(space), rng=np.random.default_rng(1960))

    assert divided.details["block_efficiency"] == pytest.approx(1.0, abs=1e-6)
    assert divided.details["block_sizes"] == [design.n_runs // n_blocks] * n_blocks


@pytest.mark.requirement("DOE-8")
def test_the_central_composite_design_of_four_factors_has_three_orthogonal_blocks():
    """Box and Hunter (1957): two half fractions, and the axial runs at 2, ten runs in each."""
    space = space_of("ABCD", half_range=2.0)
    core = np.array(list(itertools.product((-1.0, 1.0), repeat=4)))
    axial = np.vstack([2 * np.eye(4), -2 * np.eye(4)])
    runs = pd.DataFrame(np.vstack([core, axial, np.zeros((6, 4))]), columns=list("ABCD"))
    types = ("factorial",) * 16 + ("axial",) * 8 + ("centre",) * 6
    design = Design(space, runs, "central composite", types)

    divided = in_blocks(design, 3, quadratic_terms(space), rng=np.random.default_rng(1957))

    assert divided.details["block_efficiency"] == pytest.approx(1.0, abs=1e-6)
