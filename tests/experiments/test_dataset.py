"""Tasks, classes, the sealed test set and the fingerprint; `test_readers.py` has the formats."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from experiments.dataset import Dataset, load_dataset
from experiments.errors import InputError
from experiments.readers.options import ReadOptions

X = np.random.default_rng(0).normal(size=(60, 3))


def load(directory: Path, y: NDArray, X: NDArray = X, **options: object) -> Dataset:
    arrays = {key: options.pop(key) for key in ("X_test", "y_test", "classes") if key in options}
    np.savez(directory / "data.npz", allow_pickle=True, X=X, y=y, **arrays)  # type: ignore[arg-type]
    return load_dataset("data.npz", directory=directory, **options)  # type: ignore[arg-type]


# --- the task


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (np.arange(60) % 2, "binary"),
        (np.arange(60) % 2 * 2.0 - 1, "binary"),
        (np.arange(60) % 2 == 0, "binary"),
        (np.array(["no", "yes"])[np.arange(60) % 2], "binary"),
        (np.arange(60) % 20, "multiclass"),
        (np.arange(60) % 21, "regression"),
        (np.arange(60) % 3, "multiclass"),
        (np.arange(60) % 3 + 0.5, "regression"),
        (np.arange(60), "regression"),
        (np.linspace(0, 1, 60), "regression"),
    ],
)
def test_the_task_is_inferred_from_the_labels(tmp_path: Path, y: NDArray, task: str) -> None:
    assert load(tmp_path, y, test_fraction=0.4).task == task


def test_few_integers_that_hardly_repeat_are_numbers(tmp_path: Path) -> None:
    assert load(tmp_path, np.arange(12) * 10, X[:12]).task == "regression"


def test_a_given_task_goes_before_inference(tmp_path: Path) -> None:
    dataset = load(tmp_path, np.arange(60) % 3, task="regression")
    assert (dataset.task, dataset.y_train.dtype, dataset.class_names) == ("regression", np.float64, ())
    two = load(tmp_path, np.arange(60) % 2, task="multiclass")
    assert (two.task, two.n_classes) == ("multiclass", 2)


def test_numeric_classes_are_sorted_by_value_not_by_spelling(tmp_path: Path) -> None:
    dataset = load(tmp_path, np.array([10.0, 9.0, -1.0])[np.arange(60) % 3])
    assert dataset.class_names == ("-1", "9", "10")
    assert dataset.y_train.dtype == np.int64


def test_test_labels_use_the_training_classes(tmp_path: Path) -> None:
    y = np.array(["dog", "cat", "emu"])[np.arange(60) % 3]
    dataset = load(tmp_path, y, X_test=X[:2], y_test=np.array(["emu", "dog"]))
    assert dataset.class_names == ("cat", "dog", "emu")
    assert dataset.y_test.tolist() == [2, 1]


def test_listed_classes_name_the_codes(tmp_path: Path) -> None:
    dataset = load(tmp_path, np.arange(60) % 3, classes=np.array(["b", "a", "c"]))
    assert dataset.class_names == ("b", "a", "c")
    text = load(tmp_path, np.array(["b", "a", "c"])[np.arange(60) % 3], classes=np.array(["b", "a", "c"]))
    assert text.digest == dataset.digest
    digits = load(tmp_path, np.array([3, 5])[np.arange(60) % 2], classes=np.array([3, 5]))
    assert digits.class_names == ("3", "5")


def test_truth_values_are_the_two_listed_classes(tmp_path: Path) -> None:
    y = np.arange(60) % 3 == 0
    dataset = load(tmp_path, y, classes=np.array(["non-cat", "cat"]), X_test=X[:2], y_test=np.array([True, False]))
    assert dataset.class_names == ("non-cat", "cat")
    np.testing.assert_array_equal(dataset.y_train, y)
    assert dataset.y_test.tolist() == [1, 0]


def test_unsigned_targets_beyond_int64_stay_positive(tmp_path: Path) -> None:
    y = np.uint64(2**63) + np.arange(60, dtype=np.uint64) * np.uint64(10**15)
    dataset = load(tmp_path, y)
    assert dataset.task == "regression"
    assert dataset.y_train.min() >= 2.0**63


# --- the sealed test set


def test_the_sealed_test_set_is_a_stratified_share_and_shares_no_example(tmp_path: Path) -> None:
    y = (np.arange(60) % 4 == 0).astype(int)
    dataset = load(tmp_path, y, test_fraction=0.2, seed=3)
    assert (dataset.n_train, dataset.n_test) == (48, 12)
    assert (dataset.y_train.mean(), dataset.y_test.mean()) == (0.25, 0.25)
    assert isinstance(dataset.X_train, np.ndarray)
    assert isinstance(dataset.X_test, np.ndarray)
    both = np.vstack([dataset.X_train, dataset.X_test])
    np.testing.assert_array_equal(np.sort(both, axis=0), np.sort(X, axis=0))


def test_examples_keep_their_labels_when_split(tmp_path: Path) -> None:
    dataset = load(tmp_path, X[:, 0] * 2)
    assert isinstance(dataset.X_test, np.ndarray)
    np.testing.assert_array_equal(dataset.X_test[:, 0] * 2, dataset.y_test)


def test_the_seed_alone_decides_what_is_sealed(tmp_path: Path) -> None:
    y = np.arange(60) % 2
    digests = [load(tmp_path, y, seed=seed).digest for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]


def test_a_test_file_goes_before_the_training_files_own_test_set(tmp_path: Path) -> None:
    y = np.arange(60) % 2
    np.savez(tmp_path / "other.npz", X=X[:7], y=y[:7])
    assert load(tmp_path, y, X_test=X[:4], y_test=y[:4]).n_test == 4
    assert load(tmp_path, y, X_test=X[:4], y_test=y[:4], test="other.npz").n_test == 7


# --- the fingerprint


def test_the_digest_depends_on_every_part_of_the_content(tmp_path: Path) -> None:
    y, test = np.arange(60) % 2, {"X_test": X[:4], "y_test": np.array([0, 1, 0, 1])}
    nudged = X.copy()
    nudged[5, 2] = np.nextafter(nudged[5, 2], 1)
    relabelled = y.copy()
    relabelled[:2] = [1, 0]
    variants = [
        load(tmp_path, y, **test),
        load(tmp_path, y, nudged, **test),
        load(tmp_path, relabelled, **test),
        load(tmp_path, y, **{**test, "X_test": X[1:5]}),
        load(tmp_path, y, **{**test, "y_test": np.array([1, 1, 0, 1])}),
        load(tmp_path, y, classes=np.array(["a", "b"]), **test),
        load(tmp_path, y, X.view(np.int64), **{**test, "X_test": X[:4].view(np.int64)}),  # the same bytes
        load(tmp_path, y, X.astype(np.float32), **{**test, "X_test": X[:4].astype(np.float32)}),
    ]
    assert len({variant.digest for variant in variants}) == len(variants)
    assert all(len(variant.digest) == 64 for variant in variants)


def test_the_digest_does_not_depend_on_where_the_file_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    y = np.arange(60) % 2
    expected = load(tmp_path, y).digest
    (tmp_path / "home").mkdir()
    (tmp_path / "data.npz").rename(tmp_path / "home" / "renamed.npz")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load_dataset("~/renamed.npz").digest == expected
    assert load_dataset(str(tmp_path / "home" / "renamed.npz"), directory=Path("/nowhere")).digest == expected


def test_the_digest_of_a_table_tells_its_cells_apart(tmp_path: Path) -> None:
    tables = [["ab", "c"], ["a", "bc"], ["abc", None], [None, "abc"]]
    digests = set()
    for cells in tables:
        frame = pd.DataFrame({"u": [cells[0], "x"] * 10, "v": [cells[1], "x"] * 10, "y": [0, 1] * 10})
        frame.to_csv(tmp_path / "t.csv", index=False)
        digests.add(load_dataset("t.csv", target="y", directory=tmp_path).digest)
    assert len(digests) == len(tables)


# --- what is refused


def refused(match: str, directory: Path, y: NDArray, X: NDArray = X, **options: object) -> None:
    with pytest.raises(InputError, match=match):
        load(directory, y, X, **options)


@pytest.mark.parametrize("y", [np.zeros(60, dtype=int), np.array(["cat"] * 60), np.zeros(60, dtype=bool)])
def test_one_class_only(tmp_path: Path, y: NDArray) -> None:
    refused("one class only", tmp_path, y)


def test_one_class_only_of_two_listed(tmp_path: Path) -> None:
    refused("one class only; no example of class 'cat'", tmp_path, np.zeros(60, dtype=int),
            classes=np.array(["dog", "cat"]), X_test=X[:2], y_test=np.array([0, 1]))  # fmt: skip


def test_a_constant_regression_target(tmp_path: Path) -> None:
    refused("is 0.5 for every training example", tmp_path, np.full(60, 0.5))


def test_text_targets_in_regression(tmp_path: Path) -> None:
    refused("text such as 'cheap', but the task is regression", tmp_path, np.array(["cheap", "dear"] * 30),
            task="regression")  # fmt: skip


def test_labels_that_are_not_integers_in_classification(tmp_path: Path) -> None:
    refused("labels that are not integers, such as 0.5", tmp_path, np.arange(60) % 2 * 0.5, task="binary")


@pytest.mark.parametrize("labels", [[1e300, 2e300], [2.0**53, 2.0**53 + 2]])
def test_labels_beyond_the_integers_that_floats_tell_apart(tmp_path: Path, labels: list[float]) -> None:
    refused("which floats do not tell apart.*as text", tmp_path, np.array(labels)[np.arange(60) % 2])


def test_three_classes_in_a_binary_task(tmp_path: Path) -> None:
    refused("has 3 classes, but task = 'binary'", tmp_path, np.arange(60) % 3, task="binary")


def test_missing_labels_name_their_rows(tmp_path: Path) -> None:
    y = np.arange(60) % 2 * 1.0
    y[[4, 9]] = np.nan
    refused("2 labels that are missing or infinite: rows 4, 9", tmp_path, y)


def test_a_label_beyond_the_listed_classes(tmp_path: Path) -> None:
    refused("unseen classes: '2'", tmp_path, np.arange(60) % 3, classes=np.array(["dog", "cat"]))


def test_listed_classes_that_repeat(tmp_path: Path) -> None:
    refused("repeats a name", tmp_path, np.arange(60) % 2, classes=np.array(["cat", "cat"]))


def test_an_unseen_class_in_the_test_set(tmp_path: Path) -> None:
    refused("'y_test' has labels of unseen classes: '7'", tmp_path, np.arange(60) % 2,
            X_test=X[:3], y_test=np.array([0, 7, 1]))  # fmt: skip


def test_a_test_set_with_other_class_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", X=X[:4], y=[0, 1, 0, 1], classes=["cat", "dog"])
    refused("the test set lists the classes cat, dog", tmp_path, np.arange(60) % 2,
            classes=np.array(["dog", "cat"]), test="t.npz")  # fmt: skip


def test_a_test_set_with_another_number_of_features(tmp_path: Path) -> None:
    refused(r"test examples have shape \(2,\), training examples \(3,\)", tmp_path, np.arange(60) % 2,
            X_test=X[:4, :2], y_test=np.array([0, 1, 0, 1]))  # fmt: skip


def test_test_images_on_another_scale(tmp_path: Path) -> None:
    images = np.full((60, 2, 2, 3), 7, dtype=np.uint8)
    refused("test images are float64, training images uint8", tmp_path, np.arange(60) % 2, images,
            X_test=images[:4] / 255, y_test=np.array([0, 1, 0, 1]))  # fmt: skip


def test_a_table_beside_arrays(tmp_path: Path) -> None:
    pd.DataFrame({"a": range(20), "y": [0, 1] * 10}).to_csv(tmp_path / "t.csv", index=False)
    np.savez(tmp_path / "data.npz", X=X, y=np.arange(60) % 2)
    with pytest.raises(InputError, match="this is not a table"):
        load_dataset("t.csv", test="data.npz", target="y", directory=tmp_path)


def test_the_training_file_as_its_own_test_set(tmp_path: Path) -> None:
    refused("test is the training file itself", tmp_path, np.arange(60) % 2, test="./data.npz")


def test_a_training_file_that_holds_a_test_set_only(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", X_test=X, y_test=np.arange(60) % 2)
    with pytest.raises(InputError, match="a test set only, no training examples"):
        load_dataset("t.npz", directory=tmp_path)


def test_a_class_with_one_example_when_the_test_set_is_split_off(tmp_path: Path) -> None:
    y = np.arange(60) % 2
    y[7] = 2
    refused("class '2' has 1 example", tmp_path, y)


def test_quantities_that_are_taken_for_classes_are_not_called_ill_written(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", X=X, y=np.arange(60) + 1000)
    cure = "If the target is a quantity, write task = \"regression\"; else merge '1000' with another class"
    with pytest.raises(InputError, match=rf"class '1000' has 1 example\. .* {cure}"):
        load_dataset("t.npz", directory=tmp_path, task="multiclass")


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_a_test_fraction_that_is_none(tmp_path: Path, fraction: float) -> None:
    refused("not a fraction", tmp_path, np.arange(60) % 2, test_fraction=fraction)


@pytest.mark.parametrize("fraction", [0.01, 0.99])
def test_a_test_fraction_that_leaves_too_little(tmp_path: Path, fraction: float) -> None:
    refused("Each part needs at least 3", tmp_path, np.arange(60) % 3, test_fraction=fraction)


def test_a_regression_test_set_of_one_example(tmp_path: Path) -> None:
    refused("the test set has 1 example", tmp_path, np.linspace(0, 1, 60), test_fraction=0.01)


def test_a_text_among_numbers_to_predict_is_named(tmp_path):
    prices = [str(100_000 + 7 * row) for row in range(40)]
    prices[5] = "call us"
    (tmp_path / "h.csv").write_text("size,price\n" + "".join(f"{row},{price}\n" for row, price in enumerate(prices)))
    with pytest.raises(InputError, match=r"'price' is text because of 'call us' among its numbers\. Targets are all"):
        load_dataset("h.csv", directory=tmp_path, target="price")


@pytest.mark.parametrize("task", [None, "regression"])
@pytest.mark.parametrize(
    ("written", "kind"), [("${:,}", "amounts of money"), ("{} %", "percentages"), ("{},5", "numbers with separators")]
)
def test_prices_as_a_spreadsheet_shows_them_are_named(tmp_path, written, kind, task):
    lines = [f'{row},"{written.format(100_000 + 7 * row)}"\n' for row in range(40)]
    (tmp_path / "h.csv").write_text("size,price\n" + "".join(lines))
    shown = re.escape(written.format(100_000))
    with pytest.raises(
        InputError, match=rf"'price' is text, though its values are {kind}, such as '{shown}'\..*1234\.5"
    ):
        load_dataset("h.csv", directory=tmp_path, target="price", task=task)


def test_prices_that_are_said_to_be_classes_are_never_told_to_get_another_example(tmp_path):
    (tmp_path / "h.csv").write_text("size,price\n" + "".join(f'{row},"€{101_833 + row:,}"\n' for row in range(40)))
    with pytest.raises(
        InputError, match=r'These are amounts of money: write them as plain numbers, and task = "regress'
    ):
        load_dataset("h.csv", directory=tmp_path, target="price", task="multiclass")


def test_a_test_file_that_cannot_be_scored_is_named_itself(tmp_path: Path) -> None:
    rows = "\n".join(f"{i},{i / 7}" for i in range(30))
    (tmp_path / "t.csv").write_text(f"a,y\n{rows}\n")
    (tmp_path / "one.csv").write_text("a,y\n1,2.5\n")
    (tmp_path / "unlabelled.csv").write_text("a\n1\n2\n")
    for test, match in (
        ("one.csv", r"one\.csv.*: the test set has 1 example\. .* Add examples to it"),
        ("unlabelled.csv", r"unlabelled\.csv.*: there is no target column 'y', which the training examples have"),
    ):
        with pytest.raises(InputError, match=match):
            load_dataset("t.csv", test=test, target="y", directory=tmp_path)


def test_ten_whole_numbers_among_thirty_may_be_a_quantity(tmp_path: Path) -> None:
    rows = "\n".join(f"{i / 3},{i % 10}" for i in range(30))
    (tmp_path / "t.csv").write_text(f"a,y\n{rows}\n")
    with pytest.raises(InputError, match=r"at least 10\. .* If the target is a quantity, write task = \"regression\""):
        load_dataset("t.csv", target="y", directory=tmp_path)


@pytest.mark.parametrize("labels", [["1", "", "0"], ["yes", "", "no"]])
def test_a_missing_label_says_how_its_row_is_left_out(tmp_path: Path, labels: list[str]) -> None:
    rows = "\n".join(f"{i},{labels[i % 3]}" for i in range(60))
    (tmp_path / "t.csv").write_text(f"a,y\n{rows}\n")
    with pytest.raises(InputError, match=r'20 missing values: .* write missing_target = "drop"'):
        load_dataset("t.csv", target="y", directory=tmp_path)


def test_one_column_cannot_be_two_things(tmp_path: Path) -> None:
    rows = "\n".join(f"{i},{i / 7},{i}" for i in range(30))
    (tmp_path / "t.csv").write_text(f"a,y,when\n{rows}\n")
    options = ReadOptions(time="when")
    with pytest.raises(InputError, match=r"'when' is both sample_weight and time\."):
        load_dataset("t.csv", target="y", sample_weight="when", directory=tmp_path, options=options)
