"""The rows of a table in the words of the campaign: settings, recorded values and results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from doe.errors import InvalidValueError, UnitError
from doe.factors import ContinuousFactor, Factor, MixtureComponent, Value, check_name
from doe.responses import Response
from doe.tables.cells import (
    Cell,
    Decimal,
    Qualified,
    in_quotes,
    read_number,
    read_pass,
    read_qualified,
    read_text,
)
from doe.tables.columns import Column, Use, Vocabulary
from doe.tables.findings import Findings
from doe.tables.settings import not_among, read_setting
from doe.units import conversion

TOLERANCE = 1e-9


@dataclass(slots=True)
class TableRow:
    """One row, in natural units.

    Attributes:
        number: The row as a spreadsheet counts.
        run: The run it belongs to.
        code: What a run sheet prints beside the run to tell mixed-up rows, None where it does not.
        replicate: Number of the determination, None when the table does not say.
        settings: What was asked for, by factor; without what is empty.
        actual: What was achieved, by factor.
        recorded: Covariates, contexts and blocks.
        results: Results with their time in the response's time unit, by response.
        faulty: Headers of the columns whose cell could not be read.
    """

    number: int
    run: str
    code: str | None = None
    replicate: int | None = None
    settings: dict[str, Value] = field(default_factory=dict)
    actual: dict[str, Value] = field(default_factory=dict)
    recorded: dict[str, Value] = field(default_factory=dict)
    results: dict[str, tuple[Qualified, float | None]] = field(default_factory=dict)
    faulty: set[str] = field(default_factory=set)

    def store(self, use: Use) -> dict[str, Value]:
        """Return where values of this use are kept."""
        return {"setting": self.settings, "actual": self.actual}.get(use, self.recorded)


@dataclass(frozen=True, slots=True)
class RowReader:
    """Reads the cells of rows; what does not fit becomes a problem with its place."""

    vocabulary: Vocabulary
    columns: tuple[Column, ...]
    decimal: Decimal
    is_sure: bool
    findings: Findings

    def read(self, number: int, cells: Sequence[Cell], run: str) -> TableRow:
        """Return a row; ``run`` names it when no column does."""
        row = TableRow(number, run)
        counts: dict[str, tuple[Column, Cell]] = {}
        results: list[tuple[Column, Response, Cell]] = []
        for column in self.columns:
            cell = cells[column.place] if column.place < len(cells) else None
            name, use = column.meaning.name, column.meaning.use
            if use == "count":
                counts[name] = (column, cell)
            elif use == "response":
                results.append((column, self.vocabulary.responses[name], cell))
            else:
                self._read_setting(row, column, cell)
        self._read_run(row, counts)
        self._read_replicate(row, counts)
        if "response" in counts:
            results += self._long_result(row, counts)
        for column, response, cell in results:
            self._read_result(row, column, response, cell, counts)
        return row

    def _read_setting(self, row: TableRow, column: Column, cell: Cell) -> None:
        factor = self.vocabulary.factors[column.meaning.name]
        try:
            value = read_setting(
                factor, cell, column.change, decimal=self.decimal, is_sure=self.is_sure
            )
        except InvalidValueError as error:
            self.findings.problem(str(error), row=row.number, column=column.header)
            row.faulty.add(column.header)
            return
        if value is not None:
            row.store(column.meaning.use)[factor.name] = value
            self._note_range(factor, value, column, row.number)

    def _note_range(self, factor: Factor, value: Value, column: Column, number: int) -> None:
        """Note a setting outside the factor's range: the past may have gone there."""
        if not isinstance(factor, ContinuousFactor | MixtureComponent) or isinstance(value, str):
            return
        margin = TOLERANCE * max(1.0, abs(factor.low), abs(factor.high))
        is_inside = factor.low - margin <= value <= factor.high + margin
        if not is_inside and column.meaning.use == "setting":
            unit = f" {factor.unit}" if factor.unit else ""
            self.findings.note(
                f"{value:g}{unit} is outside the range of '{factor.name}', {factor.low:g} to "
                f"{factor.high:g}{unit}; the row is kept",
                rows=[number],
                column=column.header,
            )

    def _read_run(self, row: TableRow, counts: Mapping[str, tuple[Column, Cell]]) -> None:
        if "run code" in counts:
            row.code = read_text(counts["run code"][1])
        if "run" not in counts:
            return
        column, cell = counts["run"]
        try:
            text = read_text(cell)
            check_name(text, "run")
        except InvalidValueError as error:
            self.findings.problem(str(error), row=row.number, column=column.header)
            return
        row.run = str(text)

    def _read_replicate(self, row: TableRow, counts: Mapping[str, tuple[Column, Cell]]) -> None:
        if "replicate" not in counts:
            return
        column, cell = counts["replicate"]
        try:
            number = read_number(cell, self.decimal, is_sure=self.is_sure)
        except InvalidValueError as error:
            self.findings.problem(str(error), row=row.number, column=column.header)
            return
        if number is not None and (number < 1 or not number.is_integer()):
            self.findings.problem(
                f"expected 1, 2, 3 ..., got {in_quotes(cell)}",
                row=row.number,
                column=column.header,
            )
        elif number is not None:
            row.replicate = int(number)

    def _long_result(
        self, row: TableRow, counts: Mapping[str, tuple[Column, Cell]]
    ) -> list[tuple[Column, Response, Cell]]:
        column, cell = counts["response"]
        value_column, value_cell = counts["value"]
        try:
            name = read_text(cell)
            if name is None and value_cell is None:
                return []
            meaning = self.vocabulary.match(name or "")
            if meaning is None or meaning.use != "response":
                raise not_among(cell, list(self.vocabulary.responses), "response")
        except InvalidValueError as error:
            self.findings.problem(str(error), row=row.number, column=column.header)
            return []
        return [(value_column, self.vocabulary.responses[meaning.name], value_cell)]

    def _read_result(
        self,
        row: TableRow,
        column: Column,
        response: Response,
        cell: Cell,
        counts: Mapping[str, tuple[Column, Cell]],
    ) -> None:
        place = column
        try:
            found = self._result(column, response, cell, counts)
            if found is None:
                return
            time = None
            if "time" in counts:
                place = counts["time"][0]
                time = self._time(place, counts["time"][1], response)
        except (InvalidValueError, UnitError) as error:
            self.findings.problem(str(error), row=row.number, column=place.header)
            return
        if found.remark:
            self.findings.note(found.remark, rows=[row.number], column=column.header)
        row.results[response.name] = (found, time)

    def _result(
        self,
        column: Column,
        response: Response,
        cell: Cell,
        counts: Mapping[str, tuple[Column, Cell]],
    ) -> Qualified | None:
        if response.kind == "pass_fail":
            passed = read_pass(cell)
            return None if passed is None else Qualified(passed)
        limit = response.detection_limit
        found = read_qualified(cell, self.decimal, is_sure=self.is_sure, detection_limit=limit)
        if found is None or found.is_limit:
            return found
        change = column.change
        if column.meaning.use == "count":
            unit = column.meaning.unit
            if "unit" in counts:
                unit = read_text(counts["unit"][1]) or unit
            change = change if unit is None else conversion(unit, response.unit)
        return Qualified(change.apply(found.value), found.qualifier, found.remark)

    def _time(self, column: Column, cell: Cell, response: Response) -> float | None:
        time = read_number(cell, self.decimal, is_sure=self.is_sure)
        if time is None or not column.unit:
            return time
        return conversion(column.unit, response.time_unit).apply(time)
