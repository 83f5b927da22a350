"""Which surrogate a campaign uses for each response, and what identifies the data behind it."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from campaigns.canonical import canonical_json
from campaigns.events import Censored, ModelChosen
from doe.errors import ExpressionError, InvalidValueError, TooFewDataError
from doe.named_models import model_terms
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace

if TYPE_CHECKING:
    from surrogates.learning_rows import Censored as NumberedCensored
    from surrogates.surrogate import SurrogateSet
    from surrogates.validation import SurrogateFactory

MODELS = ("gaussian_process", "linear", "interaction", "quadratic", "cubic")
DEFAULT_MODEL = "gaussian_process"
_LIBRARIES = ("bayeswell", "numpy", "scipy", "pandas", "torch", "gpytorch", "botorch")


def check_model(choice: ModelChosen, space: FactorSpace) -> None:
    """Refuse a model that does not exist, or whose formula cannot be read.

    Raises:
        InvalidValueError: With the models that do.
    """
    if choice.model != DEFAULT_MODEL:
        try:
            model_terms(choice.model, space)
        except ExpressionError as error:
            raise InvalidValueError(
                f"Model '{choice.model}' does not exist here; choose one of {', '.join(MODELS)}, "
                f"or the formula of a linear model. {error}"
            ) from error
    elif choice.censored == "likelihood":
        raise InvalidValueError(
            f"Values at a limit are taken by their likelihood in linear models only, and "
            f"'{choice.response}' is modelled by a Gaussian process: choose a linear model, or "
            "leave_out or at_limit."
        )
    if choice.censored not in get_args(Censored):
        raise InvalidValueError(
            f"Values at a limit cannot be treated as '{choice.censored}'; choose one of "
            f"{', '.join(get_args(Censored))}."
        )


def fit_models(
    observations: Observations, models: Mapping[str, ModelChosen], *, rng: np.random.Generator
) -> "SurrogateSet":
    """Return one surrogate per measured response that has values, of the kind chosen for it.

    Args:
        observations: The runs and values that count.
        models: What was chosen, by response; ``DEFAULT_MODEL`` where nothing was.
        rng: Source of random draws; each response has a stream of its own.

    Raises:
        TooFewDataError: If no response has values, or one has too few for its model.
        InvalidValueError: If values are known only as a limit and nobody chose what to do then.
    """
    from surrogates.fitting import computable_responses
    from surrogates.surrogate import SurrogateSet

    measured = [r.name for r in observations.responses if isinstance(r, Response)]
    known = {measurement.response for measurement in observations.measurements}
    if not known:
        raise TooFewDataError(
            "No run has a result: record results first; if no run was done yet, seed the campaign "
            "with a design."
        )
    streams = dict(zip(measured, rng.spawn(len(measured)), strict=True))
    surrogates = {
        name: candidate(models.get(name) or ModelChosen(name, DEFAULT_MODEL))(
            observations, streams[name]
        )
        for name in measured
        if name in known
    }
    return SurrogateSet(surrogates, tuple(computable_responses(observations, list(surrogates))))


def candidate(choice: ModelChosen) -> "SurrogateFactory":
    """Return what fits the chosen kind of surrogate to given observations.

    Raises:
        InvalidValueError: If there is no such kind.
    """
    match choice.model:
        case "gaussian_process":
            from surrogates.fitting import gaussian_process_candidate
            from surrogates.gaussian_process.options import GPOptions

            options = GPOptions(censored=numbered(choice.censored))
            return gaussian_process_candidate(choice.response, options)
        case terms if choice.censored == "likelihood":
            from surrogates.linear.censored import fit_censored

            return lambda observations, _: fit_censored(observations, choice.response, terms)
        case terms:
            from surrogates.linear.surface import fit_surface

            treatment = numbered(choice.censored)
            return lambda observations, _: fit_surface(
                observations, choice.response, terms=terms, censored=treatment
            )


def numbered(censored: Censored) -> "NumberedCensored":
    """Return the treatment of values at a limit for models that take numbers alone.

    Raises:
        InvalidValueError: If they were to be taken by their likelihood.
    """
    if censored == "likelihood":
        raise InvalidValueError(
            "Values at a limit are taken by their likelihood in linear models only: choose "
            "leave_out or at_limit."
        )
    return censored


def training_data_hash(observations: Observations) -> str:
    """Return the SHA-256 of the runs and values that surrogates learn from.

    Runs and values count as a set: another order gives the same hash.
    """
    settings = observations.settings()
    rows = {
        run: {str(name): _plain(value) for name, value in row.items()}
        for run, row in zip(observations.runs, settings.to_dict(orient="records"), strict=True)
    }
    values = sorted(
        [
            m.run,
            m.response,
            m.replicate,
            -1.0 if m.time is None else m.time,
            m.qualifier,
            m.value,
            -1.0 if m.sd is None else m.sd,
        ]
        for m in observations.measurements
    )
    return hashlib.sha256(canonical_json({"settings": rows, "values": values})).hexdigest()


def _plain(value: object) -> str | float | None:
    if value is None or isinstance(value, str):
        return value
    number = float(value)  # type: ignore[arg-type]  # a cell is text, a number or missing
    return None if np.isnan(number) else number


def library_versions() -> dict[str, str]:
    """Return the versions of the product and of the libraries that a recommendation rests on."""
    found = {}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed as a package"
    found["bayeswell source"] = _source_hash()
    return found


@lru_cache(maxsize=1)
def _source_hash() -> str:
    """Return a short hash of the product's own files: two builds may bear one version."""
    root = Path(__file__).parents[1]
    seen = hashlib.sha256()
    for package in ("campaigns", "doe", "surrogates"):
        for file in sorted((root / package).rglob("*.py")):
            seen.update(file.relative_to(root).as_posix().encode())
            seen.update(file.read_bytes())
    return seen.hexdigest()[:16]


def thread_count() -> int:
    """Return how many threads the numerical libraries use."""
    import torch

    return torch.get_num_threads()
