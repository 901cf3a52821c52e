"""Processes of our own that do not run the program's main file again."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_one_at_a_time = threading.Lock()


@contextmanager
def unseen_main() -> Iterator[None]:
    """While entered, a process that is started by `spawn` leaves the program's main file alone. Enter it briefly.

    `spawn` has each new process run that file, for functions which it may be given from there. Ours are given none; and
    a script that calls `run_sweep` without `if __name__ == "__main__"` would begin its sweep anew in every worker.
    """
    main = sys.modules["__main__"]
    with _one_at_a_time:
        hidden = {name: getattr(main, name) for name in ("__spec__", "__file__") if hasattr(main, name)}
        try:
            for name in hidden:
                setattr(main, name, None)
            yield
        finally:
            for name, value in hidden.items():
                setattr(main, name, value)
