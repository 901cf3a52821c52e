"""All trials of a study as a pandas table, for those who use a sweep as a library."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from experiments.facts import TrialFinished
from sweeps.trials.space import hidden_units_name
from sweeps.trials.stored_trial import StoredTrial

if TYPE_CHECKING:  # pandas takes a while to import; only who asks for a table waits for it
    import pandas as pd


def trial_table(trials: Iterable[StoredTrial], facts: Iterable[TrialFinished]) -> pd.DataFrame:
    """One row a trial, in the order of their numbers, which are the index.

    Args:
        trials: In any order.
        facts: From the study's outbox: they know when a trial was trained and how long it took.
    Returns:
        Columns: state; value, the validation cost; best_iteration, where that was; one a hyperparameter, under its
        usual name; training_seconds, on workers; started_at and ended_at, in UTC; reason, why the trial ended early.
        What a trial has not is missing: a failed one has no value, one of depth 1 no hidden_units_2; and no seconds
        are known of a trial that was trained where another folder keeps the record.
    """
    import pandas as pd

    ended = {fact.number: fact for fact in facts}
    cells = [_cells(trial, ended.get(trial.number)) for trial in sorted(trials, key=lambda trial: trial.number)]
    depth = max((cell["depth"] for cell in cells), default=0)
    kinds = {
        "state": "str",
        "value": "float64",
        "best_iteration": "Int64",
        "learning_rate": "float64",
        "n_iterations": "int64",
        "depth": "int64",
        **{hidden_units_name(layer): "Int64" for layer in range(1, depth + 1)},
        "activation": "str",
        "optimizer": "str",
        "minibatch_size": "int64",
        "weight_decay": "float64",
        "label_smoothing": "float64",
        "dropout": "float64",
        "learning_rate_schedule": "str",
        "training_seconds": "float64",
        "started_at": "float64",
        "ended_at": "float64",
        "reason": "str",
    }
    index = pd.Index([cell["number"] for cell in cells], dtype="int64", name="number")
    table = pd.DataFrame(
        {name: pd.Series([cell.get(name) for cell in cells], index, kind) for name, kind in kinds.items()}
    )
    for name in ("started_at", "ended_at"):
        table[name] = pd.to_datetime(table[name], unit="s", utc=True).dt.as_unit("us")
    return table


def _cells(trial: StoredTrial, fact: TrialFinished | None) -> dict[str, Any]:
    cells = {**trial.to_dict(), **trial.params, "reason": trial.notes.reason or None}
    if fact is not None:
        cells |= {
            "training_seconds": fact.metrics.get("training_seconds"),
            "started_at": fact.started_at,
            "ended_at": fact.ended_at,
        }
    return cells
