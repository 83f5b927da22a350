"""Screening designs: many factors in few runs."""

import numpy as np

from doe.arrays import FloatArray
from doe.designs.aliasing import letters
from doe.designs.assembly import Plan, assemble, centre_runs, check_count, two_level_runs
from doe.designs.blocks import with_block
from doe.designs.factorial import check_two_level_factors
from doe.designs.structure import check_orthogonal
from doe.errors import DesignError
from doe.runs import Design
from doe.space import FactorSpace

# First rows; each further row is the one before moved one place to the right, and the last row is
# all low.
_CYCLIC = {
    8: "+++-+--",
    12: "++-+++---+-",
    16: "++++-+-++--+---",
    20: "++--++++-+-+----++-",
    24: "+++++-+-++--++--+-+----",
    32: "----+-+-+++-++---+++++--++-+--+",
    36: "-+-+++---+++++-+++--+----+-+-++--+-",
    44: "++--+-+--+++-+++++---+-+++-----+---++-+-++-",
    48: "+++++-++++--+-+-+++--+--++-++---+-+-++----+----",
}
# Three blocks side by side; the next nine rows have them moved one block to the right.
_BLOCKS_28 = (
    "+-++++--- -+---+--+ ++-+-++-+",
    "++-+++--- --++--+-- -++++-++-",
    "-+++++--- +---+--+- +-+-++-++",
    "---+-++++ --+-+---+ +-+++-+-+",
    "---++-+++ +----++-- ++--++++-",
    "----+++++ -+-+---+- -+++-+-++",
    "+++---+-+ --+--+-+- +-++-+++-",
    "+++---++- +--+----+ ++-++--++",
    "+++----++ -+--+-+-- -++-+++-+",
)
_SIZES = (4, *sorted([*_CYCLIC, 28, 40]))


def plackett_burman(
    space: FactorSpace,
    *,
    n_runs: int | None = None,
    centre_points: int = 0,
    n_blocks: int = 1,
    block: str | None = None,
) -> Design:
    """Return a Plackett-Burman design: main effects of up to ``n_runs - 1`` two-level factors.

    Main effects are orthogonal to each other. Each is aliased with every two-factor interaction of
    other factors, in part (a coefficient of 1/3 in 12 runs) or, for 8, 16 and 32 runs, fully;
    there ``fractional_factorial`` chooses better columns for few factors. Runs are in standard
    order; randomise them with ``Design.randomised``.

    Args:
        space: The factors: continuous and discrete at their ends, categorical with two levels.
        n_runs: A multiple of four up to 48; the smallest that fits where it is not given.
        centre_points: Runs at the middle of each block, for each combination of levels that have
            no middle.
        n_blocks: 1, or 2 halves told apart by a column that no factor needs, so that main effects
            are orthogonal to blocks.
        block: Name of the block factor.

    Raises:
        DesignError: If the factors do not fit, there is no such design, or a run is not allowed.

    Source:
        Plackett and Burman (1946), Biometrika 33, 305-325: the rows; 40 runs by doubling 20.
    """
    method = "Plackett-Burman design"
    check_two_level_factors(space, method, "use full_factorial or an optimal design")
    n_columns = len(space.names) + _n_block_columns(n_blocks)
    size = _size(n_columns, n_runs, len(space.names))
    columns = hadamard_columns(size)[:, :n_columns]
    check_orthogonal(columns, method)
    instead = "narrow the ranges, or use an optimal or space-filling design"
    centre = centre_runs(space, centre_points, instead)
    halves = [columns[:, -1] < 0, columns[:, -1] > 0] if n_blocks == 2 else [columns[:, 0] != 0]
    signs = [columns[half, : len(space.names)] for half in halves]
    n_each = len(signs[0]) + len(centre)
    blocked, name = with_block(space, block) if n_blocks == 2 else (space, "")
    return assemble(
        blocked,
        Plan(
            [run for half in signs for run in [*two_level_runs(space, half), *centre]],
            [*(["factorial"] * len(signs[0])), *(["centre"] * len(centre))] * n_blocks,
            f"Plackett-Burman, {size} runs",
            instead,
            details={
                "letters": dict(zip(letters(space), space.names, strict=True)),
                "centre_points": len(centre) * n_blocks,
            },
            blocks={name: ("1",) * n_each + ("2",) * n_each} if name else {},
        ),
    )


def hadamard_columns(n_runs: int) -> FloatArray:
    """Return the saturated design of a listed size, shape ``(n_runs, n_runs - 1)``: X'X = N I.

    Raises:
        DesignError: If the size is not listed.

    Source:
        Plackett and Burman (1946), Biometrika 33, 305-325.
    """
    if n_runs == 4:
        return np.array([[1.0, -1, 1], [1, 1, -1], [-1, 1, 1], [-1, -1, -1]])
    if n_runs in _CYCLIC:
        first = _signs(_CYCLIC[n_runs])
        rows = np.array([np.roll(first, shift) for shift in range(n_runs - 1)])
    elif n_runs == 28:
        blocks = [np.array([_signs(row.split()[b]) for row in _BLOCKS_28]) for b in range(3)]
        rows = np.vstack([np.hstack([blocks[(b - s) % 3] for b in range(3)]) for s in range(3)])
    elif n_runs == 40:
        half = hadamard_columns(20)
        # The column that tells the halves apart comes first: without it runs would repeat.
        one = np.ones((20, 1))
        return np.vstack([np.hstack([one, half, half]), np.hstack([-one, half, -half])])
    else:
        raise DesignError(f"No Plackett-Burman design of {n_runs} runs; sizes are {_sizes()}.")
    return np.vstack([rows, -np.ones(n_runs - 1)])


def _n_block_columns(n_blocks: int) -> int:
    if check_count(n_blocks, "n_blocks", at_least=1) > 2:
        raise DesignError(
            f"n_blocks is {n_blocks!r}, but a Plackett-Burman design has 1 or 2: choose one, or "
            "use fractional_factorial, which has 4, 8, ... blocks."
        )
    return n_blocks - 1


def _size(n_columns: int, n_runs: int | None, n_factors: int) -> int:
    """Return how many runs hold the columns of all factors, and of blocks where there are any."""
    needs = f"{n_factors} factors" if n_columns == n_factors else f"{n_factors} factors and blocks"
    fitting = [size for size in _SIZES if size > n_columns]
    if n_runs is not None:
        check_count(n_runs, "n_runs", at_least=4)
        if n_runs not in _SIZES:
            raise DesignError(
                f"No Plackett-Burman design has {n_runs} runs; sizes are {_sizes()}: choose one."
            )
        if n_runs <= n_columns:
            raise DesignError(
                f"{n_runs} runs hold at most {n_runs - 1} factors, and this space has {needs}: "
                f"take n_runs={fitting[0] if fitting else _SIZES[-1]} or fewer factors."
            )
        return n_runs
    if not fitting:
        raise DesignError(
            f"Plackett-Burman designs are listed up to {_SIZES[-1]} runs for {_SIZES[-1] - 1} "
            f"factors, and this space has {needs}: leave out factors."
        )
    return fitting[0]


def _signs(text: str) -> FloatArray:
    return np.array([1.0 if sign == "+" else -1.0 for sign in text])


def _sizes() -> str:
    return ", ".join(map(str, _SIZES))
