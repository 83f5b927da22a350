"""The JSON Schema of documents, so that editors and other programs can check them."""

import inspect
import re
from collections.abc import Mapping
from typing import Any, assert_never

from doe.documents.frames import COLUMN_KINDS, FRAME_KEYS
from doe.documents.shapes import (
    FORMAT_VERSION,
    Anything,
    Array,
    Choice,
    DocumentField,
    FixedList,
    Frame,
    Keyed,
    Listing,
    Moment,
    OneOf,
    Record,
    Scalar,
    ScalarKind,
    Shape,
    document_fields,
    records_of,
    shape_of,
    tag_of,
)
from doe.runs import JSON

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_SCALARS: Mapping[ScalarKind, str] = {
    "text": "string",
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
    "nothing": "null",
}


def json_schema(cls: Any) -> dict[str, JSON]:
    """Return the JSON Schema (2020-12) of the documents of a dataclass or a union of dataclasses.

    It holds what can be said of each value by itself; that ``low`` must be below ``high`` is
    checked only when a document is read.
    """
    definitions: dict[str, Schema] = {}
    owners: dict[str, type] = {}
    shape = shape_of(cls)
    classes = records_of(shape)
    if not classes:
        raise TypeError(f"{cls!r} is neither a dataclass nor a union of dataclasses.")
    tops = [_top(each, definitions, owners) for each in classes]
    if len(tops) > 1:
        for each in tops:
            each["anyOf"] = [{"required": ["type"]}, {"required": ["format"]}]
    top = tops[0] if len(tops) == 1 else {"oneOf": tops}
    return {"$schema": DIALECT, **top, "$defs": definitions}


def _top(cls: type, definitions: dict[str, Schema], owners: dict[str, type]) -> Schema:
    schema = _record(cls, definitions, owners)
    tag = tag_of(cls)
    header = {
        "format": {"const": f"bayeswell/{tag}", "description": "What kind of document this is."},
        "format_version": {
            "type": "integer",
            "minimum": 1,
            "maximum": FORMAT_VERSION,
            "description": "Version of the format; the present one when absent.",
        },
    }
    return {**schema, "properties": {**header, **schema["properties"]}}


def _record(cls: type, definitions: dict[str, Schema], owners: dict[str, type]) -> Schema:
    tag = tag_of(cls)
    summary, details = _described(cls)
    properties: dict[str, Schema] = {"type": {"const": tag}}
    for field in document_fields(cls):
        properties[field.name] = _property(field, details, definitions, owners)
    schema: Schema = {
        "title": tag.replace("_", " "),
        "description": summary,
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    required = [field.name for field in document_fields(cls) if field.required]
    return {**schema, "required": required} if required else schema


def _property(
    field: DocumentField,
    details: Mapping[str, str],
    definitions: dict[str, Schema],
    owners: dict[str, type],
) -> Schema:
    schema = _schema(field.shape, definitions, owners)
    if field.name in details:
        schema["description"] = details[field.name]
    if not field.required and isinstance(field.default, bool | int | float | str):
        schema["default"] = field.default
    return schema


def _schema(shape: Shape, definitions: dict[str, Schema], owners: dict[str, type]) -> Schema:
    match shape:
        case Anything():
            return {}
        case Scalar(kind):
            return {"type": _SCALARS[kind]}
        case Moment():
            return {"type": "string", "format": "date-time"}
        case Choice(values):
            return {"enum": list(values)}
        case Listing(item):
            return {"type": "array", "items": _schema(item, definitions, owners)}
        case FixedList(items):
            return {
                "type": "array",
                "prefixItems": [_schema(item, definitions, owners) for item in items],
                "items": False,
                "minItems": len(items),
            }
        case Keyed(item):
            inner = _schema(item, definitions, owners)
            return {"type": "object", "additionalProperties": inner}
        case Record(cls):
            return _reference(cls, definitions, owners)
        case Frame():
            return _FRAME | {}
        case Array():
            return {"type": "array"}
        case OneOf(shapes):
            return _any_of(shapes, definitions, owners)
        case _:
            assert_never(shape)


def _any_of(
    shapes: tuple[Shape, ...], definitions: dict[str, Schema], owners: dict[str, type]
) -> Schema:
    parts = [_schema(shape, definitions, owners) for shape in shapes]
    if len([shape for shape in shapes if isinstance(shape, Record)]) > 1:
        for shape, part in zip(shapes, parts, strict=True):
            if isinstance(shape, Record):
                part["required"] = ["type"]
    return {"anyOf": parts}


def _reference(cls: type, definitions: dict[str, Schema], owners: dict[str, type]) -> Schema:
    name = cls.__name__
    if owners.setdefault(name, cls) is not cls:
        raise TypeError(f"Two classes called {name} in one schema: rename one.")
    if name not in definitions:
        definitions[name] = {}  # A class that contains itself finds its name here.
        definitions[name].update(_record(cls, definitions, owners))
    return {"$ref": f"#/$defs/{name}"}


_CELL: Schema = {"type": ["string", "number", "boolean", "null"]}
_FRAME: Schema = {
    "type": "object",
    "properties": {
        "columns": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "kinds": {"type": "array", "items": {"enum": list(COLUMN_KINDS)}},
        "rows": {"type": "array", "items": {"type": "array", "items": _CELL}},
        "index": {
            "anyOf": [
                {"type": "null"},
                {
                    "type": "object",
                    "properties": {
                        "name": {"type": ["string", "null"]},
                        "kind": {"enum": list(COLUMN_KINDS)},
                        "values": {"type": "array", "items": _CELL},
                    },
                    "required": ["name", "kind", "values"],
                    "additionalProperties": False,
                },
            ]
        },
    },
    "required": list(FRAME_KEYS),
    "additionalProperties": False,
}


def _described(cls: type) -> tuple[str, dict[str, str]]:
    """Return the first paragraph of a docstring, and what its Attributes section says of each."""
    text = inspect.getdoc(cls) or ""
    summary = " ".join(text.split("\n\n")[0].split())
    section = re.search(r"^(?:Attributes|Args):\n((?:[ \t]+.*\n?|\n)+)", text, re.MULTILINE)
    details: dict[str, str] = {}
    if section is not None:
        entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section.group(1), re.MULTILINE)
        details = {name: " ".join(words.split()) for name, words in entries}
    return summary, details
