"""The rows of a table become runs, determinations and time courses; contradictions are shown."""

from collections.abc import Mapping

import pandas as pd
import pytest

from doe.documents import from_document, to_document
from doe.errors import TableError
from doe.factors import BlockFactor, ContinuousFactor, Covariate
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from doe.tables import TableImport
from tests.doe.test_tables import problems, read

FEW = FactorSpace((ContinuousFactor("pH", 6, 8), BlockFactor("day")))
TITRE = (Response("titre", "g/L", time_unit="h"), Response("hcp", "ppm"))


@pytest.mark.requirement("ANA-14")
def test_rows_of_one_run_are_repeated_determinations_and_may_leave_out_the_settings() -> None:
    text = "run;pH;day;titre;hcp\nA;7;1;3.0;10\nB;7;1;3.2;\nA;;;3.1;\n"
    table = read(text, space=FEW, responses=TITRE)

    assert table.observations.runs == ("A", "B")
    assert [(m.run, m.value, m.replicate) for m in table.observations.measurements] == [
        ("A", 3.0, 1),
        ("A", 10.0, 1),
        ("B", 3.2, 1),
        ("A", 3.1, 2),
    ]


@pytest.mark.requirement("DI-11")
def test_a_run_that_stands_twice_with_different_settings_is_refused() -> None:
    text = "run;pH;day;titre\nA;7;1;3\nB;7;1;3\nA;7.2;2;3\n"
    assert problems(text, space=FEW, responses=TITRE) == (
        "runs.csv, row 4, column 'pH': run 'A' has 7 in row 2, but 7.2 here: give each run its "
        "own name, or correct the cell",
        "runs.csv, row 4, column 'day': run 'A' has '1' in row 2, but '2' here: give each run its "
        "own name, or correct the cell",
    )


def test_blocks_that_nobody_filled_in_are_one_problem_with_their_rows() -> None:
    rows = "".join(f"{run};7;{'1' if run == 5 else ''};3\n" for run in range(1, 17))
    found = problems(f"run;pH;day;titre\n{rows}", space=FEW, responses=TITRE)
    assert len(found) == 1
    assert "rows 2 to 5, 7 to 17, column 'day': 15 runs have no value here" in found[0]


def test_a_replicate_number_that_is_used_twice_is_refused() -> None:
    text = "run;pH;day;replicate;titre\nA;7;1;1;3\nA;7;1;1;4\nA;7;1;x;4\nA;7;1;0;4\n"
    found = problems(text, space=FEW, responses=TITRE)
    assert any("row 3, column 'titre'" in each and "in row 2 already" in each for each in found)
    assert any("row 4, column 'replicate': expected a number" in each for each in found)
    assert any("row 5, column 'replicate': expected 1, 2, 3" in each for each in found)


def test_a_replicate_column_without_runs_makes_no_determinations_of_one_run() -> None:
    text = "pH;day;replicate;titre\n7;1;1;3\n7;1;2;4\n"
    table = read(text, space=FEW, responses=TITRE)
    assert [(m.run, m.replicate) for m in table.observations.measurements] == [("1", 1), ("2", 1)]
    assert any("a column 'replicate' without a column 'run'" in note for note in table.notes)


def test_achieved_settings_stand_beside_the_ones_asked_for() -> None:
    text = "run;pH;pH (actual);day;titre\nA;7;7.04;1;3\nB;7;;1;3\n"
    observations = read(text, space=FEW, responses=TITRE).observations
    assert observations.target["pH"].tolist() == [7.0, 7.0]
    assert observations.settings()["pH"].tolist() == [7.04, 7.0]

    hot = FactorSpace((ContinuousFactor("T", 30, 40, "degC"),))
    text = "T [degF];T [degF] (actual);T (actual) [K]\n98.6;99.5;310.15\n"
    assert "both hold 'T'" in problems(text, space=hot, responses=())[0]
    table = read(text.replace("T (actual) [K]", "x"), space=hot, responses=())
    assert table.observations.actual["T"].tolist() == [37.5]


def test_a_time_course_has_a_row_per_sample() -> None:
    text = "run;pH;day;time [d];titre;hcp\nA;7;1;0;0.1;\nA;7;1;2;1.5;\nA;7;1;5;3;80\n"
    observations = read(text, space=FEW, responses=TITRE).observations
    assert [(m.response, m.time, m.value) for m in observations.measurements] == [
        ("titre", 0.0, 0.1),
        ("titre", 48.0, 1.5),
        ("titre", 120.0, 3.0),
        ("hcp", 120.0, 80.0),
    ]
    assert observations.values("titre")["value"].tolist() == [3.0]


def test_a_value_of_a_time_course_without_its_time_is_refused() -> None:
    text = "run;pH;day;time [d];titre\nA;7;1;0;0.1\nA;7;1;;1.5\n"
    found = problems(text, space=FEW, responses=TITRE)
    assert "row 3, column 'titre'" in found[0]
    assert "with a time and without one" in found[0]


def test_a_long_table_names_the_response_in_each_row() -> None:
    text = (
        "run;pH;day;response;value;unit;time [h]\n"
        "A;7;1;titre;500;mg/L;24\nA;;;titre;<1.5;g/L;48\nA;;;hcp;80;;48\n"
    )
    observations = read(text, space=FEW, responses=TITRE).observations
    assert [(m.response, m.qualifier, m.value, m.time) for m in observations.measurements] == [
        ("titre", "=", 0.5, 24.0),
        ("titre", "<", 1.5, 48.0),
        ("hcp", "=", 80.0, 48.0),
    ]
    found = problems(text.replace("hcp;80", "hpc;80"), space=FEW, responses=TITRE)
    assert "row 4, column 'response': 'hpc' is no response: did you mean 'hcp'?" in found[0]


def test_labels_of_blocks_are_texts_as_people_see_them() -> None:
    frame = read("pH;day\n7;0\n7;0.0\n7;01\n7;day 2\n", space=FEW, responses=()).frame
    assert frame["day"].tolist() == ["0", "0.0", "01", "day 2"]


BY2 = FactorSpace(
    (
        *(ContinuousFactor(name, 0, 200, "mM") for name in ("phosphate", "NO3-", "NH4+")),
        ContinuousFactor("sucrose", 20, 175, "mM"),
        ContinuousFactor("start wet mass", 5, 22, "g/L"),
        Covariate(
            "culture time",
            "h",
            low=0,
            expression="(`wet mass` - `start wet mass`) / `growth rate`",
        ),
        BlockFactor("batch"),
    )
)
GROWTH = (Response("growth rate", "g/(L h)", aliases=("wet mass increase",)), Response("wet mass"))
MEDIUM = (
    "phosphate [mM],NO3- [mM],NH4+ [mM],Sucrose [mM],start wet mass [g/L],"
    "wet mass increase [g/(hL)],wet mass,batch\n"
    "13.13,115.04,5.0,127.61,22.0,0.178888244481463,4.13,1\n"
    "2.78,34.18,5.0,54.76,18.42,1.1715,212.18,3\n"
    "2.78,34.18,5.0,54.76,18.42,0.779,63.78,6\n"
)


def _medium(units: Mapping[str, str] | None = None) -> TableImport:
    return read(MEDIUM, space=BY2, responses=GROWTH, units=units)


@pytest.mark.requirement("DI-11")
def test_a_derived_covariate_is_computed_and_an_impossible_one_pointed_out() -> None:
    """Leyendecker et al. (2025), plant cell medium: runs 13, 22 and 33 of the published table."""
    table = _medium({"wet mass increase [g/(hL)]": "g/(L h)"})

    times = table.observations.recorded["culture time"]
    assert times.tolist() == pytest.approx([-99.89, 165.39, 58.23], abs=0.005)
    assert table.notes == (
        "runs.csv, row 2: culture time is -99.89 h, below 0 h: wet mass 4.13, start wet mass 22 "
        "g/L and growth rate 0.1789 g/(L h) contradict each other; the row is kept",
    )
    assert table.n_rows == 3


def test_a_unit_that_pint_reads_otherwise_is_refused_until_a_person_says_what_is_meant() -> None:
    """hL is hectolitre; the published header means per hour and litre."""
    with pytest.raises(TableError, match=r"'g/\(hL\)' \(gram / hectoliter\) does not convert"):
        _medium()


def test_a_covariate_with_a_column_is_taken_from_it() -> None:
    header, *rows = MEDIUM.splitlines()
    text = "\n".join([f"{header},culture time [d]", *(f"{row},7" for row in rows)])
    table = read(text, space=BY2, responses=GROWTH, units={"wet mass increase [g/(hL)]": "g/(L h)"})
    assert table.observations.recorded["culture time"].tolist() == [168.0] * 3


def test_an_import_can_be_kept_as_a_document() -> None:
    table = _medium({"growth rate": "g/(L h)"})
    again = from_document(TableImport, to_document(table))
    pd.testing.assert_frame_equal(again.frame, table.frame)
    assert again.sha256 == table.sha256
    assert isinstance(again.observations, Observations)
