"""Units mean what people in the laboratory mean by them, and convert exactly."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doe.errors import UnitError
from doe.units import check_unit, conversion, convert, same_spelling, unit_in_words


@pytest.mark.requirement("DI-11")
@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [
        (37, "degC", "degF", 98.6),  # NIST SP 811 (2008), appendix B.8
        (98.6, "°F", "°C", 37.0),
        (25, "°C", "K", 298.15),
        (1, "psi", "Pa", 6894.757293168361),  # NIST SP 811 (2008), appendix B.8
        (1, "mmHg", "Pa", 133.322387415),
        (1, "atm", "bar", 1.01325),
        (1, "U/mL", "nkat/mL", 1000 / 60),  # IUBMB (1979): 1 U is 16.67 nkat
        (0.1, "M", "mM", 100.0),
        (250, "µM", "mmol/L", 0.25),
        (250, "\u03bcM", "mM", 0.25),
        (2.5, "g/L", "mg/mL", 2.5),
        (1, "g L-1 h-1", "g/(L d)", 24.0),
        (1, "g·L⁻¹·h⁻¹", "g/L/h", 1.0),
        (12, "%", "", 0.12),
        (0.5, "", "%", 50.0),
        (3, "d", "h", 72.0),
        (1.2, "1e6 cells/mL", "cells/mL", 1.2e6),
        (1.2, "×10⁶ cells/mL", "1e9 cells/L", 1.2),
        (1.2, "10^6 cells/mL", "cells/L", 1.2e9),
        (300, "rpm", "rps", 5.0),
        (0.8, "vvm", "L/(L h)", 48.0),
        (1, "cP", "mPa s", 1.0),
        (150, "mAU", "AU", 0.15),
        (3, "CV/h", "CV/min", 0.05),
        (150, "kDa", "Da", 150e3),
        (15, "mS/cm", "S/m", 1.5),
        (7.1, "pH", "-", 7.1),
    ],
)
def test_a_value_converts_as_the_published_tables_say(
    value: float, unit: str, to: str, expected: float
) -> None:
    assert conversion(unit, to).apply(value) == pytest.approx(expected, rel=1e-12)


def test_decimal_digits_stay_clean() -> None:
    """In binary arithmetic 36.6 degC is 97.88000000000001 degF."""
    assert conversion("degC", "degF").apply(36.6) == 97.88
    assert conversion("g/L", "mg/L").apply(0.0011) == 1.1
    assert conversion("min", "h").apply(3) == 0.05


UNITS = ["g/L", "mM", "degC", "degF", "K", "h", "d", "1e6 cells/mL", "%", "rpm", "psi", "U/mL"]


@given(
    unit=st.sampled_from(UNITS),
    other=st.sampled_from(UNITS),
    value=st.floats(-1e6, 1e6, allow_nan=False),
)
def test_there_and_back_is_where_one_started(unit: str, other: str, value: float) -> None:
    try:
        there = conversion(unit, other)
    except UnitError:
        return
    back = conversion(other, unit)
    assert back.apply(there.apply(value)) == pytest.approx(value, rel=1e-12, abs=1e-9)
    assert (there.slope * back.slope, there.slope * back.offset + there.offset) == (1, 0)


def test_a_difference_of_temperatures_has_no_offset() -> None:
    """A standard deviation of 1 degC is one of 1.8 degF, not of 33.8 degF."""
    assert conversion("degC", "degF").scale(1.0) == 1.8
    assert conversion("degC", "K").scale(0.5) == 0.5


@pytest.mark.parametrize(
    ("unit", "to"),
    [
        ("g/(hL)", "g/(L h)"),  # hL is hectolitre
        ("C", "degC"),  # C is coulomb
        ("m", "M"),
        ("g/L", "mM"),
        ("rpm", "1/min"),  # turns are counted, so that nobody meets a factor of 2 pi
        ("rpm", "rad/s"),
        ("cells/mL", "1/mL"),
        ("cells/mL", "CFU/mL"),
        ("U/mL", "IU/mL"),
        ("dBm", "mW"),
        ("g", ""),
    ],
)
def test_units_of_different_things_do_not_convert(unit: str, to: str) -> None:
    with pytest.raises(UnitError, match="does not convert"):
        conversion(unit, to)


def test_the_refusal_says_how_each_unit_was_read() -> None:
    with pytest.raises(UnitError, match=r"\(gram / hectoliter\).*\(gram / liter / hour\)"):
        conversion("g/(hL)", "g/(L h)")
    assert unit_in_words("1e6 cells/mL") == "1e+06 cell / milliliter"


@pytest.mark.parametrize(
    "unit", ["foo", "g//", "(g", "9**9**9", "g^99", "m**2**9", "10^99999", "0", "g'", "g;L"]
)
def test_what_is_no_unit_is_refused_and_never_computed(unit: str) -> None:
    with pytest.raises(UnitError, match="is not known"):
        check_unit(unit)


@given(st.text(max_size=30) | st.text("gLhmMdC/()*^123. -·⁻¹²µ°%e", max_size=12))
def test_any_text_is_a_unit_or_is_refused(text: str) -> None:
    try:
        check_unit(text)
    except UnitError:
        return
    assert conversion(text, text).is_identity


def test_units_that_are_spelt_alike_need_not_be_known() -> None:
    assert conversion("a.u.", " a.u. ").is_identity
    assert same_spelling("g · L⁻¹", "g*L^-1")
    assert not same_spelling("mM", "MM")


def test_arrays_convert_and_keep_what_is_missing() -> None:
    converted = convert(np.array([[0.0, 100.0], [math.nan, 37.0]]), "degC", "degF")
    np.testing.assert_array_equal(converted, [[32.0, 212.0], [math.nan, 98.6]])
    assert conversion("degC", "degF").slope == Fraction(9, 5)
