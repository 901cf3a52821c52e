"""Weights on disk: one self-describing HDF5 file, no pickle.

/            attributes: format, format_version, dtype, n_features, hidden_units, n_outputs, activation, head
/W1 /b1 ...  W[l] (n[l], n[l-1]) and b[l] (n[l], 1) of one network
/notes/*     texts (UTF-8), such as the scaling of the inputs and the names of the classes
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np

from engine.durable_file import READABLE, write_durably
from engine.errors import EngineError, WeightsFileError
from engine.network import Architecture, Parameters

FORMAT = "sweeps-weights"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Weights:
    """One trained network and what is needed to use it.

    Attributes:
        parameters: A stack of F = 1.
        notes: Texts by name, written and read back unchanged.
    """

    architecture: Architecture
    parameters: Parameters
    notes: Mapping[str, str] = field(default_factory=dict)


def save_weights(path: Path, weights: Weights) -> None:
    """Write the file whole or not at all: in a temporary folder beside it, synced, then renamed.

    Raises:
        ShapeError: The parameters do not fit the architecture.
        EngineError: More than one network.
        OSError: The folder is not writable or the disk is full; an earlier file of this name is untouched.
    """
    weights.parameters.check(weights.architecture)
    n_networks = weights.parameters.W[0].shape[0]
    if n_networks != 1:
        raise EngineError(f"weights: a stack of {n_networks} networks. A file holds one; select one network first.")
    write_durably(path, _file_image(weights), READABLE)


def _file_image(weights: Weights) -> memoryview:
    """Bytes of the file. Made in memory, because HDF5 itself answers a full disk with a RuntimeError."""
    architecture, parameters = weights.architecture, weights.parameters
    image = BytesIO()
    with h5py.File(image, "w") as file:
        file.attrs["format"] = FORMAT
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["dtype"] = parameters.W[0].dtype.name
        file.attrs["n_features"] = architecture.n_features
        file.attrs["hidden_units"] = np.array(architecture.hidden_units, np.int64)
        file.attrs["n_outputs"] = architecture.n_outputs
        file.attrs["activation"] = architecture.activation
        file.attrs["head"] = architecture.head
        for layer, (W, b) in enumerate(zip(parameters.W, parameters.b, strict=True), start=1):
            file[f"W{layer}"], file[f"b{layer}"] = W[0], b[0]
        notes = file.create_group("notes")
        for name, text in weights.notes.items():
            notes[name] = text
    return image.getbuffer()


def load_weights(path: Path) -> Weights:
    """Read and check a file that `save_weights` wrote.

    Raises:
        WeightsFileError: Missing, damaged, not a file of weights, or of a later format version.
    """
    if not path.exists():
        raise WeightsFileError(f"{path}: no such file. A model file ends in .h5; check the path.")
    try:
        with h5py.File(path) as file:
            _check_format(path, file)
            architecture = Architecture(
                n_features=int(file.attrs["n_features"]),
                hidden_units=tuple(int(n) for n in file.attrs["hidden_units"]),
                n_outputs=int(file.attrs["n_outputs"]),
                activation=str(file.attrs["activation"]),
                head=str(file.attrs["head"]),
            )
            layers = range(1, architecture.depth + 2)
            parameters = Parameters.of_one_network(
                [file[f"W{layer}"][()] for layer in layers], [file[f"b{layer}"][()] for layer in layers]
            )
            notes = {name: note.asstr()[()] for name, note in file["notes"].items()}
        parameters.check(architecture)
    except WeightsFileError:
        raise
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:  # all that h5py raises
        raise WeightsFileError(
            f"{path}: cannot be read as weights ({error}). It must be a whole HDF5 file written by sweeps; "
            "copy it again or export it again."
        ) from error
    return Weights(architecture, parameters, notes)


def _check_format(path: Path, file: h5py.File) -> None:
    if file.attrs.get("format") != FORMAT:
        raise WeightsFileError(
            f"{path}: an HDF5 file without weights (its 'format' is {file.attrs.get('format')!r}). It must be "
            f"{FORMAT!r}; pass the model.h5 that a sweep wrote."
        )
    version = int(file.attrs["format_version"])
    if version != FORMAT_VERSION:
        raise WeightsFileError(
            f"{path}: format version {version}. This release reads version {FORMAT_VERSION}; "
            "use the release that wrote it, or train again."
        )
