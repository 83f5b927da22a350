"""The web app: a server on this machine, and a page for each person that opens it."""

import errno
import logging
import socket
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import panel as pn
from bokeh.util.warnings import BokehUserWarning
from panel.io.resources import CDN_DIST, DIST_DIR
from panel_material_ui.base import CDN_BASE, DIST_PATH
from panel_material_ui.template.base import Page
from tornado.websocket import WebSocketClosedError

from campaigns.commands.session import chosen_campaign, open_ledger
from campaigns.envelope import Actor
from dashboards import theme
from dashboards.pages.campaign import CampaignPage
from dashboards.pages.components import Component, column, html
from dashboards.pages.trouble import TroublePage
from dashboards.session import Session
from doe.errors import ExperimentError, InvalidValueError, StateError

TITLE = "Bayeswell"
ADDRESS = "127.0.0.1"
DEFAULT_PORT = 5006

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What the app opens.

    Attributes:
        store: Path or URL of the store.
        campaign: Name of the campaign; the only one of the store when absent.
        actor: In whose name the page writes.
    """

    store: str
    campaign: str | None
    actor: Actor


def serve(options: Options, *, port: int | None = None, open_browser: bool = True) -> None:
    """Serve the app on this machine only, until it is interrupted.

    Args:
        options: What is opened.
        port: Where; when absent the default port, or a free one if that is taken.
        open_browser: Whether the page is opened in the person's browser.

    Raises:
        InvalidValueError: If the port that was asked for is taken.
    """
    chosen = free_port(port)
    # A browser sends the style sheets of a themed table back to the server, which knows them.
    warnings.filterwarnings("ignore", message="reference already known", category=BokehUserWarning)
    logging.getLogger("asyncio").addFilter(_is_trouble)
    hosts = [f"{host}:{chosen}" for host in (ADDRESS, "localhost")]
    pn.serve(  # type: ignore[no-untyped-call]  # panel gives it no types
        {"/": lambda: build(options)},
        title=_title(options),
        address=ADDRESS,
        port=chosen,
        websocket_origin=hosts,
        static_dirs=_local_files(),
        liveness=True,
        show=open_browser,
        verbose=False,
    )


def build(options: Options) -> Component:
    """Return the page for one person; a campaign that cannot be opened gives a message instead."""
    pn.extension("plotly", "tabulator")
    content: Component
    try:
        content = _campaign_page(options)
    except ExperimentError as error:
        content = TroublePage("This campaign cannot be opened", str(error))
    except Exception as error:  # noqa: BLE001 - else the person would see an empty page
        _LOG.exception("The page could not be built")
        text = f"This was not foreseen: {error!r}. The log of the server has the details."
        content = TroublePage("This page cannot be shown", text)
    return Page(  # type: ignore[no-untyped-call]  # param's constructors have no types
        main=[column(content, gap=0, name="page")],
        header=[html('<span class="brand">Bayeswell</span>')],
        meta_title=TITLE,
        theme_config=dict(theme.THEME_CONFIG),
        theme_toggle=False,
        busy_indicator=None,
        main_width=1680,
        sx={"& .main": {"backgroundColor": theme.BACKGROUND}},
    )


def free_port(wanted: int | None) -> int:
    """Return the port that was asked for, or the default one, or a free one if that is taken.

    Raises:
        InvalidValueError: If the port that was asked for is taken or is none.
    """
    if wanted is None:
        return DEFAULT_PORT if _is_free(DEFAULT_PORT) else _any_free_port()
    if not 0 < wanted < 65536:
        raise InvalidValueError(f"The port is {wanted}; expected a number from 1 to 65535.")
    if not _is_free(wanted):
        raise InvalidValueError(
            f"Port {wanted} of {ADDRESS} is taken: stop what uses it, or name another port."
        )
    return wanted


def _campaign_page(options: Options) -> CampaignPage:
    document = pn.state.curdoc
    if document is None:
        raise StateError("A page is built by a server, for one browser: use `serve`.")

    def deliver(call: Callable[[], None]) -> None:
        document.add_next_tick_callback(call)

    session = Session.open(options.store, options.campaign, actor=options.actor)
    page = CampaignPage(session, deliver)
    pn.state.on_session_destroyed(lambda _: page.close())
    pn.state.onload(page.start)
    return page


def _is_trouble(record: logging.LogRecord) -> bool:
    """Return whether a log record is more than a page that was closed while it was written to."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, WebSocketClosedError)


def _title(options: Options) -> str:
    """Return what stands on the browser's tab, which panel sets once per server."""
    try:
        with open_ledger(options.store) as ledger:
            return f"{chosen_campaign(ledger, options.store, options.campaign)} · {TITLE}"
    except ExperimentError:
        return TITLE  # the page says what is wrong


def _local_files() -> dict[str, str]:
    folders = {CDN_DIST.rstrip("/"): str(DIST_DIR), CDN_BASE: str(DIST_PATH)}
    if not all(route.startswith("/") for route in folders):
        raise StateError(
            "panel was imported before dashboards, so its pages would ask the internet for files: "
            "import dashboards first."
        )
    return folders


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def _any_free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])
