import ast
import os
import stat
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import engine
from engine.errors import EngineError, ShapeError, WeightsFileError
from engine.network import Architecture
from engine.weights import FORMAT_VERSION, Weights, load_weights, save_weights
from tests.conftest import REPOSITORY
from tests.engine.support.problem import random_problem, random_weights

NOTES = {"scaling": '{"mean": [0.5]}', "classes": "кошка, 猫, gato 🐈\n", "empty": "", "long": "ä" * 70_000}


@pytest.fixture
def model(tmp_path):
    """A file of weights."""
    path = tmp_path / "model.h5"
    save_weights(path, random_weights(notes=NOTES))
    return path


@pytest.mark.parametrize("hidden_units", [(), (4, 3)], ids=["depth 0", "depth 2"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_come_back_bit_for_bit_with_their_notes(tmp_path, dtype, hidden_units):
    path, saved = tmp_path / "model.h5", random_weights(dtype, hidden_units, NOTES)
    save_weights(path, saved)
    loaded = load_weights(path)
    assert loaded.architecture == saved.architecture
    assert loaded.notes == NOTES
    for one, other in zip(
        (*saved.parameters.W, *saved.parameters.b), (*loaded.parameters.W, *loaded.parameters.b), strict=True
    ):
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes()


def test_the_file_describes_itself_to_any_hdf5_reader(model):
    with h5py.File(model) as file:
        assert file.attrs["format_version"] == FORMAT_VERSION
        assert file.attrs["dtype"] == "float64"
        assert list(file.attrs["hidden_units"]) == [4, 3]
        assert sorted(file) == ["W1", "W2", "W3", "b1", "b2", "b3", "notes"]
        assert file["W1"].shape == (4, 3)


def test_the_same_weights_make_the_same_bytes(model):
    before = model.read_bytes()
    save_weights(model, random_weights(notes=NOTES))
    assert model.read_bytes() == before


def test_saving_replaces_an_earlier_file_and_leaves_nothing_else(model):
    save_weights(model, random_weights(notes={"run": "second"}))
    assert load_weights(model).notes == {"run": "second"}
    assert [path.name for path in model.parent.iterdir()] == ["model.h5"]


def test_a_saved_file_is_readable_to_whom_the_umask_allows(tmp_path):
    before = os.umask(0o022)
    try:
        save_weights(tmp_path / "model.h5", random_weights())
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model.h5").stat().st_mode) == 0o644


class _FailsWhenRead(dict):
    def items(self):
        yield "scaling", "fine"
        raise KeyboardInterrupt


def test_an_interrupted_save_leaves_the_earlier_file_and_no_other(model):
    before = model.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        save_weights(model, random_weights(notes=_FailsWhenRead(scaling="")))
    assert model.read_bytes() == before
    assert [path.name for path in model.parent.iterdir()] == ["model.h5"]


def test_a_full_disk_is_an_oserror_that_leaves_the_earlier_file_and_no_other(model):
    before = model.read_bytes()
    program = """if True:
        import resource, signal, sys
        from pathlib import Path
        from tests.engine.support.problem import random_weights
        from engine.weights import save_weights
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        large = random_weights(notes={"long": "x" * 1_000_000})
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            save_weights(Path(sys.argv[1]), large)
        except OSError as error:
            print(type(error).__name__)
    """
    done = subprocess.run(
        [sys.executable, "-c", program, str(model)], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "OSError", done.stderr
    assert model.read_bytes() == before
    assert [path.name for path in model.parent.iterdir()] == ["model.h5"]


def test_a_folder_that_does_not_exist_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        save_weights(tmp_path / "nowhere" / "model.h5", random_weights())


def test_a_stack_of_several_networks_is_refused(tmp_path):
    problem = random_problem(0, n_networks=3)
    with pytest.raises(EngineError, match=r"a stack of 3 networks\. A file holds one"):
        save_weights(tmp_path / "model.h5", Weights(problem.architecture, problem.initial))
    assert list(tmp_path.iterdir()) == []


def test_parameters_of_another_architecture_are_refused(tmp_path):
    with pytest.raises(ShapeError, match=r"W\[1\] has shape"):
        save_weights(
            tmp_path / "model.h5",
            Weights(Architecture(9, (4, 3), 3, "relu", "multiclass"), random_weights().parameters),
        )


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(WeightsFileError, match="no such file"):
        load_weights(tmp_path / "model.h5")


@pytest.mark.parametrize("fraction", [0, 0.01, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused_wherever_it_was_cut(model, fraction):
    whole = model.read_bytes()
    model.write_bytes(whole[: int(fraction * len(whole))])
    with pytest.raises(WeightsFileError, match=r"cannot be read as weights.*copy it again"):
        load_weights(model)


def test_a_file_that_is_not_hdf5_is_refused(model):
    model.write_text("W1 = 3")
    with pytest.raises(WeightsFileError, match="must be a whole HDF5 file written by sweeps"):
        load_weights(model)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(WeightsFileError, match="cannot be read as weights"):
        load_weights(tmp_path)


def test_an_hdf5_file_of_something_else_is_refused(model):
    with h5py.File(model, "w") as file:
        file["X"] = np.zeros(3)
    with pytest.raises(WeightsFileError, match=r"an HDF5 file without weights.*'sweeps-weights'"):
        load_weights(model)


def test_another_format_version_is_refused(model):
    with h5py.File(model, "a") as file:
        file.attrs["format_version"] = FORMAT_VERSION + 1
    with pytest.raises(WeightsFileError, match=f"format version {FORMAT_VERSION + 1}. This release reads version"):
        load_weights(model)


def _delete(name):
    def change(file):
        del file[name]

    return change


def _set(name, value):
    def change(file):
        file.attrs[name] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _delete("W2"),
        _delete("b1"),
        _delete("notes"),
        _set("hidden_units", [4, 2]),
        _set("hidden_units", 4),
        _set("n_features", 5),
        _set("n_features", "three"),
        _set("activation", "swish"),
        _set("head", "hinge"),
        lambda file: file["notes"].create_group("group"),
        lambda file: file["notes"].create_dataset("number", data=3.0),
        lambda file: file.attrs.pop("n_outputs"),
    ],
)
def test_a_file_whose_parts_do_not_fit_together_is_refused(model, change):
    with h5py.File(model, "a") as file:
        change(file)
    with pytest.raises(WeightsFileError, match="cannot be read as weights"):
        load_weights(model)


def test_the_engine_neither_imports_pickle_nor_allows_it():
    for path in Path(engine.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        } | {node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        assert imported.isdisjoint({"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}), path.name
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = ast.unparse(call.func)
            if name in {"np.load", "np.save"}:
                allowed = {word.arg: ast.unparse(word.value) for word in call.keywords}
                assert allowed.get("allow_pickle") == "False", f"{path.name}: {ast.unparse(call)}"
