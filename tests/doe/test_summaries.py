"""Time courses summarised to one number per run, and responses derived from others."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from doe.errors import InvalidValueError, UnknownNameError
from doe.responses import At, DerivedResponse, Response
from doe.runs import Measurement, Observations
from tests.doe.wide_runs import SPACE, TITRE, read, table


def course(summary: Any, *samples: Any, **options: Any) -> pd.DataFrame:
    """Return the values of one run's time course; samples are time, value and further parts."""
    made = Observations(
        SPACE,
        (Response("titre", summary=summary, **options),),
        *(table(x=[0])[list(SPACE.names)].set_axis(["run"]) for _ in range(2)),
        pd.DataFrame(index=["run"]),
        tuple(
            Measurement("run", "titre", value, time=time, **(rest[0] if rest else {}))
            for time, value, *rest in samples
        ),
    )
    return made.values("titre")


@pytest.mark.parametrize(
    ("summary", "value"),
    [
        ("end", 4.0),
        ("max", 6.0),
        ("integral", 0.5 * (0 + 6) * 2 + 0.5 * (6 + 4) * 1),
        (At(1.0, "h"), 3.0),
        (At(150.0, "min"), 5.0),
        (At(3 / 24, "d"), 4.0),
        (At(0.0, "h"), 0.0),
    ],
)
@pytest.mark.requirement("ANA-14")
def test_a_time_course_becomes_the_number_asked_for(summary, value):
    values = course(summary, (3.0, 4.0), (0.0, 0.0), (2.0, 6.0))

    assert values["value"].tolist() == pytest.approx([value])
    assert values["qualifier"].tolist() == ["="]


@pytest.mark.parametrize(
    ("summary", "samples"),
    [
        (At(4.0, "h"), [(0.0, 1.0), (3.0, 2.0)]),
        (At(0.0, "h"), [(1.0, 1.0), (3.0, 2.0)]),
        ("integral", [(1.0, 1.0)]),
    ],
)
def test_nothing_is_extrapolated(summary, samples):
    assert course(summary, *samples).empty


LOW, HIGH = {"qualifier": "<"}, {"qualifier": ">"}


@pytest.mark.requirement("ANA-14")
@pytest.mark.parametrize(
    ("summary", "samples", "expected"),
    [
        ("end", [(0, 1.0), (1, 0.5, LOW)], [0.5, "<"]),
        ("end", [(0, 0.5, LOW), (1, 1.0)], [1.0, "="]),
        ("max", [(0, 0.5, LOW), (1, 1.0)], [1.0, "="]),
        ("max", [(0, 0.5, LOW), (1, 0.4)], [0.5, "<"]),
        ("max", [(0, 0.5, HIGH), (1, 1.0)], [1.0, ">"]),
        ("integral", [(0, 0.5, LOW), (2, 1.5)], [2.0, "<"]),
        (At(1, "h"), [(0, 0.5, LOW), (2, 1.5), (4, 9.0, HIGH)], [1.0, "<"]),
        (At(2, "h"), [(0, 0.5, LOW), (2, 1.5), (4, 9.0, HIGH)], [1.5, "="]),
    ],
)
def test_a_summary_of_limits_is_a_limit_on_the_same_side(summary, samples, expected):
    values = course(summary, *samples)

    assert values[["value", "qualifier"]].to_numpy().tolist() == [expected]


def test_an_integral_of_limits_on_both_sides_is_not_known():
    assert course("integral", (0, 0.5, LOW), (2, 9.0, HIGH)).empty


def test_replicate_courses_are_kept_apart_and_share_the_times_that_one_lacks():
    second = {"replicate": 2}
    samples = [(0.0, 0.0), (1.0, 2.0), (2.0, 6.0), (2.0, 8.0, second)]

    assert course("end", *samples)["value"].tolist() == [6.0, 8.0]
    assert course("integral", *samples)["value"].tolist() == [5.0, 6.0]


def test_the_error_of_an_integral_is_that_of_its_weighted_samples():
    known = course("integral", (0, 1.0, {"sd": 0.3}), (2, 2.0, {"sd": 0.4}))
    by_method = course("integral", (0, 1.0), (2, 2.0), method_sd=0.1)
    unknown = course("integral", (0, 1.0), (2, 2.0, {"sd": 0.4}))

    assert known["sd"].tolist() == pytest.approx([0.5])
    assert by_method["sd"].tolist() == pytest.approx([0.1 * np.sqrt(2)])
    assert unknown["sd"].isna().all()


def test_values_with_and_without_a_time_cannot_be_mixed():
    with pytest.raises(InvalidValueError, match="with and without a time"):
        course("end", (None, 1.0), (1.0, 2.0, {"replicate": 2}))


def test_a_time_unit_that_is_no_time_is_refused():
    with pytest.raises(InvalidValueError, match="Summary of 'titre'"):
        course(At(1.0, "g"), (0.0, 1.0), (2.0, 3.0))


def test_a_table_with_times_holds_a_time_course_per_run():
    made = read(
        Response("titre", summary="integral"),
        titre=[0.0, 2.0, 1.0],
        time=[0.0, 2.0, 0.0],
        run=["a", "a", "b"],
    )

    assert made.values("titre")[["run", "value"]].to_numpy().tolist() == [["a", 2.0]]


@pytest.mark.requirement("ANA-14")
def test_a_derived_response_is_computed_per_run_from_means_of_its_parts_and_settings():
    made = read(
        TITRE,
        Response("volume"),
        DerivedResponse("amount", "titre * volume + 0 * pH"),
        DerivedResponse("twice", "2 * amount"),
        titre=[3.0, 5.0, 2.0, None],
        volume=[10.0, 20.0, 1.0, 1.0],
        run=["a", "a", "b", "c"],
    )

    assert made.values("amount")[["run", "value"]].to_numpy().tolist() == [["a", 60.0], ["b", 2.0]]
    assert made.values("twice")["value"].tolist() == [120.0, 4.0]


@pytest.mark.requirement("ANA-14")
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("2 * titre", [[1.0, "<"]]),
        ("1 / titre", [[2.0, ">"]]),
        ("volume - titre", [[3.5, ">"]]),
        ("0 * titre + volume", [[4.0, "="]]),
        ("titre + hcp", []),
        ("titre / hcp", [[0.25, "<"]]),
        ("log(titre - 1)", []),
    ],
)
def test_what_is_derived_from_a_limit_is_a_limit_on_the_side_that_follows(expression, expected):
    """titre is below 0.5, hcp above 2, volume is 4."""
    made = read(
        TITRE,
        Response("volume"),
        Response("hcp"),
        DerivedResponse("derived", expression),
        titre=["<0.5"],
        volume=[4.0],
        hcp=[">2"],
    )

    assert made.values("derived")[["value", "qualifier"]].to_numpy().tolist() == expected


@pytest.mark.parametrize(
    ("derived", "message"),
    [
        ([("x", "2 * y"), ("y", "2 * x")], "defined by itself, through"),
        ([("x", "2 * day")], "'day', which holds text"),
        ([("x", "2 * tytre")], r"reads \['tytre'\]"),
    ],
)
def test_a_derived_response_that_cannot_be_computed_is_refused(derived, message):
    made = read(TITRE, *(DerivedResponse(*d) for d in derived), titre=[1.0], day=["Mon"])

    with pytest.raises(InvalidValueError, match=message):
        made.values("x")


def test_an_unknown_response_is_refused():
    with pytest.raises(UnknownNameError, match="No response is called 'hcp'"):
        read(titre=[1.0]).values("hcp")
