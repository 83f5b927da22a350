"""Long work: it reports, it can be stopped, and it never takes the page down with it."""

import queue
import threading
from collections.abc import Callable

import pytest

from campaigns.recommending.strategy import Progress
from dashboards.jobs import Job, Jobs
from doe.errors import CancelledError, TooFewDataError

PATIENCE = 10.0


class Page:
    """The thread that owns a page: what is delivered waits here until the page takes it."""

    def __init__(self) -> None:
        self.news: list[tuple[str, str]] = []
        self.delivered: queue.Queue[Callable[[], None]] = queue.Queue()
        self.jobs = Jobs(self.delivered.put, watch=self._watch)

    def _watch(self, job: Job) -> None:
        self.news.append((job.phase, job.message))

    def take_until_idle(self, *jobs: Job) -> None:
        while any(job.is_active for job in jobs):
            self.delivered.get(timeout=PATIENCE)()


@pytest.fixture
def page() -> Page:
    return Page()


def test_work_reports_its_steps_in_order_and_delivers_its_result(page: Page):
    results: list[int] = []

    def work(progress: Progress) -> int:
        progress(0.5, "half way")
        return 42

    job = page.jobs.submit("fit", "Fitting", work, done=results.append)
    page.take_until_idle(job)

    assert results == [42]
    assert page.news == [
        ("waiting", "Fitting"),
        ("running", "Fitting"),
        ("running", "half way"),
        ("done", ""),
    ]


def test_results_are_taken_on_the_thread_of_the_page(page: Page):
    threads: list[threading.Thread] = []

    job = page.jobs.submit(
        "fit",
        "Fitting",
        lambda progress: threading.current_thread(),
        done=lambda worker: threads.extend([worker, threading.current_thread()]),
    )
    page.take_until_idle(job)

    assert threads[0] is not threading.main_thread()
    assert threads[1] is threading.main_thread()


def test_cancelled_work_stops_at_its_next_report_and_delivers_nothing(page: Page):
    results: list[str] = []
    started, cancelled = threading.Event(), threading.Event()

    def work(progress: Progress) -> str:
        started.set()
        assert cancelled.wait(PATIENCE)
        progress(0.5, "half way")
        raise AssertionError("went on after it was cancelled")

    job = page.jobs.submit("fit", "Fitting", work, done=results.append)
    assert started.wait(PATIENCE)
    job.cancel()
    cancelled.set()
    page.take_until_idle(job)

    assert (job.phase, results) == ("cancelled", [])


def test_the_latest_of_several_jobs_for_one_thing_wins(page: Page):
    results: list[int] = []
    gate = threading.Event()
    blocker = page.jobs.submit(
        "other", "Waiting", lambda progress: gate.wait(PATIENCE), done=lambda _: None
    )

    jobs = [
        page.jobs.submit("map", "Map", lambda progress, n=n: n, done=results.append)
        for n in range(5)
    ]
    gate.set()
    page.take_until_idle(blocker, *jobs)

    assert results == [4]
    assert [job.phase for job in jobs] == ["cancelled"] * 4 + ["done"]


def test_a_refusal_is_told_in_its_own_words(page: Page):
    told: list[str] = []

    def work(progress: Progress) -> None:
        raise TooFewDataError("2 values of titre are too few: record 3 more.")

    job = page.jobs.submit("fit", "Fitting", work, done=lambda _: None, failed=told.append)
    page.take_until_idle(job)

    assert told == ["2 values of titre are too few: record 3 more."]
    assert job.phase == "failed"


def test_an_unforeseen_failure_is_told_and_logged_with_its_cause(
    page: Page, caplog: pytest.LogCaptureFixture
):
    told: list[str] = []

    job = page.jobs.submit(
        "fit", "Fitting", lambda progress: 1 / 0, done=lambda _: None, failed=told.append
    )
    page.take_until_idle(job)

    assert "Fitting" in told[0]
    assert "division by zero" in told[0]
    assert caplog.records[0].exc_info is not None


def test_what_was_written_before_the_cancel_came_stands(page: Page):
    results: list[str] = []
    written, cancelled = threading.Event(), threading.Event()

    def work(progress: Progress) -> str:
        written.set()
        assert cancelled.wait(PATIENCE)
        return "batch 2"

    job = page.jobs.submit("recommend", "Recommending", work, done=results.append, lasting=True)
    assert written.wait(PATIENCE)
    job.cancel()
    cancelled.set()
    page.take_until_idle(job)

    assert (job.phase, results) == ("done", ["batch 2"])


def test_a_closed_page_is_told_nothing_more(page: Page):
    gate, ended = threading.Event(), threading.Event()

    def work(progress: Progress) -> None:
        assert gate.wait(PATIENCE)
        try:
            progress(0.5, "half way")
        except CancelledError:
            ended.set()
            raise

    page.jobs.submit("fit", "Fitting", work, done=lambda _: None)
    page.delivered.get(timeout=PATIENCE)()
    page.jobs.close()
    gate.set()

    assert ended.wait(PATIENCE)
    assert page.delivered.empty()


def test_work_of_two_sessions_never_overlaps():
    """Fits seed the one random state that torch has per process."""
    pages = [Page(), Page()]
    inside = threading.Semaphore(1)

    def work(progress: Progress) -> bool:
        alone = inside.acquire(blocking=False)
        progress(0.5, "half way")
        inside.release()
        return alone

    results: list[bool] = []
    jobs = [
        (page, page.jobs.submit(str(n), "Fitting", work, done=results.append))
        for n in range(5)
        for page in pages
    ]
    for page, job in jobs:
        page.take_until_idle(job)

    assert results == [True] * 10
