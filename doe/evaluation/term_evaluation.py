"""What runs tell about each term and each coefficient of a model, and the power to find it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from doe.arrays import FloatArray
from doe.evaluation.degrees_of_freedom import error_degrees_of_freedom
from doe.evaluation.effects import extreme_rows
from doe.evaluation.information import Information
from doe.evaluation.power import least_noncentrality, power_of_f_test
from doe.factors import MixtureComponent
from doe.space import FactorSpace
from doe.terms import Column, Term, Terms, model_columns


@dataclass(frozen=True, slots=True)
class CoefficientEvaluation:
    """One column of the model matrix.

    Attributes:
        column: Its name.
        term: The term that it belongs to.
        is_estimable: Whether the runs can tell it apart from the others.
        standard_error: Of its estimate, in multiples of the run-to-run SD; None if not estimable.
        vif: Variance inflation factor, 1 where it is orthogonal to all others; None if not
            estimable, and for the intercept.
        power: Of its own t test, when it alone makes the effect of its term; None as for terms.
    """

    column: str
    term: str
    is_estimable: bool
    standard_error: float | None
    vif: float | None
    power: float | None


@dataclass(frozen=True, slots=True)
class TermEvaluation:
    """One term of a model, all its columns together.

    Attributes:
        name: The term as people read it.
        n_columns: Its columns, which are tested together.
        is_estimable: Whether the runs can tell it apart from the others.
        aliased_with: The terms and blocks that stand with it where they cannot.
        standard_error: The largest of its coefficients, in multiples of the run-to-run SD.
        vif: Generalised variance inflation per column, 1 where it is orthogonal to all others,
            whatever the coding of its levels.
        effect: The difference to be found, in multiples of the run-to-run SD.
        df_error: Degrees of freedom of the error that it is tested against.
        power: The probability to find that effect; None for the intercept and for the pure
            components of a mixture (which are no effects), where it cannot be estimated, and where
            no run is left to estimate the error.

    Source:
        Fox and Monette (1992), J. American Statistical Association 87, 178-183: generalised
        variance inflation.
    """

    name: str
    n_columns: int
    is_estimable: bool
    aliased_with: tuple[str, ...]
    standard_error: float | None
    vif: float | None
    effect: float
    df_error: int
    power: float | None


def evaluated_terms(
    information: Information,
    terms: Terms,
    space: FactorSpace,
    *,
    effects: Mapping[str, float],
    alpha: float,
) -> tuple[TermEvaluation, ...]:
    """Return the evaluation of each term.

    Args:
        information: What the runs tell.
        terms: The effects of the model.
        space: The factors.
        effects: The difference to be found by term, in multiples of the run-to-run SD.
        alpha: Level of the tests.
    """
    columns = model_columns(terms, space)
    errors_behind = error_degrees_of_freedom(information)
    spread = _spread(information, has_intercept=terms.has_intercept)
    result = []
    for term in terms.terms:
        places = [place for place, column in enumerate(columns) if column.term == term]
        block = information.covariance[np.ix_(places, places)]
        is_estimable = bool(information.is_estimable[places].all())
        df_error = errors_behind.behind(information.matrix[:, places])
        power = None
        if is_estimable and df_error > 0 and is_an_effect(term, terms, space):
            rows = extreme_rows([columns[place] for place in places], space)
            noncentrality = least_noncentrality(rows, block, effects[term.name])
            power = power_of_f_test(noncentrality, len(places), df_error, alpha=alpha)
        errors = np.sqrt(np.diag(block))
        result.append(
            TermEvaluation(
                name=term.name,
                n_columns=len(places),
                is_estimable=is_estimable,
                aliased_with=_aliased_with(information, columns, places),
                standard_error=float(errors.max()) if is_estimable else None,
                vif=_inflation(block, spread[np.ix_(places, places)])
                if is_estimable and not term.is_intercept
                else None,
                effect=effects[term.name],
                df_error=df_error,
                power=power,
            )
        )
    return tuple(result)


def evaluated_coefficients(
    information: Information,
    terms: Terms,
    space: FactorSpace,
    tested: Sequence[TermEvaluation],
    *,
    alpha: float,
) -> tuple[CoefficientEvaluation, ...]:
    """Return the evaluation of each column of the model matrix."""
    by_name = {term.name: term for term in tested}
    factors = information.inflation(has_intercept=terms.has_intercept)
    result = []
    for place, column in enumerate(model_columns(terms, space)):
        term = by_name[column.term.name]
        is_estimable = bool(information.is_estimable[place])
        variance = float(information.covariance[place, place])
        power = None
        if is_estimable and term.df_error > 0 and is_an_effect(column.term, terms, space):
            rows = extreme_rows([column], space)
            noncentrality = least_noncentrality(rows, np.array([[variance]]), term.effect)
            power = power_of_f_test(noncentrality, 1, term.df_error, alpha=alpha)
        has_factor = is_estimable and not column.term.is_intercept
        result.append(
            CoefficientEvaluation(
                column=column.name,
                term=column.term.name,
                is_estimable=is_estimable,
                standard_error=float(np.sqrt(variance)) if is_estimable else None,
                vif=float(factors[place]) if has_factor else None,
                power=power,
            )
        )
    return tuple(result)


def is_an_effect(term: Term, terms: Terms, space: FactorSpace) -> bool:
    """Return whether a term being zero says that nothing happens.

    The intercept is a level, and so is the response to a pure component of a mixture.
    """
    if term.is_intercept:
        return False
    is_pure = len(term.powers) == 1 and term.order == 1 and not term.expressions
    is_blend = is_pure and isinstance(space.factor(term.powers[0][0]), MixtureComponent)
    return not (is_blend and not terms.has_intercept)


def _spread(information: Information, *, has_intercept: bool) -> FloatArray:
    """Return the sums of products of the columns about their mean (about 0 without intercept)."""
    columns = information.weighed[:, : information.matrix.shape[1]]
    if has_intercept:
        mean = information.weigh(np.ones((len(columns), 1)))
        columns = columns - mean @ (mean.T @ columns) / (mean**2).sum()
    return np.asarray(columns.T @ columns, dtype=np.float64)


def _inflation(covariance: FloatArray, spread: FloatArray) -> float:
    logs = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(spread)[1]
    return float(np.exp(logs / len(covariance)))


def _aliased_with(
    information: Information, columns: Sequence[Column], places: Sequence[int]
) -> tuple[str, ...]:
    linked = np.flatnonzero(information.links[places].any(axis=0)).tolist()
    names = [
        columns[place].term.name if place < len(columns) else _block_name(information, place)
        for place in linked
        if place not in places
    ]
    return tuple(dict.fromkeys(names))


def _block_name(information: Information, place: int) -> str:
    """Return the fixed block that a column after those of the model belongs to."""
    start = information.matrix.shape[1]
    for group in information.blockings:
        if not group.is_random:
            start += len(set(group.levels)) - 1
            if place < start:
                return f"block '{group.name}'"
    raise AssertionError(f"no block has column {place}")
