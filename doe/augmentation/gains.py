"""What further runs achieve: terms newly estimable, variances and correlations before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.augmentation.existing import ExistingRuns
from doe.block_columns import block_columns
from doe.runs import JSON
from doe.space import FactorSpace
from doe.terms import Terms, model_columns, model_matrix

if TYPE_CHECKING:
    import pandas as pd

# Of the length of a coefficient's direction: how much may lie outside what the runs can tell.
_OUTSIDE = 1e-6
_RANK = 1e-9
_DIGITS = 6
_N_DRAWS = 2_000


@dataclass(frozen=True, eq=False)
class ModelRuns:
    """The model matrix of some runs, with the columns of their blocks behind it.

    Attributes:
        names: The columns of the model.
        matrix: Model columns and block columns, shape ``(n_runs, n_columns + n_block_columns)``.
    """

    names: tuple[str, ...]
    matrix: FloatArray

    def estimable(self) -> BoolArray:
        """Return which model columns the runs can estimate, shape ``(n_columns,)``."""
        basis, _ = self._row_space()
        outside = 1.0 - (basis**2).sum(axis=0)
        return np.asarray(outside[: len(self.names)] < _OUTSIDE, dtype=np.bool_)

    def variances(self) -> FloatArray:
        """Return the variance of each coefficient in run variances; NaN where not estimable."""
        basis, values = self._row_space()
        lengths = self._lengths()
        variances = ((basis / values[:, None]) ** 2).sum(axis=0) / lengths**2
        found = variances[: len(self.names)]
        return np.where(self.estimable(), found, np.nan)

    def rank(self) -> int:
        """Return how many terms and block differences can be told apart."""
        return len(self._row_space()[1])

    def d_efficiency(self) -> float:
        """Return |X'X|^(1/p)/n of the model, differences between blocks being taken out."""
        n_runs, n_columns = len(self.matrix), len(self.names)
        adjusted = self.adjusted()
        if not self.estimable().all():
            return 0.0
        _, logarithm = np.linalg.slogdet(adjusted.T @ adjusted)
        return float(np.exp(logarithm / n_columns) / n_runs)

    def adjusted(self) -> FloatArray:
        """Return the model columns without what the blocks explain, same shape as the model."""
        model, blocks = np.split(self.matrix, [len(self.names)], axis=1)
        if blocks.shape[1] == 0:
            return model
        return np.asarray(model - blocks @ np.linalg.lstsq(blocks, model, rcond=None)[0])

    def average_variance(self, moments: FloatArray) -> float | None:
        """Return the mean of x' (X'X)^-1 x, the mean of x x' given; None when a term is lost."""
        if not self.estimable().all():
            return None
        inverse = np.linalg.pinv(self.matrix.T @ self.matrix, hermitian=True)
        n_columns = len(self.names)
        return number(float((inverse[:n_columns, :n_columns] * moments).sum()))

    def _lengths(self) -> FloatArray:
        # The units of a column must not decide what counts as rounding error.
        lengths = np.linalg.norm(self.matrix, axis=0)
        return np.where(lengths > 0, lengths, 1.0)

    def _row_space(self) -> tuple[FloatArray, FloatArray]:
        _, values, basis = np.linalg.svd(self.matrix / self._lengths(), full_matrices=False)
        kept = values > _RANK * values.max(initial=0.0)
        return basis[kept], values[kept]


def model_runs(
    terms: Terms,
    settings: "pd.DataFrame",
    existing: ExistingRuns,
    blocks: Mapping[str, Sequence[str]],
) -> ModelRuns:
    """Return the model matrix of runs with the columns of their blocks."""
    matrix = model_matrix(terms, settings, existing.space)
    names = tuple(column.name for column in model_columns(terms, existing.space))
    both = np.column_stack([matrix.to_numpy(), block_columns(blocks, len(settings))])
    return ModelRuns(names, both)


def gains(
    terms: Terms,
    existing: ExistingRuns,
    added: "pd.DataFrame",
    blocks: Mapping[str, Sequence[str]],
) -> dict[str, JSON]:
    """Return what further runs achieve for a model, plain JSON for the details of a design.

    Variances are in variances of one run, in coded units, with differences between blocks taken
    out; None stands for a term that cannot be estimated. The intercept is that of the mean of the
    blocks (coded to sum to zero), each counting alike, as ``evaluate`` has it; a small new block
    can make its variance larger.

    Args:
        terms: The model.
        existing: The runs that are done.
        added: The further runs, in natural units.
        blocks: For each block factor, the level of each run: those that are done, then the further
            ones.
    """
    n_done = existing.n_runs
    old_blocks = {name: levels[:n_done] for name, levels in blocks.items()}
    before = model_runs(terms, existing.settings, existing, old_blocks)
    after = model_runs(terms, stacked(existing, added), existing, blocks)
    was, now = before.estimable(), after.estimable()
    old, new = before.variances(), after.variances()
    return {
        "terms": terms.formula,
        "runs": {"before": existing.n_runs, "after": existing.n_runs + len(added)},
        "newly_estimable": [n for n, a, b in zip(before.names, was, now, strict=True) if b > a],
        "not_estimable": [n for n, b in zip(before.names, now, strict=True) if not b],
        "coefficients_refer_to": "the mean of the blocks" if any(blocks.values()) else "all runs",
        "coefficient_variances": {
            name: {"before": number(one), "after": number(other)}
            for name, one, other in zip(before.names, old, new, strict=True)
        },
        "d_efficiency": {
            "before": number(before.d_efficiency()),
            "after": number(after.d_efficiency()),
        },
    }


def average_moments(terms: Terms, space: FactorSpace, *, rng: np.random.Generator) -> FloatArray:
    """Return the mean of x x' over the allowed region, shape ``(n_columns, n_columns)``.

    Exact for a region without constraints and terms that are products of powers, otherwise over
    draws.
    """
    from doe.evaluation.moments import region_moments

    if not space.all_constraints and not any(term.expressions for term in terms.terms):
        return region_moments(terms, space)
    drawn = model_matrix(terms, space.sample(_N_DRAWS, rng=rng), space).to_numpy()
    return np.asarray(drawn.T @ drawn / len(drawn), dtype=np.float64)


def average_variances(
    terms: Terms,
    existing: ExistingRuns,
    *,
    added: "pd.DataFrame",
    blocks: Mapping[str, Sequence[str]],
    rng: np.random.Generator,
) -> dict[str, JSON]:
    """Return the average prediction variance before and after; None where a term is lost.

    It is that of the mean over the blocks, each counting alike, in variances of one run.
    """
    moments = average_moments(terms, existing.space, rng=rng)
    n_done = existing.n_runs
    old_blocks = {name: levels[:n_done] for name, levels in blocks.items()}
    before = model_runs(terms, existing.settings, existing, old_blocks)
    after = model_runs(terms, stacked(existing, added), existing, blocks)
    return {
        "before": before.average_variance(moments),
        "after": after.average_variance(moments),
    }


def stacked(existing: ExistingRuns, added: "pd.DataFrame") -> "pd.DataFrame":
    """Return the settings of the runs that are done, then of the added ones."""
    import pandas as pd

    names = list(existing.space.names)
    return pd.concat([existing.settings, added[names]], ignore_index=True)


def correlation(one: FloatArray, other: FloatArray) -> float:
    """Return the correlation of two columns; 0 when one of them does not vary."""
    one, other = one - one.mean(), other - other.mean()
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / size if size > 1e-12 else 0.0


def number(value: float) -> float | None:
    """Return a number with few digits; None when it is not defined."""
    return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None
