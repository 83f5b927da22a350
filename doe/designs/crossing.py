"""Designs for numeric factors, repeated at every combination of factors that have no middle."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from doe.arrays import FloatArray
from doe.designs.assembly import MAX_RUNS, CodedRun
from doe.errors import DesignError
from doe.factors import CategoricalFactor, DiscreteFactor, SearchedFactor, Value
from doe.space import FactorSpace


@dataclass(frozen=True, slots=True)
class Points:
    """Coded runs of numeric factors, with what each of them is.

    Attributes:
        settings: Shape ``(n_runs, n_factors)``.
        types: The point type of each run.
        blocks: The block of each run; empty for a design without blocks.
    """

    settings: FloatArray
    types: tuple[str, ...]
    blocks: tuple[str, ...] = ()


def joined(parts: Sequence[tuple[str, FloatArray]], block: str | None = None) -> Points:
    """Return runs of several types one after the other, in one block."""
    types = tuple(kind for kind, settings in parts for _ in range(len(settings)))
    settings = np.vstack([settings for _, settings in parts])
    return Points(settings, types, () if block is None else (block,) * len(types))


def one_after_the_other(groups: Sequence[Points]) -> Points:
    """Return the runs of several groups as one."""
    return Points(
        np.vstack([group.settings for group in groups]),
        tuple(kind for group in groups for kind in group.types),
        tuple(block for group in groups for block in group.blocks),
    )


def has_middle(factor: SearchedFactor) -> bool:
    """Return whether a factor is numeric and has more than two settings."""
    if isinstance(factor, CategoricalFactor):
        return False
    return not (isinstance(factor, DiscreteFactor) and len(factor.levels) == 2)


def varied_along_axes(space: FactorSpace) -> FactorSpace:
    """Return the space of the factors that have a middle, without constraints.

    Raises:
        DesignError: If there are none.
    """
    factors = tuple(factor for factor in space.searched if has_middle(factor))
    if not factors:
        raise DesignError(
            f"None of the factors {list(space.names)} has a middle, so that there is no curvature "
            "to find: use full_factorial."
        )
    return FactorSpace(factors)


def n_combinations(space: FactorSpace) -> int:
    """Return how many combinations of levels the factors without a middle have."""
    return prod(len(levels) for levels in _choices(space).values())


def check_size(n_runs: int, method: str) -> None:
    """Refuse a design with too many runs before they are made.

    Raises:
        DesignError: If there are more than 10,000.
    """
    if n_runs > MAX_RUNS:
        raise DesignError(
            f"This {method} has {n_runs} runs; at most {MAX_RUNS} are planned: ask for fewer "
            "centre runs or replicates."
        )


def crossed(space: FactorSpace, points: Points, method: str) -> tuple[list[CodedRun], Points]:
    """Return the runs at every combination of levels of the factors without a middle.

    Within a block, all runs of a combination stand together; the first such factor varies fastest.

    Args:
        space: All factors.
        points: Coded runs of the factors that have a middle, blocks one after the other.
        method: The kind of design in words.

    Raises:
        DesignError: If there are too many combinations.
    """
    choices = _choices(space)
    count = n_combinations(space) * len(points.types)
    if count > MAX_RUNS:
        raise DesignError(
            f"This {method} of {len(points.types)} runs, repeated at each of "
            f"{n_combinations(space)} combinations of the levels of {list(choices)}, has {count} "
            f"runs; at most {MAX_RUNS} are planned: use an optimal design."
        )
    numeric = [name for name in space.names if name not in choices]
    labels = points.blocks or ("",) * len(points.types)
    runs: list[CodedRun] = []
    rows: list[int] = []
    for block in dict.fromkeys(labels):
        inside = [row for row, label in enumerate(labels) if label == block]
        for combination in product(*reversed(choices.values())):
            chosen = dict(zip(reversed(choices), combination, strict=True))
            for row in inside:
                point = dict(zip(numeric, map(float, points.settings[row]), strict=True))
                runs.append({name: {**chosen, **point}[name] for name in space.names})
                rows.append(row)
    return runs, Points(
        points.settings[rows],
        tuple(points.types[row] for row in rows),
        tuple(points.blocks[row] for row in rows) if points.blocks else (),
    )


def _choices(space: FactorSpace) -> dict[str, tuple[Value, ...]]:
    return {
        factor.name: factor.levels if isinstance(factor, CategoricalFactor) else (-1.0, 1.0)
        for factor in space.searched
        if not has_middle(factor)
    }
