"""Raw inputs to columns: against scikit-learn's own transformers, bit for bit."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from experiments.dataset import Dataset, load_dataset
from experiments.errors import InputError
from experiments.preprocessing import Preprocessing
from experiments.readers.examples import Features


def dataset_of(X: Features, image_shape: tuple[int, int, int] | None = None, names: tuple[str, ...] = ()) -> Dataset:
    y = np.arange(len(X)) % 2
    return Dataset("d", "binary", X, y, X, y, ("a", "b"), names, image_shape, "d.npz")


def table(m: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.normal(40, 9, m), "town": rng.choice(["Ulm", "Köln"], m), "one": np.ones(m)})
    frame["garden"] = pd.Series(rng.choice(["False", "True"], m), dtype="str")
    frame["age"] = frame["age"].mask(frame.index % 5 == 0)
    frame["town"] = frame["town"].mask(frame.index % 7 == 0)
    return frame


def test_a_table_is_imputed_encoded_and_standardized_as_scikit_learn_does() -> None:
    frame = table()
    oracle = ColumnTransformer(
        [
            ("age", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), ["age"]),
            ("town", OneHotEncoder(), ["town"]),
            ("one", StandardScaler(), ["one"]),
            ("garden", OneHotEncoder(), ["garden"]),
        ],
        sparse_threshold=0,
    )
    expected = oracle.fit_transform(frame.fillna({"town": ""})).T
    preprocessing = Preprocessing.fit(dataset_of(frame))
    # Not bit for bit: NumPy sums a column of a table and a column of its own in another order.
    np.testing.assert_allclose(preprocessing.transform(frame), expected, rtol=1e-13)
    assert preprocessing.feature_names_out == (
        "age", "town=(missing)", "town=Köln", "town=Ulm", "one", "garden=False", "garden=True",
    )  # fmt: skip


SQUARABLE = st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-150)
"""Smaller numbers have squares of 0, and scikit-learn takes a column of them for constant."""


@given(hnp.arrays(np.float64, (7, 3), elements=SQUARABLE))
def test_arrays_are_standardized_as_scikit_learn_does(X: NDArray) -> None:
    preprocessing = Preprocessing.fit(dataset_of(X), "standardize")
    np.testing.assert_array_equal(preprocessing.transform(X), StandardScaler().fit_transform(X).T)


@given(hnp.arrays(np.float64, (7, 3), elements=st.floats(-1, 1).map(lambda value: round(value, 9))))
def test_numbers_whose_squares_are_0_are_standardized_as_larger_ones_are(X: NDArray) -> None:
    tiny = Preprocessing.fit(dataset_of(X * 1e-200), "standardize").transform(X * 1e-200)
    np.testing.assert_allclose(tiny, Preprocessing.fit(dataset_of(X), "standardize").transform(X), atol=1e-6)


def test_a_constant_feature_keeps_scale_one() -> None:
    X = np.column_stack([np.full(9, 0.1), np.arange(9.0)])
    preprocessing = Preprocessing.fit(dataset_of(X))
    assert preprocessing.scale[0, 0] == 1
    np.testing.assert_allclose(preprocessing.transform(X)[0], 0, atol=1e-15)


def test_images_of_bytes_are_flattened_row_by_row_and_divided_by_255() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 2, 3, 3), dtype=np.uint8)
    preprocessing = Preprocessing.fit(dataset_of(images, (2, 3, 3)))
    columns = preprocessing.transform(images)
    assert preprocessing.scaling == "unit"
    assert columns.flags["C_CONTIGUOUS"]
    assert columns.dtype == np.float64
    np.testing.assert_array_equal(columns, images.reshape(5, -1).T / 255)


@pytest.mark.parametrize(
    ("X", "scaling"), [(np.arange(8, dtype=np.uint8).reshape(4, 2), "standardize"), (np.eye(4), "standardize")]
)
def test_auto_standardizes_what_is_no_image_of_bytes(X: NDArray, scaling: str) -> None:
    assert Preprocessing.fit(dataset_of(X)).scaling == scaling


def test_none_changes_nothing_and_never_hands_out_the_input_itself() -> None:
    X = np.random.default_rng(0).normal(size=(3, 1))
    columns = Preprocessing.fit(dataset_of(X), "none").transform(X)
    np.testing.assert_array_equal(columns, X.T)
    assert not np.shares_memory(columns, X)


def test_an_unknown_category_is_all_zeros_and_a_missing_one_has_its_own_place() -> None:
    preprocessing = Preprocessing.fit(dataset_of(table()))
    new = table()[:2].assign(town=["Rom", None])
    rows = dict(zip(preprocessing.feature_names_out, preprocessing.transform(new), strict=True))
    assert [rows[f"town={town}"].tolist() for town in ("Ulm", "Köln", "(missing)")] == [[0, 0], [0, 0], [0, 1]]


def test_unseen_categories_are_told_a_column_at_a_time() -> None:
    inputs = Preprocessing.fit(dataset_of(table())).inputs
    assert inputs.unseen(table(), "new.csv") == []
    (note,) = inputs.unseen(table()[:3].assign(garden=["no", None, "True"]), "new.csv")
    assert note == (
        "new.csv: column 'garden' has categories that no training example has, in 2 of 3 rows: "
        "'no', (missing). They count as none of 'False', 'True'."
    )
    assert Preprocessing.fit(dataset_of(np.eye(3))).inputs.unseen(np.eye(3), "new.npz") == []


@pytest.mark.parametrize("has_words", [True, False])
def test_a_column_of_numbers_that_is_empty_in_all_new_rows_is_told(has_words: bool) -> None:
    train = table() if has_words else table().select_dtypes("number")
    (first, *_) = train.select_dtypes("number").columns
    inputs = Preprocessing.fit(dataset_of(train)).inputs
    (note,) = inputs.unseen(train[:3].assign(**{first: np.nan}), "new.csv")
    median = train[first].median()
    assert note == (
        f"new.csv: column '{first}' has no value in any of 3 rows. The training examples' median, {median:g}, stands "
        "for all of them."
    )
    assert inputs.unseen(train[:3].assign(**{first: [1.0, np.nan, np.nan]}), "new.csv") == []


def test_the_test_set_does_not_reach_the_fit() -> None:
    dataset = load_dataset("sklearn:wine")
    preprocessing = Preprocessing.fit(dataset)
    assert isinstance(dataset.X_train, np.ndarray)
    np.testing.assert_array_equal(preprocessing.offset[:, 0], StandardScaler().fit(dataset.X_train).mean_)


# --- saving


@pytest.mark.parametrize("scaling", ["auto", "standardize", "none"])
@pytest.mark.parametrize("kind", ["table", "floats", "images"])
def test_what_is_read_back_from_json_transforms_bit_for_bit(kind: str, scaling: str) -> None:
    rng = np.random.default_rng(1)
    X: Features
    X, shape = {
        "table": (table(), None),
        "floats": (rng.normal(size=(9, 4)) / 3, None),
        "images": (rng.integers(0, 256, (6, 2, 2, 3), dtype=np.uint8), (2, 2, 3)),
    }[kind]
    preprocessing = Preprocessing.fit(dataset_of(X, shape), scaling)  # type: ignore[arg-type]
    again = Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict(), allow_nan=False)))
    assert preprocessing.transform(X).tobytes() == again.transform(X).tobytes()
    assert again.to_dict() == preprocessing.to_dict()
    assert again.feature_names_out == preprocessing.feature_names_out


def test_unit_scaling_is_saved_as_two_numbers_not_twelve_thousand() -> None:
    images = np.zeros((2, 64, 64, 3), dtype=np.uint8)
    assert len(json.dumps(Preprocessing.fit(dataset_of(images, (64, 64, 3))).to_dict())) < 300


def test_another_format_version_is_refused() -> None:
    saved = Preprocessing.fit(dataset_of(np.eye(3))).to_dict()
    with pytest.raises(InputError, match="saved in format 4"):
        Preprocessing.from_dict({**saved, "format": 4})


@pytest.mark.parametrize("key", ["inputs", "offset", "scale", "scaling"])
def test_a_damaged_state_is_refused(key: str) -> None:
    saved = Preprocessing.fit(dataset_of(np.eye(3))).to_dict()
    del saved[key]
    with pytest.raises(InputError, match="the saved state is damaged"):
        Preprocessing.from_dict(saved)


# --- raw inputs of a saved model


def test_a_table_is_accepted_for_named_arrays_in_any_order_of_columns() -> None:
    X = np.random.default_rng(0).normal(size=(6, 2))
    preprocessing = Preprocessing.fit(dataset_of(X, names=("u", "v")))
    frame = pd.DataFrame({"v": X[:, 1], "u": X[:, 0]})
    np.testing.assert_array_equal(preprocessing.transform(frame), preprocessing.transform(X))


def test_categories_compare_by_what_is_written() -> None:
    frame = pd.DataFrame({"code": pd.Series(["1", "2"] * 10, dtype="str")})
    preprocessing = Preprocessing.fit(dataset_of(frame))
    for values in ([1, 2], [1.0, 2.0], ["1", "2"], pd.Categorical([1, 2])):
        columns = preprocessing.transform(pd.DataFrame({"code": values}))
        np.testing.assert_array_equal(columns, np.eye(2))


IMAGES = np.zeros((4, 2, 2, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (np.zeros((1, 2, 3, 3), dtype=np.uint8), r"examples have shape \(2, 3, 3\).*have shape \(2, 2, 3\)"),
        (np.zeros((1, 12), dtype=np.uint8), r"examples have shape \(12,\)"),
        (np.zeros(12, dtype=np.uint8), r"x\[None\]"),
        (IMAGES / 255, "whole numbers 0..255"),
        (IMAGES.astype(int) + 256, "whole numbers 0..255"),
        (IMAGES[:0], "is empty"),
    ],
)
def test_images_unlike_the_training_examples(X: NDArray, match: str) -> None:
    with pytest.raises(InputError, match=match):
        Preprocessing.fit(dataset_of(IMAGES, (2, 2, 3))).transform(X)


def test_nan_in_an_array() -> None:
    with pytest.raises(InputError, match=r"new\.npz has 1 value that is NaN or infinite"):
        Preprocessing.fit(dataset_of(np.eye(3))).transform(np.array([[0, np.nan, 0]]), "new.npz")


@pytest.mark.parametrize("names", [("u", "v"), ()])
def test_a_missing_value_in_a_table_for_a_model_of_arrays_names_its_column(names: tuple[str, ...]) -> None:
    preprocessing = Preprocessing.fit(dataset_of(np.random.default_rng(0).normal(size=(6, 2)), names=names))
    frame = pd.DataFrame({"u": ["1", "2"], "v": ["3", None]}, dtype="str")
    with pytest.raises(InputError, match=r"new\.csv: column 'v' has 1 missing value: row 1 .*trained on arrays"):
        preprocessing.transform(frame, "new.csv")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda f: f.drop(columns="age"), "1 of 4 feature columns is missing: age"),
        (lambda f: f.assign(height=1), "1 column is no feature of the training examples: height"),
        (lambda f: f.assign(age="old"), "values that are not numbers, first 'old' in row 0"),
        (lambda f: f.assign(age=np.inf), "column 'age' has 40 infinite values"),
        (lambda f: f[:0], "has no rows"),
        (lambda f: pd.concat([f, f[["age"]]], axis=1), "two columns are named 'age'"),
        (lambda f: f.to_numpy(), "is an array of shape"),
    ],
)
def test_a_table_unlike_the_training_examples(change: object, match: str) -> None:
    preprocessing = Preprocessing.fit(dataset_of(table()))
    with pytest.raises(InputError, match=match):
        preprocessing.transform(change(table()))  # type: ignore[operator]


# --- data that cannot be fitted


@pytest.mark.parametrize("X", [np.eye(4), table(), np.eye(4, dtype=np.int64)])
def test_unit_scaling_is_for_bytes_only(X: Features) -> None:
    with pytest.raises(InputError, match="'unit' is for uint8 data"):
        Preprocessing.fit(dataset_of(X), "unit")


@pytest.mark.parametrize("empty", [np.full(40, np.nan), pd.Series([None] * 40, dtype="str")])
def test_a_column_without_any_value(empty: object) -> None:
    with pytest.raises(InputError, match="column 'hollow' has no value"):
        Preprocessing.fit(dataset_of(table().assign(hollow=empty)))


def test_a_column_of_identifiers() -> None:
    with pytest.raises(InputError, match="column 'id' holds 40 different texts in 40 rows"):
        Preprocessing.fit(dataset_of(table().assign(id=[f"house-{i}" for i in range(40)])))


def test_numbers_with_one_misspelt_among_them(tmp_path: Path) -> None:
    rows = "".join(f"{i}.5,{i % 2}\n" for i in range(40)).replace("7.5,", '"7,5",', 1)
    (tmp_path / "t.csv").write_text("area,y\n" + rows)
    dataset = load_dataset("t.csv", test=None, target="y", directory=tmp_path, test_fraction=0.1)
    with pytest.raises(InputError, match="column 'area' is text because of '7,5' among its numbers"):
        Preprocessing.fit(dataset)


def test_numbers_with_decimal_commas() -> None:
    areas = pd.Series([f"{i},5" for i in range(40)], dtype="str")
    with pytest.raises(
        InputError, match=r"column 'area' is text, though its values are numbers with separators.* comma as a point"
    ):
        Preprocessing.fit(dataset_of(table().assign(area=areas)))


def test_codes_of_digits_are_categories() -> None:
    column = pd.Series([f"{i:02}" for i in range(12)] * 4, dtype="str")
    assert len(Preprocessing.fit(dataset_of(pd.DataFrame({"code": column}))).feature_names_out) == 12


def test_a_word_among_numbers_that_mostly_repeat() -> None:
    pounds = pd.Series([str(80 + i % 30) for i in range(390)] + ["NA", "many"], dtype="str")
    with pytest.raises(InputError, match=r"column 'horsepower' is text because of 'many' among its numbers"):
        Preprocessing.fit(dataset_of(pd.DataFrame({"horsepower": pounds})))


def test_a_few_codes_may_look_like_numbers() -> None:
    codes = pd.Series(["01", "02", "A3"] * 10, dtype="str")
    assert Preprocessing.fit(dataset_of(pd.DataFrame({"zip": codes}))).feature_names_out == (
        "zip=01",
        "zip=02",
        "zip=A3",
    )


def test_numbers_too_large_to_square() -> None:
    with pytest.raises(InputError, match=r"'x1' has values up to 1e\+300"):
        Preprocessing.fit(dataset_of(np.array([[0, 1e300], [1, -1e300]])))
