"""What the record costs: the coordinator's share of it, and how fast MLflow takes it.

python -m tests.benchmarks.bench_delivery [--quick] [--append]

points       50,000 points of 125 trials to a local SQLite store: seconds
coordinator  sweeps of 200 trials of 0.1 s in two sleeping workers, everything else real: the coordinator's time in
             recording as a share of the sweep's, with SQLite, with a server, and with one that takes 200 ms longer
             for each answer (a real `mlflow server` behind a proxy that waits)
"""

import argparse
import http.client
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any

from experiments.delivery import deliver
from experiments.facts import DataFact, SweepStarted, TrialFinished
from experiments.mlflow_connection import connect
from experiments.outbox import Outbox
from tests.benchmarks import results
from tests.benchmarks.bench_scheduler import speed_for
from tests.benchmarks.bench_sweep import run_ours
from tests.benchmarks.timing import OtherLoad
from tests.support.servers import free_port, mlflow_server

DATA = DataFact("bench", "0", "bench", 100, 10, 30, "binary", {})
CONFIGURATION = """
[sweep]
name = "bench"
n_trials = {n_trials}
[data]
train = "sklearn:breast_cancer"
[execution]
workers = 2
[tracking]
uri = "{uri}"
"""


def points(n_trials: int, n_repeats: int) -> str:
    """Seconds to deliver n_trials of four curves of 100 points."""
    seconds = []
    curve_names = ("train_cost", "validation_cost", "train_accuracy", "validation_accuracy")
    for _ in range(n_repeats):
        with tempfile.TemporaryDirectory() as directory:
            uri = f"sqlite:///{directory}/mlflow.db"
            connect(uri).search_experiments()  # creating the schema is not delivering
            outbox = Outbox(Path(directory, "outbox.jsonl"))
            outbox.append(SweepStarted("bench/1", "bench", 1e9, {}, {}, "", "", DATA))
            for number in range(n_trials):
                curves = {key: [(10 * i, 1.0 / (i + number + 1)) for i in range(100)] for key in curve_names}
                params: dict[str, Any] = {"depth": 2, "learning_rate": 0.1, "activation": "relu"}
                result = (params, {"value": 1.0}, curves, 1e9 + number, 1e9 + number + 1)
                outbox.append(TrialFinished("bench/1", number, "COMPLETE", False, *result))
            began_at = time.perf_counter()
            delivered = deliver(outbox, uri)
            seconds.append(time.perf_counter() - began_at)
            assert delivered.n_pending == 0, delivered.error
    row = [f"{n_trials:,}", f"{400 * n_trials:,}", f"{median(seconds):.2f}", f"{1e3 * median(seconds) / n_trials:.1f}"]
    return results.table(["trials", "points", "s, median", "ms a trial"], [row])


def coordinator(n_trials: int) -> str:
    """One row a tracking store."""
    rows = []
    speed = speed_for(0.1)
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as directory,
        mlflow_server(
            Path(directory),
            f"sqlite:///{directory}/server.db",
            *("--default-artifact-root", f"{directory}/artifacts"),
            port=port,
        ) as server,
        slow_proxy(port, 0.2) as slow,
    ):
        stores = {
            "SQLite": "sqlite:///mlflow.db",
            "server": server,
            "server, 200 ms later": f"http://127.0.0.1:{slow}",
        }
        for name, uri in stores.items():
            sweep = run_ours(CONFIGURATION.format(n_trials=n_trials, uri=uri), is_measured=True, speed=speed)
            assert sweep.measured is not None
            at, seconds = sweep.measured["at"], sweep.measured["seconds"]["record"]
            trials = at["schedule ends"] - at["schedule begins"]
            rows.append(
                [
                    name,
                    f"{trials:.2f}",
                    f"{1e3 * seconds / n_trials:.2f}",
                    f"{seconds / trials:.1%}",
                    f"{at['all is delivered to MLflow'] - at['end is recorded']:.1f}",
                    str(sweep.measured["n_pending"]),
                ]
            )
    columns = ["tracking store", "trials s", "recording, ms a trial", "of wall", "waited at the end, s", "pending"]
    return results.table(columns, rows)


@contextmanager
def slow_proxy(port: int, seconds: float) -> Iterator[int]:
    """Passes requests on to the port and answers so much later: its own port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            connection = http.client.HTTPConnection("127.0.0.1", port)
            headers = {key: value for key, value in self.headers.items() if key.lower() != "host"}
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            answer = response.read()
            time.sleep(seconds)
            connection.close()
            with suppress(ConnectionError):  # the sweep waits no longer
                self.send_response(response.status)
                self.send_header("Content-Type", response.headers.get("Content-Type", "application/json"))
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Proxy(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # the sweep waits no longer

    proxy = Proxy(("127.0.0.1", 0), Handler)
    proxy.daemon_threads = True
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield proxy.server_port
    finally:
        proxy.shutdown()
        proxy.server_close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="once, 25 trials")
    parser.add_argument("--append", action="store_true", help="add the tables to RESULTS.md")
    options = parser.parse_args()
    parts = {
        "points": lambda: points(25 if options.quick else 125, 1 if options.quick else 3),
        "coordinator": lambda: coordinator(25 if options.quick else 200),
    }
    for name, part in parts.items():
        with OtherLoad() as other:
            text = part()
        paragraph = results.conditions(other.cores)
        print(f"\n{name}: {paragraph}\n\n{text}", flush=True)
        if options.append:
            results.append(f"bench_delivery {name}", paragraph, text)


if __name__ == "__main__":
    main()
