"""Files that are damaged in any way, of every format: each is read or refused, and nothing else comes of it."""

import gzip
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.io import savemat
from sklearn.datasets import dump_svmlight_file

from experiments.data_suspicions import suspicions
from experiments.dataset import load_dataset
from experiments.errors import InputError
from experiments.preparation import prepare
from experiments.readers.unlabelled import input_format, read_inputs

M = 24
_rng = np.random.default_rng(0)
X = _rng.normal(size=(M, 3)).round(3)
Y = np.arange(M) % 2
TABLE = pd.DataFrame({"area": X[:, 0], "rooms": np.arange(M) % 5, "roof": ["tiles", "flat"] * (M // 2), "cls": Y})
PICTURES = _rng.integers(0, 256, (M, 4, 5, 3)).astype(np.uint8)


def arff(path: Path) -> None:
    kinds = ["numeric", "numeric", "{tiles,flat}", "{0,1}"]
    head = [f"@attribute {name} {kind}" for name, kind in zip(TABLE.columns, kinds, strict=True)]
    path.write_text("\n".join(["@relation t", *head, "@data", TABLE.to_csv(index=False, header=False)]))


def zst(path: Path) -> None:
    with pa.output_stream(str(path), compression="zstd") as file:
        file.write(TABLE.to_csv(index=False).encode())


def h5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["train_set_x"], file["train_set_y"] = PICTURES, Y
        file["list_classes"] = np.array([b"non-cat", b"cat"])


def h5_in_chunks(path: Path) -> None:
    with h5py.File(path, "w") as file:
        stored = file.create_dataset("X", data=X, compression="gzip", shuffle=True, chunks=(7, 3))
        stored.attrs["scale_factor"] = 2.0
        kind = h5py.enum_dtype({"no": 0, "yes": 1}, basetype="i1")
        file.create_dataset("y", data=Y.astype("i1"), dtype=kind)


def mat_7_3(path: Path) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in (("X", X.T), ("y", Y[:, None])):
            file.create_dataset(name, data=array).attrs["MATLAB_class"] = np.bytes_("double")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


WRITERS: dict[str, Callable[[Path], object]] = {
    "t.csv": lambda path: TABLE.to_csv(path, index=False),
    "quoted.csv": lambda path: TABLE.to_csv(path, index=False, quoting=1),
    "semicolons.csv": lambda path: path.write_text("sep=;\n" + TABLE.to_csv(index=False, sep=";", decimal=",")),
    "t.tsv": lambda path: TABLE.to_csv(path, index=False, sep="\t"),
    "t.csv.gz": lambda path: path.write_bytes(gzip.compress(TABLE.to_csv(index=False).encode())),
    "t.csv.zst": zst,
    "t.parquet": lambda path: TABLE.to_parquet(path),
    "t.feather": lambda path: TABLE.to_feather(path),
    "t.xlsx": lambda path: TABLE.to_excel(path, index=False),
    "t.arff": arff,
    "t.svm": lambda path: dump_svmlight_file(X, Y, str(path)),
    "t.npz": lambda path: np.savez(path, X=X, y=Y, classes=np.array(["no", "yes"])),
    "packed.npz": lambda path: np.savez_compressed(path, X=PICTURES, y=Y),
    "t.h5": h5,
    "chunks.h5": h5_in_chunks,
    "t.mat": lambda path: savemat(path, {"X": X, "y": Y, "classes": np.array(["no", "yes"], dtype=object)}),
    "packed.mat": lambda path: savemat(path, {"X": X, "y": Y}, do_compression=True),
    "7_3.mat": mat_7_3,
}


MARKS = [
    *",;\t|\"'#%{}:?-.0 \n\r",
    "\r\n",
    "\n\n",
    "1e999",
    "-1e308",
    "nan",
    "inf",
    "\ufeff",
    "\0",
    "é",
    "€1,000",
    "9" * 30,
]


def damaged(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """What a broken disk, a cut download or a wrong program makes of a file."""
    found = bytearray(content)
    at = int(rng.integers(len(found)))
    stop = at + int(rng.choice([1, 2, 8, 40]))
    match int(rng.integers(10)):
        case 0:  # single bits
            for position in rng.integers(len(found), size=int(rng.integers(1, 9))).tolist():
                found[position] ^= 1 << int(rng.integers(8))
        case 1:
            del found[at:]
        case 2:
            del found[at:stop]
        case 3:
            found[at:stop] = rng.bytes(stop - at)
        case 4:
            found[at:at] = rng.bytes(stop - at)
        case 5:
            found[at:stop] = bytes([int(rng.choice([0, 255, 48, 45]))]) * (stop - at)
        case 6:  # a piece of another file
            start = int(rng.integers(len(other)))
            found[at:stop] = other[start : start + 40]
        case 7:  # a piece of its own, twice
            found[at:at] = found[at:stop] * int(rng.integers(1, 4))
        case 8 | 9:  # what means something in a text
            found[at:at] = rng.choice(MARKS).encode()
    return bytes(found)


def damaged_files(folder: Path, n_files: int, seed: int) -> Iterator[Path]:
    rng = np.random.default_rng(seed)
    whole = {}
    for name, write in WRITERS.items():
        write(folder / name)
        whole[name] = (folder / name).read_bytes()
    for number in range(n_files):
        name = list(whole)[number % len(whole)]
        content = whole[name]
        for _ in range(int(rng.geometric(0.7))):
            content = damaged(content, whole[str(rng.choice(list(whole)))], rng) or content
        path = folder / name
        path.write_bytes(content)
        yield path


def read_all_ways(path: Path) -> None:
    """As `validate` and `predict` read a file.

    Raises:
        InputError: It cannot be used.
    """
    is_array = path.suffix in (".npz", ".h5", ".mat", ".svm")
    dataset = load_dataset(path.name, target=None if is_array else "cls", directory=path.parent)
    suspicions(dataset)
    prepare(dataset, folds=2)
    read_inputs(path, input_format(path), dataset.X_train.shape[1:])


def check(folder: Path, n_files: int, seed: int) -> None:
    n_refused = 0
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for path in damaged_files(folder, n_files, seed):
            try:
                read_all_ways(path)
            except InputError:
                n_refused += 1
    assert n_files // 2 < n_refused < n_files


@pytest.mark.parametrize("name", WRITERS)
def test_the_whole_file_is_read(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    read_all_ways(tmp_path / name)


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    check(tmp_path, 72, seed=0)


@pytest.mark.slow
def test_five_hundred_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    check(tmp_path, 504, seed=1)


def test_every_beginning_of_a_matlab_file_is_read_or_refused(tmp_path: Path) -> None:
    WRITERS["t.mat"](tmp_path / "whole.mat")
    whole = (tmp_path / "whole.mat").read_bytes()
    for n_bytes in range(0, len(whole), 7):
        (tmp_path / "t.mat").write_bytes(whole[:n_bytes])
        with suppress(InputError):
            load_dataset("t.mat", directory=tmp_path)
