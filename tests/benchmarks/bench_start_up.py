"""How long a person waits before anything happens; run with ``make bench`` on an idle machine."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("bayeswell")


@pytest.mark.parametrize(
    ("what", "command", "limit_s"),
    [
        ("bayeswell --help", [COMMAND, "--help"], 0.5),
        ("import doe", [sys.executable, "-c", "import doe"], 0.2),
        ("import campaigns", [sys.executable, "-c", "import campaigns"], 0.2),
    ],
)
def test_starting_is_quick(
    what: str, command: list[str], limit_s: float, report_measurement: Callable[[str], None]
):
    seconds = min(_seconds(command) for _ in range(5))

    report_measurement(f"{what}: {seconds:.2f} s, best of five (limit {limit_s} s)")
    assert seconds < limit_s


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, timeout=60, check=True)
    return time.perf_counter() - start
