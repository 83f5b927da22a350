"""Files of any encoding and origin are read as they were meant, or refused."""

import csv
import io
import random
import re
import string
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.errors import TableError
from doe.factors import BlockFactor, CategoricalFactor, ContinuousFactor
from doe.responses import Response
from doe.space import FactorSpace
from doe.tables import TableImport, files, read_table, workbooks, write_table

SPACE = FactorSpace(
    (ContinuousFactor("pH", 0, 14), CategoricalFactor("resin", ("A", "B")), BlockFactor("day"))
)
RESPONSES = (Response("titre µ", "g/L"),)
TEXT = "pH{0}resin{0}day{0}titre µ\n7.5{0}A{0}1{0}3.25\n6.5{0}B{0}2{0}<0.5\n"


def read(content: bytes, name: str = "runs.csv", **options: Any) -> TableImport:
    return read_table(name, space=SPACE, responses=RESPONSES, content=content, **options)


def workbook(rows: list[list[Any]], change: Any = None, title: str = "runs") -> bytes:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = title
    for row in rows:
        sheet.append(row)
    if change is not None:
        change(book, sheet)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


HEADER = ["pH", "resin", "day", "titre µ"]
ROW = [7.5, "A", 1, 3.25]


@pytest.mark.requirement("DI-11")
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"]
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_separator_encoding_and_line_ends_are_found(
    separator: str, encoding: str, line_end: str
) -> None:
    table = read(TEXT.format(separator).replace("\n", line_end).encode(encoding))

    assert table.frame["pH"].tolist() == [7.5, 6.5]
    assert [m.qualifier for m in table.observations.measurements] == ["=", "<"]
    guessed = [note for note in table.notes if "read as Windows-1252" in note]
    assert len(guessed) == (encoding in ("cp1252", "latin-1"))


def test_empty_rows_and_columns_count_but_are_not_runs() -> None:
    text = "pH;resin;day;titre µ;;\n7.5;A;1;3;;\n;;;;;\n6.5;B;2;x;;\n;;;;;\n\n"
    with pytest.raises(TableError, match=r"row 4, column 'titre µ': expected a number, got 'x'"):
        read(text.encode())
    assert read(text.replace("x", "4").encode()).observations.runs == ("1", "2")


def test_comments_above_the_header_and_a_stated_separator_are_skipped() -> None:
    text = '"# made by hand, twice"\nsep=;\npH;resin;day;titre µ\n7;A;1;abc\n'
    with pytest.raises(TableError, match="row 4, column 'titre µ'"):
        read(text.encode())


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"\n\n  \n", "is empty"),
        (b"pH;resin;day\n", "no row below the header"),
        (b"\x00\x01\x02\x03binary", "control characters"),
        (b"pH;resin\n7\x00;A\n", "control characters"),
        (b"\x81\x8d\x8f", "is no text"),
        (b'pH;resin\n"7;A\n', "correct the quotation marks"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old or encrypted Excel file"),
        (b"PK\x03\x04 and then nothing", "damaged workbook"),
        (b"pH\n" + b"x" * 200_000, "field larger than field limit"),
        (b"pH;" + b";".join([b"x"] * 1_000) + b"\n1", "1,001 columns; at most 1,000"),
    ],
)
def test_what_is_no_table_is_refused(content: bytes, complaint: str) -> None:
    with pytest.raises(TableError, match=re.escape(complaint)):
        read(content)


def test_limits_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_ROWS", 3)
    rows = [HEADER, *[ROW] * 4]
    for content in ("\n".join(";".join(map(str, row)) for row in rows).encode(), workbook(rows)):
        monkeypatch.setattr(workbooks, "MAX_ROWS", 3)
        with pytest.raises(TableError, match="more than 3 rows: split it"):
            read(content)
    monkeypatch.setattr(files, "MAX_BYTES", 100)
    with pytest.raises(TableError, match="more than 100 bytes"):
        read(workbook(rows))


def test_a_zip_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MAX_UNPACKED", 10_000_000)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (workbooks.MAX_UNPACKED + 1))
    assert len(data.getvalue()) < 20_000
    with pytest.raises(TableError, match="more than 10,000,000 bytes when unpacked"):
        read(data.getvalue())


def test_a_row_number_out_of_all_bounds_ends_the_reading() -> None:
    data = workbook([HEADER, ROW])
    hostile = _with_part(data, b'<row r="2"', b'<row r="99999999999"')
    with pytest.raises(TableError):
        read(hostile)


def _with_part(data: bytes, old: bytes, new: bytes) -> bytes:
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            part = source.read(name)
            target.writestr(name, part.replace(old, new) if "sheet" in name else part)
    return changed.getvalue()


def test_a_workbook_is_read_with_its_types() -> None:
    table = read(workbook([HEADER, ROW, ["6.5", "B", 2.0, "<0.5"], [7, "A", date(2026, 1, 31), 1]]))

    assert table.frame["pH"].tolist() == [7.5, 6.5, 7.0]
    assert table.frame["day"].tolist() == ["1", "2", "2026-01-31"]
    assert [m.qualifier for m in table.observations.measurements] == ["=", "<", "="]
    assert table.sheet == "runs"


@pytest.mark.requirement("DI-11")
@pytest.mark.parametrize(
    ("cell", "complaint"),
    [
        (datetime(2026, 5, 1), "the cell holds the date 2026-05-01: spreadsheets turn 1.5"),
        (date(2026, 5, 1), "the cell holds the date 2026-05-01"),
        (True, "expected a number, got 'True', which is true or false"),
        (datetime(2026, 5, 1).time(), "time of day"),
        ("=1+1", "the formula has no stored value"),
        ("#DIV/0!", "expected a number, got '#DIV/0!'"),
    ],
)
def test_a_workbook_cell_that_is_no_number_is_refused(cell: Any, complaint: str) -> None:
    with pytest.raises(TableError) as caught:
        read(workbook([HEADER, [cell, "A", 1, 3]]))
    assert caught.value.problems[0].startswith("runs.csv, sheet 'runs', row 2, column 'pH': ")
    assert complaint in caught.value.problems[0]


def test_a_formula_is_read_by_its_stored_value() -> None:
    data = workbook([HEADER, ["=5+2.5", "A", 1, 3]])
    computed = _with_part(data, b"<f>5+2.5</f><v />", b"<f>5+2.5</f><v>7.5</v>")
    assert computed != data
    assert read(computed).frame["pH"].tolist() == [7.5]


def test_merged_cells_hold_for_each_row_but_a_result_is_measured_once() -> None:
    rows = [HEADER, [7.5, "A", 1, 3], [None, "A", 1, 4]]
    table = read(workbook(rows, lambda _, sheet: sheet.merge_cells("A2:A3")))
    assert table.frame["pH"].tolist() == [7.5, 7.5]
    assert "the cells A2:A3 are merged: their value is taken for each row" in table.notes[0]

    rows = [HEADER, [7.5, "A", 1, 3], [7.5, "A", 1, None]]
    with pytest.raises(TableError, match="the cells D2:D3 are merged: part them"):
        read(workbook(rows, lambda _, sheet: sheet.merge_cells("D2:D3")))
    with pytest.raises(TableError, match="the cells A2:B2 are merged"):
        read(workbook(rows, lambda _, sheet: sheet.merge_cells("A2:B2")))


def test_the_sheet_is_found_by_its_columns_or_named() -> None:
    def more(book: Any, _: Any) -> None:
        book.create_sheet("about").append(["fact", "value"])
        book.create_sheet("empty")

    data = workbook([HEADER, ROW], more)
    assert read(data).sheet == "runs"
    with pytest.raises(TableError, match="has no sheet 'Runs'; its sheets are"):
        read(data, sheet="Runs")

    def copy(book: Any, sheet: Any) -> None:
        book.copy_worksheet(sheet).title = "again"

    twice = workbook([HEADER, ROW], copy)
    with pytest.raises(TableError, match=r"\['runs', 'again'\] could be meant: name the sheet"):
        read(twice)
    assert read(twice, sheet="again").sheet == "again"


def test_a_workbook_by_another_name_is_known_by_its_content() -> None:
    assert read(workbook([HEADER, ROW]), name="runs.txt").n_rows == 1
    with pytest.raises(TableError, match="is no Excel workbook, whatever its name says"):
        read(b"pH;resin\n", name="runs.xlsx")


_texts = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=8
).map(str.strip)
_formulas = st.sampled_from(
    ["=1+1", "+1", "-1", "@a", "'=1", "''-x", "=cmd|' /C calc'!A0", "\N{FULLWIDTH EQUALS SIGN}1"]
)
_levels = (_texts | _formulas).filter(lambda text: text and "`" not in text and text.isprintable())


@pytest.mark.requirement("DI-9")
@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@given(data=st.data())
@settings(max_examples=20)
def test_a_written_table_is_read_back_the_same(
    suffix: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    levels = tuple(data.draw(st.lists(_levels, min_size=2, max_size=4, unique=True)))
    name = data.draw(st.sampled_from(["glucose", "Mg2+", "=x", "-a [b]", "a, b", "größe (x)"]))
    space = FactorSpace((ContinuousFactor(name, 0, 1, "g/L"), CategoricalFactor("resin", levels)))
    response = Response("titre", "mg/mL")
    n = data.draw(st.integers(1, 4))
    numbers = st.floats(allow_nan=False, allow_infinity=False)
    frame = pd.DataFrame(
        {
            "run": [f"R{i}" for i in range(n)],
            name: [data.draw(numbers) for _ in range(n)],
            "resin": [data.draw(st.sampled_from(levels)) for _ in range(n)],
            "titre": [data.draw(numbers | st.just(np.nan)) for _ in range(n)],
        }
    )
    path = tmp_path_factory.mktemp("tables") / f"t.{suffix}"

    units = {name: "g/L", "titre": "g/L"}
    write_table(path, frame, units=units, title="= a title", metadata={"lot": "-7", "n": n})
    again = read_table(path, space=space, responses=(response,)).frame

    pd.testing.assert_frame_equal(again, frame, check_exact=True, check_dtype=False)


@pytest.mark.requirement("DI-14")
@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "\N{FULLWIDTH EQUALS SIGN}1"]
)
def test_text_is_never_written_as_a_formula(text: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({text: [text], "number": [-1.5], "plain": ["a-b"]})
    for suffix in ("csv", "xlsx"):
        write_table(tmp_path / f"t.{suffix}", frame, title=text, metadata={text: text})

    content = (tmp_path / "t.csv").read_bytes().decode("utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(content, newline="")) for cell in row]
    assert "-1.5" in cells
    assert "a-b" in cells
    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    found = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [cell for cell in found if cell.data_type == "f"]
    assert book["runs"]["B2"].value == -1.5
    for written in [*cells, *(cell.value for cell in found if isinstance(cell.value, str))]:
        assert written == "-1.5" or not written.startswith(
            ("=", "+", "-", "@", "\t", "\r", "\N{FULLWIDTH EQUALS SIGN}")
        )


def test_a_written_workbook_has_a_bold_header_that_stays_in_view(tmp_path: Path) -> None:
    write_table(tmp_path / "t.xlsx", pd.DataFrame({"pH": [7.0]}), units={"pH": "1"})
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx")["runs"]
    assert (sheet["A1"].value, sheet["A1"].font.bold, sheet.freeze_panes) == ("pH [1]", True, "A2")


def test_a_table_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_table(path, pd.DataFrame({"pH": [7.0]}))
    before = path.read_bytes()
    with pytest.raises(TableError, match=r"'t\.csv', row 3: inf cannot be written"):
        write_table(path, pd.DataFrame({"pH": [7.0, np.inf]}))
    with pytest.raises(TableError, match=r"must end in \.csv or \.xlsx"):
        write_table(tmp_path / "t.parquet", pd.DataFrame({"pH": [7.0]}))
    with pytest.raises(TableError, match="control characters"):
        write_table(tmp_path / "t.xlsx", pd.DataFrame({"a": ["\x01"]}))
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["t.csv"]


def test_an_index_of_runs_is_the_first_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"pH": [7.0]}, index=pd.Index(["R1"]))
    write_table(tmp_path / "t.csv", frame)
    assert (tmp_path / "t.csv").read_bytes().decode("utf-8-sig") == "run,pH\r\nR1,7.0\r\n"


@pytest.mark.requirement("DI-11")
@given(content=st.binary(max_size=300), name=st.sampled_from(["a.csv", "a.xlsx", "a"]))
@settings(max_examples=100)
def test_any_bytes_are_a_table_or_refused(content: bytes, name: str) -> None:
    try:
        read(content, name=name)
    except TableError as error:
        assert name in str(error)  # noqa: PT017  # either way is right


_cells = st.sampled_from(
    [*("", "7", "7,5", "1,234", "n/a", "<5", "A", "B", "=1", "'x", '"', "\n", "µ", "1e999"), "-"]
) | st.text(max_size=4)


@pytest.mark.requirement("DI-11")
@given(
    rows=st.lists(st.lists(_cells, max_size=6), max_size=5),
    header=st.permutations([*HEADER, "run", "time [h]", "replicate", "pH (actual)"]),
    separator=st.sampled_from(",;\t"),
)
@settings(max_examples=150)
def test_any_cells_are_taken_or_refused(
    rows: list[list[str]], header: list[str], separator: str
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator).writerows([header[:6], *rows])
    try:
        table = read(text.getvalue().encode("utf-8", "ignore"))
    except TableError as error:
        assert "runs.csv" in str(error)  # noqa: PT017  # either way is right
        return
    assert table.observations.target.notna().all(axis=None)


@pytest.mark.requirement("DI-11")
def test_a_damaged_workbook_is_read_or_refused() -> None:
    """A byte changed, a part cut out, or the end missing: 120 ways."""
    data = workbook([HEADER, ROW, ["7", "B", None, "<3"]])
    draw = random.Random(1)
    for _ in range(120):
        changed = bytearray(data)
        for _ in range(draw.randint(1, 3)):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        cut = bytes(changed[: draw.choice([len(changed), draw.randrange(len(changed))])])
        try:
            read(b"PK\x03\x04" + cut[4:])
        except TableError as error:
            assert "runs.csv" in str(error)  # noqa: PT017  # either way is right


@pytest.mark.requirement("DI-11")
def test_a_workbook_with_damaged_parts_is_read_or_refused() -> None:
    """Inside the archive, where no checksum protects the parts."""
    data = workbook([HEADER, ROW, ["7", "B", None, "<3"]])
    draw = random.Random(2)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for _ in range(120):
        changed = dict(parts)
        name = draw.choice(sorted(parts))
        part = bytearray(parts[name])
        for _ in range(draw.randint(1, 4)):
            place = draw.randrange(len(part))
            part[place : place + draw.randint(0, 3)] = draw.choice(string.printable).encode()
        changed[name] = bytes(part)
        if draw.random() < 0.1:
            del changed[draw.choice(sorted(parts))]
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            for each, content in changed.items():
                archive.writestr(each, content)
        try:
            read(made.getvalue())
        except TableError as error:
            assert "runs.csv" in str(error)  # noqa: PT017  # either way is right


@pytest.mark.parametrize("words", ["mode: research, one, two", 'a "quoted" word', "plain"])
def test_other_programs_skip_what_stands_above_the_header_of_a_csv_file(tmp_path, words):
    path = tmp_path / "out.csv"
    table = pd.DataFrame({"pH": [6.8, 7.2], "note": ["a, b", 'c "d"']})

    write_table(path, table, title="Runs, all of them", metadata={"mode": words})

    pd.testing.assert_frame_equal(pd.read_csv(path, comment="#"), table)
