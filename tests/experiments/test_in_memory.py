"""Examples that a Python program hands over are the data set that a file of them is, and are never shown."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from experiments.dataset import Dataset, load_dataset
from experiments.errors import InputError
from experiments.readers.in_memory import in_memory

rng = np.random.default_rng(0)
M = 60
TABLE = pd.DataFrame(
    {
        "area": rng.normal(100, 20, M).round(2),
        "rooms": rng.integers(1, 6, M),
        "roof": rng.choice(["tiles", "none"], M),
        "is_new": rng.random(M) < 0.5,
        "price": rng.normal(3e5, 1e5, M).round(),
    }
)
TABLE.loc[3, "area"] = np.nan
SECRET = "s3cr3t"  # noqa: S105


class LikePolars:
    """Shows itself as polars' DataFrame does: by Arrow's PyCapsule interface and by nothing else."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._table = pa.Table.from_pandas(frame)
        self.columns = list(frame.columns)

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


class LikeOldLibraries:
    """Shows itself by the dataframe interchange protocol alone."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._table = pa.Table.from_pandas(frame)
        self.columns = list(frame.columns)

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> Any:
        return self._table.__dataframe__(nan_as_null, allow_copy)


def given(train: object, test: object = None, target: str | None = "price") -> Dataset:
    objects = in_memory("train", train, target)
    sealed = None if test is None else in_memory("test", test, objects.target)
    return load_dataset(objects, test=sealed, target=objects.target)


@pytest.mark.parametrize("library", [pd.DataFrame, pa.Table.from_pandas, LikePolars, LikeOldLibraries])
def test_a_table_of_any_library_is_the_data_set_of_its_files(tmp_path: Path, library: Any) -> None:
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    TABLE.to_parquet(tmp_path / "t.parquet")
    digests = {load_dataset(name, target="price", directory=tmp_path).digest for name in ("t.csv", "t.parquet")}
    assert {given(library(TABLE)).digest} == digests


def test_an_index_is_no_column_and_labels_beside_a_table_are_its_target() -> None:
    shuffled = TABLE.set_index(rng.permutation(M))
    whole = given(shuffled)
    assert whole.digest == given(TABLE).digest
    beside = given((shuffled.drop(columns="price"), shuffled["price"]), target=None)
    assert (beside.digest, beside.target) == (whole.digest, "price")
    unnamed = given((shuffled.drop(columns="price"), TABLE["price"].to_list()), target=None)
    assert (unnamed.digest, unnamed.target) == (whole.digest, "target")


def test_a_programs_own_table_is_left_as_it_is() -> None:
    numbers = pd.DataFrame(rng.normal(size=(M, 4)), columns=["a", "b", "c", "price"])
    before = numbers.copy()
    given(numbers)
    given((numbers.drop(columns="price"), numbers["price"]))
    pd.testing.assert_frame_equal(numbers, before)


def test_arrays_are_the_data_set_of_an_npz(tmp_path: Path) -> None:
    X, y = rng.normal(size=(50, 3)), np.array(["no", "yes"])[rng.integers(0, 2, 50)]
    np.savez(tmp_path / "a.npz", X=X, y=y, X_test=X[:9] + 1, y_test=y[:9])
    assert given((X, y), (X[:9] + 1, y[:9]), None).digest == load_dataset("a.npz", directory=tmp_path).digest
    course = given((X.T, y[np.newaxis]), (X[:9].T + 1, y[np.newaxis, :9]), None)
    assert course.digest == given((X, y), (X[:9] + 1, y[:9]), None).digest


def test_pictures_are_pictures() -> None:
    X = rng.integers(0, 256, (30, 8, 6, 3), dtype=np.uint8)
    assert given((X, np.arange(30) % 2), target=None).image_shape == (8, 6, 3)


@pytest.mark.parametrize(
    ("train", "match"),
    [
        ({"password": SECRET}, "train: a dict is given"),
        (SECRET, "train: a str is given"),
        ([SECRET] * 3, "train: a list is given"),
        (([SECRET], [1], [2]), "train: a tuple of 3 is given"),
        (pd.Series([SECRET], name="x"), "train: a Series is given"),
        (([[1.0], [SECRET, SECRET]], [0, 1]), "train: a pair whose X is no array, but a list"),
        (({"a": SECRET}, [0]), "train: a pair whose X is no array, but a dict"),
        ((np.ones((3, 2)), SECRET), "train: a pair whose y is no array, but a str"),
        ((pd.DataFrame({"a": [SECRET]}), [1, 2]), r"y has shape \(2,\), and X has 1 row\."),
        ((pd.DataFrame({"price": [SECRET]}), [1]), "y is to be column 'price', and X has one of this name"),
        ((np.array([[SECRET]]), [1]), "'X' holds text, not numbers"),
    ],
)
def test_a_wrong_argument_is_refused_by_its_kind_and_never_shown(train: object, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        given(train)
    shown = [str(caught.value), str(caught.value.__cause__), repr(in_memory("train", TABLE, None))]
    assert not any(SECRET in text for text in shown)


def test_the_same_object_is_no_test_set() -> None:
    with pytest.raises(InputError, match="python:test: test is the training file itself"):
        given(TABLE, TABLE)


def test_a_configuration_kept_of_such_a_sweep_says_where_its_examples_came_from() -> None:
    with pytest.raises(InputError, match="python:train: these examples were handed over by a Python program"):
        load_dataset("python:train", target="price")


@pytest.mark.parametrize("role", ["area", "price"])
def test_decimals_of_arrow_are_numbers_and_complex_ones_are_refused(role: str) -> None:
    rng = np.random.default_rng(0)
    plain = pd.DataFrame({"area": rng.integers(0, 400, 40) / 4, "price": rng.integers(0, 400, 40) / 4})
    decimals = pd.array([Decimal(value) for value in plain[role]], dtype=pd.ArrowDtype(pa.decimal128(12, 2)))
    assert given(plain.assign(**{role: decimals})).digest == given(plain).digest
    with pytest.raises(InputError, match=f"column '{role}' holds values of type complex"):
        given(plain.assign(**{role: plain[role] * 1j}))
