"""Writing tables that people open: CSV and XLSX, whole or not at all, and never as formulas."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from doe.errors import TableError
from doe.tables.cells import escaped
from doe.whole_files import replacing

if TYPE_CHECKING:
    import pandas as pd
    from openpyxl.worksheet.worksheet import Worksheet

MAX_WIDTH = 50
MAX_SHEET_ROWS = 1_048_576

Written = None | bool | int | float | str


def write_table(
    path: Path | str,
    frame: "pd.DataFrame",
    *,
    units: Mapping[str, str] | None = None,
    title: str = "",
    metadata: Mapping[str, object] | None = None,
) -> None:
    """Write a table as CSV or XLSX, as the end of the path says; whole or not at all.

    Headers are ``name [unit]``. Text that begins with = + - @ gets an apostrophe before it, so that
    no spreadsheet runs it; numbers stay numbers, to the last digit. A missing value is an empty
    cell. Title and metadata are lines before the header that start with ``#`` in CSV, and a second
    sheet in XLSX; ``read_table`` skips both. An index that does not just count is written first.

    Args:
        path: A file that ends in ``.csv`` or ``.xlsx``.
        frame: What to write.
        units: Unit of each column, by name; none where absent or empty.
        title: What the table is.
        metadata: Further facts about the table.

    Raises:
        TableError: If a value cannot be written, or the path ends otherwise.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".xlsx"):
        raise TableError(f"'{path.name}' must end in .csv or .xlsx to say how it is written.")
    frame = _with_index(frame)
    header = [_header(str(name), (units or {}).get(str(name), "")) for name in frame.columns]
    columns = [frame.iloc[:, place].tolist() for place in range(frame.shape[1])]
    rows = [
        [_written(value, f"'{path.name}', row {number}") for value in row]
        for number, row in enumerate(zip(*columns, strict=True), start=2)
    ]
    about = _about(title, metadata)
    data = _as_csv(header, rows, about) if suffix == ".csv" else _as_xlsx(path, header, rows, about)
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def _with_index(frame: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    if isinstance(frame.index, pd.RangeIndex) and frame.index.name is None:
        return frame
    name = "run" if frame.index.name is None else str(frame.index.name)
    return frame if name in frame.columns else frame.rename_axis(index=name).reset_index()


def _header(name: str, unit: str) -> str:
    return escaped(f"{name} [{unit}]" if unit else name)


def _about(title: str, metadata: Mapping[str, object] | None) -> list[tuple[str, str]]:
    facts = {"title": title, **(metadata or {})} if title else dict(metadata or {})
    return [(escaped(_line(name)), escaped(_line(value))) for name, value in facts.items()]


def _line(value: object) -> str:
    return " ".join(str(value).split())


def _written(value: Any, place: str) -> Written:
    if isinstance(value, np.generic):
        value = value.item()
    match value:
        case None | bool() | int():
            return value
        case float():
            if math.isinf(value):
                raise TableError(f"{place}: {value} cannot be written; leave the cell empty.")
            return None if math.isnan(value) else value
        case str():
            return escaped(value)
        case datetime() | date():
            return value.isoformat()
        case _:
            raise TableError(f"{place}: a {type(value).__name__} has no place in a table.")


def _as_csv(
    header: Sequence[str], rows: Iterable[Sequence[Written]], about: Sequence[tuple[str, str]]
) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    # Not quoted: R and pandas know a comment by its first sign. A quote could open a cell.
    for name, value in about:
        text.write(f"# {name}: {value}".replace('"', "'") + "\r\n")
    writer.writerow(header)
    writer.writerows([_csv_cell(value) for value in row] for row in rows)
    # Spreadsheets take a file without a byte order mark for one in an old encoding.
    return text.getvalue().encode("utf-8-sig")


def _as_xlsx(
    path: Path,
    header: Sequence[str],
    rows: Sequence[Sequence[Written]],
    about: Sequence[tuple[str, str]],
) -> bytes:
    from openpyxl import Workbook
    from openpyxl.utils.exceptions import IllegalCharacterError

    if len(rows) >= MAX_SHEET_ROWS:
        raise TableError(f"'{path.name}' would have {len(rows):,} rows: write it as CSV.")
    book = Workbook()
    try:
        _fill(book.worksheets[0], "runs", header, rows)
        if about:
            _fill(book.create_sheet(), "about", ["fact", "value"], [list(each) for each in about])
    except IllegalCharacterError as error:
        raise TableError(
            f"'{path.name}': a text holds control characters ({error}): remove them."
        ) from error
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def _fill(
    sheet: "Worksheet", title: str, header: Sequence[str], rows: Sequence[Sequence[Written]]
) -> None:
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    sheet.title = title
    sheet.append(list(header))
    for row in rows:
        sheet.append(list(row))
    for cells, row in zip(sheet.iter_rows(min_row=2), rows, strict=False):
        for cell, value in zip(cells, row, strict=True):
            # openpyxl writes 16 digits, one too few for some numbers.
            if isinstance(value, float) and float(f"{value:.16g}") != value:
                cell.value, cell.data_type = repr(value), "n"
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    sheet.freeze_panes = "A2"
    for place, name in enumerate(header):
        width = max([len(name), *(len(str(row[place])) for row in rows[:200])], default=0)
        letter = get_column_letter(place + 1)
        sheet.column_dimensions[letter].width = min(width, MAX_WIDTH) + 2


def _csv_cell(value: Written) -> str | int | float | None:
    return str(value).upper() if isinstance(value, bool) else value
