"""Designs that fill the factor space without a model in mind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never, get_args

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.coding import coded_values, numbers_of
from doe.designs.assembly import MAX_RUNS, CodedRun, Plan, assemble, check_count
from doe.designs.spreading import smallest_distance, spread_latin, spread_subset
from doe.designs.structure import check_balanced, check_distinct, check_latin
from doe.errors import DesignError
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
    SearchedFactor,
    Value,
)
from doe.rounding import grid_values, number_of_steps
from doe.runs import JSON, Design
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

Criterion = Literal["maximin", "random"]

MAX_SPREAD_RUNS = 1_000
_MIN_CANDIDATES = 2_000
_CANDIDATES_PER_RUN = 40
_INSTEAD = "ask for fewer runs"


def latin_hypercube(
    space: FactorSpace, n_runs: int, *, rng: np.random.Generator, criterion: Criterion = "maximin"
) -> Design:
    """Return a Latin hypercube: each factor's range is used evenly, one run in each of its parts.

    Under ``maximin``, continuous factors have ``n_runs`` equally spaced settings in coded units
    from low to high, combined so that the nearest two runs are as far apart as can be found; under
    ``random``, one setting drawn anywhere in each of ``n_runs`` equal parts, combined at random.
    Discrete and categorical factors, and factors with fewer steps than runs, have their levels
    equally often (numbers of runs differ by at most one). More steps than runs: the nearest step.

    A space with constraints or a mixture has no Latin hypercube. There the result is a
    space-filling subset: settings drawn evenly with ``FactorSpace.sample``, of which those are kept
    whose nearest two are as far apart as can be found; every one is allowed and on its steps.

    Args:
        space: The factors.
        n_runs: How many runs, at least 2.
        rng: Source of the random draws.
        criterion: How the settings are combined.

    Raises:
        DesignError: If ``n_runs`` does not fit, or fewer different settings are allowed.

    Source:
        McKay, Beckman and Conover (1979), Technometrics 21, 239-245; Morris and Mitchell (1995), J.
        Statistical Planning and Inference 43, 381-402: the search.
    """
    if criterion not in get_args(Criterion):
        raise DesignError(f"criterion is {criterion!r}; expected one of maximin, random.")
    _check_size(n_runs, spread=criterion == "maximin" or bool(space.all_constraints))
    if space.all_constraints:
        return _allowed_subset(space, n_runs, "Latin hypercube", rng=rng)
    columns = [_latin_column(f, n_runs, criterion, space, rng=rng) for f in space.searched]
    is_category = _are_categories(space)
    planned = np.column_stack([column.places for column in columns])
    if criterion == "maximin":
        table = spread_latin(planned, is_category, rng=rng)
    else:
        table = np.column_stack([rng.permutation(n_runs) for _ in columns])
    for factor, column, rows in zip(space.searched, columns, table.T, strict=True):
        if isinstance(factor, ContinuousFactor) and factor.step is None:
            check_latin(column.places[rows], "Latin hypercube")
    return _filled(space, columns, table, f"Latin hypercube, {criterion}")


def sobol(space: FactorSpace, n_runs: int, *, rng: np.random.Generator) -> Design:
    """Return points of a scrambled Sobol sequence: even in every projection, also as it grows.

    Powers of two are best balanced. Discrete and categorical factors, and factors with fewer steps
    than runs, have their levels equally often (numbers of runs differ by at most one).

    A space with constraints or a mixture gets a space-filling subset, as in ``latin_hypercube``.

    Args:
        space: The factors.
        n_runs: How many runs, at least 2.
        rng: Source of the scrambling.

    Raises:
        DesignError: If ``n_runs`` does not fit, or fewer different settings are allowed.

    Source:
        Sobol (1967), USSR Computational Mathematics 7, 86-112; Owen (1998), J. Complexity 14,
        466-489: scrambling.
    """
    from scipy.stats.qmc import Sobol

    _check_size(n_runs, spread=bool(space.all_constraints))
    if space.all_constraints:
        return _allowed_subset(space, n_runs, "Sobol sequence", rng=rng)
    sequence = Sobol(len(space.names), scramble=True, rng=rng)
    points = sequence.random_base2((n_runs - 1).bit_length())
    for column in points.T:
        check_latin(column, "Sobol sequence")
    points = points[:n_runs]
    columns = [_sobol_column(f, u, space) for f, u in zip(space.searched, points.T, strict=True)]
    table = np.tile(np.arange(n_runs)[:, None], len(columns))
    return _filled(space, columns, table, "Sobol sequence, scrambled")


@dataclass(frozen=True, slots=True, eq=False)
class _Column:
    """What the runs have of one factor, before runs are put together.

    Attributes:
        coded: The coded settings or levels, one per run.
        places: Unit coordinates, or numbers of levels of a categorical factor.
    """

    coded: Sequence[Value]
    places: FloatArray


def _check_size(n_runs: int, *, spread: bool) -> None:
    check_count(n_runs, "n_runs", at_least=2)
    limit = MAX_SPREAD_RUNS if spread else MAX_RUNS
    if n_runs > limit:
        raise DesignError(
            f"{n_runs} runs are more than the {limit} that this design is made for: {_INSTEAD}"
            f"{', or take sobol on a space without constraints' if spread else ''}."
        )


def _are_categories(space: FactorSpace) -> BoolArray:
    return np.array([isinstance(factor, CategoricalFactor) for factor in space.searched])


def _filled(space: FactorSpace, columns: Sequence[_Column], table: IntArray, method: str) -> Design:
    """Return the design whose run ``i`` has entry ``table[i, j]`` of column ``j``."""
    runs: list[CodedRun] = [
        {name: column.coded[i] for name, column, i in zip(space.names, columns, row, strict=True)}
        for row in table
    ]
    for factor in space.searched:
        levels = _level_coordinates(factor, space)
        if levels is not None and len(levels) <= len(runs):
            check_balanced([run[factor.name] for run in runs], levels, method)
    points = np.column_stack(
        [column.places[rows] for column, rows in zip(columns, table.T, strict=True)]
    )
    details: dict[str, JSON] = {}
    if len(runs) <= MAX_SPREAD_RUNS:
        distance = smallest_distance(points, _are_categories(space))
        details["smallest_distance"] = float(f"{distance:.4g}")
    return assemble(space, Plan(runs, ["space"] * len(runs), method, _INSTEAD, details=details))


def _level_coordinates(factor: SearchedFactor, space: FactorSpace) -> Sequence[Value] | None:
    """Return the coded values a factor can take, or None when every value is possible."""
    match factor:
        case CategoricalFactor(levels=levels):
            return levels
        case DiscreteFactor(levels=numbers):
            values = np.asarray(numbers)
        case ContinuousFactor(step=None):
            return None
        case ContinuousFactor():
            values = grid_values(factor, np.arange(number_of_steps(factor) + 1))
        case MixtureComponent():
            return None
        case _:
            assert_never(factor)
    return [float(value) for value in coded_values(factor, values, space.mixture_total)]


def _latin_column(
    factor: SearchedFactor,
    n_runs: int,
    criterion: Criterion,
    space: FactorSpace,
    *,
    rng: np.random.Generator,
) -> _Column:
    levels = _level_coordinates(factor, space)
    if levels is not None and len(levels) <= n_runs:
        # Which levels get the runs that are left over is a matter of chance.
        uses = np.full(len(levels), n_runs // len(levels))
        uses[rng.permutation(len(levels))[: n_runs % len(levels)]] += 1
        chosen = [level for level, count in zip(levels, uses, strict=True) for _ in range(count)]
        return _column(factor, chosen, levels)
    if criterion == "maximin":
        unit = np.arange(n_runs) / (n_runs - 1)
    else:
        unit = (np.arange(n_runs) + rng.random(n_runs)) / n_runs
    return _spaced(factor, unit, levels)


def _sobol_column(factor: SearchedFactor, unit: FloatArray, space: FactorSpace) -> _Column:
    levels = _level_coordinates(factor, space)
    if levels is not None and len(levels) <= len(unit):
        # By rank and not by value: then the levels are used equally often for any number of runs.
        ranks = unit.argsort().argsort()
        chosen = [levels[int(rank) * len(levels) // len(unit)] for rank in ranks]
        return _column(factor, chosen, levels)
    return _spaced(factor, unit, levels)


def _spaced(factor: SearchedFactor, unit: FloatArray, levels: Sequence[Value] | None) -> _Column:
    """Return a column at unit coordinates, or at the levels that stand there in order."""
    if levels is None or isinstance(factor, ContinuousFactor):
        return _Column([float(value) for value in 2 * unit - 1], unit)
    places = np.minimum(np.floor(unit * len(levels)).astype(np.int64), len(levels) - 1)
    return _column(factor, [levels[place] for place in places], levels)


def _column(factor: SearchedFactor, coded: Sequence[Value], levels: Sequence[Value]) -> _Column:
    if isinstance(factor, CategoricalFactor):
        return _Column(coded, np.array([levels.index(level) for level in coded], dtype=np.float64))
    return _Column(coded, (np.asarray(coded, dtype=np.float64) + 1) / 2)


def _allowed_subset(
    space: FactorSpace, n_runs: int, asked: str, *, rng: np.random.Generator
) -> Design:
    method = f"space-filling subset of allowed settings, in place of a {asked}"
    drawn = space.sample(max(_MIN_CANDIDATES, _CANDIDATES_PER_RUN * n_runs), rng=rng)
    drawn = drawn.drop_duplicates().reset_index(drop=True)
    if len(drawn) < n_runs:
        raise DesignError(
            f"Only {len(drawn)} different allowed settings were found, and {n_runs} runs are asked "
            "for: ask for fewer runs, finer steps or wider constraints."
        )
    points = _unit_points(space, drawn)
    is_category = _are_categories(space)
    chosen = spread_subset(points, is_category, n_runs, rng=rng)
    runs = drawn.iloc[chosen].reset_index(drop=True)
    check_distinct(points[chosen], method)
    wrong = np.flatnonzero(~(space.contains(runs) & space.on_steps(runs)))
    if wrong.size:
        raise DesignError(
            f"{wrong.size} runs of this {method} are not allowed, the first being "
            f"{runs.iloc[int(wrong[0])].to_dict()}: relax a constraint or a step."
        )
    details: dict[str, JSON] = {
        "candidates": len(drawn),
        "smallest_distance": float(f"{smallest_distance(points[chosen], is_category):.4g}"),
    }
    return Design(space, runs, method, ("space",) * n_runs, details=details)


def _unit_points(space: FactorSpace, settings: "pd.DataFrame") -> FloatArray:
    columns: list[FloatArray] = []
    for factor in space.searched:
        if isinstance(factor, CategoricalFactor):
            places = [factor.levels.index(level) for level in settings[factor.name]]
            columns.append(np.array(places, dtype=np.float64))
            continue
        ends = np.array([factor.low, factor.high])
        low, high = coded_values(factor, ends, space.mixture_total)
        coded = coded_values(factor, numbers_of(settings[factor.name]), space.mixture_total)
        columns.append((coded - low) / (high - low))
    return np.column_stack(columns)
