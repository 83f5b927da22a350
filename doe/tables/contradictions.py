"""What in a table contradicts itself or the factor space; it is pointed out and kept."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from doe.errors import ExperimentError
from doe.expressions import parse_expression
from doe.factors import CategoricalFactor, Covariate
from doe.responses import DerivedResponse
from doe.runs import Observations
from doe.tables.assembly import rows_by_run
from doe.tables.columns import Column
from doe.tables.findings import Findings
from doe.tables.rows import TOLERANCE, TableRow


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
    """Keep a note for each covariate or achieved setting out of range and constraint not met."""
    numbers = {run: [row.number for row in own] for run, own in rows_by_run(rows).items()}
    for covariate in observations.space.covariates:
        faults = {
            str(run): fault
            for run, value in observations.recorded[covariate.name].items()
            if (fault := _fault(covariate, float(value)))
        }
        parts = _parts(observations, covariate) if faults else {}
        for run, fault in faults.items():
            why = _reason([values[run] for values in parts.values() if run in values])
            findings.note(f"{fault}{why}; the row is kept", rows=numbers[run])
    _note_far_from_range(observations, numbers, findings)
    for constraint in observations.space.all_constraints:
        met = constraint.holds(observations.target)
        for run in np.asarray(observations.runs)[~met]:
            findings.note(
                f"the settings do not meet {constraint.sentence()}; the row is kept",
                rows=numbers[str(run)],
            )


def _note_far_from_range(
    observations: Observations, numbers: Mapping[str, Sequence[int]], findings: Findings
) -> None:
    """Keep a note for each setting that was achieved outside the range of its factor."""
    for factor in observations.space.searched:
        if isinstance(factor, CategoricalFactor):
            continue
        unit = f" {factor.unit}" if factor.unit else ""
        width = factor.high - factor.low
        for run, value in observations.actual[factor.name].items():
            beyond = max(factor.low - float(value), float(value) - factor.high)
            if beyond > TOLERANCE * max(1.0, abs(factor.low), abs(factor.high)):
                far = ", by more than its width: correct the cell if it is a typing error"
                findings.note(
                    f"run '{run}' was done at {factor.name} {value:g}{unit}, outside its range "
                    f"{factor.low:g} to {factor.high:g}{unit}{far if beyond > width else ''}; the "
                    "row is kept",
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


def _parts(observations: Observations, covariate: Covariate) -> dict[str, dict[str, str]]:
    """Return what the covariate is computed from: by name and run, as people say it."""
    if covariate.expression is None:
        return {}
    settings = observations.settings()
    units = {
        **{factor.name: getattr(factor, "unit", "") for factor in observations.space.factors},
        **{response.name: response.unit for response in observations.responses},
    }
    parts: dict[str, dict[str, str]] = {}
    for name in parse_expression(covariate.expression).names:
        try:
            if name in settings.columns:
                values = settings[name].astype(np.float64)
            else:
                values = observations.values(name).groupby("run")["value"].mean()
        except (ExperimentError, ValueError):
            # What cannot be read as a number is no part that could be shown.
            continue
        parts[name] = {
            str(run): f"{name} {value:.4g} {units.get(name, '')}".rstrip()
            for run, value in values.items()
            if np.isfinite(value)
        }
    return parts


def _reason(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return (
            f", which is not possible: it follows from {parts[0]}"
            if parts
            else (", which is not possible")
        )
    return f": {', '.join(parts[:-1])} and {parts[-1]} contradict each other"
