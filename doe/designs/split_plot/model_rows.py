"""Rows of a model matrix computed for many settings at once, without data frames."""

from dataclasses import dataclass

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.expressions import Expression
from doe.factors import CategoricalFactor
from doe.space import FactorSpace
from doe.terms import Terms, contrast, model_columns


@dataclass(frozen=True, slots=True, eq=False)
class ModelRows:
    """A model that reads settings as numbers: coded units, and places of categorical levels.

    Attributes:
        terms: The effects.
        space: The factors.
        powers: Factor and exponent of each power that the columns are products of.
        contrasts: Factor and values by level of each sum-to-zero contrast.
        expressions: What is neither.
        parts: For each column the parts it is a product of, shape ``(n_columns, n_parts)``; part 0
            is the constant 1, then come powers, contrasts and expressions.
        scale: What each column is multiplied by, shape ``(n_columns,)``.
    """

    terms: Terms
    space: FactorSpace
    powers: tuple[tuple[int, int], ...]
    contrasts: tuple[tuple[int, FloatArray], ...]
    expressions: tuple[Expression, ...]
    parts: IntArray
    scale: FloatArray

    @property
    def n_columns(self) -> int:
        """How many columns the model matrix has."""
        return len(self.parts)

    def rows(self, settings: FloatArray) -> FloatArray:
        """Return rows of the model matrix, shape ``(..., n_columns)``.

        A row is not finite where an expression is not defined.

        Args:
            settings: Shape ``(..., n_factors)``.
        """
        values = [np.ones(settings.shape[:-1])]
        for place, exponent in self.powers:
            base = settings[..., place]
            # A general power costs ten times a product.
            values.append(
                base if exponent == 1 else base * base if exponent == 2 else base**exponent
            )
        for place, by_level in self.contrasts:
            values.append(by_level[settings[..., place].astype(np.int64)])
        columns = {name: settings[..., place] for place, name in enumerate(self.space.names)}
        for expression in self.expressions:
            computed = np.asarray(expression.evaluate(columns), dtype=np.float64)
            values.append(np.broadcast_to(computed, settings.shape[:-1]))
        products = np.stack(values, axis=-1)[..., self.parts].prod(axis=-1)
        return np.asarray(products * self.scale, dtype=np.float64)


def model_rows(terms: Terms, space: FactorSpace) -> ModelRows:
    """Return a model that reads settings as numbers, with the columns of ``model_columns``."""
    powers: dict[tuple[int, int], int] = {}
    contrasts: dict[tuple[int, str], int] = {}
    expressions: dict[Expression, int] = {}
    products: list[list[tuple[int, int]]] = []
    columns = model_columns(terms, space)
    for column in columns:
        levels = dict(column.levels)
        product: list[tuple[int, int]] = []
        for name, exponent in column.term.powers:
            place = space.names.index(name)
            if name in levels:
                key = (place, levels[name])
                product.append((1, contrasts.setdefault(key, len(contrasts))))
            else:
                product.append((0, powers.setdefault((place, exponent), len(powers))))
        for expression in column.term.expressions:
            product.append((2, expressions.setdefault(expression, len(expressions))))
        products.append(product)
    first = (1, 1 + len(powers), 1 + len(powers) + len(contrasts))
    longest = max(len(product) for product in products)
    parts = np.zeros((len(columns), max(1, longest)), dtype=np.int64)
    for row, product in enumerate(products):
        parts[row, : len(product)] = [first[kind] + place for kind, place in product]
    return ModelRows(
        terms,
        space,
        tuple(powers),
        tuple((place, _by_level(space, place, level)) for place, level in contrasts),
        tuple(expressions),
        parts,
        np.ones(len(columns)),
    )


def _by_level(space: FactorSpace, place: int, level: str) -> FloatArray:
    factor = space.searched[place]
    assert isinstance(factor, CategoricalFactor)
    return contrast(space, factor.name, level, factor.levels)
