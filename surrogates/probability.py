"""The probability that a new run meets its specifications, response by response and jointly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.errors import InvalidValueError, UnknownNameError
from doe.responses import Specification
from surrogates.surrogate import JointSurrogate, SurrogateSet, derive

if TYPE_CHECKING:
    import pandas as pd

N_DRAWS = 10_000
# Settings whose joint draws are taken together: each is judged alone, so small chunks lose nothing.
CHUNK = 64


@dataclass(frozen=True, eq=False)
class ProbabilityWithin:
    """P(in specification) of one new run, in a block not seen, at each setting.

    Attributes:
        specifications: What has to be met.
        marginal: Per specification, in their order, shape ``(n_specifications, n_settings)``.
        joint: All of them at once, shape ``(n_settings,)``.
        standard_error: Monte Carlo error of ``joint``; 0 where it is a closed form.
        method: How the numbers came about, in a sentence.
    """

    specifications: tuple[Specification, ...]
    marginal: FloatArray
    joint: FloatArray
    standard_error: FloatArray
    method: str

    @property
    def limiting(self) -> tuple[str, ...]:
        """The response that is least likely to be within its limits, at each setting."""
        worst = self.marginal.argmin(axis=0)
        return tuple(self.specifications[place].response for place in worst)


def probability_in_specification(
    surrogate_set: SurrogateSet,
    specifications: Sequence[Specification],
    settings: "pd.DataFrame",
    *,
    rng: np.random.Generator | None = None,
    n_draws: int = N_DRAWS,
) -> ProbabilityWithin:
    """Return the probability that one new run meets each specification, and all of them.

    It is the posterior predictive probability: model, block and run-to-run uncertainty are in it.
    For measured responses that are independent given the settings it is exact; specifications of
    derived responses, and dependent responses, are judged on joint draws. Measured responses that
    were learned together have the probability that their joint model states.

    Args:
        surrogate_set: Surrogates of the responses.
        specifications: Limits; several on one response must all be met.
        settings: Settings in natural units.
        rng: Source of the draws; needed only when there are any.
        n_draws: How many joint draws.

    Raises:
        InvalidValueError: If there is no specification, or draws are needed and ``rng`` is absent.
        UnknownNameError: If a specification names a response that nothing predicts.

    Source:
        Peterson (2004), Journal of Quality Technology 36, 139-153: posterior predictive
        reliability.
    """
    specifications = tuple(specifications)
    _check_names(surrogate_set, specifications)
    derived = {response.name for response in surrogate_set.derived}
    by_draws = bool(derived & {s.response for s in specifications}) or not (
        surrogate_set.independent or len({s.response for s in specifications}) == 1
    )
    if not by_draws:
        return _closed_form(surrogate_set, specifications, settings)
    joint = surrogate_set.joint
    if joint is not None and {s.response for s in specifications} <= set(joint.responses):
        return _joined(surrogate_set, joint, specifications, settings, rng=rng)
    if rng is None:
        raise InvalidValueError(
            "This probability needs random draws (a derived response, or responses that are not "
            "independent): give rng."
        )
    return _by_draws(surrogate_set, specifications, settings, n_draws, rng=rng)


def means_in_specification(
    surrogate_set: SurrogateSet, specifications: Sequence[Specification], settings: "pd.DataFrame"
) -> FloatArray:
    """Return how far inside every limit the predicted means are, shape ``(n_settings,)``.

    Positive inside, negative outside, in SDs of a new run at the setting (for derived responses in
    their unit): the smallest over all limits. This is the "sweet spot (means only)", which leaves
    out every uncertainty; it is no design space.
    """
    means, scales = {}, {}
    for name, surrogate in surrogate_set.surrogates.items():
        prediction = surrogate.predict(settings)
        means[name], scales[name] = prediction.mean[None, :], prediction.new_run_std
    values = derive(surrogate_set.derived, means, settings)
    for response, value in zip(surrogate_set.derived, values, strict=True):
        means[response.name], scales[response.name] = value, np.ones(len(settings))
    margins = []
    for specification in specifications:
        mean, scale = means[specification.response][0], scales[specification.response]
        if specification.lower is not None:
            margins.append((mean - specification.lower) / scale)
        if specification.upper is not None:
            margins.append((specification.upper - mean) / scale)
    return np.asarray(np.min(margins, axis=0), dtype=np.float64)


def _closed_form(
    surrogate_set: SurrogateSet, specifications: tuple[Specification, ...], settings: "pd.DataFrame"
) -> ProbabilityWithin:
    def within(response: str, lower: float | None, upper: float | None) -> FloatArray:
        return surrogate_set[response].probability_within(settings, lower, upper)

    marginal = [within(s.response, s.lower, s.upper) for s in specifications]
    joint = np.ones(len(settings))
    limits = _combined(specifications)
    for response, (lower, upper) in limits.items():
        is_possible = lower is None or upper is None or lower < upper
        joint = joint * (within(response, lower, upper) if is_possible else 0.0)
    method = "Exact for one response."
    if len(limits) > 1:
        method = (
            "Exact per response; jointly the product, because the surrogates take the responses "
            "as independent given the settings."
        )
    return ProbabilityWithin(
        specifications, np.array(marginal), joint, np.zeros(len(settings)), method
    )


def _joined(
    surrogate_set: SurrogateSet,
    joint: JointSurrogate,
    specifications: tuple[Specification, ...],
    settings: "pd.DataFrame",
    *,
    rng: np.random.Generator | None,
) -> ProbabilityWithin:
    marginal = [
        surrogate_set[s.response].probability_within(settings, s.lower, s.upper)
        for s in specifications
    ]
    together = joint.probability_within(settings, _combined(specifications), rng=rng)
    return ProbabilityWithin(
        specifications,
        np.array(marginal),
        together.value,
        together.standard_error,
        f"The responses are learned together. {together.method}",
    )


def _by_draws(
    surrogate_set: SurrogateSet,
    specifications: tuple[Specification, ...],
    settings: "pd.DataFrame",
    n_draws: int,
    *,
    rng: np.random.Generator,
) -> ProbabilityWithin:
    n_settings = len(settings)
    marginal = np.empty((len(specifications), n_settings))
    joint = np.empty(n_settings)
    for start in range(0, n_settings, CHUNK):
        part = slice(start, min(start + CHUNK, n_settings))
        draws = surrogate_set.sample(settings.iloc[part], n_draws, kind="new_run", rng=rng)
        columns = dict(zip(surrogate_set.responses, np.moveaxis(draws, -1, 0), strict=True))
        met = np.array([_met(s, columns[s.response]) for s in specifications])
        marginal[:, part] = met.mean(axis=1)
        joint[part] = met.all(axis=0).mean(axis=0)
    return ProbabilityWithin(
        specifications,
        marginal,
        joint,
        np.sqrt(joint * (1 - joint) / n_draws),
        f"Share of {n_draws} joint draws of a new run; a draw for which a derived response is "
        "undefined counts as outside.",
    )


def _met(specification: Specification, draws: FloatArray) -> BoolArray:
    # Undefined draws compare false with any limit.
    low = -np.inf if specification.lower is None else specification.lower
    high = np.inf if specification.upper is None else specification.upper
    return np.asarray((draws >= low) & (draws <= high), dtype=np.bool_)


def _combined(
    specifications: Sequence[Specification],
) -> Mapping[str, tuple[float | None, float | None]]:
    """Return the limits of each response that meet all of its specifications."""
    limits: dict[str, tuple[float | None, float | None]] = {}
    for s in specifications:
        lower, upper = limits.get(s.response, (None, None))
        lows = [end for end in (lower, s.lower) if end is not None]
        highs = [end for end in (upper, s.upper) if end is not None]
        limits[s.response] = (max(lows, default=None), min(highs, default=None))
    return limits


def _check_names(surrogate_set: SurrogateSet, specifications: Sequence[Specification]) -> None:
    if not specifications:
        raise InvalidValueError("Give at least one specification: without limits nothing can fail.")
    for specification in specifications:
        if specification.response not in surrogate_set.responses:
            raise UnknownNameError(
                f"A specification limits '{specification.response}', which nothing predicts; there "
                f"are {list(surrogate_set.responses)}."
            )
