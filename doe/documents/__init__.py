"""Every type of the product as a plain JSON document with a format version, and back.

A document is an object with the fields of a dataclass and its ``type``: a short tag, such as
``continuous`` for a ``ContinuousFactor``. Nested dataclasses are nested objects. The outermost one
also carries ``format`` (``bayeswell/`` and the tag) and ``format_version``::

    {"format": "bayeswell/continuous", "format_version": 1, "type": "continuous",
     "name": "pH", "low": 6.6, "high": 7.4, "unit": "", "step": null, ...}

Written documents hold every field, so that a record does not change its meaning with a default.
Read documents may leave out what has a default, and ``type`` where only one class can stand.
Tuples are lists, times are ISO 8601 text with an offset, data frames are columns and rows. Numbers
are finite; only a data frame or an array may lack one, which is null.

Classes in any package take part without registration: their type hints say everything.
"""

from typing import TYPE_CHECKING

from doe.lazy_exports import lazy_exports

_EXPORTS = {
    "FORMAT_VERSION": "doe.documents.shapes",
    "from_document": "doe.documents.document",
    "json_schema": "doe.documents.schema",
    "load_document": "doe.documents.files",
    "save_document": "doe.documents.files",
    "to_document": "doe.documents.document",
}

if TYPE_CHECKING:
    from doe.documents.document import from_document as from_document
    from doe.documents.document import to_document as to_document
    from doe.documents.files import load_document as load_document
    from doe.documents.files import save_document as save_document
    from doe.documents.schema import json_schema as json_schema
    from doe.documents.shapes import FORMAT_VERSION as FORMAT_VERSION
else:
    __getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)
