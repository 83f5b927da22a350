"""The settings that an exchange tries in place of others, and whether these are allowed.

Settings are numbers here: coded units, and the place of a categorical factor's level.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.coding import NumericFactor, coded_values, natural_values, size_of
from doe.constraints import Constraint, LinearConstraint
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
    SearchedFactor,
)
from doe.rounding import grid_values, number_of_steps
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# Coarse settings of a continuous factor: ends, middle, quarters.
_COARSE = np.linspace(-1.0, 1.0, 5)
# A factor with more steps than this is searched on a coarser grid of its steps.
_MAX_STEPS = 2_000
_MAX_ALL_LEVELS = 11
_MAX_POOL = 30
_ON_STEP = 1e-6
_N_PARTS = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """Settings that may replace others.

    Attributes:
        places: The factors that change.
        tried: What they change to, shape ``(n_starts, n_candidates, n_changed)``.
        kept: Equations that stay met, however the settings change.
    """

    places: tuple[int, ...]
    tried: FloatArray
    kept: tuple[Constraint, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """What each factor may be set to.

    Attributes:
        space: The factors.
        values: For each factor the coded values that the equipment can set, ascending; None where
            every value is possible.
        pool: Allowed settings of all factors, shape ``(n_pool, n_factors)``.
    """

    space: FactorSpace
    values: tuple[FloatArray | None, ...]
    pool: FloatArray

    def moves(
        self,
        names: Sequence[str],
        current: FloatArray,
        reach: Sequence[float] | None,
        *,
        rng: np.random.Generator,
    ) -> Iterator[Moves]:
        """Return what may replace settings of the factors that are set together.

        Factors of an equation move in pairs, so that it stays met; where there are constraints,
        settings of an allowed run are tried as a whole too.

        Args:
            names: The factors.
            current: Their settings and all others', shape ``(n_starts, n_factors)``.
            reach: How far to move in coded units; None for settings from the whole range.
            rng: Source of the runs that are tried.
        """
        places = tuple(self.space.names.index(name) for name in names)
        equations = self._equations()
        bound = {name for equation in equations for name in equation.factors}
        for place in places:
            if self.space.names[place] not in bound:
                yield Moves((place,), self._single(place, current[:, place], reach)[:, :, None])
        for equation in equations:
            inside = tuple(p for p in places if self.space.names[p] in equation.factors)
            if len(inside) > 1:
                yield Moves(inside, self._paired(inside, equation, current, reach), (equation,))
        if reach is None and self.space.all_constraints and len(places) > 1:
            chosen = rng.permutation(len(self.pool))[:_MAX_POOL]
            tried = self.pool[chosen][:, places]
            yield Moves(
                places, np.broadcast_to(tried, (len(current), *tried.shape)), self.within(places)
            )

    def within(self, places: Sequence[int]) -> tuple[Constraint, ...]:
        """Return the equations of which all factors are among these."""
        names = {self.space.names[place] for place in places}
        return tuple(e for e in self._equations() if names.issuperset(e.factors))

    def allowed(
        self, settings: FloatArray, changed: Sequence[int], kept: Sequence[Constraint] = ()
    ) -> BoolArray:
        """Return which settings meet the constraints on the factors that changed.

        Args:
            settings: Shape ``(..., n_factors)``.
            changed: Places of the factors that changed.
            kept: Constraints that are met for sure.
        """
        import pandas as pd

        shape = settings.shape[:-1]
        inside = np.ones(int(np.prod(shape)), dtype=np.bool_)
        names = {self.space.names[place] for place in changed}
        concerned = [
            constraint
            for constraint in self.space.all_constraints
            if names.intersection(constraint.factors) and constraint not in kept
        ]
        if not concerned:
            return inside.reshape(shape)
        involved = dict.fromkeys(name for c in concerned for name in c.factors)
        flat = settings.reshape(-1, settings.shape[-1])
        columns = {name: self._natural(name, flat) for name in involved}
        table = pd.DataFrame(columns)
        sizes = {
            factor.name: size_of(factor, np.asarray(columns[factor.name], dtype=np.float64))
            for factor in self.space.searched
            if factor.name in involved and not isinstance(factor, CategoricalFactor)
        }
        for constraint in concerned:
            inside &= constraint.holds(table, sizes=sizes)
        return inside.reshape(shape)

    def natural_table(self, settings: FloatArray) -> "pd.DataFrame":
        """Return settings of shape ``(n_rows, n_factors)`` in natural units, steps aside."""
        import pandas as pd

        return pd.DataFrame({name: self._natural(name, settings) for name in self.space.names})

    def random(self, count: int, *, rng: np.random.Generator) -> FloatArray:
        """Return settings drawn from each factor's coarse values, shape ``(count, n_factors)``."""
        columns = [rng.choice(self._coarse(place), count) for place in range(len(self.values))]
        return np.column_stack(columns)

    def _natural(self, name: str, settings: FloatArray) -> "NDArray[Any]":
        place = self.space.names.index(name)
        factor = self.space.searched[place]
        if isinstance(factor, CategoricalFactor):
            return np.array(factor.levels, dtype=np.object_)[settings[:, place].astype(np.int64)]
        return natural_values(factor, settings[:, place], self.space.mixture_total)

    def _equations(self) -> tuple[LinearConstraint, ...]:
        return tuple(
            constraint
            for constraint in self.space.all_constraints
            if isinstance(constraint, LinearConstraint) and constraint.equals is not None
        )

    def _coarse(self, place: int) -> FloatArray:
        values = self.values[place]
        if values is None:
            return _COARSE
        is_category = isinstance(self.space.searched[place], CategoricalFactor)
        if is_category or len(values) <= _MAX_ALL_LEVELS:
            return values
        return np.unique(_nearest(values, _COARSE))

    def _single(self, place: int, current: FloatArray, reach: Sequence[float] | None) -> FloatArray:
        """Return what a factor may move to, shape ``(n_starts, n_candidates)``."""
        values = self.values[place]
        is_category = isinstance(self.space.searched[place], CategoricalFactor)
        if reach is None or is_category or (values is not None and len(values) <= _MAX_ALL_LEVELS):
            coarse = self._coarse(place)
            return np.broadcast_to(coarse, (len(current), len(coarse)))
        steps = np.array([sign * far for far in reach for sign in (-1.0, 1.0)])
        moved = np.clip(current[:, None] + steps, -1.0, 1.0)
        # Three decimals of the half range: settings that people can read, and near enough.
        return np.round(moved, 3) if values is None else _nearest(values, moved)

    def _paired(
        self,
        inside: tuple[int, ...],
        equation: LinearConstraint,
        current: FloatArray,
        reach: Sequence[float] | None,
    ) -> FloatArray:
        """Return where two factors of an equation may move so that it stays met.

        Shape ``(n_starts, n_candidates, n_inside)``, the candidates of all pairs one after another.
        """
        parts: list[FloatArray] = []
        for one, other in combinations(range(len(inside)), 2):
            pair = (inside[one], inside[other])
            ends = self._pair(pair, equation, current, reach)
            moved = np.repeat(current[:, None, inside], ends.shape[1], axis=1)
            moved[:, :, [one, other]] = ends
            parts.append(moved)
        return np.concatenate(parts, axis=1)

    def _pair(
        self,
        pair: tuple[int, int],
        equation: LinearConstraint,
        current: FloatArray,
        reach: Sequence[float] | None,
    ) -> FloatArray:
        """Return where two factors may move together, shape ``(n_starts, n_candidates, 2)``."""
        one, other = (self.space.searched[place] for place in pair)
        assert not isinstance(one, CategoricalFactor)
        assert not isinstance(other, CategoricalFactor)
        weight, counter = equation.coefficients[one.name], equation.coefficients[other.name]
        if weight == 0 or counter == 0:
            return current[:, None, pair]
        total = self.space.mixture_total
        here = natural_values(one, current[:, pair[0]], total)
        there = natural_values(other, current[:, pair[1]], total)
        both = weight * here + counter * there
        ends = np.sort([(both - counter * end) / weight for end in (other.low, other.high)], axis=0)
        low, high = np.maximum(ends[0], one.low), np.minimum(ends[1], one.high)
        if reach is None:
            moved = low[:, None] + (high - low)[:, None] * (_COARSE + 1) / 2
        else:
            steps = np.array([sign * far for far in reach for sign in (-1.0, 1.0)])
            moved = here[:, None] + steps * (one.high - one.low) / 2
        moved = np.clip(_on_grid(one, moved), low[:, None], high[:, None])
        opposite = (both[:, None] - weight * moved) / counter
        settable = _is_settable(one, moved) & _is_settable(other, opposite)
        moved = np.where(settable, moved, here[:, None])
        opposite = np.where(settable, opposite, there[:, None])
        return np.stack(
            [coded_values(one, moved, total), coded_values(other, opposite, total)], axis=-1
        )


def coordinates_of(space: FactorSpace, pool: "pd.DataFrame") -> Coordinates:
    """Return what each factor may be set to, with a pool of allowed settings in natural units."""
    values = tuple(_settable(factor, space.mixture_total) for factor in space.searched)
    coded = space.to_coded(pool)
    columns = [
        np.array([factor.levels.index(level) for level in coded[factor.name]], dtype=np.float64)
        if isinstance(factor, CategoricalFactor)
        else coded[factor.name].to_numpy(dtype=np.float64)
        for factor in space.searched
    ]
    return Coordinates(space, values, np.column_stack(columns))


def _settable(factor: SearchedFactor, mixture_total: float) -> FloatArray | None:
    match factor:
        case CategoricalFactor(levels=levels):
            return np.arange(len(levels), dtype=np.float64)
        case DiscreteFactor(levels=numbers):
            return coded_values(factor, np.asarray(numbers), mixture_total)
        case ContinuousFactor(step=None) | MixtureComponent():
            return None
        case ContinuousFactor():
            last = number_of_steps(factor)
            stride = max(1, last // _MAX_STEPS)
            steps = np.unique(np.append(np.arange(0, last + 1, stride), last))
            return coded_values(factor, grid_values(factor, steps), mixture_total)
        case _:
            assert_never(factor)


def _nearest(values: FloatArray, wanted: FloatArray) -> FloatArray:
    """Return the nearest of ascending values, same shape as what is wanted."""
    above = np.clip(np.searchsorted(values, wanted), 1, len(values) - 1)
    is_lower = wanted - values[above - 1] <= values[above] - wanted
    return np.asarray(values[above - is_lower], dtype=np.float64)


def _on_grid(factor: NumericFactor, values: FloatArray) -> FloatArray:
    """Return the nearest settings on steps, or on thousandths of the range."""
    if isinstance(factor, DiscreteFactor):
        return _nearest(np.asarray(factor.levels), values)
    step = factor.step or (factor.high - factor.low) / _N_PARTS
    return np.asarray(factor.low + np.round((values - factor.low) / step) * step)


def _is_settable(factor: NumericFactor, values: FloatArray) -> BoolArray:
    """Return which settings are on the steps or levels of a factor, same shape."""
    if isinstance(factor, DiscreteFactor):
        apart = np.abs(values[..., None] - np.asarray(factor.levels)).min(axis=-1)
        return np.asarray(apart < _ON_STEP * (factor.high - factor.low))
    if factor.step is None:
        return np.ones(values.shape, dtype=np.bool_)
    position = (values - factor.low) / factor.step
    return np.asarray(np.abs(position - np.round(position)) < _ON_STEP)
