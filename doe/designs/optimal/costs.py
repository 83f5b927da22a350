"""What a run costs, so that a design can be kept within a budget."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from doe.arrays import FloatArray
from doe.designs.optimal.points import PointSpace
from doe.errors import InvalidValueError
from doe.expressions import Expression, parse_expression
from doe.factors import CategoricalFactor, check_number
from doe.space import FactorSpace

# Rounding error of a cost, relative to the largest.
_CENT = 1e-9


@dataclass(frozen=True, slots=True)
class RunCost:
    """The cost of one run, in any currency: a base, what its settings add, what its levels add.

    Attributes:
        base: What every run costs.
        expression: What is added, computed from numeric factors in natural units, such as
            ``120 * duration + 0.5 * feed``; empty for nothing.
        levels: What is added for levels of categorical factors, ``{"resin": {"B": 400}}``; a level
            that is not named adds nothing.

    Raises:
        InvalidValueError: If a cost is no number, or negative.
        ExpressionError: If the expression cannot be read.
    """

    base: float = 0.0
    expression: str = ""
    levels: Mapping[str, Mapping[str, float]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "base", _checked_cost(self.base, "Base cost of a run"))
        if self.expression:
            parse_expression(self.expression)
        levels = {
            name: {
                level: _checked_cost(cost, f"Cost of level '{level}' of '{name}'")
                for level, cost in costs.items()
            }
            for name, costs in self.levels.items()
        }
        object.__setattr__(self, "levels", levels)


class CompiledCost:
    """The cost of many points at once.

    Args:
        cost: What a run costs.
        points: The factor space that the points belong to.

    Raises:
        InvalidValueError: If the cost names something that is not varied, or not as it is used.
    """

    def __init__(self, cost: RunCost, points: PointSpace) -> None:
        self._points = points
        self._base = cost.base
        self._expression = _checked_expression(cost, points.space) if cost.expression else None
        self._levels = {
            name: _level_costs(name, costs, points.space) for name, costs in cost.levels.items()
        }

    def __call__(self, points: FloatArray) -> FloatArray:
        """Return the costs, shape ``(...)``, of points of shape ``(..., n_factors)``.

        Raises:
            InvalidValueError: If the expression has no value at a point, or a run costs less
                than nothing.
        """
        values = self._points.natural(points)
        total = np.full(points.shape[:-1], self._base)
        if self._expression is not None:
            total = total + self._expression.evaluate(values)
        for name, costs in self._levels.items():
            total = total + costs[values[name].astype(np.int64)]
        if not np.isfinite(total).all():
            raise InvalidValueError(
                "The cost of a run is not a number everywhere in this space: change the expression "
                f"'{self._text}'."
            )
        if total.size and total.min() < -_CENT * max(1.0, np.abs(total).max()):
            raise InvalidValueError(
                f"A run would cost {total.min():g} somewhere in this space; costs are not "
                f"negative: change the expression '{self._text}', or raise the base cost."
            )
        return np.asarray(total, dtype=np.float64)

    @property
    def _text(self) -> str:
        return self._expression.text if self._expression else ""


def _checked_cost(cost: float, what: str) -> float:
    number = check_number(cost, what)
    if number < 0:
        raise InvalidValueError(f"{what} is {number:g}; costs are not negative: correct it.")
    return number


def _checked_expression(cost: RunCost, space: FactorSpace) -> Expression:
    expression = parse_expression(cost.expression)
    numeric = [f.name for f in space.searched if not isinstance(f, CategoricalFactor)]
    unknown = [name for name in expression.names if name not in numeric]
    if unknown:
        raise InvalidValueError(
            f"The cost '{cost.expression}' reads {unknown}, which are not numeric factors that are "
            f"varied; those are {numeric}: correct the names (levels have their own costs)."
        )
    return expression


def _level_costs(name: str, costs: Mapping[str, float], space: FactorSpace) -> FloatArray:
    factor = next((f for f in space.searched if f.name == name), None)
    if not isinstance(factor, CategoricalFactor):
        raise InvalidValueError(
            f"Costs of levels are given for '{name}', which is not a categorical factor that is "
            "varied: correct the name, or use the expression."
        )
    unknown = [level for level in costs if level not in factor.levels]
    if unknown:
        raise InvalidValueError(
            f"Costs are given for the levels {unknown} of '{name}', which has "
            f"{list(factor.levels)}: correct them."
        )
    return np.array([costs.get(level, 0.0) for level in factor.levels])
