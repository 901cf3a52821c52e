"""What a person sees while a sweep runs: a live bar on a terminal, plain lines elsewhere. Always on stderr."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from optuna.trial import TrialState

from engine.objectives import COST, Objective
from experiments.errors import how_many
from sweeps.trials.stored_trial import StoredTrial

if TYPE_CHECKING:
    from rich.progress import TaskID

SECONDS_BETWEEN_LINES = 5.0


class Progress(Protocol):
    """Told how a sweep gets on; a context manager around its trials."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def say(self, text: str) -> None:
        """A line that must be read: a warning, a loss."""

    def tell(self, text: str) -> None:
        """A line that may be missed."""

    def reading(self, source: str, n_done: int, n_files: int) -> None:
        """So many of a source's files are read."""

    def begin(self, study: str, n_trials: int, done: Sequence[StoredTrial], objective: Objective = COST) -> None:
        """The trials of a study begin; some have ended in an earlier process."""

    def trial_ended(self, trial: StoredTrial) -> None:
        """A trial ended."""


class SilentProgress:
    """Says nothing: for use as a library."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    def say(self, text: str) -> None:
        """Nothing."""

    def tell(self, text: str) -> None:
        """Nothing."""

    def reading(self, source: str, n_done: int, n_files: int) -> None:
        """Nothing."""

    def begin(self, study: str, n_trials: int, done: Sequence[StoredTrial], objective: Objective = COST) -> None:
        """Nothing."""

    def trial_ended(self, trial: StoredTrial) -> None:
        """Nothing."""


class QuietProgress(SilentProgress):
    """What must be read, and no progress: for `--quiet`. Losses and warnings are said, whatever the flag."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def say(self, text: str) -> None:
        """Say it."""
        self._say(text)


class Tally:
    """Counts and the best value so far, of earlier processes too."""

    def __init__(self, n_trials: int, done: Sequence[StoredTrial], objective: Objective = COST) -> None:
        self.n_trials = n_trials
        self.objective = objective
        self.n_before = len(done)
        self.n_ended = dict.fromkeys((TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL), 0)
        self.best: tuple[float, int] | None = None  # value, number
        self.began_at = time.monotonic()
        for trial in done:
            self.add(trial)

    def add(self, trial: StoredTrial) -> None:
        """Count a trial that has ended."""
        self.n_ended[trial.state] += 1
        value = trial.value if trial.state == TrialState.COMPLETE else None
        if value is not None and self.objective.is_better(value, None if self.best is None else self.best[0]):
            self.best = (value, trial.number)

    @property
    def n_done(self) -> int:
        """Trials ended."""
        return sum(self.n_ended.values())

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None before the first trial."""
        n_here = self.n_done - self.n_before
        if n_here == 0:
            return None
        return (time.monotonic() - self.began_at) / n_here * (self.n_trials - self.n_done)

    def text(self) -> str:
        """`12 of 50 trials (3 pruned, 0 failed), best 0.0712 (trial 7), about 20 s left`."""
        parts = [
            f"{self.n_done} of {how_many(self.n_trials, 'trial')} "
            f"({self.n_ended[TrialState.PRUNED]} pruned, {self.n_ended[TrialState.FAIL]} failed)"
        ]
        if self.best is not None:
            parts.append(f"best {self.best[0]:.4f} (trial {self.best[1]})")
        if self.n_done == self.n_trials:
            parts.append("now the winner, the report and MLflow")
        elif self.seconds_left is not None:
            parts.append(f"about {self.seconds_left:.0f} s left")
        return ", ".join(parts)


class LineProgress(SilentProgress):
    """A plain line every few seconds: for log files and scheduled jobs."""

    def __init__(self) -> None:
        self._next_line_at = time.monotonic() + SECONDS_BETWEEN_LINES

    def say(self, text: str) -> None:
        """One line on stderr, if anybody reads it still: a sweep is not over when its terminal is."""
        with suppress(OSError):
            print(text, file=sys.stderr, flush=True)

    def tell(self, text: str) -> None:
        """The same."""
        self.say(text)

    def reading(self, source: str, n_done: int, n_files: int) -> None:
        """Say so if the last line is old."""
        if time.monotonic() >= self._next_line_at:
            self.say(_files_read(source, n_done, n_files))
            self._next_line_at = time.monotonic() + SECONDS_BETWEEN_LINES

    def begin(self, study: str, n_trials: int, done: Sequence[StoredTrial], objective: Objective = COST) -> None:
        """Start counting."""
        self._tally = Tally(n_trials, done, objective)
        self._next_line_at = time.monotonic() + SECONDS_BETWEEN_LINES

    def trial_ended(self, trial: StoredTrial) -> None:
        """Count it, and say so if the last line is old; a failure is always said."""
        self._tally.add(trial)
        if trial.state == TrialState.FAIL:
            self.say(trial.notes.reason)
        if time.monotonic() >= self._next_line_at or self._tally.n_done == self._tally.n_trials:
            self.say(self._tally.text())
            self._next_line_at = time.monotonic() + SECONDS_BETWEEN_LINES


class LiveProgress(LineProgress):
    """A bar that is redrawn in place, by rich."""

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.start()
        self._sources: dict[str, TaskID] = {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """One line above the bar."""
        self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def reading(self, source: str, n_done: int, n_files: int) -> None:
        """Redraw the bar of a source; it goes when all is read."""
        if source not in self._sources:
            self._sources[source] = self._bar.add_task("", total=n_files)
        self._bar.update(self._sources[source], completed=n_done, description=_files_read(source, n_done, n_files))
        if n_done == n_files:
            self._bar.remove_task(self._sources.pop(source))

    def begin(self, study: str, n_trials: int, done: Sequence[StoredTrial], objective: Objective = COST) -> None:
        """Show the bar."""
        super().begin(study, n_trials, done, objective)
        self._task = self._bar.add_task(self._tally.text(), total=n_trials, completed=len(done))

    def trial_ended(self, trial: StoredTrial) -> None:
        """Redraw the bar; a failure is also a line."""
        self._tally.add(trial)
        if trial.state == TrialState.FAIL:
            self.say(trial.notes.reason)
        self._bar.update(self._task, advance=1, description=self._tally.text())


def _files_read(source: str, n_done: int, n_files: int) -> str:
    return f"{source}: {n_done:,} of {n_files:,} files read"
