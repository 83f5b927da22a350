"""What comes in from outside: the checks and the events for imported runs and recorded results."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from campaigns.events import (
    DesignSeeded,
    MeasurementsRecorded,
    RunEntry,
    RunsImported,
)
from campaigns.filled_sheets import check_not_planned, listed, present
from campaigns.state import CampaignState
from doe.errors import InvalidValueError, StateError
from doe.factors import BlockFactor, CategoricalFactor, Context, Value
from doe.responses import Response
from doe.runs import Design, Measurement, Observations

if TYPE_CHECKING:
    from doe.tables import TableImport

# Equipment drifts a little out of a range; ten widths away is a lost decimal point.
FAR_OUTSIDE = 10.0

# A result may only come from a run that somebody agreed to (seeded, approved) and that went on.
_RECORDABLE = ("approved", "started", "done")


def new_run_names(state: CampaignState, n_runs: int) -> tuple[str, ...]:
    """Return names for new runs: whole numbers that follow the highest one in use."""
    used = [int(name) for name in state.runs if name.isdecimal()]
    numbers = count(max(used, default=0) + 1)
    return tuple(str(next(numbers)) for _ in range(n_runs))


def seeded(state: CampaignState, design: Design) -> DesignSeeded:
    """Return the event that takes over a design.

    Its space is the campaign's, and may have further block factors, for its own blocks and whole
    plots. Their levels are numbered on where an earlier design used the same ones: whole plot 1 of
    a second design is another one than whole plot 1 of the first.

    Raises:
        InvalidValueError: If the design belongs to another factor space.
    """
    unknown = [name for name in design.blocks if name not in {b.name for b in design.space.blocks}]
    if unknown:
        raise InvalidValueError(
            f"The design '{design.method}' has the blocks {unknown}, which are no block factors of "
            "its space: add BlockFactor(name) to the space it is made with."
        )
    known = set(state.space.factors)
    brought = tuple(f for f in design.space.blocks if f not in known)
    extended = replace(state.space, factors=(*state.space.factors, *brought))
    names = [factor.name for factor in design.space.factors]
    ours = {factor.name: factor for factor in extended.factors}
    fits = len(set(ours)) == len(extended.factors) and set(names) == set(ours)
    if not fits or replace(design.space, factors=extended.factors) != extended:
        raise InvalidValueError(
            f"The design '{design.method}' was made for another factor space: make it with "
            "campaign.space."
        )
    declared = {block.name for block in state.definition.space.blocks}
    blocks = {
        name: _renumbered(levels, state, name)
        if name in design.whole_plots or name not in declared
        else levels
        for name, levels in design.blocks.items()
    }
    taken = replace(design, space=extended, blocks=blocks)
    return DesignSeeded(taken, new_run_names(state, design.n_runs))


def _renumbered(levels: tuple[str, ...], state: CampaignState, block: str) -> tuple[str, ...]:
    used = {str(run.recorded[block]) for run in state.runs.values() if block in run.recorded}
    if not used & set(levels):
        return levels
    numbers = count(max((int(level) for level in used if level.isdecimal()), default=0) + 1)
    new = {level: str(next(numbers)) for level in dict.fromkeys(levels)}
    return tuple(new[level] for level in levels)


def check_not_imported(state: CampaignState, sha256: str) -> None:
    """Refuse a file that was imported before: its runs would count twice, as replicates.

    Raises:
        StateError: With the name under which it was imported.
    """
    if sha256 in state.files:
        raise StateError(
            f"The same file was imported before, as '{state.files[sha256]}': its runs would count "
            "twice. Import a file that holds only the new runs."
        )


def imported_table(state: CampaignState, table: "TableImport") -> RunsImported:
    """Return the event that adds the runs of a file, which is kept beside them.

    Raises:
        StateError: If the file was imported before, or its runs are planned ones of this campaign.
        InvalidValueError: If the runs do not fit the campaign's factors and responses.
    """
    check_not_imported(state, table.sha256)
    check_not_planned(state, table)
    return replace(
        imported(state, table.observations),
        file_name=table.file_name,
        file_sha256=table.sha256,
        columns=dict(table.columns),
        notes=table.notes,
    )


def imported(state: CampaignState, observations: Observations) -> RunsImported:
    """Return the event that adds runs which nobody here planned.

    Runs that are only numbered 1, 2, 3 (as rows of a table are) get the next free numbers when
    those are taken.

    Raises:
        StateError: If a run of that name is already there.
        InvalidValueError: If the runs do not fit the campaign's factors and responses.
    """
    if observations.space.names != state.space.names:
        raise InvalidValueError(
            f"The runs have the factors {list(observations.space.names)}, the campaign has "
            f"{list(state.space.names)}: read the table with the campaign's factor space."
        )
    names = dict(zip(observations.runs, observations.runs, strict=True))
    taken = [name for name in names if name in state.runs]
    if taken and list(names) == [str(i) for i in range(1, len(names) + 1)]:
        names = dict(zip(names, new_run_names(state, len(names)), strict=True))
    elif taken:
        raise StateError(
            f"Runs {listed(taken)} are already in campaign '{state.definition.name}'. Record "
            "results of planned runs with `record`, or give the new runs other names."
        )
    entries = tuple(
        RunEntry(
            names[run],
            target=present(observations.target, run),
            actual=present(observations.actual, run),
            recorded=present(observations.recorded, run),
        )
        for run in observations.runs
    )
    for entry in entries:
        _check_recorded(state, entry.run, entry.recorded)
        _check_near(state, entry.run, entry.actual)
    values = tuple(replace(m, run=names[m.run]) for m in observations.measurements)
    check_measurements(state, values, new_runs=frozenset(names.values()))
    return RunsImported(entries, values)


def check_recorded(state: CampaignState, event: MeasurementsRecorded) -> None:
    """Refuse results of planned runs that the campaign cannot take.

    Raises:
        StateError: If a run was not approved, or ended without a result.
        UnknownNameError: If a run is not there.
        InvalidValueError: If a value is there already, or a block or context is missing.
    """
    if not event.measurements:
        raise InvalidValueError(
            "There is no new value to record: give at least one that is not recorded yet."
        )
    runs = [*(m.run for m in event.measurements), *event.actual, *event.recorded]
    for name in dict.fromkeys(runs):
        run = state.run(name)
        if run.status not in _RECORDABLE:
            raise StateError(
                f"Run {name} is {run.status}, so it has no result to record"
                f"{': approve it first' if run.status == 'proposed' else ''}."
            )
        _check_recorded(state, name, {**run.recorded, **event.recorded.get(name, {})})
        unknown = set(event.actual.get(name, {})) - set(state.space.names)
        if unknown:
            raise InvalidValueError(
                f"Run {name}: {sorted(unknown)} are no factors; those are "
                f"{list(state.space.names)}."
            )
        _check_near(state, name, event.actual.get(name, {}))
    check_measurements(state, event.measurements)


def check_measurements(
    state: CampaignState, values: Iterable[Measurement], *, new_runs: frozenset[str] = frozenset()
) -> None:
    """Refuse values that name no response, are there already, or are impossible.

    Raises:
        InvalidValueError: With the run, response and value.
    """
    responses = {r.name: r for r in state.definition.responses if isinstance(r, Response)}
    seen = set(state.measurements)
    for measurement in values:
        what = f"Run {measurement.run}, {measurement.response}"
        if measurement.response not in responses:
            raise InvalidValueError(
                f"{what}: there is no such measured response; those are {list(responses)}."
            )
        kind = responses[measurement.response].kind
        if kind == "pass_fail" and measurement.value not in (0.0, 1.0):
            raise InvalidValueError(f"{what}: {measurement.value:g} is not 1 (pass) or 0 (fail).")
        if measurement.run not in new_runs:
            state.run(measurement.run)
        if measurement.key in seen:
            raise InvalidValueError(
                f"{what}: a value is already recorded for this time and replicate. Use `correct` "
                "to replace it, or number the replicates."
            )
        seen.add(measurement.key)


def _check_recorded(state: CampaignState, run: str, known: Mapping[str, Value]) -> None:
    factors = {f.name: f for f in state.space.factors if f.name not in state.space.names}
    unknown = sorted(set(known) - set(factors))
    if unknown:
        raise InvalidValueError(
            f"Run {run}: {unknown} are not recorded in this campaign; those are {list(factors)}."
        )
    for name, factor in factors.items():
        if isinstance(factor, BlockFactor | Context) and name not in known:
            raise InvalidValueError(
                f"Run {run} has no {name}: say which one it was done in, since results of one "
                f"{name} resemble each other."
            )
        if isinstance(factor, Context) and known[name] not in factor.levels:
            raise InvalidValueError(
                f"Run {run}: {name} is {known[name]!r}; expected one of {', '.join(factor.levels)}."
            )


def _check_near(state: CampaignState, run: str, achieved: Mapping[str, Value]) -> None:
    """Refuse a setting that lies so far outside its range that it cannot be meant."""
    for factor in state.space.searched:
        value = achieved.get(factor.name)
        if value is None or isinstance(value, str) or isinstance(factor, CategoricalFactor):
            continue
        low, high = factor.low, factor.high
        if max(low - value, value - high) > FAR_OUTSIDE * (high - low) > 0:
            unit = f" {factor.unit}" if factor.unit else ""
            raise InvalidValueError(
                f"Run {run}: '{factor.name}' was achieved at {value:g}{unit}, more than "
                f"{FAR_OUTSIDE:g} times the width of its range ({low:g} to {high:g}{unit}) away "
                "from it: correct the value (a decimal point, a unit). If the run was done so, it "
                "says nothing about this range: end it with `bayeswell fail`."
            )
