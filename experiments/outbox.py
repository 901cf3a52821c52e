"""The outbox: a study's facts on local disk, written before they are delivered, delivered from there.

    outbox.jsonl            one fact per line (`facts.to_json`), append-only, fsynced
    outbox.jsonl.delivered  which of them MLflow has, and in which run; replaced atomically after every delivery

One process appends (the coordinator, under its lease); one at a time delivers (under `delivery.py`'s lock).
Losing the second file is harmless: delivery is idempotent and starts over.
"""

import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

from engine.durable_file import sync, write_durably
from experiments.errors import InputError
from experiments.facts import Fact, SweepFinished, TrialFinished, VerdictReached, from_json, to_json, without_curves

_KEY = re.compile(rb'\{"key":"([^"\\]+)",')  # every line begins so; reading 10,000 keys parses no JSON
_PRIVATE = 0o600  # configurations and paths are nobody else's business


class Outbox:
    """An append-only file of facts, and a note of which were delivered.

    Safe to use from two threads; another process may read what this one appends. A fact's position counts from 1.
    Opening only reads, so `sync` may look while a sweep is running; a torn last line, left by a kill or a power cut, is
    ignored and cut off by the next `append`.

    Raises:
        InputError: a line other than the last is damaged.
        OSError: the file cannot be read.
    """

    __slots__ = ("_delivered_also", "_delivered_until", "_end", "_keys", "_lock", "_run_id", "_starts", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._keys: dict[str, int] = {}
        self._starts: list[int] = []  # byte offset of each fact's line
        self._end = 0  # bytes of whole lines
        self._delivered_until = 0  # everything up to this position was delivered ...
        self._delivered_also: set[int] = set()  # ... and these beyond it
        self._run_id: str | None = None
        self.refresh()
        self.reload_delivered()

    @property
    def n_facts(self) -> int:
        """Facts in the outbox, delivered or not."""
        return len(self._starts)

    @property
    def n_pending(self) -> int:
        """Facts that have not been delivered yet."""
        with self._lock:
            return len(self._starts) - self._delivered_until - len(self._delivered_also)

    @property
    def run_id(self) -> str | None:
        """MLflow's id of the run that facts were delivered to; None while there is none."""
        return self._run_id

    @property
    def n_finished(self) -> int:
        """How often the study stopped; the next `SweepFinished` has sequence `n_finished + 1`."""
        with self._lock:
            return sum(key.startswith("finished-") for key in self._keys)

    def append(self, fact: Fact) -> bool:
        """Write a fact down, durably, before returning.

        Returns:
            False when a fact of this key is in the outbox already; the first one stays.
        Raises:
            OSError: it could not be written (disk full); the file is as it was before.
        """
        line = to_json(fact).encode() + b"\n"
        with self._lock:
            if fact.key in self._keys:
                return False
            self._write(line)
            self._keys[fact.key] = len(self._starts) + 1
            self._starts.append(self._end)
            self._end += len(line)
            return True

    def refresh(self) -> None:
        """Read what another process has appended.

        Raises:
            InputError: a line other than the last is damaged.
        """
        with self._lock:
            if not self.path.exists():
                return
            with self.path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size  # as of now; its writer may go on
                file.seek(self._end)
                while self._end < size:
                    line = file.readline()
                    end = self._end + len(line)
                    match = _KEY.match(line) if line.endswith(b"\n") else None
                    if match is None or (end >= size and not _is_fact(line)):
                        if end >= size:
                            return  # torn, or being written: not acknowledged to the coordinator
                        raise self._damaged(line)
                    self._keys[match.group(1).decode()] = len(self._starts) + 1
                    self._starts.append(self._end)
                    self._end = end

    def first(self) -> Fact:
        """The fact at position 1.

        Raises:
            IndexError: the outbox is empty.
        """
        return next(self._facts([1]))[1]

    def facts(self, after: int = 0) -> list[tuple[int, Fact]]:
        """Facts at positions above `after`, in order, with their positions."""
        return list(self._facts(range(after + 1, self.n_facts + 1)))

    def pending(self) -> Iterator[tuple[int, Fact]]:
        """The undelivered facts in order, with positions; read from disk one at a time."""
        with self._lock:
            after, also = self._delivered_until, self._delivered_also
            positions = [p for p in range(after + 1, len(self._starts) + 1) if p not in also]
        return self._facts(positions)

    def trial(self, number: int) -> TrialFinished | None:
        """The fact of one trial, with its curves; None if it is not there yet."""
        fact = self._find(f"trial-{number:04d}")
        return fact if isinstance(fact, TrialFinished) else None

    def verdict(self, challenger: str) -> VerdictReached | None:
        """The verdict on a model of the study, by the digest of its file; None if it is not there yet."""
        fact = self._find(f"verdict-{challenger}")
        return fact if isinstance(fact, VerdictReached) else None

    def trials_without_curves(self) -> Iterator[TrialFinished]:
        """All trials in order, with empty curves: all that a table needs, from 100 MB in a second."""
        with self.path.open("rb") as file:
            for key, position in list(self._keys.items()):
                if key.startswith("trial-"):
                    file.seek(self._starts[position - 1])
                    fact = from_json(without_curves(file.readline().decode()))
                    assert isinstance(fact, TrialFinished), "keys say what a fact is"
                    yield fact

    def last_finish(self) -> SweepFinished | None:
        """How the study stopped the last time; None if it never has."""
        position = self.position_of_last_finish()
        fact = next(self._facts([position]))[1] if position else None
        return fact if isinstance(fact, SweepFinished) else None

    def last_success(self) -> SweepFinished | None:
        """The last time that the study stopped with a winner; None if it never has."""
        with self._lock:
            positions = [position for key, position in self._keys.items() if key.startswith("finished-")]
        for _, fact in self._facts(sorted(positions, reverse=True)):
            if isinstance(fact, SweepFinished) and fact.model_file is not None:
                return fact
        return None

    def position_of_last_finish(self) -> int:
        """Position of the newest `SweepFinished`, 0 when there is none."""
        with self._lock:
            return max((p for key, p in self._keys.items() if key.startswith("finished-")), default=0)

    @property
    def is_open(self) -> bool:
        """Whether the study has gone on since it last stopped, or has never stopped."""
        stopped_at = self.position_of_last_finish()
        with self._lock:
            return any(at > stopped_at for key, at in self._keys.items() if not key.startswith("verdict-"))

    def mark_delivered(self, position: int) -> None:
        """Remember, durably, that MLflow has the fact at `position`."""
        with self._lock:
            if position > self._delivered_until:
                self._delivered_also.add(position)
            while self._delivered_until + 1 in self._delivered_also:
                self._delivered_until += 1
                self._delivered_also.remove(self._delivered_until)
        self._write_delivered()

    def keep_run_id(self, run_id: str) -> None:
        """Remember, durably, which run of MLflow's is the study's."""
        if run_id != self._run_id:
            self._run_id = run_id
            self._write_delivered()

    def forget_delivered(self) -> None:
        """Forget what was delivered, so that everything is delivered again, to another server for instance."""
        self._delivered_path.unlink(missing_ok=True)
        self.reload_delivered()

    def reload_delivered(self) -> None:
        """Read what another process has delivered from this outbox."""
        try:
            document = json.loads(self._delivered_path.read_bytes())
            until, also = int(document["delivered_until"]), set(map(int, document["also"]))
            self._run_id = document.get("run_id")
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            until, also, self._run_id = 0, set(), None  # unknown: delivering again is harmless
        with self._lock:
            self._delivered_until = min(until, len(self._starts))
            self._delivered_also = {position for position in also if position <= len(self._starts)}

    def _write_delivered(self) -> None:
        with self._lock:
            delivered = {"delivered_until": self._delivered_until, "also": sorted(self._delivered_also)}
        write_durably(self._delivered_path, json.dumps(delivered | {"run_id": self._run_id}).encode())

    @property
    def _delivered_path(self) -> Path:
        return self.path.with_name(self.path.name + ".delivered")

    def _damaged(self, line: bytes) -> InputError:
        return InputError(
            f"{self.path} line {len(self._starts) + 1}: damaged ({line[:40]!r}).",
            "Every line but the last must hold a fact.",
            "Restore the file from a backup, or delete the line if you can do without it.",
        )

    def _write(self, line: bytes) -> None:
        """Append `line` after the whole lines, or leave the file as it was."""
        is_new = not self.path.exists()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, _PRIVATE)
        try:
            os.ftruncate(descriptor, self._end)  # cuts the torn line of an earlier process
            try:
                _write_all(descriptor, line, self._end)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, self._end)
                raise
        finally:
            os.close(descriptor)
        if is_new:
            sync(self.path.parent)  # its name

    def _find(self, key: str) -> Fact | None:
        position = self._keys.get(key)
        return None if position is None else next(self._facts([position]))[1]

    def _facts(self, positions: range | list[int]) -> Iterator[tuple[int, Fact]]:
        for position in positions:
            with self.path.open("rb") as file:
                file.seek(self._starts[position - 1])
                yield position, from_json(file.readline().decode())


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    os.lseek(descriptor, offset, os.SEEK_SET)
    while data:
        data = data[os.write(descriptor, data) :]


def _is_fact(line: bytes) -> bool:
    try:
        from_json(line.decode())
    except ValueError:
        return False
    return True
