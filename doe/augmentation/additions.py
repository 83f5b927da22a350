"""From settings to the design of the additional runs, and both parts as one design."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from doe.augmentation.blocks import AddedBlock, original_levels
from doe.augmentation.existing import ExistingRuns, existing_runs
from doe.augmentation.gains import stacked
from doe.errors import DesignError, InvalidValueError
from doe.runs import JSON, Design
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 3


def added_design(
    block: AddedBlock,
    settings: "pd.DataFrame",
    *,
    method: str,
    point_types: Sequence[str],
    details: Mapping[str, JSON],
    instead: str,
) -> Design:
    """Return the design of additional runs from their settings in natural units.

    Raises:
        DesignError: If a run is not allowed, or not on the steps of the equipment; says which.
    """
    space = block.space
    runs = settings[list(space.names)].reset_index(drop=True)
    steps = space.on_steps(runs)
    faults = [
        [*faults, *([] if on_steps else ["is not on the steps of the equipment"])]
        for faults, on_steps in zip(space.faults(runs), steps, strict=True)
    ]
    wrong = [row for row, found in enumerate(faults) if found]
    if wrong:
        shown = "; ".join(f"run {row + 1}: {', '.join(faults[row])}" for row in wrong[:_SHOWN])
        raise DesignError(
            f"{len(wrong)} of {len(runs)} additional runs are not allowed: {shown}. Instead, "
            f"{instead}."
        )
    return Design(
        space,
        runs,
        method,
        tuple(point_types),
        blocks=block.of_added(len(runs)),
        details={**details, **block.facts()},
    )


def combined_design(
    runs: "Design | pd.DataFrame", added: Design, space: FactorSpace | None = None
) -> Design:
    """Return the original runs and the additional ones as one design, the original ones first.

    Where the additional runs are a block, the result has the blocks of both. Other blocks of the
    original runs are left out, since the additional ones have no level yet: ``details`` names them.

    Args:
        runs: The runs that are done: a design, or a table of settings.
        added: The additional runs, as a function of this package returned them.
        space: The factors of a table; those of ``added`` where absent.

    Raises:
        InvalidValueError: If the runs lack a factor of the additional ones, or these are no design.
        DesignError: If the original runs have no block where the additional ones do.
    """
    if not isinstance(added, Design):
        raise InvalidValueError(
            f"added must be the design of the additional runs, got {added!r}: give what a function "
            "of doe.augmentation returned."
        )
    existing = existing_runs(runs, space or added.space)
    both = stacked(existing, added.runs)
    blocks: dict[str, tuple[str, ...]] = {}
    for name, levels in added.blocks.items():
        facts = added.details.get("block")
        said = facts.get("original runs") if isinstance(facts, Mapping) else None
        listed = [str(level) for level in said] if isinstance(said, Sequence) else []
        found = original_levels(existing, name, listed)
        if found is None:
            raise DesignError(
                f"The additional runs have blocks '{name}', but the original runs do not say "
                f"theirs: give the design, or a table with a column '{name}'."
            )
        blocks[name] = (*found, *levels)
    unknown = [kind or "original" for kind in existing.point_types]
    return Design(
        added.space,
        both,
        f"{runs.method if isinstance(runs, Design) else 'runs that are done'}; {added.method}",
        (*unknown, *(added.point_types or ("added",) * added.n_runs)),
        blocks=blocks,
        details=_combined_facts(existing, added, blocks),
    )


def _combined_facts(
    existing: ExistingRuns, added: Design, blocks: Mapping[str, tuple[str, ...]]
) -> dict[str, JSON]:
    facts: dict[str, JSON] = {"original_runs": existing.n_runs, "added_runs": added.n_runs}
    left_out = [
        name
        for name, levels in existing.blocks.items()
        if not any(levels == both[: existing.n_runs] for both in blocks.values())
    ]
    return {**facts, "blocks_left_out": left_out} if left_out else facts
