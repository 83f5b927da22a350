"""The recommended batch: what to run next, why, and the decision on each run."""

from html import escape

import panel as pn

from dashboards.jobs import Job, Jobs
from dashboards.pages.components import (
    Component,
    button,
    column,
    dialog,
    html,
    row,
    section,
    select,
    text_area,
)
from dashboards.pages.decision_table import DecisionTable
from dashboards.pages.progress import JobProgress, Messages
from dashboards.session import Session
from doe.errors import ExperimentError

KEY = "recommend"
_BATCH_SIZES = (*range(1, 13), 16, 24, 48, 96)


class BatchView(pn.viewable.Viewer):
    """The batch recommended last, with the buttons to decide, and a way to ask for another."""

    def __init__(self, session: Session, jobs: Jobs) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # param's constructors have no types
        self._session = session
        self._jobs = jobs
        self._messages = Messages("batch-message")
        self._progress = JobProgress(jobs, KEY, can_cancel=True)
        self._summary = html("", name="batch-summary")
        self._which = select("Batch", {}, None, name="batch-which")
        self._which.visible = False
        self._which.max_width = 180
        self._which.param.watch(lambda _: self._present(), "value")
        self._table = DecisionTable(self._decide, sizing_mode="stretch_width", margin=0)
        self._table.css_classes = ["batch-table"]
        sizes = {f"{n} runs" if n > 1 else "1 run": n for n in _BATCH_SIZES}
        self._n_runs = select("Size of the batch", sizes, 4, name="batch-size")
        self._n_runs.param.update(sizing_mode=None, width=150)
        self._ask = button("Recommend a batch", self._recommend, name="batch-ask")
        self._dialog = RejectDialog(session, self._messages)
        self._view = section(
            "batch",
            "Recommended batch",
            "Nothing is run before somebody approves it. Predictions: mean and, in brackets, the "
            "95 % interval of one new run.",
            self._which,
            self._summary,
            self._messages,
            self._table,
            row(self._n_runs, self._ask, name="batch-request"),
            self._progress,
            self._dialog,
        )
        self.update()

    def update(self) -> None:
        """Show the batches as they stand now, the last one when there is a new one."""
        n_batches = len(self._session.state.batches)
        if n_batches != len(self._which.options):
            numbers = {f"batch {n}": n for n in range(n_batches, 0, -1)}
            self._which.param.update(options=numbers, value=n_batches, visible=n_batches > 1)
        self._present()

    def _present(self) -> None:
        batch = self._session.batch(self._which.value)
        self._table.visible = batch is not None
        if batch is None:
            self._summary.object = '<p class="lead">No batch has been recommended yet.</p>'
            return
        self._table.present(batch)
        n_open = sum(row.status == "proposed" for row in batch.rows)
        waiting = f"{n_open} of {len(batch.rows)} runs wait for a decision"
        parts = [f'<p class="finding">Batch {batch.number}: {waiting}.</p>']
        parts += [f'<p class="lead">{escape(note)}</p>' for note in batch.notes]
        parts.append(f'<p class="lead">Strategy: {escape(batch.strategy)}.</p>')
        self._summary.object = "".join(parts)

    def follow(self, job: Job) -> None:
        """Take over the news of a job; while a batch is recommended nothing can be decided."""
        self._progress.follow(job)
        if job is self._jobs.current(KEY):
            self._table.locked = job.is_active
            self._ask.disabled = job.is_active
            if job.phase == "cancelled":
                self._messages.tell(f"{job.message} Nothing was written.", "info")

    def _recommend(self) -> None:
        n_runs = int(self._n_runs.value)
        self._messages.clear()
        self._jobs.submit(
            KEY,
            f"Recommending {n_runs} runs" if n_runs > 1 else "Recommending 1 run",
            lambda progress: self._session.recommend(n_runs, progress),
            done=lambda batch: self._session.publish(),
            failed=self._messages.tell,
            lasting=True,
        )

    def _decide(self, run: str, act: str) -> None:
        if act == "reject":
            self._dialog.ask(run)
            return
        try:
            self._session.approve(run)
        except ExperimentError as error:
            self._messages.tell(str(error))
        else:
            self._messages.tell(_recorded(self._session, f"Run {run} is approved"), "success")

    def __panel__(self) -> Component:
        """Return the view."""
        return self._view


class RejectDialog(pn.viewable.Viewer):
    """Asks why a run is rejected, and rejects it.

    Args:
        session: In whose name it is done.
        messages: Where it is said that it was.
    """

    def __init__(self, session: Session, messages: Messages) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # param's constructors have no types
        self._session = session
        self._messages = messages
        self._run = ""
        self._refusal = Messages("reject-error")
        self._reason = text_area(
            "Reason", help_text="Kept in the record, for later readers.", name="reject-reason"
        )
        self._confirm = button("Reject", self._reject, name="reject-confirm")
        cancel = button("Cancel", self._close, name="reject-cancel", variant="text")
        content = column(self._reason, self._refusal, row(self._confirm, cancel), gap=12)
        self._window = dialog("Reject run", content, name="reject-dialog")

    def ask(self, run: str) -> None:
        """Open the window for a run."""
        self._run = run
        self._reason.value = ""
        self._refusal.clear()
        self._confirm.label = f"Reject run {run}"
        self._window.param.update(title=f"Reject run {run}?", open=True)

    def _reject(self) -> None:
        try:
            self._session.reject(self._run, self._reason.value_input or self._reason.value)
        except ExperimentError as error:
            self._refusal.tell(str(error))
        else:
            self._close()
            text = _recorded(self._session, f"Run {self._run} is rejected")
            self._messages.tell(text, "success")

    def _close(self) -> None:
        self._window.open = False

    def __panel__(self) -> Component:
        """Return the window."""
        return self._window


def _recorded(session: Session, what: str) -> str:
    return f"{what} by {session.actor.name}; it is event {session.state.sequence} of the record."
