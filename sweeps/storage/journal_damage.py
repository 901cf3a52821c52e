"""A journal with a damaged line: what is sound, what would be lost, and going on without that.

Ids of studies and trials are counted along the journal, so what follows a damaged line cannot be trusted, be it whole:
a journal is as good as its lines before the first that is not.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from engine.checksum import Checksum, checksum_of_line
from engine.durable_file import name_of_damaged, sync, write_durably
from experiments.errors import InputError, how_many, listed

_CREATE_STUDY = 0  # Optuna's numbers of operations
_END_OF_TRIAL = 6


class JournalDamagedError(InputError):
    """A line of a journal is damaged.

    Attributes:
        path: The journal.
        sound_bytes: Length of what is before the line.
        n_sound_trials: Trials that have ended before it, of all studies.
        study: The newest study that began before it, in which it lies; "" where there is none.
        lost: Studies that began after it, as far as they can be read.
    """

    def __init__(self, path: Path, line: int, sound_bytes: int) -> None:
        self.path, self.line, self.sound_bytes = path, line, sound_bytes
        sound, rest = _split(path, sound_bytes)
        begun = list(_studies(sound))
        self.study = begun[-1] if begun else ""
        self.lost = list(_studies(rest))
        self.n_sound_trials = sum(b'"op_code":%d,' % _END_OF_TRIAL in text for text in sound)
        within = f" in {self.study}" if self.study else ""
        after = f", nor that of {listed(self.lost)}" if self.lost else ""
        super().__init__(
            f"{path} line {line}: damaged{within}.",
            f"{how_many(self.n_sound_trials, 'trial that ended before it is', 'trials that ended before it are')} "
            f"sound; what follows cannot be trusted{after}. Models, reports and records are in other files.",
            "Restore the file from a backup, or type: python -m sweeps doctor --fix. It keeps the file as "
            f"{name_of_damaged(path).name} and goes back to line {line - 1}; a run then trains what is missing.",
        )


def mended(damage: JournalDamagedError) -> str:
    """Keep a copy of the journal and cut it off before the damaged line; in words, what was done. Needs the lease.

    A study trains again what it loses by that, to the same bits; studies that began later are forgotten.
    """
    aside = name_of_damaged(damage.path)
    write_durably(aside, damage.path.read_bytes())
    sync(aside.parent)
    with damage.path.open("rb+") as file:
        file.truncate(damage.sound_bytes)
    sync(damage.path)
    forgotten = f" Forgotten: {listed(damage.lost, 20)}; models and reports are where they were." if damage.lost else ""
    return (
        f"{damage.what} It is kept as {aside.name}; "
        f"{how_many(damage.n_sound_trials, 'trial before that line stands', 'trials before that line stand')}; those "
        f"after it are trained again, to the same bits.{forgotten}"
    )


def _split(path: Path, n_bytes: int) -> tuple[list[bytes], list[bytes]]:
    content = path.read_bytes()
    return content[:n_bytes].splitlines(), content[n_bytes:].splitlines()


def _studies(lines: list[bytes]) -> Iterator[str]:
    """Names of the studies that begin in these lines."""
    for line in lines:
        if b'"op_code":%d,' % _CREATE_STUDY not in line or checksum_of_line(line) is Checksum.DIFFERS:
            continue
        try:
            yield str(json.loads(line)["study_name"])
        except (ValueError, LookupError, TypeError):
            continue
