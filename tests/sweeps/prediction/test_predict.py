"""`predict`: from a model's name and files to answers, or to one message and exit 2."""

import json
import shutil
from io import StringIO
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from engine.threads import one_blas_thread
from experiments.dataset import load_dataset
from experiments.errors import InputError
from experiments.mlflow_connection import prepare_environment
from experiments.model import Model
from experiments.outbox import Outbox
from experiments.preparation import prepare
from experiments.readers import columns, csv_columns
from sweeps.prediction.named_model import find_model
from sweeps.prediction.predict import check_out, predict_files, predictions_as_text, write
from sweeps.storage.workspace import Workspace
from tests.experiments.support.models import KINDS, ensemble_of, model_of, untrained
from tests.experiments.support.models import houses as write_houses
from tests.experiments.support.study_facts import finished as end_of_study
from tests.sweeps.support.command_line import CommandLine

STUDY = "houses/20261123-020000"


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    """The working directory of the command."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paths(*names):
    return [Path(name) for name in names]


@pytest.fixture
def houses(inputs):
    """A model of a table, and new.csv with its columns, the target and no others; the features as trained on."""
    prepared, model = model_of("table", inputs)
    X = prepared.dataset.X_test
    X.assign(price=1.5).to_csv(inputs / "new.csv", index=False)
    return model, X


@pytest.fixture
def cats(inputs):
    return model_of("images", inputs)[1]


def picture(name, shape=(20, 30, 3), value=None):
    rng = np.random.default_rng(len(name))
    pixels = rng.integers(0, 256, shape, dtype=np.uint8) if value is None else np.full(shape, value, np.uint8)
    Image.fromarray(pixels).save(name)
    return name


# --- what is answered ---


def test_a_table_gives_csv_with_one_prediction_a_row_and_the_target_column_is_ignored(houses):
    model, X = houses
    text = predictions_as_text(model, paths("new.csv"), proba=False, keep=())
    assert text.startswith("prediction\n")
    with one_blas_thread():
        np.testing.assert_array_equal(pd.read_csv(StringIO(text))["prediction"], model.predict(X))


def test_columns_can_be_kept_beside_the_predictions(houses):
    model, X = houses
    X.assign(id=range(100, 100 + len(X)), price=7.0).to_parquet("new.parquet")
    table = predict_files(model, paths("new.parquet"), keep=("id", "rooms", "price"))
    assert list(table) == ["id", "rooms", "price", "prediction"]
    assert table["id"].tolist() == list(range(100, 100 + len(X)))
    np.testing.assert_array_equal(table["prediction"], predict_files(model, paths("new.csv"))["prediction"])


def test_what_is_kept_of_a_csv_is_copied_as_it_is_written(houses):
    model, X = houses
    X.assign(id=[f"{i:03d}" for i in range(len(X))]).to_csv("new.csv", index=False)
    text = predictions_as_text(model, paths("new.csv"), proba=False, keep=("id", "rooms"))
    assert [line.split(",")[0] for line in text.splitlines()[:3]] == ["id", "000", "001"]


def test_a_row_has_one_prediction_alone_or_among_others(inputs):
    rows = ["01,TRUE,1\n", "02,FALSE,2\n", "A3,maybe,3\n"]
    (inputs / "codes.csv").write_text("code,flag,y\n" + "".join(rows * 20))
    model = untrained(prepare(load_dataset("codes.csv", target="y", task="regression")))
    (inputs / "all.csv").write_text("code,flag\n01,TRUE\n02,FALSE\nA3,maybe\n")
    (inputs / "alone.csv").write_text("code,flag\n01,TRUE\n")
    alone, among = (predict_files(model, paths(name))["prediction"] for name in ("alone.csv", "all.csv"))
    assert alone[0] == pytest.approx(among[0], rel=1e-6)  # BLAS sums one column in another order
    assert abs(among[1] - among[0]) > 0.01


def test_categories_that_training_had_not_are_told(houses):
    model, X = houses
    X.assign(place="west").to_csv("new.csv", index=False)
    said = []
    predict_files(model, paths("new.csv"), say=said.append)
    assert len(said) == 1
    assert said[0].startswith("new.csv: column 'place' has categories that no training example has, in 12")


def test_several_files_give_one_table_that_names_them(houses):
    model, X = houses
    X.head(2).to_parquet("a.parquet")
    table = predict_files(model, paths("new.csv", "a.parquet"))
    assert table["file"].tolist() == ["new.csv"] * len(X) + ["a.parquet"] * 2
    np.testing.assert_allclose(table["prediction"].tail(2), table["prediction"].head(2), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_csv_parquet_hdf5_and_npz_of_the_same_examples_give_the_same_predictions(kind, inputs):
    prepared, model = model_of(kind, inputs)
    X = prepared.dataset.X_test
    made = []
    if isinstance(X, np.ndarray):
        np.savez("X.npz", X=X, y=np.zeros(1))
        with h5py.File("X.h5", "w") as file:
            file["test_set_x"] = X
        made += ["X.npz", "X.h5"]
    if not isinstance(X, np.ndarray) or prepared.dataset.feature_names:
        frame = pd.DataFrame(X, columns=list(prepared.dataset.feature_names))
        frame.to_csv("X.csv", index=False)
        frame.to_parquet("X.parquet")
        made += ["X.csv", "X.parquet"]
    assert len(made) >= 2
    with one_blas_thread():
        expected = model.table(X, proba=bool(model.class_names))
    for name in made:
        found = predict_files(model, paths(name), proba=bool(model.class_names))
        pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_images_of_any_size_give_a_line_each(cats, inputs):
    names = [picture("kitten.jpg"), picture("a_dog.png", (3, 90)), picture("x.gif", (8, 6, 3))]
    text = predictions_as_text(cats, paths(*names), proba=False, keep=())
    table = predict_files(cats, paths(*names), proba=True)
    for line, (_, row) in zip(text.splitlines(), table.iterrows(), strict=True):
        sure = max(row["probability_cat"], row["probability_non-cat"])
        assert line.split() == [row["file"], row["prediction"], f"({sure:.2f})"]
    width = len("kitten.jpg")
    assert {line[width : width + 2] for line in text.splitlines()} == {"  "}, "aligned"


def test_an_image_of_the_training_size_is_predicted_as_the_same_pixels_in_an_array(cats, inputs):
    pixels = np.random.default_rng(9).integers(0, 256, (5, 8, 6, 3), dtype=np.uint8)
    np.savez("X.npz", X=pixels)
    names = [f"{i}.png" for i in range(5)]
    for name, image in zip(names, pixels, strict=True):
        Image.fromarray(image).save(name)
    of_files = predict_files(cats, paths(*names), proba=True)
    assert of_files["file"].tolist() == names
    pd.testing.assert_frame_equal(of_files.drop(columns="file"), predict_files(cats, paths("X.npz"), proba=True))


def test_a_folder_stands_for_all_files_in_it(cats, inputs):
    Path("new/deep").mkdir(parents=True)
    names = [picture("new/deep/b.png"), picture("new/a.png", (9, 9))]
    Path("new/.DS_Store").write_text("x")
    there = predict_files(cats, paths("new"))
    pd.testing.assert_frame_equal(there, predict_files(cats, sorted(paths(*names))))


def test_images_are_read_a_part_at_a_time(cats, inputs, monkeypatch):
    names = [picture(f"{i:03d}.png", (8, 6, 3)) for i in range(5)]
    whole = predict_files(cats, paths(*names), proba=True)
    monkeypatch.setattr("sweeps.prediction.predict._N_IMAGES", 2)
    pd.testing.assert_frame_equal(predict_files(cats, paths(*names), proba=True), whole, check_exact=False)


def test_images_with_proba_give_csv_with_every_class(cats, inputs):
    text = predictions_as_text(cats, paths(picture("kitten.jpg")), proba=True, keep=())
    assert text.splitlines()[0] == "file,prediction,probability_non-cat,probability_cat"
    assert text.splitlines()[1].startswith("kitten.jpg,")


def test_predictions_are_written_whole_as_csv_or_parquet(houses, inputs):
    model, _ = houses
    table = predict_files(model, paths("new.csv"))
    for name, read in (("out.csv", pd.read_csv), ("out.parquet", pd.read_parquet)):
        (inputs / name).write_text("older")
        write(table, inputs / name)
        pd.testing.assert_frame_equal(read(inputs / name), table)
    assert not [path.name for path in inputs.iterdir() if path.name.startswith(".")]


# --- what is refused ---


def test_columns_nobody_asked_for_are_refused_with_what_to_type(houses):
    model, X = houses
    X.assign(id=1, note="x").to_csv("more.csv", index=False)
    with pytest.raises(
        InputError, match=r"more.csv: columns that are unknown to the model: id, note\. It takes rooms, .* --keep 'id'"
    ):
        predict_files(model, paths("more.csv"))
    with pytest.raises(InputError, match="unknown to the model: note"):
        predict_files(model, paths("more.csv"), keep=("id",))
    predict_files(model, paths("more.csv"), keep=("id", "note"))


def test_a_missing_column_is_named_with_what_resembles_it(houses):
    model, X = houses
    X.rename(columns={"size": "sizes"}).assign(id=1, price=2).to_csv("less.csv", index=False)
    with pytest.raises(InputError, match=r"1 of 4 feature columns is missing: size\..*Did you mean 'size'\?"):
        predict_files(model, paths("less.csv"))


def test_a_column_of_numbers_is_kept_as_it_is_written(houses):
    model, X = houses
    numbers = next(name for name in X if X[name].dtype.kind == "f")
    written = [f"{row}.50" for row in range(len(X))]
    X.assign(**{numbers: written}).to_csv("kept.csv", index=False)
    table = predict_files(model, paths("kept.csv"), keep=(numbers,))
    assert table[numbers].tolist() == written
    assert table["prediction"].tolist() == predict_files(model, paths("kept.csv"))["prediction"].tolist()


def test_a_file_of_many_columns_is_read_as_numbers_and_looked_at_once(inputs, monkeypatch):
    """Each was looked for among all, read as text and made a number twice: 11 s of one row of 20,000 columns."""
    rng, n = np.random.default_rng(1), csv_columns._WIDE
    frame = pd.DataFrame(rng.normal(size=(30, n)), columns=[f"f{j}" for j in range(n)]).assign(y=[0, 1] * 15)
    frame.to_csv("wide.csv", index=False)
    model = untrained(prepare(load_dataset("wide.csv", target="y")))
    expected = model.predict(frame.drop(columns="y"))
    monkeypatch.setattr(pd, "read_csv", None)
    monkeypatch.setattr(columns, "parsed", None)
    assert predict_files(model, paths("wide.csv"))["prediction"].tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (("id",), "--keep id: new.csv has no such column, or its name is taken"),
        (("roms",), r"Did you mean 'rooms'\?"),
        (("rooms", "rooms"), "--keep rooms"),
    ],
)
def test_a_column_to_keep_must_be_there_once(houses, keep, message):
    with pytest.raises(InputError, match=message):
        predict_files(houses[0], paths("new.csv"), keep=keep)


def test_a_column_to_keep_that_is_called_as_a_probability_is_refused_beside_probabilities(inputs):
    prepared, model = model_of("binary", inputs)
    earlier = "probability_benign"
    table = pd.DataFrame(prepared.dataset.X_test, columns=list(prepared.dataset.feature_names)).assign(**{earlier: 0.5})
    table.to_csv("earlier.csv", index=False)
    with pytest.raises(
        InputError, match=r"its name is taken.*prediction, probability_malignant, probability_benign are"
    ):
        predict_files(model, paths("earlier.csv"), keep=(earlier,), proba=True)
    assert list(predict_files(model, paths("earlier.csv"), keep=(earlier,))) == [earlier, "prediction"]


def test_inputs_of_another_kind_than_the_models_are_refused(houses, inputs):
    model, _ = houses
    picture("kitten.jpg")
    np.savez("X.npz", X=np.zeros((2, 4)))
    for names, options, message in (
        (["kitten.jpg"], {}, "kitten.jpg: an image, but this model takes the features rooms, size, place, garden"),
        (["X.npz"], {}, r"X.npz is an array of shape \(2, 4\)\. The model was trained on a table"),
        (["X.npz"], {"keep": ("id",)}, "X.npz is a file of arrays, without columns"),
        (["kitten.jpg"], {"keep": ("id",)}, "images have no columns"),
        (["new.csv", "kitten.jpg"], {}, "new.csv: not an image, as kitten.jpg is"),
        (["new.csv"], {"proba": True}, "new.csv: a regression has no probabilities"),
    ):
        with pytest.raises(InputError, match=message):
            predict_files(model, paths(*names), **options)


def test_image_files_are_refused_by_a_model_of_images_on_another_scale(inputs):
    digits = model_of("multiclass", inputs)[1]
    with pytest.raises(InputError, match="trained on images whose pixels are not bytes"):
        predict_files(digits, paths(picture("seven.png")))


def test_arrays_of_another_image_shape_are_refused(cats, inputs):
    np.savez("X.npz", X=np.zeros((2, 8, 7, 3), np.uint8))
    with pytest.raises(
        InputError, match=r"X.npz: examples have shape \(8, 7, 3\)\. The training examples have shape \(8, 6, 3\)"
    ):
        predict_files(cats, paths("X.npz"))


def test_files_that_cannot_be_read_are_refused(houses, inputs):
    model, _ = houses
    (inputs / "folder").mkdir()
    (inputs / "notes.txt").write_text("hello")
    (inputs / "empty.csv").write_text("")
    (inputs / "photo.heic").write_bytes(b"\x00\x00\x00\x18ftypheic")
    np.savez("two.npz", X=np.zeros((2, 4)), X_test=np.zeros((2, 4)))
    np.savez("none.npz", pictures=np.zeros((2, 4)))
    for name, message in {
        "nowhere.csv": "nowhere.csv: there is no such file .*Paths are relative to the working directory",
        "folder": "folder: this folder holds no file",
        "notes.txt": r"notes.txt: neither its content nor its extension '.txt' .* rename it to .csv",
        "photo.heic": "photo.heic: neither its content nor its extension",
        "empty.csv": "empty",
        "two.npz": r"two.npz: X, X_test all hold examples\. Exactly one array of examples",
        "none.npz": r"none.npz: no examples found; its arrays are pictures\.",
    }.items():
        with pytest.raises(InputError, match=message):
            predict_files(model, paths(name))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.xlsx", r"unknown extension '.xlsx'.*--out out.csv"),
        ("nowhere/out.csv", "no folder nowhere"),
        ("folder.csv", r"is a folder.*folder.csv/pred"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_predicted(inputs, name, message):
    Path("folder.csv").mkdir()
    with pytest.raises(InputError, match=message):
        check_out(paths(name)[0])


# --- which model ---


@pytest.fixture
def workspace(inputs):
    """Two studies of one sweep; the older one has a model."""
    workspace = Workspace(inputs)
    for study in (STUDY, "houses/20261124-020000"):
        workspace.study_folder(study).create()
    model_of("table", inputs, study=STUDY)[1].save(workspace.study_folder(STUDY).model)
    return workspace


def test_a_model_is_found_as_a_file_a_folder_a_study_and_a_sweep(workspace, inputs):
    folder = workspace.study_folder(STUDY).path
    for name in (folder / "model.h5", folder, folder.relative_to(inputs), STUDY, "houses"):
        assert find_model(str(name), workspace).study == STUDY
    (inputs / "pyfunc" / "artifacts").mkdir(parents=True)
    shutil.copy(folder / "model.h5", inputs / "pyfunc" / "artifacts")
    assert find_model("pyfunc", workspace).study == STUDY


@pytest.mark.parametrize("recommended", ["ensemble", "winner"])
def test_of_a_studys_two_models_the_one_is_meant_that_its_last_success_recommends(workspace, inputs, recommended):
    folder = workspace.study_folder(STUDY)
    ensemble_of("table", inputs, study=STUDY)[1].save(folder.ensemble)
    outbox = Outbox(folder.outbox)
    for name in (STUDY, "houses", str(folder.path)):
        assert len(find_model(name, workspace).members) == 1, "nothing is on record yet"
    files = {"model_file": folder.model.name, "ensemble_file": folder.ensemble.name}
    outbox.append(end_of_study(1, **files, recommended=recommended))
    outbox.append(end_of_study(2, state="KILLED"))  # continued, and interrupted
    for name in (STUDY, "houses", str(folder.path)):
        assert len(find_model(name, workspace).members) == (2 if recommended == "ensemble" else 1)
    assert len(find_model(str(folder.model), workspace).members) == 1
    assert len(find_model(str(folder.ensemble), workspace).members) == 2
    outbox.append(end_of_study(3, model_file=folder.model.name))
    assert len(find_model(STUDY, workspace).members) == 1, "the ensemble is of an earlier end"


def test_files_are_predicted_by_an_ensemble_as_by_a_model(houses, inputs):
    _, X = houses
    _, ensemble = ensemble_of("table", inputs)
    predicted = predict_files(ensemble, paths("new.csv"))
    with one_blas_thread():
        np.testing.assert_array_equal(predicted["prediction"], ensemble.predict(X))


def test_names_of_no_model_are_answered_with_those_there_are(workspace):
    for name, message in {
        "house": r"house: no such file, and no such study .* Here are: houses/20261123-020000, .*houses@candidate\.",
        "houses/20261123-02000": r"Did you mean 'houses/20261123-020000'\?",
        "houses/20261124-020000": r"houses/20261124-020000: has no model yet.*python -m sweeps status",
        "houses@candidate": "there is no such database",
    }.items():
        with pytest.raises(InputError, match=message):
            find_model(name, workspace)
    with pytest.raises(ValueError, match=r"absent.h5: no such file"):
        find_model("absent.h5", workspace)


def test_mlflow_is_asked_where_the_sweep_is_recorded_then_here_then_where_the_environment_says(inputs, monkeypatch):
    workspace = Workspace(inputs)
    asked = []
    monkeypatch.setattr("sweeps.prediction.named_model.fetch_model", lambda name, uri: asked.append(uri))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://environment")
    monkeypatch.setenv("PASSWORD", "hunter2")
    here = f"sqlite:///{inputs}/mlflow.db"

    find_model("cats@candidate", workspace)
    (inputs / "mlflow.db").touch()
    find_model("cats@candidate", workspace)
    workspace.study_folder("dogs/1").create()
    find_model("dogs@candidate", workspace)
    workspace.study_folder("cats/2").create()
    workspace.study_folder("cats/2").keep_tracking_uri("http://ada:${PASSWORD}@server")
    find_model("cats@candidate", workspace)
    find_model("cats/3", workspace)
    find_model("dogs@candidate", workspace)
    find_model("0123456789abcdef0123456789abcdef", workspace)  # a run's id names no sweep: the newest study's MLflow
    find_model("cats@candidate", workspace, "http://option")
    server = "http://ada:hunter2@server"
    assert asked == ["http://environment", here, here, server, server, here, server, "http://option"]


# --- the command itself ---


@pytest.fixture(scope="module")
def finished(tmp_path_factory, with_store):
    """A folder with one finished sweep of a table, what `run --json` said, and new.csv."""
    prepare_environment()
    here = CommandLine(with_store(tmp_path_factory.mktemp("predict")))
    write_houses(here.directory)
    pd.read_parquet(here.directory / "houses.parquet").drop(columns="price").to_csv(
        here.directory / "new.csv", index=False
    )
    here.write(
        "houses.toml",
        {
            "sweep": {"name": "houses", "n_trials": 2},
            "data": {"train": "houses.parquet", "target": "price", "folds": 2},
            "search": {"learning_rate": 0.01, "n_iterations": 20, "depth": 1, "hidden_units": 3},
            "execution": {"executor": "serial"},
        },
    )
    return here, here.run("run", "houses.toml")


def test_what_the_summary_of_a_sweep_says_to_type_predicts(finished):
    here, run = finished
    assert run.returncode == 0, run.stderr
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("Predict with the ensemble:")]
    words = line.partition("python -m sweeps ")[2].replace("INPUT", "new.csv").split()
    assert words == ["predict", "houses@candidate", "new.csv"]
    done = here.run(*words)
    assert (done.returncode, done.stderr) == (0, "")
    (file,) = here.directory.glob(".sweeps/houses/*/ensemble.h5")
    with one_blas_thread():
        expected = Model.load(file).predict(pd.read_csv(here.directory / "new.csv"))
    np.testing.assert_array_equal(pd.read_csv(StringIO(done.stdout))["prediction"], expected)


def test_with_out_stdout_stays_empty_and_stderr_says_what_was_written(finished):
    here, _ = finished
    done = here.run("predict", "houses", "new.csv", "--keep", "rooms", "--out", "prices.csv")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "Wrote 60 predictions to prices.csv.\n")
    assert (here.directory / "prices.csv").read_text().startswith("rooms,prediction\n")


def test_categories_that_training_had_not_are_told_on_stderr(finished):
    here, _ = finished
    pd.read_csv(here.directory / "new.csv").assign(place="west").to_csv(here.directory / "west.csv", index=False)
    done = here.run("predict", "houses", "west.csv")
    assert (done.returncode, done.stdout.count("\n")) == (0, 61)
    assert done.stderr.startswith("west.csv: column 'place' has categories that no training example has")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["houses@best", "new.csv"],
            "houses@best: no such alias. houses has the aliases candidate, champion, winner. Name",
        ),
        (["houses", "new.csv", "--proba"], "new.csv: a regression has no probabilities."),
        (["absent.h5", "new.csv"], "absent.h5: no such file."),
    ],
)
def test_bad_input_is_one_message_on_stderr_and_exit_2(finished, arguments, message):
    done = finished[0].run("predict", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


def test_the_documents_of_a_run_name_the_model(finished):
    here, _ = finished
    (file,) = here.directory.glob(".sweeps/houses/*/model.h5")
    with h5py.File(file) as opened:
        document = json.loads(opened["notes/model"].asstr()[()])
    assert (document["task"], document["target"], document["format"]) == ("regression", "price", 1)
