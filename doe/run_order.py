"""The order in which planned runs are done: drawn at random within blocks and whole plots."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from doe.runs import Design


def drawn_order(design: "Design", *, rng: np.random.Generator) -> tuple[int, ...]:
    """Return for each run its place (1 first) in a random order, shape ``(n_runs,)``.

    Blocks keep the order in which they stand (the second day follows the first); whole plots are
    drawn within the block that holds them, sub-plots within those, and runs within the innermost.

    Source:
        Jones and Nachtsheim (2009), J. Quality Technology 41, 340-361: restricted randomisation.
    """
    names = list(design.blocks)
    order = [0] * design.n_runs
    for place, row in enumerate(_drawn(design, list(range(design.n_runs)), names, rng), start=1):
        order[row] = place
    return tuple(order)


def randomisation_record(design: "Design") -> str:
    """Return how the order was drawn, and how often hard-to-change factors change in it."""
    source = "" if design.seed is None else f" from seed {design.seed}"
    kept = [name for name in design.blocks if name not in design.whole_plots]
    held = [*kept, *design.whole_plots]
    if not held:
        text = f"complete: the order of all {design.n_runs} runs was drawn{source}"
    else:
        parts = [f"the order of {name} was kept" for name in kept]
        parts += [f"the order of {name} was drawn" for name in design.whole_plots]
        text = f"restricted: {', '.join(parts)}, and runs were drawn within {held[-1]}{source}"
    hard = [f.name for f in design.space.searched if getattr(f, "change", "easy") != "easy"]
    return "; ".join([text, *(_settings_of(design, name) for name in hard)])


def _drawn(
    design: "Design", rows: Sequence[int], names: Sequence[str], rng: np.random.Generator
) -> list[int]:
    """Return rows in the order of doing; ``names`` are the blocks they are still to be split by."""
    if not names:
        return [int(row) for row in rng.permutation(rows)]
    groups: dict[str, list[int]] = {}
    for row in rows:
        groups.setdefault(design.blocks[names[0]][row], []).append(row)
    levels = list(groups)
    if names[0] in design.whole_plots:
        levels = [levels[place] for place in rng.permutation(len(levels))]
    return [row for level in levels for row in _drawn(design, groups[level], names[1:], rng)]


def _settings_of(design: "Design", factor: str) -> str:
    """Return how often a hard-to-change factor is set, or changes where it has no whole plots."""
    settings = list(map(str, design.runs[factor]))
    for plot in design.whole_plots:
        levels = design.blocks[plot]
        n_plots = len(set(levels))
        if len(set(zip(levels, settings, strict=True))) == n_plots:
            return f"{factor} is set once per {plot}, {n_plots} times"
    return f"{factor} changes {_changes(design, factor)} times"


def _changes(design: "Design", factor: str) -> int:
    """Return how often a factor changes from one run to the next in the order of doing."""
    settings = list(design.runs[factor])
    rows = np.argsort(design.run_order)
    return sum(settings[one] != settings[other] for one, other in pairwise(rows))
