"""Whether the parts of a MATLAB file of version 5 to 7 fit into each other, looked at before SciPy follows their sizes.

Source: MathWorks, "MAT-File Format", the Level 5 format.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import numpy as np

_N_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_BYTES_OF = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}
"""Numbers as they are stored: int8, uint8, int16, uint16, int32, uint32, float32, float64, int64, uint64."""
_TEXT = {1, 2, 3, 4, 16, 17, 18}
_INT32 = (5, 6)
_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE, _LAST_NUMERIC, _LAST = 1, 2, 3, 4, 5, 15, 18
_IS_COMPLEX = 0x0800
_DEEPEST = 20
_MOST_EXPANDED = 1100  # times; zlib gets to 1,032


class _Element(NamedTuple):
    kind: int
    data: memoryview


def check_mat5_form(content: bytes) -> None:
    """Check all arrays of a file.

    Raises:
        ValueError: A part is missing, or says that it is larger than what it is in.
        zlib.error, struct.error: A compressed part is damaged, or a number is incomplete.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None:
        raise ValueError("its header is incomplete")
    for element in _elements(memoryview(content)[_N_HEADER:], order):
        if element.kind == _COMPRESSED:
            inside = zlib.decompressobj().decompress(element.data, _MOST_EXPANDED * len(element.data) + 64)
            element = next(_elements(memoryview(inside), order), element)
        if element.kind == _MATRIX:
            _check_matrix(element.data, order, 0)


def _elements(data: memoryview, order: str) -> Iterator[_Element]:
    at = 0
    while at < len(data):
        if len(data) - at < 8:
            raise ValueError("it ends in the middle of a part")
        kind, n_bytes = struct.unpack_from(f"{order}II", data, at)
        start = at + 8
        if kind >> 16:  # a small element has its data in the tag
            kind, n_bytes, start = kind & 0xFFFF, kind >> 16, at + 4
            if n_bytes > 4:
                raise ValueError("a small part is too large")
        if start + n_bytes > len(data):
            raise ValueError("a part is longer than the file")
        yield _Element(kind, data[start : start + n_bytes])
        at = start + n_bytes
        if kind != _COMPRESSED:
            at += -at % 8


def _check_matrix(data: memoryview, order: str, depth: int) -> None:
    """Check an array and all that is in it; data of kinds that are not read, such as functions, are left alone."""
    if len(data) == 0:
        return
    if depth > _DEEPEST:
        raise ValueError("cells are nested too deeply")
    flags, shape, name, *parts = (*_elements(data, order),) if len(data) >= 24 else ()
    if (
        flags.kind != 6
        or len(flags.data) != 8
        or shape.kind not in _INT32
        or len(shape.data) < 8
        or name.kind not in (1, 2, 16)
    ):
        raise ValueError("an array is not described")
    said, n_stored = struct.unpack(f"{order}II", flags.data)
    dimensions = np.frombuffer(shape.data[: len(shape.data) // 4 * 4], f"{order}i4").tolist()
    if min(dimensions) < 0:
        raise ValueError(f"an array has the shape {dimensions}")
    kind, is_complex, n = said & 0xFF, bool(said & _IS_COMPLEX), prod(dimensions)
    if kind == _SPARSE:
        _check_sparse(parts, dimensions, n_stored, is_complex, order)
    elif kind == _CHAR:
        if len(parts) != 1 or parts[0].kind not in _TEXT:
            raise ValueError("a text is damaged")
    elif kind == _CELL:
        _check_children(parts, n, order, depth)
    elif kind in (_STRUCT, _OBJECT):
        parts = parts[1:] if kind == _OBJECT else parts  # before it the name of its class
        length, names, *members = parts
        (n_characters,) = struct.unpack(f"{order}i", length.data)
        if n_characters < 1 or len(names.data) % n_characters:
            raise ValueError("names of fields are damaged")
        _check_children(members, n * (len(names.data) // n_characters), order, depth)
    elif kind <= _LAST_NUMERIC:
        if len(parts) != 1 + is_complex or any(_n_numbers(part) != n for part in parts):
            raise ValueError(f"an array of shape {dimensions} has another number of values")
    elif kind > _LAST:
        raise ValueError(f"an array is of an unknown kind, {kind}")


def _n_numbers(part: _Element) -> float:
    return len(part.data) / _BYTES_OF[part.kind] if part.kind in _BYTES_OF else -1


def _check_children(parts: list[_Element], n: int, order: str, depth: int) -> None:
    if len(parts) != n or any(part.kind != _MATRIX for part in parts):
        raise ValueError("a cell or structure has another number of members")
    for part in parts:
        _check_matrix(part.data, order, depth + 1)


def _check_sparse(parts: list[_Element], dimensions: list[int], n_stored: int, is_complex: bool, order: str) -> None:
    if len(dimensions) != 2 or len(parts) != 3 + is_complex or any(part.kind not in _INT32 for part in parts[:2]):
        raise ValueError("a sparse array is damaged")
    rows, starts = (np.frombuffer(part.data[: len(part.data) // 4 * 4], f"{order}i4") for part in parts[:2])
    if len(starts) != dimensions[1] + 1 or starts[0] != 0 or (np.diff(starts) < 0).any():
        raise ValueError("a sparse array is damaged")
    n = int(starts[-1])
    if len(rows) < n or any(len(part.data) < n or part.kind not in _BYTES_OF for part in parts[2:]):  # truth values
        raise ValueError("a sparse array is damaged")
    if n and not 0 <= rows[:n].min() <= rows[:n].max() < dimensions[0]:
        raise ValueError("a sparse array is damaged")
