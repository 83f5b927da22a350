"""What the runs of a design are spent on, and which error a term is tested against."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.evaluation.information import Information, matrix_rank
from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

# Coded settings closer than this are the same: natural units carry rounding error.
_DIGITS = 9
# Share of a column's variation within whole plots below which it counts as held.
_HELD = 0.05


@dataclass(frozen=True, slots=True)
class DegreesOfFreedom:
    """How the runs of a design are spent.

    Attributes:
        model: Columns of the model that can be told apart, without the mean.
        blocks: Differences between blocks and whole plots that the model does not explain.
        residual: What is left to estimate the error between runs.
        pure_error: The part of ``residual`` from runs repeated exactly, in the same block.
        lack_of_fit: The rest of it, which shows whether the model is enough.
    """

    model: int
    blocks: int
    residual: int
    pure_error: int
    lack_of_fit: int


def degrees_of_freedom(
    information: Information, runs: "pd.DataFrame", space: FactorSpace
) -> DegreesOfFreedom:
    """Return how the runs are spent on model, blocks, lack of fit and pure error.

    Source:
        Draper and Smith (1998), Applied Regression Analysis, section 2.1: pure error.
    """
    matrix, n_runs = _held(information), len(information.matrix)
    groups = [information.fixed, *(group.indicators() for group in information.random)]
    rank = matrix_rank([matrix], n_runs)
    # The mean may be a column, or a combination of columns, as in a mixture.
    has_mean = matrix_rank([matrix, np.ones((n_runs, 1))], n_runs) == rank
    together = matrix_rank([matrix, *groups], n_runs)
    residual = n_runs - together
    pure_error = n_runs - _n_different(information, runs, space)
    # Repeated runs differ in nothing that the model sees, so that this is never negative.
    return DegreesOfFreedom(
        model=rank - int(has_mean),
        blocks=together - rank,
        residual=residual,
        pure_error=pure_error,
        lack_of_fit=residual - pure_error,
    )


@dataclass(frozen=True, slots=True)
class ErrorDegreesOfFreedom:
    """The degrees of freedom of the errors that terms are tested against.

    Attributes:
        residual: Of the differences between runs.
        contained: For each random block, outermost first, the group of each run and the degrees of
            freedom of the differences between groups.
    """

    residual: int
    contained: tuple[tuple[tuple[str, ...], int], ...]

    def behind(self, columns: FloatArray) -> int:
        """Return those behind a term with these columns, shape ``(n_runs, n_term_columns)``."""
        found = [df for levels, df in self.contained if _is_held(columns, levels).all()]
        return min(found) if found else self.residual


def error_degrees_of_freedom(information: Information) -> ErrorDegreesOfFreedom:
    """Return the degrees of freedom of the error between runs and between whole plots.

    A term that does not change within the whole plots is tested against the differences between
    these: the smallest rank that a random block, which contains the term, adds to the model and the
    blocks outside it (the containment method). Other terms are tested against the runs. It is exact
    for balanced split plots, and an approximation otherwise. Achieved settings that stray a little
    within a whole plot do not make a term one of the runs: less than a twentieth of its variation.

    Source:
        Littell and others (2006), SAS for Mixed Models, section 2.4 and appendix 1 (containment);
        Schaalje, McBride and Fellingham (2002), J. Agricultural, Biological and Environmental
        Statistics 7, 512-524, compare it with Satterthwaite's and Kenward and Roger's.
    """
    n_runs = len(information.matrix)
    seen = [_held(information), information.fixed]
    rank = matrix_rank(seen, n_runs)
    contained = []
    for group in information.random:
        seen.append(group.indicators())
        further = matrix_rank(seen, n_runs)
        contained.append((group.levels, further - rank))
        rank = further
    return ErrorDegreesOfFreedom(n_runs - rank, tuple(contained))


def count_centre_points(runs: "pd.DataFrame", space: FactorSpace) -> int:
    """Return how many runs have every numeric process factor in the middle of its range.

    Within half a step, or at the middle level; factors with two settings only have no middle and
    are not asked, nor are categorical factors and mixture components.
    """
    coded = space.to_coded(runs)
    is_centre = np.ones(len(runs), dtype=np.bool_)
    asked = 0
    for factor in space.searched:
        reach = _reach(factor)
        if reach is None:
            continue
        asked += 1
        is_centre &= np.abs(coded[factor.name].to_numpy(dtype=np.float64)) <= reach
    return int(is_centre.sum()) if asked else 0


def _reach(factor: object) -> float | None:
    """Return how far from 0 in coded units a factor still counts as in the middle."""
    if isinstance(factor, CategoricalFactor):
        return None
    if isinstance(factor, DiscreteFactor):
        from doe.coding import coded_values

        apart = np.abs(coded_values(factor, np.asarray(factor.levels), 1.0))
        return float(apart.min()) + 1e-9 if len(factor.levels) > 2 else None
    if not isinstance(factor, ContinuousFactor):
        return None
    if factor.step is None:
        return 1e-9
    share = factor.step / (factor.high - factor.low)
    return share + 1e-9 if share < 0.5 + 1e-9 and factor.scale == "linear" else 1e-9


def _n_different(information: Information, runs: "pd.DataFrame", space: FactorSpace) -> int:
    coded = space.to_coded(runs)
    numbers = [
        list(coded[f.name])
        if isinstance(f, CategoricalFactor)
        else list(np.round(coded[f.name].to_numpy(dtype=np.float64), _DIGITS) + 0.0)
        for f in space.searched
    ]
    levels: Sequence[Sequence[object]] = [group.levels for group in information.blockings]
    return len(set(zip(*numbers, *levels, strict=True)))


def _held(information: Information) -> FloatArray:
    """Return the model matrix with columns that whole plots hold at their mean in each of them."""
    matrix = information.matrix.copy()
    # From the inside out, so that the outermost group that holds a column has the last word.
    for group in reversed(information.random):
        held = _is_held(information.matrix, group.levels)
        matrix[:, held] = _group_means(information.matrix[:, held], group.levels)
    return matrix


def _is_held(columns: FloatArray, levels: Sequence[str]) -> BoolArray:
    """Return which columns (almost) do not change within groups, shape ``(n_columns,)``."""
    within = ((columns - _group_means(columns, levels)) ** 2).sum(axis=0)
    total = ((columns - columns.mean(axis=0)) ** 2).sum(axis=0)
    rounding = 1e-18 * (columns**2).sum(axis=0)
    return np.asarray(within <= _HELD * total + rounding, dtype=np.bool_)


def _group_means(columns: FloatArray, levels: Sequence[str]) -> FloatArray:
    _, group = np.unique(np.asarray(levels), return_inverse=True)
    sums = np.zeros((int(group.max()) + 1, columns.shape[1]))
    np.add.at(sums, group, columns)
    return np.asarray((sums / np.bincount(group)[:, None])[group], dtype=np.float64)
