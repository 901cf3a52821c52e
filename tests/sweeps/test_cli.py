"""The command line as a person or cron meets it: real processes, real files, real signals."""

import csv
import errno
import io
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time
import tomllib

import h5py
import numpy as np
import pytest
import typer

from engine.errors import ShapeError, WeightsFileError
from experiments.outbox import Outbox
from sweeps.cli import app
from sweeps.configuration.config import Config
from sweeps.reported_errors import reported_errors
from sweeps.storage.workspace import Workspace
from tests.conftest import REPOSITORY
from tests.support.waiting import wait_for
from tests.sweeps.support.command_line import IRIS, CommandLine, changed, mlflow_runs, toml

N_TRIALS = IRIS["sweep"]["n_trials"]


@pytest.fixture
def sweeps(tmp_path, with_store):
    """An own folder with an empty mlflow.db."""
    return CommandLine(with_store(tmp_path / "work"))


@pytest.fixture
def bare(tmp_path):
    """An empty folder."""
    (tmp_path / "bare").mkdir()
    return CommandLine(tmp_path / "bare")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, with_store):
    """A folder with one finished sweep, and what `run --json` said."""
    here = CommandLine(with_store(tmp_path_factory.mktemp("cli") / "finished"))
    return here, here.run_anew("run", here.write(), "--json", "--quiet")  # also what MLflow says while it starts


def assert_message(done, message, exit_code=2):
    """One message on stderr, no traceback, nothing on stdout."""
    assert done.returncode == exit_code, done.stderr
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""


# --- what is on stdout ---


def test_run_json_is_one_object_and_quiet_says_nothing_on_stderr(finished):
    _, done = finished
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    document = json.loads(done.stdout, parse_constant=pytest.fail)
    assert (document["sweep"], document["state"], document["exit_code"]) == ("flowers", "FINISHED", 0)
    assert document["n_trials"] == N_TRIALS == document["n_complete"] + document["n_pruned"] + document["n_failed"]


def test_leaderboard_json_is_one_object_with_every_trial_best_first(finished):
    here, done = finished
    document = here.json("leaderboard")
    assert set(document) == {"study", "trials"}
    assert len(document["trials"]) == N_TRIALS
    best = json.loads(done.stdout)["best"]
    first = document["trials"][0]
    assert (first["number"], first["value"], first["params"]) == (best["number"], best["value"], best["params"])


def test_leaderboard_csv_has_the_same_numbers_in_full_precision(finished):
    here, _ = finished
    done = here.run("leaderboard", "--csv")
    assert (done.returncode, done.stderr) == (0, "")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    for row, trial in zip(rows, here.trials(), strict=True):
        assert int(row["number"]) == trial["number"]
        assert float(row["learning_rate"]) == trial["params"]["learning_rate"]
        assert (float(row["value"]) if row["value"] else None) == trial["value"]


def test_leaderboard_for_people_is_a_table_and_takes_the_name_of_a_study_or_a_sweep(finished):
    here, done = finished
    table = here.run("leaderboard").stdout
    assert len(table.splitlines()) == N_TRIALS + 1
    for name in ("flowers", json.loads(done.stdout)["study"]):
        assert here.run("leaderboard", name).stdout == table


def test_status_json_is_one_object(finished):
    here, done = finished
    (status,) = here.json("status")["studies"]
    assert status["name"] == json.loads(done.stdout)["study"]
    assert (status["state"], status["n_ended"], status["n_trials"]) == ("FINISHED", N_TRIALS, N_TRIALS)


def test_validate_json_is_one_object_and_nothing_is_written(bare):
    document = bare.json("validate", bare.write())
    assert document["config"]["sweep"] == IRIS["sweep"] | {"seed": 1, "overlap": "refuse"}
    assert document["data"]["class_balance"] == {"setosa": 40, "versicolor": 40, "virginica": 40}
    assert [path.name for path in bare.directory.iterdir()] == ["flowers.toml"]


def test_validate_says_in_words_what_a_sweep_would_run_with(bare):
    file = bare.write()
    with (bare.directory / file).open("a") as written:
        written.write("[[enqueue]]\nlearning_rate = 0.02\nn_iterations = 5\nhidden_units = []\n")
        written.write("[[enqueue]]\nlearning_rate = 0.01\n")
    done = bare.run("validate", file)
    assert done.returncode == 0, done.stderr
    text = done.stdout
    said = "  enqueue:\n    learning_rate: 0.02\n    n_iterations: 5\n    hidden_units: none\n"
    assert said + "  enqueue:\n    learning_rate: 0.01\n" in text
    assert "tracking" not in text, "a table of which nothing is said is left out"
    assert not set("{}[]'") & set(text), "no value is written as Python writes it"


def test_categories_that_only_the_test_examples_have_are_told_on_stderr(sweeps):
    rows = "".join(f"{i % 7},{('red', 'blue')[i % 2]},{i % 2}\n" for i in range(40))
    (sweeps.directory / "train.csv").write_text("n,colour,y\n" + rows)
    (sweeps.directory / "test.csv").write_text("n,colour,y\n" + rows.replace("6,red", "6,green"))
    data = {"train": "train.csv", "test": "test.csv", "target": "y", "folds": 2}
    search = {"learning_rate": 0.1, "n_iterations": 10, "depth": 0, "activation": "tanh"}
    name = sweeps.write("t.toml", {**changed(IRIS, sweep={"n_trials": 1}), "data": data, "search": search})
    told = "train.csv (test examples): column 'colour' has categories that no training example has"
    for command in ("validate", "run"):
        done = sweeps.run(command, name, "--json")
        assert done.returncode == 0, done.stderr
        assert [told in line for line in done.stderr.splitlines()].count(True) == 1
        json.loads(done.stdout)


def test_sync_json_is_one_object_when_there_is_nothing_to_do(finished):
    here, _ = finished
    assert here.json("sync") == {"n_pending": 0, "studies": {}}


def test_status_and_sync_of_an_empty_folder_are_empty_and_write_nothing(bare):
    assert bare.json("status") == {"studies": [], "unreadable": []}
    assert bare.json("sync") == {"n_pending": 0, "studies": {}}
    assert list(bare.directory.iterdir()) == []


def test_a_leaderboard_of_an_empty_folder_says_what_to_type(bare):
    assert_message(bare.run("leaderboard"), "no study here. .* Type: python -m sweeps run")


def test_a_misspelt_study_is_answered_with_the_nearest(finished):
    here, _ = finished
    assert_message(here.run("leaderboard", "flowers/2"), r"flowers/2: no such study.* Here are: flowers/.*Name one of")


def test_the_summary_for_people_names_the_winner_its_intervals_the_baselines_and_what_to_type(sweeps):
    done = sweeps.run("run", sweeps.write())
    assert done.returncode == 0, done.stderr
    for part in (
        "Winner: trial",
        "mlflow ui",
        "leaderboard flowers/",
    ):
        assert part in done.stdout
    assert "Starting flowers/" in done.stderr
    assert f"{N_TRIALS} of {N_TRIALS} trials" in done.stderr
    lines = done.stdout.splitlines()
    first = next(number for number, line in enumerate(lines) if "30 test examples" in line)
    table = [re.split(r"  +", line.strip()) for line in lines[first : first + 9]]
    interval = ["95 % interval from", "to"]
    assert table[0][1:] == ["accuracy", "log_loss"]
    assert [row[0] for row in table[1:]] == [
        *("winner", *interval),
        *("ensemble", *interval),
        *("constant", "logistic regression"),
    ]
    end = Outbox(next(sweeps.directory.rglob("outbox.jsonl"))).last_finish()
    for column, (score, beside) in enumerate(zip(end.scores, end.ensemble_scores, strict=True), start=1):
        shown = [score.value, score.low, score.high, beside.value, beside.low, beside.high, *score.baselines.values()]
        assert [row[column] for row in table[1:]] == [f"{value:.4g}" for value in shown]


def test_a_winner_that_a_linear_model_beats_and_a_test_set_of_another_mixture_are_told(sweeps):
    for name, n_ones in (("train", 30), ("test", 70)):
        answers = ["yes"] * n_ones + ["no"] * (100 - n_ones)
        rows = [f"{i % 10 + (answer == 'yes') * 5},{answer}\n" for i, answer in enumerate(answers)]
        (sweeps.directory / f"{name}.csv").write_text("size,answer\n" + "".join(rows))
    data = {"train": "train.csv", "test": "test.csv", "target": "answer"}
    search = {"learning_rate": 0.001, "n_iterations": 2, "depth": 0, "activation": "tanh"}
    file = sweeps.write("t.toml", {**changed(IRIS, sweep={"n_trials": 1}), "data": data, "search": search})
    done = sweeps.run("run", file)
    assert done.returncode == 0, done.stderr
    (row,) = sweeps.trials()
    end = Outbox(next(sweeps.directory.rglob("outbox.jsonl"))).last_finish()
    linear = end.baselines_out_of_fold["logistic regression"]
    lines = done.stdout.splitlines()
    assert lines[0].startswith("flowers/")
    remark, *_ = done.stdout.split("\n\n")[0].split("\n", 1)[1:]
    assert remark.replace("\n", " ") == (
        f"No better than logistic regression out of fold ({row['value']:.4g} beside {linear:.4g}): "
        "take the simpler model."
    )
    shares = lines.index("  Class 'yes' is 30 % of the training examples and 70 % of the test examples:")
    assert lines[shares + 1 : shares + 3] == [
        '  probabilities are for the training shares; [study] decision = "prior" or a',
        "  number sets another threshold than 0.5.",
    ]
    assert max(map(len, done.stdout.split("See what mattered")[0].splitlines()[1:])) <= 79
    table = [line for line in lines if re.match(r" +(on 100 test|winner|95 %|to|ensemble|constant|logistic)", line)]
    assert len(table) == 9
    first = next(i for i, line in enumerate(lines) if line.startswith("Ensemble of the fold models of trial 0 (100%):"))
    of_ensemble = lines[first : lines.index("", first)]
    assert of_ensemble[-1].startswith("  cost out of fold ")


def test_a_decision_for_more_than_two_classes_is_refused_when_the_data_are_known(bare):
    file = bare.write(values=changed(IRIS, study={"decision": "prior"}))
    told = r'flowers.toml \[study\] decision = "prior", and sklearn:iris is a multiclass task\. Only .* Remove it\.'
    for command in ("validate", "run"):
        assert_message(bare.run(command, file), told)
    assert [path.name for path in bare.directory.iterdir()] == ["flowers.toml"]


# --- bad input: exit 2, one message, nothing written ---


def images(directory, n_labels=20, name="cats.h5"):
    with h5py.File(directory / name, "w") as file:
        file["train_set_x"] = np.zeros((20, 2, 2, 3), np.uint8)
        file["train_set_y"] = np.arange(n_labels) % 2
        file["test_set_x"] = np.zeros((6, 2, 2, 3), np.uint8)
        file["test_set_y"] = np.arange(6) % 2


def rows(directory, lines, name="table.csv"):
    (directory / name).write_text("a,b,price\n" + "".join(f"{line}\n" for line in lines))


def good_rows(n=30):
    return [f"{i % 7},{i % 5}.5,{'xy'[i % 2]}" for i in range(n)]


def truncated(directory):
    images(directory)
    file = directory / "cats.h5"
    file.write_bytes(file.read_bytes()[:-500])


def no_layout(directory):
    with h5py.File(directory / "cats.h5", "w") as file:
        file["pictures"] = np.zeros((3, 3))


def narrow_test_set(directory):
    np.savez(directory / "train.npz", X=np.random.default_rng(1).normal(size=(20, 4)), y=np.arange(20) % 2)
    np.savez(directory / "test.npz", X=np.zeros((5, 3)), y=np.arange(5) % 2)


def unseen_class(directory):
    rows(directory, good_rows())
    rows(directory, ["1,2,z", "2,3,x"], "test.csv")


TABLE = {"train": "table.csv", "target": "price"}
BAD_DATA = {
    "a missing file": (lambda d: None, {"train": "nowhere.csv", "target": "y"}, "nowhere.csv"),
    "not an HDF5 file": (lambda d: (d / "cats.h5").write_text("hello"), {"train": "cats.h5"}, "cats.h5.*HDF5"),
    "a truncated HDF5 file": (truncated, {"train": "cats.h5"}, "cats.h5.*trunca"),
    "no known layout": (no_layout, {"train": "cats.h5"}, "cats.h5.*train_set_x"),
    "a label too few": (lambda d: images(d, 19), {"train": "cats.h5"}, "19 labels for 20 images"),
    "nan in an array": (
        lambda d: np.savez(d / "a.npz", X=np.array([[1.0, np.nan]] * 20), y=np.arange(20) % 2),
        {"train": "a.npz"},
        "a.npz.*20.*NaN",
    ),
    "one class only": (lambda d: rows(d, [f"{i},1,x" for i in range(20)]), TABLE, "one class only"),
    "a class smaller than the folds": (
        lambda d: rows(d, [*good_rows(), "1,1,z", "2,2,z"]),
        TABLE | {"folds": 5},
        "class 'z'.*folds = 5",
    ),
    "a test set with fewer features": (narrow_test_set, {"train": "train.npz", "test": "test.npz"}, "3.*4|4.*3"),
    "an unseen class in the test set": (unseen_class, TABLE | {"test": "test.csv"}, "'z'"),
    "an empty table": (lambda d: rows(d, []), TABLE, "table.csv.*(no rows|empty|no examples)"),
    "an unknown target": (lambda d: rows(d, good_rows()), TABLE | {"target": "prise"}, "Did you mean 'price'"),
    "text targets in regression": (lambda d: rows(d, good_rows()), TABLE | {"task": "regression"}, "price.*'[xy]'"),
    "an unknown set of scikit-learn": (lambda d: None, {"train": "sklearn:irs"}, "Did you mean 'iris'"),
}


@pytest.mark.parametrize(("make", "data", "message"), BAD_DATA.values(), ids=BAD_DATA)
def test_bad_data_end_with_one_message_and_nothing_written(bare, make, data, message):
    make(bare.directory)
    name = bare.write(values={"sweep": {"name": "bad", "n_trials": 1}, "data": data})
    before = sorted(path.name for path in bare.directory.iterdir())
    assert_message(bare.run("run", name, "--json", "--executor", "serial"), message)
    assert sorted(path.name for path in bare.directory.iterdir()) == before


BAD_CONFIGURATIONS = {
    "an unknown key": (
        changed(IRIS, sweep={"n_trails": 3}),
        r"\[sweep\] n_trails: unknown key. Did you mean 'n_trials'",
    ),
    "low above high": (
        changed(IRIS, search={"learning_rate": {"low": 0.1, "high": 0.01}}),
        r"flowers.toml \[search\] learning_rate: low = 0.1 is above high = 0.01. low <= high must hold; swap them.",
    ),
    "a learning rate of 0": (changed(IRIS, search={"learning_rate": 0}), r"\[search\] learning_rate: 0 is not allowed"),
    "a password": (
        changed(IRIS, study={"storage": "postgresql://ada:hunter2@db/x"}),
        r"\[study\] storage: the URI holds a password",
    ),
    "a variable that is not set": (
        changed(IRIS, tracking={"uri": "http://${SWEEPS_NOWHERE}/"}),
        r"\[tracking\] uri: \$\{SWEEPS_NOWHERE\} is not set .* export SWEEPS_NOWHERE=",
    ),
}


@pytest.mark.parametrize(("values", "message"), BAD_CONFIGURATIONS.values(), ids=BAD_CONFIGURATIONS)
@pytest.mark.parametrize("command", ["run", "validate"])
def test_a_bad_configuration_ends_with_one_message_and_nothing_written(bare, command, values, message):
    done = bare.run(command, bare.write(values=values))
    assert_message(done, message)
    assert "hunter2" not in done.stderr
    assert [path.name for path in bare.directory.iterdir()] == ["flowers.toml"]


def test_a_configuration_that_is_not_there_is_answered_with_those_that_are(bare):
    assert_message(bare.run("run", "digit"), r"digit: no such configuration. Did you mean 'digits'\?")


def test_validate_notices_a_database_that_does_not_answer_and_makes_none(bare):
    storage = "sqlite:///nowhere/optuna.db"
    assert_message(
        bare.run("validate", bare.write(values=changed(IRIS, study={"storage": storage}))),
        r"\[study\] storage sqlite:///nowhere/optuna.db: cannot be opened",
    )
    assert bare.json("validate", bare.write(values=changed(IRIS, study={"storage": "sqlite:///optuna.db"})))
    assert [path.name for path in bare.directory.iterdir()] == ["flowers.toml"]


def test_validate_notices_a_package_that_is_missing(bare, tmp_path):
    (tmp_path / "distributed.py").write_text("raise ModuleNotFoundError('gone', name='distributed')\n")
    done = bare.run_anew(
        "validate",
        bare.write(values=changed(IRIS, execution={"executor": "dask"})),
        PYTHONPATH=f"{tmp_path}{os.pathsep}{REPOSITORY}",
    )
    assert_message(done, r"the package distributed is not installed.* Type: pip install 'sweeps\[dask\]'")


@pytest.mark.parametrize(
    ("error", "exit_code"), [(WeightsFileError("model.h5: damaged."), 2), (ShapeError("a bug of ours"), None)]
)
def test_of_the_engines_errors_only_a_bad_file_is_the_users(error, exit_code):
    with pytest.raises((typer.Exit, ShapeError), match=r"^(2|0|a bug of ours|)$") as caught, reported_errors():
        raise error
    assert getattr(caught.value, "exit_code", None) == exit_code


def test_a_file_system_without_locks_is_named_and_what_to_do(capsys, tmp_path, monkeypatch):
    def no_lock(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", no_lock)
    Workspace(tmp_path).create()
    with pytest.raises(typer.Exit), reported_errors(), Workspace(tmp_path).lease("flowers"):
        raise AssertionError("nobody may have it")
    assert re.search(r"has no locks .*a folder on a local disk", capsys.readouterr().err)


def test_a_bad_option_is_the_users_input_too(bare):
    assert_message(bare.run("run", "--trials", "0"), r"command line \[sweep\] n_trials: 0 is not allowed")
    assert bare.run("run", "--trials", "many").returncode == 2
    assert list(bare.directory.iterdir()) == []


# --- a folder that cannot be written, a disk that is full ---


def test_a_folder_whose_record_cannot_be_made_is_the_users_to_change(bare):
    (bare.directory / ".sweeps").write_text("in the way")
    assert_message(
        bare.run("run", bare.write(), "--quiet"), r"\.sweeps: cannot be written .*Change to a folder you may"
    )


def test_a_folder_that_may_not_be_written_is_the_users_to_change(bare):
    name = bare.write()
    immutable = (
        subprocess.run(["chattr", "+i", bare.directory], capture_output=True) if shutil.which("chattr") else None
    )
    if immutable is None or immutable.returncode != 0:
        pytest.skip("needs a folder that even root may not write: chattr +i is refused here")
    try:
        assert_message(bare.run("run", name, "--quiet"), r"\.sweeps: cannot be written .*Change to a folder you may")
        assert [path.name for path in bare.directory.iterdir()] == [name]
    finally:
        subprocess.run(["chattr", "-i", bare.directory], check=True)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB, with room for all that a sweep writes but the figures of its page."""
    (tmp_path / "disk").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", tmp_path / "disk"], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("needs to mount a tmpfs of 2 MB, which is refused here")
    yield tmp_path / "disk"
    subprocess.run(["umount", "-l", tmp_path / "disk"], check=True)


def fill(disk, but_bytes):
    free = shutil.disk_usage(disk).free
    (disk / "filler").write_bytes(bytes(free - but_bytes))


@pytest.mark.parametrize(
    "but_bytes", [0, 12288, *(pytest.param(n, marks=pytest.mark.slow) for n in (4096, 20480, 28672))]
)
def test_a_full_disk_is_told_and_after_making_room_the_same_command_continues(
    small_disk, with_store, tmp_path, finished, but_bytes
):
    with_store(tmp_path)
    here = CommandLine(small_disk)
    name = here.write(values=changed(IRIS, tracking={"uri": f"sqlite:///{tmp_path}/mlflow.db"}))
    fill(small_disk, but_bytes)
    done = here.run("run", name, "--quiet")
    assert_message(done, r"the disk is full|cannot be written \(No space left on device\)")
    (small_disk / "filler").unlink()
    assert here.run("run", name, "--quiet").returncode == 0
    assert here.trials() == finished[0].trials()
    assert len(here.json("status")["studies"]) == 1
    assert len(mlflow_runs(tmp_path / "mlflow.db")) == N_TRIALS + 1


def test_a_full_folder_for_temporary_files_does_not_matter(small_disk, sweeps):
    """The data for worker processes are in the study's folder, and gone with the workers."""
    fill(small_disk, 20480)
    values = changed(IRIS, data={"train": "sklearn:digits"}, execution={"executor": "processes"})
    done = sweeps.run_anew("run", sweeps.write(values=values), "--quiet", TMPDIR=str(small_disk))
    assert done.returncode == 0, done.stderr
    assert not [path for path in small_disk.iterdir() if path.is_dir()]
    assert not list(sweeps.directory.glob(".sweeps/*/*/worker-data-*"))


def test_a_file_that_may_not_grow_is_told_like_a_full_disk(sweeps, finished):
    name = sweeps.write()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, limit[1]))
    try:
        done = sweeps.run_anew("run", name, "--quiet")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert_message(done, "the disk is full")
    assert sweeps.run("run", name, "--quiet").returncode == 0
    assert sweeps.trials() == finished[0].trials()


# --- the other exit codes ---


def test_exit_3_when_every_trial_diverges(sweeps):
    sweeps.directory.joinpath("t.csv").write_text(
        "a,y\n" + "".join(f"{i % 7}.5,{i % 11 + i % 7}.25\n" for i in range(60))
    )
    values = {
        "sweep": {"name": "wild", "n_trials": 2},
        "data": {"train": "t.csv", "target": "y", "folds": 2, "task": "regression"},
        "search": {"learning_rate": 1e9, "n_iterations": 60, "depth": 0},
        "training": {"recipe": "textbook"},  # AdamW's steps have the same length whatever the gradient
        "study": {"pruner": "none"},
        "execution": {"executor": "serial"},
    }
    done = sweeps.run("run", sweeps.write("wild.toml", values), "--json")
    assert done.returncode == 3, done.stderr
    document = json.loads(done.stdout)
    assert (document["state"], document["n_failed"], document["best"], document["exit_code"]) == ("FAILED", 2, None, 3)
    assert re.search(r"trial 0: cost is not finite at iteration \d+ \(learning_rate = 1e\+09", done.stderr)


def test_exit_4_when_mlflow_cannot_be_reached_and_sync_delivers_it_later(sweeps, finished):
    name = sweeps.write(values=changed(IRIS, tracking={"uri": "${SWEEPS_TRACKING}"}))
    done = sweeps.run_anew("run", name, "--json", "--quiet", SWEEPS_TRACKING="http://127.0.0.1:9")
    assert done.returncode == 4
    document = json.loads(done.stdout)
    said = f"{N_TRIALS + 3} facts are not in MLflow yet: {document['mlflow']['error']}\n"
    assert done.stderr.startswith(said + "All of it is kept. The next run in this folder delivers it, or:")
    assert document["mlflow"]["error"].startswith("http://127.0.0.1:9: ")
    assert (document["exit_code"], document["state"]) == (4, "FINISHED")
    assert document["mlflow"]["n_pending"] == N_TRIALS + 3
    assert sweeps.trials() == finished[0].trials()
    again = sweeps.run("sync", "--json", SWEEPS_TRACKING="http://127.0.0.1:9")
    assert again.returncode == 4
    assert json.loads(again.stdout)["n_pending"] == N_TRIALS + 3
    here = f"sqlite:///{sweeps.directory}/mlflow.db"
    assert sweeps.json("sync", SWEEPS_TRACKING=here)["n_pending"] == 0
    runs = mlflow_runs(sweeps.directory / "mlflow.db")
    assert len(runs) == N_TRIALS + 1
    assert "RUNNING" not in {status for _, status, _ in runs}
    assert sweeps.json("sync", SWEEPS_TRACKING=here) == {"n_pending": 0, "studies": {}}


def test_sync_delivers_to_another_mlflow_than_the_one_that_is_gone(sweeps):
    nowhere = changed(IRIS, tracking={"uri": "http://127.0.0.1:9"})
    assert sweeps.run("run", sweeps.write(values=nowhere), "--json", "--quiet").returncode == 4
    nonsense = sweeps.run("sync", "--tracking-uri", "nonsense")
    assert nonsense.returncode == 2
    assert "is not the address of an MLflow store" in nonsense.stderr
    other = sweeps.directory / "other.db"
    assert sweeps.json("sync", "--tracking-uri", f"sqlite:///{other}")["n_pending"] == 0
    assert len(mlflow_runs(other)) == N_TRIALS + 1
    assert sweeps.json("sync") == {"n_pending": 0, "studies": {}}


def test_a_sweep_goes_on_when_nobody_reads_what_it_says(sweeps, finished):
    name = sweeps.write()
    with sweeps.start("run", name) as process:
        process.stderr.close()
        assert process.wait(timeout=180) == 0
    assert sweeps.trials() == finished[0].trials()


def test_sync_delivers_the_others_where_one_record_is_damaged_or_its_uri_is_unknown(sweeps, tmp_path):
    first = sweeps.json("run", sweeps.write(), "--quiet")["study"]
    nowhere = changed(IRIS, sweep={"name": "lost", "n_trials": 1}, tracking={"uri": "${SWEEPS_TRACKING}"})
    dead = {"SWEEPS_TRACKING": "http://127.0.0.1:9"}
    lost = json.loads(sweeps.run("run", sweeps.write("lost.toml", nowhere), "--json", **dead).stdout)["study"]
    records = sweeps.directory / ".sweeps"
    (records / first / "outbox.jsonl.delivered").unlink()
    (records / "a" / "1").mkdir(parents=True)
    (records / "a" / "1" / "outbox.jsonl").write_bytes(b"damaged\ndamaged\n")
    done = sweeps.run("sync", "--json")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(r"a/1: .*outbox.jsonl lines 1, 2: damaged\. .* Restore the file from a backup", done.stderr)
    assert f"{first}: all delivered" in done.stderr
    assert re.search(rf"{lost}: .*SWEEPS_TRACKING.* is not set .* export SWEEPS_TRACKING=", done.stderr)
    assert json.loads(done.stdout)["studies"] == {"a/1": 0, first: 0, lost: 4}


LONG = {
    "sweep": {"name": "long", "n_trials": 16},
    "data": {"train": "sklearn:digits", "folds": 2},
    "search": {"n_iterations": 120, "depth": {"low": 1, "high": 2}, "hidden_units": 8},
    "study": {"pruner": "none", "trials_in_flight": 3},
    "execution": {"executor": "processes", "workers": 2},
}


def n_ended(directory):
    """Trials whose end is on disk."""
    return sum(
        file.read_text("utf-8", "ignore").count('{"key":"trial-') for file in directory.glob(".sweeps/*/*/outbox.jsonl")
    )


@pytest.mark.parametrize(
    ("signal_number", "exit_code", "is_for_all"),
    [(signal.SIGINT, 130, True), (signal.SIGTERM, 143, False), (signal.SIGTERM, 143, True)],
    ids=["ctrl-c, which workers get too", "kill", "the stop of a service, which workers get too"],
)
def test_a_signal_ends_a_sweep_cleanly_and_the_same_command_continues(sweeps, signal_number, exit_code, is_for_all):
    name = sweeps.write("long.toml", LONG)
    with sweeps.start("run", name) as process:
        wait_for(lambda: n_ended(sweeps.directory) >= 2, "two trials that have ended", process=process)
        (os.killpg if is_for_all else os.kill)(process.pid, signal_number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == exit_code, err
    assert out == ""
    assert "Traceback" not in err
    (status,) = sweeps.json("status")["studies"]
    assert status["state"] == "INTERRUPTED"
    assert 2 <= status["n_ended"] < LONG["sweep"]["n_trials"]
    with Workspace(sweeps.directory).lease("long"):
        assert sweeps.json("status")["studies"] == [status | {"state": "RUNNING"}]
        second = sweeps.run("run", name)
    assert_message(second, r"long: another run of this sweep is alive in .*wait for it \(python -m sweeps status\)", 75)
    if "facts are not in MLflow yet" in err:  # five seconds were not enough, on a busy machine
        assert sweeps.run("sync").returncode == 0
    assert "RUNNING" not in {state for _, state, _ in mlflow_runs(sweeps.directory / "mlflow.db")}
    done = sweeps.run("run", name, "--json")
    assert done.returncode == 0, done.stderr
    assert f"Continuing {status['name']}." in done.stderr
    assert json.loads(done.stdout)["n_trials"] == 16
    runs = mlflow_runs(sweeps.directory / "mlflow.db")
    assert len(runs) == 17
    assert {state for _, state, _ in runs} == {"FINISHED"}


# --- kill -9 ---


def kills_and_finish(sweeps, name, moments):
    """Start, kill at a moment (bytes of record beyond those of the start), again and again; then run to the end."""
    n_killed = 0
    for n_bytes, delay in moments:
        enough = record_size(sweeps.directory) + n_bytes
        with sweeps.start("run", name, "--quiet") as process:
            while record_size(sweeps.directory) < enough and process.poll() is None:
                time.sleep(0.002)
            time.sleep(delay)
            n_killed += process.poll() is None
            process.kill()
            process.communicate(timeout=60)
    done = sweeps.run("run", name, "--quiet", "--json")
    assert done.returncode == 0, done.stderr
    return n_killed


def record_size(directory):
    return sum(path.stat().st_size for path in directory.glob(".sweeps/**/*") if path.suffix in (".log", ".jsonl"))


def assert_whole(sweeps, undisturbed, n_trials):
    assert sweeps.trials() == undisturbed
    assert {study["state"] for study in sweeps.json("status")["studies"]} == {"FINISHED"}
    runs = mlflow_runs(sweeps.directory / "mlflow.db")
    parents = [run for run in runs if run[2] is None]
    children = [name for name, _, parent in runs if parent is not None]
    assert children == sorted(set(children))
    assert len(children) == n_trials * len(parents)
    assert "RUNNING" not in {state for _, state, _ in runs}


def moments(seed, n):
    generator = np.random.default_rng(seed)
    return [(int(generator.integers(1, 2500)), float(generator.random() * 0.02)) for _ in range(n)]


@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_a_sweep_killed_again_and_again_ends_as_the_undisturbed_one(sweeps, finished, executor):
    name = sweeps.write(values=changed(IRIS, execution={"executor": executor, "workers": 2}))
    assert kills_and_finish(sweeps, name, moments(1, 3)) >= 2
    assert_whole(sweeps, finished[0].trials(), N_TRIALS)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_a_sweep_killed_at_fifty_moments_ends_as_the_undisturbed_one(sweeps, finished, seed):
    kills_and_finish(sweeps, sweeps.write(), moments(seed, 5))
    assert_whole(sweeps, finished[0].trials(), N_TRIALS)


def test_a_kill_while_mlflow_makes_its_database_loses_nothing(bare, finished):
    name = bare.write(values=changed(IRIS, sweep={"n_trials": N_TRIALS}))
    with bare.start("run", name, "--quiet") as process:
        wait_for(
            lambda: any("mlflow.db" in path.name for path in bare.directory.iterdir()),
            "the first of the database",
            process=process,
        )
        time.sleep(0.2)
        process.kill()
        process.communicate(timeout=60)
    done = bare.run("run", name, "--quiet")
    assert done.returncode == 0, done.stderr + done.stdout
    assert_whole(bare, finished[0].trials(), N_TRIALS)


# --- help and README ---

README = (REPOSITORY / "README.md").read_text()


def options_by_command():
    """Of every command, from the application itself: what `--help` prints."""
    commands = typer.main.get_command(app).commands
    return {name: {each for param in command.params for each in param.opts} for name, command in commands.items()}


def test_help_lists_every_command_and_the_readme_has_a_row_for_each(tmp_path):
    help_text = CommandLine(tmp_path).run("--help").stdout
    listed = re.findall(r"^  ([a-z]+) ", help_text.split("Commands:")[1], re.MULTILINE)
    assert sorted(listed) == sorted(set(re.findall(r"^\| `python -m sweeps ([a-z]+)", README, re.MULTILINE)))
    assert set(listed) == set(options_by_command())


@pytest.mark.parametrize("command", options_by_command())
def test_every_option_is_in_the_commands_row_of_the_readme_and_the_other_way_round(command):
    (row,) = re.findall(rf"^\| `python -m sweeps {command}.*$", README, re.MULTILINE)
    documented = set(re.findall(r"--[a-z][a-z-]*", row.replace("-- --overlap", "")))  # an option of the run it prints
    offered = {option for option in options_by_command()[command] if option.startswith("--")}
    assert documented <= offered
    assert offered - {"--json"} <= documented  # --json has a sentence of its own below the table


def test_every_key_of_a_configuration_is_in_the_readme():
    sections = {name: field.annotation for name, field in Config.model_fields.items() if name != "enqueue"}
    keys = {f"[{name}] {key}" for name, section in sections.items() for key in section.model_fields}
    assert {key for key in keys if not re.search(rf"\b{key.split()[1]}\b", README)} == set()


def test_every_exit_code_of_the_readme_is_one_of_the_design():
    table = README.split("| exit | means |")[1].split("\n\n")[0]
    codes = [code for cell in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for code in cell.split(", ")]
    assert codes == ["0", "1", "2", "3", "4", "75", "130", "143"]


def test_the_readmes_own_configuration_is_valid(bare):
    text = README.split("```toml\n# houses.toml")[1].split("```")[0]
    (bare.directory / "houses.toml").write_text(text)
    price = "\n".join(f"{i % 9},{i % 9 * 10 + i / 7}" for i in range(40))
    (bare.directory / "houses.csv").write_text(f"rooms,price\n{price}\n")
    done = bare.run("validate", "houses.toml")
    assert done.returncode == 0, done.stderr
    assert "task: regression" in done.stdout


def test_toml_that_the_tests_write_is_what_they_mean():
    assert tomllib.loads(toml(LONG)) == LONG
