"""The block factors that a design brings along: those that its space declares, or new ones."""

from dataclasses import replace

from doe.errors import DesignError
from doe.factors import BlockFactor
from doe.space import FactorSpace


def with_block(
    space: FactorSpace,
    name: str | None,
    *,
    otherwise: str = "block",
    random: bool = False,
    nested_in: str | None = None,
) -> tuple[FactorSpace, str]:
    """Return the space with a block factor for a design's blocks, and the name of that factor.

    A block factor that the space declares is used as it is; any other is added, and a campaign
    that takes over the design takes it over too.

    Args:
        space: The factors.
        name: Of the block factor; where absent, the only one that the space declares, or else
            ``otherwise``.
        otherwise: Name of a new block factor when none is given.
        random: Whether a new block factor's levels are a sample of many.
        nested_in: The block factor that contains a new one.

    Raises:
        DesignError: If several block factors are declared and none is named, or the name is that of
            another kind of factor.
    """
    declared = {factor.name: factor for factor in space.blocks}
    free = [block for block in declared if block != nested_in]
    if name is None:
        if len(free) > 1:
            raise DesignError(
                f"This space has the block factors {free}: say with block= which one these blocks "
                "are."
            )
        name = free[0] if free else otherwise
    if name in declared:
        return space, name
    if any(factor.name == name for factor in space.factors):
        raise DesignError(
            f"Blocks cannot be called '{name}', which is another factor: name a block factor, "
            f"{list(declared) or 'or a new one'}."
        )
    new = BlockFactor(name, random=random, nested_in=nested_in)
    return replace(space, factors=(*space.factors, new)), name
