"""Studies with several responses, shared by the tests of joint linear models."""

import numpy as np
import pandas as pd

from doe.arrays import FloatArray
from doe.factors import ContinuousFactor
from doe.responses import Response, Transform
from doe.runs import Observations
from doe.space import FactorSpace
from tests.surrogates.examples import CULTURE, culture_study, montgomery_points, truth

PLANE = FactorSpace((ContinuousFactor("x1", -1.0, 1.0), ContinuousFactor("x2", -1.0, 1.0)))
# Montgomery, Design and Analysis of Experiments, table 11.6, in the order of example 11-1 with
# the centre runs fifth to ninth.
VISCOSITY = (62, 60, 66, 59, 72, 69, 68, 70, 71, 68, 71, 58, 57)
MOLECULAR_WEIGHT = (2940, 3470, 3680, 3890, 3480, 3200, 3410, 3290, 3500, 3360, 3020, 3630, 3150)


def montgomery_study() -> Observations:
    """Return the central composite design with yield, viscosity and molecular weight."""
    points, yields = montgomery_points()
    table = pd.DataFrame(points, columns=["x1", "x2"]).assign(
        **{"yield": yields, "viscosity": VISCOSITY, "molecular weight": MOLECULAR_WEIGHT}
    )
    responses = (Response("yield", "%"), Response("viscosity", "cP"), Response("molecular weight"))
    return Observations.from_frame(table, PLANE, responses)


def plane(*points: tuple[float, float]) -> pd.DataFrame:
    """Return settings of ``PLANE``."""
    return pd.DataFrame(list(points), columns=["x1", "x2"], dtype=np.float64)


def straight_line(x: FloatArray, y: FloatArray, transform: Transform = "none") -> Observations:
    """Return runs of one factor x over -1 to 1 with a response y in g/L."""
    space = FactorSpace((ContinuousFactor("x", -1.0, 1.0),))
    table = pd.DataFrame({"x": x, "y": y})
    return Observations.from_frame(table, space, (Response("y", "g/L", transform=transform),))


def paired_study(*, correlation: float = 0.8, transform: Transform = "none") -> Observations:
    """Return the runs of ``culture_study`` with a second response whose errors go along."""
    first = culture_study()
    settings = first.settings()[[factor.name for factor in CULTURE]]
    titre = first.values("titre")["value"].to_numpy(dtype=np.float64)
    error = titre - truth(settings)
    fresh = np.random.default_rng(9).standard_normal(len(titre))
    ph = settings["pH"].to_numpy(dtype=np.float64) - 7.0
    other = 20 + 10 * ph + correlation * error + np.sqrt(1 - correlation**2) * fresh
    values = np.exp(titre / 20) if transform == "log" else titre
    responses = (Response("titre", "g/L", transform=transform), Response("aggregates", "%"))
    table = settings.assign(titre=values, aggregates=other)
    return Observations.from_frame(table, first.space, responses)
