"""Importing a table of runs: all of it with its provenance, or nothing and every problem."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from doe.responses import AnyResponse
from doe.runs import Observations
from doe.space import FactorSpace
from doe.tables.assembly import (
    check_runs,
    gathered_measurements,
    gathered_observations,
    wide_frame,
)
from doe.tables.columns import Column, Vocabulary, matched_columns
from doe.tables.contradictions import note_contradictions, with_derived_covariates
from doe.tables.files import SheetRows, read_rows
from doe.tables.findings import Findings
from doe.tables.rows import RowReader, TableRow
from doe.tables.sheets import decimal_sign, without_merged

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class TableImport:
    """A table as it was read, with where it came from and what was done to it.

    Attributes:
        frame: One row per row of the file, in natural units; results without their qualifiers.
        observations: The runs, with qualifiers, replicates and times.
        notes: Conversions, contradictions and what was left out, each with its place in the file.
        columns: What each column that was read holds, by its header.
        conversions: From which unit to which, by header, where that differs.
        ignored: The headers of columns that were not read.
        sha256: Hash of the file's bytes.
        file_name: Name of the file without its folder.
        sheet: Name of the sheet of a workbook.
        n_rows: How many rows were read.
        codes: The code beside each run, where the table has a column ``run code``.
    """

    frame: "pd.DataFrame"
    observations: Observations
    notes: tuple[str, ...]
    columns: Mapping[str, str]
    conversions: Mapping[str, str]
    ignored: tuple[str, ...]
    sha256: str
    file_name: str
    sheet: str | None
    n_rows: int
    codes: Mapping[str, str] = field(default_factory=dict)


def read_table(
    path: Path | str,
    *,
    space: FactorSpace,
    responses: Sequence[AnyResponse],
    sheet: str | None = None,
    mapping: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    decimal: Literal["auto", ".", ","] = "auto",
    content: bytes | None = None,
) -> TableImport:
    """Return the runs in a CSV or XLSX file, one or more rows per run.

    Columns are found by the name or an alias of a factor or response; a header may state the unit
    (``Temp [degC]``, ``rate (g/(L h))``, ``Temp, °C``), which is converted. Further columns:
    ``run`` names the run (else each row is one), ``replicate`` numbers determinations on a run,
    ``<factor> (actual)`` holds achieved settings, ``time`` makes time courses, ``run code`` is what
    a run sheet printed beside the run; a long table has ``response``, ``value`` and perhaps
    ``unit``. Results may be ``<0.5`` or ``>100``; an empty cell or ``n/a`` is a value not measured.

    Args:
        path: The file, or its name when ``content`` is given.
        space: The factors.
        responses: What was measured.
        sheet: The sheet of a workbook; needed when several have a column for every factor.
        mapping: Name of the factor, response or further column, by header.
        units: The unit that is meant, by header or name; stands above the header's own.
        decimal: The sign before the decimals; ``auto`` finds it, and refuses what stays unclear.
        content: The bytes of the file, when it is not on disk.

    Raises:
        TableError: If anything does not fit; ``problems`` lists all of it with file, sheet, row
            (the header is usually 1), column, value and what was expected.
    """
    vocabulary = Vocabulary(space, responses, _tidied(mapping))
    required, recognised = len(space.names), vocabulary.recognised
    found = read_rows(Path(path), content, sheet=sheet, recognised=recognised, required=required)
    findings = _findings(found)
    columns, ignored = matched_columns(found, vocabulary, _tidied(units), findings)
    rows = _read_rows(found, columns, vocabulary, decimal, findings)
    check_runs(rows, space, columns, findings)
    measurements = gathered_measurements(rows, columns, findings)
    findings.raise_problems()
    gathered = gathered_observations(rows, space, responses, measurements)
    observations = with_derived_covariates(gathered, columns, findings)
    note_contradictions(observations, rows, findings)
    return TableImport(
        frame=wide_frame(rows, space, columns),
        observations=observations,
        notes=tuple(findings.notes),
        columns={column.header: _held(column) for column in columns},
        conversions=_conversions(columns, vocabulary),
        ignored=ignored,
        sha256=found.sha256,
        file_name=found.file_name,
        sheet=found.sheet,
        n_rows=len(rows),
        codes=_codes(rows),
    )


def _codes(rows: Sequence[TableRow]) -> dict[str, str]:
    return {row.run: row.code for row in rows if row.code is not None}


def _read_rows(
    sheet: SheetRows,
    columns: tuple[Column, ...],
    vocabulary: Vocabulary,
    decimal: Literal["auto", ".", ","],
    findings: Findings,
) -> list[TableRow]:
    if not sheet.rows:
        findings.problem("there is no row below the header", row=sheet.header_row)
    sign = decimal_sign(sheet, columns, vocabulary, findings) if decimal == "auto" else decimal
    reader = RowReader(vocabulary, columns, sign, decimal != "auto", findings)
    rows = []
    for count, (number, cells) in enumerate(without_merged(sheet, columns, findings), start=1):
        # A decimal comma in a file parted by commas makes a row longer than the header.
        if len(cells) > len(sheet.header):
            findings.problem(
                f"{len(cells)} cells below {len(sheet.header)} headers: put text and decimal "
                "commas in quotes, or give the further columns a header",
                row=number,
            )
        else:
            rows.append(reader.read(number, cells, str(count)))
    return rows


def _tidied(by_header: Mapping[str, str] | None) -> dict[str, str]:
    return {" ".join(header.split()): value for header, value in (by_header or {}).items()}


def _held(column: Column) -> str:
    is_actual = column.meaning.use == "actual"
    return f"{column.meaning.name} (actual)" if is_actual else column.meaning.name


def _conversions(columns: Sequence[Column], vocabulary: Vocabulary) -> dict[str, str]:
    return {
        column.header: f"{column.unit or '1'} to {vocabulary.declared_unit(column.meaning.name)}"
        for column in columns
        if not column.change.is_identity
    }


def _findings(found: SheetRows) -> Findings:
    findings = Findings(found.file_name, found.sheet)
    findings.notes.extend(f"{found.file_name}: {note}" for note in found.notes)
    return findings
