"""What is settled for a whole sheet before its rows are read: merged cells and the decimal sign."""

from collections.abc import Sequence

from doe.tables.cells import Cell, Decimal, decimal_signs
from doe.tables.columns import Column, Vocabulary, column_letter
from doe.tables.files import Row, SheetRows
from doe.tables.findings import Findings

_NUMERIC_COUNTS = ("replicate", "time", "value")


def without_merged(
    sheet: SheetRows, columns: Sequence[Column], findings: Findings
) -> tuple[Row, ...]:
    """Return the rows with the content of merged cells in each row that they cover.

    A result that is merged over rows was measured once, so that is a problem, as is a cell that
    covers two columns.
    """
    by_place = {column.place: column for column in columns}
    filled: dict[int, dict[int, Cell]] = {}
    cells_of = dict(sheet.rows)
    for first_row, first, last_row, last in sheet.merged:
        covered = [by_place[p] for p in range(first - 1, last) if p in by_place]
        if first_row <= sheet.header_row or not covered:
            continue
        letters = f"{column_letter(first - 1)}{first_row}:{column_letter(last - 1)}{last_row}"
        is_result = covered[0].meaning.use in ("response", "count")
        if last > first or (last_row > first_row and is_result):
            findings.problem(
                f"the cells {letters} are merged: part them and write the value where it belongs",
                row=first_row,
                column=covered[0].header,
            )
            continue
        cells = cells_of.get(first_row, ())
        value = cells[first - 1] if first <= len(cells) else None
        for row in range(first_row, min(last_row, first_row + len(sheet.rows)) + 1):
            filled.setdefault(row, {})[first - 1] = value
        findings.note(
            f"the cells {letters} are merged: their value is taken for each row",
            rows=[first_row],
            column=covered[0].header,
        )
    return tuple((number, _with(cells, filled.get(number, {}))) for number, cells in sheet.rows)


def decimal_sign(
    sheet: SheetRows, columns: Sequence[Column], vocabulary: Vocabulary, findings: Findings
) -> Decimal:
    """Return the sign before the decimals, found from all numbers of the table.

    A table that surely has both is a problem.
    """
    numeric = [column for column in columns if _is_numeric(column, vocabulary)]
    shown: dict[Decimal, tuple[int, Column, str]] = {}
    for number, cells in sheet.rows:
        for column in numeric:
            cell = cells[column.place] if column.place < len(cells) else None
            if isinstance(cell, str):
                for sign, text in decimal_signs([cell]).items():
                    shown.setdefault(sign, (number, column, text))
    if len(shown) == 2:
        point, comma = shown["."], shown[","]
        findings.problem(
            f"'{comma[2]}' has a decimal comma, but '{point[2]}' in row {point[0]}, column "
            f"'{point[1].header}', a decimal point: write all numbers alike",
            row=comma[0],
            column=comma[1].header,
        )
    return "," if set(shown) == {","} else "."


def _is_numeric(column: Column, vocabulary: Vocabulary) -> bool:
    if column.meaning.use == "count":
        return column.meaning.name in _NUMERIC_COUNTS
    return vocabulary.declared_unit(column.meaning.name) is not None


def _with(cells: tuple[Cell, ...], filled: dict[int, Cell]) -> tuple[Cell, ...]:
    if not filled:
        return cells
    row = [*cells, *[None] * (max(filled) + 1 - len(cells))]
    for place, value in filled.items():
        row[place] = value
    return tuple(row)
