"""Squares that are asked for, and the runs that tell them from the squares of all other factors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, IntArray
from doe.augmentation.blocks import AddedBlock
from doe.augmentation.existing import ExistingRuns
from doe.augmentation.gains import correlation, model_runs, stacked
from doe.augmentation.models import with_squares
from doe.augmentation.points import axial_factors
from doe.augmentation.search import Search, beside, best_runs, fewest_runs, runs_for_columns
from doe.errors import DesignError, TooFewRunsError
from doe.formulas import formula_name
from doe.terms import Term, Terms, model_columns, parse_terms

if TYPE_CHECKING:
    import pandas as pd

_ALIASED = 1 - 1e-9


@dataclass(frozen=True)
class Squares:
    """The squares that are asked for, told from those of all other factors.

    Attributes:
        existing: The runs that are done.
        where: Where the further runs stand.
        squared: The factors whose squares are asked for.
    """

    existing: ExistingRuns
    where: AddedBlock
    squared: tuple[str, ...]

    @cached_property
    def unasked(self) -> tuple[str, ...]:
        """The other factors that could curve."""
        possible = axial_factors(self.existing.space, None)
        return tuple(name for name in possible if name not in self.squared)

    @cached_property
    def terms(self) -> Terms:
        """The model with the squares that are asked for."""
        return with_squares(self.existing, self.where, self.squared)[1]

    @cached_property
    def whole(self) -> Terms:
        """The model with the squares of all factors that could curve."""
        return with_squares(self.existing, self.where, (*self.squared, *self.unasked))[1]

    @cached_property
    def others(self) -> Terms:
        """The squares of the other factors."""
        squares = [f"I({formula_name(name)}**2)" for name in self.unasked]
        return parse_terms(" + ".join(["0", *squares]), self.existing.space)

    @property
    def kind(self) -> str:
        """What is best about the runs."""
        return "A-optimal" if self.unasked else "D-optimal"

    def asked(self, terms: Terms) -> BoolArray:
        """Return which columns of a model must be estimable, shape ``(n_columns,)``.

        The intercept need not, where it may be aliased with squares that nobody asks about.
        """
        mine = [term for term in self.terms.terms if not (self.unasked and term.is_intercept)]
        columns = model_columns(terms, self.existing.space)
        return np.array([column.term in mine for column in columns], dtype=np.bool_)

    def are_told(self, settings: "pd.DataFrame", blocks: Mapping[str, Sequence[str]]) -> bool:
        """Return whether runs can estimate what is asked for."""
        runs = model_runs(self.whole, settings, self.existing, blocks)
        return bool(runs.estimable()[self.asked(self.whole)].all())

    def refuse_known(self) -> None:
        """Refuse runs that can estimate what is asked for already.

        Raises:
            DesignError: If they can.
        """
        if self.are_told(self.existing.settings, self.where.before()):
            beside = f", told from those of {', '.join(self.unasked)}" if self.unasked else ""
            raise DesignError(
                f"The runs that are done can estimate the squares of {', '.join(self.squared)} "
                f"already{beside}: no run is needed; give n_runs for more precision."
            )

    def are_told_with(self, added: "pd.DataFrame") -> bool:
        """Return whether the runs that are done and further ones together can."""
        return self.are_told(stacked(self.existing, added), self.where.after(len(added)))

    def aliased_squares(self) -> list[str]:
        """Return pairs of a square that is asked for and another that equals it in all runs."""
        base = with_squares(self.existing, self.where, self.squared)[0]
        settings, blocks = self.existing.settings, self.where.before()
        known = model_runs(base, settings, self.existing, blocks).matrix
        squares = model_runs(self.whole, settings, self.existing, {})
        left = squares.matrix - known @ np.linalg.lstsq(known, squares.matrix, rcond=None)[0]
        found = [Term(((name, 2),)).name for name in (*self.squared, *self.unasked)]
        places = [squares.names.index(name) for name in found]
        return [
            f"{found[i]} with {found[j]}"
            for i, j in combinations(range(len(found)), 2)
            if i < len(self.squared)
            and abs(correlation(left[:, places[i]], left[:, places[j]])) > _ALIASED
        ]


def fewest_for_squares(task: Squares, search: Search, rng: np.random.Generator) -> int:
    """Return how many runs are needed so that the squares asked for are told from all others.

    Raises:
        DesignError: If no number of runs does.
    """
    if not task.unasked:
        return fewest_runs(search)
    wider = beside(search, task.others)
    asked = task.asked(search.terms)
    for count in range(1, max(1, fewest_runs(wider)) + 1):
        if task.are_told_with(search.settings(runs_for_columns(wider, count, asked, rng=rng))):
            return count
    raise DesignError(
        f"No further runs were found that tell the squares of {', '.join(task.squared)} from those "
        f"of {', '.join(task.unasked)}: leave out factors, or widen the factor space."
    )


def runs_for_squares(
    task: Squares, search: Search, count: int, fewest: int, *, rng: np.random.Generator
) -> IntArray:
    """Return the best so many candidates.

    Raises:
        TooFewRunsError: If so many cannot make the squares estimable.
    """
    if not task.unasked:
        return best_runs(search, count, criterion="D", rng=rng)
    asked = task.asked(search.terms)
    chosen = runs_for_columns(beside(search, task.others), count, asked, rng=rng)
    if not task.are_told_with(search.settings(chosen)):
        raise TooFewRunsError(
            f"{count} further runs cannot tell the squares of {', '.join(task.squared)} from those "
            f"of {', '.join(task.unasked)}: add {fewest} or more."
        )
    return chosen
