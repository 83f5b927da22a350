"""The runs that are done, as further runs are planned beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.block_columns import block_columns
from doe.designs.added_blocks import is_own_block
from doe.errors import DesignError, InvalidValueError
from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor
from doe.runs import Design
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

ORIGINAL = "original"
# Achieved settings are replicates within this share of the range where a factor has no tolerance.
_REPLICATE = 0.02
# A setting farther outside than this, in ranges, is a wrong unit rather than a run to learn from.
_FAR = 10.0
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class ExistingRuns:
    """Runs that are done, as asked for or as achieved.

    Attributes:
        space: The factors that further runs vary.
        settings: In natural units, one row per run, columns in the order of the factors.
        point_types: What each run was; empty where nobody said.
        blocks: For each block factor that is known, the level of each run.
        random: Which of these have levels that are a sample of many: whole plots, days.
        remarks: What is odd about the runs, in words.
    """

    space: FactorSpace
    settings: "pd.DataFrame"
    point_types: tuple[str, ...]
    blocks: Mapping[str, tuple[str, ...]]
    random: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

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


def existing_runs(runs: "Design | pd.DataFrame", space: FactorSpace | None) -> ExistingRuns:
    """Return runs that are done, from a design or from a table of settings.

    Args:
        runs: A design, or a table with a column per factor, and perhaps per block factor.
        space: The factors; needed with a table. With a design, takes the place of its space.

    Raises:
        InvalidValueError: If a table has no space, lacks a factor, or has empty settings or unknown
            levels, or runs are far outside the ranges.
        DesignError: If there is no run.
    """
    _check_kinds(runs, space)
    if isinstance(runs, Design):
        space = space or runs.space
        table, types, blocks = runs.runs, runs.point_types, dict(runs.blocks)
        whole_plots = runs.whole_plots
    elif space is None:
        raise InvalidValueError(
            "Runs in a table need the factor space that they belong to: give space=."
        )
    else:
        table, types, whole_plots = runs, (), ()
        space.check_columns(table)
        blocks = _blocks_of(table, space)
    space.check_columns(table)
    if len(table) == 0:
        raise DesignError("There are no runs to add to: make a design first.")
    settings = table[list(space.names)].reset_index(drop=True)
    _check_settings(space, settings)
    sampled = {factor.name for factor in space.blocks if factor.random} | set(whole_plots)
    return ExistingRuns(
        space,
        settings,
        types or ("",) * len(settings),
        blocks,
        random=tuple(name for name in blocks if name in sampled),
        remarks=_remarks(space, settings),
    )


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


def _check_kinds(runs: object, space: object) -> None:
    import pandas as pd

    if not isinstance(runs, Design | pd.DataFrame):
        raise InvalidValueError(
            f"runs must be a design or a table of settings, got {runs!r}: give the runs that are "
            "done."
        )
    if space is not None and not isinstance(space, FactorSpace):
        raise InvalidValueError(f"space must be a FactorSpace, got {space!r}.")


def check_rng(rng: object) -> np.random.Generator:
    """Return a source of random draws.

    Raises:
        InvalidValueError: If it is none.
    """
    if not isinstance(rng, np.random.Generator):
        raise InvalidValueError(
            f"rng must be a random generator, got {rng!r}: write rng=numpy.random.default_rng(1)."
        )
    return rng


def _blocks_of(table: "pd.DataFrame", space: FactorSpace) -> dict[str, tuple[str, ...]]:
    """Return the blocks whose levels all runs of a table have.

    Runs without a level of what earlier additions brought along are those they were added to.
    """
    blocks = {}
    for factor in space.blocks:
        if factor.name not in table.columns or table[factor.name].isna().all():
            continue
        levels = table[factor.name]
        if is_own_block(factor.name):
            levels = levels.astype(object).where(levels.notna(), ORIGINAL)
        if not levels.isna().any():
            blocks[factor.name] = tuple(map(str, levels))
    return blocks


def _remarks(space: FactorSpace, settings: "pd.DataFrame") -> tuple[str, ...]:
    """Return which runs lie outside the ranges, having refused those that lie far outside.

    Raises:
        InvalidValueError: If one does.
    """
    found = []
    for factor in space.searched:
        if not isinstance(factor, ContinuousFactor | DiscreteFactor):
            continue
        values = settings[factor.name].to_numpy(dtype=np.float64)
        ends = np.array([factor.low, factor.high])
        if isinstance(factor, ContinuousFactor) and factor.scale == "log":
            with np.errstate(divide="ignore", invalid="ignore"):
                beyond = _beyond(np.log(values), np.log(ends))
        else:
            beyond = _beyond(values, ends)
        expected = f"expected {factor.low:g} to {factor.high:g} {factor.unit}".rstrip()
        # Not a number, as the logarithm of a negative setting is, is far outside too.
        far = np.flatnonzero(~(beyond <= _FAR))
        if far.size:
            raise InvalidValueError(
                f"Run {far[0] + 1} has '{factor.name}' at {values[far[0]]:g}, more than {_FAR:g} "
                f"times the range away; {expected}: correct the setting or its unit, or leave the "
                "run out."
            )
        outside = np.flatnonzero(beyond > 1e-9)
        if outside.size:
            shown = ", ".join(f"run {row + 1} at {values[row]:g}" for row in outside[:_SHOWN])
            more = f" and {len(outside) - _SHOWN} more" if len(outside) > _SHOWN else ""
            found.append(f"'{factor.name}' lies outside its range in {shown}{more}; {expected}.")
    return tuple(found)


def _beyond(values: FloatArray, ends: FloatArray) -> FloatArray:
    """Return how far values lie outside two ends, in distances between these."""
    outside = np.maximum(np.maximum(ends[0] - values, values - ends[1]), 0.0)
    return np.asarray(outside / (ends[1] - ends[0]), dtype=np.float64)


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
