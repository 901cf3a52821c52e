"""A command of the user's that is told how a run ended."""

import json
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from experiments.errors import InputError

LONGEST_SECONDS = 60.0


def words_of(command: str) -> list[str]:
    """The words of a command; no shell reads it, so `$`, `|` and `>` are letters like others.

    Raises:
        InputError: A quote is left open, or there is nothing.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if not words:
        raise InputError(
            f"--notify {command!r}: not a command.",
            "It is a program and its arguments, quoted as in a shell, though no shell reads them.",
            "Close every quote; for pipes and variables: --notify \"sh -c '... | ...'\"",
        )
    return words


def notify(words: list[str], document: Mapping[str, Any]) -> str | None:
    """Run the command with a JSON document on its stdin; what went wrong, in a line, or None.

    It gets a minute, and then all that it started is killed. What it prints is shown only where it fails.
    """
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(  # noqa: S603  # the user's own command
                words, stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
            )
        except OSError as error:
            return f"--notify {words[0]}: cannot be started ({error.strerror})."
        try:
            process.communicate(json.dumps(document).encode(), timeout=LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"--notify {words[0]}: did not end within {LONGEST_SECONDS:g} s and was killed."
        if process.returncode == 0:
            return None
        said.seek(0)
        last = said.read().decode(errors="replace").strip().rpartition("\n")[2]
        return f"--notify {words[0]}: ended with exit {process.returncode}{f': {last}' if last else ''}."
