"""How far long work is, with a way to stop it; and messages that stay until they are answered."""

from html import escape
from typing import Literal

import panel as pn

from dashboards.jobs import Job, Jobs
from dashboards.pages.components import Component, alert, button, column, html, progress_bar, row


class JobProgress(pn.viewable.Viewer):
    """The progress of the last job of one key; hidden when there is none.

    Args:
        jobs: The session's long work.
        key: Whose progress is shown.
        can_cancel: Whether a person may stop it.
    """

    def __init__(self, jobs: Jobs, key: str, *, can_cancel: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # param's constructors have no types
        self._jobs = jobs
        self._key = key
        self._bar = progress_bar(f"Progress of {key}", name=f"{key}-progress")
        self._message = html("", name=f"{key}-message")
        cancel = button("Cancel", self._cancel, name=f"{key}-cancel", variant="outlined")
        parts = [self._message, cancel] if can_cancel else [self._message]
        self._view = column(self._bar, row(*parts), gap=6, visible=False)

    def follow(self, job: Job) -> None:
        """Take over the news of a job, if it is the one that is shown."""
        if job is not self._jobs.current(self._key):
            return
        self._view.visible = job.is_active
        self._bar.value = round(100 * job.fraction)
        self._message.object = _as_text(job.message)

    def _cancel(self) -> None:
        job = self._jobs.current(self._key)
        if job is not None:
            job.cancel()
            self._message.object = _as_text("Stopping at the next step")

    def __panel__(self) -> Component:
        """Return the view."""
        return self._view


class Messages(pn.viewable.Viewer):
    """One message at a time, in words, where the person is looking.

    Args:
        name: Css class of the message.
    """

    def __init__(self, name: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # param's constructors have no types
        self._name = name
        self._view = column(visible=False)

    def tell(
        self, text: str, kind: Literal["error", "warning", "info", "success"] = "error"
    ) -> None:
        """Show a message in place of the one before."""
        self._view.objects = [alert(text, kind, name=self._name)]
        self._view.visible = True

    def clear(self) -> None:
        """Show nothing."""
        self._view.visible = False
        self._view.objects = []

    def __panel__(self) -> Component:
        """Return the view."""
        return self._view


def _as_text(message: str) -> str:
    return f'<p class="lead" role="status">{escape(message)}</p>'
