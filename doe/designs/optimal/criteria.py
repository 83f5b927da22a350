"""What a design is worth, and what it would be worth with one run replaced by another.

Everything is computed for many starts at once. ``rows`` are rows of the model matrix in a basis in
which the terms are about equally long (see ``doe.designs.optimal.problem``), times the square root
of how often the run is done.
"""

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray

# Smallest eigenvalue of the information over its largest, below which terms cannot be told apart.
SINGULAR = 1e-10
_RIDGE = 1e-6
# A determinant that grows more than this much at once leaves the updated inverse rough.
_MOST_GROWTH = 1e4
# Nor may more than this part of a determinant be lost to cancellation: in exact numbers none is.
_LEAST_LEFT = 0.5


class Information:
    """The inverse information of several starts, and what exchanges of runs do to it.

    Args:
        rows: Shape ``(n_starts, n_runs, n_columns)``.
        base: Information that every start has besides: of kept runs and of a prior, shape
            ``(n_columns, n_columns)``.
        loading: A matrix L for criteria trace(L L' (X'X)^-1), shape ``(n_columns, any)``; where
            absent, the criterion is the determinant.

    Attributes:
        inverse: Shape ``(n_starts, n_columns, n_columns)``.

    Source:
        Fedorov (1972), Theory of Optimal Experiments, ch. 3: the determinant after an exchange;
        Meyer and Nachtsheim (1995), Technometrics 37, 60-69: its use for coordinates, and the trace
        after an exchange.
    """

    def __init__(self, rows: FloatArray, base: FloatArray, loading: FloatArray | None) -> None:
        self._base = base
        self._loading = loading
        self.refresh(rows)

    def refresh(self, rows: FloatArray) -> None:
        """Compute anew from the rows: updates gather rounding error."""
        self.inverse = self._inverted(rows)
        self._set_half(slice(None))

    def _inverted(self, rows: FloatArray) -> FloatArray:
        information = rows.swapaxes(1, 2) @ rows + self._base
        sizes, vectors = np.linalg.eigh(information)
        largest = np.maximum(sizes[:, -1:], 1e-300)
        # Runs that cannot tell all terms apart still lead to better ones under a small prior.
        ridge = np.where(sizes[:, :1] < SINGULAR * largest, _RIDGE * largest, 0.0)
        sizes = np.maximum(sizes, 0.0) + ridge
        return np.asarray((vectors / sizes[:, None, :]) @ vectors.swapaxes(1, 2))

    def _set_half(self, which: IntArray | slice) -> None:
        if self._loading is None:
            return
        half = self._loading.T @ self.inverse[which]
        if isinstance(which, slice):
            self._half = half
            self._trace = np.empty(len(half))
        else:
            self._half[which] = half
        self._trace[which] = (half * self._loading.T).sum(axis=(1, 2))

    def gains(self, old: FloatArray, new: FloatArray) -> FloatArray:
        """Return by how much the logarithm of the criterion would improve.

        Args:
            old: The row to give up in each start, shape ``(n_starts, n_columns)``.
            new: The rows to try, shape ``(n_starts, n_tries, n_columns)``.

        Returns:
            Shape ``(n_starts, n_tries)``: of the determinant its logarithm, of a trace minus that.
        """
        old_side = (self.inverse @ old[..., None])[..., 0]
        new_new = ((new @ self.inverse) * new).sum(axis=-1)
        new_old = (new @ old_side[..., None])[..., 0]
        old_old = (old * old_side).sum(axis=-1)[:, None]
        ratio = (1 + new_new) * (1 - old_old) + new_old**2
        with np.errstate(divide="ignore", invalid="ignore"):
            if self._loading is None:
                return np.where(ratio > SINGULAR, np.log(ratio), -np.inf)
            side = (self._half @ old[..., None])[..., 0]
            sides = new @ self._half.swapaxes(1, 2)
            gained = (1 - old_old) * (sides**2).sum(axis=-1)
            gained += 2 * new_old * (sides @ side[..., None])[..., 0]
            gained -= (1 + new_new) * (side**2).sum(axis=-1)[:, None]
            left = 1 - gained / ratio / self._trace[:, None]
            usable = (ratio > SINGULAR) & (left > 0)
            return np.where(usable, -np.log(np.where(usable, left, 1.0)), -np.inf)

    def exchange(self, which: IntArray, old: FloatArray, new: FloatArray) -> BoolArray:
        """Replace one row in some of the starts.

        Args:
            which: The starts.
            old: The rows given up, shape ``(n_which, n_columns)``.
            new: The rows taken, same shape.

        Returns:
            For which of them an update would be too rough, shape ``(n_which,)``: these are as they
            were, and ``renew`` has to follow.
        """
        inverse = self.inverse[which]
        pairs = np.stack([new, old], axis=-1)
        inner, is_rough = exchange_of(inverse, pairs)
        sides = inverse @ pairs
        change = np.linalg.solve(inner, sides.swapaxes(1, 2))
        change[is_rough] = 0.0
        self.inverse[which] = inverse - sides @ change
        if self._loading is not None:
            half = self._half[which]
            self._half[which] = half - (half @ pairs) @ change
            self._trace[which] = (self._half[which] * self._loading.T).sum(axis=(1, 2))
        return is_rough

    def renew(self, which: IntArray, rows: FloatArray) -> None:
        """Compute some of the starts anew from their rows, ``(n_which, n_runs, n_columns)``."""
        self.inverse[which] = self._inverted(rows)
        self._set_half(which)


def exchange_of(inverse: FloatArray, pairs: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return the matrices to solve for an exchange of rows, and where that is too rough.

    Args:
        inverse: Shape ``(n_starts, n_columns, n_columns)``.
        pairs: The new row and the old one of each, shape ``(n_starts, n_columns, 2)``.

    Returns:
        Shape ``(n_starts, 2, 2)``, the identity where it is too rough; and shape ``(n_starts,)``.
    """
    inner = pairs.swapaxes(1, 2) @ inverse @ pairs
    inner[:, 0, 0] += 1.0
    inner[:, 1, 1] -= 1.0
    # Minus its determinant is what the determinant of the information is multiplied by. Both parts
    # are positive as long as the inverse is that of the rows.
    straight, crossed = -inner[:, 0, 0] * inner[:, 1, 1], inner[:, 0, 1] * inner[:, 1, 0]
    growth = straight + crossed
    is_fine = (growth > SINGULAR) & (growth < _MOST_GROWTH)
    is_fine &= growth > _LEAST_LEFT * (np.abs(straight) + np.abs(crossed))
    inner[~is_fine] = np.eye(2)
    return inner, np.asarray(~is_fine, dtype=np.bool_)


def log_values(rows: FloatArray, base: FloatArray, loading: FloatArray | None) -> FloatArray:
    """Return the logarithm of the criterion of each start, larger is better, shape ``(n_starts,)``.

    Minus infinity where the terms cannot be told apart. Of a determinant it is divided by the
    number of columns.
    """
    information = rows.swapaxes(1, 2) @ rows + base
    sizes, vectors = np.linalg.eigh(information)
    is_sound = sizes[:, 0] > SINGULAR * np.maximum(sizes[:, -1], 1e-300)
    sizes = np.where(is_sound[:, None], sizes, 1.0)
    if loading is None:
        return np.where(is_sound, np.log(sizes).mean(axis=1), -np.inf)
    sides = loading.T @ vectors
    return np.where(is_sound, -np.log((sides**2 / sizes[:, None, :]).sum(axis=(1, 2))), -np.inf)


def is_sound(rows: FloatArray, base: FloatArray) -> BoolArray:
    """Return which starts can tell all terms apart, shape ``(n_starts,)``."""
    return np.isfinite(log_values(rows, base, None))
