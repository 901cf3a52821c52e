"""Who was champion from when to when, and why: each move of the alias is a tag of the registered model.

sweeps.champion.<Unix time, milliseconds>   {"version", "previous", "kind", "reason", "digest"}
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
_TAG = "sweeps.champion."
_LONGEST_REASON = 1000  # MLflow keeps 5000 characters of a registered model's tag


@dataclass(frozen=True, slots=True)
class Move:
    """The alias came to a version.

    Attributes:
        at: Unix time, seconds.
        previous: The version that it left; "" for none.
        kind: By a verdict, by the command `promote`, or by `rollback`.
        reason: In words.
        digest: Of the verdict's document; "" where a person decided.
    """

    at: float
    version: str
    previous: str
    kind: Literal["verdict", "promote", "rollback"]
    reason: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Reign:
    """A stretch of time in which one version was champion.

    Attributes:
        since: Unix time, seconds; None where somebody moved the alias without this program.
        until: None for the champion of now.
    """

    version: str
    since: float | None
    until: float | None
    kind: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def write_move(client: MlflowClient, name: str, move: Move) -> None:
    """Write a move down; the alias itself is not touched."""
    document = asdict(move) | {"reason": move.reason[:_LONGEST_REASON]}
    del document["at"]
    client.set_registered_model_tag(name, f"{_TAG}{round(move.at * 1000):013d}", json.dumps(document))


def moves_in(tags: Mapping[str, str]) -> list[Move]:
    """The moves among a registered model's tags, oldest first; what is no move is left out."""
    moves = []
    for key, text in sorted(tags.items()):
        if re.fullmatch(rf"{re.escape(_TAG)}\d{{13}}", key):
            try:
                moves.append(Move(at=int(key.removeprefix(_TAG)) / 1000, **json.loads(text)))
            except (TypeError, ValueError):
                continue
    return moves


def reigns(moves: Sequence[Move], champion: str) -> list[Reign]:
    """The history, oldest first.

    Args:
        moves: Oldest first.
        champion: The version that the alias names now; "" for none.
    """
    ends = [*(move.at for move in moves[1:]), None]
    found = [Reign(move.version, move.at, end, move.kind, move.reason) for move, end in zip(moves, ends, strict=False)]
    last = found[-1].version if found else ""
    if champion not in ("", last):
        found.append(Reign(champion, None, None, "unknown", "the alias was moved without this program"))
    return found


def version_before(moves: Sequence[Move]) -> str | None:
    """What to go back to: the champion before the one of now, which a rollback has not left; None for none."""
    stack: list[str] = []
    for move in moves:
        if move.kind == "rollback" and move.version in stack:
            del stack[stack.index(move.version) + 1 :]
        elif not stack or stack[-1] != move.version:
            stack.append(move.version)
    return stack[-2] if len(stack) > 1 else None


def now_unlike(moves: Sequence[Move]) -> float:
    """The time, and never that of an earlier move: two within a millisecond would be one tag."""
    last = moves[-1].at if moves else 0.0
    return max(time.time(), last + 0.001)
