"""Calls that wait for a server, made at the same time."""

import threading
from collections.abc import Callable, Sequence

from experiments.mlflow_connection import quiet_logging

N_AT_ONCE = 8
"""Calls under way to a server, whose answers take longer than its work; `requests` keeps ten connections."""


def make_together(calls: Sequence[Callable[[], None]]) -> list[Exception | None]:
    """Make all calls at the same time; the error of each, None where there was none.

    Their threads do not keep a process from ending: whoever is interrupted here does not wait for answers.
    """
    errors: list[Exception | None] = [None] * len(calls)

    def make(position: int) -> None:
        with quiet_logging():
            try:
                calls[position]()
            except Exception as error:  # of whatever is called; whoever made the call decides
                errors[position] = error

    threads = [threading.Thread(target=make, args=(position,), daemon=True) for position in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors
