"""Factor spaces: what they contain, how they code it, what they refuse."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.constraints import ForbiddenCombination, LinearConstraint
from doe.errors import InvalidValueError, UnknownNameError
from doe.factors import (
    BlockFactor,
    CategoricalFactor,
    Context,
    ContinuousFactor,
    Covariate,
    DiscreteFactor,
    MixtureComponent,
)
from doe.space import FactorSpace
from tests.doe.strategies import numeric, settings_tables, spaces, spaces_with_setting

PH = ContinuousFactor("pH", 6.8, 7.4, step=0.1)
SPACE = FactorSpace(
    (
        PH,
        ContinuousFactor("dose", 1, 100, "mg", scale="log"),
        DiscreteFactor("impellers", (1, 2, 4)),
        CategoricalFactor("resin", ("A", "B")),
        BlockFactor("day"),
        Covariate("purity"),
        Context("scale", ("2 L", "200 L")),
    ),
    (ForbiddenCombination({"resin": "B", "pH": (7.2, None)}),),
)
ROW: dict[str, Any] = {"pH": 7.0, "dose": 10.0, "impellers": 2.0, "resin": "A"}


def table(*changes: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame([{**ROW, **change} for change in changes])


@settings(max_examples=30)
@given(
    spaces_with_setting().flatmap(
        lambda pair: st.tuples(st.just(pair[0]), settings_tables(pair[0]))
    )
)
def test_coded_units_and_back_give_the_same_settings(pair):
    space, settings = pair

    coded = space.to_coded(settings)
    back = space.to_natural(coded)

    pd.testing.assert_frame_equal(back, settings[list(space.names)], check_dtype=False, rtol=1e-12)
    for name in numeric(space.searched):
        assert coded[name].between(-1 - 1e-12, 1 + 1e-12).all()


@settings(max_examples=30)
@given(spaces_with_setting(), st.randoms(use_true_random=False))
def test_the_order_of_factors_and_constraints_changes_nothing_but_the_order(pair, random):
    space, setting = pair
    factors, constraints = list(space.factors), list(space.constraints)
    random.shuffle(factors)
    random.shuffle(constraints)
    nested = {f.name: f for f in factors}
    shuffled = FactorSpace(tuple(nested.values()), tuple(constraints), space.mixture_total)

    pd.testing.assert_frame_equal(
        shuffled.to_coded(setting)[list(space.names)], space.to_coded(setting)
    )
    assert shuffled.contains(setting).all()


@given(st.floats(1e-9, 1e9), st.floats(0, 1), st.sampled_from(["linear", "log"]))
def test_coded_values_do_not_depend_on_the_unit(unit, share, scale):
    one = FactorSpace((ContinuousFactor("x", 2.0, 8.0, scale=scale),))
    other = FactorSpace((ContinuousFactor("x", 2.0 * unit, 8.0 * unit, scale=scale),))
    settings = pd.DataFrame({"x": [2.0 + 6.0 * share]})

    np.testing.assert_allclose(
        other.to_coded(settings * unit)["x"], one.to_coded(settings)["x"], atol=1e-9
    )


@given(st.floats(1e-12, 1e12), st.sampled_from([-0.1, -1e-6, 0.0, 0.5, 1.0, 1 + 1e-6, 1.1]))
def test_what_is_within_a_range_does_not_depend_on_the_unit(unit, share):
    space = FactorSpace((ContinuousFactor("x", 0.0, unit),))

    assert space.contains(pd.DataFrame({"x": [share * unit]}))[0] == (0 <= share <= 1)


def test_the_ends_and_the_middle_of_a_range_are_minus_one_one_and_zero():
    coded = SPACE.to_coded(
        table({"pH": 6.8, "dose": 1.0, "impellers": 1.0}, {"pH": 7.1, "dose": 10.0}, {"dose": 100})
    )

    np.testing.assert_allclose(coded["pH"], [-1, 0, -1 + 2 / 3], atol=1e-12)
    np.testing.assert_allclose(coded["dose"], [-1, 0, 1], atol=1e-12)
    np.testing.assert_allclose(coded["impellers"], [-1, -1 / 3, -1 / 3], atol=1e-12)
    assert coded["resin"].tolist() == ["A", "A", "A"]


def test_mixture_components_are_coded_as_shares_of_the_total():
    space = FactorSpace((MixtureComponent("a", 0, 100), MixtureComponent("b", 0, 100)), (), 100)
    settings = pd.DataFrame({"a": [25.0], "b": [75.0]})

    assert space.to_coded(settings).to_numpy().tolist() == [[0.25, 0.75]]
    assert space.contains(settings).all()
    assert not space.contains(settings / 100).any()


@pytest.mark.requirement("DOE-11")
@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({}, ()),
        ({"pH": 7.05}, ()),
        ({"pH": 7.5}, ("pH is 7.5, expected 6.8 to 7.4",)),
        ({"dose": 0.5}, ("dose is 0.5 mg, expected 1 to 100",)),
        ({"impellers": 3.0}, ("impellers is 3.0, expected one of 1, 2, 4",)),
        ({"resin": "C"}, ("resin is 'C', expected one of A, B",)),
        ({"resin": "B", "pH": 7.3}, ("breaks not (resin is B and pH > 7.2)",)),
        ({"resin": "B", "pH": 7.2}, ()),
        ({"pH": np.nan}, ("pH is nan, expected 6.8 to 7.4",)),
    ],
)
def test_a_run_that_is_not_allowed_is_told_why(change, faults):
    settings = table(change)

    assert SPACE.faults(settings) == (faults,)
    assert SPACE.contains(settings).tolist() == [not faults]


@pytest.mark.requirement("DOE-11")
def test_the_equipment_can_set_whole_steps_only():
    assert SPACE.on_steps(table({"pH": 7.0}, {"pH": 7.05}, {"pH": 6.8 + 0.1 + 0.1})).tolist() == [
        True,
        False,
        True,
    ]


def test_rounding_errors_do_not_put_a_setting_outside():
    settings = table({"pH": 6.8 - 1e-12}, {"dose": 100 * (1 + 1e-12)}, {"dose": 1 - 1e-6})

    assert SPACE.contains(settings).tolist() == [True, True, False]


def test_a_wide_log_range_does_not_forgive_values_below_its_low_end():
    space = FactorSpace((ContinuousFactor("k", 1e-9, 1e9, scale="log"),))

    assert space.contains(pd.DataFrame({"k": [1e-9, 0.5e-9, 0.0, -0.5, 1e9]})).tolist() == [
        True,
        False,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        (None, ["must be a table", "NoneType"]),
        ({"pH": [7.0]}, ["must be a table", "dict"]),
        (table({}).drop(columns="pH"), ["lack the factors ['pH']", "add or rename"]),
        (table({"pH": "7.0"}), ["'pH' must hold numbers", "'7.0'", "correct the cell"]),
        (table({}).assign(pH=pd.Series([None], dtype=object)), ["must hold numbers", "None"]),
        (table({"pH": True}), ["'pH' must hold numbers", "True"]),
        (table({}).assign(pH=[1 + 2j]), ["'pH' must hold numbers"]),
        (pd.concat([table({}), table({})[["pH"]]], axis=1), ["several columns 'pH'"]),
    ],
    ids=["None", "dict", "missing", "text", "empty", "bool", "complex", "twice"],
)
def test_a_table_that_holds_no_settings_is_refused(settings, parts):
    for check in (SPACE.contains, SPACE.to_coded, SPACE.on_steps, SPACE.faults, SPACE.project):
        with pytest.raises(InvalidValueError) as refusal:
            check(settings)
        assert all(part in str(refusal.value) for part in parts), refusal.value


def test_whole_numbers_nullable_numbers_and_object_columns_are_numbers():
    settings = table({"impellers": 2}, {"impellers": 4}).astype({"impellers": "int64"})

    assert SPACE.contains(settings).all()
    assert SPACE.contains(settings.astype({"impellers": "Int64", "pH": "Float64"})).all()
    assert SPACE.contains(settings.astype(object)).all()


def test_an_empty_nullable_cell_is_outside():
    settings = table({}, {}).astype({"pH": "Float64"})
    settings.loc[1, "pH"] = pd.NA

    assert SPACE.contains(settings).tolist() == [True, False]


def test_a_table_without_rows_gives_answers_without_rows():
    empty = table({}).iloc[:0]

    assert SPACE.contains(empty).shape == (0,)
    assert SPACE.to_coded(empty).shape == (0, 4)
    assert SPACE.faults(empty) == ()
    assert SPACE.project(empty).shape == empty.shape


def test_the_index_of_a_table_is_kept_even_where_labels_repeat():
    settings = table({}, {}).set_axis(["x", "x"])

    assert SPACE.to_coded(settings).index.tolist() == ["x", "x"]
    assert SPACE.project(settings).index.tolist() == ["x", "x"]


def test_factors_are_sorted_by_what_is_done_with_them():
    assert SPACE.names == ("pH", "dose", "impellers", "resin")
    assert [f.name for f in (*SPACE.blocks, *SPACE.covariates, *SPACE.contexts)] == [
        "day",
        "purity",
        "scale",
    ]
    assert SPACE.factor("day") == BlockFactor("day")


def test_an_unknown_factor_is_refused_with_the_names_there_are():
    with pytest.raises(UnknownNameError, match="No factor is called 'ph'; the factors are"):
        SPACE.factor("ph")


def test_a_space_cannot_be_changed_and_equals_its_copy():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SPACE.factors = ()
    assert dataclasses.replace(SPACE) == SPACE
    assert hash(dataclasses.replace(SPACE)) == hash(SPACE)


@settings(max_examples=30)
@given(spaces())
def test_every_space_equals_one_made_of_the_same_parts(space):
    assert FactorSpace(list(space.factors), list(space.constraints), space.mixture_total) == space


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: FactorSpace(()), ["at least one factor to vary"]),
        (lambda: FactorSpace((BlockFactor("day"),)), ["at least one factor to vary"]),
        (lambda: FactorSpace(("pH",)), ["'pH' is not a factor"]),
        (lambda: FactorSpace((PH, PH)), ["'pH' is used twice", "rename"]),
        (
            lambda: FactorSpace((PH, ContinuousFactor("x", 0, 1, aliases=("pH",)))),
            ["'pH' is used twice"],
        ),
        (
            lambda: FactorSpace((PH, BlockFactor("day", nested_in="week"))),
            ["'day' is nested in 'week'", "not a block factor"],
        ),
        (lambda: FactorSpace((MixtureComponent("a"),)), ["two or more components", "'a'"]),
        (
            lambda: FactorSpace((MixtureComponent("a"), MixtureComponent("b", unit="g/L"))),
            ["different units", "g/L"],
        ),
        (
            lambda: FactorSpace((MixtureComponent("a"), MixtureComponent("b")), (), 0),
            ["mixture_total must be positive", "0"],
        ),
        (lambda: FactorSpace((PH,), (), "1"), ["mixture_total must be a number", "'1'"]),
        (
            lambda: FactorSpace((PH,), (LinearConstraint({"ph": 1}, upper=7),)),
            ["names 'ph'", "['pH']"],
        ),
    ],
)
def test_a_space_that_cannot_be_is_refused(make, parts):
    with pytest.raises(InvalidValueError) as refusal:
        make()

    assert all(part in str(refusal.value) for part in parts), refusal.value
