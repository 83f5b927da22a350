"""The README's tour works as it is printed, in order, in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from openpyxl import load_workbook

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "BAYESWELL_ACTOR": "ana",
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_python_of_the_tour_runs(tmp_path: Path) -> None:
    (code,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "intact" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_commands_of_the_tour_work_one_after_the_other(tmp_path: Path) -> None:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    commands = [
        line.removeprefix("$ ").split("#")[0].strip()
        for line in lines
        if line.startswith("$ bayeswell")
    ]
    assert len(commands) >= 9
    for command in commands:
        if command.startswith("bayeswell import"):
            fill_in(tmp_path / "runs.xlsx")
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert any((tmp_path / "report").iterdir())


def fill_in(sheet: Path) -> None:
    """Write made-up results into a run sheet, as a person would."""
    workbook = load_workbook(sheet)
    cells = workbook.worksheets[0]
    header = {str(cell.value).split(" [")[0]: cell.column for cell in cells[1]}
    for place, row in enumerate(range(2, cells.max_row + 1)):
        ph = float(cells.cell(row, header["pH"]).value)
        temperature = float(cells.cell(row, header["temperature"]).value)
        cells.cell(row, header["vessel"]).value = f"V{place % 3 + 1}"
        titre = 4 - 20 * (ph - 7.0) ** 2 - 0.1 * (temperature - 34) ** 2 + 0.05 * (place % 4)
        cells.cell(row, header["titre"]).value = round(titre, 3)
        cells.cell(row, header["aggregates"]).value = round(0.04 * temperature + 0.1, 3)
    workbook.save(sheet)
