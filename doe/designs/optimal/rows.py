"""Rows of a model matrix for many points at once, compiled from the terms."""

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.errors import ExpressionError
from doe.expressions import Expression
from doe.factors import CategoricalFactor
from doe.space import FactorSpace
from doe.terms import Column, Terms, contrast, model_columns

# A number that a column is a product of: a factor's power or contrast, or an expression.
_Part = tuple[str, int | str] | Expression


class ModelRows:
    """The model matrix of coded points, as ``doe.terms.model_matrix`` has it, but fast.

    Points are coded settings in the order of the factors; a categorical factor stands as the place
    of its level.

    Args:
        terms: The effects.
        space: The factors.

    Attributes:
        columns: What the columns stand for.
        highest_power: For each factor, its largest exponent.
        has_expressions: Whether some column computes more than products of powers.
    """

    def __init__(self, terms: Terms, space: FactorSpace) -> None:
        self.columns = model_columns(terms, space)
        self.has_expressions = any(column.term.expressions for column in self.columns)
        self._space = space
        self._places = {name: place for place, name in enumerate(space.names)}
        self._parts: dict[_Part, int] = {}
        factors = [self._parts_of(column) for column in self.columns]
        depth = max((len(parts) for parts in factors), default=0)
        # Part 0 is the constant 1, which fills up columns of fewer parts.
        self._index = np.zeros((max(depth, 1), len(self.columns)), dtype=np.int64)
        for place, parts in enumerate(factors):
            self._index[: len(parts), place] = parts
        self._contrasts = {
            part: contrast(space, part[0], part[1], _levels(space, part[0]))
            for part in self._parts
            if not isinstance(part, Expression) and isinstance(part[1], str)
        }
        self.highest_power = self._highest_powers()

    def _parts_of(self, column: Column) -> list[int]:
        levels = dict(column.levels)
        keys: list[_Part] = [(name, levels.get(name, power)) for name, power in column.term.powers]
        keys += column.term.expressions
        return [self._parts.setdefault(key, len(self._parts) + 1) for key in keys]

    def _highest_powers(self) -> IntArray:
        powers = np.zeros(len(self._places), dtype=np.int64)
        for column in self.columns:
            for name, power in column.term.powers:
                powers[self._places[name]] = max(powers[self._places[name]], power)
            for expression in column.term.expressions:
                # How an expression bends is not known: five levels see most shapes.
                for name in expression.names:
                    powers[self._places[name]] = max(powers[self._places[name]], 4)
        return powers

    def __call__(self, points: FloatArray) -> FloatArray:
        """Return the rows, shape ``(..., n_columns)``, of points of shape ``(..., n_factors)``.

        Raises:
            ExpressionError: If an expression is undefined for a point.
        """
        base = np.empty((*points.shape[:-1], len(self._parts) + 1))
        base[..., 0] = 1.0
        for part, at in self._parts.items():
            if isinstance(part, Expression):
                base[..., at] = self._computed(part, points)
                continue
            values = points[..., self._places[part[0]]]
            if isinstance(part[1], str):
                base[..., at] = self._contrasts[part][values.astype(np.int64)]
            else:
                base[..., at] = values if part[1] == 1 else values ** part[1]
        rows = base[..., self._index[0]]
        for index in self._index[1:]:
            rows *= base[..., index]
        return rows

    def _computed(self, expression: Expression, points: FloatArray) -> FloatArray:
        numbers = {name: points[..., self._places[name]] for name in expression.names}
        values = np.asarray(expression.evaluate(numbers), dtype=np.float64)
        if not np.isfinite(values).all():
            raise ExpressionError(
                f"'{expression.text}' is not defined everywhere in this factor space. Formulas "
                "compute with coded factors, which run from -1 at low to +1 at high (mixture "
                "components: their share): for a logarithm of the setting give the factor "
                "scale='log'."
            )
        return values


def _levels(space: FactorSpace, name: str) -> tuple[str, ...]:
    factor = space.factor(name)
    assert isinstance(factor, CategoricalFactor)
    return factor.levels
