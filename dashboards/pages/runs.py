"""The runs of a campaign in one table."""

from html import escape
from math import ceil
from typing import TYPE_CHECKING, Any

import panel as pn

from dashboards.pages.components import Component, html, number_format, section, table
from dashboards.session import Session
from dashboards.tables import Column, RunTable

if TYPE_CHECKING:
    import pandas as pd

_HEIGHT = 500


class RunsView(pn.viewable.Viewer):
    """Every run with its status, settings and results; newest on top."""

    def __init__(self, session: Session) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # param's constructors have no types
        self._session = session
        self._holder = pn.Column(sizing_mode="stretch_width", margin=0)
        self._view = section(
            "runs",
            "Runs",
            "Settings achieved where they were read, else asked for; mean result of each run.",
            self._holder,
            fills=True,
        )
        self.update()

    def update(self) -> None:
        """Show the runs as they are now."""
        runs = self._session.runs()
        if runs.frame.empty:
            self._holder.objects = [html('<p class="lead">No run is planned or recorded yet.</p>')]
            return
        self._holder.objects = [table(_shown(runs), **_options(runs))]

    def __panel__(self) -> Component:
        """Return the view."""
        return self._view


def _shown(runs: RunTable) -> Any:
    frame = runs.frame.iloc[::-1].copy()
    # The chip's class is one of a closed set; nothing from outside is shown as HTML.
    frame["status"] = [
        f'<span class="chip chip-{escape(status)}">{escape(status)}</span>'
        for status in frame["status"]
    ]
    return frame


def _options(runs: RunTable) -> dict[str, Any]:
    numbers = [column for column in runs.columns if column.decimals is not None]
    formats = {column.name: number_format(column.decimals or 0) for column in numbers}
    formats["status"] = {"type": "html"}
    return {
        "titles": {"run": "Run", **{column.name: column.title for column in runs.columns}},
        "formatters": formats,
        "text_align": {column.name: "right" for column in numbers},
        "frozen_columns": ["run"],
        "height": min(_HEIGHT, 76 + 31 * len(runs.frame)),
        "layout": "fit_columns",
        "widths": {"run": 44, **{c.name: _width(c, runs.frame[c.name]) for c in runs.columns}},
        "header_align": {column.name: "right" for column in numbers},
        "css_classes": ["runs-table"],
    }


def _width(column: Column, values: "pd.Series[Any]") -> int:
    """Return the width of a column in pixels: its longest word, the rest goes on further lines."""
    if column.name == "status":
        return 84
    # Three lines at most, as in "start wet / mass / (g/L)".
    words = [*column.title.split(" "), " " * (ceil(len(column.title) / 3) + 2)]
    if column.decimals is None:
        words += [str(value) for value in values]
    widest = max(len(word) + 0.5 * sum(word.count(letter) for letter in "mwMW") for word in words)
    return min(200, max(50, round(14 + 7.2 * widest)))
