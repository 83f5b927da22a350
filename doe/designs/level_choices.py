"""The levels of a full factorial: chosen per factor, and combined."""

from collections.abc import Mapping, Sequence

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.coding import coded_values
from doe.designs.assembly import MAX_RUNS, CodedRun, check_count
from doe.designs.structure import check_all_combinations
from doe.errors import DesignError
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
    SearchedFactor,
    Value,
)
from doe.space import FactorSpace

Levels = int | Sequence[Value]

NOT_MIXTURE = "mixture components cannot change one at a time; use a mixture or optimal design"


def check_level_names(levels: int | Mapping[str, Levels], space: FactorSpace) -> None:
    """Refuse levels of factors that are not there.

    Raises:
        DesignError: With the names.
    """
    if not isinstance(levels, Mapping):
        check_count(levels, "levels", at_least=2)
        return
    unknown = [name for name in levels if name not in space.names]
    if unknown:
        raise DesignError(
            f"levels names {unknown}, which are not factors that are varied; those are "
            f"{list(space.names)}: correct the names."
        )


def chosen_levels(
    factor: SearchedFactor, levels: int | Mapping[str, Levels], space: FactorSpace
) -> Sequence[Value]:
    """Return a factor's levels, coded.

    Raises:
        DesignError: If they are not levels of this factor, or less than two.
    """
    asked = levels.get(factor.name) if isinstance(levels, Mapping) else None
    match factor:
        case CategoricalFactor():
            return _among(factor.name, asked, factor.levels)
        case DiscreteFactor():
            chosen = _among(factor.name, asked, factor.levels)
            return _coded(factor, chosen, space)
        case ContinuousFactor():
            if asked is None:
                asked = levels if isinstance(levels, int) else 2
            if isinstance(asked, int):
                _check_levels(asked, factor.name)
                return [float(value) for value in np.linspace(-1.0, 1.0, asked)]
            return _coded(factor, _checked(factor.name, asked), space)
        case MixtureComponent():
            raise DesignError(f"'{factor.name}' is a mixture component: {NOT_MIXTURE}.")


def _check_levels(n_levels: int, name: str) -> None:
    """Refuse a number of levels that is more than runs are planned, before any is made."""
    check_count(n_levels, f"levels of '{name}'", at_least=2)
    if n_levels > MAX_RUNS:
        raise DesignError(
            f"{n_levels} levels of '{name}' are asked for; at most {MAX_RUNS} runs are planned: "
            "use fewer levels."
        )


def _among(name: str, asked: Levels | None, known: Sequence[Value]) -> Sequence[Value]:
    if asked is None or asked == len(known):
        return known
    if isinstance(asked, int):
        raise DesignError(
            f"'{name}' has the {len(known)} levels {list(known)}; to use {asked} of them, list "
            f"them: levels={{'{name}': [...]}}."
        )
    chosen = _checked(name, asked)
    unknown = [value for value in chosen if value not in known]
    if unknown:
        raise DesignError(f"'{name}' has no level {unknown}; its levels are {list(known)}.")
    return chosen


def _checked(name: str, asked: Sequence[Value]) -> list[Value]:
    is_list = isinstance(asked, Sequence) and not isinstance(asked, str)
    if not is_list or len(set(asked)) < len(asked) or len(asked) < 2:
        raise DesignError(
            f"levels of '{name}' must be a number of levels or two or more different values, got "
            f"{asked!r}."
        )
    return list(asked)


def _coded(
    factor: ContinuousFactor | DiscreteFactor, values: Sequence[Value], space: FactorSpace
) -> list[float]:
    wrong = [value for value in values if isinstance(value, str | bool)]
    if wrong:
        raise DesignError(f"levels of '{factor.name}' must be numbers, got {wrong[0]!r}.")
    numbers: FloatArray = np.asarray(values, dtype=np.float64)
    return [float(value) for value in coded_values(factor, numbers, space.mixture_total)]


def combinations_of(chosen: Sequence[Sequence[Value]]) -> IntArray:
    """Return the level numbers of every combination, shape ``(n_runs, n_factors)``.

    Raises:
        DesignError: If the runs fail their structural check.
    """
    from pyDOE3 import fullfact

    n_levels = [len(values) for values in chosen]
    places = np.asarray(fullfact(n_levels), dtype=np.int64)
    check_all_combinations(places, n_levels, f"full factorial {times(chosen)}")
    return places


def runs_of(
    space: FactorSpace, places: IntArray, chosen: Sequence[Sequence[Value]]
) -> list[CodedRun]:
    """Return the coded runs that level numbers of shape ``(n_runs, n_factors)`` stand for."""
    return [
        {name: values[i] for name, values, i in zip(space.names, chosen, run, strict=True)}
        for run in places
    ]


def times(chosen: Sequence[Sequence[Value]]) -> str:
    """Return the numbers of levels as people write them: ``2^3`` or ``2 x 3 x 4``."""
    counts = [len(values) for values in chosen]
    if len(set(counts)) == 1 and len(counts) > 1:
        return f"{counts[0]}^{len(counts)}"
    return " x ".join(map(str, counts))
