"""The settings from which further runs are chosen: allowed ones from everywhere in the space."""

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.augmentation.existing import ExistingRuns, has_middle
from doe.coding import natural_values
from doe.designs.optimal.candidates import candidate_pool
from doe.designs.optimal.points import PointSpace
from doe.errors import DesignError, UnknownNameError
from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor, SearchedFactor, Value
from doe.rounding import nearest_numbers
from doe.space import FactorSpace
from doe.terms import Terms

if TYPE_CHECKING:
    import pandas as pd

_MAX_GRID = 2_000
_N_AT_LEAST = 300


def candidate_settings(
    existing: ExistingRuns,
    terms: Terms,
    fixed: Mapping[str, Value],
    *,
    rng: np.random.Generator,
) -> "pd.DataFrame":
    """Return allowed settings in natural units, sorted, none twice.

    They are a grid with low, high and as many levels between as the terms need, or a random part of
    a large one; where there are constraints also corners, edges, faces and inside points of the
    allowed region; and the settings of the runs that are done.

    Args:
        existing: The runs that are done.
        terms: The model, whose highest powers say how many levels are needed.
        fixed: Factors that stay at one setting, in natural units.
        rng: Source of the random draws.

    Raises:
        UnknownNameError: If a fixed factor does not exist.
        DesignError: If no setting is allowed.
    """
    import pandas as pd

    space = existing.space
    unknown = [name for name in fixed if name not in space.names]
    if unknown:
        raise UnknownNameError(
            f"{unknown} are held at a setting, but are not varied; those are {list(space.names)}: "
            "correct the names."
        )
    grid = _grid(space, terms, fixed, rng)
    done = existing.settings
    parts = [grid, done[_at(done, fixed)]]
    if space.all_constraints:
        parts.append(_pool(space, terms, fixed, rng))
    found = pd.concat(parts, ignore_index=True)
    found = found[space.contains(found) & space.on_steps(found)]
    if found.empty:
        raise DesignError(
            f"No allowed setting was found{_fixed_text(fixed)}: hold other settings, or relax a "
            "constraint."
        )
    return found.drop_duplicates().sort_values(list(space.names)).reset_index(drop=True)


def _grid(
    space: FactorSpace, terms: Terms, fixed: Mapping[str, Value], rng: np.random.Generator
) -> "pd.DataFrame":
    import pandas as pd

    levels: list[Sequence[Value]] = []
    for factor in space.searched:
        if factor.name in fixed:
            levels.append([fixed[factor.name]])
            continue
        levels.append(_levels(factor, _n_levels(factor, terms), space))
    if prod(len(values) for values in levels) <= _MAX_GRID:
        return pd.DataFrame(list(product(*levels)), columns=list(space.names))
    # Corners are where most of the information is: half of a random part are corners.
    columns = {}
    for name, values in zip(space.names, levels, strict=True):
        inner = rng.integers(len(values), size=_MAX_GRID // 2)
        ends = rng.integers(2, size=_MAX_GRID // 2) * (len(values) - 1)
        if isinstance(space.factor(name), CategoricalFactor):
            ends = rng.integers(len(values), size=_MAX_GRID // 2)
        columns[name] = [values[i] for i in (*inner, *ends)]
    return pd.DataFrame(columns)


def _n_levels(factor: SearchedFactor, terms: Terms) -> int:
    """Return how many levels of a factor the terms can tell from each other."""
    if any(factor.name in e.names for term in terms.terms for e in term.expressions):
        return 5
    highest = max((dict(term.powers).get(factor.name, 0) for term in terms.terms), default=1)
    return max(3, highest + 1)


def _levels(factor: SearchedFactor, n_levels: int, space: FactorSpace) -> Sequence[Value]:
    """Return levels of a factor in natural units, low and high among them."""
    if isinstance(factor, CategoricalFactor):
        return factor.levels
    if isinstance(factor, DiscreteFactor) and len(factor.levels) <= 2 * n_levels:
        return factor.levels
    if has_middle(factor) and not isinstance(factor, DiscreteFactor):
        coded: FloatArray = np.linspace(-1.0, 1.0, n_levels)
        natural = natural_values(factor, coded, space.mixture_total)
    else:
        natural = np.linspace(factor.low, factor.high, n_levels)
    rounded = nearest_numbers(factor, natural)
    return [float(f"{value:.14g}") for value in dict.fromkeys(map(float, rounded))]


def _pool(
    space: FactorSpace, terms: Terms, fixed: Mapping[str, Value], rng: np.random.Generator
) -> "pd.DataFrame":
    """Return corners, edges, faces and inside points of a constrained region, with few digits."""
    import pandas as pd

    points = PointSpace(space)
    n_levels = np.array([_n_levels(factor, terms) for factor in space.searched], dtype=np.int64)
    exact = points.settings_of(candidate_pool(points, n_levels, _N_AT_LEAST, rng=rng))
    for name, value in fixed.items():
        exact[name] = value
    short = exact.copy()
    for factor in space.searched:
        if isinstance(factor, ContinuousFactor) and factor.step is None:
            short[factor.name] = [float(f"{v:.4g}") for v in exact[factor.name]]
    allowed = space.contains(short)
    return pd.concat([short[allowed], exact[~allowed]], ignore_index=True)


def _at(settings: "pd.DataFrame", fixed: Mapping[str, Value]) -> "pd.Series[bool]":
    import pandas as pd

    same = pd.Series(data=True, index=settings.index)
    for name, value in fixed.items():
        same &= settings[name] == value
    return same


def _fixed_text(fixed: Mapping[str, Value]) -> str:
    return f" with {', '.join(f'{n} at {v}' for n, v in fixed.items())}" if fixed else ""
