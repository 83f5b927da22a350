"""The check of a design before a run is spent: every run, the order, the blocks, the model."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import IntArray
from doe.block_columns import block_columns
from doe.coding import is_within, numbers_of
from doe.errors import DesignError, UnitError
from doe.factors import CategoricalFactor, ContinuousFactor, MixtureComponent
from doe.findings import Finding, most_serious_first
from doe.runs import Design
from doe.terms import Terms, model_matrix

if TYPE_CHECKING:
    import pandas as pd

# Kinds of runs that are repeated on purpose; a search repeats runs where that is best.
_REPEATED = frozenset({"centre", "replicate", "optimal"})


def preflight(
    design: Design, *, terms: Terms | str | None = None, adds_to_others: bool = False
) -> list[Finding]:
    """Return what is wrong, doubtful or worth knowing about a design before its runs are done.

    Looked at are: every run against the ranges, levels, constraints and equipment steps; the units;
    runs that repeat others; factors that never change; hard-to-change factors that change freely;
    blocks; the order of the runs; and, with ``terms``, whether the runs can estimate the model.

    Args:
        design: The runs.
        terms: The model that they are for: terms, a formula such as ``"A*B + I(A**2)"``,
            ``linear``, ``interaction`` or ``quadratic``.
        adds_to_others: Whether the runs come beside others, which may vary what these do not.

    Returns:
        Findings, errors first; an empty list means ready.

    Raises:
        ExpressionError: If the formula cannot be read.
    """
    findings = [
        *_faulty_runs(design),
        *_runs_off_steps(design),
        *_units(design),
        *_ranges_that_steps_miss(design),
        *_repeated_runs(design),
        *([] if adds_to_others else _constant_factors(design)),
        *_hard_factors(design),
        *_blocks(design),
        *_order(design),
    ]
    if terms is not None:
        findings += _model(design, terms)
    return most_serious_first(findings)


def _faulty_runs(design: Design) -> list[Finding]:
    """Return the settings that are out of range and the constraints that are broken."""
    space, runs = design.space, design.runs
    outside = {f.name: ~is_within(f, runs[f.name]) for f in space.searched}
    is_meant = "outside_ranges" in design.details
    findings = []
    for row, faults in enumerate(space.faults(runs)):
        # Faults stand in the order of the factors, then of the constraints.
        names = [name for name in space.names if outside[name][row]]
        places: list[str | None] = [*names, *[None] * (len(faults) - len(names))]
        for name, fault in zip(places, faults, strict=True):
            if name is not None and is_meant:
                sentence = f"Run {row + 1}: {fault}; the design goes beyond the ranges on purpose."
                findings.append(Finding("warning", sentence, factor=name, run=row + 1))
                continue
            sentence = f"Run {row + 1}: {fault}: change or leave out this run."
            findings.append(Finding("error", sentence, factor=name, run=row + 1))
    return findings


def _runs_off_steps(design: Design) -> list[Finding]:
    findings = []
    for factor in design.space.searched:
        if not isinstance(factor, ContinuousFactor | MixtureComponent) or factor.step is None:
            continue
        values = numbers_of(design.runs[factor.name])
        steps = (values - factor.low) / factor.step
        for row in np.flatnonzero(np.abs(steps - np.round(steps)) >= 1e-6):
            nearest = factor.low + np.round(steps[row]) * factor.step
            sentence = (
                f"Run {row + 1}: {factor.name} is {values[row]:g} {factor.unit}".rstrip()
                + f", which the equipment cannot set in steps of {factor.step:g} from "
                f"{factor.low:g}: take {nearest:g}, or run FactorSpace.project."
            )
            findings.append(Finding("error", sentence, factor=factor.name, run=int(row) + 1))
    return findings


def _units(design: Design) -> list[Finding]:
    from doe.units import check_unit

    findings = []
    for factor in design.space.searched:
        if isinstance(factor, CategoricalFactor):
            continue
        try:
            check_unit(factor.unit)
        except UnitError as error:
            sentence = f"The unit of '{factor.name}' cannot be read. {error}"
            findings.append(Finding("warning", sentence, factor=factor.name))
    return findings


def _ranges_that_steps_miss(design: Design) -> list[Finding]:
    """Return the factors whose steps do not end at the top of their range."""
    findings = []
    for factor in design.space.searched:
        if not isinstance(factor, ContinuousFactor) or factor.step is None:
            continue
        n_steps = (factor.high - factor.low) / factor.step
        if abs(n_steps - round(n_steps)) > 1e-6:
            highest = factor.low + int(n_steps) * factor.step
            findings.append(
                Finding(
                    "note",
                    f"'{factor.name}' runs from {factor.low:g} to {factor.high:g} in steps of "
                    f"{factor.step:g}, so that its highest setting is {highest:g}: change the step "
                    "or the range if that was not meant.",
                    factor=factor.name,
                )
            )
    return findings


def _repeated_runs(design: Design) -> list[Finding]:
    """Return runs that repeat others without being centre runs or planned replicates."""
    if int(_number(design.details.get("replicates"))) > 1:
        return []
    types = design.point_types or ("",) * design.n_runs
    groups: dict[tuple[object, ...], list[int]] = {}
    for row, run in enumerate(design.runs.itertuples(index=False, name=None)):
        groups.setdefault(run, []).append(row)
    repeated = [
        " and ".join(str(row + 1) for row in rows)
        for rows in groups.values()
        if sum(types[row] not in _REPEATED for row in rows) > 1
    ]
    if not repeated:
        return []
    return [
        Finding(
            "note",
            f"These runs have the same settings: {'; '.join(repeated)}. As replicates they tell "
            "the run-to-run SD; leave some out if that was not meant.",
        )
    ]


def _constant_factors(design: Design) -> list[Finding]:
    if design.n_runs < 2:
        return []
    return [
        Finding(
            "warning",
            f"'{name}' is {design.runs[name].iloc[0]} in every run, so that its effect cannot be "
            "seen: vary it, or take it out of the factor space.",
            factor=name,
        )
        for name in design.space.names
        if len(set(design.runs[name])) == 1
    ]


def _hard_factors(design: Design) -> list[Finding]:
    """Return hard-to-change factors that change within the plots in which they should be set."""
    findings = []
    runs = design.runs.iloc[np.argsort(design.run_order)]
    for factor in design.space.searched:
        change = getattr(factor, "change", "easy")
        values = list(runs[factor.name])
        if change == "easy" or len(set(values)) < 2:
            continue
        how = change.replace("_", " ")
        if not design.whole_plots:
            n_changes = sum(one != other for one, other in pairwise(values))
            sentence = (
                f"'{factor.name}' is {how} to change and changes {n_changes} times in "
                f"{len(values)} runs, because the design has no whole plots: use "
                "split_plot_design, or say that it is easy to change."
            )
            findings.append(Finding("warning", sentence, factor=factor.name))
            continue
        plot = design.whole_plots[0 if change == "very_hard" else -1]
        mixed = _levels_with_change(design, factor.name, plot)
        if mixed:
            sentence = (
                f"'{factor.name}' is {how} to change but changes within {plot} {mixed[0]}: give "
                f"all runs of one {plot} the same setting."
            )
            findings.append(Finding("error", sentence, factor=factor.name))
    return findings


def _levels_with_change(design: Design, factor: str, block: str) -> list[str]:
    seen: dict[str, set[object]] = {}
    for level, value in zip(design.blocks[block], design.runs[factor], strict=True):
        seen.setdefault(level, set()).add(value)
    return [level for level, values in seen.items() if len(values) > 1]


def _blocks(design: Design) -> list[Finding]:
    findings = []
    declared = {factor.name: factor for factor in design.space.blocks}
    for name in declared:
        if name not in design.blocks:
            sentence = (
                f"The factor space has the block factor '{name}', but the design does not say "
                "which run belongs to which: give the runs their blocks, or record them when they "
                "are done."
            )
            findings.append(Finding("note", sentence, factor=name))
    for name, levels in design.blocks.items():
        if name not in declared:
            sentence = (
                f"The design has blocks '{name}', which is no block factor of its factor space: "
                "add a BlockFactor, or the blocks are not recorded with the results."
            )
            findings.append(Finding("error", sentence, factor=name))
        elif declared[name].nested_in in design.blocks:
            findings += _crossed(design, name, str(declared[name].nested_in))
        findings += _lonely_blocks(name, levels)
        findings += _confounded_factors(design, name)
    return findings


def _crossed(design: Design, inner: str, outer: str) -> list[Finding]:
    parents: dict[str, set[str]] = {}
    for level, parent in zip(design.blocks[inner], design.blocks[outer], strict=True):
        parents.setdefault(level, set()).add(parent)
    return [
        Finding(
            "error",
            f"{inner} {level} lies in {outer} {' and '.join(sorted(found))}, but '{inner}' is "
            f"nested in '{outer}': give each its own level.",
            factor=inner,
        )
        for level, found in parents.items()
        if len(found) > 1
    ]


def _lonely_blocks(name: str, levels: Sequence[str]) -> list[Finding]:
    counts = {level: list(levels).count(level) for level in dict.fromkeys(levels)}
    return [
        Finding(
            "warning",
            f"{name} {level} has one run, which tells about nothing but this block: put it into "
            "another block, or add runs.",
            factor=name,
            run=list(levels).index(level) + 1,
        )
        for level, count in counts.items()
        if count == 1 and len(counts) > 1
    ]


def _confounded_factors(design: Design, block: str) -> list[Finding]:
    if len(set(design.blocks[block])) < 2 or block in design.whole_plots:
        return []
    return [
        Finding(
            "warning",
            f"'{name}' changes only from one {block} to the next, so that its effect cannot be "
            f"told from the difference between these: vary it within {block}, or make {block} the "
            "whole plots.",
            factor=name,
        )
        for name in design.space.names
        if len(set(design.runs[name])) > 1 and not _levels_with_change(design, name, block)
    ]


def _order(design: Design) -> list[Finding]:
    findings = []
    if design.n_runs > 1 and not design.randomisation and "space" not in design.point_types:
        sentence = (
            "The runs are in standard order, in which drift looks like an effect of the factors: "
            "draw their order with Design.randomised."
        )
        findings.append(Finding("warning", sentence))
    try:
        design.run_sheet()
    except DesignError as error:
        findings.append(Finding("error", str(error)))
    return findings


def _model(design: Design, terms: Terms | str) -> list[Finding]:
    from doe.evaluation.efficiency import unestimable_columns
    from doe.named_models import model_terms

    space = design.space
    model = model_terms(terms, space)
    for factor in space.searched:
        # Such a run is an error already, and has no row in a model matrix.
        if (
            isinstance(factor, CategoricalFactor)
            and not is_within(factor, design.runs[factor.name]).all()
        ):
            return []
    matrix = model_matrix(model, design.runs, space)
    random = {factor.name for factor in space.blocks if factor.random}
    fixed = {name: levels for name, levels in design.blocks.items() if name not in random}
    nuisance = block_columns(fixed, design.n_runs)
    columns = np.column_stack([nuisance, matrix.to_numpy()])
    n_columns = columns.shape[1]
    needed = f"{matrix.shape[1]} terms" + (
        f" and {nuisance.shape[1]} differences between blocks" if nuisance.shape[1] else ""
    )
    if design.n_runs < n_columns:
        sentence = f"{design.n_runs} runs cannot estimate {needed}: add runs or drop terms."
        return [Finding("error", sentence)]
    lost = unestimable_columns(columns)
    if lost.size:
        names = _names(matrix, lost - nuisance.shape[1])
        sentence = (
            f"These {design.n_runs} runs cannot tell {names} apart from the other terms of "
            f"'{model.formula}': drop them or add runs."
        )
        return [Finding("error", sentence)]
    if design.n_runs == n_columns:
        sentence = (
            f"{design.n_runs} runs for {needed} leave no degree of freedom for the run-to-run SD: "
            "nothing can be tested; add runs or drop terms."
        )
        return [Finding("warning", sentence)]
    return []


def _names(matrix: "pd.DataFrame", places: IntArray) -> str:
    found = [str(matrix.columns[place]) for place in places if place >= 0]
    return ", ".join(found) or "the blocks"


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 1.0
