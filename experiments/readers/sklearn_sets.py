"""The data sets that ship inside scikit-learn; nothing is downloaded."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import datasets

from experiments.errors import InputError, nearest
from experiments.readers.examples import Contents, Examples

_LOADERS = {
    "breast_cancer": datasets.load_breast_cancer,
    "diabetes": datasets.load_diabetes,
    "digits": datasets.load_digits,
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
}


def read_sklearn_set(name: str) -> Contents:
    """Read one of scikit-learn's own sets; digits are rows of 64 pixels that remember their 8 x 8 shape.

    Raises:
        InputError: No set of this name.
    """
    if name not in _LOADERS:
        raise InputError(
            f"sklearn:{name}: scikit-learn ships no set '{name}'.",
            f"The known sets are {', '.join(_LOADERS)}.",
            f"Write one of these.{nearest(name, _LOADERS)}",
        )
    loaded: Any = _LOADERS[name]()
    place = f"sklearn:{name}"
    is_classes = "target_names" in loaded
    return Contents(
        Examples(
            place=place,
            X=np.asarray(loaded.data, dtype=np.float64),
            y=np.asarray(loaded.target, dtype=np.int64 if is_classes else np.float64),
            y_place=place,
            listed_classes=tuple(str(c) for c in loaded.target_names) if is_classes else None,
            feature_names=() if name == "digits" else tuple(str(f) for f in loaded.feature_names),
            image_shape=(8, 8, 1) if name == "digits" else None,
        )
    )
