"""What a report costs by the number of trials: seconds to build, megabytes, seconds until a browser shows it.

    python -m tests.benchmarks.bench_report [--trials 50 1000 10000] [--rounds 3] [--append]

A study of that many trials with about 400 points each is written as a sweep leaves it, journal and outbox, in a folder
that is removed afterwards. Built by `python -m sweeps report` as a person types it, interpreter to prompt. Opened in
headless Chromium (1280 by 900, no GPU, no network; a tab of its own each time): from the navigation to
DOMContentLoaded, to the figures that are in view or near, and to the last one if all are wanted at once. Medians over
the rounds; beside them what plotly.js alone takes, which no page with it inside can be faster than. "processor s" is
what the building process and the tab's used of a core: on a busy machine the better measure.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import optuna

from tests.benchmarks import results
from tests.benchmarks.timing import OtherLoad
from tests.conftest import REPOSITORY
from tests.sweeps.support import browser
from tests.sweeps.support.written_study import WrittenStudy

MARKS = """
window.marks = {};
document.addEventListener("DOMContentLoaded", () => { marks.dom = performance.now(); });
new MutationObserver(() => {
    if (document.querySelector(".main-svg")) marks.inView = performance.now();
}).observe(document, {childList: true, subtree: true});
"""
OPENED = "new Promise(done => setTimeout(() => done([marks.dom, marks.inView]), 1000))"
REST = (
    "(() => { const t = performance.now(); dispatchEvent(new Event('beforeprint')); return performance.now() - t; })()"
)


def build(folder: Path, options: Sequence[str], n_rounds: int) -> tuple[float, float]:
    """Wall and processor seconds of `python -m sweeps report`, medians."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "sweeps", "report", *options]
    taken = []
    for _ in range(n_rounds):
        before = os.times()
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        user, system, elapsed = (after - b for after, b in zip(os.times()[2:], before[2:], strict=True))
        taken.append((elapsed, user + system))
    wall, processor = zip(*taken, strict=True)
    return median(wall), median(processor)


def opened(pages: Sequence[Path], n_rounds: int) -> list[list[float]]:
    """Of each page: seconds to DOMContentLoaded, figures in view, all figures; processor seconds. They take turns."""
    from playwright.sync_api import sync_playwright

    taken: list[list[list[float]]] = [[] for _ in pages]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.program(), args=list(browser.ARGUMENTS))
        system = chromium.new_browser_cdp_session()

        def processor_seconds() -> float:
            processes = system.send("SystemInfo.getProcessInfo")["processInfo"]
            return sum(process["cpuTime"] for process in processes if process["type"] == "renderer")

        for round_ in range(n_rounds + 1):  # the first is to warm the disk's cache and the browser
            for number, page in enumerate(pages):
                context = chromium.new_context(viewport={"width": 1280, "height": 900}, offline=True)
                tab = context.new_page()
                tab.add_init_script(MARKS)
                before = processor_seconds()
                tab.goto(page.as_uri())
                tab.wait_for_selector(".main-svg", state="attached", timeout=120_000)
                dom, in_view = tab.evaluate(OPENED)
                rest = tab.evaluate(REST)
                if round_ > 0:
                    seconds = [milliseconds / 1000 for milliseconds in (dom, in_view, in_view + rest)]
                    taken[number].append([*seconds, processor_seconds() - before])
                context.close()
        chromium.close()
    return [[median(column) for column in zip(*rounds, strict=True)] for rounds in taken]


def plotly_alone(folder: Path) -> Path:
    """A page that loads plotly.js and draws one point."""
    from plotly.offline import get_plotlyjs

    page = folder / "plotly.html"
    drawing = 'Plotly.newPlot("p", [{y: [1]}]);'
    page.write_text(f'<!doctype html><div id="p"></div><script>{get_plotlyjs()}</script><script>{drawing}</script>')
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[50, 1000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--append", action="store_true", help="add the table to RESULTS.md")
    options = parser.parse_args()
    rows, pages = [], []
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as place, OtherLoad() as other:
        for n_trials in options.trials:
            folder = Path(place, str(n_trials))
            folder.mkdir()
            written = WrittenStudy(folder, n_trials)
            written.write()
            outbox = folder / ".sweeps" / written.name / "outbox.jsonl"
            page = folder / "report.html"
            forms = {"summary": [], "csv": ["--csv", "trials.csv"], "html": ["--html", "report.html"]}
            seconds = {form: build(folder, arguments, options.rounds) for form, arguments in forms.items()}
            pages.append(page)
            rows.append(
                [f"{n_trials:,}", f"{outbox.stat().st_size / 1e6:.1f}"]
                + [f"{seconds[form][0]:.1f}" for form in forms]
                + [f"{seconds['html'][1]:.1f}", f"{page.stat().st_size / 1e6:.2f}"]
            )
            print(rows[-1], flush=True)
        rows.append(["plotly.js alone", *["-"] * 6])
        if browser.program() is not None:
            for row, times in zip(rows, opened([*pages, plotly_alone(Path(place))], options.rounds), strict=True):
                row += [f"{seconds:.2f}" for seconds in times]
        else:
            rows = [[*row, *["no browser"] * 4] for row in rows]
    columns = [
        *("trials", "outbox MB", "summary s", "csv s", "page s", "page processor s", "page MB"),
        *("DOM s", "in view s", "all figures s", "tab processor s"),
    ]
    text, paragraph = results.table(columns, rows), results.conditions(other.cores)
    print(f"\n{paragraph}\n\n{text}")
    if options.append:
        results.append("bench_report", paragraph, text)


if __name__ == "__main__":
    main()
