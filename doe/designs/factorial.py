"""Full and fractional factorial designs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from doe.arrays import FloatArray
from doe.coding import coded_values
from doe.designs.aliasing import alias_table, defining_relation, letters, roman, word_length_pattern
from doe.designs.assembly import (
    MAX_RUNS,
    CodedRun,
    Plan,
    assemble,
    centre_runs,
    check_count,
    refuse_kinds,
    two_level_runs,
)
from doe.designs.fractions import Fraction, best_fraction, fraction_of, parse_generators
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
from doe.runs import JSON, Design
from doe.space import FactorSpace

Levels = int | Sequence[Value]

_NOT_MIXTURE = "mixture components cannot change one at a time; use a mixture or optimal design"
# A defining relation of more generators is written by its generators alone.
_MAX_WRITTEN = 6


def full_factorial(
    space: FactorSpace,
    *,
    levels: int | Mapping[str, Levels] = 2,
    centre_points: int = 0,
    replicates: int = 1,
) -> Design:
    """Return every combination of levels, the first factor changing fastest.

    Runs are in standard order; randomise them with ``Design.randomised``. Continuous factors have
    equally spaced levels in coded units from low to high. Discrete and categorical factors have all
    their levels, unless ``levels`` names them.

    Args:
        space: The factors.
        levels: How many levels continuous factors have, or per factor how many or which ones (in
            natural units); factors left out of a mapping have 2 (continuous) or all levels.
        centre_points: Runs at the middle, for each combination of levels that have no middle.
        replicates: How often the whole factorial part is done.

    Raises:
        DesignError: If the factors or levels do not fit, or a run is not allowed.
    """
    refuse_kinds(space, (MixtureComponent,), "full factorial design", _NOT_MIXTURE)
    replicates = check_count(replicates, "replicates", at_least=1)
    _check_level_names(levels, space)
    chosen = [_chosen_levels(factor, levels, space) for factor in space.searched]
    instead = "use fractional_factorial, fewer levels, or an optimal or space-filling design"
    n_runs = replicates * math.prod(len(values) for values in chosen)
    if n_runs > MAX_RUNS:
        raise DesignError(
            f"A full factorial of {_times(chosen)} levels has {n_runs} runs; at most {MAX_RUNS} "
            f"are planned: {instead}."
        )
    runs = _combinations(space, chosen) * replicates
    centre = centre_runs(space, centre_points, instead)
    return assemble(
        space,
        Plan(
            [*runs, *centre],
            ["factorial"] * len(runs) + ["centre"] * len(centre),
            f"full factorial {_times(chosen)}",
            instead,
            details={"replicates": replicates, "centre_points": len(centre)},
        ),
    )


def fractional_factorial(
    space: FactorSpace,
    *,
    generators: Sequence[str] | None = None,
    resolution: int | None = None,
    n_runs: int | None = None,
    centre_points: int = 0,
    replicates: int = 1,
) -> Design:
    """Return a regular two-level fraction, in standard order of its basic factors.

    Continuous and discrete factors take their low and high ends, categorical factors need two
    levels. Letters A, B, C, ... (without I) stand for the factors in order, or for themselves where
    every name is one letter. Without ``generators`` it is the smallest fraction of minimum
    aberration that has the resolution (IV where nothing is asked for: main effects clear of
    two-factor interactions) and the number of runs.

    ``details`` holds letters, resolution, defining relation, word lengths and the aliases of
    effects up to two factors; ``alias_table`` gives them to any order.

    Args:
        space: The factors.
        generators: Such as ``["E=ABCD"]``, or with names ``["temperature = pH * feed"]``.
        resolution: Least length of a word: 3, 4, 5, ...
        n_runs: Number of different runs, a power of two.
        centre_points: Runs at the middle, for each combination of levels that have no middle.
        replicates: How often the fraction is done.

    Raises:
        DesignError: If the factors do not fit, a generator cannot be read, there is no such
            fraction, or a run is not allowed.

    Source:
        Box and Hunter (1961), Technometrics 3, 311-351 and 449-458.
    """
    check_two_level_factors(space, "fractional factorial design", "use full_factorial")
    replicates = check_count(replicates, "replicates", at_least=1)
    fraction = _fraction(space, generators, resolution, n_runs)
    names = letters(space)
    n_generators = len(fraction.generators)
    runs = two_level_runs(space, fraction.signs) * replicates
    instead = "use full_factorial on narrower ranges, or an optimal or space-filling design"
    centre = centre_runs(space, centre_points, instead)
    assert fraction.resolution is not None
    plan = Plan(
        [*runs, *centre],
        ["factorial"] * len(runs) + ["centre"] * len(centre),
        f"fractional factorial 2^({len(names)}-{n_generators}), "
        f"resolution {roman(fraction.resolution)}",
        instead,
        generators=[generator.text(names) for generator in fraction.generators],
        details={"replicates": replicates, "centre_points": len(centre)},
    )
    return _described(assemble(space, plan), fraction)


def check_two_level_factors(space: FactorSpace, method: str, instead: str) -> None:
    """Refuse mixture components and categorical factors that have more than two levels.

    Raises:
        DesignError: With the factors and what to use instead.
    """
    refuse_kinds(space, (MixtureComponent,), method, _NOT_MIXTURE)
    for factor in space.searched:
        if isinstance(factor, CategoricalFactor) and len(factor.levels) != 2:
            raise DesignError(
                f"A {method} has two levels, but '{factor.name}' has {len(factor.levels)}: "
                f"{', '.join(factor.levels)}. Choose two of them, or {instead}."
            )


def _fraction(
    space: FactorSpace,
    generators: Sequence[str] | None,
    resolution: int | None,
    n_runs: int | None,
) -> Fraction:
    n_factors = len(space.names)
    if resolution is not None:
        check_count(resolution, "resolution", at_least=3)
    if n_runs is not None:
        check_count(n_runs, "n_runs", at_least=4)
    if not generators:
        asked = 4 if resolution is None and n_runs is None else resolution
        return best_fraction(n_factors, resolution=asked, n_runs=n_runs)
    parsed = parse_generators(generators, letters(space), space.names)
    fraction = fraction_of(n_factors, parsed)
    assert fraction.resolution is not None
    if resolution is not None and fraction.resolution < resolution:
        raise DesignError(
            f"Generators {list(generators)} give resolution {roman(fraction.resolution)}, but "
            f"{roman(resolution)} is asked for: leave out one of the two."
        )
    if n_runs is not None and n_runs != len(fraction.signs):
        raise DesignError(
            f"{len(parsed)} generators for {n_factors} factors give {len(fraction.signs)} runs, "
            f"but n_runs is {n_runs}: leave out one of the two."
        )
    return fraction


def _described(design: Design, fraction: Fraction) -> Design:
    names = letters(design.space)
    if len(fraction.generators) <= _MAX_WRITTEN:
        relation = defining_relation(design)
    else:
        words = (sorted({g.factor, *g.product}) for g in fraction.generators)
        texts = (
            f"{'-' if g.sign < 0 else ''}{''.join(names[place] for place in word)}"
            for g, word in zip(fraction.generators, words, strict=True)
        )
        relation = " = ".join(["I", *texts]) + ", and their products"
    facts: dict[str, JSON] = {
        "letters": dict(zip(names, design.space.names, strict=True)),
        "resolution": fraction.resolution,
        "defining_relation": relation,
        "word_lengths": {str(n): int(count) for n, count in word_length_pattern(design).items()},
        "aliases": list(alias_table(design, order=2)),
    }
    return replace(design, details={**facts, **design.details})


def _check_level_names(levels: int | Mapping[str, Levels], space: FactorSpace) -> None:
    if not isinstance(levels, Mapping):
        check_count(levels, "levels", at_least=2)
        return
    unknown = [name for name in levels if name not in space.names]
    if unknown:
        raise DesignError(
            f"levels names {unknown}, which are not factors that are varied; those are "
            f"{list(space.names)}: correct the names."
        )


def _chosen_levels(
    factor: SearchedFactor, levels: int | Mapping[str, Levels], space: FactorSpace
) -> Sequence[Value]:
    """Return a factor's levels, coded."""
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
                check_count(asked, f"levels of '{factor.name}'", at_least=2)
                return [float(value) for value in np.linspace(-1.0, 1.0, asked)]
            return _coded(factor, _checked(factor.name, asked), space)
        case MixtureComponent():
            raise DesignError(f"'{factor.name}' is a mixture component: {_NOT_MIXTURE}.")


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


def _combinations(space: FactorSpace, chosen: Sequence[Sequence[Value]]) -> list[CodedRun]:
    from pyDOE3 import fullfact

    n_levels = [len(values) for values in chosen]
    places = np.asarray(fullfact(n_levels), dtype=np.int64)
    check_all_combinations(places, n_levels, f"full factorial {_times(chosen)}")
    return [
        {name: values[i] for name, values, i in zip(space.names, chosen, run, strict=True)}
        for run in places
    ]


def _times(chosen: Sequence[Sequence[Value]]) -> str:
    """Return the numbers of levels as people write them: ``2^3`` or ``2 x 3 x 4``."""
    counts = [len(values) for values in chosen]
    if len(set(counts)) == 1 and len(counts) > 1:
        return f"{counts[0]}^{len(counts)}"
    return " x ".join(map(str, counts))
