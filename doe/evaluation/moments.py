"""The mean of x x' over what the factors may be: what the average prediction variance needs."""

from collections.abc import Sequence
from dataclasses import replace
from math import exp, lgamma

import numpy as np

from doe.arrays import FloatArray
from doe.coding import coded_values
from doe.errors import DesignError
from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor, MixtureComponent
from doe.space import FactorSpace
from doe.terms import Column, Terms, contrast, model_columns, model_matrix

N_DRAWS = 5_000


def average_moments(
    terms: Terms, space: FactorSpace, *, rng: np.random.Generator, n_draws: int = N_DRAWS
) -> FloatArray:
    """Return the mean of x x' over all allowed settings, shape ``(n_columns, n_columns)``.

    Exact over full ranges and over whole simplexes; else, with constraints or with terms that are
    no products of powers, the mean over settings drawn with ``FactorSpace.sample``. Steps are
    left aside.

    Args:
        terms: The effects of the model.
        space: The factors; what they allow is what is averaged over.
        rng: Source of the draws.
        n_draws: How many are drawn where the mean is not exact.

    Raises:
        InfeasibleSpaceError: If no allowed settings can be found.
        ExpressionError: If a term is undefined for an allowed setting.

    Source:
        Box and Draper (1959), J. American Statistical Association 54, 622-654: region moments.
    """
    columns = model_columns(terms, space)
    if any(column.term.expressions for column in columns) or not _is_product(space):
        draws = without_steps(space).sample(n_draws, rng=rng)
        rows = model_matrix(terms, draws, space).to_numpy()
        return np.asarray(rows.T @ rows / n_draws, dtype=np.float64)
    return _exact_moments(columns, space)


def has_exact_moments(terms: Terms, space: FactorSpace) -> bool:
    """Return whether the mean has a closed form: over full ranges and whole simplexes."""
    return _is_product(space) and not any(term.expressions for term in terms.terms)


def exact_moments(terms: Terms, space: FactorSpace) -> FloatArray:
    """Return the mean of x x' where ``has_exact_moments``, shape ``(n_columns, n_columns)``."""
    return _exact_moments(model_columns(terms, space), space)


def without_steps(space: FactorSpace) -> FactorSpace:
    """Return the space with factors that can take any value of their range.

    Settings on steps that constraints tie together are slow to draw, and no more even.
    """
    kinds = (ContinuousFactor, MixtureComponent)
    factors = [
        replace(factor, step=None) if isinstance(factor, kinds) else factor
        for factor in space.factors
    ]
    return replace(space, factors=tuple(factors))


def _is_product(space: FactorSpace) -> bool:
    """Whether the allowed region is the product of full ranges and at most one whole simplex."""
    total = space.mixture_total
    return not space.constraints and all(c.low == 0 and c.high >= total for c in space.mixture)


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
    return _exact_moments(columns, space)


def _exact_moments(columns: Sequence[Column], space: FactorSpace) -> FloatArray:
    moments = np.ones((len(columns), len(columns)))
    components = [component.name for component in space.mixture]
    if components:
        for row, one in enumerate(columns):
            for place in range(row + 1):
                moments[row, place] = _simplex_moment(components, one, columns[place])
    for name in space.names:
        if isinstance(space.factor(name), MixtureComponent):
            continue
        for row, one in enumerate(columns):
            for place in range(row + 1):
                moments[row, place] *= _factor_moment(name, one, columns[place], space)
    return np.asarray(np.tril(moments) + np.tril(moments, -1).T, dtype=np.float64)


def _simplex_moment(components: Sequence[str], one: Column, other: Column) -> float:
    """Return the mean over a whole simplex of the shares' part in two columns.

    Source:
        The moments of the Dirichlet distribution with all parameters 1: Johnson and Kotz (1972),
        Continuous Multivariate Distributions, ch. 40.
    """
    powers = [dict(one.term.powers), dict(other.term.powers)]
    total = [sum(each.get(name, 0) for each in powers) for name in components]
    count = len(components)
    return exp(lgamma(count) + sum(lgamma(a + 1) for a in total) - lgamma(count + sum(total)))


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
