"""An executor whose results arrive in any order."""

import random
import threading
import time
from concurrent.futures import Future

from sweeps.execution.contract import RungExecutor


class Shuffled(RungExecutor):
    """Keeps results back and hands them over in random order, after random delays."""

    def __init__(self, seed, n_workers=4):
        self._random = random.Random(seed)  # noqa: S311  # delays, not secrets
        self._waiting: list[tuple[Future, object, object]] = []
        self._changed = threading.Condition()
        self._n_workers = n_workers
        self._is_over = False
        self.order = []
        threading.Thread(target=self._work, daemon=True).start()

    def submit(self, fn, /, rung):
        future = Future()
        with self._changed:
            self._waiting.append((future, fn, rung))
            self._changed.notify()
        return future

    def shutdown(self, wait=True, *, cancel_futures=False):
        with self._changed:
            self._is_over = True
            self._changed.notify()

    def _work(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_over)
                if self._is_over:
                    return
            time.sleep(self._random.random() / 200)  # let more of them arrive
            with self._changed:
                future, fn, rung = self._waiting.pop(self._random.randrange(len(self._waiting)))
            if future.set_running_or_notify_cancel():
                self.order.append(rung.initial_seed)
                future.set_result(fn(rung))
