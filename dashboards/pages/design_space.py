"""The map of the design space: two factors in the plane, the others on sliders."""

import panel as pn

from dashboards.jobs import Job, Jobs
from dashboards.maps import (
    TARGETS,
    base_settings,
    mappable,
    middle,
    request_for,
    settings_of,
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
from doe.plots import Plot
from surrogates.drivers import DriverRanking

KEY = "map"
_HEIGHT = 540
_MIDDLE = "the middle of each range"
_SLIDER_STEPS = 100
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
        self._sequence: int | None = None
        self._setting = False
        self._chosen = False
        self._settings = base_settings(session.state)
        self._messages = Messages("map-error")
        self._progress = JobProgress(jobs, KEY, can_cancel=False)
        self._figure = PlotView("map-plot")
        self._others = column(gap=12)
        self._build_choices()
        choices = column(
            self._x, self._y, self._target, self._base, self._others, html(_READING), self._progress
        )
        choices.styles = {"gap": "16px", "flex": "1 1 260px", "max-width": "340px"}
        picture = column(self._figure, gap=0)
        picture.styles = {"flex": "3 1 560px", "min-width": "0"}
        self._view = section(
            "map",
            "Design-space map",
            "Probability that one new run meets every specification, on two factors.",
            self._messages,
            pn.FlexBox(  # type: ignore[no-untyped-call]  # param's constructors have no types
                picture, choices, gap="28px", sizing_mode="stretch_width", margin=0
            ),
        )
        self._fill_others()

    def update(self) -> None:
        """Draw the map again if the campaign has changed."""
        state = self._session.state
        self._base.options = self._bases()
        if not state.measurements:
            self._messages.tell("No results yet: a map can be drawn once there are some.", "info")
        elif not state.specifications:
            self._messages.tell(
                "A map needs limits to meet, and this campaign has no specification.", "info"
            )
        elif len(mappable(state)) < 2:
            self._messages.tell("A map needs two factors whose settings are numbers.", "info")
        elif self._sequence != state.sequence:
            self._sequence = state.sequence
            self._messages.clear()
            self._draw()

    def follow(self, job: Job) -> None:
        """Take over the news of a job."""
        self._progress.follow(job)

    def suggest(self, ranking: DriverRanking) -> None:
        """Put the two strongest drivers on the axes, unless a person chose the axes."""
        state = self._session.state
        if self._chosen or not state.specifications:
            return
        response = state.specifications[0].response
        names = [d.factor for d in ranking.drivers.get(response, ())]
        strongest = [name for name in names if name in mappable(state)][:2]
        if len(strongest) == 2 and strongest != [self._x.value, self._y.value]:
            self._setting = True
            self._x.value, self._y.value = strongest
            self._setting = False
            self._fill_others()
            self._draw()

    def _build_choices(self) -> None:
        names = list(mappable(self._session.state))
        first, second = (*names, "", "")[:2]
        self._x = select("Horizontal axis", names, first or None, name="map-x")
        self._y = select("Vertical axis", names, second or None, name="map-y")
        targets = {f"R = {number_text(target, 2)}": target for target in TARGETS}
        self._target = select("Reliability target", targets, 0.9, name="map-target")
        self._base = select("Other factors as in", self._bases(), _MIDDLE, name="map-base")
        self._base.value = next(iter(self._bases().values()))
        self._x.param.watch(lambda event: self._choose_axis(self._y, event.old), "value")
        self._y.param.watch(lambda event: self._choose_axis(self._x, event.old), "value")
        self._target.param.watch(lambda _: self._draw(), "value")
        self._base.param.watch(lambda event: self._start_from(event.new), "value")

    def _bases(self) -> dict[str, str]:
        """Return the settings that the sliders can be put to, recommended runs first."""
        runs = self._session.state.runs.values()
        order = ("proposed", "approved", "started", "done")
        listed = sorted(
            (run for run in runs if run.status in order), key=lambda run: order.index(run.status)
        )
        return {f"run {r.name} ({r.status})": r.name for r in listed} | {_MIDDLE: _MIDDLE}

    def _choose_axis(self, other: Component, before: str) -> None:
        """Swap the axes when one is given the factor of the other, then draw."""
        if self._setting:
            return
        self._chosen = True
        if self._x.value == self._y.value:
            self._setting = True
            other.value = before
            self._setting = False
        self._fill_others()
        self._draw()

    def _start_from(self, run: str) -> None:
        state = self._session.state
        if run == _MIDDLE:
            self._settings = {factor.name: middle(factor) for factor in state.space.searched}
        else:
            self._settings = settings_of(state.run(run))
        self._fill_others()
        self._draw()

    def _fill_others(self) -> None:
        factors = [
            factor
            for factor in self._session.state.space.searched
            if factor.name not in (self._x.value, self._y.value)
        ]
        widgets = [self._widget(factor) for factor in factors]
        self._others.objects = widgets or [html('<p class="lead">There are no other factors.</p>')]

    def _widget(self, factor: SearchedFactor) -> Component:
        value = self._settings[factor.name]
        widget, throttled = _setting_widget(factor, value)

        def take(event: Component) -> None:
            self._settings = {**self._settings, factor.name: event.new}
            self._draw()

        widget.param.watch(take, "value_throttled" if throttled else "value")
        widget.css_classes = ["map-setting"]
        return widget

    def _draw(self) -> None:
        if self._setting or self._sequence is None:
            return
        request = request_for(
            self._session.state, self._x.value, self._y.value, self._settings, self._target.value
        )
        self._jobs.submit(
            KEY,
            "Computing the map",
            lambda progress: self._session.map(request, progress),
            done=self._take,
            failed=self._messages.tell,
        )

    def _take(self, plot: Plot) -> None:
        self._messages.clear()
        self._figure.present(plot, height=_HEIGHT)

    def __panel__(self) -> Component:
        """Return the view."""
        return self._view


def _setting_widget(factor: SearchedFactor, value: Value) -> tuple[Component, bool]:
    """Return a widget for a factor's setting, and whether it speaks only when it is let go."""
    if isinstance(factor, CategoricalFactor):
        return select(factor.name, factor.levels, value, name="map-level"), False
    label = titled(factor.name, factor.unit)
    if isinstance(factor, DiscreteFactor):
        places = decimals(factor.levels)
        levels = {number_text(level, places): level for level in factor.levels}
        nearest = min(factor.levels, key=lambda level: abs(level - float(value)))
        return steps_slider(label, levels, nearest), True
    step = factor.step or (factor.high - factor.low) / _SLIDER_STEPS
    places = decimals([factor.low, factor.high], step=factor.step)
    within = min(max(float(value), factor.low), factor.high)
    return slider(label, factor.low, factor.high, within, step=step, form=f"0.{'0' * places}"), True
