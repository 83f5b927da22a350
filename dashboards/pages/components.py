"""The parts that pages are made of, in one style, with types that the libraries do not give."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Any, Literal

import panel as pn
import panel_material_ui as pmui
from bokeh.models.widgets.tables import NumberFormatter

from dashboards import theme
from dashboards.tables import MISSING

if TYPE_CHECKING:
    import pandas as pd

Component = Any  # param builds the classes of panel at run time: their attributes have no types
Handler = Callable[[], None]

# Panel ends everything at the height of the window; what is higher would cover what follows.
UNBOUND = {"max-height": "none"}

# The constructors of param's classes have no types, so each call of one here is an untyped call.


def html(text: str, *, name: str = "") -> Component:
    """Return a pane of HTML in the page's style; whoever writes it escapes what is from outside."""
    return pn.pane.HTML(  # type: ignore[no-untyped-call]  # see above
        text,
        stylesheets=[theme.STYLESHEET],
        sizing_mode="stretch_width",
        margin=0,
        css_classes=[name] if name else [],
    )


def column(*contents: Component, gap: int = 0, name: str = "", **options: Any) -> Component:
    """Return contents below each other."""
    return pn.Column(
        *contents,
        sizing_mode="stretch_width",
        margin=0,
        styles={**UNBOUND, "gap": f"{gap}px"},
        css_classes=[name] if name else [],
        **options,
    )


def row(*contents: Component, gap: int = 12, name: str = "", **options: Any) -> Component:
    """Return contents beside each other, on further lines where the page is narrow."""
    return pn.FlexBox(  # type: ignore[no-untyped-call]  # see above
        *contents,
        gap=f"{gap}px",
        align_items="center",
        sizing_mode="stretch_width",
        margin=0,
        css_classes=[name] if name else [],
        **options,
    )


def section(
    name: str, title: str, lead: str, *contents: Component, fills: bool = False
) -> Component:
    """Return a card with a heading, one line that explains it, and its contents.

    Args:
        name: Identifier of the heading.
        title: The heading.
        lead: The line that explains it.
        contents: What follows.
        fills: Whether the card is as high as the one beside it.
    """
    heading = html(f'<h2 id="{name}">{escape(title)}</h2><p class="lead">{escape(lead)}</p>')
    return pmui.Paper(  # type: ignore[no-untyped-call]  # see above
        heading,
        *contents,
        variant="outlined",
        sizing_mode="stretch_width",
        margin=0,
        css_classes=[f"section-{name}"],
        styles={**UNBOUND, "flex": "1 1 auto"} if fills else UNBOUND,
        stylesheets=[".paper { height: 100%; }"] if fills else [],
        sx={"padding": "16px 20px", "gap": "10px", "minHeight": "100%", "boxSizing": "border-box"},
    )


def button(
    label: str,
    act: Handler,
    *,
    name: str,
    variant: Literal["contained", "outlined", "text"] = "contained",
) -> Component:
    """Return a button that does something."""
    made = pmui.Button(  # type: ignore[no-untyped-call]  # see above
        label=label, variant=variant, color="primary", margin=0, css_classes=[name]
    )
    made.on_click(lambda _: act())
    return made


def select(
    label: str, options: Sequence[str] | Mapping[str, object], value: object, *, name: str
) -> Component:
    """Return a choice of one among several."""
    return pmui.Select(  # type: ignore[no-untyped-call]  # see above
        label=label,
        options=dict(options) if isinstance(options, Mapping) else list(options),
        value=value,
        size="small",
        variant="outlined",
        margin=0,
        sizing_mode="stretch_width",
        css_classes=[name],
    )


def slider(
    label: str, low: float, high: float, value: float, *, step: float, form: str
) -> Component:
    """Return a slider over a range; its number has the decimals of ``form``."""
    return pmui.FloatSlider(  # type: ignore[no-untyped-call]  # see above
        label=label,
        start=low,
        end=high,
        value=value,
        step=step,
        format=form,
        size="small",
        margin=(0, 8),
        sizing_mode="stretch_width",
    )


def steps_slider(label: str, options: Mapping[str, float], value: float) -> Component:
    """Return a slider over a few values."""
    return pmui.DiscreteSlider(  # type: ignore[no-untyped-call]  # see above
        label=label,
        options=dict(options),
        value=value,
        size="small",
        margin=(0, 8),
        sizing_mode="stretch_width",
    )


def text_area(label: str, *, help_text: str, name: str) -> Component:
    """Return a field for a few lines of text."""
    return pmui.TextAreaInput(  # type: ignore[no-untyped-call]  # see above
        label=label,
        helper_text=help_text,
        rows=3,
        max_length=1000,
        margin=0,
        sizing_mode="stretch_width",
        css_classes=[name],
    )


def dialog(title: str, *contents: Component, name: str) -> Component:
    """Return a window over the page, closed at first."""
    return pmui.Dialog(  # type: ignore[no-untyped-call]  # see above
        *contents, title=title, open=False, width_option="sm", css_classes=[name]
    )


def alert(
    text: str, kind: Literal["error", "warning", "info", "success"], *, name: str
) -> Component:
    """Return a message that stands out; it is read aloud when it appears."""
    # The alert's own text would be read as Markdown: names from a table could bring markup along.
    return pmui.Alert(  # type: ignore[no-untyped-call]  # see above
        html(f"<p>{escape(text)}</p>"),
        severity=kind,
        sizing_mode="stretch_width",
        margin=0,
        css_classes=[name],
    )


def progress_bar(label: str, *, name: str) -> Component:
    """Return a bar from 0 to 100."""
    return pmui.LinearProgress(  # type: ignore[no-untyped-call]  # see above
        label=label,
        value=0,
        variant="determinate",
        sizing_mode="stretch_width",
        margin=0,
        css_classes=[name],
    )


def table(frame: "pd.DataFrame", **options: Any) -> Component:
    """Return a table that can be sorted and paged, and not edited."""
    return pn.widgets.Tabulator(  # type: ignore[no-untyped-call]  # see above
        frame,
        disabled=True,
        selectable=False,
        sizing_mode="stretch_width",
        margin=0,
        stylesheets=[theme.TABLE_STYLESHEET],
        **options,
    )


def number_format(decimals: int) -> Component:
    """Return the format of a column of numbers: fixed decimals, and a dash where there is none."""
    form = f"0.{'0' * decimals}".rstrip(".")
    return NumberFormatter(format=form, nan_format=MISSING)


def download(frame: "pd.DataFrame", filename: str, *, label: str) -> Component:
    """Return a button that saves a table as CSV."""
    return pmui.FileDownload(  # type: ignore[no-untyped-call]  # see above
        callback=lambda: StringIO(frame.to_csv(index=False)),
        filename=filename,
        label=label,
        variant="text",
        margin=0,
    )
