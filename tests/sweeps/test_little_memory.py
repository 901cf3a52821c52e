"""Sweeps of data larger than the memory end with the numbers that they have in memory, and say what they lack."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from sklearn.linear_model import LogisticRegression

from experiments.promotion.rows import StudyRows
from experiments.readers import room
from sweeps.reported_errors import reported_errors
from sweeps.results.summary import summary
from sweeps.run import run_sweep
from sweeps.search import winner as winners
from sweeps.trials import raw_examples
from tests.conftest import REPOSITORY
from tests.sweeps.support.small_sweep import small_config
from tests.sweeps.test_going_on import Said

pytestmark = pytest.mark.usefixtures("no_figures", "warm_deliveries")

TRAINING = {"recipe": "auto", "minibatch_size": 16}


def out_of_memory(*_: object, **__: object) -> None:
    raise MemoryError("Unable to allocate 9 TiB")


@pytest.fixture
def folder(tmp_path: Path, with_store: Any) -> Path:
    """A table of 400 rows, a number of which is missing, beside a mlflow.db."""
    here = with_store(tmp_path / "work")
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(400, 5)), columns=list("abcde"))
    frame["y"] = (frame["a"] + frame["b"] ** 2 > 1).astype(int)
    frame.iloc[::9, 2] = np.nan
    frame.to_parquet(here / "train.parquet", index=False)
    return Path(here)


def swept(folder: Path, **sections: Any) -> tuple[Any, Said]:
    said = Said()
    data = {"train": "train.parquet", "target": "y"} | sections.pop("data", {})
    sections = {"sweep": {"n_trials": 3}, "training": TRAINING} | sections
    return run_sweep(small_config(folder, data=data, **sections), directory=folder, progress=said, is_new=True), said


def numbers_of(result: Any) -> dict[str, Any]:
    """All that a sweep came to."""
    found = result.to_dict()
    del found["ensemble"]["model"]
    names = ("best", "out_of_fold", "test", "baselines_out_of_fold", "ensemble")
    return {name: found[name] for name in names} | {"values": [row.value for row in result.rows]}


@pytest.mark.parametrize("data", [{}, {"validation_fraction": 0.25, "folds": None}, {"target": "a"}], ids=str)
def test_a_sweep_whose_table_lies_in_a_file_comes_to_the_numbers_of_one_in_memory(folder, monkeypatch, data) -> None:
    in_memory, _ = swept(folder, data=data)
    files: list[int] = []
    monkeypatch.setattr(room, "memory_bytes", lambda: 1000)
    monkeypatch.setattr(raw_examples, "FROM_BYTES", 0)
    monkeypatch.setattr(os, "posix_fallocate", lambda file, start, size: files.append(size))
    in_file, _ = swept(folder, data=data)
    assert len(in_memory.winner.scores[0].baselines) == 2
    assert in_memory.ensemble is not None
    assert numbers_of(in_file) == numbers_of(in_memory)
    assert len(files) >= 4, "the table, what linear models are fitted to, what ensembles are selected from"


def test_without_room_for_the_linear_model_the_sweep_ends_beside_the_constant(folder, monkeypatch) -> None:
    monkeypatch.setattr(LogisticRegression, "fit", out_of_memory)
    result, said = swept(folder)
    said_of_it = "The linear model to compare with was not fitted: memory ran out (Unable to allocate 9 TiB)."
    assert said_of_it in said.lines
    assert list(result.winner.scores[0].baselines) == ["constant"]
    assert "constant" in summary(result)


def no_room(*_: object, **__: object) -> None:
    raise room.NoRoomError("9 numbers take 9 TiB, and /tmp has no room for them (full).", "A file.", "Make room.")


@pytest.mark.parametrize("lack", [out_of_memory, no_room])
def test_without_room_for_ensemble_and_estimate_there_is_a_winner_and_it_is_said(folder, monkeypatch, lack) -> None:
    monkeypatch.setattr(winners, "select", lack)
    monkeypatch.setattr(winners, "corrected_value", lack)
    result, said = swept(folder)
    assert (result.winner.ensemble, result.winner.estimate) == (None, None)
    assert [line for line in said.lines if "9 TiB" in line] == list(result.winner.shortages)
    assert len(result.winner.shortages) == 2
    assert result.exit_code == 0
    assert (folder / result.model_file).exists()


def test_without_room_for_comparing_with_the_champion_nothing_moves_and_it_is_said(folder, monkeypatch) -> None:
    monkeypatch.setattr(StudyRows, "of", out_of_memory)
    result, _ = swept(folder)
    assert "memory ran out (Unable to allocate 9 TiB)" in result.promotion.problem
    assert "memory ran out (Unable to allocate 9 TiB)" in summary(result)


def test_where_nothing_can_be_trained_the_message_says_how_much_memory_there_is(capsys, monkeypatch) -> None:
    monkeypatch.setattr(room, "memory_bytes", lambda: 3 * 2**29)
    with pytest.raises(typer.Exit) as ended, reported_errors():
        out_of_memory()
    assert ended.value.exit_code == 2
    message = capsys.readouterr().err
    assert message.startswith("Memory ran out (Unable to allocate 9 TiB). Programs may use 1.5 GB here;")
    assert "then type the same command again" in message


@pytest.mark.slow
def test_a_sweep_of_a_table_larger_than_its_memory_ends_with_the_numbers_of_one_that_has_enough(tmp_path) -> None:
    """1,200,000 x 100 numbers, 915 MB, where 900 may be taken, most of it by what imports and threads reserve."""
    limit, rng = 900 * 2**20, np.random.default_rng(1)
    schema = pa.schema([*((f"f{j}", pa.int16()) for j in range(100)), ("y", pa.int8())])
    with pq.ParquetWriter(tmp_path / "train.parquet", schema) as file:
        for _ in range(12):
            X = rng.integers(-500, 500, (100_000, 100), dtype=np.int16)
            columns = [*X.T, (X[:, 0] + X[:, 1] / 2 > 0).astype(np.int8)]
            file.write_table(pa.table(columns, schema=schema))
    (tmp_path / "large.toml").write_text(
        '[sweep]\nname = "large"\nn_trials = 2\n[data]\ntrain = "train.parquet"\ntarget = "y"\nfolds = 2\n'
        "[search]\nn_iterations = 5\ndepth = 1\n[training]\nminibatch_size = 128\n[execution]\nworkers = 1\n"
    )
    found, environment = [], {"PYTHONPATH": str(REPOSITORY), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    for soft in (limit, resource.RLIM_INFINITY):
        (folder := tmp_path / f"{soft}").mkdir()
        done = subprocess.run(
            [sys.executable, "-m", "sweeps", "run", str(tmp_path / "large.toml"), "--json", "--quiet"],
            cwd=folder,
            env=environment | {"OPENBLAS_NUM_THREADS": "1"},
            preexec_fn=lambda soft=soft: resource.setrlimit(resource.RLIMIT_DATA, (soft, resource.RLIM_INFINITY)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 4), done.stderr
        assert "Traceback" not in done.stderr
        assert "no room" not in done.stderr
        document = json.loads(done.stdout)
        found.append({name: document[name] for name in ("best", "test", "baselines_out_of_fold")})
    assert found[0] == found[1]
