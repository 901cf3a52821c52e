#!/usr/bin/env bash
# WHAT: Keys of Dask futures are global to a cluster, and whoever submits one that exists gets the result there is: another client's,
#   of another function and other arguments, with pure=False and without a warning.
# WITH: dask==2026.8.0, distributed==2026.8.0; Python 3.11.7
# EXPECTED: a namespace a client, an error, or at least the scheduler's warning of a different run_spec: function and arguments differ,
#   and pure=False says that each call is to be made.
# SEEN:
#   one sweep trains at 0.1:         cost at rate 0.1
#   another sweep trains at 0.9:     cost at rate 0.1
#   the other sweep predicts:        cost at rate 0.1
#   warnings of the scheduler:       0
# MATTERS: Two sweeps on one cluster whose tasks are called trial-0, trial-1, ... give each other's costs to their samplers, as long as
#   the other one holds its futures. Put something unique (study, random number) into every key, also after a restart.
# SOURCE: dask/distributed, pull request 8185 (open) would forbid it; dask/dask pull request 1985 says that clients are not told apart.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dask==2026.8.0 distributed==2026.8.0
cd "$folder"
venv/bin/python - <<'PROGRAM'
import logging

from distributed import Client, LocalCluster

records = []
handler = logging.Handler(logging.WARNING)
handler.emit = records.append
logging.getLogger("distributed.scheduler").addHandler(handler)


def train(rate):
    return f"cost at rate {rate}"


def predict(rows):
    return f"{rows} predictions"


# with processes=False the cluster listens nowhere, not even on the loopback
with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
    with Client(cluster) as mine, Client(cluster) as another:
        first = mine.submit(train, 0.1, key="trial-0", pure=False)
        print("one sweep trains at 0.1:        ", first.result())
        second = another.submit(train, 0.9, key="trial-0", pure=False)
        print("another sweep trains at 0.9:    ", second.result())
        third = another.submit(predict, 500, key="trial-0", pure=False)
        print("the other sweep predicts:       ", third.result())
        print("warnings of the scheduler:      ", len(records))
        results = {first.result(), second.result(), third.result()}
if results != {"cost at rate 0.1"}:
    raise SystemExit("changed: a key that exists is computed anew")
if records:
    raise SystemExit("changed: the scheduler warns")
PROGRAM
