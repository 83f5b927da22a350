"""The Gaussian process of one response, as a surrogate."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from botorch.models import SingleTaskGP
from torch import Tensor

from doe.arrays import FloatArray
from doe.space import FactorSpace
from surrogates.blocks import BlockLevels
from surrogates.domain import ApplicabilityDomain
from surrogates.gaussian_process.algebra import PosteriorAlgebra, covariance_root
from surrogates.gaussian_process.encoding import Encoding
from surrogates.gaussian_process.options import GPOptions
from surrogates.gaussian_process.search import SearchRecord
from surrogates.gaussian_process.surface_model import SurfaceModel, natural_values
from surrogates.learning_rows import LearningRows
from surrogates.predictive import Kind, NormalPredictive
from surrogates.surrogate import NEW_BLOCK, Block, Prediction
from surrogates.transforms import ResponseTransform

if TYPE_CHECKING:
    import pandas as pd

# Half of the surface's variance is left: the runs explain no more than a correlation of 0.71.
DISTANCE_LIMIT = 0.5


class GaussianProcess:
    """A surface over the factors, an effect per block, and run-to-run noise, all normal.

    ``predict`` speaks of the surface without any block's own effect when ``block="new"``, and of
    the surface with the learned effect of a block that is named.

    Made by ``fit_gp``; never changed afterwards.

    Attributes:
        rows: What it was learned from.
        transform: From the response's unit to the modelled scale.
        encoding: From settings in natural units to model inputs, and back.
        blocks: From block levels to model inputs.
        options: How it was fitted.
        search: How the hyper-parameters were found.
        algebra: The exact posterior on the modelled scale.
    """

    def __init__(
        self,
        rows: LearningRows,
        transform: ResponseTransform,
        encoding: Encoding,
        blocks: BlockLevels,
        model: SingleTaskGP,
        options: GPOptions,
        search: SearchRecord,
    ) -> None:
        self.rows = rows
        self.transform = transform
        self.encoding = encoding
        self.blocks = blocks
        self.options = options
        self.search = search
        # Fitted once; from here on gradients are for settings only.
        self._model = model.eval().requires_grad_(requires_grad=False)
        self.algebra = PosteriorAlgebra(model)

    @property
    def response(self) -> str:
        """The response that it predicts."""
        return self.rows.response.name

    @property
    def space(self) -> FactorSpace:
        """The factor space that it was learned in."""
        return self.rows.space

    @property
    def single_task_gp(self) -> SingleTaskGP:
        """The fitted BoTorch model over encoded factors and block columns together."""
        return self._model

    @cached_property
    def domain(self) -> ApplicabilityDomain:
        """The runs that it was learned from, and how far from them it can be trusted."""
        return ApplicabilityDomain(
            space=self.space,
            runs=self.rows.settings[list(self.space.names)],
            distance="kernel distance",
            limit=DISTANCE_LIMIT,
            meaning=(
                "Share of the surface's variance that the runs leave at the setting even if they "
                f"were free of noise; above {DISTANCE_LIMIT:g} the surface is mostly prior."
            ),
        )

    def predict(self, settings: "pd.DataFrame", *, block: Block = NEW_BLOCK) -> Prediction:
        """Return the prediction at each setting, in the response's unit.

        Raises:
            InvalidValueError: If a setting is missing or cannot be read.
            UnknownNameError: If a block has no such level.
        """
        distribution = self._distribution(settings, block)
        mean, latent_std, new_run_std = distribution.moments()
        return Prediction(mean, latent_std, new_run_std, self.extrapolates(settings), distribution)

    def extrapolates(
        self, settings: "pd.DataFrame"
    ) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """Return which settings lie outside the applicability domain."""
        return self.domain.outside(settings, self.kernel_distance(settings))

    def kernel_distance(self, settings: "pd.DataFrame") -> FloatArray:
        """Return the distance of each setting from the runs, 0 to 1, as the domain means it."""
        return np.asarray(self.algebra.distance(self.encoding.encode(settings)).numpy())

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

        ``latent`` draws are of the expected value of a run, ``new_run`` draws add one block effect
        per draw (of blocks not named) and independent noise per setting.

        Raises:
            InvalidValueError: If a setting is missing or cannot be read.
            UnknownNameError: If a block has no such level.
            NumericalError: If the joint covariance cannot be factorised.
        """
        levels = self.blocks.indices(block)
        mean, covariance = self.algebra.joint(self.encoding.encode(settings), levels)
        root = covariance_root(covariance)
        scores = torch.from_numpy(rng.standard_normal((n_draws, len(mean)))).to(root)
        surface = np.asarray((mean + scores @ root.T).cpu().numpy())
        between = self.algebra.new_block_variance(levels)
        within = self._new_run_noise(np.asarray(mean.cpu().numpy()))
        if kind == "latent":
            return self.transform.expected(surface, np.sqrt(between + within))
        effect = np.sqrt(between) * rng.standard_normal((n_draws, 1))
        noise = np.sqrt(within) * rng.standard_normal(surface.shape)
        return self.transform.backward(surface + effect + noise)

    def probability_within(
        self, settings: "pd.DataFrame", lower: float | None, upper: float | None
    ) -> FloatArray:
        """Return P(lower <= value of one new run, in a new block, <= upper), ``(n_settings,)``."""
        return self._distribution(settings, NEW_BLOCK).probability_within(lower, upper)

    def botorch_model(self) -> SurfaceModel:
        """Return the surface as a BoTorch model over the encoded searched factors.

        Its inputs are ``batch x q x d`` with ``d = encoding.n_columns``, within
        ``encoding.bounds``; blocks are not inputs: it is the surface without a block's own effect.
        Its posterior is on the modelled scale: in the response's unit and sign when the transform
        is ``none``, else turn samples into that unit by ``to_natural`` inside a Monte Carlo
        objective. Gradients flow through the posterior.
        """
        return SurfaceModel(self.algebra, self._model.likelihood)

    def to_natural(self, samples: Tensor) -> Tensor:
        """Return samples of the posterior of ``botorch_model`` in the response's unit.

        It is the expected value of a new run in a new block, differentiable, elementwise.
        """
        new = self.blocks.indices(NEW_BLOCK)
        between = self.algebra.new_block_variance(new)
        return natural_values(
            self.transform, samples, (between + self.algebra.noise_variance) ** 0.5
        )

    def describe(self) -> Mapping[str, object]:
        """Return what it is, plain JSON; see ``surrogates.gaussian_process.report``."""
        from surrogates.gaussian_process.report import describe

        return describe(self)

    def new_measurement_sd(self) -> float:
        """Return the SD by which a new run is measured, in the response's unit.

        It is that of the runs so far where it was given from outside, else 0: then the estimated
        noise holds it.
        """
        known = self.rows.known_variance[self.rows.has_known_variance]
        return float(np.sqrt(known.mean())) if known.size else 0.0

    def _distribution(self, settings: "pd.DataFrame", block: Block) -> NormalPredictive:
        levels = self.blocks.indices(block)
        means, variances = self.algebra.marginal(self.encoding.encode(settings), levels)
        mean, variance = np.asarray(means.numpy()), np.asarray(variances.numpy())
        total = variance + self.algebra.new_block_variance(levels) + self._new_run_noise(mean)
        return NormalPredictive(mean, np.sqrt(variance), np.sqrt(total), self.transform)

    def _new_run_noise(self, mean: FloatArray) -> FloatArray:
        """Return the noise variance of a new run, transformed scale, shape of ``mean``."""
        sd = self.new_measurement_sd()
        if sd == 0.0:
            return np.full_like(mean, self.algebra.noise_variance)
        spread = self.transform.spread(self.transform.backward(mean), sd)
        return np.asarray(self.algebra.noise_variance + np.square(spread))
