"""One cell of a table: a number, a number with a qualifier, or a text; or why it is none."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Literal

from doe.errors import InvalidValueError
from doe.runs import Qualifier

Decimal = Literal[".", ","]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A cell whose content the file does not hold.

    Attributes:
        reason: What stands there and what to do.
    """

    reason: str


Cell = None | bool | int | float | str | datetime | date | Unreadable

MISSING = frozenset({"", "-", "–", "—", "n/a", "na", "n.a.", "nan", "null", "#n/a"})
"""What people write where there is no value; in small letters."""

_BELOW_LIMIT = frozenset(
    {"bdl", "blq", "bql", "<lod", "<loq", "<llod", "<lloq", "< lod", "< loq", "below detection"}
)
_PASS: Mapping[str, float] = {
    **dict.fromkeys(("1", "1.0", "pass", "passed", "true", "yes"), 1.0),
    **dict.fromkeys(("0", "0.0", "fail", "failed", "false", "no"), 0.0),
}
_QUALIFIERS: Mapping[str, Qualifier] = {
    "<": "<",
    "≤": "<",
    "<=": "<",
    ">": ">",
    "≥": ">",
    ">=": ">",
}
_QUALIFIED = re.compile(r"(<=|>=|[<>≤≥])\s*(.+)")
_DATE = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T].*)?|\d{1,2}[-/. ]*[A-Za-z]{3,9}[-/. ]*(?:\d{2,4})?"
    r"|[A-Za-z]{3,9}[-/. ]+\d{1,4}"
)
# Text that a spreadsheet would run as a formula is written with an apostrophe before it.
FORMULA = re.compile(
    "'*[=+\\-@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
    "\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}]"
)
_SIGNS = str.maketrans({"−": "-", "–": "-", "\N{RIGHT SINGLE QUOTATION MARK}": "'"})


@dataclass(frozen=True, slots=True)
class Qualified:
    """A number, and whether the true value is known only to be below or above it.

    Attributes:
        value: The number.
        qualifier: ``<`` or ``>`` for a value that is only known to be below or above.
        remark: What the cell was taken for, where that is not obvious.
        is_limit: Whether it is the detection limit, which needs no conversion.
    """

    value: float
    qualifier: Qualifier = "="
    remark: str = ""
    is_limit: bool = False


def read_number(cell: Cell, decimal: Decimal, *, is_sure: bool) -> float | None:
    """Return the number in a cell, None where there is no value.

    Args:
        cell: What the file holds.
        decimal: The sign before the decimals.
        is_sure: Whether a person said so; otherwise ``1,234`` may be 1.234 or 1234.

    Raises:
        InvalidValueError: If it is no finite number, or could be two.
    """
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return _finite(float(cell), cell)
    if cell is None or (isinstance(cell, str) and is_missing(cell)):
        return None
    if not isinstance(cell, str):
        raise _no_number(cell)
    text = _tidy(cell)
    if not _is_number(text, decimal):
        raise _no_number(cell)
    other: Decimal = "," if decimal == "." else "."
    if not is_sure and other in text and _is_number(text, other):
        raise InvalidValueError(
            f"'{cell}' can mean two numbers: write it without thousands separators, or say "
            "which sign stands before the decimals"
        )
    return _finite(float(_plain(text, decimal)), cell)


def read_qualified(
    cell: Cell, decimal: Decimal, *, is_sure: bool, detection_limit: float | None
) -> Qualified | None:
    """Return the number in a response cell with its qualifier, None where there is no value.

    Raises:
        InvalidValueError: If it is no finite number, or could be two.
    """
    if isinstance(cell, str):
        text = " ".join(cell.split())
        if text.casefold() in _BELOW_LIMIT:
            if detection_limit is None:
                raise InvalidValueError(
                    f"'{cell}' needs the limit: write '<' and the limit, or give the response a "
                    "detection_limit"
                )
            remark = f"'{cell}' read as < {detection_limit:g}, the detection limit"
            return Qualified(detection_limit, "<", remark, is_limit=True)
        if text.casefold() in ("n.d.", "nd"):
            raise InvalidValueError(
                f"'{cell}' can mean not detected or not determined: write '<' and the limit, or "
                "leave the cell empty"
            )
        marked = _QUALIFIED.fullmatch(text)
        if marked is not None:
            sign, number_text = marked.groups()
            value = read_number(number_text, decimal, is_sure=is_sure)
            if value is None:
                raise InvalidValueError(f"expected a number after '{sign}', got {in_quotes(cell)}")
            qualifier = _QUALIFIERS[sign]
            remark = "" if sign == qualifier else f"'{cell}' read as {qualifier} {value:g}"
            return Qualified(value, qualifier, remark)
    number = read_number(cell, decimal, is_sure=is_sure)
    return None if number is None else Qualified(number)


def read_pass(cell: Cell) -> float | None:
    """Return 1 for pass, 0 for fail, None where there is no value.

    Raises:
        InvalidValueError: If it is neither.
    """
    text = read_text(cell)
    if text is None or is_missing(text):
        return None
    if text.casefold() not in _PASS:
        raise InvalidValueError(f"expected pass or fail (1 or 0), got {in_quotes(cell)}")
    return _PASS[text.casefold()]


def read_text(cell: Cell) -> str | None:
    """Return a cell as text, None where it is empty; a whole number has no decimals.

    Raises:
        InvalidValueError: If the file does not hold the content.
    """
    match cell:
        case None:
            return None
        case Unreadable(reason):
            raise InvalidValueError(reason)
        case bool():
            return str(cell).upper()
        case int():
            return str(cell)
        case float():
            return str(int(cell)) if cell.is_integer() else repr(cell)
        case datetime():
            midnight = (cell.hour, cell.minute, cell.second) == (0, 0, 0)
            return cell.date().isoformat() if midnight else cell.isoformat(" ")
        case date():
            return cell.isoformat()
        case str():
            text = cell.strip()
            return unescaped(text) or None


def is_missing(text: str) -> bool:
    """Return whether people write this where there is no value."""
    return text.strip().casefold() in MISSING


def in_quotes(cell: Cell) -> str:
    """Return a cell as a message shows it."""
    text = str(cell)
    return f"'{text if len(text) <= 60 else text[:57] + '...'}'"


def escaped(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{text}" if FORMULA.match(text) else text


def unescaped(text: str) -> str:
    """Return what was written before ``escaped``."""
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def decimal_signs(texts: Iterable[str]) -> dict[Decimal, str]:
    """Return which signs surely stand before decimals, each with the first text that shows it.

    ``1,5`` and ``1.234,5`` show a comma, ``1.5`` and ``1,234.5`` a point, ``1,234`` neither.
    """
    shown: dict[Decimal, str] = {}
    for raw in texts:
        marked = _QUALIFIED.fullmatch(raw.strip())
        text = _tidy(marked.group(2) if marked else raw)
        with_point, with_comma = _is_number(text, "."), _is_number(text, ",")
        if with_point != with_comma:
            shown.setdefault("." if with_point else ",", raw)
    return shown


def _finite(number: float, cell: Cell) -> float:
    if not math.isfinite(number):
        raise InvalidValueError(f"expected a finite number, got {in_quotes(cell)}")
    return number


def _no_number(cell: Cell) -> InvalidValueError:
    got = f"expected a number, got {in_quotes(cell)}"
    match cell:
        case Unreadable(reason):
            return InvalidValueError(reason)
        case bool():
            return InvalidValueError(
                f"{got}, which is true or false: write 1 or 0 if that is meant"
            )
        case date():
            return InvalidValueError(
                f"expected a number, but the cell holds the date {read_text(cell)}: spreadsheets "
                "turn 1.5 or 3-4 into dates; set the cell's format to Number and type it again"
            )
        case str() if _DATE.fullmatch(cell.strip()):
            return InvalidValueError(
                f"{got}, which looks like a date: spreadsheets turn 1.5 or 3-4 into dates; "
                "correct it"
            )
        case str() if _QUALIFIED.fullmatch(cell.strip()):
            return InvalidValueError(f"{got}: '<' and '>' are allowed for responses only")
        case _:
            return InvalidValueError(f"{got}: correct the cell, or empty it if there is no value")


def _tidy(text: str) -> str:
    # str.split also parts at no-break spaces; those between digits are thousands separators.
    return " ".join(unescaped(text.strip()).translate(_SIGNS).split())


def _is_number(text: str, decimal: Decimal) -> bool:
    return _grammar(decimal).fullmatch(text) is not None


def _plain(text: str, decimal: Decimal) -> str:
    thousands = "," if decimal == "." else "."
    return re.sub(f"[ '{thousands}]", "", text).replace(decimal, ".")


@lru_cache(maxsize=2)
def _grammar(decimal: Decimal) -> re.Pattern[str]:
    # A separator stands between groups of three digits, and is the same one throughout.
    separator = "[ '" + ("," if decimal == "." else ".") + "]"
    grouped = rf"[1-9][0-9]{{0,2}}(?P<separator>{separator})[0-9]{{3}}(?:(?P=separator)[0-9]{{3}})*"
    point = re.escape(decimal)
    return re.compile(
        rf"[+-]?(?:(?:[0-9]+|{grouped})(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]{{1,3}})?"
    )
