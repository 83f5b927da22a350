"""A linear model of one response by least squares: what was fitted, and everything it can say."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, overload

import numpy as np

from doe.arrays import FloatArray
from doe.named_models import ModelName
from doe.runs import Observations, Origin
from doe.space import FactorSpace
from doe.terms import Terms, model_matrix
from surrogates.domain import ApplicabilityDomain
from surrogates.learning_rows import Censored, LearningRows
from surrogates.linear.aliases import AliasedColumn
from surrogates.linear.analyses import Analyses
from surrogates.linear.block_contrasts import BlockContrasts
from surrogates.linear.solution import Solution
from surrogates.predictive import Kind
from surrogates.surrogate import NEW_BLOCK, Block, Prediction
from surrogates.transforms import ResponseTransform

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from doe.responses import Transform
    from surrogates.linear.mixed_models.mixed import MixedModel
    from surrogates.linear.treatment import Treatment

Blocks = Literal["fixed", "random", "ignore"]
ModelOrder = ModelName


@dataclass(frozen=True, eq=False)
class LinearModel(Analyses):
    """Coefficients in coded units, and the uncertainty that goes with them.

    Under the prior p(beta, sigma^2) proportional to 1/sigma^2 the value of a new run at x is
    Student's t with ``n - p`` degrees of freedom, location x'b and scale s sqrt(1 + h), where
    h = x'(X'WX)^-1 x is the leverage.

    Attributes:
        rows: What it was learned from.
        terms: The effects that were fitted.
        columns: Names of the model columns, without those of blocks, shape ``(p_model,)``.
        aliased: Columns asked for that could not be estimated, each with its alias.
        matrix: The model columns of the rows, coded, shape ``(n, p_model)``, index run.
        block_contrasts: How the levels of fixed blocks are coded.
        block_matrix: Sum-to-zero columns of fixed blocks, shape ``(n, b)``; b may be 0.
        transform: The scale on which the response is modelled.
        values: The measured values on that scale, shape ``(n,)``.
        weights: Reciprocal variances up to a common factor, shape ``(n,)``.
        solution: Least squares of ``[matrix | block_matrix]``.
        blocks: Whether blocks are in the model.
        origins: How each run came to be, one per row.
        treatment: What became of all runs and values of the response, where it is known.

    Source:
        Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., section 14.2.
    """

    rows: LearningRows
    terms: Terms
    columns: tuple[str, ...]
    aliased: tuple[AliasedColumn, ...]
    matrix: "pd.DataFrame"
    block_contrasts: BlockContrasts
    block_matrix: FloatArray
    transform: ResponseTransform
    values: FloatArray
    weights: FloatArray
    solution: Solution
    blocks: Blocks
    origins: tuple[Origin, ...]
    treatment: "Treatment | None" = None

    def __repr__(self) -> str:
        return (
            f"<LinearModel of '{self.response}': {len(self.columns)} coefficients, "
            f"{self.n_runs} runs, {self.degrees} residual degrees of freedom>"
        )

    @property
    def response(self) -> str:
        """The response that it predicts."""
        return self.rows.response.name

    @property
    def space(self) -> FactorSpace:
        """The factor space that it was learned in."""
        return self.rows.space

    @property
    def n_runs(self) -> int:
        """How many runs it was fitted to."""
        return self.rows.n_rows

    @property
    def n_coefficients(self) -> int:
        """How many coefficients there are, those of fixed blocks counted."""
        return self.solution.n_columns

    @property
    def degrees(self) -> int:
        """Degrees of freedom of the residuals."""
        return self.solution.degrees

    @property
    def residual_std(self) -> float:
        """The residual SD of a run of weight 1 on the modelled scale; ``nan`` when saturated."""
        return self.solution.residual_std

    @property
    def is_exact(self) -> bool:
        """Whether it reproduces every run, though it need not: values that were not measured."""
        from surrogates.linear.reports.decomposition import is_rounding

        return self.degrees > 0 and is_rounding(self.solution.rss, self.values, self.weights)

    @property
    def coefficients(self) -> FloatArray:
        """The coefficients of the model columns in coded units, shape ``(p_model,)``."""
        return self.solution.coefficients[: len(self.columns)]

    @property
    def standard_errors(self) -> FloatArray:
        """The standard errors of ``coefficients``, shape ``(p_model,)``; ``nan`` when saturated."""
        variances = np.diag(self.solution.inverse)[: len(self.columns)]
        return np.asarray(self.residual_std * np.sqrt(variances))

    @property
    def fitted(self) -> FloatArray:
        """The fitted values of the runs, in their blocks, on the modelled scale."""
        return self.solution.fitted

    @property
    def residuals(self) -> FloatArray:
        """Value minus fitted value on the modelled scale, shape ``(n,)``."""
        return self.solution.residuals

    @property
    def leverage(self) -> FloatArray:
        """The leverage of each run, shape ``(n,)``."""
        return self.solution.leverage

    @property
    def recommended(self) -> tuple[str, ...]:
        """The runs that an optimizer recommended: they are no sample that was drawn at random."""
        pairs = zip(self.rows.runs, self.origins, strict=True)
        return tuple(run for run, origin in pairs if origin == "recommended")

    def term_places(self) -> dict[str, tuple[int, ...]]:
        """Return for each term the places of its columns in ``columns``; all but the intercept."""
        from surrogates.linear.fitting import term_places

        return term_places(self)

    def model_rows(self, settings: "pd.DataFrame") -> FloatArray:
        """Return the model columns of settings, coded, shape ``(n_settings, p_model)``.

        Raises:
            InvalidValueError: If a setting is missing or cannot be read.
        """
        whole = model_matrix(self.terms, settings, self.space)
        return np.asarray(whole[list(self.columns)].to_numpy(dtype=np.float64))

    def rows_at(self, settings: "pd.DataFrame", *, block: Block = NEW_BLOCK) -> FloatArray:
        """Return rows for ``solution`` at settings in a block, shape ``(n_settings, p)``.

        A new block counts as the average of the fixed blocks.

        Raises:
            InvalidValueError: If a setting is missing or cannot be read.
            UnknownNameError: If a block has no such level.
        """
        own = self.block_contrasts.row(block)
        model = self.model_rows(settings)
        return np.hstack([model, np.broadcast_to(own, (len(model), len(own)))])

    @cached_property
    def domain(self) -> ApplicabilityDomain:
        """The runs that it was learned from, and how far from them it can be trusted."""
        runs = self.rows.settings[list(self.space.names)]
        largest = float(self.solution.leverage_of(self.rows_at(runs)).max())
        return ApplicabilityDomain(
            space=self.space,
            runs=runs,
            distance="leverage",
            limit=largest * (1 + 1e-9),
            meaning="Leverage x'(X'X)^-1 x; above the largest of any run the model extrapolates.",
        )

    def refit(self, terms: "ModelOrder | str | Terms") -> "LinearModel":
        """Return the model of the same runs with other terms.

        Raises:
            TooFewDataError: If the runs cannot estimate it.
            InvalidValueError: If a factor of the terms never varied.
        """
        from surrogates.linear.fitting import fit_rows

        return fit_rows(
            self.rows,
            terms,
            blocks="ignore" if self.blocks == "ignore" else "fixed",
            weights=self.weights,
            transform=self.transform,
            origins=self.origins,
        )

    def predict(self, settings: "pd.DataFrame", *, block: Block = NEW_BLOCK) -> Prediction:
        """Return the prediction at each setting, in the response's unit.

        Raises:
            InvalidValueError: If a setting is missing or cannot be read.
            UnknownNameError: If a block has no such level.
            TooFewDataError: If fewer than three degrees of freedom are left for the noise.
        """
        from surrogates.linear.prediction import predict

        return predict(self, settings, block=block)

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
            TooFewDataError: If fewer than three degrees of freedom are left for the noise.
        """
        from surrogates.linear.prediction import sample

        return sample(self, settings, n_draws, kind=kind, block=block, rng=rng)

    def probability_within(
        self, settings: "pd.DataFrame", lower: float | None, upper: float | None
    ) -> FloatArray:
        """Return P(lower <= value of one new run <= upper), exactly, shape ``(n_settings,)``."""
        from surrogates.linear.prediction import distribution

        return distribution(self, settings).probability_within(lower, upper)

    def describe(self) -> Mapping[str, object]:
        """Return what it is, plain JSON: terms, coefficients, residual SD, warnings."""
        from surrogates.linear.description import describe

        return describe(self)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was left out, assumed or cannot be told apart, each a sentence."""
        from surrogates.linear.description import model_warnings

        return model_warnings(self)


@overload
def fit_linear(
    observations: Observations,
    response: str,
    terms: ModelOrder | str | Terms = ...,
    *,
    blocks: Literal["fixed", "ignore"] = ...,
    weights: "Mapping[str, float] | Sequence[float] | None" = ...,
    transform: "Transform | ResponseTransform | None" = ...,
    censored: Censored = ...,
) -> LinearModel: ...


@overload
def fit_linear(
    observations: Observations,
    response: str,
    terms: ModelOrder | str | Terms = ...,
    *,
    blocks: Literal["random"],
    weights: "Mapping[str, float] | Sequence[float] | None" = ...,
    transform: "Transform | ResponseTransform | None" = ...,
    censored: Censored = ...,
) -> "MixedModel": ...


def fit_linear(
    observations: Observations,
    response: str,
    terms: ModelOrder | str | Terms = "quadratic",
    *,
    blocks: Blocks = "fixed",
    weights: "Mapping[str, float] | Sequence[float] | None" = None,
    transform: "Transform | ResponseTransform | None" = None,
    censored: Censored = "refuse",
) -> "LinearModel | MixedModel":
    """Return the linear model of one measured response by least squares.

    The terms asked for are the terms fitted. What these runs cannot estimate beside the other
    terms is named in ``aliased`` with what it is aliased with, and in ``warnings``.

    Args:
        observations: All runs.
        response: A measured response.
        terms: ``linear``, ``interaction``, ``quadratic`` or ``cubic`` (Scheffe's for mixtures), a
            formula such as ``A*B + I(A**2)``, or terms.
        blocks: Whether differences between blocks are estimated as constants (``fixed``), as draws
            from a distribution (``random``: those so declared, by restricted maximum likelihood,
            which gives a ``MixedModel``), or left in the noise (``ignore``).
        weights: Reciprocal variance of each run's value up to a common factor, by run or in the
            order of the runs; 1 for all when absent.
        transform: The scale on which the response is modelled; the response's own when absent.
        censored: What to do with values known only as a limit.

    Raises:
        InvalidValueError: If the response's values, settings or weights cannot be used, or a
            factor of the terms never varied, or always changed together with another.
        TooFewDataError: If there are fewer runs than coefficients, or all values are the same.
        UnknownNameError: If there is no such response.
    """
    from surrogates.linear.fitting import fit_observations

    return fit_observations(
        observations,
        response,
        terms,
        blocks=blocks,
        weights=weights,
        transform=transform,
        censored=censored,
    )
