"""What became of a verdict in MLflow: noted beside its document, in the study's folder, when it is delivered."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.durable_file import write_durably

OUTCOME_FILE = "outcome.json"
KNOWN_FILE = "champion.json"
"""In the folder of a sweep's name: who was champion when MLflow was last asked or told."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the delivery of a verdict came to.

    Attributes:
        digest: Of the verdict's document.
        version: The challenger's version; "" if a person has deleted it.
        champion: The version that was champion afterwards; "" for none.
        problem: Why the alias did not move although the verdict says so; "" otherwise.
    """

    digest: str
    version: str
    champion: str
    problem: str = ""

    def save(self, path: Path) -> None:
        """Write the file whole."""
        write_durably(path, json.dumps(asdict(self)).encode())

    @classmethod
    def load(cls, path: Path, digest: str | None = None) -> Outcome | None:
        """Read it; None where there is none, or it is another verdict's."""
        try:
            outcome = cls(**json.loads(path.read_bytes()))
        except (FileNotFoundError, TypeError, ValueError):
            return None
        return outcome if digest in (None, outcome.digest) else None
