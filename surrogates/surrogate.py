"""The contract that every surrogate keeps: predictions, joint draws, and their range of trust."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.errors import ExperimentError, InvalidValueError, UnknownNameError
from doe.responses import AnyResponse, DerivedResponse
from surrogates.predictive import Kind, NormalPredictive, Predictive

if TYPE_CHECKING:
    import pandas as pd

    from doe.space import FactorSpace
    from surrogates.domain import ApplicabilityDomain

NEW_BLOCK = "new"
Block = str | Mapping[str, str]


class NumericalError(ExperimentError, ArithmeticError):
    """A computation cannot be carried out at the accuracy of the machine's numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a surrogate says at each setting, in the natural unit of the response.

    Attributes:
        mean: Expected value, shape ``(n_settings,)``.
        latent_std: Uncertainty of the expected value, without run-to-run noise.
        new_run_std: Standard deviation of one new run: latent, block (when new) and noise together.
        extrapolates: Where the setting lies outside the applicability domain.
        distribution: What is behind the numbers; normal with these moments when absent.
    """

    mean: FloatArray
    latent_std: FloatArray
    new_run_std: FloatArray
    extrapolates: BoolArray
    distribution: Predictive | None = None

    @property
    def predictive(self) -> Predictive:
        """The distribution behind the numbers."""
        if self.distribution is not None:
            return self.distribution
        return NormalPredictive(self.mean, self.latent_std, self.new_run_std)

    def interval(
        self, coverage: float = 0.95, *, kind: Kind = "new_run"
    ) -> tuple[FloatArray, FloatArray]:
        """Return the lower and upper ends of the interval with equal tails.

        Raises:
            InvalidValueError: If ``coverage`` is not between 0 and 1.
        """
        if not 0 < coverage < 1:
            raise InvalidValueError(f"coverage must be between 0 and 1, got {coverage}.")
        lower, upper = self.predictive.quantile(
            np.array([0.5 - coverage / 2, 0.5 + coverage / 2]), kind
        )
        return lower, upper


@runtime_checkable
class Surrogate(Protocol):
    """What the results say about one response, and how sure that is.

    ``settings`` are data frames in natural units with a column per factor.
    ``block`` names the level of each random block to predict for, or ``"new"`` for one not seen.
    """

    @property
    def response(self) -> str:
        """The response that it predicts."""

    @property
    def space(self) -> "FactorSpace":
        """The factor space that it was learned in."""

    @property
    def domain(self) -> "ApplicabilityDomain":
        """The runs that it was learned from, and how far from them it can be trusted."""

    def predict(self, settings: "pd.DataFrame", *, block: Block = NEW_BLOCK) -> Prediction:
        """Return the prediction at each setting.

        Raises:
            InvalidValueError: If a factor's column is missing, a cell is empty or holds text where
                a number belongs, or a level is not one of the factor's.
            UnknownNameError: If a block has no such level.
        """

    def sample(
        self,
        settings: "pd.DataFrame",
        n_draws: int,
        *,
        kind: Kind,
        block: Block = NEW_BLOCK,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Return joint draws, shape ``(n_draws, n_settings)``.

        ``new_run`` draws add one block effect per draw and independent noise per setting.

        Raises:
            NumericalError: If the joint covariance of the settings cannot be factorised.
        """

    def probability_within(
        self, settings: "pd.DataFrame", lower: float | None, upper: float | None
    ) -> FloatArray:
        """Return P(lower <= value of one new run <= upper), shape ``(n_settings,)``."""

    def describe(self) -> Mapping[str, object]:
        """Return what it is, plain JSON: kind, preset, parameters, noise, warnings."""


@dataclass(frozen=True, slots=True, eq=False)
class JointProbability:
    """The probability that several responses of one new run are within their limits, all at once.

    Attributes:
        value: The probability at each setting, shape ``(n_settings,)``.
        standard_error: Monte Carlo error of computing it; 0 for a closed form or quadrature.
        method: How it was computed, in a sentence.
    """

    value: FloatArray
    standard_error: FloatArray
    method: str


@runtime_checkable
class JointSurrogate(Protocol):
    """Several responses learned together, so that their draws are correlated as the runs say.

    The surrogate of one of its responses has the margin of these draws.
    """

    @property
    def responses(self) -> tuple[str, ...]:
        """The responses that it predicts together."""

    @property
    def space(self) -> "FactorSpace":
        """The factor space that it was learned in."""

    def sample(
        self,
        settings: "pd.DataFrame",
        n_draws: int,
        *,
        kind: Kind,
        block: Block = NEW_BLOCK,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Return joint draws, shape ``(n_draws, n_settings, n_responses)``, as ``responses``."""

    def probability_within(
        self,
        settings: "pd.DataFrame",
        limits: Mapping[str, tuple[float | None, float | None]],
        *,
        rng: np.random.Generator | None = None,
    ) -> JointProbability:
        """Return P(every response of one new run is within its limits) at each setting.

        Args:
            settings: Settings in natural units.
            limits: Lower and upper limit by response; responses not named have none.
            rng: Source of random points, where the probability needs them.

        Raises:
            InvalidValueError: If random points are needed and ``rng`` is absent.
            UnknownNameError: If a limit is for a response that it does not predict.
        """


@dataclass(frozen=True)
class SurrogateSet:
    """One surrogate per response, and the derived responses computed from their joint draws.

    Attributes:
        surrogates: By response name.
        derived: Responses that are expressions of others.
        independent: Whether draws of different responses are independent given the settings.
        joint: What draws the responses that were learned together; each of them has its margin
            among ``surrogates``. Responses outside it are drawn independently.

    Raises:
        InvalidValueError: If there is no surrogate, or ``joint`` does not fit the others.
    """

    surrogates: Mapping[str, Surrogate] = field(hash=False)
    derived: tuple[DerivedResponse, ...] = ()
    independent: bool = True
    joint: JointSurrogate | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        if not self.surrogates:
            raise InvalidValueError("A surrogate set needs at least one surrogate.")
        if self.joint is None:
            return
        lacking = [name for name in self.joint.responses if name not in self.surrogates]
        if lacking:
            raise InvalidValueError(
                f"The joint model predicts {lacking}, of which the set has no surrogates: give the "
                f"margin of each; there are {list(self.surrogates)}."
            )
        if self.independent and len(self.joint.responses) > 1:
            raise InvalidValueError(
                f"The draws of {list(self.joint.responses)} come from one joint model, so they are "
                "not independent: set independent=False."
            )

    @property
    def responses(self) -> tuple[str, ...]:
        """The names of all responses, measured ones first."""
        return (*self.surrogates, *(response.name for response in self.derived))

    @property
    def space(self) -> "FactorSpace":
        """The factor space that the surrogates were learned in."""
        return next(iter(self.surrogates.values())).space

    def __getitem__(self, response: str) -> Surrogate:
        """Return the surrogate of a measured response.

        Raises:
            UnknownNameError: If there is none.
        """
        if response not in self.surrogates:
            raise UnknownNameError(
                f"No surrogate predicts '{response}'; there are {list(self.surrogates)}."
            )
        return self.surrogates[response]

    def unit(self, response: str) -> str:
        """Return the unit of a measured or derived response.

        Raises:
            UnknownNameError: If there is none.
        """
        for derived in self.derived:
            if derived.name == response:
                return derived.unit
        return str(self[response].describe().get("unit", ""))

    def sample(
        self,
        settings: "pd.DataFrame",
        n_draws: int,
        *,
        kind: Kind,
        block: Block = NEW_BLOCK,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Return joint draws, shape ``(n_draws, n_settings, n_responses)``.

        The last axis is in the order of ``responses``; derived responses are computed draw by draw.
        Responses of the joint model, if there is one, are drawn first and together.
        """
        together: dict[str, FloatArray] = {}
        if self.joint is not None:
            drawn = self.joint.sample(settings, n_draws, kind=kind, block=block, rng=rng)
            together = dict(zip(self.joint.responses, np.moveaxis(drawn, -1, 0), strict=True))
        columns = {
            name: together[name]
            if name in together
            else surrogate.sample(settings, n_draws, kind=kind, block=block, rng=rng)
            for name, surrogate in self.surrogates.items()
        }
        derived = derive(self.derived, columns, settings)
        return np.stack([*columns.values(), *derived], axis=-1)


def derive(
    derived: Sequence[AnyResponse], draws: Mapping[str, FloatArray], settings: "pd.DataFrame"
) -> list[FloatArray]:
    """Return the draws of each derived response, each shape ``(n_draws, n_settings)``.

    A derived response may read factors, measured responses and derived responses before it.
    """
    from doe.expressions import parse_expression

    names = [c for c in settings.columns if np.asarray(settings[c]).dtype.kind in "fiu"]
    columns: dict[str, FloatArray] = {
        str(name): np.asarray(settings[name], dtype=np.float64)[None, :] for name in names
    }
    columns.update(draws)
    shape = next(iter(draws.values())).shape
    results = []
    for response in derived:
        if isinstance(response, DerivedResponse):
            value = parse_expression(response.expression).evaluate(columns)
            columns[response.name] = np.broadcast_to(value, shape)
            results.append(columns[response.name])
    return results
