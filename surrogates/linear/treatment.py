"""How the runs and values of a response were treated before a model saw them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from doe.runs import Observations
from surrogates.learning_rows import LearningRows

CensoredUse = Literal["refuse", "leave_out", "at_limit", "likelihood"]
CENSORED_WORDS = {
    "refuse": "",
    "leave_out": "left out",
    "at_limit": "taken as equal to it",
    "likelihood": "counted by the chance of being beyond it",
}


@dataclass(frozen=True, slots=True)
class Treatment:
    """What became of the runs and values of one response: nothing is left out silently.

    Attributes:
        response: The response.
        runs: How many runs there are.
        values: How many values were measured, repeated determinations counted.
        censored: How many of the values are known only as a limit.
        censored_as: What was done with them, in words; empty when there are none.
        used: How many runs the model learned from.
        without_value: Runs without a value: missing, failed or aborted.
        left_out: Runs with a value that the model did not learn from.
        averaged: Runs whose several determinations count as one value.
        replicates: How many of the runs used repeat the settings of another one.
    """

    response: str
    runs: int
    values: int
    censored: int
    censored_as: str
    used: int
    without_value: tuple[str, ...]
    left_out: tuple[str, ...]
    averaged: tuple[str, ...]
    replicates: int

    def document(self) -> Mapping[str, object]:
        """Return it as plain JSON."""
        return {
            "runs": self.runs,
            "values": self.values,
            "censored_values": self.censored,
            "censored_as": self.censored_as,
            "runs_used": self.used,
            "runs_without_value": list(self.without_value),
            "runs_left_out": list(self.left_out),
            "runs_averaged": list(self.averaged),
            "replicate_runs": self.replicates,
        }

    def sentence(self) -> str:
        """Return it in words."""
        parts = [f"{self.used} of {self.runs} runs are used, with {self.values} values"]
        if self.without_value:
            parts.append(f"{len(self.without_value)} have no value ({_named(self.without_value)})")
        if self.left_out:
            parts.append(f"{len(self.left_out)} are left out ({_named(self.left_out)})")
        if self.censored:
            parts.append(f"{self.censored} values are known only as a limit ({self.censored_as})")
        if self.averaged:
            parts.append(f"{len(self.averaged)} runs count by the mean of their determinations")
        if self.replicates:
            parts.append(f"{self.replicates} repeat the settings of another run")
        return "; ".join(parts) + "."


def treatment_of(
    observations: Observations, rows: LearningRows, *, censored: CensoredUse = "refuse"
) -> Treatment:
    """Return what became of the runs and values that rows were made from.

    Args:
        observations: All runs.
        rows: What the model learned from.
        censored: What was done with values known only as a limit.
    """
    values = observations.values(rows.response.name)
    values = values[values["value"].notna()]
    by_run = values["run"].astype(str).value_counts()
    beyond = values["qualifier"] != "="
    counted = values[~beyond] if censored == "leave_out" else values
    determinations = counted["run"].astype(str).value_counts()
    used = set(rows.runs)
    return Treatment(
        response=rows.response.name,
        runs=len(observations.runs),
        values=len(values),
        censored=int(beyond.sum()),
        censored_as=CENSORED_WORDS[censored] if beyond.any() else "",
        used=rows.n_rows,
        without_value=tuple(run for run in observations.runs if run not in by_run.index),
        left_out=tuple(run for run in observations.runs if run in by_run.index and run not in used),
        averaged=tuple(run for run in rows.runs if int(determinations[run]) > 1),
        replicates=rows.n_rows - len(set(rows.groups.tolist())),
    )


def _named(runs: tuple[str, ...]) -> str:
    return ", ".join(runs[:5]) + (", ..." if len(runs) > 5 else "")
