"""The databases refuse to change a record; what is forced on it is found, and where."""

import contextlib
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from campaigns.envelope import Draft, Event, sealed_digest
from campaigns.ledger import Head, Ledger, RecordCheck
from campaigns.ledger.rows import COLUMNS, Column, stored_values
from campaigns.ledger.schema import EVENTS, HEADS
from doe.errors import RecordError
from tests.campaigns.ledger_examples import (
    ANA,
    START,
    STREAM,
    overwrite,
    resealed,
    unguarded,
    write_record,
)

OTHER = "campaign/other"
THIRD = (EVENTS.c.stream == STREAM) & (EVENTS.c.sequence == 3)


def check(place: str, anchor: Head | None = None) -> RecordCheck:
    with Ledger(place) as ledger:
        return ledger.check(STREAM, anchor=anchor)


def places_of_faults(place: str, anchor: Head | None = None) -> list[int]:
    """The events that a check names, without the guards that a test switched off."""
    found = check(place, anchor)
    assert not found.intact
    assert "NOT intact" in found.sentence()
    return [fault.sequence for fault in found.faults if fault.sequence is not None]


def refuses_to_read(place: str) -> bool:
    with Ledger(place) as ledger, pytest.raises(RecordError, match=r"[Rr]estore it"):
        ledger.read(STREAM)
    return True


# What is forced on the record is found


@pytest.mark.requirement("DI-1")
def test_a_changed_byte_in_any_column_of_any_event_is_found_at_that_event(
    ledger_place: str,
) -> None:
    events = write_record(ledger_place, n_events=3)
    for event in events:
        true = stored_values(event)
        for column in COLUMNS:
            value = true[column.name]
            changed = value + 100 if isinstance(value, int) else f"{str(value)[:-1]}~"
            here = (EVENTS.c.stream == STREAM) & (EVENTS.c.sequence == event.sequence)
            with unguarded(ledger_place) as connection:
                connection.execute(EVENTS.update().where(here).values({column.name: changed}))

            assert event.sequence in places_of_faults(ledger_place), column.name
            assert refuses_to_read(ledger_place)

            with unguarded(ledger_place) as connection:
                named = true | (
                    {column.name: changed} if column.name in ("stream", "sequence") else {}
                )
                there = (EVENTS.c.stream == named["stream"]) & (
                    EVENTS.c.sequence == named["sequence"]
                )
                connection.execute(EVENTS.update().where(there).values(true))
    with Ledger(ledger_place) as ledger:
        assert ledger.read(STREAM) == events


# What an attacker or a broken disk may leave in a column: SQL, and a value for its parameter.
anything = st.tuples(
    st.just("?"),
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.binary(max_size=80)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(["{}", '{"a": 1}', '{"a":NaN}', "[" * 5000, "2025-03-01T08:00:00Z"]),
) | st.tuples(
    st.sampled_from(
        [
            "{column} || char(0)",
            "{column} || ' '",
            "upper({column})",
            "CAST({column} AS BLOB)",
            "CAST({column} AS REAL)",
            "CAST({column} || x'FF' AS TEXT)",
        ]
    ),
    st.none(),
)


@pytest.mark.requirement("DI-1")
@given(column=st.sampled_from(COLUMNS), sequence=st.integers(1, 5), forced=anything)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_sqlite_is_made_to_hold_is_found_at_that_event(
    tmp_path: Path, column: Column, sequence: int, forced: tuple[str, Any]
) -> None:
    original, place = tmp_path / "record.db", str(tmp_path / "altered.db")
    if not original.exists():
        write_record(str(original))
        with unguarded(str(original)):
            pass
    shutil.copy(original, place)
    value = forced[0].format(column=column.name)
    here = f"FROM bayeswell_events WHERE stream = '{STREAM}' AND sequence = {sequence}"
    held = f"SELECT typeof({column.name}), CAST({column.name} AS BLOB) {here}"
    with unguarded(place) as connection:
        before = connection.exec_driver_sql(held).all()
        with contextlib.suppress(IntegrityError):  # what SQLite itself refuses is not there to find
            connection.exec_driver_sql(
                f"UPDATE bayeswell_events SET {column.name} = {value} "
                f"WHERE stream = '{STREAM}' AND sequence = {sequence}",
                (forced[1],) if value == "?" else (),
            )
        changed = connection.exec_driver_sql(held).all() != before

    if changed:
        assert sequence in places_of_faults(place)
        assert refuses_to_read(place)


@pytest.mark.requirement("DI-1")
@pytest.mark.parametrize("removed", [1, 3, 5])
def test_a_removed_event_is_found_where_it_was(ledger_place: str, removed: int) -> None:
    write_record(ledger_place)
    with unguarded(ledger_place) as connection:
        connection.execute(EVENTS.delete().where(EVENTS.c.sequence == removed))

    assert places_of_faults(ledger_place) == [removed]
    assert refuses_to_read(ledger_place)


@pytest.mark.requirement("DI-1")
def test_a_record_that_was_emptied_is_found_by_its_head(ledger_place: str) -> None:
    write_record(ledger_place)
    with unguarded(ledger_place) as connection:
        connection.execute(EVENTS.delete())

    found = check(ledger_place)
    assert "it is missing, and so are all up to event 5" in found.sentence()
    assert refuses_to_read(ledger_place)
    with Ledger(ledger_place) as ledger, pytest.raises(RecordError, match="its last event is None"):
        ledger.append(STREAM, [Draft("a", {})], actor=ANA, expected=5)


@pytest.mark.requirement("DI-1")
def test_events_that_changed_places_are_both_found(ledger_place: str) -> None:
    events = write_record(ledger_place)
    swapped = tuple(
        _renumbered(event, other)
        for event, other in ((events[1], events[3]), (events[3], events[1]))
    )
    with unguarded(ledger_place) as connection:
        connection.execute(EVENTS.delete().where(EVENTS.c.sequence.in_((2, 4))))
        connection.execute(EVENTS.insert(), list(swapped))

    assert {2, 4} <= set(places_of_faults(ledger_place))
    assert refuses_to_read(ledger_place)


def _renumbered(event: Event, place_of: Event) -> dict[str, Any]:
    return stored_values(event) | {"sequence": place_of.sequence}


@pytest.mark.requirement("DI-1")
def test_a_forged_event_with_a_hash_of_its_own_is_found_by_the_next(ledger_place: str) -> None:
    events = write_record(ledger_place)
    overwrite(ledger_place, (resealed(events[2], payload={"run": 3, "value": 9}),), with_head=False)

    found = check(ledger_place)
    assert found.faults[0].sequence == 4
    assert "does not follow event 3" in found.faults[0].what
    assert refuses_to_read(ledger_place)


@pytest.mark.requirement("DI-1")
def test_a_forged_last_event_is_found_by_the_head(ledger_place: str) -> None:
    events = write_record(ledger_place)
    overwrite(ledger_place, (resealed(events[4], reason="forged reason"),), with_head=False)

    assert places_of_faults(ledger_place) == [5]
    assert refuses_to_read(ledger_place)


@pytest.mark.requirement("DI-1")
def test_a_payload_that_is_not_in_canonical_form_is_found_though_its_hash_fits(
    ledger_place: str,
) -> None:
    last = write_record(ledger_place)[-1]
    payload = '{"value": 9, "run": 5}'
    forged = sealed_digest(last.to_document(), payload.encode())
    with unguarded(ledger_place) as connection:
        fifth = EVENTS.update().where(EVENTS.c.sequence == 5)
        connection.execute(fifth.values(payload=payload, hash=forged))
        connection.execute(HEADS.update().values(hash=forged))

    found = check(ledger_place)
    assert found.faults[0].sequence == 5
    assert "canonical form" in found.faults[0].what


@pytest.mark.requirement("DI-1")
def test_a_record_that_was_closed_over_a_removed_event_is_found_where_it_was(
    ledger_place: str,
) -> None:
    events = write_record(ledger_place)
    fourth = resealed(events[3], previous_hash=events[1].hash)
    fifth = resealed(events[4], previous_hash=fourth.hash)
    overwrite(ledger_place, (fourth, fifth), with_head=True)
    with unguarded(ledger_place) as connection:
        connection.execute(EVENTS.delete().where(THIRD))

    assert places_of_faults(ledger_place) == [3]
    assert refuses_to_read(ledger_place)


@pytest.mark.requirement("DI-1")
def test_an_event_put_beyond_the_head_is_found(ledger_place: str) -> None:
    last = write_record(ledger_place)[-1]
    more = resealed(last, sequence=6, previous_hash=last.hash, idempotency_key="act-6")
    overwrite(ledger_place, (more,), with_head=False)
    with unguarded(ledger_place) as connection:
        connection.execute(HEADS.update().values(sequence=5, hash=last.hash))

    assert places_of_faults(ledger_place) == [6]
    assert refuses_to_read(ledger_place)


@pytest.mark.requirement("DI-1")
@pytest.mark.parametrize(
    ("head", "named"),
    [
        ({"sequence": 4}, [5]),
        ({"sequence": 7}, [6]),
        ({"hash": "ab" * 32}, [5]),
        ({"hash": "not a hash"}, []),
        ({"sequence": -1}, []),
        ({"stream": OTHER}, []),
    ],
)
def test_a_head_that_was_changed_is_found(
    ledger_place: str, head: dict[str, Any], named: list[int]
) -> None:
    write_record(ledger_place)
    with unguarded(ledger_place) as connection:
        connection.execute(HEADS.update().values(head))

    assert places_of_faults(ledger_place) == named
    assert any(
        "head" in fault.what or "missing" in fault.what for fault in check(ledger_place).faults
    )
    assert refuses_to_read(ledger_place)


def _written_anew(events: tuple[Event, ...]) -> tuple[Event, ...]:
    """The whole record from its second event on, forged with every hash recomputed."""
    chain = [events[0]]
    for event in events[1:]:
        payload = {"run": event.sequence, "value": 99}
        chain.append(resealed(event, payload=payload, previous_hash=chain[-1].hash))
    return tuple(chain)


@pytest.mark.requirement("DI-1")
def test_a_record_written_anew_as_a_whole_is_found_by_an_anchor_alone(ledger_place: str) -> None:
    """The limit of every chain of hashes, which is why the head is to be kept outside."""
    events = write_record(ledger_place)
    overwrite(ledger_place, _written_anew(events), with_head=True)

    found = check(ledger_place)
    assert [fault.sequence for fault in found.faults if fault.sequence] == []
    for kept in events[1:]:
        assert places_of_faults(ledger_place, Head(kept.sequence, kept.hash)) == [kept.sequence]


@pytest.mark.requirement("DI-1")
def test_a_record_cut_short_together_with_its_head_is_found_by_an_anchor(ledger_place: str) -> None:
    events = write_record(ledger_place)
    anchor = Head(5, events[-1].hash)
    with unguarded(ledger_place) as connection:
        connection.execute(EVENTS.delete().where(EVENTS.c.sequence > 3))
        connection.execute(HEADS.update().values(sequence=3, hash=events[2].hash))

    assert places_of_faults(ledger_place, anchor) == [5]


@pytest.mark.requirement("DI-1")
def test_an_anchor_of_the_past_goes_with_a_record_that_went_on(ledger_place: str) -> None:
    events = write_record(ledger_place)

    for event in events:
        assert check(ledger_place, Head(event.sequence, event.hash)).intact


# A damaged file


@pytest.mark.requirement("DI-1")
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), data=st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_of_the_file_is_found_or_is_no_part_of_the_record(
    tmp_path: Path, place: float, bit: int, data: st.DataObject
) -> None:
    original, damaged = tmp_path / "record.db", tmp_path / "damaged.db"
    if not original.exists():
        write_record(str(original), n_events=12)
    with Ledger(original) as ledger:
        events = ledger.read(STREAM)
    content = bytearray(original.read_bytes())
    # Most of a page is empty; look where something is.
    used = [index for index, byte in enumerate(content) if byte]
    where = used[int(place * len(used))]
    content[where] ^= 1 << bit
    damaged.write_bytes(content)

    intact = False
    try:
        with Ledger(damaged) as ledger:
            intact = ledger.check(STREAM).intact
            read = ledger.read(STREAM)
    except RecordError:
        assert not intact
    else:
        assert read == events


@pytest.mark.requirement("DI-1")
@pytest.mark.parametrize("length", [1, 99, 100, 4096, 10_000, -1])
def test_a_file_that_was_cut_is_found(tmp_path: Path, length: int) -> None:
    place = tmp_path / "record.db"
    write_record(str(place))
    place.write_bytes(place.read_bytes()[:length])

    intact = False
    with contextlib.suppress(RecordError):
        intact = check(str(place)).intact

    assert not intact


def test_nothing_is_appended_to_a_record_whose_end_was_changed(ledger_place: str) -> None:
    events = write_record(ledger_place)
    overwrite(ledger_place, (resealed(events[4], occurred_at=START),), with_head=False)
    with Ledger(ledger_place) as ledger, pytest.raises(RecordError, match="its head is"):
        ledger.append(STREAM, [Draft("a", {})], actor=ANA, expected=5)


def test_a_key_of_a_changed_event_is_not_taken_for_a_repeat(ledger_place: str) -> None:
    write_record(ledger_place)
    with unguarded(ledger_place) as connection:
        connection.execute(EVENTS.update().where(THIRD).values(reason="another reason"))
    again = Draft("a", {}, idempotency_key="act-3")
    with (
        Ledger(ledger_place) as ledger,
        pytest.raises(RecordError, match="event 3: what is stored"),
    ):
        ledger.append(STREAM, [again], actor=ANA, expected=5)
