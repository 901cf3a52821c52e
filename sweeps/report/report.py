"""A study's report: a summary for the terminal, the table of all trials (CSV), the page (HTML)."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING

from experiments.errors import InputError, how_many
from experiments.mlflow_connection import sqlite_file
from experiments.report import share_plotly_js
from experiments.whole_file import whole_file
from sweeps.recording.facts import sweep_finished
from sweeps.report.reported_study import ReportedStudy, read_study, reported_study
from sweeps.results.text_tables import aligned, leaderboard_table
from sweeps.search.winner import Winner
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.workspace import Workspace

if TYPE_CHECKING:
    from sweeps.drift.story import Story

N_BEST = 10


def report(workspace: Workspace, study: str | None, *, html: Path | None = None, csv: Path | None = None) -> str:
    """Write the files that are asked for; without one, the summary is what there is to say.

    Args:
        workspace: Where the study is.
        study: Its name, or its sweep's; None is the newest.
        html: The page.
        csv: All trials by number, one tidy row each, in full precision.
    Raises:
        InputError: There is no such study, none of its trials is complete, or a file cannot be written.
    """
    if html is not None and csv is not None and html.resolve() == csv.resolve():
        raise InputError(f"--html and --csv both name {html}.", "Each is a file of its own.", "Give one another name.")
    with ExitStack() as files:  # an impossible file is told before a long study is read
        page = files.enter_context(whole_file(html)) if html is not None else None
        rows = files.enter_context(whole_file(csv)) if csv is not None else None
        read = read_study(workspace, study)
        if page is not None:
            _write_page(read, page, workspace)
        if rows is not None:
            read.table.drop(columns="outcome").to_csv(rows, index=False, lineterminator="\n")
    return report_text(read) if page is None and rows is None else ""


def report_at_the_end(
    stored: StoredStudy, workspace: Workspace, winner: Winner | None, say: Callable[[str], None]
) -> dict[str, str]:
    """Write the page into the study's folder; the artifacts of its last fact, {} when there is no page.

    Whatever goes wrong is said and goes no further: a sweep's result does not depend on its report.
    """
    if winner is None:
        return {}
    page = workspace.study_folder(stored.name).report
    try:
        finished = sweep_finished(stored.name, "FINISHED", winner, sequence=1)
        write_page_of_folder(reported_study(stored, workspace, "FINISHED", finished), workspace)
    except Exception as error:
        what = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        say(
            f"No report was made: {what} The sweep's result is safe. "
            f"Later: python -m sweeps report {stored.name} --html {page.name}"
        )
        return {}
    return {page.name: page.name}


def write_page_of_folder(study: ReportedStudy, workspace: Workspace) -> None:
    """Write the page into the study's folder, which is also MLflow's copy.

    The pages of a folder whose record is a database on this machine share plotly.js; whoever sees a server's copy
    cannot get at that file, so there the page has all in itself.
    """
    folder = workspace.study_folder(study.name)
    is_local = sqlite_file(workspace.tracking_uri(folder)) is not None
    with whole_file(folder.report) as file:
        shared = os.path.relpath(share_plotly_js(workspace.root), folder.path) if is_local else None
        _write_page(study, file, workspace, shared and shared.replace(os.sep, "/"))


def report_text(study: ReportedStudy) -> str:
    """The best trials, what mattered, and where the time went, for a terminal."""
    counts = ", ".join(f"{n} {outcome}" for outcome, n in study.table["outcome"].value_counts().items())
    best = leaderboard_table(study.leaderboard[:N_BEST])
    parts = [
        f"{study.name}: {study.state}",
        f"The best of {how_many(len(study.leaderboard), 'trial')} ({counts})",
        best,
    ]
    if study.importances:
        parts += ["Importances (PED-ANOVA of the complete trials)", _importances(study)]
    if study.outbox is not None:
        parts += ["Training time", _time_spent(study)]
    return "\n\n".join(parts)


def _importances(study: ReportedStudy) -> str:
    absent = dict.fromkeys(study.without_importance, "no trial of the best tenth has it")
    rows = [
        (name, "-" if name in absent else f"{share:.2f}", absent.get(name, "█" * round(30 * share)))
        for name, share in study.importances.items()
    ]
    return aligned([("hyperparameter", "importance", ""), *rows])


def _time_spent(study: ReportedStudy) -> str:
    seconds = study.table.groupby("outcome", sort=False)["training_seconds"].agg(["size", "sum"])
    whole = max(seconds["sum"].sum(), 1e-12)
    rows = [
        (str(outcome), f"{n:.0f}", f"{spent:.2f}", f"{spent / whole:.0%}") for outcome, (n, spent) in seconds.iterrows()
    ]
    return aligned([("state", "trials", "seconds", "share"), *rows])


def _write_page(study: ReportedStudy, file: IO[str], workspace: Workspace, plotly_js: str | None = None) -> None:
    from sweeps.report.page import page_of

    file.write(page_of(study, _story(study, workspace)).to_html(plotly_js))


def _story(study: ReportedStudy, workspace: Workspace) -> "Story | None":
    """What moved up to this study; None where there is no other to compare it with."""
    from sweeps.drift.nights import read_nights
    from sweeps.drift.story import Story

    read = read_nights(workspace, study.name, until=study.name, finish=study.finished)
    return Story.of(read) if len(read.nights) > 1 else None
