"""A line for `crontab`, as Debian's cron reads it."""

import shlex

from experiments.errors import InputError
from sweeps.scheduling.clock_change import zone_of_this_machine
from sweeps.scheduling.job import (
    ScheduledJob,
    about_clock_change,
    about_deadline,
    about_environment,
    about_exit_codes,
    about_overlap,
    as_comment,
    head,
)

LONGEST_COMMAND = 998
"""Characters that Debian's cron takes; of a longer one it says "command too long"."""


def crontab(job: ScheduledJob) -> str:
    """A crontab of one job.

    Raises:
        InputError: A time zone that is not the machine's, or a command too long for cron.
    """
    machine = zone_of_this_machine()
    if job.zone not in (None, machine):
        raise InputError(
            f"--timezone {job.zone}: cron knows no time zone but the machine's ({machine or 'unknown'}).",
            "Debian's cron ignores CRON_TZ.",
            "Leave --timezone out and say --at in the machine's time, or use --format systemd.",
        )
    line = f"{job.when.text} {command(job)}"
    about = [
        head(job, machine, [f"Add these lines to what `crontab -e` opens, as the user who may write {job.directory}."]),
        about_environment(job, f"{job.environment_file} (NAME='value' lines, mode 600), which the shell reads"),
        about_overlap("cron itself starts a run whether or not the last one has ended."),
        about_deadline(job, "then `timeout` sends SIGTERM (exit 124), and SIGKILL a minute later (137)."),
        [
            f"Log: {_log(job)}. Where a run does not end with 0, cron mails one line with its exit code",
            "  to MAILTO, if mail works here.",
        ],
        about_exit_codes(),
        ["Missed night (the machine was off): it is left out; the next night is the next run."],
        about_clock_change(
            job,
            machine,
            "Debian's cron starts what was left out soon after the change.",
            "Debian's cron does not start it a second time (but for schedules with * as hour or minute).",
        ),
    ]
    return f"{as_comment(about)}SHELL=/bin/sh\n{line}\n"


def command(job: ScheduledJob) -> str:
    """What stands behind the five fields: for /bin/sh, with each % escaped, where cron would end the command.

    Raises:
        InputError: It is longer than cron takes, or has a backslash, which cron and the shell read differently.
    """
    words = [str(job.interpreter), "-m", "sweeps", "run", job.config_argument, "--quiet", *job.options]
    if job.deadline_seconds is not None:
        words = ["timeout", "--kill-after=60", str(job.deadline_seconds), *words]
    steps = ["umask 077", f"cd {shlex.quote(str(job.directory))}"]
    file = shlex.quote(str(job.environment_file))
    if job.variables:
        steps.append(f"set -a && . {file} && set +a")
    elif job.credentials:
        steps.append(f"{{ [ ! -e {file} ] || {{ set -a && . {file} && set +a; }}; }}")
    steps.append(f"{shlex.join(words)} >>{shlex.quote(_log(job))} 2>&1")
    told = shlex.quote(f"{job.name}: see {_log(job)}. Exit")
    text = f'{" && ".join(steps)} || echo {told} "$?"'
    if "\\" in text:
        raise InputError(
            f"{job.directory}: a path or an option has a backslash in it.",
            "cron takes some of them away from the command, and a crontab cannot say which.",
            "Rename the folder or the file, write the option without, or use --format systemd.",
        )
    escaped = text.replace("%", r"\%")
    if len(escaped) > LONGEST_COMMAND:
        raise InputError(
            f"{job.directory}: with these paths and options the command has {len(escaped)} characters.",
            f"Debian's cron takes {LONGEST_COMMAND}.",
            "Use shorter paths, or --format systemd.",
        )
    return escaped


def _log(job: ScheduledJob) -> str:
    return str(job.directory / f"{job.name}.log")
