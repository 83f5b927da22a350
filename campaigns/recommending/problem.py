"""From a campaign's state and a request to what a search needs, checked before any draw."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from campaigns.recommending.acquisition import Acquisition, standard_normals
from campaigns.recommending.botorch_models import (
    SurfacePosterior,
    differentiable,
    outcomes_of,
    posterior_of,
)
from campaigns.recommending.feasible import FeasibleRegion, narrowed
from campaigns.recommending.goals import Wanted, wanted
from campaigns.recommending.outcomes import Draws, Outcomes
from campaigns.recommending.standing import (
    contenders,
    draws_at,
    independent_draws,
    shortlist,
    worth_of,
)
from campaigns.recommending.strategy import BatchRequest, StrategyContext
from campaigns.recommending.values import Worth
from doe.errors import InvalidValueError, TooFewDataError, UnknownNameError
from doe.expressions import parse_expression
from doe.responses import DerivedResponse, Objective, Single, Specification, goals_of
from surrogates.surrogate import SurrogateSet

if TYPE_CHECKING:
    import pandas as pd


MAX_FRONTS = {2: 128, 3: 64, 4: 64}  # draws, by number of goals


@dataclass(frozen=True, eq=False)
class Problem:
    """Everything that the choice of a batch depends on.

    Attributes:
        region: The allowed settings.
        posterior: What is known of the measured responses that matter.
        outcomes: From draws to responses in natural units.
        wanted: What is to be made large.
        worth: What a run is worth.
        standing: Encoded settings of runs that may be the best, then of all pending ones.
        standing_names: Their names.
        n_done: How many of them have results.
        known: Encoded settings of every run done or pending.
        notes: What a person should know.
    """

    region: FeasibleRegion
    posterior: SurfacePosterior
    outcomes: Outcomes
    wanted: Wanted
    worth: Worth
    standing: Tensor
    standing_names: tuple[str, ...]
    n_done: int
    known: Tensor
    notes: tuple[str, ...]

    def acquisition(self, n_runs: int, n_draws: int, *, seed: int) -> Acquisition:
        """Return the acquisition of the first run of a batch, with numbers for all of them."""
        n_settings = len(self.standing) + n_runs
        # Each draw has a front of its own; with more than two goals its cells cost milliseconds.
        n_draws = min(n_draws, MAX_FRONTS.get(len(self.worth.wanted.values), n_draws))
        normals = standard_normals(n_draws, n_settings, len(self.outcomes.scales), seed=seed)
        return Acquisition(self.posterior, self.outcomes, self.worth, self.standing, normals)


def problem_of(context: StrategyContext, request: BatchRequest, *, seed: int) -> Problem:
    """Return the problem that a strategy with surrogates has to solve.

    Raises:
        TooFewDataError: If there are no results, or none that say anything about the objective.
        InvalidValueError: If the objective cannot be searched, or a fixed setting is not allowed.
        UnknownNameError: If objective or specifications name an unknown response.
    """
    objective = request.objective or context.objective
    limits = _limits_beside(objective, context.specifications)
    measured = _measured_responses(context, objective)
    surrogates = _surrogates(context, measured)
    _refuse_constant(context, objective)
    models = differentiable(surrogates, measured)
    space = narrowed(context.space, request.fixed) if request.fixed else context.space
    region = FeasibleRegion(space, models[0].encoding, request.fixed)
    done, notes = _runs_done(context)
    posterior = posterior_of(models)
    units = {response.name: response.unit for response in context.responses}
    outcomes = outcomes_of(models, surrogates, region, units, done)
    encoded = region.encoding.encode(done)
    settings, places = _distinct(encoded)
    draws = outcomes.draws(independent_draws(posterior, settings, seed=seed), settings)
    goal = wanted(objective, limits, spreads=_spreads(draws, outcomes), units=units)
    listed = shortlist(goal, limits, draws)
    settings, places = settings[listed], [places[i] for i in listed]
    draws = outcomes.draws(draws_at(posterior, settings, seed=seed), settings)
    worth, stage = worth_of(objective, goal, limits, draws)
    kept = contenders(worth, draws)
    pending, pending_names = _pending(context, region)
    names = [str(done.index[places[i]]) for i in kept]
    return Problem(
        region=region,
        posterior=posterior,
        outcomes=outcomes,
        wanted=goal,
        worth=worth,
        standing=torch.cat([settings[kept], pending]),
        standing_names=(*names, *pending_names),
        n_done=len(kept),
        known=torch.cat([region.encoding.encode(context.observations.target), pending]),
        notes=(*notes, *stage),
    )


def _limits_beside(
    objective: Objective, specifications: Sequence[Specification]
) -> tuple[Specification, ...]:
    """Return the specifications but for one that a single goal pushes towards anyway.

    "At least 1" beside "as much as possible" of the same response adds nothing to what is wanted;
    as a constraint it would only make all that is below 1 look the same.
    """
    if not isinstance(objective, Single):
        return tuple(specifications)
    goal = objective.goal
    return tuple(
        limit
        for limit in specifications
        if limit.response != goal.response
        or not (
            (goal.aim == "maximise" and limit.upper is None)
            or (goal.aim == "minimise" and limit.lower is None)
        )
    )


def seeding_advice(context: StrategyContext) -> str:
    """Return which runs to do first, for a campaign whose results are too few."""
    n_factors = len(context.space.searched)
    n_runs = max(2 * (n_factors + 1), 6)
    return (
        f"Seed the campaign first with about {n_runs} runs that span the factor space, such as "
        f"latin_hypercube or a central composite design of its {n_factors} factors, and record "
        "their results."
    )


def _measured_responses(context: StrategyContext, objective: Objective) -> tuple[str, ...]:
    """Return the measured responses that objective and specifications depend on."""
    by_name = {response.name: response for response in context.responses}
    found: dict[str, None] = {}

    def add(name: str, asked_by: str) -> None:
        response = by_name.get(name)
        if response is None:
            raise UnknownNameError(f"{asked_by} names '{name}'; the responses are {list(by_name)}.")
        if not isinstance(response, DerivedResponse):
            found[name] = None
            return
        for part in parse_expression(response.expression).names:
            if part not in context.space.names:
                add(part, f"The derived response '{name}'")

    for goal in goals_of(objective):
        add(goal.response, "The objective")
    for limits in context.specifications:
        add(limits.response, "A specification")
    if not found:
        raise InvalidValueError(
            "Neither the objective nor a specification depends on a measured response: there is "
            "nothing to learn from runs. Choose a goal on a response."
        )
    # In the campaign's order, so that draws do not depend on how the objective is written.
    return tuple(name for name in by_name if name in found)


def _surrogates(context: StrategyContext, measured: Sequence[str]) -> SurrogateSet:
    surrogates = context.surrogates
    if surrogates is None or not context.observations.measurements:
        n_runs = len(context.observations.runs)
        what = f"{n_runs} runs without a result" if n_runs else "no runs"
        raise TooFewDataError(
            f"The campaign has {what}: there is nothing to learn from yet. "
            f"{seeding_advice(context)}"
        )
    absent = [name for name in measured if name not in surrogates.surrogates]
    if absent:
        raise TooFewDataError(
            f"No surrogate predicts {absent}, which the objective or a specification depends on: "
            f"too few runs have results for it. {seeding_advice(context)}"
        )
    if surrogates.space.searched != context.space.searched:
        raise InvalidValueError(
            "The surrogates were learned over other factors or ranges than the campaign's now: "
            "fit them again."
        )
    return surrogates


def _refuse_constant(context: StrategyContext, objective: Objective) -> None:
    """Refuse an objective that no run has moved."""
    names = (
        _measured_responses(
            StrategyContext(context.observations, None, (), objective, context.pending), objective
        )
        if goals_of(objective)
        else ()
    )
    values = {name: context.observations.values(name)["value"] for name in names}
    if not values or any(len(set(column)) > 1 or len(column) < 2 for column in values.values()):
        return
    name, column = next(iter(values.items()))
    unit = next(r.unit for r in context.responses if r.name == name)
    raise TooFewDataError(
        f"'{name}' is {column.iloc[0]:g} {unit} on all {len(column)} results: the runs do not say "
        "in which direction it changes. Check the measurements and the detection limit, widen the "
        "ranges, or do a space-filling batch."
    )


def _runs_done(context: StrategyContext) -> "tuple[pd.DataFrame, tuple[str, ...]]":
    """Return the settings of runs with results that count as attained, and notes."""
    observations = context.observations
    with_results = {measurement.run for measurement in observations.measurements}
    settings = observations.settings()[list(context.space.names)]
    done = settings[[str(run) in with_results for run in settings.index]]
    allowed = context.space.contains(observations.target.loc[done.index])
    if allowed.all() or not allowed.any():
        return done, ()
    outside = int((~allowed).sum())
    note = (
        f"{outside} earlier runs were asked for outside the factor space: they inform the "
        "surrogates, but do not count as the best so far."
    )
    return done[allowed], (note,)


def _distinct(settings: Tensor) -> tuple[Tensor, list[int]]:
    """Return the distinct rows in order of first appearance, and where each first stands."""
    rounded = np.round(settings.numpy(), 9)
    _, first = np.unique(rounded, axis=0, return_index=True)
    places = sorted(int(place) for place in first)
    return settings[places], places


def _spreads(draws: Draws, outcomes: Outcomes) -> dict[str, float]:
    names = [*(s.name for s in outcomes.scales), *(d.name for d in outcomes.derived)]
    spreads = {}
    for name in names:
        values = draws.value(name)
        finite = values[torch.isfinite(values)]
        spread = float(finite.std()) if finite.numel() > 1 else 0.0
        spreads[name] = spread if spread > 0 else 1.0
    return spreads


def _pending(context: StrategyContext, region: FeasibleRegion) -> tuple[Tensor, tuple[str, ...]]:
    if context.pending.empty:
        return torch.empty(0, region.n_columns, dtype=torch.float64), ()
    names = tuple(str(run) for run in context.pending.index)
    return region.encoding.encode(context.pending), names
