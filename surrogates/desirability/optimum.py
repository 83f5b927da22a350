"""A setting whose desirability is best nearby, and everything that is known of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from doe.arrays import FloatArray
from doe.factors import Value
from doe.responses import Desirability, Specification
from doe.space import FactorSpace
from surrogates.desirability.expected_responses import ExpectedResponses
from surrogates.desirability.search import LocalOptima
from surrogates.desirability.values import desirability_of, overall_desirability
from surrogates.probability import probability_in_specification

if TYPE_CHECKING:
    import pandas as pd

N_DRAWS = 10_000


@dataclass(frozen=True, eq=False)
class Optimum:
    """A setting from which no small change improves the overall desirability.

    Attributes:
        settings: Natural units, by factor, on the steps of the equipment.
        coded: Coded units; levels of categorical factors as they are.
        desirability: Overall desirability D of the expected responses.
        parts: Desirability of each response.
        predicted: Expected value of each response, in its unit.
        intervals: Interval of one new run per response; empty where functions give responses.
        expected_desirability: Mean of D over new runs, noise and model error included; absent where
            functions give responses.
        probability: Of one new run meeting every specification; absent without any.
        extrapolates: Whether a surrogate was not learned there; absent where functions give
            responses.
        n_reached: How many starts led here.
        is_flat: Whether other settings near by reach the same D.
    """

    settings: Mapping[str, Value]
    coded: Mapping[str, Value]
    desirability: float
    parts: Mapping[str, float]
    predicted: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    expected_desirability: float | None
    probability: float | None
    extrapolates: bool | None
    n_reached: int
    is_flat: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Uncertainty:
    """What surrogates say of new runs at each optimum; empty where functions give responses."""

    intervals: list[dict[str, tuple[float, float]]]
    desirability: list[float | None]
    probability: list[float | None]
    extrapolates: list[bool | None]


def described(
    found: LocalOptima,
    objective: Desirability,
    *,
    space: FactorSpace,
    expected: ExpectedResponses,
    specifications: Sequence[Specification],
    coverage: float,
    rng: np.random.Generator,
) -> tuple[Optimum, ...]:
    """Return the optima with everything that is known of them, best first."""
    settings, names = found.settings, expected.names
    if settings.empty:
        return ()
    n = len(settings)
    values = dict(zip(names, expected.means(settings), strict=True))
    known = _Uncertainty([{} for _ in range(n)], [None] * n, [None] * n, [None] * n)
    if expected.surrogate_set is not None and expected.is_predicted:
        draws = dict(zip(names, expected.draws(settings, N_DRAWS, rng=rng), strict=True))
        values |= {name: draws[name].mean(axis=0) for name in expected.derived}
        means = overall_desirability(objective, draws).mean(axis=0)
        known.desirability[:] = [float(mean) for mean in means]
        _judge(known, expected, settings=settings, draws=draws, coverage=coverage)
        if specifications:
            chances = probability_in_specification(
                expected.surrogate_set, specifications, settings, rng=rng
            ).joint
            known.probability[:] = [float(chance) for chance in chances]
    parts = {g.response: desirability_of(g, values[g.response]) for g in objective.goals}
    overall = overall_desirability(objective, values)
    coded = space.to_coded(settings)
    optima = [
        _optimum(found, row, known, values=values, parts=parts, total=overall, coded=coded)
        for row in range(n)
    ]
    return tuple(sorted(optima, key=lambda optimum: -round(optimum.desirability, 9)))


def _optimum(
    found: LocalOptima,
    row: int,
    known: _Uncertainty,
    *,
    values: Mapping[str, FloatArray],
    parts: Mapping[str, FloatArray],
    total: FloatArray,
    coded: "pd.DataFrame",
) -> Optimum:
    return Optimum(
        settings=_plain(found.settings.iloc[row]),
        coded=_plain(coded.iloc[row]),
        desirability=float(total[row]),
        parts={name: float(part[row]) for name, part in parts.items()},
        predicted={name: float(value[row]) for name, value in values.items()},
        intervals=known.intervals[row],
        expected_desirability=known.desirability[row],
        probability=known.probability[row],
        extrapolates=known.extrapolates[row],
        n_reached=int(found.n_reached[row]),
        is_flat=bool(found.is_flat[row]),
    )


def _judge(
    known: _Uncertainty,
    expected: ExpectedResponses,
    *,
    settings: "pd.DataFrame",
    draws: Mapping[str, FloatArray],
    coverage: float,
) -> None:
    """Fill in the interval of a new run per optimum and response, and where one extrapolates."""
    surrogates = {} if expected.surrogate_set is None else expected.surrogate_set.surrogates
    outside = np.zeros(len(settings), dtype=np.bool_)
    ends: dict[str, tuple[FloatArray, FloatArray]] = {}
    for name, surrogate in surrogates.items():
        if name in expected.names or expected.derived:
            prediction = surrogate.predict(settings)
            outside |= prediction.extrapolates
            ends[name] = prediction.interval(coverage)
    for name in expected.derived:
        lower, upper = np.quantile(draws[name], [0.5 - coverage / 2, 0.5 + coverage / 2], axis=0)
        ends[name] = (lower, upper)
    for row, intervals in enumerate(known.intervals):
        for name in expected.names:
            intervals[name] = (float(ends[name][0][row]), float(ends[name][1][row]))
    known.extrapolates[:] = [bool(flag) for flag in outside]


def _plain(row: "pd.Series[Any]") -> dict[str, Value]:
    return {
        str(name): value if isinstance(value, str) else float(value) for name, value in row.items()
    }
