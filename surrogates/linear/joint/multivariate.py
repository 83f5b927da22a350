"""Several responses with the same terms: the exact joint posterior predictive distribution."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.errors import UnknownNameError
from doe.responses import DerivedResponse
from doe.runs import Observations
from doe.space import FactorSpace
from doe.terms import Terms
from surrogates.domain import ApplicabilityDomain
from surrogates.learning_rows import Censored
from surrogates.linear.joint.bayesian import (
    JOINT_PRIOR,
    JointStudent,
    Limits,
    box_of,
    covariance_roots,
    student_in_unit,
    student_prediction,
)
from surrogates.linear.joint.joint_fitting import (
    Incomplete,
    JointBlocks,
    check_joint_degrees,
    check_residuals,
    correlations_of,
    joint_models,
)
from surrogates.linear.model import LinearModel, ModelOrder
from surrogates.linear.solution import Solution
from surrogates.predictive import Kind
from surrogates.surrogate import NEW_BLOCK, Block, JointProbability, Prediction, SurrogateSet

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class MultivariateLinear:
    """Linear models of q responses with the same terms, and the correlation of their errors.

    Under the prior p(B, Sigma) proportional to |Sigma|^-(q+1)/2 the responses of a new run at x
    are multivariate t with n - p - q + 1 degrees of freedom, location B'x and scale matrix
    (1 + h) S / (n - p - q + 1), where S is the residual sum of squares and cross products and h
    the leverage.

    The margin of one response thus has q - 1 degrees of freedom fewer than its model alone, which
    has n - p: its predictive distribution is wider, and adding responses lowers every probability
    of meeting a specification. Both are right under their priors, which differ; compare
    probabilities of sets of responses only within one joint model.

    Attributes:
        models: The least-squares model of each response, all of the same runs and columns.
        cross_products: S, residual sums of squares and cross products on the modelled scales,
            shape ``(q, q)``.
        degrees: Degrees of freedom of the joint t distribution.

    Source:
        Press (1982), Applied Multivariate Analysis, 2nd ed., chapter 8; Peterson (2004),
        Journal of Quality Technology 36, 139-153, for its use as reliability.
    """

    models: tuple[LinearModel, ...]
    cross_products: FloatArray
    degrees: int

    @property
    def responses(self) -> tuple[str, ...]:
        """The responses that it predicts together."""
        return tuple(model.response for model in self.models)

    @property
    def space(self) -> FactorSpace:
        """The factor space that it was learned in."""
        return self.models[0].space

    @property
    def domain(self) -> ApplicabilityDomain:
        """The runs that it was learned from, and how far from them it can be trusted."""
        return self.models[0].domain

    @property
    def n_runs(self) -> int:
        """How many runs it was fitted to."""
        return self.models[0].n_runs

    @property
    def residual_degrees(self) -> int:
        """Degrees of freedom of each response's residuals, n - p."""
        return self.models[0].degrees

    @cached_property
    def correlations(self) -> FloatArray:
        """The correlations of the residuals, shape ``(q, q)``."""
        return correlations_of(self.cross_products)

    def table(self) -> "pd.DataFrame":
        """Return the residual correlations with the residual SDs on the modelled scales."""
        import pandas as pd

        table = pd.DataFrame(self.correlations, index=self.responses, columns=self.responses)
        table.insert(0, "residual SD", [model.residual_std for model in self.models])
        return table

    def __getitem__(self, response: str) -> "MultivariateMargin":
        """Return the surrogate of one response: its margin of the joint distribution.

        Raises:
            UnknownNameError: If it is not modelled here.
        """
        if response not in self.responses:
            raise UnknownNameError(
                f"'{response}' is not modelled here; there are {list(self.responses)}."
            )
        return MultivariateMargin(self, self.responses.index(response))

    def surrogate_set(self, derived: Sequence[DerivedResponse] = ()) -> SurrogateSet:
        """Return the set whose draws are correlated as this model says."""
        margins = {name: self[name] for name in self.responses}
        return SurrogateSet(margins, tuple(derived), independent=False, joint=self)

    def distribution(self, settings: "pd.DataFrame", *, block: Block = NEW_BLOCK) -> JointStudent:
        """Return the joint distribution of one new run at each setting, on the modelled scales.

        Raises:
            InvalidValueError: If a setting is missing or cannot be read.
            UnknownNameError: If a block has no such level.
        """
        rows = self.models[0].rows_at(settings, block=block)
        return JointStudent(
            location=rows @ self._coefficients,
            inflation=1 + self._solution.leverage_of(rows),
            scale=self.cross_products / self.degrees,
            degrees=float(self.degrees),
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
        """Return joint draws from the exact posterior, shape ``(n_draws, n_settings, q)``.

        Raises:
            InvalidValueError: If a setting is missing or cannot be read.
            UnknownNameError: If a block has no such level.
        """
        rows = self.models[0].rows_at(settings, block=block)
        size = len(self.models)
        whole = np.broadcast_to(self.cross_products, (n_draws, size, size))
        across = covariance_roots(whole, self.residual_degrees, rng).transpose(0, 2, 1)
        scores = rng.standard_normal((n_draws, self._solution.n_columns, size))
        places = rows @ (self._coefficients + self._solution.half_inverse @ scores @ across)
        if kind == "new_run":
            places = places + rng.standard_normal(places.shape) @ across
        return np.stack(
            [
                model.transform.backward(places[:, :, j])
                if kind == "new_run"
                else model.transform.expected(places[:, :, j], np.asarray(self.noise_scale(j)))
                for j, model in enumerate(self.models)
            ],
            axis=-1,
        )

    def probability_within(
        self,
        settings: "pd.DataFrame",
        limits: Limits,
        *,
        rng: np.random.Generator | None = None,
    ) -> JointProbability:
        """Return P(every response of one new run is within its limits) at each setting.

        Closed form for one response with limits, quadrature for two, randomised quasi-Monte Carlo
        with its standard error for more.

        Args:
            settings: Settings in natural units.
            limits: Lower and upper limit by response, in its unit; None for no limit.
            rng: Source of quasi-random points; needed for three limited responses or more.

        Raises:
            InvalidValueError: If a setting cannot be read, or ``rng`` is needed and absent.
            UnknownNameError: If a limit is for a response that is not modelled here.
        """
        lower, upper = box_of(limits, self.models, self.responses)
        return self.distribution(settings).probability_within(lower, upper, rng=rng)

    def noise_scale(self, place: int) -> float:
        """Return the scale of one response's run-to-run noise in the joint t distribution."""
        return float(np.sqrt(self.cross_products[place, place] / self.degrees))

    def describe(self) -> Mapping[str, object]:
        """Return what it is, plain JSON: the prior, correlations, and each response's model."""
        return {
            "kind": "multivariate least squares",
            "responses": list(self.responses),
            "n_runs": self.n_runs,
            "degrees_of_freedom": self.degrees,
            "residual_correlations": self.correlations.tolist(),
            "prior": JOINT_PRIOR,
            "models": [dict(model.describe()) for model in self.models],
            "warnings": list(self.warnings),
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of its probabilities has to know."""
        size = len(self.models)
        if size == 1:
            return ()
        return (
            f"Each margin of this joint model of {size} responses has n - p - q + 1 = "
            f"{self.degrees} degrees of freedom, not the n - p = {self.residual_degrees} of the "
            "response modelled alone: adding responses lowers every probability of being within "
            "limits.",
        )

    @property
    def _solution(self) -> Solution:
        return self.models[0].solution

    @cached_property
    def _coefficients(self) -> FloatArray:
        return np.column_stack([model.solution.coefficients for model in self.models])


@dataclass(frozen=True, eq=False)
class MultivariateMargin:
    """One response of a multivariate model: Student's t with n - p - q + 1 degrees of freedom.

    Attributes:
        joint: The model that it is a margin of.
        place: Which response it is.
    """

    joint: MultivariateLinear
    place: int

    @property
    def model(self) -> LinearModel:
        """The response's least-squares model: coefficients, analysis of variance, diagnostics."""
        return self.joint.models[self.place]

    @property
    def response(self) -> str:
        """The response that it predicts."""
        return self.model.response

    @property
    def space(self) -> FactorSpace:
        """The factor space that it was learned in."""
        return self.joint.space

    @property
    def domain(self) -> ApplicabilityDomain:
        """The runs that it was learned from, and how far from them it can be trusted."""
        return self.joint.domain

    def predict(self, settings: "pd.DataFrame", *, block: Block = NEW_BLOCK) -> Prediction:
        """Return the prediction at each setting, in the response's unit.

        Raises:
            InvalidValueError: If a setting is missing or cannot be read.
            UnknownNameError: If a block has no such level.
        """
        student = self.joint.distribution(settings, block=block).margin(self.place)
        leverage = self.model.solution.leverage_of(self.model.rows_at(settings))
        outside = self.domain.outside(settings, leverage)
        return student_prediction(student, self.model.transform, outside)

    def sample(
        self,
        settings: "pd.DataFrame",
        n_draws: int,
        *,
        kind: Kind,
        block: Block = NEW_BLOCK,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Return joint draws over the settings, shape ``(n_draws, n_settings)``.

        Raises:
            InvalidValueError: If a setting is missing or cannot be read.
            UnknownNameError: If a block has no such level.
        """
        draws = self.joint.sample(settings, n_draws, kind=kind, block=block, rng=rng)
        return np.asarray(draws[:, :, self.place])

    def probability_within(
        self, settings: "pd.DataFrame", lower: float | None, upper: float | None
    ) -> FloatArray:
        """Return P(lower <= value of one new run <= upper), exactly, shape ``(n_settings,)``."""
        student = self.joint.distribution(settings).margin(self.place)
        return student_in_unit(student, self.model.transform).probability_within(lower, upper)

    def describe(self) -> Mapping[str, object]:
        """Return what it is, plain JSON: the response's model, and what the joint one changes."""
        own = self.model.describe()
        return {
            **own,
            "kind": "margin of multivariate least squares",
            "joint_responses": list(self.joint.responses),
            "degrees_of_freedom": self.joint.degrees,
            "prior": JOINT_PRIOR,
            "warnings": [*self.model.warnings, *self.joint.warnings],
        }


def fit_multivariate(
    observations: Observations,
    responses: Sequence[str],
    terms: ModelOrder | str | Terms = "quadratic",
    *,
    blocks: JointBlocks = "fixed",
    censored: Censored = "refuse",
    incomplete: Incomplete = "refuse",
) -> MultivariateLinear:
    """Return linear models of several responses with the same terms, and their joint distribution.

    Each response is modelled on its own scale. With different terms per response use
    ``fit_seemingly_unrelated``.

    Args:
        observations: All runs.
        responses: Measured responses.
        terms: As for ``fit_linear``, the same for all.
        blocks: Whether differences between blocks are estimated as constants or left in the noise.
        censored: What to do with values known only as a limit.
        incomplete: What to do with runs that lack a value of some responses.

    Raises:
        InvalidValueError: If the responses' values or settings cannot be used, runs are
            incomplete, or one response follows from others exactly.
        TooFewDataError: If n - p - q + 1 is below 3.
        UnknownNameError: If there is no such response.
    """
    models = joint_models(
        observations,
        responses,
        [terms] * len(responses),
        blocks=blocks,
        censored=censored,
        incomplete=incomplete,
    )
    first = models[0]
    degrees = check_joint_degrees(first.n_runs, first.n_coefficients, len(models))
    return MultivariateLinear(models, check_residuals(models), degrees)
