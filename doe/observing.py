"""How observations are read: from a wide table, as settings to learn from, as a wide table."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from doe.arrays import FloatArray
from doe.coding import coded_values, numbers_of
from doe.errors import InvalidValueError
from doe.factors import (
    BlockFactor,
    CategoricalFactor,
    Context,
    ContinuousFactor,
    Covariate,
    SearchedFactor,
)
from doe.responses import AnyResponse, Response
from doe.runs import Measurement, Observations, Qualifier
from doe.space import FactorSpace
from doe.summaries import mean_values, summarised_values

__all__ = [
    "learned_settings",
    "observations_from_frame",
    "replicate_groups",
    "summarised_values",
    "wide_table",
]

ACTUAL = "{} (actual)"
QUALIFIER = "{} (qualifier)"
# Achieved settings of replicates agree within this share of the range where no tolerance is given.
SHARE_OF_RANGE = 0.02
_ROUNDING = 1e-9


def observations_from_frame(
    table: pd.DataFrame, space: FactorSpace, responses: Sequence[AnyResponse]
) -> Observations:
    """Return the observations in a wide table; see ``Observations.from_frame``.

    Raises:
        InvalidValueError: If a factor's column is missing, a cell cannot be read, or rows of one
            run differ.
    """
    space.check_columns(table)
    _check_levels(table, space)
    names = _run_names(table)
    runs = list(dict.fromkeys(names))
    index = pd.Index(runs, dtype=object, name="run")
    target, actual, recorded = {}, {}, {}
    for factor in space.searched:
        target[factor.name] = _merged(table, names, factor.name, _cells(table, factor.name))
        achieved = ACTUAL.format(factor.name)
        actual[factor.name] = _merged(table, names, achieved, _cells(table, achieved))
    for factor in space.factors:
        if isinstance(factor, Covariate | Context | BlockFactor):
            cells = _cells(table, factor.name)
            if not isinstance(factor, Covariate):
                cells = [_label(cell) for cell in cells]
            recorded[factor.name] = _merged(table, names, factor.name, cells)
    observations = Observations(
        space,
        tuple(responses),
        _frame(target, index, space),
        _frame(actual, index, space),
        _frame(recorded, index, space),
        _measurements(table, names, responses),
    )
    return _with_derived_covariates(observations)


def learned_settings(observations: Observations) -> pd.DataFrame:
    """Return per factor the achieved or the asked-for setting, with the recorded columns beside."""
    columns: dict[str, Any] = {}
    for factor in observations.space.searched:
        target, actual = observations.target[factor.name], observations.actual[factor.name]
        if isinstance(factor, CategoricalFactor):
            columns[factor.name] = actual.astype(object).where(actual.notna(), target)
            continue
        achieved = numbers_of(actual)
        by_target = isinstance(factor, ContinuousFactor) and factor.learn_from == "target"
        is_read = np.isfinite(achieved) & (not by_target)
        columns[factor.name] = np.where(is_read, achieved, numbers_of(target))
    settings = pd.DataFrame(columns, index=observations.target.index)
    for name in observations.recorded.columns:
        settings[name] = observations.recorded[name]
    return settings


def replicate_groups(observations: Observations) -> "pd.Series[Any]":
    """Return for each run the number of its group of replicates, from 0 in order of appearance.

    Replicates have equal targets and contexts, and achieved settings that agree within each
    factor's tolerance, or ``SHARE_OF_RANGE`` of its range (of its logarithm on a log scale) where
    it has none. Factors learnt from their target are not asked for what was achieved.
    """
    asked = _asked(observations)
    reached, allowed = _reached(observations)
    groups: list[tuple[tuple[object, ...], FloatArray, FloatArray]] = []
    numbers = []
    for key, place in zip(asked, reached, strict=True):
        for number, (other, low, high) in enumerate(groups):
            both_low, both_high = np.fmin(low, place), np.fmax(high, place)
            if key == other and not np.any(both_high - both_low > allowed):
                groups[number] = (key, both_low, both_high)
                numbers.append(number)
                break
        else:
            numbers.append(len(groups))
            groups.append((key, place, place))
    return pd.Series(numbers, index=observations.target.index, name="group", dtype=np.int64)


def wide_table(observations: Observations) -> pd.DataFrame:
    """Return a row per run: settings, recorded columns, and the mean of each response.

    Where a mean is known only as a limit, a column ``<response> (qualifier)`` says on which side.
    """
    table = observations.target[list(observations.space.names)].copy()
    for name in observations.space.names:
        if observations.actual[name].notna().any():
            table[ACTUAL.format(name)] = observations.actual[name]
    for name in observations.recorded.columns:
        table[name] = observations.recorded[name]
    runs = list(observations.runs)
    for response in observations.responses:
        means = mean_values(observations, response.name).reindex(runs)
        table[response.name] = means["value"].to_numpy(dtype=np.float64)
        qualifiers = list(means["qualifier"])
        if {"<", ">"} & set(qualifiers):
            table[QUALIFIER.format(response.name)] = qualifiers
    return table


def _run_names(table: pd.DataFrame, space: FactorSpace) -> list[str]:
    taken = {factor.name for factor in space.factors}
    if "run" in table.columns and "run" not in taken:
        names = [_label(cell) for cell in _cells(table, "run")]
    elif table.index.name == "run":
        names = [_label(cell) for cell in table.index]
    else:
        return [str(number) for number in range(1, len(table) + 1)]
    for place, name in enumerate(names):
        if name is None:
            raise InvalidValueError(
                f"Row {place + 1} of the table has no run name: fill in the column 'run', or leave "
                "the whole column out to number the runs."
            )
    return [str(name) for name in names]


def _cells(table: pd.DataFrame, name: str) -> list[Any]:
    """Return a column as plain cells, None where empty or absent."""
    found = [place for place, column in enumerate(table.columns) if column == name]
    if not found:
        return [None] * len(table)
    if len(found) > 1:
        raise InvalidValueError(f"The table has {len(found)} columns '{name}': keep one of them.")
    return [None if _is_empty(cell) else cell for cell in table.iloc[:, found[0]]]


def _is_empty(cell: object) -> bool:
    if isinstance(cell, str):
        return not cell.strip()
    return cell is None or cell is pd.NA or cell is pd.NaT or cell != cell  # noqa: PLR0124  # NaN


def _label(cell: object) -> str | None:
    """Return a level as text: the number 3.0 of a spreadsheet is the label ``3``."""
    if cell is None or _is_empty(cell):
        return None
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return str(cell).strip()


def _merged(
    names: Sequence[str], column: str, cells: Sequence[object]
) -> list[object]:
    """Return one cell per run, from rows that must agree; None where all are empty."""
    merged: dict[str, object] = dict.fromkeys(names)
    for name, cell in zip(names, cells, strict=True):
        before = merged[name]
        if cell is None:
            continue
        if before is not None and before != cell:
            raise InvalidValueError(
                f"Run '{name}' stands in several rows with different '{column}', {before} and "
                f"{cell}: give each run its own name, or correct the cells."
            )
        merged[name] = cell
    return list(merged.values())


def _frame(columns: Mapping[str, Sequence[object]], runs: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {name: pd.Series(list(cells), dtype=object).to_numpy() for name, cells in columns.items()},
        index=pd.Index(list(runs), dtype=object, name="run"),
    )


def _asked(observations: Observations) -> list[tuple[object, ...]]:
    """Return what replicates have in common: the target in whole steps of rounding, and context."""
    columns: list[Sequence[object]] = []
    for factor in observations.space.searched:
        column = observations.target[factor.name]
        if isinstance(factor, CategoricalFactor):
            columns.append([str(level) for level in column])
        else:
            size = max(abs(factor.low), abs(factor.high))
            columns.append([float(f"{value:.9g}") if size else value for value in numbers_of(column)])
    for context in observations.space.contexts:
        if context.name in observations.recorded:
            columns.append([str(level) for level in observations.recorded[context.name]])
    return list(zip(*columns, strict=True))


def _reached(observations: Observations) -> tuple[FloatArray, FloatArray]:
    """Return achieved settings, NaN where not read, and how far apart replicates may be.

    Shapes ``(n_runs, n_factors)`` and ``(n_factors,)``.
    """
    columns: list[FloatArray] = []
    allowed: list[float] = []
    for factor in observations.space.searched:
        values, width = _reached_values(observations, factor)
        columns.append(values)
        allowed.append(width)
    return np.column_stack(columns), np.array(allowed)


def _reached_values(
    observations: Observations, factor: SearchedFactor
) -> tuple[FloatArray, float]:
    column = observations.actual[factor.name]
    if isinstance(factor, CategoricalFactor):
        places: Mapping[object, int] = {level: i for i, level in enumerate(factor.levels)}
        return np.array([float(places.get(value, math.nan)) for value in column]), 0.5
    values = numbers_of(column)
    size = max(abs(factor.low), abs(factor.high))
    if isinstance(factor, ContinuousFactor):
        if factor.learn_from == "target":
            return np.full(len(values), math.nan), 0.0
        if factor.tolerance is not None:
            return values, factor.tolerance + _ROUNDING * size
    coded = coded_values(factor, values, 1.0)
    ends = coded_values(factor, np.array([factor.low, factor.high]), 1.0)
    return coded, SHARE_OF_RANGE * float(ends[1] - ends[0]) * (1 + _ROUNDING)
