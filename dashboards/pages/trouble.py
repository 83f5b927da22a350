"""What a person sees when a page cannot be made: what is wrong, and what to do."""

from html import escape

import panel as pn

from dashboards.pages.components import Component, html


class TroublePage(pn.viewable.Viewer):
    """A message in place of a page.

    Args:
        title: What did not work.
        message: Why, and what to do.
    """

    def __init__(self, title: str, message: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # param's constructors have no types
        self._view = html(
            f'<div role="alert"><h1>{escape(title)}</h1><p>{escape(message)}</p></div>'
            '<p class="lead">Nothing was changed. Correct the cause, then load the page again.</p>',
            name="trouble",
        )
        self._view.styles = {"padding": "48px 24px"}

    def __panel__(self) -> Component:
        """Return the page."""
        return self._view
