"""The append-only, hash-chained event table that is the record.

Errors, beside those of `doe.errors`::

    ExperimentError
    ├── StoreError (RuntimeError)         the store cannot be opened, read or written
    │   └── StoreBusyError                    somebody else holds it for too long
    └── InvalidValueError (ValueError)
        └── RepeatedKeyError                  an idempotency key was used for something else

An embedded store is as safe as the file it is in: whoever may write the file may replace it, and
the record with it. `Ledger.check` says what it can and cannot find.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from campaigns.envelope import (
    JSON,
    Actor,
    Draft,
    Event,
    canonical_json,
    check_stream,
    utc_now,
)
from campaigns.ledger.append import (
    RepeatedKeyError,
    as_head,
    check_expected,
    check_keys,
    check_place,
    damaged,
    repeated,
    sealed,
    sound_head,
    stored_head,
    verified,
)
from campaigns.ledger.check import (
    Fault,
    Head,
    RecordCheck,
    StoredRow,
    clock_notes,
    examine,
    examine_events,
)
from campaigns.ledger.rows import stored_values
from campaigns.ledger.schema import EVENTS, HEADS, StoreBusyError, StoreError
from campaigns.ledger.store import open_store
from doe.errors import ConflictError, DocumentError, RecordError, UnknownNameError

__all__ = [
    "Fault",
    "Head",
    "Ledger",
    "RecordCheck",
    "RepeatedKeyError",
    "StoreBusyError",
    "StoreError",
    "StreamSummary",
    "clock_notes",
]

_EXPORT_FORMAT = "bayeswell-record"
_EXPORT_VERSION = 1


@dataclass(frozen=True, slots=True)
class StreamSummary:
    """One stream of a store.

    Args:
        stream: Its name.
        n_events: How many events it has.
        head: Its last event; None only in a damaged record.
    """

    stream: str
    n_events: int
    head: Head | None


class Ledger:
    """The record of campaigns, processes and the installation, in one store.

    A store is created by its first event; looking at one creates nothing. A ledger may be used by
    several threads at a time, and a store by several ledgers, processes and machines.

    Args:
        store: Path of an SQLite file, a URL (``postgresql://user:password@host/database``,
            ``sqlite:///path``), ``":memory:"``, or an engine, which stays the caller's to dispose.
            In PostgreSQL, ``?options=-csearch_path%3D<schema>`` chooses the schema.
        clock: Gives the time of recording, aware; only a test has a reason to give another.
        patience: How long to wait for another writer, in seconds.

    Raises:
        StoreError: If the store cannot be opened: no such folder, no answer from the server.
        RecordError: If what is there is not a record, is damaged, or has a newer format.
    """

    def __init__(
        self,
        store: str | Path | sa.Engine,
        *,
        clock: Callable[[], datetime] = utc_now,
        patience: float = 10.0,
    ) -> None:
        self._store = open_store(store, patience=patience)
        self._clock = clock

    def append(
        self, stream: str, drafts: Sequence[Draft], *, actor: Actor, expected: int
    ) -> tuple[Event, ...]:
        """Write the drafts as the next events of a stream, all of them or none.

        A call that comes again, with the same content and at least one idempotency key, gives the
        events that are there already, whatever was expected.

        Args:
            stream: Where to write.
            drafts: What happened, in order.
            actor: Who writes.
            expected: Sequence of the last event that the writer has seen; 0 for a new stream.

        Raises:
            ConflictError: If the stream has other events than the writer has seen.
            RepeatedKeyError: If a key was used before for something else.
            InvalidValueError: If a draft cannot be recorded; the message names what and where.
            StoreError: If the store cannot be written.
            RecordError: If the record is damaged at its end.
        """
        check_stream(stream)
        check_place(expected, "expected")
        for draft in drafts:
            canonical_json(draft.payload)  # refused before anything is opened or created
        check_keys(drafts)
        with self._store.writing() as connection:
            self._store.database.lock(connection, stream)
            if there := repeated(connection, stream, drafts, actor):
                return there
            head = sound_head(connection, stream)
            check_expected(stream, expected, head)
            events = sealed(stream, drafts, actor, head, self._clock())
            if events:
                connection.execute(EVENTS.insert(), [stored_values(event) for event in events])
        return events

    def read(self, stream: str, *, after: int = 0) -> tuple[Event, ...]:
        """Return the events of a stream beyond ``after``, none where there is no such stream.

        Each event is compared with its hash and with the event before it, and the last one with
        the head, so that no state is ever made from a record that was changed.

        Raises:
            RecordError: If an event was changed or is missing; `check` names everything.
            StoreError: If the store cannot be read.
        """
        check_stream(stream)
        check_place(after, "after")
        with self._store.reading() as connection:
            if connection is None:
                rows, head = [], None
            else:
                columns = EVENTS.c
                wanted = sa.and_(columns.stream == stream, columns.sequence >= after)
                statement = sa.select(EVENTS).where(wanted).order_by(columns.sequence)
                rows = [row._asdict() for row in connection.execute(statement)]
                head = stored_head(connection, stream)
        if after > (head.sequence if head else 0):
            raise damaged(stream, f"event {after} was read before, and its head is now {head}")
        events = verified(stream, rows, after)
        last = Head(events[-1].sequence, events[-1].hash) if events else None
        if last != head:
            raise damaged(stream, f"its last event is {last}, and its head is {head}")
        return tuple(event for event in events if event.sequence > after)

    def streams(self) -> tuple[StreamSummary, ...]:
        """Return the streams of the store by name.

        Raises:
            RecordError: If the store is damaged so that its streams cannot be told.
        """
        with self._store.reading() as connection:
            if connection is None:
                return ()
            counted = sa.select(EVENTS.c.stream, sa.func.count()).group_by(EVENTS.c.stream)
            counts = {row[0]: row[1] for row in connection.execute(counted)}
            heads = {row.stream: row for row in connection.execute(sa.select(HEADS))}
        for name in counts.keys() | heads.keys():
            if not isinstance(name, str):
                raise damaged(repr(name), "a stream has a name that is not text")
        return tuple(
            StreamSummary(name, counts.get(name, 0), as_head(name, heads.get(name)))
            for name in sorted(counts.keys() | heads.keys())
        )

    def head(self, stream: str) -> Head | None:
        """Return the last event of a stream, to append after it or to keep it as an anchor."""
        check_stream(stream)
        with self._store.reading() as connection:
            return None if connection is None else stored_head(connection, stream)

    def check(self, stream: str, *, anchor: Head | None = None) -> RecordCheck:
        """Compare everything that is stored of a stream with its hashes, and name every fault.

        Found are: a changed byte in any column of an event, an event that was removed, added,
        replaced or moved, a record cut short, missing or altered triggers, and a damaged file.
        Without an anchor, a record that was written anew as a whole, with new hashes and a new
        head, is not found: nothing inside the store can tell it from a true one. Keep the head
        outside the store from time to time, and check against it.

        Args:
            stream: What to check.
            anchor: A head kept outside the store, from `head`, `export` or an earlier check.

        Raises:
            StoreError: If the store cannot be reached; never for what it holds.
        """
        check_stream(stream)
        rows: list[StoredRow] = []
        head: StoredRow | None = None
        trouble: list[str] = []
        try:
            with self._store.reading() as connection:
                if connection is not None:
                    head = next(self._stored(connection, HEADS, stream), None)
                    # One by one: what was read before a damaged page is still examined.
                    for row in self._stored(connection, EVENTS, stream):
                        rows.append(row)
                    trouble = self._store.database.protection_faults(connection)
        except RecordError as error:
            trouble = [str(error)]
        return examine(stream, rows, head, anchor=anchor, trouble=trouble)

    def export(self, stream: str) -> dict[str, JSON]:
        """Return a whole stream as plain JSON that `restore` takes; its head is an anchor.

        Raises:
            UnknownNameError: If there is no such stream.
            RecordError: If the record was changed: a copy of it would hide that.
        """
        events = self.read(stream)
        if not events:
            raise UnknownNameError(
                f"There is no record of {stream!r} in this store. Expected one of "
                f"{', '.join(summary.stream for summary in self.streams()) or 'none: it is empty'}."
            )
        return {
            "format": _EXPORT_FORMAT,
            "format_version": _EXPORT_VERSION,
            "stream": stream,
            "head": {"sequence": events[-1].sequence, "hash": events[-1].hash},
            "events": [event.to_document() for event in events],
        }

    def restore(
        self, document: Mapping[str, JSON], *, anchor: Head | None = None
    ) -> tuple[Event, ...]:
        """Write an exported stream into this store, where it must not be yet, hash for hash.

        Args:
            document: From `export`.
            anchor: A head kept elsewhere, to see that this is the whole and true record.

        Raises:
            DocumentError: If the document is not an export.
            RecordError: If the exported record does not verify; the message names the first fault.
            ConflictError: If the stream has events already.
            StoreError: If the store cannot be written.
        """
        stream, head, events = _read_export(document)
        found = examine_events(stream, events, head, anchor=anchor)
        if not found.intact:
            raise RecordError(f"The export cannot be restored. {found.sentence()}")
        with self._store.writing() as connection:
            self._store.database.lock(connection, stream)
            if (there := sound_head(connection, stream)) is not None:
                raise ConflictError(
                    f"{stream} has {there.sequence} events in this store already: restore into a "
                    "store that does not have it."
                )
            connection.execute(EVENTS.insert(), [stored_values(event) for event in events])
        return events

    def close(self) -> None:
        """Let go of the store; a ledger that was closed refuses to work."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Ledger: {self._store.database.label}>"

    def _stored(
        self, connection: sa.Connection, table: sa.TableClause, stream: str
    ) -> Iterator[StoredRow]:
        names = table.c.keys()
        pairs = [part for name in names for part in self._store.database.stored(name)]
        statement = sa.select(*pairs).select_from(table).where(table.c.stream == stream)
        for row in connection.execute(statement):
            held: list[Any] = list(row)
            yield dict(zip(names, zip(held[::2], held[1::2], strict=True), strict=True))


def _read_export(document: Mapping[str, JSON]) -> tuple[str, Head, tuple[Event, ...]]:
    match document:
        case {
            "format": "bayeswell-record",
            "format_version": 1,
            "stream": str(stream),
            "head": {"sequence": int(sequence), "hash": str(hash_text)},
            "events": [*documents],
        }:
            check_stream(stream)
            head = Head.parse(f"{sequence}:{hash_text}")
            events = tuple(Event.from_document(document) for document in documents)
        case _:
            found = document.get("format_version") if isinstance(document, Mapping) else document
            raise DocumentError(
                "This is not the export of a record that can be read here: expected the format "
                f"{_EXPORT_FORMAT!r} in version {_EXPORT_VERSION}, found version {found!r:.60}. "
                "Give a file that an export wrote."
            )
    for event in events:
        if event.stream != stream:
            raise RecordError(
                f"The export cannot be restored: it is of {stream} and holds event "
                f"{event.sequence} of {event.stream}. Export it again from the store it is in."
            )
    return stream, head, events
