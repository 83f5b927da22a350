"""A small campaign to look at, and a session that looks at it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards.session import Session
from tests.dashboards.small_campaign import ANA, prepare


@pytest.fixture(scope="session")
def prepared_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a campaign with results and a recommended batch; copy it to write in it."""
    return prepare(tmp_path_factory.mktemp("prepared") / "small.db")


@pytest.fixture
def store(prepared_store: Path, tmp_path: Path) -> Path:
    """A store that this test has for itself."""
    return Path(shutil.copy(prepared_store, tmp_path / "store.db"))


@pytest.fixture
def session(store: Path) -> Iterator[Session]:
    """An open session of Ana Silva."""
    opened = Session.open(str(store), None, actor=ANA)
    yield opened
    opened.close()
