"""Which reader reads this source: recognised by content first, by extension second."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import TypeAlias

from experiments.errors import InputError
from experiments.readers.examples import PYTHON_PREFIX, Advance, Contents, Examples, InMemory
from experiments.readers.options import ReadOptions

Source: TypeAlias = str | InMemory

SKLEARN_PREFIX = "sklearn:"
_ALLOWED = (
    "Examples come from HDF5 (.h5), NPZ (.npz), MATLAB (.mat), CSV (.csv, .tsv), Parquet (.parquet), Feather "
    "(.feather), Excel (.xlsx), ARFF (.arff), LIBSVM (.svm), a folder of tables or of pictures for each class, or "
    "sklearn:<name>."
)
_ZIP = b"PK\x03\x04"
_EXTENSIONS = {
    "HDF5": (".h5", ".hdf5", ".he5", ".hdf", ".nc"),
    "NPZ": (".npz",),
    "Parquet": (".parquet", ".pq"),
    "CSV": (".csv", ".tsv"),
    "Feather": (".feather", ".arrow"),
    "Excel": (".xlsx", ".xlsm"),
    "ARFF": (".arff",),
    "LIBSVM": (".svm", ".libsvm", ".svmlight"),
}
_TEXT = ("CSV", "ARFF", "LIBSVM")
"""Formats without a signature, known by their extension alone."""
TABLES = ("CSV", "Parquet", "Feather", "Excel", "ARFF")
_SIGNATURES = {
    b"\x89HDF\r\n\x1a\n": "HDF5",
    _ZIP: "NPZ",
    b"PAR1": "Parquet",
    b"MATLAB 5": "MATLAB",
    b"ARROW1": "Feather",
}


def read_source(
    source: Source,
    directory: Path,
    options: ReadOptions,
    train: Examples | None = None,
    advance: Advance | None = None,
) -> Contents:
    """Read the labelled examples of a file, of a set inside scikit-learn, or of a Python program.

    Args:
        source: A path (relative to `directory`, absolute, or starting with ~), "sklearn:<name>", or objects.
        directory: Where relative paths start.
        options: What the user says of it; what is for tables is refused for everything else, and the other way round.
        train: The training examples, if the source holds test examples; see `read_table`.
        advance: Told how far it is, where there are many files to read.

    Raises:
        InputError: The source is missing, unreadable, of no known format, or unsound.
    """
    if not isinstance(source, str):
        from experiments.readers.in_memory import read_in_memory

        return read_in_memory(source, options, train)
    if source.startswith(PYTHON_PREFIX):
        raise InputError(
            f"{source}: these examples were handed over by a Python program, and no file holds them.",
            _ALLOWED,
            "Call run_sweep(config, train=...) with them again, or name a file.",
        )
    if source.startswith(SKLEARN_PREFIX):
        from experiments.readers.sklearn_sets import read_sklearn_set

        options.for_table(source).for_arrays(source)
        return read_sklearn_set(source.removeprefix(SKLEARN_PREFIX))

    path = resolve(source, directory)
    several = _several(path, source)
    if several is not None:
        from experiments.readers.several_files import read_parts

        return read_parts(several, source, options, train, advance)
    if os.path.isdir(path):
        from experiments.readers.picture_folder import read_picture_folder

        return read_picture_folder(path, source, options, train, advance)
    from experiments.readers.compressed import uncompressed

    with uncompressed(path, source) as plain:
        return _read_file(plain, source, options, train)


def _several(path: Path, source: str) -> list[Path] | None:
    """The files of a table that is a folder or a pattern; None for everything else."""
    from experiments.readers.several_files import files_of_pattern, is_pattern, parts_in

    if os.path.isdir(path):
        return parts_in(path)
    return files_of_pattern(path, source) if is_pattern(path) else None


def _read_file(path: Path, source: str, options: ReadOptions, train: Examples | None) -> Contents:
    file_format = recognise(path, source)
    if file_format in TABLES:
        from experiments.readers.table import read_table

        return read_table(path, source, file_format, options.for_table(source), train)

    options.for_arrays(source)
    if file_format == "HDF5":
        from experiments.readers.hdf5 import read_hdf5

        return read_hdf5(path, source, options, train)
    if file_format == "MATLAB":
        from experiments.readers.mat5 import read_mat5

        return read_mat5(path, source, options, train)
    if file_format == "LIBSVM":
        from experiments.readers.libsvm import read_libsvm

        return read_libsvm(path, source, options, train)
    from experiments.readers.npz import read_npz

    return read_npz(path, source, options, train)


def name_of(source: Source) -> str:
    """How messages and the record name a source."""
    return source if isinstance(source, str) else source.place


def resolve(source: str, directory: Path) -> Path:
    """The path a user meant; expands ~ and starts relative paths at `directory`."""
    try:
        return directory / Path(source).expanduser()
    except RuntimeError as error:  # ~unknown_user
        raise InputError(f"{source}: {error}", _ALLOWED, "Write the whole path.") from error


def recognise(path: Path, source: str) -> str:
    """Name the format of an existing, readable file: a key of `_EXTENSIONS`, or "MATLAB".

    Raises:
        InputError: No such file, a directory, unreadable, empty, or of no known format.
    """
    found = format_of(path, source, home="the configuration file")
    if found is None:
        raise InputError(
            f"{source}: neither its content nor its extension '{path.suffix.lower()}' is of a known format.",
            _ALLOWED,
            "Convert the file; if it is a table of comma-separated text, rename it to .csv.",
        )
    return found


def format_of(path: Path, source: str, home: str) -> str | None:
    """As `recognise`, but None for a file of no known format.

    Args:
        path: The file.
        source: How messages name it.
        home: What relative paths are relative to, in words.

    Raises:
        InputError: No such file, a directory, unreadable, empty, or not in the format that its
            extension claims.
    """
    if os.path.isdir(path):  # for a path that the system refuses: False, where Path.is_dir raises
        raise InputError(f"{source}: this is a directory, not a file.", _ALLOWED, "Name a file inside it.")
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except FileNotFoundError as error:
        raise InputError(
            f"{source}: there is no such file (looked at {path.absolute()}).",
            f"Paths are relative to {home}.",
            "Correct the path, or put the file there.",
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{source}: cannot be opened ({reason}).", _ALLOWED, "Give a readable file.") from error
    if not head:
        raise InputError(f"{source}: the file is empty.", _ALLOWED, "Export the file again.")

    found = next((name for signature, name in _SIGNATURES.items() if head.startswith(signature)), None)
    suffix = path.suffix.lower()
    if found == "NPZ" and suffix != ".npz":
        found = _format_of_archive(path)
    expected = next((name for name, suffixes in _EXTENSIONS.items() if suffix in suffixes), None)
    if found is None and (expected == "HDF5" or head.startswith(b"MATLAB 7")):
        found = _hdf5_behind_user_block(path)
    if found is None and expected in _TEXT:
        found = expected
    if found is None and expected is not None:
        raise InputError(
            f"{source}: not an {expected} file, although its name ends in {suffix}."
            if expected in ("HDF5", "NPZ", "Excel")
            else f"{source}: not a {expected} file, although its name ends in {suffix}.",
            _ALLOWED,
            "Export the file again, or give it the extension of what it is.",
        )
    return found


def _format_of_archive(path: Path) -> str | None:
    """What a ZIP archive is that is not called NPZ."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile):  # RuntimeError: of a version that nobody knows
        return None
    if any(name.startswith("xl/") for name in names):
        return "Excel"
    return "NPZ" if any(name.endswith(".npy") for name in names) else None


def _hdf5_behind_user_block(path: Path) -> str | None:
    import h5py

    return "HDF5" if h5py.is_hdf5(path) else None
