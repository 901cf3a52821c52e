"""Models to predict with: the data sets are real, the weights as initialized, so nothing has to be trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine import Architecture, Member, Parameters
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


def untrained_ensemble(prepared: PreparedData, study: str = "small/20261123-020000", seed: int = 5) -> Model:
    """Fold models of one trial beside a refitted network of another, as an ensemble begins."""
    dataset = prepared.dataset
    sizes = {"n_features": prepared.X.shape[0], "n_outputs": prepared.Y.shape[0], "head": dataset.task}
    deep = Architecture(hidden_units=(4, 3), activation="relu", **sizes)
    flat = Architecture(hidden_units=(), activation="tanh", **sizes)
    folds = [initial_parameters(deep, seed + fold, np.dtype(np.float32)) for fold in range(3)]
    stack = Parameters(
        tuple(np.concatenate(layer) for layer in zip(*(one.W for one in folds), strict=True)),
        tuple(np.concatenate(layer) for layer in zip(*(one.b for one in folds), strict=True)),
    )
    single = initial_parameters(flat, seed, np.dtype(np.float32))
    return Model.ensemble(prepared, [Member(deep, stack, 0.6), Member(flat, single, 0.4)], study)


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


def ensemble_of(kind: str, folder: Path, **options: Any) -> tuple[PreparedData, Model]:
    """What a kind of ensemble was made from, and the ensemble."""
    prepared = prepare(dataset_of(kind, folder))
    return prepared, untrained_ensemble(prepared, **options)


def model_of(kind: str, folder: Path, **options: Any) -> tuple[PreparedData, Model]:
    """What a kind of model was made from, and the model."""
    prepared = prepare(dataset_of(kind, folder))
    return prepared, untrained(prepared, **options)
