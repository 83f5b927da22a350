"""One number per run: time courses summarised, and responses derived from others."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from doe.arrays import FloatArray
from doe.errors import InvalidValueError, UnitError
from doe.expressions import Expression, parse_expression
from doe.responses import At, DerivedResponse, Response
from doe.runs import Measurement, Observations, Qualifier

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("run", "replicate", "value", "qualifier", "sd")
# How far a part is moved to see whether a derived response rises or falls with it.
_SMALL = 1e-6

Row = tuple[str, int, float, Qualifier, float]


@dataclass(frozen=True, slots=True)
class Sample:
    """What is known of a response at one time: a determination, or the mean of several."""

    time: float
    value: float
    qualifier: Qualifier
    sd: float | None


def summarised_values(observations: Observations, response: str) -> "pd.DataFrame":
    """Return the values of a response, a row per run and replicate; see ``Observations.values``.

    A run whose time course does not reach the time asked for has no row, since nothing is
    extrapolated, nor has one whose samples are limits on both sides. A replicate that lacks a time
    of its run takes the mean of the others there.

    Raises:
        UnknownNameError: If there is no such response.
        InvalidValueError: If a run has values with and without a time.
    """
    import pandas as pd

    found = observations.response(response)
    if isinstance(found, Response):
        rows = _measured_rows(observations, found)
    else:
        rows = _derived_rows(observations, found, (response,))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype(
        {"run": object, "replicate": np.int64, "value": np.float64, "sd": np.float64}
    )


def mean_values(observations: Observations, response: str) -> "pd.DataFrame":
    """Return the mean over replicates, index run, columns ``value`` and ``qualifier``.

    The mean of values of which some are limits is a limit, on the same side.
    """
    return _means(observations, response, ())


def common_qualifier(qualifiers: Sequence[Qualifier]) -> Qualifier | None:
    """Return what is known of a sum of values, None where some are limits below and some above."""
    kinds = set(qualifiers) - {"="}
    if len(kinds) > 1:
        return None
    return kinds.pop() if kinds else "="


def _or_nan(number: float | None) -> float:
    return math.nan if number is None else number


def _measured_rows(observations: Observations, response: Response) -> list[Row]:
    by_run: dict[str, list[Measurement]] = {}
    for measurement in observations.measurements:
        if measurement.response == response.name:
            by_run.setdefault(measurement.run, []).append(measurement)
    rows: list[Row] = []
    for run in observations.runs:
        values = sorted(by_run.get(run, []), key=lambda m: m.replicate)
        timed = [m for m in values if m.time is not None]
        if timed and len(timed) < len(values):
            raise InvalidValueError(
                f"Run '{run}' has values of '{response.name}' with and without a time: give every "
                "value its time, or none."
            )
        if not timed:
            rows += [(run, m.replicate, m.value, m.qualifier, _or_nan(m.sd)) for m in values]
            continue
        for replicate, course in _courses(timed).items():
            summary = _summary(response, course)
            if summary is not None:
                sd = _or_nan(summary.sd)
                rows.append((run, replicate, summary.value, summary.qualifier, sd))
    return rows


def _courses(measurements: Sequence[Measurement]) -> dict[int, list[Sample]]:
    """Return the time course of each replicate, in order of time."""
    by_time: dict[float, dict[int, Sample]] = {}
    for m in measurements:
        time = m.time if m.time is not None else math.nan
        by_time.setdefault(time, {})[m.replicate] = Sample(time, m.value, m.qualifier, m.sd)
    courses: dict[int, list[Sample]] = {m.replicate: [] for m in measurements}
    for time in sorted(by_time):
        there = by_time[time]
        mean = _weighted(time, list(there.values()), np.full(len(there), 1 / len(there)))
        for replicate, course in courses.items():
            sample = there.get(replicate, mean)
            if sample is not None:
                course.append(sample)
    return courses


def _summary(response: Response, course: Sequence[Sample]) -> Sample | None:
    times = np.array([sample.time for sample in course])
    match response.summary:
        case "end":
            return course[-1]
        case "max":
            return _largest(course)
        case "integral":
            if len(course) < 2:
                return None
            gaps = np.diff(times)
            weights = (np.append(gaps, 0.0) + np.insert(gaps, 0, 0.0)) / 2
            return _weighted(times[-1], course, weights, response.method_sd)
        case At() as at:
            return _sample_at(response, course, times, at)
        case _:
            assert_never(response.summary)


def _largest(course: Sequence[Sample]) -> Sample:
    """Return the largest sample; where an upper limit is larger than every value, that limit."""
    above = [sample for sample in course if sample.qualifier == ">"]
    # A value known to be above a limit may be the largest of all, so the maximum is a limit too.
    largest = max(course, key=lambda sample: sample.value)
    if above and largest.qualifier != ">":
        return Sample(largest.time, largest.value, ">", None)
    return largest


def _sample_at(
    response: Response, course: Sequence[Sample], times: FloatArray, at: At
) -> Sample | None:
    """Return the course between its two samples next to a time, None outside the course."""
    from doe.units import convert

    try:
        when = float(convert([at.time], at.unit, response.time_unit)[0])
    except UnitError as error:
        raise InvalidValueError(f"Summary of '{response.name}': {error}") from error
    margin = 1e-9 * max(1.0, abs(when))
    if not times[0] - margin <= when <= times[-1] + margin:
        return None
    place = min(max(int(np.searchsorted(times, when)), 1), len(times) - 1)
    if len(times) == 1 or abs(times[place] - when) <= margin:
        return course[min(place, len(times) - 1)]
    share = (when - times[place - 1]) / (times[place] - times[place - 1])
    weights = np.array([1 - share, share])
    return _weighted(when, course[place - 1 : place + 1], weights, response.method_sd)


def _weighted(
    time: float, samples: Sequence[Sample], weights: FloatArray, method_sd: float | None = None
) -> Sample | None:
    """Return a weighted sum of independent samples, None where its side is unknown."""
    counted = [(s, w) for s, w in zip(samples, weights, strict=True) if abs(w) > _SMALL * 1e-6]
    qualifier = common_qualifier([sample.qualifier for sample, _ in counted])
    if qualifier is None:
        return None
    value = math.fsum(sample.value * weight for sample, weight in counted)
    sds = [method_sd if sample.sd is None else sample.sd for sample, _ in counted]
    known = [sd for sd in sds if sd is not None]
    sd = None
    if len(known) == len(counted):
        sd = math.sqrt(sum((k * w) ** 2 for k, (_, w) in zip(known, counted, strict=True)))
    return Sample(time, value, qualifier, sd)


def _means(observations: Observations, response: str, within: tuple[str, ...]) -> "pd.DataFrame":
    import pandas as pd

    found = observations.response(response)
    if isinstance(found, Response):
        rows = _measured_rows(observations, found)
    else:
        rows = _derived_rows(observations, found, (*within, response))
    by_run: dict[str, list[Row]] = {}
    for row in rows:
        by_run.setdefault(row[0], []).append(row)
    means: dict[str, tuple[float, Qualifier]] = {}
    for run, own in by_run.items():
        qualifier = common_qualifier([row[3] for row in own])
        if qualifier is not None:
            means[run] = (math.fsum(row[2] for row in own) / len(own), qualifier)
    index = pd.Index(list(means), dtype=object, name="run")
    return pd.DataFrame(
        {
            "value": np.array([mean for mean, _ in means.values()], dtype=np.float64),
            "qualifier": [qualifier for _, qualifier in means.values()],
        },
        index=index,
    )


def _derived_rows(
    observations: Observations, response: DerivedResponse, within: tuple[str, ...]
) -> list[Row]:
    """Return a derived response of each run, from the means of its parts and the settings."""
    from doe.observing import learned_settings

    expression = parse_expression(response.expression)
    settings = learned_settings(observations)
    measured = {r.name for r in observations.responses} - {response.name}
    columns: dict[str, FloatArray] = {}
    sides: dict[str, list[Any]] = {}
    for name in expression.names:
        if name in measured:
            if name in within:
                raise InvalidValueError(
                    f"Derived response '{response.name}' is defined by itself, through '{name}': "
                    "break the circle."
                )
            means = _means(observations, name, within).reindex(list(observations.runs))
            columns[name] = means["value"].to_numpy(dtype=np.float64)
            sides[name] = list(means["qualifier"])
        elif name in settings.columns:
            columns[name] = _numbers(settings, name, response)
    values = _evaluated(expression, columns, len(observations.runs))
    qualifiers = _derived_qualifiers(expression, columns, sides, values)
    return [
        (run, 1, float(value), qualifier, math.nan)
        for run, value, qualifier in zip(observations.runs, values, qualifiers, strict=True)
        if np.isfinite(value) and qualifier is not None
    ]


def _numbers(settings: "pd.DataFrame", name: str, response: DerivedResponse) -> FloatArray:
    import pandas as pd

    try:
        return pd.to_numeric(settings[name]).to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise InvalidValueError(
            f"Derived response '{response.name}' computes with '{name}', which holds text: use a "
            "numeric factor, covariate or response."
        ) from error


def _evaluated(
    expression: Expression, columns: Mapping[str, FloatArray], n_rows: int
) -> FloatArray:
    values = np.asarray(expression.evaluate(columns), dtype=np.float64)
    return np.broadcast_to(values, (n_rows,))


def _derived_qualifiers(
    expression: Expression,
    columns: Mapping[str, FloatArray],
    sides: Mapping[str, Sequence[Any]],
    values: FloatArray,
) -> list[Qualifier | None]:
    """Return on which side of each value the truth lies, None where that cannot be said.

    A part known only as ``<limit`` puts the result below its value if the result rises with the
    part there, and above it if the result falls.
    """
    found: list[list[Qualifier]] = [[] for _ in values]
    for name, qualifiers in sides.items():
        if not set(qualifiers) & {"<", ">"}:
            continue
        step = _SMALL * np.maximum(np.abs(columns[name]), _SMALL)
        moved = _evaluated(expression, {**columns, name: columns[name] + step}, len(values))
        for row, qualifier in enumerate(qualifiers):
            if qualifier in ("<", ">") and moved[row] != values[row]:
                is_upper = (qualifier == ">") == bool(moved[row] > values[row])
                found[row].append(">" if is_upper else "<")
    return [common_qualifier(row) for row in found]
