"""A model's file says everything that a prediction needs, and says no to everything else."""

import json
from dataclasses import replace
from hashlib import sha256

import h5py
import numpy as np
import pandas as pd
import pytest

import experiments.model
from engine import Weights, WeightsFileError, forward, load_weights, save_weights
from experiments.dataset import load_dataset
from experiments.errors import InputError
from experiments.model import Model
from experiments.preparation import prepare
from experiments.scores import scores
from tests.experiments.support.models import KINDS, model_of, untrained


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_model_predicts_raw_test_examples_bit_for_bit_as_the_network_did_scaled_ones(kind, tmp_path):
    prepared, model = model_of(kind, tmp_path)
    model.save(tmp_path / "model.h5")
    loaded = Model.load(tmp_path / "model.h5")
    dataset = prepared.dataset

    _, A = forward(model.parameters, prepared.X_test, model.architecture)
    predicted = loaded.predict(dataset.X_test)
    if dataset.task == "regression":
        np.testing.assert_array_equal(predicted, prepared.target_scaling.to_original(A[0])[0])
        return
    probabilities = loaded.predict_proba(dataset.X_test)
    assert probabilities.shape == (dataset.n_test, dataset.n_classes)
    np.testing.assert_array_equal(probabilities[:, -1], A[0, -1])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    codes = np.array([dataset.class_names.index(name) for name in predicted])
    np.testing.assert_array_equal(codes, probabilities.argmax(axis=1))
    assert scores(dataset.task, dataset.y_test, A[0]) == {"accuracy": (codes == dataset.y_test).mean()}


@pytest.mark.parametrize("kind", KINDS)
def test_everything_about_a_model_comes_back_from_its_file(kind, tmp_path):
    prepared, model = model_of(kind, tmp_path)
    model = replace(model, test_scores={"accuracy": 0.1 + 0.2})
    model.save(tmp_path / "model.h5")
    loaded = Model.load(tmp_path / "model.h5")
    for name in (
        "architecture",
        "task",
        "class_names",
        "target",
        "target_scaling",
        "image_shape",
        "study",
        "test_scores",
    ):
        assert getattr(loaded, name) == getattr(model, name), name
    assert loaded.preprocessing.to_dict() == model.preprocessing.to_dict()
    assert loaded.target == ("price" if kind == "table" else None)
    assert loaded.image_shape == prepared.dataset.image_shape


def test_the_same_model_is_the_same_file_to_the_byte(tmp_path):
    digests = set()
    for name in ("a.h5", "b.h5"):
        _, model = model_of("binary", tmp_path)
        model.save(tmp_path / name)
        digests.add(sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1


def test_the_courses_cats_are_called_by_their_names(cats_directory, tmp_path):
    prepared = prepare(load_dataset("train_catvnoncat.h5", test="test_catvnoncat.h5", directory=cats_directory))
    model = untrained(prepared)
    model.save(tmp_path / "model.h5")
    loaded = Model.load(tmp_path / "model.h5")
    table = loaded.table(prepared.dataset.X_test, proba=True)
    assert list(table) == ["prediction", "probability_non-cat", "probability_cat"]
    assert set(table["prediction"]) <= {"cat", "non-cat"}
    _, A = forward(model.parameters, prepared.X_test, model.architecture)
    np.testing.assert_array_equal(table["probability_cat"], A[0, 0])
    assert loaded.image_shape == (64, 64, 3)


def test_a_table_has_predictions_and_on_request_probabilities_under_the_names_of_the_classes(tmp_path):
    prepared, model = model_of("binary", tmp_path)
    X = prepared.dataset.X_test
    table = model.table(X, proba=True)
    assert list(table) == ["prediction", "probability_malignant", "probability_benign"]
    assert list(model.table(X)) == ["prediction"]
    np.testing.assert_array_equal(table["prediction"], model.predict(X))
    np.testing.assert_array_equal(table.iloc[:, 1:], model.predict_proba(X))


def test_many_examples_are_predicted_in_parts_with_the_same_result(tmp_path, monkeypatch):
    prepared, model = model_of("multiclass", tmp_path)
    X = prepared.dataset.X_train
    whole = model.predict_proba(X)
    monkeypatch.setattr(experiments.model, "_CHUNK_ELEMENTS", 64 * 100)
    np.testing.assert_allclose(model.predict_proba(X), whole, rtol=1e-5)  # BLAS sums other widths in another order


def test_a_table_may_come_in_any_order_of_columns_as_integers_truth_values_or_with_new_categories(tmp_path):
    prepared, model = model_of("table", tmp_path)
    X = prepared.dataset.X_test
    again = X[["garden", "place", "size", "rooms"]].assign(rooms=X["rooms"].astype(int), garden=X["garden"] == "True")
    np.testing.assert_array_equal(model.predict(again), model.predict(X))
    unseen = model.predict(X.assign(place="west", size=np.nan))
    assert np.isfinite(unseen).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda X: X.drop(columns="size"),
            r"new.csv: 1 of 4 feature columns are missing: size\. The training examples'",
        ),
        (lambda X: X.rename(columns={"size": "Size"}), r"Did you mean 'size'\?"),
        (lambda X: X.assign(id=1), "1 columns are not features of the training examples: id"),
        (lambda X: X.assign(size="large"), "column 'size' has .* values that are not numbers, first 'large' in row 0"),
        (lambda X: X.assign(size=np.inf), "column 'size' has .* infinite values"),
        (lambda X: X.iloc[:0], "has no rows"),
        (lambda X: X.to_numpy(dtype=object)[:, 0].astype(float)[:, None], "is an array of shape .* trained on a table"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_its_name_and_place(change, message, tmp_path):
    prepared, model = model_of("table", tmp_path)
    with pytest.raises(InputError, match=message):
        model.predict(change(prepared.dataset.X_test), "new.csv")


def test_values_that_overflow_the_network_are_named_by_their_rows(tmp_path):
    prepared, model = model_of("regression", tmp_path, hidden=())
    X = prepared.dataset.X_test.copy()
    X[[1, 4], 2] = 1e300
    with pytest.raises(InputError, match=r"2 examples have no finite prediction: rows 1, 4 \(counted from 0\)"):
        model.predict(X)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (
            np.zeros((2, 9, 6, 3), np.uint8),
            r"examples have shape \(9, 6, 3\)\. The training examples have shape \(8, 6, 3\)",
        ),
        (np.zeros((8, 6, 3), np.uint8), r"examples have shape \(6, 3, 1\)"),
        (np.zeros((1, 8, 6, 3)), "holds float64 values from 0.0 to 0.0. The training examples are bytes"),
        (np.full((1, 8, 6, 3), 256), "values from 256 to 256"),
        (pd.DataFrame({"a": [1]}), r"examples have shape \(1,\)"),
    ],
)
def test_images_of_another_shape_or_scale_are_refused(X, message, tmp_path):
    with pytest.raises(InputError, match=message):
        model_of("images", tmp_path)[1].predict(X)


def test_a_regression_has_no_probabilities(tmp_path):
    prepared, model = model_of("regression", tmp_path)
    with pytest.raises(InputError, match="a regression has no probabilities"):
        model.predict_proba(prepared.dataset.X_test)
    with pytest.raises(InputError, match="without proba"):
        model.table(prepared.dataset.X_test, proba=True)


def test_files_that_are_no_models_are_refused(tmp_path):
    _, model = model_of("binary", tmp_path)
    file = tmp_path / "model.h5"
    with pytest.raises(WeightsFileError, match="no such file"):
        Model.load(file)

    save_weights(file, Weights(model.architecture, model.parameters))
    with pytest.raises(InputError, match="holds weights, but not what a prediction from raw inputs needs"):
        Model.load(file)

    model.save(file)
    note = load_weights(file).notes["model"]
    later = json.dumps(json.loads(note) | {"format": 2})
    save_weights(file, Weights(model.architecture, model.parameters, {"model": later}))
    with pytest.raises(
        InputError, match=r"a model of format version 2\. This release reads version 1\. Use the release"
    ):
        Model.load(file)

    for broken in ("{", "[]", "{}", json.dumps({k: v for k, v in json.loads(note).items() if k != "task"})):
        save_weights(file, Weights(model.architecture, model.parameters, {"model": broken}))
        with pytest.raises(InputError, match="its description of the model is damaged"):
            Model.load(file)

    model.save(file)
    with h5py.File(file, "r+") as opened:
        opened.attrs["format_version"] = 7
    with pytest.raises(WeightsFileError, match="format version 7"):
        Model.load(file)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(WeightsFileError, match="cannot be read as weights"):
        Model.load(file)
