"""How far a campaign has come: the results in the order of the runs, and the best so far."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from campaigns.state import CampaignState
from doe.arrays import BoolArray, FloatArray
from doe.plots import Axis, Layer, Line, Plot, Points, Role
from doe.responses import Goal, Response, goals_of


@dataclass(frozen=True, slots=True, eq=False)
class ProgressReport:
    """The results of one response in the order of the runs.

    Attributes:
        response: What was measured.
        goal: What is wanted of it, if anything.
        limits: The values it must not cross, in its unit.
        runs: The runs that have a value, in the order in which they came.
        values: Mean value of each run, in its unit.
        counts: Whether the run counts.
        recommended: Whether a strategy recommended the run.
        best: Best value up to each run; missing without a goal, or before a run that counts.
    """

    response: Response
    goal: Goal | None
    limits: tuple[float, ...]
    runs: tuple[str, ...]
    values: FloatArray
    counts: BoolArray
    recommended: BoolArray
    best: FloatArray

    def sentence(self) -> str:
        """Return where it stands, in words."""
        name, n_runs = self.response.name, len(self.runs)
        if self.goal is None or np.all(np.isnan(self.best)):
            return f"{n_runs} runs have a value of {name}, which has no goal of its own."
        best = float(self.best[-1])
        run = self.runs[int(np.flatnonzero(self.counts & (self.values == best))[0])]
        value = f"{best:.4g} {self.response.unit}".strip()
        return f"The best {name} of {n_runs} runs is {value}, of run {run} (to {self.goal.aim})."

    def plot(self) -> Plot:
        """Return the values by run, with the best so far and the limits."""
        return Plot(
            title=f"Run by run: {self.response.name}",
            sentence=self.sentence(),
            x=Axis("run, in the order in which it came", "", 0.5, len(self.runs) + 0.5),
            y=Axis(self.response.name, self.response.unit, *self._range()),
            layers=tuple(self._layers()),
        )

    def _layers(self) -> Iterator[Layer]:
        ends = np.array([0.5, len(self.runs) + 0.5])
        for limit in self.limits:
            yield Line(f"limit {limit:g}", ends, np.full(2, limit), "limit")
        places = np.arange(1, len(self.runs) + 1, dtype=np.float64)
        known = ~np.isnan(self.best)
        if np.any(known):
            # The best stays what it was until the run that betters it.
            steps = np.repeat(self.best[known], 2)[:-1]
            yield Line("best so far", np.repeat(places[known], 2)[1:], steps)
        kinds: tuple[tuple[str, BoolArray, Role], ...] = (
            ("runs", self.counts & ~self.recommended, "data"),
            ("recommended runs", self.counts & self.recommended, "recommended"),
            ("left out of the models", ~self.counts, "excluded"),
        )
        for label, rows, role in kinds:
            if np.any(rows):
                yield Points(label, places[rows], self.values[rows], role)

    def _range(self) -> tuple[float, float]:
        everything = np.append(self.values, self.limits)
        low, high = float(everything.min()), float(everything.max())
        margin = 0.05 * (high - low) or 1.0
        return low - margin, high + margin


def report_progress(state: CampaignState) -> tuple[ProgressReport, ...]:
    """Return the progress of every measured response that has values, goals first."""
    goals = {goal.response: goal for goal in goals_of(state.objective)} if state.objective else {}
    measured = [r for r in state.definition.responses if isinstance(r, Response)]
    reports = (_report(state, response, goals.get(response.name)) for response in measured)
    return tuple(sorted(filter(None, reports), key=lambda report: report.goal is None))


def _report(state: CampaignState, response: Response, goal: Goal | None) -> ProgressReport | None:
    counted = _counted(state, response.name)
    values = {**_left_out(state, response.name), **counted}
    runs = tuple(run for run in state.runs if run in values)
    if not runs:
        return None
    means = np.array([values[run] for run in runs])
    counts = np.array([run in counted for run in runs])
    limits = tuple(
        limit
        for s in state.specifications
        if s.response == response.name
        for limit in (s.lower, s.upper)
        if limit is not None
    )
    return ProgressReport(
        response,
        goal,
        limits,
        runs,
        means,
        counts,
        np.array([state.runs[run].origin == "recommended" for run in runs]),
        _best_so_far(np.where(counts, means, np.nan), goal),
    )


def _counted(state: CampaignState, response: str) -> Mapping[str, float]:
    table = state.observations().values(response)
    means = table.groupby("run")["value"].mean()
    return {str(run): float(value) for run, value in means.items()}


def _left_out(state: CampaignState, response: str) -> Mapping[str, float]:
    values: dict[str, list[float]] = {}
    for record in state.measurements.values():
        if record.current.response == response:
            values.setdefault(record.current.run, []).append(record.current.value)
    return {run: float(np.mean(all_of_run)) for run, all_of_run in values.items()}


def _best_so_far(values: FloatArray, goal: Goal | None) -> FloatArray:
    best = np.full(len(values), np.nan)
    if goal is None:
        return best
    worth = np.where(np.isnan(values), -np.inf, _worth(values, goal))
    for place in range(len(values)):
        leader = int(np.argmax(worth[: place + 1]))
        best[place] = values[leader]
    return best


def _worth(values: FloatArray, goal: Goal) -> FloatArray:
    """Return how good each value is for the goal; higher is better."""
    match goal.aim:
        case "maximise":
            return values
        case "minimise":
            return -values
        case "target":
            return -np.abs(values - float(goal.target or 0.0))
        case "range":
            low, high = float(goal.low or 0.0), float(goal.high or 0.0)
            return -np.maximum(np.maximum(low - values, values - high), 0.0)
        case _:
            assert_never(goal.aim)
