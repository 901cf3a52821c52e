"""A service and its timer, as systemd from version 244 on reads them."""

import os
import re

from sweeps.results.exit_codes import ExitCode, after_signal
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

SPLIT = """awk '/^# file: /{name=$3} {print > name}'"""
"""Makes two files of the one text, in the folder where it is typed."""


def units(job: ScheduledJob) -> str:
    """`NAME.service` and `NAME.timer`, each behind a line that names it; for root of the system, else of the user."""
    is_root, zone = os.geteuid() == 0, job.zone or zone_of_this_machine()
    folder = "/etc/systemd/system" if is_root else "~/.config/systemd/user"
    systemctl = "systemctl" if is_root else "systemctl --user"
    install = [
        f"Type in {folder}:",
        f"  python -m sweeps schedule ... | {SPLIT}",
        f"  {systemctl} daemon-reload && {systemctl} enable --now {job.name}.timer",
    ]
    if not is_root:
        install.append("  loginctl enable-linger   # or the job runs only while you are logged in")
    journal = "journalctl" if is_root else "journalctl --user"
    about_service = [
        head(job, zone, install),
        about_environment(job, f"{job.environment_file} (NAME='value' lines, mode 600), which systemd reads"),
        about_overlap("A timer leaves out a night on which the service still runs."),
        about_deadline(job, "then systemd sends SIGTERM, and SIGKILL a minute later."),
        [f"Log: {journal} -u {job.name}. A unit that failed: {systemctl} --failed."],
        [*about_exit_codes(), "  (4 does not count as failed here, nor does 143 after `systemctl stop`.)"],
    ]
    about_timer = [
        ["Missed night (the machine was off): Persistent=true starts the run once, as soon as the machine is up."],
        about_clock_change(
            job,
            zone,
            "systemd leaves that night out altogether (seen in systemd 252); Persistent= does not mend it.",
            "systemd starts it once, at the first of the two.",
        ),
    ]
    return (
        f"# file: {job.name}.service\n{as_comment(about_service)}{_service(job)}"
        f"# file: {job.name}.timer\n{as_comment(about_timer)}{_timer(job)}"
    )


def _service(job: ScheduledJob) -> str:
    words = ["/usr/bin/env", str(job.interpreter), "-m", "sweeps", "run", job.config_argument, *job.options]
    lines = [
        "[Unit]",
        f"Description=Sweep {job.config.sweep.name}",
        "After=network-online.target",
        "",
        "[Service]",
        "Type=oneshot",
        f"WorkingDirectory={_path(str(job.directory))}",
        f"ExecStart={' '.join(map(_word, words))}",
        f"TimeoutStartSec={job.deadline_seconds or 'infinity'}",
        "TimeoutStopSec=60",
        f"SuccessExitStatus={ExitCode.RECORD_PENDING.value} {after_signal(15)}",
        "UMask=0077",
        "Nice=10",
    ]
    if job.variables:
        lines.append(f"EnvironmentFile={_path(str(job.environment_file))}")
    elif job.credentials:
        lines.append(f"EnvironmentFile=-{_path(str(job.environment_file))}")
    return "\n".join(lines) + "\n"


def _timer(job: ScheduledJob) -> str:
    lines = [
        "[Unit]",
        f"Description=When sweep {job.config.sweep.name} runs",
        "",
        "[Timer]",
        f"OnCalendar={job.when.on_calendar(job.zone)}",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return "\n".join(lines) + "\n"


def _word(text: str) -> str:
    """One argument of ExecStart=: systemd would expand % and $, and reads backslashes as C does."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return escaped if re.fullmatch(r"[\w@%+=:,./$-]+", escaped, re.ASCII) else f'"{escaped}"'


def _path(text: str) -> str:
    """A path to the end of its line, which knows specifiers and no quotes."""
    return text.replace("%", "%%")
