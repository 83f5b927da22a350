"""What an append looks at before it writes: the head it follows, and whether it came before."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from campaigns.canonical import MAX_INTEGER
from campaigns.envelope import GENESIS, Actor, Draft, Event, canonical_json, seal
from campaigns.ledger.check import Head
from campaigns.ledger.rows import read_row
from campaigns.ledger.schema import EVENTS, HEADS
from doe.errors import ConflictError, InvalidValueError, RecordError


class RepeatedKeyError(InvalidValueError):
    """An idempotency key comes again with other content than it had before."""


def damaged(stream: str, what: str) -> RecordError:
    """Return the error for a record that is not what was written."""
    return RecordError(
        f"The record of {stream} is not what was written: {what}. Check the record to see every "
        "fault, and restore it from a backup or an export."
    )


def check_place(sequence: int, name: str) -> None:
    """Check the number of an event, or 0 for none.

    Raises:
        InvalidValueError: If it is not a whole number from 0.
    """
    whole = isinstance(sequence, int) and not isinstance(sequence, bool)
    if not whole or not 0 <= sequence <= MAX_INTEGER:
        raise InvalidValueError(
            f"{name} is {sequence!r}. Expected the number of an event, or 0 for none."
        )


def check_keys(drafts: Sequence[Draft]) -> None:
    """Check that no idempotency key stands twice among the drafts of one append.

    Raises:
        RepeatedKeyError: If one does.
    """
    keys = Counter(draft.idempotency_key for draft in drafts)
    for key, n_events in keys.items():
        if key is not None and n_events > 1:
            raise RepeatedKeyError(
                f"The idempotency key {key!r} stands for {n_events} events of one append: give "
                "each its own."
            )


def check_expected(stream: str, expected: int, head: Head | None) -> None:
    """Check that the writer has seen every event of the stream.

    Raises:
        ConflictError: If there are others.
    """
    last = head.sequence if head else 0
    if expected < last:
        raise ConflictError(
            f"{stream} has {last} events and the writer had seen {expected}: somebody else wrote "
            f"first. Read the events after {expected}, decide again, and append with expected="
            f"{last}."
        )
    if expected > last:
        raise ConflictError(
            f"{stream} has {last} events and the writer had seen {expected}: this is another "
            "store, or the record was cut short. See that it is the right store, and check the "
            "record."
        )


def stored_head(connection: sa.Connection, stream: str) -> Head | None:
    """Return the head that the store keeps of a stream.

    Raises:
        RecordError: If it is not one.
    """
    statement = sa.select(HEADS).where(HEADS.c.stream == stream)
    return as_head(stream, connection.execute(statement).one_or_none())


def as_head(stream: str, row: Any) -> Head | None:
    """Return a row of the heads as a head, None for None.

    Raises:
        RecordError: If it is not one.
    """
    if row is None:
        return None
    try:
        return Head.parse(f"{row.sequence}:{row.hash}")
    except InvalidValueError as error:
        raise damaged(stream, "its head is not one") from error


def sound_head(connection: sa.Connection, stream: str) -> Head | None:
    """Return the head of a stream after comparing it with the last event.

    Raises:
        RecordError: If they differ: nothing may be added to a record that was cut.
    """
    head = stored_head(connection, stream)
    columns = EVENTS.c
    statement = (
        sa.select(columns.sequence, columns.hash)
        .where(columns.stream == stream)
        .order_by(columns.sequence.desc())
        .limit(1)
    )
    last = as_head(stream, connection.execute(statement).one_or_none())
    if last != head:
        raise damaged(stream, f"its last event is {last}, and its head is {head}")
    return head


def sealed(
    stream: str, drafts: Iterable[Draft], actor: Actor, head: Head | None, now: datetime
) -> tuple[Event, ...]:
    """Return the drafts as events that follow the head."""
    events: list[Event] = []
    sequence, previous_hash = (head.sequence, head.hash) if head else (0, GENESIS)
    for draft in drafts:
        event = seal(
            stream=stream,
            sequence=sequence + 1,
            kind=draft.kind,
            payload=draft.payload,
            actor=actor,
            recorded_at=now,
            occurred_at=draft.occurred_at,
            on_behalf_of=draft.on_behalf_of,
            reason=draft.reason,
            idempotency_key=draft.idempotency_key,
            format_version=draft.format_version,
            previous_hash=previous_hash,
        )
        sequence, previous_hash = event.sequence, event.hash
        events.append(event)
    return tuple(events)


def repeated(
    connection: sa.Connection, stream: str, drafts: Sequence[Draft], actor: Actor
) -> tuple[Event, ...]:
    """Return the events of an append that comes again; empty when it is new.

    An append is atomic, so the events of a repeated one stand in a row, those with a key and
    those without.

    Raises:
        RepeatedKeyError: If a key is there with other content.
    """
    places = {
        draft.idempotency_key: place
        for place, draft in enumerate(drafts)
        if draft.idempotency_key is not None
    }
    if not places:
        return ()
    columns = EVENTS.c
    ours = sa.select(EVENTS).where(columns.stream == stream).order_by(columns.sequence)
    found = connection.execute(ours.where(columns.idempotency_key.in_(places))).first()
    if found is None:
        return ()
    first = found.sequence - places[found.idempotency_key]
    in_a_row = ours.where(columns.sequence.between(first, first + len(drafts) - 1))
    events = tuple(_read(stream, row._asdict()) for row in connection.execute(in_a_row))
    if len(events) != len(drafts) or not all(
        _says_the_same(draft, event, actor) for draft, event in zip(drafts, events, strict=True)
    ):
        raise RepeatedKeyError(
            f"The idempotency key {found.idempotency_key!r} was used in {stream} for event "
            f"{found.sequence}, with other content. Use a new key for a new act; to repeat an "
            "append, repeat all of it."
        )
    return events


def verified(stream: str, rows: Iterable[Mapping[str, Any]], after: int) -> tuple[Event, ...]:
    """Return rows as events, each compared with its hash and with the one before it.

    Args:
        stream: Whose rows they are.
        rows: In order, from event ``after`` on, or from the first where that is 0.
        after: Number of the first row, whose own predecessor is not there to compare with.

    Raises:
        RecordError: If one was changed or is missing.
    """
    events: list[Event] = []
    previous_hash = None if after else GENESIS
    for sequence, row in enumerate(rows, start=max(after, 1)):
        event = _read(stream, row)
        if event.sequence != sequence:
            raise damaged(stream, f"event {sequence} is missing")
        if previous_hash not in (None, event.previous_hash):
            raise damaged(stream, f"event {sequence} does not follow event {sequence - 1}")
        previous_hash = event.hash
        events.append(event)
    return tuple(events)


def _read(stream: str, row: Mapping[str, Any]) -> Event:
    reading = read_row(row)
    if reading.faults or reading.event is None:
        raise damaged(stream, f"event {row['sequence']}: {'; '.join(reading.faults)}")
    return reading.event


def _says_the_same(draft: Draft, event: Event, actor: Actor) -> bool:
    occurred_at = draft.occurred_at or event.recorded_at
    return (
        event.kind == draft.kind
        and canonical_json(event.payload) == canonical_json(draft.payload)
        and event.occurred_at == occurred_at
        and event.actor.id == actor.id
        and event.on_behalf_of == draft.on_behalf_of
        and event.reason == draft.reason
        and event.idempotency_key == draft.idempotency_key
        and event.format_version == draft.format_version
    )
