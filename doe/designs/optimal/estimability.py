"""Which terms a region or a design cannot tell apart, said in words."""

from collections.abc import Sequence

import numpy as np

from doe.arrays import FloatArray
from doe.errors import DesignError

_DEPENDENT = 1e-8
_SHOWN = 6


def dependent_columns(rows: FloatArray) -> dict[int, tuple[int, ...]]:
    """Return the columns that follow from columns before them, and from which.

    Args:
        rows: Rows of a model matrix, shape ``(n_rows, n_columns)``.
    """
    found: dict[int, tuple[int, ...]] = {}
    kept: list[int] = []
    basis = np.zeros((len(rows), 0))
    for place, column in enumerate(rows.T):
        length = float(np.linalg.norm(column))
        rest = column
        for _ in range(2):
            # A second pass removes what rounding left of the first.
            rest = rest - basis @ (basis.T @ rest)
        if length > 0 and np.linalg.norm(rest) > _DEPENDENT * length:
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
            kept.append(place)
            continue
        parts = np.linalg.lstsq(rows[:, kept], column, rcond=None)[0] if kept else np.zeros(0)
        sizes = np.abs(parts) * np.linalg.norm(rows[:, kept], axis=0)
        found[place] = tuple(
            at for at, size in zip(kept, sizes, strict=True) if size > 1e-6 * max(length, 1e-300)
        )
    return found


def check_estimable(rows: FloatArray, names: Sequence[str], what: str) -> None:
    """Refuse terms that cannot be estimated from any runs at these places.

    Args:
        rows: Rows of the model matrix at points of the region, shape ``(n_points, n_columns)``.
        names: Of the columns.
        what: Of what the rows are, such as ``this factor space``.

    Raises:
        DesignError: With the terms, and those that each cannot be told apart from.
    """
    found = dependent_columns(rows)
    if not found:
        return
    texts = []
    for place, parts in list(found.items())[:_SHOWN]:
        others = ", ".join(names[part] for part in parts)
        is_zero = not np.any(rows[:, place])
        texts.append(
            f"{names[place]} ({'is always zero' if is_zero else f'follows from {others}'})"
        )
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    raise DesignError(
        f"{what} cannot estimate {len(found)} of {len(names)} terms: {'; '.join(texts)}{more}. "
        "Leave these terms out, or widen the ranges and levels."
    )
