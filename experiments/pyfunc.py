"""A model as a folder that MLflow can load, serve and query anywhere, without this package and without pickle.

MLmodel, requirements.txt, conda.yaml, python_env.yaml, input_example.json   as MLflow knows them
served_model.py, code/     what it runs: from code, so nothing is unpickled
artifacts/model.h5         weights and everything else that a prediction needs (`model.py`)
"""

from __future__ import annotations

import math
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.model import Model
from experiments.readers.array_inputs import ArrayInputs
from experiments.readers.table_inputs import Column, DateColumn, NumberColumn, TableInputs
from experiments.replaced import replaced

if TYPE_CHECKING:
    from mlflow.models import Model as MlflowModel
    from mlflow.models import ModelSignature

    from experiments.readers.examples import Features

MODEL_FILE = "artifacts/model.h5"
"""Path of our own file inside the folder."""

REQUIREMENTS = ("mlflow", "numpy", "pandas", "h5py")

# What `served_model.py` imports, directly or not. Not the whole package: each file is a request to a remote store.
CODE = {
    "engine": (
        "__init__.py", "activations.py", "checksum.py", "curve.py", "data.py", "descent.py", "dropout.py",
        "durable_file.py", "ensemble.py", "errors.py", "folds.py", "heads.py", "hyperparameters.py",
        "initialization.py", "inputs.py", "layers.py", "memory.py", "minibatches.py", "network.py", "objectives.py",
        "optimizers.py", "own_inputs.py", "parts.py", "products.py", "raw_rows.py", "rotation.py", "stack.py",
        "steps.py", "threads.py", "training.py", "weights.py",
    ),
    "experiments": (
        "__init__.py", "control_groups.py", "dataset.py", "error_text.py", "errors.py", "example_weights.py",
        "mirror_images.py", "model.py", "preparation.py", "preprocessing.py", "random_splits.py", "scaling.py",
        "scores.py", "splits.py",
        "readers/__init__.py", "readers/amounts.py", "readers/array_inputs.py", "readers/arrays.py",
        "readers/axes.py", "readers/classes.py", "readers/columns.py", "readers/dates.py", "readers/examples.py",
        "readers/inputs.py", "readers/labels.py", "readers/medians.py", "readers/missing.py",
        "readers/number_block.py", "readers/options.py", "readers/pair.py", "readers/room.py", "readers/source.py",
        "readers/stored_array.py", "readers/table_inputs.py",
    ),
}  # fmt: skip


def save_pyfunc(model_file: Path, folder: Path, mlflow_model: MlflowModel | None = None) -> None:
    """Write the folder. Nothing is written elsewhere, so a full folder for temporary files does not matter.

    Args:
        model_file: From `Model.save`.
        folder: Must not exist yet; a folder beside it, with `.source` added to its name, is used and removed.
        mlflow_model: What MLflow already knows about the model, such as its id and run.
    Raises:
        WeightsFileError, InputError: `model_file` is not a model.
        OSError: The folder cannot be written.
    """
    import mlflow.models
    import mlflow.pyfunc
    from mlflow.utils import environment

    model = Model.load(model_file)
    described = mlflow_model or mlflow.models.Model()
    source = folder.with_name(f"{folder.name}.source")
    try:
        _copy_source(source)
        # MLflow 3.17 compares required versions with installed ones, which ours are, and looks through the files of all
        # packages for that: 1 s of a core at the end of each sweep.
        with replaced(environment, "warn_dependency_requirement_mismatches", lambda compare: lambda requirements: None):
            mlflow.pyfunc.save_model(
                folder,
                python_model=str(source / "served_model.py"),
                code_paths=[str(source / package) for package in CODE],
                signature=signature_of(model),
                input_example=(input_example(model), {"proba": False}),
                pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
                metadata={
                    "study": model.study,
                    "task": model.task,
                    "class_names": list(model.class_names),
                    "test_scores": dict(model.test_scores),
                },
                mlflow_model=described,
                streamable=False,
            )
    finally:
        shutil.rmtree(source, ignore_errors=True)
    (folder / MODEL_FILE).parent.mkdir()
    shutil.copyfile(model_file, folder / MODEL_FILE)  # MLflow's `artifacts` would copy it through TMPDIR
    described.model_size_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    described.save(str(folder / "MLmodel"))


def _copy_source(source: Path) -> None:
    """The files of `CODE`, in a folder of their own because MLflow copies whole folders."""
    shutil.rmtree(source, ignore_errors=True)  # left by a process that was killed
    root = Path(__file__).parent.parent
    for package, files in CODE.items():
        for file in files:
            copy = source / package / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / package / file, copy)
    shutil.copy(root / "experiments" / "served_model.py", source)


def signature_of(model: Model) -> ModelSignature:
    """What the model takes and gives, in MLflow's terms.

    Columns of a table are of type "any": MLflow would refuse a column of integers where "double" is declared, and
    truth values where "string" is; we accept both and say what is wrong in our own words. For arrays no type is
    declared, for the same reason: MLflow would refuse every other type, and over HTTP cast to it, 0.5 to the byte 0.
    Nor are their names, where features have some: with names declared MLflow refuses arrays, which count by position.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
    from mlflow.types.schema import AnyType

    names = column_names(model) if isinstance(model.preprocessing.inputs, TableInputs) else ()
    inputs = Schema([ColSpec(AnyType(), name) for name in names]) if names else None  # type: ignore[no-untyped-call]
    prediction = "string" if model.class_names else "double"
    outputs: list[ColSpec | TensorSpec] = [ColSpec(prediction, "prediction")]
    outputs += [ColSpec("double", f"probability_{name}", required=False) for name in model.class_names]
    params = ParamSchema([ParamSpec("proba", "boolean", False)])
    return ModelSignature(inputs, Schema(outputs), params)


def column_names(model: Model) -> tuple[str, ...]:
    """Names of the columns that the model takes; empty if it takes arrays without names."""
    inputs = model.preprocessing.inputs
    if isinstance(inputs, TableInputs):
        return tuple(column.name for column in inputs.columns)
    return inputs.feature_names


def _example(column: Column) -> object:
    """A value of a column: its median, a category, or a date."""
    if isinstance(column, NumberColumn):
        return column.median
    return "2026-01-31" if isinstance(column, DateColumn) else column.categories[-1]


def input_example(model: Model) -> Features:
    """One made-up example: medians and means, or grey pixels. No training example travels with the model."""
    inputs = model.preprocessing.inputs
    if isinstance(inputs, TableInputs):
        import pandas as pd

        return pd.DataFrame({column.name: [_example(column)] for column in inputs.columns})
    return _array_example(model, inputs)


def _array_example(model: Model, inputs: ArrayInputs) -> Features:
    if inputs.is_bytes:
        return np.full((1, *inputs.shape), 127, np.uint8)
    preprocessing = model.preprocessing
    quantiles = preprocessing.quantiles
    usual = preprocessing.offset.ravel() if quantiles is None else quantiles[len(quantiles) // 2]
    means = np.broadcast_to(usual, math.prod(inputs.shape))
    example: NDArray[Any] = means.reshape(1, *inputs.shape)
    if not inputs.feature_names:
        return example
    import pandas as pd

    return pd.DataFrame(example, columns=list(inputs.feature_names))
