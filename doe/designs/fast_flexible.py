"""Runs that fill any allowed region: one in each of as many cells of drawn settings."""

from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.coding import is_log, numbers_of
from doe.designs.assembly import check_count
from doe.designs.clusters import exchanged, free_cells, picked, placed, ward_cells
from doe.designs.latin_columns import MAX_SPREAD_RUNS
from doe.designs.structure import check_distinct
from doe.designs.unit_points import (
    PointColumns,
    filling_facts,
    point_columns,
    squared_distances,
    unit_points,
)
from doe.errors import DesignError
from doe.factors import CategoricalFactor, ContinuousFactor, MixtureComponent
from doe.runs import JSON, Design
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

_MIN_CANDIDATES = 2_000
_MAX_CANDIDATES = 8_000
_CANDIDATES_PER_RUN = 40
_PARTS = (0.4, 0.2, 0.1, 0.05, 0.02)
_NEARBY = 2_000
_MIN_NEARBY = 10


def fast_flexible_filling(space: FactorSpace, n_runs: int, *, rng: np.random.Generator) -> Design:
    """Return runs spread over the inside of an allowed region, also when seen by a few factors.

    Settings are drawn evenly over the allowed region with ``FactorSpace.sample`` and parted into
    as many cells as there are runs; in each cell the run is taken that keeps the runs apart in
    every projection (the maximum projection criterion). Every kind of factor, step and constraint
    is allowed. Levels of categorical factors are used equally often where the constraints let them.

    ``details`` has the number of settings drawn, and the facts of ``filling_facts``.

    Args:
        space: The factors.
        n_runs: How many runs, 2 to 1000.
        rng: Source of the random draws.

    Raises:
        DesignError: If ``n_runs`` does not fit, or fewer different settings are allowed.

    Source:
        Lekivetz and Jones (2015), Quality and Reliability Engineering International 31, 829-837;
        Lekivetz and Jones (2019), the same journal 35: categorical factors; Joseph, Gul and Ba
        (2015), Biometrika 102, 371-380: the criterion.
    """
    _check_size(n_runs)
    return allowed_filling(space, n_runs, "fast flexible filling", rng=rng)


def augment_space_filling(
    space: FactorSpace, existing: "pd.DataFrame | Design", n_runs: int, *, rng: np.random.Generator
) -> Design:
    """Return further runs that fill the holes which existing runs leave.

    The allowed region is parted into cells, of which the existing runs keep their own; in each new
    cell the run is taken that stands apart from all others, old and new, in every projection.

    ``details`` has the number of existing runs and of settings drawn, the smallest distance of a
    new run to any other, and the facts of ``filling_facts`` on old and new runs together.

    Args:
        space: The factors.
        existing: The runs there are, in natural units; they need not be allowed or on steps.
        n_runs: How many runs to add, 1 to 1000.
        rng: Source of the random draws.

    Returns:
        The additional runs only, none of them equal to an existing run.

    Raises:
        DesignError: If ``n_runs`` does not fit, there are no existing runs or incomplete ones, or
            fewer new settings are allowed.
        InvalidValueError: If a factor's column is missing or holds no numbers.

    Source:
        Joseph (2016), Quality Engineering 28, 28-35: the criterion with runs that stand already;
        Lekivetz and Jones (2015), Quality and Reliability Engineering International 31, 829-837.
    """
    check_count(n_runs, "n_runs", at_least=1)
    _check_at_most(n_runs)
    old = _existing_points(space, existing)
    columns = point_columns(space)
    drawn = _drawn(space, n_runs + len(old), rng=rng)
    points = unit_points(space, drawn)
    is_new = squared_distances(points, old, columns.is_category).min(axis=1) > 1e-12
    drawn, points = drawn[is_new].reset_index(drop=True), points[is_new]
    _check_enough(len(drawn), n_runs, "different new allowed settings")
    columns_drawn = _columns_drawn(columns, points, n_runs + len(old))
    located = placed(points, columns, points)
    cells = free_cells(located, placed(old, columns, points), n_runs)
    chosen = picked(points, cells, columns_drawn, old, rng=rng)
    everything = np.vstack([old, points[chosen]])
    inside = bool(((old > -1e-9) & (old < 1 + 1e-9)).all())
    facts = filling_facts(space, everything, with_discrepancy=inside)
    squares = squared_distances(points[chosen], everything, columns.is_category)
    squares[np.arange(n_runs), len(old) + np.arange(n_runs)] = np.inf
    facts["smallest_distance"] = float(f"{np.sqrt(squares.min()):.4g}")
    details: dict[str, JSON] = {"existing_runs": len(old), "candidates": len(drawn), **facts}
    method = "fast flexible filling beside existing runs"
    return _design(space, drawn, points, chosen, method, details)


def allowed_projection(
    space: FactorSpace, n_runs: int, method: str, *, rng: np.random.Generator
) -> Design:
    """Return allowed runs of low maximum projection criterion.

    The runs of a fast flexible filling are exchanged for other drawn settings, and then for
    settings ever nearer to them, as long as that lowers the criterion.

    Args:
        space: The factors.
        n_runs: How many runs.
        method: The kind of design in words.
        rng: Source of the random draws.

    Raises:
        DesignError: If fewer different settings are allowed.
    """
    drawn = _drawn(space, n_runs, rng=rng)
    points = unit_points(space, drawn)
    columns, start = _first_choice(space, points, n_runs, rng=rng)
    runs = drawn.iloc[start].reset_index(drop=True)
    for part in (1.0, *_PARTS):
        offered = drawn if part == 1.0 else _nearby(space, runs, drawn, part, rng=rng)
        pool = _joined(runs, offered)
        chosen = exchanged(unit_points(space, pool), np.arange(n_runs), columns)
        runs = pool.iloc[chosen].reset_index(drop=True)
    points = unit_points(space, runs)
    details = {"candidates": len(drawn), **filling_facts(space, points)}
    return _design(space, runs, points, np.arange(n_runs), method, details)


def allowed_filling(
    space: FactorSpace, n_runs: int, method: str, *, rng: np.random.Generator
) -> Design:
    """Return the fast flexible filling of an allowed region, under another name.

    Args:
        space: The factors.
        n_runs: How many runs.
        method: The kind of design in words.
        rng: Source of the random draws.

    Raises:
        DesignError: If fewer different settings are allowed.
    """
    drawn = _drawn(space, n_runs, rng=rng)
    points = unit_points(space, drawn)
    _, chosen = _first_choice(space, points, n_runs, rng=rng)
    facts = filling_facts(space, points[chosen])
    return _design(space, drawn, points, chosen, method, {"candidates": len(drawn), **facts})


def _first_choice(
    space: FactorSpace, points: FloatArray, n_runs: int, *, rng: np.random.Generator
) -> tuple[PointColumns, IntArray]:
    """Return what the drawn points are to the criterion, and the rows of one in each cell."""
    _check_enough(len(points), n_runs, "different allowed settings")
    columns = point_columns(space)
    columns_drawn = _columns_drawn(columns, points, n_runs)
    cells = ward_cells(placed(points, columns, points), n_runs)
    none = np.empty((0, points.shape[1]))
    return columns_drawn, picked(points, cells, columns_drawn, none, rng=rng)


def _check_size(n_runs: int) -> None:
    check_count(n_runs, "n_runs", at_least=2)
    _check_at_most(n_runs)


def _check_at_most(n_runs: int) -> None:
    if n_runs > MAX_SPREAD_RUNS:
        raise DesignError(
            f"{n_runs} runs are more than the {MAX_SPREAD_RUNS} that this design is made for: ask "
            "for fewer runs."
        )


def _check_enough(n_found: int, n_runs: int, what: str) -> None:
    if n_found < n_runs:
        raise DesignError(
            f"Only {n_found} {what} were found, and {n_runs} runs are asked for: ask for fewer "
            "runs, finer steps or wider constraints."
        )


def _drawn(space: FactorSpace, n_runs: int, *, rng: np.random.Generator) -> "pd.DataFrame":
    wanted = min(max(_MIN_CANDIDATES, _CANDIDATES_PER_RUN * n_runs), _MAX_CANDIDATES)
    return space.sample(wanted, rng=rng).drop_duplicates().reset_index(drop=True)


def _nearby(
    space: FactorSpace,
    runs: "pd.DataFrame",
    drawn: "pd.DataFrame",
    part: float,
    *,
    rng: np.random.Generator,
) -> "pd.DataFrame":
    """Return allowed settings on the way from each run to some drawn ones, a part of it away.

    Only factors that can take any value are moved, so that steps and levels are kept.
    """
    per_run = max(_NEARBY // len(runs), _MIN_NEARBY)
    starts = runs.iloc[np.repeat(np.arange(len(runs)), per_run)].reset_index(drop=True)
    ends = drawn.iloc[rng.integers(len(drawn), size=len(starts))].reset_index(drop=True)
    for factor in space.searched:
        if isinstance(factor, ContinuousFactor | MixtureComponent) and factor.step is None:
            here, there = numbers_of(starts[factor.name]), numbers_of(ends[factor.name])
            starts[factor.name] = here + part * (there - here)
    return starts[space.contains(starts)]


def _joined(runs: "pd.DataFrame", others: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    joined = pd.concat([runs, others], ignore_index=True)
    return joined.drop_duplicates().reset_index(drop=True)


def _columns_drawn(columns: PointColumns, points: FloatArray, n_runs: int) -> PointColumns:
    """Return the columns, those in which runs have to share values with a level for each run.

    A component that is left out of many mixtures is 0 there: without a level, each such pair would
    outweigh everything else in the criterion.
    """
    n_levels = columns.n_levels.copy()
    for place in np.flatnonzero(n_levels == 0):
        most = np.unique(points[:, place], return_counts=True)[1].max()
        if most * n_runs > len(points):
            n_levels[place] = n_runs
    return PointColumns(columns.is_category, n_levels)


def _existing_points(space: FactorSpace, existing: "pd.DataFrame | Design") -> FloatArray:
    runs = existing.runs if isinstance(existing, Design) else existing
    space.check_columns(runs)
    if not len(runs):
        raise DesignError("There are no existing runs: use fast_flexible_filling for a first set.")
    for factor in space.searched:
        column = runs[factor.name]
        if isinstance(factor, CategoricalFactor):
            wrong = ~column.isin(list(factor.levels)).to_numpy()
            expected = f"one of {', '.join(factor.levels)}"
        else:
            values = numbers_of(column)
            wrong = ~np.isfinite(values)
            expected = "a number"
            if is_log(factor):
                wrong |= values <= 0
                expected = "a number above zero"
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise DesignError(
                f"Existing run {row + 1} has '{factor.name}' at {column.iloc[row]}, expected "
                f"{expected}: complete the run or leave it out."
            )
    return unit_points(space, runs)


def _design(
    space: FactorSpace,
    drawn: "pd.DataFrame",
    points: FloatArray,
    chosen: IntArray,
    method: str,
    details: dict[str, JSON],
) -> Design:
    check_distinct(points[chosen], method)
    runs = drawn.iloc[chosen].reset_index(drop=True)
    wrong = np.flatnonzero(~(space.contains(runs) & space.on_steps(runs)))
    if wrong.size:
        raise DesignError(
            f"{wrong.size} runs of this {method} are not allowed, the first being "
            f"{runs.iloc[int(wrong[0])].to_dict()}: relax a constraint or a step."
        )
    return Design(space, runs, method, ("space",) * len(runs), details=details)
