"""Plot in, plotly figure out: what is drawn on a page, without the page's library."""

from typing import TYPE_CHECKING

from doe.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from dashboards.figures.plotly_figure import Figure as Figure
    from dashboards.figures.plotly_figure import to_plotly as to_plotly
    from dashboards.figures.tables import description as description
    from doe.plot_tables import data_table as data_table

_EXPORTS = {
    "Figure": "dashboards.figures.plotly_figure",
    "data_table": "doe.plot_tables",
    "description": "dashboards.figures.tables",
    "to_plotly": "dashboards.figures.plotly_figure",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)
