"""The model in MLflow's form: the same predictions, no pickle, nothing needed that does not come with it."""

import json
import os
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.dataset import load_dataset
from experiments.mlflow_connection import prepare_environment
from experiments.model import Model
from experiments.preparation import prepare
from experiments.pyfunc import CODE, MODEL_FILE, REQUIREMENTS, column_names, save_pyfunc
from tests.experiments.support.models import KINDS, ensemble_of, model_of, untrained
from tests.support.servers import free_port, serving


def saved(kind, folder, made_by=model_of):
    """Raw test examples as people have them, the model, and its MLflow folder."""
    prepare_environment()
    prepared, model = made_by(kind, folder)
    model.save(folder / "winner.h5")
    save_pyfunc(folder / "winner.h5", folder / "pyfunc")
    X = prepared.dataset.X_test
    return (
        pd.DataFrame(X, columns=list(column_names(model))) if kind in ("binary", "regression") else X,
        model,
        folder / "pyfunc",
    )


@pytest.mark.parametrize(
    ("kind", "made_by"),
    [*((kind, model_of) for kind in KINDS), ("binary", ensemble_of), ("table", ensemble_of)],
    ids=[*KINDS, "ensemble", "ensemble of a table"],
)
def test_mlflow_loads_it_and_predicts_what_the_model_predicts(kind, made_by, tmp_path):
    X, model, folder = saved(kind, tmp_path, made_by)
    import mlflow.pyfunc

    loaded = mlflow.pyfunc.load_model(str(folder))
    pd.testing.assert_frame_equal(loaded.predict(X), model.table(X))
    if model.class_names:
        with_proba = loaded.predict(X, params={"proba": True})
        pd.testing.assert_frame_equal(with_proba, model.table(X, proba=True))
        assert list(with_proba) == [item.name for item in loaded.metadata.signature.outputs]
    example = loaded.input_example
    assert len(loaded.predict(example)) == 1
    assert loaded.metadata.metadata == {
        "study": model.study, "task": model.task, "class_names": list(model.class_names), "test_scores": {},
    }  # fmt: skip


def test_a_model_with_a_threshold_decides_by_it_in_mlflow_too(tmp_path):
    prepare_environment()
    prepared, model = model_of("binary", tmp_path)
    X = pd.DataFrame(prepared.dataset.X_test, columns=list(column_names(model)))
    replace(model, threshold=1.0).save(tmp_path / "winner.h5")
    save_pyfunc(tmp_path / "winner.h5", tmp_path / "pyfunc")
    import mlflow.pyfunc

    loaded = mlflow.pyfunc.load_model(str(tmp_path / "pyfunc"))
    assert set(model.predict(X)) == {"benign", "malignant"}
    assert set(loaded.predict(X)["prediction"]) == {"malignant"}


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_a_model_of_named_features_takes_their_table_in_any_order_and_arrays_by_position(kind, tmp_path):
    table, model, folder = saved(kind, tmp_path)
    import mlflow.pyfunc
    from mlflow.pyfunc.scoring_server import infer_and_parse_data

    loaded, expected = mlflow.pyfunc.load_model(str(folder)), model.table(table)
    sent = infer_and_parse_data({"inputs": table.to_numpy().tolist()}, loaded.metadata.get_input_schema())
    for X in (table[table.columns[::-1]], table.to_numpy(), table.to_numpy().tolist(), sent):
        pd.testing.assert_frame_equal(loaded.predict(X), expected)
    with pytest.raises(mlflow.exceptions.MlflowException, match=r"1 of \d+ feature columns is missing"):
        loaded.predict(table.iloc[:, 1:])


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.float64, np.uint8])
def test_arrays_are_taken_in_the_type_they_were_trained_on_and_in_others(dtype, tmp_path):
    prepare_environment()
    X = np.random.default_rng(0).integers(0, 256, (40, 5)).astype(dtype)
    np.savez(tmp_path / "a.npz", X=X, y=np.arange(40) % 2)
    model = untrained(prepare(load_dataset("a.npz", directory=tmp_path)))
    model.save(tmp_path / "winner.h5")
    save_pyfunc(tmp_path / "winner.h5", tmp_path / "pyfunc")
    import mlflow.pyfunc

    loaded = mlflow.pyfunc.load_model(str(tmp_path / "pyfunc"))
    for other in (dtype, np.int32):
        pd.testing.assert_frame_equal(loaded.predict(X.astype(other)), model.table(X))
    assert len(loaded.predict(loaded.input_example)) == 1
    with pytest.raises(mlflow.exceptions.MlflowException, match=r"examples have shape \(4,\)\. The training examples"):
        loaded.predict(X[:, :4])


def test_pixels_between_0_and_1_are_refused_for_bytes_and_not_rounded(tmp_path):
    X, _, folder = saved("images", tmp_path)
    import mlflow.pyfunc

    loaded = mlflow.pyfunc.load_model(str(folder))
    with pytest.raises(mlflow.exceptions.MlflowException, match=r"training examples are bytes: .* Give the raw bytes"):
        loaded.predict(X / 255)


def test_a_list_is_an_array_and_an_empty_one_has_no_examples(tmp_path):
    X, model, folder = saved("images", tmp_path)
    import mlflow.pyfunc

    loaded = mlflow.pyfunc.load_model(str(folder))
    pd.testing.assert_frame_equal(loaded.predict(X[:2].tolist()), model.table(X[:2]))
    with pytest.raises(mlflow.exceptions.MlflowException, match=r"examples"):
        loaded.predict([])


def test_a_table_is_taken_as_people_have_it(tmp_path):
    _, model, folder = saved("table", tmp_path)
    import mlflow.pyfunc

    loaded = mlflow.pyfunc.load_model(str(folder))
    raw = pd.read_parquet(tmp_path / "houses.parquet").tail(8)
    assert raw["rooms"].dtype == np.int64
    assert raw["garden"].dtype == np.bool_
    np.testing.assert_array_equal(loaded.predict(raw)["prediction"], model.predict(raw.drop(columns="price")))
    with pytest.raises(mlflow.exceptions.MlflowException, match=r"missing inputs \['size'\]"):
        loaded.predict(raw.drop(columns="size"))
    with pytest.raises(mlflow.exceptions.MlflowException, match=r"column 'size' has .* values that are not numbers"):
        loaded.predict(raw.assign(size="large"))


def test_there_is_no_pickle_in_the_folder(tmp_path, monkeypatch):
    _, _, folder = saved("table", tmp_path)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > len(CODE["engine"])
    for path in files:
        assert path.suffix in {".py", ".h5", ".json", ".yaml", ".txt", ""}, path
        start = path.read_bytes()[:2]
        assert start not in {b"\x80" + bytes([protocol]) for protocol in range(6)}, f"{path} begins as a pickle does"
    assert "python_model:" not in (folder / "MLmodel").read_text()
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    import mlflow.pyfunc

    mlflow.pyfunc.load_model(str(folder))


def test_the_requirements_are_pinned_to_what_is_installed_here(tmp_path):
    from importlib.metadata import version

    _, _, folder = saved("binary", tmp_path)
    lines = (folder / "requirements.txt").read_text().split()
    assert lines == [f"{name}=={version(name)}" for name in REQUIREMENTS]


# Predicts with MLflow in a process of its own and says which modules of ours it used and which heavy ones it loaded.
LOAD = """
    import json, sys
    import mlflow.pyfunc
    import pandas as pd
    before = set(sys.modules)
    model = mlflow.pyfunc.load_model(sys.argv[1])
    X = pd.read_parquet(sys.argv[2])
    answer = model.predict(X)["prediction"].tolist()
    packages = ("engine", "experiments", "sweeps")
    ours = {name: module.__file__ for name, module in sys.modules.items() if name.split(".")[0] in packages}
    new = {name.split(".")[0] for name in set(sys.modules) - before}
    print(json.dumps({"answer": answer, "ours": ours, "new": sorted(new)}))
"""


def loaded_by(python, folder, table):
    """What LOAD says, run far from this repository."""
    command = [python, "-I", "-c", textwrap.dedent(LOAD), str(folder), str(table)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("made_by", [model_of, ensemble_of])
def test_the_code_that_travels_is_what_a_prediction_imports_no_more_and_no_less(made_by, tmp_path):
    _, model, folder = saved("table", tmp_path, made_by)
    told = loaded_by(sys.executable, folder, tmp_path / "houses.parquet")
    raw = pd.read_parquet(tmp_path / "houses.parquet").drop(columns="price")
    assert told["answer"] == model.predict(raw).tolist()
    files = {str(folder / "code" / package / file) for package, files in CODE.items() for file in files}
    assert set(told["ours"].values()) == files
    assert not set(told["new"]) & {"sklearn", "optuna", "typer", "rich", "filelock", "PIL", "pydantic"}


@pytest.mark.slow
def test_it_loads_and_predicts_the_same_in_a_fresh_environment_of_its_own_requirements(tmp_path):
    _, model, folder = saved("table", tmp_path)
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "-r", folder / "requirements.txt"], check=True)
    listed = subprocess.run([python, "-m", "pip", "list"], check=True, capture_output=True, text=True).stdout
    assert "sweeps" not in listed
    raw = pd.read_parquet(tmp_path / "houses.parquet")
    told = loaded_by(python, folder, tmp_path / "houses.parquet")
    np.testing.assert_array_equal(told["answer"], model.predict(raw.drop(columns="price")))
    assert all(path.startswith(str(folder / "code")) for path in told["ours"].values())


@contextmanager
def served(folder):
    """A real `mlflow models serve` on a loopback port, as a function: what it answers to POST /invocations."""
    url = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder), "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", url.rpartition(":")[2], "--workers", "1"]
    # MLflow finds uvicorn by the PATH, as in an environment that is activated.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": ""}
    with serving(command, f"{url}/ping", folder.parent / "serve.log", folder, environment):
        yield lambda document: ask(url, document)


def ask(url, document):
    """(status, answer); the answer of an error is its text."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{url}/invocations", json.dumps(document).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request) as response:  # noqa: S310
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.slow
def test_mlflow_serves_tables_over_http_with_missing_values_and_says_what_is_wrong_with_others(tmp_path):
    _, model, folder = saved("table", tmp_path)
    rows = {"rooms": [3, 5], "size": [None, 80.5], "place": ["north", None], "garden": [True, False]}
    expected = [{"prediction": price} for price in model.predict(pd.DataFrame(rows))]
    split = {"columns": list(rows), "data": [list(row) for row in zip(*rows.values(), strict=True)]}
    with served(folder) as ask_server:
        assert ask_server({"dataframe_split": split}) == (200, {"predictions": expected})
        assert ask_server({"dataframe_records": pd.DataFrame(rows, dtype=object).to_dict("records")})[0] == 200
        status, message = ask_server({"dataframe_split": split | {"data": [["many", 1, "north", True]]}})
        assert status == 400
        assert "column 'rooms' has 1 value that is no number" in message
        status, message = ask_server({"dataframe_split": {"columns": ["rooms"], "data": [[3]]}})
        assert status == 400
        assert "size" in message


@pytest.mark.slow
@pytest.mark.parametrize("made_by", [model_of, ensemble_of])
def test_mlflow_serves_unscaled_pixels_over_http_with_probabilities_on_request(made_by, tmp_path):
    X, model, folder = saved("images", tmp_path, made_by)
    with served(folder) as ask_server:
        status, answer = ask_server({"inputs": X[:3].tolist(), "params": {"proba": True}})
        assert status == 200
        assert pd.DataFrame(answer["predictions"]).equals(model.table(X[:3], proba=True))
        assert ask_server({"inputs": X[:3].tolist()})[1]["predictions"] == [
            {"prediction": name} for name in model.predict(X[:3])
        ]
        status, message = ask_server({"inputs": (X[:3] / 255).tolist()})
        assert status == 400
        assert "The training examples are bytes: whole numbers 0..255" in message
        status, message = ask_server({"inputs": X[:3, :4].tolist()})
        assert status == 400
        assert "shape" in message


def test_what_is_no_model_is_not_packed(tmp_path):
    (tmp_path / "weights.h5").write_bytes(b"\x89HDF")
    with pytest.raises(ValueError, match="cannot be read as weights"):
        save_pyfunc(tmp_path / "weights.h5", tmp_path / "pyfunc")
    assert not (tmp_path / "pyfunc").exists()


def test_our_own_file_lies_in_the_folder_unchanged(tmp_path):
    _, model, folder = saved("binary", tmp_path)
    assert (folder / MODEL_FILE).read_bytes() == (tmp_path / "winner.h5").read_bytes()
    assert Model.load(folder / MODEL_FILE).study == model.study


def test_a_project_that_happens_to_lie_in_the_working_directory_is_not_taken_along(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("uv.lock", "pyproject.toml"):
        (tmp_path / name).write_text('version = 1\n[project]\nname = "secret"\nversion = "1"\n')
    _, _, folder = saved("binary", tmp_path)
    assert not {path.name for path in folder.rglob("*")} & {"uv.lock", "pyproject.toml"}
