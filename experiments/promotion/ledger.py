"""The decisions of a sweep's name in one folder, one a line: what they spent, and the chain of their digests.

.sweeps/<name>/verdicts.jsonl   outlives the folders of the studies, each of which has its own document, verdict.json
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.durable_file import write_durably
from experiments.errors import InputError
from experiments.promotion.verdict import Verdict, digest_of


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision.

    Attributes:
        digest: Of its document.
        previous: Digest of the line's before it, "" for the first: so none can be left out. The document names the
            same, unless it was reached before a kill and written down after another one.
        decided_at: Unix time, seconds.
        study, challenger: The study, and the digest of its model's file.
    """

    digest: str
    previous: str
    decided_at: float
    alpha_spent: float
    study: str
    challenger: str
    decision: str


class Ledger:
    """The entries of one file, oldest first. Only the holder of the sweep's lease appends.

    Raises:
        InputError: A line is damaged, or is not the successor of the one before it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = path.read_text("utf-8").splitlines() if path.exists() else []
        self.entries = [self._entry(number, line) for number, line in enumerate(self._lines, start=1)]
        for number, (one, after) in enumerate(zip(self.entries, self.entries[1:], strict=False), start=2):
            if after.previous != one.digest:
                raise self._damaged(number, "it does not name the verdict before it")

    @property
    def last_digest(self) -> str:
        """Of the newest document; "" where there is none."""
        return self.entries[-1].digest if self.entries else ""

    @property
    def spending(self) -> list[tuple[float, float]]:
        """When each decision was made, and what it spent."""
        return [(entry.decided_at, entry.alpha_spent) for entry in self.entries]

    def add(self, document: str) -> None:
        """Write a decision down, durably, unless it is there."""
        digest = digest_of(document)
        if any(entry.digest == digest for entry in self.entries):
            return
        verdict = Verdict.from_json(document, str(self.path))
        entry = Entry(
            digest,
            self.last_digest,
            verdict.decided_at,
            verdict.finding.alpha_spent,
            verdict.challenger.study,
            verdict.challenger.digest,
            verdict.finding.decision,
        )
        self._lines.append(json.dumps(asdict(entry)))
        write_durably(self.path, ("\n".join(self._lines) + "\n").encode())
        self.entries.append(entry)

    def _entry(self, number: int, line: str) -> Entry:
        try:
            return Entry(**json.loads(line))
        except (TypeError, ValueError) as error:
            raise self._damaged(number, type(error).__name__) from error

    def _damaged(self, number: int, why: str) -> InputError:
        return InputError(
            f"{self.path} line {number}: damaged ({why}).",
            "It says what the decisions of the last 365 days have spent, so every line is needed as it was written.",
            "Restore it from a backup; until then nothing is promoted (python -m sweeps promote NAME/VERSION --force).",
        )
