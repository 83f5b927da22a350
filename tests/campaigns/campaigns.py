"""Small campaigns for tests: two factors, two responses, and a strategy that needs no model."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from campaigns.campaign import Campaign
from campaigns.envelope import Actor
from campaigns.ledger import Ledger
from campaigns.recommending.strategy import (
    BatchRequest,
    Progress,
    Proposal,
    ProposedRun,
    Reason,
    StrategyContext,
    no_progress,
)
from doe.factors import BlockFactor, ContinuousFactor
from doe.responses import Goal, Response, Single, Specification
from doe.runs import Design, Measurement
from doe.space import FactorSpace

ANA = Actor("ana", "Ana Silva")
BEN = Actor("ben", "Ben Okafor")
SPACE = FactorSpace(
    (ContinuousFactor("pH", 6.8, 7.4, step=0.05), ContinuousFactor("temperature", 30, 38, "degC"))
)
BLOCKED_SPACE = FactorSpace((*SPACE.factors, BlockFactor("vessel")))
RESPONSES = (Response("titre", "g/L"), Response("aggregates", "%"))
LIMITS = (Specification("aggregates", upper=2.0),)
GOAL = Single(Goal("titre", "maximise"))


def new_campaign(
    store: str | Path | Ledger = ":memory:",
    name: str = "feed study",
    *,
    seed: int = 7,
    space: FactorSpace = SPACE,
) -> Campaign:
    """Return a fresh campaign of two factors and two responses."""
    return Campaign.create(store, name, space, RESPONSES, LIMITS, GOAL, seed=seed, actor=ANA)


def corners(space: FactorSpace = SPACE) -> Design:
    """Return the four corners and the centre of the two factors."""
    rows = [(6.8, 30), (7.4, 30), (6.8, 38), (7.4, 38), (7.1, 34)]
    return Design(space, pd.DataFrame(rows, columns=["pH", "temperature"]), "corners and centre")


def titre_of(settings: Mapping[str, object]) -> float:
    """Return a titre that peaks at pH 7.1 and 35 degC, in g/L."""
    ph, temperature = float(str(settings["pH"])), float(str(settings["temperature"]))
    return 5 - 8 * (ph - 7.1) ** 2 - 0.05 * (temperature - 35) ** 2


def results(campaign: Campaign, *runs: str) -> list[Measurement]:
    """Return both responses of these runs."""
    values = []
    for run in runs:
        settings = campaign.state.run(run).target
        values.append(Measurement(run, "titre", titre_of(settings)))
        values.append(Measurement(run, "aggregates", 0.05 * float(settings["temperature"])))
    return values


class DrawnStrategy:
    """Draws allowed settings; for tests of everything around a strategy."""

    name = "drawn/1"
    learns = False

    def propose(
        self,
        context: StrategyContext,
        request: BatchRequest,
        *,
        rng: np.random.Generator,
        progress: Progress = no_progress,
    ) -> Proposal:
        """Return draws from the factor space."""
        drawn = context.space.sample(request.n_runs, rng=rng)
        rows = drawn[list(context.space.names)].to_dict(orient="records")
        runs = tuple(
            ProposedRun(
                settings={str(name): value for name, value in row.items()},
                predictions=(),
                probability_in_specification=None,
                nearest_run=None,
                nearest_distance=None,
                reason=Reason("explore", "It was drawn."),
                acquisition=None,
                extrapolates=False,
            )
            for row in rows
        )
        return Proposal(runs, self.name)
