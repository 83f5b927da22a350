"""Replacements for runs that failed or cannot be done."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.augmentation.blocks import AddedBlock, added_block
from doe.augmentation.candidates import candidate_settings
from doe.augmentation.existing import ExistingRuns, check_rng, existing_runs
from doe.augmentation.gains import ModelRuns, number
from doe.augmentation.search import Criterion, Search, best_runs
from doe.block_columns import block_columns
from doe.designs.assembly import check_count
from doe.errors import DesignError, InvalidValueError
from doe.factors import Value
from doe.named_models import model_terms
from doe.runs import JSON, Design
from doe.space import FactorSpace
from doe.terms import Terms, model_columns, model_matrix

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class _Loss:
    """A design with lost runs, and where their replacements stand.

    Attributes:
        design: The whole design.
        whole: Its runs, in the space that now holds.
        rows: The lost runs, from 0.
        is_same: Which of them can be done again as they were, shape ``(n_lost,)``.
        space: The factors of the replacements, with their block factor if it is new.
        blocks: For each block factor, the level of every run, replacements in place of lost runs.
        terms: The model.
    """

    design: Design
    whole: ExistingRuns
    rows: IntArray
    is_same: BoolArray
    space: FactorSpace
    blocks: Mapping[str, tuple[str, ...]]
    terms: Terms

    @property
    def nuisance(self) -> FloatArray:
        """Block columns of every run; a whole plot would take up its hard-to-change factors."""
        kept = {n: v for n, v in self.blocks.items() if n not in self.design.whole_plots}
        return block_columns(kept, self.design.n_runs)

    def matrix(self, settings: "pd.DataFrame", nuisance: FloatArray) -> FloatArray:
        """Return model and block columns of all runs."""
        model = model_matrix(self.terms, settings, self.whole.space).to_numpy()
        return np.column_stack([model, nuisance])


def repair_lost_runs(
    design: Design,
    space: FactorSpace | None = None,
    *,
    lost: Sequence[int],
    terms: Terms | str,
    rng: np.random.Generator,
    criterion: Criterion = "D",
    block: str | None = None,
    in_new_block: bool = False,
) -> Design:
    """Return one run for each lost run: the same where it is allowed, else the best allowed one.

    A replacement belongs to the blocks of the run that it replaces, and keeps the settings of
    hard-to-change factors that its whole plot has. ``details`` says for each lost run what replaces
    it, gives the D-efficiency (per run) before the loss, after it, and after the repair, and the
    share of the information of the whole design that is kept, as |X'X|^(1/p).

    Args:
        design: The whole design, with the runs that were lost.
        space: The factors with what is now known to be impossible as further constraints or
            narrower ranges; those of the design where absent.
        lost: The lost runs, 1 being the first in standard order.
        terms: The model: terms, a formula, ``linear``, ``interaction`` or ``quadratic``.
        rng: Source of the random starts.
        criterion: ``D``, ``A`` or ``I``.
        block: Name of the block factor of a new block.
        in_new_block: Whether the replacements are a block of their own, because they are done much
            later.

    Raises:
        DesignError: If a lost run is not in the design, all are lost, or no run is allowed.
        TooFewRunsError: If the replacements cannot make every term estimable.

    Source:
        Optimal further runs: Dykstra (1971), Technometrics 13, 682-688; Fedorov (1972), Theory of
        Optimal Experiments, ch. 3.
    """
    check_rng(rng)
    loss = _loss(design, space, lost=lost, terms=terms, block=block, in_new_block=in_new_block)
    settings = loss.whole.settings.copy()
    others = loss.rows[~loss.is_same]
    if len(others):
        found = _alternatives(loss, others, criterion, rng=rng)
        for name in settings.columns:
            column = settings[name].to_numpy(copy=True)
            column[others] = found[name].to_numpy()
            settings[name] = column
    types = design.point_types or ("",) * design.n_runs
    is_same = dict(zip(loss.rows.tolist(), loss.is_same.tolist(), strict=True))
    return Design(
        loss.space,
        settings.iloc[loss.rows],
        f"replacements of lost runs of {design.method}",
        tuple(types[row] if same else "optimal" for row, same in is_same.items()),
        blocks={n: tuple(v[row] for row in loss.rows) for n, v in loss.blocks.items()},
        whole_plots=() if in_new_block else design.whole_plots,
        details=_facts(loss, settings, is_same),
    )


def _loss(
    design: Design,
    space: FactorSpace | None,
    *,
    lost: Sequence[int],
    terms: Terms | str,
    block: str | None,
    in_new_block: bool,
) -> _Loss:
    if not isinstance(design, Design):
        raise InvalidValueError(
            f"design must be the whole design with its lost runs, got a {type(design).__name__}: "
            "make a Design of a table first."
        )
    whole = existing_runs(design, space)
    rows = _lost_rows(design, lost)
    gone = whole.settings.iloc[rows]
    is_same = whole.space.contains(gone) & whole.space.on_steps(gone)
    wider, blocks = whole.space, dict(design.blocks)
    if in_new_block:
        where = added_block(whole, block, in_new_block=True)
        levels = list(where.original)
        for row in rows:
            levels[row] = where.added
        assert where.name is not None
        wider, blocks = where.space, {where.name: tuple(levels)}
    model = model_terms(terms, whole.space)
    return _Loss(design, whole, rows, is_same, wider, blocks, model)


def _lost_rows(design: Design, lost: Sequence[int]) -> IntArray:
    if not isinstance(lost, Iterable) or isinstance(lost, str):
        raise DesignError(
            f"lost must be a list of runs such as [3, 7], got {lost!r}: number them in standard "
            "order, from 1."
        )
    numbers = sorted({check_count(run, "lost", at_least=1) for run in lost})
    if not numbers or numbers[-1] > design.n_runs or len(numbers) == design.n_runs:
        raise DesignError(
            f"lost must name some of the runs 1 to {design.n_runs}, and leave at least one, got "
            f"{list(lost)}: number them in standard order."
        )
    return np.array(numbers, dtype=np.int64) - 1


def _alternatives(
    loss: _Loss, others: IntArray, criterion: Criterion, *, rng: np.random.Generator
) -> "pd.DataFrame":
    """Return the best allowed runs in place of those that cannot be done again."""
    candidates, possible = _candidates(loss, others, rng=rng)
    nuisance = loss.nuisance
    kept = np.setdiff1d(np.arange(loss.design.n_runs), others)
    old = loss.matrix(loss.whole.settings, nuisance)[kept]
    rows = model_matrix(loss.terms, candidates, loss.whole.space).to_numpy()
    done = replace(loss.whole, settings=loss.whole.settings.iloc[kept], point_types=(), blocks={})
    nowhere = AddedBlock(loss.space, None)
    own = nuisance[others]
    search = Search(done, nowhere, loss.terms, candidates, rows, own[0], old)
    chosen = best_runs(
        search, len(others), criterion=criterion, rng=rng, possible=possible, own=own
    )
    return search.settings(chosen)


def _candidates(
    loss: _Loss, others: IntArray, *, rng: np.random.Generator
) -> tuple["pd.DataFrame", BoolArray]:
    """Return allowed settings, and which of them each replacement may have.

    Within a whole plot the hard-to-change factors stay as they are.
    """
    import pandas as pd

    hard = [
        factor.name
        for factor in loss.whole.space.searched
        if getattr(factor, "change", "easy") != "easy" and loss.design.whole_plots
    ]
    held: list[dict[str, Value]] = [
        {name: loss.whole.settings[name].iloc[row] for name in hard} for row in others
    ]
    distinct = list({tuple(fixed.items()): fixed for fixed in held}.values())
    tables = [candidate_settings(loss.whole, loss.terms, fixed, rng=rng) for fixed in distinct]
    candidates = pd.concat(tables, ignore_index=True)
    source = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    possible = np.array([source == distinct.index(fixed) for fixed in held], dtype=np.bool_)
    return candidates, possible


def _facts(loss: _Loss, settings: "pd.DataFrame", is_same: Mapping[int, bool]) -> dict[str, JSON]:
    names = tuple(column.name for column in model_columns(loss.terms, loss.whole.space))
    design = loss.design
    planned = {n: v for n, v in design.blocks.items() if n not in design.whole_plots}
    before = loss.matrix(loss.whole.settings, block_columns(planned, design.n_runs))
    left = np.delete(before, loss.rows, axis=0)
    after = loss.matrix(settings, loss.nuisance)
    kept = ModelRuns(names, left)
    lost_now = [n for n, e in zip(names, kept.estimable(), strict=True) if not e]
    values = {
        "before loss": ModelRuns(names, before).d_efficiency(),
        "after loss": kept.d_efficiency(),
        "after repair": ModelRuns(names, after).d_efficiency(),
    }
    whole = values["before loss"] * len(before)
    return {
        "terms": loss.terms.formula,
        "replaced": {
            str(row + 1): "the same run" if same else "the best allowed run"
            for row, same in is_same.items()
        },
        "d_efficiency": {when: number(value) for when, value in values.items()},
        "information_kept": {
            "after loss": number(values["after loss"] * len(left) / whole) if whole else None,
            "after repair": number(values["after repair"] * len(after) / whole) if whole else None,
        },
        "not_estimable_after_loss": lost_now,
    }
