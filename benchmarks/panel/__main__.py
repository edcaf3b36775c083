"""Run the benchmark of the panels: a real JupyterLab, the embedded demo network, Chromium."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from playwright.sync_api import Page, sync_playwright

from benchmarks.harness import report
from benchmarks.panel import frames
from knet_indexer.demo import owners
from tests.browser.driver import Driver
from tests.browser.lab import FLAGS, chromium, environment, running_lab

NAME = "demo"
PASSAGES = 200
START_MILLISECONDS = 600_000  # the first start of the demo network embeds its documents
SCROLL_PIXELS = 700  # a turn of the wheel each frame, down all of a long list
SELECTED = (1, 60, 120, 199)  # sources that are traced, one after the other
QUESTIONS = (
    *owners.QUESTIONS,
    "What does bisect.insort do with equal elements?",
    "How does random.shuffle reorder a sequence?",
    "What does numpy.unique return with return_inverse?",
    "Which norm does numpy.linalg.norm compute by default?",
    "What does numpy.linalg.svd return?",
    "What is raised when a JSON document is not valid?",
    "How is a temporary directory removed?",
    "How does shelve write back mutable entries?",
    "What does statistics.quantiles divide data into?",
    "How does an inverted file index in faiss assign vectors?",
    "How does Kmeans in faiss choose its initial centroids?",
    "How does one send a transaction with web3?",
    "What does a LangChain retriever return for a query?",
    "What does numpy.linalg.lstsq minimise?",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.panel", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="use few questions and rounds, as a smoke test")
    quick = parser.parse_args().quick
    questions, repeats, rounds = (QUESTIONS[:3], 1, 1) if quick else (QUESTIONS, 3, 5)
    with opened() as driver:
        page = driver.page
        for question in QUESTIONS[: 1 if quick else 5]:
            frames.ask(page, question)
        answers = [frames.ask(page, question) for _ in range(repeats) for question in questions]
        load = os.getloadavg()
        with frames.processor_time(page) as tasks:
            lengths, blocked = long_answers(driver, questions, rounds)
    seconds = {kind: np.array([answer[kind] for answer in answers]) for kind in ("first", "finished")}
    longest = {phase: round(max(values), 1) for phase, values in lengths.items()}
    figures = {
        **{f"{kind}_answer_s_p{p}": quantile(values, p) for kind, values in seconds.items() for p in (50, 95)},
        "longest_frame_ms": max(value for phase, value in longest.items() if phase != "idle"),
        "longest_task_cpu_ms": round(max(tasks), 1),
        "longest_idle_frame_ms": longest["idle"],  # the machine's own share, while the page is idle
    }
    details = {
        "questions": len(answers),
        "passages": PASSAGES,
        "rounds": rounds,
        "load_average": load,
        "longest_frame_ms": longest,
        "frame_ms_p99": {phase: quantile(np.array(values), 99) for phase, values in lengths.items()},
        "frames": {phase: len(values) for phase, values in lengths.items()},
        "long_animation_frames_ms": {phase: [round(value) for value in values] for phase, values in blocked.items()},
    }
    print(details)
    report("panel-quick" if quick else "panel", figures, details, picture(seconds, lengths))


def quantile(values: np.ndarray[Any, np.dtype[np.float64]], percent: int) -> float:
    return round(float(np.percentile(values, percent)), 3)


@contextmanager
def opened() -> Iterator[Driver]:
    """Open JupyterLab with the ask panel on a running demo network."""
    with (
        TemporaryDirectory(prefix="knet-bench-") as folder,
        sync_playwright() as playwright,
        running_lab(Path(folder), environment(Path(folder)), NAME) as lab,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        driver = Driver(browser.new_page(viewport={"width": 1400, "height": 900}), lab)
        driver.open_lab()
        panel = driver.open_ask()
        print("starting the demo network, which takes minutes ...", flush=True)
        panel.get_by_role("button", name="Connect").click()
        panel.get_by_text("demo: connected").wait_for(timeout=START_MILLISECONDS)
        yield driver
        browser.close()


def long_answers(
    driver: Driver, questions: Sequence[str], rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return the frames while an answer with `PASSAGES` passages arrives, is shown in full, scrolled and traced."""
    page = driver.page
    driver.swell(PASSAGES)
    for question in questions:  # their passages fill the long answers
        frames.ask(page, question)
    frames.watch(page)
    with frames.phase(page, "idle"):
        page.wait_for_timeout(2000)
    for number in range(rounds):
        with frames.phase(page, "render"):
            frames.ask(page, QUESTIONS[number % len(QUESTIONS)])
        answer = driver.ask_panel.locator("article")
        with frames.phase(page, "show all"):
            answer.get_by_role("button", name=f"Show all {PASSAGES}").click()
            answer.locator(f'[data-passage="{PASSAGES}"]').wait_for(state="attached")
        with frames.phase(page, "scroll"):
            scroll(page)
        for selected in SELECTED:
            with frames.phase(page, "select"):
                frames.click(page, f'#knet-ask [aria-label="Trace source {selected}"]')
                driver.provenance.locator("svg.jp-knet-Custody").wait_for()
                page.wait_for_timeout(300)
    return frames.lengths(page), frames.long_frames(page)


def scroll(page: Page) -> None:
    """Scroll down the whole panel and up again, one step a frame."""
    page.evaluate(
        """step => new Promise(done => {
          const panel = document.querySelector('#knet-ask');
          let way = step;
          const on = () => {
            const before = panel.scrollTop;
            panel.scrollTop += way;
            if (panel.scrollTop === before) {
              if (way < 0) return done();
              way = -step;
            }
            requestAnimationFrame(on);
          };
          panel.scrollTop = 0;
          requestAnimationFrame(on);
        })""",
        SCROLL_PIXELS,
    )


def picture(seconds: dict[str, np.ndarray[Any, np.dtype[np.float64]]], lengths: dict[str, list[float]]) -> Figure:
    """Plot the answer times on the left and the frame lengths on the right."""
    figure = Figure(figsize=(11, 4))
    left, right = figure.subplots(1, 2)
    for kind, values in seconds.items():
        left.plot(np.sort(values), np.linspace(0, 1, len(values)), label=kind)
    left.axvline(2, color="0.6", linestyle=":")
    left.set(xlabel="seconds from Enter", ylabel="share of questions", title="answer on screen", xlim=(0, None))
    left.legend()
    right.boxplot(list(lengths.values()), tick_labels=list(lengths), whis=(0, 99))
    right.axhline(100, color="0.6", linestyle=":")
    right.set(ylabel="milliseconds", title=f"frames with {PASSAGES} passages", yscale="log")
    return figure


if __name__ == "__main__":
    main()
