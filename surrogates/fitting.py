"""One surrogate per measured response."""

from collections.abc import Sequence

import numpy as np

from doe.expressions import parse_expression
from doe.responses import DerivedResponse, Response
from doe.runs import Observations
from doe.terms import Terms
from surrogates.gaussian_process.fitting import fit_gp
from surrogates.gaussian_process.options import GPOptions
from surrogates.linear.model import ModelOrder
from surrogates.linear.surface import fit_surface
from surrogates.surrogate import Surrogate, SurrogateSet
from surrogates.validation import SurrogateFactory


def fit_surrogates(
    observations: Observations,
    *,
    responses: Sequence[str] | None = None,
    options: GPOptions | None = None,
    rng: np.random.Generator,
) -> SurrogateSet:
    """Return a Gaussian process per measured response, and the derived responses beside them.

    The responses are modelled as independent given the settings, and the set says so.

    Args:
        observations: All runs.
        responses: Measured responses to learn; all of them when absent.
        options: How each is fitted.
        rng: Source of starting values; each response has a stream of its own, so that adding a
            response does not change the fit of another.

    Raises:
        InvalidValueError: If a response is derived or pass/fail, or its data cannot be used.
        UnknownNameError: If there is no such response.
        TooFewDataError: If a response has too few values, or only one value.
    """
    measured = [r.name for r in observations.responses if isinstance(r, Response)]
    names = measured if responses is None else list(responses)
    seed = int(rng.integers(2**63 - 1))
    surrogates: dict[str, Surrogate] = {}
    for name in names:
        place = measured.index(name) if name in measured else len(measured)
        stream = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(place,)))
        surrogates[name] = fit_gp(observations, name, options=options, rng=stream)
    return SurrogateSet(surrogates, tuple(computable_responses(observations, names)))


def gaussian_process_candidate(response: str, options: GPOptions | None = None) -> SurrogateFactory:
    """Return what fits a Gaussian process to given observations, for validation."""
    return lambda observations, rng: fit_gp(observations, response, options=options, rng=rng)


def quadratic_candidate(
    response: str, terms: ModelOrder | str | Terms = "quadratic"
) -> SurrogateFactory:
    """Return what fits a response surface by least squares, for validation."""
    return lambda observations, _: fit_surface(observations, response, terms=terms)


def computable_responses(
    observations: Observations, learned: Sequence[str]
) -> list[DerivedResponse]:
    """Return the derived responses that need no measured response beyond those learned."""
    missing = {r.name for r in observations.responses} - set(learned)
    found = []
    for response in observations.derived():
        if not missing & set(parse_expression(response.expression).names):
            missing.discard(response.name)
            found.append(response)
    return found
