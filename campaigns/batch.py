"""A recommended batch as people read it: settings, predictions and reasons in one table."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from campaigns.events import BatchRecommended
from campaigns.recommending.strategy import ProposedRun

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Batch:
    """Runs that a strategy recommended together.

    Attributes:
        number: From 1, in the order of recommending.
        names: Identifier of each run.
        runs: The runs, in the same order.
        strategy: Name and version of the strategy.
        notes: What a person should know about the batch as a whole.
    """

    number: int
    names: tuple[str, ...]
    runs: tuple[ProposedRun, ...]
    strategy: str
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, event: BatchRecommended) -> "Batch":
        """Return the batch that an event of the record holds."""
        proposal = event.proposal
        return cls(event.batch, event.runs, proposal.runs, proposal.strategy, proposal.notes)

    def table(self) -> "pd.DataFrame":
        """Return a row per run, in natural units, index run.

        Columns are the factors, then per response mean, low and high of the 95 % interval of one
        new run, then probability, nearest run and distance, tag and reason.
        """
        import pandas as pd

        rows = []
        for run in self.runs:
            row: dict[str, object] = dict(run.settings)
            for prediction in run.predictions:
                row[prediction.response] = prediction.mean
                row[f"{prediction.response} low"] = prediction.low
                row[f"{prediction.response} high"] = prediction.high
            row["P(in specification)"] = run.probability_in_specification
            row["nearest run"] = run.nearest_run
            row["distance"] = run.nearest_distance
            row["extrapolates"] = run.extrapolates
            row["tag"] = run.reason.tag
            row["reason"] = run.reason.sentence
            rows.append(row)
        return pd.DataFrame(rows, index=pd.Index(self.names, name="run", dtype=object))
