import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.designs import box_behnken, fractional_factorial, full_factorial, plackett_burman
from doe.designs.blocking import in_blocks
from doe.errors import DesignError, TooFewRunsError
from doe.factors import BlockFactor, CategoricalFactor, ContinuousFactor, MixtureComponent
from doe.runs import Design
from doe.space import FactorSpace
from doe.terms import interaction_terms, linear_terms, model_matrix, parse_terms, quadratic_terms
from tests.doe.designs.examples import continuous, mixed_spaces

LETTERS = "ABCDEFGHJK"


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def block_rows(design, name="block"):
    """Return the row numbers of each block, in the order of the blocks."""
    levels = np.array(design.blocks[name])
    return [np.flatnonzero(levels == level) for level in dict.fromkeys(levels)]


def words_constant_in_blocks(design, order):
    """Return the effects of up to so many factors that vary between blocks only, one by one."""
    signs = design.coded().to_numpy(dtype=float)
    blocks = block_rows(design)
    return {
        "".join(LETTERS[place] for place in word)
        for size in range(1, order + 1)
        for word in itertools.combinations(range(signs.shape[1]), size)
        if all(np.ptp(signs[rows][:, word].prod(axis=1)) == 0 for rows in blocks)
    }


def d_efficiency_in_blocks(matrix, numbers):
    """Return the D-efficiency with a column per block against that with an intercept alone."""
    effects = np.asarray(matrix)[:, np.ptp(np.asarray(matrix), axis=0) > 0]
    dummies = (np.asarray(numbers)[:, None] == np.unique(numbers)).astype(float)
    ones = np.ones((len(effects), 1))
    values = []
    for nuisance in (dummies, ones):
        rest = effects - nuisance @ np.linalg.lstsq(nuisance, effects)[0]
        values.append(max(np.linalg.det(rest.T @ rest), 0.0))
    return (values[0] / values[1]) ** (1 / effects.shape[1])


@pytest.mark.requirement("DOE-8")
@given(n_factors=st.integers(3, 7), data=st.data())
@settings(max_examples=25, deadline=None)
def test_blocks_of_a_factorial_are_equal_and_orthogonal_to_every_main_effect(n_factors, data):
    n_blocks = 2 ** data.draw(st.integers(1, n_factors - 1))

    design = full_factorial(continuous(n_factors), n_blocks=n_blocks)

    signs = design.coded().to_numpy(dtype=float)
    blocks = block_rows(design)
    assert len(blocks) == n_blocks
    for rows in blocks:
        assert len(rows) == 2**n_factors // n_blocks
        np.testing.assert_array_equal(signs[rows].sum(axis=0), 0)
    assert sorted(map(tuple, signs)) == sorted(itertools.product((-1.0, 1.0), repeat=n_factors))


@pytest.mark.requirement("DOE-8")
@given(n_factors=st.integers(3, 6), data=st.data())
@settings(max_examples=20, deadline=None)
def test_the_effects_that_are_said_to_be_confounded_are_those_found_from_the_runs(n_factors, data):
    n_blocks = 2 ** data.draw(st.integers(1, n_factors - 1))

    design = full_factorial(continuous(n_factors), n_blocks=n_blocks)

    found = words_constant_in_blocks(design, n_factors)
    assert set(design.details["confounded"]) == found
    assert len(found) == n_blocks - 1
    assert set(design.details["lost_to_blocks"]) == {word for word in found if len(word) == 2}


@pytest.mark.requirement("DOE-8")
@given(n_factors=st.integers(5, 9), n_blocks=st.sampled_from([2, 4]), n_basic=st.integers(4, 5))
@settings(max_examples=20, deadline=None)
def test_two_factor_interactions_lost_to_the_blocks_of_a_fraction_are_named(
    n_factors, n_blocks, n_basic
):
    if n_factors <= n_basic or (n_factors == 9 and n_basic == 4):
        return
    design = fractional_factorial(continuous(n_factors), n_runs=2**n_basic, n_blocks=n_blocks)

    found = words_constant_in_blocks(design, 2)
    assert all(len(word) == 2 for word in found)
    assert set(design.details["lost_to_blocks"]) == found
    named = {word for line in design.details["confounded"] for word in line.split(" = ")}
    assert len(design.details["confounded"]) == n_blocks - 1
    assert named <= words_constant_in_blocks(design, 5)
    assert Counter(map(len, block_rows(design))) == {2**n_basic // n_blocks: n_blocks}


@pytest.mark.requirement("DOE-8")
@pytest.mark.parametrize(("n_factors", "n_generators"), [(3, 2), (4, 2), (4, 3), (5, 2), (5, 3)])
def test_no_division_confounds_fewer_effects_of_low_order(n_factors, n_generators):
    """Sun, Wu and Chen (1997): minimum aberration, by trying every set of block generators."""
    words = range(1, 2**n_factors)
    patterns = []
    for chosen in itertools.combinations(words, n_generators):
        span = {0}
        for word in chosen:
            span |= {word ^ other for other in span}
        lengths = Counter(word.bit_count() for word in span if word)
        if len(span) == 2**n_generators and not lengths[1]:
            patterns.append([lengths[size] for size in range(2, n_factors + 1)])

    design = full_factorial(continuous(n_factors), n_blocks=2**n_generators)

    ours = Counter(map(len, design.details["confounded"]))
    assert [ours[size] for size in range(2, n_factors + 1)] == min(patterns)


@pytest.mark.requirement("DOE-8")
def test_replicates_are_blocks_when_there_are_as_many():
    design = full_factorial(continuous(3), replicates=3, n_blocks=3, block="day")

    blocks = block_rows(design, "day")
    assert [len(design.runs.iloc[rows].drop_duplicates()) for rows in blocks] == [8, 8, 8]
    assert design.space.factor("day") == BlockFactor("day", random=False)
    assert "confounded" not in design.details


@pytest.mark.parametrize(
    ("replicates", "n_blocks", "n_different"),
    [(2, 4, 4), (4, 2, 8), (3, 2, 4), (2, 8, 2), (6, 4, 4)],
)
def test_replicates_share_out_the_blocks_as_far_as_they_go_round(replicates, n_blocks, n_different):
    design = full_factorial(continuous(3), replicates=replicates, n_blocks=n_blocks)

    blocks = block_rows(design)
    assert {len(rows) for rows in blocks} == {8 * replicates // n_blocks}
    assert {len(design.runs.iloc[rows].drop_duplicates()) for rows in blocks} == {n_different}
    assert set(design.runs.value_counts()) == {replicates}


@pytest.mark.parametrize(("centre_points", "counts"), [(4, [2, 2]), (3, [2, 1]), (0, [0, 0])])
def test_centre_runs_are_spread_over_the_blocks(centre_points, counts):
    design = full_factorial(continuous(3), n_blocks=2, centre_points=centre_points)

    types = np.array(design.point_types)
    assert [list(types[rows]).count("centre") for rows in block_rows(design)] == counts
    assert design.run_order == tuple(range(1, design.n_runs + 1))
    # Block by block: the second day follows the first.
    assert list(np.concatenate(block_rows(design))) == list(range(design.n_runs))


def test_the_block_factor_of_the_space_is_used():
    space = FactorSpace((*continuous(3).factors, BlockFactor("vessel")))

    design = full_factorial(space, n_blocks=2)

    assert design.space == space
    assert list(design.blocks) == ["vessel"]


def test_generators_of_blocks_can_be_named():
    design = full_factorial(continuous(5), block_generators=["x1:x2:x3", "CDE"])

    assert design.details["block_generators"] == ["ABC", "CDE"]
    assert sorted(design.details["confounded"]) == ["ABC", "ABDE", "CDE"]
    assert set(design.details["confounded"]) == words_constant_in_blocks(design, 5)


@pytest.mark.requirement("DOE-8")
@given(space=mixed_spaces(max_size=3), data=st.data())
@settings(max_examples=20, deadline=None)
def test_any_full_factorial_divides_into_blocks_that_differ_by_one_run_at_most(space, data):
    whole = full_factorial(space, levels=3)
    n_blocks = data.draw(st.integers(2, max(2, min(12, whole.n_runs // 2))))
    if set(whole.runs.nunique()) == {2} or whole.n_runs < 4:
        return

    design = full_factorial(space, levels=3, n_blocks=n_blocks)

    sizes = [len(rows) for rows in block_rows(design)]
    assert len(sizes) == n_blocks
    assert max(sizes) - min(sizes) <= 1
    assert sorted(map(str, design.runs.to_numpy())) == sorted(map(str, whole.runs.to_numpy()))


def test_nine_runs_in_three_blocks_are_a_latin_square():
    """Each level of each factor once in each block: main effects lose nothing."""
    design = full_factorial(continuous(2), levels=3, n_blocks=3)

    for rows in block_rows(design):
        assert design.runs.iloc[rows].nunique().tolist() == [3, 3]
    assert design.details["block_efficiency"] == pytest.approx(1.0)
    assert design.details["blocked_for"] == "main effects"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"n_blocks": 3}, r"power of two. Take n_blocks=2 or 4, or replicates=3 .* in_blocks\("),
        ({"n_blocks": 6, "replicates": 2}, "Take n_blocks=4 or 8"),
        ({"n_blocks": 16}, "16 blocks without losing a main effect to blocks; at most 8 blocks"),
        ({"n_blocks": 0}, "n_blocks must be a whole number of at least 1"),
        ({"block": "day"}, "block='day' names the factor of blocks, but n_blocks is 1"),
        ({"n_blocks": 2, "block": "x1"}, "Blocks cannot be called 'x1'"),
        ({"block_generators": ["A"]}, "confound x1, which is A, with blocks"),
        ({"block_generators": ["ABC", "BC"]}, "confound x1, which is ABC x BC, with blocks"),
        ({"block_generators": ["AB", "BC", "AC"]}, "'AC' follows from the others"),
        ({"block_generators": ["ABZ"]}, "'Z' is not a factor"),
        ({"block_generators": ["AAB"]}, "names a factor twice"),
        ({"block_generators": [""]}, "cannot be read"),
        ({"block_generators": ["AB"], "n_blocks": 4}, "does not fit n_blocks=4 and replicates=1"),
        ({"block_generators": ["AB"], "levels": 3}, "give n_blocks instead"),
        ({"levels": 3, "n_blocks": 41}, "less than two runs in a block"),
    ],
)
def test_blocks_that_do_not_exist_are_refused_with_what_there_is(options, complaint):
    with pytest.raises(DesignError, match=complaint):
        full_factorial(continuous(4), **options)


@pytest.mark.parametrize(
    ("n_factors", "options", "complaint"),
    [
        (7, {"n_runs": 8, "n_blocks": 2}, r"8 runs with resolution III \(which cannot be divided"),
        (6, {"block_generators": ["ABCE"]}, "constant in this fraction"),
        (5, {"generators": ["D=AB", "E=AC"], "n_blocks": 4}, "at most 2 blocks per replicate do"),
        (6, {"estimate": ["AB"], "block_generators": ["AB"]}, "confound x1:x2, which is AB"),
        (6, {"n_blocks": 5}, "power of two"),
    ],
)
def test_blocks_that_a_fraction_does_not_have_are_refused(n_factors, options, complaint):
    with pytest.raises(DesignError, match=complaint):
        fractional_factorial(continuous(n_factors), **options)


def test_a_fraction_grows_when_the_smallest_cannot_be_divided():
    """Eight runs hold seven factors, or six and two blocks."""
    assert fractional_factorial(continuous(6), resolution=3, n_blocks=2).n_runs == 8
    assert fractional_factorial(continuous(7), resolution=3, n_blocks=2).n_runs == 16


@pytest.mark.requirement("DOE-8")
@given(seed=st.integers(0, 2**32 - 1), n_factors=st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_no_division_of_eight_runs_keeps_more_information(seed, n_factors):
    """Against all 35 ways to divide eight runs in two halves."""
    space = continuous(n_factors)
    points = np.random.default_rng(seed).uniform(-1, 1, size=(8, n_factors))
    coded = pd.DataFrame(points, columns=list(space.names))
    design = Design(space, space.to_natural(coded), "drawn at random")
    terms = linear_terms(space)
    matrix = model_matrix(terms, design.runs, space)
    best = max(
        d_efficiency_in_blocks(matrix, [int(row in half) for row in range(8)])
        for half in itertools.combinations(range(1, 8), 4)
    )

    divided = in_blocks(design, 2, terms, rng=rng(seed))

    ours = d_efficiency_in_blocks(model_matrix(terms, divided.runs, space), divided.blocks["block"])
    assert ours == pytest.approx(best, rel=1e-9)
    assert divided.details["block_efficiency"] == pytest.approx(ours, abs=1e-6)


@pytest.mark.requirement("DOE-8")
@given(
    n_blocks=st.integers(2, 5),
    n_centre=st.integers(0, 6),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=15, deadline=None)
def test_blocks_of_any_design_are_as_equal_as_can_be_and_share_the_centre_runs(
    n_blocks, n_centre, seed
):
    space = continuous(4)
    design = plackett_burman(space, n_runs=20, centre_points=n_centre)

    divided = in_blocks(design, n_blocks, linear_terms(space), rng=rng(seed), block="lot")

    types = np.array(divided.point_types)
    for counts in (
        [len(rows) for rows in block_rows(divided, "lot")],
        [list(types[rows]).count("centre") for rows in block_rows(divided, "lot")],
    ):
        assert len(counts) == n_blocks
        assert max(counts) - min(counts) <= 1
    assert Counter(map(tuple, divided.runs.to_numpy())) == Counter(
        map(tuple, design.runs.to_numpy())
    )
    assert in_blocks(design, n_blocks, linear_terms(space), rng=rng(seed), block="lot") == divided


def test_blocks_do_not_depend_on_units():
    space = continuous(3)
    narrow = FactorSpace(tuple(ContinuousFactor(f"x{i}", -1e-3, 1e-3) for i in range(1, 4)))
    terms = "x1 + x2 + x3 + x1:x2"

    one, other = (
        in_blocks(full_factorial(s), 3, parse_terms(terms, s), rng=rng()) for s in (space, narrow)
    )

    assert one.blocks == other.blocks
    assert one.details["block_efficiency"] == other.details["block_efficiency"]


@pytest.mark.parametrize(("n_factors", "n_blocks"), [(3, 2), (4, 2), (5, 4), (6, 8)])
def test_regular_blocks_are_found_again_by_swapping_runs(n_factors, n_blocks):
    """Main effects and two-factor interactions are clear of blocks, so that nothing is lost."""
    space = continuous(n_factors)

    design = in_blocks(full_factorial(space), n_blocks, interaction_terms(space), rng=rng())

    assert design.details["block_efficiency"] == pytest.approx(1.0)
    assert design.details["disturbed"] == []


def test_what_blocks_take_from_an_effect_is_said():
    """Two blocks of a 2^2: A, B and AB cannot all be clear, with a replicate one keeps half."""
    space = continuous(2)
    design = full_factorial(space, replicates=2)

    divided = in_blocks(design, 4, interaction_terms(space), rng=rng())

    shares = [float(text.split()[2]) / 100 for text in divided.details["disturbed"]]
    matrix = model_matrix(interaction_terms(space), divided.runs, space).to_numpy()[:, 1:]
    dummies = pd.get_dummies(pd.Series(divided.blocks["block"])).to_numpy(dtype=float)
    variances = np.linalg.inv(np.hstack([matrix, dummies]).T @ np.hstack([matrix, dummies]))
    kept = sorted(1 / 8 / np.diag(variances)[:3])
    assert shares == pytest.approx([share for share in kept if share < 0.995], abs=0.005)


def test_a_mixture_design_is_divided_too():
    """Two replicates of a simplex lattice, a block each: no effect loses anything."""
    space = FactorSpace(tuple(MixtureComponent(name) for name in "abc"))
    corners = np.vstack([np.eye(3), (1 - np.eye(3)) / 2])
    table = pd.DataFrame(np.tile(corners, (2, 1)), columns=list("abc"))

    divided = in_blocks(Design(space, table, "a table"), 2, interaction_terms(space), rng=rng())

    assert divided.details["block_efficiency"] == pytest.approx(1.0)
    for rows in block_rows(divided):
        assert len(divided.runs.iloc[rows].drop_duplicates()) == 6


def test_a_hundred_runs_with_levels_of_all_kinds_are_divided():
    space = FactorSpace((CategoricalFactor("resin", ("A", "B", "C")), *continuous(3).factors))
    design = full_factorial(space, levels=3, replicates=1, centre_points=6)

    divided = in_blocks(design, 5, quadratic_terms(space), rng=rng())

    assert design.n_runs == 99
    assert divided.details["block_efficiency"] > 0.99
    assert sorted(divided.details["block_sizes"]) == [19, 20, 20, 20, 20]


def test_drawing_the_order_keeps_the_blocks_together():
    space = continuous(4)
    design = in_blocks(box_behnken(space), 3, quadratic_terms(space), rng=rng())

    sheet = design.randomised(rng=rng()).run_sheet()

    assert sheet["block"].tolist() == sorted(sheet["block"])


@pytest.mark.parametrize(
    ("design", "n_blocks", "formula", "error", "complaint"),
    [
        (full_factorial(continuous(2)), 3, "x1*x2", TooFewRunsError, "which takes 6"),
        (full_factorial(continuous(2)), 1, "x1", DesignError, "n_blocks must be"),
        (
            full_factorial(continuous(3), centre_points=3),
            2,
            "x1 + I(x1**2) + I(x2**2)",
            DesignError,
            r"cannot estimate x2\^2 beside the other terms",
        ),
        (full_factorial(continuous(3), n_blocks=2), 2, "x1", DesignError, "in blocks already"),
    ],
)
def test_a_division_that_cannot_be_is_refused(design, n_blocks, formula, error, complaint):
    with pytest.raises(error, match=complaint):
        in_blocks(design, n_blocks, parse_terms(formula, design.space), rng=rng())
