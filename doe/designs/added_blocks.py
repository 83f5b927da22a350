"""Which block factor tells runs that are added later from those that are there."""

from collections.abc import Sequence

from doe.space import FactorSpace

ADDED_RUNS = "added runs"
"""The block factor that added runs bring along where the space declares things to be blocks."""

# Blocks that designs bring along, whose levels are mere numbers of a design. Any other block factor
# is a thing, such as a vessel, of which nobody can make a new one.
_OWN = ("block", ADDED_RUNS)


def is_own_block(name: str) -> bool:
    """Return whether a block factor is one that designs bring along, and no thing or day."""
    return name in _OWN


def added_runs_block(space: FactorSpace, known: Sequence[str]) -> str:
    """Return the block factor that tells added runs from the others where nobody names one.

    It is one that an earlier design brought along, if the runs have it; otherwise ``block``, or
    ``added runs`` beside block factors that the space declares: which vessel or day an added run
    will have is to be filled in when it is done.

    Args:
        space: The factors.
        known: The block factors whose levels the runs that are there have.
    """
    for name in reversed(_OWN):
        if name in known:
            return name
    things = [factor.name for factor in space.blocks if not is_own_block(factor.name)]
    return ADDED_RUNS if things or known else _OWN[0]
