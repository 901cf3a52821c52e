"""What a trial costs in each storage, how long a study takes to open again, and what a kill leaves.

    python -m tests.benchmarks.bench_storage [--trials 2000] [--postgres URL] [--append]

A trial is what a sweep writes: created with its parameters, three reports, one note, a state with its value. The
storages take turns, a trial each, so that whatever slows the machine down slows all of them down; numbers are medians
over the 100 trials before the one that is named. Beside them, the fsync of a line that is as long: no storage that
keeps a finished trial through a power cut can be faster.

The kill: a process that writes trials is killed (SIGKILL) at a random moment; then the study is opened as a sweep opens
it. A trial is lost when its writer had been told that it is recorded; half a trial is one with reports and no
parameters. The torn line is what a power cut or a full disk leaves: the file's last bytes are cut off.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweeps.storage.database import open_database
from sweeps.storage.workspace import Workspace
from tests.benchmarks import results
from tests.benchmarks.timing import OtherLoad

STEPS = (111, 333, 999)


def template(number: int) -> FrozenTrial:
    """A trial as `LiveStudy.ask` writes it: five parameters."""
    generator = random.Random(number)  # noqa: S311  # no secrets
    width = IntDistribution(4, 64, log=True)
    return create_trial(
        state=TrialState.RUNNING,
        params={
            "depth": 2,
            "learning_rate": generator.uniform(0.001, 1.0),
            "hidden_units_1": 8,
            "hidden_units_2": 32,
            "activation": "relu",
        },
        distributions={
            "depth": IntDistribution(0, 4),
            "learning_rate": FloatDistribution(1e-3, 1.0, log=True),
            "hidden_units_1": width,
            "hidden_units_2": width,
            "activation": CategoricalDistribution(("relu", "tanh")),
        },
    )


def record_trial(storage: BaseStorage, study_id: int, number: int) -> None:
    """One trial from its beginning to its end."""
    trial_id = storage.create_new_trial(study_id, template(number))
    storage.get_trial(trial_id)
    for step in STEPS:
        storage.set_trial_intermediate_value(trial_id, step, 1.0 / step)
    storage.set_trial_user_attr(trial_id, "best_iteration", STEPS[-1])
    storage.set_trial_state_values(trial_id, TrialState.COMPLETE, [1.0 / STEPS[-1]])


def opener(name: str, directory: Path, postgres: str | None) -> Callable[[], BaseStorage]:
    """How a sweep opens the storage, whatever a kill has left of it."""
    workspace = Workspace(directory)
    if name == "journal":
        workspace.create()
        (workspace.root / "bench").mkdir(exist_ok=True)
        return lambda: workspace.open_storage("bench", None)
    url = f"sqlite:///{directory / 'optuna.db'}" if name == "sqlite" else postgres
    assert url is not None
    return lambda: open_database(url)


def only_study(storage: BaseStorage, name: str) -> int:
    """Id of the study of this name, made where there is none."""
    for study in storage.get_all_studies():
        if study.study_name == name:
            return study._study_id
    return storage.create_new_study([StudyDirection.MINIMIZE], name)


def costs(names: list[str], n_trials: int, directory: Path, postgres: str | None) -> str:
    """Milliseconds a trial by its number, and seconds to open the study again."""
    study = f"bench-{time.time()}"
    storages = {name: opener(name, directory, postgres)() for name in names}
    study_ids = {name: only_study(storage, study) for name, storage in storages.items()}
    seconds: dict[str, list[float]] = {name: [] for name in [*names, "a line, fsynced"]}
    with (directory / "line").open("ab") as file:
        for number in range(n_trials):
            for name, storage in storages.items():
                began_at = time.perf_counter()
                record_trial(storage, study_ids[name], number)
                seconds[name].append(time.perf_counter() - began_at)
            began_at = time.perf_counter()
            file.write(b"x" * 300 + b"\n")
            file.flush()
            os.fsync(file.fileno())
            seconds["a line, fsynced"].append(time.perf_counter() - began_at)
    marks = [number for number in (100, 1000, 2000, 5000) if number <= n_trials]
    rows = []
    for name, taken in seconds.items():
        row = [name, *(f"{1e3 * median(taken[mark - 100 : mark]):.2f}" for mark in marks)]
        if name in storages:
            began_at = time.perf_counter()
            storage = opener(name, directory, postgres)()
            n_found = len(storage.get_all_trials(only_study(storage, study), deepcopy=False))
            row += [f"{time.perf_counter() - began_at:.2f}", f"{n_found:,}"]
        else:
            row += ["-", "-"]
        rows.append(row)
    return results.table(["storage", *(f"ms at {mark:,}" for mark in marks), "s to open again", "trials found"], rows)


def write_for_ever(name: str, directory: Path, postgres: str | None, study: str) -> None:
    """What the process that is killed does; says how many trials are recorded, after each."""
    storage = opener(name, directory, postgres)()
    study_id = only_study(storage, study)
    number = len(storage.get_all_trials(study_id, deepcopy=False))
    while True:
        record_trial(storage, study_id, number)
        number += 1
        print(sum(t.state.is_finished() for t in storage.get_all_trials(study_id, deepcopy=False)), flush=True)


def kills(names: list[str], n_kills: int, directory: Path, postgres: str | None) -> str:
    """What is there after a process was killed, again and again, in one study."""
    rows = []
    for name in names:
        study, n_lost, n_half, n_refused, n_kept = f"kill-{time.time()}", 0, 0, 0, 0
        arguments = [str(directory), study, *([postgres] if postgres else [])]
        for kill in range(n_kills):
            command = [sys.executable, "-m", "tests.benchmarks.bench_storage", "--write", name, *arguments]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                process.stdout.readline()  # it is writing
                time.sleep(random.Random(kill).uniform(0.0, 0.2))  # noqa: S311
                process.send_signal(signal.SIGKILL)
                said = process.stdout.read().split()
            promised = int(said[-1]) if said else 0
            if name == "journal" and kill % 2:  # and the power went
                journal = Workspace(directory).journal("bench")
                with journal.open("ab") as file:
                    file.write(b'{"op_code":6,"worker_id":"torn')
            try:
                storage = opener(name, directory, postgres)()
                trials = storage.get_all_trials(only_study(storage, study), deepcopy=False)
            except Exception as error:  # that it does not open is a result
                n_refused += 1
                print(f"{name}: {error!r}", flush=True)
                continue
            n_kept = sum(trial.state.is_finished() for trial in trials)
            n_lost += n_kept < promised
            n_half += sum(len(trial.params) != 5 for trial in trials)
        rows.append([name, str(n_kills), str(n_kept), str(n_lost), str(n_half), str(n_refused)])
    return results.table(["storage", "kills", "trials kept", "times one was lost", "half trials", "refused"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--postgres", help="URL of an empty database, with its password")
    parser.add_argument("--append", action="store_true", help="add the tables to RESULTS.md")
    parser.add_argument("--write", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if options.write:
        name, directory, study, *postgres = options.write
        write_for_ever(name, Path(directory), postgres[0] if postgres else None, study)
    names = ["journal", "sqlite", *(["postgresql"] if options.postgres else [])]
    with tempfile.TemporaryDirectory() as place, OtherLoad() as other:
        directory = Path(place)
        text = costs(names, options.trials, directory, options.postgres)
        print(text, flush=True)
        text += "\n\n" + kills(names, options.kills, directory, options.postgres)
    paragraph = results.conditions(other.cores)
    print(f"\n{paragraph}\n\n{text}")
    if options.append:
        results.append("bench_storage", paragraph, text)


if __name__ == "__main__":
    main()
