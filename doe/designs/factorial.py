"""Full and fractional factorial designs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from doe.arrays import IntArray
from doe.designs.aliasing import alias_table, defining_relation, letters, roman, word_length_pattern
from doe.designs.arranging import (
    Arrangement,
    arranged,
    arrangement,
    check_power_of_two,
    two_level_blocks,
)
from doe.designs.assembly import MAX_RUNS, Plan, check_count, refuse_kinds, two_level_runs
from doe.designs.blocking import divided_combinations
from doe.designs.clear_effects import Others, estimating_fraction, parse_interactions
from doe.designs.confounding import block_facts, regular_blocks
from doe.designs.fractions import Fraction, best_fraction, fraction_of, parse_generators
from doe.designs.level_choices import (
    NOT_MIXTURE,
    Levels,
    check_level_names,
    chosen_levels,
    combinations_of,
    runs_of,
    times,
)
from doe.errors import DesignError
from doe.factors import CategoricalFactor, MixtureComponent
from doe.runs import JSON, Design
from doe.space import FactorSpace

# A defining relation of more generators is written by its generators alone.
_MAX_WRITTEN = 6


def full_factorial(
    space: FactorSpace,
    *,
    levels: int | Mapping[str, Levels] = 2,
    centre_points: int = 0,
    replicates: int = 1,
    n_blocks: int = 1,
    block: str | None = None,
    block_generators: Sequence[str] | None = None,
) -> Design:
    """Return every combination of levels, the first factor changing fastest.

    Runs are in standard order, within blocks where there are any; randomise them with
    ``Design.randomised``. Continuous factors have equally spaced levels in coded units from low to
    high. Discrete and categorical factors have all their levels, unless ``levels`` names them.

    Replicates are blocks where the numbers are equal. Otherwise each replicate, or each group of
    them, is divided: with two levels so that blocks are confounded with interactions of as high an
    order as can be (``details``: ``confounded``, and ``lost_to_blocks`` up to two factors), with
    other levels so that the effects keep as much information as can be (``block_efficiency``).

    Args:
        space: The factors.
        levels: How many levels continuous factors have, or per factor how many or which ones (in
            natural units); factors left out of a mapping have 2 (continuous) or all levels.
        centre_points: Runs at the middle, for each combination of levels that have no middle;
            spread over the blocks.
        replicates: How often the whole factorial part is done.
        n_blocks: How many blocks.
        block: Name of the block factor; see ``doe.designs.blocks.with_block``.
        block_generators: Interactions to be confounded with blocks, such as ``["ABC", "CDE"]``.

    Raises:
        DesignError: If the factors or levels do not fit, the blocks do not exist, or a run is not
            allowed.
    """
    refuse_kinds(space, (MixtureComponent,), "full factorial design", NOT_MIXTURE)
    asked = arrangement(replicates, centre_points, n_blocks, block, block_generators)
    check_level_names(levels, space)
    chosen = [chosen_levels(factor, levels, space) for factor in space.searched]
    instead = "use fractional_factorial, fewer levels, or an optimal or space-filling design"
    n_runs = asked.replicates * math.prod(len(values) for values in chosen)
    if n_runs > MAX_RUNS:
        raise DesignError(
            f"A full factorial of {times(chosen)} levels has {n_runs} runs; at most {MAX_RUNS} "
            f"are planned: {instead}."
        )
    places = combinations_of(chosen)
    numbers, facts = _full_blocks(space, places, asked)
    plan = Plan(
        runs_of(space, places, chosen),
        (),
        f"full factorial {times(chosen)}",
        instead,
        details=facts,
    )
    return arranged(space, plan, numbers, asked)


def fractional_factorial(
    space: FactorSpace,
    *,
    generators: Sequence[str] | None = None,
    resolution: int | None = None,
    n_runs: int | None = None,
    estimate: Sequence[str] = (),
    other_interactions: Others = "possible",
    centre_points: int = 0,
    replicates: int = 1,
    n_blocks: int = 1,
    block: str | None = None,
    block_generators: Sequence[str] | None = None,
) -> Design:
    """Return a regular two-level fraction, in standard order of its basic factors.

    Continuous and discrete factors take their low and high ends, categorical factors need two
    levels. Letters A, B, C, ... (without I) stand for the factors in order, or for themselves where
    every name is one letter. Without ``generators`` it is the smallest fraction of minimum
    aberration that has the resolution (IV where nothing is asked for: main effects clear of
    two-factor interactions) and the number of runs, or the smallest found that estimates the named
    interactions.

    ``details`` holds letters, resolution, defining relation, word lengths and the aliases of
    effects up to two factors; ``alias_table`` gives them to any order. Blocks are those of
    ``full_factorial``; main effects and the named interactions are never confounded with them.

    Args:
        space: The factors.
        generators: Such as ``["E=ABCD"]``, or with names ``["temperature = pH * feed"]``.
        resolution: Least length of a word: 3, 4, 5, ...
        n_runs: Number of different runs, a power of two.
        estimate: Two-factor interactions to be estimated, such as ``["AB", "pH:temperature"]``.
        other_interactions: Whether those of two factors that are not named are ``possible`` (the
            named ones and main effects are kept clear of them) or ``negligible`` (taken for zero).
        centre_points: Runs at the middle, for each combination of levels that have no middle;
            spread over the blocks.
        replicates: How often the fraction is done.
        n_blocks: How many blocks.
        block: Name of the block factor; see ``doe.designs.blocks.with_block``.
        block_generators: Interactions to be confounded with blocks, such as ``["ABC", "CDE"]``.

    Raises:
        DesignError: If the factors do not fit, a generator cannot be read, there is no such
            fraction or division into blocks, or a run is not allowed.

    Source:
        Box and Hunter (1961), Technometrics 3, 311-351 and 449-458.
    """
    check_two_level_factors(space, "fractional factorial design", "use full_factorial")
    asked = arrangement(replicates, centre_points, n_blocks, block, block_generators)
    names = letters(space)
    pairs = parse_interactions(estimate, names, space.names)
    wanted = _Wanted(generators, resolution, n_runs, pairs, other_interactions)
    fraction = _fraction(space, wanted, asked)
    divided = two_level_blocks(fraction, asked, names, space.names, spared=pairs)
    assert fraction.resolution is not None
    plan = Plan(
        two_level_runs(space, fraction.signs),
        (),
        f"fractional factorial 2^({len(names)}-{len(fraction.generators)}), "
        f"resolution {roman(fraction.resolution)}",
        "use full_factorial on narrower ranges, or an optimal or space-filling design",
        generators=[generator.text(names) for generator in fraction.generators],
        details=block_facts(divided, names) | _estimated(pairs, other_interactions, names),
    )
    return _described(arranged(space, plan, divided.numbers, asked), fraction)


def check_two_level_factors(space: FactorSpace, method: str, instead: str) -> None:
    """Refuse mixture components and categorical factors that have more than two levels.

    Raises:
        DesignError: With the factors and what to use instead.
    """
    refuse_kinds(space, (MixtureComponent,), method, NOT_MIXTURE)
    for factor in space.searched:
        if isinstance(factor, CategoricalFactor) and len(factor.levels) != 2:
            raise DesignError(
                f"A {method} has two levels, but '{factor.name}' has {len(factor.levels)}: "
                f"{', '.join(factor.levels)}. Choose two of them, or {instead}."
            )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is asked of a fraction."""

    generators: Sequence[str] | None
    resolution: int | None
    n_runs: int | None
    pairs: tuple[tuple[int, int], ...]
    others: Others


def _fraction(space: FactorSpace, wanted: _Wanted, asked: Arrangement) -> Fraction:
    n_factors = len(space.names)
    if wanted.resolution is not None:
        check_count(wanted.resolution, "resolution", at_least=3)
    if wanted.n_runs is not None:
        check_count(wanted.n_runs, "n_runs", at_least=4)
    if wanted.generators:
        return _generated(space, wanted.generators, wanted)
    if not asked.generators:
        check_power_of_two(asked)

    def admits(fraction: Fraction) -> bool:
        if asked.generators:
            return True
        return regular_blocks(fraction, asked.n_within, spared=wanted.pairs) is not None

    if wanted.pairs:
        return estimating_fraction(
            n_factors,
            wanted.pairs,
            others=wanted.others,
            resolution=wanted.resolution,
            n_runs=wanted.n_runs,
            admits=admits,
        )
    is_open = wanted.resolution is None and wanted.n_runs is None
    least = 4 if is_open else wanted.resolution
    return best_fraction(n_factors, resolution=least, n_runs=wanted.n_runs, admits=admits)


def _generated(space: FactorSpace, generators: Sequence[str], wanted: _Wanted) -> Fraction:
    n_factors, resolution, n_runs = len(space.names), wanted.resolution, wanted.n_runs
    if wanted.pairs:
        raise DesignError(
            "generators and estimate both choose the fraction: leave out one of the two, and look "
            "in details['aliases'] at what the generators estimate."
        )
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


def _full_blocks(
    space: FactorSpace, places: IntArray, asked: Arrangement
) -> tuple[IntArray, dict[str, JSON]]:
    """Return the block of each run of a replicate, and what to say about the blocks."""
    n_levels = places.max(axis=0) + 1
    if asked.n_within == 1:
        return np.zeros(len(places), dtype=np.int64), {}
    if (n_levels == 2).all():
        signs = np.asarray(2.0 * places - 1.0, dtype=np.float64)
        fraction = Fraction(signs, (), None)
        names = letters(space)
        plan = two_level_blocks(fraction, asked, names, space.names)
        by_letter: dict[str, JSON] = dict(zip(names, space.names, strict=True))
        return plan.numbers, {"letters": by_letter, **block_facts(plan, names)}
    if asked.generators:
        raise DesignError(
            f"block_generators {list(asked.generators)} divide two-level factorials, and here the "
            f"factors have {n_levels.tolist()} levels: give n_blocks instead."
        )
    if asked.n_within > len(places) // 2:
        raise DesignError(
            f"{len(places)} runs in {asked.n_within} blocks leave less than two runs in a block: "
            "take fewer blocks."
        )
    division, model = divided_combinations(places, asked.n_within)
    return division.numbers, {
        "block_efficiency": round(division.efficiency, 6),
        "blocked_for": model,
        "blocks_found_by": "swaps of runs between blocks, from sums of level numbers",
    }


def _estimated(
    pairs: Sequence[tuple[int, int]], others: Others, names: Sequence[str]
) -> dict[str, JSON]:
    if not pairs:
        return {}
    texts = ["".join(names[place] for place in pair) for pair in pairs]
    return {"estimated_interactions": texts, "other_interactions": others}


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
