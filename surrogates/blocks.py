"""The levels of block factors: which runs share one, and which level a prediction is for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import IntArray
from doe.errors import InvalidValueError, UnknownNameError
from doe.space import FactorSpace
from surrogates.surrogate import NEW_BLOCK, Block

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class BlockLevels:
    """The levels of each block factor that runs were done in, numbered; one past the last is new.

    Attributes:
        space: The factor space.
        levels: Per block factor its levels, each under the levels it is nested in.
    """

    space: FactorSpace
    levels: Mapping[str, tuple[tuple[str, ...], ...]]

    @classmethod
    def learned(cls, space: FactorSpace, settings: "pd.DataFrame") -> "BlockLevels":
        """Return the levels that occur in the settings, in sorted order."""
        paths = {b.name: block_paths(space, settings, b.name) for b in space.blocks}
        return cls(space, {name: tuple(sorted(set(path))) for name, path in paths.items()})

    def numbers(self, settings: "pd.DataFrame") -> IntArray:
        """Return the number of each row's level, shape ``(n_rows, n_block_factors)``.

        Raises:
            UnknownNameError: If a row is in a level that was not learned.
        """
        found = np.empty((len(settings), len(self.levels)), dtype=np.int64)
        for column, (name, levels) in enumerate(self.levels.items()):
            number = {level: i for i, level in enumerate(levels)}
            for row, path in enumerate(block_paths(self.space, settings, name)):
                if path not in number:
                    raise UnknownNameError(
                        f"Block factor '{name}' has no level '{'/'.join(path)}' among the runs."
                    )
                found[row, column] = number[path]
        return found

    def indices(self, block: Block) -> tuple[int, ...]:
        """Return the level index per block factor; one past the last for a new block.

        Args:
            block: ``new``, the level of the only block factor, or a level per block factor; those
                not named are new.

        Raises:
            UnknownNameError: If there is no such block factor or level.
            InvalidValueError: If one level is given and there are several block factors.
        """
        if isinstance(block, str):
            named = self._single(block)
        else:
            named = {name: level for name, level in block.items() if level != NEW_BLOCK}
        unknown = sorted(set(named) - set(self.levels))
        if unknown:
            raise UnknownNameError(
                f"No block factor is called {unknown}; there are {list(self.levels)}."
            )
        nested_in = {factor.name: factor.nested_in for factor in self.space.blocks}
        for name in list(named):
            # A level says which levels it is nested in, unless they were named.
            path = self.levels[name][self._index(name, named)]
            parent = nested_in[name]
            for level in reversed(path[:-1]):
                if parent is not None:
                    named.setdefault(parent, level)
                    parent = nested_in[parent]
        return tuple(self._index(name, named) for name in self.levels)

    def _single(self, block: str) -> dict[str, str]:
        if block == NEW_BLOCK:
            return {}
        if len(self.levels) != 1:
            raise InvalidValueError(
                f"block '{block}' could be a level of any of {list(self.levels)}: name the factor, "
                "as in block={'day': '3'}."
            )
        return {next(iter(self.levels)): block}

    def _index(self, name: str, named: Mapping[str, str]) -> int:
        levels = self.levels[name]
        if name not in named:
            return len(levels)
        text = level_text(named[name])
        found = [i for i, path in enumerate(levels) if path[-1] == text]
        chain = levels[0][:-1] if levels else ()
        if len(found) > 1 and chain:
            parents = self._parents(name, named)
            found = [i for i in found if levels[i][:-1] == parents]
        if len(found) != 1:
            raise UnknownNameError(
                f"Block factor '{name}' has no level '{text}'; the runs have "
                f"{', '.join('/'.join(path) for path in levels)}. Use 'new' for a block not seen."
            )
        return found[0]

    def _parents(self, name: str, named: Mapping[str, str]) -> tuple[str, ...]:
        nested_in = {factor.name: factor.nested_in for factor in self.space.blocks}
        parents: list[str] = []
        while (parent := nested_in[name]) is not None:
            parents.insert(0, level_text(named.get(parent, NEW_BLOCK)))
            name = parent
        return tuple(parents)


def block_paths(
    space: FactorSpace, settings: "pd.DataFrame", block: str
) -> tuple[tuple[str, ...], ...]:
    """Return the level of a block factor in each row, after the levels it is nested in."""
    nested_in = {factor.name: factor.nested_in for factor in space.blocks}
    chain = [block]
    while (parent := nested_in[chain[0]]) is not None:
        chain.insert(0, parent)
    return tuple(
        tuple(level_text(level) for level in row)
        for row in settings[chain].itertuples(index=False, name=None)
    )


def level_text(level: object) -> str:
    """Return the name of a block level; a whole number is written without a decimal point."""
    if isinstance(level, float | np.floating) and float(level).is_integer():
        return str(int(level))
    return str(level)
