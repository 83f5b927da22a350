"""Curvature of a two-level design: what the runs at the centre say about the plane between."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from surrogates.linear.reports.decomposition import (
    Source,
    f_test,
    is_rounding,
    pure_error,
)
from surrogates.linear.solution import solve

if TYPE_CHECKING:
    from surrogates.linear.model import LinearModel

LEVEL = 0.05
# A centre column that the others explain up to this share cannot be told apart from them.
OWN_SHARE = 1e-6


@dataclass(frozen=True, slots=True)
class Curvature:
    """How far the corners lie from the centre, on the average, and whether that is noise.

    Attributes:
        value: Mean at the corners less mean at the centre, on the modelled scale.
        squares: Its sum of squares, with one degree of freedom.
        standard_error: Of ``value``; None where nothing measures the noise.
        f: Its F against the noise; None likewise.
        p: Probability of an F at least as large without curvature; None likewise.
        noise_degrees: Degrees of freedom of the noise.
        noise: What measures the noise, in words.
    """

    value: float
    squares: float
    standard_error: float | None
    f: float | None
    p: float | None
    noise_degrees: int
    noise: str

    def row(self) -> dict[str, object]:
        """Return its row in the table of effects."""
        error = float("nan") if self.standard_error is None else self.standard_error
        return {
            "effect": self.value,
            "contrast": float("nan"),
            "standard error": error,
            "t": self.value / error,
            "sum of squares": self.squares,
            "F": float("nan") if self.f is None else self.f,
            "p": float("nan") if self.p is None else self.p,
            "share of squares": float("nan"),
            "Lenth": "not judged",
            "aliases": "",
        }

    def sentence(self, unit: str = "") -> str:
        """Return whether the centre lies on the plane of the corners."""
        size = f"{self.value:.4g} {unit}".rstrip()
        first = f"Curvature: the corners lie {size} from the centre on the average"
        if self.f is None or self.p is None:
            return f"{first}; nothing measures the noise, so that cannot be judged."
        tested = f"F {self.f:.4g}, p {self.p:.3g} against {self.noise}"
        if self.p >= LEVEL:
            return f"{first} ({tested}): no curvature is seen."
        return (
            f"{first} ({tested}): effects alone do not describe what lies between. Add runs that "
            "can estimate squares (axial runs)."
        )


def with_curvature(
    model: "LinearModel", columns: Sequence[FloatArray]
) -> "tuple[LinearModel, Source, Curvature] | None":
    """Return the model with a column for the centre beside it, the noise, and the curvature.

    The noise is the pure error of replicates where there is any, else the residual.

    Args:
        model: A model of two-level terms.
        columns: The column of each numeric factor, shape ``(n_runs,)``.

    Returns:
        None where there is no centre, there are runs between, or blocks hide the difference.

    Source:
        Montgomery (2013), Design and Analysis of Experiments, 8th ed., section 6.8.
    """
    corner = _corners(columns, model.n_runs)
    if corner is None:
        return None
    basis = model.solution.orthogonal
    root = np.sqrt(model.weights)
    weighted = root * corner
    rest = weighted - basis @ (basis.T @ weighted)
    if rest @ rest <= OWN_SHARE * (weighted @ weighted):
        return None
    beside = solve(np.column_stack([model.solution.matrix, corner]), model.values, model.weights)
    replicates = pure_error(
        model.rows, model.values, model.weights, within_blocks=model.blocks != "ignore"
    )
    noise, words = Source(beside.rss, beside.degrees), "the residual"
    if replicates.degrees and not is_rounding(replicates.squares, model.values, model.weights):
        noise = replicates
        words = "the pure error of replicates"
    last = beside.n_columns - 1
    source = Source(beside.explained_by([last]), 1)
    known = noise.degrees > 0 and not is_rounding(noise.squares, model.values, model.weights)
    f, p = f_test(source, noise)
    error = float(np.sqrt(beside.inverse[last, last] * noise.mean_square)) if known else None
    found = Curvature(
        value=float(beside.coefficients[last]),
        squares=source.squares,
        standard_error=error,
        f=f if known else None,
        p=p if known else None,
        noise_degrees=noise.degrees,
        noise=words,
    )
    return replace(model, solution=beside), noise, found


def _corners(columns: Sequence[FloatArray], n_runs: int) -> FloatArray | None:
    """Return 1 for runs at the corners and 0 for those at the centre; None for other designs."""
    if not columns:
        return None
    sizes = np.abs(np.column_stack([column / np.abs(column).max() for column in columns]))
    corner = (sizes > 0.5).all(axis=1)
    centre = (sizes < 0.5).all(axis=1)
    if not corner.any() or not centre.any() or int(corner.sum() + centre.sum()) < n_runs:
        return None
    return np.asarray(corner, dtype=np.float64)
