"""What a split-plot search makes best: the determinant, or the average prediction variance."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from doe.arrays import FloatArray
from doe.evaluation.moments import region_moments
from doe.feasible.sampling import draw_settings
from doe.terms import Terms, model_matrix

if TYPE_CHECKING:
    from doe.space import FactorSpace

Criterion = Literal["D", "I"]

_N_DRAWS = 4_000


def mean_products(terms: Terms, space: "FactorSpace", *, rng: np.random.Generator) -> FloatArray:
    """Return the mean of x x' over the allowed settings, shape ``(n_columns, n_columns)``.

    It is exact over full ranges, and over 4,000 drawn settings, steps aside, where there are
    constraints or terms that are no products of powers.
    """
    if not space.all_constraints and not any(term.expressions for term in terms.terms):
        return region_moments(terms, space)
    # Rounding thousands of draws to steps under constraints takes a minute, and changes little.
    drawn = draw_settings(space, _N_DRAWS, rng=rng)
    if drawn is None:
        drawn = space.sample(_N_DRAWS, rng=rng)
    matrix = model_matrix(terms, drawn, space).to_numpy()
    return np.asarray(matrix.T @ matrix / len(matrix), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """What is to be made as large as can be: log of the criterion, larger is better.

    Attributes:
        criterion: D or I.
        moments: Mean of x x' over the allowed settings, shape ``(n_columns, n_columns)``.
        ridge: Added to the diagonal of the information, so that a singular start is worst and not
            undefined, and each step out of it counts.
    """

    criterion: Criterion
    moments: FloatArray
    ridge: float

    def inverse(self, information: FloatArray) -> FloatArray:
        """Return the inverse of information matrices, shape ``(..., n_columns, n_columns)``."""
        return np.asarray(np.linalg.inv(information + self.ridge * np.eye(len(self.moments))))

    def value(self, information: FloatArray) -> FloatArray:
        """Return the objective of information matrices ``(..., n_columns, n_columns)``."""
        held = information + self.ridge * np.eye(len(self.moments))
        if self.criterion == "D":
            sign, log_determinant = np.linalg.slogdet(held)
            value = np.where(sign > 0, log_determinant / len(self.moments), -np.inf)
            return np.asarray(value, dtype=np.float64)
        variance = np.einsum("...ij,ji->...", np.linalg.inv(held), self.moments)
        return self.value_of_average(variance)

    def value_of_average(self, variance: FloatArray) -> FloatArray:
        """Return the objective I of average prediction variances, same shape."""
        # An information that is not positive definite, by rounding error, is worst.
        safe = np.where(variance > 0, variance, np.inf)
        return np.asarray(-np.log(safe), dtype=np.float64)
