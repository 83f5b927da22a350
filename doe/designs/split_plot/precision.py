"""How precise runs in whole plots are for a model, by generalised least squares."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.designs.split_plot.layout import Layout, layout_of
from doe.errors import DesignError, TooFewRunsError
from doe.evaluation.efficiency import unestimable_columns
from doe.factors import check_number
from doe.runs import Design
from doe.space import FactorSpace
from doe.terms import Terms, model_matrix

if TYPE_CHECKING:
    import pandas as pd

_MAX_RATIO = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class SplitPlotPrecision:
    """What generalised least squares makes of runs in whole plots.

    Attributes:
        columns: Names of the columns of the model matrix.
        information: X' V^-1 X, shape ``(n_columns, n_columns)``, per run variance.
        n_runs: How many runs there are.
        error_degrees_of_freedom: Of each kind of plot, and of the runs.
    """

    columns: tuple[str, ...]
    information: FloatArray
    n_runs: int
    error_degrees_of_freedom: dict[str, int]

    @property
    def d_efficiency(self) -> float:
        """The determinant criterion ``|X' V^-1 X|^(1/p) / n``; with ratio 0 the ordinary one."""
        _, log_determinant = np.linalg.slogdet(self.information)
        return float(np.exp(log_determinant / len(self.columns)) / self.n_runs)

    @property
    def coefficient_variances(self) -> dict[str, float]:
        """The variance of each coefficient as a multiple of the run variance."""
        variances = np.diag(np.linalg.inv(self.information))
        return {name: float(v) for name, v in zip(self.columns, variances, strict=True)}

    def average_prediction_variance(self, moments: FloatArray) -> float:
        """Return the mean variance of the fitted mean as a multiple of the run variance.

        Args:
            moments: Mean of x x' over the region, shape ``(n_columns, n_columns)``.
        """
        return float(np.trace(np.linalg.solve(self.information, moments)))


def split_plot_precision(
    design: Design,
    terms: Terms,
    *,
    variance_ratio: float = 1.0,
    sub_plot_variance_ratio: float = 1.0,
) -> SplitPlotPrecision:
    """Return how precisely a design in whole plots estimates the effects of a model.

    Any design that names its whole plots will do; one without is taken as completely randomised.

    Args:
        design: The design.
        terms: The effects of the model.
        variance_ratio: Whole-plot variance over run variance.
        sub_plot_variance_ratio: Sub-plot variance over run variance.

    Raises:
        TooFewRunsError: If there are fewer runs than columns of the model matrix.
        DesignError: If the runs cannot tell all terms apart, a ratio is negative, or there are more
            than two kinds of plots.

    Source:
        Letsinger, Myers and Lentner (1996), J. Quality Technology 28, 381-397: X' V^-1 X.
    """
    for what, ratio in (
        ("variance_ratio", variance_ratio),
        ("sub_plot_variance_ratio", sub_plot_variance_ratio),
    ):
        check_ratio(ratio, what)
    if len(design.whole_plots) > 2:
        raise DesignError(
            f"A design with {len(design.whole_plots)} kinds of plots {list(design.whole_plots)} "
            "has no precision here: name at most whole plots and sub-plots."
        )
    plots = [design.blocks[name] for name in design.whole_plots]
    if not plots:
        plots, variance_ratio = [tuple(map(str, range(design.n_runs)))], 0.0
    layout = layout_of(plots[0], plots[1] if len(plots) > 1 else None)
    return precision_of(
        design.runs,
        terms,
        design.space,
        layout=layout,
        ratios=(float(variance_ratio), float(sub_plot_variance_ratio)),
    )


def precision_of(
    runs: "pd.DataFrame",
    terms: Terms,
    space: FactorSpace,
    *,
    layout: Layout,
    ratios: tuple[float, float],
) -> SplitPlotPrecision:
    """Return how precisely runs in these plots estimate the effects; see ``split_plot_precision``.

    Raises:
        TooFewRunsError: If there are fewer runs than columns of the model matrix.
        DesignError: If the runs cannot tell all terms apart.
    """
    frame = model_matrix(terms, runs, space)
    matrix = frame.to_numpy()
    if matrix.shape[0] < matrix.shape[1]:
        raise TooFewRunsError(
            f"{matrix.shape[0]} runs cannot estimate {matrix.shape[1]} terms: add runs or drop "
            "terms."
        )
    aliased = unestimable_columns(matrix)
    if aliased.size:
        names = ", ".join(list(frame.columns)[place] for place in aliased)
        raise DesignError(
            f"These {len(runs)} runs cannot tell {names} apart from the other terms of "
            f"'{terms.formula}': drop them, or add runs, whole plots or starts."
        )
    information = matrix.T @ np.linalg.solve(layout.variance(*ratios), matrix)
    return SplitPlotPrecision(
        tuple(frame.columns),
        (information + information.T) / 2,
        len(runs),
        layout.error_degrees_of_freedom(matrix),
    )


def check_ratio(value: object, what: str) -> float:
    """Return a variance ratio.

    Raises:
        DesignError: If it is negative, or so large that the runs of a plot are as one.
        InvalidValueError: If it is no finite number.
    """
    ratio = check_number(value, what)
    if ratio < 0:
        raise DesignError(
            f"{what} is {ratio:g}; a ratio of two variances is 0 or more: give the variance "
            "between plots divided by that between runs of a plot, 1 if neither is known."
        )
    if ratio > _MAX_RATIO:
        raise DesignError(
            f"{what} is {ratio:g}; at most {_MAX_RATIO:g} is computed with: give the variance "
            "between plots divided by that between runs of a plot."
        )
    return ratio
