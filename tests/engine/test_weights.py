import ast
import hashlib
import os
import stat
import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pytest

import engine
from engine.ensemble import Member, mean_outputs
from engine.errors import EngineError, ShapeError, WeightsFileError
from engine.network import Architecture, forward
from engine.weights import ENSEMBLE_FORMAT_VERSION, FORMAT_VERSION, Weights, load_weights, save_weights
from tests.conftest import REPOSITORY
from tests.engine.support.problem import random_problem, random_weights

NOTES = {"scaling": '{"mean": [0.5]}', "classes": "кошка, 猫, gato 🐈\n", "empty": "", "long": "ä" * 70_000}


@pytest.fixture
def model(tmp_path):
    """A file of weights."""
    path = tmp_path / "model.h5"
    save_weights(path, random_weights(notes=NOTES))
    return path


@pytest.fixture
def ensemble(tmp_path):
    """A file of two stacks, of five networks and of one."""
    path = tmp_path / "ensemble.h5"
    save_weights(path, two_stacks())
    return path


def two_stacks():
    """Weights of six networks in two dtypes."""
    folds, single = random_problem(1, n_networks=5), random_problem(2, hidden_units=())
    members = (
        Member(folds.architecture, folds.parameters(np.float32), 0.75),
        Member(single.architecture, single.initial, 0.25),
    )
    return Weights(members, NOTES)


def assert_same_bits(found, saved):
    """All members of two `Weights`."""
    for one, other in zip(found.members, saved.members, strict=True):
        assert (one.architecture, one.weight) == (other.architecture, other.weight)
        arrays = ((*member.parameters.W, *member.parameters.b) for member in (one, other))
        for a, b in zip(*arrays, strict=True):
            assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


@pytest.mark.parametrize("hidden_units", [(), (4, 3)], ids=["depth 0", "depth 2"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_come_back_bit_for_bit_with_their_notes(tmp_path, dtype, hidden_units):
    path, saved = tmp_path / "model.h5", random_weights(dtype, hidden_units, NOTES)
    save_weights(path, saved)
    loaded = load_weights(path)
    assert loaded.notes == NOTES
    assert_same_bits(loaded, saved)


def test_the_weights_of_several_networks_come_back_bit_for_bit_with_their_shares_and_notes(ensemble):
    loaded = load_weights(ensemble)
    assert loaded.notes == NOTES
    assert_same_bits(loaded, two_stacks())


def test_more_than_nine_members_come_back_in_their_order(tmp_path):
    weights = [number / 66 for number in range(1, 12)]
    members = tuple(
        Member(problem.architecture, problem.initial, weight)
        for problem, weight in zip(map(random_problem, range(11)), weights, strict=True)
    )
    save_weights(tmp_path / "ensemble.h5", Weights(members))
    assert_same_bits(load_weights(tmp_path / "ensemble.h5"), Weights(members))


@pytest.mark.parametrize("fill", [b"\0", b" "])
def test_a_file_whose_checksum_was_wiped_is_damaged_and_one_from_before_there_were_any_is_read(model, fill):
    whole = model.read_bytes()
    mark = whole.rindex(b"\nsha256 ")
    for damaged in (whole[:mark] + fill * (len(whole) - mark), whole[:mark]):
        model.write_bytes(damaged)
        with pytest.raises(WeightsFileError, match="damaged, its checksum is gone"):
            load_weights(model)
    with h5py.File(model, "r+") as file:
        del file.attrs["checksum"]
    assert load_weights(model).notes == NOTES


def test_one_network_is_a_file_of_version_1_and_a_checksum_which_earlier_releases_ignore(tmp_path):
    """That version's layout, written out."""
    W, b = [np.full((2, 3), 0.5, np.float32), np.ones((1, 2), np.float32)], [np.zeros((2, 1), np.float32)] * 2
    b[1] = np.full((1, 1), -1, np.float32)
    images = {}
    for mark in ({}, {"checksum": "sha256"}):  # files of earlier releases do not say that they end in one
        images[bool(mark)] = BytesIO()
        with h5py.File(images[bool(mark)], "w") as file:
            file.attrs["format"] = "sweeps-weights"
            file.attrs.update(mark)
            file.attrs["format_version"] = 1
            file.attrs["dtype"] = "float32"
            file.attrs["n_features"] = 3
            file.attrs["hidden_units"] = np.array([2])
            file.attrs["n_outputs"] = 1
            file.attrs["activation"] = "relu"
            file.attrs["head"] = "binary"
            file["W1"], file["b1"], file["W2"], file["b2"] = W[0], b[0], W[1], b[1]
            file.create_group("notes")["model"] = "{}"
    old = tmp_path / "old.h5"
    old.write_bytes(images[False].getvalue())

    loaded = load_weights(old)
    X = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    by_hand = 1 / (1 + np.exp([[-2.0, 1.0]]))  # 1.5 + 1.5 - 1 and 0 + 0 - 1
    np.testing.assert_allclose(mean_outputs(loaded.members, X), by_hand, rtol=1e-6)
    save_weights(tmp_path / "new.h5", loaded)
    content, mark, digest = (tmp_path / "new.h5").read_bytes().rpartition(b"\nsha256 ")
    assert content == images[True].getvalue()
    assert (mark, digest.decode()) == (b"\nsha256 ", hashlib.sha256(content).hexdigest() + "\n")


def test_a_file_of_several_networks_describes_itself_to_any_hdf5_reader(ensemble):
    with h5py.File(ensemble) as file:
        assert file.attrs["format_version"] == ENSEMBLE_FORMAT_VERSION == 2
        assert sorted(file) == ["members", "notes"]
        folds = file["members/1"]
        assert (folds.attrs["weight"], folds.attrs["dtype"], folds.attrs["head"]) == (0.75, "float32", "binary")
        assert folds["W1"].shape == (5, 4, 3)
        assert sorted(file["members/2"]) == ["W1", "b1"]


def test_what_a_reader_of_hdf5_averages_is_what_the_loaded_file_answers(ensemble):
    X = np.random.default_rng(0).standard_normal((3, 8))
    saved = two_stacks().members
    answers = [forward(member.parameters, X, member.architecture)[1] for member in saved]
    expected = 0.15 * sum(answers[0][fold].astype(np.float64) for fold in range(5)) + 0.25 * answers[1][0]
    np.testing.assert_allclose(mean_outputs(load_weights(ensemble).members, X), expected, rtol=1e-12)


def test_the_file_describes_itself_to_any_hdf5_reader(model):
    with h5py.File(model) as file:
        assert file.attrs["format_version"] == FORMAT_VERSION
        assert file.attrs["dtype"] == "float64"
        assert list(file.attrs["hidden_units"]) == [4, 3]
        assert sorted(file) == ["W1", "W2", "W3", "b1", "b2", "b3", "notes"]
        assert file["W1"].shape == (4, 3)


@pytest.mark.parametrize("weights", [random_weights(notes=NOTES), two_stacks()], ids=["one", "several"])
def test_the_same_weights_make_the_same_bytes(weights, tmp_path):
    for name in ("a.h5", "b.h5"):
        save_weights(tmp_path / name, weights)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


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


def test_networks_that_make_no_ensemble_are_refused_and_nothing_is_written(tmp_path):
    (member,) = random_weights().members
    with pytest.raises(EngineError, match=r"the weights sum to 2\.0\. They must sum to 1"):
        save_weights(tmp_path / "model.h5", Weights((member, member)))
    with pytest.raises(ShapeError, match=r"W\[1\] has shape"):
        other = replace(member, architecture=Architecture(9, (4, 3), 3, "relu", "multiclass"))
        save_weights(tmp_path / "model.h5", Weights((other,)))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(WeightsFileError, match="no such file"):
        load_weights(tmp_path / "model.h5")


@pytest.mark.parametrize("file", ["model", "ensemble"])
@pytest.mark.parametrize("fraction", [0, 0.01, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused_wherever_it_was_cut(request, file, fraction):
    path = request.getfixturevalue(file)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(fraction * len(whole))])
    with pytest.raises(WeightsFileError, match=r"cannot be read as weights.*copy it again"):
        load_weights(path)


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
        file.attrs["format_version"] = 3
    with pytest.raises(WeightsFileError, match=r"format version 3\. This release reads versions 1 and 2; use the"):
        load_weights(model)


def _delete(name):
    def change(file):
        del file[name]

    return change


def _set(name, value, group="/"):
    def change(file):
        file[group].attrs[name] = value

    return change


def _replace(name, value):
    def change(file):
        del file[name]
        file[name] = value

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


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_delete("members/2"), r"the weights sum to 0\.75"),
        (_delete("members/1"), "'1'|\"1\"|object"),
        (_delete("members"), "members"),
        (_delete("members/1/W2"), "W2"),
        (_set("format_version", 1), "n_features"),
        (_set("weight", 0.5, "members/1"), r"the weights sum to 0\.75\. They must sum to 1"),
        (_set("weight", -0.75, "members/1"), r"member 1 has weight -0\.75\. It must be above 0"),
        (_set("weight", "much", "members/1"), "could not convert"),
        (_set("n_features", 4, "members/2"), r"W\[1\] has shape"),
        (_set("head", "regression", "members/2"), r"member 2 has head regression, member 1 has binary"),
        (_replace("members/1/W1", np.zeros((4, 4, 3))), r"b\[1\] has shape"),
        (_replace("members/1/W1", np.zeros((4, 3))), r"W\[1\] has shape \(4, 3\)"),
        (_replace("members/2/W1", np.zeros((1, 2, 3))), r"W\[1\] has shape"),
    ],
)
def test_a_file_of_several_networks_whose_parts_do_not_fit_together_is_refused(ensemble, change, why):
    with h5py.File(ensemble, "a") as file:
        change(file)
    with pytest.raises(WeightsFileError, match=rf"cannot be read as weights \(.*({why}).*copy it again"):
        load_weights(ensemble)


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
