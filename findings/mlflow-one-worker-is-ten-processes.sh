#!/usr/bin/env bash
# WHAT: `mlflow ui --workers 1` (and `mlflow server`) of a SQLite store starts a job runner and seven job queues beside
#   its one worker: ten processes and 1.6 GB in memory, before anybody has opened a page or asked for a job.
# WITH: mlflow==3.17.2; Python 3.11.7; Linux
# EXPECTED: --workers says how many processes serve; one worker is one server of some 200 MB and its parent.
# SEEN:
#   --workers 1:                                          10 processes, 1555 MB
#   --workers 1, MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false: 2 processes, 411 MB
# MATTERS: a small machine that trains at night keeps the page open, or starts it for a look: 1.1 GB less for training, and
#   on two cores some twenty seconds of processor for the start. The jobs are those of prompts and traces (GenAI); who
#   only looks at runs and models loses nothing without: MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow ui
# SOURCE: mlflow/environment_variables.py, where it is true by default; `mlflow ui --help` of this version does not name it.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlflow==3.17.2
cd "$folder"
venv/bin/python - <<'PROGRAM'
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.request


def session_of(pid):
    """Processes that the server has started, itself included, and their memory in MB, shared pages divided."""
    members, kilobytes = [], 0
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if int(process.joinpath("stat").read_text().rpartition(")")[2].split()[3]) != pid:
                continue
            lines = process.joinpath("smaps_rollup").read_text().splitlines()
            kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            members.append(process.name)
        except OSError:
            continue
    return len(members), kilobytes // 1000


def served(**variables):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["venv/bin/mlflow", "ui", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
    with open("server.log", "ab") as log:
        server = subprocess.Popen(command, env={**os.environ, **variables}, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        before = None
        while (now := session_of(server.pid)) [0] != before:  # until no more are added in twenty seconds
            before = now[0]
            time.sleep(20)
        return now
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


name = "MLFLOW_SERVER_ENABLE_JOB_EXECUTION"
with_jobs, without = served(), served(**{name: "false"})
print("--workers 1:                                           %d processes, %d MB" % with_jobs)
print("--workers 1, %s=false: %d processes, %d MB" % (name, *without))
if with_jobs[0] < 9 or without[0] > 3 or with_jobs[1] < 3 * without[1]:
    raise SystemExit("changed: with one worker there are now %d processes" % with_jobs[0])
PROGRAM
