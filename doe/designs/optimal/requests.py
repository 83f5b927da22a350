"""What an optimal design is asked for, checked and in plain tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from doe.arrays import IntArray
from doe.designs.assembly import MAX_RUNS, check_count
from doe.designs.blocks import with_block
from doe.designs.optimal.costs import RunCost
from doe.errors import DesignError, InvalidValueError
from doe.factors import check_number
from doe.named_models import model_terms
from doe.runs import Design
from doe.space import FactorSpace
from doe.terms import Terms

if TYPE_CHECKING:
    import pandas as pd

Criterion = Literal["D", "A", "I", "G", "bayesian D"]
Model = Literal["linear", "interaction", "quadratic"]


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What was asked for, in natural units.

    Attributes:
        space: The factors.
        n_runs: How many runs.
        terms: The effects that must be estimable.
        criterion: What makes a design good.
        potential: Effects that may matter, of the Bayesian criterion.
        keep: Runs done already, in natural units.
        keep_labels: The block of each of them.
        include: Runs that must be in the design.
        block_sizes: How many runs each new block has; empty without blocks.
        block: Name of the block factor.
        space_with_blocks: The factors with the block factor.
        replicates: How many runs must repeat another.
        centre_points: How many runs stand at the centre.
        cost: What a run costs.
        budget: The most that all may cost.
    """

    space: FactorSpace
    n_runs: int
    terms: Terms
    criterion: Criterion
    potential: Terms | None
    keep: "pd.DataFrame"
    keep_labels: tuple[str, ...]
    include: "pd.DataFrame"
    block_sizes: tuple[int, ...]
    block: str
    space_with_blocks: FactorSpace
    replicates: int
    centre_points: int
    cost: RunCost | None
    budget: float | None

    @property
    def keep_blocks(self) -> IntArray:
        """Of each kept run the place of its block, from 0; all 0 without blocks."""
        different = list(dict.fromkeys(self.keep_labels))
        return np.array([different.index(label) for label in self.keep_labels], dtype=np.int64)

    @property
    def n_kept_blocks(self) -> int:
        """How many blocks the kept runs have."""
        return len(set(self.keep_labels)) if self.block_sizes else 0

    @property
    def new_labels(self) -> tuple[str, ...]:
        """The levels of the block factor for the new blocks: numbers that go on from the kept."""
        taken = [int(label) for label in self.keep_labels if label.isdecimal()]
        first = 1 + max(taken, default=0)
        return tuple(str(first + place) for place in range(len(self.block_sizes)))


def make_request(
    space: FactorSpace,
    n_runs: int,
    *,
    terms: Terms | str,
    criterion: Criterion,
    keep: "pd.DataFrame | Design | None",
    include: "pd.DataFrame | None",
    block_sizes: Sequence[int] | None,
    block: str | None,
    replicates: int,
    centre_points: int,
    potential: Terms | str | None,
    cost: RunCost | None,
    budget: float | None,
) -> Request:
    """Return what was asked for, checked as far as that goes without a search.

    Arguments are those of ``optimal_design``.

    Raises:
        DesignError: If an argument is not allowed, or does not fit another.
        ExpressionError: If a formula cannot be read.
    """
    _check_choices(n_runs, criterion)
    sizes = _checked_sizes(block_sizes, n_runs, block)
    blocked, name = with_block(space, block) if sizes else (space, "")
    kept = _kept_runs(keep, space)
    model = model_terms(terms, space)
    _check_no_factor_left_out(model, potential, space)
    return Request(
        space=space,
        n_runs=n_runs,
        terms=model,
        criterion=criterion,
        potential=_checked_potential(potential, criterion, space),
        keep=kept,
        keep_labels=_kept_labels(keep, name, len(kept)),
        include=_included_runs(include, space),
        block_sizes=sizes,
        block=name,
        space_with_blocks=blocked,
        replicates=check_count(replicates, "replicates", at_least=0),
        centre_points=check_count(centre_points, "centre_points", at_least=0),
        cost=cost,
        budget=_checked_budget(budget, cost),
    )


def _check_no_factor_left_out(
    terms: Terms, potential: Terms | str | None, space: FactorSpace
) -> None:
    possible = () if potential is None else model_terms(potential, space).terms
    named = {name for term in (*terms.terms, *possible) for name in term.factors}
    left_out = [name for name in space.names if name not in named]
    if left_out:
        raise DesignError(
            f"The model '{terms.formula}' leaves out {left_out}, whose settings would be chosen at "
            "random: name them in the model, or make the design in a space without them."
        )


def _check_choices(n_runs: int, criterion: str) -> None:
    if check_count(n_runs, "n_runs", at_least=1) > MAX_RUNS:
        raise DesignError(f"{n_runs} runs are more than the {MAX_RUNS} that are planned.")
    if criterion not in get_args(Criterion):
        raise DesignError(
            f"criterion is {criterion!r}; expected one of {', '.join(get_args(Criterion))}."
        )


def _checked_sizes(sizes: Sequence[int] | None, n_runs: int, block: str | None) -> tuple[int, ...]:
    if sizes is None:
        if block is not None:
            raise DesignError(
                f"The block factor '{block}' is named without block_sizes: say how many runs each "
                "block has."
            )
        return ()
    counts = tuple(check_count(size, "a block size", at_least=1) for size in sizes)
    if sum(counts) != n_runs:
        raise DesignError(
            f"Blocks of {list(counts)} runs hold {sum(counts)} runs, but n_runs is {n_runs}: "
            "change one of them."
        )
    return counts


def _checked_potential(
    potential: Terms | str | None, criterion: str, space: FactorSpace
) -> Terms | None:
    if (potential is None) == (criterion == "bayesian D"):
        raise DesignError(
            f"The criterion {criterion!r} goes without potential terms: leave out potential, or "
            "set criterion='bayesian D'."
            if potential is not None
            else "The criterion 'bayesian D' guards against potential terms, and none are given: "
            "give potential=, such as 'quadratic', or set another criterion."
        )
    return None if potential is None else model_terms(potential, space)


def _checked_budget(budget: float | None, cost: RunCost | None) -> float | None:
    if cost is not None and not isinstance(cost, RunCost):
        raise InvalidValueError(f"cost must be a RunCost, got {cost!r}.")
    if budget is None:
        return None
    if cost is None:
        raise DesignError(f"A budget of {budget} needs to know what a run costs: give cost.")
    return check_number(budget, "budget")


def _kept_runs(keep: "pd.DataFrame | Design | None", space: FactorSpace) -> "pd.DataFrame":
    if keep is None:
        return _no_runs(space)
    runs = keep.runs if isinstance(keep, Design) else keep
    space.check_columns(runs)
    return runs[list(space.names)].reset_index(drop=True)


def _no_runs(space: FactorSpace) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame({name: np.zeros(0) for name in space.names})


def _included_runs(include: "pd.DataFrame | None", space: FactorSpace) -> "pd.DataFrame":
    if include is None:
        return _no_runs(space)
    space.check_columns(include)
    runs = include[list(space.names)].reset_index(drop=True)
    faults, possible = space.faults(runs), space.on_steps(runs)
    for row in range(len(runs)):
        if faults[row] or not possible[row]:
            reason = "; ".join(faults[row]) or "it is not on the steps of the factors"
            raise DesignError(
                f"Run {row + 1} of include is not allowed: {reason}. Change it, or give it as keep "
                "when it is done already."
            )
    return runs


def _kept_labels(keep: "pd.DataFrame | Design | None", name: str, n_kept: int) -> tuple[str, ...]:
    """Return the block of each kept run: as their design has it, else one of their own."""
    if isinstance(keep, Design) and name in keep.blocks:
        return keep.blocks[name]
    return ("",) * n_kept
