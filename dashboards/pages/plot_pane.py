"""A plot on a page: the picture, the sentence that says what it shows, and its numbers."""

from html import escape
from typing import TYPE_CHECKING, Any

import panel as pn

from dashboards.figures import data_table, description, to_plotly
from dashboards.pages.components import (
    Component,
    button,
    column,
    download,
    html,
    number_format,
    table,
)
from dashboards.tables import MISSING, decimals
from doe.plots import Plot

if TYPE_CHECKING:
    import pandas as pd

_SHOW = "Show the numbers"
_HIDE = "Hide the numbers"
_PAGE = 10
_ROW = 36
_CONFIG = {"displayModeBar": False, "displaylogo": False, "showSendToCloud": False}


class PlotPane(pn.pane.Plotly):
    """A plotly figure that keeps the layout it was given.

    ``panel_material_ui.Page`` puts its own legend, margins and axis colours over every plotly
    figure and reports them back as if a person had changed them (panel-material-ui issue 371; there
    is no way to switch it off). Each time the browser reports another layout, ours is sent again.
    """

    def _get_model(self, doc: Any, root: Any = None, parent: Any = None, comm: Any = None) -> Any:
        model = super()._get_model(doc, root, parent, comm)

        def reassert(attribute: str, old: object, new: object) -> None:
            if self.object is not None and new != self._own_layout():
                doc.add_next_tick_callback(lambda: self.param.trigger("object"))

        model.on_change("layout", reassert)
        return model

    def _own_layout(self) -> object:
        figure = self._to_figure(self.object)  # type: ignore[no-untyped-call]  # panel's own
        json = self._plotly_json_wrapper(figure)  # type: ignore[no-untyped-call]  # panel's own
        return json.get("layout", {})


class PlotView(pn.viewable.Viewer):
    """A plot with its sentence above and its numbers below, for eyes, ears and keyboards.

    Args:
        name: Css class of the picture, and name of the file of its numbers.
    """

    def __init__(self, name: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # param's constructors have no types
        self._name = name
        self._plot: Plot | None = None
        self._sentence = html("", name=f"{name}-sentence")
        self._picture: Component = PlotPane(  # type: ignore[no-untyped-call]  # as above
            None, sizing_mode="stretch_width", css_classes=[name], config=_CONFIG, margin=0
        )
        self._rows = column(name=f"{name}-numbers")
        self._toggle = button(_SHOW, self._toggle_rows, name=f"{name}-toggle", variant="text")
        self._view = column(self._sentence, self._picture, self._toggle, self._rows, gap=6)
        # A figure without marks would leave its axes' ranges to the next one.
        self._view.visible = False

    @property
    def plot(self) -> Plot | None:
        """What is shown."""
        return self._plot

    def present(self, plot: Plot, *, height: int) -> None:
        """Show a plot in place of the one before, ``height`` pixels high."""
        self._plot = plot
        self._sentence.object = (
            f'<p class="finding" role="status">{escape(plot.sentence)}</p>'
            f'<p class="visually-hidden">{escape(description(plot))}</p>'
        )
        self._picture.param.update(object=to_plotly(plot), height=height)
        self._view.visible = True
        self._fill_rows()

    def _toggle_rows(self) -> None:
        self._toggle.label = _HIDE if self._toggle.label == _SHOW else _SHOW
        self._fill_rows()

    def _fill_rows(self) -> None:
        if self._plot is None or self._toggle.label == _SHOW:
            self._rows.objects = []  # a hidden table is not worth sending
            return
        frame = data_table(self._plot)
        self._rows.objects = [
            _number_table(frame),
            download(frame, f"{self._name}.csv", label="Save as CSV"),
        ]

    def __panel__(self) -> Component:
        """Return the view."""
        return self._view


def _number_table(frame: "pd.DataFrame") -> Component:
    """Return a page of ten rows at a time, numbers rounded to what tells them apart."""
    numeric = list(frame.select_dtypes("number").columns)
    texts = [column for column in frame.columns if column not in numeric]
    places = {name: decimals(frame[name].dropna().tolist()) for name in numeric}
    return table(
        frame.fillna(dict.fromkeys(texts, MISSING)),
        show_index=False,
        pagination="remote",
        page_size=_PAGE,
        height=_ROW * (min(_PAGE, len(frame)) + 3),
        layout="fit_columns",
        formatters={name: number_format(places[name]) for name in numeric},
        text_align=dict.fromkeys(numeric, "right"),
        header_align=dict.fromkeys(numeric, "right"),
    )
