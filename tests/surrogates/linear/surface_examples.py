"""Runs on surfaces that are known exactly, shared by the tests of optima."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd

from doe.arrays import FloatArray
from doe.factors import ContinuousFactor
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from doe.terms import Terms
from surrogates.linear.model import LinearModel, fit_linear


def cube(n_factors: int, low: float = -1.0, high: float = 1.0) -> FactorSpace:
    """Return factors x1, x2, ... over one range."""
    return FactorSpace(tuple(ContinuousFactor(f"x{i + 1}", low, high) for i in range(n_factors)))


def grid(space: FactorSpace, n_levels: int = 3) -> pd.DataFrame:
    """Return every combination of equally spaced settings, natural units."""
    levels = np.linspace(-1, 1, n_levels)
    points = np.array(list(product(levels, repeat=len(space.names))))
    return space.to_natural(pd.DataFrame(points, columns=list(space.names)))


def surface_study(
    space: FactorSpace,
    *,
    slope: FloatArray,
    curvature: FloatArray,
    constant: float = 50.0,
    noise: float = 0.0,
    seed: int = 1,
) -> Observations:
    """Return the response constant + x'b + x'Bx of coded settings on a grid, with noise."""
    settings = grid(space)
    coded = space.to_coded(settings)[list(space.names)].to_numpy(dtype=np.float64)
    values = constant + coded @ slope + ((coded @ curvature) * coded).sum(axis=1)
    values = values + noise * np.random.default_rng(seed).standard_normal(len(values))
    return Observations.from_frame(settings.assign(y=values), space, (Response("y", "g/L"),))


def surface_model(
    slope: Sequence[float],
    curvature: Sequence[Sequence[float]],
    *,
    noise: float = 0.05,
    space: FactorSpace | None = None,
    terms: str | Terms = "quadratic",
    seed: int = 1,
) -> LinearModel:
    """Return the model of a surface with b and B in coded units, fitted to runs on a grid."""
    study = surface_study(
        space or cube(len(slope)),
        slope=np.array(slope, dtype=np.float64),
        curvature=np.array(curvature, dtype=np.float64),
        noise=noise,
        seed=seed,
    )
    return fit_linear(study, "y", terms)
