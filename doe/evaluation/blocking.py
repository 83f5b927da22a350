"""The blocks of runs to be evaluated: which runs belong together, and whether as a sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.errors import DesignError, UnknownNameError
from doe.factors import check_number
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

    from doe.runs import Design

VARIANCE_RATIO = 1.0
"""Variance between random blocks over the variance between runs, where nobody states another."""

Blocks = Sequence[str] | Mapping[str, Sequence[object]]


@dataclass(frozen=True, slots=True)
class Blocking:
    """One grouping of the runs.

    Attributes:
        name: Of the block factor.
        levels: The group of each run; runs of nested blocks carry the outer one's level too.
        variance_ratio: Variance between groups over the variance between runs; None for fixed
            blocks, whose differences are estimated.
    """

    name: str
    levels: tuple[str, ...]
    variance_ratio: float | None

    @property
    def is_random(self) -> bool:
        """Whether the groups are a sample of many."""
        return self.variance_ratio is not None

    def indicators(self) -> FloatArray:
        """Return one column per group, shape ``(n_runs, n_groups)``, 1 for the runs in it."""
        groups = list(dict.fromkeys(self.levels))
        return np.array([[float(level == g) for g in groups] for level in self.levels])

    def contrasts(self) -> FloatArray:
        """Return the groups coded to sum to zero, shape ``(n_runs, n_groups - 1)``."""
        indicators = self.indicators()
        return np.asarray(indicators[:, :-1] - indicators[:, -1:], dtype=np.float64)


def known_levels(
    design: "Design | pd.DataFrame", space: FactorSpace, blocks: Blocks | None
) -> tuple[dict[str, tuple[str, ...]], dict[str, int]]:
    """Return the level of each run in each block, and of blocks that are not wholly known how many.

    Raises:
        UnknownNameError: If a block named is in neither the design nor the table.
        DesignError: If levels do not fit the runs.
    """
    import pandas as pd

    found, unknown = {}, {}
    for name, levels in _levels(design, space, blocks).items():
        listed = pd.Series(list(levels), dtype="object")
        n_known = int((listed.notna() & listed.astype(str).str.strip().ne("")).sum())
        if n_known < len(levels):
            unknown[name] = n_known
        else:
            found[name] = tuple(map(str, levels))
    return found, unknown


def blockings(
    design: "Design | pd.DataFrame",
    space: FactorSpace,
    *,
    found: Mapping[str, tuple[str, ...]],
    variance_ratio: float | Mapping[str, float] | None,
) -> tuple[Blocking, ...]:
    """Return the blocks of a design or of a table of runs, outermost first.

    Random are those that the design names as whole plots, those that the space declares random, and
    those that ``variance_ratio`` names; the others are fixed.

    Args:
        design: The runs.
        space: The factors.
        found: For each block, the level of each run.
        variance_ratio: As ``evaluate`` takes it.

    Raises:
        UnknownNameError: If ``variance_ratio`` names a block that is not there.
        DesignError: If a block has too few levels, or a variance ratio is negative.
    """
    import pandas as pd

    ratios = variance_ratio if isinstance(variance_ratio, Mapping) else {}
    unknown = [name for name in ratios if name not in found]
    if unknown:
        raise UnknownNameError(
            f"variance_ratio names {unknown}, but the blocks are {list(found)}: name one of them."
        )
    declared = {factor.name: factor for factor in space.blocks}
    whole_plots = () if isinstance(design, pd.DataFrame) else design.whole_plots
    random = {
        name
        for name in found
        if name in whole_plots or name in ratios or (name in declared and declared[name].random)
    }
    outer: dict[str, str] = {
        name: declared[name].nested_in or "" for name in found if name in declared
    }
    # A whole plot lies within the one named before it.
    held = [name for name in whole_plots if name in found]
    outer |= {name: outer.get(name) or before for before, name in pairwise(held)}
    common = VARIANCE_RATIO if variance_ratio is None else variance_ratio
    result = []
    for name in found:
        ratio = ratios.get(name, VARIANCE_RATIO) if isinstance(common, Mapping) else common
        ratio = check_number(ratio, f"variance_ratio of '{name}'")
        if ratio < 0:
            raise DesignError(f"variance_ratio must not be negative, got {ratio:g} for '{name}'.")
        levels = _nested(name, found, outer)
        result.append(Blocking(name, levels, ratio if name in random else None))
    return tuple(result)


def _levels(
    design: "Design | pd.DataFrame", space: FactorSpace, blocks: Blocks | None
) -> dict[str, tuple[object, ...]]:
    """Return what stands for the level of each run in each block, also where it is missing."""
    import pandas as pd

    n_runs = len(design) if isinstance(design, pd.DataFrame) else design.n_runs
    if isinstance(blocks, Mapping):
        found = {name: tuple(levels) for name, levels in blocks.items()}
        for name, levels in found.items():
            if len(levels) != n_runs:
                raise DesignError(
                    f"Block '{name}' has {len(levels)} levels for {n_runs} runs: give one per run."
                )
        return found
    if isinstance(design, pd.DataFrame):
        declared = [factor.name for factor in space.blocks if factor.name in design.columns]
        names = declared if blocks is None else list(_names(blocks))
        known: Sequence[str] = [str(column) for column in design.columns]
    else:
        names = list(design.blocks) if blocks is None else list(_names(blocks))
        known = list(design.blocks)
    for name in names:
        if name not in known:
            raise UnknownNameError(
                f"The runs have no block '{name}'; what they have is {list(known)}: correct it."
            )
    if isinstance(design, pd.DataFrame):
        return {name: tuple(design[name]) for name in names}
    return {name: tuple(design.blocks[name]) for name in names}


def _names(blocks: Sequence[str]) -> Sequence[str]:
    if isinstance(blocks, str):
        raise DesignError(f"blocks must be a list of names, got '{blocks}': write ['{blocks}'].")
    return blocks


def _nested(
    name: str, found: Mapping[str, tuple[str, ...]], outer: Mapping[str, str]
) -> tuple[str, ...]:
    """Return levels that tell bag 1 of day 1 from bag 1 of day 2."""
    chain = [name]
    while (above := outer.get(chain[-1], "")) in found and above not in chain:
        chain.append(above)
    return tuple(
        " / ".join(reversed(levels))
        for levels in zip(*(found[link] for link in chain), strict=True)
    )
