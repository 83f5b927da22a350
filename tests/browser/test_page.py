"""The page in a real browser: drawn, usable, and asking nobody but this machine."""

import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from campaigns.campaign import Campaign
from campaigns.envelope import Event
from tests.dashboards.small_campaign import ANA, NAME, SPACE, prepare

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
PATIENCE = 40_000  # ms: the first page of a server imports torch on a machine that may be busy
# As root, chromium starts only without its sandbox.
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Finds the plotly figure inside an element with this class, through every shadow root.
FIGURE = """(name) => {
  const find = (root) => {
    for (const e of root.querySelectorAll("*")) {
      if (e._fullLayout) return e
      const inner = e.shadowRoot && find(e.shadowRoot)
      if (inner) return inner
    }
    return null
  }
  const holders = (root) => [...root.querySelectorAll("*")].flatMap((e) => [
    ...(e.classList.contains(name) ? [e] : []), ...(e.shadowRoot ? holders(e.shadowRoot) : [])])
  const drawn = holders(document).map((e) => e.shadowRoot && find(e.shadowRoot)).find(Boolean)
  if (!drawn) return null
  const layout = drawn._fullLayout
  const axis = (a) => ({range: a.range, autorange: a.autorange, title: a.title.text})
  return {
    x: axis(layout.xaxis), y: axis(layout.yaxis), legend: (layout.legend || {}).orientation,
    shows_legend: layout.showlegend, margin: layout.margin.t,
    traces: drawn._fullData.map((t) => ({type: t.type, name: t.name, visible: t.visible,
      n: (t.x || []).length, shape: t.z ? [t.z.length, t.z[0].length] : null})),
  }
}"""


@dataclass(frozen=True)
class Server:
    url: str
    log: Path


@dataclass(frozen=True)
class Tab:
    """A page in the browser, with everything that went wrong on it."""

    page: Page
    server: Server
    trouble: list[str]

    def check(self) -> None:
        log = self.server.log.read_text()
        assert self.trouble == []
        assert "Traceback" not in log
        assert "ERROR" not in log


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("store") / "small.db")


@pytest.fixture(scope="module")
def chromium(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def tab(chromium: Browser, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """The campaign, opened once for all tests and drawn to the end."""
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with serving(store, log) as server, watching(chromium, server) as tab:
        tab.page.goto(server.url)
        for drawn in (".map-plot .main-svg", ".drivers-plot .main-svg", ".tabulator-row"):
            expect(tab.page.locator(drawn).first).to_be_visible(timeout=PATIENCE)
        yield tab


@pytest.fixture
def page(tab: Tab) -> Iterator[Page]:
    yield tab.page
    tab.check()


def figure(page: Page, name: str) -> dict[str, object]:
    """Return what plotly drew, once it has drawn something."""
    return page.wait_for_function(FIGURE, arg=name, timeout=PATIENCE).json_value()


def last_event(store: Path) -> Event:
    with Campaign.open(str(store), NAME, actor=ANA) as campaign:
        return campaign.events()[-1]


def test_the_server_says_that_it_is_alive(tab: Tab):
    with urllib.request.urlopen(f"{tab.server.url}liveness", timeout=10) as answer:
        assert answer.status == 200


@pytest.mark.requirement("DS-2")
def test_the_map_is_drawn_over_the_factor_space(page: Page):
    drawn = figure(page, "map-plot")
    names = {trace["name"]: trace for trace in drawn["traces"]}
    axes = {drawn[letter]["title"].split(" (")[0]: drawn[letter] for letter in ("x", "y")}
    for factor in SPACE.searched:
        assert axes[factor.name]["range"] == pytest.approx([factor.low, factor.high])
        assert axes[factor.name]["autorange"] is False
    assert axes["temperature"]["title"] == "temperature (degC)"
    assert names["P(all specifications met)"]["shape"] == [45, 45]
    assert names["runs"]["n"] == 11
    assert names["recommended or planned runs"]["n"] == 3
    assert len(_colours(page.locator(".map-plot").first.screenshot())) > 20


@pytest.mark.requirement("ANA-13")
def test_the_drivers_are_drawn_with_a_bar_for_each_factor(page: Page):
    drawn = figure(page, "drivers-plot")
    assert [(trace["type"], trace["n"]) for trace in drawn["traces"]] == [("bar", 2)]
    assert drawn["x"]["range"] == [0, 1]
    sentence = page.locator(".drivers-plot-sentence")
    expect(sentence).to_contain_text("strongest driver with probability")


def test_a_figure_keeps_its_legend_beside_the_theme_of_the_page(page: Page):
    """The page's theme writes its own layout over every figure; ours is sent again."""
    page.wait_for_timeout(1500)  # the theme comes a moment after the figure

    drawn = figure(page, "map-plot")

    assert drawn["legend"] == "h"
    assert drawn["margin"] < 64
    assert drawn["shows_legend"] is True


def test_runs_batch_and_record_stand_on_the_page(page: Page):
    expect(page).to_have_title(re.compile(NAME))
    expect(page.locator("h1")).to_have_text(NAME)
    expect(page.locator(".overview")).to_contain_text("intact")
    expect(page.locator(".overview")).to_contain_text("Research mode")
    assert page.locator(".runs-table .tabulator-row").count() >= 10
    expect(page.locator(".batch-table tbody")).to_have_count(3)
    expect(page.locator(".batch-table thead")).to_contain_text("g/L")


def test_the_numbers_behind_a_figure_open_by_keyboard(page: Page):
    toggle = page.locator(".drivers-plot-toggle button")
    toggle.focus()
    page.keyboard.press("Enter")

    rows = page.locator(".drivers-plot-numbers .tabulator-row")
    expect(rows).to_have_count(2, timeout=10_000)


def test_no_section_covers_another_in_a_narrow_window(page: Page):
    page.set_viewport_size({"width": 1000, "height": 700})
    page.wait_for_timeout(800)  # the figures follow the width

    names = ("overview", "runs", "drivers", "map", "batch")
    boxes = [page.locator(f".section-{name}").bounding_box() for name in names]
    page.set_viewport_size({"width": 1440, "height": 900})

    ends = [box["y"] + box["height"] for box in boxes if box]
    starts = [box["y"] for box in boxes if box]
    assert len(ends) == len(names)
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 1000 for box in boxes if box)


@pytest.mark.requirement("MG-7")
def test_pressing_approve_writes_an_event_for_that_run(page: Page, store: Path):
    run = undecided(page)[-1]

    page.get_by_role("button", name=f"Approve run {run}", exact=True).click()

    expect(page.locator(f'.batch-table tbody[data-run="{run}"]')).to_contain_text("approved")
    event = last_event(store)
    assert (event.kind, event.payload["runs"], event.actor.id) == ("runs-approved", [run], "ana")


@pytest.mark.requirement("DI-2")
def test_rejecting_by_keyboard_asks_for_a_reason_first(page: Page, store: Path):
    run = undecided(page)[0]
    before = last_event(store).sequence

    page.get_by_role("button", name=f"Reject run {run}", exact=True).first.focus()
    page.keyboard.press("Enter")
    page.locator(".reject-confirm button").click()
    expect(page.locator(".reject-error")).to_contain_text("A reason is needed")
    assert last_event(store).sequence == before

    page.locator(".reject-reason textarea").first.fill("the pump cannot hold this")
    page.locator(".reject-confirm button").click()

    expect(page.locator(f'.batch-table tbody[data-run="{run}"]')).to_contain_text("rejected")
    assert last_event(store).reason == "the pump cannot hold this"


def test_a_new_batch_is_recommended_from_the_page(page: Page, store: Path):
    before = last_event(store).sequence

    page.locator(".batch-ask button").click()

    expect(page.locator(".batch-summary")).to_contain_text("Batch 2: 4 of 4", timeout=PATIENCE)
    expect(page.locator(".batch-table tbody")).to_have_count(4)
    event = last_event(store)
    assert (event.sequence, event.kind) == (before + 1, "batch-recommended")


def test_a_store_that_is_not_there_gives_a_message_on_the_page(chromium: Browser, tmp_path: Path):
    missing = tmp_path / "missing.db"
    with serving(missing, tmp_path / "log.txt") as server, watching(chromium, server) as tab:
        tab.page.goto(server.url)

        expect(tab.page.locator("h1")).to_have_text("This campaign cannot be opened")
        expect(tab.page.locator(".trouble")).to_contain_text("There is no store")
        tab.check()
    assert not missing.exists()


def undecided(page: Page) -> list[str]:
    """Return the runs of the batch on the page that can still be approved."""
    names = page.locator(".batch-table tbody:has(button.approve)").evaluate_all(
        "bodies => bodies.map((body) => body.dataset.run)"
    )
    assert names
    return names


@contextmanager
def serving(store: Path, log: Path) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    options = ["--store", str(store), "--port", str(port), "--actor", ANA.id, "--no-browser"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dashboards", *options],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(f"http://{HOST}:{port}/", log)
    try:
        _wait_for(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(server: Server, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + PATIENCE / 1000
    while True:
        try:
            urllib.request.urlopen(f"{server.url}liveness", timeout=5).close()
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None, server.log.read_text()
            assert time.monotonic() < end, server.log.read_text()
            time.sleep(0.1)
        else:
            return


@contextmanager
def watching(chromium: Browser, server: Server) -> Iterator[Tab]:
    """Give a tab that notes each request to others, each error, and each answer that is one."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    trouble: list[str] = []
    ours = (server.url, server.url.replace("http", "ws"), "data:", "blob:")
    page.on("request", lambda r: None if r.url.startswith(ours) else trouble.append(r.url))
    page.on("websocket", lambda w: None if w.url.startswith(ours) else trouble.append(w.url))
    page.on("pageerror", lambda error: trouble.append(f"JavaScript: {error}"))
    page.on("console", lambda m: trouble.append(m.text) if m.type == "error" else None)
    page.on("response", lambda r: trouble.append(f"{r.status} {r.url}") if r.status > 399 else None)
    yield Tab(page, server, trouble)
    context.close()


def _colours(picture: bytes) -> set[tuple[int, ...]]:
    pixels = np.asarray(Image.open(BytesIO(picture)).convert("RGB"))
    return {tuple(colour) for colour in pixels.reshape(-1, 3)[::7].tolist()}
