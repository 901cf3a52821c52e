"""Arrays that say they are far larger than what their file holds of them: never written, or made to fill a memory."""

from experiments.errors import InputError

MOST_COMPRESSED = 500
"""Times; gzip gets to 1,032 of nothing but zeros."""

LEAST_BYTES = 100_000_000
"""Smaller arrays are read whatever they say."""


def check_declared_size(place: str, n_declared: int, n_stored: int) -> None:
    """Check that an array has values in its file.

    Args:
        place: How messages name the array.
        n_declared, n_stored: Bytes in memory, and in the file.
    Raises:
        InputError: It has hardly any.
    """
    if n_declared > LEAST_BYTES and n_declared > MOST_COMPRESSED * n_stored:
        raise InputError(
            f"{place} says that it has {n_declared:,} bytes, and the file holds {n_stored:,} of them.",
            "Values that were never written are no data, and constant ones tell nothing.",
            "Export the array again, with its own size.",
        )
