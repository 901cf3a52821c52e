"""The command line as the tests type it: configurations as files, `python -m sweeps`, what it left in MLflow."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY
from tests.support.sql import query
from tests.sweeps.support.warm import run_command


def toml(values: dict[str, dict[str, Any]]) -> str:
    """A configuration as a TOML file holds it."""

    def text(value: Any) -> str:
        if isinstance(value, dict):
            return "{ " + ", ".join(f"{key} = {text(item)}" for key, item in value.items()) + " }"
        return json.dumps(value)

    tables = (
        f"[{section}]\n" + "".join(f"{key} = {text(value)}\n" for key, value in table.items())
        for section, table in values.items()
    )
    return "\n".join(tables)


IRIS: dict[str, dict[str, Any]] = {
    "sweep": {"name": "flowers", "n_trials": 5},
    "data": {"train": "sklearn:iris", "folds": 2},
    "search": {
        "n_iterations": {"low": 5, "high": 40},
        "depth": {"low": 0, "high": 2},
        "hidden_units": {"low": 2, "high": 5},
    },
    "study": {"trials_in_flight": 3},
    "execution": {"executor": "serial"},
}


def changed(values: dict[str, dict[str, Any]], **sections: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A copy with single keys replaced."""
    return values | {section: values.get(section, {}) | changes for section, changes in sections.items()}


@dataclass
class CommandLine:
    """`python -m sweeps` in a folder of its own."""

    directory: Path

    def write(self, name: str = "flowers.toml", values: dict[str, dict[str, Any]] = IRIS) -> str:
        """Write a configuration; its name."""
        (self.directory / name).write_text(toml(values))
        return name

    @contextmanager
    def start(self, *arguments: str, **environment: str) -> "Iterator[subprocess.Popen[str]]":
        """A process that is still running, leader of a process group of its own; killed when the block is left."""
        process = subprocess.Popen(
            [sys.executable, "-m", "sweeps", *arguments],
            cwd=self.directory,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        with process:
            try:
                yield process
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """The finished process, whatever its exit code; forked from a warm one, which takes a tenth of the time."""
        return run_command(arguments, self.directory, {**os.environ, "PYTHONPATH": str(REPOSITORY), **environment})

    def run_anew(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """The same in a new Python: where its start, its limits or all that MLflow says are what a test looks at."""
        with self.start(*arguments, **environment) as process:
            out, err = process.communicate(timeout=180)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def json(self, *arguments: str, **environment: str) -> dict[str, Any]:
        """The one JSON object that a command that succeeds writes on stdout."""
        done = self.run(*arguments, "--json", **environment)
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def trials(self) -> list[dict[str, Any]]:
        """The leaderboard of the newest study; it holds no times."""
        trials: list[dict[str, Any]] = self.json("leaderboard")["trials"]
        return trials


def mlflow_runs(database: Path) -> list[tuple[str, str, str | None]]:
    """(name, status, parent's id) of every run of an MLflow database, read by SQL."""
    return query(
        f"sqlite:///{database}",
        "select runs.name, status, tags.value from runs left join tags "
        "on tags.run_uuid = runs.run_uuid and tags.key = 'mlflow.parentRunId' order by runs.name",
    )
