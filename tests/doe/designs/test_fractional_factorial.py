import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.designs import (
    alias_table,
    defining_relation,
    fractional_factorial,
    full_factorial,
    plackett_burman,
    resolution,
    word_length_pattern,
)
from doe.designs.aliasing import aliases, two_level_signs
from doe.designs.minimum_aberration import MAX_FACTORS, minimum_aberration_products
from doe.errors import DesignError
from doe.factors import CategoricalFactor, ContinuousFactor
from doe.space import FactorSpace
from tests.doe.designs.examples import continuous, two_level_spaces, words_one_by_one


@st.composite
def fractions(draw):
    """A number of factors, and generators that give no two factors the same product."""
    n_basic = draw(st.integers(2, 4))
    products = [
        "".join(word)
        for size in range(2, n_basic + 1)
        for word in itertools.combinations("ABCD"[:n_basic], size)
    ]
    chosen = draw(st.lists(st.sampled_from(products), min_size=1, max_size=4, unique=True))
    letters = "ABCDEFGHJ"[n_basic:]
    signs = draw(st.lists(st.sampled_from(["", "-"]), min_size=4, max_size=4))
    texts = [
        f"{letter} = {sign}{word}"
        for letter, sign, word in zip(letters, signs, chosen, strict=False)
    ]
    return n_basic + len(chosen), tuple(texts)


@pytest.mark.requirement("DOE-1")
@given(fraction=fractions())
@settings(max_examples=40)
def test_word_lengths_and_resolution_are_those_counted_product_by_product(fraction):
    n_factors, generators = fraction

    design = fractional_factorial(continuous(n_factors), generators=generators)

    counted = words_one_by_one(np.sign(design.coded().to_numpy()))
    assert word_length_pattern(design) == counted
    assert resolution(design) == min(counted) == design.details["resolution"]
    assert design.generators == generators


@pytest.mark.requirement("DOE-1")
@given(fraction=fractions())
@settings(max_examples=40)
def test_every_word_of_the_defining_relation_is_constant_and_none_is_missing(fraction):
    n_factors, generators = fraction
    design = fractional_factorial(continuous(n_factors), generators=generators)
    signs = design.coded().to_numpy()

    identity, *words = defining_relation(design).split(" = ")

    assert identity == "I"
    assert len(set(words)) == 2 ** len(generators) - 1
    for word in words:
        places = ["ABCDEFGHJ".index(letter) for letter in word.removeprefix("-")]
        expected = -1.0 if word.startswith("-") else 1.0
        np.testing.assert_allclose(signs[:, places].prod(axis=1), expected)


@pytest.mark.requirement("DOE-1")
@given(fraction=fractions(), order=st.integers(1, 3))
@settings(max_examples=40)
def test_effects_on_one_line_of_the_alias_table_are_equal_and_others_are_not(fraction, order):
    n_factors, generators = fraction
    design = fractional_factorial(continuous(n_factors), generators=generators)
    signs = design.coded().to_numpy()

    lines = [line.split(" = ") for line in alias_table(design, order=order)]

    effects = [effect.removeprefix("-") for line in lines for effect in line if effect != "I"]
    assert len(effects) == len(set(effects))
    assert len(effects) == sum(math.comb(n_factors, size) for size in range(1, order + 1))
    columns = np.array([_column(line[0], signs) for line in lines])
    np.testing.assert_allclose(columns @ columns.T, len(signs) * np.eye(len(lines)), atol=1e-9)
    for line, column in zip(lines, columns, strict=True):
        for effect in line[1:]:
            np.testing.assert_allclose(_column(effect, signs), column)


def _column(effect, signs):
    places = ["ABCDEFGHJ".index(letter) for letter in effect.removeprefix("-") if letter != "I"]
    return (-1 if effect.startswith("-") else 1) * signs[:, places].prod(axis=1)


@pytest.mark.requirement("DOE-1")
@given(space=two_level_spaces(min_size=4, max_size=8))
@settings(max_examples=25)
def test_a_fraction_is_balanced_and_orthogonal_for_every_kind_of_two_level_factor(space):
    design = fractional_factorial(space)

    signs = two_level_signs(design)
    matrix = np.column_stack([np.ones(len(signs)), signs])
    np.testing.assert_array_equal(matrix.T @ matrix, len(signs) * np.eye(matrix.shape[1]))
    assert design.details["resolution"] >= 4
    assert space.contains(design.runs).all()


# Every choice of products is compared with the listed one.
_EXHAUSTIBLE = [
    (n_factors, n_basic)
    for n_factors in range(3, MAX_FACTORS + 1)
    for n_basic in minimum_aberration_products(n_factors)
    if math.comb(2**n_basic - 1 - n_basic, n_factors - n_basic) * 2 ** (n_factors - n_basic) < 2e6
]


@pytest.mark.requirement("DOE-1")
@pytest.mark.parametrize(("n_factors", "n_basic"), _EXHAUSTIBLE)
def test_no_fraction_has_fewer_short_words_than_the_listed_one(n_factors, n_basic):
    """Fries and Hunter (1980): minimum aberration, by trying every set of generators."""
    n_generators = n_factors - n_basic
    products = [word for word in range(2**n_basic) if word.bit_count() > 1]
    choices = np.array(list(itertools.combinations(products, n_generators)))

    listed = minimum_aberration_products(n_factors)[n_basic]
    ours = np.array([[sum(2**place for place in product) for product in listed]])

    assert tuple(_pattern(ours)[0]) == min(map(tuple, np.unique(_pattern(choices), axis=0)))


def _pattern(choices):
    """Count the words of each length from three on, for every set of generated products."""
    n_choices, n_generators = choices.shape
    counts = np.zeros((n_choices, 20), dtype=np.int64)
    for used in itertools.product((0, 1), repeat=n_generators):
        if any(used):
            word = np.bitwise_xor.reduce(choices[:, np.flatnonzero(used)], axis=1)
            counts[np.arange(n_choices), np.bitwise_count(word) + sum(used)] += 1
    assert (counts[:, :2] == 0).all()
    return counts[:, 2:]


@pytest.mark.parametrize(
    ("n_factors", "n_runs"), [(5, 16), (6, 32), (7, 64), (8, 64), (9, 128), (10, 128), (11, 128)]
)
def test_resolution_five_takes_the_runs_that_textbooks_give(n_factors, n_runs):
    """Montgomery, Design and Analysis of Experiments, table of 2^(k-p) designs."""
    design = fractional_factorial(continuous(n_factors), resolution=5)

    assert design.n_runs == n_runs
    assert resolution(design) >= 5


@pytest.mark.parametrize(("n_factors", "n_runs"), [(3, 4), (7, 8), (8, 16), (15, 16)])
def test_resolution_three_holds_one_factor_less_than_it_has_runs(n_factors, n_runs):
    assert fractional_factorial(continuous(n_factors), resolution=3).n_runs == n_runs


@pytest.mark.parametrize(("n_factors", "n_runs"), [(4, 8), (8, 16), (9, 32), (16, 32)])
def test_resolution_four_is_the_default_and_holds_half_as_many_factors_as_runs(n_factors, n_runs):
    design = fractional_factorial(continuous(n_factors))

    assert (design.n_runs, resolution(design)) == (n_runs, 4)


def test_the_number_of_runs_can_be_chosen():
    design = fractional_factorial(continuous(6), n_runs=8)

    assert design.method == "fractional factorial 2^(6-3), resolution III"
    assert fractional_factorial(continuous(6), n_runs=8, resolution=3) == design


def test_generators_can_be_written_with_names_or_letters():
    space = FactorSpace(
        tuple(ContinuousFactor(name, 0, 1) for name in ("pH", "feed rate", "NO3-", "D"))
    )

    by_name = fractional_factorial(space, generators=["D = -pH * feed rate * NO3-"])

    assert by_name == fractional_factorial(space, generators="D=-ABC")
    assert by_name.generators == ("D = -ABC",)
    assert by_name.details["letters"] == {"A": "pH", "B": "feed rate", "C": "NO3-", "D": "D"}
    assert by_name.details["defining_relation"] == "I = -ABCD"


def test_factors_that_are_called_by_single_letters_keep_them():
    space = FactorSpace(tuple(ContinuousFactor(name, 0, 1) for name in "TPCR"))

    design = fractional_factorial(space, generators=["R=TPC"])

    assert defining_relation(design) == "I = TPCR"
    assert alias_table(design)[:5] == ("T", "P", "C", "R", "TP = CR")


def test_a_name_that_is_also_the_letter_of_another_factor_is_refused():
    space = FactorSpace(tuple(ContinuousFactor(name, 0, 1) for name in ("pH", "A", "T", "feed")))

    with pytest.raises(DesignError, match="'A' is the name of factor B, and the letter of 'pH'"):
        fractional_factorial(space, generators=["D=ABC"])


def test_replicates_and_centre_runs_do_not_change_the_words():
    plain = fractional_factorial(continuous(6))
    more = fractional_factorial(continuous(6), replicates=2, centre_points=3)

    assert more.n_runs == 2 * 16 + 3
    assert more.point_types.count("centre") == 3
    assert word_length_pattern(more) == word_length_pattern(plain)
    assert more.details["aliases"] == plain.details["aliases"]


@given(order=st.permutations(range(6)))
@settings(max_examples=10)
def test_word_lengths_do_not_depend_on_the_order_of_factors_or_runs(order):
    from dataclasses import replace

    design = fractional_factorial(continuous(6))
    space = FactorSpace(tuple(design.space.searched[i] for i in order))
    turned = replace(design, space=space, runs=design.runs.sample(frac=1, random_state=3))

    assert word_length_pattern(turned) == word_length_pattern(design)
    assert len(defining_relation(turned)) == len(defining_relation(design))


def test_a_full_factorial_has_no_words():
    design = full_factorial(continuous(4))

    assert word_length_pattern(design) == {}
    assert resolution(design) is None
    assert defining_relation(design) == "I"


def test_partial_aliasing_is_not_written_with_equal_signs():
    """Of three factors in twelve runs, each is correlated 1/3 with the product of the others."""
    design = plackett_burman(continuous(3), n_runs=12)

    with pytest.raises(DesignError, match=r"aliases effects partly \(correlations up to 0.333\)"):
        alias_table(design)
    with pytest.raises(DesignError, match="no regular fraction"):
        defining_relation(design)
    assert word_length_pattern(design)[3] == pytest.approx(1 / 9)


@pytest.mark.requirement("DOE-1")
@given(
    n_factors=st.integers(3, 9),
    n_runs=st.sampled_from([12, 20]),
    estimated=st.integers(1, 2),
)
@settings(max_examples=15, deadline=None)
def test_aliases_in_part_are_those_of_least_squares(n_factors, n_runs, estimated):
    """Each interaction that is not in the model regressed on the effects that are."""
    design = plackett_burman(continuous(n_factors), n_runs=n_runs)
    if n_factors == 9 and estimated == 2:
        return
    signs = two_level_signs(design)

    lines = aliases(design, estimated=estimated)

    names = "ABCDEFGHJ"[:n_factors]
    columns = {"": np.ones(len(signs))} | {
        "".join(word): signs[:, [names.index(letter) for letter in word]].prod(axis=1)
        for size in (1, 2)
        for word in itertools.combinations(names, size)
    }
    first = [line.split()[0] for line in lines]
    model = np.column_stack([columns[""], *(columns[effect] for effect in first)])
    assert np.linalg.matrix_rank(model) == model.shape[1]
    assert first[:n_factors] == list(names)
    for line in lines:
        effect, *rest = line.split()
        found = written_coefficients(rest)
        for other in set(columns) - {"", *first}:
            coefficient = np.linalg.lstsq(model, columns[other])[0][1 + first.index(effect)]
            assert found.get(other, 0.0) == pytest.approx(coefficient, abs=5.1e-4)


def written_coefficients(parts):
    """Read ``- 0.333 BC + BD`` as coefficients of effects."""
    found, sign, size = {}, 1.0, 1.0
    for part in parts:
        if part in "+-":
            sign, size = (1.0 if part == "+" else -1.0), 1.0
        elif part[0].isdigit():
            size = float(part)
        else:
            found[part] = sign * size
    return found


def test_full_aliases_are_written_with_coefficients_too():
    design = fractional_factorial(continuous(5), generators=["D=AB", "E=-AC"])

    assert aliases(design)[:4] == ("A + BD - CE", "B + AD", "C - AE", "D + AB")
    assert aliases(design, estimated=2)[5:] == ("BC - DE", "BE - CD")
    # Words of three letters add to the mean.
    assert aliases(design, order=3)[0] == "I + ABD - ACE"
    assert aliases(full_factorial(continuous(3)), order=3, estimated=3) == (
        *("A", "B", "C", "AB", "AC", "BC", "ABC"),
    )


@pytest.mark.parametrize("options", [{"order": 0}, {"estimated": 0}, {"estimated": 3}])
def test_aliases_of_an_order_that_is_none_are_refused(options):
    with pytest.raises(DesignError, match="choose a"):
        aliases(fractional_factorial(continuous(5)), **options)


def test_words_need_two_levels():
    with pytest.raises(DesignError, match="'x1' has 3 levels"):
        alias_table(full_factorial(continuous(2), levels=3))


@pytest.mark.parametrize(
    ("generators", "complaint"),
    [
        (["E=ABCZ"], "'Z' is not a factor; those are A = x1, B = x2"),
        (["E"], "cannot be read"),
        (["E="], "cannot be read"),
        (["E=AB=CD"], "cannot be read"),
        ([5], "cannot be read"),
        (["E=ABA"], "uses a factor twice"),
        (["E=ABE"], "uses a factor twice"),
        (["E=ABC", "E=ABD"], "E is generated twice"),
        (["D=ABC", "E=ABD"], "builds on D, which is itself generated"),
        (["E=A"], "resolution II"),
        (["D=AB", "E=AB"], "resolution II"),
    ],
)
def test_a_generator_that_makes_no_fraction_is_refused_with_its_fault(generators, complaint):
    with pytest.raises(DesignError, match=complaint):
        fractional_factorial(continuous(5), generators=generators)


@pytest.mark.parametrize(
    ("n_factors", "options", "complaint"),
    [
        (2, {}, "listed for 3 to 16 factors, and this space has 2"),
        (17, {}, "plackett_burman for more"),
        (4, {"resolution": 5}, r"there are 8 runs with resolution IV.*full_factorial \(16 runs\)"),
        (6, {"n_runs": 12}, "No listed fraction of 6 factors has 12 runs"),
        (6, {"n_runs": 8, "resolution": 4}, "8 runs and resolution IV or higher"),
        (6, {"resolution": 2}, "resolution must be"),
        (6, {"generators": ["F=ABC"], "resolution": 5}, "give resolution IV, but V is asked"),
        (6, {"generators": ["F=ABC"], "n_runs": 16}, "give 32 runs, but n_runs is 16"),
        (6, {"replicates": 0}, "replicates must be"),
    ],
)
def test_a_fraction_that_does_not_exist_is_refused_with_what_there_is(
    n_factors, options, complaint
):
    with pytest.raises(DesignError, match=complaint):
        fractional_factorial(continuous(n_factors), **options)


def test_a_factor_with_three_levels_is_refused():
    factors = (*continuous(4).factors, CategoricalFactor("resin", ("A", "B", "C")))

    with pytest.raises(DesignError, match="'resin' has 3: A, B, C"):
        fractional_factorial(FactorSpace(factors))
