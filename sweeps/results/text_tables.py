"""Tables of plain text for a terminal: trials, studies, scores; and the leaderboard as CSV."""

import csv
import io
import math
from collections.abc import Sequence

from experiments.errors import how_many
from experiments.facts import Score
from sweeps.results.status import StudyStatus
from sweeps.trials.stored_trial import StoredTrial


def leaderboard_table(trials: Sequence[StoredTrial]) -> str:
    """Trials, one a line, in the order given: the best iteration of how many, the widths of hidden layers as 20-7-5.

    A line has 79 characters as long as the network has no more layers than the default search allows.
    """
    header = ["trial", "state", "value", "at", "of", "learning_rate", "hidden_units", "activation"]
    body = [
        [
            str(trial.number),
            trial.state.name,
            "" if trial.value is None else f"{trial.value:.6g}",
            "" if trial.best_iteration is None else str(trial.best_iteration),
            str(trial.candidate.n_iterations),
            f"{trial.candidate.learning_rate:.4g}",
            trial.candidate.widths,
            trial.candidate.activation,
        ]
        for trial in trials
    ]
    return aligned([header, *body])


def leaderboard_csv(trials: Sequence[StoredTrial]) -> str:
    """All trials with one column a hyperparameter, numbers in full precision."""
    documents = [{**trial.to_dict(), **trial.params} for trial in trials]
    columns = list(dict.fromkeys(key for document in documents for key in document if key != "params"))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(documents)
    return text.getvalue()


def status_table(statuses: Sequence[StudyStatus]) -> str:
    """Studies, one a line."""
    header = ["study", "state", "since (UTC)", "trials", "best value"]
    body = [
        [
            status.name,
            status.state,
            status.started,
            f"{status.n_ended} of {status.n_trials}",
            "" if status.best_value is None else f"{status.best_value:.6g}",
        ]
        for status in statuses
    ]
    return aligned([header, *body])


def scores_table(n_test: int, winner: Sequence[Score], ensemble: Sequence[Score] = ()) -> str:
    """Scores on the test set, one a column: with their 95 % intervals those of what was searched for, then the others'.

    A line has 79 characters at most, as long as there are three scores.
    """
    rows = [[f"on {how_many(n_test, 'test example')}", *(score.name for score in winner)]]
    for name, scores in (("winner", winner), ("ensemble", ensemble)):
        if scores:
            rows.append([name, *(f"{score.value:.4g}" for score in scores)])
            rows.append(["  95 % interval from", *(_bound(score.low) for score in scores)])
            rows.append(["                  to", *(_bound(score.high) for score in scores)])
    for model in winner[0].baselines:
        rows.append([model, *(f"{score.baselines[model]:.4g}" for score in winner)])
    return aligned(rows)


def _bound(value: float) -> str:
    """An end of an interval: of a single example or group there is none."""
    return "not known" if math.isnan(value) else f"{value:.4g}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of equal length with their columns below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
