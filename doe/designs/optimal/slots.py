"""Which places for runs a design has: fixed ones, searched ones, replicates, and their blocks."""

from collections.abc import Sequence

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.designs.optimal.problem import Slots
from doe.errors import DesignError


def make_slots(
    included: FloatArray,
    centres: FloatArray,
    *,
    n_runs: int,
    n_different: int,
    replicates: int,
    block_sizes: Sequence[int],
) -> Slots:
    """Return the places for ``n_runs`` runs.

    Args:
        included: Points that must be in the design, shape ``(any, n_factors)``.
        centres: Centre points, shape ``(any, n_factors)``.
        n_runs: How many runs there are in all.
        n_different: How many of them must differ.
        replicates: How many runs must repeat another exactly.
        block_sizes: How many runs each block has; one block where there are no blocks.

    Raises:
        DesignError: If the runs do not fit.
    """
    fixed = np.vstack([included, centres])
    n_free = n_runs - len(fixed)
    if n_free < 0:
        raise DesignError(
            f"{len(included)} included runs and {len(centres)} centre points are more than the "
            f"{n_runs} runs asked for: raise n_runs, or fix fewer."
        )
    n_repeats = max(0, replicates - _n_repeats(fixed))
    n_slots = n_free - n_repeats
    if n_repeats and n_slots < 1:
        n_searched = max(1, n_different - (len(fixed) - _n_repeats(fixed)))
        most = max(0, _n_repeats(fixed) + n_free - n_searched)
        raise DesignError(
            f"{replicates} of {n_runs} runs cannot all repeat another: set replicates to at most "
            f"{most}, or raise n_runs to {n_runs + n_searched - n_slots}."
        )
    weights = np.ones(len(fixed) + n_slots, dtype=np.int64)
    if n_repeats:
        weights[len(fixed) :] += n_repeats // n_slots
        weights[len(fixed) : len(fixed) + n_repeats % n_slots] += 1
    places = np.full((len(weights), fixed.shape[1]), np.nan)
    places[: len(fixed)] = fixed
    kinds = ["included"] * len(included) + ["centre"] * len(centres) + ["optimal"] * n_slots
    blocks = _blocks(weights, block_sizes)
    return Slots(weights.astype(np.float64), blocks, places, tuple(kinds))


def _n_repeats(points: FloatArray) -> int:
    """Return how many of the points repeat another."""
    return len(points) - len(np.unique(np.round(points, 9), axis=0))


def _blocks(weights: IntArray, sizes: Sequence[int]) -> IntArray:
    """Return the block of each slot: slots of several runs first, each where most room is left."""
    room = np.array(sizes, dtype=np.int64)
    blocks = np.zeros(len(weights), dtype=np.int64)
    for slot in np.argsort(-weights, kind="stable"):
        block = int(room.argmax())
        if room[block] < weights[slot]:
            raise DesignError(
                f"Blocks of {list(sizes)} runs have no room for {weights[slot]} runs that repeat "
                "each other within a block: ask for fewer replicates, or larger blocks."
            )
        blocks[slot] = block
        room[block] -= weights[slot]
    return blocks
