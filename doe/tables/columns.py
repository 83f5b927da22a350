"""Which column of a table holds which factor, response or count, and in what unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from doe.errors import InvalidValueError, UnitError
from doe.factors import (
    BlockFactor,
    CategoricalFactor,
    Context,
    Covariate,
    Factor,
    RecordedFactor,
)
from doe.responses import AnyResponse, Response
from doe.space import FactorSpace
from doe.tables.cells import Cell, read_text
from doe.tables.files import SheetRows
from doe.tables.findings import Findings
from doe.units import Conversion, check_unit, conversion

Use = Literal["setting", "actual", "recorded", "response", "count"]
"""What a column holds; a count is a run, replicate or time, or part of a long table."""

COUNTS = ("run", "run code", "replicate", "time", "response", "value", "unit")
MAX_SHOWN = 60
MAX_NAMES = 30
SAME = conversion("", "")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a header says.

    Attributes:
        name: The factor, response or count.
        use: What the column holds of it.
        unit: The unit in the header, None where it states none.
    """

    name: str
    use: Use
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is read.

    Attributes:
        place: Its place in the row, from 0.
        header: The header as it stands in the file.
        meaning: What it holds.
        change: From its unit to the declared one.
        unit: Its unit; the declared one when neither the header nor a person states one.
    """

    place: int
    header: str
    meaning: Meaning
    change: Conversion
    unit: str


class Vocabulary:
    """The names that headers may use, from factors, responses, their aliases and a mapping."""

    def __init__(
        self, space: FactorSpace, responses: Sequence[AnyResponse], mapping: Mapping[str, str]
    ) -> None:
        self.factors: Mapping[str, Factor] = {factor.name: factor for factor in space.factors}
        self.responses = {r.name: r for r in responses if isinstance(r, Response)}
        self.mapping = mapping
        self._exact: dict[str, Meaning] = {name: Meaning(name, "count") for name in COUNTS}
        for response in self.responses.values():
            for name in (response.name, *response.aliases):
                self._exact[name] = Meaning(response.name, "response")
        for factor in space.factors:
            use: Use = "recorded" if isinstance(factor, RecordedFactor) else "setting"
            for name in (factor.name, *factor.aliases):
                self._exact[name] = Meaning(factor.name, use)
        self._folded: dict[str, Meaning | None] = {}
        for name, meaning in self._exact.items():
            folded = _folded(name)
            known = self._folded.setdefault(folded, meaning)
            # Two names that differ in capitals alone are told apart only as they are written.
            self._folded[folded] = meaning if known == meaning else None

    def declared_unit(self, name: str) -> str | None:
        """Return the unit of a factor or response, None for what has no numbers."""
        if name in self.responses:
            response = self.responses[name]
            return None if response.kind == "pass_fail" else response.unit
        factor = self.factors.get(name)
        if factor is None or isinstance(factor, CategoricalFactor | Context | BlockFactor):
            return None
        return factor.unit

    def match(self, header: str) -> Meaning | None:
        """Return what a header means, None for a column that is not known."""
        if header in self.mapping:
            named = self._named(self.mapping[header])
            return named and Meaning(named.name, named.use, _mapped_unit(header))
        named = self._named(header)
        if named is not None:
            return named
        if header.casefold().endswith("(actual)"):
            inner = self.match(header[: -len("(actual)")].strip())
            return _actual(inner)
        for name, unit in _with_unit(header):
            is_actual = name.casefold().endswith("(actual)")
            named = self._named(name[: -len("(actual)")].strip() if is_actual else name)
            named = _actual(named) if is_actual else named
            if named is not None:
                return Meaning(named.name, named.use, unit)
        return None

    def recognised(self, header: Sequence[Cell]) -> int:
        """Return how many columns of a header row are known."""
        return sum(self.match(header_text(cell)) is not None for cell in header)

    def _named(self, text: str) -> Meaning | None:
        name = text.strip()
        meaning = self._exact.get(name) or self._folded.get(_folded(name))
        if meaning is None and name.casefold().endswith("(actual)"):
            return _actual(self._named(name[: -len("(actual)")]))
        return meaning


def header_text(cell: Cell) -> str:
    """Return a header cell as text, empty where there is none."""
    try:
        return " ".join((read_text(cell) or "").split())
    except InvalidValueError:
        return ""


def matched_columns(
    sheet: SheetRows,
    vocabulary: Vocabulary,
    units: Mapping[str, str],
    findings: Findings,
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Return the columns that are read, and the headers of those that are not."""
    headers = [header_text(cell) for cell in sheet.header]
    found: list[Column] = []
    ignored: list[str] = []
    for place, header in enumerate(headers):
        meaning = vocabulary.match(header) if header else None
        if meaning is None:
            ignored.append(header or f"column {column_letter(place)} (no header)")
            continue
        unit = units.get(header, units.get(meaning.name, meaning.unit))
        found.append(_column(place, header, meaning, unit, vocabulary, sheet, findings))
    columns, unused = _without_unused_counts(found, findings)
    ignored += unused
    if ignored:
        findings.note(f"not read: {_listed(ignored)}")
    _check_keys(headers, found, vocabulary, units, findings)
    _check_twice(columns, sheet, findings)
    _check_missing(columns, ignored, vocabulary, findings)
    return columns, tuple(ignored)


def column_letter(place: int) -> str:
    """Return the letters that a spreadsheet shows above a column; places count from 0."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _actual(meaning: Meaning | None) -> Meaning | None:
    if meaning is None or meaning.use != "setting":
        return None
    return Meaning(meaning.name, "actual", meaning.unit)


def _with_unit(header: str) -> list[tuple[str, str]]:
    """Return the ways to part a header into a name and a unit, the likeliest first."""
    ways = []
    for opening, closing in ("[]", "()"):
        if header.endswith(closing):
            start = _opening(header, opening, closing)
            ways.append((header[:start].strip(), header[start + 1 : -1].strip()))
    for mark in (" / ", ",", " in "):
        name, found, unit = header.rpartition(mark)
        if found:
            ways.append((name.strip(), unit.strip()))
    return ways


def _opening(header: str, opening: str, closing: str) -> int:
    """Return where the bracket opens that the header's last character closes."""
    depth = 0
    for place in range(len(header) - 1, -1, -1):
        depth += (header[place] == closing) - (header[place] == opening)
        if depth == 0:
            return place
    return 0


def _mapped_unit(header: str) -> str | None:
    for _, unit in _with_unit(header):
        if header.endswith("]"):
            return unit
        try:
            check_unit(unit)
        except UnitError:
            continue
        return unit
    return None


def _column(
    place: int,
    header: str,
    meaning: Meaning,
    unit: str | None,
    vocabulary: Vocabulary,
    sheet: SheetRows,
    findings: Findings,
) -> Column:
    if meaning.use == "count":
        change, unit = SAME, unit if unit is not None else ""
        if meaning.name == "time" and unit:
            for response in vocabulary.responses.values():
                _change(unit, response.time_unit, header, sheet, findings)
        return Column(place, header, meaning, change, unit)
    declared = vocabulary.declared_unit(meaning.name)
    if declared is None or unit is None:
        return Column(place, header, meaning, SAME, declared or "")
    change = _change(unit, declared, header, sheet, findings)
    if not change.is_identity:
        findings.note(f"converted from {unit or '1'} to {declared or '1'}", column=header)
    return Column(place, header, meaning, change, unit)


def _change(
    unit: str, declared: str, header: str, sheet: SheetRows, findings: Findings
) -> Conversion:
    try:
        return conversion(unit, declared)
    except UnitError as error:
        findings.problem(
            f"{error} Or state the unit that is meant: units={{'{header}': '{declared or '1'}'}}",
            row=sheet.header_row,
            column=header,
        )
        return SAME


def _without_unused_counts(
    columns: Sequence[Column], findings: Findings
) -> tuple[tuple[Column, ...], list[str]]:
    """Leave out columns that count nothing without another one."""
    present = {column.meaning.name for column in columns if column.meaning.use == "count"}
    unused = set() if {"response", "value"} <= present else {"response", "value", "unit"}
    if "replicate" in present and "run" not in present:
        unused.add("replicate")
        findings.note(
            "a column 'replicate' without a column 'run' is not used: every row is a run of its own"
        )
    kept = [c for c in columns if c.meaning.use != "count" or c.meaning.name not in unused]
    return tuple(kept), [column.header for column in columns if column not in kept]


def _check_keys(
    headers: Sequence[str],
    columns: Sequence[Column],
    vocabulary: Vocabulary,
    units: Mapping[str, str],
    findings: Findings,
) -> None:
    for header, name in vocabulary.mapping.items():
        if header not in headers:
            findings.problem(f"the mapping names a column '{header}'{_nearest(header, headers)}")
        elif vocabulary.match(header) is None:
            known = [*vocabulary.factors, *vocabulary.responses, *COUNTS]
            findings.problem(
                f"the mapping gives '{header}' the name '{name}'{_nearest(name, known)}"
            )
    names = [*headers, *(column.meaning.name for column in columns)]
    for key in units:
        if key not in names:
            findings.problem(f"units are stated for '{key}'{_nearest(key, names)}")


def _nearest(text: str, choices: Sequence[str]) -> str:
    near = get_close_matches(text, [choice for choice in choices if choice], n=1)
    there = _listed([f"'{choice}'" for choice in dict.fromkeys(choices) if choice])
    return ", which is not there: " + (f"did you mean '{near[0]}'?" if near else f"use {there}")


def _listed(names: Sequence[str]) -> str:
    shown = [name if len(name) <= MAX_SHOWN else f"{name[:MAX_SHOWN]}..." for name in names]
    more = [f"and {len(names) - MAX_NAMES} more"] if len(names) > MAX_NAMES else []
    return ", ".join([*shown[:MAX_NAMES], *more])


def _check_twice(columns: Sequence[Column], sheet: SheetRows, findings: Findings) -> None:
    seen: dict[tuple[str, Use], Column] = {}
    for column in columns:
        key = (column.meaning.name, column.meaning.use)
        first = seen.setdefault(key, column)
        if first is not column:
            findings.problem(
                f"columns {column_letter(first.place)} '{first.header}' and "
                f"{column_letter(column.place)} '{column.header}' both hold "
                f"'{column.meaning.name}': remove or rename one",
                row=sheet.header_row,
            )


def _check_missing(
    columns: Sequence[Column],
    ignored: Sequence[str],
    vocabulary: Vocabulary,
    findings: Findings,
) -> None:
    present = {column.meaning.name for column in columns if column.meaning.use != "actual"}
    is_long = any(c.meaning == Meaning("response", "count") for c in columns)
    for name, factor in vocabulary.factors.items():
        if name in present or (isinstance(factor, Covariate) and factor.expression is not None):
            continue
        if isinstance(factor, RecordedFactor):
            findings.note(f"no column for '{name}', which is missing for every run")
            continue
        near = get_close_matches(
            _folded(name), [_folded(each) for each in ignored], n=1, cutoff=0.5
        )
        similar = [each for each in ignored if near and _folded(each) == near[0]]
        hint = f"did you mean '{similar[0]}'? " if similar else ""
        findings.problem(
            f"no column for the factor '{name}': {hint}Rename a column, give the factor an alias, "
            f"or map a column to it; not used so far: {_listed(ignored) or 'none'}"
        )
    for name in vocabulary.responses:
        if name not in present and not is_long:
            findings.note(f"no column for the response '{name}': nothing was measured of it")
