"""Tables of runs in and out, as CSV and XLSX, with units, checks and provenance."""

from typing import TYPE_CHECKING

from doe.lazy_exports import lazy_exports

_EXPORTS = {
    "TableImport": "doe.tables.imports",
    "read_table": "doe.tables.imports",
    "write_table": "doe.tables.exports",
}

if TYPE_CHECKING:
    from doe.tables.exports import write_table as write_table
    from doe.tables.imports import TableImport as TableImport
    from doe.tables.imports import read_table as read_table
else:
    __getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)
