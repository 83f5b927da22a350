"""A polynomial in coded factors written out, exactly, in other units of the factors."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.coding import is_log
from doe.factors import CategoricalFactor, MixtureComponent
from doe.space import FactorSpace
from doe.terms import INTERCEPT, Column, Term, Terms, model_columns, model_matrix

if TYPE_CHECKING:
    import pandas as pd

    from surrogates.linear.model import LinearModel

ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Substitution:
    """A factor in other units: coded = offset + slope * other.

    Attributes:
        offset: The coded setting where the other is zero.
        slope: Change of the coded setting per unit of the other.
        name: The other as people read it, such as ``temperature`` or ``ln(feed rate)``.
    """

    offset: float
    slope: float
    name: str


@dataclass(frozen=True, slots=True)
class Monomial:
    """One column of the polynomial written out.

    Attributes:
        exponents: The exponent of each number that takes part.
        rest: What stays as it is: levels of categorical factors and expressions.
    """

    exponents: tuple[tuple[str, int], ...]
    rest: Column

    @property
    def order(self) -> int:
        """The sum of the exponents, levels and expressions counting as one each."""
        return sum(power for _, power in self.exponents) + self.rest.term.order

    def name(self, units: Mapping[str, Substitution]) -> str:
        """Return the column as people read it."""
        parts = [
            units[factor].name if power == 1 else f"{units[factor].name}^{power}"
            for factor, power in self.exponents
        ]
        if not self.rest.term.is_intercept:
            parts.append(self.rest.name)
        return ":".join(parts) or INTERCEPT


@dataclass(frozen=True, eq=False)
class Expansion:
    """The polynomial in other units.

    Attributes:
        units: How each number is replaced.
        monomials: The columns, lowest order first.
        change: What turns coded coefficients into those of the columns, shape
            ``(n_monomials, p_model)``.
    """

    units: Mapping[str, Substitution]
    monomials: tuple[Monomial, ...]
    change: FloatArray

    @property
    def names(self) -> tuple[str, ...]:
        """The columns as people read them."""
        return tuple(monomial.name(self.units) for monomial in self.monomials)

    def columns(self, settings: "pd.DataFrame", space: FactorSpace) -> FloatArray:
        """Return the values of the monomials at settings, shape ``(n_settings, n_monomials)``."""
        coded = space.to_coded(settings)
        numbers = {
            name: (coded[name].to_numpy(dtype=np.float64) - unit.offset) / unit.slope
            for name, unit in self.units.items()
        }
        rests = {
            monomial.rest: _rest_values(monomial.rest, settings, space)
            for monomial in self.monomials
        }
        values = [
            rests[monomial.rest]
            * np.prod([numbers[name] ** power for name, power in monomial.exponents], axis=0)
            for monomial in self.monomials
        ]
        return np.array(values, dtype=np.float64).T


def natural_units(space: FactorSpace) -> dict[str, Substitution]:
    """Return how natural units replace coded ones; the logarithm where the scale is ``log``."""
    found = {}
    for factor in space.searched:
        if isinstance(factor, CategoricalFactor):
            continue
        if isinstance(factor, MixtureComponent):
            found[factor.name] = Substitution(0.0, 1 / space.mixture_total, factor.name)
            continue
        low, high, name = factor.low, factor.high, factor.name
        if is_log(factor):
            low, high, name = float(np.log(low)), float(np.log(high)), f"ln({factor.name})"
        found[factor.name] = Substitution(-(low + high) / (high - low), 2 / (high - low), name)
    return found


def scaled_units(model: "LinearModel") -> dict[str, Substitution]:
    """Return how factors centred on the runs' mean and scaled by half their range replace coded.

    Mixture components stay shares: centred they would not add up to a constant.
    """
    coded = model.space.to_coded(model.rows.settings)
    found = {}
    for factor in model.space.searched:
        if isinstance(factor, CategoricalFactor):
            continue
        column = coded[factor.name].to_numpy(dtype=np.float64)
        half, mean = float(np.ptp(column)) / 2, float(column.mean())
        if isinstance(factor, MixtureComponent) or half == 0:
            found[factor.name] = Substitution(0.0, 1.0, factor.name)
        else:
            # Rounding leaves a trace of a mean where there is none.
            mean = 0.0 if abs(mean) < ROUNDING * half else mean
            found[factor.name] = Substitution(mean, half, factor.name)
    return found


def expand(model: "LinearModel", units: Mapping[str, Substitution]) -> Expansion:
    """Return the model's polynomial with each number replaced.

    Levels of categorical factors, and expressions that are no product of powers, stay as they are.

    Args:
        model: The model.
        units: How each numeric factor is replaced.
    """
    kept = set(model.columns)
    columns = [c for c in model_columns(model.terms, model.space) if c.name in kept]
    found: dict[Monomial, FloatArray] = {}
    leading: dict[Monomial, int] = {}
    for place, column in enumerate(columns):
        written = _written_out(column, units)
        leading[written[-1][0]] = place
        for monomial, share in written:
            row = found.setdefault(monomial, np.zeros(len(columns)))
            row[place] += share
    # In the order of the model's own columns; those that only multiplying out brings come after.
    monomials = sorted(found, key=lambda m: (m.order, leading.get(m, len(columns))))
    return Expansion(units, tuple(monomials), np.array([found[m] for m in monomials]))


def unexpanded(model: "LinearModel") -> tuple[str, ...]:
    """Return the expressions of the model that stay in coded units."""
    return tuple(dict.fromkeys(e.text for term in model.terms.terms for e in term.expressions))


def _written_out(column: Column, units: Mapping[str, Substitution]) -> list[tuple[Monomial, float]]:
    """Return the monomials of one column and how much of each, by the binomial theorem."""
    numeric = [(name, power) for name, power in column.term.powers if name in units]
    staying = tuple((name, power) for name, power in column.term.powers if name not in units)
    rest = Column(Term(staying, column.term.expressions), column.levels)
    choices = []
    for name, power in numeric:
        unit = units[name]
        shares = [
            comb(power, low) * unit.offset ** (power - low) * unit.slope**low
            for low in range(power + 1)
        ]
        choices.append([(name, low, share) for low, share in enumerate(shares) if share != 0])
    found = []
    for chosen in product(*choices):
        exponents = tuple((name, low) for name, low, _ in chosen if low)
        share = float(np.prod([share for _, _, share in chosen]))
        found.append((Monomial(exponents, rest), share))
    return found


def _rest_values(rest: Column, settings: "pd.DataFrame", space: FactorSpace) -> FloatArray:
    if rest.term.is_intercept:
        return np.ones(len(settings))
    matrix = model_matrix(Terms(rest.term.name, (rest.term,)), settings, space)
    return np.asarray(matrix[rest.name].to_numpy(dtype=np.float64))
