"""Real servers on loopback: MLflow's tracking server, and whichever else a test starts."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.waiting import wait_for


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def mlflow_server(folder: Path, uri: str | None = None, *options: str, port: int | None = None) -> Iterator[str]:
    """A real MLflow server; its address.

    Args:
        folder: Where it runs, and writes server.log.
        uri: The store that it serves; with None it is a bare `mlflow ui`, as one types it in the folder.
        options: More of the command's.
        port: To be known before there is a server; with None it is any free one.
    """
    port = port or free_port()
    store = [] if uri is None else ["--backend-store-uri", uri]
    command = [sys.executable, "-m", "mlflow", "ui", "--port", str(port), "--workers", "1", *store, *options]
    address = f"http://127.0.0.1:{port}"
    with serving(command, f"{address}/health", folder / "server.log", folder):
        yield address


@contextmanager
def serving(
    command: list[str], health: str, log: Path, folder: Path, environment: dict[str, str] | None = None
) -> Iterator[None]:
    """A server that answers as long as the block lasts, with all the processes that it starts.

    Args:
        command: Starts it.
        health: The address that tells whether it is there: with status 200.
        log: Gets what it writes.
        folder: Its working directory.
        environment: All of it; None is this process's.
    """
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=file, stderr=file, start_new_session=True
        )
        try:
            wait_for(lambda: _is_answered(health), f"an answer of {health}", process=process)
            yield
        except AssertionError as error:
            error.add_note(f"{log}:\n{log.read_text()[-2000:]}")
            raise
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _is_answered(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310  # loopback
            return bool(response.status == 200)
    except OSError:
        return False
