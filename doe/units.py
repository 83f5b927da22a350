"""Units as people write them, read by pint, and exact conversion between them.

Beside what pint knows there are ``cell``, ``CFU``, ``PFU``, ``IU``, ``CV`` (column volume), ``vvm``
and ``OD``; ``rpm`` counts rotations and is not an angular speed. ``pH``, ``-`` and ``[]`` mean a
plain number.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from tokenize import TokenError
from typing import TYPE_CHECKING, Any

import numpy as np

from doe.arrays import FloatArray
from doe.errors import UnitError

if TYPE_CHECKING:
    from pint import Unit, UnitRegistry

MAX_LENGTH = 60

# A count gets a dimension of its own: otherwise 1/mL, cells/mL and PFU/mL would all convert.
_DEFINITIONS = (
    "cell = [cell] = _ = cells",
    "colony_forming_unit = [colony] = CFU = cfu",
    "plaque_forming_unit = [plaque] = PFU = pfu",
    "viral_genome = [viral_genome] = vg",
    "international_unit = [biological_activity] = IU",
    "column_volume = [column_volume] = CV",
    "optical_density = [optical_density] = OD",
    "rotation = [rotation] = _ = rotations",
    "rotations_per_minute = rotation / minute",
    "rotations_per_second = rotation / second",
    "vessel_volume_per_minute = 1 / minute = vvm",
)
# pint's own revolution is an angle, so that a stirrer at 60 rpm would turn 6.28 times per second.
_RENAMED = {
    "rpm": "rotations_per_minute",
    "rps": "rotations_per_second",
    "rev": "rotation",
    "revolution": "rotation",
    "turn": "rotation",
}

_PLAIN = frozenset({"", "-", "–", "—", "1", "[]", "[-]", "none", "unitless", "dimensionless", "pH"})
_SIGNS = str.maketrans(
    {
        "·": "*",
        "⋅": "*",
        "×": "*",
        "∙": "*",
        "−": "-",
        "–": "-",
        "\N{NO-BREAK SPACE}": " ",
        "\N{NARROW NO-BREAK SPACE}": " ",
        "\N{GREEK SMALL LETTER MU}": "µ",
    }
)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_RAISED_RUN = re.compile("[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+")
# A number before the unit: 1e6, 1E+06, 10^6, 10**6, 0.1; with or without a times sign.
_FACTOR = re.compile(
    r"(?:\*\s*)?(?:10(?:\^|\*\*)(?P<power>[+-]?\d{1,2})"
    r"|(?P<number>\d{1,12}(?:\.\d{1,12})?(?:[eE][+-]?\d{1,2})?))(?=[\s*/A-Za-zµ%°]|$)\s*\*?\s*"
)
# What pint may be given: names, one-digit exponents, and 1 as a numerator; never a computation.
_READABLE = re.compile(r"(?:1\s*/)?(?:[^\W\d]|[%‰°Ω_*/() ]|\^[+-]?\d(?!\d)|(?<=[^\W\d])\d(?!\d))+")

# What pint's reader runs into on text that is no unit.
_PINT_ACCIDENTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Conversion:
    """How a value in one unit becomes the value in another: ``slope * value + offset``.

    Both numbers are exact, so that 37 °C is 98.6 degF and not 98.60000000000001.
    """

    slope: Fraction
    offset: Fraction

    @property
    def is_identity(self) -> bool:
        """Whether the value stays what it is."""
        return self.slope == 1 and self.offset == 0

    def apply(self, value: float) -> float:
        """Return one value in the other unit, correctly rounded in its decimal digits."""
        if self.is_identity:
            return value
        # The decimal digits that people wrote are converted, not their binary neighbour.
        return float(self.slope * Fraction(repr(float(value))) + self.offset)

    def scale(self, difference: float) -> float:
        """Return a difference of two values (a standard deviation) in the other unit."""
        return float(abs(self.slope) * Fraction(repr(float(difference))))


_IDENTITY = Conversion(Fraction(1), Fraction(0))


def conversion(unit: str, to: str) -> Conversion:
    """Return how values in ``unit`` become values in ``to``.

    Two units that are spelt alike convert without being known.

    Raises:
        UnitError: If a unit is unknown, or both measure different things.
    """
    if same_spelling(unit, to):
        return _IDENTITY
    return _conversion(unit, to)


def convert(values: Sequence[float] | FloatArray, unit: str, to: str) -> FloatArray:
    """Return values in another unit, same shape; NaN stays NaN.

    Raises:
        UnitError: If a unit is unknown, or both measure different things.
    """
    change = conversion(unit, to)
    array = np.asarray(values, dtype=np.float64)
    converted = [change.apply(v) if np.isfinite(v) else float(v) for v in array.ravel().tolist()]
    return np.array(converted, dtype=np.float64).reshape(array.shape)


def check_unit(unit: str) -> None:
    """Refuse a unit that cannot be read.

    Raises:
        UnitError: With what was read and how to write it.
    """
    _parse(unit)


def same_spelling(unit: str, other: str) -> bool:
    """Return whether two units are written alike, up to spaces and look-alike signs."""
    return _normalised(unit) == _normalised(other)


def unit_in_words(unit: str) -> str:
    """Return a unit with its names written out, such as ``gram / hectoliter`` for ``g/(hL)``.

    Raises:
        UnitError: If the unit cannot be read.
    """
    factor, parsed = _parse(unit)
    words = _words(parsed) or "a plain number"
    return words if factor == 1 else f"{float(factor):g} {words}"


@lru_cache(maxsize=1024)
def _conversion(unit: str, to: str) -> Conversion:
    source_factor, source = _parse(unit)
    target_factor, target = _parse(to)
    if source.dimensionality != target.dimensionality:
        raise UnitError(
            f"Unit '{unit}' ({unit_in_words(unit)}) does not convert to '{to}' "
            f"({unit_in_words(to)}): they measure different things. Correct the unit."
        )

    try:
        zero, one = (Fraction(_registry().convert(Fraction(v), source, target)) for v in (0, 1))
    except (TypeError, ValueError, ArithmeticError) as error:
        raise UnitError(
            f"Unit '{unit}' does not convert to '{to}' by a factor: logarithmic units are not "
            "supported. Convert the values first."
        ) from error
    return Conversion((one - zero) * source_factor / target_factor, zero / target_factor)


@lru_cache(maxsize=1024)
def _parse(unit: str) -> tuple[Fraction, "Unit"]:
    """Return the number before the unit, and the unit."""
    import pint

    text = _normalised(unit)
    factor = Fraction(1)
    leading = _FACTOR.match(text)
    if leading is not None:
        power, number = leading.group("power"), leading.group("number")
        factor = Fraction(10) ** int(power) if power else Fraction(number)
        rest = text[leading.end() :]
        text = f"1{rest}" if rest.startswith("/") else rest
    if factor <= 0 or len(text) > MAX_LENGTH or not (text == "" or _READABLE.fullmatch(text)):
        raise _unreadable(unit)
    text = re.sub(r"[^\W\d]+", lambda word: _RENAMED.get(word.group(), word.group()), text)
    try:
        parsed = _registry().parse_units(text)
    except (pint.PintError, TokenError, SyntaxError, *_PINT_ACCIDENTS) as error:
        raise _unreadable(unit) from error
    return factor, parsed


def _normalised(unit: str) -> str:
    text = " ".join(unit.translate(_SIGNS).split())
    if text in _PLAIN:
        return ""
    text = _RAISED_RUN.sub(lambda run: "^" + run.group().translate(_RAISED), text)
    # The exponent of g L-1 h-1 has lost its raised position; units are never subtracted.
    text = re.sub(r"(?<=[^\W\d])-(?=\d)", "^-", text)
    return re.sub(r"\s*([*/^])\s*", r"\1", text)


def _unreadable(unit: str) -> UnitError:
    return UnitError(
        f"Unit '{unit}' is not known. Expected something like g/L, mM, degC, 1/h, g/(L h), "
        "1e6 cells/mL or %; capital letters matter (M is molar, m is metre)."
    )


def _words(unit: "Unit") -> str:
    """Return the names of a unit; pint itself cannot print the exponents, which are fractions."""
    powers: list[tuple[str, Any]] = list(unit._units.items())
    above = [_raised(name, power) for name, power in powers if power > 0]
    below = [_raised(name, -power) for name, power in powers if power < 0]
    return " / ".join([" * ".join(above) or "1", *below]) if powers else ""


def _raised(name: str, power: Any) -> str:
    return name if power == 1 else f"{name}^{float(power):g}"


@lru_cache(maxsize=1)
def _registry() -> "UnitRegistry[Any]":
    from pint import UnitRegistry

    # Fractions keep every conversion exact.
    registry: UnitRegistry[Any] = UnitRegistry(non_int_type=Fraction, on_redefinition="raise")
    for definition in _DEFINITIONS:
        registry.define(definition)
    return registry
