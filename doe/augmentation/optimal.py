"""Further runs for a whole model: in the same ranges, or in wider ones."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from doe.arrays import BoolArray
from doe.augmentation.additions import added_design
from doe.augmentation.blocks import AddedBlock, added_block
from doe.augmentation.existing import ExistingRuns, check_rng, existing_runs
from doe.augmentation.gains import average_variances, gains
from doe.designs.assembly import check_count
from doe.designs.optimal import optimal_design
from doe.errors import DesignError
from doe.factors import CategoricalFactor, RecordedFactor, SearchedFactor, Value
from doe.named_models import model_terms
from doe.runs import JSON, Design
from doe.space import FactorSpace
from doe.terms import Terms

if TYPE_CHECKING:
    import pandas as pd

Criterion = Literal["D", "A", "I", "G"]


def augment_optimal(
    runs: "Design | pd.DataFrame",
    space: FactorSpace | None = None,
    *,
    n_runs: int,
    terms: Terms | str,
    rng: np.random.Generator,
    criterion: Criterion = "I",
    block: str | None = None,
    in_new_block: bool = True,
) -> Design:
    """Return the best runs to add for a model, beside the runs that are done.

    Args:
        runs: The runs that are done; they may lie outside the ranges.
        space: The factors of a table, or others than those of a design.
        n_runs: How many runs to add.
        terms: The model: terms, a formula, ``linear``, ``interaction`` or ``quadratic``.
        rng: Source of the random starts.
        criterion: ``I`` for a small average prediction variance, ``D`` for a small joint
            uncertainty of the coefficients, ``A`` for small variances of the coefficients, ``G``
            for a small largest prediction variance.
        block: Name of the block factor that tells the added runs from the original ones.
        in_new_block: Whether the added runs are a block of their own, because they are done later;
            the difference between the blocks is then taken out of the criterion.

    Raises:
        DesignError: If the space cannot estimate some of the terms; names them.
        TooFewRunsError: If so many runs cannot make every term estimable.
        ExpressionError: If a formula cannot be read.

    Source:
        Dykstra (1971), Technometrics 13, 682-688: augmentation; the search is that of
        ``optimal_design``.
    """
    if criterion not in get_args(Criterion):
        raise DesignError(f"criterion is {criterion!r}; expected one of D, A, I, G.")
    existing = existing_runs(runs, space)
    check_rng(rng)
    where = added_block(existing, block, in_new_block=in_new_block)
    count = check_count(n_runs, "n_runs", at_least=1)
    method = f"{criterion}-optimal additional runs"
    return _optimal(
        existing,
        where,
        n_runs=count,
        terms=model_terms(terms, existing.space),
        criterion=criterion,
        method=method,
        rng=rng,
    )


def extend_range(
    runs: "Design | pd.DataFrame",
    wider_space: FactorSpace,
    *,
    terms: Terms | str,
    n_runs: int,
    rng: np.random.Generator,
    block: str | None = None,
    in_new_block: bool = True,
) -> Design:
    """Return runs to add where the old ones do not reach, after ranges or levels were widened.

    They minimise the average prediction variance over the whole new space, the old runs counting
    with it. All settings are coded in the new ranges. ``details`` lists the ranges before and
    after, how many added runs lie outside the old ones, and the average prediction variance with
    the old runs alone and with both.

    Args:
        runs: The runs that are done.
        wider_space: The factors with their new ranges.
        terms: The model over the new space: terms, a formula, ``linear``, ``interaction`` or
            ``quadratic``.
        n_runs: How many runs to add.
        rng: Source of the random starts.
        block: Name of the block factor that tells the added runs from the original ones.
        in_new_block: Whether the added runs are a block of their own, because they are done later.

    Raises:
        DesignError: If no range is wider than what the runs cover, or the new space cannot estimate
            some of the terms.
        TooFewRunsError: If so many runs cannot make every term estimable.

    Source:
        Augmentation as in Dykstra (1971), Technometrics 13, 682-688; average prediction variance:
        Box and Draper (1959), J. American Statistical Association 54, 622-654.
    """
    existing = existing_runs(runs, wider_space)
    check_rng(rng)
    old = runs.space if isinstance(runs, Design) else None
    reached = {f.name: _reached(f, existing, old) for f in wider_space.searched}
    widened = [f.name for f in wider_space.searched if _is_wider(f, reached[f.name])]
    if not widened:
        raise DesignError(
            "No factor of wider_space goes beyond what the runs that are done were planned for: "
            "widen a range or add a level, or use augment_optimal."
        )
    where = added_block(existing, block, in_new_block=in_new_block)
    count = check_count(n_runs, "n_runs", at_least=1)
    added = _optimal(
        existing,
        where,
        n_runs=count,
        terms=model_terms(terms, wider_space),
        criterion="I",
        method="runs that extend the range",
        rng=rng,
    )
    return replace(added, details={**added.details, **_widened(added, widened, reached)})


def _widened(
    added: Design, widened: Sequence[str], reached: Mapping[str, tuple[Value, ...]]
) -> dict[str, JSON]:
    """Return the ranges before and after, and how many added runs lie outside the old ones."""
    outside = np.zeros(added.n_runs, dtype=np.bool_)
    for name in widened:
        outside |= _is_outside(added, name, reached[name])
    return {
        "widened": {
            factor.name: {"from": list(reached[factor.name]), "to": list(_extent(factor))}
            for factor in added.space.searched
            if factor.name in widened
        },
        "runs_outside_old_ranges": int(outside.sum()),
    }


def _optimal(
    existing: ExistingRuns,
    where: AddedBlock,
    *,
    n_runs: int,
    terms: Terms,
    criterion: Criterion,
    method: str,
    rng: np.random.Generator,
) -> Design:
    keep = Design(where.space, existing.settings, "runs that are done", blocks=where.before())
    found = optimal_design(
        where.space,
        n_runs,
        terms,
        criterion=criterion,
        rng=rng,
        keep=keep if where.is_new else existing.settings,
        block_sizes=[n_runs] if where.is_new else None,
        block=where.name if where.is_new else None,
    )
    blocks = where.after(n_runs)
    details: dict[str, JSON] = {
        "criterion": criterion,
        "average_prediction_variance": average_variances(
            terms, existing, added=found.runs, blocks=blocks, rng=rng
        ),
        **gains(terms, existing, found.runs, blocks),
        "search": {name: value for name, value in found.details.items() if name != "criterion"},
    }
    return added_design(
        where,
        found.runs,
        method=method,
        point_types=found.point_types,
        details=details,
        instead="relax a constraint, or report this",
    )


def _reached(
    factor: SearchedFactor, existing: ExistingRuns, old: FactorSpace | None
) -> tuple[Value, ...]:
    """Return the ends of what a factor was planned or done for; all levels when categorical."""
    if old is not None and factor.name in old.names:
        planned = old.factor(factor.name)
        assert not isinstance(planned, RecordedFactor)
        return _extent(planned)
    done = existing.settings[factor.name]
    if isinstance(factor, CategoricalFactor):
        return tuple(level for level in factor.levels if level in set(done))
    return (float(done.min()), float(done.max()))


def _extent(factor: SearchedFactor) -> tuple[Value, ...]:
    return factor.levels if isinstance(factor, CategoricalFactor) else (factor.low, factor.high)


def _is_wider(factor: SearchedFactor, reached: tuple[Value, ...]) -> bool:
    if isinstance(factor, CategoricalFactor):
        return bool(set(factor.levels) - set(reached))
    margin = 1e-9 * (factor.high - factor.low)
    return factor.low < float(reached[0]) - margin or factor.high > float(reached[1]) + margin


def _is_outside(added: Design, name: str, reached: tuple[Value, ...]) -> BoolArray:
    settings, factor = added.runs[name], added.space.factor(name)
    if isinstance(factor, CategoricalFactor):
        return np.array([level not in reached for level in settings], dtype=np.bool_)
    assert not isinstance(factor, RecordedFactor)
    margin = 1e-9 * (factor.high - factor.low)
    low, high = float(reached[0]) - margin, float(reached[1]) + margin
    return np.asarray((settings < low) | (settings > high), dtype=np.bool_)
