"""A response surface fitted by least squares, with exact Student-t predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, assert_never

import numpy as np
from scipy import linalg

from doe.arrays import BoolArray, FloatArray
from doe.errors import TooFewDataError
from doe.runs import Observations
from doe.space import FactorSpace
from doe.terms import Terms, interaction_terms, linear_terms, model_matrix, quadratic_terms
from surrogates.blocks import BlockLevels
from surrogates.domain import ApplicabilityDomain
from surrogates.learning_rows import Censored, LearningRows, learning_rows
from surrogates.predictive import Kind, StudentPredictive
from surrogates.surrogate import NEW_BLOCK, Block, Prediction

if TYPE_CHECKING:
    import pandas as pd

ModelOrder = Literal["linear", "interaction", "quadratic"]

# A column whose remainder after the earlier ones is smaller than this share of it adds nothing.
RANK_TOLERANCE = 1e-9
# The variance of Student's t exists from three degrees of freedom on.
MIN_DEGREES = 3


def fit_quadratic(
    observations: Observations,
    response: str,
    *,
    terms: ModelOrder | Terms = "quadratic",
    censored: Censored = "refuse",
) -> "LeastSquares":
    """Return the response surface of one measured response by least squares.

    The terms asked for are the terms fitted: nothing is dropped or penalised when the runs cannot
    estimate them. Blocks are not in the model; their effect counts as noise.

    Args:
        observations: All runs.
        response: A measured response.
        terms: ``quadratic`` (the full second-order model), ``interaction``, ``linear``, or terms
            of your own.
        censored: What to do with values known only as a limit.

    Raises:
        InvalidValueError: If the response's values or settings cannot be used.
        TooFewDataError: If the runs cannot estimate every term, which it names, or leave fewer
            than three degrees of freedom for the noise.
    """
    rows = learning_rows(observations, response, censored=censored)
    chosen = _terms(terms, rows.space)
    matrix = model_matrix(chosen, rows.settings, rows.space)
    _check_estimable(matrix, chosen, rows)
    return LeastSquares(rows, chosen, matrix)


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """Coefficients in coded units, and the uncertainty that goes with them.

    Under the prior p(beta, sigma^2) proportional to 1/sigma^2 the value of a new run at x is
    Student's t with ``n - p`` degrees of freedom, location x'b and scale s sqrt(1 + h), where
    h = x'(X'X)^-1 x is the leverage.

    Attributes:
        rows: What it was learned from.
        terms: The effects.
        matrix: Model matrix of the rows, coded.

    Source:
        Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., section 14.2.
    """

    rows: LearningRows
    terms: Terms
    matrix: "pd.DataFrame"

    @property
    def response(self) -> str:
        """The response that it predicts."""
        return self.rows.response.name

    @property
    def space(self) -> FactorSpace:
        """The factor space that it was learned in."""
        return self.rows.space

    @cached_property
    def _factors(self) -> tuple[FloatArray, FloatArray]:
        q, r = linalg.qr(self.matrix.to_numpy(dtype=np.float64), mode="economic")
        return np.asarray(q), np.asarray(r)

    @cached_property
    def coefficients(self) -> FloatArray:
        """The coefficients in coded units, shape ``(n_columns,)``."""
        q, r = self._factors
        return np.asarray(linalg.solve_triangular(r, q.T @ self.rows.measured))

    @property
    def degrees(self) -> int:
        """Degrees of freedom of the residuals."""
        return self.rows.n_rows - self.matrix.shape[1]

    @cached_property
    def residual_std(self) -> float:
        """The residual SD, in the response's unit."""
        residuals = self.rows.measured - self.matrix.to_numpy() @ self.coefficients
        return float(np.sqrt(residuals @ residuals / self.degrees))

    @cached_property
    def standard_errors(self) -> FloatArray:
        """The standard error of each coefficient."""
        inverse = linalg.solve_triangular(self._factors[1], np.eye(self.matrix.shape[1]))
        return np.asarray(self.residual_std * np.sqrt(np.square(inverse).sum(axis=1)))

    @cached_property
    def domain(self) -> ApplicabilityDomain:
        """The runs that it was learned from, and how far from them it can be trusted."""
        return ApplicabilityDomain(
            space=self.space,
            runs=self.rows.settings[list(self.space.names)],
            distance="leverage",
            limit=float(np.square(self._factors[0]).sum(axis=1).max()) * (1 + 1e-9),
            meaning="Leverage x'(X'X)^-1 x; above the largest of any run the model extrapolates.",
        )

    def leverage(self, settings: "pd.DataFrame") -> FloatArray:
        """Return the leverage of each setting, shape ``(n_settings,)``."""
        matrix = model_matrix(self.terms, settings, self.space).to_numpy(dtype=np.float64)
        return self._leverage(matrix)

    def predict(self, settings: "pd.DataFrame", *, block: Block = NEW_BLOCK) -> Prediction:
        """Return the prediction at each setting; no block has an effect of its own here.

        Raises:
            InvalidValueError: If a setting is missing or cannot be read.
            UnknownNameError: If a block has no such level.
        """
        self._check_block(block)
        distribution, leverage = self._distribution(settings)
        # Student's t is wider than its scale by this factor.
        widening = np.sqrt(self.degrees / (self.degrees - 2))
        return Prediction(
            distribution.location,
            distribution.latent_scale * widening,
            distribution.new_run_scale * widening,
            self._outside(settings, leverage),
            distribution,
        )

    def sample(
        self,
        settings: "pd.DataFrame",
        n_draws: int,
        *,
        kind: Kind,
        block: Block = NEW_BLOCK,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Return joint draws from the exact posterior, shape ``(n_draws, n_settings)``.

        Raises:
            InvalidValueError: If a setting is missing or cannot be read.
            UnknownNameError: If a block has no such level.
        """
        self._check_block(block)
        matrix = model_matrix(self.terms, settings, self.space).to_numpy(dtype=np.float64)
        sigma = self.residual_std * np.sqrt(self.degrees / rng.chisquare(self.degrees, n_draws))
        scores = rng.standard_normal((len(self.coefficients), n_draws))
        deviations = np.asarray(linalg.solve_triangular(self._factors[1], scores)) * sigma
        draws = (matrix @ (self.coefficients[:, None] + deviations)).T
        if kind == "latent":
            return np.asarray(draws)
        return np.asarray(draws + sigma[:, None] * rng.standard_normal(draws.shape))

    def probability_within(
        self, settings: "pd.DataFrame", lower: float | None, upper: float | None
    ) -> FloatArray:
        """Return P(lower <= value of one new run <= upper), exactly, shape ``(n_settings,)``."""
        return self._distribution(settings)[0].probability_within(lower, upper)

    def describe(self) -> Mapping[str, object]:
        """Return what it is, plain JSON: terms, coefficients, residual SD, warnings."""
        replicates = self.rows.replicate_spread()
        return {
            "kind": "least squares",
            "response": self.response,
            "unit": self.rows.response.unit,
            "transform": "none",
            "terms": list(self.terms.names),
            "n_runs": self.rows.n_rows,
            "degrees_of_freedom": self.degrees,
            "coefficients": [
                {"term": str(term), "coded": float(value), "standard_error": float(error)}
                for term, value, error in zip(
                    self.matrix.columns, self.coefficients, self.standard_errors, strict=True
                )
            ],
            "noise_std": self.residual_std,
            "replicate_std": replicates.std if replicates.degrees else None,
            "replicate_degrees_of_freedom": replicates.degrees,
            "prior": "proportional to 1/sigma^2",
            "data_sha256": self.rows.sha256(),
            "warnings": [*self.rows.warnings, *self._own_warnings()],
        }

    def _own_warnings(self) -> list[str]:
        found = [
            f"Block factor '{block.name}' is not in the model: its effect counts as noise."
            for block in self.space.blocks
        ]
        if self.rows.response.transform != "none":
            found.append(
                f"'{self.response}' is modelled in its own unit here, not on the "
                f"{self.rows.response.transform} scale."
            )
        return found

    def _distribution(self, settings: "pd.DataFrame") -> tuple[StudentPredictive, FloatArray]:
        matrix = model_matrix(self.terms, settings, self.space).to_numpy(dtype=np.float64)
        leverage = self._leverage(matrix)
        return StudentPredictive(
            matrix @ self.coefficients,
            self.residual_std * np.sqrt(leverage),
            self.residual_std * np.sqrt(1 + leverage),
            float(self.degrees),
        ), leverage

    def _leverage(self, matrix: FloatArray) -> FloatArray:
        half = linalg.solve_triangular(self._factors[1], matrix.T, trans="T")
        return np.asarray(np.square(half).sum(axis=0))

    def _outside(self, settings: "pd.DataFrame", leverage: FloatArray) -> BoolArray:
        return self.domain.outside(settings, leverage)

    def _check_block(self, block: Block) -> None:
        BlockLevels.learned(self.space, self.rows.settings).indices(block)


def _terms(terms: ModelOrder | Terms, space: FactorSpace) -> Terms:
    match terms:
        case "linear":
            return linear_terms(space)
        case "interaction":
            return interaction_terms(space)
        case "quadratic":
            return quadratic_terms(space)
        case Terms():
            return terms
        case _:
            assert_never(terms)


def _check_estimable(matrix: "pd.DataFrame", terms: Terms, rows: LearningRows) -> None:
    n_rows, n_columns = matrix.shape
    lost = inestimable_columns(matrix)
    if lost:
        raise TooFewDataError(
            f"The {n_rows} runs with a value of '{rows.response.name}' cannot estimate "
            f"{', '.join(lost)} beside the other terms ({n_columns} coefficients): choose a "
            "smaller model (terms='interaction' or 'linear') or add runs."
        )
    if n_rows - n_columns < MIN_DEGREES:
        raise TooFewDataError(
            f"{n_rows} runs and {n_columns} coefficients ({', '.join(terms.names)}) leave "
            f"{n_rows - n_columns} degrees of freedom for the noise; at least {MIN_DEGREES} are "
            "needed: choose a smaller model (terms='interaction' or 'linear') or add runs."
        )


def inestimable_columns(matrix: "pd.DataFrame") -> Sequence[str]:
    """Return the columns that are linear combinations of earlier ones, in order.

    Later columns are named, so that squares and interactions give way to main effects.
    """
    values = matrix.to_numpy(dtype=np.float64)
    basis = np.empty((len(values), 0))
    lost = []
    for place, name in enumerate(matrix.columns):
        column = values[:, place]
        rest = column - basis @ (basis.T @ column)
        # Once more, since one pass loses digits when little is left.
        rest = rest - basis @ (basis.T @ rest)
        size = float(np.linalg.norm(rest))
        if size <= RANK_TOLERANCE * max(float(np.linalg.norm(column)), 1e-300):
            lost.append(str(name))
        else:
            basis = np.column_stack([basis, rest / size])
    return tuple(lost)
