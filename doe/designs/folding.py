"""Fold-over: the runs that turn a two-level design's levels round, to free effects from aliases."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.designs.added_blocks import ADDED_RUNS, added_runs_block, is_own_block
from doe.designs.aliasing import (
    MAX_GENERATORS,
    alias_table,
    aliases,
    defining_relation,
    is_regular,
    letters,
    two_level_signs,
    word_lengths,
)
from doe.designs.assembly import check_count
from doe.designs.blocks import with_block
from doe.designs.fractions import parse_generators
from doe.errors import DesignError
from doe.factors import CategoricalFactor
from doe.runs import JSON, Design
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

ORIGINAL = "original"
FOLD_OVER = "fold-over"

# Beyond so many factors the aliases of a design that aliases in part fill pages.
_MAX_LISTED = 12
_SHOWN = 3


def fold_over(
    design: Design,
    *,
    factors: Sequence[str] | None = None,
    block: str | None = None,
    centre_points: int | None = None,
) -> Design:
    """Return the runs to add: the design's own runs with high and low exchanged.

    Exchanged in all factors, they free every main effect from two-factor interactions. Exchanged in
    one factor, they free its main effect and all its two-factor interactions from each other and
    from all others (as far as the design has resolution III or more). The added runs form a new
    block; ``with_fold_over`` returns both blocks as one design.

    ``details`` says what both together achieve: ``resolution`` (None: nothing is aliased),
    ``resolution_before``, ``word_lengths``, ``aliases`` up to two factors, the
    ``defining_relation`` of a regular fraction, and ``equal_to_block``, the effects that the
    difference between the two blocks cannot be told from.

    Args:
        design: Two-level factorial runs, and centre runs: a fraction, a Plackett-Burman design, or
            any other of which all factors have two levels.
        factors: Names or letters of the factors whose levels are exchanged; all where absent.
        block: Name of the block factor; a design that is in blocks gets new levels of its own.
            Where absent and the space declares vessels, days and the like, the blocks are those of
            a factor of their own, ``added runs``.
        centre_points: How many of the design's centre runs are done again; all where absent.

    Raises:
        DesignError: If the design has other than two levels, a factor is unknown, the exchange
            would only repeat the same runs, or an added run is not allowed.

    Source:
        Box and Wilson (1951), J. Royal Statistical Society B 13, 1-45; Li and Lin (2003),
        Technometrics 45, 142-149: fold-over on some of the factors.
    """
    combined = with_fold_over(design, factors=factors, block=block, centre_points=centre_points)
    n_done = design.n_runs
    folded = combined.details["folded_on"]
    assert isinstance(folded, Sequence)
    return Design(
        combined.space,
        combined.runs.iloc[n_done:],
        f"fold-over of {design.method}",
        combined.point_types[n_done:],
        blocks={name: levels[n_done:] for name, levels in combined.blocks.items()},
        whole_plots=design.whole_plots,
        generators=_turned_generators(design, [str(name) for name in folded]),
        details=combined.details,
    )


def with_fold_over(
    design: Design,
    *,
    factors: Sequence[str] | None = None,
    block: str | None = None,
    centre_points: int | None = None,
) -> Design:
    """Return the design together with its fold-over, each in a block of its own.

    Args and errors are those of ``fold_over``, whose runs stand last here.
    """
    import pandas as pd

    if not isinstance(design, Design):
        raise DesignError(
            f"A fold-over needs a design, got {design!r}: use add_fold_over for a table of runs."
        )
    refuse_mixture(design.space)
    signs = _signs(design)
    chosen = _chosen(design, factors)
    kept = _kept_rows(design, centre_points)
    turned = _turned(design, chosen)
    _check_new(design, turned, signs, chosen)
    added = turned.iloc[kept]
    _check_allowed(design.space, added, chosen)
    space, blocks = _blocks(design, kept, block)
    types = design.point_types or ("factorial",) * design.n_runs
    combined = Design(
        space,
        pd.concat([design.runs, added], ignore_index=True),
        f"{design.method}, with fold-over",
        (*types, *(types[row] for row in kept)),
        blocks=blocks,
        whole_plots=design.whole_plots,
    )
    return replace(combined, details=_facts(design, combined, chosen, signs))


def refuse_mixture(space: FactorSpace) -> None:
    """Refuse mixture components, which have no high and low that can be exchanged.

    Raises:
        DesignError: With the components and what to use instead.
    """
    if space.mixture:
        names = [component.name for component in space.mixture]
        raise DesignError(
            f"A mixture cannot be folded over: the shares of {', '.join(names)} add up to a "
            "constant, so that high and low cannot be exchanged in all of them. Add runs for a "
            "model by augment_optimal instead."
        )


def _signs(design: Design) -> FloatArray:
    """Return the factorial runs as -1 and +1, having refused what is no two-level design."""
    others = sorted(set(design.point_types) - {"factorial", "centre"})
    factorial = _factorial_runs(design)
    many = [name for name in design.space.names if not others and factorial[name].nunique() > 2]
    if not others and not many:
        return two_level_signs(design)
    found = (
        f"this {design.method} has {' and '.join(others)} runs"
        if others
        else f"'{many[0]}' has {factorial[many[0]].nunique()} levels in this {design.method}"
    )
    if _is_mirrored(design):
        raise DesignError(
            f"A fold-over exchanges high and low of two-level runs, but {found}. Its runs are "
            "mirror images of each other already, so that its main effects are clear of two-factor "
            "interactions: to tell interactions apart, add runs by optimal_design(keep=...)."
        )
    raise DesignError(
        f"A fold-over exchanges high and low of two-level runs, but {found}: fold over its "
        "two-level runs alone (point types 'factorial' and 'centre'), or add runs by "
        "optimal_design(keep=...)."
    )


def _factorial_runs(design: Design) -> "pd.DataFrame":
    types = design.point_types or ("factorial",) * design.n_runs
    return design.runs[[kind == "factorial" for kind in types]]


def _is_mirrored(design: Design) -> bool:
    numeric = [f.name for f in design.space.searched if not isinstance(f, CategoricalFactor)]
    points = np.round(design.coded()[numeric].to_numpy(dtype=np.float64), 6) + 0.0
    mirrored = -points + 0.0
    return bool(numeric) and Counter(map(tuple, points)) == Counter(map(tuple, mirrored))


def _chosen(design: Design, factors: Sequence[str] | None) -> list[str]:
    names = design.space.names
    if factors is None:
        return list(names)
    if not isinstance(factors, Sequence):
        raise DesignError(
            f"factors must be a list of names, such as {list(names[:1])}, got {factors!r}."
        )
    asked = [factors] if isinstance(factors, str) else list(factors)
    by_letter = dict(zip(letters(design.space), names, strict=True))
    chosen = [name if name in names else by_letter.get(name, "") for name in asked]
    if not chosen or "" in chosen:
        unknown = [name for name, found in zip(asked, chosen, strict=True) if not found]
        raise DesignError(
            f"A fold-over on {unknown or asked} names no factor of this design; they are "
            f"{', '.join(f'{letter} = {name}' for letter, name in by_letter.items())}: name one or "
            "more, or leave factors out to exchange all."
        )
    return [name for name in names if name in chosen]


def _kept_rows(design: Design, centre_points: int | None) -> list[int]:
    """Return the rows to be done again, exchanged: all factorial runs and some centre runs."""
    types = design.point_types or ("factorial",) * design.n_runs
    centre = [row for row, kind in enumerate(types) if kind == "centre"]
    count = len(centre)
    if centre_points is not None:
        count = check_count(centre_points, "centre_points", at_least=0)
    if count > len(centre):
        raise DesignError(
            f"centre_points={count}, but this design has {len(centre)} centre runs to do again: "
            f"ask for at most {len(centre)}."
        )
    left_out = set(centre[count:])
    return [row for row in range(design.n_runs) if row not in left_out]


def _turned(design: Design, chosen: Sequence[str]) -> "pd.DataFrame":
    """Return all runs with the two levels of the chosen factors exchanged, others as they are."""
    factorial = _factorial_runs(design)
    turned = design.runs.copy()
    for name in chosen:
        one, other = factorial[name].unique()
        exchanged = {one: other, other: one}
        turned[name] = [exchanged.get(value, value) for value in design.runs[name]]
    return turned


def _check_new(
    design: Design, turned: "pd.DataFrame", signs: FloatArray, chosen: Sequence[str]
) -> None:
    places = [design.space.names.index(name) for name in chosen]
    if not _repeats(signs, places):
        return
    n_factors = signs.shape[1]
    useful = [design.space.names[i] for i in range(n_factors) if not _repeats(signs, [i])]
    which = "all factors" if len(chosen) == n_factors else ", ".join(chosen)
    advice = (
        f"exchange one that frees effects, such as factors=['{useful[0]}']"
        if useful
        else "the design has every combination already; replicate it if more precision is wanted"
    )
    raise DesignError(
        f"Exchanging high and low of {which} gives the same {len(signs)} runs again, so that this "
        f"fold-over frees no effect: {advice}."
    )


def _repeats(signs: FloatArray, places: Sequence[int]) -> bool:
    turned = signs.copy()
    turned[:, list(places)] *= -1
    return Counter(map(tuple, signs)) == Counter(map(tuple, turned))


def _check_allowed(space: FactorSpace, added: "pd.DataFrame", chosen: Sequence[str]) -> None:
    faults = space.faults(added.reset_index(drop=True))
    rows = [row for row, found in enumerate(faults) if found]
    if rows:
        shown = "; ".join(f"run {row + 1}: {', '.join(faults[row])}" for row in rows[:_SHOWN])
        raise DesignError(
            f"{len(rows)} of {len(added)} runs of this fold-over on {', '.join(chosen)} are not "
            f"allowed: {shown}. Fold over on other factors, or add runs by "
            "optimal_design(keep=...)."
        )


def _blocks(
    design: Design, kept: Sequence[int], block: str | None
) -> tuple[FactorSpace, dict[str, tuple[str, ...]]]:
    if block is not None and design.blocks and block not in design.blocks:
        raise DesignError(
            f"This design is in blocks already, {list(design.blocks)}, of which its fold-over gets "
            f"new levels: leave out block='{block}'."
        )
    known = {n: v for n, v in design.blocks.items() if n == block or _has_new_levels(n, design)}
    random = {factor.name for factor in design.space.blocks if factor.random}
    fixed = [levels for name, levels in design.blocks.items() if name not in random]
    space = design.space
    if not known and len(fixed) == 1:
        # Nobody can make a new vessel: its blocks are kept apart under another name.
        known = {ADDED_RUNS: fixed[0]}
        space, _ = with_block(space, ADDED_RUNS)
    elif not known:
        space, name = with_block(space, block or added_runs_block(space, tuple(design.blocks)))
        return space, {name: (ORIGINAL,) * design.n_runs + (FOLD_OVER,) * len(kept)}
    blocks = {}
    for name, levels in known.items():
        new = _new_levels(levels)
        blocks[name] = (*levels, *(new[levels[row]] for row in kept))
    return space, blocks


def _has_new_levels(name: str, design: Design) -> bool:
    """Return whether a block factor of the design may get levels that nobody has seen yet."""
    return is_own_block(name) or name in design.whole_plots


def _new_levels(levels: Sequence[str]) -> Mapping[str, str]:
    """Return for each level the one that its fold-over gets: the next numbers, or its own name."""
    distinct = list(dict.fromkeys(levels))
    if all(level.isdecimal() for level in distinct):
        last = max(map(int, distinct))
        return {level: str(last + place) for place, level in enumerate(distinct, start=1)}
    return {level: f"{level} {FOLD_OVER}" for level in distinct}


def _turned_generators(design: Design, chosen: Sequence[str]) -> tuple[str, ...]:
    names = letters(design.space)
    places = {design.space.names.index(name) for name in chosen}
    generators = parse_generators(design.generators, names, design.space.names)
    turned = [
        replace(g, sign=g.sign * (-1) ** len(places & {g.factor, *g.product})) for g in generators
    ]
    return tuple(generator.text(names) for generator in turned)


def _facts(
    design: Design, combined: Design, chosen: Sequence[str], before: FloatArray
) -> dict[str, JSON]:
    signs = two_level_signs(combined)
    lengths = word_lengths(signs)
    name, levels = list(combined.blocks.items())[-1]
    facts: dict[str, JSON] = {
        "block": {
            "factor": name,
            "original runs": list(dict.fromkeys(levels[: design.n_runs])),
            "added runs": list(dict.fromkeys(levels[design.n_runs :])),
        },
        "letters": dict(zip(letters(combined.space), combined.space.names, strict=True)),
        "folded_on": list(chosen),
        "resolution_before": min(word_lengths(before), default=None),
        "resolution": min(lengths, default=None),
        "word_lengths": {str(length): float(count) for length, count in lengths.items()},
        "equal_to_block": _equal_to_block(combined, before, signs),
    }
    if is_regular(signs):
        facts["aliases"] = list(alias_table(combined, order=min(2, signs.shape[1])))
        _, n_factors = signs.shape
        if n_factors - round(np.log2(len(np.unique(signs, axis=0)))) <= MAX_GENERATORS:
            facts["defining_relation"] = defining_relation(combined)
    elif signs.shape[1] <= _MAX_LISTED:
        facts["aliases"] = list(aliases(combined))
    return facts


def _equal_to_block(combined: Design, before: FloatArray, signs: FloatArray) -> list[str]:
    """Return the effects of up to three factors that change sign from one block to the other."""
    names = letters(combined.space)
    block = np.ones(len(signs))
    block[: len(before)] = -1.0
    return [
        "".join(names[place] for place in places)
        for size in range(1, 4)
        for places in combinations(range(signs.shape[1]), size)
        if abs(signs[:, places].prod(axis=1) @ block) == len(signs)
    ]
