"""Settings one step of the equipment, or one level, away from a setting."""

from collections.abc import Iterator, Mapping
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np

from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
    Settings,
    Value,
)
from doe.rounding import grid_values, number_of_steps
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

# Factors up to which steps are also taken two at a time.
MAX_PAIRED = 8


def step_moves(space: FactorSpace, setting: Settings, names: frozenset[str]) -> "pd.DataFrame":
    """Return the allowed settings one step away, in one factor or in two at once.

    A step of a mixture component is also given to or taken from each component without steps, so
    that the sum is kept.

    Args:
        space: The factor space.
        setting: Where to start, natural units, on the steps.
        names: Factors that change: those with steps, discrete or categorical ones.
    """
    import pandas as pd

    changes = [list(_changes(space, name, setting)) for name in sorted(names)]
    rows: list[dict[str, Value]] = [{**setting, **c} for every in changes for c in every]
    if len(changes) <= MAX_PAIRED:
        rows += [
            {**setting, **a, **b}
            for one, two in combinations(changes, 2)
            for a, b in product(one, two)
        ]
    rows += list(_exchanges(space, setting, names))
    table = pd.DataFrame(rows, columns=list(space.names))
    if table.empty:
        return table
    allowed = space.contains(table) & space.on_steps(table)
    return table[allowed].reset_index(drop=True)


def _changes(space: FactorSpace, name: str, setting: Settings) -> Iterator[Mapping[str, Value]]:
    factor = space.factor(name)
    match factor:
        case CategoricalFactor(levels=levels):
            yield from ({name: level} for level in levels if level != setting[name])
        case DiscreteFactor(levels=numbers):
            place = int(np.argmin(np.abs(np.array(numbers) - float(setting[name]))))
            near = (place - 1, place + 1)
            yield from ({name: numbers[i]} for i in near if 0 <= i < len(numbers))
        case ContinuousFactor(step=step) | MixtureComponent(step=step) if step is not None:
            count = round((float(setting[name]) - factor.low) / step)
            last = number_of_steps(factor)
            inside = [i for i in (count - 1, count + 1) if 0 <= i <= last]
            values = grid_values(factor, np.array(inside, dtype=np.int64))
            yield from ({name: float(value)} for value in values)


def _exchanges(
    space: FactorSpace, setting: Settings, names: frozenset[str]
) -> Iterator[dict[str, Value]]:
    """Yield settings with one step of a component exchanged with one that has no step."""
    for name in sorted(names & {component.name for component in space.mixture}):
        for change in _changes(space, name, setting):
            given = float(change[name]) - float(setting[name])
            for other in space.mixture:
                if other.step is None:
                    rest = float(setting[other.name]) - given
                    yield {**setting, **change, other.name: rest}
