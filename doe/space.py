"""The factor space: which settings may be asked for, in natural and in coded units."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.coding import coded_column, is_within, natural_column, numbers_of, size_of
from doe.constraints import Constraint, LinearConstraint, check_constraint
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
            check_constraint(constraint, self.searched)
        if self.all_constraints:
            from doe.feasible.feasibility import check_feasible

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
            inside &= is_within(factor, settings[factor.name])
        sizes = self.sizes(settings)
        for constraint in self.all_constraints:
            inside &= constraint.holds(settings, sizes=sizes)
        return inside

    def on_steps(self, settings: "pd.DataFrame") -> BoolArray:
        """Return which rows the equipment can set: every stepped factor is on its grid."""
        self.check_columns(settings)
        possible = np.ones(len(settings), dtype=np.bool_)
        for factor in self.searched:
            if isinstance(factor, ContinuousFactor | MixtureComponent) and factor.step is not None:
                position = (numbers_of(settings[factor.name]) - factor.low) / factor.step
                possible &= np.abs(position - np.round(position)) < 1e-6
        return possible

    def faults(self, settings: "pd.DataFrame") -> tuple[tuple[str, ...], ...]:
        """Return for each row what is wrong with it, in words; empty for allowed rows."""
        self.check_columns(settings)
        found: list[list[str]] = [[] for _ in range(len(settings))]
        for factor in self.searched:
            for row in np.flatnonzero(~is_within(factor, settings[factor.name])):
                value = settings[factor.name].iloc[row]
                found[row].append(f"{_setting_text(factor, value)}, {_range_text(factor)}")
        sizes = self.sizes(settings)
        for constraint in self.all_constraints:
            for row in np.flatnonzero(~constraint.holds(settings, sizes=sizes)):
                found[row].append(f"breaks {constraint.sentence()}")
        return tuple(tuple(row) for row in found)

    def to_coded(self, settings: "pd.DataFrame") -> "pd.DataFrame":
        """Return settings in coded units, columns in the order of the factors.

        Raises:
            InvalidValueError: If a factor's column is missing, or holds no numbers.
        """
        import pandas as pd

        self.check_columns(settings)
        total = self.mixture_total
        columns = {f.name: coded_column(f, settings[f.name], total) for f in self.searched}
        return pd.DataFrame(columns, index=settings.index)

    def to_natural(self, coded: "pd.DataFrame") -> "pd.DataFrame":
        """Return coded settings in natural units; the inverse of ``to_coded``.

        Raises:
            InvalidValueError: If a factor's column is missing, or holds no numbers.
        """
        import pandas as pd

        self.check_columns(coded)
        total = self.mixture_total
        columns = {f.name: natural_column(f, coded[f.name], total) for f in self.searched}
        return pd.DataFrame(columns, index=coded.index)

    def sample(self, n_runs: int, *, rng: np.random.Generator) -> "pd.DataFrame":
        """Draw allowed settings, spread over the whole allowed region.

        Steps are respected; see ``doe.feasible.sampling`` for the method and what uniform means.

        Raises:
            InvalidValueError: If ``n_runs`` is not positive.
            InfeasibleSpaceError: If no allowed settings can be found.
        """
        from doe.feasible.sampling import sample

        return sample(self, n_runs, rng=rng)

    def project(self, settings: "pd.DataFrame") -> "pd.DataFrame":
        """Return the nearest settings that the equipment can set and every constraint allows.

        Nearness is the sum over factors of the change in coded units.

        Raises:
            InfeasibleSpaceError: If a row has no allowed neighbour that could be found.
        """
        from doe.feasible.projection import project

        return project(self, settings)

    def sizes(self, settings: "pd.DataFrame") -> dict[str, FloatArray]:
        """Return how large each numeric factor's settings are, shape ``(n_rows,)`` each.

        Constraints judge rounding error by it.
        """
        return {
            factor.name: size_of(factor, numbers_of(settings[factor.name]))
            for factor in self.searched
            if not isinstance(factor, CategoricalFactor)
        }

    def check_columns(self, settings: "pd.DataFrame") -> None:
        """Refuse a table that lacks a factor, or holds text where a number belongs.

        Raises:
            InvalidValueError: With the columns that are wrong.
        """
        import pandas as pd

        if not isinstance(settings, pd.DataFrame):
            raise InvalidValueError(
                f"Settings must be a table (a pandas DataFrame), got {type(settings).__name__}."
            )
        columns = list(settings.columns)
        missing = [name for name in self.names if name not in columns]
        if missing:
            raise InvalidValueError(
                f"Settings lack the factors {missing}; the columns are "
                f"{list(map(str, columns))}: add or rename them."
            )
        for factor in self.searched:
            if columns.count(factor.name) > 1:
                raise InvalidValueError(
                    f"Settings have several columns '{factor.name}': keep one of them."
                )
            if not isinstance(factor, CategoricalFactor):
                _check_numbers(settings[factor.name])


def _check_numbers(column: "pd.Series[Any]") -> None:
    from pandas.api.types import is_bool_dtype, is_complex_dtype, is_numeric_dtype

    kind = column.dtype
    if is_numeric_dtype(kind) and not is_bool_dtype(kind) and not is_complex_dtype(kind):
        return
    for value in column:
        if not isinstance(value, int | float | np.number) or isinstance(value, bool | np.bool_):
            raise InvalidValueError(
                f"Factor '{column.name}' must hold numbers, got {value!r}: correct the cell."
            )


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
    for component in space.mixture:
        if component.high > space.mixture_total * (1 + 1e-9):
            raise InvalidValueError(
                f"Component '{component.name}' may be at most {component.high:g} "
                f"{component.unit}".rstrip()
                + f", more than the {space.mixture_total:g} that the mixture adds up to: set "
                "mixture_total=100 for shares in percent, or lower its high."
            )


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
