import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.constraints import ForbiddenCombination
from doe.designs import box_behnken, fractional_factorial, full_factorial, plackett_burman
from doe.designs.aliasing import two_level_signs
from doe.designs.folding import fold_over, with_fold_over
from doe.errors import DesignError
from doe.factors import BlockFactor, CategoricalFactor, ContinuousFactor, DiscreteFactor
from doe.runs import Design
from doe.space import FactorSpace
from tests.doe.designs.examples import continuous, words_one_by_one
from tests.doe.designs.test_fractional_factorial import fractions


def constant_words(signs):
    return {
        word
        for size in range(1, signs.shape[1] + 1)
        for word in itertools.combinations(range(signs.shape[1]), size)
        if np.ptp(signs[:, word].prod(axis=1)) == 0
    }


@pytest.mark.requirement("DOE-12")
@given(fraction=fractions())
@settings(max_examples=30, deadline=None)
def test_exchanging_all_levels_leaves_the_words_of_even_length(fraction):
    n_factors, generators = fraction
    design = fractional_factorial(continuous(n_factors), generators=generators)
    before = words_one_by_one(two_level_signs(design))
    if all(length % 2 == 0 for length in before):
        with pytest.raises(DesignError, match=r"the same \d+ runs again"):
            fold_over(design)
        return

    combined = with_fold_over(design)

    # Half the words are of even length when any is odd.
    expected = {length: count for length, count in before.items() if length % 2 == 0}
    assert words_one_by_one(two_level_signs(combined)) == expected
    assert combined.details["resolution"] == min(expected, default=None)
    assert combined.details["resolution_before"] == min(before)


@pytest.mark.requirement("DOE-12")
@given(fraction=fractions(), data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_word_vanishes_when_an_odd_number_of_its_factors_is_exchanged(fraction, data):
    n_factors, generators = fraction
    design = fractional_factorial(continuous(n_factors), generators=generators)
    chosen = data.draw(st.sets(st.integers(0, n_factors - 1), min_size=1))
    words = constant_words(two_level_signs(design))
    expected = {word for word in words if len(chosen & set(word)) % 2 == 0}
    if expected == words:
        return

    combined = with_fold_over(design, factors=[f"x{place + 1}" for place in chosen])

    assert constant_words(two_level_signs(combined)) == expected


@pytest.mark.requirement("DOE-12")
@pytest.mark.parametrize("n_factors", [3, 5, 6, 7])
def test_exchanging_one_factor_frees_it_and_its_interactions(n_factors):
    """Box and Hunter (1961): from a fraction of resolution III."""
    design = fractional_factorial(continuous(n_factors), resolution=3)

    combined = with_fold_over(design, factors=["A"])

    signs = two_level_signs(combined)
    effects = [(0,), *((0, other) for other in range(1, n_factors))]
    every = [
        *itertools.combinations(range(n_factors), 1),
        *itertools.combinations(range(n_factors), 2),
    ]
    for one in effects:
        for other in every:
            if one != other:
                assert signs[:, one].prod(axis=1) @ signs[:, other].prod(axis=1) == 0


@pytest.mark.requirement("DOE-12")
@pytest.mark.parametrize(("n_factors", "n_runs"), [(11, 12), (8, 12), (19, 20), (5, 24)])
def test_a_folded_plackett_burman_design_has_main_effects_clear_of_interactions(n_factors, n_runs):
    design = plackett_burman(continuous(n_factors), n_runs=n_runs)

    combined = with_fold_over(design)

    assert combined.n_runs == 2 * n_runs
    signs = two_level_signs(combined)
    for one, other in itertools.combinations(range(n_factors), 2):
        np.testing.assert_array_equal(signs.T @ (signs[:, one] * signs[:, other]), 0)
    assert combined.details["resolution"] == 4
    if n_factors <= 12:
        assert combined.details["aliases"] == list("ABCDEFGHJKL"[:n_factors])


@given(fraction=fractions())
@settings(max_examples=15, deadline=None)
def test_exchanging_twice_gives_the_runs_of_the_beginning(fraction):
    n_factors, generators = fraction
    design = fractional_factorial(continuous(n_factors), generators=generators)
    odd = next((w for w in constant_words(two_level_signs(design))), None)
    factors = [f"x{odd[0] + 1}"]

    folded = fold_over(design, factors=factors)
    back = fold_over(replace(folded, blocks={}, space=design.space), factors=factors)

    pd.testing.assert_frame_equal(back.runs, design.runs)
    assert back.generators == design.generators


def test_the_generators_of_the_added_runs_make_them():
    design = fractional_factorial(continuous(7), n_runs=8)

    folded = fold_over(design)

    assert folded.generators == ("D = -AB", "E = -AC", "F = -BC", "G = ABC")
    made = fractional_factorial(continuous(7), generators=folded.generators)
    assert set(map(tuple, made.runs.to_numpy())) == set(map(tuple, folded.runs.to_numpy()))


def test_added_runs_are_a_block_of_their_own():
    design = fractional_factorial(continuous(3), n_runs=4, centre_points=2)

    added, combined = (f(design, block="day") for f in (fold_over, with_fold_over))

    assert added.blocks == {"day": ("fold-over",) * 6}
    assert combined.blocks == {"day": ("original",) * 6 + ("fold-over",) * 6}
    assert combined.point_types == (*design.point_types, *added.point_types)
    assert [f.name for f in added.space.blocks] == ["day"]
    # All that the two blocks differ by is the word that vanished.
    assert combined.details["equal_to_block"] == ["ABC"]
    pd.testing.assert_frame_equal(combined.runs.iloc[6:].reset_index(drop=True), added.runs)
    pd.testing.assert_frame_equal(combined.runs.iloc[:6], design.runs)


def test_the_fold_over_of_blocks_is_in_further_blocks():
    design = fractional_factorial(continuous(5), generators=["E=ABC", "D=AB"], n_blocks=2)

    combined = with_fold_over(design)

    assert combined.blocks["block"] == ("1",) * 4 + ("2",) * 4 + ("3",) * 4 + ("4",) * 4
    named = replace(design, blocks={"block": ("a",) * 4 + ("b",) * 4})
    assert fold_over(named).blocks["block"] == ("a fold-over",) * 4 + ("b fold-over",) * 4


@pytest.mark.parametrize("is_random", [True, False])
def test_a_fold_over_makes_up_no_vessel(is_random):
    vessel = BlockFactor("vessel", random=is_random)
    space = FactorSpace((*continuous(3).factors, vessel))
    design = fractional_factorial(space, generators=["C=AB"])
    known = replace(design, blocks={"vessel": ("V1", "V1", "V2", "V2")})

    plain, kept = fold_over(design), with_fold_over(known)

    assert plain.blocks == {"added runs": ("fold-over",) * 4}
    fixed = ("V1", "V1", "V2", "V2", *["V1 fold-over"] * 2, *["V2 fold-over"] * 2)
    halves = ("original",) * 4 + ("fold-over",) * 4
    assert kept.blocks == {"added runs": halves if is_random else fixed}
    assert fold_over(design, block="vessel").blocks == {"vessel": ("fold-over",) * 4}


@pytest.mark.parametrize(("centre_points", "n_runs"), [(None, 7), (0, 4), (1, 5)])
def test_centre_runs_are_done_again_as_often_as_asked(centre_points, n_runs):
    design = fractional_factorial(continuous(3), n_runs=4, centre_points=3)

    added = fold_over(design, centre_points=centre_points)

    assert added.n_runs == n_runs
    centre = added.runs[np.array(added.point_types) == "centre"]
    assert (centre == design.runs.iloc[-1]).all(axis=None)


def test_levels_of_every_kind_are_exchanged():
    space = FactorSpace(
        (
            CategoricalFactor("resin", ("A", "B")),
            DiscreteFactor("shift", (3, 4, 6)),
            ContinuousFactor("feed", 1, 100, scale="log"),
        )
    )
    design = fractional_factorial(space, generators=["C=AB"], centre_points=1)

    added = fold_over(design)

    swaps = {"A": "B", "B": "A", 3.0: 6.0, 6.0: 3.0, 4.0: 4.0, 1.0: 100.0, 100.0: 1.0, 10.0: 10.0}
    expected = design.runs.map(
        lambda value: swaps[value if isinstance(value, str) else float(value)]
    )
    pd.testing.assert_frame_equal(added.runs, expected)


def definitive_screening_runs() -> Design:
    """Jones and Nachtsheim (2011): four factors, from a conference matrix and its mirror image."""
    conference = np.array([[0, 1, 1, 1], [-1, 0, -1, 1], [-1, 1, 0, -1], [-1, -1, 1, 0]])
    points = np.vstack([conference, -conference, np.zeros((1, 4))])
    space = FactorSpace(tuple(ContinuousFactor(name, -1, 1) for name in "PQRS"))
    return Design(space, pd.DataFrame(points, columns=list("PQRS")), "definitive screening")


@pytest.mark.parametrize(
    ("design", "options", "complaint"),
    [
        (definitive_screening_runs(), {}, "'P' has 3 levels .* mirror images of each other alre"),
        (box_behnken(continuous(3)), {}, "has edge runs. Its runs are mirror images"),
        (full_factorial(continuous(3)), {}, "every combination already; replicate it"),
        (full_factorial(continuous(2), levels={"x1": [10, 11, 14]}), {}, "'x1' has 3 levels"),
        (fractional_factorial(continuous(4)), {}, r"same 8 runs again.*factors=\['x1'\]"),
        (fractional_factorial(continuous(4)), {"factors": ["A", "B"]}, "of x1, x2 gives the same"),
        (fractional_factorial(continuous(4)), {"factors": ["Z"]}, r"on \['Z'\] names no factor"),
        (fractional_factorial(continuous(4)), {"factors": []}, "names no factor"),
        (fractional_factorial(continuous(5), n_runs=8), {"centre_points": 1}, "has 0 centre runs"),
        (
            fractional_factorial(continuous(5), n_runs=8, n_blocks=2),
            {"block": "day"},
            "leave out block='day'",
        ),
    ],
)
def test_a_fold_over_that_frees_nothing_is_refused_with_the_reason(design, options, complaint):
    with pytest.raises(DesignError, match=complaint):
        fold_over(design, **options)


def test_added_runs_that_are_not_allowed_are_refused():
    """The mirror image of all high is all low, which is forbidden here."""
    low = ForbiddenCombination({"x1": (None, 11), "x2": (None, 21), "x3": (None, 31)})
    space = FactorSpace(continuous(3).factors, (low,))
    half = fractional_factorial(space, generators=["C=AB"])

    with pytest.raises(DesignError, match="1 of 4 runs of this fold-over on x1, x2, x3 are not"):
        fold_over(half)
