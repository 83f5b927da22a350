import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from doe.constraints import (
    CardinalityConstraint,
    ExpressionConstraint,
    ForbiddenCombination,
    LinearConstraint,
)
from doe.designs.clusters import free_cells, ward_cells
from doe.designs.fast_flexible import augment_space_filling, fast_flexible_filling
from doe.designs.projections import max_projection_criterion
from doe.designs.space_filling import max_projection
from doe.designs.unit_points import point_columns, unit_points
from doe.errors import DesignError, InvalidValueError
from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor, MixtureComponent
from doe.space import FactorSpace
from tests.doe.designs.examples import continuous, mixed_spaces

NUMBERS = tuple(ContinuousFactor(name, 0, 1) for name in "abc")
FORBIDDEN = FactorSpace(NUMBERS, (ForbiddenCombination({"a": (0.5, None), "b": (0.6, None)}),))
MIXTURE = FactorSpace(
    tuple(
        MixtureComponent(f"m{i}", low, high)
        for i, (low, high) in enumerate([(0.1, 0.6), (0, 0.4), (0.05, 0.5), (0.1, 0.7)])
    )
)
MIXED = FactorSpace(
    (*NUMBERS, CategoricalFactor("resin", ("A", "B", "C"))),
    (LinearConstraint({"a": 1, "b": 1}, upper=1.6),),
)
MEDIUM = FactorSpace(
    (
        *(MixtureComponent(f"m{i}", 0, 1) for i in range(6)),
        ContinuousFactor("pH", 6.6, 7.4, step=0.1),
    ),
    (CardinalityConstraint(tuple(f"m{i}" for i in range(6)), 3),),
)
NONLINEAR = FactorSpace(
    (
        ContinuousFactor("feed", 1, 10, scale="log"),
        ContinuousFactor("days", 4, 14, step=1),
        DiscreteFactor("shift", (1, 2, 4)),
        CategoricalFactor("clone", ("c1", "c2")),
        CategoricalFactor("resin", ("A", "B", "C")),
    ),
    (
        ExpressionConstraint("feed * days <= 60"),
        ForbiddenCombination({"days": (10, None), "resin": "B"}),
    ),
)
ALL = {
    "forbidden": FORBIDDEN,
    "mixture": MIXTURE,
    "mixed": MIXED,
    "cardinality": MEDIUM,
    "expression": NONLINEAR,
}


def rng(seed=1):
    return np.random.default_rng(seed)


def worst_distance(space, runs):
    """Return how far settings of the region are from their nearest run on average."""
    drawn = unit_points(space, space.sample(1000, rng=rng(99)))
    return cdist(drawn, unit_points(space, runs)).min(axis=1).mean()


@pytest.mark.requirement("DOE-6")
@pytest.mark.parametrize("build", [fast_flexible_filling, max_projection])
@pytest.mark.parametrize("name", ALL)
def test_every_run_in_any_region_is_allowed_on_its_steps_and_different(build, name):
    space = ALL[name]

    design = build(space, 14, rng=rng())

    assert design.n_runs == 14
    assert space.contains(design.runs).all()
    assert space.on_steps(design.runs).all()
    assert not design.runs.duplicated().any()
    assert set(design.point_types) == {"space"}


@pytest.mark.requirement("DOE-6")
@given(
    space=mixed_spaces(),
    n_runs=st.integers(2, 12),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=10, deadline=None)
def test_choices_are_used_equally_often_where_nothing_forbids_it(space, n_runs, seed):
    space = FactorSpace((*space.factors, ContinuousFactor("free", 0, 1)))

    design = fast_flexible_filling(space, n_runs, rng=rng(seed))

    assert space.contains(design.runs).all()
    for factor in space.searched:
        if isinstance(factor, CategoricalFactor):
            counts = [int((design.runs[factor.name] == level).sum()) for level in factor.levels]
            assert max(counts) - min(counts) <= 1


@st.composite
def constrained_spaces(draw):
    """Return spaces of numbers and a choice under a linear limit and a forbidden combination."""
    n_numbers = draw(st.integers(2, 4))
    steps = draw(st.lists(st.sampled_from([None, 0.5, 0.25]), min_size=4, max_size=4))
    factors = tuple(ContinuousFactor(f"x{i}", 2, 6, step=steps[i]) for i in range(n_numbers))
    limit = draw(st.floats(3.0, 5.0)) * n_numbers
    return FactorSpace(
        (*factors, CategoricalFactor("choice", ("A", "B", "C"))),
        (
            LinearConstraint({factor.name: 1 for factor in factors}, upper=limit),
            ForbiddenCombination({"x0": (draw(st.floats(3.0, 5.0)), None), "choice": "B"}),
        ),
    )


@pytest.mark.requirement("DOE-6")
@given(
    space=constrained_spaces(),
    n_runs=st.integers(2, 9),
    seed=st.integers(0, 2**32 - 1),
    build=st.sampled_from([fast_flexible_filling, max_projection]),
)
@settings(max_examples=3, deadline=None)
def test_runs_are_allowed_distinct_and_balanced_under_any_such_constraints(
    space, n_runs, seed, build
):
    runs = build(space, n_runs, rng=rng(seed)).runs

    assert (space.contains(runs) & space.on_steps(runs)).all()
    assert not runs.duplicated().any()
    counts = [int((runs["choice"] == level).sum()) for level in "ABC"]
    assert max(counts) - min(counts) <= 1


def test_combinations_of_choices_are_used_equally_often_when_the_runs_divide():
    """Lekivetz and Jones (2019): the runs are balanced over the combinations of levels."""
    space = FactorSpace(
        (*NUMBERS, CategoricalFactor("x", ("A", "B")), CategoricalFactor("y", ("c", "d", "e")))
    )

    runs = fast_flexible_filling(space, 12, rng=rng()).runs

    assert sorted(runs.groupby(["x", "y"]).size()) == [2] * 6


@pytest.mark.requirement("DOE-6")
@pytest.mark.parametrize("name", ["forbidden", "mixture", "mixed"])
def test_twelve_runs_have_twelve_settings_of_every_number(name):
    space = ALL[name]
    for seed in range(2):
        design = fast_flexible_filling(space, 12, rng=rng(seed))

        points = unit_points(space, design.runs)[:, ~point_columns(space).is_category]
        for column in points.T:
            assert len(np.unique(np.round(column, 3))) == 12


@pytest.mark.requirement("DOE-6")
@pytest.mark.parametrize("name", ["forbidden", "mixture"])
def test_the_inside_of_a_region_is_covered_better_than_by_chance_or_by_its_edges(name):
    space = ALL[name]
    drawn = [space.sample(12, rng=rng(seed)) for seed in range(5)]
    chance = np.mean([worst_distance(space, runs) for runs in drawn])
    # A maximin subset (Kennard and Stone 1969), which goes to the edges.
    pool = space.sample(1000, rng=rng())
    points = unit_points(space, pool)
    rows = [0]
    for _ in range(12):
        rows.append(int(cdist(points, points[rows]).min(axis=1).argmax()))

    design = fast_flexible_filling(space, 12, rng=rng())

    assert worst_distance(space, design.runs) < 0.95 * chance
    assert worst_distance(space, design.runs) < worst_distance(space, pool.iloc[rows[1:]])


@pytest.mark.parametrize("name", ["forbidden", "mixture", "mixed"])
def test_exchanging_runs_lowers_the_criterion_of_a_constrained_region(name):
    space = ALL[name]

    filling = fast_flexible_filling(space, 12, rng=rng()).details["max_projection"]
    projected = max_projection(space, 12, rng=rng()).details["max_projection"]

    assert projected < 0.97 * filling


def test_left_out_components_leave_no_criterion_to_report():
    assert fast_flexible_filling(MEDIUM, 12, rng=rng()).details["max_projection"] is None


@pytest.mark.requirement("DOE-6")
@pytest.mark.parametrize("build", [fast_flexible_filling, max_projection])
def test_the_same_seed_gives_the_same_filling(build):
    assert build(MIXED, 9, rng=rng(5)) == build(MIXED, 9, rng=rng(5))
    assert build(MIXED, 9, rng=rng(5)) != build(MIXED, 9, rng=rng(6))


def test_units_and_order_of_factors_do_not_change_the_quality_of_a_filling():
    wide = FactorSpace(
        (
            CategoricalFactor("resin", ("C", "A", "B")),
            *(ContinuousFactor(name, 100, 300) for name in "cba"),
        ),
        (LinearConstraint({"a": 1, "b": 1}, upper=520),),
    )

    values = [
        np.mean(
            [fast_flexible_filling(s, 12, rng=rng(i)).details["max_projection"] for i in (0, 1)]
        )
        for s in (MIXED, wide)
    ]

    assert max(values) < 1.15 * min(values)


@given(n_points=st.integers(5, 60), n_cells=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_cells_share_out_all_points_and_none_is_empty(n_points, n_cells, seed):
    # Few distinct places, so that cells must part points that stand together.
    points = rng(seed).integers(3, size=(n_points, 2)) / 2.0

    cells = ward_cells(points, n_cells)
    free = free_cells(points, points[:2], n_cells)

    assert sorted(set(cells)) == list(range(n_cells))
    assert set(range(n_cells)) <= set(free) <= set(range(-1, n_cells))


@pytest.mark.requirement("DOE-6")
@pytest.mark.requirement("DOE-12")
@pytest.mark.parametrize("name", ALL)
def test_added_runs_are_allowed_new_and_different(name):
    space = ALL[name]
    existing = fast_flexible_filling(space, 8, rng=rng(1))

    added = augment_space_filling(space, existing, 6, rng=rng(2))

    assert added.n_runs == 6
    assert space.contains(added.runs).all()
    assert space.on_steps(added.runs).all()
    together = pd.concat([existing.runs, added.runs], ignore_index=True)
    assert not together.duplicated().any()
    assert added.details["existing_runs"] == 8


@pytest.mark.requirement("DOE-12")
def test_added_runs_go_where_there_are_none():
    corner = pd.DataFrame(0.4 * rng().random((10, 3)), columns=list("abc"))

    added = augment_space_filling(continuous_unit(), corner, 8, rng=rng(2))

    assert (added.runs.max(axis=1) > 0.4).all()
    squares = cdist(added.runs, corner)
    assert added.details["smallest_distance"] <= squares.min() + 1e-3
    assert squares.min() > 0.15


@pytest.mark.requirement("DOE-12")
def test_a_filling_made_in_two_parts_is_nearly_as_good_as_one_made_at_once():
    columns = point_columns(FORBIDDEN)
    first = fast_flexible_filling(FORBIDDEN, 10, rng=rng(1))
    second = augment_space_filling(FORBIDDEN, first.runs, 10, rng=rng(2))
    parts = pd.concat([first.runs, second.runs], ignore_index=True)
    at_once = fast_flexible_filling(FORBIDDEN, 20, rng=rng(3)).runs

    one, two = (
        max_projection_criterion(unit_points(FORBIDDEN, runs), columns) for runs in (at_once, parts)
    )

    assert two < 1.4 * one
    assert second.details["max_projection"] == pytest.approx(two, rel=1e-3)
    assert worst_distance(FORBIDDEN, parts) < 1.15 * worst_distance(FORBIDDEN, at_once)


def test_added_runs_make_up_for_choices_that_were_used_too_seldom():
    existing = fast_flexible_filling(MIXED, 9, rng=rng()).runs
    existing["resin"] = ["A"] * 5 + ["B"] * 4

    added = augment_space_filling(MIXED, existing, 6, rng=rng())

    assert (added.runs["resin"] == "C").sum() >= 4


def test_one_run_can_be_added_to_achieved_settings_outside_the_ranges():
    existing = pd.DataFrame({"a": [-0.1, 0.2], "b": [0.3, 1.2], "c": [0.5, 0.51]})

    added = augment_space_filling(continuous_unit(), existing, 1, rng=rng())

    assert continuous_unit().contains(added.runs).all()


def continuous_unit():
    return FactorSpace(NUMBERS)


def test_a_region_with_too_few_settings_is_refused():
    space = FactorSpace(
        (CategoricalFactor("resin", ("A", "B")), CategoricalFactor("salt", ("x", "y"))),
        (ForbiddenCombination({"resin": "A", "salt": "x"}),),
    )
    three = fast_flexible_filling(space, 3, rng=rng())

    assert len(three.runs.drop_duplicates()) == 3
    with pytest.raises(DesignError, match="Only 3 different allowed settings"):
        fast_flexible_filling(space, 4, rng=rng())
    with pytest.raises(DesignError, match="Only 1 different new allowed settings"):
        augment_space_filling(space, three.runs.head(2), 2, rng=rng())


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        ("a", np.nan, "Existing run 2 has 'a' at nan, expected a number: complete the run"),
        ("resin", "Z", "Existing run 2 has 'resin' at Z, expected one of A, B, C"),
    ],
)
def test_existing_runs_that_cannot_be_placed_are_refused(column, value, complaint):
    existing = fast_flexible_filling(MIXED, 3, rng=rng()).runs.copy()
    existing.loc[1, column] = value

    with pytest.raises(DesignError, match=complaint):
        augment_space_filling(MIXED, existing, 2, rng=rng())


def test_a_logarithmic_factor_at_zero_is_refused_among_existing_runs():
    space = FactorSpace((ContinuousFactor("feed", 1, 10, scale="log"),))

    with pytest.raises(DesignError, match="expected a number above zero"):
        augment_space_filling(space, pd.DataFrame({"feed": [0.0]}), 2, rng=rng())


def test_numbers_of_runs_and_tables_that_do_not_fit_are_refused():
    none = pd.DataFrame({name: np.empty(0) for name in "abc"})

    with pytest.raises(DesignError, match="at least 2, got 1"):
        fast_flexible_filling(continuous(2), 1, rng=rng())
    with pytest.raises(DesignError, match="1001 runs are more than the 1000"):
        fast_flexible_filling(continuous(2), 1001, rng=rng())
    with pytest.raises(DesignError, match="There are no existing runs"):
        augment_space_filling(continuous_unit(), none, 2, rng=rng())
    with pytest.raises(InvalidValueError, match="lack the factors"):
        augment_space_filling(continuous_unit(), none[["a"]], 2, rng=rng())
