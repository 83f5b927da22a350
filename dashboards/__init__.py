"""The web app: campaigns on a page."""

import os
from typing import TYPE_CHECKING

from doe.lazy_exports import lazy_exports

# Panel reads these when it is imported. A page whose session is made late, by its websocket, would
# otherwise ask a server in the internet for its styles; app.py serves both folders from here.
os.environ["PANEL_CDN_ROOT"] = "/panel-files/"
os.environ["PANEL_MATERIAL_UI_CDN_ROOT"] = "/panel-material-ui-files/v"

if TYPE_CHECKING:
    from dashboards.figures.plotly_figure import to_plotly as to_plotly
    from dashboards.session import Session as Session

_EXPORTS: dict[str, str] = {
    "Session": "dashboards.session",
    "to_plotly": "dashboards.figures.plotly_figure",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)
