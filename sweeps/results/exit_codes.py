"""How a command ends, for whoever called it: the exit codes that the README lists."""

from enum import IntEnum


class ExitCode(IntEnum):
    """`SweepResult.exit_code` chooses among 0, 3 and 4, `cli.reported_errors` among those of errors."""

    FINISHED = 0
    BUG = 1  # Python's own, after a traceback
    INPUT = 2  # InputError, WeightsFileError, a full disk, a folder that may not be written
    NO_TRIAL_SUCCEEDED = 3
    RECORD_PENDING = 4
    LEASE_HELD = 75  # LeaseHeldError


MEANINGS = {
    ExitCode.FINISHED: "finished",
    ExitCode.BUG: "a bug of ours: please report the traceback",
    ExitCode.INPUT: "configuration, data or machine: the message says what to change, it will not mend itself",
    ExitCode.NO_TRIAL_SUCCEEDED: "finished, but no trial succeeded",
    ExitCode.RECORD_PENDING: "finished; part of the record is not in MLflow yet, the next run or `sync` delivers it",
    ExitCode.LEASE_HELD: "another run of this sweep is alive: this one did nothing",
}
"""In a line each, for whoever is woken by one."""


def after_signal(number: int) -> int:
    """130 after SIGINT, 143 after SIGTERM, as shells say it."""
    return 128 + number
