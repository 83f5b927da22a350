"""The block that further runs make beside the runs that are done."""

from collections.abc import Sequence
from dataclasses import dataclass

from doe.augmentation.existing import ORIGINAL, ExistingRuns
from doe.designs.added_blocks import added_runs_block
from doe.designs.blocks import with_block
from doe.runs import JSON
from doe.space import FactorSpace

ADDED = "added"


@dataclass(frozen=True, slots=True)
class AddedBlock:
    """Where the further runs stand among the blocks.

    Attributes:
        space: The factors, with the block factor if there is one.
        name: Of the block factor; None when there are no blocks.
        original: The block of each run that is done, as far as differences between blocks count;
            empty without blocks.
        added: The block of the further runs.
        remarks: What was assumed about blocks and runs, in words.
        to_record: Block factors whose level is to be filled in when a further run is done.
    """

    space: FactorSpace
    name: str | None
    original: tuple[str, ...] = ()
    added: str = ADDED
    remarks: tuple[str, ...] = ()
    to_record: tuple[str, ...] = ()

    @property
    def is_new(self) -> bool:
        """Whether the further runs are a block of their own."""
        return self.name is not None and self.added not in self.original

    def before(self) -> dict[str, tuple[str, ...]]:
        """Return the blocks of the runs that are done."""
        return {self.name: self.original} if self.name is not None else {}

    def of_added(self, n_runs: int) -> dict[str, tuple[str, ...]]:
        """Return the blocks of the further runs."""
        return {self.name: (self.added,) * n_runs} if self.name is not None else {}

    def after(self, n_runs: int) -> dict[str, tuple[str, ...]]:
        """Return the blocks of both, the runs that are done first."""
        added = self.of_added(n_runs)
        return {name: (*levels, *added[name]) for name, levels in self.before().items()}

    def facts(self) -> dict[str, JSON]:
        """Return what the details of a design say about its block."""
        facts: dict[str, JSON] = {
            "block": "none: the runs are taken as done under the same conditions"
            if self.name is None
            else {
                "factor": self.name,
                "original runs": list(dict.fromkeys(self.original)),
                "added runs": self.added,
            }
        }
        if self.to_record:
            facts["blocks_to_fill_in"] = list(self.to_record)
        if self.remarks:
            facts["assumptions"] = list(self.remarks)
        return facts


def added_block(existing: ExistingRuns, block: str | None, *, in_new_block: bool) -> AddedBlock:
    """Return the block of the further runs: a new one, or the last of those that are there.

    Where nobody names a block factor, it is one of its own: no vessel or day is made up for runs
    that are not done. Differences between random blocks of the runs that are done, such as whole
    plots, are not counted: as fixed ones they would take up the hard-to-change factors.

    Args:
        existing: The runs that are done.
        block: Name of the block factor; chosen by ``added_runs_block`` where absent.
        in_new_block: Whether the further runs are a block of their own.

    Raises:
        DesignError: If the block factor cannot be named so.
    """
    known = existing.blocks
    name = block or added_runs_block(existing.space, tuple(known))
    if in_new_block:
        space, name = with_block(existing.space, name)
    else:
        space = existing.space
    to_record = tuple(factor.name for factor in space.blocks if factor.name != name)
    if not in_new_block and name not in known:
        remarks = (*existing.remarks, *not_counted(existing, tuple(known)))
        return AddedBlock(space, None, remarks=remarks, to_record=to_record)
    if name in known:
        added = _next_level(known[name]) if in_new_block else known[name][-1]
        together = (ORIGINAL if in_new_block else added,) * existing.n_runs
        original = together if name in existing.random else known[name]
        left_out = tuple(n for n in known if n != name or n in existing.random)
    else:
        counted = _finest(existing)
        original = known[counted] if counted else (ORIGINAL,) * existing.n_runs
        added = ADDED if ADDED not in original else _next_level(original)
        left_out = tuple(other for other in known if other != counted)
    remarks = (*existing.remarks, *not_counted(existing, left_out))
    return AddedBlock(space, name, original, added, remarks, to_record)


def original_levels(
    existing: ExistingRuns, name: str, said: Sequence[str]
) -> tuple[str, ...] | None:
    """Return the block of each run that is done, from what the further runs say of it.

    Args:
        existing: The runs that are done.
        name: The block factor of the further runs.
        said: The levels that the runs that are done have, as the further runs' details list them.
    """
    if name in existing.blocks:
        return existing.blocks[name]
    for levels in existing.blocks.values():
        if list(dict.fromkeys(levels)) == list(said):
            return levels
    return (said[0],) * existing.n_runs if len(said) == 1 else None


def not_counted(existing: ExistingRuns, left_out: Sequence[str]) -> list[str]:
    """Return in words that differences between some blocks play no part."""
    remarks = []
    differing = [name for name in left_out if len(set(existing.blocks[name])) > 1]
    random = [name for name in differing if name in existing.random]
    if random:
        hard = [f.name for f in existing.space.searched if getattr(f, "change", "easy") != "easy"]
        remarks.append(
            f"The random blocks {', '.join(random)} of the runs that are done are left out: the "
            "runs that are done count as one block, runs of a block as independent, and variances "
            "of effects that change between blocks are larger than stated."
            + (f" {', '.join(hard)} may change from one added run to the next." if hard else "")
        )
    fixed = [name for name in differing if name not in random]
    if fixed:
        remarks.append(
            f"Differences between the levels of {', '.join(fixed)} are not taken out: name one "
            "with block= to count them."
        )
    return remarks


def _finest(existing: ExistingRuns) -> str | None:
    """Return the fixed block factor whose levels tell those of every other fixed one too."""
    fixed = {n: v for n, v in existing.blocks.items() if n not in existing.random}
    together = len(set(zip(*fixed.values(), strict=True))) if fixed else 0
    for name, levels in fixed.items():
        if len(set(levels)) == together:
            return name
    return None


def _next_level(levels: Sequence[str]) -> str:
    if all(level.isdecimal() for level in levels):
        return str(max(map(int, levels)) + 1)
    number, level = 1, ADDED
    while level in levels:
        number += 1
        level = f"{ADDED} {number}"
    return level
