"""Linear models of several responses over the same runs, and whether they can be joined."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from doe.arrays import FloatArray
from doe.errors import InvalidValueError, TooFewDataError
from doe.runs import Observations
from doe.terms import Terms
from surrogates.learning_rows import Censored, LearningRows, learning_rows
from surrogates.linear.fitting import fit_rows
from surrogates.linear.model import LinearModel, ModelOrder
from surrogates.linear.prediction import MIN_DEGREES
from surrogates.linear.treatment import treatment_of

Incomplete = Literal["refuse", "leave_out"]
JointBlocks = Literal["fixed", "ignore"]

# Residuals whose squares are a smaller share of those of the values are rounding.
NO_RESIDUAL = 1e-20
# Responses whose residuals others explain to this share are no measurements of their own.
LARGEST_CORRELATION = 1 - 1e-10


def joint_models(
    observations: Observations,
    responses: Sequence[str],
    terms: Sequence[ModelOrder | str | Terms],
    *,
    blocks: JointBlocks,
    censored: Censored,
    incomplete: Incomplete,
) -> tuple[LinearModel, ...]:
    """Return the least-squares model of each response, all of the same runs.

    Args:
        observations: All runs.
        responses: Measured responses.
        terms: Of each, as for ``fit_linear``.
        blocks: Whether differences between blocks are estimated as constants or left in the noise.
        censored: What to do with values known only as a limit.
        incomplete: What to do with runs that lack a value of some responses.

    Raises:
        InvalidValueError: If the responses' values or settings cannot be used, or runs are
            incomplete and that was not allowed for.
        TooFewDataError: If there are fewer runs than coefficients.
        UnknownNameError: If there is no such response.
    """
    if blocks not in ("fixed", "ignore"):
        raise InvalidValueError(
            f"blocks is {blocks!r}; a joint model takes blocks as 'fixed' or 'ignore': choose one."
        )
    rows = common_rows(observations, responses, censored=censored, incomplete=incomplete)
    origin = dict(zip(observations.runs, observations.origins, strict=True))
    origins = tuple(origin[run] for run in rows[0].runs)
    return tuple(
        replace(
            fit_rows(part, own, blocks=blocks, origins=origins),
            treatment=treatment_of(observations, part, censored=censored),
        )
        for part, own in zip(rows, terms, strict=True)
    )


def common_rows(
    observations: Observations,
    responses: Sequence[str],
    *,
    censored: Censored,
    incomplete: Incomplete,
) -> tuple[LearningRows, ...]:
    """Return for each response the rows of the runs that have a value of every response.

    Raises:
        InvalidValueError: If no or repeated responses are named, or runs lack a value and that was
            not allowed for.
        TooFewDataError: If no run has all values.
        UnknownNameError: If there is no such response.
    """
    names = tuple(responses)
    if isinstance(responses, str) or not names or len(set(names)) < len(names):
        raise InvalidValueError(
            f"responses is {responses!r}; expected a list of different response names."
        )
    if incomplete not in ("refuse", "leave_out"):
        raise InvalidValueError(f"incomplete is {incomplete!r}; expected 'refuse' or 'leave_out'.")
    rows = [learning_rows(observations, name, censored=censored) for name in names]
    shared = set(rows[0].runs).intersection(*(part.runs for part in rows[1:]))
    anywhere = set(rows[0].runs).union(*(part.runs for part in rows[1:]))
    lacking = [run for run in observations.runs if run in anywhere - shared]
    listed = f"{', '.join(lacking[:5])}{', ...' if len(lacking) > 5 else ''}"
    if lacking and incomplete == "refuse":
        raise InvalidValueError(
            f"{len(lacking)} runs have values of some of {list(names)} only: {listed}. A joint "
            "model needs all of them in each run: complete them, or choose incomplete='leave_out'."
        )
    if not shared:
        raise TooFewDataError(f"No run has a value of each of {list(names)}: record them first.")
    warning = (
        f"{len(lacking)} runs without all responses are left out of the joint model: {listed}."
    )
    order = [run for run in observations.runs if run in shared]
    return tuple(_restricted(part, order, (warning,) if lacking else ()) for part in rows)


def check_joint_degrees(n_runs: int, n_columns: int, n_responses: int) -> int:
    """Return the degrees of freedom of the joint t distribution, n - p - q + 1.

    Raises:
        TooFewDataError: If they are too few for a predictive variance.
    """
    degrees = n_runs - n_columns - n_responses + 1
    if degrees < MIN_DEGREES:
        raise TooFewDataError(
            f"{n_runs} runs, {n_columns} coefficients and {n_responses} responses leave "
            f"n - p - q + 1 = {degrees} degrees of freedom for a joint prediction; at least "
            f"{MIN_DEGREES} are needed: choose a smaller model, fewer responses, or add runs."
        )
    return degrees


def check_residuals(models: Sequence[LinearModel]) -> FloatArray:
    """Return the residual sums of squares and cross products S, shape ``(q, q)``.

    Raises:
        InvalidValueError: If the residuals of a response are zero, or follow from those of others.
    """
    residuals = np.column_stack([model.residuals for model in models])
    cross_products = residuals.T @ residuals
    for model, square in zip(models, np.diag(cross_products), strict=True):
        if square <= NO_RESIDUAL * float(np.square(model.values - model.values.mean()).sum()):
            raise InvalidValueError(
                f"The model leaves no residual of '{model.response}': its values follow from the "
                "settings exactly. Make it a derived response, or choose a smaller model."
            )
    correlations = correlations_of(cross_products)
    names = [model.response for model in models]
    for place in range(1, len(names)):
        others, shared = correlations[:place, :place], correlations[:place, place]
        if float(shared @ np.linalg.solve(others, shared)) > LARGEST_CORRELATION:
            raise InvalidValueError(
                f"The residuals of '{names[place]}' follow from those of {names[:place]} exactly, "
                "so the responses are not separate measurements: leave one out, or make it a "
                "derived response."
            )
    return np.asarray(cross_products)


def correlations_of(covariances: FloatArray) -> FloatArray:
    """Return the correlations of covariance matrices, shape ``(..., q, q)``."""
    stds = np.sqrt(np.diagonal(covariances, axis1=-2, axis2=-1))
    return np.asarray(covariances / (stds[..., :, None] * stds[..., None, :]))


def _restricted(
    rows: LearningRows, order: Sequence[str], warnings: tuple[str, ...]
) -> LearningRows:
    place = {run: number for number, run in enumerate(rows.runs)}
    kept = [place[run] for run in order]
    return replace(
        rows,
        settings=rows.settings.iloc[kept],
        measured=rows.measured[kept],
        known_variance=rows.known_variance[kept],
        has_known_variance=rows.has_known_variance[kept],
        groups=rows.groups[kept],
        warnings=(*rows.warnings, *warnings),
    )
