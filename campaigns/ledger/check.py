"""Is the record what was written? Every fault of a stored stream, named by its event.

What the chain of hashes can show: any changed byte of an event, an event that was removed, added,
moved or replaced, and a record cut short (the head of the stream then stands beyond its last
event). What it cannot show: a whole chain that somebody with full access to the database wrote
anew, with new hashes and a new head. Only an anchor does, a head that was kept outside the store,
for example printed on a signed report: the anchored event then has another hash.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from campaigns.canonical import MAX_INTEGER
from campaigns.envelope import GENESIS, Event, canonical_json
from campaigns.ledger.rows import COLUMNS, RowReading, read_row, stored_values
from doe.errors import InvalidValueError

StoredRow = Mapping[str, tuple[str, bytes | None]]
"""The type and the bytes that a row really holds, by column name."""


@dataclass(frozen=True, slots=True, order=True)
class Head:
    """The last event of a stream; kept outside the store, it is an anchor.

    Args:
        sequence: Of the event.
        hash: Of the event, 64 hexadecimal digits.
    """

    sequence: int
    hash: str

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Read an anchor as it is printed: ``12:`` and 64 hexadecimal digits.

        Raises:
            InvalidValueError: If the text is not that.
        """
        sequence, _, hash_text = text.strip().partition(":")
        if not (sequence.isascii() and sequence.isdigit() and 0 < int(sequence) <= MAX_INTEGER) or (
            len(hash_text) != len(GENESIS) or set(hash_text) - set("0123456789abcdef")
        ):
            raise InvalidValueError(
                f"The anchor is {text!r:.100}. Expected the number of an event, a colon and its "
                "hash, as an export or `bayeswell check` prints it."
            )
        return cls(int(sequence), hash_text)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as it was written, or worth knowing.

    Args:
        stream: Where.
        sequence: Of the event concerned, or None when it concerns the whole stream or store.
        what: What differs, in words.
    """

    stream: str
    sequence: int | None
    what: str

    def __str__(self) -> str:
        where = f"event {self.sequence} of {self.stream}" if self.sequence else self.stream
        return f"{where}: {self.what}"


@dataclass(frozen=True, slots=True)
class RecordCheck:
    """What a check of one stream found.

    Args:
        stream: What was checked.
        n_events: Events that are stored.
        head: The head that the store keeps, to be noted down as an anchor; None without one.
        faults: What is not as it was written; the events concerned come first.
        notes: What is as it was written, and still has to be seen: a clock set back, an event said
            to have occurred after it was recorded.
    """

    stream: str
    n_events: int
    head: Head | None
    faults: tuple[Fault, ...]
    notes: tuple[Fault, ...] = ()

    @property
    def intact(self) -> bool:
        """Whether everything is as it was written, as far as can be told without an anchor."""
        return not self.faults

    def sentence(self) -> str:
        """Return the finding in words for people."""
        if self.faults:
            n_more = len(self.faults) - 1
            more = f" Faults beside this one: {n_more}." if n_more else ""
            return f"The record of {self.stream} is NOT intact. {self.faults[0]}.{more}"
        notes = "".join(f" Note: {note}." for note in self.notes)
        return (
            f"The record of {self.stream} is intact: {self.n_events} events, each sealed by its "
            f"hash and chained to the one before, the last is {self.head}.{notes}"
        )


def examine(
    stream: str,
    rows: Iterable[StoredRow],
    head: StoredRow | None,
    *,
    anchor: Head | None = None,
    trouble: Sequence[str] = (),
) -> RecordCheck:
    """Compare the stored rows of a stream with each other, with the head and with an anchor.

    Args:
        stream: Whose rows they are.
        rows: Of the event table, in any order.
        head: Row of the head table, if there is one.
        anchor: A head that was kept outside the store.
        trouble: Faults of the store itself, to be listed last.
    """
    kept, head_faults = _read_head(head)
    chain = _Chain(stream)
    for position, values, misfits in sorted(map(_decode, rows), key=lambda decoded: decoded[0]):
        chain.add(position, values, misfits)
    chain.end(kept)
    if anchor is not None:
        chain.compare_with_anchor(anchor)
    if not chain.n_rows and head is None:
        chain.fault(None, "there is no record of this name in the store")
    for what in (*head_faults, *trouble):
        chain.fault(None, what)
    notes = tuple(Fault(stream, *note) for note in clock_notes(chain.events))
    return RecordCheck(stream, chain.n_rows, kept, tuple(chain.faults), notes)


def examine_events(
    stream: str, events: Iterable[Event], head: Head, *, anchor: Head | None = None
) -> RecordCheck:
    """Check events that are not in a store, for example those of an export, as if they were."""
    rows = [
        {name: _as_stored(value) for name, value in stored_values(event).items()}
        for event in events
    ]
    kept = {"sequence": _as_stored(head.sequence), "hash": _as_stored(head.hash)}
    return examine(stream, rows, kept, anchor=anchor)


def clock_notes(events: Iterable[Event]) -> Iterator[tuple[int, str]]:
    """Name the events whose times cannot all be right; their order is right all the same.

    The ledger writes down what its clock says and orders events by their sequence, so a clock that
    was set back hides nothing and cannot change the order. It has to be seen, though.
    """
    latest: datetime | None = None
    for event in events:
        if latest is not None and event.recorded_at < latest:
            yield (
                event.sequence,
                f"the clock was set back: recorded at {event.recorded_at.isoformat()}, after an "
                f"event recorded at {latest.isoformat()}",
            )
        if event.occurred_at > event.recorded_at:
            yield (
                event.sequence,
                f"said to have occurred at {event.occurred_at.isoformat()}, which is after it was "
                f"recorded at {event.recorded_at.isoformat()}",
            )
        latest = event.recorded_at if latest is None else max(latest, event.recorded_at)


class _Chain:
    """The rows of a stream in the order of their sequence, and what is wrong with them."""

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.events: list[Event] = []
        self.faults: list[Fault] = []
        self.n_rows = 0
        self._last = 0
        self._hashes: dict[int, frozenset[str]] = {0: frozenset((GENESIS,))}

    def fault(self, sequence: int | None, what: str) -> None:
        """Note a fault of an event, or with None one of the stream or store."""
        self.faults.append(Fault(self.stream, sequence, what))

    def add(self, position: float, values: Mapping[str, Any], misfits: Sequence[str]) -> None:
        """Take the next row; position is its sequence, or infinite where it has none."""
        self.n_rows += 1
        reading = RowReading(None, None, tuple(misfits)) if misfits else read_row(values)
        sequence = int(position) if position != float("inf") else None
        for what in (*reading.faults, *_not_canonical(values, reading)):
            self.fault(sequence, what)
        if sequence is None:
            return
        if sequence <= self._last:
            self.fault(sequence, "there is more than one event of this number")
        self._note_gap(sequence)
        self._compare_link(sequence, values.get("previous_hash"))
        hashes = (values.get("hash"), reading.digest)
        self._hashes[sequence] = frozenset(h for h in hashes if isinstance(h, str))
        self._last = max(self._last, sequence)
        if reading.event is not None:
            self.events.append(reading.event)

    def end(self, head: Head | None) -> None:
        """Compare the last row with the head of the stream."""
        if head is None:
            if self.n_rows:
                self.fault(None, "the head of the stream is missing")
            return
        self._note_gap(head.sequence + 1)
        if self._last > head.sequence:
            self.fault(
                head.sequence + 1,
                f"it stands beyond the head of the stream, which is event {head.sequence}: "
                "it was put there past the ledger",
            )
        elif head.sequence in self._hashes and head.hash not in self._hashes[head.sequence]:
            self.fault(
                head.sequence,
                f"the head of the stream names the hash {head.hash[:12]}..., which is not its own",
            )

    def compare_with_anchor(self, anchor: Head) -> None:
        """Compare the record with a head that was kept outside the store."""
        if anchor.sequence not in self._hashes:
            what = "the anchor names it, and it is not there: the record was cut short or replaced"
            self.fault(anchor.sequence, what)
        elif anchor.hash not in self._hashes[anchor.sequence]:
            self.fault(
                anchor.sequence,
                f"the anchor names the hash {anchor.hash[:12]}..., which is not its own: "
                "the record was written anew up to here",
            )

    def _note_gap(self, upto: int) -> None:
        missing = range(self._last + 1, upto)
        if len(missing) == 1:
            self.fault(missing[0], "it is missing")
        elif missing:
            self.fault(missing[0], f"it is missing, and so are all up to event {missing[-1]}")

    def _compare_link(self, sequence: int, previous_hash: object) -> None:
        # Where the event before is itself at fault, either of its two hashes is the right one;
        # where it is missing, there is nothing to compare with and its absence is named already.
        before = self._hashes.get(sequence - 1)
        if before and previous_hash not in before:
            self.fault(
                sequence,
                f"it does not follow event {sequence - 1}: the hash it names as the one before, "
                f"{str(previous_hash)[:12]}..., is not that event's",
            )


def _not_canonical(values: Mapping[str, Any], reading: RowReading) -> Iterator[str]:
    if reading.event is None:
        return
    try:
        canonical = canonical_json(reading.event.payload)
    except InvalidValueError as error:
        yield f"its payload is not plain JSON: {error}"
        return
    if canonical != values["payload"].encode():
        yield "its payload is not in canonical form (RFC 8785)"


def _read_head(row: StoredRow | None) -> tuple[Head | None, list[str]]:
    if row is None:
        return None, []
    try:
        sequence, hash_text = (_value(*row[name]) for name in ("sequence", "hash"))
        return Head.parse(f"{sequence}:{hash_text}"), []
    except ValueError:
        held = ", ".join(f"{name}: {row[name][1]!r:.80}" for name in ("sequence", "hash"))
        return None, [f"the head of the stream is not one, it holds {held}"]


def _decode(row: StoredRow) -> tuple[float, dict[str, Any], list[str]]:
    """Return where a row belongs, its values, and the columns that are not what they should be."""
    values: dict[str, Any] = {}
    misfits = []
    for column in COLUMNS:
        kind, held = row[column.name]
        try:
            values[column.name] = _value(kind, held)
        except ValueError:
            values[column.name] = None
            misfits.append(f"{column.name} holds {held!r:.60} of type {kind}, not {column.type}")
    sequence = values["sequence"]
    known = isinstance(sequence, int) and 0 < sequence <= MAX_INTEGER
    return (sequence if known else float("inf")), values, misfits


def _value(kind: str, held: bytes | None) -> str | int | None:
    match kind, held:
        case "null", None:
            return None
        case "text", bytes():
            return held.decode()
        case "integer", bytes():
            return int(held)
    raise InvalidValueError(f"A column holds {held!r:.60} of type {kind}.")


def _as_stored(value: str | int | None) -> tuple[str, bytes | None]:
    match value:
        case None:
            return "null", None
        case int():
            return "integer", str(value).encode()
        case str():
            return "text", value.encode()
