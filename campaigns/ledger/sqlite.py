"""The ledger in an SQLite file: the embedded store.

The file keeps SQLite's rollback journal. The write-ahead log would let people read while somebody
writes, but it spreads the record over three files, so that a copy of the one people know of lacks
the last events; it cannot be read from read-only media; and it fails on network shares. An append
takes milliseconds, so readers wait for it instead.
"""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, pool
from sqlalchemy.exc import DBAPIError

from campaigns.envelope import GENESIS
from campaigns.ledger.rows import COLUMNS
from campaigns.ledger.schema import (
    APPEND_ONLY,
    FOLLOWS,
    HEAD_MOVES,
    STORE,
    STORE_FORMAT,
    TABLES,
    StoreBusyError,
    StoreError,
)
from doe.errors import ConflictError, ExperimentError, RecordError


def _column(name: str, *, stored: str, nullable: bool) -> str:
    # SQLite would put text into an INTEGER column and bytes into a TEXT column.
    allowed = f"'{stored}', 'null'" if nullable else f"'{stored}'"
    null = "" if nullable else " NOT NULL"
    return f"  {name} {stored.upper()}{null} CHECK (typeof({name}) IN ({allowed})),\n"


def _refusal(table: str, action: str) -> tuple[str, str]:
    name = f"{table}_no_{action.lower()}"
    return name, (
        f"CREATE TRIGGER {name} BEFORE {action} ON {table}\n"
        f"BEGIN\n  SELECT RAISE(ABORT, '{APPEND_ONLY}');\nEND"
    )


_COLUMNS = "".join(_column(c.name, stored=c.type, nullable=c.nullable) for c in COLUMNS)

# Written out in full, because SQLite keeps their text and the check compares it: a store written
# today has to compare equal under every later version.
# Without rowid: a row then has one identity, (stream, sequence), which REPLACE cannot go around.
STATEMENTS: Mapping[str, str] = {
    "bayeswell_events": (
        f"CREATE TABLE bayeswell_events (\n{_COLUMNS}"
        "  PRIMARY KEY (stream, sequence)\n) WITHOUT ROWID"
    ),
    "bayeswell_heads": (
        "CREATE TABLE bayeswell_heads (\n"
        f"{_column('stream', stored='text', nullable=False)}"
        f"{_column('sequence', stored='integer', nullable=False)}"
        f"{_column('hash', stored='text', nullable=False)}"
        "  PRIMARY KEY (stream)\n) WITHOUT ROWID"
    ),
    "bayeswell_store": (
        "CREATE TABLE bayeswell_store (\n"
        f"{_column('format_version', stored='integer', nullable=False)}"
        "  PRIMARY KEY (format_version)\n) WITHOUT ROWID"
    ),
    "bayeswell_events_key": (
        "CREATE UNIQUE INDEX bayeswell_events_key ON bayeswell_events (stream, idempotency_key)\n"
        "WHERE idempotency_key IS NOT NULL"
    ),
    # REPLACE deletes the old row without a DELETE trigger, so what it would replace is looked for.
    "bayeswell_events_follow": (
        "CREATE TRIGGER bayeswell_events_follow BEFORE INSERT ON bayeswell_events\n"
        "WHEN NEW.sequence IS NOT coalesce(\n"
        "  (SELECT sequence FROM bayeswell_heads WHERE stream = NEW.stream), 0) + 1\n"
        "OR NEW.previous_hash IS NOT coalesce(\n"
        f"  (SELECT hash FROM bayeswell_heads WHERE stream = NEW.stream), '{GENESIS}')\n"
        "OR EXISTS (SELECT 1 FROM bayeswell_events WHERE stream = NEW.stream\n"
        "  AND (sequence = NEW.sequence OR idempotency_key = NEW.idempotency_key))\n"
        f"BEGIN\n  SELECT RAISE(ABORT, '{FOLLOWS}');\nEND"
    ),
    "bayeswell_events_move_head": (
        "CREATE TRIGGER bayeswell_events_move_head AFTER INSERT ON bayeswell_events\n"
        "BEGIN\n"
        "  INSERT INTO bayeswell_heads (stream, sequence, hash)\n"
        "  SELECT NEW.stream, NEW.sequence, NEW.hash WHERE NEW.sequence = 1;\n"
        "  UPDATE bayeswell_heads SET sequence = NEW.sequence, hash = NEW.hash\n"
        "  WHERE stream = NEW.stream AND sequence < NEW.sequence;\n"
        "END"
    ),
    "bayeswell_heads_begin": (
        "CREATE TRIGGER bayeswell_heads_begin BEFORE INSERT ON bayeswell_heads\n"
        "WHEN NEW.sequence IS NOT 1\n"
        "OR EXISTS (SELECT 1 FROM bayeswell_heads WHERE stream = NEW.stream)\n"
        "OR NOT EXISTS (SELECT 1 FROM bayeswell_events\n"
        "  WHERE stream = NEW.stream AND sequence = 1 AND hash = NEW.hash)\n"
        f"BEGIN\n  SELECT RAISE(ABORT, '{HEAD_MOVES}');\nEND"
    ),
    "bayeswell_heads_move": (
        "CREATE TRIGGER bayeswell_heads_move BEFORE UPDATE ON bayeswell_heads\n"
        "WHEN NEW.stream IS NOT OLD.stream OR NEW.sequence IS NOT OLD.sequence + 1\n"
        "OR NOT EXISTS (SELECT 1 FROM bayeswell_events WHERE stream = NEW.stream\n"
        "  AND sequence = NEW.sequence AND hash = NEW.hash AND previous_hash = OLD.hash)\n"
        f"BEGIN\n  SELECT RAISE(ABORT, '{HEAD_MOVES}');\nEND"
    ),
    "bayeswell_store_once": (
        "CREATE TRIGGER bayeswell_store_once BEFORE INSERT ON bayeswell_store\n"
        "WHEN EXISTS (SELECT 1 FROM bayeswell_store)\n"
        f"BEGIN\n  SELECT RAISE(ABORT, '{APPEND_ONLY}');\nEND"
    ),
    **dict(
        _refusal(table, action)
        for table, action in (
            ("bayeswell_events", "UPDATE"),
            ("bayeswell_events", "DELETE"),
            ("bayeswell_heads", "DELETE"),
            ("bayeswell_store", "UPDATE"),
            ("bayeswell_store", "DELETE"),
        )
    ),
}


class SQLiteDatabase:
    """An SQLite file, or a database in memory, that holds or will hold a ledger.

    Args:
        engine: Of SQLAlchemy, with the sqlite3 driver.
        label: What messages call the store.
        path: Of the file, where there is one that may not exist yet.
    """

    def __init__(self, engine: sa.Engine, label: str, path: Path | None) -> None:
        self.engine = engine
        self.label = label
        self._path = path

    def exists(self) -> bool:
        """Return whether there is something to read; asking creates no file."""
        return self._path is None or self._path.exists()

    def begin(self, connection: sa.Connection, *, writing: bool) -> None:
        """Begin a transaction that sees one state, and that alone writes if it writes."""
        connection.begin()
        driver: Any = connection.connection.driver_connection
        if driver.in_transaction:
            raise StoreError(
                f"The engine of {self.label} begins transactions by itself, and the ledger has to "
                "choose how they begin: hand over its URL or path instead."
            )
        # A deferred transaction that turns to writing would fail, not wait, when another wrote.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    def lock(self, connection: sa.Connection, stream: str) -> None:
        """Do nothing: an immediate transaction holds the whole file."""

    def tables(self, connection: sa.Connection) -> frozenset[str]:
        """Return which tables of a ledger are there.

        Raises:
            StoreError: If there are only tables of another program.
        """
        statement = "SELECT name FROM sqlite_master WHERE type = 'table'"
        names = frozenset(connection.exec_driver_sql(statement).scalars())
        others = sorted(name for name in names - TABLES if not str(name).startswith("sqlite_"))
        if others and not names & TABLES:
            raise StoreError(
                f"{self.label} is an SQLite database of another program: it holds the tables "
                f"{', '.join(others)[:100]}. Give the path of a Bayeswell record, or a new one."
            )
        return names & TABLES

    def create(self, connection: sa.Connection) -> None:
        """Create the tables and triggers of an empty store."""
        for statement in STATEMENTS.values():
            connection.exec_driver_sql(statement)
        connection.execute(STORE.insert().values(format_version=STORE_FORMAT))

    def protection_faults(self, connection: sa.Connection) -> list[str]:
        """Return what differs from the tables and triggers that a ledger has, and other damage."""
        found = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL "
            "AND (tbl_name LIKE 'bayeswell@_%' ESCAPE '@' OR name LIKE 'bayeswell@_%' ESCAPE '@')"
        )
        there = {row.name: row.sql for row in found}
        faults = [
            f"{name} is missing: the database no longer guards the record"
            for name in STATEMENTS
            if name not in there
        ]
        faults += [
            f"{name} was changed" if name in STATEMENTS else f"{name!r} does not belong here"
            for name, statement in there.items()
            if STATEMENTS.get(name) != statement
        ]
        damage = connection.exec_driver_sql("PRAGMA integrity_check(10)").scalars()
        return faults + [f"SQLite finds damage: {line}" for line in damage if line != "ok"]

    def stored(self, column: str) -> tuple[sa.ColumnElement[str], sa.ColumnElement[bytes]]:
        """Return the type and the bytes that a column really holds, whatever it should hold."""
        value: sa.ColumnClause[object] = sa.column(column)
        return sa.func.typeof(value), sa.cast(value, sa.BLOB)

    def error(self, error: DBAPIError) -> ExperimentError:
        """Return the driver's error in words that say what to do."""
        # Text that is not UTF-8 is found by Python's module, which then sets no code.
        code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        match code:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return StoreBusyError(
                    f"{self.label} is in use by another writer or reader, who did not finish in "
                    "time. Nothing was written: try again, or close the program that holds it."
                )
            case sqlite3.SQLITE_CONSTRAINT:
                return ConflictError(
                    f"{self.label} refused what does not follow its last event, or would change "
                    "one. Nothing was written: read the new events and try again; if that does "
                    "not help, check the record."
                )
            case sqlite3.SQLITE_READONLY:
                hint = "may be read but not written: change its permissions, or write to a copy"
            case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
                hint = "cannot be opened: see that folder and file exist and that you may use them"
            case sqlite3.SQLITE_FULL:
                hint = "cannot grow, the disk is full, and nothing was written: free some space"
            case sqlite3.SQLITE_IOERR:
                hint = "could not be read or written by the operating system: look at the disk"
            case _:
                return RecordError(
                    f"{self.label} is damaged or is not the record of a campaign: SQLite cannot "
                    "read it. Restore it from a backup or an export."
                )
        return StoreError(f"{self.label} {hint}.")


def open_file(path: Path, patience: float) -> SQLiteDatabase:
    """Return the database of a file, which is created by the first event written.

    Raises:
        StoreError: If the folder does not exist, or the path is not that of a file.
    """
    label = f"The store {path}"
    try:
        has_folder = path.parent.is_dir()
        # In this order: another writer may create the file between the two questions.
        is_other = path.exists() and not path.is_file()
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{label} cannot be looked for: see that the name is allowed and that you may use "
            "its folder."
        ) from error
    if not has_folder:
        raise StoreError(f"{label} has no folder to be in: create {path.parent} first.")
    if is_other:
        raise StoreError(f"{label} is not a file: give the path of one, as {path / 'record.db'}.")
    url = sa.URL.create("sqlite", database=str(path.absolute()))
    return SQLiteDatabase(_engine(url, patience), label, path.absolute())


def open_url(url: sa.URL, patience: float) -> SQLiteDatabase:
    """Return the database of an ``sqlite:`` URL.

    Raises:
        StoreError: As `open_file`, or if the URL asks for what a record cannot be kept in.
    """
    if url.host or url.username:
        raise StoreError(
            "An sqlite: address names a file and no server: write sqlite:///relative/path or "
            "sqlite:////absolute/path."
        )
    name = url.database or ":memory:"
    if name == ":memory:":
        engine = sa.create_engine(
            url,
            hide_parameters=True,
            # One connection, handed round: each further one would be another, empty, database.
            poolclass=pool.QueuePool,
            pool_size=1,
            max_overflow=0,
            pool_timeout=patience,
            connect_args={"check_same_thread": False},
        )
        return SQLiteDatabase(engine, "The store in memory", None)
    if not name.startswith("file:"):
        return open_file(Path(name), patience)
    if url.query.get("mode") == "memory":
        raise StoreError("A shared store in memory would be lost between writes: use ':memory:'.")
    return SQLiteDatabase(_engine(url, patience), f"The store {name}", None)


def _engine(url: sa.URL, patience: float) -> sa.Engine:
    # Without a pool no connection is carried into another process, where SQLite's locks break.
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        poolclass=pool.NullPool,
        connect_args={"timeout": patience},
    )
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    for setting in (
        "synchronous = EXTRA",  # an event that was taken survives a loss of power
        "trusted_schema = OFF",  # a file from elsewhere runs no function of ours
        "cell_size_check = ON",  # a damaged page is found when it is read
    ):
        connection.execute(f"PRAGMA {setting}")
