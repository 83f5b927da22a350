"""Small studies with a known truth, shared by the tests of surrogates."""

import numpy as np
import pandas as pd

from doe.arrays import FloatArray
from doe.factors import BlockFactor, CategoricalFactor, ContinuousFactor, DiscreteFactor, Factor
from doe.responses import AnyResponse, Response, Transform
from doe.runs import Observations
from doe.space import FactorSpace

# Montgomery, Design and Analysis of Experiments, example 11-1: coded time and temperature, yield.
MONTGOMERY_FACTORIAL = {(-1, -1): 76.5, (-1, 1): 77.0, (1, -1): 78.0, (1, 1): 79.5}
MONTGOMERY_CENTRE = (79.9, 80.3, 80.0, 79.7, 79.8)
MONTGOMERY_AXIAL = {(1, 0): 78.4, (-1, 0): 75.6, (0, 1): 78.5, (0, -1): 77.0}

CULTURE = (
    ContinuousFactor("pH", 6.6, 7.4),
    ContinuousFactor("temperature", 30.0, 38.0, "degC"),
    ContinuousFactor("feed rate", 0.1, 10.0, "mL/h", scale="log"),
)
MIXED = (
    ContinuousFactor("pH", 6.6, 7.4),
    DiscreteFactor("shift day", (3.0, 4.0, 5.0, 7.0), "d"),
    CategoricalFactor("resin", ("A", "B", "C")),
)


def montgomery_points(axial: float = 2**0.5) -> tuple[FloatArray, FloatArray]:
    """Return coded settings, shape ``(13, 2)``, and yields in the printed order."""
    points = [*MONTGOMERY_FACTORIAL, *[(0, 0)] * 5]
    points += [(axial * a, axial * b) for a, b in MONTGOMERY_AXIAL]
    yields = [*MONTGOMERY_FACTORIAL.values(), *MONTGOMERY_CENTRE, *MONTGOMERY_AXIAL.values()]
    return np.array(points, dtype=np.float64), np.array(yields)


def truth(settings: pd.DataFrame) -> FloatArray:
    """Return a curved surface with an interaction, about 50, for the factors of ``CULTURE``."""
    ph = (settings["pH"].to_numpy(np.float64) - 7.0) / 0.4
    warmth = (settings["temperature"].to_numpy(np.float64) - 34.0) / 4.0
    feed = np.log10(settings["feed rate"].to_numpy(np.float64))
    return np.asarray(50 + 6 * ph - 8 * ph**2 + 4 * warmth * ph + 3 * feed - 2 * warmth)


def mixed_truth(settings: pd.DataFrame) -> FloatArray:
    """Return a surface for the factors of ``MIXED``, different per resin."""
    ph = (settings["pH"].to_numpy(np.float64) - 7.0) / 0.4
    day = (settings["shift day"].to_numpy(np.float64) - 5.0) / 2.0
    resin = settings["resin"].map({"A": 0.0, "B": 3.0, "C": -4.0}).to_numpy(np.float64)
    return np.asarray(30 + 5 * ph - 3 * day + resin * (1 + 0.3 * ph))


def culture_study(
    *,
    n_runs: int = 24,
    noise: float = 1.0,
    block_std: float | None = None,
    n_blocks: int = 6,
    transform: Transform = "none",
    seed: int = 1,
) -> Observations:
    """Return runs spread over ``CULTURE`` with three replicates of the middle."""
    rng = np.random.default_rng(seed)
    blocks: tuple[Factor, ...] = () if block_std is None else (BlockFactor("day"),)
    space = FactorSpace((*CULTURE, *blocks))
    settings = FactorSpace(CULTURE).sample(n_runs - 3, rng=rng)
    middle = pd.DataFrame({"pH": [7.0], "temperature": [34.0], "feed rate": [1.0]})
    settings = pd.concat([settings, middle, middle, middle], ignore_index=True)
    values = truth(settings) + noise * rng.standard_normal(n_runs)
    if block_std is not None:
        days = np.arange(n_runs) % n_blocks
        values = values + block_std * rng.standard_normal(n_blocks)[days]
        settings["day"] = [str(day) for day in days]
    if transform == "log":
        values = np.exp(values / 20)
    responses: tuple[AnyResponse, ...] = (Response("titre", "g/L", transform=transform),)
    return Observations.from_frame(settings.assign(titre=values), space, responses)


def mixed_study(*, n_runs: int = 24, noise: float = 0.5, seed: int = 2) -> Observations:
    """Return runs over continuous, discrete and categorical factors."""
    rng = np.random.default_rng(seed)
    space = FactorSpace(MIXED)
    settings = space.sample(n_runs, rng=rng)
    values = mixed_truth(settings) + noise * rng.standard_normal(n_runs)
    return Observations.from_frame(settings.assign(purity=values), space, (Response("purity"),))
