"""`predict`: raw inputs from files, what a model makes of them, and how that is told."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.threads import one_blas_thread
from experiments.errors import InputError, listed, nearest
from experiments.model import Model
from experiments.pyfunc import column_names
from experiments.readers.array_inputs import ArrayInputs
from experiments.readers.images import read_images
from experiments.readers.picture_folder import files_in
from experiments.readers.several_files import files_of_pattern, is_pattern
from experiments.readers.table_inputs import NumberColumn, TableInputs
from experiments.readers.unlabelled import IMAGE, input_format, read_inputs
from experiments.whole_file import unfinished_file

if TYPE_CHECKING:
    import pandas as pd

OUT_SUFFIXES = (".csv", ".parquet")
_N_IMAGES = 256  # files read at once


def predictions_as_text(
    model: Model,
    paths: Sequence[Path],
    *,
    proba: bool,
    keep: Sequence[str],
    say: Callable[[str], None] = lambda text: None,
) -> str:
    """What goes to stdout: a line an image, "kitten.jpg  cat (0.93)"; for tables, and with `proba`, CSV.

    Raises:
        InputError: As `predict_files`.
    """
    paths = _files(paths)
    are_lines = not proba and all(input_format(path) == IMAGE for path in paths)
    with_proba = proba or (are_lines and bool(model.class_names))
    predictions = predict_files(model, paths, proba=with_proba, keep=keep, say=say)
    if not are_lines:
        text: str = predictions.to_csv(index=False, lineterminator="\n")
        return text
    width = max(map(len, predictions["file"]))
    return "".join(f"{row['file']:<{width}}  {_answer(row)}\n" for _, row in predictions.iterrows())


def predict_files(
    model: Model,
    paths: Sequence[Path],
    *,
    proba: bool = False,
    keep: Sequence[str] = (),
    say: Callable[[str], None] = lambda text: None,
) -> "pd.DataFrame":
    """Predictions for all examples of all files, in order, in the bits of the sweep's own score (one BLAS thread).

    Args:
        model: The model.
        paths: Images, or tables and files of arrays; at least one. A folder stands for all files in it.
        proba: Add the probability of each class.
        keep: Columns of the tables to copy in front of the predictions.
        say: Told of categories that the training examples did not have.
    Returns:
        `file` for images, and where there are several files; the kept columns; then as `Model.table`.
    Raises:
        InputError: An input is not as the model needs it.
    """
    import pandas as pd

    paths = _files(paths)
    formats = [input_format(path) for path in paths]
    with one_blas_thread():
        if IMAGE not in formats:
            tables = [_of_examples(model, *file, proba, keep, say) for file in zip(paths, formats, strict=True)]
            joined = pd.concat(tables, ignore_index=True)
            return joined if len(paths) > 1 else joined.drop(columns="file")
        if set(formats) == {IMAGE}:
            return pd.concat(_of_images(model, paths, proba, keep), ignore_index=True)
    other = next(path for path, found in zip(paths, formats, strict=True) if found != IMAGE)
    raise InputError(
        f"{other}: not an image, as {paths[formats.index(IMAGE)]} is.",
        "One command takes images, or tables and files of arrays.",
        "Predict them one after the other.",
    )


def check_out(path: Path) -> None:
    """Refuse a file that predictions cannot be written to, before they are made.

    Raises:
        InputError: Its extension is unknown, there is no such folder, or it is a folder itself.
    """
    if path.suffix.lower() not in OUT_SUFFIXES:
        raise InputError(
            f"--out {path}: unknown extension '{path.suffix}'.",
            f"It must be one of {', '.join(OUT_SUFFIXES)}.",
            f"Write, for example, --out {path.with_suffix('.csv')}",
        )
    if path.is_dir():
        raise InputError(
            f"--out {path}: is a folder.", "It must be a file.", f"Write, for example, --out {path / 'predictions.csv'}"
        )
    if not path.parent.is_dir():
        raise InputError(
            f"--out {path}: there is no folder {path.parent}.", "It must exist.", "Make it, or name another."
        )


def write(predictions: "pd.DataFrame", path: Path) -> None:
    """Write CSV or Parquet, whole or not at all.

    Raises:
        OSError: The folder is not writable or the disk is full.
    """
    with unfinished_file(path) as unfinished:
        if path.suffix.lower() == ".csv":
            predictions.to_csv(unfinished, index=False, lineterminator="\n")
        else:
            predictions.to_parquet(unfinished, index=False)


def _files(paths: Sequence[Path]) -> list[Path]:
    files = []
    for path in paths:
        found = files_of_pattern(path, str(path)) if is_pattern(path) else files_in(path) if path.is_dir() else [path]
        if not found:
            raise InputError(f"{path}: this folder holds no file.", "A folder stands for its files.", "Name another.")
        files += found
    return files


def _answer(row: "pd.Series") -> str:
    """What the model says of one example: "cat (0.93)", or a number."""
    prediction = row["prediction"]
    if not isinstance(prediction, str):
        return f"{prediction:.6g}"
    return f"{prediction} ({row[f'probability_{prediction}']:.2f})"


def _of_images(model: Model, paths: Sequence[Path], proba: bool, keep: Sequence[str]) -> Iterator["pd.DataFrame"]:
    if keep:
        raise InputError(f"--keep {keep[0]}: images have no columns.", "It is for tables.", "Leave it out.")
    inputs = model.preprocessing.inputs
    shape = model.image_shape
    if not isinstance(inputs, ArrayInputs) or shape is None:
        names = column_names(model) or inputs.feature_names_out
        takes = f"the features {listed(names, 10)}"
        raise InputError(
            f"{paths[0]}: an image, but this model takes {takes}.",
            "Images are for models that were trained on images.",
            "Give a table or a file of arrays, or name another model.",
        )
    if not inputs.is_bytes:
        raise InputError(
            f"{paths[0]}: this model was trained on images whose pixels are not bytes.",
            "An image file holds bytes, 0 to 255; what they would be on the training images' scale is not known.",
            "Give the images as an array X on that scale, in an HDF5 or NPZ file.",
        )
    for first in range(0, len(paths), _N_IMAGES):
        some = paths[first : first + _N_IMAGES]
        X = read_images(some, shape).reshape(len(some), *inputs.shape)
        predictions = model.table(X, proba=proba, place=str(paths[0]))
        predictions.insert(0, "file", [str(path) for path in some])
        yield predictions


def _of_examples(
    model: Model, path: Path, file_format: str, proba: bool, keep: Sequence[str], say: Callable[[str], None]
) -> "pd.DataFrame":
    inputs = model.preprocessing.inputs
    if isinstance(inputs, ArrayInputs):
        examples = read_inputs(path, file_format, inputs.shape, inputs.examples)
    else:
        numbers = {column.name for column in inputs.columns if isinstance(column, NumberColumn)}
        examples = read_inputs(path, file_format, numbers=numbers.difference(keep))
    if isinstance(examples, np.ndarray):
        if keep:
            raise InputError(
                f"--keep {keep[0]}: {path} is a file of arrays, without columns.", "It is for tables.", "Leave it out."
            )
        predictions = model.table(examples, proba=proba, place=str(path))
    else:
        _check_columns(model, examples, path, keep, proba)
        features = column_names(model)
        aside = {model.target, *model.ignored, *keep} - set(features)
        X = examples.loc[:, [name not in aside for name in examples.columns]]
        if isinstance(inputs, TableInputs):
            X = inputs.conformed(X, str(path))  # once; what looks at it again has little to do
        predictions = model.table(X, proba=proba, place=str(path))
        for note in inputs.unseen(X, str(path)):
            say(note)
        for position, name in enumerate(keep):
            predictions.insert(position, name, examples[name])
    predictions.insert(0, "file", str(path))
    return predictions


def _check_columns(model: Model, examples: "pd.DataFrame", path: Path, keep: Sequence[str], proba: bool) -> None:
    """Refuse columns to keep that are not there, and columns that nobody asked for."""
    found, features = list(examples.columns), column_names(model)
    ours = ["file", "prediction", *(f"probability_{name}" for name in model.class_names if proba)]
    for name in keep:
        if name not in found or name in ours or keep.count(name) > 1:
            raise InputError(
                f"--keep {name}: {path} has no such column, or its name is taken.{nearest(name, found)}",
                f"The columns are {listed(found, 10)}; {listed(ours, 10)} are ours.",
                "Name one of them, once.",
            )
    known = {*features, *keep, model.target, *model.ignored}
    unknown = [name for name in found if name not in known]
    if features and unknown and not set(features) - set(found):  # a missing one is told first, with its likeness
        raise InputError(
            f"{path}: columns that are unknown to the model: {listed(unknown)}.",
            f"It takes {listed(features, 10)}.",
            f"Remove these columns, or copy them beside the predictions: --keep '{unknown[0]}'",
        )
