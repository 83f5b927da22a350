"""What every test can rely on: known requirements, repeatable examples, a server, a browser."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from typing import NoReturn

import hypothesis
import pytest

from tests.requirements_table import known_requirements

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

# A test run says the same on every machine. To search further: pytest --hypothesis-profile=explore
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=1000)
hypothesis.settings.load_profile("repeatable")

# A test that asks for one of these fixtures has its mark without saying so.
_MARK_OF_FIXTURE = {"postgresql_url": "postgres", "chromium_path": "browser"}

_MEASUREMENTS = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_MEASUREMENTS] = []


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by mark
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    known = known_requirements()
    for item in items:
        for fixture, mark in _MARK_OF_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(mark)
        for evidence in item.iter_markers("requirement"):
            unknown = [id_ for id_ in evidence.args if id_ not in known]
            if unknown or not evidence.args:
                raise pytest.UsageError(
                    f"{item.nodeid} is marked with requirement {unknown or 'without an id'}: "
                    "use the ids of tests/requirements.toml."
                )
    marked_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if marked_gpu and not _has_cuda():
        for item in marked_gpu:
            item.add_marker(pytest.mark.skip(reason="this machine has no CUDA device"))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    lines = config.stash[_MEASUREMENTS]
    if lines:
        terminalreporter.section("measured")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture
def report_measurement(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Show a measured number at the end of the run, also when every test passes."""
    return request.config.stash[_MEASUREMENTS].append


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """The SQLAlchemy URL of an empty PostgreSQL database that this test has for itself."""
    server = os.environ.get("BAYESWELL_TEST_POSTGRESQL")
    if not server:
        _is_absent("PostgreSQL: BAYESWELL_TEST_POSTGRESQL names no server (.ci/run starts one)")
    import sqlalchemy as sa

    url = sa.make_url(server)
    name = f"bayeswell_test_{uuid.uuid4().hex}"
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The path of the system's chromium; as root it starts only with ``--no-sandbox``."""
    found = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    return next(filter(None, found), None) or _is_absent(
        "a browser: no chromium on the path (apt-get install chromium)"
    )


def _is_absent(what: str) -> NoReturn:
    """Skip the test, or fail it where every part has to be there."""
    if IN_CI:
        pytest.fail(f"In CI the test needs {what}")
    pytest.skip(f"needs {what}")


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()
