"""How far a term can move the response: its columns where it is at its extremes."""

from collections.abc import Sequence
from itertools import product

import numpy as np

from doe.arrays import FloatArray
from doe.coding import coded_number, coded_values
from doe.factors import (
    ROUNDING,
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
)
from doe.space import FactorSpace
from doe.terms import Column, Term, contrast

_GRID = 21
_MAX_GRID = 200_000


def extreme_rows(columns: Sequence[Column], space: FactorSpace) -> FloatArray:
    """Return a term's columns at its extreme settings, shape ``(n_settings, n_columns)``.

    The numbers in it take the smallest and the largest value of their product over the ranges of
    the factors, constraints aside; categorical factors take every level.

    Args:
        columns: The columns of one term, as ``model_columns`` returns them.
        space: The factors.
    """
    term = columns[0].term
    numbers = np.unique(_number_extremes(term, space))
    names = [name for name, _ in columns[0].levels]
    choices = [space.factor(name).levels for name in names]  # type: ignore[union-attr]  # columns have levels of categorical factors only
    places = list(product(*choices))
    parts = np.ones((len(places), len(columns)))
    for place, column in enumerate(columns):
        for which, (name, level) in enumerate(column.levels):
            parts[:, place] *= contrast(space, name, level, [chosen[which] for chosen in places])
    return np.vstack([number * parts for number in numbers])


def _number_extremes(term: Term, space: FactorSpace) -> FloatArray:
    """Return the least and the largest value of a term's numeric part, shape ``(2,)`` or less."""
    powers = [
        (space.factor(name), exponent)
        for name, exponent in term.powers
        if not isinstance(space.factor(name), CategoricalFactor)
    ]
    if term.expressions:
        return _searched_extremes(term, space)
    parts = []
    blend: list[tuple[MixtureComponent, int]] = []
    for factor, exponent in powers:
        if isinstance(factor, MixtureComponent):
            blend.append((factor, exponent))
        elif isinstance(factor, ContinuousFactor | DiscreteFactor):
            values = _process_values(factor, space) ** exponent
            parts.append((values.min(), values.max()))
    if blend:
        parts.append(_blend_extremes(blend, space))
    products = np.array([float(np.prod(ends)) for ends in product(*parts)])
    return np.array([products.min(), products.max()])


def _process_values(factor: ContinuousFactor | DiscreteFactor, space: FactorSpace) -> FloatArray:
    """Return the coded settings of a factor where a power of it can be least or largest."""
    if isinstance(factor, DiscreteFactor):
        return coded_values(factor, np.asarray(factor.levels), space.mixture_total)
    takes_two = factor.step is not None and (factor.high - factor.low) / factor.step < 2 - 1e-9
    return np.array([-1.0, 1.0] if takes_two else [-1.0, 0.0, 1.0])


def _blend_extremes(
    blend: Sequence[tuple[MixtureComponent, int]], space: FactorSpace
) -> tuple[float, float]:
    """Return the least and largest product of powers of shares that add up to at most one."""
    total = space.mixture_total
    low = np.array([coded_number(part, part.low, total) for part, _ in blend])
    high = np.array([coded_number(part, part.high, total) for part, _ in blend])
    spare, room = _shares_left([part.name for part, _ in blend], space)
    exponents = np.array([exponent for _, exponent in blend], dtype=np.float64)
    # At the largest product the shares stand as their exponents, as far as their bounds let them.
    below, above = 0.0, 1.0 / exponents.min()
    for _ in range(60):
        middle = (below + above) / 2.0
        if np.clip(exponents * middle, low, high).sum() > room:
            above = middle
        else:
            below = middle
    shares = np.clip(exponents * below, low, high)
    least = float(np.prod(low**exponents))
    if len(blend) == 1:
        # Where the other components cannot take up what is left, this one must.
        least = float(max(low[0], spare) ** exponents[0])
    return least, float(np.prod(shares**exponents))


def _shares_left(names: Sequence[str], space: FactorSpace) -> tuple[float, float]:
    """Return the least and the most that the others leave to these components together."""
    total = space.mixture_total
    rest = [part for part in space.mixture if part.name not in names]
    most, least = (
        1.0 - sum(coded_number(part, end, total) for part, end in ends)
        for ends in ([(p, p.low) for p in rest], [(p, p.high) for p in rest])
    )
    return least, most


def _searched_extremes(term: Term, space: FactorSpace) -> FloatArray:
    """Return the extremes of a term that computes, from a grid over its numeric factors."""
    names = [name for name in term.factors if not isinstance(space.factor(name), CategoricalFactor)]
    n_values = min(_GRID, max(2, int(_MAX_GRID ** (1.0 / len(names)))))
    axes = [_axis(name, n_values, space) for name in names]
    mesh = np.meshgrid(*axes, indexing="ij")
    coded = {name: grid.ravel() for name, grid in zip(names, mesh, strict=True)}
    values = np.ones(mesh[0].size)
    for name, exponent in term.powers:
        if name in coded:
            values = values * coded[name] ** exponent
    with np.errstate(all="ignore"):
        for expression in term.expressions:
            values = values * np.asarray(expression.evaluate(coded), dtype=np.float64)
    blended = [part.name for part in space.mixture if part.name in coded]
    if blended:
        least, most = _shares_left(blended, space)
        shares = np.sum([coded[name] for name in blended], axis=0)
        values = values[(shares >= least - ROUNDING) & (shares <= most + ROUNDING)]
    values = values[np.isfinite(values)]
    return np.array([values.min(), values.max()]) if values.size else np.zeros(1)


def _axis(name: str, n_values: int, space: FactorSpace) -> FloatArray:
    factor = space.factor(name)
    if isinstance(factor, DiscreteFactor):
        return coded_values(factor, np.asarray(factor.levels), space.mixture_total)
    if isinstance(factor, MixtureComponent):
        ends = [coded_number(factor, end, space.mixture_total) for end in (factor.low, factor.high)]
        return np.linspace(ends[0], ends[1], n_values)
    return np.linspace(-1.0, 1.0, n_values)
