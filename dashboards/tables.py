"""The tables of a page: what stands in each cell, and with how many decimals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor, isfinite, log10
from typing import TYPE_CHECKING

from campaigns.batch import Batch
from campaigns.recommending.strategy import ProposedRun, ResponsePrediction
from campaigns.state import CampaignState, RunRecord
from doe.factors import ContinuousFactor, Covariate, Factor, MixtureComponent
from doe.responses import Response

if TYPE_CHECKING:
    import pandas as pd

MISSING = "–"
NO_BREAK = "\N{NO-BREAK SPACE}"
_DIGITS = 4  # of the range of a column: what a reader can compare


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        name: Its name in the data frame.
        title: What stands above it, with its unit.
        decimals: Of its numbers; absent for text.
    """

    name: str
    title: str
    decimals: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RunTable:
    """All runs of a campaign, a row each, index run.

    Attributes:
        frame: Status, origin, settings, what was recorded, and mean results, in natural units.
        columns: How each column is titled and rounded, in order.
    """

    frame: "pd.DataFrame"
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A recommended run as text that is ready to read, and what may be decided on it.

    Attributes:
        run: Its identifier.
        status: Where it stands.
        cells: Text by column name.
        tag: The cause that counted most when it was chosen.
        reason: Why it is recommended, and why it was turned down if it was.
        acts: What may be done: ``approve``, ``reject``.
    """

    run: str
    status: str
    cells: Mapping[str, str]
    tag: str
    reason: str
    acts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BatchTable:
    """A recommended batch.

    Attributes:
        number: From 1.
        columns: Name and title of each column; every column of numbers has its unit.
        rows: One per run.
        notes: What to know about the batch as a whole.
        strategy: What recommended it.
    """

    number: int
    columns: tuple[Column, ...]
    rows: tuple[BatchRow, ...]
    notes: tuple[str, ...]
    strategy: str


def run_table(state: CampaignState) -> RunTable:
    """Return every run of a campaign, proposed ones and excluded ones too, newest last."""
    import pandas as pd

    space = state.space
    columns = [Column("status", "Status")]
    data: dict[str, list[object]] = {
        "status": ["excluded" if run.excluded else run.status for run in state.runs.values()]
    }
    results = _results(state) if state.measurements else {}
    for name, by_run in results.items():
        values = [by_run.get(run) for run in state.runs]
        data[name] = values
        columns.append(_column(name, state.observations().response(name).unit, values))
    for factor in (*space.searched, *(f for f in space.factors if f.name not in space.names)):
        values = [_setting(run, factor.name) for run in state.runs.values()]
        if any(value is not None for value in values):
            data[factor.name] = values
            columns.append(_column(factor.name, _unit_of(factor), values, step=_step(factor)))
    data["origin"] = [_origin(run) for run in state.runs.values()]
    columns.append(Column("origin", "Origin"))
    index = pd.Index(list(state.runs), name="run", dtype=object)
    return RunTable(pd.DataFrame(data, index=index), tuple(columns))


def batch_table(batch: Batch, state: CampaignState) -> BatchTable:
    """Return a recommended batch with where each of its runs stands now."""
    columns: list[Column] = []
    for factor in state.space.searched:
        settings = [run.settings[factor.name] for run in batch.runs]
        columns.append(_column(factor.name, _unit_of(factor), settings, step=_step(factor)))
    predictions = {prediction.response: prediction.unit for prediction in batch.runs[0].predictions}
    columns += [
        Column(f"{name} ±", f"predicted {titled(name, unit)} [95{NO_BREAK}%]")
        for name, unit in predictions.items()
    ]
    if any(run.probability_in_specification is not None for run in batch.runs):
        columns.append(Column("probability", "P(in specification)"))
    columns.append(Column("nearest", "Nearest run (distance)"))
    rows = tuple(
        _batch_row(name, run, state.run(name), columns, _decimals_of_predictions(batch))
        for name, run in zip(batch.names, batch.runs, strict=True)
    )
    return BatchTable(batch.number, tuple(columns), rows, batch.notes, batch.strategy)


def titled(name: str, unit: str) -> str:
    """Return a name with its unit, as it stands above a column."""
    # A unit that is broken across lines reads as two.
    return f"{name} ({unit.replace(' ', NO_BREAK)})" if unit else name


def decimals(values: Iterable[float], *, step: float | None = None) -> int:
    """Return how many decimals tell the numbers of a column apart.

    As many as the step of a setting has; else as few as write every number exactly, and no more
    than three digits of the column's range.
    """
    finite = [abs(value) for value in values if isfinite(value)]
    if step is not None:
        return _decimals_needed([step], most=9)
    if not finite:
        return 0
    span = (max(finite) - min(finite)) or max(finite) or 1.0
    return _decimals_needed(finite, most=max(0, _DIGITS - 1 - floor(log10(span))))


def number_text(value: float | None, places: int) -> str:
    """Return a number with fixed decimals, or a dash where there is none."""
    if value is None or not isfinite(value):
        return MISSING
    # Adding zero takes the sign from a zero, which would read as a number below it.
    return f"{round(value, places) + 0.0:.{places}f}".replace("-", "−")


def _decimals_needed(values: Sequence[float], *, most: int) -> int:
    for places in range(most):
        if all(abs(value - round(value, places)) <= 1e-9 * max(1.0, value) for value in values):
            return places
    return most


def _column(name: str, unit: str, values: Sequence[object], *, step: float | None = None) -> Column:
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    has_text = any(isinstance(value, str) for value in values)
    return Column(name, titled(name, unit), None if has_text else decimals(numbers, step=step))


def _origin(run: RunRecord) -> str:
    return f"batch {run.batch}" if run.batch is not None else run.origin


def _setting(run: RunRecord, name: str) -> object:
    """Return what was achieved where it was read, else what was asked for, else what is known."""
    return run.actual.get(name, run.target.get(name, run.recorded.get(name)))


def _results(state: CampaignState) -> dict[str, dict[str, object]]:
    """Return by response and run the mean result; text where a value is only known as a limit.

    Excluded runs keep their results here: nothing disappears from the record.
    """
    runs = {name: replace(run, excluded=None) for name, run in state.runs.items()}
    observations = replace(state, runs=runs).observations()
    results: dict[str, dict[str, object]] = {}
    for response in state.definition.responses:
        if isinstance(response, Response):
            by_run = observations.values(response.name).groupby("run", sort=False)
            results[response.name] = {str(run): _mean(values) for run, values in by_run}
    return results


def _mean(values: "pd.DataFrame") -> float | str:
    if len(values) == 1 and values["qualifier"].iloc[0] != "=":
        return f"{values['qualifier'].iloc[0]}{values['value'].iloc[0]:g}"
    return float(values["value"].mean())


def _unit_of(factor: Factor) -> str:
    match factor:
        case ContinuousFactor() | MixtureComponent() | Covariate():
            return factor.unit
        case _:
            return getattr(factor, "unit", "")


def _step(factor: Factor) -> float | None:
    return factor.step if isinstance(factor, ContinuousFactor | MixtureComponent) else None


def _decimals_of_predictions(batch: Batch) -> dict[str, int]:
    """Return for each response the decimals that show three digits of its interval's width."""
    widths: dict[str, float] = {}
    for run in batch.runs:
        for prediction in run.predictions:
            width = prediction.high - prediction.low
            widths[prediction.response] = max(width, widths.get(prediction.response, 0.0))
    return {
        name: max(0, 2 - floor(log10(width))) if width > 0 else 3 for name, width in widths.items()
    }


def _batch_row(
    name: str,
    run: ProposedRun,
    record: RunRecord,
    columns: Sequence[Column],
    places: Mapping[str, int],
) -> BatchRow:
    known = {column.name: column for column in columns}
    cells: dict[str, str] = {}
    for factor, value in run.settings.items():
        column = known[factor]
        cells[factor] = (
            value if isinstance(value, str) else number_text(value, column.decimals or 0)
        )
    for prediction in run.predictions:
        cells[f"{prediction.response} ±"] = _interval(prediction, places[prediction.response])
    if run.probability_in_specification is not None:
        cells["probability"] = number_text(run.probability_in_specification, 2)
    cells["nearest"] = MISSING
    if run.nearest_run is not None and run.nearest_distance is not None:
        cells["nearest"] = f"{run.nearest_run} ({number_text(run.nearest_distance, 2)})"
    return BatchRow(name, record.status, cells, run.reason.tag, _why(run, record), _acts(record))


def _interval(prediction: ResponsePrediction, places: int) -> str:
    mean, low, high = (
        number_text(value, places) for value in (prediction.mean, prediction.low, prediction.high)
    )
    return f"{mean} [{low},{NO_BREAK}{high}]"


def _why(run: ProposedRun, record: RunRecord) -> str:
    sentences = [run.reason.sentence]
    if run.extrapolates:
        sentences.append("The setting extrapolates: no run is near enough to trust the prediction.")
    if record.status == "rejected" and record.reason:
        sentences.append(f"Rejected because: {record.reason}")
    return " ".join(sentences)


def _acts(record: RunRecord) -> tuple[str, ...]:
    match record.status:
        case "proposed":
            return ("approve", "reject")
        case "approved":
            return ("reject",)
        case _:
            return ()
