"""Processes of our own that find our packages and do not run the program's main file again."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import engine

_PACKAGES = str(Path(engine.__file__).resolve().parents[1])
_one_at_a_time = threading.Lock()


@contextmanager
def start_of_ours() -> Iterator[None]:
    """While entered, a process that is started by `spawn` is one of ours. Enter it briefly.

    It leaves the program's main file alone. `spawn` has each new process run that file, for functions which it may be
    given from there. Ours are given none; and a script that calls `run_sweep` without `if __name__ == "__main__"` would
    begin its sweep anew in every worker.

    It finds our packages before others of their names: MLflow puts the code that travels with a model, which has parts
    of `engine` and `experiments`, at the front of the path of a program that has loaded one. The list is replaced and
    never changed: another thread may be importing, and would pass over a folder of a list that shifts under it.
    """
    main = sys.modules["__main__"]
    with _one_at_a_time:
        hidden = {name: getattr(main, name) for name in ("__spec__", "__file__") if hasattr(main, name)}
        sys.path = [_PACKAGES, *sys.path]
        try:
            for name in hidden:
                setattr(main, name, None)
            yield
        finally:
            path = sys.path.copy()
            path.remove(_PACKAGES)
            sys.path = path
            for name, value in hidden.items():
                setattr(main, name, value)
