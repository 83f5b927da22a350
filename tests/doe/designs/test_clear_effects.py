import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.designs import fractional_factorial, resolution
from doe.designs.aliasing import two_level_signs
from doe.designs.structure import check_estimable
from doe.errors import DesignError
from doe.factors import ContinuousFactor
from doe.space import FactorSpace
from tests.doe.designs.examples import continuous

LETTERS = "ABCDEFGHJK"


@st.composite
def requests(draw, max_factors=7):
    """A number of factors, and some of their two-factor interactions."""
    n_factors = draw(st.integers(4, max_factors))
    every = list(itertools.combinations(range(n_factors), 2))
    pairs = draw(st.lists(st.sampled_from(every), min_size=1, max_size=4, unique=True))
    return n_factors, pairs


def texts(pairs):
    return ["".join(LETTERS[place] for place in pair) for pair in pairs]


def is_estimated(words, n_factors, pairs, *, is_clear):
    """Return whether a defining relation, each word a set of factors, lets the pairs be estimated.

    Two effects are aliased when their symmetric difference is a word.
    """
    main = [frozenset([place]) for place in range(n_factors)]
    named = [frozenset(pair) for pair in pairs]
    every = [frozenset(pair) for pair in itertools.combinations(range(n_factors), 2)]
    others = [*main, *(every if is_clear else named)]
    return not any(
        one != other and one ^ other in words for one in [*main, *named] for other in others
    ) and not any(effect in words for effect in [*main, *named])


def subgroups(n_factors, n_words):
    """Yield every defining relation of so many independent words."""
    singles = [
        frozenset(word)
        for size in range(1, n_factors + 1)
        for word in itertools.combinations(range(n_factors), size)
    ]
    for chosen in itertools.combinations(singles, n_words):
        span = {frozenset()}
        for word in chosen:
            span |= {word ^ other for other in span}
        if len(span) == 2**n_words:
            yield span - {frozenset()}


@pytest.mark.requirement("DOE-1")
@given(request=requests(max_factors=9), others=st.sampled_from(["possible", "negligible"]))
@settings(max_examples=30, deadline=None)
def test_named_interactions_are_clear_of_all_that_they_must_be_clear_of(request, others):
    n_factors, pairs = request
    try:
        design = fractional_factorial(
            continuous(n_factors), estimate=texts(pairs), other_interactions=others
        )
    except DesignError:
        # Only the full factorial does: that no fraction would is tested below.
        return

    signs = two_level_signs(design)
    main = [(place,) for place in range(n_factors)]
    crossed = list(itertools.combinations(range(n_factors), 2))
    compared = [*main, *(crossed if others == "possible" else pairs)]
    for one in [*main, *pairs]:
        for other in compared:
            if one != other:
                assert signs[:, one].prod(axis=1) @ signs[:, other].prod(axis=1) == 0
    assert design.details["estimated_interactions"] == texts(pairs)


@pytest.mark.requirement("DOE-1")
@given(request=requests(max_factors=6), others=st.sampled_from(["possible", "negligible"]))
@settings(max_examples=12, deadline=None)
def test_no_smaller_fraction_would_do(request, others):
    """Against every defining relation that halves the runs once more."""
    n_factors, pairs = request
    is_clear = others == "possible"
    try:
        design = fractional_factorial(
            continuous(n_factors), estimate=texts(pairs), other_interactions=others
        )
        n_words = len(design.generators)
    except DesignError:
        n_words = 0

    if n_words < 3:
        assert not any(
            is_estimated(words, n_factors, pairs, is_clear=is_clear)
            for words in subgroups(n_factors, n_words + 1)
        )


@pytest.mark.requirement("DOE-1")
@pytest.mark.parametrize(
    ("n_factors", "estimate", "others", "n_runs", "length"),
    [
        # Every two-factor interaction: resolution V.
        (5, texts(itertools.combinations(range(5), 2)), "possible", 16, 5),
        (6, texts(itertools.combinations(range(6), 2)), "possible", 32, 6),
        # None that is named: the default fraction of resolution IV.
        (7, ["AB"], "negligible", 16, 4),
    ],
)
def test_known_requests_give_the_known_fractions(n_factors, estimate, others, n_runs, length):
    design = fractional_factorial(
        continuous(n_factors), estimate=estimate, other_interactions=others
    )

    assert (design.n_runs, resolution(design)) == (n_runs, length)


def test_interactions_can_be_named_by_factors_and_runs_chosen():
    space = FactorSpace(
        tuple(ContinuousFactor(name, 0, 1) for name in ("pH", "T", "feed", "O2", "stir", "cut"))
    )

    design = fractional_factorial(space, estimate=["pH:T", "feed*O2"], n_runs=32, n_blocks=2)

    assert design.details["estimated_interactions"] == ["AB", "CD"]
    assert design.n_runs == 32
    assert not {"AB", "CD"} & set(design.details["lost_to_blocks"])


def test_a_higher_resolution_can_be_asked_for_too():
    plain = fractional_factorial(continuous(8), estimate=["AB"])
    high = fractional_factorial(continuous(8), estimate=["AB"], resolution=5)

    assert resolution(plain) == 4
    assert resolution(high) >= 5
    assert high.n_runs == 64


@pytest.mark.parametrize(
    ("n_factors", "options", "complaint"),
    [
        (6, {"estimate": ["AB"], "n_runs": 16}, r"in 16 runs was found .* n_runs=32, or full_fac"),
        (4, {"estimate": ["AB", "CD"]}, r"Choose full_factorial \(16 runs\), name fewer"),
        (6, {"estimate": ["ABC"]}, "two-factor interactions, such as 'x1:x6', got 'ABC' with 3"),
        (6, {"estimate": ["A"]}, "got 'A' with 1"),
        (6, {"estimate": ["AZ"]}, "'Z' is not a factor"),
        (6, {"estimate": ["AB"], "generators": ["F=ABC"]}, "leave out one of the two"),
        (6, {"estimate": ["AB"], "other_interactions": "no"}, "choose 'possible'"),
    ],
)
def test_interactions_that_cannot_be_estimated_are_refused_with_what_would_do(
    n_factors, options, complaint
):
    with pytest.raises(DesignError, match=complaint):
        fractional_factorial(continuous(n_factors), **options)


def test_the_order_in_which_interactions_are_named_does_not_matter():
    one, other = (
        fractional_factorial(continuous(7), estimate=estimate)
        for estimate in (["AB", "CD", "AE"], ["EA", "DC", "AB"])
    )

    assert one.runs.equals(other.runs)


def test_the_words_are_few_where_factors_are_many():
    """Chen, Sun and Wu (1993), design 9-4.1: eight interactions with one factor are clear."""
    design = fractional_factorial(continuous(9), estimate=[f"A{letter}" for letter in "BCDEFGHJ"])

    assert design.details["word_lengths"] == {"4": 6, "5": 8, "8": 1}
    np.testing.assert_array_equal(np.abs(design.coded().to_numpy()), 1)


def test_a_fraction_that_fails_its_structural_check_is_not_used():
    """E = ABC: AB is aliased with CE, and DE with nothing."""
    signs = two_level_signs(fractional_factorial(continuous(5), generators=["E=ABC"]))

    check_estimable(signs, [(3, 4), (0, 3)], is_clear=True, method="fraction")
    check_estimable(signs, [(0, 1)], is_clear=False, method="fraction")
    with pytest.raises(DesignError, match=r"effects \(0, 1\) and \(2, 4\) are aliased"):
        check_estimable(signs, [(0, 1)], is_clear=True, method="fraction")
