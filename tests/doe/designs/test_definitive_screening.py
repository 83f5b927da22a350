from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.constraints import LinearConstraint
from doe.designs.conference import conference_matrix
from doe.designs.definitive import definitive_screening
from doe.designs.structure import check_fold_over
from doe.designs.two_level_columns import filled_columns
from doe.errors import DesignError
from doe.evaluation import d_efficiency
from doe.factors import (
    BlockFactor,
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
)
from doe.space import FactorSpace
from doe.terms import linear_terms, model_matrix, quadratic_terms
from tests.doe.designs.examples import continuous


def coded(design):
    """Return the runs as -1, 0 and 1, the second level of a categorical factor being 1."""
    columns = [
        [2.0 * factor.levels.index(level) - 1 for level in design.runs[factor.name]]
        if isinstance(factor, CategoricalFactor)
        else np.round(design.coded()[factor.name].to_numpy(), 9)
        for factor in design.space.searched
    ]
    return np.column_stack(columns) + 0.0


def interactions(points):
    pairs = combinations(range(points.shape[1]), 2)
    return np.column_stack([points[:, i] * points[:, j] for i, j in pairs])


def with_two_levels(n_three: int, n_two: int) -> FactorSpace:
    """Return continuous factors, and after them two-level ones, by turns resin and shift."""
    two = [
        CategoricalFactor(f"resin {i}", ("A", "B")) if i % 2 else DiscreteFactor(f"day {i}", (1, 2))
        for i in range(n_two)
    ]
    return FactorSpace((*continuous(n_three).factors, *two))


def two_level_places(space):
    return [
        place
        for place, factor in enumerate(space.searched)
        if isinstance(factor, CategoricalFactor | DiscreteFactor) and len(factor.levels) == 2
    ]


@pytest.mark.requirement("DOE-3")
@pytest.mark.parametrize("n_factors", range(3, 21))
def test_main_effects_are_orthogonal_to_each_other_and_to_all_second_order_effects(n_factors):
    """Jones and Nachtsheim (2011), and Xiao, Lin and Bai (2012) for every number of factors."""
    design = definitive_screening(continuous(n_factors))

    points = coded(design)
    order = n_factors + n_factors % 2
    assert design.n_runs == 2 * order + 1
    assert set(np.unique(points)) == {-1.0, 0.0, 1.0}
    np.testing.assert_array_equal(points.T @ points, 2 * (order - 1) * np.eye(n_factors))
    np.testing.assert_array_equal(points.sum(axis=0), 0)
    np.testing.assert_array_equal(points.T @ interactions(points), 0)
    np.testing.assert_array_equal(points.T @ points**2, 0)
    assert design.space.contains(design.runs).all()


@pytest.mark.requirement("DOE-3")
@pytest.mark.parametrize("n_factors", range(3, 21))
def test_squares_are_estimable_and_correlate_as_published(n_factors):
    """Jones and Nachtsheim (2011): 1/3 - 1/(m - 1) between centred squares."""
    points = coded(definitive_screening(continuous(n_factors)))

    order = n_factors + n_factors % 2
    model = np.column_stack([np.ones(len(points)), points, points**2])
    assert np.linalg.matrix_rank(model) == model.shape[1]
    between = np.corrcoef((points**2).T)[np.triu_indices(n_factors, 1)]
    np.testing.assert_allclose(between, 1 / 3 - 1 / (order - 1), atol=1e-9)


@pytest.mark.parametrize("n_factors", range(6, 21))
def test_no_second_order_effect_is_fully_aliased_with_another_from_six_factors_on(n_factors):
    points = coded(definitive_screening(continuous(n_factors)))

    second = np.column_stack([points**2, interactions(points)])
    correlations = np.abs(np.corrcoef(second.T)) - np.eye(second.shape[1])
    assert correlations.max() < 0.999


@given(
    n_factors=st.sampled_from([6, 7, 8]),
    chosen=st.sets(st.integers(0, 5), min_size=3, max_size=3),
)
@settings(max_examples=15)
def test_any_three_of_six_or_more_factors_have_a_full_quadratic_model(n_factors, chosen):
    """Jones and Nachtsheim (2011): the projection into three factors is a surface design."""
    points = coded(definitive_screening(continuous(n_factors)))[:, sorted(chosen)]

    model = np.column_stack([np.ones(len(points)), points, points**2, interactions(points)])
    assert np.linalg.matrix_rank(model) == 10


@pytest.mark.requirement("DOE-3")
@given(
    n_three=st.integers(1, 10),
    n_two=st.integers(0, 6),
    extra=st.sampled_from([0, 4, 8]),
    n_blocks=st.integers(1, 4),
    centre=st.integers(1, 2),
    order=st.randoms(use_true_random=False),
)
@settings(max_examples=40)
def test_mirror_images_keep_main_effects_clear_in_any_mix_of_factors_and_blocks(
    n_three, n_two, extra, n_blocks, centre, order
):
    factors = list(with_two_levels(max(n_three, 3 - n_two), n_two).factors)
    order.shuffle(factors)
    space = FactorSpace(tuple(factors))

    design = definitive_screening(space, extra_runs=extra, n_blocks=n_blocks, centre_points=centre)

    points = coded(design)
    n_pairs = len(factors) + len(factors) % 2 + extra // 2
    assert design.n_runs == 2 * n_pairs + n_blocks * centre * (2 if n_two else 1)
    np.testing.assert_array_equal(points.sum(axis=0), 0)
    np.testing.assert_array_equal(points.T @ interactions(points), 0)
    np.testing.assert_array_equal(points.T @ points**2, 0)
    two = two_level_places(space)
    three = [place for place in range(len(factors)) if place not in two]
    products = points[:, three].T @ points[:, three]
    np.testing.assert_array_equal(products, 2 * (n_pairs - 1) * np.eye(len(three)))
    assert np.isin(points[:, two], (-1, 1)).all()
    assert np.linalg.matrix_rank(points) == len(factors)
    assert space.contains(design.runs).all()
    for level in set(design.blocks.get("block", ())):
        inside = np.array(design.blocks["block"]) == level
        np.testing.assert_array_equal(points[inside].sum(axis=0), 0)


@pytest.mark.requirement("DOE-3")
@pytest.mark.parametrize(("n_three", "n_two"), [(5, 1), (4, 2), (6, 2), (5, 3), (4, 4), (9, 3)])
def test_two_level_factors_cost_small_correlations_or_some_aliasing(n_three, n_two):
    """Jones and Nachtsheim (2013): DSD-augment and ORTH-augment, with their numbers of runs."""
    space = with_two_levels(n_three, n_two)

    folded = definitive_screening(space)
    orthogonal = definitive_screening(space, two_level="orthogonal")

    n_pairs = n_three + n_two + (n_three + n_two) % 2
    assert folded.n_runs == 2 * n_pairs + 2
    assert orthogonal.n_runs == 2 * n_pairs + (2 if n_two == 1 else 4)
    points = coded(orthogonal)
    np.testing.assert_allclose(points.T @ points, np.diag(np.diag(points.T @ points)))
    np.testing.assert_array_equal(points.sum(axis=0), 0)
    assert np.abs(points.T @ interactions(points)).max() > 0
    reported = folded.details["largest_correlation_of_main_effects"]
    correlations = np.abs(np.corrcoef(coded(folded).T)) - np.eye(len(space.names))
    assert reported == pytest.approx(correlations.max(), abs=1e-5)
    assert 0 < reported < 0.3
    assert orthogonal.details["largest_correlation_of_main_effects"] == 0


@pytest.mark.parametrize(
    ("n_factors", "n_two", "n_centre"), [(6, 2, 1), (6, 3, 1), (8, 3, 2), (10, 3, 1), (6, 4, 1)]
)
def test_the_levels_that_stand_in_for_zeros_are_the_best_of_all_choices(n_factors, n_two, n_centre):
    matrix = conference_matrix(n_factors)
    places = list(range(n_factors - n_two, n_factors))

    def overlap(filled, centre):
        products = filled.T @ filled + centre.T @ centre
        return np.sum(np.triu(products, 1) ** 2)

    least = np.inf
    for signs in product((-1.0, 1.0), repeat=n_two * (1 + n_centre)):
        filled = matrix[:, places].copy()
        filled[places, range(n_two)] = signs[:n_two]
        least = min(least, overlap(filled, np.reshape(signs[n_two:], (n_centre, n_two))))

    assert overlap(*filled_columns(matrix, places, n_centre)) == least


@pytest.mark.requirement("DOE-3")
@given(
    n_factors=st.integers(3, 12),
    n_blocks=st.integers(2, 4),
    n_two=st.integers(0, 2),
)
@settings(max_examples=20)
def test_a_centre_run_in_each_block_lets_all_squares_be_estimated_beside_blocks(
    n_factors, n_blocks, n_two
):
    """Jones and Nachtsheim (2016), Technometrics 58, 74-83."""
    space = with_two_levels(n_factors, n_two)

    design = definitive_screening(space, n_blocks=n_blocks)

    levels = np.array(design.blocks["block"])
    blocks = (levels[:, None] == np.unique(levels)).astype(float)
    points = coded(design)
    model = np.column_stack([blocks, points, points[:, :n_factors] ** 2])
    assert np.linalg.matrix_rank(model) == model.shape[1]
    assert design.details["squares_estimable_beside_fixed_blocks"] is True
    sizes = [list(levels).count(level) for level in np.unique(levels)]
    assert len(sizes) == n_blocks
    assert max(sizes) - min(sizes) <= 2
    assert design.space.blocks[0].name == "block"


def test_one_centre_run_in_all_may_do_where_blocks_are_random():
    space = FactorSpace((*continuous(6).factors, BlockFactor("lot", random=True)))

    design = definitive_screening(space, n_blocks=3, centre_points=(1, 0, 0))

    assert (design.n_runs, design.point_types.count("centre")) == (13, 1)
    assert [list(design.blocks["lot"]).count(level) for level in "123"] == [5, 4, 4]
    assert design.details["squares_estimable_beside_fixed_blocks"] is False


def test_blocks_are_done_one_after_the_other_in_random_order_within():
    design = definitive_screening(continuous(6), n_blocks=2, block="day")

    drawn = design.randomised(rng=np.random.default_rng(7))
    again = design.randomised(rng=np.random.default_rng(7))

    assert drawn == again
    assert drawn.run_sheet()["day"].tolist() == ["1"] * 7 + ["2"] * 7
    assert drawn.run_order != design.run_order


@pytest.mark.requirement("DOE-3")
@pytest.mark.parametrize(("n_factors", "n_runs"), [(4, 13), (5, 17), (6, 17), (7, 21), (8, 21)])
def test_four_extra_runs_make_two_more_fake_factors(n_factors, n_runs):
    """Jones and Nachtsheim (2017), Technometrics 59, 319-329: two unused columns, four runs."""
    design = definitive_screening(continuous(n_factors), extra_runs=4)

    assert design.n_runs == n_runs
    assert design.details["fake_factors"] == 2 + n_factors % 2
    fake = np.array(design.details["fake_columns"], dtype=float).T
    points = coded(design)
    assert fake.shape == (n_runs, 2 + n_factors % 2)
    second = np.column_stack([np.ones(n_runs), points, points**2, interactions(points)])
    np.testing.assert_array_equal(fake.T @ second, 0)


def test_the_noise_read_from_fake_factors_is_free_of_every_second_order_effect():
    design = definitive_screening(continuous(6), extra_runs=4)
    points = coded(design)
    response = 3 + points @ np.arange(6) + 5 * points[:, 0] ** 2 - 4 * points[:, 1] * points[:, 2]

    assert np.array(design.details["fake_columns"]) @ response == pytest.approx([0, 0], abs=1e-9)


@given(order=st.permutations(range(6)), unit=st.sampled_from([1e-6, 1.0, 1e5]))
@settings(max_examples=15)
def test_quality_does_not_depend_on_the_order_or_the_units_of_factors(order, unit):
    ranges = [(10.0 * i * unit, (10.0 * i + 4) * unit) for i in range(1, 5)]
    factors = [ContinuousFactor(f"x{i}", *ends) for i, ends in enumerate(ranges)]
    factors += [CategoricalFactor("resin", ("A", "B")), DiscreteFactor("shift", (1, 2))]
    spaces = [FactorSpace(tuple(factors)), FactorSpace(tuple(factors[i] for i in order))]

    values = [
        d_efficiency(
            model_matrix(linear_terms(space), definitive_screening(space).runs, space).to_numpy()
        )
        for space in spaces
    ]

    assert values[0] == pytest.approx(values[1], rel=1e-9)


def test_a_discrete_factor_takes_part_with_its_middle_level():
    space = FactorSpace((*continuous(3).factors, DiscreteFactor("shift", (2, 4, 6))))

    assert sorted(definitive_screening(space).runs["shift"].unique()) == [2.0, 4.0, 6.0]


def test_a_log_factor_has_its_middle_at_the_ratio():
    space = FactorSpace((*continuous(3).factors, ContinuousFactor("feed", 1, 100, scale="log")))

    assert sorted(definitive_screening(space).runs["feed"].unique()) == [1.0, 10.0, 100.0]


def test_six_factors_support_no_full_quadratic_model_but_main_effects_and_squares():
    space = continuous(6)
    runs = definitive_screening(space).runs

    full = model_matrix(quadratic_terms(space), runs, space).to_numpy()
    assert np.linalg.matrix_rank(full) == 13 < full.shape[1]


@pytest.mark.parametrize(
    ("space", "complaint"),
    [
        (continuous(2), "needs at least 3 factors, and this space has 2: use central_composite"),
        (continuous(21), "up to 20 factors, and this space has 21: use plackett_burman"),
        (
            FactorSpace((*continuous(3).factors, CategoricalFactor("resin", ("A", "B", "C")))),
            "'resin' has 3: A, B, C. Choose two of them",
        ),
        (
            FactorSpace((*continuous(3).factors, MixtureComponent("a"), MixtureComponent("b"))),
            r"cannot vary mixture components, here \['a', 'b'\]",
        ),
        (
            FactorSpace(tuple(CategoricalFactor(name, ("A", "B")) for name in "xyz")),
            "All factors .* have two levels.* use fractional_factorial",
        ),
        (
            FactorSpace((*continuous(3).factors, ContinuousFactor("pH", 6, 7, step=1))),
            "needs 3 settings of 'pH', but with its step of 1 only 2",
        ),
        (
            FactorSpace((*continuous(3).factors, DiscreteFactor("shift", (1, 2, 4)))),
            "needs 'shift' at 2.5, but its levels are",
        ),
        (
            FactorSpace(continuous(3).factors, (LinearConstraint({"x1": 1, "x2": 1}, upper=37),)),
            r"\(fold-over\): breaks x1 \+ x2 <= 37.* space-filling design",
        ),
    ],
)
def test_factors_that_do_not_fit_are_refused_with_what_to_do(space, complaint):
    with pytest.raises(DesignError, match=complaint):
        definitive_screening(space)


@pytest.mark.parametrize(
    ("space", "options", "complaint"),
    [
        (continuous(6), {"extra_runs": 3}, "give 6 factors 0, 4, 8, .* extra runs: choose one"),
        (continuous(20), {"extra_runs": 4}, "extra_runs is 4; .* 0, 8, 12, 16, 20 extra runs"),
        (continuous(6), {"extra_runs": -4}, "whole number of at least 0"),
        (continuous(6), {"n_blocks": 7}, "6 pairs of mirror images.* at most 6 blocks"),
        (continuous(6), {"n_blocks": 10**9}, "6 pairs of mirror images"),
        (continuous(6), {"centre_points": 10**9}, "at most 10000 are planned: ask for fewer"),
        (continuous(6), {"n_blocks": 0}, "n_blocks must be a whole number of at least 1"),
        (continuous(6), {"centre_points": 0}, "Without centre runs .* squares"),
        (continuous(6), {"n_blocks": 3, "centre_points": (1, 1)}, "2 counts, .* for 3 blocks"),
        (continuous(6), {"centre_points": "1"}, "whole number"),
        (continuous(6), {"two_level": "ORTH"}, "expected one of fold-over, orthogonal"),
        (with_two_levels(3, 5), {"two_level": "orthogonal"}, "this space has 5: .* 'fold-over'"),
        (
            with_two_levels(4, 2),
            {"two_level": "orthogonal", "n_blocks": 2},
            "cannot be split into blocks",
        ),
    ],
)
def test_options_that_make_no_definitive_design_are_refused(space, options, complaint):
    with pytest.raises(DesignError, match=complaint):
        definitive_screening(space, **options)


def test_runs_without_their_mirror_images_are_refused():
    points = coded(definitive_screening(continuous(4)))
    points[0, 1] *= -1

    with pytest.raises(DesignError, match="no mirror image"):
        check_fold_over(points, "definitive screening design")
