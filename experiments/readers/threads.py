"""Work on many files at once, in threads: for reading, hashing and decoding, which leave Python's lock alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_threads(
    work: Callable[[T], R], items: Sequence[T], tell: Callable[[int], None] = lambda n_done: None
) -> list[R]:
    """[work(item) for item in items], as many at once as there are processors for this process.

    Args:
        work: Must not touch what belongs to the process, such as filters of warnings.
        items: What it is called with.
        tell: Called here after each, with how many are done.
    """
    from joblib import Parallel, cpu_count, delayed

    results = []
    for result in Parallel(min(cpu_count(), max(1, len(items))), backend="threading", return_as="generator")(
        delayed(work)(item) for item in items
    ):
        results.append(result)
        tell(len(results))
    return results
