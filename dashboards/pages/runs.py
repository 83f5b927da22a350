"""The runs of a campaign in one table."""

from html import escape
from math import ceil
from typing import Any

import panel as pn

from dashboards.pages.components import Component, html, number_format, section, table
from dashboards.session import Session
from dashboards.tables import Column, RunTable

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
        "widths": {"run": 58, **{column.name: _width(column) for column in runs.columns}},
        "header_align": {column.name: "right" for column in numbers},
        "css_classes": ["runs-table"],
    }


def _width(column: Column) -> int:
    """Return the width of a column in pixels: its longest word, the rest goes on further lines."""
    if column.name == "status":
        return 96
    longest = max(map(len, column.title.split(" ")))
    # Three lines at most: "start wet / mass / (g/L)".
    characters = max(longest, ceil(len(column.title) / 3) + 2)
    return min(180, max(64, 34 + 7 * characters))
