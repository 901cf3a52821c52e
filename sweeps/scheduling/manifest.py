"""`python -m sweeps schedule`: a job in the words of the one who starts it."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from experiments.errors import InputError, nearest
from sweeps import __version__
from sweeps.configuration.config import Config
from sweeps.scheduling.cron_expression import CronExpression
from sweeps.scheduling.crontab import crontab
from sweeps.scheduling.github_actions import workflow
from sweeps.scheduling.job import ScheduledJob
from sweeps.scheduling.kubernetes import cron_job
from sweeps.scheduling.systemd import units

FORMATS: dict[str, Callable[[ScheduledJob], str]] = {
    "cron": crontab,
    "systemd": units,
    "kubernetes": cron_job,
    "github-actions": workflow,
}


def manifest(
    config: Config,
    config_file: Path | None,
    at: str,
    form: str,
    zone: str | None,
    image: str | None,
    directory: Path,
    options: Sequence[str] = (),
) -> str:
    """The text of one manifest, complete, with no secret in it.

    Args:
        config: Checked.
        config_file: Where it is; None for a ready-made one.
        at: Five fields, as cron reads them.
        form: One of `FORMATS`.
        zone: IANA name; None is the scheduler's own.
        image: For Kubernetes; None is `sweeps:<version>`.
        directory: Where the runs are to be.
        options: Of `run`, beside the configuration; checked.
    Raises:
        InputError: The schedule is not read alike by all, the format or the zone is unknown, or a path cannot be
            written down.
    """
    if form not in FORMATS:
        raise InputError(
            f"--format {form}: unknown.{nearest(form, FORMATS)}",
            f"It is one of {', '.join(FORMATS)}.",
            "Choose one of them.",
        )
    job = ScheduledJob(
        config=config,
        config_file=config_file,
        when=CronExpression.parse(at),
        zone=zone and _checked(zone),
        directory=directory,
        interpreter=Path(sys.executable),
        image=image or f"sweeps:{__version__}",
        options=tuple(options),
    )
    return FORMATS[form](job)


def _checked(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            f"--timezone {zone}: no such time zone.",
            "It is a name of the IANA database, such as Europe/Berlin, America/New_York or UTC.",
            "Correct it, or leave it out for the scheduler's own.",
        ) from None
    return zone
