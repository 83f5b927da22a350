"""Projection moves settings to the nearest allowed ones that the equipment can set."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.constraints import (
    CardinalityConstraint,
    Constraint,
    ExpressionConstraint,
    ForbiddenCombination,
    LinearConstraint,
)
from doe.errors import InfeasibleSpaceError, InvalidValueError
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    Factor,
    MixtureComponent,
)
from doe.feasible.projection import change
from doe.space import FactorSpace
from tests.doe.strategies import numeric, settings_tables, spaces_with_setting


def projected(factors: list[Factor], constraints: list[Constraint], **target) -> dict:
    space = FactorSpace(tuple(factors), tuple(constraints))
    table = space.project(pd.DataFrame({name: [value] for name, value in target.items()}))
    assert (space.contains(table) & space.on_steps(table)).all()
    return table.iloc[0].to_dict()


def unit(name: str, step: float | None = None) -> ContinuousFactor:
    return ContinuousFactor(name, 0, 1, step=step)


spaces_and_tables = spaces_with_setting().flatmap(
    lambda pair: st.tuples(st.just(pair[0]), st.just(pair[1]), settings_tables(pair[0], max_size=3))
)


@pytest.mark.requirement("OPT-3", "DOE-11")
@settings(max_examples=30)
@given(spaces_and_tables)
def test_projected_settings_are_allowed_can_be_set_and_stay(drawn):
    space, allowed, table = drawn

    moved = space.project(table)

    assert space.contains(moved).all()
    assert space.on_steps(moved).all()
    pd.testing.assert_frame_equal(space.project(moved), moved, check_exact=True)
    pd.testing.assert_frame_equal(
        space.project(allowed), allowed, check_exact=True, check_dtype=False
    )


@pytest.mark.requirement("OPT-3")
@settings(max_examples=30)
@given(spaces_and_tables, st.integers(0, 2**32 - 1))
def test_settings_between_the_steps_are_moved_onto_them(drawn, seed):
    space, _, table = drawn
    rng = np.random.default_rng(seed)
    for factor in space.searched:
        if not isinstance(factor, CategoricalFactor):
            table[factor.name] = rng.uniform(factor.low, factor.high, len(table))

    moved = space.project(table)

    assert (space.contains(moved) & space.on_steps(moved)).all()


@st.composite
def small_grids(draw: st.DrawFn) -> tuple[FactorSpace, pd.DataFrame, dict]:
    """A space on few steps, all its settings, and a target anywhere."""
    factors: list[Factor] = [
        ContinuousFactor("a", 0, 2, step=0.5),
        ContinuousFactor("b", -1, 1, step=draw(st.sampled_from([0.25, 0.5]))),
        DiscreteFactor("n", (0, 1, 2, 5)),
        CategoricalFactor("r", ("A", "B")),
    ]
    weights = st.sampled_from([-1.0, 0.5, 1.0, 2.0])
    possible: list[Constraint] = [
        LinearConstraint({"a": draw(weights), "b": draw(weights)}, upper=draw(st.floats(0, 1))),
        LinearConstraint({"a": 1, "n": 1}, equals=draw(st.sampled_from([1.0, 2.0, 2.5]))),
        ForbiddenCombination({"a": (0.5, 1.5), "r": "A"}),
        ForbiddenCombination({"n": (0.5, 3), "b": (None, 0.25)}),
        ForbiddenCombination({"a": (1, 1)}),
        CardinalityConstraint(("a", "b", "n"), draw(st.integers(1, 2))),
    ]
    chosen = draw(st.lists(st.sampled_from(possible), min_size=1, max_size=3, unique_by=id))
    grid = pd.DataFrame(
        itertools.product(np.arange(5) / 2, np.arange(-4, 5) / 4, (0.0, 1.0, 2.0, 5.0), ("A", "B")),
        columns=["a", "b", "n", "r"],
    )
    target = {
        "a": draw(st.floats(-0.5, 2.5)),
        "b": draw(st.floats(-1, 1)),
        "n": draw(st.floats(0, 5)),
        "r": draw(st.sampled_from(["A", "B"])),
    }
    open_space = FactorSpace(tuple(factors))
    met = open_space.on_steps(grid)
    for constraint in chosen:
        met &= constraint.holds(grid)
    grid = grid[met].reset_index(drop=True)
    space = FactorSpace(tuple(factors), tuple(chosen)) if len(grid) else open_space
    return space, grid, target


@pytest.mark.requirement("OPT-3")
@settings(max_examples=50)
@given(small_grids())
def test_no_setting_on_the_grid_is_nearer_than_the_projected_one(drawn):
    """Against every setting of the grid, one by one."""
    space, grid, target = drawn
    if not space.constraints:
        return

    moved = space.project(pd.DataFrame([target]))

    nearest = change(space, grid, target).min()
    assert change(space, moved, target)[0] == pytest.approx(nearest, abs=1e-9)


@pytest.mark.parametrize(
    ("target", "excess"),
    [
        ({"a": 0.8, "b": 0.8}, 0.6),
        ({"a": 0.5, "b": 0.5}, 0.0),
        ({"a": 1.0, "b": 0.2}, 0.2),
        ({"a": 1.5, "b": -0.5}, 0.0),
    ],
)
def test_the_change_is_no_larger_than_the_constraint_asks_for(target, excess):
    """Coded units are twice as fine as the natural ones of a factor from 0 to 1."""
    space = FactorSpace((unit("a"), unit("b")), (LinearConstraint({"a": 1, "b": 1}, upper=1),))

    moved = space.project(pd.DataFrame([target]))

    assert change(space, moved, target)[0] == pytest.approx(2 * excess)


@pytest.mark.requirement("DOE-9")
def test_a_mixture_on_steps_adds_up_and_prints_cleanly():
    components = [MixtureComponent(name, step=0.1) for name in "abc"]

    moved = projected(components, [], a=1 / 3, b=1 / 3, c=1 / 3)

    assert sorted(moved.values()) == [0.3, 0.3, 0.4]
    assert sum(moved.values()) == pytest.approx(1, rel=1e-9)


def test_exact_multiples_are_written_as_people_write_them():
    factor = ContinuousFactor("x", 0.1, 2.0, step=0.1)
    space = FactorSpace((factor,))
    noisy = pd.DataFrame({"x": [0.1 + 0.1 * i + 1e-14 for i in range(20)]})

    assert space.project(noisy)["x"].tolist() == [round(0.1 * i, 1) for i in range(1, 21)]


@pytest.mark.parametrize(
    ("value", "clean"),
    [(1.9e-14, 0.0), (1 - 1e-13, 1.0), (-1e-12, 0.0), (0.1234567891234567, 0.1234567891234567)],
)
def test_noise_at_an_end_is_removed_and_nothing_else_is_touched(value, clean):
    space = FactorSpace((unit("x"),))

    assert space.project(pd.DataFrame({"x": [value]}))["x"][0] == clean


def test_restored_continuous_settings_have_few_digits():
    third = [MixtureComponent(name) for name in "abc"]

    moved = projected(third, [], a=0.2, b=0.1 + 0.2, c=0.4000001)

    assert sum(moved.values()) == pytest.approx(1, rel=1e-9)
    assert all(len(repr(value)) < 20 for value in moved.values())


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"r": "A", "pH": 7.6}, {"r": "A", "pH": 7.2}),
        ({"r": "A", "pH": 7.2}, {"r": "A", "pH": 7.2}),
        ({"r": "B", "pH": 7.6}, {"r": "B", "pH": 7.6}),
        ({"r": "C", "pH": 6.5}, {"r": "B", "pH": 6.5}),
    ],
)
def test_a_level_is_kept_unless_it_is_forbidden_altogether(target, expected):
    factors = [CategoricalFactor("r", ("A", "C", "B")), ContinuousFactor("pH", 6, 8)]
    constraints = [
        ForbiddenCombination({"r": "A", "pH": (7.2, None)}),
        ForbiddenCombination({"r": ("C",)}),
        ForbiddenCombination({"r": "A", "pH": (None, 7)}),
    ]

    assert projected(factors, constraints, **target) == expected


def test_a_forbidden_range_is_left_by_its_nearer_end():
    factors = [unit("x"), unit("y")]
    hole = [ForbiddenCombination({"x": (0.2, 0.8), "y": (0.1, 0.9)})]

    assert projected(factors, hole, x=0.3, y=0.5) == {"x": 0.2, "y": 0.5}
    assert projected(factors, hole, x=0.75, y=0.5) == {"x": 0.8, "y": 0.5}
    assert projected(factors, hole, x=0.5, y=0.85) == {"x": 0.5, "y": 0.9}


def test_a_forbidden_point_is_left_to_a_neighbouring_step():
    assert projected([unit("x", 0.25)], [ForbiddenCombination({"x": (0.5, 0.5)})], x=0.52) == {
        "x": 0.75
    }


def test_the_smallest_amounts_are_left_out_first():
    components = [ContinuousFactor(name, 0, 1) for name in "abcd"]

    moved = projected(
        components, [CardinalityConstraint(tuple("abcd"), 2)], a=0.9, b=0.1, c=0.5, d=0.3
    )

    assert moved == {"a": 0.9, "b": 0.0, "c": 0.5, "d": 0.0}


def test_a_sum_on_unequal_steps_is_met_on_the_grid():
    moved = projected(
        [unit("a", 0.3), unit("b", 0.2)],
        [LinearConstraint({"a": 1, "b": 1}, equals=1)],
        a=0.5,
        b=0.5,
    )

    assert moved == {"a": 0.6, "b": 0.4}


def test_on_a_log_scale_the_nearer_step_is_the_one_with_the_nearer_ratio():
    factor = ContinuousFactor("k", 1, 100, scale="log", step=1.0)

    assert projected([factor], [], k=1.45) == {"k": 2.0}
    assert projected([ContinuousFactor("k", 1, 100, step=1.0)], [], k=1.45) == {"k": 1.0}


@pytest.mark.parametrize(
    ("step", "target", "furthest"),
    [
        (None, {"a": 5.0, "b": 5.0}, 0.2),
        (0.5, {"a": 5.0, "b": 5.0}, 0.2),
        (None, {"a": 10.0, "b": 10.0}, 1.6),
        (1.0, {"a": 9.7, "b": 2.2}, 0.1),
    ],
)
@pytest.mark.requirement("OPT-3")
def test_a_setting_beyond_a_curve_is_moved_near_to_it(step, target, furthest):
    """Nearest points on a * b = 20 by hand; on steps, by trying the grid."""
    space = FactorSpace(
        tuple(ContinuousFactor(name, 0, 10, step=step) for name in "ab"),
        (ExpressionConstraint("a * b <= 20"),),
    )

    moved = space.project(pd.DataFrame([target]))

    assert (space.contains(moved) & space.on_steps(moved)).all()
    assert change(space, moved, target)[0] <= furthest + 1e-6


@pytest.mark.slow
@settings(max_examples=30)
@given(a=st.floats(0, 10), b=st.floats(0, 10), step=st.sampled_from([0.5, 1.0]))
def test_near_a_curve_hardly_any_setting_of_the_grid_is_nearer(a, b, step):
    space = FactorSpace(
        tuple(ContinuousFactor(name, 0, 10, step=step) for name in "ab"),
        (ExpressionConstraint("a * b <= 20"), ExpressionConstraint("a + b ** 2 >= 4")),
    )
    axis = np.arange(0, round(10 / step) + 1) * step
    grid = pd.DataFrame(itertools.product(axis, axis), columns=["a", "b"])
    grid = grid[space.contains(grid)]

    moved = space.project(pd.DataFrame({"a": [a], "b": [b]}))

    target = {"a": a, "b": b}
    assert change(space, moved, target)[0] <= change(space, grid, target).min() + 0.05


def test_a_thin_band_between_expressions_is_met_on_steps():
    space = FactorSpace(
        tuple(ContinuousFactor(name, 0, 10, step=1.0) for name in "ab"),
        (ExpressionConstraint("a * b <= 20"), ExpressionConstraint("a * b >= 19")),
    )

    moved = space.project(pd.DataFrame({"a": [5.0, 10.0], "b": [5.0, 10.0]}))

    assert (moved["a"] * moved["b"] == 20).all()


def test_other_columns_the_index_and_the_input_are_left_alone():
    space = FactorSpace((unit("x", 0.1), CategoricalFactor("r", ("A", "B"))))
    table = pd.DataFrame(
        {"day": ["Mon", "Tue"], "x": [0.12, 0.98], "note": [1, None], "r": ["A", "B"]},
        index=pd.Index(["run", "run"], name="label"),
    )
    before = table.copy(deep=True)

    moved = space.project(table)

    pd.testing.assert_frame_equal(table, before)
    pd.testing.assert_frame_equal(moved.drop(columns="x"), table.drop(columns="x"))
    assert moved["x"].tolist() == [0.1, 1.0]


def test_whole_number_columns_become_numbers_with_fractions_where_needed():
    space = FactorSpace((unit("a"), unit("b")), (LinearConstraint({"a": 2, "b": 1}, upper=1.5),))

    moved = space.project(pd.DataFrame({"a": [1, 0], "b": [1, 0]}))

    assert space.contains(moved).all()
    assert moved["a"].dtype == np.float64


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_projection_works_in_any_unit(scale):
    space = FactorSpace(
        tuple(ContinuousFactor(name, 0, scale, step=0.1 * scale) for name in "ab"),
        (LinearConstraint({"a": 1, "b": 1}, equals=scale),),
    )

    moved = space.project(pd.DataFrame({"a": [0.33 * scale], "b": [0.33 * scale]}))

    assert (space.contains(moved) & space.on_steps(moved)).all()
    assert moved.to_numpy().sum() == pytest.approx(scale, rel=1e-9)


def test_a_range_over_eighteen_decades_is_projected_on_its_ratios():
    space = FactorSpace(
        (ContinuousFactor("k", 1e-9, 1e9, scale="log"), ContinuousFactor("x", 1e-9, 1e9)),
        (LinearConstraint({"k": 1, "x": 1}, upper=1e9),),
    )
    target = {"k": 1e9, "x": 1e9}

    moved = space.project(pd.DataFrame([target]))

    shares = np.geomspace(1e-6, 1, 20_000)
    along = pd.DataFrame({"k": 1e9 * shares, "x": np.maximum(1e9 * (1 - shares), 1e-9)})
    nearest = change(space, along[space.contains(along)], target).min()
    assert space.contains(moved).all()
    assert change(space, moved, target)[0] <= nearest + 0.01


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ({"x": np.nan, "r": "A"}, ["Row 'run 1'", "'x' is", "finite number", "complete"]),
        ({"x": np.inf, "r": "A"}, ["'x' is", "inf", "finite number"]),
        ({"x": 0.5, "r": "C"}, ["'r' is 'C'", "expected one of A, B"]),
        ({"x": 0.5, "r": None}, ["'r' is", "expected one of A, B"]),
        ({"x": "0.5", "r": "A"}, ["'x' must hold numbers", "'0.5'"]),
    ],
)
def test_a_row_that_is_no_setting_is_refused_with_its_place(row, parts):
    space = FactorSpace((unit("x"), CategoricalFactor("r", ("A", "B"))))

    with pytest.raises(InvalidValueError) as refusal:
        space.project(pd.DataFrame([row], index=["run 1"]))

    assert all(part in str(refusal.value) for part in parts), refusal.value


def test_where_no_neighbour_is_found_the_row_is_named(monkeypatch):
    space = FactorSpace((unit("x"), unit("y")), (LinearConstraint({"x": 1, "y": 1}, equals=1),))
    monkeypatch.setattr("doe.feasible.projection.nearest_setting", lambda *_: None)

    with pytest.raises(InfeasibleSpaceError, match=r"Row 4 \(x 0.5, y 0.25\) has no allowed neigh"):
        space.project(pd.DataFrame({"x": [0.5], "y": [0.25]}, index=[4]))


@settings(max_examples=30)
@given(spaces_with_setting(constrained=False, mixture=False), st.integers(0, 2**32 - 1))
def test_without_constraints_every_factor_goes_to_its_own_nearest_setting(pair, seed):
    space, _ = pair
    rng = np.random.default_rng(seed)
    table = space.sample(3, rng=rng)
    for name in numeric(space.searched):
        factor = space.factor(name)
        table[name] = rng.uniform(factor.low, factor.high, 3)

    moved = space.project(table)

    for name in numeric(space.searched):
        one = FactorSpace((space.factor(name),))
        pd.testing.assert_series_equal(moved[name], one.project(table[[name]])[name])
