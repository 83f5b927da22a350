"""What the command line writes: answers on stdout, everything else on stderr."""

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from campaigns.recommending.strategy import Progress

# A file or another program gets whole lines; only a terminal has an edge to wrap at.
_UNWRAPPED = 10_000
MOST_DIGITS = 4


def stdout() -> "Console":
    """Return the console for answers."""
    return _console(to_stderr=False)


def stderr() -> "Console":
    """Return the console for progress, hints and refusals."""
    return _console(to_stderr=True)


def _console(*, to_stderr: bool) -> "Console":
    from rich.console import Console

    # Names of people's factors may hold [brackets] and :colons:; they are not ours to interpret.
    stream = sys.stderr if to_stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _UNWRAPPED
    return Console(file=stream, markup=False, emoji=False, highlight=False, width=width)


def say(text: str = "", style: str | None = None) -> None:
    """Write a line of an answer for people."""
    stdout().print(text, style=style, soft_wrap=not sys.stdout.isatty())


def hint(text: str) -> None:
    """Say what can be done next; not part of the answer."""
    stderr().print(text, style="dim", soft_wrap=not sys.stderr.isatty())


def answer_json(document: Mapping[str, Any]) -> None:
    """Write an answer for a script: one JSON object, numbers finite, missing ones null."""
    text = json.dumps(_finite(document), indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write(f"{text}\n")


def show_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None
) -> None:
    """Write a table; columns that hold numbers are aligned at their right."""
    stdout().print(table_of(columns, rows, title=title))


def table_of(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None
) -> "Table":
    """Return a table that Rich can print."""
    from rich import box
    from rich.table import Table

    table = Table(
        title=title,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        pad_edge=False,
        show_edge=False,
        collapse_padding=True,
    )
    for place, column in enumerate(columns):
        numeric = any(isinstance(row[place], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(text_of(cell) for cell in row))
    return table


def text_of(value: object) -> str:
    """Return a cell as people read it: four digits, and nothing where a value is missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{MOST_DIGITS}g}"
    return str(value)


@contextmanager
def showing_progress(what: str) -> Iterator["Progress"]:
    """Show on a terminal how far long work is, with the time left; elsewhere nothing."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr(), transient=True, disable=not _is_watched()) as bars:
        task = bars.add_task(what, total=1.0)

        def report(fraction: float, sentence: str) -> None:
            bars.update(task, completed=fraction, description=sentence)

        yield report


def _is_watched() -> bool:
    return sys.stderr.isatty()


def _finite(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case Mapping():
            return {str(key): _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
        case bool() | int() | float() | str() | None:
            return value
        case _ if hasattr(value, "item"):  # numpy scalars
            return _finite(value.item())
        case _:
            return str(value)
