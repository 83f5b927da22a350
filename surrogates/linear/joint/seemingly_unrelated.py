"""Several responses with terms of their own: seemingly unrelated regressions, by Gibbs sampling."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.errors import InvalidValueError, UnknownNameError
from doe.responses import DerivedResponse
from doe.runs import Observations
from doe.space import FactorSpace
from doe.terms import Terms
from surrogates.learning_rows import Censored
from surrogates.linear.joint.bayesian import JOINT_PRIOR, Limits, box_of
from surrogates.linear.joint.box_probability import conditional_box
from surrogates.linear.joint.convergence import Convergence, convergence
from surrogates.linear.joint.gibbs import GibbsDraws, draw_unrelated
from surrogates.linear.joint.joint_fitting import (
    Incomplete,
    JointBlocks,
    correlations_of,
    joint_models,
)
from surrogates.linear.joint.unrelated_checks import check_unrelated
from surrogates.linear.joint.unrelated_margin import UnrelatedMargin
from surrogates.linear.model import LinearModel, ModelOrder
from surrogates.linear.solution import Solution, solve
from surrogates.predictive import Kind
from surrogates.surrogate import NEW_BLOCK, Block, JointProbability, SurrogateSet

if TYPE_CHECKING:
    import pandas as pd

N_DRAWS, BURN_IN = 2000, 500
# Parts of a chain whose means give the Monte Carlo error.
N_BATCHES = 10


@dataclass(frozen=True, eq=False)
class SeeminglyUnrelated:
    """Linear models of several responses, each with its terms, and their correlated errors.

    What it says comes from draws of the posterior that are stored with it: means, SDs, quantiles
    and probabilities are worked out from them without drawing again. As in ``MultivariateLinear``
    the margins are wider than those of each response alone, and for the same reason: the prior of
    the covariance matrix costs degrees of freedom with every response.

    Attributes:
        models: The least-squares model of each response, all of the same runs.
        coefficients: Per response its drawn coefficients, shape ``(n_draws, p_j)``, chain after
            chain, those of fixed blocks last.
        covariances: Drawn error covariances on the modelled scales, shape ``(n_draws, q, q)``.
        uniforms: Random numbers for joint probabilities, shape ``(n_draws, q - 1)``.
        convergence: Whether the chains have settled.
        burn_in: Draws of each chain that were left out first.

    Source:
        Peterson, Miro-Quesada and del Castillo (2009), Quality Technology and Quantitative
        Management 6, 353-369; the sampler: see ``draw_unrelated``.
    """

    models: tuple[LinearModel, ...]
    coefficients: tuple[FloatArray, ...]
    covariances: FloatArray
    uniforms: FloatArray
    convergence: Convergence
    burn_in: int

    @property
    def responses(self) -> tuple[str, ...]:
        """The responses that it predicts together."""
        return tuple(model.response for model in self.models)

    @property
    def space(self) -> FactorSpace:
        """The factor space that it was learned in."""
        return self.models[0].space

    @property
    def n_runs(self) -> int:
        """How many runs it was fitted to."""
        return self.models[0].n_runs

    @property
    def correlations(self) -> FloatArray:
        """The posterior means of the error correlations, shape ``(q, q)``."""
        return np.asarray(correlations_of(self.covariances).mean(axis=0))

    def table(self) -> "pd.DataFrame":
        """Return every coefficient: least squares, and posterior mean, SD and 95 % interval."""
        import pandas as pd

        parts = []
        for model, draws in zip(self.models, self.coefficients, strict=True):
            low, high = np.quantile(draws, [0.025, 0.975], axis=0)
            columns = {
                "response": model.response,
                "term": [*model.columns, *model.block_contrasts.columns],
                "least squares": model.solution.coefficients,
                "mean": draws.mean(axis=0),
                "SD": draws.std(axis=0),
                "lower": low,
                "upper": high,
            }
            parts.append(pd.DataFrame(columns))
        return pd.concat(parts, ignore_index=True)

    def __getitem__(self, response: str) -> UnrelatedMargin:
        """Return the surrogate of one response: its margin of the joint posterior.

        Raises:
            UnknownNameError: If it is not modelled here.
        """
        if response not in self.responses:
            raise UnknownNameError(
                f"'{response}' is not modelled here; there are {list(self.responses)}."
            )
        return UnrelatedMargin(self, self.responses.index(response))

    def surrogate_set(self, derived: Sequence[DerivedResponse] = ()) -> SurrogateSet:
        """Return the set whose draws are correlated as this model says."""
        margins = {name: self[name] for name in self.responses}
        return SurrogateSet(margins, tuple(derived), independent=False, joint=self)

    def sample(
        self,
        settings: "pd.DataFrame",
        n_draws: int,
        *,
        kind: Kind,
        block: Block = NEW_BLOCK,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Return joint draws, shape ``(n_draws, n_settings, q)``: stored ones, chosen at random.

        Raises:
            InvalidValueError: If a setting is missing or cannot be read.
            UnknownNameError: If a block has no such level.
        """
        chosen = rng.integers(len(self.covariances), size=n_draws)
        places = np.stack(
            [
                draws[chosen] @ model.rows_at(settings, block=block).T
                for model, draws in zip(self.models, self.coefficients, strict=True)
            ],
            axis=-1,
        )
        covariance = self.covariances[chosen]
        if kind == "new_run":
            roots = np.linalg.cholesky(covariance).transpose(0, 2, 1)
            places = places + rng.standard_normal(places.shape) @ roots
        stds = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        return np.stack(
            [
                model.transform.backward(places[:, :, j])
                if kind == "new_run"
                else model.transform.expected(places[:, :, j], stds[:, j, None])
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

        Each stored draw gives the probability of a multivariate normal by conditioning, with
        random numbers stored beside it; their mean is the probability, and its standard error is
        that of the means of ten batches of each chain.

        Args:
            settings: Settings in natural units.
            limits: Lower and upper limit by response, in its unit; None for no limit.
            rng: Not used: the random numbers were drawn with the fit.

        Raises:
            InvalidValueError: If a setting cannot be read.
            UnknownNameError: If a limit is for a response that is not modelled here.
        """
        del rng
        lower, upper = box_of(limits, self.models, self.responses)
        limited = np.flatnonzero(np.isfinite(lower) | np.isfinite(upper))
        rows = [self.models[place].rows_at(settings) for place in limited]
        value, error = np.ones(len(settings)), np.zeros(len(settings))
        if np.any(lower >= upper):
            return JointProbability(value * 0.0, error, "Limits that exclude each other.")
        if not len(limited):
            return JointProbability(value, error, "No limits.")
        roots = np.linalg.cholesky(self.covariances[:, limited][:, :, limited])
        uniforms = self.uniforms[:, : len(limited) - 1]
        n_batches = N_BATCHES * self.convergence.n_chains
        for place in range(len(settings)):
            centres = [
                self.coefficients[j] @ own[place] for j, own in zip(limited, rows, strict=True)
            ]
            ends = [side[limited] - np.stack(centres, axis=1) for side in (lower, upper)]
            chances = conditional_box(ends[0], ends[1], np.asarray(roots), uniforms)
            value[place] = chances.mean()
            means = [part.mean() for part in np.array_split(chances, n_batches)]
            error[place] = np.std(means, ddof=1) / np.sqrt(n_batches)
        return JointProbability(
            value, error, f"Mean over {len(roots)} posterior draws, stored with the fit."
        )

    def describe(self) -> Mapping[str, object]:
        """Return what it is, plain JSON: prior, convergence, correlations, the models."""
        return {
            "kind": "seemingly unrelated regressions",
            "responses": list(self.responses),
            "n_runs": self.n_runs,
            "terms": {model.response: list(model.terms.names) for model in self.models},
            "error_correlations": self.correlations.tolist(),
            "prior": JOINT_PRIOR,
            **self.sampling(),
            "models": [dict(self[name].describe()) for name in self.responses],
            "warnings": list(self.warnings),
        }

    def sampling(self) -> dict[str, object]:
        """Return how the posterior was sampled, plain JSON."""
        return {
            "n_chains": self.convergence.n_chains,
            "n_draws": self.convergence.n_draws,
            "burn_in": self.burn_in,
            "split_r_hat": self.convergence.r_hat,
            "effective_draws": self.convergence.effective_draws,
            "convergence": self.convergence.sentence(),
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of its probabilities has to know."""
        found = [] if self.convergence.is_settled else [self.convergence.sentence()]
        if len(self.models) > 1:
            found.append(
                f"The errors of {len(self.models)} responses are learned together, which costs "
                "degrees of freedom: every probability of being within limits is lower than in a "
                "model of the response alone."
            )
        return tuple(found)


def fit_seemingly_unrelated(
    observations: Observations,
    responses: Sequence[str],
    terms_by_response: Mapping[str, ModelOrder | str | Terms],
    *,
    rng: np.random.Generator,
    n_draws: int | None = None,
    burn_in: int = BURN_IN,
    blocks: JointBlocks = "fixed",
    censored: Censored = "refuse",
    incomplete: Incomplete = "refuse",
) -> SeeminglyUnrelated:
    """Return linear models of several responses, each with its own terms, and their joint draws.

    With the same terms for all, ``fit_multivariate`` gives the same posterior in closed form.

    Args:
        observations: All runs.
        responses: Measured responses.
        terms_by_response: The terms of each, as for ``fit_linear``.
        rng: Source of the draws; the same state gives the same model.
        n_draws: Draws kept of each of the four chains; 2000 when absent, and as many more, up to
            five times, until they are worth 400 independent ones.
        burn_in: Draws of each chain that are left out first.
        blocks: Whether differences between blocks are estimated as constants or left in the noise.
        censored: What to do with values known only as a limit.
        incomplete: What to do with runs that lack a value of some responses.

    Raises:
        InvalidValueError: If the responses' values or settings or the numbers of draws cannot be
            used, runs are incomplete, or one response follows from others exactly.
        TooFewDataError: If the runs are too few for all terms and responses together.
        UnknownNameError: If there is no such response, or one has no terms.
    """
    _check_arguments(responses, terms_by_response, n_draws, burn_in)
    models = joint_models(
        observations,
        responses,
        [terms_by_response[name] for name in responses],
        blocks=blocks,
        censored=censored,
        incomplete=incomplete,
    )
    check_unrelated(models)
    draws = _drawn(models, n_draws, burn_in, rng)
    size = len(models)
    n_stored = draws.covariances.shape[0] * draws.covariances.shape[1]
    return SeeminglyUnrelated(
        models=models,
        coefficients=tuple(part.reshape(n_stored, -1) for part in draws.coefficients),
        covariances=draws.covariances.reshape(n_stored, size, size),
        uniforms=rng.random((n_stored, max(size - 1, 0))),
        convergence=convergence(_monitored(models, draws)),
        burn_in=burn_in,
    )


def _drawn(
    models: Sequence[LinearModel], n_draws: int | None, burn_in: int, rng: np.random.Generator
) -> GibbsDraws:
    # In the order of their names, so that the order of rows does not matter for a state of rng.
    order = np.argsort(np.array(models[0].rows.runs))
    solutions = [_reordered(model.solution, order) for model in models]
    if n_draws is not None:
        return draw_unrelated(solutions, n_draws=n_draws, burn_in=burn_in, rng=rng)
    return draw_unrelated(
        solutions,
        n_draws=N_DRAWS,
        burn_in=burn_in,
        rng=rng,
        enough=lambda found: convergence(_monitored(models, found)).is_settled,
    )


def _reordered(solution: Solution, order: IntArray) -> Solution:
    return solve(solution.matrix[order], np.take(solution.values, order))


def _monitored(models: Sequence[LinearModel], draws: GibbsDraws) -> dict[str, FloatArray]:
    """Return what has to settle: coefficients, residual SDs and correlations."""
    found: dict[str, FloatArray] = {}
    for place, (model, part) in enumerate(zip(models, draws.coefficients, strict=True)):
        for column, name in enumerate([*model.columns, *model.block_contrasts.columns]):
            found[f"{name} of {model.response}"] = part[:, :, column]
        variances = draws.covariances[:, :, place, place]
        found[f"residual SD of {model.response}"] = np.log(variances) / 2
    correlations = correlations_of(draws.covariances)
    for place, model in enumerate(models):
        for earlier, other in enumerate(models[:place]):
            name = f"correlation of {other.response} and {model.response}"
            found[name] = np.arctanh(correlations[..., earlier, place])
    return found


def _check_arguments(
    responses: Sequence[str],
    terms_by_response: Mapping[str, ModelOrder | str | Terms],
    n_draws: int | None,
    burn_in: int,
) -> None:
    lacking = [name for name in responses if name not in terms_by_response]
    if lacking:
        raise UnknownNameError(
            f"terms_by_response has no terms for {lacking}; it has {list(terms_by_response)}: give "
            "the terms of every response."
        )
    if n_draws is not None and n_draws < 4 * N_BATCHES:
        raise InvalidValueError(
            f"n_draws is {n_draws}; expected at least {4 * N_BATCHES} per chain, {N_DRAWS} for use."
        )
    if burn_in < 0:
        raise InvalidValueError(f"burn_in is {burn_in}; expected 0 or more, {BURN_IN} for use.")
