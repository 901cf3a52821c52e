"""The data sets that ship inside scikit-learn; nothing is downloaded.

Its files are read without it: its import takes a second, and nothing could be trained before.
"""

from __future__ import annotations

import csv
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError, nearest
from experiments.readers.examples import Contents, Examples

_OF_NUCLEI = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave points",
    "symmetry",
    "fractal dimension",
)
_FEATURES = {
    "breast_cancer": tuple(form.format(name) for form in ("mean {}", "{} error", "worst {}") for name in _OF_NUCLEI),
    "diabetes": ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"),
    "digits": (),
    "iris": ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"),
    "wine": (
        "alcohol",
        "malic_acid",
        "ash",
        "alcalinity_of_ash",
        "magnesium",
        "total_phenols",
        "flavanoids",
        "nonflavanoid_phenols",
        "proanthocyanins",
        "color_intensity",
        "hue",
        "od280/od315_of_diluted_wines",
        "proline",
    ),
}


def read_sklearn_set(name: str) -> Contents:
    """Read one of scikit-learn's own sets; digits are rows of 64 pixels that remember their 8 x 8 shape.

    Raises:
        InputError: No set of this name.
    """
    if name not in _FEATURES:
        raise InputError(
            f"sklearn:{name}: scikit-learn ships no set '{name}'.",
            f"The known sets are {', '.join(_FEATURES)}.",
            f"Write one of these.{nearest(name, _FEATURES)}",
        )
    place = f"sklearn:{name}"
    X, y, class_names = {"diabetes": _diabetes, "digits": _digits}.get(name, partial(_named_classes, name))()
    return Contents(
        Examples(
            place=place,
            X=X,
            y=y,
            y_place=place,
            listed_classes=class_names,
            feature_names=_FEATURES[name],
            image_shape=(8, 8, 1) if name == "digits" else None,
        )
    )


def _folder() -> Path:
    """Where scikit-learn has them; finding a package does not import it."""
    package = find_spec("sklearn")
    assert package is not None, "sweeps depends on it"
    assert package.origin is not None, "it is a package with an __init__"
    return Path(package.origin).with_name("datasets") / "data"


def _named_classes(name: str) -> tuple[NDArray[np.float64], NDArray[np.int64], tuple[str, ...]]:
    file = _folder() / {"wine": "wine_data.csv"}.get(name, f"{name}.csv")
    with file.open(encoding="utf-8", newline="") as lines:
        (_, _, *class_names), *rows = csv.reader(lines)
    numbers = np.array(rows, dtype=np.float64)
    return numbers[:, :-1], numbers[:, -1].astype(np.int64), tuple(class_names)


def _digits() -> tuple[NDArray[np.float64], NDArray[np.int64], tuple[str, ...]]:
    numbers = np.loadtxt(_folder() / "digits.csv.gz", delimiter=",")
    return numbers[:, :-1], numbers[:, -1].astype(np.int64), tuple(map(str, range(10)))


def _diabetes() -> tuple[NDArray[np.float64], NDArray[np.float64], None]:
    """Columns of mean 0 whose squares sum to 1, as scikit-learn gives them."""
    X = np.loadtxt(_folder() / "diabetes_data_raw.csv.gz")
    X = (X - X.mean(axis=0)) / X.std(axis=0) / len(X) ** 0.5
    return X, np.loadtxt(_folder() / "diabetes_target.csv.gz"), None
