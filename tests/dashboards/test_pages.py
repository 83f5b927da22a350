"""The page, driven as a browser would drive it, in plain Python."""

import queue
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from bokeh.document import Document
from panel.io.state import set_curdoc

import dashboards.app as app
from campaigns.envelope import Actor
from dashboards.pages.campaign import CampaignPage
from dashboards.pages.overview import overview_html
from dashboards.pages.trouble import TroublePage
from dashboards.session import Session
from tests.dashboards.small_campaign import ANA, create

PATIENCE = 60.0


class OpenPage:
    """A page together with the thread that owns it."""

    def __init__(self, session: Session) -> None:
        self._delivered: queue.Queue[Callable[[], None]] = queue.Queue()
        self.session = session
        self.page = CampaignPage(session, self._delivered.put)

    def work_until(self, key: str) -> None:
        """Take what is delivered until the last job of this key has ended."""
        while (job := self.page.jobs.current(key)) is None or job.is_active:
            self._delivered.get(timeout=PATIENCE)()


@pytest.fixture
def opened(session: Session) -> Iterator[OpenPage]:
    opened = OpenPage(session)
    yield opened
    opened.page.jobs.close()


def parts(opened: OpenPage) -> dict[str, object]:
    return {type(part).__name__: part for part in opened.page._parts}


def buttons(opened: OpenPage) -> set[tuple[str, str]]:
    rows = parts(opened)["BatchView"]._table.rows
    return {(row["run"], act) for row in rows for act in row["acts"]}


def press(opened: OpenPage, run: str, act: str) -> None:
    parts(opened)["BatchView"]._table._handle_msg({"run": run, "act": act})


def test_the_page_shows_drivers_and_a_map_with_the_stated_axes(opened: OpenPage):
    opened.page.start()
    opened.work_until("map")

    drivers, space = parts(opened)["DriversView"], parts(opened)["DesignSpaceView"]
    assert set(drivers._figure.plot.y.categories) == {"temperature", "pH"}
    figure = space._figure._picture.object
    plot = space._figure.plot
    assert figure["layout"]["xaxis"]["range"] == [plot.x.low, plot.x.high]
    np.testing.assert_array_equal(figure["data"][0]["z"], plot.layers[0].z)
    assert plot.sentence in space._figure._sentence.object.replace("&lt;", "<")


def test_swapping_the_axes_of_the_map_swaps_the_figure(opened: OpenPage):
    opened.page.start()
    opened.work_until("map")
    space = parts(opened)["DesignSpaceView"]
    before = space._figure.plot

    space._x.value = space._y.value
    opened.work_until("map")

    assert (space._figure.plot.x.label, space._figure.plot.y.label) == (
        before.y.label,
        before.x.label,
    )


def test_a_higher_reliability_target_moves_the_line_that_is_drawn(opened: OpenPage):
    opened.page.start()
    opened.work_until("map")
    space = parts(opened)["DesignSpaceView"]

    space._target.value = 0.8
    opened.work_until("map")

    assert 0.8 in space._figure.plot.layers[0].levels


@pytest.mark.requirement("MG-7")
def test_a_press_on_approve_is_written_with_the_run_of_its_row(opened: OpenPage):
    run = opened.session.campaign.batches[0].names[2]

    press(opened, run, "approve")

    assert opened.session.state.run(run).status == "approved"
    assert opened.session.campaign.events()[-1].kind == "runs-approved"
    assert (run, "approve") not in buttons(opened)


@pytest.mark.parametrize(
    "message", [{}, {"run": "R1", "act": "approve"}, {"run": "13", "act": "x"}]
)
def test_a_message_for_something_that_is_not_offered_does_nothing(
    opened: OpenPage, message: dict[str, str]
):
    before = opened.session.state.sequence

    parts(opened)["BatchView"]._table._handle_msg(message)

    assert opened.session.state.sequence == before


@pytest.mark.requirement("DI-2")
def test_rejecting_asks_for_a_reason_and_says_what_is_missing(opened: OpenPage):
    run = opened.session.campaign.batches[0].names[0]
    press(opened, run, "reject")
    window = parts(opened)["BatchView"]._dialog

    window._reject()

    assert window._window.open
    assert window._refusal._view.visible
    assert opened.session.state.run(run).status == "proposed"

    window._reason.value = "the pump cannot hold this"
    window._reject()

    assert not window._window.open
    assert opened.session.state.run(run).reason == "the pump cannot hold this"


def test_while_a_batch_is_recommended_no_button_decides(opened: OpenPage):
    run = opened.session.campaign.batches[0].names[0]
    batch = parts(opened)["BatchView"]

    batch._n_runs.value = 1
    batch._recommend()
    press(opened, run, "approve")
    assert batch._table.locked
    opened.work_until("recommend")

    assert not batch._table.locked
    assert opened.session.state.run(run).status == "proposed"
    assert opened.session.state.batches[-1].event.batch == 2
    assert {name for name, _ in buttons(opened)} == set(opened.session.campaign.batches[1].names)


def test_names_from_outside_are_shown_as_text(tmp_path: Path):
    name = "<script>alert(1)</script>"
    create(tmp_path / "hostile.db", name).close()
    session = Session.open(str(tmp_path / "hostile.db"), None, actor=Actor("x", "<b>x</b>"))

    text = overview_html(session.overview(), session.actor)

    session.close()
    assert "<script" not in text
    assert "<b>" not in text


def test_a_page_that_cannot_be_made_says_why_and_what_to_do(tmp_path: Path):
    options = app.Options(str(tmp_path / "missing.db"), None, ANA)

    with set_curdoc(Document()):
        page = app.build(options)

    (trouble,) = [view for view in page.main[0] if view is not None]
    assert "There is no store" in trouble.object
    assert "bayeswell new" in trouble.object


def test_a_message_of_trouble_is_text():
    shown = TroublePage("Title", "<img src=x onerror=alert(1)>").__panel__().object

    assert "<img" not in shown
