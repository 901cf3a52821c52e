"""What happens in a sweep as one JSON object a line, for programs that read logs."""

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from engine.objectives import COST, Objective
from sweeps.results.progress import SilentProgress
from sweeps.trials.stored_trial import StoredTrial


class JsonProgress(SilentProgress):
    """A line on stderr for each thing that happens; every line has `time` (UTC), `event` and `study`."""

    def __init__(self) -> None:
        self._study: str | None = None

    def say(self, text: str) -> None:
        """`note`: a sentence for a person."""
        self.write("note", text=text)

    def tell(self, text: str) -> None:
        """The same."""
        self.say(text)

    def begin(self, study: str, n_trials: int, done: Sequence[StoredTrial], objective: Objective = COST) -> None:
        """`began`: how many trials there are to be, how many had ended before, and what they are judged by."""
        self._study = study
        self.write("began", n_trials=n_trials, n_ended=len(done), objective=objective.name)

    def trial_ended(self, trial: StoredTrial) -> None:
        """`trial`: as the leaderboard has it."""
        self.write("trial", **trial.to_dict())

    def write(self, event: str, **values: Any) -> None:  # noqa: ANN401  # anything JSON can hold
        """One line, if anybody reads it still."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"time": now, "event": event, "study": self._study} | values)
        with suppress(OSError):
            print(line, file=sys.stderr, flush=True)
