"""Files as people bring them, each of a kind that its writer produces every day: read as they are meant, or refused."""

import re
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.io import savemat

from experiments.data_suspicions import suspicions
from experiments.dataset import Dataset, load_dataset
from experiments.errors import InputError
from experiments.model import Model
from experiments.preparation import prepare
from experiments.readers.array_inputs import ArrayInputs
from experiments.readers.options import ReadOptions
from experiments.readers.unlabelled import read_inputs
from tests.experiments.support.models import untrained

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 4))
y = (X[:, 0] > 0).astype(int)
y[0] = 1


def read(folder: Path, name: str, target: str | None = None, test: str | None = None, **options: object) -> Dataset:
    return load_dataset(name, test=test, target=target, directory=folder, options=ReadOptions(**options))  # type: ignore[arg-type]


def all_rows(dataset: Dataset) -> NDArray:
    """Training and test examples, in an order that does not depend on the split."""
    assert isinstance(dataset.X_train, np.ndarray)
    rows = np.concatenate([dataset.X_train, dataset.X_test])
    return rows[np.lexsort(rows.reshape(len(rows), -1).T)]


def in_order(rows: NDArray) -> NDArray:
    return rows[np.lexsort(rows.reshape(len(rows), -1).T)]


def write_csv(folder: Path, columns: dict[str, object], name: str = "t.csv", **options: object) -> str:
    pd.DataFrame(columns).to_csv(folder / name, index=False, **options)  # type: ignore[call-overload]
    return name


def write_h5(folder: Path, name: str = "a.h5", **arrays: object) -> str:
    with h5py.File(folder / name, "w") as file:
        for key, array in arrays.items():
            file[key] = array
    return name


# --- names of classes


@pytest.mark.parametrize("classes", [[1, 0], [1.0, 0.0], ["1", "0"]])
def test_classes_that_permute_the_codes_are_the_labels_themselves(tmp_path: Path, classes: list[object]) -> None:
    np.savez(tmp_path / "a.npz", X=X, y=y, classes=np.array(classes), X_test=X[:50], y_test=y[:50])
    dataset = read(tmp_path, "a.npz")
    assert dataset.class_names == ("0", "1")
    np.testing.assert_array_equal(dataset.y_train, y)
    np.testing.assert_array_equal(dataset.y_test, y[:50])


def test_truth_values_as_names_are_never_swapped(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=X, y=y, classes=np.array([True, False]))
    assert read(tmp_path, "a.npz").class_names == ("False", "True")


def test_numbers_that_may_be_labels_or_names_of_codes_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=X, y=y + 1, classes=np.array([1, 2, 3]))
    with pytest.raises(InputError, match="can be the labels themselves or names of the codes 0 to 2"):
        read(tmp_path, "a.npz")


def test_names_of_an_enumeration_are_the_class_names(tmp_path: Path) -> None:
    kind = h5py.enum_dtype({"malignant": 1, "benign": 0, "unknown": 7}, basetype="i1")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["X"] = X
        file.create_dataset("y", data=y.astype("i1"), dtype=kind)
    dataset = read(tmp_path, "a.h5")
    assert dataset.class_names == ("benign", "malignant")
    assert np.concatenate([dataset.y_train, dataset.y_test]).sum() == y.sum()


def test_an_enumeration_of_truth_values_and_na_has_missing_labels_not_a_third_class(tmp_path: Path) -> None:
    kind = h5py.enum_dtype({"FALSE": 0, "TRUE": 1, "NA": 2}, basetype="i1")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["X"] = X
        file.create_dataset("y", data=np.where(np.arange(200) == 7, 2, y).astype("i1"), dtype=kind)
    with pytest.raises(InputError, match="1 label that is missing or infinite: row 7"):
        read(tmp_path, "a.h5")


def test_labels_that_differ_by_case_are_refused_with_their_spellings(tmp_path: Path) -> None:
    spelt = [["Yes", "yes", "Y "][k % 3] if v else ["No", "NO", "n"][k % 3] for k, v in enumerate(y)]
    name = write_csv(tmp_path, {"a": X[:, 0], "cls": spelt})
    with pytest.raises(InputError, match="'NO' and 'No', 'Yes' and 'yes'; all labels are 'NO', 'No', 'Y', 'Yes', 'n'"):
        read(tmp_path, name, "cls")


@pytest.mark.parametrize("suffix", ["csv", "parquet", "npz", "h5"])
def test_blanks_around_text_are_trimmed_in_every_format(tmp_path: Path, suffix: str) -> None:
    words = np.array([["yes", " yes", "yes "][k % 3] if v else "no" for k, v in enumerate(y)])
    name, target = f"a.{suffix}", None if suffix in ("npz", "h5") else "cls"
    if suffix == "npz":
        np.savez(tmp_path / name, X=X, y=words)
    elif suffix == "h5":
        write_h5(tmp_path, name, X=X, y=words.astype("S"))
    elif suffix == "csv":
        write_csv(tmp_path, {"a": X[:, 0], "word": words, "cls": words}, name)
    else:
        pd.DataFrame({"a": X[:, 0], "word": words, "cls": words}).to_parquet(tmp_path / name)
    dataset = read(tmp_path, name, target)
    assert dataset.class_names == ("no", "yes")
    if isinstance(dataset.X_train, pd.DataFrame):
        assert set(dataset.X_train["word"]) == {"no", "yes"}


# --- axes


def test_pictures_that_matlab_wrote_are_high_and_wide_as_matlab_shows_them(tmp_path: Path) -> None:
    pictures = rng.integers(0, 255, (120, 9, 6)).astype("u1")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        stored = file.create_dataset("X", data=pictures.transpose(0, 2, 1))
        stored.attrs["MATLAB_class"] = np.bytes_("uint8")
        file["y"] = np.repeat([0, 1], 60)
    dataset = read(tmp_path, "a.h5")
    assert dataset.image_shape == (9, 6, 1)
    np.testing.assert_array_equal(all_rows(dataset)[..., 0], in_order(pictures))
    assert any("120 pictures, 9 high and 6 wide" in note for note in dataset.notes)


def test_a_mat_file_of_version_7_3_is_read_with_its_cell_of_names(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        for name, array in (("X", X), ("y", y[:, np.newaxis] + 0.0)):
            file.create_dataset(name, data=array.T).attrs["MATLAB_class"] = np.bytes_("double")
        cells = [file.create_dataset(f"#refs#/{n}", data=[[ord(c)] for c in n]) for n in ("cat", "dog")]
        for cell in cells:
            cell.attrs["MATLAB_class"] = np.bytes_("char")
        names = file.create_dataset("classes", data=[[cell.ref] for cell in cells], dtype=h5py.ref_dtype)
        names.attrs["MATLAB_class"] = np.bytes_("cell")
    with (tmp_path / "a.mat").open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512))
    dataset = read(tmp_path, "a.mat")
    assert dataset.class_names == ("cat", "dog")
    np.testing.assert_array_equal(all_rows(dataset), in_order(X))


def test_a_mat_file_of_version_5_is_read_as_matlab_shows_it(tmp_path: Path) -> None:
    pictures, names = rng.integers(0, 255, (9, 6, 3, 40)).astype("u1"), np.array([["cat", "dog"]], dtype=object)
    savemat(tmp_path / "a.mat", {"X": pictures, "y": (np.arange(40) % 2)[:, np.newaxis], "classes": names})
    dataset = read(tmp_path, "a.mat")
    assert (dataset.image_shape, dataset.class_names) == ((9, 6, 3), ("cat", "dog"))
    np.testing.assert_array_equal(all_rows(dataset), in_order(np.moveaxis(pictures, -1, 0)))
    np.testing.assert_array_equal(
        read_inputs(tmp_path / "a.mat", "MATLAB", (9, 6, 3), "columns"), np.moveaxis(pictures, -1, 0)
    )
    (tmp_path / "a.mat").write_bytes((tmp_path / "a.mat").read_bytes()[:700])
    with pytest.raises(InputError, match="the MATLAB file is truncated or damaged"):
        read(tmp_path, "a.mat")


def test_what_is_to_be_predicted_lies_as_the_training_examples_did(tmp_path: Path) -> None:
    square = write_h5(tmp_path, X=X[:4].T)
    np.testing.assert_array_equal(read_inputs(tmp_path / square, "HDF5", (4,), "columns"), X[:4])
    np.testing.assert_array_equal(read_inputs(tmp_path / square, "HDF5", (4,), "rows"), X[:4].T)
    long = write_h5(tmp_path, "b.h5", X=X.T)
    for trained in ("rows", "columns"):
        np.testing.assert_array_equal(read_inputs(tmp_path / long, "HDF5", (4,), trained), X)


def test_a_model_remembers_which_axis_counts_the_examples_and_what_is_ignored(tmp_path: Path) -> None:
    columns = prepare(read(tmp_path, write_h5(tmp_path, X=X.T, y=y[np.newaxis, :])))
    untrained(columns).save(tmp_path / "model.h5")
    inputs = Model.load(tmp_path / "model.h5").preprocessing.inputs
    assert isinstance(inputs, ArrayInputs)
    assert inputs.examples == "columns"
    name = write_csv(tmp_path, {"row": range(200), "a": X[:, 0], "cls": y})
    untrained(prepare(read(tmp_path, name, "cls", ignore=("row",)))).save(tmp_path / "model.h5")
    assert Model.load(tmp_path / "model.h5").ignored == ("row",)


def test_features_by_examples_are_known_by_their_row_of_labels(tmp_path: Path) -> None:
    dataset = read(tmp_path, write_h5(tmp_path, X=X.T, y=y[np.newaxis, :]))
    np.testing.assert_array_equal(all_rows(dataset), in_order(X))
    assert dataset.notes[-1].endswith("so it is read as 200 examples of 4 features.")


def test_transposed_features_are_refused_until_the_user_says_so(tmp_path: Path) -> None:
    name = write_h5(tmp_path, X=X.T, y=y)
    with pytest.raises(InputError, match=r"'X' looks transposed: its shape is \(4, 200\).*examples = \"columns\""):
        read(tmp_path, name)
    np.testing.assert_array_equal(all_rows(read(tmp_path, name, examples="columns")), in_order(X))


def test_square_features_are_refused_until_the_user_says_what_they_are(tmp_path: Path) -> None:
    square = rng.normal(size=(30, 30))
    np.savez(tmp_path / "a.npz", X=square, y=np.arange(30) % 2)
    with pytest.raises(InputError, match="could be its rows or its columns"):
        read(tmp_path, "a.npz")
    np.testing.assert_array_equal(all_rows(read(tmp_path, "a.npz", examples="rows")), in_order(square))
    np.testing.assert_array_equal(all_rows(read(tmp_path, "a.npz", examples="columns")), in_order(square.T))


@pytest.mark.parametrize("dtype", ["u1", "i8", "f4"])
def test_pictures_with_their_colours_first_are_turned_and_so_are_those_to_be_predicted(
    tmp_path: Path, dtype: str
) -> None:
    pictures = rng.integers(0, 256, (40, 3, 8, 7)).astype(dtype)
    np.savez(tmp_path / "a.npz", X=pictures, y=np.arange(40) % 2)
    dataset = read(tmp_path, "a.npz")
    assert dataset.image_shape == (8, 7, 3)
    assert isinstance(dataset.X_train, np.ndarray)
    assert (dataset.X_train.dtype == np.uint8) == (dtype != "f4")
    assert ("no picture files" in " ".join(suspicions(dataset))) == (dtype == "f4")
    preprocessing = prepare(dataset).preprocessing
    np.testing.assert_array_equal(
        preprocessing.transform(pictures), preprocessing.transform(np.moveaxis(pictures, 1, -1))
    )


# --- numbers and missing values


def test_numbers_as_text_in_parquet_are_those_of_the_csv(tmp_path: Path) -> None:
    age = rng.integers(18, 60, 300)
    table = {"age": age.astype(str), "z": rng.normal(size=300), "cost": (100.5 * age).astype(str)}
    pd.DataFrame(table).to_parquet(tmp_path / "t.parquet")
    parquet, csv = read(tmp_path, "t.parquet", "cost"), read(tmp_path, write_csv(tmp_path, table), "cost")
    assert parquet.digest == csv.digest
    assert parquet.task == "regression"
    assert prepare(parquet).preprocessing.feature_names_out == ("age", "z")


def test_text_labels_that_are_numbers_agree_with_numbers_in_another_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=X, y=y)
    np.savez(tmp_path / "b.npz", X=X[:50], y=y[:50].astype(str))
    np.testing.assert_array_equal(read(tmp_path, "a.npz", test="b.npz").y_test, y[:50])


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_decimal_labels_beyond_what_floats_tell_apart_stay_classes(tmp_path: Path, suffix: str) -> None:
    keys = [Decimal(2**60 + int(label)) for label in y]
    getattr(pd.DataFrame({"a": X[:, 0], "cls": keys}), f"to_{suffix}")(tmp_path / f"t.{suffix}")
    assert read(tmp_path, f"t.{suffix}", "cls").class_names == (str(2**60), str(2**60 + 1))


@pytest.mark.parametrize("suffix", ["csv", "parquet", "npz"])
def test_whole_numbers_that_floats_hardly_tell_apart_are_said(tmp_path: Path, suffix: str) -> None:
    large = 2**60 + rng.integers(0, 200, 200)
    if suffix == "npz":
        np.savez(tmp_path / "t.npz", X=np.column_stack([X[:, 0], large]), y=y)
        name = "x1"
    else:
        frame, name = pd.DataFrame({"a": X[:, 0], "moment": large, "cls": y}), "moment"
        frame.to_csv(tmp_path / "t.csv", index=False)
        frame.to_parquet(tmp_path / "t.parquet")
    dataset = read(tmp_path, f"t.{suffix}", None if suffix == "npz" else "cls")
    (note,) = (note for note in suspicions(dataset) if name in note)
    assert re.search("numbers around 1.15292e.18 that differ by 256 at most, where 64-bit floats are 256 apart", note)
    assert np.abs(prepare(dataset).X).max() < 5


def test_decimal_numbers_of_a_database_are_numbers(tmp_path: Path) -> None:
    quarters = rng.integers(0, 400, 200)
    amount = [Decimal(int(v)) / 4 for v in quarters]
    pd.DataFrame({"amount": [None, *amount[1:]], "price": amount}).to_parquet(tmp_path / "t.parquet")
    dataset = read(tmp_path, "t.parquet", "price")
    assert isinstance(dataset.X_train, pd.DataFrame)
    assert dataset.task == "regression"
    assert dataset.X_train["amount"].dtype == np.float64
    np.testing.assert_array_equal(np.sort(np.r_[dataset.y_train, dataset.y_test]), np.sort(quarters / 4))


@pytest.mark.parametrize("mark", ["?", ".", ".a", "-", "*", r"\N", "#NULL!", "#DIV/0!"])
@pytest.mark.parametrize("n_different", [10, 300])
def test_a_mark_among_numbers_is_a_missing_number(tmp_path: Path, mark: str, n_different: int) -> None:
    nuclei = (np.arange(300) % n_different).astype(str).astype(object)
    nuclei[:4] = mark
    dataset = read(tmp_path, write_csv(tmp_path, {"nuclei": nuclei, "y": ["B", "M"] * 150}), "y")
    assert isinstance(dataset.X_train, pd.DataFrame)
    assert isinstance(dataset.X_test, pd.DataFrame)
    assert dataset.X_train["nuclei"].isna().sum() + dataset.X_test["nuclei"].isna().sum() == 4
    assert prepare(dataset).preprocessing.feature_names_out == ("nuclei",)


@pytest.mark.parametrize("mark", ["NA", "?", "nan", "#N/A", "."])
@pytest.mark.parametrize("suffix", ["csv", "parquet", "npz"])
def test_a_mark_among_labels_is_a_missing_label(tmp_path: Path, mark: str, suffix: str) -> None:
    label = np.where(y, "yes", "no").astype(object)
    label[::17] = mark
    frame = pd.DataFrame({"a": X[:, 0], "cls": label})
    if suffix == "npz":
        np.savez(tmp_path / "t.npz", X=X, y=label.astype(str))
    else:
        getattr(frame, f"to_{suffix}")(tmp_path / f"t.{suffix}", index=False)
    with pytest.raises(InputError, match=r"12 labels that are missing, written .*: rows 0, 17, 34"):
        read(tmp_path, f"t.{suffix}", None if suffix == "npz" else "cls")
    if suffix != "npz":
        dataset = read(tmp_path, f"t.{suffix}", "cls", missing_target="drop")
        assert dataset.class_names == ("no", "yes")
        assert dataset.n_train + dataset.n_test == 188
        assert "12 of 200 rows have no label and are left out" in dataset.notes[-1]


def test_none_and_a_dash_can_be_classes(tmp_path: Path) -> None:
    name = write_csv(tmp_path, {"a": X[:, 0], "sign": np.where(y, "-", "none")})
    assert read(tmp_path, name, "sign").class_names == ("-", "none")


def test_values_that_netcdf_calls_missing_are_missing_and_packed_ones_unpacked(tmp_path: Path) -> None:
    packed = rng.integers(0, 100, (200, 4)).astype("i2")
    with h5py.File(tmp_path / "a.nc", "w") as file:
        stored = file.create_dataset("X", data=packed)
        stored.attrs["scale_factor"], stored.attrs["add_offset"], stored.attrs["_FillValue"] = 0.5, 10.0, np.int16(-9)
        file["y"] = y
    np.testing.assert_array_equal(all_rows(read(tmp_path, "a.nc")), in_order(packed * 0.5 + 10))
    with h5py.File(tmp_path / "a.nc", "r+") as file:
        file["X"][3, 2] = -9
    with pytest.raises(InputError, match="'X' has 1 value that is NaN or infinite: in row 3; in column 2"):
        read(tmp_path, "a.nc")


def test_the_default_fill_value_of_netcdf_is_missing_without_any_attribute(tmp_path: Path) -> None:
    values = X.astype("f4")
    values[5, 1] = 9.969209968386869e36
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file.attrs["_NCProperties"] = "version=2,netcdf=4.9.2,hdf5=1.14"
        file["X"], file["y"] = values, y
    with pytest.raises(InputError, match="'X' has 1 value that is NaN or infinite: in row 5; in column 1"):
        read(tmp_path, "a.nc")


@pytest.mark.parametrize("key", ["X", "y"])
def test_the_missing_integer_of_r_is_missing(tmp_path: Path, key: str) -> None:
    arrays = {"X": rng.integers(0, 9, (200, 4)).astype("i4"), "y": y.astype("i4")}
    arrays[key][3] = -(2**31)
    with pytest.raises(InputError, match="-2147483648, which is how R writes a missing"):
        read(tmp_path, write_h5(tmp_path, **arrays))


# --- other files


def test_an_absent_part_of_a_virtual_array_is_named_and_not_read_as_zeros(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((200, 4), "f8")
    for part in range(2):
        rows = slice(100 * part, 100 * part + 100)
        layout[rows] = h5py.VirtualSource(f"part{part}.h5", "X", (100, 4))
        write_h5(tmp_path, f"part{part}.h5", X=X[rows])
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_virtual_dataset("X", layout)
        file["y"] = y
    with pytest.raises(InputError, match=r"values in part0.h5, part1.h5, outside .* follow_links = true"):
        read(tmp_path, "a.h5")
    np.testing.assert_array_equal(all_rows(read(tmp_path, "a.h5", follow_links=True)), in_order(X))
    (tmp_path / "part1.h5").unlink()
    with pytest.raises(InputError, match=r"in 2 other files, and 1 is not there: part1.h5"):
        read(tmp_path, "a.h5", follow_links=True)


def virtual(tmp_path: Path, *parts: h5py.VirtualSource, dtype: object = "f8", n: int = 200) -> None:
    """`a.h5`, whose X is whole and whose y is made of such parts, a hundred values each."""
    layout = h5py.VirtualLayout((n,), dtype)
    for k, part in enumerate(parts):
        layout[100 * k : 100 * k + 100] = part
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file.create_virtual_dataset("y", layout)
        file["X"] = X[:n]


def test_virtual_labels_whose_parts_number_their_names_differently_are_refused(tmp_path: Path) -> None:
    numberings = [{"benign": 0, "malignant": 1}, {"malignant": 0, "benign": 1}]
    kinds = [h5py.enum_dtype(numbering, "i1") for numbering in numberings]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("first", data=y[:100].astype("i1"), dtype=kinds[0])
        file.create_dataset("second", data=1 - y[100:].astype("i1"), dtype=kinds[1])
        file.create_dataset("same", data=y[100:].astype("i1"), dtype=kinds[0])
    sound, odd = (tmp_path / folder for folder in ("sound", "odd"))
    for folder, second in ((sound, "same"), (odd, "second")):
        folder.mkdir()
        shutil.copy(tmp_path / "a.h5", folder)
        virtual(folder, *(h5py.VirtualSource(".", key, (100,), kinds[0]) for key in ("first", second)), dtype=kinds[0])
    dataset = read(sound, "a.h5")
    assert dataset.class_names == ("benign", "malignant")
    assert np.concatenate([dataset.y_train, dataset.y_test]).sum() == y.sum()
    with pytest.raises(InputError, match=r"'y' has values in 'second', which numbers their names differently"):
        read(odd, "a.h5")


def test_a_virtual_array_of_packed_numbers_is_not_read_without_their_factors(tmp_path: Path) -> None:
    for part in range(2):
        with h5py.File(tmp_path / f"part{part}.h5", "w") as file:
            file["y"] = y[100 * part : 100 * part + 100]
            file["y"].attrs["scale_factor"] = 0.1 + part
    virtual(tmp_path, *(h5py.VirtualSource(f"part{part}.h5", "y", (100,), "i8") for part in range(2)), dtype="i8")
    with pytest.raises(InputError, match=r"whose scale_factor is not that of the array"):
        read(tmp_path, "a.h5", follow_links=True)


def test_attributes_that_change_no_number_and_parts_that_grow_are_no_fault_of_a_virtual_array(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "part0.h5", "w") as file:
        part = file.create_dataset("y", data=y.astype("f8"), maxshape=(None,))
        part.attrs["_FillValue"], part.attrs["scale_factor"] = np.nan, 1.0
    layout = h5py.VirtualLayout((200,), "f8", maxshape=(None,))
    source = h5py.VirtualSource("part0.h5", "y", (200,), maxshape=(None,))
    layout[: h5py.h5s.UNLIMITED] = source[: h5py.h5s.UNLIMITED]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_virtual_dataset("y", layout)
        file["X"] = X
    dataset = read(tmp_path, "a.h5", follow_links=True)
    assert np.concatenate([dataset.y_train, dataset.y_test]).sum() == y.sum()


def test_a_part_that_is_no_hdf5_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "part0.h5").write_text("lost")
    virtual(tmp_path, h5py.VirtualSource("part0.h5", "y", (100,), "i8"), dtype="i8", n=100)
    with pytest.raises(InputError, match=r"a\.h5: 'y' has values in part0\.h5, which cannot be read"):
        read(tmp_path, "a.h5", follow_links=True)


@pytest.mark.parametrize(
    "absence", ["of a part", "of the array of a part", "of its end", "in the layout", "beside what it has twice"]
)
def test_no_part_of_a_virtual_array_is_read_as_zeros(tmp_path: Path, absence: str) -> None:
    for part in range(2):
        with h5py.File(tmp_path / f"part{part}.h5", "w") as file:
            file["y"] = y[100 * part : 100 * part + 100]
    parts = [h5py.VirtualSource(f"part{part}.h5", "y", (100,), "i8") for part in range(2)]
    if absence == "beside what it has twice":
        layout = h5py.VirtualLayout((200,), "i8")
        layout[:100], layout[50:150] = parts
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.create_virtual_dataset("y", layout)
            file["X"] = X
    else:
        virtual(tmp_path, *parts[: 1 if absence == "in the layout" else 2], dtype="i8")
    if absence == "of a part":
        (tmp_path / "part1.h5").unlink()
    elif absence in ("of the array of a part", "of its end"):
        with h5py.File(tmp_path / "part1.h5", "w") as file:
            file["y" if absence == "of its end" else "z"] = y[100:150]
    with pytest.raises(InputError, match=r"HDF5 reads zeros in"):
        read(tmp_path, "a.h5", follow_links=True)


def test_links_and_storage_outside_of_the_file_are_refused_unless_they_are_asked_for(tmp_path: Path) -> None:
    write_h5(tmp_path, "other.h5", X=X)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["X"], file["y"] = h5py.ExternalLink("other.h5", "/X"), y
        file.create_group("g")["far"] = h5py.ExternalLink("other.h5", "/X")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["y"] = y
        stored = file.create_dataset("X", (200, 4), "f8", external=[(str(tmp_path / "raw.bin"), 0, 6400)])
        stored[...] = X
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["y"], file["far"] = y, h5py.ExternalLink("other.h5", "/X")
        file["X"] = h5py.SoftLink("/far")
    for name in ("a.h5", "b.h5", "c.h5"):
        with pytest.raises(InputError, match="outside of this file"):
            read(tmp_path, name)
        np.testing.assert_array_equal(all_rows(read(tmp_path, name, follow_links=True)), in_order(X))


# --- tables


def test_a_column_that_numbers_the_rows_is_said_and_can_be_ignored(tmp_path: Path) -> None:
    order = np.argsort(y, kind="stable")
    table = {"row": np.arange(200), "a": X[order, 1], "cls": y[order]}
    name = write_csv(tmp_path, table)
    (note,) = suspicions(read(tmp_path, name, "cls"))
    assert "column 'row' has another whole number in every row" in note
    assert 'the classes are sorted by it. Write ignore = ["row"]' in note
    dataset = read(tmp_path, name, "cls", ignore=("r*",))
    assert (dataset.feature_names, dataset.ignored, suspicions(dataset)) == (("a",), ("row",), [])
    assert read(tmp_path, name, "cls", only=("a",)).digest == dataset.digest
    with pytest.raises(InputError, match=r"ignore = 'rows' fits none of its columns.*Did you mean 'row'"):
        read(tmp_path, name, "cls", ignore=("rows",))


def test_the_index_that_pandas_saved_along_is_refused(tmp_path: Path) -> None:
    name = write_csv(tmp_path, {"Unnamed: 0": np.arange(200), "a": X[:, 1], "cls": y})
    with pytest.raises(InputError, match=r"'Unnamed: 0' is the row index .* ignore = \[\"Unnamed: 0\"\]"):
        read(tmp_path, name, "cls")
    assert read(tmp_path, name, "cls", ignore=("Unnamed: 0",)).feature_names == ("a",)


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%y", "%Y-%m-%d %H:%M:%S"])
def test_dates_are_refused_in_a_csv_as_they_are_in_parquet(tmp_path: Path, form: str) -> None:
    sold = pd.date_range("2025-01-01", periods=90)[rng.integers(0, 90, 300)]
    table = {"sold": sold, "area": rng.normal(size=300), "price": rng.normal(size=300)}
    pd.DataFrame(table).to_parquet(tmp_path / "t.parquet")
    name = write_csv(tmp_path, table | {"sold": sold.strftime(form)})
    for source in ("t.parquet", name):
        with pytest.raises(InputError, match=r"column 'sold' holds dates, such as .* Write dates = \"parts\""):
            prepare(read(tmp_path, source, "price"))


@pytest.mark.parametrize("form", ["csv", "parquet", "date", "npz"])
@pytest.mark.parametrize("task", [None, "regression"])
def test_dates_as_labels_are_called_dates_and_never_classes_of_one_example(
    tmp_path: Path, form: str, task: Any
) -> None:
    days = pd.date_range("2025-01-01", periods=200)
    frame = pd.DataFrame({"a": X[:, 0], "sold": days.date if form == "date" else days})
    name = f"t.{'parquet' if form == 'date' else form}"
    if form == "npz":
        np.savez(tmp_path / name, X=X, y=days.strftime("%Y-%m-%d").to_numpy(dtype=str))
    elif form == "csv":
        frame.to_csv(tmp_path / name, index=False)
    else:
        frame.to_parquet(tmp_path / name)
    with pytest.raises(InputError, match=r"holds dates, such as 2025-01-01.*Labels are numbers or names of classes"):
        load_dataset(name, target=None if form == "npz" else "sold", task=task, directory=tmp_path)


def test_semicolons_and_decimal_commas_are_the_same_table(tmp_path: Path) -> None:
    table = {"area": rng.normal(100, 20, 300), "kind": ["a,b", "c"] * 150, "price": rng.normal(300, 40, 300)}
    european = write_csv(tmp_path, table, "e.csv", sep=";", decimal=",")
    mixed = write_csv(tmp_path, table, "m.csv", sep=";")
    plain = read(tmp_path, write_csv(tmp_path, table), "price")
    assert read(tmp_path, european, "price").digest == read(tmp_path, mixed, "price").digest == plain.digest


def test_a_csv_without_a_header_is_suspected_and_read_when_the_user_says_so(tmp_path: Path) -> None:
    pd.DataFrame(np.c_[X, y]).to_csv(tmp_path / "t.csv", index=False, header=False)
    with pytest.raises(InputError, match=r"the first line looks like data.* header = false"):
        read(tmp_path, "t.csv", "cls")
    names = ("a", "b", "c", "d", "cls")
    dataset = read(tmp_path, "t.csv", "cls", header=False, names=names)
    assert (dataset.feature_names, dataset.n_train + dataset.n_test) == (names[:4], 200)
    assert read(tmp_path, "t.csv", "column5", header=False).feature_names[0] == "column1"
    with pytest.raises(InputError, match="4 names for 5 columns"):
        read(tmp_path, "t.csv", "cls", header=False, names=names[1:])


def test_a_header_of_rising_numbers_is_a_header(tmp_path: Path) -> None:
    pd.DataFrame(np.c_[X, y]).to_csv(tmp_path / "t.csv", index=False)
    assert read(tmp_path, "t.csv", "4").feature_names == ("0", "1", "2", "3")


# --- what is said


@pytest.mark.parametrize("wild", [-9999.0, 9.97e36, 1e30])
def test_a_value_that_is_far_from_all_others_is_said_with_its_share(tmp_path: Path, wild: float) -> None:
    table = {"a": np.where(np.arange(200) % 50 == 1, wild, X[:, 0]), "cls": y}
    (note,) = suspicions(read(tmp_path, write_csv(tmp_path, table), "cls"))
    assert "column 'a' has" in note
    assert f"far from all others, such as {wild:.6g}" in note


def test_columns_of_one_value_are_said_in_one_sentence(tmp_path: Path) -> None:
    holes = np.where(np.arange(200) % 3 == 0, np.nan, 7.0)
    constant = {"a": np.full(200, 3), "b": holes, "site": ["Bonn"] * 200}
    table = {"z": X[:, 1], **constant, "sometimes": ["x", ""] * 100, "cls": y}
    dataset = read(tmp_path, write_csv(tmp_path, table), "cls")
    (note,) = suspicions(dataset)
    told = "3 columns have only one value in the 160 training examples and so tell nothing (site, a, b)"
    assert note == f't.csv: {told}. Write ignore = ["site", "a", "b"] under [data].'
    assert suspicions(read(tmp_path, "t.csv", "cls", ignore=("a", "b", "site"))) == []
    (note,) = suspicions(read(tmp_path, "t.csv", "cls", ignore=("b", "site")))
    assert "column 'a' has only one value in the 160 training examples" in note
    many = {f"k{j}": np.zeros(200) for j in range(2000)}
    (note,) = suspicions(read(tmp_path, write_csv(tmp_path, {"z": X[:, 1], **many, "cls": y}), "cls"))
    assert "2,000 columns have" in note
    assert "(k0, k1, k2, k3, k4 and 1995 more). Name them, or a pattern that fits them, in ignore under [data]." in note


def test_columns_of_an_array_cannot_be_left_out_in_the_configuration(tmp_path: Path) -> None:
    told = np.where(y == 1, 5.0, 0.0) + rng.random(200)
    arrays = np.column_stack([X[:, 1], np.arange(200), np.full(200, 3), told])
    np.savez(tmp_path / "a.npz", X=arrays, y=y)
    notes = suspicions(read(tmp_path, "a.npz"))
    for column in ("column 'x1' has another", "column 'x2' has only one", "column 'x3' alone tells"):
        (note,) = (note for note in notes if column in note)
        assert "Leave it out of the array" in note
        assert "ignore" not in note


def test_heavy_tails_and_rare_large_amounts_are_not_far(tmp_path: Path) -> None:
    gain = np.where(rng.random(3000) < 0.005, 99999, np.where(rng.random(3000) < 0.08, rng.lognormal(8, 1, 3000), 0))
    table = {"income": rng.lognormal(3, 1.5, 3000), "gain": gain, "cls": np.arange(3000) % 2}
    assert suspicions(read(tmp_path, write_csv(tmp_path, table), "cls")) == []


def test_a_wild_target_is_said(tmp_path: Path) -> None:
    price = rng.normal(300, 40, 3000)
    price[[3, 4, 5, 6, 7]] = 1e12
    (note,) = suspicions(read(tmp_path, write_csv(tmp_path, {"a": price / 7, "price": price}), "price"))[-1:]
    assert "target 'price' has" in note
    assert "such as 1e+12" in note


def test_test_examples_that_were_trained_on_are_counted(tmp_path: Path) -> None:
    write_csv(tmp_path, {"a": X[:, 0], "b": X[:, 1], "cls": y})
    fresh = rng.normal(size=(30, 2))
    rows = np.r_[X[:20, :2], fresh]
    write_csv(tmp_path, {"a": rows[:, 0], "b": rows[:, 1], "cls": [0, 1] * 25}, "u.csv")
    note = suspicions(read(tmp_path, "t.csv", "cls", test="u.csv"))[-1]
    assert "20 of 50 test examples (40 %) have the same features as a training example" in note
    write_csv(tmp_path, {"a": X[:20, 0], "b": X[:20, 1], "cls": [0, 1] * 10}, "v.csv")
    assert "20 of 20 test examples (100 %)" in suspicions(read(tmp_path, "t.csv", "cls", test="v.csv"))[-1]
    np.savez(tmp_path / "a.npz", X=X[:, :2], y=y, X_test=rows, y_test=[0, 1] * 25)
    assert "20 of 50 test examples (40 %)" in suspicions(read(tmp_path, "a.npz"))[-1]


@pytest.mark.parametrize(
    ("labels", "task", "why"),
    [
        (np.arange(200) % 7, "multiclass", '7 different whole numbers, .* Otherwise write task = "regression"'),
        (np.arange(200) % 26, "regression", '26 different whole numbers, .* Otherwise write task = "multiclass"'),
        (np.arange(200) / 3, "regression", "numbers that are not whole"),
        (np.where(y, "yes", "no"), "binary", "2 different words"),
    ],
)
def test_the_inferred_task_is_said_with_its_reason(tmp_path: Path, labels: NDArray, task: str, why: str) -> None:
    dataset = read(tmp_path, write_csv(tmp_path, {"a": X[:, 0], "y": labels}), "y")
    assert dataset.task == task
    assert re.search(why, dataset.notes[0])
    assert dataset.notes[0].startswith(f"task = \"{task}\", because t.csv: column 'y' holds ")


def test_classes_that_are_counts_are_told_of_the_key_task(tmp_path: Path) -> None:
    counts = np.minimum(np.arange(200) % 50, 4)
    counts[:3] = 9
    dataset = read(tmp_path, write_csv(tmp_path, {"a": X[:, 0], "y": counts}), "y")
    with pytest.raises(InputError, match='If these are quantities, write task = "regression"'):
        prepare(dataset)


@pytest.mark.parametrize("kind", ["threshold", "classes", "words", "price", "word of a price"])
def test_a_column_that_alone_tells_the_answer_is_said(tmp_path: Path, kind: str) -> None:
    three, price = rng.integers(0, 3, 60), rng.normal(size=60).round(3)
    told, target = {
        "threshold": (np.where(three == 1, 5.0, rng.normal(size=60)), (three == 1).astype(int)),
        "classes": (three * 10 + rng.normal(size=60), three),
        "words": (np.array(["x", "y", "z"])[three], (three == 2).astype(int)),
        "price": (np.exp(price), price),
        "word of a price": (np.array(["x", "y", "z"])[three], three / 7),
    }[kind]
    table = {"a": rng.normal(size=60), "told": told, "t": target}
    (note,) = suspicions(read(tmp_path, write_csv(tmp_path, table), "t"))
    assert re.search(
        r"column 'told' alone tells the (class|target) of all 48 training .*Write ignore = \[\"told\"\]", note
    )
    noisy = {**table, "told": np.where(np.arange(60) % 7 == 0, np.roll(told, 1), told)}
    assert suspicions(read(tmp_path, write_csv(tmp_path, noisy), "t")) == []
