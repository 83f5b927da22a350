"""What each import loads: the packages start fast, and heavy libraries wait until they are used."""

import ast
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("doe", "surrogates", "campaigns", "dashboards")

_HELP = """
from campaigns.cli import main
sys.argv = ["bayeswell", "--help"]
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
"""

# __main__ modules act when they are imported.
_EVERY_MODULE = """
import importlib, pkgutil
for package in {packages}:
    folder = importlib.import_module(package)
    for module in pkgutil.walk_packages(folder.__path__, package + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""


def loaded_by(program: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded at the end of a program."""
    report = "\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys\n{program}{report}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_help_waits_for_no_heavy_library():
    loaded = loaded_by(_HELP)

    heavy = {"ax", "botorch", "matplotlib", "optuna", "pandas", "panel", "scipy.stats", "torch"}
    assert loaded & heavy == set()


def test_help_answers_from_the_installed_command(report_measurement: Callable[[str], None]):
    command = Path(sys.executable).with_name("bayeswell")
    start = time.perf_counter()
    done = subprocess.run(
        [command, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    seconds = time.perf_counter() - start

    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
    report_measurement(f"bayeswell --help answered in {seconds:.2f} s (0.5 s on an idle machine)")


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_loads_no_heavy_library(package: str):
    loaded = loaded_by(f"import {package}")

    assert loaded & {"ax", "botorch", "optuna", "pandas", "panel", "scipy.stats", "torch"} == set()


def test_no_module_of_doe_loads_a_learning_or_drawing_library():
    loaded = loaded_by(_EVERY_MODULE.format(packages=["doe"]))

    barred = {"ax", "botorch", "matplotlib", "panel", "plotly", "sqlalchemy", "statsmodels"}
    assert loaded & (barred | {"torch"}) == set()


@pytest.mark.slow
def test_no_module_loads_ax_or_optuna_before_it_is_used():
    loaded = loaded_by(_EVERY_MODULE.format(packages=list(PACKAGES)))

    assert loaded & {"ax", "optuna"} == set()


@pytest.mark.slow
def test_no_module_below_the_dashboards_loads_panel():
    loaded = loaded_by(_EVERY_MODULE.format(packages=["doe", "surrogates", "campaigns"]))

    assert loaded & {"panel", "bokeh", "plotly"} == set()


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
def test_every_exported_name_exists(package: str):
    module = importlib.import_module(package)

    for name in dir(module):
        assert getattr(module, name) is not None


@pytest.mark.parametrize("package", PACKAGES)
def test_type_checkers_see_the_names_that_are_exported(package: str):
    """The table of lazy exports and the imports under TYPE_CHECKING name the same things."""
    tree = ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8"))

    assert _typed_exports(tree) == _lazy_exports(tree)


def test_a_name_that_is_not_exported_is_refused():
    import doe

    with pytest.raises(AttributeError, match="'doe' has no attribute 'Parameter'"):
        doe.Parameter  # noqa: B018 - the access is the test


@pytest.mark.parametrize(
    "package",
    sorted(file.parent for top in PACKAGES for file in (ROOT / top).rglob("__init__.py")),
    ids=lambda folder: folder.name,
)
def test_no_public_name_is_that_of_a_module_beside_it(package: Path) -> None:
    """Importing the module would put it in the place of the name."""
    tree = ast.parse((package / "__init__.py").read_text("utf-8"))
    offered = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module != "doe.lazy_exports"
        for alias in node.names
    }
    modules = {path.stem for path in package.iterdir() if path.suffix == ".py" or path.is_dir()}

    assert offered & modules == set()


def _typed_exports(tree: ast.Module) -> dict[str, str | None]:
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [
        node
        for block in blocks
        if ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
    ]
    return {alias.asname or alias.name: node.module for node in imports for alias in node.names}


def _lazy_exports(tree: ast.Module) -> dict[str, str | None]:
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if ast.unparse(target) == "_EXPORTS":
                return ast.literal_eval(node.value)
    raise AssertionError("the package has no table _EXPORTS")
