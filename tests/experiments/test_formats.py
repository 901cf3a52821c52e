"""The same table in every format is the same data set; parts, patterns and compressed files are what they hold."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather
from sklearn.datasets import dump_svmlight_file

from experiments.dataset import Dataset, load_dataset
from experiments.errors import InputError
from experiments.readers.options import ReadOptions
from experiments.readers.unlabelled import input_format, read_inputs

rng = np.random.default_rng(0)
M = 60
TABLE = pd.DataFrame(
    {
        "area": rng.normal(100, 20, M).round(2),
        "rooms": rng.integers(1, 6, M),
        "roof": rng.choice(["tiles", "none"], M),
        "price": rng.normal(3e5, 1e5, M).round(),
    }
)
TABLE.loc[3, "area"] = np.nan


def read(folder: Path, name: str, target: str | None = "price", test: str | None = None, **options: object) -> Dataset:
    return load_dataset(name, test=test, target=target, directory=folder, options=ReadOptions(**options))  # type: ignore[arg-type]


def gz(frame: pd.DataFrame, path: Path) -> None:
    path.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))


def zst(frame: pd.DataFrame, path: Path) -> None:
    with pa.output_stream(str(path), compression="zstd") as file:
        file.write(frame.to_csv(index=False).encode())


def arff(frame: pd.DataFrame, path: Path) -> None:
    kinds = ["numeric", "numeric", "{tiles,none}", "numeric"]
    head = [f"@attribute {name} {kind}" for name, kind in zip(frame.columns, kinds, strict=True)]
    rows = frame.to_csv(index=False, header=False, na_rep="?")
    path.write_text("\n".join(["% a comment", "@relation houses", *head, "@data", rows]))


def parts(frame: pd.DataFrame, path: Path) -> None:
    path.mkdir()
    for number, rows in enumerate(np.array_split(np.arange(M), 3)):
        frame.iloc[rows].to_parquet(path / f"part-{number:05}.parquet")
    (path / "_SUCCESS").touch()


WRITERS: dict[str, Callable[[pd.DataFrame, Path], object]] = {
    "t.parquet": lambda frame, path: frame.to_parquet(path),
    "t.feather": lambda frame, path: frame.to_feather(path),
    "t.arrow": lambda frame, path: feather.write_feather(frame, path, compression="uncompressed"),
    "t.xlsx": lambda frame, path: frame.to_excel(path, index=False),
    "t.csv.gz": gz,
    "t.csv.zst": zst,
    "t.arff": arff,
    "parts": parts,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_table_is_the_same_data_in_every_format_and_to_a_model(tmp_path: Path, name: str) -> None:
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    WRITERS[name](TABLE, tmp_path / name)
    assert read(tmp_path, name).digest == read(tmp_path, "t.csv").digest
    if (tmp_path / name).is_file():
        inputs = read_inputs(tmp_path / name, input_format(tmp_path / name))
        assert list(inputs.columns) == list(TABLE.columns)  # type: ignore[union-attr]
        assert len(inputs) == M


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "parts"])
def test_a_damaged_file_is_refused_and_nothing_stays_behind(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    WRITERS[name](TABLE, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for n in (30, len(whole) // 2):
        (tmp_path / name).write_bytes(whole[:n])
        with pytest.raises(InputError, match=re.escape(name)):
            read(tmp_path, name)
    assert not list((tmp_path / "temporary").iterdir())


def test_a_pattern_stands_for_the_files_that_fit_in_the_order_of_their_names(tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "whole.csv", index=False)
    (tmp_path / "sales").mkdir()
    TABLE[40:].to_csv(tmp_path / "sales" / "2025.csv", index=False)
    gz(TABLE[:40][["price", "roof", "rooms", "area"]], tmp_path / "sales" / "2024.csv.gz")
    digest = read(tmp_path, "whole.csv").digest
    told: list[tuple[str, int, int]] = []
    columns = TABLE[["price", "roof", "rooms", "area"]]
    columns.to_csv(tmp_path / "whole.csv", index=False)
    there = load_dataset("sales/20*", target="price", directory=tmp_path, advance=lambda *how_far: told.append(how_far))
    assert there.digest == read(tmp_path, "whole.csv").digest != digest  # columns in the first part's order
    assert told == [("sales/20*", 1, 2), ("sales/20*", 2, 2)]
    with pytest.raises(InputError, match=r"sales/19\*: no file fits this pattern"):
        read(tmp_path, "sales/19*")


def test_what_is_in_the_names_of_folders_is_a_column(tmp_path: Path) -> None:
    for roof, rows in TABLE.groupby("roof"):
        (tmp_path / "hive" / f"roof={roof}").mkdir(parents=True)
        rows.drop(columns="roof").to_parquet(tmp_path / "hive" / f"roof={roof}" / "a.parquet")
    in_order = pd.concat([rows for _, rows in TABLE.groupby("roof")])[["area", "rooms", "price", "roof"]]
    in_order.to_csv(tmp_path / "t.csv", index=False)
    assert read(tmp_path, "hive").digest == read(tmp_path, "t.csv").digest


def test_all_parts_with_other_columns_are_told(tmp_path: Path) -> None:
    parts(TABLE, tmp_path / "parts")
    TABLE[:5].rename(columns={"roof": "rooof"}).to_parquet(tmp_path / "parts" / "part-9.parquet")
    TABLE[:5].drop(columns="area").to_parquet(tmp_path / "parts" / "part-8.parquet")
    with pytest.raises(InputError, match=r"parts: 2 problems") as caught:
        read(tmp_path, "parts")
    assert "part-8.parquet lacks area, other than part-00000.parquet" in str(caught.value)
    assert "part-9.parquet lacks roof and has rooof beside" in str(caught.value)
    (tmp_path / "parts" / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=r"parts/\*: 1 of 6 files is no table: notes.txt"):
        read(tmp_path, "parts/*")


def test_numbers_with_text_among_them_decide_in_a_workbook_as_in_a_csv(tmp_path: Path) -> None:
    frame = TABLE.astype({"rooms": object})
    frame.loc[[1, 2], "rooms"] = ["?", "#DIV/0!"]
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_excel(tmp_path / "t.xlsx", index=False)
    assert read(tmp_path, "t.xlsx").digest == read(tmp_path, "t.csv").digest


def test_a_workbook_of_several_sheets_or_without_names_is_refused(tmp_path: Path) -> None:
    with pd.ExcelWriter(tmp_path / "two.xlsx") as workbook:
        TABLE.to_excel(workbook, sheet_name="2024", index=False)
        TABLE.to_excel(workbook, sheet_name="2025", index=False)
    with pytest.raises(InputError, match=r"two.xlsx: 2 of its sheets hold something: 2024, 2025"):
        read(tmp_path, "two.xlsx")
    TABLE.to_excel(tmp_path / "index.xlsx")
    with pytest.raises(InputError, match=r"index.xlsx: column 1 has no name"):
        read(tmp_path, "index.xlsx")


@pytest.mark.parametrize("is_zero_based", [True, False])
def test_libsvm_is_the_array_it_was_written_from_however_it_counts(tmp_path: Path, is_zero_based: bool) -> None:
    X = rng.normal(size=(M, 4)) * (rng.random((M, 4)) < 0.6)
    y = np.where(X[:, 0] + rng.normal(size=M) > 0, 1, -1)
    dump_svmlight_file(X[:40], y[:40], str(tmp_path / "a.svm"), zero_based=is_zero_based)
    dump_svmlight_file(X[40:] * [1, 1, 1, 0], y[40:], str(tmp_path / "b.svm"), zero_based=is_zero_based)
    dataset = read(tmp_path, "a.svm", None, "b.svm")
    first = 0 if is_zero_based else 1
    np.testing.assert_allclose(dataset.X_train[:, first:], X[:40])  # type: ignore[call-overload]
    np.testing.assert_allclose(dataset.X_test[:, first:], X[40:] * [1, 1, 1, 0])  # type: ignore[call-overload]
    assert dataset.class_names == ("-1", "1")
    alone = read_inputs(tmp_path / "b.svm", input_format(tmp_path / "b.svm"), (4 + first,))
    np.testing.assert_array_equal(alone, dataset.X_test)


@pytest.mark.parametrize(
    ("text", "match"),
    [("1 1:x\n", "cannot be read in LIBSVM's format"), ("1 2000000000:1\n", "GB when no 0 is left out")],
)
def test_a_libsvm_file_that_is_none_or_too_large_is_refused(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "a.svm").write_text(text * 3)
    with pytest.raises(InputError, match=match):
        read(tmp_path, "a.svm", None)


def test_an_arff_file_of_texts_is_refused_with_a_cure(tmp_path: Path) -> None:
    (tmp_path / "t.arff").write_text("@relation t\n@attribute a string\n@attribute price numeric\n@data\n'x',1\n")
    with pytest.raises(InputError, match=r"t.arff: this ARFF file cannot be read .*Save it as CSV"):
        read(tmp_path, "t.arff")


def test_an_offset_that_points_outside_is_refused_and_never_followed(tmp_path: Path) -> None:
    texts = pa.table({"roof": ["tiles", "slate", "thatch"] * 10, "price": list(range(30))})
    feather.write_feather(texts, tmp_path / "t.arrow", compression="uncompressed")
    whole = (tmp_path / "t.arrow").read_bytes()
    offsets, wrong = (np.array(numbers, "<i4").tobytes() for numbers in ([0, 5, 10, 16], [0, 2**30, 10, 16]))
    assert whole.count(offsets) == 1
    (tmp_path / "t.arrow").write_bytes(whole.replace(offsets, wrong))
    with pytest.raises(InputError, match=r"t\.arrow: the Feather file is truncated or damaged"):
        read(tmp_path, "t.arrow")


def test_an_archive_of_a_version_that_nobody_knows_is_no_workbook(tmp_path: Path) -> None:
    TABLE.to_excel(tmp_path / "t.xlsx", index=False)
    content = bytearray((tmp_path / "t.xlsx").read_bytes())
    content[content.rfind(b"PK\x01\x02") + 6] = 168  # the version that is needed to read the last member
    (tmp_path / "t.xlsx").write_bytes(content)
    with pytest.raises(InputError, match="not an Excel file, although its name ends in"):
        read(tmp_path, "t.xlsx")
