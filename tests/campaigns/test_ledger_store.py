"""Where a ledger is kept: what cannot be opened says why, and many may use one at a time."""

import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pytest
import sqlalchemy as sa

from campaigns.envelope import Draft, Event
from campaigns.ledger import Ledger, StoreBusyError, StoreError
from campaigns.ledger.postgresql import PostgreSQLDatabase
from doe.errors import ConflictError, ExperimentError, RecordError
from tests.campaigns.ledger_examples import ANA, STREAM, Clock, drafts, engine_of, write_record

ROOT = Path(__file__).parents[2]
DRAFT = Draft("a", {})


def everything_said(error: BaseException | None) -> Iterator[str]:
    """Every message of an error and of its causes, as a traceback would print them."""
    while error is not None:
        yield f"{error} {error!r}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


# What cannot be opened


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"create .*campaigns first"):
        Ledger(tmp_path / "campaigns" / "record.db")
    with pytest.raises(StoreError, match=r"create .*campaigns first"):
        Ledger(f"sqlite:///{tmp_path}/campaigns/record.db")


@pytest.mark.parametrize("name", ["a\x00b", "a" * 5000])
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match=r"the name is allowed|no place for a store"):
        Ledger(tmp_path / name)


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not a file"):
        Ledger(tmp_path)


@pytest.mark.parametrize("content", [b"run,pH\n1,7.2\n" * 100, b"\x00" * 5000, b"SQLite format 3"])
def test_a_file_of_another_kind_is_no_store(tmp_path: Path, content: bytes) -> None:
    place = tmp_path / "runs.csv"
    place.write_bytes(content)
    with pytest.raises(RecordError, match="SQLite cannot read it"):
        Ledger(place)

    assert place.read_bytes() == content


def test_a_database_of_another_program_is_no_store_and_stays_as_it_is(tmp_path: Path) -> None:
    place = tmp_path / "other.db"
    connection = sqlite3.connect(place)
    connection.execute("CREATE TABLE studies (id INTEGER)")
    connection.close()
    before = place.read_bytes()
    with pytest.raises(StoreError, match="of another program: it holds the tables studies"):
        Ledger(place)

    assert place.read_bytes() == before


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    place = tmp_path / "record.db"
    place.touch()
    with Ledger(place) as ledger:
        assert ledger.read(STREAM) == ()
        assert len(ledger.append(STREAM, [DRAFT], actor=ANA, expected=0)) == 1


def test_a_store_that_may_only_be_read_is_read_and_not_written(tmp_path: Path) -> None:
    place = tmp_path / "record.db"
    events = write_record(str(place))
    with Ledger(f"sqlite:///file:{place}?mode=ro&uri=true") as ledger:
        assert ledger.read(STREAM) == events
        assert ledger.check(STREAM).intact
        with pytest.raises(StoreError, match="may be read but not written"):
            ledger.append(STREAM, [DRAFT], actor=ANA, expected=5)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_without_the_right_to_write_is_read_and_not_written(tmp_path: Path) -> None:
    place = tmp_path / "record.db"
    events = write_record(str(place))
    place.chmod(0o400)
    with Ledger(place) as ledger:
        assert ledger.read(STREAM) == events
        with pytest.raises(StoreError, match="may be read but not written"):
            ledger.append(STREAM, [DRAFT], actor=ANA, expected=5)


def test_a_store_that_went_away_is_missed_and_not_begun_anew(tmp_path: Path) -> None:
    place = tmp_path / "record.db"
    write_record(str(place))
    with Ledger(place) as ledger:
        place.unlink()
        with pytest.raises(StoreError, match="is no longer there"):
            ledger.read(STREAM)
        with pytest.raises(StoreError, match="is no longer there"):
            ledger.append(STREAM, [DRAFT], actor=ANA, expected=5)

    assert not place.exists()


def test_a_closed_ledger_says_so(ledger_place: str) -> None:
    ledger = Ledger(ledger_place)
    ledger.close()
    ledger.close()
    with pytest.raises(StoreError, match="was closed"):
        ledger.read(STREAM)


@pytest.mark.parametrize(
    "place",
    [
        "",
        " ",
        "mysql://ana:sekret@host/db",
        "postgresql+asyncpg://ana:sekret@host/db",
        "postgresql://ana:sekret@host:port/db",
        "postgresql://ana:sek/ret:sekret@host/db",
        "sqlite://ana:sekret@host/db",
        "sqlite:///file:x?mode=memory&cache=shared&uri=true",
        "://sekret",
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_its_password(place: str) -> None:
    with pytest.raises(StoreError) as refusal:
        Ledger(place)

    assert not any("sekret" in said for said in everything_said(refusal.value))


def test_a_server_that_does_not_answer_is_named_without_the_password() -> None:
    with socket.socket() as reserved:  # bound and not listening: nothing answers here
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        with pytest.raises(StoreError, match="does not answer") as refusal:
            Ledger(f"postgresql://ana:sekret@127.0.0.1:{port}/records?password=sekret")

    assert f"'records' on 127.0.0.1:{port}" in str(refusal.value)
    assert not any("sekret" in said for said in everything_said(refusal.value))


@pytest.mark.postgres
def test_a_server_that_does_not_admit_or_know_what_is_asked_says_which(postgresql_url: str) -> None:
    url = sa.make_url(postgresql_url)
    nobody = url.set(username="nobody_here", password="sekret")
    with pytest.raises(StoreError) as refusal:
        Ledger(nobody.render_as_string(hide_password=False))
    assert not any("sekret" in said for said in everything_said(refusal.value))

    elsewhere = url.set(database="nowhere_here").render_as_string(hide_password=False)
    with pytest.raises(StoreError, match="nowhere_here"):
        Ledger(elsewhere)


def test_a_ledger_shows_itself_without_the_password(ledger_place: str) -> None:
    with Ledger(ledger_place) as ledger:
        shown = repr(ledger)

    password = sa.make_url(ledger_place).password if "://" in ledger_place else None
    assert shown.startswith("<Ledger: The ")
    assert password is None or str(password) not in shown.replace(repr(password), "")


@pytest.mark.postgres
def test_two_schemas_of_one_database_hold_two_records(postgresql_url: str) -> None:
    with engine_of(postgresql_url).begin() as connection:
        for schema in ("first", "second"):
            connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
    places = [f"{postgresql_url}?options=-csearch_path%3D{s}" for s in ("first", "second")]
    events = write_record(places[0], n_events=2)
    other = write_record(places[1], n_events=3)

    for place, written in zip(places, (events, other), strict=True):
        with Ledger(place) as ledger:
            assert ledger.read(STREAM) == written
            assert ledger.check(STREAM).intact
    with Ledger(postgresql_url) as ledger:
        assert ledger.streams() == ()


def test_an_engine_is_used_and_stays_its_owners(ledger_place: str) -> None:
    engine = engine_of(ledger_place)
    with Ledger(engine, clock=Clock()) as ledger:
        written = ledger.append(STREAM, drafts(2), actor=ANA, expected=0)
        assert ledger.check(STREAM).intact

    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM bayeswell_events").scalar() == 2
    with Ledger(engine) as ledger:
        assert ledger.read(STREAM) == written


def test_an_engine_that_begins_its_own_transactions_is_refused(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/record.db", poolclass=sa.NullPool)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    with pytest.raises(StoreError, match="hand over its URL or path"):
        Ledger(engine)


# Many at a time


def append_with_retries(place: str, name: str, n_events: int) -> int:
    """Append as people do who write at the same time; return how often another was first."""
    conflicts = 0
    with Ledger(place) as ledger:
        for number in range(n_events):
            while True:
                head = ledger.head(STREAM)
                draft = Draft("a", {"by": name, "n": number})
                try:
                    expected = head.sequence if head else 0
                    ledger.append(STREAM, [draft], actor=ANA, expected=expected)
                except ConflictError:
                    conflicts += 1
                else:
                    break
    return conflicts


def assert_nothing_was_lost(place: str, n_writers: int, n_events: int) -> None:
    with Ledger(place) as ledger:
        events = ledger.read(STREAM)
        assert ledger.check(STREAM).intact
    for name in range(n_writers):
        own = [event.payload["n"] for event in events if event.payload["by"] == str(name)]
        assert own == list(range(n_events))
    assert len(events) == n_writers * n_events


class Writer(threading.Thread):
    """A thread that keeps what went wrong in it."""

    def __init__(self, place: str, name: str, n_events: int) -> None:
        super().__init__()
        self.error: BaseException | None = None
        self._arguments = (place, name, n_events)

    def run(self) -> None:
        try:
            append_with_retries(*self._arguments)
        except ExperimentError as error:
            self.error = error


@pytest.mark.requirement("DI-13")
def test_threads_that_write_one_stream_lose_nothing(ledger_place: str) -> None:
    writers = [Writer(ledger_place, str(number), 10) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert [writer.error for writer in writers] == [None] * 3
    assert_nothing_was_lost(ledger_place, 3, 10)


@pytest.mark.requirement("DI-13")
def test_processes_that_write_one_stream_lose_nothing(ledger_place: str) -> None:
    """They begin the same new store at the same time, too."""
    script = (
        "import sys; from tests.campaigns.test_ledger_store import append_with_retries; "
        "append_with_retries(sys.argv[1], sys.argv[2], 10)"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", script, ledger_place, str(number)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    said = [writer.communicate(timeout=60)[1] for writer in writers]

    assert [writer.returncode for writer in writers] == [0, 0], said
    assert_nothing_was_lost(ledger_place, 2, 10)


@pytest.mark.requirement("DI-13")
def test_of_writers_who_have_seen_the_same_one_wins(ledger_place: str) -> None:
    write_record(ledger_place, n_events=2)
    barrier = threading.Barrier(4)
    outcomes: list[tuple[Event, ...] | ConflictError] = []

    def write(number: int) -> None:
        with Ledger(ledger_place) as ledger:
            barrier.wait()
            try:
                draft = Draft("a", {"n": number})
                outcomes.append(ledger.append(STREAM, [draft], actor=ANA, expected=2))
            except ConflictError as conflict:
                outcomes.append(conflict)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(isinstance(outcome, tuple) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, ConflictError) for outcome in outcomes) == 3


def test_one_ledger_in_memory_serves_several_threads() -> None:
    with Ledger(":memory:") as ledger:
        ledger.append(STREAM, [DRAFT], actor=ANA, expected=0)
        seen: list[int] = []
        threads = [
            threading.Thread(target=lambda: seen.append(len(ledger.read(STREAM)))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert seen == [1] * 4


class Holder:
    """Somebody who holds the store and does not finish."""

    def __init__(self, place: str) -> None:
        self._engine = engine_of(place)
        self._connection = self._engine.connect()

    def __enter__(self) -> None:
        if self._engine.dialect.name == "sqlite":
            self._connection.exec_driver_sql("BEGIN EXCLUSIVE")
        else:
            database = PostgreSQLDatabase(self._engine, "", 1.0)
            database.begin(self._connection, writing=True)
            database.lock(self._connection, STREAM)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.rollback()
        self._connection.close()


@pytest.mark.requirement("DI-13")
def test_a_store_that_is_held_for_too_long_is_busy_and_not_broken(ledger_place: str) -> None:
    write_record(ledger_place)
    with Ledger(ledger_place, patience=0.05) as ledger:
        with Holder(ledger_place), pytest.raises(StoreBusyError, match="Nothing was written"):
            ledger.append(STREAM, [DRAFT], actor=ANA, expected=5)

        assert len(ledger.append(STREAM, [DRAFT], actor=ANA, expected=5)) == 1


def test_a_reader_waits_for_a_writer(tmp_path: Path) -> None:
    place = str(tmp_path / "record.db")
    write_record(place)
    with Ledger(place, patience=0.05) as ledger:
        with Holder(place), pytest.raises(StoreBusyError, match="try again"):
            ledger.read(STREAM)

        assert len(ledger.read(STREAM)) == 5
