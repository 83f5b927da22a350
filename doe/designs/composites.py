"""The parts of central composite designs: core, axial and centre runs, and their blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Literal

import numpy as np

from doe.arrays import IntArray
from doe.designs.crossing import Points, joined, one_after_the_other
from doe.designs.fractions import Fraction
from doe.errors import DesignError

Kind = Literal["rotatable", "spherical", "face-centred", "inscribed", "orthogonal blocks"]

_MAX_CORE_BLOCKS = 16
_MAX_AXIAL_CENTRES = 12
# Centre runs of the core, over all its blocks together, for the usual number of them.
_CORE_CENTRES = 4


@dataclass(frozen=True)
class Composite:
    """A central composite design before it is written in natural units.

    Attributes:
        kind: Where the axial runs are.
        core: The factorial runs.
        core_blocks: The block of each core run, from 0; all 0 for a core in one piece.
        centre: Centre runs of the design, or of each core block and of the axial block.
        core_replicates: How often each core run is done.
        axial_replicates: How often each axial run is done.
    """

    kind: Kind
    core: Fraction
    core_blocks: IntArray
    centre: tuple[int, ...]
    core_replicates: int = 1
    axial_replicates: int = 1

    @property
    def is_blocked(self) -> bool:
        """Whether core and axial runs are in blocks of their own."""
        return len(self.centre) == 2

    @property
    def n_core_blocks(self) -> int:
        """How many blocks the core runs are in."""
        return int(self.core_blocks.max()) + 1

    @property
    def n_centre(self) -> int:
        """How many centre runs there are in all."""
        if not self.is_blocked:
            return self.centre[0]
        return self.n_core_blocks * self.centre[0] + self.centre[1]

    @property
    def n_runs(self) -> int:
        """How many runs there are in all."""
        n_core, n_axial = len(self.core.signs), 2 * int(self.core.signs.shape[1])
        return n_core * self.core_replicates + n_axial * self.axial_replicates + self.n_centre

    @cached_property
    def distance(self) -> float:
        """The distance of the axial runs from the centre, the core being at -1 and +1.

        Source:
            Box and Hunter (1957), Annals of Mathematical Statistics 28, 195-241: rotatability, and
            blocks, of which each has the share of sum x^2 that it has of the runs.
        """
        n_core = len(self.core.signs) * self.core_replicates
        n_factors = self.core.signs.shape[1]
        if self.is_blocked:
            n_axial = 2 * n_factors * self.axial_replicates
            ratio = (n_axial + self.centre[1]) / (n_core + self.n_core_blocks * self.centre[0])
            return float((n_core * ratio / (2 * self.axial_replicates)) ** 0.5)
        match self.kind:
            case "face-centred":
                return 1.0
            case "spherical":
                return float(n_factors**0.5)
            case _:
                return float((n_core / self.axial_replicates) ** 0.25)

    @cached_property
    def points(self) -> Points:
        """Runs with the core at -1 and +1: core, axial, centre; or block after block."""
        n_factors = self.core.signs.shape[1]
        axial = np.zeros((2 * n_factors, n_factors))
        axial[np.arange(2 * n_factors), np.repeat(np.arange(n_factors), 2)] = np.tile(
            [-self.distance, self.distance], n_factors
        )
        axial = np.tile(axial, (self.axial_replicates, 1))
        centre = [np.zeros((n, n_factors)) for n in self.centre]
        if not self.is_blocked:
            core = np.tile(self.core.signs, (self.core_replicates, 1))
            return joined([("factorial", core), ("axial", axial), ("centre", centre[0])])
        groups = []
        for number in range(self.n_core_blocks):
            part = self.core.signs[self.core_blocks == number]
            core = np.tile(part, (self.core_replicates, 1))
            groups.append(joined([("factorial", core), ("centre", centre[0])], str(number + 1)))
        last = str(self.n_core_blocks + 1)
        return one_after_the_other(
            [*groups, joined([("axial", axial), ("centre", centre[1])], last)]
        )


def usual_centre_counts(
    core: Fraction, core_blocks: IntArray, core_replicates: int, axial_replicates: int
) -> tuple[int, int]:
    """Return centre runs for each core block and for the axial block, where none are asked for.

    (4, 2) for one core block. For more, four in all core blocks together, and at least one in each;
    and as many in the axial block as bring the design nearest to a rotatable one.
    """
    n_core_blocks = int(core_blocks.max()) + 1
    if n_core_blocks == 1:
        return (4, 2)
    in_core = -(-_CORE_CENTRES // n_core_blocks)
    rotatable = (len(core.signs) * core_replicates / axial_replicates) ** 0.25
    apart = {
        count: abs(
            Composite(
                "orthogonal blocks",
                core,
                core_blocks,
                (in_core, count),
                core_replicates,
                axial_replicates,
            ).distance
            - rotatable
        )
        for count in range(1, _MAX_AXIAL_CENTRES + 1)
    }
    return in_core, min(apart, key=lambda count: (round(apart[count], 9), count))


def core_in_blocks(core: Fraction, n_core_blocks: int) -> IntArray:
    """Return the block of each core run, from 0, so that no main effect or pair is confounded.

    The products of factors that tell blocks apart have as many factors as can be had.

    Raises:
        DesignError: If the core cannot be split so; says into how many blocks it can.

    Source:
        Box and Hunter (1957), Annals of Mathematical Statistics 28, 195-241: blocks that are
        confounded only with interactions of three and more factors.
    """
    contrasts = _block_contrasts(core, n_core_blocks)
    if contrasts is None:
        possible = [
            str(1 + count)
            for count in (2**power for power in range(_MAX_CORE_BLOCKS.bit_length()))
            if _block_contrasts(core, count) is not None
        ]
        raise DesignError(
            f"n_blocks is {n_core_blocks + 1}, but {len(core.signs)} core runs of "
            f"{core.signs.shape[1]} factors and the axial runs can be in {', '.join(possible)} "
            "blocks that leave two-factor interactions clear: choose one of these."
        )
    numbers = np.zeros(len(core.signs), dtype=np.int64)
    for power, contrast in enumerate(contrasts):
        signs = core.signs[:, list(contrast)].prod(axis=1)
        numbers += (signs > 0).astype(np.int64) << power
    return numbers


def _block_contrasts(core: Fraction, n_core_blocks: int) -> list[tuple[int, ...]] | None:
    """Return the products of factors that split a core, or nothing where it cannot be split."""
    n_contrasts = n_core_blocks.bit_length() - 1
    if n_core_blocks != 2**n_contrasts or n_core_blocks > min(_MAX_CORE_BLOCKS, len(core.signs)):
        return None
    n_factors = core.signs.shape[1]
    generated = {generator.factor: generator.product for generator in core.generators}
    basic = [place for place in range(n_factors) if place not in generated]
    bit = {place: 1 << i for i, place in enumerate(basic)}
    mask = {
        place: sum(bit[p] for p in generated.get(place, (place,))) for place in range(n_factors)
    }
    kept = {0, *mask.values()} | {mask[a] ^ mask[b] for a, b in combinations(mask, 2)}
    free = [number for number in range(1, 1 << len(basic)) if number not in kept]
    free.sort(key=lambda number: (-number.bit_count(), number))
    chosen = _independent(free, n_contrasts, frozenset(free), (), frozenset({0}))
    if chosen is None:
        return None
    return [tuple(place for place in basic if number & bit[place]) for number in chosen]


def _independent(
    candidates: Sequence[int],
    wanted: int,
    free: frozenset[int],
    chosen: tuple[int, ...],
    span: frozenset[int],
) -> tuple[int, ...] | None:
    """Return products of which all products are free, by trying one after the other."""
    if len(chosen) == wanted:
        return chosen
    for place, number in enumerate(candidates):
        added = {number ^ other for other in span}
        if number not in span and added <= free:
            found = _independent(
                candidates[place + 1 :], wanted, free, (*chosen, number), span | added
            )
            if found is not None:
                return found
    return None
