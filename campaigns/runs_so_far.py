"""The runs of a campaign as one table: what a design evaluation or further runs begin from."""

from typing import TYPE_CHECKING

from campaigns.state import PENDING, CampaignState
from doe.errors import StateError
from doe.factors import ContinuousFactor

if TYPE_CHECKING:
    import pandas as pd

LOST = ("failed", "aborted")


def runs_so_far(state: CampaignState) -> "pd.DataFrame":
    """Return the settings and blocks of the runs that count, done or still to be done.

    Index the run, a column per factor and per block factor. A setting that was achieved stands in
    place of the one asked for, as the factor says. Runs that were rejected, lost or excluded are
    left out.

    Raises:
        StateError: If there is no such run.
    """
    kept = [
        run.name
        for run in state.runs.values()
        if run.excluded is None and run.status in (*PENDING, "done")
    ]
    return _table(state, kept)


def lost_runs(state: CampaignState) -> "pd.DataFrame":
    """Return the settings and blocks of runs that failed or were called off, as ``runs_so_far``.

    Raises:
        StateError: If no run was lost.
    """
    return _table(state, [run.name for run in state.runs.values() if run.status in LOST])


def _table(state: CampaignState, names: list[str]) -> "pd.DataFrame":
    import pandas as pd

    if not names:
        raise StateError(
            f"Campaign '{state.definition.name}' has no such run: plan some with `bayeswell "
            "design`, or import some."
        )
    by_target = {
        factor.name
        for factor in state.space.searched
        if isinstance(factor, ContinuousFactor) and factor.learn_from == "target"
    }
    rows = []
    for name in names:
        run = state.runs[name]
        achieved = {k: v for k, v in run.actual.items() if k not in by_target}
        blocks = {block.name: run.recorded.get(block.name) for block in state.space.blocks}
        rows.append({**run.target, **achieved, **blocks})
    columns = [*state.space.names, *(block.name for block in state.space.blocks)]
    return pd.DataFrame(rows, index=pd.Index(names, name="run", dtype=object), columns=columns)
