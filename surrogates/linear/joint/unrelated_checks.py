"""Whether responses with terms of their own can be joined: degrees of freedom, and no copies."""

from collections.abc import Sequence

import numpy as np

from doe.arrays import FloatArray
from doe.errors import InvalidValueError, TooFewDataError
from surrogates.linear.aliases import RANK_TOLERANCE
from surrogates.linear.joint.joint_fitting import (
    LARGEST_CORRELATION,
    NO_RESIDUAL,
    check_joint_degrees,
    check_residuals,
)
from surrogates.linear.model import LinearModel


def check_unrelated(models: Sequence[LinearModel]) -> None:
    """Refuse data for which the posterior is improper, or has no variance.

    Raises:
        InvalidValueError: If one response follows from others, or from the settings, exactly.
        TooFewDataError: If the runs are too few for all terms and responses together.
    """
    first = models[0]
    for model in models:
        check_joint_degrees(first.n_runs, model.n_coefficients, len(models))
    every = np.hstack([model.solution.orthogonal for model in models])
    # Some combination of the responses would be fitted without error, where the density is
    # infinite, unless all columns together leave n - rank - q + 1 > 0.
    rank = int(np.linalg.matrix_rank(every))
    if first.n_runs - rank - len(models) + 1 < 1:
        raise TooFewDataError(
            f"{first.n_runs} runs are too few for {len(models)} responses whose terms together "
            f"make {rank} different columns; at least {rank + len(models)} are needed: give the "
            "responses fewer or more of the same terms, or add runs."
        )
    check_residuals(models)
    _check_follows(models)


def _check_follows(models: Sequence[LinearModel]) -> None:
    """Refuse a response that follows from the others and all terms together.

    With different terms the residuals of such responses differ, but not what the terms of all
    leave of them.

    Raises:
        InvalidValueError: If there is one.
    """
    columns = np.hstack([model.solution.orthogonal for model in models])
    left, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    basis = left[:, sizes > RANK_TOLERANCE * sizes[0]]
    values = np.column_stack([np.subtract(model.values, np.mean(model.values)) for model in models])
    rest = values - basis @ (basis.T @ values)
    rest = rest - basis @ (basis.T @ rest)
    for place, model in enumerate(models):
        size, others = float(rest[:, place] @ rest[:, place]), rest[:, :place]
        if size <= NO_RESIDUAL * float(values[:, place] @ values[:, place]):
            raise InvalidValueError(
                f"The terms of all responses together leave no residual of '{model.response}': its "
                "values follow from the settings exactly. Make it a derived response, or choose "
                "smaller models."
            )
        if place and _explained(others, rest[:, place]) > LARGEST_CORRELATION * size:
            names = [other.response for other in models[:place]]
            raise InvalidValueError(
                f"The values of '{model.response}' follow from those of {names} and the terms "
                "exactly, so the responses are not separate measurements: leave one out, or make "
                "it a derived response."
            )


def _explained(others: FloatArray, values: FloatArray) -> float:
    basis = np.linalg.qr(others / np.linalg.norm(others, axis=0))[0]
    return float(np.square(basis.T @ values).sum())
