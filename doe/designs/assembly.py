"""From coded points to a design: natural units, equipment steps, allowed ranges, centre runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import floor, log10, prod
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.coding import coded_values, natural_values
from doe.errors import DesignError
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
    SearchedFactor,
    Value,
)
from doe.rounding import nearest_numbers
from doe.runs import JSON, Design
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

MAX_RUNS = 10_000
# Settings are written with this many digits of the largest: enough for any equipment, and few
# enough that 37 does not come out as 37.00000000000001.
_DIGITS = 14
_SHOWN = 3

CodedRun = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Plan:
    """Coded runs on their way to a design.

    Attributes:
        runs: Coded settings per run: numbers, and levels of categorical factors.
        point_types: What each run is.
        method: The kind of design in words.
        instead: What to use when the space does not allow the runs.
        generators: Generators of a fraction.
        details: Facts about the construction.
        beyond: Whether runs may leave the ranges of the factors (never the constraints).
    """

    runs: Sequence[CodedRun]
    point_types: Sequence[str]
    method: str
    instead: str
    generators: Sequence[str] = ()
    details: Mapping[str, JSON] = field(default_factory=dict)
    beyond: bool = False
    blocks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def assemble(space: FactorSpace, plan: Plan) -> Design:
    """Return the design in natural units, on the steps of the equipment, every run allowed.

    ``details`` says how far rounding to steps moved a run (``rounded_to_steps``, the largest change
    in coded units) and which settings lie outside the ranges (``outside_ranges``).

    Raises:
        DesignError: If there are too many runs, rounding makes two levels of a factor one, a
            discrete factor lacks a level that the design needs, or a run is not allowed.
    """
    import pandas as pd

    if len(plan.runs) > MAX_RUNS:
        raise DesignError(
            f"This {plan.method} has {len(plan.runs)} runs; at most {MAX_RUNS} are planned: "
            f"{plan.instead}."
        )
    columns: dict[str, list[Value]] = {}
    largest_move = 0.0
    for factor in space.searched:
        coded = [run[factor.name] for run in plan.runs]
        if isinstance(factor, CategoricalFactor):
            columns[factor.name] = coded
            continue
        settings, move = _settings(factor, np.asarray(coded, dtype=np.float64), plan, space)
        columns[factor.name] = [float(value) for value in settings]
        largest_move = max(largest_move, move)
    runs = pd.DataFrame(columns)
    details = dict(plan.details)
    if largest_move > 0:
        details["rounded_to_steps"] = float(f"{largest_move:.3g}")
    details |= _check_allowed(space, runs, plan)
    return Design(
        space,
        runs,
        plan.method,
        tuple(plan.point_types),
        generators=tuple(plan.generators),
        blocks=plan.blocks,
        details=details,
    )


def two_level_runs(space: FactorSpace, signs: FloatArray) -> list[CodedRun]:
    """Return signs of shape ``(n_runs, n_factors)`` as coded runs: -1 is low or the first level."""
    choices = {f.name: f.levels for f in space.searched if isinstance(f, CategoricalFactor)}
    return [
        {
            name: choices[name][int(sign > 0)] if name in choices else float(sign)
            for name, sign in zip(space.names, run, strict=True)
        }
        for run in signs
    ]


def centre_runs(space: FactorSpace, count: int, instead: str) -> list[CodedRun]:
    """Return ``count`` centre runs for each combination of levels that have no middle.

    Continuous factors stand at the middle of their range, discrete factors at their level nearest
    to it. Categorical factors, and numbers that can take only two values, have no middle.

    Raises:
        DesignError: If ``count`` is negative, no factor has a middle, or the combinations need too
            many runs.
    """
    check_count(count, "centre_points", at_least=0)
    places = [_middles(factor, space) for factor in space.searched]
    total = count * prod(len(place) for place in places)
    if total > MAX_RUNS:
        raise DesignError(
            f"{count} centre points at every combination of the levels without a middle are "
            f"{total} runs: set centre_points=0, or {instead}."
        )
    if count == 0:
        return []
    if all(len(place) > 1 for place in places):
        raise DesignError(
            f"None of the factors {list(space.names)} has a middle, so that there are no centre "
            "runs: set centre_points=0, and replicates if pure error is wanted."
        )
    combinations = [dict(zip(space.names, place, strict=True)) for place in product(*places)]
    return [run for run in combinations for _ in range(count)]


def check_count(value: object, what: str, *, at_least: int) -> int:
    """Return a whole number.

    Raises:
        DesignError: If it is no whole number, or too small.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < at_least:
        raise DesignError(f"{what} must be a whole number of at least {at_least}, got {value!r}.")
    return int(value)


def refuse_kinds(space: FactorSpace, kinds: tuple[type, ...], method: str, instead: str) -> None:
    """Refuse factors that a design cannot vary.

    Raises:
        DesignError: With the factors and what to use instead.
    """
    wrong = [factor.name for factor in space.searched if isinstance(factor, kinds)]
    if wrong:
        words = {
            MixtureComponent: "mixture components",
            CategoricalFactor: "categorical factors",
            DiscreteFactor: "discrete factors",
        }
        nouns = " and ".join(words[kind] for kind in kinds)
        raise DesignError(f"A {method} cannot vary {nouns}, here {wrong}: {instead}.")


def rounded(factor: ContinuousFactor, settings: FloatArray) -> FloatArray:
    """Return the nearest settings that the equipment can set, same shape.

    Settings outside the range stay outside it, on the grid of steps continued.
    """
    if factor.step is None:
        return _written(factor, settings)
    grid = factor.low + np.round((settings - factor.low) / factor.step) * factor.step
    margin = 1e-9 * (factor.high - factor.low)
    is_outside = (settings < factor.low - margin) | (settings > factor.high + margin)
    inside = nearest_numbers(factor, settings)
    return np.where(is_outside, _written(factor, grid), inside)


def _settings(
    factor: SearchedFactor, coded: FloatArray, plan: Plan, space: FactorSpace
) -> tuple[FloatArray, float]:
    """Return a numeric factor's settings, and how far rounding to steps moved them when coded."""
    assert not isinstance(factor, CategoricalFactor)
    natural = natural_values(factor, coded, space.mixture_total)
    natural = np.where(np.abs(coded + 1) < 1e-12, factor.low, natural)
    natural = np.where(np.abs(coded - 1) < 1e-12, factor.high, natural)
    if isinstance(factor, DiscreteFactor):
        return _levels(factor, natural, coded, plan, space), 0.0
    assert isinstance(factor, ContinuousFactor)
    settings = rounded(factor, natural)
    if factor.step is None:
        return settings, 0.0
    _check_still_apart(factor, coded, settings, plan)
    moved = np.abs(coded_values(factor, settings, space.mixture_total) - coded)
    largest = float(moved.max(initial=0.0))
    return settings, largest if largest > 1e-9 else 0.0


def _written(factor: ContinuousFactor, settings: FloatArray) -> FloatArray:
    if factor.scale == "log":
        written = np.array([float(f"{value:.{_DIGITS}g}") for value in settings])
    else:
        largest = max(abs(factor.low), abs(factor.high))
        written = np.round(settings, _DIGITS - 1 - floor(log10(largest)))
    # The ends were given by people, perhaps with more digits.
    for end in (factor.low, factor.high):
        written = np.where(np.isclose(settings, end, rtol=1e-13, atol=0.0), end, written)
    return np.asarray(written + 0.0, dtype=np.float64)


def _levels(
    factor: DiscreteFactor, natural: FloatArray, coded: FloatArray, plan: Plan, space: FactorSpace
) -> FloatArray:
    levels = np.asarray(factor.levels)
    apart = np.abs(coded_values(factor, levels, space.mixture_total) - coded[:, None])
    nearest = apart.argmin(axis=1)
    missed = np.flatnonzero(apart[np.arange(len(coded)), nearest] > 1e-9)
    if missed.size:
        raise DesignError(
            f"A {plan.method} needs '{factor.name}' at {natural[missed[0]]:g}, but its levels are "
            f"{list(factor.levels)}: {plan.instead}."
        )
    return np.asarray(levels[nearest], dtype=np.float64)


def _check_still_apart(
    factor: ContinuousFactor, coded: FloatArray, settings: FloatArray, plan: Plan
) -> None:
    asked = len(np.unique(np.round(coded, 9)))
    kept = len(np.unique(settings))
    # Space-filling runs share steps on purpose; the levels of a structured design must not.
    if kept < asked and "space" not in plan.point_types:
        raise DesignError(
            f"A {plan.method} needs {asked} settings of '{factor.name}', but with its "
            f"step of {factor.step:g} only {kept} of them differ: widen its range, or give a finer "
            "step."
        )


def _middles(factor: SearchedFactor, space: FactorSpace) -> tuple[Value, ...]:
    match factor:
        case CategoricalFactor(levels=levels):
            return levels
        case DiscreteFactor(levels=levels):
            coded = coded_values(factor, np.asarray(levels), space.mixture_total)
            if len(levels) == 2:
                return tuple(map(float, coded))
            return (float(coded[np.abs(coded).argmin()]),)
        case ContinuousFactor(low=low, high=high, step=step):
            return (0.0,) if step is None or (high - low) / step > 2 - 1e-9 else (-1.0, 1.0)
        case MixtureComponent():
            return (0.0,)


def _check_allowed(space: FactorSpace, runs: "pd.DataFrame", plan: Plan) -> dict[str, JSON]:
    """Return what to say about runs outside the ranges, having refused those not allowed."""
    faults = space.faults(runs)
    if not any(faults):
        return {}
    broken = np.zeros(len(runs), dtype=np.bool_)
    for constraint in space.all_constraints:
        broken |= ~constraint.holds(runs, sizes=space.sizes(runs))
    outside = np.array([bool(row) for row in faults])
    if broken.any() or not plan.beyond:
        _refuse(faults, broken if broken.any() and plan.beyond else outside, plan)
    return {
        "outside_ranges": [f"run {row + 1}: {faults[row][0]}" for row in np.flatnonzero(outside)]
    }


def _refuse(faults: Sequence[Sequence[str]], which: BoolArray, plan: Plan) -> None:
    rows = np.flatnonzero(which)
    shown = "; ".join(
        f"run {row + 1} ({plan.point_types[row]}): {', '.join(faults[row])}"
        for row in rows[:_SHOWN]
    )
    more = f"; and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    raise DesignError(
        f"{len(rows)} of {len(faults)} runs of this {plan.method} are not allowed: {shown}{more}. "
        f"Instead, {plan.instead}."
    )
