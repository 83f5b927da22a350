"""Which tests are evidence for which requirement: writes REQUIREMENTS.md.

The marks are read from the source of the tests, so the table needs no test run. It has one line
for each pair of requirement and test: two branches that add tests merge line by line, and after a
conflict ``make requirements`` writes it anew.
"""

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "REQUIREMENTS.md"
_KNOWN = tomllib.loads((ROOT / "tests" / "requirements.toml").read_text(encoding="utf-8"))

_HEADING = """\
# Requirements and their tests

Each row is one test that is evidence for one requirement; a dash says that there is none yet.
Written by `make requirements`, from `tests/requirements.toml` and the marks on the tests.
"""


@dataclass(frozen=True)
class Requirement:
    """What the product has to do: its id, how binding it is, and what it asks for."""

    id: str
    level: str
    title: str


@dataclass(frozen=True, order=True)
class Evidence:
    """A test and the id of the requirement that it is marked with."""

    id: str
    file: str
    test: str


def known_requirements() -> dict[str, Requirement]:
    """Return every requirement, keyed by its id, in the order of the list."""
    return {
        name: Requirement(name, entry["level"], entry["title"])
        for name, entry in _KNOWN["requirements"].items()
    }


def all_evidence() -> list[Evidence]:
    """Return the marks of every test file, sorted."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return sorted({mark for file in files for mark in _marks_in(file)})


def table() -> str:
    """Return the text of REQUIREMENTS.md."""
    evidence: dict[str, list[Evidence]] = {}
    for mark in all_evidence():
        evidence.setdefault(mark.id, []).append(mark)
    parts = [_HEADING]
    for area, title in _KNOWN["areas"].items():
        rows = [
            row
            for requirement in known_requirements().values()
            if requirement.id.rpartition("-")[0] == area
            for row in _rows(requirement, evidence.get(requirement.id, []))
        ]
        parts.append(f"## {title}\n\n| Id | Level | Requirement | Test |\n|---|---|---|---|\n")
        parts.append("".join(f"| {' | '.join(row)} |\n" for row in rows))
    return "\n".join(parts).replace("|\n\n|", "|\n|")


def _rows(requirement: Requirement, evidence: list[Evidence]) -> list[tuple[str, str, str, str]]:
    tests = [f"[{mark.test}]({mark.file})" for mark in evidence] or ["–"]
    return [(requirement.id, requirement.level, requirement.title, test) for test in tests]


def _marks_in(file: Path) -> Iterator[Evidence]:
    source = file.read_text(encoding="utf-8")
    if "mark.requirement" in source:
        name = file.relative_to(ROOT).as_posix()
        yield from _marks_below(ast.parse(source, name), name, "the whole file")


def _marks_below(node: ast.AST, file: str, test: str) -> Iterator[Evidence]:
    for child in ast.iter_child_nodes(node):
        inside = test
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inside = _sentence(child.name)
        yield from _marks_below(child, file, inside)
        if isinstance(child, ast.Call) and ast.unparse(child.func).endswith("mark.requirement"):
            yield from (Evidence(ast.literal_eval(id_), file, test) for id_ in child.args)


def _sentence(name: str) -> str:
    return name.removeprefix("test_").removeprefix("Test").replace("_", " ")


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
