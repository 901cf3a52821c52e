"""Real servers on loopback: MLflow's tracking server, and whichever else a test starts."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

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
    without_jobs = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # GenAI's, eight processes more
    with serving(command, f"{address}/health", folder / "server.log", folder, without_jobs):
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


@contextmanager
def slow_proxy(address: str, seconds: float) -> Iterator[tuple[str, list[str]]]:
    """A server that hands every request on and its answer back so much later; its address, and what was asked."""
    asked: list[str] = []

    class Slow(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            asked.append(f"{self.command} {urlsplit(self.path).path}")
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            time.sleep(seconds)
            host, port = address.removeprefix("http://").split(":")
            connection = HTTPConnection(host, int(port))
            with closing(connection):
                connection.request(self.command, self.path, body, {**self.headers, "Host": f"{host}:{port}"})
                answer = connection.getresponse()
                content = answer.read()
            with suppress(OSError):  # whoever asked does not wait any more
                self.send_response(answer.status)
                for name in ("Content-Type", "Content-Disposition"):
                    if value := answer.getheader(name):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
