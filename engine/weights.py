"""Weights on disk: one self-describing HDF5 file, no pickle.

Version 1 holds one network:

/            attributes: format, format_version, checksum, dtype, n_features, hidden_units, n_outputs, activation, head
/W1 /b1 ...  W[l] (n[l], n[l-1]) and b[l] (n[l], 1)
/notes/*     texts (UTF-8), such as the scaling of the inputs and the names of the classes

Version 2 holds several, whose outputs are averaged (`ensemble.py`); releases from before refuse it:

/                    attributes: format, format_version, checksum
/members/1 /2 ...    attributes: dtype, ..., head as above, and weight; the weights sum to 1
/members/1/W1 /b1    W[l] (F, n[l], n[l-1]) and b[l] (F, n[l], 1) of a stack of F networks
/notes/*             as above

The file ends in a checksum (`checksum.py`), and its attribute `checksum` says so: without one at its end it is damaged.
Files from before 2026-11-28 have neither; until 2026-11-29 they had no attribute. Earlier releases read over it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.activations import FloatArray
from engine.checksum import Checksum, checksum_of_file, with_checksum
from engine.durable_file import READABLE, write_durably
from engine.ensemble import Member, check_members, is_single
from engine.errors import WeightsFileError
from engine.network import Architecture, Parameters

if TYPE_CHECKING:  # whoever trains, or looks at a leaderboard, does without
    import h5py

FORMAT = "sweeps-weights"
FORMAT_VERSION = 1
"""Of a file that holds one network."""

ENSEMBLE_FORMAT_VERSION = 2


@dataclass(frozen=True, slots=True)
class Weights:
    """Trained networks and what is needed to use them.

    Attributes:
        members: One network is one member, a stack of F = 1.
        notes: Texts by name, written and read back unchanged.
    """

    members: tuple[Member, ...]
    notes: Mapping[str, str] = field(default_factory=dict)


def save_weights(path: Path, weights: Weights) -> None:
    """Write the file whole or not at all: in a temporary folder beside it, synced, then renamed.

    Raises:
        ShapeError, EngineError: The members do not belong together, see `check_members`.
        OSError: The folder is not writable or the disk is full; an earlier file of this name is untouched.
    """
    check_members(weights.members)
    write_durably(path, _file_image(weights), READABLE)


def _file_image(weights: Weights) -> memoryview:
    """Bytes of the file. Made in memory, because HDF5 itself answers a full disk with a RuntimeError."""
    import h5py

    image = BytesIO()
    with h5py.File(image, "w") as file:
        file.attrs["format"] = FORMAT
        file.attrs["checksum"] = "sha256"
        if is_single(weights.members):
            file.attrs["format_version"] = FORMAT_VERSION
            (member,) = weights.members
            W, b = ([array[0] for array in arrays] for arrays in (member.parameters.W, member.parameters.b))
            _write_networks(file, member.architecture, W, b)
        else:
            file.attrs["format_version"] = ENSEMBLE_FORMAT_VERSION
            for number, member in enumerate(weights.members, start=1):
                group = file.create_group(f"members/{number}")
                group.attrs["weight"] = member.weight
                _write_networks(group, member.architecture, member.parameters.W, member.parameters.b)
        notes = file.create_group("notes")
        for name, text in weights.notes.items():
            notes[name] = text
    return with_checksum(image)


def _write_networks(
    group: h5py.Group, architecture: Architecture, W: Sequence[FloatArray], b: Sequence[FloatArray]
) -> None:
    group.attrs["dtype"] = W[0].dtype.name
    group.attrs["n_features"] = architecture.n_features
    group.attrs["hidden_units"] = np.array(architecture.hidden_units, np.int64)
    group.attrs["n_outputs"] = architecture.n_outputs
    group.attrs["activation"] = architecture.activation
    group.attrs["head"] = architecture.head
    for layer, (weights, biases) in enumerate(zip(W, b, strict=True), start=1):
        group[f"W{layer}"], group[f"b{layer}"] = weights, biases


def load_weights(path: Path) -> Weights:
    """Read and check a file that `save_weights` wrote, in this release or an earlier one.

    Raises:
        WeightsFileError: Missing, damaged, not a file of weights, or of a later format version.
    """
    import h5py

    if not path.exists():
        raise WeightsFileError(f"{path}: no such file. A model file ends in .h5; check the path.")
    try:
        checksum = checksum_of_file(path)
        if checksum is Checksum.DIFFERS:
            raise _damaged(path, "does not fit")
        with h5py.File(path, locking=False) as file:  # it is whole since it has its name
            members = _read_members(file, _version(path, file))
            notes = {name: note.asstr()[()] for name, note in file["notes"].items()}
            is_checksum_gone = checksum is Checksum.MISSING and "checksum" in file.attrs
        check_members(members)
        if is_checksum_gone:
            raise _damaged(path, "is gone")
    except WeightsFileError:
        raise
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:  # all that h5py raises
        raise WeightsFileError(
            f"{path}: cannot be read as weights ({error}). It must be a whole HDF5 file written by sweeps; "
            "copy it again or export it again."
        ) from error
    return Weights(members, notes)


def _damaged(path: Path, how: str) -> WeightsFileError:
    return WeightsFileError(
        f"{path}: damaged, its checksum {how}. Each byte must be as sweeps wrote it; copy it again or export it again."
    )


def _read_members(file: h5py.File, version: int) -> tuple[Member, ...]:
    if version == FORMAT_VERSION:
        architecture, W, b = _read_networks(file)
        return (Member(architecture, Parameters.of_one_network(W, b)),)
    groups = file["members"]
    return tuple(_read_member(groups[str(number)]) for number in range(1, len(groups) + 1))


def _read_member(group: h5py.Group) -> Member:
    architecture, W, b = _read_networks(group)
    return Member(architecture, Parameters(tuple(W), tuple(b)), float(group.attrs["weight"]))


def _read_networks(group: h5py.Group) -> tuple[Architecture, list[FloatArray], list[FloatArray]]:
    architecture = Architecture(
        n_features=int(group.attrs["n_features"]),
        hidden_units=tuple(int(n) for n in group.attrs["hidden_units"]),
        n_outputs=int(group.attrs["n_outputs"]),
        activation=str(group.attrs["activation"]),
        head=str(group.attrs["head"]),
    )
    layers = range(1, architecture.depth + 2)
    return architecture, [group[f"W{layer}"][()] for layer in layers], [group[f"b{layer}"][()] for layer in layers]


def _version(path: Path, file: h5py.File) -> int:
    if file.attrs.get("format") != FORMAT:
        raise WeightsFileError(
            f"{path}: an HDF5 file without weights (its 'format' is {file.attrs.get('format')!r}). It must be "
            f"{FORMAT!r}; pass the model.h5 that a sweep wrote."
        )
    version = int(file.attrs["format_version"])
    if version not in (FORMAT_VERSION, ENSEMBLE_FORMAT_VERSION):
        raise WeightsFileError(
            f"{path}: format version {version}. This release reads versions {FORMAT_VERSION} and "
            f"{ENSEMBLE_FORMAT_VERSION}; use the release that wrote it, or train again."
        )
    return version
