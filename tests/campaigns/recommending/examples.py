"""Small campaigns with a known truth, shared by the tests of strategies."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from campaigns.recommending.bayesian import BayesianStrategy
from campaigns.recommending.search import Effort
from campaigns.recommending.strategy import BatchRequest, Proposal, Strategy, StrategyContext
from doe.arrays import FloatArray
from doe.constraints import ForbiddenCombination, LinearConstraint
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
)
from doe.responses import (
    AnyResponse,
    DerivedResponse,
    Goal,
    Objective,
    Response,
    Single,
    Specification,
)
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.gaussian_process.fitting import fit_gp
from surrogates.gaussian_process.options import FixedHyperparameters, GPOptions
from surrogates.surrogate import SurrogateSet

Truth = Callable[[pd.DataFrame], FloatArray]

QUICK = GPOptions(n_starts=1)
QUICK_STRATEGY = BayesianStrategy(Effort(n_draws=64, n_raw=128, n_starts=3, n_iterations=30))
TITRE = Response("titre", "g/L")
PURITY = Response("purity", "%")

SQUARE = FactorSpace(
    (ContinuousFactor("pH", 6.0, 8.0, step=0.02), ContinuousFactor("feed", 0, 10, "mL/h", step=0.1))
)
CONSTRAINED = FactorSpace(SQUARE.factors, (LinearConstraint({"pH": 5.0, "feed": 1.0}, upper=39.0),))
MIXED = FactorSpace(
    (
        ContinuousFactor("pH", 6.0, 8.0, step=0.02),
        ContinuousFactor("salt", 0.01, 1.0, "mol/L", scale="log"),
        DiscreteFactor("day", (1, 2, 4, 7), "d"),
        CategoricalFactor("resin", ("A", "B", "C")),
    ),
    (ForbiddenCombination({"pH": (7.2, None), "resin": ("A", "B")}),),
)
MEDIUM = FactorSpace(
    (
        MixtureComponent("glucose", 0.0, 0.8, step=0.01),
        MixtureComponent("yeast", 0.1, 0.9, step=0.01),
        MixtureComponent("salts", 0.0, 0.5, step=0.01),
    )
)


def hill(settings: pd.DataFrame) -> FloatArray:
    """Return a quadratic hill over ``SQUARE``: 10 at pH 7.4 and feed 3."""
    ph = (settings["pH"].to_numpy(np.float64) - 7.4) / 2
    feed = (settings["feed"].to_numpy(np.float64) - 3) / 10
    return np.asarray(10 - 20 * ph**2 - 20 * feed**2)


def mixed_hill(settings: pd.DataFrame) -> FloatArray:
    """Return a surface over ``MIXED`` that is highest at resin C, day 4, pH 7, salt 0.1."""
    ph = settings["pH"].to_numpy(np.float64) - 7.0
    salt = np.log10(settings["salt"].to_numpy(np.float64)) + 1
    day = (settings["day"].to_numpy(np.float64) - 4.0) / 3
    resin = settings["resin"].map({"A": 0.0, "B": 1.0, "C": 4.0}).to_numpy(np.float64)
    return np.asarray(10 + resin - 4 * ph**2 - 4 * salt**2 - 3 * day**2)


def medium_hill(settings: pd.DataFrame) -> FloatArray:
    """Return a surface over ``MEDIUM`` that is highest at 0.3, 0.5, 0.2."""
    glucose = settings["glucose"].to_numpy(np.float64) - 0.3
    yeast = settings["yeast"].to_numpy(np.float64) - 0.5
    return np.asarray(5 - 20 * glucose**2 - 20 * yeast**2)


def study(
    space: FactorSpace,
    truths: Mapping[str, Truth],
    responses: Sequence[AnyResponse] = (TITRE,),
    *,
    n_runs: int = 12,
    noise: float = 0.1,
    seed: int = 1,
    settings: pd.DataFrame | None = None,
) -> Observations:
    """Return runs spread over a space, with results that follow the truths with normal noise."""
    rng = np.random.default_rng(seed)
    settings = space.sample(n_runs, rng=rng) if settings is None else settings
    results = {
        name: truth(settings) + noise * rng.standard_normal(len(settings))
        for name, truth in truths.items()
    }
    runs = [f"R{i + 1}" for i in range(len(settings))]
    return Observations.from_frame(settings.assign(run=runs, **results), space, responses)


def context_of(
    observations: Observations,
    objective: Objective | None = None,
    specifications: Sequence[Specification] = (),
    *,
    pending: pd.DataFrame | None = None,
    options: GPOptions = QUICK,
) -> StrategyContext:
    """Return what a strategy may know, with a Gaussian process per measured response."""
    surrogates = {
        response.name: fit_gp(
            observations, response.name, options=options, rng=np.random.default_rng(0)
        )
        for response in observations.responses
        if isinstance(response, Response)
    }
    derived = tuple(r for r in observations.responses if isinstance(r, DerivedResponse))
    none = observations.target.iloc[:0]
    return StrategyContext(
        observations=observations,
        surrogates=SurrogateSet(surrogates, derived),
        specifications=tuple(specifications),
        objective=Single(Goal("titre")) if objective is None else objective,
        pending=none if pending is None else pending,
    )


def known_scales(
    *, length: Mapping[str, float], signal: float, noise: float, mean: float | None = None
) -> GPOptions:
    """Return options under which nothing is learned but the surface: SDs in the natural unit."""
    return GPOptions(
        fixed=FixedHyperparameters(
            mean=mean,
            signal_variance=signal**2,
            length_scales=dict(length),
            noise_variance=noise**2,
        )
    )


def settings_of(runs: Sequence[object]) -> pd.DataFrame:
    """Return the settings of proposed runs, one row each."""
    return pd.DataFrame([dict(run.settings) for run in runs])  # type: ignore[attr-defined]  # runs


def propose(
    context: StrategyContext,
    n_runs: int = 2,
    *,
    seed: int = 3,
    strategy: Strategy = QUICK_STRATEGY,
    **request: Any,
) -> Proposal:
    """Return what a strategy proposes for a campaign."""
    rng = np.random.default_rng(seed)
    return strategy.propose(context, BatchRequest(n_runs, **request), rng=rng)
