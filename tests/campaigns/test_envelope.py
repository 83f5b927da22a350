import contextlib
import hashlib
import json
import math
import string
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.canonical import MAX_DEPTH, MAX_INTEGER
from campaigns.envelope import (
    GENESIS,
    JSON,
    Actor,
    Event,
    canonical_json,
    digest,
    parse_json,
    require_reason,
    seal,
)
from doe.errors import DocumentError, InvalidValueError
from tests.campaigns.ledger_examples import (
    ANA,
    START,
    STREAM,
    json_numbers,
    json_values,
    payloads,
    texts,
)

offsets = st.integers(-86_399, 86_399).map(lambda s: timezone(timedelta(seconds=s)))
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=offsets)
lines = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), min_size=1)
names = lines.filter(lambda line: line.strip() == line)


def sealed(**changes: Any) -> Event:
    fields: dict[str, Any] = {
        "stream": STREAM,
        "sequence": 1,
        "kind": "run-started",
        "payload": {"run": 3},
        "actor": ANA,
        "recorded_at": START,
    }
    return seal(**(fields | changes))


# Canonical JSON


def test_canonical_json_is_that_of_the_standard() -> None:
    """RFC 8785, sections 3.2.2 and 3.2.3: the example and its canonical form."""
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }

    assert canonical_json(value).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_keys_stand_in_the_order_of_the_standard() -> None:
    """RFC 8785, section 3.2.3: by UTF-16 code units, so that the smiley comes before U+FB33."""
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]

    written = json.loads(canonical_json(dict.fromkeys(keys, 0)))

    assert list(written) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


@given(json_values)
def test_canonical_json_is_read_as_the_same_value_and_written_as_the_same_text(value: Any) -> None:
    text = canonical_json(value)

    assert parse_json(text.decode()) == value
    assert canonical_json(parse_json(text.decode())) == text


@given(st.floats(2.0**53, 1e21, exclude_max=True))
def test_a_large_number_is_read_as_the_number_it_was(number: float) -> None:
    """Its canonical form has no point and no exponent, and is no integer all the same."""
    read = parse_json(canonical_json([number]).decode())

    assert read == [number]
    assert canonical_json(read) == canonical_json([number])


class Colour(StrEnum):
    RED = "red"


def test_values_that_mean_plain_json_are_taken_as_that() -> None:
    assert canonical_json(MappingProxyType({"a": (1, Colour.RED, np.float64(0.5))})) == (
        b'{"a":[1,"red",0.5]}'
    )


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": math.nan}, "$.a is nan"),
        ({"a": [1, {"b c": math.inf}]}, '$.a[1]["b c"] is inf'),
        ({"a": -math.inf}, "$.a is -inf"),
        ([{1: "x"}], "$[0] is an object with the key 1"),
        ({"seed": 2**53}, "$.seed is the integer 9007199254740992"),
        ({"seed": -(10**400)}, "$.seed is the integer 1329 bits long"),
        ({"a": np.int64(3)}, "$.a is a numpy.int64"),
        ({"a": {1, 2}}, "$.a is a builtins.set"),
        ({"a": b"x"}, "$.a is a builtins.bytes"),
        ({"a": START}, "$.a is a datetime.datetime"),
        ({"a": "\ud800"}, "$.a is '\\ud800'"),
        ({"\udfff": 1}, "$ is '\\udfff'"),
    ],
)
def test_what_has_no_json_form_is_refused_where_it_stands(value: object, path: str) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        canonical_json(value)

    assert str(refusal.value).startswith(path)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 100_000])
def test_a_value_nested_too_deep_is_refused(depth: int) -> None:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]

    with pytest.raises(InvalidValueError, match="nested more than 100 deep"):
        canonical_json(value)


@pytest.mark.parametrize("text", ["", "{", "NaN", "[-Infinity]", "[" * 200_000, "nul", "1 2"])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(DocumentError, match="is not JSON"):
        parse_json(text)


# Events


@pytest.mark.requirement("DI-1")
@given(
    payload=payloads,
    occurred_at=moments,
    recorded_at=moments,
    actor=st.builds(Actor, names, st.just("") | names, st.sampled_from(["person", "service"])),
    reason=st.none() | texts.filter(lambda text: text.strip() and "\x00" not in text),
    idempotency_key=st.none() | names,
    on_behalf_of=st.none() | names,
    place=st.just((1, GENESIS)) | st.tuples(st.integers(2, MAX_INTEGER), st.just("5e" * 32)),
)
def test_an_event_comes_back_from_its_document_exactly(place: Any, **fields: Any) -> None:
    event = sealed(sequence=place[0], previous_hash=place[1], **fields)

    document = json.loads(json.dumps(event.to_document()))

    assert Event.from_document(document) == event
    assert Event.from_document(parse_json(canonical_json(document).decode())) == event
    assert event.to_document() == Event.from_document(document).to_document()


@pytest.mark.requirement("DI-1")
@given(payload=payloads, reason=st.none() | lines.filter(str.strip))
def test_the_hash_is_the_sha_256_of_the_canonical_form_of_all_other_fields(
    payload: Mapping[str, Any], reason: str | None
) -> None:
    event = sealed(payload=payload, reason=reason)
    document = event.to_document()
    del document["hash"]

    assert event.hash == hashlib.sha256(rfc8785.dumps(document)).hexdigest()  # type: ignore[arg-type]  # plain JSON
    assert event.hash == digest(event)


@pytest.mark.requirement("DI-1")
@pytest.mark.parametrize(
    "change",
    [
        {"stream": "campaign/other"},
        {"sequence": 2, "previous_hash": "ab" * 32},
        {"kind": "run-failed"},
        {"payload": {"run": 4}},
        {"occurred_at": START - timedelta(microseconds=1)},
        {"occurred_at": START.astimezone(timezone(timedelta(hours=1)))},
        {"recorded_at": START + timedelta(microseconds=1), "occurred_at": START},
        {"actor": Actor("ana", "Ana Miller")},
        {"actor": Actor("ana", "Ana Müller", "service")},
        {"on_behalf_of": "bob"},
        {"reason": "because"},
        {"idempotency_key": "k"},
        {"format_version": 2},
    ],
)
def test_another_content_has_another_hash(change: dict[str, Any]) -> None:
    assert sealed(**change).hash != sealed().hash


def test_a_sealed_event_does_not_change_with_what_it_was_made_from() -> None:
    payload = {"runs": [1, 2]}
    event = sealed(payload=payload)
    payload["runs"].append(3)

    assert event.payload == {"runs": [1, 2]}
    assert digest(event) == event.hash


def test_an_event_is_what_it_will_be_when_it_is_read_again() -> None:
    payload = sealed(payload={"a": 1.0, "b": -0.0, "c": (1, 2)}).payload

    assert payload == {"a": 1, "b": 0, "c": [1, 2]}
    assert [type(payload[name]) for name in "abc"] == [int, int, list]


@pytest.mark.requirement("DI-8")
def test_the_time_of_recording_is_in_utc_and_that_of_occurring_keeps_its_offset() -> None:
    local = datetime(2025, 10, 26, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
    document = sealed(recorded_at=local).to_document()

    assert document["recorded_at"] == "2025-10-26T01:30:00.000000+00:00"
    assert document["occurred_at"] == "2025-10-26T02:30:00.000000+01:00"


@pytest.mark.requirement("DI-8")
@pytest.mark.parametrize("name", ["recorded_at", "occurred_at"])
def test_a_time_without_a_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidValueError, match=f"The {name} is .* Expected a time with an offset"):
        sealed(**{name: START.replace(tzinfo=None)})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stream", ""),
        ("stream", "campaigns/x"),
        ("stream", "campaign/"),
        ("stream", "campaign/ x"),
        ("stream", "campaign/x\n"),
        ("stream", "campaign/a\x00b"),
        ("sequence", 0),
        ("sequence", True),
        ("sequence", 1.0),
        ("kind", " "),
        ("kind", "a\nb"),
        ("payload", [1]),
        ("payload", "text"),
        ("actor", "ana"),
        ("on_behalf_of", ""),
        ("reason", "   "),
        ("reason", "a\x00b"),
        ("reason", "\ud800"),
        ("idempotency_key", "a\tb"),
        ("format_version", 0),
        ("previous_hash", "ab" * 32),
        ("previous_hash", "0" * 63),
        ("recorded_at", "2025-03-01"),
        ("recorded_at", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
    ],
)
def test_a_field_that_is_not_what_it_has_to_be_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidValueError, match=r"^The (.*) is .*Expected"):
        sealed(**{name: value})


@pytest.mark.parametrize(
    "arguments", [("",), ("a\nb",), ("ana", "Ana\x07"), ("ana", "Ana", "robot"), (7,)]
)
def test_an_actor_has_a_printable_id_and_name_and_a_known_kind(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidValueError):
        Actor(*arguments)


def test_the_printed_name_of_an_actor_is_the_id_when_none_is_given() -> None:
    assert Actor("ana").name == "ana"


@pytest.mark.parametrize("name", sorted(sealed().to_document()))
def test_a_document_that_lacks_a_field_or_has_another_is_refused(name: str) -> None:
    document = sealed().to_document()
    lacking = {key: value for key, value in document.items() if key != name}

    for wrong in (lacking, lacking | {name.upper(): document[name]}, document | {"more": 1}):
        with pytest.raises(DocumentError, match="not an event of a record"):
            Event.from_document(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "2025-03-01T08:00:00+00:00",
        "2025-03-01T08:00:00.000000Z",
        "2025-03-01 08:00:00.000000+00:00",
        "2025-03-01T08:00:00.000000",
        "yesterday",
        1740816000,
        None,
    ],
)
def test_a_time_is_read_in_one_form_alone(text: object) -> None:
    """Two texts for one moment would let a changed byte pass for the same content."""
    with pytest.raises(DocumentError, match="occurred_at is"):
        Event.from_document(sealed().to_document() | {"occurred_at": text})  # type: ignore[operator]  # on purpose


@given(
    st.recursive(st.none() | st.booleans() | json_numbers | texts, st.lists, max_leaves=5),
    st.data(),
)
@settings(max_examples=50)
def test_a_document_is_taken_as_it_stands_or_refused_in_words(
    value: Any, data: st.DataObject
) -> None:
    document = sealed().to_document()
    name = data.draw(st.sampled_from(sorted(document)))
    taken: JSON = None
    with contextlib.suppress(DocumentError):
        taken = Event.from_document(document | {name: value}).to_document()[name]

    assert taken in (value, None)


# Reasons


@pytest.mark.requirement("DI-2")
@pytest.mark.parametrize(
    "reason", [None, "", "   ", "\t\n", "typo", "  ab  ", "\u200b" * 8, "a" + "\u200b" * 8]
)
def test_a_reason_that_says_nothing_is_refused(reason: str | None) -> None:
    with pytest.raises(InvalidValueError, match="A reason is needed to exclude run 7"):
        require_reason(reason, "to exclude run 7")


@pytest.mark.requirement("DI-2")
@given(st.text(string.ascii_letters, min_size=5), st.text(" \t\n"))
def test_a_reason_of_five_characters_is_taken_without_the_blanks_around_it(
    reason: str, blanks: str
) -> None:
    assert require_reason(f"{blanks}{reason}{blanks}", "to exclude run 7") == reason
    assert require_reason("no pH", "to exclude run 7") == "no pH"


def test_equal_events_are_one_member_of_a_set() -> None:
    assert len({sealed(), sealed(), sealed(payload={"run": 4})}) == 2
