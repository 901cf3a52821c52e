"""The serial executor: rungs are trained in this process."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from sweeps.execution.contract import RungExecutor


class SerialExecutor(RungExecutor):
    """Makes each call in this process, when it is asked how the call ended.

    Not before: between two rungs the schedule looks whether the time is over.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":  # noqa: ANN401
        """The future of a call that has not been made."""
        return _UnmadeCall(partial(fn, *args, **kwargs))


class _UnmadeCall(Future[Any]):
    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__()
        self._call = call

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._make()
        return super().exception(timeout)

    def result(self, timeout: float | None = None) -> Any:  # noqa: ANN401
        self._make()
        return super().result(timeout)

    def _make(self) -> None:
        if self.done() or not self.set_running_or_notify_cancel():
            return
        try:
            self.set_result(self._call())
        except Exception as error:  # handed to whoever asks for the result, as every Executor does
            self.set_exception(error)
