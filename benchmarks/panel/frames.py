"""Stopwatch in the page: the time until an answer is painted, and the lengths of the frames.

The length of a frame is the time between two ``requestAnimationFrame`` callbacks, 16.7 ms in an idle browser. Any work
on the main thread or on the machine makes the next frame late.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page

_TASKS = "RunTask", "ThreadControllerImpl::RunTask"

WATCH = """() => {
  const watch = window.knetWatch = {gaps: {}, phase: null, blocked: {}};
  const tick = now => {
    if (watch.phase) (watch.gaps[watch.phase] ??= []).push(now - watch.last);
    watch.last = now;
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
  try {
    new PerformanceObserver(list => list.getEntries().forEach(entry => {
      if (watch.phase) (watch.blocked[watch.phase] ??= []).push(entry.duration);
    })).observe({type: 'long-animation-frame'});
  } catch { /* a browser without it */ }
}"""

ASK = """question => new Promise(resolve => {
  const panel = document.querySelector('#knet-ask');
  const box = panel.querySelector('textarea');
  const place = panel.querySelector('.jp-knet-Result');
  const seconds = {};
  let start = 0;
  const painted = then => requestAnimationFrame(() => setTimeout(then));
  const look = () => {
    if (!seconds.first && place.querySelector('.jp-knet-Text')) {
      seconds.first = -1;
      painted(() => { seconds.first = (performance.now() - start) / 1000; look(); });
    }
    if (seconds.first > 0 && panel.getAttribute('aria-busy') === 'false') {
      observer.disconnect();
      resolve({...seconds, finished: (performance.now() - start) / 1000});
    }
  };
  const observer = new MutationObserver(look);
  observer.observe(panel, {subtree: true, childList: true, attributes: true, attributeFilter: ['aria-busy']});
  box.value = question;
  box.focus();
  start = performance.now();
  box.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true, cancelable: true}));
})"""


def watch(page: Page) -> None:
    """Start to measure the frames of this page."""
    page.evaluate(WATCH)


@contextmanager
def phase(page: Page, name: str) -> Iterator[None]:
    """Count the frames during the block, and two more, as those of ``name``.

    The first frame counts from the start of the block, since the page may be blocked at once.
    """
    page.evaluate("name => { knetWatch.phase = name; knetWatch.last = performance.now(); }", name)
    yield
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.evaluate("() => { knetWatch.phase = null; }")


@contextmanager
def processor_time(page: Page) -> Iterator[list[float]]:
    """Collect the milliseconds of processor time of each task of the page's main thread; filled when the block ends.

    Unlike the length of a frame, it excludes other work of the machine.
    """
    browser = page.context.browser
    assert browser is not None
    spent: list[float] = []
    browser.start_tracing(page=page, categories=["toplevel", "disabled-by-default-devtools.timeline"])
    try:
        yield spent
    finally:
        events = json.loads(browser.stop_tracing())["traceEvents"]
    main = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    spent += [
        event.get("tdur", 0) / 1000
        for event in events
        if event["name"] in _TASKS and (event["pid"], event["tid"]) in main
    ]


def click(page: Page, selector: str) -> None:
    """Click what a CSS selector names.

    Playwright reads the whole page to find a button by role and name, as tests do. With two hundred sources that
    takes 0.1 s, which must not count as time of the panel.
    """
    page.evaluate("selector => document.querySelector(selector).click()", selector)


def lengths(page: Page) -> dict[str, list[float]]:
    """Return the milliseconds of each frame so far, by phase."""
    found: dict[str, list[float]] = page.evaluate("() => knetWatch.gaps")
    return found


def long_frames(page: Page) -> dict[str, list[float]]:
    """Return the frames over 50 ms of the browser's Long Animation Frames API, by phase."""
    found: dict[str, list[float]] = page.evaluate("() => knetWatch.blocked")
    return found


def ask(page: Page, question: str) -> dict[str, float]:
    """Ask in the open panel.

    Returns the seconds from Enter until an answer is painted (``first``) and until the panel is idle (``finished``).
    """
    seconds: dict[str, float] = page.evaluate(ASK, question)
    return seconds
