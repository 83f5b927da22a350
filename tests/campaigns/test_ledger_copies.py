"""Copies of a record, and records that were written by earlier versions."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.envelope import Draft, canonical_json, digest, parse_json
from campaigns.ledger import Head, Ledger
from doe.errors import ConflictError, DocumentError, InvalidValueError, RecordError
from tests.campaigns.ledger_examples import (
    ANA,
    BOB,
    GOLDEN,
    STREAM,
    Clock,
    drafts,
    resealed,
    write_record,
)

OTHER = "process/mAb"

# Copies


@pytest.mark.requirement("DI-9", "DI-10")
def test_an_exported_record_is_restored_in_another_store_hash_for_hash(ledger_place: str) -> None:
    events = write_record(ledger_place)
    with Ledger(ledger_place) as ledger, Ledger(":memory:") as copy:
        text = json.dumps(ledger.export(STREAM))
        restored = copy.restore(json.loads(text), anchor=ledger.head(STREAM))

        assert restored == copy.read(STREAM) == events
        assert copy.check(STREAM, anchor=ledger.head(STREAM)).intact
        assert copy.export(STREAM) == ledger.export(STREAM)
        (next_event,) = copy.append(STREAM, [Draft("a", {})], actor=BOB, expected=5)
        assert next_event.previous_hash == events[-1].hash


@pytest.mark.requirement("DI-9")
def test_a_record_is_restored_into_the_database_it_came_from_only_once(ledger_place: str) -> None:
    with Ledger(":memory:", clock=Clock()) as source, Ledger(ledger_place) as target:
        source.append(STREAM, drafts(), actor=ANA, expected=0)
        document = parse_json(canonical_json(source.export(STREAM)).decode())
        assert isinstance(document, dict)
        target.restore(document)

        assert target.check(STREAM, anchor=source.head(STREAM)).intact
        with pytest.raises(ConflictError, match="has 5 events in this store already"):
            target.restore(document)


def _without_last(document: dict[str, Any]) -> None:
    document["events"].pop()


def _without_middle(document: dict[str, Any]) -> None:
    del document["events"][2]


def _changed(document: dict[str, Any]) -> None:
    document["events"][1]["payload"]["value"] = 99


def _swapped(document: dict[str, Any]) -> None:
    document["events"][1:3] = document["events"][2:0:-1]
    for place, event in enumerate(document["events"]):
        event["sequence"] = place + 1


def _of_another_stream(document: dict[str, Any]) -> None:
    document["events"][1]["stream"] = OTHER


def _emptied(document: dict[str, Any]) -> None:
    document["events"].clear()


@pytest.mark.requirement("DI-9")
@pytest.mark.parametrize(
    "alter", [_without_last, _without_middle, _changed, _swapped, _of_another_stream, _emptied]
)
def test_an_altered_export_is_not_restored(alter: Callable[[dict[str, Any]], None]) -> None:
    with Ledger(":memory:", clock=Clock()) as source, Ledger(":memory:") as target:
        source.append(STREAM, drafts(), actor=ANA, expected=0)
        document = json.loads(json.dumps(source.export(STREAM)))
        alter(document)
        with pytest.raises(RecordError, match="The export cannot be restored"):
            target.restore(document)
        assert target.streams() == ()


@pytest.mark.requirement("DI-9")
def test_an_export_that_was_written_anew_is_not_restored_against_its_anchor() -> None:
    with Ledger(":memory:", clock=Clock()) as source, Ledger(":memory:") as target:
        (event,) = source.append(STREAM, drafts(1), actor=ANA, expected=0)
        forged = resealed(event, payload={"run": 1, "value": 99})
        document = source.export(STREAM) | {
            "head": {"sequence": 1, "hash": forged.hash},
            "events": [forged.to_document()],
        }
        with pytest.raises(RecordError, match="the record was written anew"):
            target.restore(document, anchor=source.head(STREAM))


@pytest.mark.parametrize("document", [{}, [], None, {"format": "bayeswell-record"}, {"events": []}])
def test_what_is_not_an_export_is_refused(document: Any) -> None:
    with Ledger(":memory:") as ledger, pytest.raises(DocumentError, match="not the export"):
        ledger.restore(document)


@pytest.mark.parametrize("text", ["", "1", "1:", "0:" + "a" * 64, "1:" + "A" * 64, "²:" + "a" * 64])
def test_an_anchor_is_the_number_and_the_hash_of_an_event(text: str) -> None:
    with pytest.raises(InvalidValueError, match="The anchor is"):
        Head.parse(text)


@given(
    st.builds(
        Head, st.integers(1, 2**53 - 1), st.text("0123456789abcdef", min_size=64, max_size=64)
    )
)
def test_a_printed_anchor_is_read_as_the_same_head(head: Head) -> None:
    assert Head.parse(f" {head}\n") == head


# Records written by earlier versions


@pytest.mark.requirement("DI-10")
def test_a_record_exported_in_format_1_is_read_for_ever_with_the_same_hashes() -> None:
    document = json.loads((GOLDEN / "record_export_1.json").read_text(encoding="utf-8"))
    with Ledger(":memory:") as ledger:
        events = ledger.restore(document)

        assert ledger.check(STREAM).intact
        assert [event.hash for event in events] == [digest(event) for event in ledger.read(STREAM)]
        assert str(ledger.head(STREAM)) == (GOLDEN / "anchor_1.txt").read_text().strip()
        assert ledger.export(STREAM) == document


@pytest.mark.requirement("DI-10")
def test_a_store_written_in_format_1_is_read_for_ever_and_goes_on(tmp_path: Path) -> None:
    place = tmp_path / "record.db"
    statements = (GOLDEN / "record_store_1.sql").read_text(encoding="utf-8")
    with sqlite3.connect(place) as connection:
        connection.executescript(statements)
    connection.close()
    with Ledger(place) as ledger:
        anchor = Head.parse((GOLDEN / "anchor_1.txt").read_text())

        assert ledger.check(STREAM, anchor=anchor).sentence().startswith("The record of")
        assert ledger.check(STREAM, anchor=anchor).faults == ()
        assert len(ledger.append(STREAM, [Draft("a", {})], actor=BOB, expected=3)) == 1
        assert ledger.check(STREAM, anchor=anchor).faults == ()
