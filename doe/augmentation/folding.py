"""Which factors to fold over, so that the effects that are asked for become clear."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.augmentation.blocks import not_counted, original_levels
from doe.augmentation.existing import existing_runs, is_centre
from doe.augmentation.gains import gains
from doe.augmentation.models import named_term
from doe.designs.aliasing import two_level_signs
from doe.designs.folding import fold_over, refuse_mixture
from doe.errors import DesignError
from doe.factors import CategoricalFactor
from doe.runs import JSON, Design
from doe.space import FactorSpace
from doe.terms import interaction_terms

if TYPE_CHECKING:
    import pandas as pd

# Up to so many factors every set of them is tried.
_MAX_TRIED = 14
_CORRELATED = 1e-9
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class _Overlaps:
    """Pairs of effects that a two-level design does not tell apart, or only partly.

    Attributes:
        effects: Main effects and two-factor interactions, as positions of factors; () is the mean.
        pairs: Positions among ``effects``, shape ``(n_pairs, 2)``.
        sizes: Absolute correlation of each pair, shape ``(n_pairs,)``.
        masks: The factors that are in one effect of a pair only, as bits, shape ``(n_pairs,)``.
    """

    effects: tuple[tuple[int, ...], ...]
    pairs: IntArray
    sizes: FloatArray
    masks: IntArray

    def stay(self, chosen: int) -> BoolArray:
        """Return which pairs still overlap after a fold-over on the chosen factors (as bits).

        The product of two effects changes its sign in the fold-over when an odd number of the
        chosen factors is in it; then both halves cancel.
        """
        return np.array([(int(m) & chosen).bit_count() % 2 == 0 for m in self.masks], np.bool_)


def add_fold_over(
    runs: "Design | pd.DataFrame",
    space: FactorSpace | None = None,
    *,
    free: Sequence[str] | None = None,
    factors: Sequence[str] | None = None,
    block: str | None = None,
    centre_points: int | None = None,
) -> Design:
    """Return the fold-over that frees the effects that are asked for, as runs to add.

    With ``free``, high and low are exchanged in the fewest factors after which none of the named
    effects is aliased with another main effect or two-factor interaction. With ``factors``, they
    are exchanged in these. With neither, in the factors that leave the least aliasing: of main
    effects with each other, then with two-factor interactions, then among these.

    The added runs are a new block. ``details`` says what is freed, what stays aliased, the
    resolution before and after, and what the difference between the blocks cannot be told from.

    Args:
        runs: Two-level runs, with or without centre runs; a table is read as the two levels of
            each factor that its settings are nearest to.
        space: The factors of a table, or others than those of a design.
        free: Main effects and two-factor interactions, such as ``["A", "B:C"]`` or ``["BC"]``.
        factors: The factors in which to exchange high and low.
        block: Name of the block factor that tells the added runs from the original ones.
        centre_points: How many of the design's centre runs are done again; all where absent.

    Raises:
        DesignError: If the runs are no two-level design or hold a mixture, wrong effects are named,
            or no fold-over frees them; says which pairs stay.

    Source:
        Li and Lin (2003), Technometrics 45, 142-149: optimal foldover plans; Montgomery (2017),
        Design and Analysis of Experiments, chapter 8.
    """
    if free is not None and factors is not None:
        raise DesignError(
            "Both free and factors are given: name the effects to free, or the factors in which "
            "to exchange high and low."
        )
    design = _two_level_design(runs, space)
    if set(design.point_types) - {"factorial", "centre"}:
        # It says why such runs have no fold-over.
        return fold_over(design, factors=factors, block=block)
    overlaps = _overlaps(two_level_signs(design))
    names = design.space.names
    if factors is not None:
        added = fold_over(design, factors=factors, block=block, centre_points=centre_points)
        return _with_facts(design, added, overlaps, "as asked")
    if free is not None:
        chosen, why = _freeing(overlaps, free, design.space), f"frees {', '.join(free)}"
    else:
        chosen, why = _least_aliased(overlaps, len(names)), "leaves the least aliasing"
    folded = [name for place, name in enumerate(names) if chosen >> place & 1]
    added = fold_over(design, factors=folded, block=block, centre_points=centre_points)
    return _with_facts(design, added, overlaps, why)


def _two_level_design(runs: "Design | pd.DataFrame", space: FactorSpace | None) -> Design:
    """Return the runs as a design whose factors have two levels, and centre runs.

    Raises:
        DesignError: If a factor is neither near its two levels nor at its middle.
    """
    existing = existing_runs(runs, space)
    refuse_mixture(existing.space)
    if isinstance(runs, Design):
        return replace(runs, space=existing.space)
    centre = is_centre(existing)
    planned = existing.settings.copy()
    for factor in existing.space.searched:
        if isinstance(factor, CategoricalFactor):
            continue
        values = existing.settings[factor.name].to_numpy(dtype=np.float64)
        corner = values[~centre]
        low, high = float(np.min(corner, initial=np.inf)), float(np.max(corner, initial=-np.inf))
        share = (values - low) / (high - low) if high > low else np.zeros(len(values))
        off = np.flatnonzero(~centre & (np.abs(share - np.round(share)) > 0.1))
        if off.size:
            raise DesignError(
                f"Run {off[0] + 1} has '{factor.name}' at {values[off[0]]:g} {factor.unit}".rstrip()
                + f", between the levels {low:g} and {high:g}: a fold-over needs two-level runs; "
                "use augment_optimal."
            )
        ends = [_end(factor.low, low, high), _end(factor.high, high, low)]
        middle = (factor.low + factor.high) / 2
        settings = np.where(np.round(share) > 0.5, ends[1], ends[0])
        planned[factor.name] = np.where(centre, middle, settings)
    types = tuple("centre" if is_middle else "factorial" for is_middle in centre)
    return Design(
        existing.space,
        existing.space.project(planned),
        "two-level design",
        types,
        blocks=existing.blocks,
    )


def _end(planned: float, achieved: float, other: float) -> float:
    """Return the end of the range where the achieved level is near it, else that level."""
    return planned if abs(planned - achieved) <= 0.1 * abs(achieved - other) else achieved


def _overlaps(signs: FloatArray) -> _Overlaps:
    n_runs, n_factors = signs.shape
    effects = tuple(chosen for size in (0, 1, 2) for chosen in combinations(range(n_factors), size))
    columns = np.column_stack([signs[:, list(e)].prod(axis=1) for e in effects])
    sizes = np.abs(columns.T @ columns) / n_runs
    pairs = np.argwhere(np.triu(sizes, 1) > _CORRELATED)
    bits = np.array([sum(1 << place for place in effect) for effect in effects], dtype=np.int64)
    masks = bits[pairs[:, 0]] ^ bits[pairs[:, 1]]
    return _Overlaps(effects, pairs, sizes[pairs[:, 0], pairs[:, 1]], masks)


def _freeing(overlaps: _Overlaps, free: Sequence[str], space: FactorSpace) -> int:
    """Return the smallest set of factors, as bits, whose exchange frees the named effects."""
    named = _named_effects(free, space)
    wanted = {overlaps.effects.index(effect) for effect in named}
    concerned = np.array([bool(wanted & set(map(int, pair))) for pair in overlaps.pairs], np.bool_)
    if not concerned.any():
        raise DesignError(
            f"{', '.join(free)}: not aliased with any main effect or two-factor interaction: no "
            "fold-over is needed."
        )
    best, fewest = 0, int(concerned.sum())
    asked = [sum(place in effect for effect in named) for place in range(len(space.names))]

    def least_known(chosen: int) -> tuple[int, int]:
        # Exchanges in different factors often add the same runs: name the factors asked about.
        return chosen.bit_count(), -sum(n for i, n in enumerate(asked) if chosen >> i & 1)

    for chosen in sorted(_subsets(len(space.names)), key=least_known):
        stays = int((overlaps.stay(chosen) & concerned).sum())
        if stays < fewest:
            best, fewest = chosen, stays
        if stays == 0:
            return chosen
    left = np.flatnonzero(overlaps.stay(best) & concerned)[:_SHOWN]
    shown = "; ".join(_pair_text(overlaps, int(place), space.names) for place in left)
    raise DesignError(
        f"No fold-over frees {', '.join(free)}: at best {shown} stay aliased. Free fewer effects, "
        "or use separate_effects, which adds runs one by one."
    )


def _least_aliased(overlaps: _Overlaps, n_factors: int) -> int:
    orders = np.array([[len(overlaps.effects[i]) for i in pair] for pair in overlaps.pairs])
    if not len(orders):
        raise DesignError(
            "No main effect or two-factor interaction is aliased: a fold-over frees nothing; use "
            "replicate_uncertain for more precision, or estimate_curvature."
        )
    low, high = orders.min(axis=1), orders.max(axis=1)
    ranks = [high <= 1, (low <= 1) & (high == 2), low == 2]

    def left(chosen: int) -> tuple[float, ...]:
        squares = np.where(overlaps.stay(chosen), overlaps.sizes**2, 0.0)
        return tuple(round(float(squares[rank].sum()), 9) for rank in ranks)

    # The full fold-over comes first: among equals it is the one that people know.
    candidates = [(1 << n_factors) - 1, *_subsets(n_factors)]
    return min(candidates, key=left)


def _subsets(n_factors: int) -> list[int]:
    """Return sets of factors as bits, small ones first; of many factors only small ones and all."""
    largest = n_factors if n_factors <= _MAX_TRIED else 3
    found = [
        sum(1 << place for place in chosen)
        for size in range(1, largest + 1)
        for chosen in combinations(range(n_factors), size)
    ]
    return found if largest == n_factors else [*found, (1 << n_factors) - 1]


def _named_effects(free: Sequence[str], space: FactorSpace) -> list[tuple[int, ...]]:
    if isinstance(free, str) or not isinstance(free, Sequence):
        raise DesignError(f"free must be a list of effects, such as ['A', 'B:C'], got {free!r}.")
    effects = []
    for text in free:
        term = named_term(text, space)
        powers = term.powers if term is not None else ()
        if not 1 <= len(powers) <= 2:
            raise DesignError(
                f"free names '{text}', which is neither a factor nor an interaction of two, such "
                f"as '{space.names[0]}' or '{space.names[0]}:{space.names[-1]}'."
            )
        effects.append(tuple(space.names.index(name) for name, _ in powers))
    if not effects:
        raise DesignError("free names no effect: give main effects such as 'A', or 'A:B'.")
    return effects


def _with_facts(design: Design, added: Design, overlaps: _Overlaps, why: str) -> Design:
    """Return the added runs with what they free, in words."""
    names = design.space.names
    folded = added.details["folded_on"]
    assert isinstance(folded, Sequence)
    chosen = sum(1 << names.index(str(name)) for name in folded)
    stays = overlaps.stay(chosen)
    texts = [_pair_text(overlaps, place, names) for place in range(len(stays))]
    facts: dict[str, JSON] = {
        "chosen_because": why,
        "freed": [text for text, stay in zip(texts, stays, strict=True) if not stay],
        "still_aliased": [text for text, stay in zip(texts, stays, strict=True) if stay],
    }
    existing = existing_runs(design, None)
    said = added.details["block"]
    assert isinstance(said, Mapping)
    found = said["original runs"]
    assert isinstance(found, Sequence)
    listed = [str(level) for level in found]
    blocks = {}
    for name, levels in added.blocks.items():
        original = original_levels(existing, name, listed)
        assert original is not None
        blocks[name] = (*original, *levels)
    facts |= gains(interaction_terms(design.space), existing, added.runs, blocks)
    recorded = [f.name for f in added.space.blocks if f.name not in added.blocks]
    if recorded:
        facts["blocks_to_fill_in"] = recorded
    left_out = [
        n for n, v in existing.blocks.items() if v not in (b[: len(v)] for b in blocks.values())
    ]
    remarks = [*existing.remarks, *not_counted(existing, left_out)]
    if remarks:
        facts["assumptions"] = list(remarks)
    return replace(added, details={**added.details, **facts})


def _pair_text(overlaps: _Overlaps, place: int, names: Sequence[str]) -> str:
    one, other = (overlaps.effects[i] for i in overlaps.pairs[place])
    text = " with ".join(":".join(names[i] for i in effect) or "mean" for effect in (one, other))
    size = overlaps.sizes[place]
    return text if size > 1 - 1e-9 else f"{text} ({size:.3g})"
