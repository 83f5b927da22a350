"""Writing a dataclass as a document, and reading a document, whatever its format version."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from types import UnionType
from typing import Any, TypeVar, overload

import numpy as np

from doe.documents.reading import WRONG, read
from doe.documents.shapes import FORMAT_VERSION, RESERVED, records_of, shape_of, tag_of
from doe.errors import DocumentError
from doe.runs import JSON

Lift = Callable[[Mapping[str, JSON]], Mapping[str, JSON]]

LIFTS: Mapping[int, Lift] = {}
"""For each older version, what turns a whole document of it into one of the next version."""

MAX_PROBLEMS_SHOWN = 50

T = TypeVar("T")


def to_document(value: object) -> dict[str, JSON]:
    """Return a dataclass as a plain JSON document.

    Raises:
        DocumentError: If something in it has no form in JSON; the message says where.
    """
    if not is_dataclass(value) or isinstance(value, type):
        raise DocumentError(
            f"A {type(value).__name__} is not a document by itself: pass a dataclass."
        )
    written = _record(value, "")
    return {
        "format": f"bayeswell/{written['type']}",
        "format_version": FORMAT_VERSION,
        **written,
    }


@overload
def from_document(cls: type[T], document: Mapping[str, JSON]) -> T: ...
@overload
def from_document(cls: UnionType, document: Mapping[str, JSON]) -> Any: ...
def from_document(cls: Any, document: Mapping[str, JSON]) -> Any:
    """Return what a document describes.

    Args:
        cls: A dataclass, or a union of dataclasses such as ``Factor``.
        document: As ``to_document`` returns it, or as a person wrote it.

    Raises:
        DocumentError: If the document does not fit; the message lists every place and why.
    """
    shape = shape_of(cls)
    classes = records_of(shape)
    if not classes:
        raise TypeError(f"{cls!r} is neither a dataclass nor a union of dataclasses.")
    if not isinstance(document, Mapping):
        raise DocumentError(
            f"A document is an object with fields, got a {type(document).__name__}."
        )
    tags = [tag_of(each) for each in classes]
    body = _body(document, tags)
    problems: list[str] = []
    try:
        value = read(shape, body, "", problems)
    except RecursionError as error:
        raise DocumentError("The document is nested too deep to be read: flatten it.") from error
    if problems or value is WRONG:
        raise DocumentError(_refusal(tags, problems), tuple(problems))
    return value


def _body(document: Mapping[str, JSON], tags: Sequence[str]) -> Mapping[str, JSON]:
    """Return the document without its header, lifted to the present version."""
    version = document.get("format_version", FORMAT_VERSION)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise DocumentError(f"format_version must be a whole number from 1, got {version!r}.")
    if version > FORMAT_VERSION:
        raise DocumentError(
            f"The document has format version {version}; this installation reads up to "
            f"{FORMAT_VERSION}: update bayeswell, or write the document again with an older one."
        )
    while version < FORMAT_VERSION:
        document = LIFTS[version](document)
        version += 1
    body = {key: value for key, value in document.items() if key not in RESERVED[1:]}
    form = document.get("format")
    if form is None:
        return body
    known = [f"bayeswell/{tag}" for tag in tags]
    if form not in known:
        raise DocumentError(f"The document has format {form!r}; expected {' or '.join(known)}.")
    tag = str(form).removeprefix("bayeswell/")
    if body.get("type", tag) != tag:
        raise DocumentError(f"The document has format {form!r}, but type {body['type']!r}.")
    return {"type": tag, **body}


def _refusal(tags: Sequence[str], problems: Sequence[str]) -> str:
    what = f"'{tags[0]}'" if len(tags) == 1 else f"one of {', '.join(tags)}"
    shown = list(problems[:MAX_PROBLEMS_SHOWN])
    if len(problems) > len(shown):
        shown.append(f"and {len(problems) - len(shown)} more")
    places = "place" if len(problems) == 1 else "places"
    lines = "".join(f"\n- {line}" for line in shown)
    return f"The document does not fit {what} in {len(problems)} {places}:{lines}"


def _record(value: Any, place: str) -> dict[str, JSON]:
    written: dict[str, JSON] = {"type": tag_of(type(value))}
    for field in fields(value):
        if field.name in RESERVED:
            raise TypeError(f"{type(value).__name__}.{field.name}: documents use this name.")
        if field.init:
            inner = f"{place}.{field.name}".removeprefix(".")
            written[field.name] = _plain(getattr(value, field.name), inner)
    return written


def _plain(value: Any, place: str) -> JSON:
    if is_dataclass(value) and not isinstance(value, type):
        return _record(value, place)
    if isinstance(value, np.generic):
        value = value.item()
    match value:
        case None | bool() | int():
            return value
        case str():
            return str(value)
        case float():
            if not math.isfinite(value):
                raise DocumentError(f"{place}: {value} cannot be written; use nothing for missing.")
            return value
        case datetime():
            if value.tzinfo is None:
                raise DocumentError(f"{place}: the time {value} needs a time zone.")
            return value.isoformat()
        case Mapping():
            return {_key(key, place): _plain(item, f"{place}.{key}") for key, item in value.items()}
        case list() | tuple():
            return [_plain(item, f"{place}[{i}]") for i, item in enumerate(value)]
        case np.ndarray():
            from doe.documents.frames import array_document

            return array_document(value, place)
        case _:
            return _plain_frame(value, place)


def _plain_frame(value: Any, place: str) -> JSON:
    import pandas as pd

    from doe.documents.frames import frame_document

    if not isinstance(value, pd.DataFrame):
        raise DocumentError(f"{place}: a {type(value).__name__} has no form in a document.")
    return frame_document(value, place)


def _key(key: object, place: str) -> str:
    if not isinstance(key, str):
        raise DocumentError(f"{place}: names must be text, got {key!r}.")
    return key
