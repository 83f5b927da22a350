"""Few further runs that break the alias between effects."""

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from doe.augmentation.blocks import AddedBlock, added_block
from doe.augmentation.existing import ExistingRuns, check_rng, existing_runs
from doe.augmentation.gains import ModelRuns, correlation, model_runs, number, stacked
from doe.augmentation.models import named_interactions
from doe.augmentation.search import (
    Search,
    best_runs,
    fewest_runs,
    guarded,
    prepare,
    searched_design,
)
from doe.designs.assembly import check_count
from doe.errors import DesignError
from doe.formulas import formula_name
from doe.runs import JSON, Design
from doe.space import FactorSpace
from doe.terms import Term, Terms, interaction_terms, linear_terms, model_columns, parse_terms

if TYPE_CHECKING:
    import pandas as pd

_ALIASED = 1 - 1e-9
_OVERLAP = 1e-6


def separate_effects(
    runs: "Design | pd.DataFrame",
    space: FactorSpace | None = None,
    *,
    effects: Sequence[str],
    rng: np.random.Generator,
    n_runs: int | None = None,
    block: str | None = None,
    in_new_block: bool = True,
) -> Design:
    """Return the runs to add so that the named effects can be told apart.

    The model is the main effects and the named effects. Other two-factor interactions that are
    aliased with these are told from them as far as the runs go; ``still_aliased`` of ``details``
    lists those that remain, which are taken as zero. Where the named effects are apart from each
    other already, such as a single one, the two-factor interactions that equal them in all runs
    stand in the model too: ``also_separated_from`` lists them.
    ``correlations`` has the correlation of each pair of named effects before and after, differences
    between blocks being taken out.

    Args:
        runs: The runs that are done.
        space: The factors of a table, or others than those of a design.
        effects: Main effects and interactions, such as ``["A:B", "C:E"]`` or ``["AB", "CE"]``.
        rng: Source of the random starts.
        n_runs: How many runs to add; the fewest that separate the effects where absent.
        block: Name of the block factor that tells the added runs from the original ones.
        in_new_block: Whether the added runs are a block of their own, because they are done later;
            the difference between the blocks then takes one run.

    Raises:
        DesignError: If the effects are separate already, cannot be separated in this space, or
            cannot be read.
        TooFewRunsError: If ``n_runs`` are too few.

    Source:
        Augmentation by D-optimal runs: Dykstra (1971), Technometrics 13, 682-688; effects that only
        may matter: DuMouchel and Jones (1994), Technometrics 36, 37-47.
    """
    existing = existing_runs(runs, space)
    check_rng(rng)
    formulas = named_interactions(effects, existing.space)
    where = added_block(existing, block, in_new_block=in_new_block)
    terms, alike = _model(existing, where, formulas)
    if n_runs is None and _told_apart(terms, existing, where):
        raise DesignError(
            f"The runs that are done tell {', '.join(effects)} and the main effects apart already, "
            "and no other two-factor interaction equals one of them: no run is needed; give n_runs "
            "for more precision."
        )
    named = [parse_terms(f"0 + {text}", existing.space).terms[0] for text in (*formulas, *alike)]
    was = model_runs(terms, existing.settings, existing, where.before())
    search = prepare(existing, where, terms=terms, rng=rng)
    fewest = fewest_runs(search)
    count = fewest if n_runs is None else check_count(n_runs, "n_runs", at_least=1)
    others = _overlapping(named, terms, existing, where, more_than=_OVERLAP)
    chosen = best_runs(_guarded(search, others), count, criterion="D", rng=rng)
    added = search.settings(chosen)
    now = model_runs(terms, stacked(existing, added), existing, where.after(count))
    details: dict[str, JSON] = {
        "effects": list(effects),
        "also_separated_from": list(alike),
        "fewest_runs": fewest,
        "correlations": _correlations(named, search, was, now),
        "still_aliased": _still_aliased(named, search, added),
    }
    return searched_design(
        search, chosen, method=f"runs that separate {', '.join(effects)}", details=details
    )


def _guarded(search: Search, others: Sequence[str]) -> Search:
    """Return the search that tells the model from other effects too, if there are any."""
    if not others:
        return search
    return guarded(search, parse_terms(" + ".join(["0", *others]), search.existing.space))


def _correlations(
    named: Sequence[Term], search: Search, was: ModelRuns, now: ModelRuns
) -> list[JSON]:
    """Return the correlations of the columns of each pair of named effects."""
    places = [_places(term, search.terms, search.existing.space) for term in named]
    old, new = was.adjusted(), now.adjusted()
    return [
        {
            "effects": [was.names[i], was.names[j]],
            "before": number(correlation(old[:, i], old[:, j])),
            "after": number(correlation(new[:, i], new[:, j])),
        }
        for one, other in combinations(places, 2)
        for i in one
        for j in other
    ]


def _places(term: Term, terms: Terms, space: FactorSpace) -> list[int]:
    """Return the places of the columns of an effect; a categorical factor gives several."""
    return [i for i, column in enumerate(model_columns(terms, space)) if column.term == term]


def _model(
    existing: ExistingRuns, where: AddedBlock, formulas: Sequence[str]
) -> tuple[Terms, list[str]]:
    """Return the model, and the two-factor interactions in it that nobody named.

    These equal a named effect in all runs, while the named ones are apart from each other.
    """
    space = existing.space
    linear = linear_terms(space).formula
    terms = parse_terms(" + ".join([linear, *formulas]), space)
    if not _told_apart(terms, existing, where):
        return terms, []
    named = [parse_terms(f"0 + {text}", space).terms[0] for text in formulas]
    alike = _overlapping(named, terms, existing, where, more_than=_ALIASED)
    return parse_terms(" + ".join([linear, *formulas, *alike]), space), alike


def _told_apart(terms: Terms, existing: ExistingRuns, where: AddedBlock) -> bool:
    done = model_runs(terms, existing.settings, existing, where.before())
    return bool(done.estimable().all())


def _overlapping(
    named: Sequence[Term],
    terms: Terms,
    existing: ExistingRuns,
    where: AddedBlock,
    *,
    more_than: float,
) -> list[str]:
    """Return the two-factor interactions outside the model that overlap with a named effect."""
    space, whole = existing.space, interaction_terms(existing.space)
    left = model_runs(terms, existing.settings, existing, where.before()).adjusted()
    right = model_runs(whole, existing.settings, existing, where.before()).adjusted()
    places = [i for term in named for i in _places(term, terms, space)]
    return [
        ":".join(map(formula_name, term.factors))
        for term in whole.terms
        if term.order == 2
        and term not in terms.terms
        and any(
            abs(correlation(left[:, i], right[:, j])) > more_than
            for i in places
            for j in _places(term, whole, space)
        )
    ]


def _still_aliased(named: Sequence[Term], search: Search, added: "pd.DataFrame") -> list[str]:
    """Return main effects and two-factor interactions that equal a named effect in all runs."""
    existing = search.existing
    both = stacked(existing, added)
    blocks = search.block.after(len(added))
    model = model_runs(search.terms, both, existing, blocks)
    others = model_runs(interaction_terms(existing.space), both, existing, blocks)
    left, right = model.adjusted(), others.adjusted()
    return [
        f"{model.names[i]} with {others.names[j]}"
        for term in named
        for i in _places(term, search.terms, existing.space)
        for j in range(len(others.names))
        if others.names[j] not in model.names
        and abs(correlation(left[:, i], right[:, j])) > _ALIASED
    ]
