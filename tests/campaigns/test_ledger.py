"""What a ledger takes, gives back and refuses, in both databases."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from campaigns.envelope import GENESIS, Actor, Draft, digest
from campaigns.ledger import Head, Ledger, RepeatedKeyError, StreamSummary
from doe.errors import (
    ConflictError,
    InvalidValueError,
    RecordError,
    UnknownNameError,
)
from tests.campaigns.ledger_examples import (
    ANA,
    BOB,
    START,
    STREAM,
    Clock,
    drafts,
    payloads,
    write_record,
)

OTHER = "process/mAb"


# Appending and reading


@pytest.mark.requirement("DI-1", "DI-12")
def test_what_was_appended_is_read_again_by_another_ledger(ledger_place: str) -> None:
    with Ledger(ledger_place, clock=Clock()) as ledger:
        written = ledger.append(STREAM, drafts(3), actor=ANA, expected=0)
        written += ledger.append(STREAM, [Draft("b", {"x": [1.0, None]})], actor=BOB, expected=3)

    with Ledger(ledger_place) as ledger:
        assert ledger.read(STREAM) == written
        assert ledger.read(STREAM, after=2) == written[2:]
        assert ledger.read(STREAM, after=4) == ()
        assert ledger.head(STREAM) == Head(4, written[-1].hash)


@pytest.mark.requirement("DI-1")
def test_each_event_is_numbered_and_chained_to_the_one_before(ledger_place: str) -> None:
    events = write_record(ledger_place)

    assert [event.sequence for event in events] == [1, 2, 3, 4, 5]
    assert [event.previous_hash for event in events] == [
        GENESIS,
        *(event.hash for event in events[:-1]),
    ]
    assert [digest(event) for event in events] == [event.hash for event in events]


def test_streams_do_not_mix(ledger_place: str) -> None:
    with Ledger(ledger_place) as ledger:
        (first,) = ledger.append(STREAM, [Draft("a", {})], actor=ANA, expected=0)
        (other,) = ledger.append(OTHER, [Draft("b", {})], actor=ANA, expected=0)

        assert ledger.read(STREAM) == (first,)
        assert ledger.read(OTHER) == (other,)
        assert ledger.streams() == (
            StreamSummary(STREAM, 1, Head(1, first.hash)),
            StreamSummary(OTHER, 1, Head(1, other.hash)),
        )


def test_looking_at_a_store_that_is_not_there_yet_creates_nothing(tmp_path: Path) -> None:
    place = tmp_path / "record.db"
    with Ledger(place) as ledger:
        assert ledger.streams() == ()
        assert ledger.read(STREAM) == ()
        assert ledger.head(STREAM) is None
        assert not ledger.check(STREAM).intact
        with pytest.raises(UnknownNameError, match="none: it is empty"):
            ledger.export(STREAM)
        with pytest.raises(InvalidValueError):
            ledger.append(STREAM, [Draft("a", {"x": float("nan")})], actor=ANA, expected=0)

    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_not_there_yet_reads_as_empty(ledger_place: str) -> None:
    with Ledger(ledger_place) as ledger:
        assert ledger.streams() == ()
        assert ledger.read(STREAM) == ()
        assert "no record of this name" in ledger.check(STREAM).sentence()


@given(payload=payloads)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_payload_comes_back_as_it_was(payload: dict[str, Any]) -> None:
    with Ledger(":memory:") as ledger:
        ledger.append(STREAM, [Draft("a", payload)], actor=ANA, expected=0)

        assert ledger.read(STREAM)[0].payload == payload
        assert ledger.check(STREAM).intact


def test_text_of_every_script_and_escapes_come_back_from_both_databases(ledger_place: str) -> None:
    awkward = {
        "\x00": "\x00\x1f\x7f\u2028",
        "日本": "👩🏽‍🔬 'a\" \\u0000 %s %(x)s :x ?",
        "e\u0301": 1e300,
    }
    with Ledger(ledger_place) as ledger:
        ledger.append(
            STREAM, [Draft("a", awkward, reason="line one\nline ' two %s")], actor=ANA, expected=0
        )

        assert ledger.read(STREAM)[0].payload == awkward
        assert ledger.read(STREAM)[0].reason == "line one\nline ' two %s"
        assert ledger.check(STREAM).intact


def test_events_are_appended_all_or_none(ledger_place: str) -> None:
    good, bad = Draft("a", {}), Draft("a", {}, reason=" ")
    with Ledger(ledger_place) as ledger:
        ledger.append(STREAM, [good], actor=ANA, expected=0)
        with pytest.raises(InvalidValueError, match="The reason is ' '"):
            ledger.append(STREAM, [good, bad], actor=ANA, expected=1)

        assert len(ledger.read(STREAM)) == 1
        assert ledger.append(STREAM, [], actor=ANA, expected=1) == ()
        assert ledger.check(STREAM).intact


@pytest.mark.parametrize("number", [-1, 1.0, True, "1", 2**60])
def test_a_place_in_a_stream_is_a_whole_number_from_zero(number: Any) -> None:
    with Ledger(":memory:") as ledger:
        with pytest.raises(InvalidValueError, match="expected is"):
            ledger.append(STREAM, [Draft("a", {})], actor=ANA, expected=number)
        with pytest.raises(InvalidValueError, match="after is"):
            ledger.read(STREAM, after=number)


# Two writers


@pytest.mark.requirement("DI-13")
def test_the_second_of_two_writers_is_told_what_to_do(ledger_place: str) -> None:
    write_record(ledger_place, n_events=3)
    with Ledger(ledger_place) as ledger, pytest.raises(ConflictError) as conflict:
        ledger.append(STREAM, [Draft("a", {})], actor=BOB, expected=2)

    assert "has 3 events and the writer had seen 2" in str(conflict.value)
    assert "append with expected=3" in str(conflict.value)
    assert isinstance(conflict.value, RuntimeError)


@pytest.mark.requirement("DI-13")
def test_a_writer_who_has_seen_more_than_there_is_learns_that_the_record_was_cut(
    ledger_place: str,
) -> None:
    write_record(ledger_place, n_events=3)
    with Ledger(ledger_place) as ledger:
        with pytest.raises(ConflictError, match="another store, or the record was cut short"):
            ledger.append(STREAM, [Draft("a", {})], actor=BOB, expected=4)
        with pytest.raises(RecordError, match="event 4 was read before"):
            ledger.read(STREAM, after=4)


# Repeated appends


def test_an_append_that_comes_again_gives_the_events_that_are_there(ledger_place: str) -> None:
    keyed = drafts(2)
    batch = [keyed[0], Draft("no key", {"x": 1}), keyed[1]]
    with Ledger(ledger_place, clock=Clock()) as ledger:
        written = ledger.append(STREAM, batch, actor=ANA, expected=0)
        ledger.append(STREAM, [Draft("later", {})], actor=BOB, expected=3)

        assert ledger.append(STREAM, batch, actor=ANA, expected=0) == written
        assert ledger.append(STREAM, keyed[:1], actor=ANA, expected=4) == written[:1]
        assert len(ledger.read(STREAM)) == 4


def test_a_repeated_act_without_a_time_of_its_own_is_the_same_act(ledger_place: str) -> None:
    act = Draft("approved", {"batch": 1}, idempotency_key="k")
    with Ledger(ledger_place, clock=Clock()) as ledger:
        written = ledger.append(STREAM, [act], actor=ANA, expected=0)

        assert ledger.append(STREAM, [act], actor=ANA, expected=0) == written


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "run-excluded"},
        {"payload": {"run": 2}},
        {"reason": "another reason"},
        {"on_behalf_of": None},
        {"occurred_at": START},
        {"occurred_at": None},
        {"format_version": 3},
    ],
)
def test_a_key_that_comes_again_with_other_content_is_refused(change: dict[str, Any]) -> None:
    (act,) = drafts(1)
    with Ledger(":memory:", clock=Clock()) as ledger:
        ledger.append(STREAM, [act], actor=ANA, expected=0)
        with pytest.raises(RepeatedKeyError, match=r"'act-1' was used in .* for event 1"):
            ledger.append(STREAM, [replace(act, **change)], actor=ANA, expected=1)
        assert len(ledger.read(STREAM)) == 1


def test_a_key_belongs_to_one_actor_one_append_and_one_stream(ledger_place: str) -> None:
    (act,) = drafts(1)
    with Ledger(ledger_place, clock=Clock()) as ledger:
        ledger.append(STREAM, [act], actor=ANA, expected=0)
        with pytest.raises(RepeatedKeyError):
            ledger.append(STREAM, [act], actor=BOB, expected=1)
        with pytest.raises(RepeatedKeyError):
            ledger.append(STREAM, [act, Draft("more", {})], actor=ANA, expected=1)
        with pytest.raises(RepeatedKeyError, match="stands for 2 events of one append"):
            ledger.append(STREAM, [act, act], actor=ANA, expected=1)

        assert len(ledger.append(OTHER, [act], actor=BOB, expected=0)) == 1


# Time


@pytest.mark.requirement("DI-8")
def test_a_clock_that_was_set_back_is_written_down_seen_and_changes_no_order(
    ledger_place: str,
) -> None:
    clock = Clock()
    with Ledger(ledger_place, clock=clock) as ledger:
        for number in range(4):
            if number == 2:
                clock.now = START - timedelta(days=1)
            ledger.append(STREAM, [Draft("a", {"n": number})], actor=ANA, expected=number)
        events, found = ledger.read(STREAM), ledger.check(STREAM)

    assert [event.payload["n"] for event in events] == [0, 1, 2, 3]
    assert events[2].recorded_at == START - timedelta(days=1) + timedelta(minutes=1)
    assert found.intact
    assert [note.sequence for note in found.notes] == [3, 4]
    assert "the clock was set back" in found.sentence()


@pytest.mark.requirement("DI-8", "DI-12")
def test_an_event_from_the_future_is_noted(ledger_place: str) -> None:
    with Ledger(ledger_place, clock=Clock()) as ledger:
        draft = Draft("a", {}, occurred_at=START + timedelta(days=1))
        ledger.append(STREAM, [draft], actor=ANA, expected=0)
        found = ledger.check(STREAM)

    assert found.intact
    assert "after it was recorded" in found.notes[0].what


@pytest.mark.requirement("DI-8")
def test_the_time_of_recording_is_stored_in_utc_whatever_zone_the_clock_is_in() -> None:
    far = datetime(2025, 3, 1, 8, 0, tzinfo=timezone(timedelta(hours=9)))
    with Ledger(":memory:", clock=lambda: far) as ledger:
        (event,) = ledger.append(STREAM, [Draft("a", {})], actor=ANA, expected=0)

    assert event.recorded_at == datetime(2025, 2, 28, 23, 0, tzinfo=UTC)
    assert event.recorded_at.utcoffset() == timedelta(0)


@pytest.mark.requirement("DI-8")
def test_a_clock_that_does_not_say_its_zone_is_refused() -> None:
    with (
        Ledger(":memory:", clock=lambda: START.replace(tzinfo=None)) as ledger,
        pytest.raises(InvalidValueError, match="recorded_at"),
    ):
        ledger.append(STREAM, [Draft("a", {})], actor=ANA, expected=0)


# Speed


@pytest.mark.slow
def test_a_record_of_ten_thousand_events_opens_in_about_a_second(
    ledger_place: str, report_measurement: Callable[[str], None]
) -> None:
    settings_of_a_run = {f"factor {number}": number * 1.1 for number in range(10)}
    act = Draft("run-started", {"settings": settings_of_a_run, "note": "x" * 100})
    with Ledger(ledger_place) as ledger:
        ledger.append(STREAM, [act] * 10_000, actor=Actor("ana"), expected=0)
        began = time.perf_counter()
        events = ledger.read(STREAM)
        reading = time.perf_counter() - began
        began = time.perf_counter()
        assert ledger.check(STREAM).intact
        checking = time.perf_counter() - began
        began = time.perf_counter()
        for number in range(20):
            ledger.append(STREAM, [act], actor=ANA, expected=10_000 + number)
        appending = (time.perf_counter() - began) / 20

    assert len(events) == 10_000
    assert reading < 10
    kind = "PostgreSQL" if "://" in ledger_place else "SQLite"
    report_measurement(
        f"ledger on {kind}: 10,000 events read in {reading:.2f} s and checked in {checking:.2f} s, "
        f"one appended in {appending * 1000:.1f} ms"
    )
