"""The source itself: sizes, words, paths, and documents that keep up with the tree."""

import ast
import doctest
import importlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.requirements_table import TABLE, table

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("doe", "surrogates", "campaigns", "dashboards")
MODULES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))

LINES_PER_FILE = 400
LINES_PER_FUNCTION = 40  # without the docstring

# The software offers technical controls; what they amount to is for people to say.
_CLAIMS = re.compile(r"\b(proves|ensures|is compliant)\b", re.IGNORECASE)
_MACHINE_PATH = re.compile(r"/(?:work|farm|root|tmp|home)/[a-z]")


def tracked_files() -> list[Path]:
    """Return the files that git tracks or would track."""
    listed = subprocess.run(
        # A clone that belongs to another user is read all the same.
        ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [file for file in files if file.is_file()]


def relative(file: Path) -> str:
    """Return a file's path inside the repository."""
    return file.relative_to(ROOT).as_posix()


def test_no_module_is_longer_than_one_reads_at_once():
    lengths = {relative(file): len(file.read_text("utf-8").splitlines()) for file in MODULES}

    assert {file: lines for file, lines in lengths.items() if lines > LINES_PER_FILE} == {}


def test_no_function_is_longer_than_one_screen():
    lengths = {
        f"{relative(file)}:{function.lineno} {function.name}": _code_lines(function)
        for file in MODULES
        for function in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert {name: lines for name, lines in lengths.items() if lines > LINES_PER_FUNCTION} == {}


@pytest.mark.requirement("REP-5")
def test_no_text_for_people_claims_more_than_controls():
    """A text says what was computed; it neither proves nor promises compliance."""
    texts = [
        (f"{relative(file)}:{line}", text)
        for file in tracked_files()
        for line, text in _texts_for_people(file)
    ]

    assert [(place, text) for place, text in texts if _CLAIMS.search(text)] == []


def test_no_file_names_a_path_of_one_machine():
    found = [
        f"{relative(file)}:{number}"
        for file in tracked_files()
        for number, line in enumerate(_lines_of_text(file), start=1)
        if _MACHINE_PATH.search(line)
    ]

    assert found == []


def test_every_file_that_the_architecture_names_exists():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = {*_paths_in_prose(text), *_paths_in_trees(text)}

    assert named, "ARCHITECTURE.md names no file"
    assert sorted(path for path in named if not list(ROOT.glob(path.rstrip("/")))) == []


@pytest.mark.requirement("DI-15")
def test_the_requirements_table_is_up_to_date():
    assert TABLE.read_text(encoding="utf-8") == table(), "run: make requirements"


def test_the_examples_in_docstrings_run():
    for file in MODULES:
        if ">>> " in file.read_text("utf-8"):
            result = doctest.testmod(importlib.import_module(_module_name(file)))
            assert (result.attempted > 0, result.failed) == (True, 0), relative(file)


def _module_name(file: Path) -> str:
    return relative(file).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        total -= (first.end_lineno or first.lineno) - first.lineno + 1
    return total


def _texts_for_people(file: Path) -> Iterator[tuple[int, str]]:
    """Yield what people read: documents, notebooks, and the strings of the packages."""
    if file.suffix in {".md", ".ipynb"}:
        yield from enumerate(_lines_of_text(file), start=1)
    elif file in MODULES:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            text = node.value if isinstance(node, ast.Constant) else None
            # A string that is only the word itself is a guard against it, not a claim.
            if isinstance(text, str) and not _CLAIMS.fullmatch(text):
                yield node.lineno, text


def _lines_of_text(file: Path) -> list[str]:
    content = file.read_bytes()
    return [] if b"\0" in content else content.decode("utf-8").splitlines()


def _paths_in_prose(text: str) -> list[str]:
    return re.findall(
        r"`((?:doe|surrogates|campaigns|dashboards|tests|notebooks)/[\w./*-]*)`", text
    )


def _paths_in_trees(text: str) -> Iterator[str]:
    """Yield the paths of fenced trees: a folder ends in a slash, its files are indented."""
    for block in re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        folders: list[tuple[int, str]] = []
        for line in block.splitlines():
            name = line.split()[0] if line.split() else ""
            indent = len(line) - len(line.lstrip())
            folders = [(at, folder) for at, folder in folders if at < indent]
            path = "".join(folder for _, folder in folders) + name
            if re.fullmatch(r"[\w-]+/", name):
                folders.append((indent, name))
                yield path
            elif re.fullmatch(r"\w[\w-]*\.(py|md|toml|txt|json|ipynb)", name):
                yield path
