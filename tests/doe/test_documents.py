"""A written document is read back the same, and what does not fit is refused in its place."""

import dataclasses
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.constraints import Constraint, ForbiddenCombination, LinearConstraint
from doe.documents import document as document_module
from doe.documents import from_document, load_document, to_document
from doe.documents.shapes import document_fields, tag_of
from doe.errors import DocumentError
from doe.factors import CategoricalFactor, ContinuousFactor, ControlCapability, Factor
from doe.plots import Axis, Band, Bars, Line, Plot, Points, Surface
from doe.responses import AnyResponse, Objective, Single, Specification
from doe.runs import Design, Measurement, Observations
from doe.space import FactorSpace
from tests.doe import run_strategies, strategies

A_FACTOR = {"type": "continuous", "name": "pH", "low": 6.6, "high": 7.4}


def same(left: Any, right: Any) -> bool:
    """Whether two values are alike down to the types of numbers and columns."""
    if type(left) is not type(right):
        return False
    match left:
        case pd.DataFrame():
            return (
                left.equals(right)
                and left.index.equals(right.index)
                and list(left.dtypes) == list(right.dtypes)
            )
        case np.ndarray():
            return left.dtype == right.dtype and np.array_equal(left, right, equal_nan=True)
        case tuple() | list():
            return len(left) == len(right) and all(map(same, left, right))
        case Mapping():
            return set(left) == set(right) and all(same(left[key], right[key]) for key in left)
        case _ if dataclasses.is_dataclass(left):
            names = [field.name for field in dataclasses.fields(left)]
            return all(same(getattr(left, name), getattr(right, name)) for name in names)
        case _:
            return bool(left == right)


def _plots() -> st.SearchStrategy[Plot]:
    grid = np.array([0.0, 0.1 + 0.2, math.pi])
    missing = np.array([1e-300, math.nan, -0.0])
    layers = (
        Points("runs", grid, missing, names=("1", "2", "3"), error_low=missing),
        Line("limit", grid, grid, role="limit"),
        Band("95 %", grid, missing, grid),
        Bars("drivers", grid, grid, missing, grid),
        Surface("p", "", grid, grid[:2], np.outer(grid[:2], missing), 0.0, 1.0, (0.95,)),
    )
    axis = Axis("pH", "", 6.6, 7.4, "category", ("low", "high"))
    return st.lists(st.sampled_from(layers)).map(
        lambda chosen: Plot("Map", "See the edge.", axis, axis, tuple(chosen))
    )


VALUES: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "factor": (Factor, strategies.spaces().flatmap(lambda s: st.sampled_from(s.factors))),
    "constraint": (
        Constraint,
        strategies.spaces()
        .filter(lambda space: space.constraints)
        .flatmap(lambda space: st.sampled_from(space.constraints)),
    ),
    "factor space": (FactorSpace, strategies.spaces()),
    "response": (AnyResponse, run_strategies.all_responses().flatmap(st.sampled_from)),
    "specification": (Specification, run_strategies.specifications("titre")),
    "objective": (Objective, run_strategies.objectives(["titre", "hcp"])),
    "measurement": (Measurement, run_strategies.measurements("run 1", "titre", time=2.5)),
    "design": (Design, run_strategies.designs()),
    "observations": (Observations, run_strategies.observations()),
    "plot": (Plot, _plots()),
}


@pytest.mark.requirement("DI-9")
@pytest.mark.parametrize("kind", VALUES)
@given(data=st.data())
@settings(max_examples=12)
def test_what_is_written_is_read_back_the_same(kind: str, data: st.DataObject) -> None:
    cls, drawn = VALUES[kind]
    value = data.draw(drawn)

    text = json.dumps(to_document(value), allow_nan=False)

    assert same(from_document(cls, json.loads(text)), value)


@pytest.mark.requirement("DI-9")
@pytest.mark.parametrize("kind", ["factor space", "design", "observations"])
@given(data=st.data())
@settings(max_examples=10)
def test_the_canonical_form_of_a_document_loses_no_type_and_no_digit(
    kind: str, data: st.DataObject
) -> None:
    """RFC 8785 sorts the keys and writes 1.0 as 1; a column of such numbers stays numeric."""
    cls, drawn = VALUES[kind]
    value = data.draw(drawn)

    canonical = rfc8785.dumps(to_document(value))
    read = from_document(cls, json.loads(canonical))

    assert rfc8785.dumps(to_document(read)) == canonical
    for table in ("runs", "target", "actual", "recorded"):
        if hasattr(value, table):
            assert same(getattr(read, table), getattr(value, table))


def _dataclasses(module: str) -> list[type]:
    members = vars(import_module(module)).values()
    return [
        each
        for each in members
        if isinstance(each, type) and dataclasses.is_dataclass(each) and each.__module__ == module
    ]


@pytest.mark.parametrize(
    "module", ["factors", "responses", "constraints", "space", "runs", "plots"]
)
def test_every_type_of_the_module_has_a_document_form(module: str) -> None:
    for cls in _dataclasses(f"doe.{module}"):
        assert document_fields(cls) is not None


def test_a_short_tag_names_each_kind_of_factor_and_constraint() -> None:
    tags = {tag_of(cls) for cls in _dataclasses("doe.factors")} - {"control_capability"}
    assert tags == {
        *("continuous", "discrete", "categorical", "mixture", "covariate", "context", "block"),
    }
    constraints = {tag_of(cls) for cls in _dataclasses("doe.constraints")}
    assert constraints == {"linear", "cardinality", "forbidden", "expression"}


_cells = {
    "number": st.floats(allow_infinity=False),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "text": st.text() | st.none(),
    "mixed": st.none() | st.text() | st.integers(-9, 9) | st.booleans(),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Holder:
    table: pd.DataFrame


@given(data=st.data(), n_rows=st.integers(0, 4))
@settings(max_examples=50)
def test_a_data_frame_comes_back_with_every_digit_type_and_missing_cell(
    data: st.DataObject, n_rows: int
) -> None:
    kinds = data.draw(st.lists(st.sampled_from(sorted(_cells)), max_size=4))
    dtypes = {"number": float, "integer": np.int64, "text": "str", "mixed": object}
    columns = {
        f"{kind} {place}": pd.Series(
            [data.draw(_cells[kind]) for _ in range(n_rows)], dtype=dtypes[kind]
        )
        for place, kind in enumerate(kinds)
    }
    frame = pd.DataFrame(columns, index=pd.RangeIndex(n_rows))
    if data.draw(st.booleans()):
        frame.index = pd.Index([f"run {i}" for i in range(n_rows)], name="run", dtype="str")

    text = json.dumps(to_document(Holder(frame)), allow_nan=False)
    read = from_document(Holder, json.loads(text)).table

    pd.testing.assert_frame_equal(read, frame, check_exact=True, check_column_type=False)
    for name in columns:
        if name.startswith("number"):
            assert list(map(float.hex, read[name])) == list(map(float.hex, frame[name]))


def test_every_problem_of_a_document_is_listed_with_its_place() -> None:
    document = {
        "factors": [
            {"type": "continuous", "name": "pH", "low": "abc", "high": 7.4, "unit s": "-"},
            {"type": "continuous", "name": "temperature", "low": 37, "high": 30},
            {"type": "categorial", "name": "resin", "levels": ["A", "B"]},
            {"type": "categorical", "name": "clone", "levels": [1, True]},
            {"type": "block", "random": "yes"},
        ],
        "mixture_total": math.nan,
    }

    with pytest.raises(DocumentError) as caught:
        from_document(FactorSpace, document)

    message = str(caught.value)
    for line in [
        "factors[0].low: expected a number, got 'abc'",
        "factors[0]: unknown field 'unit s': did you mean 'unit'?",
        "factors[1]: Factor 'temperature': low 37 must be below high 30",
        "factors[2].type: expected one of continuous, discrete, categorical",
        "got 'categorial': did you mean 'categorical'?",
        "factors[3].levels[0]: expected text, got 1: put it in quotes",
        "factors[3].levels[1]: expected text, got true: put it in quotes",
        "factors[4]: the field 'name' is missing: text",
        "factors[4].random: expected true or false, got 'yes'",
        "mixture_total: expected a finite number, got nan",
    ]:
        assert line in message
    assert "in 9 places" in message


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"low": True}, "low: expected a number, got true"),
        ({"low": None}, "low: expected a number, got null"),
        ({"low": math.inf}, "low: expected a finite number, got inf"),
        ({"low": 10**400}, "low: expected a finite number"),
        ({"scale": "Log"}, "scale: expected one of 'linear', 'log', got 'Log': did you mean 'log'"),
        ({"aliases": "acidity"}, "aliases: expected a list of texts, got 'acidity': write"),
        ({"capability": 0.1}, "capability: expected null or an object"),
        ({"capability": {"sd": -1}}, "capability: Control capability sd must be positive, got -1"),
        ({"step": [0.1]}, "step: expected a number or null, got [0.1]"),
        ({"type": "discrete"}, "type: expected 'continuous', got 'discrete'"),
        ({"format": "bayeswell/discrete"}, "format 'bayeswell/discrete'; expected bayeswell/cont"),
        ({"format_version": "1"}, "format_version must be a whole number"),
        ({"high": 6.6}, "document: Factor 'pH': low 6.6 must be below high 6.6"),
    ],
)
def test_a_field_that_does_not_fit_is_refused_in_place(
    change: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        from_document(ContinuousFactor, {**A_FACTOR, **change})
    assert complaint in str(caught.value)


def test_a_whole_number_is_read_where_a_number_belongs_and_only_whole_ones_as_counts() -> None:
    factor = from_document(ContinuousFactor, {**A_FACTOR, "low": 6})
    assert (factor.low, type(factor.low)) == (6.0, float)

    measured = {"run": "1", "response": "titre", "value": 2}
    assert from_document(Measurement, {**measured, "replicate": 2.0}).replicate == 2
    with pytest.raises(DocumentError, match=r"replicate: expected a whole number, got 1\.5"):
        from_document(Measurement, {**measured, "replicate": 1.5})


def test_a_time_needs_its_offset_and_keeps_its_instant() -> None:
    measured = {"run": "1", "response": "titre", "value": 2}
    at = from_document(Measurement, {**measured, "measured_at": "2026-01-31T09:30:00+01:00"})
    assert at.measured_at == datetime(2026, 1, 31, 8, 30, tzinfo=UTC)

    with pytest.raises(DocumentError, match="add the offset from UTC"):
        from_document(Measurement, {**measured, "measured_at": "2026-01-31T09:30:00"})


def test_people_may_leave_out_what_has_a_default_and_the_header() -> None:
    text = """
    factors:
    - {type: continuous, name: pH, low: 6.6, high: 7.4}
    - {type: categorical, name: resin, levels: [A, B]}
    constraints:
    - {type: forbidden, conditions: {pH: [7.2, null], resin: [B]}}
    """
    assert from_document(FactorSpace, load_document(text)) == FactorSpace(
        (ContinuousFactor("pH", 6.6, 7.4), CategoricalFactor("resin", ("A", "B"))),
        (ForbiddenCombination({"pH": (7.2, None), "resin": ("B",)}),),
    )


def test_a_written_document_holds_every_field_and_its_header() -> None:
    document = to_document(ContinuousFactor("pH", 6.6, 7.4, capability=ControlCapability(sd=0.05)))

    assert list(document)[:4] == ["format", "format_version", "type", "name"]
    assert document["format"] == "bayeswell/continuous"
    fields = {field.name for field in dataclasses.fields(ContinuousFactor)}
    assert set(document) == fields | {"format", "format_version", "type"}


def test_a_value_without_a_form_in_json_is_refused_with_its_place() -> None:
    constraint = LinearConstraint({"pH": 1.0}, upper=7.0)
    object.__setattr__(constraint, "coefficients", {"pH": math.inf})
    with pytest.raises(DocumentError, match=r"coefficients\.pH: inf cannot be written"):
        to_document(constraint)
    with pytest.raises(DocumentError, match="table, column 'a', row 1: inf cannot be written"):
        to_document(Holder(pd.DataFrame({"a": [1.0, math.inf]})))
    with pytest.raises(DocumentError, match="not a document by itself"):
        to_document({"a": 1})


def test_a_newer_format_is_refused_with_what_to_do() -> None:
    with pytest.raises(DocumentError, match=r"format version 2.*reads up to 1: update bayeswell"):
        from_document(ContinuousFactor, {**A_FACTOR, "format_version": 2})


@pytest.mark.requirement("DI-10")
def test_an_older_format_is_lifted_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def first(document: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**{k: v for k, v in document.items() if k != "minimum"}, "low": document["minimum"]}

    def second(document: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**document, "unit": document["unit"].removeprefix("unit:")}

    monkeypatch.setattr(document_module, "FORMAT_VERSION", 3)
    monkeypatch.setattr(document_module, "LIFTS", {1: first, 2: second})
    old = {"type": "continuous", "name": "pH", "minimum": 6.6, "high": 7.4, "unit": "unit:g/L"}

    for version, document in ((1, old), (2, first(old)), (3, second(first(old)))):
        factor = from_document(ContinuousFactor, {**document, "format_version": version})
        assert factor == ContinuousFactor("pH", 6.6, 7.4, "g/L")


@dataclasses.dataclass(frozen=True)
class Step:
    kind: Literal["mix", 2]
    parts: tuple["Step", ...] = ()
    notes: Mapping[str, str | float] = dataclasses.field(default_factory=dict)
    pair: tuple[int, str] | None = None


def test_later_dataclasses_take_part_without_registration() -> None:
    step = Step("mix", (Step(2, notes={"a b": 1.5, "c": "x"}),), pair=(1, "x"))
    assert from_document(Step, to_document(step)) == step
    with pytest.raises(DocumentError, match=r"parts\[0\]\.notes\['a b'\]: expected text or a numb"):
        from_document(Step, {"kind": 2, "parts": [{"kind": 2, "notes": {"a b": True}}]})


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path, *(leaf for key, item in inner for leaf in _leaves(item, (*path, key)))]


_junk = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@pytest.mark.requirement("DI-11")
@given(data=st.data())
@settings(max_examples=80)
def test_a_damaged_document_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    kinds = ["factor space", "design", "observations", "plot", "objective", "response"]
    cls, drawn = VALUES[data.draw(st.sampled_from(kinds))]
    document = json.loads(json.dumps(to_document(data.draw(drawn))))
    *path, last = data.draw(st.sampled_from([leaf for leaf in _leaves(document) if leaf]))
    holder = document
    for key in path:
        holder = holder[key]
    if data.draw(st.booleans()):
        holder[last] = data.draw(_junk)
    else:
        del holder[last]

    try:
        value = from_document(cls, document)
    except DocumentError:
        return
    assert same(from_document(cls, to_document(value)), value)


def test_a_union_is_read_by_its_tag_alone() -> None:
    document = {"type": "single", "goal": {"response": "titre"}}
    assert from_document(Objective, document) == from_document(Single, document)
    with pytest.raises(DocumentError, match="the field 'type' is missing: one of single, pareto"):
        from_document(Objective, {"goal": {"response": "titre"}})
