"""How the effects of a model and those left out of it run together."""

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.evaluation.information import Information
from doe.space import FactorSpace
from doe.terms import Term, Terms, interaction_terms, model_columns, model_matrix, quadratic_terms

if TYPE_CHECKING:
    import pandas as pd


def further_terms(terms: Terms, space: FactorSpace) -> Terms | None:
    """Return the effects of the next order that a model has not, or None when it has them all.

    Those are interactions of two factors and squares; when the model has all of these,
    interactions of three factors.
    """
    held = set(terms.terms)
    second = [term for term in quadratic_terms(space).terms if term not in held]
    # A model with an intercept has a mixture's linear blending in another form.
    second = [term for term in second if term.order > 1]
    if second:
        return Terms(" + ".join(term.name for term in second), tuple(second))
    third = []
    products = [t for t in interaction_terms(space).terms if t.order == 1 and not t.is_intercept]
    for three in combinations(products, 3):
        powers = {name: power for term in three for name, power in term.powers}
        ordered = tuple((name, powers[name]) for name in space.names if name in powers)
        third.append(Term(ordered))
    third = [term for term in third if term not in held]
    return Terms(" + ".join(term.name for term in third), tuple(third)) if third else None


def alias_matrix(
    information: Information,
    terms: Terms,
    left_out: Terms,
    runs: "pd.DataFrame",
    space: FactorSpace,
) -> "pd.DataFrame":
    """Return how much of each column left out lands on each coefficient of the model.

    ``A = (X1'X1)^-1 X1'X2``, weighed by random blocks and with fixed ones taken out: the estimate
    of coefficient ``i`` expects ``beta_i`` plus the sum of ``A_ij`` times the effects left out.
    Rows of coefficients that cannot be estimated are empty (not a number).

    Returns:
        Index the columns of the model, columns those left out.

    Source:
        Box and Wilson (1951), J. Royal Statistical Society B 13, 1-45: the alias matrix.
    """
    import pandas as pd

    others = model_matrix(left_out, runs, space)
    sizes = np.linalg.norm(information.weighed, axis=0)
    sizes = np.where(sizes > 0, sizes, 1.0)
    solved = np.linalg.pinv(information.weighed / sizes) @ information.weigh(others.to_numpy())
    n_columns = information.matrix.shape[1]
    shares = (solved / sizes[:, None])[:n_columns]
    shares = np.where(information.is_estimable[:, None], shares, np.nan)
    # Rounding leaves 1e-17 where the definition gives nothing.
    shares = np.where(np.abs(shares) < 1e-12, 0.0, shares)
    names = [column.name for column in model_columns(terms, space)]
    return pd.DataFrame(shares, index=names, columns=list(others.columns))


def term_correlations(
    terms: Terms, further: Terms | None, runs: "pd.DataFrame", space: FactorSpace
) -> "pd.DataFrame":
    """Return the absolute correlations of the columns of a model, and of further terms.

    The intercept has none; columns that do not vary in the runs have none either (not a number).

    Returns:
        Symmetric, index and columns named by the columns of the model, then those further.
    """
    import pandas as pd

    parts = [model_matrix(each, runs, space) for each in (terms, further) if each is not None]
    together = pd.concat(parts, axis="columns")
    names = [
        column.name
        for each in (terms, further)
        if each is not None
        for column in model_columns(each, space)
        if not column.term.is_intercept
    ]
    names = list(dict.fromkeys(names))
    # A term that is in both models has the same column in both.
    columns = together.loc[:, ~together.columns.duplicated()][names].to_numpy()
    return pd.DataFrame(_correlations(columns), index=names, columns=names)


def _correlations(columns: FloatArray) -> FloatArray:
    centred = columns - columns.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=0)
    sizes = np.linalg.norm(columns, axis=0)
    lengths = np.where(lengths > 1e-9 * np.maximum(sizes, 1e-300), lengths, np.nan)
    scaled = centred / lengths
    correlations = np.abs(scaled.T @ scaled)
    correlations = np.where(correlations < 1e-12, 0.0, correlations)
    return np.asarray(np.minimum(correlations, 1.0), dtype=np.float64)
