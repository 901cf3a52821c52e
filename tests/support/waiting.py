"""Waiting for what another process or thread is about to do. Workers import it: nothing but the standard library."""

import subprocess
import time
from collections.abc import Callable
from typing import Any


def wait_for(
    condition: Callable[[], Any],
    what: str = "what was waited for",
    seconds: float = 60.0,
    process: "subprocess.Popen[Any] | None" = None,
) -> Any:
    """The first true value of a condition.

    Args:
        condition: Asked a hundred times a second.
        what: The thing that is to be there, for the message.
        seconds: How long.
        process: What brings it about, and so must not end before.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} was not there after {seconds} s"
        if process is not None and process.poll() is not None:
            said = [text for text in process.communicate() if text]
            raise AssertionError(f"the process ended with {process.returncode} before {what} was there; it said {said}")
        time.sleep(0.01)
    return value
