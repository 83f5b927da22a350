"""The check of the source of random numbers that searches and draws are given."""

import numpy as np

from doe.errors import InvalidValueError


def check_rng(rng: object) -> np.random.Generator:
    """Return the generator.

    Raises:
        InvalidValueError: If it is something else, such as the seed itself.
    """
    if not isinstance(rng, np.random.Generator):
        raise InvalidValueError(
            f"rng must be a random generator, got {rng!r}: give numpy.random.default_rng(1), with "
            "any whole number as the seed."
        )
    return rng
