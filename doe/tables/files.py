"""Tables in files: CSV text in any usual encoding, and XLSX workbooks, as plain rows of cells.

Files come from outside: size, rows, columns and the unpacked size of a workbook are limited.
"""

import csv
import hashlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from doe.errors import TableError
from doe.tables.cells import Cell

MAX_BYTES = 50_000_000
MAX_ROWS = 100_000
MAX_COLUMNS = 1_000
MAX_CELLS = 5_000_000
SEPARATORS = (",", ";", "\t")
N_TOP = 50
"""How many rows are looked at to find the separator."""

Row = tuple[int, tuple[Cell, ...]]
"""The number of a row, from 1 as a spreadsheet counts, and its cells."""

Merged = tuple[int, int, int, int]
"""First row, first column, last row, last column, all from 1."""

Score = Callable[[Sequence[Cell]], int]
"""How many columns of a header row are recognised."""


@dataclass(frozen=True, slots=True)
class SheetRows:
    """The cells of a table as they stand in the file.

    Attributes:
        file_name: Name of the file without its folder.
        sha256: Hash of the file's bytes.
        sheet: Name of the sheet of a workbook.
        header_row: Number of the header row, counted as a spreadsheet does.
        header: The cells of the header row.
        rows: Number and cells of each row below that is not empty.
        merged: Ranges of merged cells.
        notes: How the file was read, where that is not obvious.
    """

    file_name: str
    sha256: str
    sheet: str | None
    header_row: int
    header: tuple[Cell, ...]
    rows: tuple[Row, ...]
    merged: tuple[Merged, ...] = ()
    notes: tuple[str, ...] = ()


def read_rows(
    path: Path, content: bytes | None, *, sheet: str | None, recognised: Score, required: int
) -> SheetRows:
    """Return the cells of a CSV or XLSX file; its first bytes say which it is.

    Args:
        path: The file, or its name when ``content`` is given.
        content: The bytes of the file, when it is not on disk.
        sheet: The sheet of a workbook; found by its header when absent.
        recognised: How many columns of a header row are known.
        required: How many of them the right sheet has.

    Raises:
        TableError: If the file cannot be read as a table, or is too large.
    """
    data = _bytes(path, content)
    if data.startswith(b"PK\x03\x04"):
        from doe.tables.workbooks import read_workbook

        return read_workbook(path.name, data, sheet=sheet, recognised=recognised, required=required)
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise TableError(
            f"'{path.name}' is an old or encrypted Excel file: save it as .xlsx without a password."
        )
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        raise TableError(f"'{path.name}' is no Excel workbook, whatever its name says.")
    if sheet is not None:
        raise TableError(f"'{path.name}' is a text file and has no sheet '{sheet}'.")
    return _read_text(path.name, data, recognised)


def digest(data: bytes) -> str:
    """Return the SHA-256 of a file's bytes."""
    return hashlib.sha256(data).hexdigest()


def parted(rows: Sequence[Row], name: str) -> tuple[Row, tuple[Row, ...]]:
    """Return the header row and the rows below it; comments above the header are skipped.

    Raises:
        TableError: If there is no header.
    """
    for place, (number, cells) in enumerate(rows):
        if not _is_comment(cells):
            width = max(i for i, cell in enumerate(cells) if not _is_empty(cell)) + 1
            return (number, cells[:width]), tuple(rows[place + 1 :])
    raise TableError(f"'{name}' is empty: expected a header row with the names of the columns.")


def numbered_rows(raw: Sequence[Sequence[Cell]]) -> tuple[Row, ...]:
    """Return the rows that are not empty, with their numbers, without empty cells at their ends."""
    kept = []
    for number, row in enumerate(raw, start=1):
        width = max((i for i, cell in enumerate(row, start=1) if not _is_empty(cell)), default=0)
        if width:
            kept.append((number, tuple(row[:width])))
    return tuple(kept)


def check_widths(rows: Sequence[Row], name: str) -> None:
    """Refuse rows with too many columns.

    Raises:
        TableError: With the first such row.
    """
    for number, cells in rows:
        if len(cells) > MAX_COLUMNS:
            raise TableError(
                f"'{name}', row {number}: {len(cells):,} columns; at most {MAX_COLUMNS:,} are read."
            )


def too_large(name: str, what: str, limit: int) -> TableError:
    """Return the refusal of a file beyond a limit."""
    return TableError(f"'{name}' has more than {limit:,} {what}: split it into several files.")


def _bytes(path: Path, content: bytes | None) -> bytes:
    try:
        data = content
        if data is None:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise TableError(f"'{path}' cannot be opened: {error}.") from error
    if len(data) > MAX_BYTES:
        raise too_large(path.name, "bytes", MAX_BYTES)
    return data


def _is_empty(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _is_comment(cells: Sequence[Cell]) -> bool:
    filled = [cell for cell in cells if not _is_empty(cell)]
    first = filled[0]
    if not isinstance(first, str):
        return False
    # A fact about the table may hold the separator.
    is_fact = first.startswith("# ") and ": " in first
    return is_fact or (len(filled) == 1 and first.startswith(("# ", "sep=")))


def _read_text(name: str, data: bytes, recognised: Score) -> SheetRows:
    text, note = _decoded(name, data)
    stated = re.match(r"sep=([^\w\s]|\t)\r?\n", text)
    separator = stated.group(1) if stated else _likeliest_separator(text, name, recognised)
    (number, header), below = parted(_parsed(name, text, separator), name)
    return SheetRows(name, digest(data), None, number, header, below, notes=(note,) if note else ())


def _likeliest_separator(text: str, name: str, recognised: Score) -> str:
    """Return the separator whose header has the most known columns, or else the most columns."""

    def merit(separator: str) -> tuple[int, bool, int]:
        try:
            top = islice(csv.reader(io.StringIO(text), delimiter=separator), N_TOP)
            (_, header), below = parted(numbered_rows(list(top)), name)
        except (csv.Error, TableError):
            return -1, False, 0
        return recognised(header), len({len(cells) for _, cells in below}) <= 1, len(header)

    return max(SEPARATORS, key=merit)


def _decoded(name: str, data: bytes) -> tuple[str, str]:
    """Return the text of a file, and a note when its encoding had to be guessed."""
    note = ""
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            text = data.decode("utf-16")
        elif len(data) >= 4 and data[1:40:2].strip(b"\x00") == b"":
            text = data.decode("utf-16-le")
        elif len(data) >= 4 and data[0:40:2].strip(b"\x00") == b"":
            text = data.decode("utf-16-be")
        else:
            try:
                text = data.decode("utf-8-sig")
            except UnicodeDecodeError:
                text = data.decode("cp1252")
                note = "the text is not UTF-8; it was read as Windows-1252 (Latin-1): check µ and °"
    except UnicodeDecodeError as error:
        raise TableError(f"'{name}' is no text: save it as CSV (UTF-8) or XLSX.") from error
    if re.search("[\x00-\x08\x0e-\x1f]", text):
        raise TableError(
            f"'{name}' holds control characters and is no table: save it as CSV (UTF-8) or XLSX."
        )
    return text.removeprefix("\ufeff"), note


def _parsed(name: str, text: str, separator: str) -> tuple[Row, ...]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        rows = list(islice(reader, MAX_ROWS + 2))
    except csv.Error as error:
        raise TableError(
            f"'{name}', line {reader.line_num}: {error}: correct the quotation marks."
        ) from error
    if len(rows) > MAX_ROWS + 1:
        raise too_large(name, "rows", MAX_ROWS)
    if sum(map(len, rows)) > MAX_CELLS:
        raise too_large(name, "cells", MAX_CELLS)
    kept = numbered_rows(rows)
    check_widths(kept, name)
    return kept
