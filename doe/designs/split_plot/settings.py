"""From the settings that a search found to runs in natural units, on steps, in standard order."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.coding import numbers_of
from doe.designs.assembly import rounded
from doe.designs.split_plot.coordinates import Coordinates
from doe.designs.split_plot.layout import Layout, layout_of
from doe.designs.split_plot.strata import Strata
from doe.errors import DesignError
from doe.factors import CategoricalFactor, ContinuousFactor
from doe.rounding import nearest_numbers
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

# Of the share of a mixture: rounding error of a search goes, the sum stays.
_DIGITS = 11


def settable_runs(
    coordinates: Coordinates, settings: FloatArray, layout: Layout, strata: Strata
) -> tuple["pd.DataFrame", Layout]:
    """Return runs in natural units in standard order, and the plots that they are in.

    Plots are sorted by the settings that their runs share, runs by the others. Equal settings are
    rounded equally, so that what is constant within a plot stays so.

    Args:
        coordinates: What each factor may be set to.
        settings: As the search found them, shape ``(n_runs, n_factors)``.
        layout: The plots that the search used.
        strata: Which factors are set together.

    Raises:
        DesignError: If rounding takes a run out of what is allowed.
    """
    space = coordinates.space
    outermost_first = [space.names.index(n) for n in (*strata.whole, *strata.sub, *strata.run)]
    keys = [tuple(run) for run in (np.round(settings, 9) + 0.0)[:, outermost_first].tolist()]
    plots = [layout.whole] if layout.sub is None else [layout.whole, layout.sub]
    order = _ordered(list(range(len(keys))), plots, keys)
    runs = _settable(space, coordinates.natural_table(settings[order]))
    sub = None if layout.sub is None else layout.sub[order].tolist()
    return runs, layout_of(layout.whole[order].tolist(), sub)


def _ordered(
    rows: Sequence[int], plots: Sequence[IntArray], keys: Sequence[tuple[float, ...]]
) -> list[int]:
    if not plots:
        return sorted(rows, key=lambda row: keys[row])
    members: dict[int, list[int]] = {}
    for row in rows:
        members.setdefault(int(plots[0][row]), []).append(row)
    parts = [_ordered(group, plots[1:], keys) for group in members.values()]
    parts.sort(key=lambda part: [keys[row] for row in part])
    return [row for part in parts for row in part]


def _settable(space: FactorSpace, table: "pd.DataFrame") -> "pd.DataFrame":
    runs = table.copy()
    for factor in space.searched:
        if isinstance(factor, CategoricalFactor):
            continue
        values = numbers_of(table[factor.name])
        if isinstance(factor, ContinuousFactor):
            runs[factor.name] = rounded(factor, values)
        else:
            runs[factor.name] = nearest_numbers(factor, np.round(values, _DIGITS))
    wrong = np.flatnonzero(~(space.contains(runs) & space.on_steps(runs)))
    if wrong.size:
        faults = space.faults(runs)[int(wrong[0])] or ("off its steps",)
        raise DesignError(
            f"{wrong.size} runs of this split-plot design are not allowed on the steps of the "
            f"equipment, the first being {runs.iloc[int(wrong[0])].to_dict()}: "
            f"{', '.join(faults)}. Give finer steps, or relax a constraint."
        )
    return runs
