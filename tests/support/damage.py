"""What disks, copies and editors do to a file: flipped bits, bytes that are something else, ends that are missing."""

from collections.abc import Iterator

import numpy as np
import pytest

MANY_DAMAGES = pytest.mark.parametrize("n_damages", [40, pytest.param(500, marks=pytest.mark.slow)])
"""So many for each kind of file."""


def damages(whole: bytes, n_damages: int, seed: int = 17) -> Iterator[tuple[str, bytes]]:
    """Damaged contents of a file, each other than the whole, and in words what was done."""
    generator = np.random.default_rng(seed)
    for number in range(n_damages):
        damaged, place = bytearray(whole), int(generator.integers(len(whole)))
        kind = ("flip", "flip", "digit", "random bytes", "zeros", "truncated")[number % 6]
        end = min(place + int(generator.integers(1, 64)), len(whole))
        match kind:
            case "flip":
                damaged[place] ^= 1 << int(generator.integers(8))
            case "digit":  # which leaves a text as sound as before
                place = next((i for i in range(place, len(whole)) if whole[i] in b"0123456789"), place)
                damaged[place] ^= 1
            case "random bytes":
                damaged[place:end] = generator.bytes(end - place)
            case "zeros":
                damaged[place:end] = bytes(end - place)
            case "truncated":
                del damaged[place:]
        if damaged != whole:
            yield f"{kind} at {place} (number {number})", bytes(damaged)
