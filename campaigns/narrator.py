"""Tells long work on the terminal, step by step, with progress while each one runs."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from campaigns.commands.console import table_of

if TYPE_CHECKING:
    from campaigns.recommending.strategy import Progress as Report

WIDTH = 100
INDENT = 7


class Narrator:
    """Prints numbered steps; on a terminal, a bar shows how far the present one is.

    Args:
        n_steps: How many steps there will be.
        quiet: Whether nothing is printed.
    """

    def __init__(self, n_steps: int, *, quiet: bool = False) -> None:
        self._n_steps = n_steps
        self._step = 0
        # A file is as wide as a page; a terminal no wider than one reads with ease.
        width = min(WIDTH, os.get_terminal_size().columns) if sys.stdout.isatty() else WIDTH
        self._console = Console(
            file=sys.stdout, quiet=quiet, width=width, markup=False, emoji=False, highlight=False
        )

    def title(self, title: str, below: str) -> None:
        """Print what is told."""
        self._console.print(title, style="bold")
        self._console.print(below, style="dim")

    def step(self, title: str) -> None:
        """Begin the next step."""
        self._step += 1
        self._console.print()
        self._console.print(f"{self._step:>2}/{self._n_steps}  {title}", style="bold cyan")

    def say(self, text: str, style: str = "") -> None:
        """Print a paragraph of the present step."""
        self._console.print(Padding(text, (0, 0, 0, INDENT), expand=False), style=style)

    def caution(self, text: str) -> None:
        """Print what the reader has to beware of."""
        self.say(text, "yellow")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table of the present step."""
        table = table_of(columns, rows)
        self._console.print(Padding(table, (0, 0, 0, INDENT), expand=False))

    @contextmanager
    def working(self, sentence: str) -> Iterator["Report"]:
        """Show that work goes on, and how far it is where it says so."""
        bars = Progress(
            TextColumn(" " * (INDENT - 2)),
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not sys.stdout.isatty(),
        )
        with bars:
            task = bars.add_task(sentence, total=None)

            def report(fraction: float, text: str) -> None:
                bars.update(task, completed=fraction, total=1.0, description=text)

            yield report
