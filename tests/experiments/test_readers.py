"""Every file that a user can get wrong is answered with a message, and no format changes the content."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn import datasets

from experiments.dataset import load_dataset
from experiments.errors import InputError
from experiments.readers.options import ReadOptions
from experiments.readers.sklearn_sets import read_sklearn_set

X = np.random.default_rng(0).normal(size=(40, 3))
y = np.arange(40) % 2


def write_h5(path: Path, **arrays: NDArray) -> str:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path.name


def write_npz(path: Path, **arrays: NDArray) -> str:
    np.savez(path, allow_pickle=True, **arrays)
    return path.name


def write_text(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return path.name


def course_arrays(m: int = 20, n_labels: int | None = None) -> dict[str, NDArray]:
    images = np.random.default_rng(1).integers(0, 256, size=(m, 4, 4, 3), dtype=np.uint8)
    labels = np.arange(m if n_labels is None else n_labels) % 2
    return {"train_set_x": images, "train_set_y": labels, "list_classes": np.array([b"non-cat", b"cat"])}


def course_test_arrays(m: int = 6) -> dict[str, NDArray]:
    images = np.random.default_rng(2).integers(0, 256, size=(m, 4, 4, 3), dtype=np.uint8)
    return {"test_set_x": images, "test_set_y": np.arange(m) % 2, "list_classes": np.array([b"non-cat", b"cat"])}


# --- what can be read


def test_the_course_layout_reads_the_same_from_one_file_or_two(tmp_path: Path) -> None:
    write_h5(tmp_path / "both.h5", **{**course_test_arrays(), **course_arrays()})
    write_h5(tmp_path / "a.h5", **course_arrays())
    write_h5(tmp_path / "b.h5", **course_test_arrays())
    one = load_dataset("both.h5", directory=tmp_path)
    two = load_dataset("a.h5", test="b.h5", directory=tmp_path)
    assert one.digest == two.digest
    assert (one.task, one.class_names, one.image_shape) == ("binary", ("non-cat", "cat"), (4, 4, 3))
    assert (one.n_train, one.n_test, one.n_features, one.n_classes) == (20, 6, 48, 2)
    assert isinstance(one.X_train, np.ndarray)
    assert one.X_train.dtype == np.uint8


def test_labels_may_lie_in_one_row(tmp_path: Path) -> None:
    flat = write_h5(tmp_path / "flat.h5", **course_arrays())
    row = course_arrays()
    row["train_set_y"] = row["train_set_y"][np.newaxis, :]
    rows = write_h5(tmp_path / "row.h5", **row)
    assert load_dataset(flat, directory=tmp_path).digest == load_dataset(rows, directory=tmp_path).digest


@pytest.mark.parametrize("write", [write_h5, write_npz])
def test_generic_and_keras_names_are_known(tmp_path: Path, write: Callable[..., str]) -> None:
    suffix = "h5" if write is write_h5 else "npz"
    test = {"X_test": X[:8], "y_test": y[:8]}
    generic = write(tmp_path / f"a.{suffix}", X=X, y=y, **test)
    keras = write(tmp_path / f"b.{suffix}", x_train=X, y_train=y, x_test=X[:8], y_test=y[:8])
    datasets = [load_dataset(name, directory=tmp_path) for name in (generic, keras)]
    assert {(d.n_train, d.n_test) for d in datasets} == {(40, 8)}
    assert datasets[0].digest == datasets[1].digest


def test_hdf5_and_npz_of_the_same_arrays_have_one_digest(tmp_path: Path) -> None:
    names = [write_h5(tmp_path / "a.h5", X=X, y=y), write_npz(tmp_path / "b.npz", X=X, y=y)]
    with h5py.File(tmp_path / "c.hdf5", "w") as file:
        file.create_dataset("X", data=X.astype(">f8"), compression="gzip")
        file["y"] = y.astype(np.uint8)
    digests = {load_dataset(name, directory=tmp_path).digest for name in [*names, "c.hdf5"]}
    assert len(digests) == 1


def test_text_labels_of_arrays_become_class_names(tmp_path: Path) -> None:
    labels = np.array(["dog", "cat"])[y]
    npz = load_dataset(write_npz(tmp_path / "a.npz", X=X, y=labels), directory=tmp_path)
    h5 = load_dataset(write_h5(tmp_path / "a.h5", X=X, y=labels.astype("S")), directory=tmp_path)
    assert npz.class_names == h5.class_names == ("cat", "dog")
    assert npz.digest == h5.digest


def test_grey_images_gain_a_channel(tmp_path: Path) -> None:
    grey = np.zeros((20, 5, 7), dtype=np.uint8)
    dataset = load_dataset(write_npz(tmp_path / "g.npz", X=grey, y=y[:20]), directory=tmp_path)
    assert dataset.image_shape == (5, 7, 1)
    assert dataset.X_train.shape[1:] == (5, 7, 1)


def test_a_file_is_recognised_by_its_content_whatever_its_name(tmp_path: Path) -> None:
    write_h5(tmp_path / "a.h5", X=X, y=y)
    (tmp_path / "a.data").write_bytes((tmp_path / "a.h5").read_bytes())
    assert load_dataset("a.data", directory=tmp_path).digest == load_dataset("a.h5", directory=tmp_path).digest


def messy_frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "rooms": rng.integers(1, 9, 50),
            "area": rng.normal(80, 30, 50) / 3,
            "town": rng.choice(["Ulm", "Köln", "a, b"], 50),
            "garden": rng.random(50) < 0.5,
            "price": rng.normal(1000, 200, 50),
        }
    )
    frame["area"] = frame["area"].mask(frame.index % 7 == 0)
    frame["town"] = frame["town"].mask(frame.index % 11 == 0)
    return frame


def test_csv_tsv_and_parquet_of_the_same_table_have_one_digest(tmp_path: Path) -> None:
    frame = messy_frame()
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_csv(tmp_path / "bom.csv", index=False, encoding="utf-8-sig", lineterminator="\r\n")
    frame.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    frame.to_parquet(tmp_path / "t.parquet")
    frame.astype({"town": "category", "rooms": "Int64"}).to_parquet(tmp_path / "types.parquet")
    names = ["t.csv", "bom.csv", "t.tsv", "t.parquet", "types.parquet"]
    datasets = [load_dataset(name, target="price", directory=tmp_path) for name in names]
    assert len({dataset.digest for dataset in datasets}) == 1
    assert datasets[0].task == "regression"
    assert datasets[0].feature_names == ("rooms", "area", "town", "garden")
    assert isinstance(datasets[0].X_train, pd.DataFrame)
    assert [str(dtype) for dtype in datasets[0].X_train.dtypes] == ["float64", "float64", "str", "str"]


def test_a_test_table_may_have_its_columns_in_another_order(tmp_path: Path) -> None:
    frame = messy_frame()
    frame[:40].to_csv(tmp_path / "a.csv", index=False)
    frame[40:].to_csv(tmp_path / "b.csv", index=False)
    frame.loc[40:, ["price", "garden", "town", "area", "rooms"]].to_csv(tmp_path / "c.csv", index=False)
    b, c = (load_dataset("a.csv", test=t, target="price", directory=tmp_path) for t in ("b.csv", "c.csv"))
    assert b.digest == c.digest
    assert (b.n_train, b.n_test) == (40, 10)


def test_a_byte_order_mark_does_not_hide_the_quotes_of_the_first_header(tmp_path: Path) -> None:
    text = '\ufeff"a, b",label\n' + "".join(f"{i},{i % 2}\n" for i in range(20))
    dataset = load_dataset(write_text(tmp_path / "t.csv", text), target="label", directory=tmp_path)
    assert dataset.feature_names == ("a, b",)


def test_blank_lines_in_a_csv_are_skipped(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i % 2}\n\n" for i in range(20))
    dataset = load_dataset(write_text(tmp_path / "t.csv", "a,b\n" + rows), target="b", directory=tmp_path)
    assert dataset.n_train + dataset.n_test == 20


MIXED_ROWS = ["01,TRUE,None,1.5,01\n", "02,FALSE,NA,NA,02\n", "A3,maybe,tiles,,A3\n"]


def write_mixed(directory: Path) -> None:
    """Text that looks like numbers, truth values and missing values but for one row in three; and a part of it."""
    write_text(directory / "train.csv", "code,flag,roof,size,y\n" + "".join(MIXED_ROWS * 10))
    write_text(directory / "part.csv", "code,flag,roof,size,y\n" + "".join(MIXED_ROWS[:2] * 3))


def test_the_training_table_decides_what_a_column_of_another_csv_holds(tmp_path: Path) -> None:
    write_mixed(tmp_path)
    dataset = load_dataset("train.csv", test="part.csv", target="y", directory=tmp_path)
    assert dataset.class_names == ("01", "02", "A3")
    assert dataset.y_test.tolist() == [0, 1] * 3
    assert isinstance(dataset.X_test, pd.DataFrame)
    assert dataset.X_test["code"].tolist() == ["01", "02"] * 3
    assert dataset.X_test["flag"].tolist() == ["True", "False"] * 3


def test_words_for_missing_are_missing_among_numbers_and_words_among_text(tmp_path: Path) -> None:
    write_mixed(tmp_path)
    dataset = load_dataset("train.csv", test="part.csv", target="y", directory=tmp_path)
    assert isinstance(dataset.X_train, pd.DataFrame)
    assert dataset.X_train["size"].tolist()[0] == 1.5
    assert dataset.X_train["size"].isna().tolist() == [False, True, True] * 10
    assert set(dataset.X_train["roof"]) == {"None", "NA", "tiles"}
    rows = "".join(f"{i},{('None', 'Stone', 'empty')[i % 3]}\n" for i in range(30))
    walls = load_dataset(write_text(tmp_path / "walls.csv", "x,wall\n" + rows), target="wall", directory=tmp_path)
    assert walls.class_names == ("None", "Stone", "empty")


@pytest.mark.parametrize("word", ["NA", "nan", "NULL", "None", "N/A", " ", "#N/A"])
def test_a_missing_number_may_be_a_word(tmp_path: Path, word: str) -> None:
    frame = pd.DataFrame({"a": [str(i) for i in range(20)], "b": [0, 1] * 10})
    frame.loc[3, "a"] = word
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    dataset = load_dataset("t.csv", test="t.tsv", target="b", directory=tmp_path)
    for X in (dataset.X_train, dataset.X_test):
        assert isinstance(X, pd.DataFrame)
        np.testing.assert_array_equal(X["a"], [np.nan if i == 3 else i for i in range(20)])
    refused(tmp_path, "column 'a' has 1 missing value: row 3", "t.csv", target="a")


@pytest.mark.parametrize("words", [("True", "False"), ("TRUE", "FALSE"), ("true", "false")])
def test_truth_values_of_a_csv_are_those_of_parquet(tmp_path: Path, words: tuple[str, str]) -> None:
    flags = np.arange(40) % 3 == 0
    frame = pd.DataFrame({"a": range(40), "flag": flags, "y": flags[::-1]})
    frame.to_parquet(tmp_path / "t.parquet")
    frame.replace({True: words[0], False: words[1]}).to_csv(tmp_path / "t.csv", index=False)
    datasets = [load_dataset(name, target="y", directory=tmp_path) for name in ("t.parquet", "t.csv")]
    assert datasets[0].digest == datasets[1].digest
    assert datasets[0].class_names == ("False", "True")


@pytest.mark.parametrize(
    ("name", "task", "n", "n_features", "n_classes"),
    [
        ("breast_cancer", "binary", 569, 30, 2),
        ("digits", "multiclass", 1797, 64, 10),
        ("diabetes", "regression", 442, 10, 0),
        ("iris", "multiclass", 150, 4, 3),
        ("wine", "multiclass", 178, 13, 3),
    ],
)
def test_the_sets_inside_scikit_learn(name: str, task: str, n: int, n_features: int, n_classes: int) -> None:
    dataset = load_dataset(f"sklearn:{name}")
    assert (dataset.name, dataset.source, dataset.task) == (name, f"sklearn:{name}", task)
    assert dataset.n_train + dataset.n_test == n
    assert (dataset.n_features, dataset.n_classes) == (n_features, n_classes)
    assert dataset.image_shape == ((8, 8, 1) if name == "digits" else None)
    assert len(dataset.feature_names) == (0 if name == "digits" else n_features)


@pytest.mark.parametrize("name", ["breast_cancer", "digits", "diabetes", "iris", "wine"])
def test_they_are_to_the_bit_what_scikit_learn_loads(name: str) -> None:
    examples = read_sklearn_set(name).train
    loaded = getattr(datasets, f"load_{name}")()
    assert examples is not None
    np.testing.assert_array_equal(examples.X, loaded.data)
    np.testing.assert_array_equal(examples.y, loaded.target)
    assert list(examples.feature_names) == ([] if name == "digits" else list(loaded.feature_names))
    classes = [str(name) for name in loaded.target_names] if "target_names" in loaded else []
    assert list(examples.listed_classes or []) == classes


def test_the_courses_images(cats_directory: Path) -> None:
    dataset = load_dataset("train_catvnoncat.h5", test="test_catvnoncat.h5", directory=cats_directory)
    assert (dataset.name, dataset.task, dataset.class_names) == ("train_catvnoncat", "binary", ("non-cat", "cat"))
    assert (dataset.n_train, dataset.n_test, dataset.image_shape) == (209, 50, (64, 64, 3))
    assert np.bincount(dataset.y_train).tolist() == [137, 72]


# --- what cannot


def refused(directory: Path, match: str, train: str, **options: object) -> None:
    with pytest.raises(InputError, match=match) as caught:
        load_dataset(train, directory=directory, **options)  # type: ignore[arg-type]
    error = caught.value
    assert all(part.strip() and part.rstrip()[-1] in ".?)" for part in (error.what, error.allowed, error.fix))
    assert "\n" not in str(error)


def test_a_missing_file(tmp_path: Path) -> None:
    refused(tmp_path, r"cats\.h5: there is no such file", "cats.h5")


def test_a_missing_test_file(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", X=X, y=y)
    refused(tmp_path, r"b\.npz: there is no such file", "a.npz", test="b.npz")


def test_a_directory_for_a_file(tmp_path: Path) -> None:
    (tmp_path / "d.h5").mkdir()
    refused(tmp_path, r"d\.h5: holds nothing, and no folder of a class", "d.h5")


def test_an_empty_file(tmp_path: Path) -> None:
    refused(tmp_path, "the file is empty", write_text(tmp_path / "a.csv", ""))


@pytest.mark.parametrize("suffix", ["h5", "npz", "parquet"])
def test_a_name_that_promises_another_format(tmp_path: Path, suffix: str) -> None:
    name = write_text(tmp_path / f"a.{suffix}", "these are not the bytes you are looking for")
    refused(tmp_path, r"not an? (HDF5|NPZ|Parquet) file", name)


def test_an_unknown_format(tmp_path: Path) -> None:
    refused(tmp_path, "'.xyz' is of a known format", write_text(tmp_path / "a.xyz", "hello world"))


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("suffix", ["h5", "npz", "parquet"])
def test_a_truncated_file(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "h5":
        write_h5(path, X=np.random.default_rng(0).normal(size=(500, 20)), y=np.arange(500) % 2)
    elif suffix == "npz":
        write_npz(path, X=X, y=y)
    else:
        messy_frame().to_parquet(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refused(tmp_path, "truncated or damaged", path.name, target="price" if suffix == "parquet" else None)


def test_hdf5_with_damaged_chunks(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "X", data=np.random.default_rng(0).normal(size=(500, 20)), fletcher32=True, chunks=(500, 20)
        )
        file["y"] = np.arange(500) % 2
        offset = file["X"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset + 100] ^= 0xFF
    path.write_bytes(content)
    refused(tmp_path, "truncated or damaged", "a.h5")


@pytest.mark.parametrize("write", [write_h5, write_npz])
def test_neither_known_layout_lists_what_was_found(tmp_path: Path, write: Callable[..., str]) -> None:
    name = write(tmp_path / ("a.h5" if write is write_h5 else "a.npz"), images=X, labels=y)
    refused(tmp_path, "no examples found; its arrays are images, labels.*X with y", name)


def test_hdf5_without_any_array(tmp_path: Path) -> None:
    refused(tmp_path, "its arrays are none", write_h5(tmp_path / "a.h5"))


def zipped(path: Path, *members: str) -> str:
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, "<x/>")
    return path.name


def test_a_workbook_that_is_none_is_called_by_its_name(tmp_path: Path) -> None:
    name = zipped(tmp_path / "houses.xlsx", "[Content_Types].xml", "xl/workbook.xml")
    refused(tmp_path, r"houses\.xlsx: the Excel file is truncated or damaged", name, target="price")


def test_a_zip_archive_that_is_no_npz(tmp_path: Path) -> None:
    refused(tmp_path, "its extension '.zip' is of a known format", zipped(tmp_path / "a.zip", "sheet.xml"))
    refused(tmp_path, "no examples found; its arrays are sheet.xml", zipped(tmp_path / "a.npz", "sheet.xml"))
    write_npz(tmp_path / "b.npz", X=X, y=y)
    (tmp_path / "b.npz").rename(tmp_path / "b.data")
    assert load_dataset("b.data", directory=tmp_path).n_features == 3


def test_a_path_that_the_system_refuses(tmp_path: Path) -> None:
    refused(tmp_path, r"a\.csv: cannot be opened \(File name too long\)", "a" * 300 + "a.csv", target="y")


def test_an_npz_whose_header_promises_more_than_any_memory(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**50, 3)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("X.npy", header.getvalue())
        archive.writestr("y.npy", header.getvalue())
    refused(tmp_path, "the NPZ file is truncated or damaged", "a.npz")


@pytest.mark.parametrize("link", [h5py.SoftLink("/gone"), h5py.ExternalLink("gone.h5", "/X")])
def test_a_link_to_an_array_that_is_not_there(tmp_path: Path, link: h5py.SoftLink | h5py.ExternalLink) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["X"] = link
        file["y"] = y
    options = ReadOptions(follow_links=True)
    refused(tmp_path, r"a\.h5: 'X' is a link to an array that is not there", "a.h5", options=options)


def test_labels_without_examples_or_the_other_way_round(tmp_path: Path) -> None:
    refused(tmp_path, "'y' is missing; the file's arrays are X", write_h5(tmp_path / "a.h5", X=X))


def test_a_group_in_place_of_an_array(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["X/deep"] = X
        file["y"] = y
    refused(tmp_path, "'X' is a group", "a.h5")


def test_208_labels_for_209_images(tmp_path: Path) -> None:
    name = write_h5(tmp_path / "train.h5", **course_arrays(209, 208))
    refused(tmp_path, r"train\.h5: 'train_set_y' has 208 labels for 209 images", name)


def test_nan_and_infinity_say_how_many_and_where(tmp_path: Path) -> None:
    bad = X.copy()
    bad[3, 1], bad[7, 1] = np.nan, -np.inf
    name = write_npz(tmp_path / "a.npz", X=bad, y=y)
    refused(tmp_path, r"2 values that are NaN or infinite: in rows 3, 7; in column 1", name)


@pytest.mark.parametrize("features", [X.astype("S5"), X.astype(complex)])
def test_features_that_are_not_numbers(tmp_path: Path, features: NDArray) -> None:
    refused(tmp_path, "holds (text|complex numbers), not numbers", write_npz(tmp_path / "a.npz", X=features, y=y))


@pytest.mark.parametrize("key", ["X", "y"])
def test_objects_in_an_npz_are_never_unpickled(tmp_path: Path, key: str) -> None:
    arrays = {"X": X, "y": y}
    arrays[key] = arrays[key].astype(object)
    refused(tmp_path, f"'{key}' is an array of Python objects", write_npz(tmp_path / "a.npz", **arrays))


@pytest.mark.parametrize("shape", [(40,), (40, 1, 1, 1, 3)])
def test_features_of_a_strange_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    refused(tmp_path, r"has shape \(40,", write_npz(tmp_path / "a.npz", X=np.ones(shape), y=y))


def test_no_examples_at_all(tmp_path: Path) -> None:
    refused(tmp_path, "is empty: its shape is", write_npz(tmp_path / "a.npz", X=X[:0], y=y[:0]))


def test_one_hot_labels(tmp_path: Path) -> None:
    refused(tmp_path, "argmax", write_npz(tmp_path / "a.npz", X=X, y=np.eye(2)[y]))


def test_an_unknown_set_of_scikit_learn(tmp_path: Path) -> None:
    refused(tmp_path, "Did you mean 'digits'", "sklearn:digit")


def test_a_target_for_arrays(tmp_path: Path) -> None:
    refused(tmp_path, "this is not a table", write_npz(tmp_path / "a.npz", X=X, y=y), target="y")


# --- tables that cannot be read

GOOD_ROWS = "".join(f"{i},{i * 2},{i % 2}\n" for i in range(20))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a,b,label\n", "the table has no rows"),
        ("a,b,label\n1,2,0\n1,2,0,9\n", "line 3 has 4 values under 3 headers"),
        ("a,b,label\n1,2,0\n1,2\n", "line 3 has 2 values under 3 headers"),
        ("a,b,label\n1,2,0,5\n1,2,0,5\n", "line 2 has 4 values under 3 headers"),
        ('a,b,label\n1,"2,0\n1,2,0\n', "cannot be read as CSV"),
        ("a,a,label\n" + GOOD_ROWS, "two columns are named 'a'"),
        (",a,label\n" + GOOD_ROWS, "column 1 has no name"),
        ("a;b;label\n1;2;0\n3,4;5\n", "line 3 has 2 values under 3 headers"),
        ("label\n0\n1\n", "the target 'label' is the only column"),
        ("a,b,label\n1,2,0\n1,2,\n1,2,\n", "column 'label' has 2 missing values: rows 1, 2"),
        ("a,b,label\n1,2,0\ninf,2,1\n", "column 'a' has 1 infinite value: row 1"),
    ],
)
def test_an_unsound_csv(tmp_path: Path, text: str, match: str) -> None:
    refused(tmp_path, match, write_text(tmp_path / "t.csv", text), target="label")


def test_a_csv_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("town,label\nKöln,1\n".encode("latin-1"))
    refused(tmp_path, "not UTF-8 text", "t.csv", target="label")


def test_a_binary_file_named_csv(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(bytes(range(256)) * 4)
    refused(tmp_path, "not UTF-8 text", "t.csv", target="label")


def test_a_table_without_a_target(tmp_path: Path) -> None:
    name = write_text(tmp_path / "t.csv", "a,b,label\n" + GOOD_ROWS)
    refused(tmp_path, r"target is not given.*a, b, label.*target = 'label'", name)


def test_an_unknown_target_suggests_the_nearest(tmp_path: Path) -> None:
    name = write_text(tmp_path / "t.csv", "a,b,label\n" + GOOD_ROWS)
    refused(tmp_path, "no target column 'lable'.*Did you mean 'label'", name, target="lable")


def test_an_empty_parquet(tmp_path: Path) -> None:
    messy_frame()[:0].to_parquet(tmp_path / "t.parquet")
    refused(tmp_path, "the table has no rows", "t.parquet", target="price")


def test_parquet_with_two_columns_of_one_name(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table([pa.array([1, 2])] * 3, names=["a", "a", "label"]), tmp_path / "t.parquet")
    refused(tmp_path, "two columns are named 'a'", "t.parquet", target="label")


@pytest.mark.parametrize("values", [[[1, 2]] * 50, [b"bytes"] * 50, [{"a": 1}] * 50])
def test_a_column_that_is_neither_numbers_nor_text(tmp_path: Path, values: object) -> None:
    messy_frame().assign(when=values).to_parquet(tmp_path / "t.parquet")
    refused(tmp_path, "column 'when' holds values of type", "t.parquet", target="price")
    refused(tmp_path, r"^t\.parquet: column 'when' holds values of type", "t.parquet", target="when")


def test_a_test_table_with_other_columns(tmp_path: Path) -> None:
    frame = messy_frame()
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.drop(columns="rooms").to_csv(tmp_path / "less.csv", index=False)
    frame.assign(extra=1).to_csv(tmp_path / "more.csv", index=False)
    frame.rename(columns={"rooms": "Rooms"}).to_csv(tmp_path / "renamed.csv", index=False)
    options = {"target": "price"}
    refused(tmp_path, "1 of 4 feature columns is missing: rooms", "a.csv", test="less.csv", **options)
    refused(tmp_path, "1 column is no feature of the training examples: extra", "a.csv", test="more.csv", **options)
    refused(tmp_path, "Did you mean 'rooms'", "a.csv", test="renamed.csv", **options)


def test_a_test_table_with_text_among_the_numbers(tmp_path: Path) -> None:
    frame = messy_frame()
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.astype({"rooms": object}).assign(rooms=["many", *frame["rooms"][1:]]).to_csv(tmp_path / "b.csv", index=False)
    refused(tmp_path, "1 value that is no number, first 'many' in row 0", "a.csv", test="b.csv", target="price")


def test_loading_the_module_loads_no_heavy_library() -> None:
    import subprocess
    import sys

    heavy = "('pandas', 'sklearn', 'scipy', 'h5py', 'pyarrow', 'optuna')"
    code = f"import sys, experiments.dataset; print([m for m in {heavy} if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
