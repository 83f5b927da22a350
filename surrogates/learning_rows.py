"""The rows that a surrogate learns from: one per run, with what is known about its error."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.errors import InvalidValueError, TooFewDataError
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.blocks import block_paths

if TYPE_CHECKING:
    import pandas as pd

Censored = Literal["refuse", "leave_out", "at_limit"]


@dataclass(frozen=True, eq=False)
class ReplicateSpread:
    """How far replicate runs lie apart: the pure error.

    Attributes:
        std: Pooled SD of one run within its group, in the response's unit.
        degrees: Degrees of freedom; 0 when nothing was replicated, and ``std`` is then ``nan``.
    """

    std: float
    degrees: int


@dataclass(frozen=True, eq=False)
class LearningRows:
    """One response of the runs that have a value, a row per run.

    Repeated determinations on a run are averaged: they share the run's own error, so as rows of
    their own they would be taken for replicate runs.

    Attributes:
        space: The factor space.
        response: What was measured.
        settings: Factors and recorded columns, index run.
        measured: Mean over the determinations, in the response's unit, shape ``(n_rows,)``.
        known_variance: Variance of that mean by the measurement alone, from an SD given from
            outside; 0 where none was given.
        has_known_variance: Where one was given.
        groups: Number of the row's group of replicate runs.
        warnings: What was left out or assumed, each a sentence.
    """

    space: FactorSpace
    response: Response
    settings: "pd.DataFrame"
    measured: FloatArray
    known_variance: FloatArray
    has_known_variance: BoolArray
    groups: IntArray
    warnings: tuple[str, ...] = ()

    @property
    def runs(self) -> tuple[str, ...]:
        """The identifiers of the runs."""
        return tuple(str(run) for run in self.settings.index)

    @property
    def n_rows(self) -> int:
        """How many runs there are."""
        return len(self.measured)

    def block_paths(self) -> dict[str, tuple[tuple[str, ...], ...]]:
        """Return per block factor and row its level, under the levels it is nested in."""
        return {
            block.name: block_paths(self.space, self.settings, block.name)
            for block in self.space.blocks
        }

    def replicate_spread(self) -> ReplicateSpread:
        """Return the pure error: replicates compared within the same blocks only."""
        cells: dict[object, list[float]] = {}
        paths = self.block_paths()
        for row, value in enumerate(self.measured):
            key = (int(self.groups[row]), *(levels[row] for levels in paths.values()))
            cells.setdefault(key, []).append(float(value))
        degrees = sum(len(values) - 1 for values in cells.values())
        if degrees == 0:
            return ReplicateSpread(float("nan"), 0)
        squares = sum(float(np.var(values)) * len(values) for values in cells.values())
        return ReplicateSpread(float(np.sqrt(squares / degrees)), degrees)

    def sha256(self) -> str:
        """Return the hash of the data: the same for the same rows in any order.

        The rows are written as JSON, keys sorted, floats in their shortest exact form.
        """
        rows = sorted(
            _canonical(
                {
                    "run": run,
                    "settings": {str(k): _plain(v) for k, v in self.settings.iloc[i].items()},
                    "value": float(self.measured[i]),
                    "known_variance": float(self.known_variance[i]),
                }
            )
            for i, run in enumerate(self.runs)
        )
        text = _canonical({"response": self.response.name, "rows": rows})
        return hashlib.sha256(text.encode()).hexdigest()


def learning_rows(
    observations: Observations, response: str, *, censored: Censored = "refuse"
) -> LearningRows:
    """Return the rows that a surrogate of a response learns from.

    Args:
        observations: All runs.
        response: A measured response.
        censored: What to do with values known only to be below or above a limit: refuse them,
            leave them out, or take the limit as the value; the last two are named in a warning.

    Raises:
        InvalidValueError: If the response is derived or pass/fail, a value is censored and that
            was not allowed for, or a setting or block level is missing.
        TooFewDataError: If no run has a value.
    """
    described = _continuous(observations, response)
    given = observations.values(response)
    with_value = set(given["run"][given["value"].notna()].astype(str))
    values, warnings = _uncensored(given, described, censored)
    values = values[values["value"].notna()]
    if values.empty:
        raise TooFewDataError(f"No run has a value of '{response}': record results first.")
    # Runs left out for a value at a limit were named above.
    missing = [run for run in observations.runs if run not in with_value]
    if missing:
        warnings.append(
            f"{len(missing)} of {len(observations.runs)} runs have no value of '{response}' and "
            f"are left out: {', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}."
        )
    averaged = _averaged(values, described, warnings)
    settings = observations.settings()
    settings.index = [str(run) for run in settings.index]
    settings = settings.loc[list(averaged)]
    _check_complete(observations.space, settings)
    groups = observations.replicate_groups()
    by_run = dict(zip(map(str, groups.index), groups, strict=True))
    numbers = np.array([averaged[run] for run in settings.index])
    _warn_of_contexts(observations.space, settings, warnings)
    return LearningRows(
        space=observations.space,
        response=described,
        settings=settings,
        measured=numbers[:, 0],
        known_variance=np.where(np.isnan(numbers[:, 1]), 0.0, numbers[:, 1]),
        has_known_variance=~np.isnan(numbers[:, 1]),
        groups=np.array([int(by_run[run]) for run in settings.index], dtype=np.int64),
        warnings=tuple(warnings),
    )


def _continuous(observations: Observations, response: str) -> Response:
    described = observations.response(response)
    if not isinstance(described, Response):
        raise InvalidValueError(
            f"'{response}' is derived from other responses: learn those, and it is computed from "
            "their joint draws."
        )
    if described.kind == "pass_fail":
        raise InvalidValueError(
            f"'{response}' is pass/fail; surrogates learn continuous responses. Learn the "
            "measured quantity behind it, or leave it out with responses=[...]."
        )
    return described


def _uncensored(
    values: "pd.DataFrame", response: Response, censored: Censored
) -> tuple["pd.DataFrame", list[str]]:
    beyond = values["qualifier"] != "="
    if not beyond.any():
        return values, []
    first = values[beyond].iloc[0]
    count = f"{int(beyond.sum())} of {len(values)} values of '{response.name}'"
    if censored == "refuse":
        raise InvalidValueError(
            f"{count} are known only as a limit (run '{first['run']}': {first['qualifier']}"
            f"{first['value']:g} {response.unit}".rstrip()
            + "). A fit would be biased by taking "
            "them as numbers: choose censored='leave_out' or 'at_limit' to do so knowingly, or "
            "fit_censored for a linear model by their likelihood."
        )
    if censored == "leave_out":
        return values[~beyond], [f"{count} are known only as a limit and were left out."]
    return values, [
        f"{count} are known only as a limit and were taken as equal to it: the surface is drawn "
        "towards the limit there, and its uncertainty is understated."
    ]


def _averaged(
    values: "pd.DataFrame", response: Response, warnings: list[str]
) -> Mapping[str, tuple[float, float]]:
    """Return per run the mean of its determinations and that mean's known variance, or nan."""
    averaged: dict[str, tuple[float, float]] = {}
    counts = set()
    for run, part in values.groupby("run", sort=False):
        numbers = part["value"].to_numpy(dtype=np.float64)
        sds = part["sd"].to_numpy(dtype=np.float64, na_value=np.nan)
        if response.method_sd is not None:
            sds = np.where(np.isnan(sds), response.method_sd, sds)
        counts.add(len(numbers))
        averaged[str(run)] = float(numbers.mean()), float((sds**2).sum() / len(sds) ** 2)
    if len(counts) > 1:
        warnings.append(
            f"Runs have {min(counts)} to {max(counts)} determinations of '{response.name}'; each "
            "run counts by their mean, with the same run-to-run noise."
        )
    known = sum(not np.isnan(variance) for _, variance in averaged.values())
    if 0 < known < len(averaged):
        warnings.append(
            f"The measurement SD is known for {known} of {len(averaged)} runs; for the others the "
            "measurement error is part of the estimated run-to-run noise."
        )
    return averaged


def _check_complete(space: FactorSpace, settings: "pd.DataFrame") -> None:
    for name in (*space.names, *(block.name for block in space.blocks)):
        if name not in settings.columns:
            raise InvalidValueError(
                f"The runs have no column '{name}', which is a factor of the space: record it."
            )
        empty = settings.index[settings[name].isna()]
        if len(empty):
            raise InvalidValueError(
                f"Run '{empty[0]}' has no setting of '{name}': record it, or exclude the run."
            )


def _warn_of_contexts(space: FactorSpace, settings: "pd.DataFrame", warnings: list[str]) -> None:
    for context in space.contexts:
        levels = set(settings[context.name].dropna()) if context.name in settings else set()
        if len(levels) > 1:
            warnings.append(
                f"The runs are from {len(levels)} levels of context "
                f"'{context.name}'; this surrogate does not tell them apart."
            )


def _plain(value: object) -> object:
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else float(value)
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    return None if value is None else str(value)


def _canonical(document: object) -> str:
    return json.dumps(
        document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )
