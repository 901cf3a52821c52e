"""A table in several files: a folder of parts, or all that fit a pattern such as sales/2024-*.csv."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.errors import InputError, collected, how_many, listed
from experiments.readers.compressed import SUFFIXES, uncompressed
from experiments.readers.examples import Advance, Contents, Examples
from experiments.readers.options import ReadOptions
from experiments.readers.picture_folder import files_in, is_left_by_system

if TYPE_CHECKING:
    import pandas as pd

_TABLES = {".csv": "CSV", ".tsv": "CSV", ".parquet": "Parquet", ".pq": "Parquet", ".feather": "Feather"}
_IN_FOLDER_NAME = re.compile(r"([^=]+)=(.*)")


def is_pattern(path: Path) -> bool:
    """Whether a path stands for all that fit it: it holds *, ? or [, and there is no file of this name."""
    return any(mark in str(path) for mark in "*?[") and not path.exists()


def files_of_pattern(path: Path, place: str) -> list[Path]:
    """The files that fit, in the order of their names.

    Raises:
        InputError: None fits.
    """
    paths = map(Path, sorted(glob(str(path), recursive=True)))
    found = [file for file in paths if file.is_file() and not is_left_by_system(file.name)]
    if not found:
        raise InputError(
            f"{place}: no file fits this pattern (looked at {path.absolute()}).",
            "* stands for any characters, ? for one, ** for folders.",
            "Correct it, or put the files there.",
        )
    return found


def parts_in(folder: Path) -> list[Path] | None:
    """The parts of a table that is a folder; None if there are other files in it, such as pictures, or none."""
    files = files_in(folder)
    return files if files and all(_format_of(file) for file in files) else None


def read_parts(
    files: Sequence[Path],
    place: str,
    options: ReadOptions,
    train: Examples | None = None,
    advance: Advance | None = None,
) -> Contents:
    """Read files that have the same columns as one table, rows in the order of the files.

    What Spark and others keep in the names of folders, year=2024, is a column.

    Args:
        files: CSV, Parquet or Feather, compressed or not; at least one.
        place: How messages name them together.
        options, train: As in `read_table`.
        advance: Told how far it is.

    Raises:
        InputError: Some are no tables, or their columns differ; all of these are told.
    """
    import pandas as pd

    from experiments.readers.table import examples_of

    other = [file.name for file in files if _format_of(file) is None]
    if other:
        raise InputError(
            f"{place}: {len(other)} of {how_many(len(files), 'file')} "
            f"{'is no table' if len(other) == 1 else 'are no tables'}: {listed(other)}.",
            f"Parts of a table are {', '.join(_TABLES)}, or such with {' or '.join(SUFFIXES)} behind.",
            "Move the others away, or correct the pattern.",
        )
    frames: list[pd.DataFrame] = []

    def read(file: Path) -> None:
        frame = _read_part(file, f"{place}: {file.name}", options)
        if frames:
            _refuse_other_columns(frame, frames[0], f"{place}: {file.name}", files[0].name)
        frames.append(frame)
        if advance is not None:
            advance(place, len(frames), len(files))

    collected((partial(read, file) for file in files), place)
    whole = pd.concat([frame[frames[0].columns] for frame in frames], ignore_index=True)
    return examples_of(whole, place, options.for_table(place), train)


def _read_part(file: Path, place: str, options: ReadOptions) -> pd.DataFrame:
    from experiments.readers.table import read_frame

    file_format = _format_of(file)
    assert file_format is not None
    with uncompressed(file, place) as plain:
        frame = read_frame(plain, place, file_format, options)
    in_names = [
        (match[1].strip(), match[2]) for folder in file.parts[:-1] if (match := _IN_FOLDER_NAME.fullmatch(folder))
    ]
    return frame.assign(**{name: value for name, value in in_names if name not in frame.columns})


def _format_of(file: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] in SUFFIXES:
        suffixes.pop()
    return _TABLES.get(suffixes[-1]) if suffixes else None


def _refuse_other_columns(frame: pd.DataFrame, first: pd.DataFrame, place: str, name_of_first: str) -> None:
    missing = [name for name in first.columns if name not in frame.columns]
    unknown = [name for name in frame.columns if name not in first.columns]
    if missing or unknown:
        lacks = f" lacks {listed(missing)}" if missing else ""
        has = f"{' and' if lacks else ''} has {listed(unknown)} beside" if unknown else ""
        raise InputError(
            f"{place}{lacks}{has}, other than {name_of_first}.",
            "All parts of a table have the same columns.",
            "Export it again, or name the files that belong together by a pattern.",
        )
