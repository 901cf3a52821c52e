"""A model's file says everything that a prediction needs, and says no to everything else."""

import json
import re
from dataclasses import replace
from hashlib import sha256
from io import BytesIO

import h5py
import numpy as np
import pandas as pd
import pytest

import experiments.model
from engine import Architecture, EngineError, Member, Weights, WeightsFileError, forward, load_weights, save_weights
from experiments.dataset import load_dataset
from experiments.errors import InputError
from experiments.model import Model
from experiments.preparation import prepare
from experiments.scores import scores
from tests.experiments.support.models import KINDS, ensemble_of, model_of, untrained, untrained_ensemble
from tests.support.damage import MANY_DAMAGES, damages


def outputs_of(model, X):
    """A[L] of the model's only network."""
    (member,) = model.members
    return forward(member.parameters, X, member.architecture)[1][0]


def networks_of(model):
    """Each network of an ensemble as a model of its own, and its share of the answer."""
    for member in model.members:
        for fold in range(member.n_networks):
            alone = type(member.parameters)(
                tuple(W[[fold]] for W in member.parameters.W), tuple(b[[fold]] for b in member.parameters.b)
            )
            yield replace(model, members=(Member(member.architecture, alone),)), member.weight / member.n_networks


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_model_predicts_raw_test_examples_bit_for_bit_as_the_network_did_scaled_ones(kind, tmp_path):
    prepared, model = model_of(kind, tmp_path)
    model.save(tmp_path / "model.h5")
    loaded = Model.load(tmp_path / "model.h5")
    dataset = prepared.dataset

    A = outputs_of(model, prepared.X_test)
    predicted = loaded.predict(dataset.X_test)
    if dataset.task == "regression":
        np.testing.assert_array_equal(predicted, prepared.target_scaling.to_original(A)[0])
        return
    probabilities = loaded.predict_proba(dataset.X_test)
    assert probabilities.shape == (dataset.n_test, dataset.n_classes)
    np.testing.assert_array_equal(probabilities[:, -1], A[-1])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    codes = np.array([dataset.class_names.index(name) for name in predicted])
    np.testing.assert_array_equal(codes, probabilities.argmax(axis=1))
    assert scores(dataset.task, dataset.y_test, A)["accuracy"] == (codes == dataset.y_test).mean()


@pytest.mark.parametrize("kind", KINDS)
def test_everything_about_a_model_comes_back_from_its_file(kind, tmp_path):
    prepared, model = model_of(kind, tmp_path)
    model = replace(model, test_scores={"accuracy": 0.1 + 0.2})
    model.save(tmp_path / "model.h5")
    loaded = Model.load(tmp_path / "model.h5")
    for name in (
        "threshold",
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


@pytest.mark.parametrize("made_by", [model_of, ensemble_of])
def test_the_same_model_is_the_same_file_to_the_byte(made_by, tmp_path):
    digests = set()
    for name in ("a.h5", "b.h5"):
        _, model = made_by("binary", tmp_path)
        model.save(tmp_path / name)
        digests.add(sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_ensemble_predicts_the_weighted_mean_of_what_its_networks_predict_alone(kind, tmp_path):
    prepared, model = ensemble_of(kind, tmp_path)
    model.save(tmp_path / "ensemble.h5")
    loaded, X = Model.load(tmp_path / "ensemble.h5"), prepared.dataset.X_test
    networks, shares = zip(*networks_of(model), strict=True)
    assert shares == pytest.approx((0.2, 0.2, 0.2, 0.4))
    if not model.class_names:
        expected = np.average([network.predict(X) for network in networks], axis=0, weights=shares)
        np.testing.assert_allclose(loaded.predict(X), expected, rtol=1e-6)
        assert loaded.predict(X).dtype == np.float64
        return
    expected = np.average([network.predict_proba(X) for network in networks], axis=0, weights=shares)
    np.testing.assert_allclose(loaded.predict_proba(X), expected, rtol=1e-6)
    np.testing.assert_array_equal(loaded.predict(X), np.array(model.class_names)[expected.argmax(axis=1)])
    table = loaded.table(X, proba=True)
    np.testing.assert_array_equal(table.iloc[:, 1:], loaded.predict_proba(X))
    np.testing.assert_array_equal(table["prediction"], loaded.predict(X))


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_a_loaded_ensemble_has_the_bits_of_the_one_that_was_scored(kind, tmp_path):
    prepared, model = ensemble_of(kind, tmp_path)
    model.save(tmp_path / "ensemble.h5")
    loaded = Model.load(tmp_path / "ensemble.h5")
    scored = model.outputs(prepared.X_test)
    assert loaded.outputs(prepared.X_test).tobytes() == scored.tobytes()
    answered = (
        loaded.predict_proba(prepared.dataset.X_test)[:, 1]
        if kind == "binary"
        else loaded.predict(prepared.dataset.X_test)
    )
    np.testing.assert_array_equal(answered, scored[0])


@MANY_DAMAGES
def test_a_damaged_model_answers_as_before_or_is_refused_with_its_name_and_a_way_out(tmp_path, n_damages):
    prepared, model = ensemble_of("binary", tmp_path)
    path = tmp_path / "ensemble.h5"
    model.save(path)
    expected = model.outputs(prepared.X_test).tobytes()
    refusals = []
    for what, damaged in damages(path.read_bytes(), n_damages):
        path.write_bytes(damaged)
        try:
            loaded = Model.load(path)
        except (WeightsFileError, InputError) as error:
            refusals.append(str(error))
        else:
            assert loaded.outputs(prepared.X_test).tobytes() == expected, what
    assert len(refusals) > 0.9 * n_damages
    for refusal in refusals:
        assert re.search(r"ensemble\.h5: .*(copy it|Copy the file|model\.h5 that)", refusal)


def test_networks_of_other_data_make_no_ensemble(tmp_path):
    prepared, model = model_of("binary", tmp_path)
    wider = Architecture(31, (), 1, "tanh", "binary")
    parameters = untrained(prepared, hidden=()).members[0].parameters
    with pytest.raises(EngineError, match=r"W\[1\] has shape \(1, 1, 30\)"):
        Model.ensemble(prepared, [replace(model.members[0], weight=0.5), Member(wider, parameters, 0.5)], "cats/1")
    with pytest.raises(EngineError, match=r"the weights sum to 2\.0\. They must sum to 1; divide them"):
        Model.ensemble(prepared, [*model.members, *model.members], "cats/1")


def test_a_model_of_one_network_is_a_file_of_version_1_to_the_byte_which_earlier_releases_read(tmp_path):
    """That version's layout, written out; logistic regression on two features, 2 x_0 - x_1 after standardizing."""
    document = {
        "format": 1,
        "task": "binary",
        "class_names": ["no", "yes"],
        "target": None,
        "target_scaling": {"offset": 0.0, "scale": 1.0},
        "image_shape": None,
        "study": "small/20261123-020000",
        "test_scores": {"accuracy": 0.75},
        "preprocessing": {
            "format": 1,
            "scaling": "standardize",
            "inputs": {"kind": "array", "shape": [2], "is_bytes": False, "feature_names": []},
            "offset": [1.0, 10.0],
            "scale": [1.0, 10.0],
        },
    }
    images = []
    for mark in ((), (("checksum", "sha256"),)):  # files of earlier releases do not say that they end in one
        image = BytesIO()
        with h5py.File(image, "w") as file:
            for name, value in (
                ("format", "sweeps-weights"), *mark, ("format_version", 1), ("dtype", "float32"), ("n_features", 2),
                ("hidden_units", np.array([], np.int64)), ("n_outputs", 1), ("activation", "tanh"), ("head", "binary"),
            ):  # fmt: skip
                file.attrs[name] = value
            file["W1"] = np.array([[2, -1]], np.float32)
            file["b1"] = np.zeros((1, 1), np.float32)
            file.create_group("notes")["model"] = json.dumps(document)
        images.append(image.getvalue())
    old = tmp_path / "old.h5"
    old.write_bytes(images[0])

    loaded = Model.load(old)
    assert (loaded.threshold, len(loaded.members), loaded.members[0].weight) == (None, 1, 1.0)
    X = np.array([[1.0, 10.0], [2.0, 10.0], [1.0, 20.0]])
    by_hand = 1 / (1 + np.exp([0.0, -2.0, 1.0]))
    np.testing.assert_allclose(loaded.predict_proba(X)[:, 1], by_hand, rtol=1e-6)
    assert loaded.predict(X).tolist() == ["yes", "yes", "no"]
    loaded.save(tmp_path / "new.h5")
    assert (tmp_path / "new.h5").read_bytes().partition(b"\nsha256 ")[0] == images[1]


@pytest.mark.parametrize("made_by", [model_of, ensemble_of])
def test_class_1_is_predicted_from_the_threshold_on_where_there_is_one(made_by, tmp_path):
    prepared, model = made_by("binary", tmp_path)
    X, y = prepared.dataset.X_test, prepared.dataset.y_test
    probability = model.predict_proba(X)[:, 1]
    for threshold in (0.0, float(np.sort(probability)[10]), 0.5, 1.0):  # the second is somebody's probability
        replace(model, threshold=threshold).save(tmp_path / "model.h5")
        loaded = Model.load(tmp_path / "model.h5")
        assert loaded.threshold == threshold
        expected = np.where(probability >= threshold, "benign", "malignant")
        np.testing.assert_array_equal(loaded.predict(X), expected)
        np.testing.assert_array_equal(loaded.table(X, proba=True)["prediction"], expected)
        np.testing.assert_array_equal(loaded.predict_proba(X)[:, 1], probability)
        told = scores("binary", y, model.outputs(prepared.X_test), threshold)
        assert told["accuracy"] == (expected == np.array(model.class_names)[y]).mean()
    np.testing.assert_array_equal(model.predict(X), np.where(probability >= 0.5, "benign", "malignant"))


def test_a_model_that_says_more_than_version_1_could_is_of_version_2_which_earlier_releases_refuse(tmp_path):
    """A release that knows no threshold would decide at 0.5 and say nothing."""
    prepared, model = model_of("binary", tmp_path)
    for version, said in ((1, model), (2, replace(model, threshold=0.5)), (2, untrained_ensemble(prepared))):
        said.save(tmp_path / "model.h5")
        document = json.loads(load_weights(tmp_path / "model.h5").notes["model"])
        assert document["format"] == version
        assert ("threshold" in document) == (said.threshold is not None)


def test_a_threshold_is_a_probability_and_for_two_classes(tmp_path):
    _, model = model_of("binary", tmp_path)
    for threshold in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=rf"threshold = {threshold}\. A probability is between 0 and 1"):
            replace(model, threshold=threshold)
    for kind in ("multiclass", "regression"):
        _, other = model_of(kind, tmp_path)
        with pytest.raises(ValueError, match=rf"threshold = 0\.5 for a {kind} model\. Only a decision between two"):
            replace(other, threshold=0.5)


def test_the_courses_cats_are_called_by_their_names(cats_directory, tmp_path):
    prepared = prepare(load_dataset("train_catvnoncat.h5", test="test_catvnoncat.h5", directory=cats_directory))
    model = untrained(prepared)
    model.save(tmp_path / "model.h5")
    loaded = Model.load(tmp_path / "model.h5")
    table = loaded.table(prepared.dataset.X_test, proba=True)
    assert list(table) == ["prediction", "probability_non-cat", "probability_cat"]
    assert set(table["prediction"]) <= {"cat", "non-cat"}
    np.testing.assert_array_equal(table["probability_cat"], outputs_of(model, prepared.X_test)[0])
    assert loaded.image_shape == (64, 64, 3)


def test_a_table_has_predictions_and_on_request_probabilities_under_the_names_of_the_classes(tmp_path):
    prepared, model = model_of("binary", tmp_path)
    X = prepared.dataset.X_test
    table = model.table(X, proba=True)
    assert list(table) == ["prediction", "probability_malignant", "probability_benign"]
    assert list(model.table(X)) == ["prediction"]
    np.testing.assert_array_equal(table["prediction"], model.predict(X))
    np.testing.assert_array_equal(table.iloc[:, 1:], model.predict_proba(X))


@pytest.mark.parametrize("made_by", [model_of, ensemble_of])
def test_many_examples_are_predicted_in_parts_with_the_same_result(made_by, tmp_path, monkeypatch):
    prepared, model = made_by("multiclass", tmp_path)
    X = prepared.dataset.X_train
    whole, outputs = model.predict_proba(X), model.outputs(prepared.X)
    monkeypatch.setattr(experiments.model, "_CHUNK_ELEMENTS", 64 * 100)
    np.testing.assert_allclose(model.predict_proba(X), whole, rtol=1e-5)  # BLAS sums other widths in another order
    np.testing.assert_allclose(model.outputs(prepared.X), outputs, rtol=1e-5)


def test_no_more_examples_pass_at_once_than_the_largest_stack_leaves_room_for(tmp_path, monkeypatch):
    """Four features, five networks of 50 units: 250 numbers an example, so 10 examples in 2500."""
    np.savez(tmp_path / "a.npz", X=np.random.default_rng(0).standard_normal((90, 4)), y=np.arange(90) % 2)
    prepared = prepare(load_dataset("a.npz", directory=tmp_path))
    (wide,), (flat,) = untrained(prepared, hidden=(50,)).members, untrained(prepared, hidden=()).members
    stack = type(wide.parameters)(
        *(tuple(a.repeat(5, axis=0) for a in arrays) for arrays in (wide.parameters.W, wide.parameters.b))
    )
    model = Model.ensemble(prepared, [replace(flat, weight=0.5), Member(wide.architecture, stack, 0.5)], "cats/1")
    widths = []
    real = experiments.model.mean_outputs
    monkeypatch.setattr(experiments.model, "mean_outputs", lambda k, X: widths.append(X.shape[1]) or real(k, X))
    monkeypatch.setattr(experiments.model, "_CHUNK_ELEMENTS", 2500)
    assert len(model.predict(np.zeros((25, 4)))) == model.outputs(np.zeros((4, 25))).shape[1] == 25
    assert widths == [10, 10, 5] * 2


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
            r"new.csv: 1 of 4 feature columns is missing: size\. The training examples'",
        ),
        (lambda X: X.rename(columns={"size": "Size"}), r"Did you mean 'size'\?"),
        (lambda X: X.assign(id=1), "1 column is no feature of the training examples: id"),
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

    save_weights(file, Weights(model.members))
    with pytest.raises(InputError, match="holds weights, but not what a prediction from raw inputs needs"):
        Model.load(file)

    model.save(file)
    note = load_weights(file).notes["model"]
    later = json.dumps(json.loads(note) | {"format": 4})
    save_weights(file, Weights(model.members, {"model": later}))
    with pytest.raises(
        InputError, match=r"a model of format version 4\. This release reads versions 1 to 3\. Use the release"
    ):
        Model.load(file)

    document = json.loads(note)
    without_task = {key: value for key, value in document.items() if key != "task"}
    for broken in ("{", "[]", "{}", *map(json.dumps, (without_task, document | {"threshold": "high"}))):
        save_weights(file, Weights(model.members, {"model": broken}))
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
