"""The databases refuse to change a record, and guards that were taken away are named."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from campaigns.ledger import Head, Ledger, RecordCheck
from campaigns.ledger.rows import stored_values
from campaigns.ledger.schema import EVENTS, STORE
from doe.errors import RecordError
from tests.campaigns.ledger_examples import STREAM, engine_of, resealed, unguarded, write_record

OTHER = "campaign/other"


def check(place: str) -> RecordCheck:
    with Ledger(place) as ledger:
        return ledger.check(STREAM)


REFUSED = [
    "UPDATE bayeswell_events SET reason = 'better'",
    "UPDATE bayeswell_events SET payload = payload WHERE sequence = 2",
    "DELETE FROM bayeswell_events",
    "DELETE FROM bayeswell_events WHERE sequence = 5",
    "UPDATE bayeswell_heads SET sequence = 4",
    "UPDATE bayeswell_heads SET sequence = 6",
    "UPDATE bayeswell_heads SET hash = 'a'",
    "UPDATE bayeswell_heads SET stream = 'campaign/other'",
    "DELETE FROM bayeswell_heads",
    "INSERT INTO bayeswell_heads VALUES ('campaign/other', 1, 'a')",
    "UPDATE bayeswell_store SET format_version = 2",
    "DELETE FROM bayeswell_store",
    "INSERT INTO bayeswell_store VALUES (2)",
]


@pytest.mark.requirement("DI-1")
def test_the_database_refuses_to_change_the_record(ledger_place: str) -> None:
    events = write_record(ledger_place)
    for statement in REFUSED:
        with (
            engine_of(ledger_place).connect() as connection,
            pytest.raises(IntegrityError, match="Bayeswell"),
        ):
            connection.exec_driver_sql(statement)

    with Ledger(ledger_place) as ledger:
        assert ledger.read(STREAM) == events
        assert ledger.check(STREAM).intact


@pytest.mark.requirement("DI-1")
@pytest.mark.postgres
def test_postgresql_refuses_to_empty_a_table_in_every_role(postgresql_url: str) -> None:
    """Ordinary triggers do not fire in the role of a replica."""
    write_record(postgresql_url)
    for table in ("bayeswell_events", "bayeswell_heads", "bayeswell_store"):
        for role in ("origin", "replica"):
            with engine_of(postgresql_url).connect() as connection:
                connection.exec_driver_sql(f"SET session_replication_role = '{role}'")
                with pytest.raises(IntegrityError, match="append-only"):
                    connection.exec_driver_sql(f"TRUNCATE {table}")

    assert check(postgresql_url).intact


@pytest.mark.requirement("DI-1")
@pytest.mark.parametrize("conflict", ["OR REPLACE", "OR IGNORE", "OR ROLLBACK"])
@pytest.mark.parametrize("change", [{}, {"sequence": 6}])
def test_sqlite_refuses_to_replace_an_event_by_inserting_another(
    tmp_path: Path, conflict: str, change: dict[str, Any]
) -> None:
    """REPLACE deletes the row in the way, of the same number or key, past the DELETE trigger."""
    place = str(tmp_path / "record.db")
    events = write_record(place)
    row = stored_values(events[2]) | change | {"previous_hash": events[4].hash, "reason": "better"}
    insert = EVENTS.insert().prefix_with(conflict).values(row)
    with (
        engine_of(place).connect() as connection,
        pytest.raises(IntegrityError, match="Bayeswell"),
    ):
        connection.execute(insert)

    assert check(place).intact


@pytest.mark.requirement("DI-1")
def test_the_database_takes_only_the_event_that_follows(ledger_place: str) -> None:
    last = write_record(ledger_place)[-1]
    follows = resealed(last, sequence=6, previous_hash=last.hash, idempotency_key="act-6")
    changes: list[dict[str, Any]] = [
        {"sequence": 7},
        {"sequence": 5},
        {"sequence": 0},
        {"previous_hash": "ab" * 32},
        {"stream": OTHER},
        {"stream": OTHER, "sequence": 2},
    ]
    for change in changes:
        with (
            engine_of(ledger_place).connect() as connection,
            pytest.raises(IntegrityError, match="has to follow the last event"),
        ):
            connection.execute(EVENTS.insert().values(stored_values(follows) | change))

    with engine_of(ledger_place).begin() as connection:
        connection.execute(EVENTS.insert().values(stored_values(follows)))
    with Ledger(ledger_place) as ledger:
        assert ledger.head(STREAM) == Head(6, follows.hash)
        assert ledger.check(STREAM).intact


@pytest.mark.requirement("DI-1")
def test_guards_that_were_taken_away_are_named(ledger_place: str) -> None:
    write_record(ledger_place)
    with unguarded(ledger_place):
        pass

    found = check(ledger_place)
    assert not found.intact
    assert {fault.sequence for fault in found.faults} == {None}
    assert any("bayeswell_events" in fault.what for fault in found.faults)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("ALTER TABLE bayeswell_events ALTER reason TYPE varchar(100)", "reason was changed"),
        ("ALTER TABLE bayeswell_events ADD COLUMN more text", "more does not belong here"),
        ("ALTER TABLE bayeswell_events DROP COLUMN reason", "cannot be read"),
        ("ALTER TABLE bayeswell_events ALTER sequence TYPE text", "sequence was changed"),
        ("ALTER TABLE bayeswell_events ALTER payload TYPE jsonb USING payload::jsonb", "canonical"),
        ("DROP INDEX bayeswell_events_key", "index bayeswell_events_key is missing"),
        ("DROP TABLE bayeswell_heads", "lacks bayeswell_heads"),
        ("ALTER TABLE bayeswell_events DISABLE TRIGGER bayeswell_events_refuse", "was changed"),
        ("ALTER TABLE bayeswell_events ENABLE TRIGGER bayeswell_events_refuse", "was changed"),
        (
            "CREATE OR REPLACE FUNCTION bayeswell_refuse() RETURNS trigger LANGUAGE plpgsql "
            "AS 'BEGIN RETURN NULL; END'",
            "trigger bayeswell_events_refuse was changed",
        ),
    ],
)
def test_altered_tables_and_guards_of_postgresql_are_named(
    postgresql_url: str, statement: str, named: str
) -> None:
    write_record(postgresql_url)
    with engine_of(postgresql_url).begin() as connection:
        connection.exec_driver_sql(statement)
    if "DROP TABLE" in statement:
        with pytest.raises(RecordError, match=named):
            check(postgresql_url)
        return

    found = check(postgresql_url)
    assert not found.intact
    if named != "canonical":
        assert any(named in fault.what for fault in found.faults), found.faults


def test_the_number_of_the_format_is_guarded_too(ledger_place: str) -> None:
    write_record(ledger_place)
    engine = engine_of(ledger_place)
    with engine.begin() as connection:
        off = (
            "DROP TRIGGER bayeswell_store_no_update"
            if engine.dialect.name == "sqlite"
            else "ALTER TABLE bayeswell_store DISABLE TRIGGER USER"
        )
        connection.exec_driver_sql(off)
        connection.execute(STORE.update().values(format_version=2))

    with pytest.raises(RecordError, match="has the format 2 of a newer Bayeswell"):
        Ledger(ledger_place)
