"""The mean of x x' over what the factors may be: what the average prediction variance needs."""

import numpy as np

from doe.arrays import FloatArray
from doe.coding import coded_values
from doe.errors import DesignError
from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor
from doe.space import FactorSpace
from doe.terms import Column, Terms, contrast, model_columns


def region_moments(terms: Terms, space: FactorSpace) -> FloatArray:
    """Return the mean of x x' over the ranges, shape ``(n_columns, n_columns)``."""
    if space.all_constraints:
        raise DesignError(
            "The exact average prediction variance is over the full ranges of the factors, but "
            f"this space has constraints, such as {space.all_constraints[0].sentence()}: average "
            "prediction_variance over settings drawn with FactorSpace.sample instead."
        )
    columns = model_columns(terms, space)
    for column in columns:
        if column.term.expressions:
            raise DesignError(
                f"The exact average prediction variance needs products of powers, not "
                f"'{column.name}': average prediction_variance over drawn settings instead."
            )
    moments = np.ones((len(columns), len(columns)))
    for name in space.names:
        for row, one in enumerate(columns):
            for place in range(row + 1):
                moments[row, place] *= _factor_moment(name, one, columns[place], space)
    return np.asarray(np.tril(moments) + np.tril(moments, -1).T, dtype=np.float64)


def _factor_moment(name: str, one: Column, other: Column, space: FactorSpace) -> float:
    """Return the mean over a factor's range of its part in two columns."""
    factor = space.factor(name)
    powers = [dict(column.term.powers).get(name, 0) for column in (one, other)]
    if isinstance(factor, CategoricalFactor):
        part = np.ones(len(factor.levels))
        for column in (one, other):
            level = dict(column.levels).get(name)
            if level is not None:
                part = part * contrast(space, name, level, factor.levels)
        return float(part.mean())
    if isinstance(factor, DiscreteFactor):
        levels = coded_values(factor, np.asarray(factor.levels), space.mixture_total)
        return float(np.mean(levels ** sum(powers)))
    assert isinstance(factor, ContinuousFactor)
    return 1.0 / (sum(powers) + 1) if sum(powers) % 2 == 0 else 0.0
