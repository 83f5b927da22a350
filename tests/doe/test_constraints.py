"""Constraints: which settings meet them, what they say, what they refuse."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doe.constraints import (
    CardinalityConstraint,
    ExpressionConstraint,
    ForbiddenCombination,
    LinearConstraint,
    check_constraint,
)
from doe.errors import ExpressionError, InvalidValueError
from doe.factors import CategoricalFactor, ContinuousFactor

SETTINGS = pd.DataFrame(
    {"a": [0.0, 1.0, 2.0, 3.0], "b": [4.0, 3.0, 2.0, 0.0], "resin": ["A", "B", "A", "B"]}
)


@pytest.mark.parametrize(
    ("constraint", "met"),
    [
        (LinearConstraint({"a": 1, "b": 1}, upper=4), [True, True, True, True]),
        (LinearConstraint({"a": 1, "b": 1}, lower=3.5), [True, True, True, False]),
        (LinearConstraint({"a": 1, "b": 2}, lower=5, upper=7), [False, True, True, False]),
        (LinearConstraint({"a": 1, "b": 1}, equals=4), [True, True, True, False]),
        (LinearConstraint({"a": -1, "b": 0}, upper=-2), [False, False, True, True]),
        (CardinalityConstraint(("a", "b"), 1), [True, False, False, True]),
        (ForbiddenCombination({"a": (1, None)}), [True, True, False, False]),
        (ForbiddenCombination({"a": (None, 1)}), [False, True, True, True]),
        (ForbiddenCombination({"a": (0, 2)}), [True, False, True, True]),
        (ForbiddenCombination({"a": (2, 2)}), [True, True, False, True]),
        (ForbiddenCombination({"resin": "B"}), [True, False, True, False]),
        (ForbiddenCombination({"resin": ["A", "B"]}), [False] * 4),
        (ForbiddenCombination({"resin": "B", "a": (1, None)}), [True, True, True, False]),
        (ExpressionConstraint("a * b <= 3"), [True, True, False, True]),
        (ExpressionConstraint("a * b >= 3"), [False, True, True, False]),
        (ExpressionConstraint("log(a) <= 0"), [False, True, False, False]),
        (ExpressionConstraint("1 / b <= 1"), [True, True, True, False]),
    ],
)
def test_a_constraint_holds_where_it_says_so(constraint, met):
    assert constraint.holds(SETTINGS).tolist() == met


@pytest.mark.parametrize(
    ("constraint", "sentence"),
    [
        (LinearConstraint({"a": 1, "b": -1}, upper=4), "a - b <= 4"),
        (LinearConstraint({"a": -2, "b": 0.5}, lower=4), "- 2 * a + 0.5 * b >= 4"),
        (LinearConstraint({"a": 1}, lower=1, upper=4), "1 <= a <= 4"),
        (LinearConstraint({"a": 1, "b": 1}, equals=1), "a + b = 1"),
        (CardinalityConstraint(("a", "b"), 1), "at most 1 of a, b non-zero"),
        (
            ForbiddenCombination({"a": (1, None), "b": (None, 2), "c": (1, 2)}),
            "not (a > 1 and b < 2 and 1 < c < 2)",
        ),
        (
            ForbiddenCombination({"resin": ("A", "B"), "a": (1, 1)}),
            "not (resin is A or B and a = 1)",
        ),
        (ExpressionConstraint("a * b <= 3"), "a * b <= 3"),
    ],
)
def test_a_constraint_reads_as_people_write_it(constraint, sentence):
    assert constraint.sentence() == sentence


def test_slack_is_the_distance_to_the_nearer_bound():
    band = LinearConstraint({"a": 1, "b": 1}, lower=3.5, upper=5)

    assert band.slack(SETTINGS).tolist() == [0.5, 0.5, 0.5, -0.5]
    assert LinearConstraint({"a": 1, "b": 1}, equals=4).slack(SETTINGS)[3] == -1
    assert CardinalityConstraint(("a", "b"), 1).slack(SETTINGS).tolist() == [0, -1, -1, 0]
    assert ExpressionConstraint("a <= b").slack(SETTINGS).tolist() == [4, 2, 0, -3]


@given(
    unit=st.floats(1e-12, 1e12),
    bound=st.floats(0.5, 5.0),
    excess=st.sampled_from([-1.0, -1e-6, 0.0, 1e-11, 1e-6, 1.0]),
)
def test_whether_a_sum_stays_below_its_bound_does_not_depend_on_the_unit(unit, bound, excess):
    settings = pd.DataFrame({"a": [0.4 * bound + excess], "b": [0.6 * bound]})
    sizes = {"a": np.array([10.0]), "b": np.array([10.0])}
    in_unit = {name: size * unit for name, size in sizes.items()}

    holds = LinearConstraint({"a": 1, "b": 1}, upper=bound).holds(settings, sizes=sizes)
    scaled = LinearConstraint({"a": 1, "b": 1}, upper=bound * unit)

    assert holds == [excess < 1e-8]
    assert scaled.holds(settings * unit, sizes=in_unit) == holds


def test_an_amount_far_below_one_counts_as_used():
    """5 nmol/L written in mol/L is no zero."""
    settings = pd.DataFrame({"a": [5e-9], "b": [2e-9]})
    sizes = {"a": np.array([1e-8]), "b": np.array([1e-8])}

    assert not CardinalityConstraint(("a", "b"), 1).holds(settings, sizes=sizes)[0]
    assert not ForbiddenCombination({"a": (1e-9, None)}).holds(settings, sizes=sizes)[0]


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: LinearConstraint({}, upper=1), ["at least one coefficient"]),
        (lambda: LinearConstraint(["a"], upper=1), ["at least one coefficient"]),
        (lambda: LinearConstraint({"a": 0}, upper=1), ["['a']", "zero"]),
        (lambda: LinearConstraint({"a": "1"}, upper=1), ["Coefficient of 'a'", "'1'"]),
        (lambda: LinearConstraint({"a": 1}), ["needs either equals"]),
        (lambda: LinearConstraint({"a": 1}, equals=1, upper=1), ["equals=1", "upper=1"]),
        (lambda: LinearConstraint({"a": 1}, lower=2, upper=1), ["low 2", "high 1"]),
        (lambda: LinearConstraint({"a": 1}, upper=float("nan")), ["upper", "nan"]),
        (lambda: CardinalityConstraint(("a",), 1), ["two different factors"]),
        (lambda: CardinalityConstraint(("a", "a"), 1), ["two different factors"]),
        (lambda: CardinalityConstraint("ab", 1), ["list of factors", "'ab'"]),
        (lambda: CardinalityConstraint((1, 2), 1), ["factor needs a name", "1"]),
        (lambda: CardinalityConstraint(("a", "b"), 2), ["at_most 2", "below the 2 factors"]),
        (lambda: CardinalityConstraint(("a", "b"), 0), ["at_most 0"]),
        (lambda: CardinalityConstraint(("a", "b"), 1.0), ["whole number", "1.0"]),
        (lambda: CardinalityConstraint(("a", "b"), True), ["whole number", "True"]),
        (lambda: ForbiddenCombination({}), ["at least one condition"]),
        (lambda: ForbiddenCombination({"a": (None, None)}), ["'a'", "open at both ends"]),
        (lambda: ForbiddenCombination({"a": (2, 1)}), ["low 2 is above high 1", "swap"]),
        (lambda: ForbiddenCombination({"a": (1, 2, 3)}), ["low and a high end", "(1, 2, 3)"]),
        (lambda: ForbiddenCombination({"a": ("A", 3)}), ["low and a high end"]),
        (lambda: ForbiddenCombination({"a": 3}), ["(low, high) or levels", "3"]),
        (lambda: ForbiddenCombination({"a": ()}), ["(low, high) or levels"]),
        (lambda: ForbiddenCombination({"a": (float("inf"), None)}), ["finite", "inf"]),
        (lambda: ExpressionConstraint("1 <= 2"), ["names no factor"]),
    ],
)
def test_a_constraint_that_cannot_be_is_refused_with_its_values(make, parts):
    with pytest.raises(InvalidValueError) as refusal:
        make()

    assert all(part in str(refusal.value) for part in parts), refusal.value


def test_an_expression_constraint_needs_a_comparison():
    with pytest.raises(ExpressionError, match="not a comparison"):
        ExpressionConstraint("a * b")


@pytest.mark.parametrize(
    ("constraint", "parts"),
    [
        (LinearConstraint({"c": 1}, upper=1), ["'c <= 1'", "names 'c'", "['a', 'b', 'resin']"]),
        (LinearConstraint({"resin": 1}, upper=1), ["'resin'", "categorical", "forbidden"]),
        (ExpressionConstraint("resin <= a"), ["'resin'", "categorical"]),
        (CardinalityConstraint(("a", "resin"), 1), ["'resin'", "categorical"]),
        (CardinalityConstraint(("a", "b"), 1), ["'b', 1 to 2", "include zero", "widen"]),
        (ForbiddenCombination({"resin": (1, 2)}), ["'resin' is categorical", "needs levels"]),
        (ForbiddenCombination({"a": "A"}), ["'a' is a number", "needs a range"]),
        (ForbiddenCombination({"resin": "C"}), ["['C'] are not levels", "['A', 'B']"]),
    ],
)
def test_a_constraint_that_does_not_fit_the_factors_is_refused(constraint, parts):
    factors = (
        ContinuousFactor("a", 0, 1),
        ContinuousFactor("b", 1, 2),
        CategoricalFactor("resin", ("A", "B")),
    )

    with pytest.raises(InvalidValueError) as refusal:
        check_constraint(constraint, factors)

    assert all(part in str(refusal.value) for part in parts), refusal.value


@pytest.mark.parametrize(
    "constraint",
    [
        LinearConstraint({"a": 1}, upper=1),
        CardinalityConstraint(("a", "b"), 1),
        ForbiddenCombination({"a": (1, None)}),
        ExpressionConstraint("a <= 1"),
    ],
    ids=lambda constraint: type(constraint).__name__,
)
def test_a_constraint_cannot_be_changed_and_can_be_a_key(constraint):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(constraint, dataclasses.fields(constraint)[0].name, None)
    assert {constraint: 1}[dataclasses.replace(constraint)] == 1


def test_empty_cells_meet_no_constraint_on_a_number():
    settings = pd.DataFrame({"a": [np.nan], "b": [1.0]})

    assert not LinearConstraint({"a": 1}, upper=1).holds(settings)[0]
    assert not ExpressionConstraint("a <= b").holds(settings)[0]
