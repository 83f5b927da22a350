"""Observations from a table with a row per run, and back."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from doe.errors import InvalidValueError
from doe.factors import BlockFactor, CategoricalFactor, Context, Covariate, Factor
from doe.responses import AnyResponse, DerivedResponse, Response
from doe.runs import Measurement, Observations, Qualifier
from doe.space import FactorSpace
from doe.summaries import mean_values

ACTUAL = "{} (actual)"
QUALIFIER = "{} (qualifier)"


def observations_from_frame(
    table: pd.DataFrame, space: FactorSpace, responses: Sequence[AnyResponse]
) -> Observations:
    """Return the observations in a wide table; see ``Observations.from_frame``.

    Raises:
        InvalidValueError: If a factor's column is missing, a cell cannot be read, or rows of one
            run differ.
    """
    space.check_columns(table)
    runs = _run_names(table, space)
    target: dict[str, list[Any]] = {}
    actual: dict[str, list[Any]] = {}
    recorded: dict[str, list[Any]] = {}
    for factor in space.factors:
        column = _merged(table, runs, factor, factor.name)
        if isinstance(factor, Covariate | Context | BlockFactor):
            recorded[factor.name] = column
        else:
            target[factor.name] = column
            actual[factor.name] = _merged(table, runs, factor, ACTUAL.format(factor.name))
    for name, cells in target.items():
        for run, cell in zip(dict.fromkeys(runs), cells, strict=True):
            if cell is None:
                raise InvalidValueError(
                    f"Run '{run}' has no setting of '{name}': fill in the cell, or leave the run "
                    "out."
                )
    observations = Observations(
        space,
        tuple(responses),
        _frame(target, runs),
        _frame(actual, runs),
        _frame(recorded, runs),
        _measurements(table, space, runs, responses),
    )
    return _with_derived_covariates(observations)


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
    for response in observations.responses:
        means = mean_values(observations, response.name).reindex(list(observations.runs))
        table[response.name] = means["value"].to_numpy(dtype=np.float64)
        qualifiers = means["qualifier"].tolist()
        if {"<", ">"}.intersection(qualifiers):
            table[QUALIFIER.format(response.name)] = qualifiers
    return table


def _run_names(table: pd.DataFrame, space: FactorSpace) -> list[str]:
    if "run" in {factor.name for factor in space.factors}:
        raise InvalidValueError(
            "A factor is called 'run', which is the column of run names in a table: rename it."
        )
    if "run" in table.columns:
        cells = _cells(table, "run")
    elif table.index.name == "run":
        cells = [None if _is_empty(cell) else cell for cell in table.index]
    else:
        return [str(number) for number in range(1, len(table) + 1)]
    names = [_label(cell) for cell in cells]
    for place, name in enumerate(names, start=1):
        if name is None:
            raise InvalidValueError(
                f"Row {place} of the table has no run name: fill in the column 'run', or leave "
                "the whole column out to number the runs."
            )
    return [str(name) for name in names]


def _cells(table: pd.DataFrame, name: str) -> list[Any]:
    """Return a column as plain cells, None where empty or absent."""
    found = [place for place, column in enumerate(table.columns) if column == name]
    if len(found) > 1:
        raise InvalidValueError(f"The table has {len(found)} columns '{name}': keep one of them.")
    if not found:
        return [None] * len(table)
    return [None if _is_empty(cell) else cell for cell in table.iloc[:, found[0]].tolist()]


def _is_empty(cell: object) -> bool:
    return not cell.strip() if isinstance(cell, str) else bool(pd.isna(cell))  # type: ignore[call-overload]  # any cell


def _label(cell: object) -> str | None:
    """Return a level as text: the number 3.0 of a spreadsheet is the label ``3``."""
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return None if cell is None else str(cell).strip()


def _merged(
    table: pd.DataFrame, runs: Sequence[str], factor: Factor, column: str
) -> list[float | str | None]:
    """Return one cell per run, from rows that must agree; None where all are empty."""
    merged: dict[str, float | str | None] = dict.fromkeys(runs)
    for run, cell in zip(runs, _cells(table, column), strict=True):
        if cell is None:
            continue
        value = _value(factor, cell, f"Run '{run}', '{column}'")
        before = merged[run]
        if before is not None and before != value:
            raise InvalidValueError(
                f"Run '{run}' stands in several rows with different '{column}', {before} and "
                f"{value}: give each run its own name, or correct the cells."
            )
        merged[run] = value
    return list(merged.values())


def _value(factor: Factor, cell: object, what: str) -> float | str:
    if isinstance(factor, BlockFactor):
        return str(_label(cell))
    if isinstance(factor, Context | CategoricalFactor):
        level = str(_label(cell))
        if level not in factor.levels:
            raise InvalidValueError(
                f"{what} is '{level}'; expected one of {', '.join(factor.levels)}."
            )
        return level
    return _number(cell, what)


def _number(cell: object, what: str) -> float:
    if isinstance(cell, bool | np.bool_) or not isinstance(cell, int | float | np.number):
        raise InvalidValueError(f"{what} is {cell!r}; expected a number: correct the cell.")
    if not np.isfinite(float(cell)):
        raise InvalidValueError(f"{what} is {cell!r}; expected a finite number: correct the cell.")
    return float(cell)


def _frame(columns: Mapping[str, list[Any]], runs: Sequence[str]) -> pd.DataFrame:
    index = pd.Index(list(dict.fromkeys(runs)), dtype=object, name="run")
    made: dict[str, Any] = {}
    for name, cells in columns.items():
        if any(isinstance(cell, str) for cell in cells):
            made[name] = np.array(cells, dtype=object)
        else:
            made[name] = np.array([np.nan if c is None else c for c in cells], dtype=np.float64)
    return pd.DataFrame(made, index=index)


def _measurements(
    table: pd.DataFrame,
    space: FactorSpace,
    runs: Sequence[str],
    responses: Sequence[AnyResponse],
) -> tuple[Measurement, ...]:
    found: list[Measurement] = []
    measured = [response.name for response in responses if isinstance(response, Response)]
    if measured and not any(name in table.columns for name in measured):
        raise InvalidValueError(
            f"The table has none of the responses {measured}; its columns are "
            f"{list(map(str, table.columns))}: add or rename them."
        )
    taken = {item.name for item in (*space.factors, *responses)}
    times = [None] * len(table) if "time" in taken else _cells(table, "time")
    for response in responses:
        if not isinstance(response, Response):
            continue
        counts: dict[tuple[str, float | None], int] = {}
        qualifiers = _cells(table, QUALIFIER.format(response.name))
        cells = _cells(table, response.name)
        for run, time, cell, side in zip(runs, times, cells, qualifiers, strict=True):
            if cell is None:
                continue
            what = f"Run '{run}', '{response.name}'"
            when = None if time is None else _number(time, f"Run '{run}', 'time'")
            value, qualifier = _measured(response, cell, side, what)
            counts[run, when] = counts.get((run, when), 0) + 1
            found.append(
                Measurement(
                    run,
                    response.name,
                    value,
                    qualifier=qualifier,
                    time=when,
                    replicate=counts[run, when],
                )
            )
    return tuple(found)


def _measured(response: Response, cell: object, side: object, what: str) -> tuple[float, Qualifier]:
    """Return a value and on which side of it the truth lies: ``<0.5`` is 0.5 and below."""
    qualifier = "=" if side is None else str(side)
    if isinstance(cell, str) and cell.strip()[0] in "<>":
        qualifier, cell = cell.strip()[0], cell.strip()[1:]
        with suppress(ValueError):  # what is no number is refused below
            cell = float(cell)
    if qualifier not in ("=", "<", ">"):
        raise InvalidValueError(f"{what}: qualifier {qualifier!r}; use '=', '<' or '>'.")
    if response.kind == "pass_fail":
        if isinstance(cell, str) or float(cell) not in (0.0, 1.0):  # type: ignore[arg-type]  # a cell
            raise InvalidValueError(f"{what} is {cell!r}; expected 1 for pass or 0 for fail.")
        return float(cell), "="  # type: ignore[arg-type]  # checked above
    return _number(cell, what), qualifier  # type: ignore[return-value]  # checked above


def _with_derived_covariates(observations: Observations) -> Observations:
    """Compute the covariates that follow from other columns, where they were not measured."""
    recorded = observations.recorded.copy()
    for covariate in observations.space.covariates:
        if covariate.expression is None or recorded[covariate.name].notna().all():
            continue
        derived = DerivedResponse(covariate.name, covariate.expression, covariate.unit)
        probe = replace(observations, responses=(*observations.responses, derived))
        means = mean_values(probe, covariate.name)
        values = means["value"].reindex(recorded.index)
        recorded[covariate.name] = recorded[covariate.name].astype(np.float64).fillna(values)
    return replace(observations, recorded=recorded)
