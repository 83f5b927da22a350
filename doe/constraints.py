"""Which combinations of settings are allowed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.coding import TOLERANCE, numbers_of
from doe.errors import InvalidValueError
from doe.expressions import parse_comparison
from doe.factors import CategoricalFactor, SearchedFactor, check_name, check_number, check_range

if TYPE_CHECKING:
    import pandas as pd

Range = tuple[float | None, float | None]
Condition = Range | tuple[str, ...]
# How large each factor's settings are (FactorSpace.sizes): what rounding error is measured by.
Sizes = Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True)
class LinearConstraint:
    """A weighted sum of numeric factors, in natural units, bounded or fixed.

    Attributes:
        coefficients: Weight of each factor.
        upper: The sum must not exceed it.
        lower: The sum must not fall below it.
        equals: The sum must equal it; excludes the other two.

    Raises:
        InvalidValueError: If there is no bound, or bounds contradict each other.
    """

    coefficients: Mapping[str, float] = field(hash=False)
    upper: float | None = field(default=None, kw_only=True)
    lower: float | None = field(default=None, kw_only=True)
    equals: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.coefficients, Mapping) or not self.coefficients:
            raise InvalidValueError("A linear constraint needs at least one coefficient.")
        coefficients = {
            name: check_number(value, f"Coefficient of '{name}'")
            for name, value in self.coefficients.items()
        }
        object.__setattr__(self, "coefficients", coefficients)
        if all(value == 0 for value in coefficients.values()):
            raise InvalidValueError(
                f"All coefficients of the constraint on {list(coefficients)} are zero."
            )
        for attribute in ("upper", "lower", "equals"):
            bound = getattr(self, attribute)
            if bound is not None:
                number = check_number(bound, f"Linear constraint {attribute}")
                object.__setattr__(self, attribute, number)
        bounded = self.upper is not None or self.lower is not None
        if bounded == (self.equals is not None):
            raise InvalidValueError(
                f"Linear constraint on {list(coefficients)} needs either equals, or upper and/or "
                f"lower; got upper={self.upper}, lower={self.lower}, equals={self.equals}."
            )
        if self.upper is not None and self.lower is not None:
            check_range(self.lower, self.upper, f"Linear constraint on {list(coefficients)}")

    @property
    def factors(self) -> tuple[str, ...]:
        """The factors that take part."""
        return tuple(self.coefficients)

    def slack(self, settings: "pd.DataFrame") -> FloatArray:
        """Return how far the sum is inside its bound, shape ``(n_rows,)``; negative outside."""
        total = np.zeros(len(settings))
        for name, coefficient in self.coefficients.items():
            total = total + coefficient * numbers_of(settings[name])
        if self.equals is not None:
            return np.asarray(-np.abs(total - self.equals))
        above = self.upper - total if self.upper is not None else np.inf
        below = total - self.lower if self.lower is not None else np.inf
        return np.asarray(np.minimum(above, below), dtype=np.float64)

    def holds(
        self,
        settings: "pd.DataFrame",
        *,
        tolerance: float = TOLERANCE,
        sizes: Sizes | None = None,
    ) -> BoolArray:
        """Return which rows meet the constraint.

        Args:
            settings: Natural units, a row per run.
            tolerance: Relative rounding error that is forgiven.
            sizes: What it is relative to, per factor; at least 1 where absent.
        """
        bounds = [b for b in (self.upper, self.lower, self.equals) if b is not None]
        size = np.full(len(settings), max(abs(bound) for bound in bounds))
        for name, coefficient in self.coefficients.items():
            size = np.maximum(size, abs(coefficient) * _size(settings, name, sizes))
        return np.asarray(self.slack(settings) >= -tolerance * size, dtype=np.bool_)

    def sentence(self) -> str:
        """Return the constraint as people write it."""
        parts = [
            f"{'-' if c < 0 else '+'} {'' if abs(c) == 1 else f'{abs(c):g} * '}{name}"
            for name, c in self.coefficients.items()
        ]
        total = " ".join(parts).removeprefix("+ ")
        if self.equals is not None:
            return f"{total} = {self.equals:g}"
        left = f"{self.lower:g} <= " if self.lower is not None and self.upper is not None else ""
        if self.upper is not None:
            return f"{left}{total} <= {self.upper:g}"
        return f"{total} >= {self.lower:g}"


@dataclass(frozen=True, slots=True)
class CardinalityConstraint:
    """At most so many of these factors may be different from zero.

    Attributes:
        factors: Numeric factors whose range includes zero.
        at_most: How many of them may be non-zero.

    Raises:
        InvalidValueError: If the count does not fit the number of factors.
    """

    factors: tuple[str, ...]
    at_most: int

    def __post_init__(self) -> None:
        if isinstance(self.factors, str):
            raise InvalidValueError(
                f"A cardinality constraint takes a list of factors, got the text '{self.factors}'."
            )
        factors = tuple(self.factors)
        for name in factors:
            check_name(name, "factor")
        object.__setattr__(self, "factors", factors)
        if len(set(factors)) < len(factors) or len(factors) < 2:
            raise InvalidValueError(
                f"A cardinality constraint needs two different factors, got {list(factors)}."
            )
        if isinstance(self.at_most, bool) or not isinstance(self.at_most, int):
            raise InvalidValueError(f"at_most must be a whole number, got {self.at_most!r}.")
        if not 1 <= self.at_most < len(factors):
            raise InvalidValueError(
                f"at_most {self.at_most} must be at least 1 and below the {len(factors)} factors."
            )

    def slack(self, settings: "pd.DataFrame") -> FloatArray:
        """Return how many more factors may be non-zero, shape ``(n_rows,)``."""
        return self._slack(settings, TOLERANCE, None)

    def holds(
        self,
        settings: "pd.DataFrame",
        *,
        tolerance: float = TOLERANCE,
        sizes: Sizes | None = None,
    ) -> BoolArray:
        """Return which rows have few enough non-zero factors; arguments as for the others."""
        return np.asarray(self._slack(settings, tolerance, sizes) >= 0, dtype=np.bool_)

    def _slack(self, settings: "pd.DataFrame", tolerance: float, sizes: Sizes | None) -> FloatArray:
        n_used = np.zeros(len(settings))
        for name in self.factors:
            used = np.abs(numbers_of(settings[name])) > tolerance * _size(settings, name, sizes)
            n_used = n_used + used
        return np.asarray(self.at_most - n_used, dtype=np.float64)

    def sentence(self) -> str:
        """Return the constraint as people write it."""
        return f"at most {self.at_most} of {', '.join(self.factors)} non-zero"


@dataclass(frozen=True, slots=True)
class ForbiddenCombination:
    """Settings that must not occur together.

    Attributes:
        conditions: For each factor an open range ``(low, high)`` with None for no end (a setting
            exactly on an end is allowed), or one or more levels of a categorical factor. A run is
            forbidden when it meets every condition.

    Raises:
        InvalidValueError: If a condition is neither a range nor levels.
    """

    conditions: Mapping[str, Condition] = field(hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.conditions, Mapping) or not self.conditions:
            raise InvalidValueError("A forbidden combination needs at least one condition.")
        conditions = {name: _condition(name, value) for name, value in self.conditions.items()}
        object.__setattr__(self, "conditions", conditions)

    @property
    def factors(self) -> tuple[str, ...]:
        """The factors that take part."""
        return tuple(self.conditions)

    def holds(
        self,
        settings: "pd.DataFrame",
        *,
        tolerance: float = TOLERANCE,
        sizes: Sizes | None = None,
    ) -> BoolArray:
        """Return which rows avoid the combination; arguments as for the others."""
        forbidden = np.ones(len(settings), dtype=np.bool_)
        for name, condition in self.conditions.items():
            forbidden &= _meets(settings, name, condition, tolerance, sizes)
        return ~forbidden

    def sentence(self) -> str:
        """Return the constraint as people write it."""
        parts = [_condition_text(name, condition) for name, condition in self.conditions.items()]
        return f"not ({' and '.join(parts)})"


@dataclass(frozen=True, slots=True)
class ExpressionConstraint:
    """A comparison of expressions of factors, such as ``feed_rate * duration <= 120``.

    Raises:
        ExpressionError: If the text is not a comparison that the grammar knows.
    """

    expression: str

    def __post_init__(self) -> None:
        if not parse_comparison(self.expression).names:
            raise InvalidValueError(
                f"Constraint '{self.expression}' names no factor: it would always or never hold."
            )

    @property
    def factors(self) -> tuple[str, ...]:
        """The factors that take part."""
        return parse_comparison(self.expression).names

    def slack(self, settings: "pd.DataFrame") -> FloatArray:
        """Return larger minus smaller side, shape ``(n_rows,)``; negative where it is not met."""
        return parse_comparison(self.expression).slack(_columns(settings, self.factors))

    def holds(
        self,
        settings: "pd.DataFrame",
        *,
        tolerance: float = TOLERANCE,
        sizes: Sizes | None = None,
    ) -> BoolArray:
        """Return which rows meet the comparison; arguments as for the others."""
        columns = _columns(settings, self.factors)
        met = parse_comparison(self.expression).holds(columns, tolerance=tolerance, sizes=sizes)
        return np.broadcast_to(met, (len(settings),)).copy()

    def sentence(self) -> str:
        """Return the constraint as people write it."""
        return self.expression


Constraint = LinearConstraint | CardinalityConstraint | ForbiddenCombination | ExpressionConstraint


def check_constraint(constraint: Constraint, factors: Sequence[SearchedFactor]) -> None:
    """Refuse a constraint that does not fit the factors that are varied.

    Raises:
        InvalidValueError: If it names another factor, or asks of one what its kind cannot give.
    """
    known = {factor.name: factor for factor in factors}
    what = f"Constraint '{constraint.sentence()}'"
    for name in constraint.factors:
        if name not in known:
            raise InvalidValueError(
                f"{what} names '{name}', which is not a factor that is varied; those are "
                f"{list(known)}: correct the name."
            )
    match constraint:
        case ForbiddenCombination(conditions):
            for name, condition in conditions.items():
                _check_condition(known[name], condition, what)
        case CardinalityConstraint() | LinearConstraint() | ExpressionConstraint():
            is_count = isinstance(constraint, CardinalityConstraint)
            for name in constraint.factors:
                _check_computed(known[name], what, may_be_zero=is_count)
        case _:
            assert_never(constraint)


def _check_computed(factor: SearchedFactor, what: str, *, may_be_zero: bool) -> None:
    if isinstance(factor, CategoricalFactor):
        raise InvalidValueError(
            f"{what} computes with '{factor.name}', which is categorical: use a forbidden "
            "combination."
        )
    if may_be_zero and not factor.low <= 0 <= factor.high:
        raise InvalidValueError(
            f"{what}: the range of '{factor.name}', {factor.low:g} to {factor.high:g}, does not "
            "include zero, so it can never be left out: widen it, or leave it out of the list."
        )


def _check_condition(factor: SearchedFactor, condition: Condition, what: str) -> None:
    levels = [item for item in condition if isinstance(item, str)]
    if not isinstance(factor, CategoricalFactor):
        if levels:
            raise InvalidValueError(
                f"{what}: '{factor.name}' is a number and needs a range (low, high), got {levels}."
            )
        return
    if not levels:
        raise InvalidValueError(
            f"{what}: '{factor.name}' is categorical and needs levels, got {condition}."
        )
    unknown = sorted(set(levels) - set(factor.levels))
    if unknown:
        raise InvalidValueError(
            f"{what}: {unknown} are not levels of '{factor.name}', which has "
            f"{list(factor.levels)}: correct them."
        )


def _columns(settings: "pd.DataFrame", names: Sequence[str]) -> dict[str, FloatArray]:
    return {name: numbers_of(settings[name]) for name in names}


def _size(settings: "pd.DataFrame", name: str, sizes: Sizes | None) -> FloatArray:
    if sizes is not None:
        return sizes[name]
    return np.maximum(1.0, np.abs(numbers_of(settings[name])))


def _condition(name: str, value: Any) -> Condition:
    check_name(name, "factor")
    what = f"Forbidden combination, condition on '{name}'"
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Sequence) or not value:
        raise InvalidValueError(f"{what}: expected (low, high) or levels, got {value!r}.")
    if all(isinstance(item, str) for item in value):
        return tuple(value)
    if len(value) != 2 or any(isinstance(item, str) for item in value):
        raise InvalidValueError(
            f"{what}: a range has a low and a high end, None for open; got {value!r}."
        )
    low, high = (None if v is None else check_number(v, what) for v in value)
    if low is None and high is None:
        raise InvalidValueError(f"{what}: a range open at both ends forbids every setting.")
    if low is not None and high is not None and low > high:
        raise InvalidValueError(f"{what}: low {low:g} is above high {high:g}: swap them.")
    return (low, high)


def _meets(
    settings: "pd.DataFrame",
    name: str,
    condition: Condition,
    tolerance: float,
    sizes: Sizes | None,
) -> BoolArray:
    if all(isinstance(item, str) for item in condition):
        return np.asarray(settings[name].isin(list(condition)), dtype=np.bool_)
    low, high = condition
    values = numbers_of(settings[name])
    margin = tolerance * _size(settings, name, sizes)
    inside = np.ones(len(values), dtype=np.bool_)
    one_point = low == high
    for end, sign in ((low, 1.0), (high, -1.0)):
        if end is None:
            continue
        # A range of one point forbids exactly that point; otherwise the ends are allowed.
        distance = sign * (values - float(end))
        inside &= distance >= -margin if one_point else distance > margin
    return inside


def _condition_text(name: str, condition: Condition) -> str:
    if all(isinstance(item, str) for item in condition):
        return f"{name} is {' or '.join(map(str, condition))}"
    low, high = condition
    if low is None:
        return f"{name} < {high:g}"
    if high is None:
        return f"{name} > {low:g}"
    return f"{name} = {low:g}" if low == high else f"{low:g} < {name} < {high:g}"
