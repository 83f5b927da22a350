"""Long work beside the event loop: one piece at a time, with progress, cancelling and errors.

The work runs in a thread of the server. Each report goes through ``deliver``, which a page sets to
its document's next tick, so that models are touched by the thread that owns them and no other.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, TypeVar

from campaigns.recommending.strategy import Progress
from doe.errors import CancelledError, ExperimentError

Result = TypeVar("Result")
Deliver = Callable[[Callable[[], None]], None]
Phase = Literal["waiting", "running", "done", "failed", "cancelled"]

_LOG = logging.getLogger(__name__)


@dataclass(eq=False)
class Job:
    """One piece of long work.

    Attributes:
        key: What it is for; a later job of the same key replaces it.
        title: What is being done, in words.
        phase: Where it stands.
        fraction: Share that is done, 0 to 1.
        message: What is going on now, or why it ended.
        lasting: Whether its result stands when cancelling came too late.
    """

    key: str
    title: str
    phase: Phase = "waiting"
    fraction: float = 0.0
    message: str = ""
    lasting: bool = False
    _cancelled: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""
        return self.phase in ("waiting", "running")

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked it to stop."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ask it to stop: it does at its next report of progress, and its result is dropped."""
        self._cancelled.set()


class Jobs:
    """The long work of one session.

    Args:
        deliver: Runs a callable on the thread that owns the page, in the order of delivery.
        watch: Called on that thread after each change of a job.
    """

    def __init__(
        self, deliver: Deliver, *, watch: Callable[[Job], None] = lambda job: None
    ) -> None:
        self._deliver = deliver
        self._watch = watch
        self._current: dict[str, Job] = {}
        self._closed = False

    def submit(
        self,
        key: str,
        title: str,
        work: Callable[[Progress], Result],
        *,
        done: Callable[[Result], None],
        failed: Callable[[str], None] = lambda message: None,
        lasting: bool = False,
    ) -> Job:
        """Queue work; a job of the same key that waits or runs is cancelled.

        Args:
            key: What the work is for.
            title: What is being done, in words.
            work: Does it, in another thread, and reports progress.
            done: Takes the result on the page's thread; not called when cancelled.
            failed: Takes the message of what went wrong on the page's thread.
            lasting: Whether the work writes something that stands when cancelling comes too late.
        """
        job = Job(key, title, message=title, lasting=lasting)
        if key in self._current:
            self._current[key].cancel()
        self._current[key] = job
        self._watch(job)
        future = _worker().submit(self._work, job, work)
        future.add_done_callback(
            lambda ended: self._hand_over(lambda: self._end(job, ended, done, failed))
        )
        return job

    def current(self, key: str) -> Job | None:
        """Return the last job of a key."""
        return self._current.get(key)

    def close(self) -> None:
        """Cancel everything; nothing is delivered any more."""
        self._closed = True
        for job in self._current.values():
            job.cancel()

    def _work(self, job: Job, work: Callable[[Progress], Result]) -> Result:
        def report(fraction: float, sentence: str) -> None:
            if job.is_cancelled:
                raise CancelledError(f"{job.title}: cancelled.")
            self._hand_over(lambda: self._show(job, fraction, sentence))

        report(0.0, job.title)
        return work(report)

    def _show(self, job: Job, fraction: float, sentence: str) -> None:
        job.phase, job.fraction, job.message = "running", fraction, sentence
        self._watch(job)

    def _end(
        self,
        job: Job,
        ended: Future[Result],
        done: Callable[[Result], None],
        failed: Callable[[str], None],
    ) -> None:
        error = ended.exception()
        too_late = error is None and job.lasting
        if isinstance(error, CancelledError) or (job.is_cancelled and not too_late):
            job.phase, job.message = "cancelled", f"{job.title}: cancelled."
        elif error is None:
            job.phase, job.fraction, job.message = "done", 1.0, ""
            done(ended.result())
        else:
            job.phase, job.message = "failed", _sentence(job, error)
            failed(job.message)
        self._watch(job)

    def _hand_over(self, call: Callable[[], None]) -> None:
        if not self._closed:
            self._deliver(call)


def _sentence(job: Job, error: BaseException) -> str:
    if isinstance(error, ExperimentError):
        return str(error)
    _LOG.error("%s failed", job.title, exc_info=error)
    return f"{job.title}: this failed for a reason that was not foreseen. {error!r}"


@cache
def _worker() -> ThreadPoolExecutor:
    # torch has one random state per process, which a fit seeds and restores. Two fits at once would
    # draw from each other's, and the same seed would no longer give the same result.
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="long-work")
