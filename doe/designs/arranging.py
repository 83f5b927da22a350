"""Replicates, blocks and centre runs of a factorial, put together block by block."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import gcd

import numpy as np

from doe.arrays import IntArray
from doe.designs.assembly import CodedRun, Plan, assemble, centre_runs, check_count
from doe.designs.blocks import with_block
from doe.designs.confounding import BlockPlan, generated_blocks, one_block, regular_blocks
from doe.designs.fractions import Fraction
from doe.errors import DesignError
from doe.runs import Design
from doe.space import FactorSpace


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How often a factorial is done, and in which blocks.

    Replicates are divided among the blocks as far as they go round: as many groups as replicates
    and blocks have in common, each divided into ``n_within`` blocks in the same way.

    Attributes:
        replicates: How often the factorial runs are done.
        centre_points: Centre runs for each combination of levels that have no middle.
        n_groups: How many groups of replicates.
        n_within: How many blocks a group is divided into.
        block: Name of the block factor.
        generators: Interactions that the blocks of a group are confounded with.
    """

    replicates: int
    centre_points: int
    n_groups: int
    n_within: int
    block: str | None = None
    generators: tuple[str, ...] = ()

    @property
    def n_blocks(self) -> int:
        """How many blocks there are."""
        return self.n_groups * self.n_within


def arrangement(
    replicates: int,
    centre_points: int,
    n_blocks: int,
    block: str | None,
    generators: Sequence[str] | None,
) -> Arrangement:
    """Return how replicates and blocks go together.

    Raises:
        DesignError: If the numbers do not go together, or a block factor is named without blocks.
    """
    replicates = check_count(replicates, "replicates", at_least=1)
    n_blocks = check_count(n_blocks, "n_blocks", at_least=1)
    words = (generators,) if isinstance(generators, str) else tuple(generators or ())
    if not words:
        if block is not None and n_blocks == 1:
            raise DesignError(
                f"block='{block}' names the factor of blocks, but n_blocks is 1: say how many "
                "blocks there are, or leave out block."
            )
        n_groups = gcd(replicates, n_blocks)
        return Arrangement(replicates, centre_points, n_groups, n_blocks // n_groups, block)
    n_within = 2 ** len(words)
    n_groups, rest = divmod(n_blocks, n_within) if n_blocks > 1 else (1, 0)
    if rest or n_groups == 0 or replicates % n_groups:
        raise DesignError(
            f"{len(words)} block generators divide each replicate into {n_within} blocks, which "
            f"does not fit n_blocks={n_blocks} and replicates={replicates}: leave out n_blocks, or "
            f"make it {n_within} times a divisor of the replicates."
        )
    return Arrangement(replicates, centre_points, n_groups, n_within, block, words)


def two_level_blocks(
    fraction: Fraction,
    asked: Arrangement,
    letters: Sequence[str],
    names: Sequence[str],
    *,
    spared: Sequence[tuple[int, ...]] = (),
) -> BlockPlan:
    """Return how a replicate of a two-level factorial is divided into blocks.

    Raises:
        DesignError: If there is no such division that spares main effects and the named
            interactions, or the generators are unsuitable.
    """
    if asked.generators:
        return generated_blocks(asked.generators, fraction, letters, names, spared=spared)
    if asked.n_within == 1:
        return one_block(len(fraction.signs))
    check_power_of_two(asked)
    plan = regular_blocks(fraction, asked.n_within, spared=spared)
    if plan is not None:
        return plan
    n_runs = len(fraction.signs)
    fewer = [
        2**b
        for b in range(1, asked.n_within.bit_length() - 1)
        if regular_blocks(fraction, 2**b, spared=spared) is not None
    ]
    offer = f"at most {fewer[-1]} blocks per replicate do" if fewer else "no smaller number does"
    what = "a main effect or an interaction to be estimated" if spared else "a main effect"
    raise DesignError(
        f"{n_runs} runs cannot be divided into {asked.n_within} blocks without losing {what} to "
        f"blocks; {offer}. Take more runs or fewer blocks, or make each replicate a block."
    )


def check_power_of_two(asked: Arrangement) -> None:
    """Refuse a number of blocks into which no replicate of a two-level factorial divides regularly.

    Raises:
        DesignError: With the numbers that would do.
    """
    if asked.n_within & (asked.n_within - 1) == 0:
        return
    near = 2 ** (asked.n_within.bit_length() - 1) * asked.n_groups
    raise DesignError(
        f"{asked.replicates} replicate(s) of a two-level factorial do not divide into "
        f"{asked.n_blocks} blocks that are confounded with interactions only: within a replicate "
        f"the number of blocks is a power of two. Take n_blocks={near} or {2 * near}, or "
        f"replicates={asked.n_blocks} with a block each, or divide the unblocked design by "
        f"in_blocks(design, {asked.n_blocks}, terms, rng=rng)."
    )


def arranged(space: FactorSpace, plan: Plan, numbers: IntArray, asked: Arrangement) -> Design:
    """Return the design of all replicates, block by block, with centre runs in every block.

    Args:
        space: The factors.
        plan: One replicate, in standard order, without centre runs.
        numbers: The block of each of its runs, from 0, shape ``(n_runs,)``.
        asked: Replicates, blocks and centre runs.

    Raises:
        DesignError: If there is no centre, or a run is not allowed.
    """
    centre = centre_runs(space, asked.centre_points, plan.instead)
    runs: list[CodedRun] = []
    types: list[str] = []
    levels: list[str] = []
    for number in range(asked.n_blocks):
        mine = np.asarray(numbers == number % asked.n_within)
        own = [run for run, is_in in zip(plan.runs, mine, strict=True) if is_in]
        own *= asked.replicates // asked.n_groups
        middle = centre[number :: asked.n_blocks]
        runs += [*own, *middle]
        types += ["factorial"] * len(own) + ["centre"] * len(middle)
        levels += [str(number + 1)] * (len(own) + len(middle))
    counts = {"replicates": asked.replicates, "centre_points": len(centre)}
    plan = replace(plan, runs=runs, point_types=types, details={**counts, **plan.details})
    if asked.n_blocks > 1:
        space, name = with_block(space, asked.block)
        method = f"{plan.method}, in {asked.n_blocks} blocks"
        plan = replace(plan, method=method, blocks={name: tuple(levels)})
    return assemble(space, plan)
