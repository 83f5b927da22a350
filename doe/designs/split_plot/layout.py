"""Which runs share a whole plot and a sub-plot, and how their results vary together."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.designs.assembly import check_count
from doe.errors import DesignError


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The plots that runs lie in.

    Attributes:
        whole: The whole plot of each run, from 0, shape ``(n_runs,)``.
        sub: The sub-plot of each run, from 0 across the whole design; None without sub-plots.
    """

    whole: IntArray
    sub: IntArray | None = None

    @property
    def n_runs(self) -> int:
        """How many runs there are."""
        return len(self.whole)

    def variance(self, variance_ratio: float, sub_plot_variance_ratio: float) -> FloatArray:
        """Return the covariance of the results as a multiple of the run variance.

        Shape ``(n_runs, n_runs)``: ``V = I + r1 Z1 Z1' + r2 Z2 Z2'``, Z of ones and zeros saying
        which run is in which plot.

        Source:
            Jones and Goos (2009), Biometrika 96, 67-82, section 2.
        """
        variance = np.eye(self.n_runs) + variance_ratio * _together(self.whole)
        if self.sub is not None:
            variance += sub_plot_variance_ratio * _together(self.sub)
        return np.asarray(variance, dtype=np.float64)

    def error_degrees_of_freedom(self, matrix: FloatArray) -> dict[str, int]:
        """Return the degrees of freedom left for the error of each kind of plot and of runs.

        They are what the plots add to the space that the model spans, and sum to ``n_runs`` minus
        its rank.

        Args:
            matrix: Model matrix, shape ``(n_runs, n_columns)``.
        """
        rank = np.linalg.matrix_rank
        model = int(rank(matrix))
        whole = int(rank(np.column_stack([matrix, _indicators(self.whole)])))
        if self.sub is None:
            return {"whole plot": whole - model, "run": self.n_runs - whole}
        sub = int(rank(np.column_stack([matrix, _indicators(self.sub)])))
        return {"whole plot": whole - model, "sub-plot": sub - whole, "run": self.n_runs - sub}


def layout_of(whole: Sequence[Hashable], sub: Sequence[Hashable] | None = None) -> Layout:
    """Return the layout of runs from the plot that each is in, however plots are called."""
    return Layout(
        _numbered(whole), None if sub is None else _numbered(list(zip(whole, sub, strict=True)))
    )


def equal_layout(n_runs: int, n_whole_plots: int, n_sub_plots: int | None) -> Layout:
    """Return plots that are as equal in size as can be, runs in the order of the plots.

    Raises:
        DesignError: If a number is not whole, or there are more plots than fit.
    """
    check_count(n_runs, "n_runs", at_least=3)
    check_count(n_whole_plots, "n_whole_plots", at_least=2)
    inner = n_whole_plots
    if n_sub_plots is not None:
        inner = check_count(n_sub_plots, "n_sub_plots", at_least=3)
        if inner <= n_whole_plots:
            raise DesignError(
                f"{inner} sub-plots do not divide {n_whole_plots} whole plots: n_sub_plots must be "
                "above n_whole_plots, so that factors that are hard to change vary within those."
            )
    if n_runs <= inner:
        noun = "whole plots" if n_sub_plots is None else "sub-plots"
        raise DesignError(
            f"{n_runs} runs in {inner} {noun} leave none with two runs: plan fewer {noun} or more "
            "runs; where every run sets all factors anew, use optimal_design."
        )
    if n_sub_plots is None:
        return Layout(np.repeat(np.arange(n_whole_plots), _shares(n_runs, n_whole_plots)))
    holders = np.repeat(np.arange(n_whole_plots), _shares(inner, n_whole_plots))
    sizes = np.full(inner, n_runs // inner)
    for _ in range(n_runs % inner):
        # The runs left over go to the smallest whole plots, and to different sub-plots of these.
        totals = np.bincount(holders, weights=sizes)[holders]
        sizes[np.lexsort((totals, sizes))[0]] += 1
    return Layout(np.repeat(holders, sizes), np.repeat(np.arange(inner), sizes))


def _shares(total: int, n_parts: int) -> IntArray:
    return np.asarray(total // n_parts + (np.arange(n_parts) < total % n_parts), dtype=np.int64)


def _numbered(levels: Sequence[Hashable]) -> IntArray:
    numbers = {level: number for number, level in enumerate(dict.fromkeys(levels))}
    return np.array([numbers[level] for level in levels], dtype=np.int64)


def _together(plots: IntArray) -> FloatArray:
    return np.asarray(plots[:, None] == plots, dtype=np.float64)


def _indicators(plots: IntArray) -> FloatArray:
    return np.asarray(plots[:, None] == np.arange(plots.max() + 1), dtype=np.float64)
