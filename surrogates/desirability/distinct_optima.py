"""Which local optima are one and the same hill."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.factors import CategoricalFactor
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

# Local optima this near, in half ranges, are one.
SAME_PLACE = 0.02
# A change of score below this is none.
SAME = 1e-6
N_BETWEEN = 7


def hills(
    space: FactorSpace,
    table: "pd.DataFrame",
    *,
    places: FloatArray,
    scores: FloatArray,
    score: Callable[["pd.DataFrame"], FloatArray],
) -> list[list[int]]:
    """Return the rows of each hill, best first; rows with a score of zero or below are left out.

    Two optima share a hill when they are near, or when the score never falls below both on the
    allowed line between them.

    Args:
        space: The factor space.
        table: Settings of local optima, natural units.
        places: Their numeric factors with every range from -1 to 1, shape ``(n, n_numeric)``.
        scores: Their scores, shape ``(n,)``.
        score: From settings to scores.
    """
    rows = [row for row in range(len(table)) if scores[row] > 0]
    rows.sort(key=lambda row: (-round(float(scores[row]), 9), *np.round(places[row], 6)))
    groups: list[list[int]] = []
    for row in rows:
        for group in groups:
            if any(_is_joined(space, table, (one, row), places, scores, score) for one in group):
                group.append(row)
                break
        else:
            groups.append([row])
    return groups


def _is_joined(
    space: FactorSpace,
    table: "pd.DataFrame",
    pair: tuple[int, int],
    places: FloatArray,
    scores: FloatArray,
    score: Callable[["pd.DataFrame"], FloatArray],
) -> bool:
    import pandas as pd

    one, two = pair
    names = [f.name for f in space.searched if isinstance(f, CategoricalFactor)]
    if any(table[name].iloc[one] != table[name].iloc[two] for name in names):
        return False
    if np.abs(places[one] - places[two]).max(initial=0.0) <= SAME_PLACE:
        return True
    shares = np.linspace(0, 1, N_BETWEEN + 2)[1:-1]
    between = pd.DataFrame(
        {
            name: [table[name].iloc[one]] * N_BETWEEN
            if name in names
            else (1 - shares) * float(table[name].iloc[one]) + shares * float(table[name].iloc[two])
            for name in space.names
        }
    )
    if not all(constraint.holds(between).all() for constraint in space.all_constraints):
        return False
    return bool(score(between).min() >= min(scores[one], scores[two]) - SAME)


def _equal(group: Sequence[int], scores: FloatArray) -> list[int]:
    return [row for row in group if scores[row] >= scores[group[0]] - SAME]


def middle(group: Sequence[int], places: FloatArray, scores: FloatArray) -> int:
    """Return the row in the middle of those with the best score of a group."""
    best = _equal(group, scores)
    if not is_flat(group, places, scores):
        return group[0]
    reach = [float(np.linalg.norm(places[best] - places[row], axis=1).sum()) for row in best]
    return best[int(np.argmin(reach))]


def is_flat(group: Sequence[int], places: FloatArray, scores: FloatArray) -> bool:
    """Return whether different settings of a group reach the same, best score."""
    best = _equal(group, scores)
    return bool(np.ptp(places[best], axis=0).max(initial=0.0) > 2 * SAME_PLACE)
