"""How a command ends, for whoever called it: the exit codes that the README lists."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Python itself ends with 1 where an exception of ours got through; a signal has `after_signal`."""

    FINISHED = 0
    BUG = 1
    INPUT = 2
    NO_TRIAL_SUCCEEDED = 3
    RECORD_PENDING = 4
    LEASE_HELD = 75


def after_signal(number: int) -> int:
    """130 after SIGINT, 143 after SIGTERM, as shells say it."""
    return 128 + number
