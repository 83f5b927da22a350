"""What the runs of a Latin hypercube have of each factor, before runs are put together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.designs.assembly import CodedRun, Plan, assemble
from doe.designs.structure import check_balanced
from doe.designs.unit_points import filling_facts, level_coordinates, unit_points
from doe.factors import CategoricalFactor, ContinuousFactor, SearchedFactor, Value
from doe.runs import Design
from doe.space import FactorSpace

MAX_SPREAD_RUNS = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class LatinColumn:
    """What the runs have of one factor.

    Attributes:
        coded: The coded settings or levels, one per run.
        places: Unit coordinates, or numbers of levels of a categorical factor.
    """

    coded: Sequence[Value]
    places: FloatArray


def even_column(
    factor: SearchedFactor, n_runs: int, space: FactorSpace, *, rng: np.random.Generator
) -> LatinColumn:
    """Return equally spaced settings from low to high, or the levels equally often."""
    levels = level_coordinates(factor, space)
    if levels is not None and len(levels) <= n_runs:
        return _balanced(factor, levels, n_runs, rng=rng)
    return _spaced(factor, np.arange(n_runs) / (n_runs - 1), levels)


def random_column(
    factor: SearchedFactor, n_runs: int, space: FactorSpace, *, rng: np.random.Generator
) -> LatinColumn:
    """Return one setting drawn in each of as many equal parts, or the levels equally often."""
    levels = level_coordinates(factor, space)
    if levels is not None and len(levels) <= n_runs:
        return _balanced(factor, levels, n_runs, rng=rng)
    return _spaced(factor, (np.arange(n_runs) + rng.random(n_runs)) / n_runs, levels)


def sobol_column(factor: SearchedFactor, unit: FloatArray, space: FactorSpace) -> LatinColumn:
    """Return settings at the unit coordinates of a sequence, or the levels equally often."""
    levels = level_coordinates(factor, space)
    if levels is not None and len(levels) <= len(unit):
        # By rank and not by value: then the levels are used equally often for any number of runs.
        ranks = unit.argsort().argsort()
        chosen = [levels[int(rank) * len(levels) // len(unit)] for rank in ranks]
        return _column(factor, chosen, levels)
    return _spaced(factor, unit, levels)


def filled(
    space: FactorSpace, columns: Sequence[LatinColumn], table: IntArray, method: str, instead: str
) -> Design:
    """Return the design whose run ``i`` has entry ``table[i, j]`` of column ``j``."""
    runs: list[CodedRun] = [
        {name: column.coded[i] for name, column, i in zip(space.names, columns, row, strict=True)}
        for row in table
    ]
    return filled_runs(space, runs, method, instead)


def filled_runs(space: FactorSpace, runs: Sequence[CodedRun], method: str, instead: str) -> Design:
    """Return the design of coded runs, with the facts on how it fills the space."""
    for factor in space.searched:
        levels = level_coordinates(factor, space)
        if levels is not None and len(levels) <= len(runs):
            check_balanced([run[factor.name] for run in runs], levels, method)
    design = assemble(space, Plan(runs, ["space"] * len(runs), method, instead))
    if len(runs) > MAX_SPREAD_RUNS:
        return design
    facts = filling_facts(space, unit_points(space, design.runs))
    return replace(design, details={**design.details, **facts})


def _balanced(
    factor: SearchedFactor, levels: Sequence[Value], n_runs: int, *, rng: np.random.Generator
) -> LatinColumn:
    # Which levels get the runs that are left over is a matter of chance.
    uses = np.full(len(levels), n_runs // len(levels))
    uses[rng.permutation(len(levels))[: n_runs % len(levels)]] += 1
    chosen = [level for level, count in zip(levels, uses, strict=True) for _ in range(count)]
    return _column(factor, chosen, levels)


def _spaced(
    factor: SearchedFactor, unit: FloatArray, levels: Sequence[Value] | None
) -> LatinColumn:
    """Return a column at unit coordinates, or at the levels that stand there in order."""
    if levels is None or isinstance(factor, ContinuousFactor):
        return LatinColumn([float(value) for value in 2 * unit - 1], unit)
    places = np.minimum(np.floor(unit * len(levels)).astype(np.int64), len(levels) - 1)
    return _column(factor, [levels[place] for place in places], levels)


def _column(factor: SearchedFactor, coded: Sequence[Value], levels: Sequence[Value]) -> LatinColumn:
    if isinstance(factor, CategoricalFactor):
        places = np.array([levels.index(level) for level in coded], dtype=np.float64)
        return LatinColumn(coded, places)
    return LatinColumn(coded, (np.asarray(coded, dtype=np.float64) + 1) / 2)
