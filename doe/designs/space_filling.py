"""Designs that fill the factor space without a model in mind."""

from typing import Literal, get_args

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.designs.assembly import MAX_RUNS, CodedRun, check_count
from doe.designs.fast_flexible import allowed_filling, allowed_projection
from doe.designs.latin_columns import (
    MAX_SPREAD_RUNS,
    LatinColumn,
    even_column,
    filled,
    filled_runs,
    random_column,
    sobol_column,
)
from doe.designs.projections import project_latin, projected_points
from doe.designs.spreading import spread_latin
from doe.designs.structure import check_latin
from doe.designs.uncorrelated import uncorrelate_latin
from doe.designs.unit_points import PointColumns, level_coordinates, point_columns
from doe.errors import DesignError
from doe.factors import CategoricalFactor, ContinuousFactor, SearchedFactor, Value
from doe.runs import Design
from doe.space import FactorSpace

Criterion = Literal["maximin", "correlation", "max projection", "random"]

_INSTEAD = "ask for fewer runs"


def latin_hypercube(
    space: FactorSpace, n_runs: int, *, rng: np.random.Generator, criterion: Criterion = "maximin"
) -> Design:
    """Return a Latin hypercube: each factor's range is used evenly, one run in each of its parts.

    Continuous factors have ``n_runs`` equally spaced settings in coded units from low to high. They
    are combined so that the nearest two runs are as far apart as can be found (``maximin``), so
    that factors are as little correlated as can be found (``correlation``), or so that runs stay
    apart in every projection on some of the factors (``max projection``). Under ``random``, one
    setting is drawn anywhere in each of ``n_runs`` equal parts, combined at random. Discrete and
    categorical factors, and factors with fewer steps than runs, have their levels equally often
    (numbers of runs differ by at most one). More steps than runs: the nearest step.

    A space with constraints or a mixture has no Latin hypercube. There the result is a
    space-filling subset of allowed settings: that of ``fast_flexible_filling``, whatever the
    criterion; every run is allowed and on its steps.

    ``details`` has the facts of ``filling_facts``: smallest distance, maximum projection criterion,
    largest correlation and, in a box of numbers, discrepancy.

    Args:
        space: The factors.
        n_runs: How many runs, at least 2.
        rng: Source of the random draws.
        criterion: How the settings are combined.

    Raises:
        DesignError: If ``n_runs`` does not fit, or fewer different settings are allowed.

    Source:
        McKay, Beckman and Conover (1979), Technometrics 21, 239-245; Morris and Mitchell (1995), J.
        Statistical Planning and Inference 43, 381-402: maximin; Owen (1994), J. American
        Statistical Association 89, 1517-1522: correlation; Joseph, Gul and Ba (2015), Biometrika
        102, 371-380: maximum projection.
    """
    if criterion not in get_args(Criterion):
        known = ", ".join(get_args(Criterion))
        raise DesignError(f"criterion is {criterion!r}; expected one of {known}.")
    _check_size(n_runs, spread=criterion != "random" or bool(space.all_constraints))
    if space.all_constraints:
        return allowed_filling(space, n_runs, _in_place_of("Latin hypercube"), rng=rng)
    make = random_column if criterion == "random" else even_column
    columns = [make(factor, n_runs, space, rng=rng) for factor in space.searched]
    table = _arranged(columns, point_columns(space), criterion, rng=rng)
    for factor, column, rows in zip(space.searched, columns, table.T, strict=True):
        if isinstance(factor, ContinuousFactor) and factor.step is None:
            check_latin(column.places[rows], "Latin hypercube")
    return filled(space, columns, table, f"Latin hypercube, {criterion}", _INSTEAD)


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
        return allowed_filling(space, n_runs, _in_place_of("Sobol sequence"), rng=rng)
    sequence = Sobol(len(space.names), scramble=True, rng=rng)
    points = sequence.random_base2((n_runs - 1).bit_length())
    for column in points.T:
        check_latin(column, "Sobol sequence")
    points = points[:n_runs]
    columns = [sobol_column(f, u, space) for f, u in zip(space.searched, points.T, strict=True)]
    table = np.tile(np.arange(n_runs)[:, None], len(columns))
    return filled(space, columns, table, "Sobol sequence, scrambled", _INSTEAD)


def max_projection(space: FactorSpace, n_runs: int, *, rng: np.random.Generator) -> Design:
    """Return runs that stay apart in every projection: the design for few factors that matter.

    The criterion is ``max_projection_criterion``. A Latin hypercube is searched that has a low one;
    then factors that can take any value are moved along its gradient, and factors with more steps
    than runs from step to step, which leaves the equal spacing. Discrete and categorical factors,
    and factors with fewer steps than runs, have their levels equally often (numbers of runs differ
    by at most one).

    Under constraints the runs of ``fast_flexible_filling`` are exchanged for other allowed
    settings, at last ones close by, as long as that lowers the criterion.

    ``details`` has the facts of ``filling_facts``.

    Args:
        space: The factors.
        n_runs: How many runs, 2 to 1000; up to 200 in 10 factors take seconds.
        rng: Source of the random draws.

    Raises:
        DesignError: If ``n_runs`` does not fit, or fewer different settings are allowed.

    Source:
        Joseph, Gul and Ba (2015), Biometrika 102, 371-380; Joseph, Gul and Ba (2020), J. Quality
        Technology 52, 343-354: discrete and categorical factors.
    """
    _check_size(n_runs, spread=True)
    method = "maximum projection"
    if space.all_constraints:
        method = "maximum projection among allowed settings"
        return allowed_projection(space, n_runs, method, rng=rng)
    columns = [even_column(factor, n_runs, space, rng=rng) for factor in space.searched]
    planned = np.column_stack([column.places for column in columns])
    choices: dict[int, FloatArray] = {}
    for place, factor in enumerate(space.searched):
        levels = _unit_levels(factor, space)
        if levels is not None and len(levels) > n_runs:
            choices[place] = levels
            planned[:, place] = levels[_nearest(planned[:, place], levels)]
    points = projected_points(planned, point_columns(space), choices, rng=rng)
    return filled_runs(space, _coded_runs(space, points), method, _INSTEAD)


def _unit_levels(factor: SearchedFactor, space: FactorSpace) -> FloatArray | None:
    """Return the unit coordinates of a number's levels, or None where it has none."""
    levels = level_coordinates(factor, space)
    if levels is None or isinstance(factor, CategoricalFactor):
        return None
    return (np.asarray(levels, dtype=np.float64) + 1) / 2


def _nearest(values: FloatArray, levels: FloatArray) -> IntArray:
    apart = np.abs(values[:, None] - levels[None, :])
    return np.asarray(apart.argmin(axis=1), dtype=np.int64)


def _coded_runs(space: FactorSpace, points: FloatArray) -> list[CodedRun]:
    columns: dict[str, list[Value]] = {}
    for factor, values in zip(space.searched, points.T, strict=True):
        levels = level_coordinates(factor, space)
        if levels is None:
            columns[factor.name] = [float(2 * value - 1) for value in values]
        elif isinstance(factor, CategoricalFactor):
            columns[factor.name] = [factor.levels[int(value)] for value in values]
        else:
            coded = np.asarray(levels, dtype=np.float64)
            columns[factor.name] = [levels[row] for row in _nearest(2 * values - 1, coded)]
    return [{name: column[run] for name, column in columns.items()} for run in range(len(points))]


def _arranged(
    columns: list[LatinColumn],
    kinds: PointColumns,
    criterion: Criterion,
    *,
    rng: np.random.Generator,
) -> IntArray:
    """Return which entry of each column each run has, shape ``(n_runs, n_factors)``."""
    planned = np.column_stack([column.places for column in columns])
    match criterion:
        case "maximin":
            return spread_latin(planned, kinds.is_category, rng=rng)
        case "correlation":
            return uncorrelate_latin(planned, kinds.is_category, rng=rng)
        case "max projection":
            return project_latin(planned, kinds, rng=rng)
        case "random":
            shuffled = [rng.permutation(len(planned)) for _ in columns]
            return np.column_stack(shuffled).astype(np.int64)


def _in_place_of(asked: str) -> str:
    return (
        f"space-filling subset of allowed settings (fast flexible filling), in place of a {asked}"
    )


def _check_size(n_runs: int, *, spread: bool) -> None:
    check_count(n_runs, "n_runs", at_least=2)
    limit = MAX_SPREAD_RUNS if spread else MAX_RUNS
    if n_runs > limit:
        raise DesignError(
            f"{n_runs} runs are more than the {limit} that this design is made for: {_INSTEAD}"
            f"{', or take sobol on a space without constraints' if spread else ''}."
        )
