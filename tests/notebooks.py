"""Execute every notebook from top to bottom; with ``--write``, keep the outputs in the files."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parent.parent
SECONDS_PER_CELL = 600


def execute(file: Path, *, write: bool) -> str | None:
    """Run one notebook in a kernel of this environment; return what failed, if anything."""
    notebook = nbformat.read(file, as_version=4)
    # Sockets in a private folder, not network ports: nobody else on the machine can listen.
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            km=AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{folder}/kernel"),
            timeout=SECONDS_PER_CELL,
            record_timing=False,  # times of day would change the file at every run
            resources={"metadata": {"path": str(file.parent)}},
        )
        try:
            client.execute()
        except CellExecutionError as error:
            return str(error)
    if write:
        nbformat.write(notebook, file)
    return None


def main() -> int:
    """Execute the notebooks named on the command line, or all; return 1 if any failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="default: all of notebooks/")
    parser.add_argument("--write", action="store_true", help="keep the outputs in the files")
    arguments = parser.parse_args()
    files = arguments.files or sorted((ROOT / "notebooks").glob("*.ipynb"))
    failures = 0
    for file in files:
        start = time.perf_counter()
        failure = execute(file.resolve(), write=arguments.write)
        outcome = "failed" if failure else "ran"
        sys.stdout.write(f"{file.name} {outcome} in {time.perf_counter() - start:.0f} s\n")
        if failure:
            sys.stdout.write(f"{failure}\n")
            failures += 1
    sys.stdout.write(f"{len(files) - failures} of {len(files)} notebooks ran to the end.\n")
    return 1 if failures or not files else 0


if __name__ == "__main__":
    sys.exit(main())
