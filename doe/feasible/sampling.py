"""Allowed settings drawn at random, spread evenly over the allowed region.

Even means: every allowed part of the region in coded units is as likely as its volume says (of a
mixture, the area of its simplex; of a factor on a log scale, equal ratios). Levels of discrete and
categorical factors are as likely as the volume that is allowed with them, and equally likely where
nothing is forbidden. Two kinds of choice are made first and with equal chances: which factors a
cardinality constraint leaves out (as few as it allows), and the levels of discrete factors that
stand in an equation. Factors with steps are drawn without them and then moved to the nearest
allowed setting, so a grid setting is as likely as the region that is nearest to it.
"""

from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.constraints import LinearConstraint
from doe.errors import InfeasibleSpaceError, InvalidValueError
from doe.factors import CategoricalFactor
from doe.feasible.regions import Points, Region
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

MAX_FLAT = 64


def sample(space: FactorSpace, n_runs: int, *, rng: np.random.Generator) -> "pd.DataFrame":
    """Return allowed settings in natural units, shape ``(n_runs, n_factors)``.

    Raises:
        InvalidValueError: If ``n_runs`` is not a positive whole number.
        InfeasibleSpaceError: If no allowed settings can be found.
    """
    from doe.feasible.projection import project

    if isinstance(n_runs, bool) or not isinstance(n_runs, int | np.integer) or n_runs < 1:
        raise InvalidValueError(f"n_runs must be a whole number of at least 1, got {n_runs!r}.")
    settings = draw_settings(space, int(n_runs), rng=rng)
    if settings is None:
        raise InfeasibleSpaceError(
            "No setting could be found that meets "
            f"{'; '.join(c.sentence() for c in space.all_constraints)}: relax a constraint."
        )
    return project(space, settings)


def draw_settings(
    space: FactorSpace, n_runs: int, *, rng: np.random.Generator
) -> "pd.DataFrame | None":
    """Return settings that all constraints allow, steps aside, or None if none was found."""
    from doe.feasible.ensembles import draw_points

    region = Region(space)
    points = draw_points(region, n_runs, rng=rng)
    return _draw_flat(space, n_runs, rng) if points is None else settings_at(region, points)


def _draw_flat(space: FactorSpace, n_runs: int, rng: np.random.Generator) -> "pd.DataFrame | None":
    """Return settings of a region without volume, such as the ends that forbidden ranges leave.

    They are the allowed settings nearest to an even draw that minds linear constraints only.
    """
    import pandas as pd

    from doe.feasible.ensembles import draw_points
    from doe.feasible.projection import nearest_linear

    linear = [c for c in space.all_constraints if isinstance(c, LinearConstraint)]
    for constraints in (linear, ()):
        region = Region(space, constraints, without_logs=True)
        points = draw_points(region, min(n_runs, MAX_FLAT), rng=rng)
        if points is not None:
            break
    else:
        return None
    targets = settings_at(region, points).to_dict("records")
    found = [nearest_linear(space, {str(k): v for k, v in target.items()}) for target in targets]
    table = pd.DataFrame([setting for setting in found if setting is not None])
    if table.empty or not (allowed := space.contains(table)).any():
        return None
    rows = rng.permutation(np.resize(np.flatnonzero(allowed), n_runs))
    return table.iloc[rows].reset_index(drop=True)


def settings_at(region: Region, points: Points) -> "pd.DataFrame":
    """Return points of a region as a table of settings in natural units, without steps."""
    import pandas as pd

    columns: dict[str, FloatArray | list[str]] = dict(region.values(points))
    for place, factor in enumerate(region.chosen):
        if isinstance(factor, CategoricalFactor):
            columns[factor.name] = [factor.levels[i] for i in points.chosen[:, place]]
    return pd.DataFrame({name: columns[name] for name in region.space.names})
