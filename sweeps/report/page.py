"""The report's page: what won, the tables, the configuration; `figures` has what is drawn."""

import math
import re
import time
from dataclasses import dataclass

import pandas as pd

from experiments.facts import SweepFinished
from experiments.report import Figure, Page, Section, Tile, tables
from experiments.report.figures import winner_beside_baselines
from sweeps.report import figures
from sweeps.report.study_record import StudyRecord, hidden_units_of

N_BEST = 30
N_FAILURES = 20


@dataclass(frozen=True, slots=True)
class TestScore:
    """One metric of the winner on the test set, its 95 % interval, and what simple models reach."""

    score: float
    low: float
    high: float
    baselines: dict[str, float]


def page_of(record: StudyRecord) -> Page:
    """The page of a study that has a complete trial."""
    sections = [
        _what_won(record),
        _leaderboard(record),
        *figures.sections(record),
        _failures(record),
        _data_and_configuration(record),
    ]
    return Page(record.name, _subtitle(record), _tiles(record), [s for s in sections if s is not None])


def scores_of(finished: SweepFinished | None) -> dict[str, TestScore]:
    """The winner's test scores by metric, from the names that `sweeps.recording.facts.sweep_finished` gives them."""
    metrics = {} if finished is None else finished.metrics
    found = {}
    for key, low in metrics.items():
        if match := re.fullmatch(r"test_(.+)_ci95_low", key):
            name = match.group(1)
            baselines = {
                baseline.group(1).replace("_", " "): value
                for other, value in metrics.items()
                if (baseline := re.fullmatch(rf"baseline_(.+)_test_{name}", other))
            }
            found[_metric(name)] = TestScore(metrics[f"test_{name}"], low, metrics[f"test_{name}_ci95_high"], baselines)
    return found


def _subtitle(record: StudyRecord) -> str:
    parts = [record.state.capitalize()]
    if record.started is not None:
        parts.append(f"begun {_utc(record.started.started_at)}")
        if record.finished is not None and record.state == "FINISHED":
            parts.append(f"took {_duration(record.finished.ended_at - record.started.started_at)}")
        data = record.started.data
        parts.append(f"{data.task}, {data.n_train:,} training examples of {data.n_features:,} features")
    return " · ".join(parts)


def _tiles(record: StudyRecord) -> list[Tile]:
    counts = record.table["outcome"].value_counts()
    best = record.rows[0]
    tiles = [Tile(f"{n:,}", f"trials {state}") for state, n in counts.items()]
    tiles.append(Tile(f"{best.value:.4g}", f"lowest validation cost (trial {best.number})"))
    for name, test in scores_of(record.finished).items():
        tiles.append(Tile(f"{test.score:.4g}", f"test {name}, 95 % interval {_interval(test)}"))
    if record.outbox is not None:
        tiles.append(Tile(_duration(record.table["training_seconds"].sum()), "training time, all workers together"))
    return tiles


def _what_won(record: StudyRecord) -> Section:
    best, row = record.rows[0], record.ranked.iloc[0].to_dict()
    hyperparameters = {
        "trial": str(best.number),
        "validation cost": f"{best.value:.6g} at iteration {best.best_iteration} of {row['n_iterations']}",
        "learning rate": f"{row['learning_rate']:.4g}",
        "hidden units": hidden_units_of(row),
        "activation": row["activation"],
    }
    scores = scores_of(record.finished)
    if not scores:
        note = "The best so far. The test set stays sealed until the sweep is finished; then the winner meets it once."
        return Section("winner", "What leads", note, tables.pairs(hyperparameters))
    n_test = f"{record.started.data.n_test:,} " if record.started is not None else ""
    note = (
        f"Refitted on all training examples for {best.best_iteration} iterations, then scored once on the {n_test}"
        "sealed test examples, beside what a constant and a linear model reach on them."
    )
    html = tables.beside(tables.pairs(hyperparameters), *(_score_table(name, test) for name, test in scores.items()))
    drawn = []
    for name, test in scores.items():
        figure = winner_beside_baselines(name, (test.score, test.low, test.high), test.baselines)
        drawn.append(Figure(f"Test {name}", figure, 190, is_wide=len(scores) == 1))
    return Section("winner", "What won", note, html, drawn)


def _score_table(name: str, test: TestScore) -> str:
    rows = [("winner", test.score, _interval(test)), *((model, score, "") for model, score in test.baselines.items())]
    frame = pd.DataFrame(rows, columns=["model", f"test {name}", "95 % interval"])
    return tables.table(frame, {f"test {name}": "{:.4g}".format}, first_row_class="winner")


def _leaderboard(record: StudyRecord) -> Section:
    shown = record.ranked.head(N_BEST)
    frame = pd.DataFrame(
        {
            "trial": shown["number"],
            "state": shown["outcome"],
            "validation cost": shown["value"],
            "at iteration": shown["best_iteration"],
            "of": shown["n_iterations"],
            "learning rate": shown["learning_rate"],
            "hidden units": [hidden_units_of(row) for row in shown.to_dict("records")],
            "activation": shown["activation"],
            "training, s": shown["training_seconds"],
        }
    )
    formats = {"validation cost": "{:.6g}".format, "learning rate": "{:.4g}".format, "training, s": "{:.2f}".format}
    note = "Complete trials by validation cost, the mean over the folds at its lowest; then pruned ones."
    if len(record.rows) > N_BEST:
        csv = f"python -m sweeps report {record.name} --csv trials.csv"
        note += f" The first {N_BEST} of {len(record.rows):,}; all of them: {csv}"
    return Section("leaderboard", "Leaderboard", note, tables.table(frame, formats, first_row_class="winner"))


def _failures(record: StudyRecord) -> Section | None:
    failed = record.table[record.table["outcome"].isin(["failed", "interrupted"])]
    if failed.empty:
        return None
    frame = pd.DataFrame({"trial": failed["number"], "state": failed["outcome"], "reason": failed["reason"]})
    note = "Trials that failed, or that the sweep interrupted at its end."
    if len(failed) > N_FAILURES:
        note += f" The first {N_FAILURES} of {len(failed):,}."
    html = tables.table(frame.head(N_FAILURES), text_columns=("reason",))
    return Section("failures", "Failures", note, html)


def _data_and_configuration(record: StudyRecord) -> Section:
    started = record.started
    if started is None:
        note = "They are in the study's outbox, which stayed in the folder where the sweep was run."
        return Section("configuration", "Data and configuration", note)
    data = started.data
    facts = {
        "data": f"{data.source} (digest {data.digest})",
        "examples": f"{data.n_train:,} to train on, {data.n_test:,} sealed away to test",
        "features": f"{data.n_features:,}",
        "task": data.task,
    }
    if data.class_balance:
        facts["classes"] = ", ".join(f"{name}: {n:,}" for name, n in data.class_balance.items())
    facts |= {_tag(key): value for key, value in started.tags.items()}
    html = tables.pairs(facts) + tables.preformatted(started.config_toml)
    return Section("configuration", "Data and configuration", "", html)


def _tag(key: str) -> str:
    """ "sweeps.packages.numpy" as "numpy"; MLflow's own tags keep their names."""
    return key.removeprefix("sweeps.packages.").removeprefix("sweeps.").removeprefix("mlflow.").replace(".", " ")


def _interval(test: TestScore) -> str:
    return "not known" if math.isnan(test.low) else f"{test.low:.4g} to {test.high:.4g}"


def _metric(name: str) -> str:
    return {"rmse": "RMSE", "r2": "R²"}.get(name, name)


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def _duration(seconds: float) -> str:
    """ "8.3 s", "12 min 5 s", "3 h 20 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
