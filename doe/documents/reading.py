"""Reading documents: plain JSON into dataclasses, with every problem located and none hidden."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final, assert_never

from doe.documents.shapes import (
    Anything,
    Array,
    Choice,
    FixedList,
    Frame,
    Keyed,
    Listing,
    Moment,
    OneOf,
    Record,
    Scalar,
    Shape,
    document_fields,
    in_words,
    records_of,
    tag_of,
)
from doe.errors import ExperimentError

WRONG: Final = object()
"""Stands for a value that could not be read; the problem is in the list."""

MAX_DEPTH = 100


def read(shape: Shape, value: object, place: str, problems: list[str]) -> Any:
    """Return the value of this shape, or ``WRONG`` with its problems added to the list.

    Args:
        shape: What is expected.
        value: Plain JSON.
        place: Where the value stands in the document, such as ``factors[2].low``.
        problems: One line for each thing that does not fit.
    """
    match shape:
        case Anything():
            return _anything(value, place, problems, depth=0)
        case Scalar():
            return _scalar(shape, value, place, problems)
        case Moment():
            return _moment(value, place, problems)
        case Choice(values):
            # True equals 1 in Python; a choice among texts or numbers is never a boolean.
            fits = any(value == v and type(value) is type(v) for v in values)
            return value if fits else _wrong(shape, value, place, problems)
        case Listing(item):
            return _listing(shape, [item], value, place, problems)
        case FixedList(items):
            return _listing(shape, items, value, place, problems)
        case Keyed(item):
            return _keyed(item, value, place, problems)
        case Record(cls):
            return _record(cls, value, place, problems)
        case Frame() | Array():
            return _frame_or_array(shape, value, place, problems)
        case OneOf(shapes):
            return _one_of(shapes, value, place, problems)
        case _:
            assert_never(shape)


def shown(value: object) -> str:
    """Return a value as a message shows it: short, and in the words of JSON."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case Mapping():
            return "an object"
        case list() | tuple():
            text = f"[{', '.join(shown(item) for item in value[:10])}]"
            return text if len(text) <= 60 and len(value) <= 10 else f"a list of {len(value)}"
        case _:
            text = repr(value)
            return text if len(text) <= 60 else f"{text[:57]}..."


def _wrong(shape: Shape, value: object, place: str, problems: list[str], advice: str = "") -> Any:
    near = ""
    if isinstance(shape, Choice) and isinstance(value, str):
        near = _nearest(value, [v for v in shape.values if isinstance(v, str)])
    problems.append(f"{_at(place)}: expected {in_words(shape)}, got {shown(value)}{advice}{near}")
    return WRONG


def _scalar(shape: Scalar, value: object, place: str, problems: list[str]) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match shape.kind:
        case "text" if isinstance(value, str):
            return str(value)
        case "boolean" if isinstance(value, bool):
            return value
        case "nothing" if value is None:
            return None
        case "number" if is_number:
            return _finite(shape, value, place, problems)
        case "integer" if isinstance(value, int) and is_number:
            return value
        case "integer" if isinstance(value, float) and value.is_integer():
            return int(value)
        case "text" if is_number or isinstance(value, bool):
            return _wrong(shape, value, place, problems, ": put it in quotes")
        case _:
            return _wrong(shape, value, place, problems)


def _finite(shape: Scalar, value: Any, place: str, problems: list[str]) -> Any:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        problems.append(f"{_at(place)}: expected a finite number, got {shown(value)}")
        return WRONG
    return number


def _moment(value: object, place: str, problems: list[str]) -> Any:
    if not isinstance(value, str):
        return _wrong(Moment(), value, place, problems)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return _wrong(Moment(), value, place, problems)
    if moment.tzinfo is None:
        return _wrong(Moment(), value, place, problems, ": add the offset from UTC")
    return moment


def _listing(
    shape: Listing | FixedList,
    items: Sequence[Shape],
    value: object,
    place: str,
    problems: list[str],
) -> Any:
    if not isinstance(value, list | tuple):
        advice = f": write [{value}]" if isinstance(value, str | int | float) else ""
        return _wrong(shape, value, place, problems, advice)
    if isinstance(shape, FixedList):
        if len(value) != len(items):
            return _wrong(shape, value, place, problems)
    else:
        items = [*items] * len(value)
    parts = [
        read(item, part, f"{place}[{i}]", problems)
        for i, (item, part) in enumerate(zip(items, value, strict=True))
    ]
    return WRONG if any(part is WRONG for part in parts) else tuple(parts)


def _keyed(item: Shape, value: object, place: str, problems: list[str]) -> Any:
    if not isinstance(value, Mapping):
        return _wrong(Keyed(item), value, place, problems)
    parts = {}
    for key, part in value.items():
        if not isinstance(key, str):
            problems.append(f"{_at(place)}: names must be text, got {shown(key)}: put it in quotes")
            parts[key] = WRONG
            continue
        parts[key] = read(item, part, _inside(place, key), problems)
    return WRONG if any(part is WRONG for part in parts.values()) else parts


def _record(cls: type, value: object, place: str, problems: list[str]) -> Any:
    if not isinstance(value, Mapping):
        return _wrong(Record(cls), value, place, problems)
    found = len(problems)
    tag = value.get("type", tag_of(cls))
    if tag != tag_of(cls):
        problems.append(f"{_inside(place, 'type')}: expected '{tag_of(cls)}', got {shown(tag)}")
        return WRONG
    expected = {field.name: field for field in document_fields(cls)}
    for key in value:
        if key != "type" and key not in expected:
            near = _nearest(str(key), list(expected)) or f"; the fields are {', '.join(expected)}"
            problems.append(f"{_at(place)}: unknown field {shown(key)}{near}")
    arguments = {}
    for name, field in expected.items():
        if name in value:
            arguments[name] = read(field.shape, value[name], _inside(place, name), problems)
        elif field.required:
            problems.append(f"{_at(place)}: the field '{name}' is missing: {in_words(field.shape)}")
    if len(problems) > found:
        return WRONG
    try:
        return cls(**arguments)
    except (ExperimentError, ValueError) as error:
        problems.append(f"{_at(place)}: {error}")
        return WRONG


def _one_of(shapes: Sequence[Shape], value: object, place: str, problems: list[str]) -> Any:
    records = [shape for shape in shapes if isinstance(shape, Record)]
    if isinstance(value, Mapping) and records:
        return _tagged(records, value, place, problems)
    for shape in shapes:
        attempt: list[str] = []
        found = read(shape, value, place, attempt)
        if not attempt:
            return found
    # When only one alternative is of the same make, its own complaint says most.
    alike = [shape for shape in shapes if _is_alike(shape, value)]
    if len(alike) == 1:
        return read(alike[0], value, place, problems)
    return _wrong(OneOf(tuple(shapes)), value, place, problems)


def _tagged(
    records: Sequence[Record], value: Mapping[Any, Any], place: str, problems: list[str]
) -> Any:
    by_tag = {tag_of(record.cls): record for record in records}
    tag = value.get("type", next(iter(by_tag)) if len(by_tag) == 1 else None)
    if tag is None:
        problems.append(f"{_at(place)}: the field 'type' is missing: one of {', '.join(by_tag)}")
        return WRONG
    if not isinstance(tag, str) or tag not in by_tag:
        near = _nearest(str(tag), list(by_tag))
        choices = ", ".join(by_tag)
        problems.append(
            f"{_inside(place, 'type')}: expected one of {choices}, got {shown(tag)}{near}"
        )
        return WRONG
    return _record(by_tag[tag].cls, value, place, problems)


def _is_alike(shape: Shape, value: object) -> bool:
    match value:
        case None:
            return False
        case Mapping():
            return isinstance(shape, Keyed | Frame) or bool(records_of(shape))
        case list() | tuple():
            return isinstance(shape, Listing | FixedList | Array)
        case bool():
            return shape == Scalar("boolean")
        case int() | float():
            return isinstance(shape, Scalar) and shape.kind in ("number", "integer")
        case _:
            return isinstance(shape, Moment | Choice)


def _frame_or_array(shape: Frame | Array, value: object, place: str, problems: list[str]) -> Any:
    from doe.documents.frames import array_from_document, frame_from_document

    found = len(problems)
    made: object
    if isinstance(shape, Array):
        made = array_from_document(value, shape.kind, _at(place), problems)
    else:
        made = frame_from_document(value, _at(place), problems)
    return WRONG if len(problems) > found else made


def _anything(value: object, place: str, problems: list[str], *, depth: int) -> Any:
    if depth > MAX_DEPTH:
        problems.append(f"{_at(place)}: nested more than {MAX_DEPTH} deep")
        return WRONG
    match value:
        case Mapping():
            return {
                str(key): _anything(item, _inside(place, str(key)), problems, depth=depth + 1)
                for key, item in value.items()
            }
        case list() | tuple():
            return [
                _anything(item, f"{place}[{i}]", problems, depth=depth + 1)
                for i, item in enumerate(value)
            ]
        case float() if not math.isfinite(value):
            problems.append(f"{_at(place)}: expected a finite number, got {value}")
            return WRONG
        case None | bool() | int() | float() | str():
            return value
        case _:
            return _wrong(Anything(), value, place, problems)


def _nearest(text: str, choices: Sequence[str]) -> str:
    near = get_close_matches(text, choices, n=1)
    return f": did you mean '{near[0]}'?" if near else ""


def _inside(place: str, key: str) -> str:
    if not key.isidentifier():
        return f"{place}[{key!r}]"
    return f"{place}.{key}" if place else key


def _at(place: str) -> str:
    return place or "document"
