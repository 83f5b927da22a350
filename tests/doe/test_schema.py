"""The published schema accepts what is written and refuses what the reader would refuse."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.constraints import Constraint
from doe.documents import from_document, json_schema, to_document
from doe.errors import DocumentError
from doe.factors import ContinuousFactor, Factor
from doe.plots import Plot
from doe.responses import AnyResponse, Objective, Specification
from doe.runs import Design, Measurement, Observations
from doe.space import FactorSpace
from tests.doe.test_documents import VALUES

CLASSES = [
    Factor,
    Constraint,
    Objective,
    AnyResponse,
    Specification,
    Measurement,
    FactorSpace,
    Design,
    Observations,
    Plot,
]


def _accepts(schema: Any, document: Any) -> bool:
    return jsonschema.Draft202012Validator(schema).is_valid(document)


@pytest.mark.parametrize("cls", CLASSES, ids=str)
def test_every_schema_is_itself_valid(cls: Any) -> None:
    schema = json_schema(cls)

    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema, allow_nan=False)) == schema


@pytest.mark.parametrize("kind", VALUES)
@given(data=st.data())
@settings(max_examples=6)
def test_the_schema_accepts_every_written_document(kind: str, data: st.DataObject) -> None:
    cls, drawn = VALUES[kind]
    document = json.loads(json.dumps(to_document(data.draw(drawn))))

    jsonschema.validate(document, json_schema(cls), jsonschema.Draft202012Validator)


def _objects(value: Any) -> list[dict[str, Any]]:
    """Every object in a document that is a dataclass."""
    inner: list[Any] = []
    if isinstance(value, dict):
        inner = list(value.values())
    elif isinstance(value, list):
        inner = value
    own = [value] if isinstance(value, dict) and "type" in value else []
    return [*own, *(found for item in inner for found in _objects(item))]


@pytest.mark.parametrize("kind", VALUES)
@given(data=st.data())
@settings(max_examples=6)
def test_schema_and_reader_both_refuse_an_unknown_field_or_tag(
    kind: str, data: st.DataObject
) -> None:
    cls, drawn = VALUES[kind]
    document = json.loads(json.dumps(to_document(data.draw(drawn))))
    chosen = data.draw(st.sampled_from(_objects(document)))
    if data.draw(st.booleans()):
        chosen["unheard of"] = 1
    else:
        chosen["type"] = "unheard_of"

    assert not _accepts(json_schema(cls), document)
    with pytest.raises(DocumentError):
        from_document(cls, document)


A_FACTOR = {"type": "continuous", "name": "pH", "low": 6.6, "high": 7.4}
A_LINEAR = {"type": "linear", "coefficients": {"pH": 1}, "upper": 7}


@pytest.mark.parametrize(
    ("cls", "document", "is_valid"),
    [
        (Factor, A_FACTOR, True),
        (Factor, {**A_FACTOR, "low": 6}, True),
        (Factor, {k: v for k, v in A_FACTOR.items() if k != "type"}, False),
        (ContinuousFactor, {k: v for k, v in A_FACTOR.items() if k != "type"}, True),
        (Factor, {k: v for k, v in A_FACTOR.items() if k != "low"}, False),
        (Factor, {**A_FACTOR, "low": "6.6"}, False),
        (Factor, {**A_FACTOR, "low": True}, False),
        (Factor, {**A_FACTOR, "low": None}, False),
        (Factor, {**A_FACTOR, "step": None}, True),
        (Factor, {**A_FACTOR, "scale": "Log"}, False),
        (Factor, {**A_FACTOR, "aliases": "acidity"}, False),
        (Factor, {**A_FACTOR, "capability": {"sd": 0.1}}, True),
        (Factor, {**A_FACTOR, "capability": {"sd": "0.1"}}, False),
        (Factor, {**A_FACTOR, "format": "bayeswell/continuous", "format_version": 1}, True),
        (Factor, {**A_FACTOR, "format_version": 2}, False),
        (Factor, {**A_FACTOR, "format": "bayeswell/discrete"}, False),
        (Constraint, A_LINEAR, True),
        (Constraint, {**A_LINEAR, "coefficients": {"pH": "1"}}, False),
        (Constraint, {"type": "forbidden", "conditions": {"pH": [7, None]}}, True),
        (Constraint, {"type": "forbidden", "conditions": {"resin": ["A"]}}, True),
        (Constraint, {"type": "forbidden", "conditions": {"pH": [7, None, 8]}}, False),
        (Measurement, {"run": "1", "response": "y", "value": 1, "replicate": 1.5}, False),
        (Measurement, {"run": "1", "response": "y", "value": 1, "replicate": 2.0}, True),
    ],
)
def test_schema_and_reader_agree_on_what_fits(
    cls: Any, document: dict[str, Any], is_valid: bool
) -> None:
    assert _accepts(json_schema(cls), document) is is_valid
    if is_valid:
        from_document(cls, document)
    else:
        with pytest.raises(DocumentError):
            from_document(cls, document)


def test_the_schema_explains_fields_in_the_words_of_the_classes() -> None:
    schema = json_schema(ContinuousFactor)

    assert schema["title"] == "continuous"
    properties = schema["properties"]
    assert properties["step"]["description"].startswith("Smallest change that the equipment can")
    assert properties["scale"] == {
        "enum": ["linear", "log"],
        "default": "linear",
        "description": "``log`` when ratios matter rather than differences.",
    }
    assert schema["required"] == ["name", "low", "high"]
