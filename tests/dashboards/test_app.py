"""The server: this machine only, a port that is free, every file from here."""

import socket
from pathlib import Path

import pytest

import dashboards.app as app
from dashboards.__main__ import main
from doe.errors import InvalidValueError


@pytest.fixture
def taken_port():
    with socket.socket() as holder:
        holder.bind((app.ADDRESS, 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_another_port_is_found_when_the_usual_one_is_taken(
    taken_port: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(app, "DEFAULT_PORT", taken_port)

    assert app.free_port(None) != taken_port


def test_a_port_that_was_asked_for_and_is_taken_is_refused(taken_port: int):
    with pytest.raises(InvalidValueError, match=f"Port {taken_port} of 127.0.0.1 is taken"):
        app.free_port(taken_port)


@pytest.mark.parametrize("port", [-1, 0, 65536])
def test_a_port_that_cannot_be_is_refused(port: int):
    with pytest.raises(InvalidValueError, match="from 1 to 65535"):
        app.free_port(port)


def test_only_this_machine_can_reach_the_server():
    assert app.ADDRESS == "127.0.0.1"


def test_every_file_of_a_page_comes_from_this_server():
    for route, folder in app._local_files().items():
        assert route.startswith("/")
        assert Path(folder).is_dir()


def test_a_wrong_option_gives_one_message_and_no_traceback(
    taken_port: int, store: Path, capsys: pytest.CaptureFixture[str]
):
    code = main(["--store", str(store), "--port", str(taken_port), "--no-browser"])

    captured = capsys.readouterr()
    assert code == 2
    assert captured.err.startswith("bayeswell: Port")
    assert "Traceback" not in captured.err
