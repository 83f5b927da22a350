"""The map of the design space: two factors in the plane, the others on sliders."""

from collections.abc import Iterator
from contextlib import contextmanager

import panel as pn

from campaigns.maps import ReliabilityMap
from campaigns.state import CampaignState
from dashboards.jobs import Job, Jobs
from dashboards.maps import (
    DEFAULT_TARGET,
    TARGETS,
    MapRequest,
    mappable,
    middle,
    settings_of,
    strongest_axes,
)
from dashboards.pages.components import (
    Component,
    column,
    html,
    section,
    select,
    slider,
    steps_slider,
)
from dashboards.pages.plot_pane import PlotView
from dashboards.pages.progress import JobProgress, Messages
from dashboards.session import Session
from dashboards.tables import decimals, number_text, titled
from doe.factors import CategoricalFactor, DiscreteFactor, SearchedFactor, Value
from surrogates.drivers import DriverRanking

KEY = "map"
_HEIGHT = 540
_MIDDLE = "the middle of each range"
_OWN = "set below"
_SLIDER_STEPS = 100
_LEAD = "Probability that one new run meets every specification, on two factors."
_READING = (
    '<p class="lead">Lines with a number: this probability. Dotted: where the predicted means '
    "alone meet every limit (sweet spot, means only), which is not a design space. Hatched: the "
    "surrogates extrapolate. Runs are drawn where they project, whatever their other settings."
    "</p>"
)


class DesignSpaceView(pn.viewable.Viewer):
    """The probability of meeting every specification over two factors, with the runs on it."""

    def __init__(self, session: Session, jobs: Jobs) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # param's constructors have no types
        self._session = session
        self._jobs = jobs
        self._drawn: int | None = None
        self._ranked = False
        self._silent = False
        self._settings: dict[str, Value] | None = None
        self._messages = Messages("map-error")
        self._progress = JobProgress(jobs, KEY, can_cancel=False)
        self._figure = PlotView("map-plot")
        self._others = column(gap=12)
        self._x = select("Horizontal axis", mappable(session.state), None, name="map-x")
        self._y = select("Vertical axis", mappable(session.state), None, name="map-y")
        targets = {f"R = {number_text(target, 2)}": target for target in TARGETS}
        self._target = select("Reliability target", targets, DEFAULT_TARGET, name="map-target")
        self._base = select("Other factors as in", [], None, name="map-base")
        self._watch()
        self._choices = column(
            self._x, self._y, self._target, self._base, self._others, html(_READING), gap=16
        )
        self._choices.visible = False
        self._view = section("map", "Design-space map", _LEAD, self._messages, self._body())

    def update(self) -> None:
        """Draw the map again if the campaign has changed."""
        state = self._session.state
        if not state.measurements:
            self._messages.tell("No results yet: a map is drawn once there are some.", "info")
        elif not state.specifications:
            self._messages.tell(
                "A map needs limits to meet, and this campaign has no specification.", "info"
            )
        elif len(mappable(state)) < 2:
            self._messages.tell("A map needs two factors whose settings are numbers.", "info")
        elif self._ranked and self._drawn != state.sequence:
            self._draw()

    def begin(self, ranking: DriverRanking | None) -> None:
        """Take over the first ranking, or that there is none, and draw."""
        if not self._ranked:
            with self._silently():
                axes = strongest_axes(self._session.state, ranking)
                self._x.value, self._y.value = axes if len(axes) > 1 else (None, None)
            self._ranked = True
            self.update()

    def follow(self, job: Job) -> None:
        """Take over the news of a job."""
        self._progress.follow(job)

    def _watch(self) -> None:
        for widget, act in (
            (self._x, lambda event: self._choose_axis(self._y, event.old)),
            (self._y, lambda event: self._choose_axis(self._x, event.old)),
            (self._target, lambda event: self._draw()),
            (self._base, lambda event: self._start_from(event.new)),
        ):
            widget.param.watch(lambda event, act=act: None if self._silent else act(event), "value")

    def _body(self) -> Component:
        side = column(self._choices, self._progress, gap=16)
        side.styles = {**side.styles, "flex": "1 1 260px", "max-width": "340px"}
        picture = column(self._figure)
        picture.styles = {**picture.styles, "flex": "3 1 560px", "min-width": "0"}
        return pn.FlexBox(  # type: ignore[no-untyped-call]  # param's constructors have no types
            picture, side, gap="28px", sizing_mode="stretch_width", margin=0
        )

    @contextmanager
    def _silently(self) -> Iterator[None]:
        """Set widgets without acting as if a person had."""
        self._silent = True
        try:
            yield
        finally:
            self._silent = False

    def _choose_axis(self, other: Component, before: str) -> None:
        """Swap the axes when one is given the factor of the other, then draw."""
        if self._x.value == self._y.value:
            with self._silently():
                other.value = before
        self._fill_others()
        self._draw()

    def _start_from(self, run: str) -> None:
        state = self._session.state
        if run == _OWN:
            return
        if run == _MIDDLE:
            self._settings = {factor.name: middle(factor) for factor in state.space.searched}
        else:
            self._settings = settings_of(state.run(run))
        self._fill_others()
        self._draw()

    def _fill_others(self) -> None:
        settings = self._settings
        axes = (self._x.value, self._y.value)
        factors = [f for f in self._session.state.space.searched if f.name not in axes]
        if settings is not None:
            self._others.objects = [self._widget(f, settings[f.name]) for f in factors]

    def _widget(self, factor: SearchedFactor, value: Value) -> Component:
        widget, parameter = setting_widget(factor, value)

        def take(event: Component) -> None:
            self._settings = {**(self._settings or {}), factor.name: event.new}
            with self._silently():
                self._base.value = _OWN
            self._draw()

        widget.param.watch(take, parameter)
        return widget

    def _draw(self) -> None:
        state, x, y = self._session.state, self._x.value, self._y.value
        at = None
        if self._settings is not None:
            at = {n: v for n, v in self._settings.items() if n in state.space.names}
            at = {name: value for name, value in at.items() if name not in (x, y)}
        request = MapRequest(x, y, at, self._target.value)
        self._drawn = state.sequence
        self._messages.clear()
        self._jobs.submit(
            KEY,
            "Computing the map",
            lambda progress: self._session.map(request, progress),
            done=self._take,
            failed=self._messages.tell,
        )

    def _take(self, found: ReliabilityMap) -> None:
        with self._silently():
            self._base.options = _bases(self._session.state)
            if self._settings is None and found.held_as_in is not None:
                self._base.value = found.held_as_in
                run = self._session.state.run(found.held_as_in)
                self._settings = {**settings_of(run), **found.at}
                self._fill_others()
        self._choices.visible = True
        self._figure.present(found.plot, height=_HEIGHT)

    def __panel__(self) -> Component:
        """Return the view."""
        return self._view


def setting_widget(factor: SearchedFactor, value: Value) -> tuple[Component, str]:
    """Return a widget for a factor's setting, and the parameter that changes when it is let go."""
    if isinstance(factor, CategoricalFactor):
        return select(factor.name, factor.levels, value, name="map-level"), "value"
    label = titled(factor.name, factor.unit)
    if isinstance(factor, DiscreteFactor):
        places = decimals(factor.levels)
        levels = {number_text(level, places): level for level in factor.levels}
        nearest = min(factor.levels, key=lambda level: abs(level - float(value)))
        return steps_slider(label, levels, nearest), "value_throttled"
    step = factor.step or (factor.high - factor.low) / _SLIDER_STEPS
    places = decimals([factor.low, factor.high], step=factor.step)
    within = min(max(float(value), factor.low), factor.high)
    form = f"0.{'0' * places}".rstrip(".")
    widget = slider(label, factor.low, factor.high, within, step=step, form=form)
    return widget, "value_throttled"


def _bases(state: CampaignState) -> dict[str, str]:
    """Return the settings that the sliders can be put to, runs that are still to be done first."""
    order = ("proposed", "approved", "started", "done")
    listed = sorted(
        (run for run in state.runs.values() if run.status in order and run.excluded is None),
        key=lambda run: order.index(run.status),
    )
    return {f"run {run.name} ({run.status})": run.name for run in listed} | {
        _MIDDLE: _MIDDLE,
        _OWN: _OWN,
    }
