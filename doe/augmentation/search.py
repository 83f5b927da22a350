"""The search for the best further runs beside runs that are done, blocks taken into account."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.augmentation.additions import added_design
from doe.augmentation.blocks import AddedBlock
from doe.augmentation.candidates import candidate_settings
from doe.augmentation.existing import ExistingRuns
from doe.augmentation.gains import average_moments, gains
from doe.block_columns import block_columns
from doe.errors import DesignError, TooFewRunsError
from doe.factors import Value
from doe.runs import JSON, Design
from doe.terms import Terms, model_columns, model_matrix

if TYPE_CHECKING:
    import pandas as pd

Criterion = Literal["D", "A", "I"]

N_STARTS = 6
_MAX_PASSES = 12
# Makes the information of too few runs invertible without changing what is best.
_RIDGE = 1e-7
_SMALLEST_GAIN = 1e-9


@dataclass(frozen=True, eq=False)
class Search:
    """What further runs are searched for.

    Attributes:
        existing: The runs that are done.
        block: Where the further runs stand.
        terms: The model that both together are for.
        candidates: Allowed settings in natural units.
        rows: Model columns of each candidate, shape ``(n_candidates, n_columns)``.
        own: Block columns of a further run, shape ``(n_block_columns,)``.
        done: Rows of the runs that are done, block columns last.
        n_potential: How many of the model columns, the last, are of terms that only may matter.
    """

    existing: ExistingRuns
    block: AddedBlock
    terms: Terms
    candidates: "pd.DataFrame"
    rows: FloatArray
    own: FloatArray
    done: FloatArray
    n_potential: int = 0

    @cached_property
    def base(self) -> FloatArray:
        """Information of the runs that are done, and what is known of potential terms."""
        known = np.zeros(self.done.shape[1])
        n_columns = self.rows.shape[1]
        # As if the runs that are done had shown that they are small: they decide among runs that
        # are about as good for the model.
        known[n_columns - self.n_potential : n_columns] = len(self.done)
        return np.asarray(self.done.T @ self.done + np.diag(known), dtype=np.float64)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the model, as people read them."""
        return tuple(column.name for column in model_columns(self.terms, self.existing.space))

    def settings(self, chosen: IntArray) -> "pd.DataFrame":
        """Return chosen candidates in natural units."""
        return self.candidates.iloc[chosen].reset_index(drop=True)

    def full_rows(self, own: FloatArray) -> FloatArray:
        """Return the rows of the candidates with given block columns."""
        return np.column_stack([self.rows, np.tile(own, (len(self.rows), 1))])


def prepare(
    existing: ExistingRuns,
    block: AddedBlock,
    *,
    terms: Terms,
    rng: np.random.Generator,
    fixed: Mapping[str, Value] | None = None,
) -> Search:
    """Return the search for further runs of a model.

    Args:
        existing: The runs that are done.
        block: Where the further runs stand.
        terms: The model.
        rng: Source of the random draws.
        fixed: Factors that stay at one setting in the further runs, natural units.

    Raises:
        DesignError: If no run is allowed, or the space cannot estimate some of the terms however
            many runs are added; names them.
    """
    candidates = candidate_settings(existing, terms, fixed or {}, rng=rng)
    rows = model_matrix(terms, candidates, existing.space).to_numpy()
    blocks = block_columns(block.after(1), existing.n_runs + 1)
    done = model_matrix(terms, existing.settings, existing.space).to_numpy()
    old = np.column_stack([done, blocks[:-1]])
    search = Search(existing, block, terms, candidates, rows, blocks[-1], old)
    _check_possible(search, old)
    return search


def guarded(search: Search, potential: Terms) -> Search:
    """Return the search that also tells the model from terms that may matter, as far as it goes.

    Source:
        DuMouchel and Jones (1994), Technometrics 36, 37-47: primary and potential terms; the prior
        of these is narrower here.
    """
    wider = beside(search, potential)
    return replace(wider, n_potential=wider.rows.shape[1] - search.rows.shape[1])


def beside(search: Search, others: Terms) -> Search:
    """Return the search in which other terms may matter as much, though nobody asks about them."""
    space, n_columns = search.existing.space, search.rows.shape[1]
    rows = model_matrix(others, search.candidates, space).to_numpy()
    done = model_matrix(others, search.existing.settings, space).to_numpy()
    model, blocks = search.done[:, :n_columns], search.done[:, n_columns:]
    return replace(
        search,
        rows=np.column_stack([search.rows, rows]),
        done=np.column_stack([model, done, blocks]),
    )


def fewest_runs(search: Search) -> int:
    """Return how many runs are needed at least so that every term can be estimated."""
    return int(len(search.base) - _rank(search.base))


def best_runs(
    search: Search,
    n_runs: int,
    *,
    criterion: Criterion,
    rng: np.random.Generator,
    possible: BoolArray | None = None,
    own: FloatArray | None = None,
) -> IntArray:
    """Return the candidates that make the best further runs, shape ``(n_runs,)``, in their order.

    Args:
        search: What is searched for.
        n_runs: How many further runs.
        criterion: ``D`` for small joint uncertainty of the coefficients, ``A`` for small variances
            of the coefficients, ``I`` for small average prediction variance.
        rng: Source of the random starts.
        possible: Which candidates each run may be, shape ``(n_runs, n_candidates)``.
        own: Block columns of each run, shape ``(n_runs, n_block_columns)``, where they differ.

    Raises:
        TooFewRunsError: If so many runs cannot make every term estimable.

    Source:
        Fedorov (1972), Theory of Optimal Experiments, ch. 3, in the order of Cook and Nachtsheim
        (1980), Technometrics 22, 315-324.
    """
    if criterion not in get_args(Criterion):
        raise DesignError(f"criterion is {criterion!r}; expected one of D, A, I.")
    needed = fewest_runs(search)
    if n_runs < needed:
        raise TooFewRunsError(
            f"{n_runs} further runs cannot make all {len(search.columns)} terms of "
            f"'{search.terms.formula}' estimable beside the {search.existing.n_runs} runs that are "
            f"done{_block_text(search)}: add {needed} or more, or drop terms."
        )
    weights = _weights(search, criterion, rng)
    allowed = np.ones((n_runs, len(search.rows)), np.bool_) if possible is None else possible
    places = _Places(search, np.tile(search.own, (n_runs, 1)) if own is None else own, allowed)
    best = _lowest(places, weights, rng)
    if _rank(places.information(best)) < len(search.base):
        raise TooFewRunsError(
            f"No {n_runs} further runs were found that make all terms of '{search.terms.formula}' "
            f"estimable{_block_text(search)}: add more runs, or drop terms."
        )
    return np.sort(best) if possible is None else best


def runs_for_columns(
    search: Search, n_runs: int, asked: BoolArray, *, rng: np.random.Generator
) -> IntArray:
    """Return the candidates that make the variances of some coefficients small, whatever the rest.

    Whether they make them estimable is not said: fewer runs may do than all terms need.

    Args:
        search: What is searched for.
        n_runs: How many further runs.
        asked: Which model columns are asked about, shape ``(n_columns,)``.
        rng: Source of the random starts.
    """
    allowed = np.ones((n_runs, len(search.rows)), np.bool_)
    places = _Places(search, np.tile(search.own, (n_runs, 1)), allowed)
    weights = np.eye(len(search.base))[:, np.flatnonzero(asked)]
    return np.sort(_lowest(places, weights, rng))


def searched_design(
    search: Search, chosen: IntArray, *, method: str, details: Mapping[str, JSON]
) -> Design:
    """Return chosen candidates as the design of additional runs, with what they achieve."""
    settings = search.settings(chosen)
    blocks = search.block.after(len(settings))
    return added_design(
        search.block,
        settings,
        method=method,
        point_types=["optimal"] * len(settings),
        details={**details, **gains(search.terms, search.existing, settings, blocks)},
        instead="relax a constraint, or report this",
    )


def _check_possible(search: Search, old: FloatArray) -> None:
    from doe.evaluation.efficiency import unestimable_columns

    both = np.vstack([old, search.full_rows(search.own)])
    if len(both) < both.shape[1]:
        raise DesignError(
            f"Only {len(search.rows)} settings are allowed, too few for the {both.shape[1]} terms "
            f"of '{search.terms.formula}': drop terms, or widen the factor space."
        )
    lost = unestimable_columns(both)
    if lost.size:
        names = [search.columns[i] if i < len(search.columns) else "the block" for i in lost]
        raise DesignError(
            f"However many runs are added in this factor space, {', '.join(names)} cannot be told "
            f"apart from the other terms of '{search.terms.formula}': drop terms."
        )


def _weights(search: Search, criterion: Criterion, rng: np.random.Generator) -> FloatArray | None:
    """Return L with L L' the weights of a trace criterion; None for the determinant."""
    if criterion == "D":
        return None
    n_columns = len(search.columns)
    if criterion == "A":
        return np.eye(len(search.base))[:, :n_columns]
    values, vectors = np.linalg.eigh(average_moments(search.terms, search.existing.space, rng=rng))
    kept = values > 1e-12 * values.max()
    weights = np.zeros((len(search.base), int(kept.sum())))
    weights[:n_columns] = vectors[:, kept] * np.sqrt(values[kept])
    return weights


class _Places:
    """The rows that each further run may have, with the block columns of its place.

    Args:
        search: What is searched for.
        own: Block columns of each run, shape ``(n_runs, n_block_columns)``.
        allowed: Which candidates each run may be, shape ``(n_runs, n_candidates)``.
    """

    def __init__(self, search: Search, own: FloatArray, allowed: BoolArray) -> None:
        self.allowed = allowed
        self._base = search.base
        kinds = {tuple(row): search.full_rows(row) for row in own}
        self.rows = [kinds[tuple(row)] for row in own]

    def information(self, chosen: IntArray) -> FloatArray:
        """Return the information of the runs that are done and the chosen ones."""
        rows = np.array([self.rows[i][row] for i, row in enumerate(chosen)])
        return np.asarray(self._base + rows.T @ rows, dtype=np.float64)


def _lowest(places: _Places, weights: FloatArray | None, rng: np.random.Generator) -> IntArray:
    """Return the best of exchanges from several random starts."""
    best, lowest = np.empty(0, dtype=np.int64), np.inf
    for _ in range(N_STARTS):
        start = [rng.choice(np.flatnonzero(row)) for row in places.allowed]
        chosen = _exchanged(places, np.array(start, dtype=np.int64), weights)
        value = _value(places.information(chosen), weights)
        if value < lowest - _SMALLEST_GAIN:
            best, lowest = chosen, value
    return best


def _exchanged(places: _Places, start: IntArray, weights: FloatArray | None) -> IntArray:
    """Return a start improved by replacing one run at a time by its best candidate."""
    chosen = start.copy()
    for _ in range(_MAX_PASSES):
        information = places.information(chosen)
        moved = False
        for place, rows in enumerate(places.rows):
            row = rows[chosen[place]]
            without = information - np.outer(row, row)
            gains = np.where(places.allowed[place], _gains(rows, without, weights), -np.inf)
            best = int(gains.argmax())
            if gains[best] > gains[chosen[place]] + _SMALLEST_GAIN * abs(gains[best]):
                chosen[place], moved = best, True
                information = without + np.outer(rows[best], rows[best])
        if not moved:
            break
    return chosen


def _gains(rows: FloatArray, without: FloatArray, weights: FloatArray | None) -> FloatArray:
    """Return how much each candidate lowers the criterion, shape ``(n_candidates,)``."""
    inverse = np.linalg.inv(_ridged(without))
    sides = rows @ inverse
    variances = (sides * rows).sum(axis=1)
    if weights is None:
        return np.asarray(variances, dtype=np.float64)
    return np.asarray(((sides @ weights) ** 2).sum(axis=1) / (1.0 + variances), dtype=np.float64)


def _value(information: FloatArray, weights: FloatArray | None) -> float:
    """Return the criterion, smaller being better."""
    ridged = _ridged(information)
    if weights is None:
        return -float(np.linalg.slogdet(ridged)[1])
    return float((weights * np.linalg.solve(ridged, weights)).sum())


def _ridged(information: FloatArray) -> FloatArray:
    size = np.trace(information) / len(information)
    return np.asarray(information + _RIDGE * size * np.eye(len(information)), dtype=np.float64)


def _rank(information: FloatArray) -> int:
    sizes = np.sqrt(np.diag(information))
    scale = np.where(sizes > 0, sizes, 1.0)
    # Of X'X, whose singular values are the squares of those of X.
    values = np.linalg.eigvalsh(information / np.outer(scale, scale))
    return int((values > 1e-10 * values.max(initial=0.0)).sum())


def _block_text(search: Search) -> str:
    if not search.block.is_new:
        return ""
    return f", one of them being spent on the difference between blocks of '{search.block.name}'"
