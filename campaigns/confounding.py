"""What was recorded and not set: does it change together with the blocks, and what hangs on it?"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.errors import TooFewDataError
from doe.factors import Covariate
from doe.plots import Axis, Layer, Line, Plot, Points
from doe.responses import Response
from doe.runs import Observations

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Confounding:
    """How far a covariate and a block factor vary together, and the same settings in both.

    Attributes:
        covariate: What was recorded.
        block: Name of the block factor.
        response: What was measured.
        share: Share of the covariate's variation that lies between levels of the block, 0 to 1.
        table: A row per run: run, block, covariate, response.
        repeated: The runs of the settings that were repeated over most levels of the block.
    """

    covariate: Covariate
    block: str
    response: Response
    share: float
    table: "pd.DataFrame"
    repeated: tuple[str, ...]

    def by_block(self) -> "pd.DataFrame":
        """Return per level of the block the number of runs and the covariate's range.

        Columns: the block, ``runs``, ``low``, ``high``.
        """
        grouped = self.table.groupby(self.block, sort=False)[self.covariate.name]
        found = grouped.agg(runs="count", low="min", high="max")
        return found.reset_index()

    def repeats(self) -> "pd.DataFrame":
        """Return the rows of the repeated settings, per level of the block.

        Columns: the block, ``runs``, then lowest and highest covariate and response.
        """
        import pandas as pd

        same = self.table[self.table["run"].isin(self.repeated)]
        rows = []
        for level, part in same.groupby(self.block, sort=False):
            time, value = part[self.covariate.name], part[self.response.name]
            rows.append(
                {
                    self.block: level,
                    "runs": ", ".join(part["run"]),
                    "covariate low": float(time.min()),
                    "covariate high": float(time.max()),
                    "response low": float(value.min()),
                    "response high": float(value.max()),
                }
            )
        return pd.DataFrame(rows)

    def sentence(self) -> str:
        """Return what the table shows, in words."""
        parts = [
            f"{spread(row['response low'], row['response high'])} {self.response.unit} after "
            f"{spread(row['covariate low'], row['covariate high'])} {self.covariate.unit} in "
            f"{self.block} {row[self.block]}"
            for row in self.repeats().to_dict(orient="records")
        ]
        return (
            f"The same settings gave {'; '.join(parts)}. {self.share:.0%} of the variation of "
            f"{self.covariate.name} lies between levels of {self.block}, so these runs cannot tell "
            "which of both made the difference."
        )

    def plot(self) -> Plot:
        """Return the response over the covariate, a kind of marker per level of the block."""
        x, y = (self._column(name) for name in (self.covariate.name, self.response.name))
        return Plot(
            title=f"{_capital(self.block)} and {self.covariate.name} are confounded",
            sentence=self.sentence(),
            x=Axis(self.covariate.name, self.covariate.unit, *_with_margin(x)),
            y=Axis(self.response.name, self.response.unit, *_with_margin(y)),
            layers=tuple(self._layers()),
        )

    def _layers(self) -> Iterator[Layer]:
        for level, part in self.table.groupby(self.block, sort=False):
            x, y = (
                part[name].to_numpy(dtype=np.float64)
                for name in (self.covariate.name, self.response.name)
            )
            yield Points(f"{self.block} {level}", x, y)
        same = self.table[self.table["run"].isin(self.repeated)]
        means = same.groupby(self.block)[[self.covariate.name, self.response.name]].mean()
        means = means.sort_values(self.covariate.name)
        x, y = (
            means[name].to_numpy(dtype=np.float64)
            for name in (self.covariate.name, self.response.name)
        )
        yield Line("the same settings", x, y, "reference")

    def _column(self, name: str) -> FloatArray:
        return np.asarray(self.table[name].to_numpy(dtype=np.float64))


def find_confounding(
    observations: Observations, covariate: str, block: str, response: str
) -> Confounding:
    """Return how far a covariate varies with the blocks, and what equal settings gave in them.

    Args:
        observations: The runs.
        covariate: A covariate that was recorded or follows from other columns.
        block: A block factor.
        response: A measured response.

    Raises:
        UnknownNameError: If there is no such name.
        TooFewDataError: If no settings were repeated, or the covariate does not vary.
    """
    factor, measured = observations.space.factor(covariate), observations.response(response)
    if not isinstance(factor, Covariate) or not isinstance(measured, Response):
        raise TooFewDataError(
            f"'{covariate}' must be a covariate and '{response}' a measured response."
        )
    wide = observations.table()[[block, covariate, response]].dropna()
    table = wide.rename_axis(index="run").reset_index()
    groups = observations.replicate_groups()
    table["group"] = [int(groups.loc[run]) for run in table["run"]]
    return Confounding(
        factor,
        block,
        measured,
        _share_between(table, block, covariate),
        table.drop(columns="group"),
        _repeated(table, block),
    )


def _share_between(table: "pd.DataFrame", block: str, covariate: str) -> float:
    """Return the sum of squares between levels over the total one (eta squared)."""
    values = table[covariate].to_numpy(dtype=np.float64)
    means = table.groupby(block)[covariate].transform("mean").to_numpy(dtype=np.float64)
    total = float(np.square(values - values.mean()).sum())
    if total == 0:
        raise TooFewDataError(f"'{covariate}' is the same in every run: there is nothing to share.")
    return float(np.square(means - values.mean()).sum()) / total


def _repeated(table: "pd.DataFrame", block: str) -> tuple[str, ...]:
    found = table.groupby("group").agg(levels=(block, "nunique"), runs=("run", "count"))
    leader = found.sort_values(["levels", "runs"]).index[-1]
    if found.loc[leader, "levels"] < 2:
        raise TooFewDataError(
            f"No settings were repeated in another {block}: nothing can be compared between them."
        )
    return tuple(table.loc[table["group"] == leader, "run"])


def spread(low: float, high: float, *, decimals: int = 0) -> str:
    """Return a range in words, one number where both ends round to the same."""
    first, last = f"{low:.{decimals}f}", f"{high:.{decimals}f}"
    return first if first == last else f"{first} to {last}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _with_margin(values: FloatArray) -> tuple[float, float]:
    margin = 0.06 * float(np.ptp(values)) or 1.0
    return float(values.min()) - margin, float(values.max()) + margin
