"""Small files as other programs write them, and what is made of each: the same examples, or a refusal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.dataset import Dataset, load_dataset
from experiments.errors import InputError
from experiments.readers.in_memory import in_memory
from experiments.readers.options import ReadOptions

M = 40
_rng = np.random.default_rng(0)
X = _rng.normal(size=(M, 3))
Y = np.arange(M) % 2
PICTURES = _rng.integers(0, 256, (M, 5, 6, 3)).astype(np.uint8)
TABLE = pd.DataFrame(
    {
        "area": _rng.normal(100, 20, M).round(2),
        "rooms": _rng.integers(1, 6, M),
        "roof": ["tiles", "flat", "none", "tiles"] * (M // 4),
        "price": _rng.normal(300, 40, M).round(3),
    }
)
GAPS = TABLE.assign(area=TABLE["area"].where(TABLE.index != 3))


@dataclass(frozen=True, slots=True)
class Written:
    """What one program writes.

    Attributes:
        package: The distribution that writes it.
        what: The call, in a few words.
        name: Of the file or folder; "" for an object that `write` returns.
        write: Writes it, given its path.
        like: Whose examples it holds: of `TABLE`, of `GAPS`, of (X, Y), or of (PICTURES, Y).
        refused: A part of the message where it cannot be read; "" where it can.
        options: Of `ReadOptions`.
    """

    package: str
    what: str
    name: str
    write: Callable[[Path], Any]
    like: str = "table"
    refused: str = ""
    options: dict[str, Any] = field(default_factory=dict)


def version_of(package: str) -> str | None:
    """Of an installed distribution; None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def outcome(written: Written, folder: Path) -> str:
    """Write it and read it: "works", "refused" or, where neither is as it should be, what happened."""
    target = "price" if written.like in ("table", "gaps") else None
    made = written.write(folder / (written.name or "nothing"))
    try:
        train = written.name or in_memory("train", made, target)
        dataset = load_dataset(
            train,
            target=getattr(train, "target", target),
            directory=folder,
            options=ReadOptions(**written.options),
        )
    except InputError as error:
        if written.refused:
            return "refused" if written.refused in str(error) else f"refused for another reason: {error}"
        return f"refused: {error}"
    if written.refused:
        return "read, and should have been refused"
    return "works" if is_same(dataset, _expected(written.like)) else "misread"


def is_same(found: Dataset, expected: Dataset) -> bool:
    """Whether two data sets hold the same examples, to the precision of float16."""
    if (found.task, found.class_names, found.n_features) != (expected.task, expected.class_names, expected.n_features):
        return False
    pairs = [(found.X_train, expected.X_train), (found.X_test, expected.X_test)]
    if not isinstance(expected.X_train, np.ndarray):
        pairs = [(a[c], b[c]) for a, b in pairs for c in expected.feature_names if c in a]  # type: ignore[index, operator]
        if len(pairs) != 2 * len(expected.feature_names):
            return False
    return all(_is_equal(a, b) for a, b in [*pairs, (found.y_train, expected.y_train), (found.y_test, expected.y_test)])


def _is_equal(found: Any, expected: Any) -> bool:
    a, b = np.asarray(found), np.asarray(expected)
    if a.shape != b.shape:
        return False
    if b.dtype.kind in "OU":
        return bool((a == b).all())
    return np.allclose(a.astype(float), b.astype(float), rtol=2e-3, atol=1e-3, equal_nan=True)


def _expected(like: str) -> Dataset:
    if like in ("table", "gaps"):
        return load_dataset(in_memory("train", TABLE if like == "table" else GAPS, "price"), target="price")
    return load_dataset(in_memory("train", (X if like == "arrays" else PICTURES, Y), None))
