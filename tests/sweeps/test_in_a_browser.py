"""A sweep as a person looks at it afterwards: MLflow's own pages and the report, in a real browser."""

import pytest

from sweeps.report.report import report, write_page_of_folder
from sweeps.report.reported_study import read_study
from tests.support.servers import mlflow_server
from tests.sweeps.support.browser import chromium
from tests.sweeps.support.command_line import CommandLine
from tests.sweeps.support.report_page import EVIL, SECTIONS
from tests.sweeps.support.written_study import WrittenStudy


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(autouse=True)
def _no_javascript_error(request):
    """Whatever a test looks at: nothing fails in JavaScript, nothing asks anything of the person or of a network."""
    browser = request.getfixturevalue("browser")
    browser.errors.clear()
    yield
    assert browser.errors == []


# --- the report ---


@pytest.fixture(scope="module")
def report_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    report(WrittenStudy(folder, 60).write(), None, html=folder / "report.html")
    return (folder / "report.html").as_uri()


def draw_all(page):
    """As before printing; else a figure is drawn when it comes near."""
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_selector("html[data-pending='0']", state="attached")


def test_figures_are_drawn_when_they_come_into_view(browser, report_file):
    with browser.page(report_file, has_network=False) as page:
        page.locator("#winner .main-svg").first.wait_for()
        assert page.locator("#time .main-svg").count() == 0
        page.locator("nav a[href='#time']").click()
        page.locator("#time figure:last-child .main-svg").first.wait_for()
        assert int(page.locator("html").get_attribute("data-pending")) > 0


def test_the_page_of_a_study_s_folder_draws_with_the_shared_script_and_says_where_its_figures_are_without_it(
    browser, tmp_path
):
    workspace = WrittenStudy(tmp_path, 20).write()
    write_page_of_folder(read_study(workspace, None), workspace)
    page_file = workspace.study_folder(WrittenStudy.name).report
    with browser.page(page_file.as_uri()) as page:
        page.locator("#winner .main-svg").first.wait_for()
        assert not page.locator(".no-figures").is_visible()
    (script,) = workspace.root.glob("plotly-*.min.js")
    script.unlink()
    with browser.page(page_file.as_uri()) as page:
        page.locator(".no-figures").wait_for()
        assert page.locator("figure").count() == 0
        assert page.locator("#leaderboard tr").count() > 20


@pytest.mark.parametrize("width", [1280, 400])
def test_the_report_is_readable_at_every_width_without_a_network(browser, report_file, width):
    with browser.page(report_file, width, has_network=False) as page:
        draw_all(page)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        for anchor in SECTIONS:
            box = page.locator(f"section#{anchor}").bounding_box()
            assert box["width"] >= width * 0.85
            assert box["height"] > 50
            assert page.locator(f"nav a[href='#{anchor}']").count() == 1
        figures = page.locator("figure")
        for number in range(figures.count()):
            figure = figures.nth(number)
            plot = figure.locator(".main-svg").first.bounding_box()
            assert plot["width"] > 250
            assert plot["height"] > 150
            marks = figure.locator(".scatterlayer .trace path, .barlayer .point path, .boxlayer path")
            assert marks.count() > 0, figure.locator("figcaption").inner_text()
        texts = page.locator("td, th").evaluate_all(
            "cells => cells.map(cell => parseFloat(getComputedStyle(cell).fontSize))"
        )
        assert min(texts) >= 12


def test_labels_and_legends_do_not_cover_each_other_on_a_phone(browser, report_file):
    overlaps = """figure => {
        const box = selector => Array.from(figure.querySelectorAll(selector)).map(e => e.getBoundingClientRect());
        const apart = (a, b) => a.right - 1 <= b.left || a.bottom - 1 <= b.top;
        const covers = (a, b) => !apart(a, b) && !apart(b, a);
        const ticks = box(".xtick text"), legend = box(".legend");
        const crossing = ticks.some((a, i) => ticks.some((b, j) => i < j && covers(a, b)));
        return [crossing, legend.some(a => box(".scatterlayer path").some(b => covers(a, b)))];
    }"""
    with browser.page(report_file, 400, has_network=False) as page:
        draw_all(page)
        for figure in page.locator("figure").all():
            tilted = figure.locator(".xtick text[transform*='rotate(3'], .xtick text[transform*='rotate(9']").count()
            crossing, covered = figure.evaluate(overlaps)
            caption = figure.locator("figcaption").inner_text()
            assert not covered, caption
            assert not crossing or tilted, caption


def test_a_text_of_a_user_is_shown_and_not_run(browser, tmp_path):
    workspace = WrittenStudy(tmp_path, 30, reason=EVIL, source=EVIL, class_names=(EVIL, "b"), config_toml=EVIL).write()
    report(workspace, None, html=tmp_path / "report.html")
    with browser.page((tmp_path / "report.html").as_uri(), has_network=False) as page:
        draw_all(page)
        assert page.get_by_text(EVIL).count() >= 2


# --- MLflow ---

N_TRIALS = 10  # as many as a run's page lists at first


@pytest.mark.slow
def test_mlflow_shows_nested_trials_what_won_the_report_and_curves(browser, tmp_path):
    """One test, because a sweep and a server are slow to begin: all that a person would click through."""
    here = CommandLine(tmp_path)
    said = here.json("run", "breast_cancer", "--trials", str(N_TRIALS))
    with mlflow_server(tmp_path, f"sqlite:///{tmp_path}/mlflow.db") as address:
        experiment = f"{address}/#/experiments/{said['mlflow']['experiment_id']}"
        study = f"{experiment}/runs/{said['mlflow']['run_id']}"
        with browser.page(f"{experiment}/runs", 1600) as page:
            see_trials_under_their_study(page, said)
        with browser.page(study, 1600) as page:
            see_what_won(page, said)
            page.get_by_role("link", name=f"trial-{said['best']['number']:04d}").click()
            page.get_by_role("tab", name="Model metrics").click()
            page.set_viewport_size({"width": 1600, "height": 2000})
            see_curves(page)
        with browser.page(f"{study}/artifacts/report.html", 1600) as page:
            inside = page.frame_locator("iframe")
            inside.get_by_text("This copy has no figures.").wait_for()
            assert inside.locator("h1").inner_text() == said["study"]
            assert inside.locator("#leaderboard tr").count() == N_TRIALS + 1


def see_trials_under_their_study(page, said):
    page.get_by_role("link", name=said["study"]).wait_for()
    expander = page.locator(".ag-row button").first
    for n_rows in (1, 1 + N_TRIALS, 1):  # folded together, opened by a click, folded again
        wait_for_rows(page, n_rows)
        assert page.get_by_role("link", name="trial-0009").count() == (n_rows > 1)
        expander.click()


def wait_for_rows(page, n):
    """MLflow draws its grid in several steps, and each row twice: for the columns that are pinned, and the others."""
    page.wait_for_function(
        """n => {
            const rows = Array.from(document.querySelectorAll(".ag-row"));
            return new Set(rows.map(row => row.getAttribute("row-id"))).size === n;
        }""",
        arg=n,
    )


def see_what_won(page, said):
    page.get_by_text(f"Trial {said['best']['number']} won.").wait_for()
    page.get_by_text("Finished", exact=True).first.wait_for()
    page.get_by_text("sweeps.packages.numpy").wait_for()
    page.get_by_role("link", name="trial-0009").wait_for()


def see_curves(page):
    """Four charts have a line, under the names of the curves; plotly leaves out of a line what no pixel shows."""
    for name in ("train_cost", "validation_cost", "train_accuracy", "validation_accuracy"):
        page.get_by_text(f"({name})").first.wait_for()
    page.wait_for_function(
        """() => {
            const hasCurve = chart => Array.from(chart.querySelectorAll("path.js-line")).some(
                line => line.getAttribute("d").split("L").length > 5);
            return Array.from(document.querySelectorAll(".js-plotly-plot")).filter(hasCurve).length === 4;
        }"""
    )
