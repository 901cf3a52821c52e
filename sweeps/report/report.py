"""A study's report: a summary for the terminal, the table of all trials (CSV), the page (HTML)."""

import io
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from experiments.errors import InputError
from experiments.whole_file import whole_file
from sweeps.recording.facts import sweep_finished
from sweeps.report.study_record import StudyRecord, hidden_units_of, read_study, record_of
from sweeps.search.winner import Winner
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.workspace import Workspace

if TYPE_CHECKING:
    from rich.table import Table

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
        record = read_study(workspace, study)
        if page is not None:
            _write_page(record, page)
        if rows is not None:
            record.table.drop(columns="outcome").to_csv(rows, index=False, lineterminator="\n")
    return report_text(record) if page is None and rows is None else ""


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
        with whole_file(page) as file:
            finished = sweep_finished(stored.name, "FINISHED", winner, sequence=1)
            _write_page(record_of(stored, workspace, "FINISHED", finished), file)
    except Exception as error:
        what = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        say(
            f"No report was made: {what} The sweep's result is safe. "
            f"Later: python -m sweeps report {stored.name} --html {page.name}"
        )
        return {}
    return {page.name: page.name}


def report_text(record: StudyRecord) -> str:
    """The best trials, what mattered, and where the time went, for a terminal."""
    from rich.console import Console

    counts = ", ".join(f"{n} {outcome}" for outcome, n in record.table["outcome"].value_counts().items())
    parts = {f"The best of {len(record.rows)} trials ({counts})": _best(record)}
    if record.importances:
        parts["Importances (PED-ANOVA of the complete trials)"] = _importances(record)
    if record.outbox is not None:
        parts["Training time"] = _time_spent(record)
    text = io.StringIO()
    console = Console(file=text, width=max(80, shutil.get_terminal_size().columns), highlight=False, markup=False)
    console.print(f"{record.name}: {record.state}")
    for title, table in parts.items():
        console.print("", title, "", table, sep="\n")
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def _best(record: StudyRecord) -> "Table":
    table = _columns("trial", "<state", "value", "at", "rate", "<hidden units", "<activation", "seconds")
    for row in record.ranked.head(N_BEST).to_dict("records"):
        table.add_row(
            str(row["number"]),
            row["outcome"],
            _number(row["value"], ".6g"),
            _number(row["best_iteration"], "d"),
            f"{row['learning_rate']:.4g}",
            hidden_units_of(row),
            row["activation"],
            _number(row["training_seconds"], ".2f"),
        )
    return table


def _importances(record: StudyRecord) -> "Table":
    table = _columns("<hyperparameter", "importance", "<")
    for name, importance in record.importances.items():
        table.add_row(name, f"{importance:.2f}", "█" * round(30 * importance))
    return table


def _time_spent(record: StudyRecord) -> "Table":
    table = _columns("<state", "trials", "seconds", "share")
    seconds = record.table.groupby("outcome", sort=False)["training_seconds"].agg(["size", "sum"])
    for outcome, (n, total) in seconds.iterrows():
        table.add_row(str(outcome), f"{n:.0f}", f"{total:.2f}", f"{total / max(seconds['sum'].sum(), 1e-12):.0%}")
    return table


def _columns(*names: str) -> "Table":
    """An empty table; a name that begins with < has its column aligned to the left."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(name.removeprefix("<"), justify="left" if name.startswith("<") else "right", no_wrap=True)
    return table


def _number(value: Any, form: str) -> str:  # noqa: ANN401 - a number or one of pandas' missing values
    import pandas as pd

    return "" if pd.isna(value) else format(value, form)


def _write_page(record: StudyRecord, file: IO[str]) -> None:
    from sweeps.report.page import page_of

    file.write(page_of(record).to_html())
