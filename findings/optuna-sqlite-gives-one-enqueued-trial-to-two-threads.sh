#!/usr/bin/env bash
# WHAT: Of sixty enqueued trials in a SQLite study, several are given to two of eight threads at once, which run them
#   twice under one number; `Study.optimize(n_jobs=8)` then ends with "Cannot tell a COMPLETE trial". Optuna's journal
#   gives each to one thread.
# WITH: optuna==5.0.0, SQLAlchemy==2.1.9; Python 3.11.7
# EXPECTED: each enqueued trial goes to one worker: the code that takes one from the queue says that
#   `set_trial_state_values` returns False to all others.
# SEEN (it is a race: 4 to 11 of 60 in twenty runs; optimize ended so in five of five):
#   SQLite:  5 of 60 enqueued trials went to more than one thread
#   journal: 0 of 60 enqueued trials went to more than one thread
# MATTERS: The defaults that somebody enqueues so that a sweep cannot be worse than what they had are the first trials,
#   asked by all threads at the same moment: they are trained twice, and the study stops. Use the journal, or ask in one
#   thread.
# SOURCE: optuna/storages/_rdb/storage.py, `set_trial_state_values` reads the state with SELECT ... FOR UPDATE, which
#   SQLite does not have and SQLAlchemy leaves out; optuna/optuna issues #4002 and #4621, closed.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet optuna==5.0.0 SQLAlchemy==2.1.9
cd "$folder"
venv/bin/python - <<'PROGRAM'
import threading
from collections import Counter

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.ERROR)
N_ENQUEUED, N_THREADS, N_ATTEMPTS = 60, 8, 10


def n_given_twice(storage) -> int:
    """How many enqueued trials more than one thread was given."""
    study = optuna.create_study(storage=storage)
    for x in range(N_ENQUEUED):
        study.enqueue_trial({"x": x})
    given = []

    def work():
        while (trial := study.ask()).number < N_ENQUEUED:
            given.append(trial.number)

    threads = [threading.Thread(target=work) for _ in range(N_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(n > 1 for n in Counter(given).values())


of_sqlite = next(filter(None, (n_given_twice(f"sqlite:///{k}.db") for k in range(N_ATTEMPTS))), 0)
of_journal = n_given_twice(JournalStorage(JournalFileBackend("journal.log")))
for name, n in {"SQLite:": of_sqlite, "journal:": of_journal}.items():
    print(f"{name:<8} {n} of {N_ENQUEUED} enqueued trials went to more than one thread")
if not of_sqlite or of_journal:
    raise SystemExit("changed: a trial of SQLite's queue goes to one thread, or one of the journal's to two")
PROGRAM
