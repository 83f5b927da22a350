"""Further runs that make squares estimable, one by one or the whole response surface."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.augmentation.blocks import added_block
from doe.augmentation.existing import check_rng, existing_runs
from doe.augmentation.gains import average_variances, gains, model_runs
from doe.augmentation.points import axial_factors, axial_runs
from doe.augmentation.search import Criterion, best_runs, fewest_runs, prepare, searched_design
from doe.augmentation.squares import Squares, fewest_for_squares, runs_for_squares
from doe.coding import natural_values
from doe.designs.assembly import Plan, assemble, centre_runs, check_count
from doe.errors import DesignError, UnknownNameError
from doe.factors import CategoricalFactor, MixtureComponent, SearchedFactor, Value
from doe.formulas import formula_name
from doe.rounding import nearest_numbers
from doe.runs import JSON, Design
from doe.space import FactorSpace
from doe.terms import Term, Terms, parse_terms, quadratic_terms

if TYPE_CHECKING:
    import pandas as pd


def estimate_curvature(
    runs: "Design | pd.DataFrame",
    space: FactorSpace | None = None,
    *,
    rng: np.random.Generator,
    factors: Sequence[str] | None = None,
    n_runs: int | None = None,
    block: str | None = None,
    in_new_block: bool = True,
) -> Design:
    """Return the runs to add so that the squares of factors can be estimated one by one.

    The model is the main effects, the two-factor interactions that the runs can estimate, and the
    squares of all factors that have a middle: a square that is asked for is told from those that
    are not, though these themselves may stay aliased with each other and with the intercept.
    Without ``n_runs`` these are the fewest runs; axial and centre runs are taken when they are as
    few as the optimal ones. ``details`` says which was chosen and why, what axial runs would
    achieve, and with what the squares were aliased.

    Args:
        runs: The runs that are done.
        space: The factors of a table, or others than those of a design.
        rng: Source of the random starts.
        factors: Whose squares; those of all factors that have a middle where absent.
        n_runs: How many runs to add; the fewest that make the squares estimable where absent.
        block: Name of the block factor that tells the added runs from the original ones.
        in_new_block: Whether the added runs are a block of their own, because they are done later;
            the difference between the blocks then takes one run.

    Raises:
        DesignError: If the squares are estimable already, or cannot be in this space.
        TooFewRunsError: If ``n_runs`` are too few.
        UnknownNameError: If a factor does not exist.

    Source:
        Box and Wilson (1951), J. Royal Statistical Society B 13, 1-45: axial runs; Dykstra (1971),
        Technometrics 13, 682-688: augmentation by D-optimal runs.
    """
    existing = existing_runs(runs, space)
    check_rng(rng)
    squared = axial_factors(existing.space, factors)
    where = added_block(existing, block, in_new_block=in_new_block)
    task = Squares(existing, where, squared)
    if n_runs is None:
        task.refuse_known()
    search = prepare(existing, where, terms=task.terms, rng=rng)
    fewest = fewest_for_squares(task, search, rng)
    count = fewest if n_runs is None else check_count(n_runs, "n_runs", at_least=1)
    facts: dict[str, JSON] = {
        "squares": list(squared),
        "fewest_runs": fewest,
        "aliased_before": task.aliased_squares(),
    }
    axial = _axial_design(task)
    if axial is not None:
        facts["axial_alternative"] = {
            "runs": axial.n_runs,
            "coefficient_variances": _of_squares(axial, squared),
        }
        if axial.n_runs == count:
            facts["chosen_because"] = f"axial and centre runs are as few as any, {count}"
            return _replaced(axial, {**axial.details, **facts})
    facts["chosen_because"] = _reason(n_runs, count, axial, task.kind)
    chosen = runs_for_squares(task, search, count, fewest, rng=rng)
    method = f"runs that estimate the curvature of {', '.join(squared)}"
    return searched_design(replace(search, terms=task.whole), chosen, method=method, details=facts)


def extend_screening_to_surface(
    runs: "Design | pd.DataFrame",
    space: FactorSpace | None = None,
    *,
    factors: Sequence[str],
    rng: np.random.Generator,
    n_runs: int | None = None,
    inactive: Mapping[str, Value] | None = None,
    criterion: Criterion = "I",
    block: str | None = None,
    in_new_block: bool = True,
) -> Design:
    """Return the runs to add after screening, for the full quadratic model of the active factors.

    The factors that screening found inactive stay at one setting and are taken as having no effect.

    Args:
        runs: The screening runs, such as a definitive screening design.
        space: The factors of a table, or others than those of a design.
        factors: The active factors.
        rng: Source of the random starts.
        n_runs: How many runs to add; the fewest that make the model estimable where absent.
        inactive: Settings of inactive factors, natural units; the middle of their range, or their
            first level, where left out.
        criterion: ``I``, ``D`` or ``A``.
        block: Name of the block factor that tells the added runs from the original ones.
        in_new_block: Whether the added runs are a block of their own, because they are done later;
            the difference between the blocks then takes one run.

    Raises:
        DesignError: If the model is estimable already, or cannot be in this space.
        TooFewRunsError: If ``n_runs`` are too few.
        UnknownNameError: If a factor does not exist.

    Source:
        Jones and Nachtsheim (2011), J. Quality Technology 43, 1-15: definitive screening designs
        project onto response surfaces; Dykstra (1971), Technometrics 13, 682-688: augmentation.
    """
    existing = existing_runs(runs, space)
    check_rng(rng)
    active = _checked_factors(existing.space, factors)
    held = _held(existing.space, active, inactive or {})
    terms = _quadratic_of(existing.space, active)
    where = added_block(existing, block, in_new_block=in_new_block)
    was = model_runs(terms, existing.settings, existing, where.before())
    if n_runs is None and was.estimable().all():
        raise DesignError(
            f"The runs that are done can estimate the full quadratic model of {', '.join(active)} "
            "already: no run is needed; give n_runs for more precision."
        )
    search = prepare(existing, where, terms=terms, rng=rng, fixed=held)
    fewest = fewest_runs(search)
    count = fewest if n_runs is None else check_count(n_runs, "n_runs", at_least=1)
    chosen = best_runs(search, count, criterion=criterion, rng=rng)
    facts: dict[str, JSON] = {
        "active": list(active),
        "held": dict(held),
        "fewest_runs": fewest,
        "criterion": criterion,
        "average_prediction_variance": average_variances(
            terms, existing, added=search.settings(chosen), blocks=where.after(count), rng=rng
        ),
    }
    method = f"response surface runs in {', '.join(active)}"
    return searched_design(search, chosen, method=method, details=facts)


def _axial_design(task: Squares) -> Design | None:
    """Return axial runs, and a centre run where blocks need one; None where they do not fit."""
    existing, where, squared = task.existing, task.where, task.squared
    space = existing.space
    if space.mixture or any(isinstance(f, CategoricalFactor) for f in space.searched):
        return None
    axial = axial_runs(space, squared, 1.0)
    for n_centre in (0, 1):
        centre = centre_runs(space, n_centre, "")
        plan = Plan(
            [*axial, *centre],
            ["axial"] * len(axial) + ["centre"] * len(centre),
            f"axial runs that estimate the curvature of {', '.join(squared)}",
            "use optimal runs",
            blocks=where.of_added(len(axial) + len(centre)),
            details=where.facts(),
        )
        try:
            design = assemble(where.space, plan)
        except DesignError:
            # Constraints cut the axes off: the optimal runs stay inside them.
            return None
        if task.are_told_with(design.runs):
            found = gains(task.whole, existing, design.runs, where.after(design.n_runs))
            return _replaced(design, {**design.details, **found})
    return None


def _replaced(design: Design, details: Mapping[str, JSON]) -> Design:
    return replace(design, details=details)


def _of_squares(design: Design, squared: Sequence[str]) -> JSON:
    variances = design.details["coefficient_variances"]
    assert isinstance(variances, Mapping)
    found = {}
    for name in squared:
        both = variances[Term(((name, 2),)).name]
        assert isinstance(both, Mapping)
        found[name] = both["after"]
    return found


def _reason(n_runs: int | None, count: int, axial: Design | None, kind: str) -> str:
    if n_runs is not None:
        return f"the {kind} {count} runs, as many as asked for"
    if axial is None:
        return f"the fewest runs, {count}, {kind}; axial runs do not fit or do not suffice"
    return f"the fewest runs, {count}, {kind}; axial runs would be {axial.n_runs}"


def _checked_factors(space: FactorSpace, factors: Sequence[str]) -> tuple[str, ...]:
    is_list = isinstance(factors, Sequence) and not isinstance(factors, str)
    if not is_list or not factors or any(name not in space.names for name in factors):
        raise UnknownNameError(
            f"factors must name active factors, got {factors!r}; those that are varied are "
            f"{list(space.names)}."
        )
    blend = [component.name for component in space.mixture]
    if blend and not set(blend) <= set(factors):
        raise DesignError(
            f"The mixture components {blend} add up to a constant and are all active or none is "
            "searched: name all of them."
        )
    return tuple(name for name in space.names if name in factors)


def _held(
    space: FactorSpace, active: Sequence[str], inactive: Mapping[str, Value]
) -> dict[str, Value]:
    if not isinstance(inactive, Mapping):
        raise DesignError(f"inactive must give a setting for each name, got {inactive!r}.")
    wrong = [name for name in inactive if name not in space.names or name in active]
    if wrong:
        raise UnknownNameError(
            f"inactive names {wrong}, which are active or not varied: name the other factors."
        )
    return {
        factor.name: inactive.get(factor.name, _middle(factor, space))
        for factor in space.searched
        if factor.name not in active
    }


def _middle(factor: SearchedFactor, space: FactorSpace) -> Value:
    if isinstance(factor, CategoricalFactor):
        return factor.levels[0]
    assert not isinstance(factor, MixtureComponent)
    middle: FloatArray = natural_values(factor, np.zeros(1), space.mixture_total)
    return float(nearest_numbers(factor, middle)[0])


def _quadratic_of(space: FactorSpace, active: Sequence[str]) -> Terms:
    """Return the full quadratic model of some factors."""
    whole = quadratic_terms(space)
    if set(active) == set(space.names):
        return whole
    kept = []
    for term in whole.terms:
        if set(term.factors) <= set(active):
            parts = [
                formula_name(name) if power == 1 else f"I({formula_name(name)}**{power})"
                for name, power in term.powers
            ]
            kept.append(":".join(parts) or "1")
    intercept = [] if whole.has_intercept else ["0"]
    return parse_terms(" + ".join([*intercept, *kept]), space)
