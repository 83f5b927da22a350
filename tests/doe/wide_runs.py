"""Wide tables of runs for tests: a space with every kind of recorded column, and its reader."""

from typing import Any

import pandas as pd

from doe.factors import BlockFactor, CategoricalFactor, Context, ContinuousFactor, Covariate
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace

SPACE = FactorSpace(
    (
        ContinuousFactor("pH", 6, 8, tolerance=0.1),
        ContinuousFactor("feed", 0, 10, learn_from="target"),
        CategoricalFactor("resin", ("A", "B")),
        Context("scale", ("2 L", "200 L")),
        BlockFactor("day"),
        Covariate("purity"),
    )
)
TITRE = Response("titre", "g/L")


def table(**columns: list[Any]) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    rows = {"pH": [7.0] * n, "feed": [5.0] * n, "resin": ["A"] * n}
    return pd.DataFrame({**rows, **columns})


def read(*responses: Any, **columns: list[Any]) -> Observations:
    return Observations.from_frame(table(**columns), SPACE, responses or (TITRE,))
