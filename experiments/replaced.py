"""A function of somebody else's module, replaced for a while."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def replaced(module: Any, name: str, by: Callable[[Any], Any]) -> Iterator[None]:  # noqa: ANN401  # a module, or None
    """While entered, `module.name` is what `by` makes of it; where a release has no such name, nothing is changed."""
    before = getattr(module, name, None)
    if before is None:
        yield
        return
    setattr(module, name, by(before))
    try:
        yield
    finally:
        setattr(module, name, before)
