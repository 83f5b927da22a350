"""Small records for tests, and what somebody with full access to the database can do to one."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from hypothesis import strategies as st

from campaigns.canonical import MAX_INTEGER
from campaigns.envelope import Actor, Draft, Event, seal
from campaigns.ledger import Ledger
from campaigns.ledger.rows import stored_values
from campaigns.ledger.schema import EVENTS, HEADS

STREAM = "campaign/growth medium"
ANA = Actor("ana", "Ana Müller")
BOB = Actor("bob")
START = datetime(2025, 3, 1, 8, 0, tzinfo=UTC)

GOLDEN = Path(__file__).parent / "golden"

json_numbers = st.integers(-MAX_INTEGER, MAX_INTEGER) | st.floats(
    allow_nan=False, allow_infinity=False
)
texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | json_numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
payloads = st.dictionaries(texts, json_values, max_size=5)


class Clock:
    """A clock that goes on by a minute at each reading, unless it is set."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


def drafts(n_events: int = 5) -> list[Draft]:
    """Drafts that fill every column of the event table."""
    return [
        Draft(
            kind="measurement-corrected",
            payload={"run": number, "value": 1.5 * number, "unit": "g/(L h)", "note": "µ ✓"},
            reason="transcription error in the notebook",
            occurred_at=START - timedelta(hours=number),
            on_behalf_of="bob",
            idempotency_key=f"act-{number}",
            format_version=2,
        )
        for number in range(1, n_events + 1)
    ]


def write_record(place: str, *, n_events: int = 5, stream: str = STREAM) -> tuple[Event, ...]:
    """Write a record of this many events, one append each, and return it."""
    with Ledger(place, clock=Clock()) as ledger:
        for number, draft in enumerate(drafts(n_events)):
            ledger.append(stream, [draft], actor=ANA, expected=number)
        return ledger.read(stream)


def engine_of(place: str) -> sa.Engine:
    """Return an engine that goes around the ledger."""
    url = place if "://" in place else f"sqlite:///{place}"
    return sa.create_engine(url, poolclass=sa.NullPool)


@contextmanager
def unguarded(place: str) -> Iterator[sa.Connection]:
    """Give a connection that may do everything, after switching every guard off."""
    engine = engine_of(place)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
            # A test need not survive a loss of power, and has not the time to.
            connection.exec_driver_sql("PRAGMA synchronous = OFF")
            triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            for name in connection.exec_driver_sql(triggers).scalars().all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            for table in (EVENTS, HEADS):
                connection.exec_driver_sql(f"ALTER TABLE {table.name} DISABLE TRIGGER USER")
        yield connection


def overwrite(place: str, events: tuple[Event, ...], *, with_head: bool) -> None:
    """Put these events in place of the stored ones of the same numbers, past every guard."""
    with unguarded(place) as connection:
        for event in events:
            here = (EVENTS.c.stream == event.stream) & (EVENTS.c.sequence == event.sequence)
            connection.execute(EVENTS.delete().where(here))
            connection.execute(EVENTS.insert().values(stored_values(event)))
        if with_head:
            last = events[-1]
            moved = HEADS.update().where(HEADS.c.stream == last.stream)
            connection.execute(moved.values(sequence=last.sequence, hash=last.hash))


def resealed(event: Event, *, previous_hash: str | None = None, **changes: object) -> Event:
    """Return a forged event: changed, and with the hash that its new content calls for."""
    fields = {name: getattr(event, name) for name in Event.__slots__ if name != "hash"}
    fields |= changes
    if previous_hash is not None:
        fields["previous_hash"] = previous_hash
    return seal(**fields)
