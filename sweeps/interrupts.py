"""SIGINT and SIGTERM: noticed at once, obeyed between two writes."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

from sweeps.results.exit_codes import after_signal


class InterruptedSweepError(Exception):
    """The sweep was told to stop; everything applied so far is stored.

    Attributes:
        signal_number: SIGINT or SIGTERM; what stops it otherwise counts as the first.
    """

    def __init__(self, signal_number: int, reason: str = "") -> None:
        reason = reason or f"Interrupted by {signal.Signals(signal_number).name}."
        super().__init__(f"{reason} Everything so far is on record; type the same command to continue.")
        self.signal_number = signal_number

    @property
    def exit_code(self) -> int:
        """130 or 143."""
        return after_signal(self.signal_number)


class Interrupts:
    """While entered, a first signal is only noted, for `check` to raise where it is safe; a second one ends at once."""

    def __init__(self) -> None:
        self._received: int | None = None
        self._previous: dict[int, signal._HANDLER] = {}
        self._others: list[Callable[[], str | None]] = []

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self  # signals are the main thread's
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def also(self, check: Callable[[], str | None]) -> None:
        """From now on `check` makes this check first, which may raise too, or say why the sweep is to stop."""
        self._others.append(check)

    def has_come(self) -> bool:
        """Whether a signal has come."""
        return self._received is not None

    def check(self) -> None:
        """Raise InterruptedSweepError if a signal has come, or another check says so."""
        for check in self._others:
            if reason := check():
                raise InterruptedSweepError(signal.SIGINT, reason)
        if self._received is not None:
            raise InterruptedSweepError(self._received)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._received = number
        signal.signal(number, signal.SIG_DFL)
