"""A table is taken whole with its units and qualifiers, or refused with all that is wrong."""

import math
from pathlib import Path
from typing import Any

import pytest

from doe.errors import TableError
from doe.factors import (
    BlockFactor,
    CategoricalFactor,
    Context,
    ContinuousFactor,
    Covariate,
    DiscreteFactor,
    MixtureComponent,
)
from doe.responses import AnyResponse, Response
from doe.space import FactorSpace
from doe.tables import TableImport, read_table

SPACE = FactorSpace(
    (
        ContinuousFactor("pH", 6.6, 7.4),
        ContinuousFactor("temperature", 30, 38, "degC", aliases=("Temp",)),
        DiscreteFactor("impellers", (1, 2, 3)),
        CategoricalFactor("resin", ("MabSelect", "Protein A", "n/a")),
        Context("scale", ("2 L", "200 L")),
        BlockFactor("day"),
        Covariate("harvest time", "h", low=0, high=400),
    )
)
RESPONSES = (
    Response("titre", "g/L", detection_limit=0.05, aliases=("Titer",)),
    Response("passed", kind="pass_fail"),
)
HEADER = "pH;Temp [°F];impellers;resin;scale;day;harvest time [d];Titer [mg/mL];passed"
ROW = "7.0;98.6;2;Protein A;2 L;1;10;3.5;pass"


def read(
    text: str,
    *,
    space: FactorSpace = SPACE,
    responses: tuple[AnyResponse, ...] = RESPONSES,
    **options: Any,
) -> TableImport:
    return read_table(
        "runs.csv", space=space, responses=responses, content=text.encode(), **options
    )


def problems(text: str, **options: Any) -> tuple[str, ...]:
    with pytest.raises(TableError) as caught:
        read(text, **options)
    assert all(problem.startswith("runs.csv") for problem in caught.value.problems)
    return caught.value.problems


def cell(column: str, content: str) -> str:
    """A table of one row in which one cell is replaced."""
    headers, cells = HEADER.split(";"), ROW.split(";")
    cells[next(i for i, header in enumerate(headers) if header.startswith(column))] = content
    return f"{HEADER}\n{';'.join(cells)}\n"


@pytest.mark.requirement("DI-11")
def test_columns_are_found_by_name_or_alias_and_their_units_converted() -> None:
    table = read(f"{HEADER}\n{ROW}\n")

    observations = table.observations
    assert observations.target.iloc[0].to_dict() == {
        "pH": 7.0,
        "temperature": 37.0,
        "impellers": 2.0,
        "resin": "Protein A",
    }
    assert observations.recorded.loc["1"].to_dict() == {
        "scale": "2 L",
        "day": "1",
        "harvest time": 240.0,
    }
    assert [(m.response, m.value) for m in observations.measurements] == [
        ("titre", 3.5),
        ("passed", 1.0),
    ]
    assert table.columns["Titer [mg/mL]"] == "titre"
    assert table.conversions == {"Temp [°F]": "°F to degC", "harvest time [d]": "d to h"}
    assert table.frame["temperature"].tolist() == [37.0]
    assert (table.file_name, table.n_rows, len(table.sha256)) == ("runs.csv", 1, 64)
    assert any("column 'Temp [°F]': converted from °F to degC" in note for note in table.notes)


@pytest.mark.parametrize(
    "header",
    [
        *("temperature", "Temp", "TEMPERATURE", " temperature ", "Temp [degC]", "temp (°C)"),
        *("Temperature, °C", "Temperature / °C", "Temp in °C", "temperature [degC]"),
    ],
)
def test_a_header_may_be_written_in_the_usual_ways(header: str) -> None:
    assert read(f"{HEADER}\n{ROW}\n".replace("Temp [°F]", header)).frame["temperature"][0] == 98.6


def test_an_explicit_mapping_and_unit_stand_above_the_header() -> None:
    text = f"{HEADER}\n{ROW}\n".replace("Temp [°F]", "T1 (K)")
    assert "no column for the factor 'temperature'" in problems(text)[0]

    by_header = read(text, mapping={"T1 (K)": "temperature"})
    assert by_header.frame["temperature"][0] == pytest.approx(98.6 - 273.15)
    stated = read(text, mapping={"T1 (K)": "temperature"}, units={"T1 (K)": "degF"})
    assert stated.frame["temperature"][0] == 37.0
    assert read(text, mapping={"T1 (K)": "temperature"}, units={"temperature": "degF"}).frame[
        "temperature"
    ][0] == pytest.approx(37.0)


def test_a_mapping_to_what_is_not_there_is_refused_with_the_nearest_name() -> None:
    text = f"{HEADER}\n{ROW}\n"
    assert "did you mean 'pH'?" in problems(text, mapping={"pH ": "ph2", "PH": "pH"})[-1]
    assert "did you mean 'titre'?" in problems(text, mapping={"Titer [mg/mL]": "tire"})[0]
    assert "did you mean 'resin'?" in problems(text, units={"resine": "g"})[0]


@pytest.mark.requirement("DI-11")
def test_a_unit_that_is_unknown_or_measures_something_else_is_refused() -> None:
    text = f"{HEADER}\n{ROW}\n"
    unknown = problems(text.replace("[°F]", "[frobs]"))
    assert "runs.csv, row 1, column 'Temp [frobs]': Unit 'frobs' is not known" in unknown[0]
    other = problems(text.replace("[mg/mL]", "[mM]"))
    assert "Unit 'mM' (millimolar) does not convert to 'g/L' (gram / liter)" in other[0]
    assert "units={'Titer [mM]': 'g/L'}" in other[0]


@pytest.mark.requirement("ANA-14")
@pytest.mark.parametrize(
    ("content", "value", "qualifier"),
    [
        ("<0.5", 0.5, "<"),
        ("< 0.5", 0.5, "<"),
        ("≤0.5", 0.5, "<"),
        ("<=0.5", 0.5, "<"),
        (">100", 100.0, ">"),
        ("≥ 100", 100.0, ">"),
        ("<LOQ", 0.05, "<"),
        ("BLQ", 0.05, "<"),
        ("1.5e3", 1500.0, "="),
        ("\u22120.25", -0.25, "="),
        (" 3.5\u00a0", 3.5, "="),
    ],
)
def test_a_result_keeps_its_qualifier(content: str, value: float, qualifier: str) -> None:
    found = read(cell("Titer", content)).observations.measurements[0]
    assert (found.response, found.value, found.qualifier) == ("titre", value, qualifier)


@pytest.mark.requirement("ANA-14")
@pytest.mark.parametrize("content", ["", "n/a", "NA", "-", "–", "NaN", "#N/A", "  "])
def test_an_empty_result_is_a_value_not_measured(content: str) -> None:
    table = read(cell("Titer", content))
    assert [m.response for m in table.observations.measurements] == ["passed"]
    assert math.isnan(table.frame["titre"][0])


@pytest.mark.requirement("DI-11")
@pytest.mark.parametrize(
    ("column", "content", "complaint"),
    [
        ("pH", "", "run '1' has no value here"),
        ("pH", "abc", "expected a number, got 'abc'"),
        ("pH", "7.0 mM", "expected a number, got '7.0 mM'"),
        ("pH", "<7", "'<' and '>' are allowed for responses only"),
        ("pH", "TRUE", "expected a number, got 'TRUE'"),
        ("pH", "01.05.2024", "looks like a date"),
        ("pH", "7. May", "looks like a date"),
        ("pH", "inf", "expected a number, got 'inf'"),
        ("pH", "1e999", "expected a finite number"),
        ("pH", "=7+1", "expected a number, got '=7+1'"),
        ("pH", "7,0", "expected a number"),
        ("impellers", "2.5", "2.5 is no level of 'impellers': did you mean 2? Expected 1, 2, 3"),
        ("resin", "Protien A", "is no level of 'resin': did you mean 'Protein A'? Expected"),
        ("resin", "protein a", "did you mean 'Protein A'?"),
        ("scale", "2L", "did you mean '2 L'?"),
        ("scale", "", "every run needs its setting, block and context"),
        ("day", "n/a", "every run needs its setting, block and context"),
        ("Titer", "n.d.", "not detected or not determined"),
        ("Titer", "about 3", "expected a number, got 'about 3'"),
        ("Titer", "<x", "expected a number, got 'x'"),
        ("passed", "maybe", "expected pass or fail (1 or 0), got 'maybe'"),
    ],
)
def test_a_cell_that_does_not_fit_is_refused_with_its_place(
    column: str, content: str, complaint: str
) -> None:
    found = problems(cell(column, content), decimal=".")
    header = next(name for name in HEADER.split(";") if name.startswith(column))
    assert found[0].startswith(f"runs.csv, row 2, column '{header}': ")
    assert complaint in found[0]
    assert len(found) == 1


@pytest.mark.requirement("DI-11")
def test_all_problems_of_a_file_are_listed_at_once() -> None:
    rows = [
        "acid;98.6;2;Protein A;2 L;1;10;3.5;pass",
        ROW,
        "7.0;hot;4;Protein A;2 L;1;10;n.d.;pass",
    ]
    with pytest.raises(TableError) as caught:
        read("\n".join([HEADER.replace("scale", "scael"), *rows]))

    places = [problem.split(": ")[0] for problem in caught.value.problems]
    assert places == [
        "runs.csv, row 2, column 'pH'",
        "runs.csv, row 4, column 'Temp [°F]'",
        "runs.csv, row 4, column 'impellers'",
        "runs.csv, row 4, column 'Titer [mg/mL]'",
    ]
    assert "'runs.csv' has 4 problems; nothing was taken from it:" in str(caught.value)


def test_a_level_that_looks_like_a_missing_value_is_the_level() -> None:
    assert read(cell("resin", "n/a")).frame["resin"][0] == "n/a"


def test_a_missing_column_names_the_header_that_may_be_meant() -> None:
    found = problems(f"{HEADER}\n{ROW}\n".replace("resin", "resine"))
    assert len(found) == 1
    assert "no column for the factor 'resin': did you mean 'resine'?" in found[0]


def test_two_columns_for_one_factor_are_refused_and_unknown_ones_are_named() -> None:
    found = problems(f"{HEADER};ph;note;note\n{ROW};7;x;y\n")
    assert len(found) == 1
    assert "columns A 'pH' and J 'ph' both hold 'pH'" in found[0]

    table = read(f"{HEADER};note;;note\n{ROW};x;y;z\n")
    assert table.ignored == ("note", "column K (no header)", "note")
    assert "runs.csv: not read: note, column K (no header), note" in table.notes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,5;0,25", [1.5, 0.25]),
        ("1.5;0.25", [1.5, 0.25]),
        ("1.234,5;0,25", [1234.5, 0.25]),
        ("1 234,5;2", [1234.5, 2.0]),
        ("1'234.5;2", [1234.5, 2.0]),
        ("1,234,567;2.5", [1234567.0, 2.5]),
        ("7,125;0,5", [7.125, 0.5]),
        ("7.125;3", [7.125, 3.0]),
    ],
)
def test_the_decimal_sign_is_found_from_the_whole_table(text: str, expected: list[float]) -> None:
    assert _two(text).frame[["a", "y"]].iloc[0].tolist() == expected


@pytest.mark.requirement("DI-11")
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1,234;5", "'1,234' can mean two numbers"),
        ("1.234;0,5", "'1.234' can mean two numbers"),
        ("1,5;2.5", "'1,5' has a decimal comma, but '2.5' in row 2, column 'y', a decimal point"),
        ("12,34,567;2.5", "expected a number, got '12,34,567'"),
    ],
)
def test_a_number_that_can_mean_two_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(TableError) as caught:
        _two(text)
    assert complaint in caught.value.problems[0]


def test_a_person_may_say_which_sign_stands_before_the_decimals() -> None:
    assert _two("1,234;5", decimal=",").frame["a"][0] == 1.234
    assert _two("1,234;5", decimal=".").frame["a"][0] == 1234.0


def _two(row: str, **options: Any) -> TableImport:
    space = FactorSpace((ContinuousFactor("a", 0, 1e7),))
    return read(f"a;y\n{row}\n", space=space, responses=(Response("y"),), **options)


def test_an_unquoted_decimal_comma_in_a_comma_separated_file_is_refused() -> None:
    space = FactorSpace((ContinuousFactor("a", 0, 10),))
    found = problems("a,y\n1,5,2\n", space=space, responses=(Response("y"),))
    assert "runs.csv, row 2: 3 cells below 2 headers" in found[0]


@pytest.mark.requirement("ANA-14")
def test_settings_outside_the_range_and_constraints_not_met_are_noted_and_kept() -> None:
    space = FactorSpace((MixtureComponent("water", 0.2, 0.9), MixtureComponent("buffer", 0, 0.8)))
    table = read("water;buffer\n0.5;0.5\n0.95;0.2\n", space=space, responses=())
    assert table.notes == (
        "runs.csv, row 3, column 'water': 0.95 is outside the range of 'water', 0.2 to 0.9; the "
        "row is kept",
        "runs.csv, row 3: the settings do not meet water + buffer = 1; the row is kept",
    )
    assert table.n_rows == 2


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"absent\.csv' cannot be opened"):
        read_table(tmp_path / "absent.csv", space=SPACE, responses=())
