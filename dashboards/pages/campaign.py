"""The page of one campaign: where it stands, its runs, drivers, map and recommended batch."""

import panel as pn

from dashboards.jobs import Deliver, Job, Jobs
from dashboards.pages.batch import BatchView
from dashboards.pages.components import Component, column
from dashboards.pages.design_space import DesignSpaceView
from dashboards.pages.drivers import DriversView
from dashboards.pages.overview import OverviewView
from dashboards.pages.runs import RunsView
from dashboards.session import Session


class CampaignPage(pn.viewable.Viewer):
    """Everything about one campaign on one page.

    Args:
        session: What is shown, and in whose name things are done; the page closes it.
        deliver: Runs a callable on the thread that owns the page.
    """

    def __init__(self, session: Session, deliver: Deliver) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # param's constructors have no types
        self.session = session
        self.jobs = Jobs(deliver, watch=self._follow)
        self._working: tuple[DriversView | DesignSpaceView | BatchView, ...] = ()
        overview = OverviewView(session)
        runs = RunsView(session)
        space = DesignSpaceView(session, self.jobs)
        drivers = DriversView(session, self.jobs, ranked=space.begin)
        batch = BatchView(session, self.jobs)
        self._working = (drivers, space, batch)
        self._parts = (overview, runs, drivers, space, batch)
        session.param.watch(lambda _: self._update(), "revision")
        beside = pn.FlexBox(  # type: ignore[no-untyped-call]  # param's constructors have no types
            _share(runs, "8 1 640px"),
            _share(drivers, "4 1 400px"),
            gap="16px",
            align_items="stretch",
            sizing_mode="stretch_width",
            margin=0,
        )
        self._view = column(overview, beside, space, batch, gap=16, name="campaign")
        self._view.styles = {**self._view.styles, "padding": "20px 24px 32px 24px"}

    def start(self) -> None:
        """Begin the long work; call it when the browser shows the page.

        What changes on a page while a browser is still taking it over can be lost on the way.
        """
        self._update()

    def close(self) -> None:
        """Stop the work and close the campaign."""
        self.jobs.close()
        self.session.close()

    def _update(self) -> None:
        for part in self._parts:
            part.update()

    def _follow(self, job: Job) -> None:
        for part in self._working:
            part.follow(job)

    def __panel__(self) -> Component:
        """Return the page."""
        return self._view


def _share(part: pn.viewable.Viewer, flex: str) -> Component:
    holder = column(part)
    # Only a height that is left open is stretched to that of the card beside it.
    holder.styles = {**holder.styles, "flex": flex, "min-width": "0", "height": "auto"}
    return holder
