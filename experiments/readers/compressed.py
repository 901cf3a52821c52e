"""Files that are compressed as a whole: houses.csv.gz, houses.csv.zst."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from experiments.errors import InputError

_SIGNATURES = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "Zstandard"}
SUFFIXES = (".gz", ".zst")


@contextmanager
def uncompressed(path: Path, place: str) -> Iterator[Path]:
    """The file itself, or for the time of the block a plain copy in a private temporary folder.

    Args:
        path: The file; houses.csv.gz becomes houses.csv.
        place: How messages name it.

    Raises:
        InputError: It is truncated or damaged, or its copy has no place.
    """
    kind = _kind_of(path)
    if kind is None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="sweeps-") as folder:
        plain = Path(folder) / (path.stem if path.suffix.lower() in SUFFIXES else path.name)
        try:
            with _opened(path, kind) as file, plain.open("wb") as copy:
                shutil.copyfileobj(file, copy, 2**20)
        except (OSError, EOFError, zlib.error) as error:  # pyarrow's is an OSError
            raise InputError(
                f"{place}: the {kind} file is truncated or damaged, or too large when unpacked ({error}).",
                "All of it must be readable, and there must be room for it in the folder for temporary files.",
                "Copy or export it again, or unpack it yourself.",
            ) from error
        yield plain


def _kind_of(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except (OSError, ValueError):  # which the reader says
        return None
    return next((kind for signature, kind in _SIGNATURES.items() if head.startswith(signature)), None)


def _opened(path: Path, kind: str) -> IO[bytes]:
    if kind == "gzip":
        return cast(IO[bytes], gzip.open(path))
    import pyarrow as pa

    return cast(IO[bytes], pa.input_stream(str(path), compression="zstd"))
