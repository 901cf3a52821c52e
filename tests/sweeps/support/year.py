"""A nightly job, night after night in one process: the command line, real data files, a real MLflow store in SQLite.

The clock is put forward by a day a night; nothing waits. MLflow is told in this process, by the functions that
otherwise run in one of their own (`InlineDelivery`), and pages have no figures: `tests/sweeps/recording` and
`tests/sweeps/report` look at those. What goes wrong on a night really does: a process of its own is killed by SIGKILL
in the middle of a write, the database cannot be opened, the lease is held, a file ends too early, files are gone.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL
from typing import Any, Literal

import numpy as np
import pytest
from typer.testing import CliRunner

import sweeps.recording.record
from experiments.delivery import deliver
from experiments.outbox import Outbox
from experiments.promotion.champion import Champion
from sweeps.cli import app
from sweeps.recording.delivery_process import Delivered, OtherOutbox, _deliver_others, _look_up, _WhoIsChampion
from sweeps.storage.workspace import Workspace
from tests.sweeps.support.command_line import toml
from tests.sweeps.support.disk import Fault, watch
from tests.sweeps.support.warm import CONTEXT, pages_without_figures, warm_up

NAME = "nightly"
DAY = 24 * 3600
FIRST_NIGHT = 1_800_000_000.0
"""Unix time; in January 2027."""

N_TRAIN, N_TEST = 1500, 300
"""Examples of a night: so many that its model is as good as any other night's, and only a drift gives it a reason."""

Event = Literal["drift", "killed", "mlflow is down", "overlap", "broken file", "missed", "champion lost", "same data"]


@dataclass(frozen=True, slots=True)
class Night:
    """How one night went.

    Attributes:
        exit_codes: Of the commands of that night, in order; minus the signal where one was killed.
        promoted: The version that its verdict made champion, "" for none.
        verdict_code: Of `python -m sweeps verdict`, afterwards.
        n_bytes, n_files: In the folder, afterwards.
        seconds: Of this processor.
    """

    number: int
    exit_codes: list[int]
    promoted: str
    verdict_code: int
    n_bytes: int
    n_files: int
    seconds: float
    said: str = ""


@dataclass
class Year:
    """The nights of one folder.

    Attributes:
        events: What happens on which nights.
        retention: The table of the configuration.
    """

    folder: Path
    events: dict[int, tuple[Event, ...]]
    retention: dict[str, int] = field(default_factory=dict)
    nights: list[Night] = field(default_factory=list)

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.folder)

    def begin(self) -> None:
        """Write the configuration."""
        values: dict[str, Any] = {
            "sweep": {"name": NAME, "n_trials": 2, "seed": 3},
            "data": {"train": "train.npz", "test": "test.npz", "folds": 2},
            "search": {"learning_rate": {"low": 0.8, "high": 1.2}, "n_iterations": 100, "depth": 0},
            "training": {"recipe": "textbook"},
            "study": {"ensemble": 0, "objective": "accuracy", "pruner": "none"},
            "execution": {"executor": "serial"},
            "retention": self.retention,
        }
        (self.folder / "nightly.toml").write_text(toml(values))

    def live(self, n_nights: int) -> None:
        """Live through so many nights."""
        with inline_deliveries(), pages_without_figures():
            for number in range(n_nights):
                events = self.events.get(number, ())
                if "missed" not in events:
                    with clock_at(FIRST_NIGHT + number * DAY):
                        self._live(number, events)

    def _live(self, number: int, events: tuple[Event, ...]) -> None:
        began = time.process_time()
        if "same data" not in events:
            n_drifts = sum("drift" in self.events.get(night, ()) for night in range(number + 1))
            write_data(self.folder, number, is_turned=n_drifts % 2 == 1)
        commands: list[Callable[[], tuple[int, str]]] = [self._run]
        if "killed" in events:
            commands.insert(0, self._run_killed)
        if "overlap" in events:
            commands.insert(0, self._run_beside_another)
        if "champion lost" in events:
            self._lose_champion()
        if "broken file" in events:
            file = self.folder / "train.npz"
            file.write_bytes(file.read_bytes()[:-100])
        database = self.folder / "mlflow.db"
        if "mlflow is down" in events:
            database.rename(database.with_name("away"))
            database.mkdir()
        ends = [command() for command in commands]
        if "mlflow is down" in events:
            database.rmdir()
            database.with_name("away").rename(database)
        seconds = time.process_time() - began
        documents = [json.loads(said) for code, said in ends if code in (0, 4)]
        promotion = documents[-1]["promotion"] if documents else {}
        promoted = promotion.get("version") if promotion.get("is_promoted") else ""
        verdict = CliRunner().invoke(app, ["verdict", NAME, "--json"])
        files = [path.stat().st_size for path in self.folder.rglob("*") if path.is_file()]
        codes = [code for code, _ in ends]
        self.nights.append(
            Night(
                number, codes, promoted or "", verdict.exit_code, sum(files), len(files), seconds, ends[-1][1][-2000:]
            )
        )

    def _run(self) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["run", "nightly.toml", "--json", "--quiet"])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout if result.exit_code in (0, 4) else result.stderr

    def _run_beside_another(self) -> tuple[int, str]:
        with self.workspace.lease(NAME):
            return self._run()

    def _run_killed(self) -> tuple[int, str]:
        """In a process that is killed as soon as half of its first trial's fact is written."""
        fault = Fault("signal", phase="torn", operation="write", file=r"outbox\.jsonl$", data="trial")
        warm_up()
        process = CONTEXT.Process(target=_killed, args=(self.folder, time.time(), fault))
        process.start()
        process.join(120)
        assert process.exitcode == -SIGKILL, process.exitcode
        return process.exitcode, ""

    def _lose_champion(self) -> None:
        """Take the champion's model files away, wherever they are."""
        known = Champion.load(self.workspace.known_champion(NAME))
        assert known is not None
        assert known.model is not None
        its = self.workspace.study_folder(known.model.study)
        run_id = Outbox(its.outbox).run_id
        its.model.unlink()
        (self.workspace.root / NAME / "champion.h5").unlink(missing_ok=True)
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{self.folder}/mlflow.db")
        (model,) = client.search_logged_models(
            [client.get_run(str(run_id)).info.experiment_id], f"source_run_id = '{run_id}'"
        )
        shutil.rmtree(model.artifact_location.removeprefix("file://"))


def write_data(folder: Path, number: int, *, is_turned: bool) -> None:
    """The data of one night: two classes beside a line, which a drift turns round; one label in ten is wrong."""
    generator = np.random.default_rng([17, number])
    weights = np.array([1.0, -2.0, 0.5]) * (-1 if is_turned else 1)
    for name, n_rows in (("train", N_TRAIN), ("test", N_TEST)):
        X = generator.standard_normal((n_rows, 3))
        y = (X @ weights > 0) ^ (generator.random(n_rows) < 0.1)
        np.savez(folder / f"{name}.npz", X=X, y=y.astype(np.int64))


@contextmanager
def clock_at(moment: float) -> Iterator[None]:
    """`time.time` and `time.gmtime` go on from a moment, as fast as ever."""
    ahead = moment - time.time()
    now, utc = time.time, time.gmtime
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: now() + ahead)
        patch.setattr(time, "gmtime", lambda seconds=None: utc(now() + ahead if seconds is None else seconds))
        yield


@contextmanager
def inline_deliveries() -> Iterator[None]:
    """While entered, MLflow is told by the process that runs the sweep."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeps.recording.record, "DeliveryProcess", InlineDelivery)
        yield


class InlineDelivery:
    """Does what `DeliveryProcess` does, when it is asked."""

    def __init__(self, outbox: Outbox, tracking_uri: str) -> None:
        self._outbox = outbox
        self._tracking_uri = tracking_uri

    def notify(self) -> None:
        """At the end is soon enough."""

    def news(self) -> tuple[str, ...]:
        """The end says it."""
        return ()

    def champion(
        self, sweep: str, root: Path, timeout_seconds: float, *, with_past: bool
    ) -> tuple[Champion | None, str]:
        found = _look_up(self._tracking_uri, _WhoIsChampion(sweep, root, with_past))
        return found.champion, found.error

    def close(self, timeout_seconds: float, others: Iterable[OtherOutbox] = (), goes_on: object = None) -> Delivered:
        own = deliver(self._outbox, self._tracking_uri)
        return Delivered(own, dict(_deliver_others(list(others), time.monotonic() + timeout_seconds)))


def _killed(folder: Path, moment: float, fault: Fault) -> None:
    """Life of the process that is killed."""
    from sweeps.cli import main

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.chdir(folder)
    sys.argv = ["sweeps", "run", "nightly.toml", "--quiet"]
    with clock_at(moment), inline_deliveries(), pages_without_figures():
        watch(folder, folder.with_name(f"{folder.name}.events"), fault)
        main()
