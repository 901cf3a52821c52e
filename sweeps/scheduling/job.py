"""What is to be started, whoever starts it; and what every manifest says of it."""

import re
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from experiments.errors import InputError
from sweeps.configuration.config import Config
from sweeps.results.exit_codes import MEANINGS, after_signal
from sweeps.scheduling.clock_change import clock_change
from sweeps.scheduling.cron_expression import CronExpression

DEADLINE_MARGIN_SECONDS = 600
"""What a run may take beyond [sweep] timeout_seconds: imports, reading the data, delivery to a slow MLflow."""

CREDENTIALS = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
"""What an MLflow server may ask for beside what the configuration names."""


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """One sweep, run again and again.

    Attributes:
        config_file: None for a ready-made configuration, which goes by its name.
        zone: IANA name of the time zone; None is whatever the scheduler's own is.
        directory: Where the record is kept: the working directory of every run.
        interpreter: The Python that has this package.
        image: For Kubernetes.
        options: Of `python -m sweeps run`, as they would be typed, beside the configuration.
    """

    config: Config
    config_file: Path | None
    when: CronExpression
    zone: str | None
    directory: Path
    interpreter: Path
    image: str
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for word in (self.directory, self.interpreter, self.config_file, *self.options):
            if word is not None and re.search(r"[\x00-\x1f\x7f]", str(word)):
                raise InputError(
                    f"{str(word)!r} has a line break or another control character in it.",
                    "No manifest can hold such a path or option.",
                    "Rename the folder or the file, or write the option without.",
                )

    @property
    def name(self) -> str:
        """Of units, of the CronJob, of the workflow."""
        return f"sweeps-{self.config.sweep.name}"

    @property
    def config_argument(self) -> str:
        """What `run` is told."""
        return self.config.source if self.config_file is None else str(self.config_file)

    @property
    def variables(self) -> list[str]:
        """Names of the environment variables that the configuration needs."""
        uris = (self.config.study.storage, self.config.tracking.uri, self.config.execution.scheduler)
        return list(dict.fromkeys(name for uri in uris for name in re.findall(r"\$\{(\w+)\}", uri or "")))

    @property
    def credentials(self) -> list[str]:
        """Those that its MLflow server may ask for."""
        uri = self.config.tracking.uri or ""
        return [name for name in CREDENTIALS if name not in self.variables] if re.match(r"https?:|\$", uri) else []

    @property
    def environment_file(self) -> Path:
        """Where cron and systemd find values that no manifest may hold."""
        return Path.home() / ".config" / "sweeps" / f"{self.config.sweep.name}.env"

    @property
    def deadline_seconds(self) -> int | None:
        """After which something is wrong; None where the configuration sets no limit of time."""
        timeout = self.config.sweep.timeout_seconds
        return None if timeout is None else int(timeout) + DEADLINE_MARGIN_SECONDS


def head(job: ScheduledJob, zone: str | None, install: Iterable[str]) -> list[str]:
    """The first lines: what this is, and how to put it in its place."""
    return [f"Sweep {job.config.sweep.name}, {job.when.text} ({zone or 'the time zone of the machine'}).", *install]


def about_environment(job: ScheduledJob, where: str) -> list[str]:
    """Which variables there must be, and where their values come from: never from here."""
    if not (job.variables or job.credentials):
        return ["Environment: the configuration names no variable."]
    lines = [f"Environment: values come from {where}."]
    lines += [f"  {name}: the configuration names it." for name in job.variables]
    lines += [f"  {name}: if the MLflow server asks for it." for name in job.credentials]
    return lines


def about_deadline(job: ScheduledJob, what: str) -> list[str]:
    """What ends a run that hangs."""
    if job.deadline_seconds is None:
        return ["Deadline: none, because the configuration has no [sweep] timeout_seconds."]
    return [
        f"Deadline: {job.deadline_seconds} s ([sweep] timeout_seconds and {DEADLINE_MARGIN_SECONDS} s more); {what}",
        "  Nothing is lost: the next run continues.",
    ]


def about_overlap(and_here: str) -> list[str]:
    """Why two runs never meet."""
    return [
        "Lock: a run holds its sweep's lease, so a second one ends at once with exit 75 and changes nothing.",
        f"  {and_here}",
    ]


def about_exit_codes() -> list[str]:
    """All that a run may end with."""
    lines = [f"  {code.value}: {meaning}" for code, meaning in MEANINGS.items()]
    codes = " and ".join(str(after_signal(number)) for number in (signal.SIGINT, signal.SIGTERM))
    return ["Exit codes:", *lines, f"  {codes}: interrupted; nothing is lost, the next run continues"]


def about_clock_change(job: ScheduledJob, zone: str | None, skipped: str, repeated: str) -> list[str]:
    """What this scheduler does when the clock is put forward and back, and the next nights when that matters."""
    rules = [f"  Put forward: {skipped}", f"  Put back: {repeated}"]
    if zone is None:
        return ["Change of the clock:", *rules]
    change = clock_change(job.when, zone, date.today())
    nights = [f"  {moment:%Y-%m-%d %H:%M} does not exist in {zone}." for moment in change.skipped]
    nights += [f"  {moment:%Y-%m-%d %H:%M} comes twice in {zone}." for moment in change.repeated]
    if not nights:
        return [f"Change of the clock: none in {zone} touches this schedule within a year."]
    return ["Change of the clock:", *rules, *nights]


def as_comment(paragraphs: Iterable[list[str]]) -> str:
    """Lines that begin with #, which is a comment in all four formats; a blank line between two paragraphs."""
    return "\n#\n".join("\n".join(f"# {line}".rstrip() for line in lines) for lines in paragraphs) + "\n"
