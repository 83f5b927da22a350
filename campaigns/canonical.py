"""Plain JSON in its canonical form (RFC 8785): the same content is the same bytes everywhere."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import NoReturn, TypeAlias

import rfc8785

from doe.errors import DocumentError, InvalidValueError

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader holds exactly (RFC 8785, appendix D)."""

MAX_DEPTH = 100
"""How deep a value may nest: much deeper ones exhaust the stack of common JSON readers."""

_Path = tuple[str | int, ...]
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SURROGATE = re.compile("[\ud800-\udfff]")


def canonical_json(value: object) -> bytes:
    """Return the one way to write this value as JSON, in UTF-8.

    Mappings and sequences are taken as objects and arrays. Two numbers that JSON cannot tell apart
    are written alike: ``1.0`` as ``1``, ``-0.0`` as ``0``.

    Raises:
        InvalidValueError: If something in the value has no JSON form; the message names its path.

    Source:
        RFC 8785 (2020), JSON Canonicalization Scheme.
    """
    return rfc8785.dumps(plain(value))


def parse_json(text: str) -> JSON:
    """Return the value that JSON text stands for, with numbers as RFC 8785 means them.

    Digits beyond 2^53 - 1 are a floating-point number: the canonical form of ``1e20`` is
    ``100000000000000000000``.

    Raises:
        DocumentError: If the text is not JSON.
    """
    try:
        value: JSON = json.loads(text, parse_int=_number, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise DocumentError(
            f"The text {_shortened(text)} is not JSON: {error}. Expected one JSON value."
        ) from error
    return value


def plain(value: object, *, lift_integers: bool = False) -> JSON:
    """Return a copy made of dict, list, str, int, float, bool and None alone.

    With ``lift_integers``, an integer beyond 2^53 - 1 is read as the floating-point number whose
    canonical form it is; otherwise it is refused.

    Raises:
        InvalidValueError: If something in the value has no JSON form; the message names its path.
    """
    return _plain(value, (), lift=lift_integers)


def _plain(value: object, path: _Path, *, lift: bool) -> JSON:
    match value:
        case None | bool():
            return value
        case str():
            return _text(value, path)
        case int():
            return _integer(value, path, lift=lift)
        case float():
            if not math.isfinite(value):
                raise _refusal(path, f"{value!r}", "a finite number, or null where there is none")
            return float(value)
    if len(path) >= MAX_DEPTH:
        raise _refusal(path[:3], f"nested more than {MAX_DEPTH} deep", "a flatter value")
    match value:
        case Mapping():
            return {
                _key(key, path): _plain(item, (*path, key), lift=lift)
                for key, item in value.items()
            }
        case list() | tuple():
            return [_plain(item, (*path, index), lift=lift) for index, item in enumerate(value)]
        case _:
            expected = "an object, array, text, number, true, false or null"
            raise _refusal(path, f"a {type(value).__module__}.{type(value).__qualname__}", expected)


def _text(value: str, path: _Path) -> str:
    if _SURROGATE.search(value):
        raise _refusal(
            path, f"{value!a:.60}, which holds half of a character pair", "valid Unicode text"
        )
    # A subclass (an enumeration, numpy.str_) is written as the text it holds.
    return str.__str__(value)


def _key(key: object, path: _Path) -> str:
    if not isinstance(key, str):
        raise _refusal(path, f"an object with the key {key!r}", "keys that are text")
    return _text(key, path)


def _integer(value: int, path: _Path, *, lift: bool) -> int | float:
    if -MAX_INTEGER <= value <= MAX_INTEGER:
        return int(value)
    if lift and abs(value) < 10**21 and rfc8785.dumps(float(value)) == str(value).encode():
        return float(value)
    expected = f"an integer of at most {MAX_INTEGER} (2^53 - 1) in size, or the digits as text"
    digits = f"{float(value):.17g}" if abs(value) < 10**300 else f"{value.bit_length()} bits long"
    raise _refusal(path, f"the integer {digits}, which JSON readers do not hold exactly", expected)


def _number(digits: str) -> int | float:
    # More than 16 digits and a sign are beyond 2^53 - 1; int() of very many digits is refused.
    value = int(digits) if len(digits) <= 17 else MAX_INTEGER + 1
    return value if -MAX_INTEGER <= value <= MAX_INTEGER else float(digits)


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number in JSON")


def _refusal(path: _Path, found: str, expected: str) -> InvalidValueError:
    return InvalidValueError(f"{_written(path)} is {found}. Expected {expected}.")


def _written(path: _Path) -> str:
    """Write a path as JSONPath does: ``$.factors[2]["feed rate"]``."""
    text = "$"
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _IDENTIFIER.fullmatch(part):
            text += f".{part}"
        else:
            text += f"[{json.dumps(part)}]"
    return text


def _shortened(text: str, length: int = 60) -> str:
    return repr(text if len(text) <= length else f"{text[:length]}...")
