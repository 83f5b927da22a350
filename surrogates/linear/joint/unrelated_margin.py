"""One response of seemingly unrelated regressions, as a surrogate of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.space import FactorSpace
from surrogates.domain import ApplicabilityDomain
from surrogates.linear.joint.bayesian import JOINT_PRIOR
from surrogates.linear.joint.drawn_predictive import DrawnPredictive
from surrogates.linear.model import LinearModel
from surrogates.predictive import Kind, NormalPredictive
from surrogates.surrogate import NEW_BLOCK, Block, Prediction

if TYPE_CHECKING:
    import pandas as pd

    from surrogates.linear.joint.seemingly_unrelated import SeeminglyUnrelated


@dataclass(frozen=True, eq=False)
class UnrelatedMargin:
    """One response of seemingly unrelated regressions: a mixture of normals over stored draws.

    Attributes:
        joint: The model that it is a margin of.
        place: Which response it is.
    """

    joint: "SeeminglyUnrelated"
    place: int

    @property
    def model(self) -> LinearModel:
        """The response's least-squares model: analysis of variance, diagnostics."""
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
        return self.model.domain

    def distribution(
        self, settings: "pd.DataFrame", *, block: Block = NEW_BLOCK
    ) -> DrawnPredictive:
        """Return the predictive distribution of one new run at each setting.

        Raises:
            InvalidValueError: If a setting is missing or cannot be read.
            UnknownNameError: If a block has no such level.
        """
        variances = self.joint.covariances[:, self.place, self.place]
        return DrawnPredictive(
            self.model.rows_at(settings, block=block),
            self.joint.coefficients[self.place],
            np.asarray(np.sqrt(variances)),
            self.model.transform,
        )

    def predict(self, settings: "pd.DataFrame", *, block: Block = NEW_BLOCK) -> Prediction:
        """Return the prediction at each setting, in the response's unit.

        On a transformed scale mean and SDs are those of the normal distribution with the moments
        of the draws; quantiles and probabilities are those of the draws themselves.

        Raises:
            InvalidValueError: If a setting is missing or cannot be read.
            UnknownNameError: If a block has no such level.
        """
        drawn = self.distribution(settings, block=block)
        normal = NormalPredictive(*drawn.moments(), self.model.transform)
        leverage = self.model.solution.leverage_of(self.model.rows_at(settings))
        return Prediction(*normal.moments(), self.domain.outside(settings, leverage), drawn)

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
        """Return P(lower <= value of one new run <= upper), shape ``(n_settings,)``."""
        return self.distribution(settings).probability_within(lower, upper)

    def describe(self) -> Mapping[str, object]:
        """Return what it is, plain JSON: terms, coefficients, noise, how it was sampled."""
        draws = self.joint.coefficients[self.place]
        names = [*self.model.columns, *self.model.block_contrasts.columns]
        coefficients = zip(names, draws.mean(axis=0), draws.std(axis=0), strict=True)
        noise = np.sqrt(self.joint.covariances[:, self.place, self.place].mean())
        own = dict(self.model.describe())
        own.pop("degrees_of_freedom", None)
        return {
            **own,
            "kind": "margin of seemingly unrelated regressions",
            "joint_responses": list(self.joint.responses),
            "coefficients": [
                {"term": name, "coded": float(mean), "standard_error": float(std)}
                for name, mean, std in coefficients
            ],
            "noise_std": float(noise),
            "prior": JOINT_PRIOR,
            **self.joint.sampling(),
            "warnings": [*self.model.warnings, *self.joint.warnings],
        }
