"""What is installed: the pins, the wheel, the console command and the commands people are told."""

import re
import subprocess
import sys
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"doe", "surrogates", "campaigns", "dashboards"}
PINS = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()

# A GPU build of torch brings these and pins them itself; pip comes with the environment.
_NOT_OURS = re.compile(r"^(pip|bayeswell|triton|nvidia-.*|cuda-.*)$")


def canonical(name: str) -> str:
    """Return a distribution's name as the packaging standard (PEP 503) compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned() -> dict[str, str]:
    """Return the pinned version of each distribution."""
    pins = [line.split("#")[0].strip().split("==") for line in PINS]
    return {canonical(pin[0]): pin[1] for pin in pins if len(pin) == 2}


def test_everything_installed_is_pinned_at_its_version():
    installed = {
        canonical(found.metadata["Name"]): found.version.partition("+")[0]
        for found in distributions()
    }
    ours = {name: at for name, at in installed.items() if not _NOT_OURS.match(name)}

    assert {name: at for name, at in ours.items() if pinned().get(name) != at} == {}


def test_torch_is_pinned_first_and_without_a_build():
    assert re.fullmatch(r"torch==2\.13\.0\s+#.*", PINS[0])


def test_a_pin_is_a_name_and_a_version_only():
    """No address, path, build suffix or option: the same file serves every machine."""
    pins = [line.split("#")[0].strip() for line in PINS]

    assert [pin for pin in pins if pin and not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from this tree without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl")))


@pytest.mark.slow
def test_the_wheel_holds_the_four_packages_whole_and_nothing_else(wheel: zipfile.ZipFile):
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    expected = {
        file.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }

    assert names == expected
    assert {f"{package}/py.typed" for package in PACKAGES} <= names


@pytest.mark.slow
def test_the_wheel_brings_the_example_that_the_demonstration_needs(wheel: zipfile.ZipFile):
    names = wheel.namelist()

    assert any(name.startswith("campaigns/examples/") and name.endswith(".csv") for name in names)


@pytest.mark.slow
def test_the_wheel_brings_its_command_and_its_licence(wheel: zipfile.ZipFile):
    info = next(name for name in wheel.namelist() if name.endswith("/METADATA")).rpartition("/")[0]

    assert b"bayeswell = campaigns.cli:main" in wheel.read(f"{info}/entry_points.txt")
    assert b"Apache License" in wheel.read(f"{info}/licenses/LICENSE")
    assert b"Name: bayeswell\n" in wheel.read(f"{info}/METADATA")


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"])
def test_every_make_command_in_the_documents_exists(document: str):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))
    told = set(re.findall(r"(?:^|`)make ([a-z]+)", (ROOT / document).read_text("utf-8"), re.M))

    assert told - targets == set()


def test_every_bayeswell_command_in_the_readme_exists():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = set(re.findall(r"(?:^|`|/)bayeswell ([a-z][a-z-]+)", readme, re.M))

    for command in sorted(told):
        done = subprocess.run(
            [Path(sys.executable).with_name("bayeswell"), command, "--help"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"bayeswell {command}: {done.stderr}"
