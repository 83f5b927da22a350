"""Which block factors of a study are random, and whether its runs can tell their variances."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from doe.errors import InvalidValueError, TooFewDataError, UnknownNameError
from doe.factors import BlockFactor
from doe.space import FactorSpace
from surrogates.learning_rows import LearningRows
from surrogates.linear.mixed_models.restricted_likelihood import VarianceProblem, identified


def random_names(space: FactorSpace, random: Sequence[str] | None) -> tuple[str, ...]:
    """Return the block factors to take as random: those named, else those declared random.

    Raises:
        InvalidValueError: If there are none, or a fixed one is nested in a random one.
        UnknownNameError: If one does not exist.
    """
    blocks = {block.name: block for block in space.blocks}
    if random is None:
        names = tuple(name for name, block in blocks.items() if block.random)
        if not names:
            raise InvalidValueError(
                f"No block factor of the space is random (block factors: {list(blocks)}): declare "
                "BlockFactor(..., random=True), name them in random=[...], or use fit_linear."
            )
    else:
        asked = [random] if isinstance(random, str) else list(random)
        for name in asked:
            if name not in blocks:
                raise UnknownNameError(
                    f"No block factor is called '{name}'; there are {list(blocks)}."
                )
        if not asked:
            raise InvalidValueError(
                "random names no block factor: name at least one, or use fit_linear."
            )
        names = tuple(name for name in blocks if name in asked)
    for name, block in blocks.items():
        if name not in names and block.nested_in in names:
            raise InvalidValueError(
                f"Block factor '{name}' is fixed, but nested in '{block.nested_in}', which is "
                f"random: name '{name}' in random too."
            )
    return names


def space_without(space: FactorSpace, names: Sequence[str]) -> FactorSpace:
    """Return the space without these block factors, which nothing else refers to."""
    kept = tuple(
        factor
        for factor in space.factors
        if not (isinstance(factor, BlockFactor) and factor.name in names)
    )
    return replace(space, factors=kept)


def check_identified(problem: VarianceProblem, names: Sequence[str], rows: LearningRows) -> None:
    """Refuse runs that cannot tell a variance from the terms, the noise or another variance.

    Raises:
        TooFewDataError: If there is such a variance, which it names.
    """
    found = identified(problem)
    if not found[-1]:
        raise TooFewDataError(
            f"{rows.n_rows} runs and {problem.matrix.shape[1]} coefficients leave no degrees of "
            "freedom for any variance: choose a smaller model, or add runs."
        )
    n_fixed = problem.matrix.shape[1]
    for name, root, is_known in zip(names, problem.roots, found, strict=False):
        if is_known:
            continue
        if root.shape[1] == 1:
            raise TooFewDataError(
                f"All {rows.n_rows} runs are in one level of '{name}': how much levels differ "
                f"cannot be known. Take '{name}' out of the random block factors (random=[...]), "
                "or add runs in other levels."
            )
        spanned = np.linalg.matrix_rank(np.hstack([problem.matrix, root])) == n_fixed
        reason = (
            "the terms of the model explain every difference between its levels"
            if spanned
            else "its levels hold one run each, or are those of another block factor or the noise"
        )
        raise TooFewDataError(
            f"The variance of '{name}' ({root.shape[1]} levels, {rows.n_rows} runs) cannot be "
            f"estimated: {reason}. Leave terms out, take '{name}' out of the random block factors "
            "(random=[...]), or add runs that repeat its levels."
        )
