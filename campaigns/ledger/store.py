"""Where a ledger is kept: opening a store, its transactions, and its errors in plain words."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from campaigns.ledger import postgresql, sqlite
from campaigns.ledger.postgresql import PostgreSQLDatabase
from campaigns.ledger.schema import STORE, STORE_FORMAT, TABLES, StoreBusyError, StoreError
from campaigns.ledger.sqlite import SQLiteDatabase
from doe.errors import ExperimentError, RecordError


class Database(Protocol):
    """What the ledger asks of a database, beyond the SQL that all of them share."""

    engine: sa.Engine
    label: str

    def exists(self) -> bool:
        """Return whether there is something to read; asking creates nothing."""

    def begin(self, connection: sa.Connection, *, writing: bool) -> None:
        """Begin a transaction; a reading one sees one state throughout."""

    def lock(self, connection: sa.Connection, stream: str) -> None:
        """Let nobody else append to this stream until the transaction ends."""

    def tables(self, connection: sa.Connection) -> frozenset[str]:
        """Return which tables of a ledger are there."""

    def create(self, connection: sa.Connection) -> None:
        """Create the tables and triggers of an empty store."""

    def protection_faults(self, connection: sa.Connection) -> list[str]:
        """Return what differs from the tables and triggers that a ledger has."""

    def stored(self, column: str) -> tuple[sa.ColumnElement[str], sa.ColumnElement[bytes]]:
        """Return the type and the bytes that a column really holds, whatever it should hold."""

    def error(self, error: DBAPIError) -> ExperimentError:
        """Return the driver's error in words that say what to do."""


class Store:
    """An opened store: transactions on a database whose tables are known to be those of a ledger.

    The tables are created by the first write; looking creates nothing.
    """

    def __init__(self, database: Database, *, owned: bool) -> None:
        self.database = database
        self._owned = owned
        self._has_tables = False
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[sa.Connection | None]:
        """Give a connection that sees one state of the store; None while it has no tables.

        Raises:
            StoreError: If the store cannot be read, or is no longer there.
            RecordError: If it is damaged, or written in a newer format.
        """
        self._check_usable()
        if not self.database.exists():
            yield None
            return
        with self._transaction(writing=False) as connection:
            yield connection if self._find_tables(connection) else None

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a connection whose writes are kept together when the block ends, or not at all.

        Raises:
            StoreError: If the store cannot be written.
            StoreBusyError: If another writer holds it for too long.
            ConflictError: If the database refuses a row.
            RecordError: If it is damaged, or written in a newer format.
        """
        self._check_usable()
        with self._transaction(writing=True) as connection:
            if not self._find_tables(connection):
                self.database.lock(connection, "")
                if not self._find_tables(connection):
                    self.database.create(connection)
            yield connection

    def close(self) -> None:
        """Let go of the store; an engine that was handed over stays its owner's."""
        self._closed = True
        if self._owned:
            self.database.engine.dispose()

    @contextmanager
    def _transaction(self, *, writing: bool) -> Iterator[sa.Connection]:
        try:
            with self.database.engine.connect() as connection:
                self.database.begin(connection, writing=writing)
                yield connection
                if writing:
                    connection.commit()
                    self._has_tables = True
        except DBAPIError as error:
            raise self.database.error(error) from error
        except UnicodeDecodeError as error:
            # SQLite quotes a damaged table definition in a message that Python cannot decode.
            raise RecordError(
                f"{self.database.label} is damaged: it cannot be read as text. Restore it from a "
                "backup or an export."
            ) from error
        except PoolTimeoutError as error:
            raise StoreBusyError(
                f"{self.database.label} has no connection free: others hold them all. Try again."
            ) from error

    def _find_tables(self, connection: sa.Connection) -> bool:
        if self._has_tables:
            return True
        found = self.database.tables(connection)
        if not found:
            return False
        if found != TABLES:
            raise RecordError(
                f"{self.database.label} lacks {', '.join(sorted(TABLES - found))}: the record was "
                "damaged. Restore it from a backup or an export."
            )
        _check_format(connection, self.database.label)
        self._has_tables = True
        return True

    def _check_usable(self) -> None:
        if self._closed:
            raise StoreError(f"{self.database.label} was closed: open the ledger again.")
        if self._has_tables and not self.database.exists():
            raise StoreError(f"{self.database.label} is no longer there: put it back.")


def open_store(place: str | Path | sa.Engine, *, patience: float) -> Store:
    """Open the store at a path, an address or an engine, and see that it can be used.

    Raises:
        StoreError: If there is no such place, or it is not for a ledger.
        RecordError: If it is damaged, or written in a newer format.
    """
    match place:
        case sa.Engine():
            store = Store(_database_of(place, patience), owned=False)
        case str() if place == ":memory:" or "://" in place:
            store = Store(_database_at(place, patience), owned=True)
        case str() | Path() if str(place).strip() and "\0" not in str(place):
            store = Store(sqlite.open_file(Path(place), patience), owned=True)
        case _:
            raise StoreError(
                f"{place!r} is no place for a store: give the path of a file, a URL such as "
                "postgresql://user@host/database, or a SQLAlchemy engine."
            )
    try:
        with store.reading():
            return store
    except ExperimentError:
        store.close()
        raise


def _database_at(address: str, patience: float) -> Database:
    if address == ":memory:":
        address = "sqlite://"
    scheme = address.partition("://")[0]
    try:
        url = sa.make_url(address)
    # The cause is left out on purpose: it may quote the address, with its password.
    except (ArgumentError, ValueError):
        raise StoreError(
            f"This {scheme}:// address cannot be read. Write it as "
            "postgresql://user:password@host:5432/database, with %40 for an @ in the password."
        ) from None
    match url.drivername:
        case "sqlite" | "sqlite+pysqlite":
            return sqlite.open_url(url, patience)
        case "postgresql" | "postgresql+psycopg":
            return postgresql.open_url(url, patience)
        case other:
            raise StoreError(
                f"A record cannot be kept in {other}: use a file, sqlite:///<path> or "
                "postgresql://user@host/database."
            )


def _database_of(engine: sa.Engine, patience: float) -> Database:
    label = f"The {engine.dialect.name} store of the engine"
    match engine.dialect.name, engine.dialect.driver:
        case "sqlite", "pysqlite":
            return SQLiteDatabase(engine, label, None)
        case "postgresql", "psycopg":
            return PostgreSQLDatabase(engine, label, patience)
        case name, driver:
            raise StoreError(
                f"A record cannot be kept through {name}+{driver}: use an engine for sqlite or "
                "postgresql+psycopg."
            )


def _check_format(connection: sa.Connection, label: str) -> None:
    formats = list(connection.execute(sa.select(STORE.c.format_version)).scalars())
    match formats:
        case [int(found)] if found == STORE_FORMAT:
            return
        case [int(found)] if found > STORE_FORMAT:
            raise RecordError(
                f"{label} has the format {found} of a newer Bayeswell; this one reads formats up "
                f"to {STORE_FORMAT}. Update Bayeswell."
            )
        case _:
            raise RecordError(
                f"{label} does not say which format it has: it holds {formats!r:.60} instead of "
                "one number. The record was damaged: restore it from a backup or an export."
            )
