"""What in a table contradicts itself or the factor space; it is pointed out and kept."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from doe.errors import ExperimentError
from doe.expressions import parse_expression
from doe.factors import Covariate
from doe.responses import AnyResponse, DerivedResponse
from doe.runs import Observations
from doe.tables.assembly import rows_by_run
from doe.tables.columns import Column
from doe.tables.findings import Findings
from doe.tables.rows import TableRow


def with_derived_covariates(
    observations: Observations, columns: Sequence[Column], findings: Findings
) -> Observations:
    """Return the observations with the covariates that follow from others and have no column."""
    present = {column.meaning.name for column in columns}
    for covariate in observations.space.covariates:
        if covariate.expression is None or covariate.name in present:
            continue
        derived = DerivedResponse(covariate.name, covariate.expression, covariate.unit)
        # A covariate is computed on a run as a derived response is.
        probe = replace(observations, responses=(*observations.responses, derived))
        try:
            values = probe.values(covariate.name).set_index("run")["value"]
        except (ExperimentError, ValueError) as error:
            findings.note(f"the covariate '{covariate.name}' cannot be computed: {error}")
            continue
        recorded = observations.recorded.copy()
        recorded[covariate.name] = values.reindex(recorded.index).to_numpy(dtype=np.float64)
        observations = replace(observations, recorded=recorded)
    return observations


def note_contradictions(
    observations: Observations, rows: Sequence[TableRow], findings: Findings
) -> None:
    """Keep a note for each covariate outside what is possible and each constraint not met."""
    numbers = {run: [row.number for row in own] for run, own in rows_by_run(rows).items()}
    for covariate in observations.space.covariates:
        if covariate.low is None and covariate.high is None:
            continue
        for run, value in observations.recorded[covariate.name].items():
            fault = _fault(covariate, float(value))
            if fault:
                why = _parts(observations, covariate, str(run))
                findings.note(f"{fault}{why}; the row is kept", rows=numbers[str(run)])
    for constraint in observations.space.all_constraints:
        met = constraint.holds(observations.target)
        for run in np.asarray(observations.runs)[~met]:
            findings.note(
                f"the settings do not meet {constraint.sentence()}; the row is kept",
                rows=numbers[str(run)],
            )


def _fault(covariate: Covariate, value: float) -> str:
    unit = f" {covariate.unit}" if covariate.unit else ""
    low, high = covariate.low, covariate.high
    if low is not None and value < low:
        return f"{covariate.name} is {value:.4g}{unit}, below {low:g}{unit}"
    if high is not None and value > high:
        return f"{covariate.name} is {value:.4g}{unit}, above {high:g}{unit}"
    return ""


def _parts(observations: Observations, covariate: Covariate, run: str) -> str:
    """Return what the covariate was computed from, as people say it."""
    if covariate.expression is None:
        return ", which is not possible"
    table = observations.table().loc[run]
    units: Mapping[str, str] = {
        **{f.name: getattr(f, "unit", "") for f in observations.space.factors},
        **{r.name: _unit(r) for r in observations.responses},
    }
    names = parse_expression(covariate.expression).names
    parts = [f"{name} {table[name]:.4g} {units.get(name, '')}".rstrip() for name in names]
    if len(parts) == 1:
        return f", which is not possible: it follows from {parts[0]}"
    return f": {', '.join(parts[:-1])} and {parts[-1]} contradict each other"


def _unit(response: AnyResponse) -> str:
    return response.unit
