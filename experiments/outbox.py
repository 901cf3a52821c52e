"""The outbox: a study's facts on local disk, written before they are delivered, delivered from there.

    outbox.jsonl            one fact per line (`facts.to_json` and a checksum), append-only, fsynced
    outbox.jsonl.delivered  keys of those that MLflow has, and in which run; replaced atomically after every delivery

One process appends (the coordinator, under its lease); one at a time delivers (under the lock of
`delivery_session.py`). Losing the second file is harmless: delivery is idempotent and starts over.
"""

import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

from engine.checksum import Checksum, checksum_of_line, line_with_checksum
from engine.durable_file import name_of_damaged, sync, write_durably
from experiments.errors import InputError, how_many, listed
from experiments.fact_json import from_json, to_json, without_curves
from experiments.facts import Fact, SweepFinished, SweepStarted, TrialFinished, VerdictReached

_KEY = re.compile(rb'\{"key":"([^"\\]+)",')  # every line begins so; reading 10,000 keys parses no JSON
_PRIVATE = 0o600  # configurations and paths are nobody else's business


class Outbox:
    """An append-only file of facts, and a note of which were delivered.

    Safe to use from two threads; another process may read what this one appends. A fact's position counts from 1.
    Opening only reads, so `sync` may look while a sweep is running; a torn last line, left by a kill or a power cut, is
    ignored and cut off by the next `append`. Lines that are damaged are read over, see `damage`; they have no position.

    Raises:
        OSError: the file cannot be read.
    """

    __slots__ = (
        "_damaged", "_delivered_also", "_delivered_until", "_end", "_is_end_damaged", "_keys", "_lock", "_order",
        "_run_id", "_starts", "path",
    )  # fmt: skip

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._read_anew()

    def _read_anew(self) -> None:
        self._keys: dict[str, int] = {}
        self._order: list[str] = []  # of the keys
        self._starts: list[int] = []  # byte offset of each fact's line
        self._end = 0  # bytes of whole lines
        self._damaged: list[int] = []  # numbers of lines
        self._is_end_damaged = False  # of the last line, which is whole and no fact
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
        line = line_with_checksum(to_json(fact)).encode() + b"\n"
        with self._lock:
            if fact.key in self._keys:
                return False
            self._write(line)
            self._keys[fact.key] = len(self._starts) + 1
            self._order.append(fact.key)
            self._starts.append(self._end)
            self._end += len(line)
            self._is_end_damaged = False  # it was cut off
            return True

    def refresh(self) -> None:
        """Read what another process has appended."""
        with self._lock:
            if not self.path.exists():
                return
            with self.path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size  # as of now; its writer may go on
                file.seek(self._end)
                while self._end < size:
                    line = file.readline()
                    end = self._end + len(line)
                    if (key := _key_of(line)) is not None:
                        self._keys[key] = len(self._starts) + 1
                        self._order.append(key)
                        self._starts.append(self._end)
                    elif end < size:
                        self._damaged.append(len(self._starts) + len(self._damaged) + 1)
                    else:  # torn, or being written: not acknowledged to the coordinator; or what it wrote is damaged
                        self._is_end_damaged = line.endswith(b"\n")
                        return
                    self._end = end
                self._is_end_damaged = False

    @property
    def damage(self) -> InputError | None:
        """What to tell of lines that are damaged; None where there are none."""
        with self._lock:
            n_facts, lines = len(self._starts), list(self._damaged)
            if self._is_end_damaged:
                lines.append(n_facts + len(lines) + 1)
        if not lines:
            return None
        return InputError(
            f"{self.path} line{'s' * (len(lines) > 1)} {listed(lines)}: damaged.",
            f"{how_many(n_facts, 'fact is', 'facts are')} sound and can be delivered; what the damaged "
            "lines said cannot.",
            f"Restore the file from a backup, or type: python -m sweeps doctor --fix. It keeps the file as "
            f"{name_of_damaged(self.path).name} and goes on without these lines.",
        )

    def mend(self) -> str | None:
        """Keep a copy of a damaged file and go on without its damaged lines; in words, what was done. Its writer only.

        Raises:
            OSError: it could not be written; the file is as it was.
        """
        if (damage := self.damage) is None:
            return None
        aside, content = name_of_damaged(self.path), self.path.read_bytes()
        write_durably(aside, content)
        lines = (line for line in content.splitlines(keepends=True) if _key_of(line) is not None)
        write_durably(self.path, b"".join(lines))
        self._read_anew()
        return (
            f"{damage.what} It is kept as {aside.name}; {how_many(self.n_facts, 'fact is', 'facts are')} sound. "
            "A trial whose fact is lost is written down again when the sweep is run, without its curves."
        )

    def checked(self) -> "Outbox":
        """Itself, where no line is damaged.

        Raises:
            InputError: one is.
        """
        if (damage := self.damage) is not None:
            raise damage
        return self

    def started(self) -> SweepStarted | None:
        """The fact that the study began; None where it is lost."""
        fact = self._find("started")
        return fact if isinstance(fact, SweepStarted) else None

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
        until, also, self._run_id = self._read_delivered()
        with self._lock:
            self._delivered_until = min(until, len(self._starts))
            self._delivered_also = {position for position in also if until < position <= len(self._starts)}

    def _read_delivered(self) -> tuple[int, set[int], str | None]:
        """Position up to which all facts were delivered, those beyond it, and the run.

        What is unknown counts as not delivered: delivering it again is harmless.
        """
        try:
            content = self._delivered_path.read_bytes()
            document = json.loads(content)
            if checksum_of_line(content) is Checksum.DIFFERS:
                return 0, set(), None
            if "delivered_until" in document:  # written until 2026-11-28: positions
                return int(document["delivered_until"]), set(map(int, document["also"])), document.get("run_id")
            self.refresh()  # it may know of facts that were appended since
            until = 0 if document["until"] is None else self._keys.get(document["until"], 0)
            return until, {self._keys[key] for key in document["also"] if key in self._keys}, document["run_id"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return 0, set(), None

    def _write_delivered(self) -> None:
        with self._lock:
            delivered = {
                "until": self._order[self._delivered_until - 1] if self._delivered_until else None,
                "also": [self._order[position - 1] for position in sorted(self._delivered_also)],
                "run_id": self._run_id,
            }
        write_durably(self._delivered_path, line_with_checksum(json.dumps(delivered)).encode())

    @property
    def _delivered_path(self) -> Path:
        return self.path.with_name(self.path.name + ".delivered")

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


def _key_of(line: bytes) -> str | None:
    """The key of a line that is a whole fact; else None."""
    match = _KEY.match(line) if line.endswith(b"\n") else None
    checksum = checksum_of_line(line)
    if match is None or checksum is Checksum.DIFFERS or (checksum is Checksum.MISSING and not _is_fact(line)):
        return None
    return match.group(1).decode()


def _is_fact(line: bytes) -> bool:
    try:
        from_json(line.decode())
    except (ValueError, RecursionError):
        return False
    return True
