"""The one crossing from natural units to model inputs, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, assert_never

import numpy as np
import torch
from torch import Tensor

from doe.arrays import FloatArray
from doe.errors import InvalidValueError
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
    SearchedFactor,
)
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Encoding:
    """Searched factors as columns of a tensor, in the order of ``space.names``.

    Continuous and discrete factors go to 0 at ``low`` and 1 at ``high`` (on the logarithm where
    the scale is ``log``), mixture components likewise over their own range, categorical factors
    to the index of the level. Settings outside the range go beyond 0 and 1.
    """

    space: FactorSpace

    @property
    def n_columns(self) -> int:
        """How many searched factors there are."""
        return len(self.space.searched)

    @cached_property
    def numeric_columns(self) -> tuple[int, ...]:
        """The columns that hold numbers."""
        return tuple(
            i for i, f in enumerate(self.space.searched) if not isinstance(f, CategoricalFactor)
        )

    @cached_property
    def categorical_columns(self) -> Mapping[int, list[int]]:
        """The columns that hold a level's index, with the indices that occur."""
        return {
            i: list(range(len(factor.levels)))
            for i, factor in enumerate(self.space.searched)
            if isinstance(factor, CategoricalFactor)
        }

    @cached_property
    def discrete_columns(self) -> Mapping[int, list[float]]:
        """The columns of discrete factors, with the encoded values that occur."""
        found = {}
        for i, factor in enumerate(self.space.searched):
            if isinstance(factor, DiscreteFactor):
                levels = np.asarray(factor.levels, dtype=np.float64)
                low, width = _origin(factor)
                found[i] = [float(value) for value in (_scaled(factor, levels) - low) / width]
        return found

    @cached_property
    def bounds(self) -> Tensor:
        """The lowest and highest encoded value of each column, shape ``(2, n_columns)``."""
        high = [
            float(len(factor.levels) - 1) if isinstance(factor, CategoricalFactor) else 1.0
            for factor in self.space.searched
        ]
        return torch.tensor([[0.0] * self.n_columns, high], dtype=torch.float64)

    def encode(self, settings: "pd.DataFrame") -> Tensor:
        """Return settings in model units, a double tensor of shape ``(n_settings, n_columns)``.

        Raises:
            InvalidValueError: If a factor's column is missing, a cell is empty or holds text where
                a number belongs, or a level is not one of the factor's.
        """
        # The full check looks at every cell; columns of plain numbers need none.
        kinds = {f.name: isinstance(f, CategoricalFactor) for f in self.space.searched}
        if any(
            name not in settings or not (text or settings[name].dtype.kind in "fiu")
            for name, text in kinds.items()
        ):
            self.space.check_columns(settings)
        columns = [self._column(factor, settings) for factor in self.space.searched]
        return torch.from_numpy(np.stack(columns, axis=1))

    def decode(self, encoded: Tensor) -> "pd.DataFrame":
        """Return encoded settings in natural units; discrete and categorical ones to the nearest.

        Args:
            encoded: Shape ``(n_settings, n_columns)``.
        """
        import pandas as pd

        values = encoded.detach().cpu().numpy()
        columns: dict[str, Sequence[object] | FloatArray] = {}
        for i, factor in enumerate(self.space.searched):
            match factor:
                case CategoricalFactor(levels=levels):
                    index = np.clip(np.rint(values[:, i]), 0, len(levels) - 1)
                    columns[factor.name] = [levels[int(k)] for k in index]
                case DiscreteFactor(levels=numbers):
                    places = np.asarray(self.discrete_columns[i])
                    nearest = np.abs(values[:, i, None] - places).argmin(axis=1)
                    columns[factor.name] = np.asarray(numbers)[nearest]
                case ContinuousFactor() | MixtureComponent():
                    low, width = _origin(factor)
                    scaled = low + width * values[:, i]
                    columns[factor.name] = np.exp(scaled) if _is_log(factor) else scaled
                case _:
                    assert_never(factor)
        return pd.DataFrame(columns)

    def length(self, factor: str) -> float:
        """Return the natural length of one unit of a factor's column.

        It is the range of the factor, in its unit; in natural-log units on a log scale.
        """
        described = next(f for f in self.space.searched if f.name == factor)
        if isinstance(described, CategoricalFactor):
            raise InvalidValueError(f"'{factor}' is categorical: it has no length.")
        return _origin(described)[1]

    def _column(self, factor: SearchedFactor, settings: "pd.DataFrame") -> FloatArray:
        column = settings[factor.name]
        if column.isna().any():
            row = settings.index[column.isna()][0]
            raise InvalidValueError(f"Row {row!r} has no setting of '{factor.name}': fill it in.")
        if isinstance(factor, CategoricalFactor):
            index = {level: float(i) for i, level in enumerate(factor.levels)}
            unknown = [level for level in column if level not in index]
            if unknown:
                raise InvalidValueError(
                    f"'{unknown[0]}' is not a level of '{factor.name}', which has "
                    f"{', '.join(factor.levels)}."
                )
            return np.array([index[level] for level in column])
        values = column.to_numpy(dtype=np.float64)
        if not np.isfinite(values).all() or (_is_log(factor) and (values <= 0).any()):
            wrong = values[~np.isfinite(values) | (_is_log(factor) & (values <= 0))][0]
            raise InvalidValueError(
                f"'{factor.name}' is {wrong:g}; expected a finite number"
                f"{' above zero, since its scale is log' if _is_log(factor) else ''}."
            )
        low, width = _origin(factor)
        return np.asarray((_scaled(factor, values) - low) / width)


def _is_log(factor: SearchedFactor) -> bool:
    return isinstance(factor, ContinuousFactor | DiscreteFactor) and factor.scale == "log"


def _scaled(factor: SearchedFactor, values: FloatArray) -> FloatArray:
    return np.asarray(np.log(values) if _is_log(factor) else values)


def _origin(factor: ContinuousFactor | DiscreteFactor | MixtureComponent) -> tuple[float, float]:
    """Return where the column is zero and how long its unit is, on the factor's scale."""
    ends = _scaled(factor, np.array([factor.low, factor.high]))
    return float(ends[0]), float(ends[1] - ends[0])
