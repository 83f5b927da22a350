"""The best few of many candidate runs for a model."""

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.errors import DesignError, TooFewRunsError
from doe.evaluation.efficiency import unestimable_columns

_N_STARTS = 10
# An exchange must gain more than rounding error, or the search would go round in circles.
_GAIN = 1e-9


def d_optimal_rows(
    candidates: FloatArray, n_rows: int, *, rng: np.random.Generator, n_starts: int = _N_STARTS
) -> IntArray:
    """Return which candidates, each at most once, tell most about all terms together.

    The determinant of X'X is raised by the best exchange of a chosen and another candidate until no
    exchange raises it; the best of several random starts is returned, in ascending order.

    Args:
        candidates: Model matrix of the candidates, shape ``(n_candidates, n_columns)``.
        n_rows: How many to choose.
        rng: Source of the random starts.
        n_starts: How many starts.

    Raises:
        TooFewRunsError: If there are fewer rows than columns.
        DesignError: If all candidates together cannot tell the terms apart.

    Source:
        Fedorov (1972), Theory of Optimal Experiments, section 3.3: the exchange and its gain.
    """
    n_candidates, n_columns = candidates.shape
    if n_rows < n_columns:
        raise TooFewRunsError(
            f"{n_rows} runs cannot estimate {n_columns} terms: allow more runs or drop terms."
        )
    if n_candidates < n_columns or unestimable_columns(candidates).size:
        raise DesignError(
            f"The {n_candidates} candidate runs together cannot tell the {n_columns} terms apart: "
            "drop terms or add candidates."
        )
    if n_rows >= n_candidates:
        return np.arange(n_candidates)
    # The determinant changes by a constant factor only, and the numbers become well behaved.
    orthonormal = np.linalg.qr(candidates)[0]
    best, best_value = np.arange(n_rows), -np.inf
    for _ in range(n_starts):
        chosen = _exchanged(orthonormal, _start(orthonormal, n_rows, rng))
        value = _log_determinant(orthonormal[chosen])
        if value > best_value + _GAIN:
            best, best_value = chosen, value
    return np.sort(best)


def _start(matrix: FloatArray, n_rows: int, rng: np.random.Generator) -> IntArray:
    """Return independent rows, in a random preference, and random others."""
    from scipy.linalg import qr

    weights = rng.uniform(0.1, 1.0, size=len(matrix))
    order = qr((matrix * weights[:, None]).T, mode="r", pivoting=True)[1]
    independent = order[: matrix.shape[1]]
    others = np.setdiff1d(np.arange(len(matrix)), independent)
    return np.concatenate([independent, rng.permutation(others)[: n_rows - len(independent)]])


def _exchanged(matrix: FloatArray, chosen: IntArray) -> IntArray:
    chosen = chosen.copy()
    while True:
        others = np.setdiff1d(np.arange(len(matrix)), chosen)
        inside, outside = matrix[chosen], matrix[others]
        inverse = np.linalg.inv(inside.T @ inside)
        covariance = inside @ inverse @ outside.T
        kept = 1.0 - ((inside @ inverse) * inside).sum(axis=1)
        added = 1.0 + ((outside @ inverse) * outside).sum(axis=1)
        ratio = kept[:, None] * added + covariance**2
        place, other = np.unravel_index(int(ratio.argmax()), ratio.shape)
        if ratio[place, other] <= 1.0 + _GAIN:
            return chosen
        chosen[place] = others[other]


def _log_determinant(matrix: FloatArray) -> float:
    sign, value = np.linalg.slogdet(matrix.T @ matrix)
    return float(value) if sign > 0 else -np.inf
