"""Whether this installation can do its work: versions, imports, threads, the store."""

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Verdict = Literal["good", "wrong", "to know"]
DISTRIBUTION = "bayeswell"
PACKAGES = ("doe", "surrogates", "campaigns", "dashboards")
OLDEST_PYTHON = (3, 11)
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# What a requirement of ours is made of: "numpy>=2.4", "botorch<0.18.2,>=0.18.1".
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?(?P<bounds>[^;]*)(?:;(?P<if>.*))?"
)
_BOUND = re.compile(r"(?P<sign>==|>=|<=|<|>|~=|!=)\s*(?P<version>[\w.*+!-]+)")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: What.
        verdict: Whether it is right; ``to know`` when nothing depends on it.
        found: What is there, and what to do when it is wrong.
    """

    subject: str
    verdict: Verdict
    found: str


def examine(store: str, *, label: str | None = None) -> tuple[Finding, ...]:
    """Return everything that was looked at: Python, libraries, imports, the machine, the store.

    Args:
        store: Path or address of the store.
        label: How to call it, where the address holds a password.
    """
    return (
        _python(),
        *_libraries(),
        *_shadows(),
        *_machine(),
        _store(store, f"store {label or store}"),
    )


def _python() -> Finding:
    is_new_enough = sys.version_info >= OLDEST_PYTHON
    wanted = ".".join(map(str, OLDEST_PYTHON))
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if not is_new_enough:
        found += f": install {wanted} or newer"
    return Finding("Python", "good" if is_new_enough else "wrong", found)


def _libraries() -> Iterator[Finding]:
    try:
        requirements = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        yield Finding(
            DISTRIBUTION, "wrong", "not installed as a package: install it with `make setup`"
        )
        return
    yield Finding(DISTRIBUTION, "good", importlib.metadata.version(DISTRIBUTION))
    for requirement in requirements:
        parts = _REQUIREMENT.fullmatch(requirement)
        condition = parts["if"] if parts else None
        if parts is None or (condition is not None and "dev" in condition):
            continue
        yield _library(parts["name"], parts["bounds"].strip(), optional=condition is not None)


def _library(name: str, bounds: str, *, optional: bool) -> Finding:
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        if optional:
            return Finding(name, "to know", "not installed; only its own features need it")
        return Finding(
            name, "wrong", f"not installed, needs {bounds}: install it with `make setup`"
        )
    if meets(version, bounds):
        return Finding(name, "good", version)
    return Finding(
        name, "wrong", f"{version}, needs {bounds}: install the tested set with `make setup`"
    )


def meets(version: str, bounds: str) -> bool:
    """Return whether a version lies within bounds such as ``<0.18.2,>=0.18.1``.

    Compared are the numbers of the release; a local part such as ``+cpu`` does not count.
    """
    have = _numbers(version)
    for bound in _BOUND.finditer(bounds):
        limit = _numbers(bound["version"])
        width = max(len(have), len(limit))
        ours, theirs = _padded(have, width), _padded(limit, width)
        holds = {
            "==": ours == theirs,
            "!=": ours != theirs,
            ">=": ours >= theirs,
            "<=": ours <= theirs,
            ">": ours > theirs,
            "<": ours < theirs,
            "~=": ours >= theirs and ours[: len(limit) - 1] == theirs[: len(limit) - 1],
        }
        if not holds[bound["sign"]]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    release = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, release[0].split("."))) if release else ()


def _padded(numbers: tuple[int, ...], width: int) -> tuple[int, ...]:
    return numbers + (0,) * (width - len(numbers))


def _shadows() -> Iterator[Finding]:
    home = Path(__file__).resolve().parent.parent
    owners = importlib.metadata.packages_distributions()
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        origin = Path(spec.origin).resolve() if spec is not None and spec.origin else None
        others = sorted(set(owners.get(package, [])) - {DISTRIBUTION})
        if origin is None or origin.parent.parent != home:
            yield Finding(
                f"import {package}",
                "wrong",
                f"comes from {origin}, not from {home}: another package of this name shadows "
                "ours. Uninstall it, or use an environment of its own.",
            )
        elif others:
            yield Finding(
                f"import {package}",
                "wrong",
                f"{', '.join(others)} brings a package of the same name: uninstall it, or use an "
                "environment of its own.",
            )
        else:
            yield Finding(f"import {package}", "good", str(origin.parent))


def _machine() -> Iterator[Finding]:
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "the processor"
    threads = f"{torch.get_num_threads()} threads on {os.cpu_count()} processors, {device}"
    yield Finding("computing", "to know", threads)
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    yield Finding("browser for its own tests", "to know", browser or "none; nothing else needs one")
    server = shutil.which("postgres") or shutil.which("psql")
    driver = importlib.util.find_spec("psycopg") is not None
    yield Finding(
        "PostgreSQL",
        "to know",
        f"{server or 'no program here'}, {'driver installed' if driver else 'no driver'}; a store "
        "in a file needs neither",
    )


def _store(store: str, subject: str) -> Finding:
    if "://" not in store and not Path(store).exists():
        folder = Path(store).resolve().parent
        if os.access(folder, os.W_OK):
            return Finding(subject, "good", "not there yet; it can be made")
        return Finding(subject, "wrong", f"not there, and {folder} cannot be written to")
    return _open_store(store, subject)


def _open_store(store: str, subject: str) -> Finding:
    from campaigns.ledger import Ledger
    from doe.errors import ExperimentError

    try:
        with Ledger(store) as ledger:
            checks = [ledger.check(summary.stream) for summary in ledger.streams()]
    except ExperimentError as error:
        return Finding(subject, "wrong", str(error))
    broken = [check for check in checks if not check.intact]
    if broken:
        return Finding(subject, "wrong", broken[0].sentence())
    found = f"{len(checks)} records, all intact"
    if "://" not in store and not os.access(store, os.W_OK):
        return Finding(subject, "wrong", f"{found}, but the file cannot be written to")
    return Finding(subject, "good", found)
