"""How good runs are for a model, before any of them is done.

Everything here depends on the settings of the runs and on the terms of the model alone, never on a
result, and works for any data frame of runs.
"""

from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.errors import DesignError, TooFewRunsError
from doe.evaluation.moments import region_moments
from doe.space import FactorSpace
from doe.terms import Terms, model_matrix

if TYPE_CHECKING:
    import pandas as pd

# Relative to the largest singular value; below it a term is a combination of others.
RANK_TOLERANCE = 1e-9


def d_efficiency(model_matrix: FloatArray) -> float:
    """Return how near a design comes to being orthogonal for its model.

    1.0 means orthogonal columns of plus and minus one; 0.0 means some terms cannot be told apart.
    Designs are comparable only for the same terms and the same coding of the factors.

    Args:
        model_matrix: Coded model matrix, shape ``(n_runs, n_columns)``.

    Raises:
        TooFewRunsError: If there are fewer runs than columns.

    Source:
        Mitchell (1974), Technometrics 16, 203-210: the determinant criterion.
    """
    n_runs, n_columns = _checked_shape(model_matrix)
    if unestimable_columns(model_matrix).size:
        return 0.0
    # A determinant over- or underflows for large models; its logarithm does not.
    _, log_determinant = np.linalg.slogdet(model_matrix.T @ model_matrix)
    return float(np.exp(log_determinant / n_columns) / n_runs)


def prediction_variance(
    runs: "pd.DataFrame", settings: "pd.DataFrame", *, terms: Terms, space: FactorSpace
) -> FloatArray:
    """Return the variance of the fitted mean at settings, shape ``(n_settings,)``.

    It is a multiple of the variance of one run: ``x' (X'X)^-1 x``. Times the number of runs it is
    the scaled prediction variance, which compares designs of different sizes.

    Args:
        runs: The runs of the design, in natural units.
        settings: Where to predict, in natural units.
        terms: The effects of the model.
        space: The factor space that codes both tables.

    Raises:
        TooFewRunsError: If there are fewer runs than columns of the model matrix.
        DesignError: If the runs cannot tell all terms apart; names those that they cannot.

    Source:
        Box and Hunter (1957), Annals of Mathematical Statistics 28, 195-241.
    """
    triangle = _triangle(runs, terms, space)
    at = model_matrix(terms, settings, space).to_numpy()
    return np.asarray((np.linalg.solve(triangle.T, at.T) ** 2).sum(axis=0), dtype=np.float64)


def average_prediction_variance(runs: "pd.DataFrame", *, terms: Terms, space: FactorSpace) -> float:
    """Return the mean of ``prediction_variance`` over the ranges of the factors.

    The mean is exact, from the moments of the model's columns: continuous factors are spread evenly
    over their range in coded units, discrete and categorical factors take each level equally often.

    Args:
        runs: The runs of the design, in natural units.
        terms: The effects of the model.
        space: The factor space; its ranges are what is averaged over.

    Raises:
        TooFewRunsError: If there are fewer runs than columns of the model matrix.
        DesignError: If the runs cannot tell all terms apart, or the mean has no closed form: for
            mixtures, constraints, and terms that are no products of powers.

    Source:
        Box and Draper (1959), J. American Statistical Association 54, 622-654: region moments.
    """
    moments = region_moments(terms, space)
    inverse = np.linalg.inv(_triangle(runs, terms, space))
    return float(np.trace(inverse.T @ moments @ inverse))


def _triangle(runs: "pd.DataFrame", terms: Terms, space: FactorSpace) -> FloatArray:
    """Return R of X = QR, shape ``(n_columns, n_columns)``: X'X = R'R without squaring X."""
    matrix = model_matrix(terms, runs, space)
    _checked_shape(matrix.to_numpy())
    aliased = unestimable_columns(matrix.to_numpy())
    if aliased.size:
        names = ", ".join(list(matrix.columns)[place] for place in aliased)
        raise DesignError(
            f"These {len(matrix)} runs cannot tell {names} apart from the other terms of "
            f"'{terms.formula}': drop them or add runs."
        )
    return np.asarray(np.linalg.qr(matrix.to_numpy(), mode="r"), dtype=np.float64)


def _checked_shape(matrix: FloatArray) -> tuple[int, int]:
    n_runs, n_columns = matrix.shape
    if n_runs < n_columns:
        raise TooFewRunsError(
            f"{n_runs} runs cannot estimate {n_columns} terms: add runs or drop terms."
        )
    return n_runs, n_columns


def unestimable_columns(matrix: FloatArray) -> IntArray:
    """Return the columns that are combinations of those before them in pivoted order."""
    from scipy.linalg import qr

    # Units of a column must not decide; a column of zeros stays one.
    sizes = np.linalg.norm(matrix, axis=0)
    scaled = matrix / np.where(sizes > 0, sizes, 1.0)
    triangle, order = qr(scaled, mode="r", pivoting=True)
    diagonal = np.abs(np.diag(triangle))
    aliased = order[diagonal <= RANK_TOLERANCE * diagonal.max(initial=0.0)]
    return np.sort(aliased).astype(np.int64)
