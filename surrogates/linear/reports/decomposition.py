"""How the variation of the values divides into blocks, model, lack of fit and pure error."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from doe.arrays import FloatArray
from surrogates.linear.aliases import RANK_TOLERANCE
from surrogates.linear.solution import Solution, solve

if TYPE_CHECKING:
    from surrogates.learning_rows import LearningRows
    from surrogates.linear.model import LinearModel

# A remainder this small beside the whole is what rounding leaves of nothing.
ROUNDING = 1e-13
# Residuals of this many units in the last place of the largest value are rounding.
LAST_PLACES = 64
EXACT_FIT = (
    "The model reproduces every run, so that no noise is left to judge anything by: check that the "
    "values were measured and not computed."
)

IDENTICAL = (
    "Lack of fit is not available: the replicates are identical, so they do not measure the noise. "
    "Check that they are separate runs, and that the method resolves their differences."
)


@dataclass(frozen=True, slots=True)
class Source:
    """One source of variation.

    Attributes:
        squares: Its sum of squares, weighted where runs have weights.
        degrees: Its degrees of freedom.
    """

    squares: float
    degrees: int

    @property
    def mean_square(self) -> float:
        """Sum of squares per degree of freedom; ``nan`` without any."""
        return self.squares / self.degrees if self.degrees > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class Decomposition:
    """The parts of the total sum of squares; blocks are taken out before the model.

    Attributes:
        total: About the mean, or about zero when the model cannot express a mean.
        blocks: Between fixed blocks.
        model: What the terms explain beyond mean and blocks.
        residual: The rest.
        pure_error: Between replicate runs, within blocks when these are in the model.
        is_corrected: Whether ``total`` is about the mean.
    """

    total: Source
    blocks: Source
    model: Source
    residual: Source
    pure_error: Source
    is_corrected: bool

    @property
    def lack_of_fit(self) -> Source:
        """The part of the residual that replicates do not account for."""
        squares = self.residual.squares - self.pure_error.squares
        if abs(squares) <= ROUNDING * self.total.squares:
            squares = 0.0
        return Source(squares, self.residual.degrees - self.pure_error.degrees)

    @property
    def explainable(self) -> Source:
        """The total without what lies between blocks, of which the model explains a share."""
        return Source(
            self.total.squares - self.blocks.squares, self.total.degrees - self.blocks.degrees
        )

    @property
    def is_exact(self) -> bool:
        """Whether the model reproduces every run, though it need not."""
        return self.residual.degrees > 0 and self.residual.squares == 0

    @property
    def has_identical_replicates(self) -> bool:
        """Whether runs were repeated and always gave the same value."""
        return self.pure_error.degrees > 0 and self.pure_error.squares == 0

    @property
    def lack_of_fit_test(self) -> tuple[float, float]:
        """F and p of lack of fit against pure error; ``nan`` without degrees or pure error."""
        if self.has_identical_replicates:
            return float("nan"), float("nan")
        return f_test(self.lack_of_fit, self.pure_error)


def decompose(model: "LinearModel") -> Decomposition:
    """Return how the variation of the modelled values divides.

    Source:
        Draper and Smith (1998), Applied Regression Analysis, 3rd ed., sections 1.3, 2.1 and 6.1.
    """
    return decomposition(
        model.solution,
        model.matrix.to_numpy(dtype=np.float64),
        model.block_matrix,
        pure_error(model.rows, model.values, model.weights, within_blocks=model.blocks != "ignore"),
    )


def decomposition(
    solution: Solution, matrix: FloatArray, block_matrix: FloatArray, error: Source
) -> Decomposition:
    """Return how the variation divides for a solution of ``[matrix | block_matrix]``.

    Residual and pure error that are rounding count as zero.

    Args:
        solution: The fit.
        matrix: The model columns, shape ``(n, p_model)``.
        block_matrix: The columns of blocks, shape ``(n, b)``.
        error: The pure error.
    """
    is_corrected = can_express_mean(matrix)
    n_runs, n_blocks = len(matrix), block_matrix.shape[1]
    base = np.ones((n_runs, int(is_corrected)))
    total = _left(base, solution)
    beside_blocks = _left(np.hstack([base, block_matrix]), solution)
    return Decomposition(
        total=Source(total, n_runs - base.shape[1]),
        blocks=Source(total - beside_blocks if n_blocks else 0.0, n_blocks),
        model=Source(beside_blocks - solution.rss, matrix.shape[1] - base.shape[1]),
        residual=_cleared(Source(solution.rss, solution.degrees), solution),
        pure_error=_cleared(error, solution),
        is_corrected=is_corrected,
    )


def pure_error(
    rows: "LearningRows", values: FloatArray, weights: FloatArray, *, within_blocks: bool
) -> Source:
    """Return the variation between replicate runs on the modelled scale.

    Args:
        rows: The runs.
        values: Their values on the modelled scale, shape ``(n,)``.
        weights: Their weights, shape ``(n,)``.
        within_blocks: Whether runs of different blocks count as different.
    """
    paths = rows.block_paths() if within_blocks else {}
    cells: dict[object, list[int]] = {}
    for row in range(rows.n_rows):
        key = (int(rows.groups[row]), *(levels[row] for levels in paths.values()))
        cells.setdefault(key, []).append(row)
    squares = 0.0
    for members in cells.values():
        own, weight = values[members], weights[members]
        squares += float(weight @ np.square(own - weight @ own / weight.sum()))
    return Source(squares, rows.n_rows - len(cells))


def is_rounding(squares: float, values: FloatArray, weights: FloatArray) -> bool:
    """Return whether a sum of squares of residuals is what rounding leaves of nothing.

    Args:
        squares: Weighted sum of squares.
        values: The values that were fitted, shape ``(n,)``.
        weights: Their weights, shape ``(n,)``.
    """
    place = LAST_PLACES * np.finfo(np.float64).eps * float(np.abs(values).max(initial=0.0))
    return bool(squares <= float(weights.sum()) * place**2)


def _cleared(source: Source, solution: Solution) -> Source:
    rounding = is_rounding(source.squares, solution.values, solution.weights)
    return Source(0.0, source.degrees) if rounding else source


def can_express_mean(matrix: FloatArray) -> bool:
    """Return whether the columns can add up to a constant: an intercept, or shares of a mixture."""
    ones = np.ones(len(matrix))
    if not matrix.shape[1]:
        return False
    scales = np.linalg.norm(matrix, axis=0)
    basis = np.linalg.qr(matrix / np.where(scales > 0, scales, 1.0))[0]
    rest = ones - basis @ (basis.T @ ones)
    # Shares of a mixture are rounded where they are written down; 0.3333 thrice is a constant.
    return bool(np.linalg.norm(rest) <= max(RANK_TOLERANCE, 1e-4) * np.sqrt(len(matrix)))


def f_test(source: Source, error: Source) -> tuple[float, float]:
    """Return F of a source against an error, and its p value; ``nan`` where not available."""
    if source.degrees < 1 or error.degrees < 1 or source.squares < 0:
        return float("nan"), float("nan")
    if error.squares <= 0:
        return (float("inf"), 0.0) if source.squares > 0 else (float("nan"), float("nan"))
    ratio = source.mean_square / error.mean_square
    return float(ratio), float(special.fdtrc(source.degrees, error.degrees, ratio))


def _left(columns: FloatArray, solution: Solution) -> float:
    if not columns.shape[1]:
        return float(solution.weights @ np.square(solution.values))
    return solve(columns, solution.values, solution.weights).rss
