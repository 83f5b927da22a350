"""A linear model with random whole plots, blocks or lots: restricted maximum likelihood."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, get_args

import numpy as np

from doe.arrays import FloatArray
from doe.errors import InvalidValueError, UnknownNameError
from doe.runs import Observations, Origin
from doe.space import FactorSpace
from doe.terms import Terms
from surrogates.blocks import BlockLevels
from surrogates.domain import ApplicabilityDomain
from surrogates.learning_rows import Censored, LearningRows, learning_rows
from surrogates.linear.mixed_models.kenward_roger import DegreesMethod, FixedInference, FixedTest
from surrogates.linear.mixed_models.random_blocks import (
    check_identified,
    random_names,
    space_without,
)
from surrogates.linear.mixed_models.restricted_likelihood import (
    Method,
    VarianceFit,
    VarianceProblem,
    fit_variances,
)
from surrogates.linear.model import LinearModel, ModelOrder
from surrogates.linear.treatment import Treatment, treatment_of
from surrogates.predictive import Kind
from surrogates.surrogate import NEW_BLOCK, Block, Prediction
from surrogates.transforms import ResponseTransform

if TYPE_CHECKING:
    import pandas as pd

    from doe.responses import Transform
    from surrogates.linear.mixed_models.mixed_tables import MixedAnova, VarianceComponents


@dataclass(frozen=True, eq=False)
class MixedModel:
    """Fixed effects by generalised least squares, and the variances of what is random.

    A run's value is x'b plus an independent normal effect of each random block factor's level plus
    a residual. Predictions at a setting are Student's t with the degrees of freedom at which the
    variance of their error has its estimated mean and variance (Satterthwaite), the error of b
    adjusted after Kenward and Roger where REML was used.

    Attributes:
        rows: What it was learned from.
        fixed: The fixed part as a linear model: terms, columns, fixed blocks, scale, weights. Its
            own least-squares errors are not those of the mixed model.
        random: The random block factors.
        levels: The levels of all block factors.
        fit: The variance components, residual last.
        inference: Standard errors, degrees of freedom and tests of the fixed effects.
        treatment: What became of the runs and values, where known.

    Source:
        Patterson and Thompson (1971), Biometrika 58, 545-554; Kenward and Roger (1997), Biometrics
        53, 983-997; for split plots Letsinger, Myers and Lentner (1996), J. Quality Technology 28,
        381-397.
    """

    rows: LearningRows
    fixed: LinearModel
    random: tuple[str, ...]
    levels: BlockLevels
    fit: VarianceFit
    inference: FixedInference
    treatment: Treatment | None = None

    def __repr__(self) -> str:
        return (
            f"<MixedModel of '{self.response}': {self.n_runs} runs, "
            f"{len(self.random)} random block factor{'s' * (len(self.random) != 1)}>"
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
    def domain(self) -> ApplicabilityDomain:
        """The runs that it was learned from, and how far from them it can be trusted."""
        return self.fixed.domain

    @property
    def terms(self) -> Terms:
        """The effects that were fitted."""
        return self.fixed.terms

    @property
    def n_runs(self) -> int:
        """How many runs it was fitted to."""
        return self.rows.n_rows

    @property
    def coefficient_names(self) -> tuple[str, ...]:
        """The fixed effects: model columns, then those of fixed blocks."""
        return (*self.fixed.columns, *self.fixed.block_contrasts.columns)

    @property
    def n_coefficients(self) -> int:
        """How many fixed effects there are."""
        return len(self.coefficient_names)

    @property
    def coefficients(self) -> FloatArray:
        """The fixed effects in coded units, on the modelled scale, shape ``(p,)``."""
        return self.fit.state.coefficients

    @property
    def standard_errors(self) -> FloatArray:
        """Their standard errors, adjusted where Kenward and Roger's method is used."""
        return self.inference.standard_errors

    @property
    def residual_std(self) -> float:
        """The SD of runs within one block, weight 1, on the modelled scale."""
        return float(np.sqrt(self.fit.variances[-1]))

    def variance_components(self, coverage: float = 0.95) -> "VarianceComponents":
        """Return the variance components with intervals and shares.

        Raises:
            InvalidValueError: If ``coverage`` is not between 0 and 1.
        """
        from surrogates.linear.mixed_models.mixed_tables import variance_components

        return variance_components(self, coverage)

    def anova(self) -> "MixedAnova":
        """Return a test of each term against the error that belongs to it."""
        from surrogates.linear.mixed_models.mixed_tables import anova

        return anova(self)

    def coefficient_table(self, coverage: float = 0.95) -> "pd.DataFrame":
        """Return the coefficients in coded units with SE, df, t, p and interval.

        Raises:
            InvalidValueError: If ``coverage`` is not between 0 and 1.
        """
        from surrogates.linear.mixed_models.mixed_tables import coefficient_table

        return coefficient_table(self, coverage)

    def block_effects(self) -> "pd.DataFrame":
        """Return the predicted effect of each level of the random block factors."""
        from surrogates.linear.mixed_models.mixed_tables import block_effects

        return block_effects(self)

    def test(self, contrasts: Sequence[Mapping[str, float]]) -> FixedTest:
        """Return the test that combinations of coefficients are all zero.

        Args:
            contrasts: Each a weight per coefficient name; others count 0.

        Raises:
            UnknownNameError: If there is no such coefficient.
            InvalidValueError: If the contrasts are not independent.
        """
        rows = np.zeros((len(contrasts), self.n_coefficients))
        for row, contrast in zip(rows, contrasts, strict=True):
            for name, weight in contrast.items():
                if name not in self.coefficient_names:
                    raise UnknownNameError(
                        f"No coefficient is called '{name}'; there are "
                        f"{', '.join(self.coefficient_names)}."
                    )
                row[self.coefficient_names.index(name)] = weight
        return self.inference.test(rows)

    def rows_at(
        self, settings: "pd.DataFrame", block: Block = NEW_BLOCK
    ) -> tuple[FloatArray, tuple[int | None, ...]]:
        """Return rows of the fixed effects, and per random block factor the level's place.

        Rows have shape ``(n_settings, p)``; the place is None for a new level. A new level of a
        fixed block factor counts as the average of those studied.

        Raises:
            InvalidValueError: If a setting is missing or cannot be read.
            UnknownNameError: If a block has no such level.
        """
        places = dict(zip(self.levels.levels, self.levels.indices(block), strict=True))
        known = {n: i for n, i in places.items() if i < len(self.levels.levels[n])}
        named = {n: self.levels.levels[n][i][-1] for n, i in known.items() if n not in self.random}
        rows = self.fixed.rows_at(settings, block=named)
        return rows, tuple(known.get(name) for name in self.random)

    def predict(self, settings: "pd.DataFrame", *, block: Block = NEW_BLOCK) -> Prediction:
        """Return the prediction at each setting, in the response's unit.

        For a known block the mean holds its predicted effect; for a new one the SD of a new run
        holds the blocks' variance. With fewer than three degrees of freedom SDs, which do not
        exist, are given as at three; intervals use the degrees as they are.

        Raises:
            InvalidValueError: If a setting is missing or cannot be read.
            UnknownNameError: If a block has no such level.
        """
        from surrogates.linear.mixed_models.mixed_prediction import predict

        return predict(self, settings, block)

    def sample(
        self,
        settings: "pd.DataFrame",
        n_draws: int,
        *,
        kind: Kind,
        block: Block = NEW_BLOCK,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Return joint draws of the predictive distribution, shape ``(n_draws, n_settings)``.

        ``new_run`` draws share one effect of a new block per draw.

        Raises:
            InvalidValueError: If a setting is missing or cannot be read.
            UnknownNameError: If a block has no such level.
        """
        from surrogates.linear.mixed_models.mixed_prediction import sample

        return sample(self, settings, n_draws, kind=kind, block=block, rng=rng)

    def probability_within(
        self, settings: "pd.DataFrame", lower: float | None, upper: float | None
    ) -> FloatArray:
        """Return P(lower <= value of one run in a new block <= upper), shape ``(n_settings,)``."""
        from surrogates.linear.mixed_models.mixed_prediction import predictive

        return predictive(self, settings, NEW_BLOCK).probability_within(lower, upper)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What was left out, assumed or is poorly known, each a sentence."""
        from surrogates.linear.mixed_models.mixed_description import mixed_warnings

        return mixed_warnings(self)

    def describe(self) -> Mapping[str, object]:
        """Return what it is, plain JSON: terms, coefficients, components, treatment, warnings."""
        from surrogates.linear.mixed_models.mixed_description import describe

        return describe(self)


def fit_mixed(
    observations: Observations,
    response: str,
    terms: ModelOrder | str | Terms = "quadratic",
    *,
    random: Sequence[str] | None = None,
    method: Method = "REML",
    degrees_method: DegreesMethod | None = None,
    weights: FloatArray | None = None,
    transform: "Transform | ResponseTransform | None" = None,
    censored: Censored = "refuse",
) -> MixedModel:
    """Return the linear model of a response whose whole plots, blocks or lots are random.

    Args:
        observations: All runs.
        response: A measured response.
        terms: As for ``fit_linear``.
        random: Block factors to take as random; those declared random when absent. Others are
            fixed. Nested ones count by level within the level that holds them; others are crossed.
        method: Restricted maximum likelihood, or ``ML``, which compares models of different terms.
        degrees_method: How tests and intervals of the fixed effects find their degrees of freedom;
            Kenward and Roger's for REML when absent, else Satterthwaite's.
        weights: Reciprocal residual variance of each run with a value, up to a factor.
        transform: The scale on which the response is modelled; the response's own when absent.
        censored: What to do with values known only as a limit.

    Raises:
        InvalidValueError: If no block factor is random, or values or settings cannot be used.
        UnknownNameError: If a block factor does not exist.
        TooFewDataError: If the runs cannot estimate a term or a variance, which it names.
    """
    rows = learning_rows(observations, response, censored=censored)
    by_run = dict(zip(observations.runs, observations.origins, strict=True))
    model = fit_mixed_rows(
        rows,
        terms,
        random=random,
        method=method,
        degrees_method=degrees_method,
        weights=weights,
        transform=transform,
        origins=tuple(by_run[run] for run in rows.runs),
    )
    return replace(model, treatment=treatment_of(observations, rows, censored=censored))


def fit_mixed_rows(
    rows: LearningRows,
    terms: ModelOrder | str | Terms = "quadratic",
    *,
    random: Sequence[str] | None = None,
    method: Method = "REML",
    degrees_method: DegreesMethod | None = None,
    weights: FloatArray | None = None,
    transform: "Transform | ResponseTransform | None" = None,
    origins: tuple[Origin, ...] = (),
) -> MixedModel:
    """Return the mixed model of rows; see ``fit_mixed``.

    Raises:
        InvalidValueError: As for ``fit_mixed``.
        UnknownNameError: If a block factor does not exist.
        TooFewDataError: If the runs cannot estimate a term or a variance, which it names.
    """
    from surrogates.linear.fitting import fit_rows

    if method not in get_args(Method):
        raise InvalidValueError(f"method is {method!r}; expected 'REML' or 'ML'.")
    names = random_names(rows.space, random)
    fixed = fit_rows(
        replace(rows, space=space_without(rows.space, names)),
        terms,
        blocks="fixed",
        weights=weights,
        transform=transform,
        origins=origins,
    )
    levels = BlockLevels.learned(rows.space, rows.settings)
    numbers = dict(zip(levels.levels, levels.numbers(rows.settings).T, strict=True))
    roots = [np.eye(len(levels.levels[name]))[numbers[name]] for name in names]
    matrix = np.hstack([fixed.matrix.to_numpy(dtype=np.float64), fixed.block_matrix])
    residual = np.diag(1 / np.sqrt(fixed.weights))
    problem = VarianceProblem(matrix, fixed.values, (*roots, residual), method)
    check_identified(problem, names, rows)
    fit = fit_variances(problem)
    chosen = degrees_method or ("kenward_roger" if method == "REML" else "satterthwaite")
    return MixedModel(rows, fixed, names, levels, fit, FixedInference(fit, chosen))
