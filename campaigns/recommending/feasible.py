"""The allowed settings as a gradient search sees them, in encoded units.

What is exact during the search, and what is repaired afterwards:

- Ranges, levels, fixed factors, linear constraints and mixture totals: exact (boxes, frozen
  columns, linear rows; a row with a log-scaled factor is a smooth constraint).
- Expression constraints: smooth constraints with gradients; met up to the search's tolerance.
- Forbidden combinations and "at most n non-zero" are alternatives ("below this end, or above that
  one, or another level"). Each search stays within the alternative that its starting setting is
  in, a box; the starting settings are drawn over all of them. Exact in the box, global by starts.
- Steps: left out of the search; the end is moved to the nearest allowed setting on the steps by
  ``FactorSpace.project``, and the choice is made among settings so moved.

Nothing here is trusted at the end: ``FactorSpace.contains`` and ``on_steps`` are asked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import assert_never

import numpy as np
import torch
from torch import Tensor

from campaigns.recommending.outcomes import TORCH_FUNCTIONS
from doe.arrays import BoolArray
from doe.constraints import (
    CardinalityConstraint,
    Constraint,
    ExpressionConstraint,
    ForbiddenCombination,
    LinearConstraint,
)
from doe.errors import InvalidValueError
from doe.expressions import parse_comparison
from doe.factors import CategoricalFactor, SearchedFactor, Value, check_number
from doe.space import FactorSpace
from surrogates.gaussian_process.encoding import Encoding

Slack = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class LinearRow:
    """``lower <= weights . setting <= upper`` over encoded settings."""

    weights: Tensor
    lower: float
    upper: float

    @property
    def is_equality(self) -> bool:
        """Whether both ends are the same."""
        return self.lower == self.upper


@dataclass(frozen=True)
class FeasibleRegion:
    """The allowed settings of a factor space in encoded units.

    Attributes:
        space: The factor space.
        encoding: From natural to encoded units.
        fixed: Factors held at one setting, in natural units; ``space`` allows no other.
    """

    space: FactorSpace
    encoding: Encoding
    fixed: Mapping[str, Value] = field(default_factory=dict)

    @property
    def n_columns(self) -> int:
        """How many encoded columns there are."""
        return self.encoding.n_columns

    @cached_property
    def held(self) -> tuple[int, ...]:
        """The columns of fixed factors."""
        return tuple(self._column(name) for name in self.fixed)

    @cached_property
    def levels(self) -> Mapping[int, tuple[float, ...]]:
        """The encoded levels of each column that has levels and is not held."""
        found: dict[int, Sequence[float]] = dict(self.encoding.categorical_columns)
        found.update(self.encoding.discrete_columns)
        return {
            column: tuple(float(value) for value in values)
            for column, values in found.items()
            if column not in self.held
        }

    @cached_property
    def frozen(self) -> tuple[int, ...]:
        """The columns that no gradient may move: those with levels, and those held."""
        return tuple(sorted({*self.levels, *self.held}))

    def held_at(self, settings: Tensor) -> Tensor:
        """Return encoded settings ``(n, n_columns)`` with the fixed factors at their setting."""
        changed = settings.clone()
        for name, value in self.fixed.items():
            factor = self._factor(name)
            changed[:, self._column(name)] = (
                float(factor.levels.index(str(value)))
                if isinstance(factor, CategoricalFactor)
                else self.encoded_value(name, float(value))
            )
        return changed

    def natural(self, settings: Tensor) -> dict[str, Tensor]:
        """Return each numeric factor in natural units, differentiable.

        Args:
            settings: Encoded, shape ``(..., n_columns)``; the results have shape ``(...)``.
        """
        return {
            factor.name: self._from_encoded(factor, settings[..., column])
            for column, factor in enumerate(self.space.searched)
            if not isinstance(factor, CategoricalFactor)
        }

    def encoded_value(self, name: str, value: float) -> float:
        """Return the encoded value of a numeric factor's setting; infinite for 0 on a log scale."""
        factor = self._factor(name)
        origin, length = self._origin(factor)
        if _is_log(factor):
            return (float(np.log(value)) - origin) / length if value > 0 else -np.inf
        return (value - origin) / length

    @cached_property
    def rows(self) -> tuple[LinearRow, ...]:
        """The linear constraints, mixture total included, of factors without a log scale.

        Those that only join frozen columns are left out: the start meets them, and keeps to it.
        """
        return tuple(
            self._row(constraint)
            for constraint in self.space.all_constraints
            if isinstance(constraint, LinearConstraint)
            and not self._is_curved(constraint)
            and self._can_move(constraint.factors)
        )

    @cached_property
    def slacks(self) -> tuple[Slack, ...]:
        """Smooth functions of encoded settings ``(..., n_columns)`` that must not be negative."""
        found: list[Slack] = []
        for constraint in self.space.constraints:
            if not self._can_move(constraint.factors):
                continue
            match constraint:
                case ExpressionConstraint():
                    found.append(self._expression_slack(constraint))
                case LinearConstraint() if self._is_curved(constraint):
                    found.extend(self._curved_slacks(constraint))
                case LinearConstraint() | CardinalityConstraint() | ForbiddenCombination():
                    pass
                case _:
                    assert_never(constraint)
        return tuple(found)

    def boxes(self, starts: Tensor) -> tuple[Tensor, Tensor]:
        """Return for each allowed start the box of its alternative, two of ``(n, n_columns)``.

        Every setting of the box avoids the forbidden combinations and keeps the cardinality that
        the start does; columns with levels are frozen.
        """
        lower = torch.zeros_like(starts)
        upper = torch.ones_like(starts)
        for column in self.frozen:
            lower[:, column] = upper[:, column] = starts[:, column]
        for constraint in self.space.constraints:
            for row in range(len(starts)):
                match constraint:
                    case ForbiddenCombination():
                        self._step_aside(constraint, starts[row], lower[row], upper[row])
                    case CardinalityConstraint(factors):
                        self._leave_out(factors, starts[row], lower[row], upper[row])
                    case LinearConstraint() | ExpressionConstraint():
                        break
                    case _:
                        assert_never(constraint)
        return lower, upper

    def contains(self, settings: Tensor) -> BoolArray:
        """Return which encoded settings ``(n, n_columns)`` meet every constraint."""
        inside = ((settings >= -1e-9) & (settings <= self.encoding.bounds[1] + 1e-9)).all(dim=-1)
        allowed = self.space.contains(self.encoding.decode(settings))
        return np.asarray(allowed & inside.numpy(), dtype=np.bool_)

    def can_be_set(self, settings: Tensor) -> BoolArray:
        """Return which encoded settings ``(n, n_columns)`` are allowed and on the steps."""
        frame = self.encoding.decode(settings)
        # Decoding leaves rounding errors, which only the same settings, encoded again, are free of.
        return np.asarray(self.contains(settings) & self.space.on_steps(frame), dtype=np.bool_)

    def _factor(self, name: str) -> SearchedFactor:
        return next(factor for factor in self.space.searched if factor.name == name)

    def _column(self, name: str) -> int:
        return self.space.names.index(name)

    def _can_move(self, factors: Sequence[str]) -> bool:
        return any(self._column(name) not in self.frozen for name in factors)

    def _origin(self, factor: SearchedFactor) -> tuple[float, float]:
        assert not isinstance(factor, CategoricalFactor)
        low = float(np.log(factor.low)) if _is_log(factor) else factor.low
        return low, self.encoding.length(factor.name)

    def _from_encoded(self, factor: SearchedFactor, values: Tensor) -> Tensor:
        origin, length = self._origin(factor)
        scaled = origin + length * values
        return torch.exp(scaled) if _is_log(factor) else scaled

    def _is_curved(self, constraint: LinearConstraint) -> bool:
        return any(_is_log(self._factor(name)) for name in constraint.factors)

    def _row(self, constraint: LinearConstraint) -> LinearRow:
        weights = torch.zeros(self.n_columns, dtype=torch.float64)
        constant = 0.0
        for name, coefficient in constraint.coefficients.items():
            origin, length = self._origin(self._factor(name))
            weights[self._column(name)] = coefficient * length
            constant += coefficient * origin
        # Scaled to unit length, so that one tolerance fits every constraint.
        size = float(weights.norm()) or 1.0
        lower = constraint.lower if constraint.equals is None else constraint.equals
        upper = constraint.upper if constraint.equals is None else constraint.equals
        return LinearRow(
            weights / size,
            -np.inf if lower is None else (lower - constant) / size,
            np.inf if upper is None else (upper - constant) / size,
        )

    def _expression_slack(self, constraint: ExpressionConstraint) -> Slack:
        comparison = parse_comparison(constraint.expression)

        def slack(settings: Tensor) -> Tensor:
            columns = self.natural(settings)
            sides = [
                side.evaluate(columns, functions=TORCH_FUNCTIONS)
                for side in (comparison.larger, comparison.smaller)
            ]
            difference = torch.as_tensor(sides[0] - sides[1], dtype=settings.dtype)
            return difference.expand(settings.shape[:-1])

        return slack

    def _curved_slacks(self, constraint: LinearConstraint) -> list[Slack]:
        def total(settings: Tensor) -> Tensor:
            columns = self.natural(settings)
            parts = [c * columns[name] for name, c in constraint.coefficients.items()]
            return torch.stack(parts).sum(dim=0)

        upper = constraint.upper if constraint.equals is None else constraint.equals
        lower = constraint.lower if constraint.equals is None else constraint.equals
        slacks: list[Slack] = []
        if upper is not None:
            slacks.append(lambda settings: upper - total(settings))
        if lower is not None:
            slacks.append(lambda settings: total(settings) - lower)
        return slacks

    def _step_aside(
        self, forbidden: ForbiddenCombination, start: Tensor, lower: Tensor, upper: Tensor
    ) -> None:
        """Narrow a box in place to the roomiest side on which the start avoids a combination."""
        sides: list[tuple[float, int, float, bool]] = []
        for name, condition in forbidden.conditions.items():
            column, value = self._column(name), float(start[self._column(name)])
            factor = self._factor(name)
            if isinstance(factor, CategoricalFactor):
                if factor.levels[round(value)] not in condition:
                    return
                continue
            low, high = (None if isinstance(end, str) else end for end in condition)
            if low is not None and value <= (end := self.encoded_value(name, low)) + 1e-9:
                sides.append((end - value, column, end, True))
            if high is not None and value >= (end := self.encoded_value(name, high)) - 1e-9:
                sides.append((value - end, column, end, False))
        if not sides:
            return
        if any(column in self.frozen for _, column, _, _ in sides):
            return
        _, column, end, is_below = max(sides)
        if is_below:
            upper[column] = min(float(upper[column]), max(end, float(start[column])))
        else:
            lower[column] = max(float(lower[column]), min(end, float(start[column])))

    def _leave_out(
        self, factors: tuple[str, ...], start: Tensor, lower: Tensor, upper: Tensor
    ) -> None:
        """Freeze in place, at zero, the factors that the start leaves out."""
        for name in factors:
            column, zero = self._column(name), self.encoded_value(name, 0.0)
            if abs(float(start[column]) - zero) <= 1e-9:
                lower[column] = upper[column] = start[column]


def narrowed(space: FactorSpace, fixed: Mapping[str, Value]) -> FactorSpace:
    """Return the factor space with factors held at one setting.

    Raises:
        UnknownNameError: If there is no such factor.
        InvalidValueError: If a factor is not one that is searched, or cannot be set so.
        InfeasibleSpaceError: If the other constraints allow no setting there.
    """
    held: list[Constraint] = []
    for name, value in fixed.items():
        factor = space.factor(name)
        if name not in space.names:
            raise InvalidValueError(
                f"'{name}' cannot be fixed: it is recorded, not set. Fix one of {space.names}."
            )
        if isinstance(factor, CategoricalFactor):
            if value not in factor.levels:
                raise InvalidValueError(
                    f"'{name}' is fixed at {value!r}, which is not one of its levels "
                    f"{list(factor.levels)}."
                )
            others = tuple(level for level in factor.levels if level != value)
            held.append(ForbiddenCombination({name: others}))
        else:
            held.append(LinearConstraint({name: 1.0}, equals=check_number(value, f"Fixed {name}")))
    return FactorSpace(space.factors, (*space.constraints, *held), space.mixture_total)


def _is_log(factor: SearchedFactor) -> bool:
    return getattr(factor, "scale", "linear") == "log"
