"""The box that factors were studied in, and settings within it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

import numpy as np

from doe.arrays import FloatArray
from doe.errors import InvalidValueError
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
    SearchedFactor,
    Value,
)
from doe.space import FactorSpace
from surrogates.domain import ApplicabilityDomain
from surrogates.surrogate import SurrogateSet

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class FactorRanges:
    """The part of the studied range that every surrogate of a set has seen.

    Attributes:
        space: The factor space.
        ranges: By factor: low and high, or the levels.
        middles: By factor: the middle of its range, or the level with most runs.
    """

    space: FactorSpace
    ranges: Mapping[str, tuple[float, float] | tuple[str, ...]]
    middles: Mapping[str, Value]

    @classmethod
    def studied(cls, surrogate_set: SurrogateSet) -> "FactorRanges":
        """Return the ranges that the runs of all surrogates of the set have in common.

        Raises:
            InvalidValueError: If two surrogates were studied in ranges that do not meet.
        """
        domains = [surrogate.domain for surrogate in surrogate_set.surrogates.values()]
        ranges: dict[str, tuple[float, float] | tuple[str, ...]] = {}
        for factor in surrogate_set.space.searched:
            parts = [domain.studied[factor.name] for domain in domains]
            if isinstance(factor, CategoricalFactor):
                shared = [lv for lv in factor.levels if all(lv in part for part in parts)]
                ranges[factor.name] = tuple(shared)
            else:
                low = max(float(part[0]) for part in parts)
                high = min(float(part[1]) for part in parts)
                ranges[factor.name] = (low, high) if low <= high else ()
            if not ranges[factor.name]:
                raise InvalidValueError(
                    f"The responses were not studied at common settings of '{factor.name}': there "
                    "is no range to compare them over."
                )
        middles = {
            f.name: _middle(f, ranges[f.name], domains) for f in surrogate_set.space.searched
        }
        return cls(surrogate_set.space, ranges, middles)

    @property
    def names(self) -> tuple[str, ...]:
        """The factors that were varied."""
        return tuple(name for name in self.space.names if len(set(self.ranges[name])) > 1)

    @property
    def unvaried(self) -> tuple[str, ...]:
        """The factors that had one setting in all runs."""
        return tuple(name for name in self.space.names if name not in self.names)

    def text(self, name: str) -> str:
        """Return the range of a factor in words."""
        ends = self.ranges[name]
        factor = next(f for f in self.space.searched if f.name == name)
        if isinstance(factor, CategoricalFactor):
            return ", ".join(str(level) for level in ends)
        return f"{ends[0]:g} to {ends[1]:g} {factor.unit}".rstrip()

    def ends(self, name: str) -> tuple[Value, ...]:
        """Return the low and high end of a numeric factor, or every level of a categorical one."""
        return self.ranges[name]

    def settings(self, places: FloatArray) -> "pd.DataFrame":
        """Return the settings at places in the unit cube of the varied factors.

        Others stay at their middle. Uniform places give uniform settings: on the logarithm where
        the scale is log, over the levels of discrete and categorical factors.

        Args:
            places: Shape ``(n_settings, n_varied_factors)``, from 0 to 1.
        """
        import pandas as pd

        columns: dict[str, Sequence[Value] | FloatArray] = {}
        for factor in self.space.searched:
            name = factor.name
            if name in self.names:
                column = places[:, self.names.index(name)]
                columns[name] = _values(factor, self.ranges[name], column)
            else:
                columns[name] = [self.middles[name]] * len(places)
        return pd.DataFrame(columns)

    def random(self, n_settings: int, *, rng: np.random.Generator) -> "pd.DataFrame":
        """Return settings drawn uniformly from the box."""
        return self.settings(rng.random((n_settings, len(self.names))))


def _values(
    factor: SearchedFactor, ends: tuple[float, float] | tuple[str, ...], places: FloatArray
) -> Sequence[Value] | FloatArray:
    match factor:
        case CategoricalFactor():
            levels = [str(level) for level in ends]
            index = np.minimum((places * len(levels)).astype(np.int64), len(levels) - 1)
            return [levels[i] for i in index]
        case DiscreteFactor(levels=numbers):
            inside = np.array([n for n in numbers if float(ends[0]) <= n <= float(ends[1])])
            index = np.minimum((places * len(inside)).astype(np.int64), len(inside) - 1)
            return np.asarray(inside[index], dtype=np.float64)
        case ContinuousFactor(scale="log"):
            low, high = np.log(float(ends[0])), np.log(float(ends[1]))
            return np.asarray(np.exp(low + (high - low) * places))
        case ContinuousFactor() | MixtureComponent():
            low, high = float(ends[0]), float(ends[1])
            return np.asarray(low + (high - low) * places)
        case _:
            assert_never(factor)


def _middle(
    factor: SearchedFactor,
    ends: tuple[float, float] | tuple[str, ...],
    domains: Sequence[ApplicabilityDomain],
) -> Value:
    if isinstance(factor, CategoricalFactor):
        counts = domains[0].runs[factor.name].value_counts()
        return max((str(level) for level in ends), key=lambda level: int(counts.get(level, 0)))
    middle = _values(factor, ends, np.array([0.5]))
    return float(middle[0])
