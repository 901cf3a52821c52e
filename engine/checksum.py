"""Checksums of what we write: at the end of a file, or of a line of JSON. What disks and copies change is then noticed.

    file    its content, then "\\nsha256 ", 64 hexadecimal digits and "\\n"; readers of HDF5 ignore what follows its end
    line    a JSON object whose last item is "checksum": CRC-32 of the line as it is without this item

Files and lines of earlier releases have none and are read as they are.
"""

import hashlib
import os
from enum import Enum
from io import BytesIO
from pathlib import Path
from zlib import crc32

_FILE_MARK = b"\nsha256 "
_FILE_LENGTH = len(_FILE_MARK) + 64 + 1
_LINE_MARK = b',"checksum":"'
_LINE_LENGTH = len(_LINE_MARK) + 8 + len(b'"}')


class Checksum(Enum):
    """What a checksum says of its content."""

    FITS = "fits"
    DIFFERS = "differs"
    MISSING = "missing"


def with_checksum(image: BytesIO) -> memoryview:
    """The whole of a file that was made in memory, its checksum appended."""
    digest = hashlib.sha256(image.getbuffer()).hexdigest()
    image.seek(0, os.SEEK_END)
    image.write(_FILE_MARK + digest.encode() + b"\n")
    return image.getbuffer()


def checksum_of_file(path: Path) -> Checksum:
    """Compare a file with the checksum at its end.

    Raises:
        OSError: The file is not there or cannot be read.
    """
    with path.open("rb") as file:
        n_content = file.seek(0, os.SEEK_END) - _FILE_LENGTH
        if n_content < 0:
            return Checksum.MISSING
        file.seek(n_content)
        tail = file.read()
        if not tail.startswith(_FILE_MARK):
            return Checksum.MISSING
        file.seek(0)
        digest = hashlib.sha256()
        while n_content > 0 and (part := file.read(min(n_content, 2**20))):
            digest.update(part)
            n_content -= len(part)
    return Checksum.FITS if tail == _FILE_MARK + digest.hexdigest().encode() + b"\n" else Checksum.DIFFERS


def line_with_checksum(line: str) -> str:
    """A JSON object of at least one item, in one line, with its checksum as the last item."""
    return f'{line[:-1]},"checksum":"{crc32(line.encode()):08x}"}}'


def checksum_of_line(line: bytes) -> Checksum:
    """Compare a line, with or without its line break, with the checksum in it."""
    line = line.removesuffix(b"\n")
    body, tail = line[:-_LINE_LENGTH], line[-_LINE_LENGTH:]
    if not tail.startswith(_LINE_MARK):
        return Checksum.MISSING
    return Checksum.FITS if tail == _LINE_MARK + b'%08x"}' % crc32(b"}", crc32(body)) else Checksum.DIFFERS
