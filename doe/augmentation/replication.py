"""Which runs to repeat, so that pure error and precision come where they are missing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.augmentation.additions import added_design
from doe.augmentation.blocks import AddedBlock, added_block
from doe.augmentation.existing import (
    ExistingRuns,
    check_rng,
    existing_runs,
    pure_error,
    repeat_error,
    replicate_groups,
)
from doe.augmentation.gains import ModelRuns, gains, model_runs, number, stacked
from doe.designs.assembly import check_count
from doe.errors import DesignError
from doe.named_models import model_terms
from doe.runs import JSON, Design
from doe.space import FactorSpace
from doe.terms import Terms, model_matrix

if TYPE_CHECKING:
    import pandas as pd

By = Literal["leverage", "prediction variance"]

_N_DRAWS = 1_000


def replicate_uncertain(
    runs: "Design | pd.DataFrame",
    space: FactorSpace | None = None,
    *,
    n_runs: int,
    terms: Terms | str,
    rng: np.random.Generator,
    by: By = "leverage",
    values: Sequence[float] | None = None,
    block: str | None = None,
    in_new_block: bool = True,
) -> Design:
    """Return runs that are done to do again, where that tells the most.

    One after the other the run is taken that has the largest leverage in the model, or whose
    repetition lowers the largest prediction variance in the allowed region the most, earlier
    choices counting. With ``values``, the runs of the largest values are taken, each once before
    any twice.

    ``details`` lists which runs are repeated and why, the degrees of freedom for pure error, and
    the largest leverage and prediction variance before and after.

    Args:
        runs: The runs that are done. Achieved settings are repeated as the nearest settings that
            the equipment can set.
        space: The factors of a table, or others than those of a design.
        n_runs: How many runs to add.
        terms: The model: terms, a formula, ``linear``, ``interaction`` or ``quadratic``.
        rng: Draws where the prediction variance is looked at.
        by: ``leverage`` or ``prediction variance``.
        values: How uncertain each run is, in any unit, such as the SD of a surrogate there; one per
            run. Takes the place of ``by``.
        block: Name of the block factor that tells the added runs from the original ones.
        in_new_block: Whether the added runs are a block of their own, because they are done later.
            An original run and its repetition then stand in different blocks, and ``details`` gives
            the degrees of freedom with and without such pairs.

    Raises:
        DesignError: If the runs cannot estimate the terms, none can be repeated, or ``values`` do
            not fit.

    Source:
        Leverage: Hoaglin and Welsch (1978), The American Statistician 32, 17-22; the largest
        prediction variance (G-optimality): Kiefer and Wolfowitz (1960), Canadian J. Mathematics 12,
        363-366.
    """
    if by not in get_args(By):
        raise DesignError(f"by is {by!r}; expected one of {', '.join(get_args(By))}.")
    existing = existing_runs(runs, space)
    check_rng(rng)
    count = check_count(n_runs, "n_runs", at_least=1)
    model = model_terms(terms, existing.space)
    where = added_block(existing, block, in_new_block=in_new_block)
    done = _estimating(existing, where, model)
    again, possible = _repeatable(existing)
    region = model_matrix(model, existing.space.sample(_N_DRAWS, rng=rng), existing.space)
    look = np.vstack([region.to_numpy(), done.matrix[:, : len(done.names)]])
    if values is not None:
        picked = _by_values(_checked_values(values, existing), possible, count)
    else:
        picked = _in_turn(done, look if by == "prediction variance" else None, possible, count)
    why = "the largest values given" if values is not None else f"the largest {by}"
    settings = again.iloc[picked].reset_index(drop=True)
    details = _facts(existing, where, model=model, added=settings, look=look)
    details |= {"repeated_runs": [row + 1 for row in picked], "chosen_because": why}
    return added_design(
        where,
        settings,
        method="repeated runs",
        point_types=["replicate"] * count,
        details=details,
        instead="use augment_optimal, which keeps to constraints",
    )


def _estimating(existing: ExistingRuns, where: AddedBlock, model: Terms) -> ModelRuns:
    """Return the runs with their model, having refused terms that they cannot estimate."""
    done = model_runs(model, existing.settings, existing, where.before())
    lost = [n for n, e in zip(done.names, done.estimable(), strict=True) if not e]
    if lost:
        raise DesignError(
            f"The runs that are done cannot estimate {', '.join(lost)} of '{model.formula}', and "
            "repeating them changes nothing: use augment_optimal, or drop these terms."
        )
    return done


def _repeatable(existing: ExistingRuns) -> tuple["pd.DataFrame", BoolArray]:
    """Return runs on the steps of the equipment, and which of them are allowed.

    Raises:
        DesignError: If none is.
    """
    from doe.feasible.projection import rounded_settings

    space = existing.space
    inside = space.contains(existing.settings)
    again = existing.settings.copy()
    if inside.any():
        rounded = rounded_settings(space, existing.settings[inside])
        for name in space.names:
            column = again[name].to_numpy(copy=True)
            column[inside] = rounded[name].to_numpy()
            again[name] = column
    possible = inside & space.contains(again) & space.on_steps(again)
    if not possible.any():
        raise DesignError(
            "None of the runs that are done is allowed in this factor space, so that none can be "
            "repeated: use augment_optimal."
        )
    return again, possible


def _checked_values(values: Sequence[float], existing: ExistingRuns) -> FloatArray:
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DesignError(
            f"values must hold one finite number per run that is done, {existing.n_runs}, got "
            f"{values!r}."
        ) from error
    if found.shape != (existing.n_runs,) or not np.isfinite(found).all():
        raise DesignError(
            f"values must hold one finite number per run that is done, {existing.n_runs}, got "
            f"{list(values)[:5]}... of shape {found.shape}."
        )
    return found


def _by_values(values: FloatArray, possible: BoolArray, count: int) -> list[int]:
    ranked = [int(row) for row in np.argsort(-values, kind="stable") if possible[row]]
    return [ranked[place % len(ranked)] for place in range(count)]


def _in_turn(
    done: ModelRuns, look: FloatArray | None, possible: BoolArray, count: int
) -> list[int]:
    """Return the runs to repeat, each the best after those before it.

    The blocks of repeated runs are left out of the choice: they shift all of them alike.
    """
    rows = done.adjusted()
    information = rows.T @ rows
    picked = []
    for _ in range(count):
        inverse = np.linalg.inv(information)
        sides = rows @ inverse
        variances = (sides * rows).sum(axis=1)
        if look is None:
            score = variances
        else:
            at = look @ inverse
            here = (at * look).sum(axis=1)
            lower = (look @ sides.T) ** 2 / (1.0 + variances)
            score = -(here[:, None] - lower).max(axis=0)
        # Equal runs differ by rounding error: the first of them is taken.
        best = np.where(possible, np.round(score, 9), -np.inf)
        picked.append(int(best.argmax()))
        information = information + np.outer(rows[picked[-1]], rows[picked[-1]])
    return sorted(picked)


def _facts(
    existing: ExistingRuns,
    where: AddedBlock,
    *,
    model: Terms,
    added: "pd.DataFrame",
    look: FloatArray,
) -> dict[str, JSON]:
    blocks = where.after(len(added))
    groups = replicate_groups(existing, added)
    before = model_runs(model, existing.settings, existing, where.before())
    after = model_runs(model, stacked(existing, added), existing, blocks)
    facts = gains(model, existing, added, blocks)
    facts["pure_error_degrees_of_freedom"] = {
        "before": pure_error(groups[: existing.n_runs], where.before()),
        "after": pure_error(groups, blocks),
        "after, with repeats across blocks": repeat_error(groups, blocks),
    }
    facts["largest_leverage"] = {
        "before": number(_largest(before, before.matrix)),
        "after": number(_largest(after, after.matrix)),
    }
    facts["largest_prediction_variance"] = {
        "before": number(_largest(before, look)),
        "after": number(_largest(after, look)),
    }
    return facts


def _largest(model: ModelRuns, rows: FloatArray) -> float:
    """Return the largest x' (X'X)^-1 x; rows without block columns are of the mean block."""
    padded = np.zeros((len(rows), model.matrix.shape[1]))
    padded[:, : rows.shape[1]] = rows
    inverse = np.linalg.pinv(model.matrix.T @ model.matrix)
    return float(((padded @ inverse) * padded).sum(axis=1).max())
