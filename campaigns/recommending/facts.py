"""What a person needs beside the settings of a proposed run, to decide on it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from campaigns.recommending.distances import distances, runs_known
from campaigns.recommending.strategy import ProposedRun, Reason, ResponsePrediction, StrategyContext
from doe.arrays import BoolArray, FloatArray
from doe.constraints import ForbiddenCombination
from doe.errors import InfeasibleSpaceError, UnknownNameError
from doe.factors import CategoricalFactor, Value
from doe.space import FactorSpace
from surrogates.surrogate import NEW_BLOCK, Block, SurrogateSet

if TYPE_CHECKING:
    import pandas as pd

COVERAGE = 0.95
N_DRAWS = 4096


def proposed_runs(
    context: StrategyContext,
    settings: "pd.DataFrame",
    reasons: Sequence[Reason],
    acquisitions: Sequence[float | None],
    *,
    block: Mapping[str, str],
    rng: np.random.Generator,
) -> tuple[ProposedRun, ...]:
    """Return the runs with their predictions, checked once more against the factor space.

    Args:
        context: The campaign's state.
        settings: One row per run, in natural units.
        reasons: Why, one per run.
        acquisitions: Value of the acquisition, one per run.
        block: The level of each block factor that the batch will be run in, where known.
        rng: Source of the draws for derived responses.

    Raises:
        InfeasibleSpaceError: If a setting is not allowed or not on the steps. No strategy may hand
            out such a run, so nothing is mended here.
        UnknownNameError: If there is no such block factor.
    """
    space = context.space
    refuse_forbidden(space, settings)
    predictions, outside = _predictions(context, settings, block, rng)
    probabilities = _probabilities(context, settings, block, rng)
    nearest = _nearest(context, settings)
    slacks = _slacks(space, settings)
    return tuple(
        ProposedRun(
            settings=_values(space, settings, row),
            predictions=tuple(per_response[row] for per_response in predictions),
            probability_in_specification=(
                None if probabilities is None else float(probabilities[row])
            ),
            nearest_run=nearest[row][0],
            nearest_distance=nearest[row][1],
            reason=reasons[row],
            acquisition=acquisitions[row],
            extrapolates=bool(outside[row]),
            slack={sentence: float(room[row]) for sentence, room in slacks.items()},
        )
        for row in range(len(settings))
    )


def refuse_forbidden(space: FactorSpace, settings: "pd.DataFrame") -> None:
    """Refuse settings that are not allowed or that the equipment cannot set.

    Raises:
        InfeasibleSpaceError: With what is wrong.
    """
    allowed, possible = space.contains(settings), space.on_steps(settings)
    for row in map(int, np.flatnonzero(~(allowed & possible))):
        faults = space.faults(settings.iloc[[row]])[0] or ("not on the factors' steps",)
        raise InfeasibleSpaceError(
            f"The search ended at {dict(settings.iloc[row])}, which is not allowed: "
            f"{'; '.join(faults)}. Nothing is proposed. Please report it with the factor space."
        )


def _predictions(
    context: StrategyContext,
    settings: "pd.DataFrame",
    block: Mapping[str, str],
    rng: np.random.Generator,
) -> tuple[list[list[ResponsePrediction]], BoolArray]:
    """Return per response one prediction per run, and where any surrogate extrapolates."""
    surrogates = context.surrogates
    outside = np.zeros(len(settings), dtype=np.bool_)
    if surrogates is None:
        return [], outside
    units = {response.name: response.unit for response in context.responses}
    found = []
    for name, surrogate in surrogates.surrogates.items():
        prediction = surrogate.predict(settings, block=_seen(context, block, [name]))
        low, high = prediction.interval(COVERAGE)
        outside = outside | prediction.extrapolates
        found.append(_rows(name, units.get(name, ""), prediction.mean, low, high))
    if surrogates.derived:
        draws = _new_run_draws(context, surrogates, settings, block, rng)
        for response in surrogates.derived:
            values = draws[response.name]
            low, high = np.nanquantile(values, [0.5 - COVERAGE / 2, 0.5 + COVERAGE / 2], axis=0)
            mean = np.nanmean(values, axis=0)
            found.append(_rows(response.name, response.unit, mean, low, high))
    return found, outside


def _rows(
    name: str, unit: str, mean: FloatArray, low: FloatArray, high: FloatArray
) -> list[ResponsePrediction]:
    rows = zip(mean, low, high, strict=True)
    return [ResponsePrediction(name, float(m), float(a), float(b), unit) for m, a, b in rows]


def _probabilities(
    context: StrategyContext,
    settings: "pd.DataFrame",
    block: Mapping[str, str],
    rng: np.random.Generator,
) -> FloatArray | None:
    """Return P(one new run meets every specification), shape ``(n_runs,)``.

    In closed form where every limit is on a measured response and responses are independent given
    the settings; else the share of joint draws.
    """
    surrogates = context.surrogates
    if surrogates is None or not context.specifications:
        return None
    measured = all(s.response in surrogates.surrogates for s in context.specifications)
    names = [limits.response for limits in context.specifications]
    if measured and surrogates.independent and len(set(names)) == len(names):
        total = np.ones(len(settings))
        for limits in context.specifications:
            seen = _seen(context, block, [limits.response])
            prediction = surrogates[limits.response].predict(settings, block=seen)
            total = total * prediction.predictive.probability_within(limits.lower, limits.upper)
        return total
    draws = _new_run_draws(context, surrogates, settings, block, rng)
    met = np.ones((N_DRAWS, len(settings)), dtype=np.bool_)
    for limits in context.specifications:
        values = draws[limits.response]
        low = -np.inf if limits.lower is None else limits.lower
        high = np.inf if limits.upper is None else limits.upper
        # A comparison with NaN is false: a run without a value does not meet its limits.
        met &= (values >= low) & (values <= high)
    return np.asarray(met.mean(axis=0), dtype=np.float64)


def _new_run_draws(
    context: StrategyContext,
    surrogates: SurrogateSet,
    settings: "pd.DataFrame",
    block: Mapping[str, str],
    rng: np.random.Generator,
) -> dict[str, FloatArray]:
    draws = surrogates.sample(
        settings,
        N_DRAWS,
        kind="new_run",
        block=_seen(context, block, list(surrogates.surrogates)),
        rng=rng,
    )
    return {name: draws[..., place] for place, name in enumerate(surrogates.responses)}


def _seen(context: StrategyContext, block: Mapping[str, str], responses: Sequence[str]) -> Block:
    """Return the block levels that the runs with results have seen; others are new ones."""
    observations = context.observations
    known: dict[str, str] = {}
    for factor, level in block.items():
        if factor not in observations.recorded:
            raise UnknownNameError(
                f"The batch is to be run in {factor} '{level}', but no block factor is called "
                f"'{factor}'; there are {[block.name for block in context.space.blocks]}."
            )
        column = observations.recorded[factor]
        seen = [
            {str(column[m.run]) for m in observations.measurements if m.response == response}
            for response in responses
        ]
        if all(level in levels for levels in seen):
            known[factor] = level
    return known or NEW_BLOCK


def _nearest(
    context: StrategyContext, settings: "pd.DataFrame"
) -> list[tuple[str | None, float | None]]:
    """Return for each run the nearest one done or pending, and its distance."""
    others = runs_known(context)
    if others.empty:
        return [(None, None)] * len(settings)
    apart = distances(context.space, settings, others)
    return [
        (str(others.index[place]), float(apart[row, place]))
        for row, place in enumerate(apart.argmin(axis=1))
    ]


def _slacks(space: FactorSpace, settings: "pd.DataFrame") -> dict[str, FloatArray]:
    """Return the room under each constraint that has a measure of it, by its sentence."""
    found = {}
    for constraint in space.all_constraints:
        if not isinstance(constraint, ForbiddenCombination):
            room = constraint.slack(settings)
            # Rounding leaves an equality off by 1e-17, which means nothing to anybody.
            found[constraint.sentence()] = np.where(np.abs(room) < 1e-9, 0.0, room)
    return found


def _values(space: FactorSpace, settings: "pd.DataFrame", row: int) -> dict[str, Value]:
    return {
        factor.name: (
            str(settings[factor.name].iloc[row])
            if isinstance(factor, CategoricalFactor)
            else float(settings[factor.name].iloc[row])
        )
        for factor in space.searched
    }
