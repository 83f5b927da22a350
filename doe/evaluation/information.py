"""What runs tell about the columns of a model: their covariance, and what cannot be told apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.evaluation.blocking import Blocking

# Relative to the largest singular value of the columns at unit length, and to one for the share of
# a column that a combination has: below it the column takes no part.
RANK_TOLERANCE = 1e-9
LINK_TOLERANCE = 1e-7


@dataclass(frozen=True, eq=False)
class Information:
    """The information of runs about the columns of a model matrix, blocks taken out.

    Fixed blocks are columns that nobody asks about; random ones make runs of one block alike, so
    that the runs are weighed by generalised least squares with ``V = I + sum of ratio * Z Z'``.

    Attributes:
        matrix: Coded model matrix, shape ``(n_runs, n_columns)``.
        blockings: The groups that the runs are in.

    Source:
        Goos and Vandebroek (2001), J. Quality Technology 33, 436-450: the information of split-plot
        designs. Searle (1971), Linear Models, section 5.4: what can be estimated.
    """

    matrix: FloatArray
    blockings: tuple[Blocking, ...] = ()

    @cached_property
    def weighed(self) -> FloatArray:
        """The columns of the model, then of the fixed blocks, weighed by the inverse root of V."""
        return self.weigh(np.hstack([self.matrix, self.fixed]))

    @cached_property
    def fixed(self) -> FloatArray:
        """The columns of the fixed blocks, coded to sum to zero: the model is at a mean block."""
        parts = [group.contrasts() for group in self.blockings if not group.is_random]
        return np.hstack([np.empty((len(self.matrix), 0)), *parts])

    @cached_property
    def random(self) -> tuple[Blocking, ...]:
        """The random blocks, outermost first."""
        return tuple(group for group in self.blockings if group.is_random)

    def weigh(self, columns: FloatArray) -> FloatArray:
        """Return columns as runs that are independent and of equal variance would have them."""
        if self._root is None:
            return columns
        from scipy.linalg import solve_triangular

        return np.asarray(solve_triangular(self._root, columns, lower=True), dtype=np.float64)

    @cached_property
    def _root(self) -> FloatArray | None:
        if not self.random:
            return None
        covariance = np.eye(len(self.matrix))
        for group in self.random:
            indicators = group.indicators()
            covariance += (group.variance_ratio or 0.0) * indicators @ indicators.T
        return np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)

    @cached_property
    def _parts(self) -> tuple[FloatArray, FloatArray, FloatArray, int]:
        """Column lengths, singular values, right vectors, and rank of the weighed columns."""
        columns = self.weighed
        sizes = np.linalg.norm(columns, axis=0)
        sizes = np.where(sizes > 0, sizes, 1.0)
        # Rows of zeros, so that the right vectors span all columns when there are few runs.
        missing = max(0, columns.shape[1] - len(columns))
        scaled = np.vstack([columns / sizes, np.zeros((missing, columns.shape[1]))])
        _, values, right = np.linalg.svd(scaled, full_matrices=False)
        rank = int(np.sum(values > RANK_TOLERANCE * values.max(initial=0.0)))
        return sizes, values, right, rank

    @cached_property
    def rank(self) -> int:
        """How many of the columns, those of fixed blocks included, can be told apart."""
        return self._parts[3]

    @cached_property
    def covariance(self) -> FloatArray:
        """The covariance of the coefficients in multiples of the variance of one run.

        Shape ``(n_columns, n_columns)``. Rows of coefficients that cannot be estimated mean
        nothing; see ``is_estimable``.
        """
        sizes, values, right, rank = self._parts
        half = (right[:rank] / values[:rank, None]) / sizes
        n_columns = self.matrix.shape[1]
        return np.asarray((half.T @ half)[:n_columns, :n_columns], dtype=np.float64)

    @cached_property
    def _null(self) -> FloatArray:
        """The combinations of all columns, at unit length, that the runs do not see."""
        return self._parts[2][self.rank :]

    @cached_property
    def links(self) -> BoolArray:
        """Which columns stand with which in a combination that the runs do not see.

        Shape ``(n_columns + n_block_columns,) * 2``, empty rows where a column can be estimated.
        """
        return np.asarray(np.abs(self._null.T @ self._null) > LINK_TOLERANCE, dtype=np.bool_)

    @cached_property
    def is_estimable(self) -> BoolArray:
        """Which coefficients can be estimated, shape ``(n_columns,)``."""
        shares = np.linalg.norm(self._null, axis=0)[: self.matrix.shape[1]]
        return np.asarray(shares <= LINK_TOLERANCE, dtype=np.bool_)

    def variance_at(self, rows: FloatArray) -> FloatArray:
        """Return the variance of the fitted mean, shape ``(n_rows,)``, at rows of the model matrix.

        In multiples of the variance of one run; infinite where the runs leave the mean open.
        """
        sizes, values, right, rank = self._parts
        n_columns = self.matrix.shape[1]
        scaled = rows / sizes[:n_columns]
        along = scaled @ right[:, :n_columns].T
        variance = ((along[:, :rank] / values[:rank]) ** 2).sum(axis=1)
        reach = np.maximum(np.linalg.norm(scaled, axis=1), 1e-300)
        unseen = np.linalg.norm(along[:, rank:], axis=1) > LINK_TOLERANCE * reach
        return np.where(unseen, np.inf, variance)

    @cached_property
    def leverage(self) -> FloatArray:
        """The share of each run in its own fitted value, shape ``(n_runs,)``; they add up to rank.

        Source:
            Hoaglin and Welsch (1978), The American Statistician 32, 17-22.
        """
        left, values, _ = np.linalg.svd(self.weighed / self._parts[0], full_matrices=False)
        seen = left[:, values > RANK_TOLERANCE * values.max(initial=0.0)]
        if self._root is None:
            return np.asarray((seen**2).sum(axis=1), dtype=np.float64)
        # The fitted values are the root times the projection times the inverse root.
        from scipy.linalg import solve_triangular

        back = solve_triangular(self._root, seen, lower=True, trans="T")
        return np.asarray(((self._root @ seen) * back).sum(axis=1), dtype=np.float64)

    @cached_property
    def log_determinant(self) -> float:
        """The logarithm of the determinant of the information; minus infinity when singular."""
        n_fixed = self.fixed.shape[1]
        if not self.is_estimable.all():
            return -np.inf
        if self.rank < self.weighed.shape[1]:
            # Fixed blocks that repeat each other leave the coefficients alone.
            return float(-np.linalg.slogdet(self.covariance)[1])
        ordered = np.roll(self.weighed, n_fixed, axis=1)
        diagonal = np.diag(np.linalg.qr(ordered, mode="r"))[n_fixed:]
        return float(2.0 * np.log(np.abs(diagonal)).sum())

    @cached_property
    def condition_number(self) -> float:
        """The largest over the smallest singular value of the coded model matrix.

        Source:
            Belsley, Kuh and Welsch (1980), Regression Diagnostics, section 3.2.
        """
        values = np.linalg.svd(self.matrix, compute_uv=False)
        values = np.append(values, np.zeros(max(0, self.matrix.shape[1] - len(values))))
        smallest = values.min(initial=np.inf)
        is_singular = smallest <= RANK_TOLERANCE * values.max(initial=0.0)
        return float("inf") if is_singular else float(values.max() / smallest)

    def inflation(self, *, has_intercept: bool) -> FloatArray:
        """Return the variance inflation factors, shape ``(n_columns,)``.

        One where a column is orthogonal to all others; infinite where it cannot be estimated, not a
        number for the intercept. Without an intercept, columns are not centred.

        Source:
            Marquardt (1970), Technometrics 12, 591-612.
        """
        columns = self.weighed[:, : self.matrix.shape[1]]
        if has_intercept:
            mean = self.weigh(np.ones((len(self.matrix), 1)))
            columns = columns - mean @ (mean.T @ columns) / (mean**2).sum()
        spread = (columns**2).sum(axis=0)
        is_constant = spread <= 1e-18 * (self.weighed[:, : self.matrix.shape[1]] ** 2).sum(axis=0)
        factors = np.diag(self.covariance) * spread
        factors = np.where(self.is_estimable, factors, np.inf)
        return np.where(is_constant & self.is_estimable, np.nan, factors)


def matrix_rank(columns: Sequence[FloatArray], n_runs: int) -> int:
    """Return how many of these columns, side by side, can be told apart."""
    together = np.hstack([np.empty((n_runs, 0)), *columns])
    sizes = np.linalg.norm(together, axis=0)
    together = together[:, sizes > 0] / sizes[sizes > 0]
    if not together.size:
        return 0
    values = np.linalg.svd(together, compute_uv=False)
    return int(np.sum(values > RANK_TOLERANCE * values.max()))
