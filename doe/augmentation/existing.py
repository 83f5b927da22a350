"""The runs that are done, and the block that further runs make beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.block_columns import block_columns
from doe.designs.blocks import with_block
from doe.errors import DesignError, InvalidValueError
from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor
from doe.runs import JSON, Design
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

ORIGINAL, ADDED = "original", "added"
# Achieved settings are replicates within this share of the range where a factor has no tolerance.
_REPLICATE = 0.02


@dataclass(frozen=True, eq=False)
class ExistingRuns:
    """Runs that are done, as asked for or as achieved.

    Attributes:
        space: The factors that further runs vary.
        settings: In natural units, one row per run, columns in the order of the factors.
        point_types: What each run was; empty where nobody said.
        blocks: For each block factor that is known, the level of each run.
    """

    space: FactorSpace
    settings: "pd.DataFrame"
    point_types: tuple[str, ...]
    blocks: Mapping[str, tuple[str, ...]]

    @property
    def n_runs(self) -> int:
        """How many runs are done."""
        return len(self.settings)

    def coded(self) -> FloatArray:
        """Return numeric settings coded and categorical ones as numbers of levels.

        Shape ``(n_runs, n_factors)``.
        """
        coded = self.space.to_coded(self.settings)
        columns = []
        for factor in self.space.searched:
            if isinstance(factor, CategoricalFactor):
                columns.append([float(factor.levels.index(v)) for v in coded[factor.name]])
            else:
                columns.append([float(v) for v in coded[factor.name]])
        return np.array(columns, dtype=np.float64).T


@dataclass(frozen=True, slots=True)
class AddedBlock:
    """Where the further runs stand among the blocks.

    Attributes:
        space: The factors, with the block factor if there is one.
        name: Of the block factor; None when there are no blocks.
        original: The block of each run that is done; empty without blocks.
        added: The block of the further runs.
    """

    space: FactorSpace
    name: str | None
    original: tuple[str, ...] = ()
    added: str = ADDED

    @property
    def is_new(self) -> bool:
        """Whether the further runs are a block of their own."""
        return self.name is not None and self.added not in self.original

    def before(self) -> dict[str, tuple[str, ...]]:
        """Return the blocks of the runs that are done."""
        return {self.name: self.original} if self.name is not None else {}

    def of_added(self, n_runs: int) -> dict[str, tuple[str, ...]]:
        """Return the blocks of the further runs."""
        return {self.name: (self.added,) * n_runs} if self.name is not None else {}

    def after(self, n_runs: int) -> dict[str, tuple[str, ...]]:
        """Return the blocks of both, the runs that are done first."""
        added = self.of_added(n_runs)
        return {name: (*levels, *added[name]) for name, levels in self.before().items()}

    def facts(self) -> dict[str, JSON]:
        """Return what the details of a design say about its block."""
        if self.name is None:
            return {"block": "none: the runs are taken as done under the same conditions"}
        return {
            "block": {
                "factor": self.name,
                "original runs": list(dict.fromkeys(self.original)),
                "added runs": self.added,
            }
        }


def existing_runs(runs: "Design | pd.DataFrame", space: FactorSpace | None) -> ExistingRuns:
    """Return runs that are done, from a design or from a table of settings.

    Args:
        runs: A design, or a table with a column per factor, and perhaps per block factor.
        space: The factors; needed with a table. With a design, takes the place of its space.

    Raises:
        InvalidValueError: If a table has no space, lacks a factor, or has empty settings or unknown
            levels.
        DesignError: If there is no run.
    """
    if isinstance(runs, Design):
        space = space or runs.space
        table, types, blocks = runs.runs, runs.point_types, dict(runs.blocks)
    elif space is None:
        raise InvalidValueError(
            "Runs in a table need the factor space that they belong to: give space=."
        )
    else:
        table, types = runs, ()
        space.check_columns(table)
        names = [f.name for f in space.blocks if f.name in table.columns]
        blocks = {n: tuple(map(str, table[n])) for n in names if not table[n].isna().any()}
    space.check_columns(table)
    if len(table) == 0:
        raise DesignError("There are no runs to add to: make a design first.")
    settings = table[list(space.names)].reset_index(drop=True)
    _check_settings(space, settings)
    return ExistingRuns(space, settings, types or ("",) * len(settings), blocks)


def added_block(existing: ExistingRuns, block: str | None, *, in_new_block: bool) -> AddedBlock:
    """Return the block of the further runs: a new one, or the last of those that are there.

    Args:
        existing: The runs that are done.
        block: Name of the block factor; chosen by ``with_block`` where absent.
        in_new_block: Whether the further runs are a block of their own.

    Raises:
        DesignError: If the block factor cannot be chosen or named so.
    """
    space, known = existing.space, dict(existing.blocks)
    if block is None and len(known) == 1:
        block = next(iter(known))
    if not in_new_block and not (known if block is None else block in known):
        return AddedBlock(space, None)
    if block is None and len(known) > 1:
        raise DesignError(
            f"The runs have the blocks {list(known)}: say with block= which of these tells the "
            "added runs from the original ones."
        )
    wider, name = with_block(space, block)
    if name not in known:
        return AddedBlock(wider, name, (ORIGINAL,) * existing.n_runs, ADDED)
    levels = known[name]
    return AddedBlock(wider, name, levels, _next_level(levels) if in_new_block else levels[-1])


def replicate_groups(existing: ExistingRuns, added: "pd.DataFrame") -> list[int]:
    """Return for each run, done or added, the number of its group of equal settings, from 0."""
    both = ExistingRuns(existing.space, _stacked(existing.settings, added), (), {})
    coded = both.coded()
    allowed = np.array([_tolerance(factor) for factor in existing.space.searched])
    groups: list[int] = []
    firsts: list[FloatArray] = []
    for run in coded:
        same = [g for g, first in enumerate(firsts) if (np.abs(run - first) <= allowed).all()]
        if not same:
            firsts.append(run)
        groups.append(same[0] if same else len(firsts) - 1)
    return groups


def pure_error(groups: Sequence[int], blocks: Mapping[str, Sequence[str]]) -> int:
    """Return the degrees of freedom among runs of equal settings in the same block."""
    cells = list(zip(groups, *blocks.values(), strict=True))
    return len(cells) - len(set(cells))


def repeat_error(groups: Sequence[int], blocks: Mapping[str, Sequence[str]]) -> int:
    """Return the degrees of freedom among equal runs, whose blocks differ by a constant at most."""
    cells = np.equal.outer(np.array(groups), np.unique(groups)).astype(np.float64)
    both = np.column_stack([cells, block_columns(blocks, len(groups))])
    return len(groups) - int(np.linalg.matrix_rank(both))


def is_centre(existing: ExistingRuns) -> BoolArray:
    """Return which runs stand at the middle of every factor that has one, shape ``(n_runs,)``."""
    numeric = [
        place
        for place, factor in enumerate(existing.space.searched)
        if isinstance(factor, ContinuousFactor | DiscreteFactor) and has_middle(factor)
    ]
    if not numeric:
        return np.zeros(existing.n_runs, dtype=np.bool_)
    near = np.abs(existing.coded()[:, numeric]) <= 0.1
    return np.asarray(near.all(axis=1), dtype=np.bool_)


def has_middle(factor: object) -> bool:
    """Return whether a numeric factor can stand between its ends."""
    match factor:
        case ContinuousFactor(low=low, high=high, step=step):
            return step is None or (high - low) / step > 2 - 1e-9
        case DiscreteFactor(levels=levels):
            return len(levels) > 2
        case _:
            return False


def _check_settings(space: FactorSpace, settings: "pd.DataFrame") -> None:
    for factor in space.searched:
        column = settings[factor.name]
        empty = np.flatnonzero(column.isna())
        if empty.size:
            raise InvalidValueError(
                f"Run {empty[0] + 1} has no setting of '{factor.name}': fill it in, or leave the "
                "run out."
            )
        if isinstance(factor, CategoricalFactor):
            unknown = [value for value in column if value not in factor.levels]
            if unknown:
                raise InvalidValueError(
                    f"'{factor.name}' is {unknown[0]!r} in the runs that are done; expected one "
                    f"of {', '.join(factor.levels)}: correct it, or add the level to the factor."
                )


def _next_level(levels: Sequence[str]) -> str:
    if all(level.isdecimal() for level in levels):
        return str(max(map(int, levels)) + 1)
    number, level = 1, ADDED
    while level in levels:
        number += 1
        level = f"{ADDED} {number}"
    return level


def _tolerance(factor: object) -> float:
    """Return how far apart two coded settings may be and still count as one."""
    if isinstance(factor, ContinuousFactor) and factor.scale == "linear":
        share = _REPLICATE
        if factor.tolerance is not None:
            share = factor.tolerance / (factor.high - factor.low)
        return 2 * share + 1e-9
    return 2 * _REPLICATE if isinstance(factor, ContinuousFactor) else 1e-6


def _stacked(one: "pd.DataFrame", other: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    return pd.concat([one, other[list(one.columns)]], ignore_index=True)
