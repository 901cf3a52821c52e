"""Tables that are read and prepared without a copy of their text or of their numbers: what comes of it is the same."""

import errno
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from experiments import control_groups
from experiments.dataset import Dataset, load_dataset
from experiments.errors import InputError
from experiments.preparation import prepare
from experiments.readers import csv_columns, room, table
from experiments.readers.inputs import fit_inputs
from experiments.readers.number_block import column_parts, divided, frame_of
from experiments.readers.options import ReadOptions
from experiments.scaling import standardization

rng = np.random.default_rng(4)


def number(row: int) -> str:
    return repr(float(rng.normal()))


CELLS: dict[str, Callable[[int], str]] = {
    "numbers": number,
    "padded": lambda row: f" {number(row)} ",
    "with plus": lambda row: f"+{number(row)}",
    "missing in words": lambda row: ("NA", "nan", "?", "-nan", "")[row % 5] if row % 7 == 0 else number(row),
    "empty": lambda row: "",
    "nan alone": lambda row: "nan",
    "leading zeros": lambda row: f"0{row % 5}",
    "codes": lambda row: "A3" if row == 50 else f"0{row % 5}",
    "a word at the end": lambda row: "word" if row == 59 else str(row % 2),
    "quoted numbers": lambda row: f'"{number(row)}"',
    "quoted text": lambda row: f'"x, ""{row % 3}""\n"',
    "quotes inside": lambda row: f'x"{row % 3}',
    "a quote left open": lambda row: '"x' if row == 59 else "x",
    "text after a quote": lambda row: '"x"z' if row == 3 else "z",
    "infinity": lambda row: "inf" if row == 5 else number(row),
    "a nan of its own": lambda row: "nan(x)" if row == 3 else number(row),
    "hexadecimal": lambda row: f"0x1{row % 9}",
    "beyond int64": lambda row: str(2**70 + row),
    "truth": lambda row: ("true", "TRUE", "False")[row % 3],
    "accents": lambda row: "éü"[row % 2],
    "blanks": lambda row: " ",
}


def write_odd(folder: Path, cell: str, end: str = "\n", before: str = "") -> str:
    rows = [f"{CELLS[cell](row)},{number(row)},{'ab'[row % 2]}" for row in range(60)]
    (folder / "odd.csv").write_bytes((before + end.join(["a,b,y", *rows]) + end).encode())
    return "odd.csv"


def outcome(folder: Path, name: str) -> tuple[str, Dataset | None]:
    try:
        dataset = load_dataset(name, target="y", directory=folder)
    except InputError as error:
        return str(error), None
    return dataset.digest, dataset


@pytest.fixture(params=["split by pyarrow", "as a wide one"])
def splitter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to split a CSV."""
    if request.param == "as a wide one":
        monkeypatch.setattr(csv_columns, "_WIDE", 1)


@pytest.mark.parametrize("block", [512, 2**19])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.usefixtures("splitter")
def test_a_csv_read_by_columns_is_the_one_that_is_read_as_text(
    cell: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = write_odd(tmp_path, cell)
    monkeypatch.setattr(csv_columns, "_BLOCK", block)
    monkeypatch.setattr(csv_columns, "_BYTES_A_VALUE", 1)
    by_columns, dataset = outcome(tmp_path, name)
    monkeypatch.setattr(table, "read_columns", lambda *_: None)
    as_text, other = outcome(tmp_path, name)
    assert by_columns == as_text
    if dataset is not None:
        assert other is not None
        assert isinstance(dataset.X_train, pd.DataFrame)
        assert isinstance(other.X_train, pd.DataFrame)
        pd.testing.assert_frame_equal(dataset.X_train, other.X_train)


@pytest.mark.parametrize(
    "cell",
    [
        number,
        lambda row: f"{row},5",
        lambda row: f"{row},5" if row == 59 else str(row),
        lambda row: "1.5" if row == 59 else f"{row},5",
        lambda row: f'"{row},5"',
        lambda row: "" if row == 3 else f"-{row},25",
        lambda row: "abc,d"[row % 5],
    ],
)
@pytest.mark.usefixtures("splitter")
def test_semicolons_and_decimal_commas_are_read_by_columns_as_they_are_as_text(
    cell: Callable[[int], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_columns, "_BLOCK", 256)
    monkeypatch.setattr(csv_columns, "_BYTES_A_VALUE", 1)
    rows = [f"{cell(row)};{number(row)};{'ab'[row % 2]}" for row in range(60)]
    (tmp_path / "odd.csv").write_text("\n".join(["a;b;y", *rows, ""]))
    (by_columns, dataset), read = outcome(tmp_path, "odd.csv"), []
    monkeypatch.setattr(table, "read_columns", lambda *_: read.append(1))
    as_text, other = outcome(tmp_path, "odd.csv")
    assert by_columns == as_text
    assert read, "it would have been read by columns"
    assert (dataset is None) is (other is None)


@pytest.mark.parametrize(
    ("end", "before"), [("\r\n", ""), ("\r", ""), ("\n", "\ufeff"), ("\n\n", "\n\n"), ("\n", '"a, ""x""","b\nc",y\n')]
)
@pytest.mark.usefixtures("splitter")
def test_ends_of_lines_marks_and_blank_lines_do_not_matter(end: str, before: str, tmp_path: Path) -> None:
    name = write_odd(tmp_path, "numbers", end, before)
    if before.startswith('"'):
        lines = (tmp_path / name).read_text().replace("a,b,y\n", "", 1)
        (tmp_path / name).write_text(lines)
    dataset = load_dataset(name, target="y", directory=tmp_path)
    assert isinstance(dataset.X_train, pd.DataFrame)
    assert [dtype.kind for dtype in dataset.X_train.dtypes] == ["f", "f"]
    assert dataset.n_train + dataset.n_test == 60


@pytest.mark.parametrize("line", ["1,2,3,a", "1,2", "", "1,\r2,a", b"1,\xff,a", "1,2,a\r\n1,2,a"], ids=str)
def test_a_wide_csv_that_is_unusual_is_read_as_others_are(
    line: str | bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"{number(row)},{number(row)},{'ab'[row % 2]}".encode() for row in range(60)]
    lines = [b"p,q,y", *rows, line if isinstance(line, bytes) else line.encode(), *rows]
    (tmp_path / "odd.csv").write_bytes(b"\n".join(lines))
    usual = outcome(tmp_path, "odd.csv")[0]
    monkeypatch.setattr(csv_columns, "_WIDE", 1)
    assert outcome(tmp_path, "odd.csv")[0] == usual


def test_a_csv_of_many_columns_is_split_by_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n = csv_columns._WIDE + 5
    frame = pd.DataFrame(rng.normal(size=(40, n)), columns=[f"f{j}" for j in range(n)]).assign(y=[0, 1] * 20)
    frame.iloc[3, 7] = np.nan
    frame.to_csv(tmp_path / "wide.csv", index=False)
    monkeypatch.setattr(csv_columns, "_opened", None)  # pyarrow is not asked
    monkeypatch.setattr(csv_columns, "_BLOCK", 1)
    monkeypatch.setattr(csv_columns, "_BYTES_A_VALUE", 4)  # each row is longer than what is read at once
    dataset = load_dataset("wide.csv", target="y", directory=tmp_path)
    frame.to_parquet(tmp_path / "wide.parquet", index=False)
    assert dataset.digest == load_dataset("wide.parquet", target="y", directory=tmp_path).digest


def test_what_is_text_in_training_stays_text_in_a_test_file_of_numbers(tmp_path: Path) -> None:
    train = pd.DataFrame({"code": ["01", "A3", "02"] * 20, "x": range(60), "y": ["a", "b"] * 30})
    train.to_csv(tmp_path / "train.csv", index=False)
    train.assign(code=["01", "02", "02"] * 20).to_csv(tmp_path / "test.csv", index=False)
    options = ReadOptions(ignore=())
    dataset = load_dataset("train.csv", test="test.csv", target="y", directory=tmp_path, options=options)
    assert isinstance(dataset.X_test, pd.DataFrame)
    assert set(dataset.X_test["code"]) == {"01", "02"}


def test_numbers_of_a_table_change_places_in_the_memory_where_they_are() -> None:
    numbers = rng.normal(size=(4, 9))
    words = pd.Series(list("abcabcabc"), dtype="str")
    frame = frame_of(["a", "b", "word", "c"], numbers, {2: words})
    first, second = np.array([8, 0, 3]), np.array([1, 2, 4, 5, 6, 7])
    expected = frame.copy(deep=True)
    one, two = divided(frame, first, second)
    for part, rows in ((one, first), (two, second)):
        pd.testing.assert_frame_equal(part, expected.iloc[rows].reset_index(drop=True))
        assert np.shares_memory(part["a"].to_numpy(), numbers)


@pytest.mark.parametrize("shape", [(1000, 7), (209, 300), (50, 2), (10, 1)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_means_and_deviations_are_scikit_learns_to_the_bit(shape: tuple[int, int], order: str) -> None:
    X = rng.normal(3, 100, size=shape)
    X[:, 0] = 0.1
    scaler = StandardScaler().fit(X)
    mean, deviation = standardization(np.array(X, order=order), ["x"] * shape[1], "X")  # type: ignore[call-overload]
    np.testing.assert_array_equal(mean, scaler.mean_)
    np.testing.assert_array_equal(deviation, scaler.scale_)


@pytest.mark.parametrize(("n_rows", "n_columns"), [(10, 1), (2**22, 7), (2**24, 3), (100, 20_000), (3, 0)])
def test_parts_are_all_columns_in_order_and_none_is_alone(n_rows: int, n_columns: int) -> None:
    parts = list(column_parts(n_rows, n_columns))
    assert [j for part in parts for j in range(part.start, part.stop)] == list(range(n_columns))
    assert n_columns < 2 or all(part.stop - part.start > 1 for part in parts)


def test_more_categories_than_fit_are_refused_with_an_estimate_before_they_take_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("experiments.readers.inputs.MAX_ONE_HOT", 8 * 90 * 30)
    kinds = [f"k{row % 30}" for row in range(90)]
    fits = pd.DataFrame({"kind": pd.Series(kinds, dtype="str"), "x": np.arange(90.0)})
    fit_inputs(fits, (), "t.csv")
    more = fits.assign(kind=pd.Series([*kinds[:-2], "k30", "k30"], dtype="str"))
    with pytest.raises(
        InputError, match=r"column 'kind' has 31 categories; .* would take .* GB.*ignore = \[\"kind\"\]"
    ):
        fit_inputs(more, (), "t.csv")


def test_parquet_of_many_row_groups_has_the_numbers_of_one(tmp_path: Path) -> None:
    frame = pd.DataFrame({"i": np.arange(60) % 7, "x": rng.normal(size=60), "y": ["a", "b"] * 30})
    frame["missing"] = frame["x"].where(frame["x"] > 0)
    frame["count"] = pd.array([1, None] * 30, dtype="Int64")
    frame.to_parquet(tmp_path / "one.parquet")
    frame.to_parquet(tmp_path / "many.parquet", row_group_size=7)
    frame.to_csv(tmp_path / "t.csv", index=False)
    digests = {load_dataset(n, target="y", directory=tmp_path).digest for n in ("one.parquet", "many.parquet", "t.csv")}
    assert len(digests) == 1


def test_a_million_values_are_prepared_without_a_second_copy_of_the_table(tmp_path: Path) -> None:
    frame = pd.DataFrame(rng.normal(size=(500, 4)), columns=list("abcd")).assign(y=np.arange(500) % 2)
    frame.to_csv(tmp_path / "t.csv", index=False)
    prepared = prepare(load_dataset("t.csv", target="y", directory=tmp_path), scales_folds=True)
    assert prepared.encoded is not None
    assert isinstance(prepared.dataset.X_train, pd.DataFrame)
    assert np.shares_memory(prepared.encoded, prepared.dataset.X_train.to_numpy())


def mapped_file_of(array: np.ndarray) -> bool:
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return True
        array = array.base  # type: ignore[assignment]
    return False


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_a_table_that_would_fill_the_memory_lies_in_a_mapped_file_and_is_prepared_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_format: str
) -> None:
    frame = pd.DataFrame(rng.normal(size=(200, 5)), columns=list("abcde")).assign(y=np.arange(200) % 2)
    frame.loc[::9, "b"] = np.nan
    name = f"train.{file_format}"
    frame.to_csv(tmp_path / name, index=False) if file_format == "csv" else frame.to_parquet(tmp_path / name)
    found = []
    for n_bytes in (2**40, 100):
        monkeypatch.setattr(room, "memory_bytes", lambda n=n_bytes: n)
        dataset = load_dataset(name, target="y", directory=tmp_path)
        assert isinstance(dataset.X_train, pd.DataFrame)
        assert mapped_file_of(dataset.X_train["a"].to_numpy()) is (n_bytes == 100)
        found.append(prepare(dataset, scales_folds=True))
    in_memory, in_file = found
    assert in_file.dataset.digest == in_memory.dataset.digest
    assert in_file.encoded is not None
    assert mapped_file_of(in_file.encoded), "no copy on the way"
    for fold in range(5):
        np.testing.assert_array_equal(in_file.of_fold(fold)[0], in_memory.of_fold(fold)[0])


def test_a_disk_without_room_for_a_large_table_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(room, "memory_bytes", lambda: 100)
    monkeypatch.setattr(room.os, "posix_fallocate", full)
    pd.DataFrame({"a": np.arange(60.0), "y": np.arange(60) % 2}).to_csv(tmp_path / "train.csv", index=False)
    with pytest.raises(InputError, match=r"2 x 6\d numbers .*No space left on device.*TMPDIR"):
        load_dataset("train.csv", target="y", directory=tmp_path)


def test_where_addresses_are_limited_the_message_names_that_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_addresses(*_: object, **__: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(room, "memory_bytes", lambda: 100)
    monkeypatch.setattr(room.np, "memmap", no_addresses)
    with pytest.raises(InputError, match=r"3 x 40 numbers .*the limit of addresses \(ulimit -v\)"):
        room.room_for(3, 40)


def test_memory_is_that_of_the_machine_or_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").write_text("0::/job/step\n")
    (tmp_path / "job" / "step").mkdir(parents=True)
    (tmp_path / "job" / "step" / "memory.max").write_text("max\n")
    monkeypatch.setattr(control_groups, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(control_groups, "_GROUPS", tmp_path)
    assert room.memory_bytes() > 2**25
    (tmp_path / "job" / "memory.max").write_text("1000\n")  # of a group above
    assert room.memory_bytes() == 1000
    (tmp_path / "own").write_text("5:memory:/\n")
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("2000\n")
    assert room.memory_bytes() == 2000


@pytest.mark.parametrize("kind", [resource.RLIMIT_DATA, resource.RLIMIT_AS])
def test_memory_is_no_more_than_this_process_may_take(kind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def limits(asked: int) -> tuple[int, int]:
        return (2**20 if asked == kind else resource.RLIM_INFINITY), resource.RLIM_INFINITY

    monkeypatch.setattr(resource, "getrlimit", limits)
    assert room.memory_bytes() == 2**20


def test_categories_that_would_fill_the_memory_lie_in_a_file_too(tmp_path: Path, monkeypatch) -> None:
    frame = pd.DataFrame({"a": rng.normal(size=60), "town": ["Rom", "Ulm"] * 30, "y": [0, 1, 1] * 20})
    frame.to_csv(tmp_path / "train.csv", index=False)
    prepared = prepare(load_dataset("train.csv", target="y", directory=tmp_path), scales_folds=True)
    monkeypatch.setattr(room, "memory_bytes", lambda: 100)
    again = prepare(prepared.dataset, scales_folds=True)
    assert prepared.encoded is not None
    assert again.encoded is not None
    assert mapped_file_of(again.encoded)
    assert not mapped_file_of(prepared.encoded)
    np.testing.assert_array_equal(again.encoded, prepared.encoded)
