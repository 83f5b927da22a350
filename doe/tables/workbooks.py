"""XLSX workbooks as plain rows of cells, read with limits and without running anything."""

import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from doe.errors import TableError
from doe.tables.cells import Cell, Unreadable
from doe.tables.files import (
    MAX_CELLS,
    MAX_ROWS,
    Merged,
    Score,
    SheetRows,
    check_widths,
    digest,
    numbered_rows,
    parted,
    too_large,
)

if TYPE_CHECKING:
    from openpyxl import Workbook

MAX_UNPACKED = 300_000_000
MAX_PARTS = 5_000

# What openpyxl runs into on a damaged workbook; it checks little by itself.
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    ParseError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
_MERGED = re.compile(
    rb"<(?:\w+:)?mergeCell\s[^>]*?ref=\"([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})\""
)


def read_workbook(
    name: str, data: bytes, *, sheet: str | None, recognised: Score, required: int
) -> SheetRows:
    """Return the cells of one sheet of a workbook, formulas by their stored values.

    Raises:
        TableError: If the workbook cannot be read, is too large, or the sheet is not clear.
    """
    with _as_table_error(name):
        _check_size(name, data)
        chosen = _chosen(name, data, sheet, recognised, required)
        cells, formulas, merged = _sheet(name, data, chosen)
    # A formula that was never computed has no stored value; an empty cell has none either.
    for row, column in formulas:
        if (
            row <= len(cells)
            and column <= len(cells[row - 1])
            and cells[row - 1][column - 1] is None
        ):
            cells[row - 1][column - 1] = Unreadable(
                "the formula has no stored value: open the file in a spreadsheet program and "
                "save it"
            )
    rows = numbered_rows(cells)
    check_widths(rows, name)
    (number, header), below = parted(rows, name)
    return SheetRows(name, digest(data), chosen, number, header, below, merged)


@contextmanager
def _as_table_error(name: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            # openpyxl warns of drawings and styles that it leaves out; none matters here.
            warnings.simplefilter("ignore")
            yield
    except TableError:
        raise
    except _DAMAGE as error:
        raise TableError(
            f"'{name}' is a damaged workbook ({type(error).__name__}: {error}): open it in a "
            "spreadsheet program and save it again."
        ) from error


def _check_size(name: str, data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        # Reading stops at the stated size, so a part cannot unpack to more than it states.
        if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED:
            raise too_large(name, "bytes when unpacked", MAX_UNPACKED)


def _opened(data: bytes, *, values: bool) -> "Workbook":
    from openpyxl import load_workbook

    return load_workbook(io.BytesIO(data), read_only=True, data_only=values, keep_links=False)


def _chosen(name: str, data: bytes, sheet: str | None, recognised: Score, required: int) -> str:
    book = _opened(data, values=True)
    names = [each.title for each in book.worksheets]
    if sheet is not None:
        if sheet not in names:
            raise TableError(f"'{name}' has no sheet '{sheet}'; its sheets are {names}.")
        return sheet
    if len(names) == 1:
        return names[0]
    fitting = []
    for each in book.worksheets:
        each.reset_dimensions()
        top = [list(map(_cell, row)) for row in each.iter_rows(max_row=20, values_only=True)]
        rows = numbered_rows(top)
        if rows and recognised(parted(rows, name)[0][1]) >= required:
            fitting.append(each.title)
    if len(fitting) != 1:
        which = f"{fitting} could be meant" if fitting else "none has a column for every factor"
        raise TableError(f"'{name}' has the sheets {names}; {which}: name the sheet to read.")
    return fitting[0]


def _sheet(
    name: str, data: bytes, title: str
) -> tuple[list[list[Cell]], list[tuple[int, int]], tuple[Merged, ...]]:
    book = _opened(data, values=True)
    worksheet = book[title]
    worksheet.reset_dimensions()
    cells: list[list[Cell]] = []
    n_cells = 0
    for row in worksheet.iter_rows(values_only=True):
        cells.append([_cell(value) for value in row])
        n_cells += len(row)
        if len(cells) > MAX_ROWS + 1:
            raise too_large(name, "rows", MAX_ROWS)
        if n_cells > MAX_CELLS:
            raise too_large(name, "cells", MAX_CELLS)
    return cells, _formulas(data, title, len(cells)), _merged(data, worksheet)


def _formulas(data: bytes, title: str, n_rows: int) -> list[tuple[int, int]]:
    worksheet = _opened(data, values=False)[title]
    worksheet.reset_dimensions()
    found = []
    for number, row in enumerate(worksheet.iter_rows(max_row=max(n_rows, 1)), start=1):
        found += [(number, place) for place, cell in enumerate(row, 1) if cell.data_type == "f"]
    return found


def _merged(data: bytes, worksheet: Any) -> tuple[Merged, ...]:
    from openpyxl.utils import column_index_from_string

    # A read-only worksheet does not offer its merged cells, so they are looked up in its part.
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        part = archive.read(worksheet._worksheet_path)
    return tuple(
        (
            int(first_row),
            column_index_from_string(first.decode()),
            int(last_row),
            column_index_from_string(last.decode()),
        )
        for first, first_row, last, last_row in _MERGED.findall(part)
    )


def _cell(value: Any) -> Cell:
    if isinstance(value, time | timedelta):
        return Unreadable(f"the cell holds the time of day {value}: write a number or a text")
    if value is None or isinstance(value, bool | int | float | str | datetime | date):
        return value
    return Unreadable(f"the cell holds a {type(value).__name__}: write a number or a text")
