"""How far back studies are kept: by number, by age."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.errors import InputError

DAY_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Retention:
    """A study is kept if it is among the newest `keep`, or if it ended within the last `days`; None says nothing."""

    keep: int | None = None
    days: float | None = None

    @property
    def keeps_everything(self) -> bool:
        """Whether nothing is ever to go."""
        return self.keep is None and self.days is None

    def reaches_back_to(self, ends: Sequence[float], now: float) -> float:
        """Studies that ended before this are outside; -inf where none is.

        Args:
            ends: When each study ended. Unix times, seconds, as all here.
        """
        limits = [] if self.days is None else [now - self.days * DAY_SECONDS]
        if self.keep is not None:
            limits.append(sorted(ends)[-self.keep] if len(ends) > self.keep else -math.inf)
        return min(limits, default=-math.inf)


def retention_of(keep: int | None, older_than: str | None) -> Retention:
    """As the command line says it.

    Raises:
        InputError: It would keep nothing, or names no time, or says nothing at all.
    """
    if keep is None and older_than is None:
        raise InputError(
            "prune: which studies are to go is not said.",
            "It is all but the newest N, or those that ended so long ago, or both.",
            "Type: python -m sweeps prune --keep 30 --older-than 90d",
        )
    if keep is not None and keep < 1:
        raise InputError(
            f"--keep {keep}: would delete the champion and the study that the next run goes on with.",
            "It is how many studies of each sweep stay at least: 1 or more.",
            "Type: python -m sweeps prune --keep 1",
        )
    days = None
    if older_than is not None:
        match = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)d", older_than)
        if match is None or float(match[1]) == 0:
            raise InputError(
                f"--older-than {older_than}: is no number of days.",
                "Studies that ended longer ago go; the champion never does.",
                "For example: --older-than 90d",
            )
        days = float(match[1])
    return Retention(keep, days)
