"""The factor space: which settings may be asked for, in natural and in coded units."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, assert_never

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.constraints import (
    TOLERANCE,
    CardinalityConstraint,
    Constraint,
    ExpressionConstraint,
    ForbiddenCombination,
    LinearConstraint,
)
from doe.errors import InvalidValueError, UnknownNameError
from doe.factors import (
    BlockFactor,
    CategoricalFactor,
    Context,
    ContinuousFactor,
    Covariate,
    DiscreteFactor,
    Factor,
    MixtureComponent,
    SearchedFactor,
    check_number,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FactorSpace:
    """The factors of a campaign and the constraints among them.

    Columns of every data frame are named by factor; numbers are in natural units unless a
    docstring says coded. Coded units are -1 at ``low`` and +1 at ``high`` for continuous and
    discrete factors (on the logarithm where the scale is ``log``), the share of the total for
    mixture components, and the level itself for categorical factors.

    Attributes:
        factors: What is varied, and what is recorded beside it.
        constraints: What combinations are allowed.
        mixture_total: What the mixture components add up to, in their unit (1 or 100).

    Raises:
        InvalidValueError: If names repeat, or a constraint does not fit the factors.
        InfeasibleSpaceError: If no setting meets every constraint; names those that clash.
    """

    factors: tuple[Factor, ...]
    constraints: tuple[Constraint, ...] = ()
    mixture_total: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", tuple(self.factors))
        object.__setattr__(self, "constraints", tuple(self.constraints))
        object.__setattr__(self, "mixture_total", check_number(self.mixture_total, "mixture_total"))
        _check_names(self.factors)
        if not self.searched:
            raise InvalidValueError(
                "A factor space needs at least one factor to vary: add a continuous, discrete or "
                "categorical factor, or mixture components."
            )
        _check_mixture(self)
        for constraint in self.constraints:
            _check_constraint(self, constraint)
        if self.all_constraints:
            from doe.feasibility import check_feasible

            check_feasible(self)

    @cached_property
    def searched(self) -> tuple[SearchedFactor, ...]:
        """The factors that a design or a recommendation sets."""
        kinds = (ContinuousFactor, DiscreteFactor, CategoricalFactor, MixtureComponent)
        return tuple(factor for factor in self.factors if isinstance(factor, kinds))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the searched factors, in order."""
        return tuple(factor.name for factor in self.searched)

    @cached_property
    def blocks(self) -> tuple[BlockFactor, ...]:
        """The groups of runs that share something uncontrolled."""
        return tuple(factor for factor in self.factors if isinstance(factor, BlockFactor))

    @cached_property
    def covariates(self) -> tuple[Covariate, ...]:
        """What is recorded on a run and not set."""
        return tuple(factor for factor in self.factors if isinstance(factor, Covariate))

    @cached_property
    def contexts(self) -> tuple[Context, ...]:
        """Where or on what runs are done."""
        return tuple(factor for factor in self.factors if isinstance(factor, Context))

    @cached_property
    def mixture(self) -> tuple[MixtureComponent, ...]:
        """The components that add up to ``mixture_total``."""
        return tuple(factor for factor in self.factors if isinstance(factor, MixtureComponent))

    @cached_property
    def all_constraints(self) -> tuple[Constraint, ...]:
        """The constraints together with the sum of the mixture components."""
        if not self.mixture:
            return self.constraints
        total = LinearConstraint({c.name: 1.0 for c in self.mixture}, equals=self.mixture_total)
        return (total, *self.constraints)

    def factor(self, name: str) -> Factor:
        """Return the factor of this name.

        Raises:
            UnknownNameError: If there is none.
        """
        for factor in self.factors:
            if factor.name == name:
                return factor
        raise UnknownNameError(
            f"No factor is called '{name}'; the factors are {[f.name for f in self.factors]}."
        )

    def contains(self, settings: "pd.DataFrame") -> BoolArray:
        """Return which rows are within every range and meet every constraint.

        Steps are not asked for: an achieved setting lies between them. See ``on_steps``.

        Raises:
            InvalidValueError: If a factor's column is missing, or holds no numbers.
        """
        self.check_columns(settings)
        inside = np.ones(len(settings), dtype=np.bool_)
        for factor in self.searched:
            inside &= _within(factor, settings)
        # A constraint on a row that is outside its ranges may be undefined; order matters not.
        for constraint in self.all_constraints:
            inside &= constraint.holds(settings)
        return inside

    def on_steps(self, settings: "pd.DataFrame") -> BoolArray:
        """Return which rows the equipment can set: every stepped factor is on its grid."""
        self.check_columns(settings)
        possible = np.ones(len(settings), dtype=np.bool_)
        for factor in self.searched:
            if isinstance(factor, ContinuousFactor | MixtureComponent) and factor.step is not None:
                position = (settings[factor.name].to_numpy(np.float64) - factor.low) / factor.step
                possible &= np.abs(position - np.round(position)) < 1e-6
        return possible

    def faults(self, settings: "pd.DataFrame") -> tuple[tuple[str, ...], ...]:
        """Return for each row what is wrong with it, in words; empty for allowed rows."""
        self.check_columns(settings)
        found: list[list[str]] = [[] for _ in range(len(settings))]
        for factor in self.searched:
            for row in np.flatnonzero(~_within(factor, settings)):
                value = settings[factor.name].iloc[row]
                found[row].append(f"{_setting_text(factor, value)}, {_range_text(factor)}")
        for constraint in self.all_constraints:
            for row in np.flatnonzero(~constraint.holds(settings)):
                found[row].append(f"breaks {constraint.sentence()}")
        return tuple(tuple(row) for row in found)

    def to_coded(self, settings: "pd.DataFrame") -> "pd.DataFrame":
        """Return settings in coded units, columns in the order of the factors.

        Raises:
            InvalidValueError: If a factor's column is missing, or holds no numbers.
        """
        import pandas as pd

        self.check_columns(settings)
        columns = {f.name: _coded(f, settings, self.mixture_total) for f in self.searched}
        return pd.DataFrame(columns, index=settings.index)

    def to_natural(self, coded: "pd.DataFrame") -> "pd.DataFrame":
        """Return coded settings in natural units; the inverse of ``to_coded``.

        Raises:
            InvalidValueError: If a factor's column is missing, or holds no numbers.
        """
        import pandas as pd

        self.check_columns(coded)
        columns = {f.name: _natural(f, coded, self.mixture_total) for f in self.searched}
        return pd.DataFrame(columns, index=coded.index)

    def sample(self, n_runs: int, *, rng: np.random.Generator) -> "pd.DataFrame":
        """Draw allowed settings, spread over the whole allowed region.

        Steps are respected; see ``doe.sampling`` for the method and what uniform means.

        Raises:
            InvalidValueError: If ``n_runs`` is not positive.
            InfeasibleSpaceError: If no allowed settings can be found.
        """
        from doe.sampling import sample

        return sample(self, n_runs, rng=rng)

    def project(self, settings: "pd.DataFrame") -> "pd.DataFrame":
        """Return the nearest settings that the equipment can set and every constraint allows.

        Nearness is the sum over factors of the change in coded units.

        Raises:
            InfeasibleSpaceError: If a row has no allowed neighbour that could be found.
        """
        from doe.projection import project

        return project(self, settings)

    def check_columns(self, settings: "pd.DataFrame") -> None:
        """Refuse a table that lacks a factor, or holds text where a number belongs.

        Raises:
            InvalidValueError: With the columns that are wrong.
        """
        missing = [name for name in self.names if name not in settings.columns]
        if missing:
            raise InvalidValueError(
                f"Settings lack the factors {missing}; the columns are "
                f"{list(map(str, settings.columns))}: add or rename them."
            )
        for factor in self.searched:
            if isinstance(factor, CategoricalFactor):
                continue
            wrong = [value for value in settings[factor.name] if not _is_number(value)]
            if wrong:
                raise InvalidValueError(
                    f"Factor '{factor.name}' must hold numbers, got {wrong[0]!r}: correct the cell."
                )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_)


def _check_names(factors: Sequence[Factor]) -> None:
    seen: set[str] = set()
    for factor in factors:
        if not isinstance(factor, Factor):
            raise InvalidValueError(f"{factor!r} is not a factor: use one of the factor classes.")
        for name in (factor.name, *factor.aliases):
            if name in seen:
                raise InvalidValueError(
                    f"The name '{name}' is used twice among factors and aliases: rename one."
                )
            seen.add(name)
    blocks = {factor.name for factor in factors if isinstance(factor, BlockFactor)}
    for factor in factors:
        if isinstance(factor, BlockFactor) and factor.nested_in not in {None, *blocks}:
            raise InvalidValueError(
                f"Block factor '{factor.name}' is nested in '{factor.nested_in}', which is not a "
                f"block factor; those are {sorted(blocks)}."
            )


def _check_mixture(space: FactorSpace) -> None:
    if not space.mixture:
        return
    if len(space.mixture) < 2:
        raise InvalidValueError(
            f"A mixture needs two or more components, got only '{space.mixture[0].name}': add the "
            "rest (water, buffer) or make it a continuous factor."
        )
    units = {component.unit for component in space.mixture}
    if len(units) > 1:
        raise InvalidValueError(f"Mixture components have different units {sorted(units)}.")
    if space.mixture_total <= 0:
        raise InvalidValueError(f"mixture_total must be positive, got {space.mixture_total:g}.")


def _check_constraint(space: FactorSpace, constraint: Constraint) -> None:
    searched = {factor.name: factor for factor in space.searched}
    for name in constraint.factors:
        if name not in searched:
            raise InvalidValueError(
                f"Constraint '{constraint.sentence()}' names '{name}', which is not a factor that "
                f"is varied; those are {list(searched)}."
            )
    match constraint:
        case LinearConstraint() | ExpressionConstraint() | CardinalityConstraint():
            for name in constraint.factors:
                if isinstance(searched[name], CategoricalFactor):
                    raise InvalidValueError(
                        f"Constraint '{constraint.sentence()}' computes with '{name}', which is "
                        "categorical: use a forbidden combination."
                    )
                factor = searched[name]
                if isinstance(constraint, CardinalityConstraint) and not (
                    not isinstance(factor, CategoricalFactor) and factor.low <= 0 <= factor.high
                ):
                    raise InvalidValueError(
                        f"Constraint '{constraint.sentence()}': the range of '{name}' does not "
                        "include zero, so it can never be left out."
                    )
        case ForbiddenCombination(conditions):
            for name, condition in conditions.items():
                factor = searched[name]
                levels = [item for item in condition if isinstance(item, str)]
                if isinstance(factor, CategoricalFactor) != bool(levels):
                    expected = "levels" if isinstance(factor, CategoricalFactor) else "a range"
                    raise InvalidValueError(
                        f"Constraint '{constraint.sentence()}': '{name}' needs {expected}."
                    )
                if isinstance(factor, CategoricalFactor):
                    unknown = sorted(set(levels) - set(factor.levels))
                    if unknown:
                        raise InvalidValueError(
                            f"Constraint '{constraint.sentence()}': {unknown} are not levels of "
                            f"'{name}', which has {list(factor.levels)}."
                        )
        case _:
            assert_never(constraint)


def _within(factor: SearchedFactor, settings: "pd.DataFrame") -> BoolArray:
    column = settings[factor.name]
    match factor:
        case CategoricalFactor(levels=levels):
            return np.asarray(column.isin(list(levels)), dtype=np.bool_)
        case DiscreteFactor(levels=levels):
            values = column.to_numpy(dtype=np.float64)[:, None]
            allowed = np.asarray(levels)[None, :]
            margin = TOLERANCE * np.maximum(1.0, np.abs(allowed))
            return np.asarray((np.abs(values - allowed) <= margin).any(axis=1), dtype=np.bool_)
        case ContinuousFactor(low=low, high=high) | MixtureComponent(low=low, high=high):
            values = column.to_numpy(dtype=np.float64)
            margin = TOLERANCE * max(1.0, abs(low), abs(high))
            return np.asarray((values >= low - margin) & (values <= high + margin), dtype=np.bool_)
        case _:
            assert_never(factor)


def _coded(factor: SearchedFactor, settings: "pd.DataFrame", total: float) -> "Sequence[object]":
    column = settings[factor.name]
    match factor:
        case CategoricalFactor():
            return list(column)
        case MixtureComponent():
            return list(column.to_numpy(dtype=np.float64) / total)
        case ContinuousFactor() | DiscreteFactor():
            middle, half = _centre(factor)
            values = column.to_numpy(dtype=np.float64)
            with np.errstate(invalid="ignore", divide="ignore"):
                scaled = np.log(values) if factor.scale == "log" else values
            return list((scaled - middle) / half)
        case _:
            assert_never(factor)


def _natural(factor: SearchedFactor, coded: "pd.DataFrame", total: float) -> "Sequence[object]":
    column = coded[factor.name]
    match factor:
        case CategoricalFactor():
            return list(column)
        case MixtureComponent():
            return list(column.to_numpy(dtype=np.float64) * total)
        case ContinuousFactor() | DiscreteFactor():
            middle, half = _centre(factor)
            scaled: FloatArray = middle + half * column.to_numpy(dtype=np.float64)
            return list(np.exp(scaled) if factor.scale == "log" else scaled)
        case _:
            assert_never(factor)


def _centre(factor: ContinuousFactor | DiscreteFactor) -> tuple[float, float]:
    low, high = factor.low, factor.high
    if factor.scale == "log":
        low, high = float(np.log(low)), float(np.log(high))
    return (low + high) / 2, (high - low) / 2


def _setting_text(factor: SearchedFactor, value: object) -> str:
    if isinstance(factor, CategoricalFactor):
        return f"{factor.name} is '{value}'"
    return f"{factor.name} is {value} {factor.unit}".rstrip()


def _range_text(factor: SearchedFactor) -> str:
    match factor:
        case CategoricalFactor(levels=levels):
            return f"expected one of {', '.join(levels)}"
        case DiscreteFactor(levels=levels):
            return f"expected one of {', '.join(f'{level:g}' for level in levels)}"
        case ContinuousFactor(low=low, high=high) | MixtureComponent(low=low, high=high):
            return f"expected {low:g} to {high:g}"
        case _:
            assert_never(factor)
