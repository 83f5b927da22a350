"""The columns that take up the differences between fixed blocks; they add up to zero."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.space import FactorSpace
from surrogates.blocks import BlockLevels
from surrogates.surrogate import NEW_BLOCK, Block

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


@dataclass(frozen=True, eq=False)
class BlockContrasts:
    """A coding of block levels in which the model's other terms refer to the average block.

    Nested levels are compared within the level that holds them.

    Attributes:
        levels: The levels of each block factor.
        contrasts: Per block factor a row for each level, shape ``(n_levels, n_columns)``.
        names: All columns, block factor by block factor.
        kept: Places of the columns in the model, among ``names``.
    """

    levels: BlockLevels
    contrasts: tuple[FloatArray, ...]
    names: tuple[str, ...]
    kept: tuple[int, ...]

    @classmethod
    def learned(cls, space: FactorSpace, settings: "pd.DataFrame") -> "BlockContrasts":
        """Return the coding of the blocks that the settings were done in."""
        levels = BlockLevels.learned(space, settings)
        contrasts: list[FloatArray] = []
        names: list[str] = []
        for name, paths in levels.levels.items():
            columns, labels = _nested_contrasts(paths)
            contrasts.append(columns)
            names.extend(f"{name}[{label}]" for label in labels)
        return cls(levels, tuple(contrasts), tuple(names), tuple(range(len(names))))

    @classmethod
    def none(cls, space: FactorSpace, settings: "pd.DataFrame") -> "BlockContrasts":
        """Return the coding of a model that leaves the blocks out."""
        return cls.learned(space, settings).keeping(())

    def keeping(self, places: "Sequence[int]") -> "BlockContrasts":
        """Return the coding with only these of its columns."""
        return replace(self, kept=tuple(self.kept[place] for place in places))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns in the model."""
        return tuple(self.names[place] for place in self.kept)

    def factor_places(self) -> dict[str, tuple[int, ...]]:
        """Return for each block factor the places of its columns among those in the model."""
        found: dict[str, tuple[int, ...]] = {}
        start = 0
        for name, columns in zip(self.levels.levels, self.contrasts, strict=True):
            own = range(start, start + columns.shape[1])
            found[name] = tuple(i for i, place in enumerate(self.kept) if place in own)
            start += columns.shape[1]
        return found

    def matrix(self, settings: "pd.DataFrame") -> FloatArray:
        """Return the block columns of runs, shape ``(n_runs, n_block_columns)``.

        Raises:
            UnknownNameError: If a run is in a level that was not learned.
        """
        numbers = self.levels.numbers(settings)
        parts = [columns[numbers[:, i]] for i, columns in enumerate(self.contrasts)]
        whole = np.hstack([np.empty((len(settings), 0)), *parts])
        return np.asarray(whole[:, list(self.kept)])

    def row(self, block: Block = NEW_BLOCK) -> FloatArray:
        """Return the block columns of one block, shape ``(n_block_columns,)``; 0 for a new one.

        Raises:
            UnknownNameError: If there is no such block factor or level.
            InvalidValueError: If one level is given and there are several block factors.
        """
        parts = [np.empty(0)]
        for place, columns in zip(self.levels.indices(block), self.contrasts, strict=True):
            known = place < len(columns)
            parts.append(columns[place] if known else np.zeros(columns.shape[1]))
        return np.asarray(np.concatenate(parts)[list(self.kept)])


def _nested_contrasts(paths: "Sequence[tuple[str, ...]]") -> tuple[FloatArray, list[str]]:
    """Return sum-to-zero columns of the levels within each level that holds them."""
    columns, labels = [], []
    for parent in dict.fromkeys(path[:-1] for path in paths):
        inside = [place for place, path in enumerate(paths) if path[:-1] == parent]
        for place in inside[:-1]:
            column = np.zeros(len(paths))
            column[place], column[inside[-1]] = 1.0, -1.0
            columns.append(column)
            labels.append("/".join(paths[place]))
    return np.array(columns, dtype=np.float64).reshape(len(columns), len(paths)).T, labels
