"""What documents know of a type: its tag, its fields, and the shape of value that each field holds.

The writer, the reader and the schema of documents all work from these shapes, which are found from
a dataclass's type hints; a new dataclass needs no registration.
"""

import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, ForwardRef, Literal, Union, assert_never, get_args, get_origin

import numpy as np

FORMAT_VERSION = 1
"""The version of the documents written here; it rises when a reader of today would fail."""

# A document's tag is short: the last word of these class names is said by where the value stands.
_SUFFIXES = ("_factor", "_constraint", "_component", "_combination")
RESERVED = ("type", "format", "format_version")

ScalarKind = Literal["text", "number", "integer", "boolean", "nothing"]
ArrayKind = Literal["number", "integer", "boolean"]


class FrameHint:
    """Stands in for ``pd.DataFrame`` in type hints, so that pandas is not loaded to read them."""


class _PandasNames:
    DataFrame = FrameHint


@dataclass(frozen=True, slots=True)
class Scalar:
    """One text, number, whole number, true or false, or null."""

    kind: ScalarKind


@dataclass(frozen=True, slots=True)
class Moment:
    """A date and time with its offset from UTC, as ISO 8601 text."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of any length; read as a tuple."""

    item: "Shape"


@dataclass(frozen=True, slots=True)
class FixedList:
    """A list with one place for each shape; read as a tuple."""

    items: tuple["Shape", ...]


@dataclass(frozen=True, slots=True)
class Keyed:
    """An object with any names as keys."""

    item: "Shape"


@dataclass(frozen=True, slots=True)
class Record:
    """A dataclass."""

    cls: type


@dataclass(frozen=True, slots=True)
class Frame:
    """A data frame."""


@dataclass(frozen=True, slots=True)
class Array:
    """A numpy array, as nested lists; null where a number is missing."""

    kind: ArrayKind


@dataclass(frozen=True, slots=True)
class OneOf:
    """A value of one of several shapes."""

    shapes: tuple["Shape", ...]


@dataclass(frozen=True, slots=True)
class Anything:
    """Any JSON value; also stands in for the alias ``JSON`` in type hints."""


Shape = (
    Anything
    | Scalar
    | Moment
    | Choice
    | Listing
    | FixedList
    | Keyed
    | Record
    | Frame
    | Array
    | OneOf
)


@dataclass(frozen=True, slots=True, eq=False)
class DocumentField:
    """A field of a dataclass as documents see it.

    Attributes:
        name: The field, and the key in the document.
        shape: What it holds.
        required: Whether a document must have it.
        default: What an absent field becomes, when not required and not made by a factory.
    """

    name: str
    shape: Shape
    required: bool
    default: object


def tag_of(cls: type) -> str:
    """Return how documents call a class: its name in snake case, without a suffix all share.

    ``ContinuousFactor`` is ``continuous``, ``FactorSpace`` is ``factor_space``.
    """
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()
    for suffix in _SUFFIXES:
        if snake.endswith(suffix) and snake != suffix.removeprefix("_"):
            return snake.removesuffix(suffix)
    return snake


@lru_cache(maxsize=1024)
def document_fields(cls: type) -> tuple[DocumentField, ...]:
    """Return the fields of a dataclass, in order.

    Raises:
        TypeError: If it is no dataclass, or a hint has no form in JSON.
    """
    if not is_dataclass(cls):
        raise TypeError(f"{cls!r} is not a dataclass: documents are made of dataclasses.")
    names: dict[str, Any] = {"pd": _PandasNames, "JSON": Anything}
    hints = typing.get_type_hints(cls, localns=names)
    return tuple(_field(cls, field, hints[field.name]) for field in fields(cls) if field.init)


def shape_of(hint: Any) -> Shape:
    """Return what a type hint, a class or a union of classes asks for.

    Raises:
        TypeError: If it has no form in JSON.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Union or origin is types.UnionType:
        return _one_of(tuple(shape_of(argument) for argument in arguments))
    if origin is Literal:
        return Choice(arguments)
    if origin is np.ndarray:
        return Array(_array_kind(arguments))
    if origin is tuple and arguments[-1:] != (...,):
        return FixedList(tuple(shape_of(argument) for argument in arguments))
    if origin in (tuple, list, Sequence):
        return Listing(shape_of(arguments[0]))
    if origin in (dict, Mapping) and arguments[0] is str:
        return Keyed(shape_of(arguments[1]))
    if origin is None and isinstance(hint, type):
        return _plain_shape(hint)
    if isinstance(hint, ForwardRef) and hint.__forward_arg__ == "JSON":
        return Anything()
    supertype = getattr(hint, "__supertype__", None)
    if supertype is not None:
        return shape_of(supertype)
    raise TypeError(f"A field of type {hint!r} has no form in a document.")


def records_of(shape: Shape) -> tuple[type, ...]:
    """Return the dataclasses that a value of this shape may be, at its top."""
    match shape:
        case Record(cls):
            return (cls,)
        case OneOf(shapes):
            return tuple(cls for inner in shapes for cls in records_of(inner))
        case _:
            return ()


def in_words(shape: Shape) -> str:
    """Return what is expected, for a message."""
    match shape:
        case Anything():
            return "any value"
        case Scalar(kind):
            return _SCALAR_WORDS[kind]
        case Moment():
            return "a time with its offset, such as '2026-01-31T09:30:00+01:00'"
        case Choice(values):
            return "one of " + ", ".join(repr(value) for value in values)
        case Listing(Scalar(kind)):
            return f"a list of {_SCALAR_WORDS[kind].removeprefix('a ')}s"
        case Listing() | Array():
            return "a list"
        case FixedList(items):
            return f"[{', '.join(in_words(item) for item in items)}]"
        case Keyed():
            return "an object of names and values"
        case Record(cls):
            return f"an object of type '{tag_of(cls)}'"
        case Frame():
            return "a table with columns, kinds and rows"
        case OneOf(shapes):
            tags = [tag_of(cls) for cls in records_of(shape)]
            others = [in_words(inner) for inner in shapes if not isinstance(inner, Record)]
            objects = [f"an object of type {', '.join(tags)}"] if tags else []
            return " or ".join(dict.fromkeys([*others, *objects]))
        case _:
            assert_never(shape)


_SCALAR_WORDS: Mapping[ScalarKind, str] = {
    "text": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "nothing": "null",
}
_SCALARS: Mapping[type, ScalarKind] = {
    str: "text",
    float: "number",
    int: "integer",
    bool: "boolean",
    types.NoneType: "nothing",
}


def _plain_shape(cls: type) -> Shape:
    if cls in _SCALARS:
        return Scalar(_SCALARS[cls])
    if cls is Anything or cls is object:
        return Anything()
    if issubclass(cls, datetime):
        return Moment()
    is_pandas_frame = cls.__name__ == "DataFrame" and cls.__module__.startswith("pandas")
    if cls is FrameHint or is_pandas_frame:
        return Frame()
    if is_dataclass(cls):
        return Record(cls)
    raise TypeError(f"A field of type {cls!r} has no form in a document.")


def _one_of(shapes: tuple[Shape, ...]) -> Shape:
    flat = [
        inner
        for shape in shapes
        for inner in (shape.shapes if isinstance(shape, OneOf) else [shape])
    ]
    # The alias JSON is itself a union, and some of its members hold any JSON again.
    holders = (Listing(Anything()), Keyed(Anything()))
    if Anything() in flat or any(holder in flat for holder in holders):
        return Anything()
    tags = [tag_of(cls) for shape in flat for cls in records_of(shape)]
    if len(set(tags)) < len(tags):
        raise TypeError(f"Classes of one union have the same tag: {sorted(tags)}. Rename one.")
    return flat[0] if len(flat) == 1 else OneOf(tuple(dict.fromkeys(flat)))


def _array_kind(arguments: tuple[Any, ...]) -> ArrayKind:
    (scalar,) = get_args(arguments[1])
    for base, kind in _ARRAY_KINDS.items():
        if isinstance(scalar, type) and issubclass(scalar, base):
            return kind
    raise TypeError(f"An array of {scalar!r} has no form in a document.")


_ARRAY_KINDS: Mapping[type, ArrayKind] = {
    np.floating: "number",
    np.integer: "integer",
    np.bool_: "boolean",
}


def _field(cls: type, field: "Field[Any]", hint: Any) -> DocumentField:
    if field.name in RESERVED:
        raise TypeError(f"{cls.__name__}.{field.name}: documents use this name themselves.")
    no_default = field.default is MISSING and field.default_factory is MISSING
    default = None if field.default is MISSING else field.default
    return DocumentField(field.name, shape_of(hint), no_default, default)
