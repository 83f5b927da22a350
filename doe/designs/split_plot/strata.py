"""Which factors are set once per whole plot or sub-plot, and what terms are tested against."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from doe.arrays import FloatArray
from doe.designs.split_plot.model_rows import ModelRows
from doe.errors import DesignError
from doe.space import FactorSpace
from doe.terms import Terms, model_columns

Stratum = Literal["whole plot", "sub-plot", "run"]

# Relative to the largest singular value; a difference below it is rounding error.
_RANK_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Strata:
    """The factors by how often they are set anew.

    Attributes:
        whole: Set once per whole plot.
        sub: Set once per sub-plot; empty unless there are hard and very hard factors.
        run: Set anew for each run.
    """

    whole: tuple[str, ...]
    sub: tuple[str, ...]
    run: tuple[str, ...]

    def of(self, factors: tuple[str, ...]) -> Stratum:
        """Return the stratum in which an effect of these factors varies."""
        if any(name in self.run for name in factors):
            return "run"
        if any(name in self.sub for name in factors):
            return "sub-plot"
        return "whole plot"


def strata_of(space: FactorSpace) -> Strata:
    """Return the factors by how often they are set anew.

    Very hard and hard factors together are those of whole plots and of sub-plots; one kind alone is
    that of whole plots. Mixture components are mixed anew for each run.

    Raises:
        DesignError: If no factor is hard to change.
    """
    very_hard, hard, easy = (
        tuple(f.name for f in space.searched if getattr(f, "change", "easy") == change)
        for change in ("very_hard", "hard", "easy")
    )
    if not very_hard and not hard:
        raise DesignError(
            f"None of the factors {list(space.names)} is hard to change, so that runs need no "
            "whole plots: set change='hard' on the factors that are set once for several runs, or "
            "use optimal_design."
        )
    return (
        Strata(very_hard, hard, easy) if very_hard and hard else Strata(hard or very_hard, (), easy)
    )


def term_strata(terms: Terms, space: FactorSpace) -> dict[str, Stratum]:
    """Return for each term the error that its effect is tested against.

    An effect varies as often as the factor in it that is easiest to change: one of hard factors
    alone is compared between whole plots, one with an easy factor between runs of a plot. In a
    space without hard factors every term is tested against the runs.

    Args:
        terms: The effects of the model.
        space: The factor space, whose factors say how hard they are to change.

    Returns:
        By name of the term ``whole plot``, ``sub-plot`` or ``run``.

    Source:
        Letsinger, Myers and Lentner (1996), J. Quality Technology 28, 381-397.
    """
    if all(getattr(factor, "change", "easy") == "easy" for factor in space.searched):
        return dict.fromkeys(terms.names, "run")
    strata = strata_of(space)
    return {term.name: strata.of(term.factors) for term in terms.terms}


def check_plots(
    model: ModelRows, strata: Strata, pool: FloatArray, *, n_whole: int, n_sub: int | None
) -> None:
    """Refuse fewer plots than the model has effects that are constant within a plot.

    Args:
        model: The effects.
        strata: The factors by how often they are set anew.
        pool: Allowed settings that span the space, as the model reads them.
        n_whole: How many whole plots there are.
        n_sub: How many sub-plots there are, if any.

    Raises:
        DesignError: With the effects, and how many plots they need.
    """
    counts: list[tuple[str, tuple[str, ...], int]] = [("whole plot", strata.whole, n_whole)]
    if n_sub is not None:
        counts.append(("sub-plot", strata.whole + strata.sub, n_sub))
    for noun, held, available in counts:
        needed = n_constant_effects(model, held, pool)
        if needed > available:
            names = [
                column.name
                for column in model_columns(model.terms, model.space)
                if set(column.term.factors) <= set(held)
            ]
            sums = needed - len(names)
            also = f" and {sums} that sums of mixture terms amount to" if sums > 0 else ""
            raise DesignError(
                f"{needed} effects of '{model.terms.formula}' are constant within a {noun}: "
                f"{', '.join(names)}{also}; {available} {noun}s cannot estimate them. Plan at "
                f"least {needed} {noun}s, one more for their error, or drop terms."
            )


def n_constant_effects(model: ModelRows, held: tuple[str, ...], pool: FloatArray) -> int:
    """Return how many effects of a model depend on the held factors alone.

    These are the combinations of columns that do not differ between runs with equal settings of the
    held factors; with a mixture they are more than the columns named after those.
    """
    places = [model.space.names.index(name) for name in held]
    other = np.roll(pool, 1, axis=0)
    other[:, places] = pool[:, places]
    differences = model.rows(other) - model.rows(pool)
    differences = differences[np.isfinite(differences).all(axis=1)]
    sizes = np.linalg.svd(differences, compute_uv=False) if len(differences) else np.zeros(1)
    rank = int(np.sum(sizes > _RANK_TOLERANCE * max(1.0, float(sizes.max(initial=0.0)))))
    return model.n_columns - rank
