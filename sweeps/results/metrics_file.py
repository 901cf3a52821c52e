"""The end of a run in Prometheus' text format, for the textfile collector of its node_exporter.

Every metric has the label `config`, what `run` was told: it is known even where the configuration cannot be read.
"""

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.durable_file import write_durably
from experiments.errors import InputError
from sweeps.results.exit_codes import ExitCode

READABLE_BY_ALL = 0o644
"""node_exporter is another user."""

_LAST_SUCCESS = "sweeps_last_success_timestamp_seconds"
_SUCCESSES = (ExitCode.FINISHED, ExitCode.RECORD_PENDING)


def check_metrics_file(path: Path) -> None:
    """Notice before a run that its end could not be written.

    Raises:
        InputError: There is no such folder, or it may not be written.
    """
    if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise InputError(
            f"--metrics-file {path}: cannot be written.",
            "It is a file in a folder that exists and that you may write; node_exporter reads names that end in .prom.",
            "Make the folder, or name another file.",
        )


def write_metrics_file(path: Path, document: Mapping[str, Any], config: str) -> None:
    """Replace the file as a whole.

    Args:
        path: Where it is; what it says of the last success outlives a failure.
        document: `SweepResult.to_dict`, or that of a run that failed.
        config: What `run` was told.
    Raises:
        OSError: It cannot be written; it is as it was before.
    """
    previous = None
    with suppress(OSError, UnicodeDecodeError):
        previous = _last_success(path.read_text("utf-8"))
    place = path.resolve()  # a symbolic link stays
    content = metrics_text(document, config, time.time(), previous).encode()
    before = os.umask(0)
    try:
        write_durably(place, content, READABLE_BY_ALL)
    finally:
        os.umask(before)


def metrics_text(document: Mapping[str, Any], config: str, now: float, previous_success: float | None) -> str:
    """All metrics, each with what it is; what a run that failed cannot know is left out."""
    success = now if document["exit_code"] in _SUCCESSES else previous_success
    lines = []
    for name, what, samples in _metrics(document, now, success):
        known = [(labels, value) for labels, value in samples if value is not None]
        if known:
            lines += [f"# HELP {name} {what}", f"# TYPE {name} gauge"]
            lines += [f"{name}{_in_braces({'config': config} | labels)} {float(value)!r}" for labels, value in known]
    return "\n".join(lines) + "\n"


_Samples = list[tuple[dict[str, str], float | None]]


def _metrics(document: Mapping[str, Any], now: float, success: float | None) -> Iterator[tuple[str, str, _Samples]]:
    yield "sweeps_last_run_timestamp_seconds", "When the last run ended, whatever its end (Unix time).", [({}, now)]
    yield _LAST_SUCCESS, "When the last run with exit code 0 or 4 ended (Unix time).", [({}, success)]
    yield "sweeps_exit_code", "Exit code of the last run.", [({}, document["exit_code"])]
    yield "sweeps_duration_seconds", "How long the last run took.", [({}, document["elapsed_seconds"])]
    states = [({"state": state}, document.get(f"n_{state}")) for state in ("complete", "pruned", "failed")]
    yield "sweeps_trials", "Trials of the study by how they ended.", states
    best = document.get("best") or {}
    objective = {"objective": document.get("objective") or "cost"}
    yield "sweeps_best_value", "Best validation value, mean over the folds.", [(objective, best.get("value"))]
    scores: _Samples = []
    for model, key in (("winner", "test"), ("ensemble", "ensemble")):
        metrics = (document.get(key) or {}).get("metrics", {})
        scores += [({"model": model, "metric": metric}, value) for metric, value in metrics.items()]
    yield "sweeps_test_score", "Score on the sealed test set.", scores
    pending = document.get("mlflow", {}).get("n_pending")
    yield "sweeps_pending_facts", "Facts of the study that MLflow does not have yet.", [({}, pending)]


def _in_braces(labels: Mapping[str, str]) -> str:
    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    return "{" + ",".join(f'{name}="{escaped(value)}"' for name, value in labels.items()) + "}"


def _last_success(text: str) -> float | None:
    found = re.search(rf"^{_LAST_SUCCESS}\{{.*\}} (\S+)$", text, re.MULTILINE)
    return None if found is None else float(found[1])
