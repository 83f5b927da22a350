"""Where a surrogate may be believed: the one definition of extrapolation for every use."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.factors import CategoricalFactor
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

RANGE_TOLERANCE = 1e-9  # of the studied range
CONSTRAINT_TOLERANCE = 1e-6  # achieved settings meet a sum only as well as they were weighed

Studied = tuple[float, float] | tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ApplicabilityDomain:
    """The studied ranges, the constraints, and a distance from the runs.

    Not the convex hull of the runs, which in eight factors holds next to nothing.

    Attributes:
        space: The factor space, for its constraints.
        runs: Settings of the runs learned from, a column per searched factor.
        distance: What the distance is, such as ``kernel distance``.
        limit: A setting whose distance is larger extrapolates.
        meaning: What the limit means, in a sentence.
    """

    space: FactorSpace
    runs: "pd.DataFrame"
    distance: str
    limit: float
    meaning: str

    @cached_property
    def studied(self) -> Mapping[str, Studied]:
        """The studied range of each factor, or the levels with at least one run.

        It is what the runs span: axial runs widen it beyond the factorial range of a design, and
        a factor's allowed range may be wider than both.
        """
        ranges: dict[str, Studied] = {}
        for factor in self.space.searched:
            column = self.runs[factor.name]
            if isinstance(factor, CategoricalFactor):
                seen = set(column)
                ranges[factor.name] = tuple(level for level in factor.levels if level in seen)
            else:
                values = column.to_numpy(dtype=np.float64)
                ranges[factor.name] = (float(values.min()), float(values.max()))
        return ranges

    def outside(self, settings: "pd.DataFrame", distance: FloatArray) -> BoolArray:
        """Return which settings extrapolate.

        Args:
            settings: Settings in natural units, one row each.
            distance: The surrogate's distance of each from the runs, shape ``(n_settings,)``.
        """
        beyond = np.asarray(distance > self.limit, dtype=np.bool_)
        for name in self.space.names:
            beyond |= self._beyond(name, settings)
        for constraint in self.space.all_constraints:
            beyond |= ~constraint.holds(settings, tolerance=CONSTRAINT_TOLERANCE)
        return beyond

    def reasons(
        self, settings: "pd.DataFrame", distance: FloatArray
    ) -> tuple[tuple[str, ...], ...]:
        """Return for each setting why it extrapolates, in words; empty where it does not."""
        found: list[list[str]] = [[] for _ in range(len(settings))]
        for name in self.space.names:
            for row in np.flatnonzero(self._beyond(name, settings)):
                found[row].append(
                    f"{name} {_text(settings[name].iloc[row])} was not studied: "
                    f"the runs have {self._studied_text(name)}"
                )
        for constraint in self.space.all_constraints:
            broken = ~constraint.holds(settings, tolerance=CONSTRAINT_TOLERANCE)
            for row in np.flatnonzero(broken):
                found[row].append(f"breaks {constraint.sentence()}")
        for row in np.flatnonzero(distance > self.limit):
            found[row].append(f"{self.distance} {distance[row]:.2f} exceeds {self.limit:g}")
        return tuple(tuple(row) for row in found)

    def _beyond(self, name: str, settings: "pd.DataFrame") -> BoolArray:
        studied = self.studied[name]
        column = settings[name]
        if all(isinstance(end, str) for end in studied):
            return np.asarray(~column.isin(list(studied)), dtype=np.bool_)
        low, high = (float(end) for end in studied)
        margin = RANGE_TOLERANCE * max(high - low, abs(low), abs(high))
        values = column.to_numpy(dtype=np.float64)
        return np.asarray((values < low - margin) | (values > high + margin), dtype=np.bool_)

    def _studied_text(self, name: str) -> str:
        studied = self.studied[name]
        if all(isinstance(end, str) for end in studied):
            return ", ".join(str(level) for level in studied)
        return f"{studied[0]:g} to {studied[1]:g}"


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
