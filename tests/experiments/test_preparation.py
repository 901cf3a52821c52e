"""What the engine trains on: shapes, targets, folds."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from engine import Architecture, Hyperparameters, TrainingData, advance, initialize, start
from experiments.dataset import Dataset, Task, load_dataset
from experiments.errors import InputError
from experiments.preparation import PreparedData, prepare
from tests.experiments.support.models import pictures


def dataset_of(y: NDArray, task: Task) -> Dataset:
    X = np.random.default_rng(0).normal(size=(len(y), 3))
    names = () if task == "regression" else tuple(f"class {k}" for k in range(y.max() + 1))
    return Dataset("d", task, X, y, X[:4], y[:4], names, (), None, "d.npz")


@pytest.mark.parametrize(("name", "n_outputs"), [("breast_cancer", 1), ("digits", 10), ("diabetes", 1)])
def test_columns_are_examples_of_features_and_targets(name: str, n_outputs: int) -> None:
    dataset = load_dataset(f"sklearn:{name}")
    prepared = prepare(dataset)
    m, m_test, n0 = dataset.n_train, dataset.n_test, dataset.n_features
    shapes = [a.shape for a in (prepared.X, prepared.Y, prepared.X_test, prepared.held_out)]
    assert shapes == [(n0, m), (n_outputs, m), (n0, m_test), (5, m)]
    assert {a.dtype for a in (prepared.X, prepared.Y, prepared.X_test)} == {np.dtype("float64")}
    assert prepared.X.flags["C_CONTIGUOUS"]
    assert prepared.Y.flags["C_CONTIGUOUS"]
    assert prepared.dataset is dataset


def test_binary_targets_are_one_row_and_several_classes_one_row_each() -> None:
    binary = prepare(dataset_of(np.array([0, 1] * 5), "binary"))
    np.testing.assert_array_equal(binary.Y, [[0, 1] * 5])
    several = prepare(dataset_of(np.array([2, 0, 1] * 5), "multiclass"))
    np.testing.assert_array_equal(several.Y[:, :3], [[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    assert (several.target_scaling.offset, several.target_scaling.scale) == (0, 1)


def test_regression_targets_are_standardized_and_come_back() -> None:
    dataset = load_dataset("sklearn:diabetes")
    prepared = prepare(dataset)
    assert prepared.Y.mean() == pytest.approx(0, abs=1e-12)
    assert prepared.Y.std() == pytest.approx(1)
    np.testing.assert_allclose(prepared.target_scaling.to_original(prepared.Y)[0], dataset.y_train, rtol=1e-14)


@pytest.mark.parametrize("is_nonnegative", [False, True])
def test_targets_too_large_to_square(is_nonnegative: bool) -> None:
    dataset = dataset_of(np.arange(20.0) * 1e200, "regression")
    with pytest.raises(InputError, match=r"d\.npz: 'y' has values up to 1\.9e\+201, too large to square"):
        prepare(dataset, nonnegative_target=is_nonnegative)


def test_a_nonnegative_target_keeps_its_zero() -> None:
    prepared = prepare(dataset_of(np.array([0.0, 1, 2, 3, 4] * 4), "regression"), nonnegative_target=True)
    assert prepared.target_scaling.offset == 0
    assert prepared.target_scaling.scale == pytest.approx(np.sqrt(2))
    assert prepared.Y.min() == 0


def test_every_example_is_held_out_by_exactly_one_fold_in_scikit_learns_stratified_way() -> None:
    dataset = load_dataset("sklearn:digits")
    prepared = prepare(dataset, folds=4, seed=7)
    assert (prepared.held_out.sum(axis=0) == 1).all()
    splits = StratifiedKFold(4, shuffle=True, random_state=7).split(dataset.X_train, dataset.y_train)
    for mask, (_, held) in zip(prepared.held_out, splits, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(mask), held)


def test_a_hold_out_is_one_stratified_fold() -> None:
    y = np.array([0, 0, 0, 1] * 10)
    prepared = prepare(dataset_of(y, "binary"), folds=None, validation_fraction=0.2)
    assert prepared.held_out.shape == (1, 40)
    assert prepared.held_out.sum() == 8
    assert y[prepared.held_out[0]].sum() == 2


def test_the_seed_alone_decides_the_folds() -> None:
    dataset = load_dataset("sklearn:iris")
    masks = [prepare(dataset, seed=seed).held_out for seed in (0, 0, 1)]
    np.testing.assert_array_equal(masks[0], masks[1])
    assert (masks[0] != masks[2]).any()


@pytest.mark.parametrize(("folds", "fraction", "how"), [(5, 0.2, "given"), (None, None, "absent")])
def test_exactly_one_of_folds_and_validation_fraction(folds: int | None, fraction: float | None, how: str) -> None:
    with pytest.raises(InputError, match=f"are both {how}"):
        prepare(load_dataset("sklearn:iris"), folds=folds, validation_fraction=fraction)


def test_a_class_with_fewer_examples_than_folds() -> None:
    y = np.array([0] * 20 + [1] * 4)
    with pytest.raises(InputError, match=r"4 training examples of class 'class 1' for folds = 5.*or write folds = 4"):
        prepare(dataset_of(y, "binary"))


def test_what_is_said_of_a_rare_class_can_be_done() -> None:
    rare = dataset_of(np.array([0] * 500 + [1] * 2), "binary")
    with pytest.raises(
        InputError, match=r"Write validation_fraction = 0\.2 .* merge 'class 1' with another .* folds = 2"
    ):
        prepare(rare)
    assert prepare(rare, folds=None, validation_fraction=0.2).held_out.sum() == 101
    assert len(prepare(rare, folds=2).held_out) == 2
    with pytest.raises(
        InputError, match=r"1 training examples of class 'class 1'.*least one\. Merge 'class 1' with anoth"
    ):
        prepare(dataset_of(np.array([0] * 500 + [1]), "binary"))


def test_fewer_examples_than_folds_in_regression() -> None:
    with pytest.raises(InputError, match="4 training examples for folds = 5"):
        prepare(dataset_of(np.arange(4.0), "regression"))


def test_a_single_fold() -> None:
    with pytest.raises(InputError, match="folds = 1: nothing to compare with"):
        prepare(load_dataset("sklearn:iris"), folds=1)


@pytest.mark.parametrize(
    ("fraction", "match"), [(1.5, "not a fraction"), (0.001, "splits 120 examples into 119 and 1")]
)
def test_a_validation_fraction_that_cannot_be(fraction: float, match: str) -> None:
    with pytest.raises(InputError, match=f"validation_fraction = {fraction}.*{match}|{match}"):
        prepare(load_dataset("sklearn:iris"), folds=None, validation_fraction=fraction)


def test_negative_targets_that_cannot_be() -> None:
    with pytest.raises(InputError, match=r"the lowest target is -3\.0"):
        prepare(dataset_of(np.arange(20.0) - 3, "regression"), nonnegative_target=True)


# --- scaling fitted per fold


def holes() -> pd.DataFrame:
    """A table with missing numbers, categories and a rare one of these, 40 rows."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"a": rng.standard_normal(40), "b": np.exp(rng.standard_normal(40))})
    frame.loc[::7, "a"] = np.nan
    frame["town"] = np.where(np.arange(40) == 5, "Ulm", rng.choice(np.array(["Rom", "Paris"]), 40))
    return frame.assign(y=rng.standard_normal(40) + frame["b"])


def prepared_with_folds(folder: Path, frame: pd.DataFrame, **options: Any) -> PreparedData:
    frame.to_csv(folder / "train.csv", index=False)
    frame[:9].to_csv(folder / "test.csv", index=False)
    dataset = load_dataset("train.csv", test="test.csv", target="y", directory=folder)
    return prepare(dataset, folds=4, scales_folds=True, **options)


@pytest.mark.parametrize("scaling", ["standardize", "robust", "quantile", "none"])
def test_what_a_fold_holds_out_does_not_change_a_bit_of_how_it_trains(tmp_path: Path, scaling: Any) -> None:
    frame = holes()
    one = prepared_with_folds(tmp_path, frame, scaling=scaling)
    row = int(one.held_out[0].argmax())
    wild = frame.assign(b=np.where(np.arange(40) == row, 1e6, frame["b"]), y=frame["y"] - 1e3 * (np.arange(40) == row))
    wild.loc[row, "a"] = np.nan
    other = prepared_with_folds(tmp_path, wild, scaling=scaling)
    architecture = Architecture(one.X.shape[0], (5,), 1, "tanh", "regression")
    initial = initialize(architecture, np.random.default_rng(0), np.dtype(np.float32))
    adamw = Hyperparameters(architecture, 0.01, optimizer="adamw", minibatch_size=8, is_averaged=True, weight_decay=0.1)
    trained = []
    for prepared in (one, other):
        data = TrainingData.of_networks(map(prepared.of_fold, range(4)), prepared.held_out, np.float32)
        state, _ = advance(start(initial, data, architecture), data, adamw, 40, (0, 20, 40))
        trained.append(state)
    np.testing.assert_array_equal(one.held_out, other.held_out)
    for fold, held_out in enumerate(one.held_out):
        is_same = (trained[0].theta[fold] == trained[1].theta[fold]).all()
        assert is_same == held_out[row]
    np.testing.assert_array_equal(trained[0].average[0], trained[1].average[0])


def test_each_folds_inputs_are_scaled_as_scikit_learns_pipeline_fitted_to_its_training_rows(tmp_path: Path) -> None:
    prepared = prepared_with_folds(tmp_path, holes())
    frame = prepared.dataset.X_train
    assert isinstance(frame, pd.DataFrame)
    for fold, held_out in enumerate(prepared.held_out):
        X, Y = prepared.of_fold(fold)
        peer = make_pipeline(SimpleImputer(strategy="median"), StandardScaler()).fit(frame[["a", "b"]][~held_out])
        np.testing.assert_allclose(X[:2], peer.transform(frame[["a", "b"]]).T, rtol=1e-12)
        y = prepared.dataset.y_train
        np.testing.assert_allclose(Y[0], (y - y[~held_out].mean()) / y[~held_out].std(), rtol=1e-12)
        rare = dict(zip(prepared.preprocessing.feature_names_out, X, strict=True))["town=Ulm"]
        assert rare.any() == (not held_out[5]), "what no training row has is unknown"
        assert prepared.target_scalings[fold].to_original(Y)[0] == pytest.approx(y)


def test_folds_share_what_nothing_was_learned_of(tmp_path: Path) -> None:
    images = load_dataset(pictures(tmp_path), directory=tmp_path)
    assert prepare(images, scales_folds=True).folds == ()
    assert len(prepare(images, scales_folds=True, scaling="channels").folds) == 5
    shared = prepare(load_dataset("sklearn:iris"))
    assert shared.folds == ()
    np.testing.assert_array_equal(shared.of_fold(2)[0], shared.X)
