"""Which columns of a model matrix the runs cannot estimate, and what each is aliased with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from doe.arrays import FloatArray

# A column whose remainder after the earlier ones is smaller than this share of it adds nothing.
RANK_TOLERANCE = 1e-9
# Rounding leaves shares of this size where a column has none in the combination.
SHARE_TOLERANCE = 1e-7


@dataclass(frozen=True, slots=True)
class AliasedColumn:
    """A column that is a combination of earlier ones in these runs, so has no estimate.

    Attributes:
        name: The column.
        combination: The earlier columns and how much of each it is; empty when it is all zero.
    """

    name: str
    combination: tuple[tuple[str, float], ...]

    def sentence(self) -> str:
        """Return what it is aliased with, in words."""
        if not self.combination:
            return f"{self.name} is zero in every run and cannot be estimated."
        parts = []
        for place, (name, share) in enumerate(self.combination):
            sign = "-" if share < 0 else ("+" if place else "")
            size = "" if abs(abs(share) - 1) < SHARE_TOLERANCE else f"{abs(share):.4g} "
            parts.append(f"{sign} {size}{name}".strip() if place else f"{sign}{size}{name}")
        return (
            f"{self.name} cannot be told apart from {' '.join(parts)} in these runs: its effect, "
            "if any, is in their coefficients."
        )


def estimable_columns(
    matrix: FloatArray, names: Sequence[str]
) -> tuple[tuple[int, ...], tuple[AliasedColumn, ...]]:
    """Return the places of the columns that can be estimated, and the others with their aliases.

    Earlier columns take precedence: squares and interactions give way to main effects.

    Args:
        matrix: Model matrix, shape ``(n_runs, n_columns)``.
        names: The columns' names.

    Source:
        Gram-Schmidt with reorthogonalisation: Daniel, Gragg, Kaufman and Stewart (1976),
        Mathematics of Computation 30, 772-795.
    """
    values = np.asarray(matrix, dtype=np.float64)
    basis = np.empty((len(values), 0))
    kept: list[int] = []
    lost: list[AliasedColumn] = []
    for place, name in enumerate(names):
        column = values[:, place]
        rest = column - basis @ (basis.T @ column)
        # Once more, since one pass loses digits when little is left.
        rest = rest - basis @ (basis.T @ rest)
        size = float(np.linalg.norm(rest))
        if size <= RANK_TOLERANCE * max(float(np.linalg.norm(column)), 1e-300):
            lost.append(AliasedColumn(str(name), _combination(values, column, kept, names)))
        else:
            kept.append(place)
            basis = np.column_stack([basis, rest / size])
    return tuple(kept), tuple(lost)


def _combination(
    values: FloatArray, column: FloatArray, kept: Sequence[int], names: Sequence[str]
) -> tuple[tuple[str, float], ...]:
    if not kept or not np.any(column):
        return ()
    shares = np.linalg.lstsq(values[:, list(kept)], column, rcond=None)[0]
    return tuple(
        (str(names[place]), float(share))
        for place, share in zip(kept, shares, strict=True)
        if abs(share) > SHARE_TOLERANCE
    )
