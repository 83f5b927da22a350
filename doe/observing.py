"""What surrogates learn from: the settings of each run, and which runs repeat each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from doe.arrays import FloatArray
from doe.coding import TOLERANCE, coded_values, is_log, numbers_of
from doe.factors import CategoricalFactor, ContinuousFactor, SearchedFactor
from doe.runs import Observations

# Achieved settings of replicates agree within this share of the range where no tolerance is given.
SHARE_OF_RANGE = 0.02


def learned_settings(observations: Observations) -> pd.DataFrame:
    """Return per factor the achieved or the asked-for setting, with the recorded columns beside.

    A setting that was not read counts as achieved.
    """
    columns: dict[str, Any] = {}
    for factor in observations.space.searched:
        target, actual = observations.target[factor.name], observations.actual[factor.name]
        if isinstance(factor, CategoricalFactor):
            columns[factor.name] = actual.astype(object).where(actual.notna(), target)
            continue
        by_target = isinstance(factor, ContinuousFactor) and factor.learn_from == "target"
        achieved = numbers_of(actual.astype(np.float64))
        is_read = np.isfinite(achieved) & (not by_target)
        columns[factor.name] = np.where(is_read, achieved, numbers_of(target))
    settings = pd.DataFrame(columns, index=observations.target.index)
    for name in observations.recorded.columns:
        settings[name] = observations.recorded[name]
    return settings


def replicate_groups(observations: Observations) -> "pd.Series[Any]":
    """Return for each run the number of its group of replicates, from 0 in order of appearance.

    Replicates have equal targets and contexts, and learnt settings that agree within each factor's
    tolerance, or within ``SHARE_OF_RANGE`` of its range in coded units where it has none.
    """
    asked = _asked(observations)
    reached, allowed = _reached(observations)
    groups: list[tuple[tuple[object, ...], FloatArray, FloatArray]] = []
    numbers = []
    for key, place in zip(asked, reached, strict=True):
        for number, (other, low, high) in enumerate(groups):
            lowest, highest = np.minimum(low, place), np.maximum(high, place)
            if key == other and np.all(highest - lowest <= allowed):
                groups[number] = (key, lowest, highest)
                numbers.append(number)
                break
        else:
            numbers.append(len(groups))
            groups.append((key, place, place))
    return pd.Series(numbers, index=observations.target.index, name="group", dtype=np.int64)


def _asked(observations: Observations) -> list[tuple[object, ...]]:
    """Return what replicates have in common: the target, rounding errors aside, and the context."""
    columns: list[Sequence[object]] = []
    for factor in observations.space.searched:
        column = observations.target[factor.name]
        if isinstance(factor, CategoricalFactor):
            columns.append([str(level) for level in column])
            continue
        digits = 9
        if not is_log(factor):
            size = max(abs(factor.low), abs(factor.high))
            columns.append([round(v / size, digits) for v in numbers_of(column).tolist()])
        else:
            columns.append([f"{v:.{digits}g}" for v in numbers_of(column).tolist()])
    for context in observations.space.contexts:
        if context.name in observations.recorded:
            columns.append([str(level) for level in observations.recorded[context.name]])
    return list(zip(*columns, strict=True))


def _reached(observations: Observations) -> tuple[FloatArray, FloatArray]:
    """Return the learnt settings and how far apart they may be, in units of each factor's own.

    Shapes ``(n_runs, n_factors)`` and ``(n_factors,)``.
    """
    settings = learned_settings(observations)
    parts = [_in_units(factor, settings[factor.name]) for factor in observations.space.searched]
    return np.column_stack([values for values, _ in parts]), np.array([w for _, w in parts])


def _in_units(factor: SearchedFactor, column: "pd.Series[Any]") -> tuple[FloatArray, float]:
    if isinstance(factor, CategoricalFactor):
        known = {level: float(place) for place, level in enumerate(factor.levels)}
        return np.array([known.get(level, -1.0) for level in column]), 0.5
    values = numbers_of(column)
    size = max(abs(factor.low), abs(factor.high))
    if isinstance(factor, ContinuousFactor) and factor.tolerance is not None:
        return values, factor.tolerance + TOLERANCE * size
    ends = coded_values(factor, np.array([factor.low, factor.high]), 1.0)
    allowed = SHARE_OF_RANGE * float(ends[1] - ends[0]) * (1 + TOLERANCE)
    return coded_values(factor, values, 1.0), allowed
