"""What a report costs by the number of trials: seconds to build, megabytes, seconds until a browser shows it.

    python -m tests.benchmarks.bench_report [--trials 50 1000 10000] [--rounds 3] [--append]

A study of that many trials with about 400 points each is written as a sweep leaves it, journal and outbox, in a folder
that is removed afterwards. Built by `python -m sweeps report` as a person types it, interpreter to prompt. Opened in
headless Chromium (1280 by 900, no GPU, no network; a tab of its own each time): from the navigation to
DOMContentLoaded, to the first figure, to the last. Medians over the rounds; beside them what plotly.js alone takes,
which no page with it inside can be faster than.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

import optuna

from tests.benchmarks import results
from tests.benchmarks.timing import OtherLoad, seconds_of
from tests.conftest import REPOSITORY
from tests.sweeps import browser
from tests.sweeps.written_study import WrittenStudy

MARKS = """
window.marks = {};
document.addEventListener("DOMContentLoaded", () => { marks.dom = performance.now(); });
new MutationObserver(() => {
    if (document.querySelector(".main-svg")) marks.first ??= performance.now();
    if (document.documentElement.dataset.drawn) marks.all ??= performance.now();
}).observe(document, {childList: true, subtree: true, attributes: true});
"""


def build(folder: Path, *options: str) -> None:
    """`python -m sweeps report`."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "sweeps", "report", *options]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)


def opened(pages: Sequence[Path], n_rounds: int) -> list[list[float]]:
    """Seconds to DOMContentLoaded, first and last figure of each page; the pages take turns."""
    from playwright.sync_api import sync_playwright

    taken: list[list[list[float]]] = [[] for _ in pages]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.program(), args=list(browser.ARGUMENTS))
        for round_ in range(n_rounds + 1):  # the first is to warm the disk's cache and the browser
            for number, page in enumerate(pages):
                context = chromium.new_context(viewport={"width": 1280, "height": 900}, offline=True)
                tab = context.new_page()
                tab.add_init_script(MARKS)
                tab.goto(page.as_uri())
                tab.wait_for_selector("html[data-drawn=all]", state="attached", timeout=120_000)
                if round_ > 0:
                    taken[number].append([ms / 1000 for ms in tab.evaluate("[marks.dom, marks.first, marks.all]")])
                context.close()
        chromium.close()
    return [[median(column) for column in zip(*rounds, strict=True)] for rounds in taken]


def plotly_alone(folder: Path) -> Path:
    """A page that loads plotly.js and draws one point."""
    from plotly.offline import get_plotlyjs

    page = folder / "plotly.html"
    drawing = 'Plotly.newPlot("p", [{y: [1]}]).then(() => { document.documentElement.dataset.drawn = "all"; });'
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
            seconds = {
                form: median(seconds_of(partial(build, folder, *arguments)) for _ in range(options.rounds))
                for form, arguments in forms.items()
            }
            pages.append(page)
            rows.append(
                [f"{n_trials:,}", f"{outbox.stat().st_size / 1e6:.1f}"]
                + [f"{seconds[form]:.1f}" for form in forms]
                + [f"{page.stat().st_size / 1e6:.2f}"]
            )
            print(rows[-1], flush=True)
        rows.append(["plotly.js alone", *["-"] * 5])
        if browser.program() is not None:
            for row, times in zip(rows, opened([*pages, plotly_alone(Path(place))], options.rounds), strict=True):
                row += [f"{seconds:.2f}" for seconds in times]
        else:
            rows = [[*row, *["no browser"] * 3] for row in rows]
    columns = [
        "trials",
        "outbox MB",
        "summary s",
        "csv s",
        "page s",
        "page MB",
        "DOM s",
        "first figure s",
        "all figures s",
    ]
    text, paragraph = results.table(columns, rows), results.conditions(other.cores)
    print(f"\n{paragraph}\n\n{text}")
    if options.append:
        results.append("bench_report", paragraph, text)


if __name__ == "__main__":
    main()
