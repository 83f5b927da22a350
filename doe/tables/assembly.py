"""The rows of a table gathered into runs with their settings and measurements."""

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from doe.factors import CategoricalFactor, Covariate, SearchedFactor, Value
from doe.responses import AnyResponse
from doe.runs import Measurement, Observations
from doe.space import FactorSpace
from doe.tables.cells import Qualified
from doe.tables.columns import Column, Use
from doe.tables.findings import Findings
from doe.tables.rows import TableRow

if TYPE_CHECKING:
    import pandas as pd

ACTUAL = "{} (actual)"
USES: tuple[Use, ...] = ("setting", "actual", "recorded")


def rows_by_run(rows: Sequence[TableRow]) -> dict[str, list[TableRow]]:
    """Return the rows of each run, in the order of the table."""
    runs: dict[str, list[TableRow]] = {}
    for row in rows:
        runs.setdefault(row.run, []).append(row)
    return runs


def check_runs(
    rows: Sequence[TableRow],
    space: FactorSpace,
    columns: Sequence[Column],
    findings: Findings,
) -> None:
    """Keep a problem for each run whose rows differ, or that lacks a setting, block or context.

    Runs that lack the same thing are one problem, which names their rows.
    A further row of a run may leave out what an earlier one says. A run without a result was not
    done yet, so that its blocks and contexts may be open, as on a run sheet that is half filled in.
    """
    headers = {(c.meaning.name, c.meaning.use): c.header for c in columns if c.meaning.use in USES}
    optional = {covariate.name for covariate in space.covariates}
    lacking: dict[str, dict[int, str]] = {}
    for run, own in rows_by_run(rows).items():
        is_open = not any(row.results for row in own)
        for (name, use), header in headers.items():
            stated = [(row, store[name]) for row in own if name in (store := row.store(use))]
            differing = [(row, value) for row, value in stated if value != stated[0][1]]
            if differing:
                first, other = stated[0], differing[0]
                findings.problem(
                    f"run '{run}' has {_shown(first[1])} in row {first[0].number}, but "
                    f"{_shown(other[1])} here: give each run its own name, or correct the cell",
                    row=other[0].number,
                    column=header,
                )
            elif stated or use == "actual" or name in optional or (use == "recorded" and is_open):
                continue
            elif not any(header in row.faulty for row in own):
                lacking.setdefault(header, {})[own[0].number] = run
    for header, rows_of in lacking.items():
        one = next(iter(rows_of.values()))
        who = f"run '{one}' has" if len(rows_of) == 1 else f"{len(rows_of)} runs have"
        findings.problem(
            f"{who} no value here: every run needs its setting, block and context; write it in "
            "each row, without merged cells",
            row=list(rows_of),
            column=header,
        )


def gathered_measurements(
    rows: Sequence[TableRow], columns: Sequence[Column], findings: Findings
) -> tuple[Measurement, ...]:
    """Return every result, repeated determinations numbered; a number used twice is a problem."""
    headers = {c.meaning.name: c.header for c in columns}
    taken: dict[tuple[str, str, float | None], dict[int, TableRow]] = {}
    timed: dict[tuple[str, str], tuple[bool, TableRow]] = {}
    measurements = []
    for row in rows:
        for response, (found, time) in row.results.items():
            used = taken.setdefault((row.run, response, time), {})
            replicate = row.replicate
            if replicate is None:
                replicate = next(n for n in count(len(used) + 1) if n not in used)
            first = used.setdefault(replicate, row)
            was_timed, other = timed.setdefault((row.run, response), (time is not None, row))
            fault = ""
            if first is not row:
                fault = (
                    f"has this result in row {first.number} already (replicate {replicate}): "
                    "number the replicates"
                )
            elif was_timed != (time is not None):
                fault = (
                    f"has results with a time and without one (row {other.number}): give every "
                    "value of a time course its time"
                )
            if fault:
                header = headers.get(response, headers.get("value"))
                findings.problem(f"run '{row.run}' {fault}", row=row.number, column=header)
            else:
                measurements.append(_measurement(row.run, response, found, time, replicate))
    return tuple(measurements)


def gathered_observations(
    rows: Sequence[TableRow],
    space: FactorSpace,
    responses: Sequence[AnyResponse],
    measurements: tuple[Measurement, ...],
) -> Observations:
    """Return the runs of rows that were checked before."""
    import pandas as pd

    runs = rows_by_run(rows)
    index = pd.Index(list(runs), dtype=object)

    def table(factors: "Sequence[Any]", use: Use) -> "pd.DataFrame":
        columns = {
            factor.name: _series([_first(own, use, factor.name) for own in runs.values()], factor)
            for factor in factors
        }
        return pd.DataFrame(columns, index=index)

    recorded = [factor for factor in space.factors if factor.name not in space.names]
    return Observations(
        space,
        tuple(responses),
        table(space.searched, "setting"),
        table(space.searched, "actual"),
        table(recorded, "recorded"),
        measurements,
    )


def wide_frame(
    rows: Sequence[TableRow], space: FactorSpace, columns: Sequence[Column]
) -> "pd.DataFrame":
    """Return the table as it was read: a row per row of the file, in natural units."""
    import pandas as pd

    present = {(column.meaning.name, column.meaning.use) for column in columns}
    made: dict[str, Any] = {"run": [row.run for row in rows]}
    if ("replicate", "count") in present:
        made["replicate"] = [row.replicate for row in rows]
    if ("time", "count") in present:
        times = [next((time for _, time in row.results.values()), None) for row in rows]
        made["time"] = np.array(times, dtype=np.float64)
    for use in USES:
        for factor in space.factors:
            if (factor.name, use) in present:
                name = ACTUAL.format(factor.name) if use == "actual" else factor.name
                values = [row.store(use).get(factor.name) for row in rows]
                made[name] = _series(values, factor)
    measured = [column.meaning.name for column in columns if column.meaning.use == "response"]
    for name in dict.fromkeys([*measured, *(name for row in rows for name in row.results)]):
        found = [row.results.get(name) for row in rows]
        made[name] = np.array([np.nan if each is None else each[0].value for each in found])
    return pd.DataFrame(made)


def _measurement(
    run: str, response: str, found: Qualified, time: float | None, replicate: int
) -> Measurement:
    return Measurement(
        run, response, found.value, qualifier=found.qualifier, time=time, replicate=replicate
    )


def _first(rows: Sequence[TableRow], use: Use, name: str) -> Value | None:
    return next((store[name] for row in rows if name in (store := row.store(use))), None)


def _series(values: Sequence[Value | None], factor: object) -> Any:
    is_number = isinstance(factor, SearchedFactor | Covariate)
    if is_number and not isinstance(factor, CategoricalFactor):
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.array(values, dtype=object)


def _shown(value: Value) -> str:
    return f"'{value}'" if isinstance(value, str) else f"{value:g}"
