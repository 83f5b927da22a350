"""The prediction variance of runs over the region that their space allows."""

from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.evaluation.information import Information
from doe.evaluation.moments import exact_moments, has_exact_moments
from doe.evaluation.region import (
    RegionVariance,
    corners,
    even_settings,
    nearest_corners,
)
from doe.space import FactorSpace
from doe.terms import Terms, model_matrix

if TYPE_CHECKING:
    import pandas as pd


_AT_ONCE = 20_000


def region_variance(
    information: Information,
    terms: Terms,
    runs: "pd.DataFrame",
    space: FactorSpace,
    *,
    n_draws: int,
    rng: np.random.Generator | None,
) -> RegionVariance | None:
    """Return the prediction variance over the allowed region; None where it is not known.

    It is not when the runs cannot estimate the model, and when the space has constraints (besides
    the total of a mixture) but there is no ``rng`` to draw settings with.
    """
    if not information.is_estimable.all() or (space.constraints and rng is None):
        return None
    if rng is None:
        settings = even_settings(space, n_draws)
        words = f"{len(settings)} Sobol points"
        if not len(settings):
            return None
    else:
        settings = space.sample(n_draws, rng=rng)
        words = f"{n_draws} random draws"

    def variances(at: "pd.DataFrame") -> FloatArray:
        # In parts: a model matrix has many more columns than there are factors.
        found = [np.zeros(0)]
        for first in range(0, len(at), _AT_ONCE):
            rows = model_matrix(terms, at.iloc[first : first + _AT_ONCE], space).to_numpy()
            found.append(information.variance_at(rows))
        return np.concatenate(found)

    drawn = variances(settings)
    ends = corners(space)
    extremes = ends if len(ends) else nearest_corners(settings, space)
    inside = runs[space.contains(runs)]
    largest = max(float(v.max(initial=0.0)) for v in (drawn, *map(variances, (extremes, inside))))
    if has_exact_moments(terms, space):
        average = float(np.sum(information.covariance * exact_moments(terms, space)))
        source = "exact, from the moments of the region"
    else:
        average, source = float(np.mean(drawn)), f"mean over {words}"
    return RegionVariance(np.sort(drawn), average, largest, words, source)
