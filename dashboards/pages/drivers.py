"""What drives a response: a figure, the sentence that goes with it, and its numbers."""

from collections.abc import Callable

import panel as pn

from dashboards.jobs import Job, Jobs
from dashboards.pages.components import Component, section, select
from dashboards.pages.plot_pane import PlotView
from dashboards.pages.progress import JobProgress, Messages
from dashboards.session import Session
from surrogates.drivers import DriverRanking

KEY = "drivers"
_PER_DRIVER = 44
_AROUND = 120


class DriversView(pn.viewable.Viewer):
    """The drivers of one response at a time, ranked with their intervals.

    Args:
        session: Whose campaign it is.
        jobs: Does the ranking.
        ranked: Called with each new ranking, or nothing when there can be none.
    """

    def __init__(
        self, session: Session, jobs: Jobs, *, ranked: Callable[[DriverRanking | None], None]
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # param's constructors have no types
        self._session = session
        self._jobs = jobs
        self._data_sequence: int | None = None
        self._ranking: DriverRanking | None = None
        self._ranked = ranked
        self._messages = Messages("drivers-error")
        self._progress = JobProgress(jobs, KEY, can_cancel=False)
        self._figure = PlotView("drivers-plot")
        self._response = select("Response", [], None, name="drivers-response")
        self._response.visible = False
        self._response.param.watch(lambda _: self._present(), "value")
        self._view = section(
            "drivers",
            "Drivers",
            "How much each factor moves the response over the studied range.",
            self._progress,
            self._messages,
            self._response,
            self._figure,
            fills=True,
        )

    def update(self) -> None:
        """Rank the drivers again if the results have changed."""
        state = self._session.state
        if not state.measurements:
            self._messages.tell("No results yet: drivers are ranked once there are some.", "info")
        elif self._data_sequence != state.data_sequence:
            self._data_sequence = state.data_sequence
            self._messages.clear()
            self._jobs.submit(
                KEY,
                "Ranking the drivers",
                self._session.drivers,
                done=self._take,
                failed=self._fail,
            )

    def follow(self, job: Job) -> None:
        """Take over the news of a job."""
        self._progress.follow(job)

    def _take(self, ranking: DriverRanking) -> None:
        self._ranking = ranking
        names = list(ranking.drivers)
        value = self._response.value if self._response.value in names else names[0]
        self._response.param.update(options=names, value=value, visible=len(names) > 1)
        self._present()
        self._ranked(ranking)

    def _fail(self, message: str) -> None:
        self._messages.tell(message)
        self._ranked(None)

    def _present(self) -> None:
        if self._ranking is not None and self._response.value in self._ranking.drivers:
            plot = self._ranking.plot(self._response.value)
            self._figure.present(plot, height=_AROUND + _PER_DRIVER * len(plot.y.categories))

    def __panel__(self) -> Component:
        """Return the view."""
        return self._view
