"""The second-order surface in a linear model: b0 + x'b + x'Bx in coded units, and its errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.coding import NumericFactor, coded_number, natural_values
from doe.errors import InvalidValueError, UnknownNameError
from doe.factors import CategoricalFactor, MixtureComponent, Value, check_number
from doe.terms import Column, model_columns
from surrogates.linear.prediction import critical_t

if TYPE_CHECKING:
    import pandas as pd

    from surrogates.linear.model import LinearModel


@dataclass(frozen=True, eq=False)
class MeanEstimates:
    """The expected response at several places.

    Attributes:
        estimate: In the response's unit; the median where the response is modelled on a transformed
            scale, shape ``(n_places,)``.
        standard_error: On the modelled scale; ``nan`` when the model is saturated.
        lower: Lower end of the confidence interval, in the response's unit.
        upper: Upper end.
        extrapolates: Where the place lies outside the applicability domain.
    """

    estimate: FloatArray
    standard_error: FloatArray
    lower: FloatArray
    upper: FloatArray
    extrapolates: BoolArray


@dataclass(frozen=True, eq=False)
class SecondOrderSurface:
    """A linear model as a polynomial of second order in the factors that move.

    Every column of the model is ``multiplier * prod(x ** exponent)``; the multiplier holds the
    factors that stay.

    Attributes:
        model: The linear model.
        factors: The numeric factors that move, k of them.
        at: Settings of all other factors, natural units.
        multipliers: One per model column, shape ``(p_model,)``.
        exponents: Of each moving factor in each model column, shape ``(p_model, k)``.
    """

    model: "LinearModel"
    factors: tuple[NumericFactor, ...]
    at: Mapping[str, Value]
    multipliers: FloatArray
    exponents: IntArray

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the factors that move."""
        return tuple(factor.name for factor in self.factors)

    @property
    def orders(self) -> IntArray:
        """The order of each model column in the factors that move, shape ``(p_model,)``."""
        return np.asarray(self.exponents.sum(axis=1), dtype=np.int64)

    @cached_property
    def slope(self) -> FloatArray:
        """The vector b, shape ``(k,)``."""
        return self.gradient(np.zeros(len(self.factors)))

    @cached_property
    def curvature(self) -> FloatArray:
        """The symmetric matrix B, shape ``(k, k)``."""
        k = len(self.factors)
        units = np.eye(k)
        columns = [self.gradient(unit) - self.slope for unit in units]
        return np.asarray(np.column_stack(columns) / 2).reshape(k, k)

    @cached_property
    def radius(self) -> float:
        """How far from the centre, in coded units, the farthest run was in these factors."""
        coded = self.model.space.to_coded(self.model.rows.settings)
        return float(np.linalg.norm(coded[list(self.names)].to_numpy(np.float64), axis=1).max())

    def gradient(self, point: FloatArray) -> FloatArray:
        """Return the gradient b + 2Bx on the modelled scale, coded units, shape ``(k,)``."""
        return np.asarray(self.gradient_rows(point) @ self.model.solution.coefficients)

    def rows(self, coded: FloatArray) -> FloatArray:
        """Return rows for ``model.solution`` in an average block, shape ``(n_places, p)``.

        Args:
            coded: Places of the moving factors, shape ``(n_places, k)``.
        """
        powers = np.prod(coded[:, None, :] ** self.exponents, axis=2)
        return self._padded(powers * self.multipliers)

    def gradient_rows(self, point: FloatArray) -> FloatArray:
        """Return G with gradient = G times coefficients, shape ``(k, p)``."""
        rows = []
        for place in range(len(self.factors)):
            lowered = self.exponents.copy()
            lowered[:, place] = np.maximum(lowered[:, place] - 1, 0)
            rows.append(self.exponents[:, place] * np.prod(point**lowered, axis=1))
        return self._padded(np.array(rows) * self.multipliers)

    def curvature_rows(self, directions: FloatArray) -> FloatArray:
        """Return rows r with r times coefficients = u'Bu of each direction u, ``(n, p)``."""
        powers = np.prod(directions[:, None, :] ** self.exponents, axis=2)
        return self._padded(powers * self.multipliers * (self.orders == 2))

    def settings(self, coded: FloatArray) -> "pd.DataFrame":
        """Return places as complete settings in natural units.

        Args:
            coded: Places of the moving factors, shape ``(n_places, k)``.
        """
        import pandas as pd

        columns: dict[str, FloatArray | list[Value]] = {}
        moving = {factor.name: place for place, factor in enumerate(self.factors)}
        for factor in self.model.space.searched:
            if factor.name in moving and not isinstance(factor, CategoricalFactor):
                # A stationary point far away may have no finite setting on a log scale.
                with np.errstate(over="ignore"):
                    columns[factor.name] = natural_values(
                        factor, coded[:, moving[factor.name]], self.model.space.mixture_total
                    )
            else:
                columns[factor.name] = [self.at[factor.name]] * len(coded)
        return pd.DataFrame(columns)

    def means(self, coded: FloatArray, coverage: float) -> MeanEstimates:
        """Return the expected response at places of the moving factors, shape ``(n_places, k)``.

        Raises:
            InvalidValueError: If ``coverage`` is not between 0 and 1.
        """
        solution, transform = self.model.solution, self.model.transform
        reach = critical_t(coverage, self.model.degrees)
        rows = self.rows(coded)
        leverage = solution.leverage_of(rows)
        centre = np.asarray(rows @ solution.coefficients)
        error = np.asarray(self.model.residual_std * np.sqrt(leverage))
        ends = (
            transform.backward(centre - reach * error),
            transform.backward(centre + reach * error),
        )
        low, high = ends if transform.increasing else ends[::-1]
        outside = self.model.domain.outside(self.settings(coded), leverage)
        return MeanEstimates(transform.backward(centre), error, low, high, outside)

    def _padded(self, rows: FloatArray) -> FloatArray:
        """Return rows with zeros for the columns of blocks: the average of the blocks."""
        return np.pad(rows, ((0, 0), (0, self.model.n_coefficients - rows.shape[1])))


def second_order_surface(
    model: "LinearModel", at: Mapping[str, Value] | None = None
) -> SecondOrderSurface:
    """Return the surface of second order over the numeric factors that are not held.

    Args:
        model: A linear model, at most of second order in the factors that move.
        at: Settings of the factors that stay, natural units; every categorical factor of the model
            is among them. A factor without a term stays in the middle.

    Raises:
        UnknownNameError: If ``at`` names no factor.
        InvalidValueError: If a categorical factor has no level, a setting is not allowed, the model
            is of higher order or has expressions, a mixture component moves, or nothing moves.
    """
    held = _held(model, dict(at or {}))
    kept = [c for c in model_columns(model.terms, model.space) if c.name in set(model.columns)]
    moving = tuple(
        factor
        for factor in model.space.searched
        if factor.name not in held and not isinstance(factor, CategoricalFactor)
    )
    _check_moving(moving, model)
    names = [factor.name for factor in moving]
    multipliers = np.array([_multiplier(column, held, model) for column in kept])
    exponents = np.array([_exponents(column, names) for column in kept], dtype=np.int64)
    surface = SecondOrderSurface(model, moving, held, multipliers, exponents)
    too_high = [c.name for c, order in zip(kept, surface.orders, strict=True) if order > 2]
    if too_high:
        raise InvalidValueError(
            f"The model of '{model.response}' has the term '{too_high[0]}', which is above second "
            "order; this analysis needs at most second order: refit with terms='quadratic', or "
            "search the surface with optimise_desirability."
        )
    return surface


def _held(model: "LinearModel", at: dict[str, Value]) -> dict[str, Value]:
    space = model.space
    used = {name for term in model.terms.terms for name in term.factors}
    for name, value in at.items():
        if name not in space.names:
            raise UnknownNameError(
                f"'{name}' is not a factor that is varied; those are {', '.join(space.names)}."
            )
        at[name] = _setting(model, name, value)
    for factor in space.searched:
        if factor.name in at:
            continue
        if isinstance(factor, CategoricalFactor):
            if factor.name in used:
                raise InvalidValueError(
                    f"Categorical factor '{factor.name}' is in the model and cannot move: say at "
                    f"which level, such as at={{'{factor.name}': '{factor.levels[0]}'}}; it has "
                    f"{', '.join(factor.levels)}."
                )
            at[factor.name] = factor.levels[0]
        elif factor.name not in used and not isinstance(factor, MixtureComponent):
            middle = natural_values(factor, np.zeros(1), space.mixture_total)
            at[factor.name] = float(middle[0])
    return at


def _setting(model: "LinearModel", name: str, value: Value) -> Value:
    factor = model.space.factor(name)
    if not isinstance(factor, CategoricalFactor):
        return check_number(value, f"Setting of '{name}'")
    if value not in factor.levels:
        raise InvalidValueError(
            f"'{value}' is not a level of '{name}', which has {', '.join(factor.levels)}."
        )
    return value


def _check_moving(moving: tuple[object, ...], model: "LinearModel") -> None:
    components = [f.name for f in moving if isinstance(f, MixtureComponent)]
    if components:
        raise InvalidValueError(
            f"{', '.join(components)} are components of a mixture: they add up to a constant, so "
            "they cannot move one by one, and a stationary point in them has no meaning. Search "
            "with optimise_desirability, which keeps the sum, or hold every component in 'at'."
        )
    if not any(term.factors for term in model.terms.terms):
        raise InvalidValueError(
            f"The model of '{model.response}' has no factor, so its surface is level everywhere: "
            "fit one with terms, such as terms='linear' or 'quadratic'."
        )
    if not moving:
        raise InvalidValueError(
            f"No numeric factor of the model of '{model.response}' is left to move: leave one out "
            "of 'at'."
        )


def _multiplier(column: Column, held: Mapping[str, Value], model: "LinearModel") -> float:
    if column.term.expressions:
        raise InvalidValueError(
            f"The model of '{model.response}' has the term '{column.name}', which is no product of "
            "powers of factors; this analysis needs at most second order: refit with "
            "terms='quadratic', or search the surface with optimise_desirability."
        )
    product, levels = 1.0, dict(column.levels)
    for name, exponent in column.term.powers:
        factor = model.space.factor(name)
        if isinstance(factor, CategoricalFactor):
            product *= float(held[name] == levels[name]) - float(held[name] == factor.levels[-1])
        elif name in held:
            total = model.space.mixture_total
            product *= coded_number(factor, float(held[name]), total) ** exponent  # type: ignore[arg-type]  # terms have searched factors only
    return product


def _exponents(column: Column, names: list[str]) -> list[int]:
    powers = dict(column.term.powers)
    return [powers.get(name, 0) for name in names]
