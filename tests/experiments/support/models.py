"""Models to predict with: the data sets are real, the weights as initialized, so nothing has to be trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine import Architecture
from engine.worker import initial_parameters
from experiments.dataset import Dataset, load_dataset
from experiments.model import Model
from experiments.preparation import PreparedData, prepare


def untrained(
    prepared: PreparedData, study: str = "small/20261123-020000", seed: int = 1, hidden: tuple[int, ...] = (4,)
) -> Model:
    """A model as trials begin."""
    dataset = prepared.dataset
    architecture = Architecture(prepared.X.shape[0], hidden, prepared.Y.shape[0], "tanh", dataset.task)
    return Model.of(prepared, architecture, initial_parameters(architecture, seed, np.dtype(np.float32)), study)


def houses(folder: Path) -> str:
    """A table with everything: integers, missing numbers, text, missing text, truth values; its name."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "rooms": rng.integers(1, 9, 60),
            "size": np.where(rng.random(60) < 0.2, np.nan, rng.uniform(20, 200, 60)),
            "place": rng.choice(np.array(["north", "south", None], dtype=object), 60),
            "garden": rng.random(60) < 0.5,
            "price": rng.uniform(100, 900, 60),
        }
    )
    frame.to_parquet(folder / "houses.parquet")
    return "houses.parquet"


def pictures(folder: Path, shape: tuple[int, ...] = (8, 6, 3)) -> str:
    """Images of bytes in the course's layout, of two classes with names; the file's name."""
    import h5py

    rng = np.random.default_rng(4)
    with h5py.File(folder / "pictures.h5", "w") as file:
        file["train_set_x"] = rng.integers(0, 256, (40, *shape), dtype=np.uint8)
        file["train_set_y"] = np.arange(40) % 2
        file["list_classes"] = np.array([b"non-cat", b"cat"])
    return "pictures.h5"


def dataset_of(kind: str, folder: Path) -> Dataset:
    """One data set a kind of input and task."""
    match kind:
        case "table":
            return load_dataset(houses(folder), target="price", directory=folder)
        case "images":
            return load_dataset(pictures(folder), directory=folder)
    names = {"binary": "breast_cancer", "multiclass": "digits", "regression": "diabetes"}
    return load_dataset(f"sklearn:{names[kind]}")


KINDS = ("binary", "multiclass", "regression", "table", "images")


def model_of(kind: str, folder: Path, **options: Any) -> tuple[PreparedData, Model]:
    """What a kind of model was made from, and the model."""
    prepared = prepare(dataset_of(kind, folder))
    return prepared, untrained(prepared, **options)
