"""Folders for what can be made again: of this user alone, deleted without loss."""

import os
from pathlib import Path


def user_cache(part: str) -> Path:
    """`~/.cache/sweeps/<part>`, made where it was not there; XDG_CACHE_HOME moves ~/.cache.

    Raises:
        OSError: It cannot be made.
        RuntimeError: The user has no home.
    """
    root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(root).expanduser() / "sweeps" / part
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
