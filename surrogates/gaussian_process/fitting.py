"""Fitting a Gaussian process to one response of the runs."""

from dataclasses import replace

import numpy as np

from doe.errors import TooFewDataError
from doe.runs import Observations
from surrogates.blocks import BlockLevels
from surrogates.gaussian_process.encoding import Encoding
from surrogates.gaussian_process.gp import GaussianProcess
from surrogates.gaussian_process.options import GPOptions
from surrogates.gaussian_process.search import learn_hyperparameters
from surrogates.gaussian_process.single_task import exact_algebra, single_task_gp
from surrogates.gaussian_process.torch_session import seeded_torch
from surrogates.learning_rows import LearningRows, learning_rows
from surrogates.transforms import ResponseTransform

MIN_ROWS = 3


def fit_gp(
    observations: Observations,
    response: str,
    *,
    options: GPOptions | None = None,
    rng: np.random.Generator,
) -> GaussianProcess:
    """Return the Gaussian process of one measured response.

    The surface is a Gaussian process over the searched factors, each level of a random block
    factor adds one draw, and each run independent noise. Hyper-parameters are those of highest
    posterior density; their own uncertainty is not in the predictions. Each run is one row:
    replicate runs inform the noise exactly through the likelihood, in which their pure error
    counts with its degrees of freedom, so it is not used a second time as a prior. A measurement
    SD given from outside adds its known variance to the run-to-run noise, row by row.

    Args:
        observations: All runs.
        response: A measured response.
        options: Kernel, fixed hyper-parameters, treatment of censored values; defaults if absent.
        rng: Source of the starting values of the search.

    Raises:
        InvalidValueError: If values are censored and ``options.censored`` refuses them, a value
            does not suit the response's transform, or a setting is missing.
        TooFewDataError: If fewer than three runs have a value, or all values are equal.
        NumericalError: If no start of the search leads to usable hyper-parameters.
    """
    options = GPOptions() if options is None else options
    rows = _in_canonical_order(learning_rows(observations, response, censored=options.censored))
    _check_enough(rows)
    transform = ResponseTransform.of(rows.response, rows.measured)
    encoding = Encoding(rows.space)
    blocks = BlockLevels.learned(rows.space, rows.settings)
    with seeded_torch(rng) as seed, exact_algebra():
        model = single_task_gp(rows, transform, encoding, blocks, options)
        record = learn_hyperparameters(model, options, seed=seed, rng=rng)
        return GaussianProcess(rows, transform, encoding, blocks, model, options, record)


def _check_enough(rows: LearningRows) -> None:
    name = rows.response.name
    if rows.n_rows < MIN_ROWS:
        raise TooFewDataError(
            f"{rows.n_rows} runs have a value of '{name}'; a Gaussian process needs at least "
            f"{MIN_ROWS}, and a useful one about ten per factor."
        )
    if float(np.ptp(rows.measured)) <= 1e-12 * float(np.abs(rows.measured).max()):
        value = f"{rows.measured[0]:g} {rows.response.unit}".rstrip()
        raise TooFewDataError(
            f"All {rows.n_rows} values of '{name}' are {value}: nothing can be learned from a "
            "constant response. Look for a detection limit, a copying error, or ranges too narrow "
            "to matter."
        )


def _in_canonical_order(rows: LearningRows) -> LearningRows:
    """Return the rows sorted by content, so that their order cannot change the last digits."""
    text = rows.settings.astype(str).to_numpy()
    keys = [(*text[i], float(rows.measured[i]), run) for i, run in enumerate(rows.runs)]
    order = np.array(sorted(range(rows.n_rows), key=keys.__getitem__))
    return replace(
        rows,
        settings=rows.settings.iloc[order],
        measured=rows.measured[order],
        known_variance=rows.known_variance[order],
        has_known_variance=rows.has_known_variance[order],
        groups=rows.groups[order],
    )
