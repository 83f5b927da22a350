"""The head of a campaign's page: what it is, where it stands, and whether its record is intact."""

from html import escape

import panel as pn

from campaigns.envelope import Actor
from dashboards.pages.components import Component, button, html, row
from dashboards.pages.progress import Messages
from dashboards.session import Overview, Session
from doe.errors import ExperimentError


class OverviewView(pn.viewable.Viewer):
    """Name, counts of runs, goal and limits, state of the record, and who is writing."""

    def __init__(self, session: Session) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # param's constructors have no types
        self._session = session
        self._text = html("", name="overview")
        self._messages = Messages("overview-message")
        refresh = button("Refresh", self._refresh, name="refresh", variant="outlined")
        head = row(self._text, refresh, gap=16, flex_wrap="nowrap", name="section-overview")
        head.align_items = "flex-start"
        self._view = pn.Column(head, self._messages, sizing_mode="stretch_width", margin=0)
        self.update()

    def update(self) -> None:
        """Show the campaign as it is now."""
        self._text.object = overview_html(self._session.overview(), self._session.actor)

    def _refresh(self) -> None:
        try:
            self._session.refresh()
        except ExperimentError as error:
            self._messages.tell(str(error))
        else:
            self._messages.clear()

    def __panel__(self) -> Component:
        """Return the view."""
        return self._view


def overview_html(overview: Overview, actor: Actor) -> str:
    """Return the head of the page as HTML, everything from outside escaped."""
    record = overview.record
    head = "none"
    if record.head is not None:
        anchor = escape(str(record.head))
        head = f'<code title="{anchor}">{escape(record.head.hash[:12])}</code>'
    who = actor.name if actor.name == actor.id else f"{actor.name} ({actor.id})"
    state = '<span class="intact">intact</span>'
    if not record.intact:
        state = '<span class="broken">NOT intact</span>'
    facts = [
        ("Wanted", escape(overview.wanted)),
        ("Limits", "<br>".join(map(escape, overview.limits)) or "none"),
        ("Record", f"{state}, {record.n_events} events, last {head}"),
        ("You write as", escape(who)),
    ]
    chips = "".join(
        f'<span class="chip chip-{escape(status)}">{count} {escape(status)}</span>'
        for status, count in overview.counts.items()
    )
    listed = "".join(f"<div><dt>{name}</dt><dd>{text}</dd></div>" for name, text in facts)
    parts = [f"<h1>{escape(overview.name)}</h1>"]
    if overview.description:
        parts.append(f'<p class="lead">{escape(overview.description)}</p>')
    parts.append(f'<p class="chips" aria-label="Runs by status">{chips or "no runs yet"}</p>')
    parts.append(f'<dl class="facts">{listed}</dl>')
    if not record.intact:
        parts.append(f'<p class="broken" role="alert">{escape(record.sentence())}</p>')
    parts.append(f'<p class="lead mode">{escape(overview.mode)}</p>')
    if overview.notes:
        notes = "".join(f"<li>{escape(note)}</li>" for note in overview.notes)
        n_notes = len(overview.notes)
        summary = f"{n_notes} remarks on the imported data" if n_notes > 1 else "1 remark"
        parts.append(f"<details><summary>{summary}</summary><ul>{notes}</ul></details>")
    return "".join(parts)
