"""Factors: what they accept, what they refuse, and what they say about it."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doe.errors import ExpressionError, InvalidValueError
from doe.factors import (
    BlockFactor,
    CategoricalFactor,
    Context,
    ContinuousFactor,
    ControlCapability,
    Covariate,
    DiscreteFactor,
    MixtureComponent,
    check_name,
    check_number,
)
from tests.doe.strategies import names, recorded_factors, searched_factors

EXAMPLES = [
    ContinuousFactor("pH", 6.8, 7.4, step=0.1, capability=ControlCapability(sd=0.05)),
    DiscreteFactor("impellers", (2, 1, 3)),
    CategoricalFactor("resin", ("B", "A")),
    MixtureComponent("glucose", 0.1, 0.5, "g/g", step=0.05),
    Covariate("lot purity", "%", low=0, high=100),
    Context("scale", ("2 L", "200 L")),
    BlockFactor("day", nested_in="week"),
]


@given(names().flatmap(searched_factors), st.lists(names(), max_size=3, unique=True))
def test_every_factor_that_can_be_made_equals_its_copy(factor, recorded):
    assert dataclasses.replace(factor) == factor
    assert hash(dataclasses.replace(factor)) == hash(factor)


@given(st.lists(names(), max_size=3, unique=True).flatmap(recorded_factors))
def test_every_recorded_factor_that_can_be_made_equals_its_copy(factors):
    assert tuple(dataclasses.replace(factor) for factor in factors) == factors


@pytest.mark.parametrize("factor", EXAMPLES, ids=lambda factor: type(factor).__name__)
def test_a_factor_cannot_be_changed(factor):
    with pytest.raises(dataclasses.FrozenInstanceError):
        factor.name = "other"


@pytest.mark.parametrize("factor", EXAMPLES, ids=lambda factor: type(factor).__name__)
def test_a_factor_has_no_room_for_misspelt_attributes(factor):
    with pytest.raises((AttributeError, TypeError)):
        factor.hihg = 3.0


def test_whole_numbers_and_numpy_numbers_become_floats():
    factor = ContinuousFactor("time", np.int64(1), np.float32(4))

    assert (factor.low, factor.high) == (1.0, 4.0)
    assert type(factor.low) is float


def test_discrete_levels_are_kept_in_ascending_order_and_give_the_range():
    factor = DiscreteFactor("impellers", (3, 1, 2))

    assert factor.levels == (1.0, 2.0, 3.0)
    assert (factor.low, factor.high) == (1.0, 3.0)


def test_categorical_levels_keep_the_order_in_which_they_were_given():
    assert CategoricalFactor("resin", ["B", "A"]).levels == ("B", "A")


def test_a_step_may_be_the_whole_range_despite_rounding_errors():
    """0.5 - 0.45 is a little less than 0.05 in binary."""
    assert MixtureComponent("salt", 0.45, 0.5, step=0.05).step == 0.05
    assert ContinuousFactor("salt", 0.45, 0.5, step=0.05).step == 0.05


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: ContinuousFactor("", 0, 1), ["factor needs a name", "''"]),
        (lambda: ContinuousFactor(None, 0, 1), ["factor needs a name", "None"]),
        (lambda: ContinuousFactor(" pH", 0, 1), ["' pH'", "no space at its ends"]),
        (lambda: ContinuousFactor("p`H", 0, 1), ["p`H", "no backtick"]),
        (lambda: ContinuousFactor("p\nH", 0, 1), ["p\\nH", "printable"]),
        (lambda: ContinuousFactor("x" * 101, 0, 1), ["at most 100"]),
        (lambda: ContinuousFactor("pH", 7, 7), ["'pH'", "low 7", "below high 7", "swap"]),
        (lambda: ContinuousFactor("pH", 8, 7), ["low 8", "high 7"]),
        (lambda: ContinuousFactor("pH", float("nan"), 7), ["'pH' low", "finite", "nan"]),
        (lambda: ContinuousFactor("pH", 6, float("inf")), ["'pH' high", "finite", "inf"]),
        (lambda: ContinuousFactor("pH", "6", 7), ["'pH' low", "number", "'6'"]),
        (lambda: ContinuousFactor("pH", True, 7), ["'pH' low", "number", "True"]),
        (lambda: ContinuousFactor("pH", None, 7), ["'pH' low", "number", "None"]),
        (lambda: ContinuousFactor("pH", 6, 7, step=0), ["step 0", "positive"]),
        (lambda: ContinuousFactor("pH", 6, 7, step=-0.1), ["step -0.1", "positive"]),
        (lambda: ContinuousFactor("pH", 6, 7, step=2), ["step 2", "range 1"]),
        (lambda: ContinuousFactor("c", 0, 7, "g/L", scale="log"), ["'log'", "0 g/L", "above zero"]),
        (lambda: ContinuousFactor("c", 0, 7, scale="ln"), ["scale", "'ln'", "linear, log"]),
        (lambda: ContinuousFactor("c", 0, 7, change="never"), ["'never'", "very_hard"]),
        (lambda: ContinuousFactor("c", 0, 7, learn_from="mean"), ["'mean'", "actual, target"]),
        (lambda: ContinuousFactor("c", 0, 7, tolerance=-1), ["tolerance", "-1"]),
        (lambda: ContinuousFactor("c", 0, 7, aliases="ph"), ["aliases", "list", "'ph'"]),
        (lambda: DiscreteFactor("n", (1,)), ["at least two different levels", "[1.0]"]),
        (lambda: DiscreteFactor("n", (1, 1)), ["two different levels"]),
        (lambda: DiscreteFactor("n", "123"), ["must be a list", "'123'"]),
        (lambda: DiscreteFactor("n", (1, None)), ["'n' level", "None"]),
        (lambda: DiscreteFactor("n", (0, 1), scale="log"), ["'log'", "above zero"]),
        (lambda: CategoricalFactor("r", ("A",)), ["two different levels", "['A']"]),
        (lambda: CategoricalFactor("r", ("A", "A")), ["two different levels"]),
        (lambda: CategoricalFactor("r", ("A", 3)), ["level of factor 'r'", "3"]),
        (lambda: CategoricalFactor("r", "AB"), ["must be a list", "'AB'"]),
        (lambda: MixtureComponent("m", -0.1, 1), ["low -0.1", "negative"]),
        (lambda: MixtureComponent("m", 0.5, 0.5), ["low 0.5", "below high 0.5"]),
        (lambda: MixtureComponent("m", 0, 0.5, step=0.6), ["step 0.6", "range"]),
        (lambda: Covariate("t", low=3, high=2), ["low 3", "high 2"]),
        (lambda: Context("site", ("A",)), ["Context 'site'", "two different levels"]),
        (lambda: BlockFactor("day", nested_in="day"), ["'day'", "nested in itself"]),
        (ControlCapability, ["sd or half_width"]),
        (lambda: ControlCapability(sd=1, half_width=1), ["not both"]),
        (lambda: ControlCapability(sd=0), ["sd must be positive", "0"]),
        (lambda: ControlCapability(sd=1, distribution="uniform"), ["uniform", "half_width"]),
    ],
)
def test_a_factor_that_cannot_be_is_refused_with_its_name_and_value(make, parts):
    with pytest.raises(InvalidValueError) as refusal:
        make()

    assert all(part in str(refusal.value) for part in parts), refusal.value


def test_a_covariate_s_expression_is_read_when_it_is_made():
    with pytest.raises(ExpressionError, match="cannot be read"):
        Covariate("hours", expression="mass /")


def test_checks_return_or_refuse():
    assert check_number(np.float64(2.5), "x") == 2.5
    with pytest.raises(InvalidValueError, match=r"x must be a number, got '2,5'"):
        check_number("2,5", "x")
    with pytest.raises(InvalidValueError, match=r"A level needs a name, got 3"):
        check_name(3, "level")
