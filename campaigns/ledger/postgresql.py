"""The ledger in a PostgreSQL database: the served store."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import sqlalchemy as sa
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

_TYPES = {"integer": "bigint", "text": "text"}
_COLUMNS = ", ".join(
    f"{c.name} {_TYPES[c.type]}{'' if c.nullable else ' NOT NULL'}" for c in COLUMNS
)

_TABLES = (
    f"CREATE TABLE bayeswell_events ({_COLUMNS}, PRIMARY KEY (stream, sequence))",
    "CREATE UNIQUE INDEX bayeswell_events_key ON bayeswell_events (stream, idempotency_key) "
    "WHERE idempotency_key IS NOT NULL",
    "CREATE TABLE bayeswell_heads (stream text NOT NULL, sequence bigint NOT NULL, "
    "hash text NOT NULL, PRIMARY KEY (stream))",
    "CREATE TABLE bayeswell_store (format_version bigint NOT NULL, PRIMARY KEY (format_version))",
)


def _raise(message: str) -> str:
    return f"RAISE EXCEPTION '{message}' USING ERRCODE = 'restrict_violation'"


# The tables are named through TG_TABLE_SCHEMA: a session's search_path, or a temporary table of
# the same name, must not decide which head an event is compared with.
_FUNCTIONS: Mapping[str, str] = {
    "bayeswell_refuse": f"BEGIN {_raise(APPEND_ONLY)}; END",
    "bayeswell_event_follows": f"""
DECLARE
  head_sequence bigint;
  head_hash text;
BEGIN
  EXECUTE format('SELECT sequence, hash FROM %I.bayeswell_heads WHERE stream = $1',
    TG_TABLE_SCHEMA) INTO head_sequence, head_hash USING NEW.stream;
  IF NEW.sequence IS DISTINCT FROM coalesce(head_sequence, 0) + 1
    OR NEW.previous_hash IS DISTINCT FROM coalesce(head_hash, '{GENESIS}') THEN
    {_raise(FOLLOWS)};
  END IF;
  RETURN NEW;
END""",
    "bayeswell_move_head": """
BEGIN
  IF NEW.sequence = 1 THEN
    EXECUTE format('INSERT INTO %I.bayeswell_heads (stream, sequence, hash) VALUES ($1, $2, $3)',
      TG_TABLE_SCHEMA) USING NEW.stream, NEW.sequence, NEW.hash;
  ELSE
    EXECUTE format('UPDATE %I.bayeswell_heads SET sequence = $2, hash = $3 WHERE stream = $1',
      TG_TABLE_SCHEMA) USING NEW.stream, NEW.sequence, NEW.hash;
  END IF;
  RETURN NULL;
END""",
    "bayeswell_head_moves": f"""
DECLARE
  follows boolean;
  old_sequence bigint := 0;
  old_hash text := '{GENESIS}';
BEGIN
  IF TG_OP = 'UPDATE' THEN
    old_sequence := OLD.sequence;
    old_hash := OLD.hash;
    IF NEW.stream IS DISTINCT FROM OLD.stream THEN
      {_raise(HEAD_MOVES)};
    END IF;
  END IF;
  EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I.bayeswell_events WHERE stream = $1 '
    'AND sequence = $2 AND hash = $3 AND previous_hash = $4)', TG_TABLE_SCHEMA)
    INTO follows USING NEW.stream, NEW.sequence, NEW.hash, old_hash;
  IF NEW.sequence IS DISTINCT FROM old_sequence + 1 OR NOT follows THEN
    {_raise(HEAD_MOVES)};
  END IF;
  RETURN NEW;
END""",
    "bayeswell_store_once": f"""
DECLARE
  written boolean;
BEGIN
  EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I.bayeswell_store)', TG_TABLE_SCHEMA)
    INTO written;
  IF written THEN
    {_raise(APPEND_ONLY)};
  END IF;
  RETURN NEW;
END""",
}


class _Trigger(NamedTuple):
    table: str
    when: str
    actions: tuple[str, ...]
    each: str
    function: str


_REFUSE_ALL = ("BEFORE", ("UPDATE", "DELETE", "TRUNCATE"), "STATEMENT", "bayeswell_refuse")

_TRIGGERS: Mapping[str, _Trigger] = {
    "bayeswell_events_follow": _Trigger(
        "bayeswell_events", "BEFORE", ("INSERT",), "ROW", "bayeswell_event_follows"
    ),
    "bayeswell_events_move_head": _Trigger(
        "bayeswell_events", "AFTER", ("INSERT",), "ROW", "bayeswell_move_head"
    ),
    "bayeswell_events_refuse": _Trigger("bayeswell_events", *_REFUSE_ALL),
    "bayeswell_heads_move": _Trigger(
        "bayeswell_heads", "BEFORE", ("INSERT", "UPDATE"), "ROW", "bayeswell_head_moves"
    ),
    "bayeswell_heads_refuse": _Trigger(
        "bayeswell_heads", "BEFORE", ("DELETE", "TRUNCATE"), "STATEMENT", "bayeswell_refuse"
    ),
    "bayeswell_store_once": _Trigger(
        "bayeswell_store", "BEFORE", ("INSERT",), "ROW", "bayeswell_store_once"
    ),
    "bayeswell_store_refuse": _Trigger("bayeswell_store", *_REFUSE_ALL),
}

# How pg_trigger.tgtype writes what a trigger is for (PostgreSQL, catalog/pg_trigger.h).
_BITS = {"ROW": 1, "BEFORE": 2, "INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}

_FIND_TRIGGERS = sa.text(
    "SELECT t.tgname AS name, c.relname AS table, p.proname AS function, p.prosrc AS body, "
    "  t.tgtype AS type, t.tgenabled = 'A' AND t.tgqual IS NULL AS always "
    "FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid "
    "WHERE NOT t.tgisinternal AND t.tgrelid IN (to_regclass('bayeswell_events'), "
    "  to_regclass('bayeswell_heads'), to_regclass('bayeswell_store'))"
)
_FIND_COLUMNS = sa.text(
    "SELECT c.relname || '.' || a.attname AS name, "
    "  format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' NOT NULL' "
    "  ELSE '' END AS type "
    "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
    "WHERE a.attnum > 0 AND NOT a.attisdropped AND c.oid IN (to_regclass('bayeswell_events'), "
    "  to_regclass('bayeswell_heads'), to_regclass('bayeswell_store'))"
)
_FIND_INDEXES = sa.text(
    "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    "WHERE i.indisunique AND i.indisvalid AND i.indrelid IN (to_regclass('bayeswell_events'), "
    "  to_regclass('bayeswell_heads'), to_regclass('bayeswell_store'))"
)


class PostgreSQLDatabase:
    """A schema of a PostgreSQL database that holds or will hold a ledger.

    Args:
        engine: Of SQLAlchemy, with the psycopg driver.
        label: What messages call the store; without a password.
        patience: How long to wait for another writer, in seconds.
    """

    def __init__(self, engine: sa.Engine, label: str, patience: float) -> None:
        self.engine = engine
        self.label = label
        self._patience = patience

    def exists(self) -> bool:
        """Return True: a server is there, or its absence is an error."""
        return True

    def begin(self, connection: sa.Connection, *, writing: bool) -> None:
        """Begin a transaction; a reading one sees one state throughout."""
        connection.execution_options(
            # Writers take turns by a lock, and have to see what was written while they waited.
            isolation_level="READ COMMITTED" if writing else "REPEATABLE READ",
            postgresql_readonly=not writing,
        )
        connection.begin()
        if writing:
            milliseconds = max(1, round(self._patience * 1000))
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")

    def lock(self, connection: sa.Connection, stream: str) -> None:
        """Let no other ledger append to this stream until the transaction ends."""
        # A row of the heads cannot be locked before the first event has made it.
        statement = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:stream, 0))")
        connection.execute(statement, {"stream": f"bayeswell {stream}"})

    def tables(self, connection: sa.Connection) -> frozenset[str]:
        """Return which tables of a ledger are there."""
        # Not to_regclass(): it may answer from before this session waited for the lock.
        statement = sa.text(
            "SELECT relname FROM pg_class "
            "WHERE relname = ANY(CAST(:names AS text[])) AND pg_table_is_visible(oid)"
        )
        names = connection.execute(statement, {"names": sorted(TABLES)}).scalars()
        return frozenset(names)

    def create(self, connection: sa.Connection) -> None:
        """Create the tables and triggers of an empty store.

        Raises:
            StoreError: If the database cannot hold every character.
        """
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            raise StoreError(
                f"{self.label} has the encoding {encoding}, in which not every name can be "
                "written: create a database with the encoding UTF8."
            )
        for statement in _statements():
            # A % in a function's body is no parameter.
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
        connection.execute(STORE.insert().values(format_version=STORE_FORMAT))

    def protection_faults(self, connection: sa.Connection) -> list[str]:
        """Return what differs from the tables and triggers that a ledger has."""
        columns = {row.name: row.type for row in connection.execute(_FIND_COLUMNS)}
        indexes = set(connection.execute(_FIND_INDEXES).scalars())
        triggers = {
            row.name: (row.table, row.function, row.body, row.type, row.always)
            for row in connection.execute(_FIND_TRIGGERS)
        }
        expected = {
            name: (trigger.table, trigger.function, _FUNCTIONS[trigger.function], bits, True)
            for name, trigger in _TRIGGERS.items()
            for bits in [
                sum(_BITS.get(w, 0) for w in (trigger.when, trigger.each, *trigger.actions))
            ]
        }
        return [
            *_differences("column", columns, _expected_columns()),
            *_differences("trigger", triggers, expected),
            *(f"the index {name} is missing" for name in sorted(_INDEXES - indexes)),
        ]

    def stored(self, column: str) -> tuple[sa.ColumnElement[str], sa.ColumnElement[bytes]]:
        """Return the type and the bytes that a column really holds, whatever it should hold."""
        value: sa.ColumnClause[object] = sa.column(column)
        kind = sa.cast(sa.func.pg_typeof(value), sa.Text)
        named = sa.case((value.is_(None), "null"), (kind == "bigint", "integer"), else_=kind)
        return named, sa.func.convert_to(sa.cast(value, sa.Text), "UTF8")

    def error(self, error: DBAPIError) -> ExperimentError:
        """Return the driver's error in words that say what to do."""
        state = getattr(error.orig, "sqlstate", None) or ""
        match state:
            case "55P03" | "57014" | "40P01" | "40001":
                return StoreBusyError(
                    f"{self.label} is in use by another writer, who did not finish in time. "
                    "Nothing was written: try again."
                )
            case _ if state.startswith("23"):
                return ConflictError(
                    f"{self.label} refused what does not follow its last event, or would change "
                    "one. Nothing was written: read the new events and try again; if that does "
                    "not help, check the record."
                )
            case "42501" | "25006":
                hint = "does not let this account do that: ask its administrator for the right"
            case "3D000":
                hint = "has no database of this name: create it, or correct the address"
            case _ if state.startswith("28"):
                hint = "does not admit this account: see the user name and the password"
            case _ if state.startswith(("53", "58")):
                hint = "has no room or memory left, and nothing was written: tell its administrator"
            case _ if state.startswith(("42", "22", "XX")):
                return RecordError(
                    f"{self.label} is damaged or is not the record of a campaign: its tables "
                    f"cannot be read (SQLSTATE {state}). Restore it from a backup or an export."
                )
            case "":
                hint = (
                    "does not answer, or stopped answering: see that the server runs and that "
                    "host and port are right. If an event was being written, read the record to "
                    "see whether it was taken"
                )
            case _:
                hint = f"refused (SQLSTATE {state}): tell its administrator"
        return StoreError(f"{self.label} {hint}.")


def open_url(url: sa.URL, patience: float) -> PostgreSQLDatabase:
    """Return the database of a ``postgresql:`` URL.

    A schema is chosen by ``?options=-csearch_path%3D<schema>``.

    Raises:
        StoreError: If the driver is not installed.
    """
    label = f"The PostgreSQL database {url.database!r} on {url.host or 'this machine'}"
    label += f":{url.port}" if url.port else ""
    try:
        engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            hide_parameters=True,
            # A connection that the server has closed meanwhile is replaced, not stumbled over.
            pool_pre_ping=True,
            pool_timeout=patience,
            connect_args={
                "connect_timeout": max(2, round(patience)),
                "client_encoding": "UTF8",
            },
        )
    except ModuleNotFoundError as error:
        raise StoreError(
            f"{label} needs a driver that is not installed: "
            "run pip install 'bayeswell[postgresql]'."
        ) from error
    return PostgreSQLDatabase(engine, label, patience)


_INDEXES = {
    "bayeswell_events_pkey",
    "bayeswell_events_key",
    "bayeswell_heads_pkey",
    "bayeswell_store_pkey",
}


def _statements() -> Iterable[str]:
    yield from _TABLES
    for name, body in _FUNCTIONS.items():
        yield f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $body${body}$body$"
    for name, (table, when, actions, each, function) in _TRIGGERS.items():
        yield (
            f"CREATE TRIGGER {name} {when} {' OR '.join(actions)} ON {table} "
            f"FOR EACH {each} EXECUTE FUNCTION {function}()"
        )
        # An ordinary trigger sleeps while session_replication_role is 'replica'.
        yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"


def _expected_columns() -> dict[str, str]:
    events = {
        f"bayeswell_events.{c.name}": _TYPES[c.type] + ("" if c.nullable else " NOT NULL")
        for c in COLUMNS
    }
    return events | {
        "bayeswell_heads.stream": "text NOT NULL",
        "bayeswell_heads.sequence": "bigint NOT NULL",
        "bayeswell_heads.hash": "text NOT NULL",
        "bayeswell_store.format_version": "bigint NOT NULL",
    }


def _differences(
    what: str, found: Mapping[str, object], expected: Mapping[str, object]
) -> Iterable[str]:
    for name in sorted(found.keys() | expected.keys()):
        if name not in found:
            yield f"the {what} {name} is missing: the database no longer guards the record"
        elif name not in expected:
            yield f"the {what} {name} does not belong here"
        elif found[name] != expected[name]:
            yield f"the {what} {name} was changed"
