"""What a command says when it cannot go on: one message on stderr and the documented exit code."""

import errno
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import typer

from sweeps.results.exit_codes import ExitCode, after_signal


def say(text: str) -> None:
    """A line on stderr."""
    with suppress(OSError):  # nobody reads it any more
        typer.echo(text, err=True)


@contextmanager
def reported_errors(tell: Callable[[str], None] = say) -> Iterator[None]:
    """What a user caused becomes one message, by default on stderr; our bugs keep their traceback."""
    from experiments.errors import InputError

    try:
        yield
    except InputError as error:
        _leave(tell, str(error), ExitCode.INPUT)
    except KeyboardInterrupt:
        _leave(tell, "Interrupted.", after_signal(signal.SIGINT))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            _leave(
                tell,
                f"{error.filename or Path.cwd()}: the disk is full. The record up to here is whole; "
                "free some space, then type the same command again to continue.",
                ExitCode.INPUT,
            )
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            _leave(
                tell,
                f"{error.filename}: {error.strerror}. Sweeps must be able to read its data and write its folder; "
                "change the permissions or the folder.",
                ExitCode.INPUT,
            )
        if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP):
            _leave(
                tell,
                f"{error.filename or Path.cwd()}: this file system has no locks ({error.strerror}). Sweeps keep runs "
                "apart by them, and so does SQLite; change to a folder on a local disk, or have it mounted with locks "
                "(NFS: lockd, not nolock).",
                ExitCode.INPUT,
            )
        raise
    except MemoryError as error:
        from experiments.readers.room import memory_bytes

        _leave(
            tell,
            f"Memory ran out{f' ({error})' if str(error) else ''}. Programs may use {memory_bytes() / 2**30:.1f} GB "
            "here; a large table needs least if it is standardized and trained on minibatches, because it then lies in "
            "a file. End other programs, raise the limit, or leave columns out ([data] "
            "ignore); then type the same command again to continue.",
            ExitCode.INPUT,
        )
    except Exception as error:
        exit_code = _exit_code_of(error)
        if exit_code is None:
            raise
        _leave(tell, str(error), exit_code)


def _exit_code_of(error: Exception) -> int | None:
    """For errors whose modules only a command that got that far has imported."""
    from engine.errors import WeightsFileError
    from sweeps.interrupts import InterruptedSweepError
    from sweeps.storage.workspace import LeaseHeldError

    if isinstance(error, WeightsFileError):  # the one error of the engine that input reaches past our own checks
        return ExitCode.INPUT
    if isinstance(error, LeaseHeldError):
        return ExitCode.LEASE_HELD
    return error.exit_code if isinstance(error, InterruptedSweepError) else None


def _leave(tell: Callable[[str], None], message: str, exit_code: int) -> None:
    tell(message)
    raise typer.Exit(exit_code) from None
