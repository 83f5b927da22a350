"""What is wrong with a table, and what is worth knowing about it, each with its place."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from doe.errors import TableError

MAX_SHOWN = 20
MAX_PROBLEMS = 1_000


@dataclass(slots=True)
class Findings:
    """Problems, which refuse the whole file, and notes, which do not.

    Attributes:
        file_name: The file, as people know it.
        sheet: The sheet of a workbook.
        problems: What is wrong, each with file, sheet, row and column.
        notes: What was converted, is contradictory or was left out, each with its place.
    """

    file_name: str
    sheet: str | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def problem(
        self, text: str, *, row: int | Sequence[int] | None = None, column: str | None = None
    ) -> None:
        """Keep a problem of a row or several; rows are numbered as a spreadsheet shows them."""
        rows = row if isinstance(row, Sequence) else [row]
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(f"{self._place(rows, column)}: {text}")
        elif len(self.problems) == MAX_PROBLEMS:
            self.problems.append(f"{self.file_name}: further problems are not listed")

    def note(self, text: str, *, rows: Sequence[int] = (), column: str | None = None) -> None:
        """Keep a note on some rows, or on the whole file."""
        self.notes.append(f"{self._place(rows, column)}: {text}")

    def raise_problems(self) -> None:
        """Refuse the file when there are problems.

        Raises:
            TableError: With every problem.
        """
        if not self.problems:
            return
        shown = self.problems[:MAX_SHOWN]
        if len(self.problems) > MAX_SHOWN:
            shown = [*shown, f"and {len(self.problems) - MAX_SHOWN} more"]
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        lines = "".join(f"\n- {line}" for line in shown)
        raise TableError(
            f"'{self.file_name}' has {count}; nothing was taken from it:{lines}",
            tuple(self.problems),
        )

    def _place(self, rows: Sequence[int | None], column: str | None) -> str:
        numbers = in_ranges([row for row in rows if row is not None])
        parts = [
            self.file_name,
            f"sheet '{self.sheet}'" if self.sheet is not None else "",
            f"row{'s' if len(rows) > 1 else ''} {', '.join(numbers)}" if numbers else "",
            f"column '{column}'" if column is not None else "",
        ]
        return ", ".join(part for part in parts if part)


def in_ranges(numbers: Sequence[int]) -> list[str]:
    """Return rising numbers in words, three or more in a row as a range: ``2 to 17``, ``20``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return [
        words
        for part in parts
        for words in ([f"{part[0]} to {part[-1]}"] if len(part) > 2 else map(str, part))
    ]
