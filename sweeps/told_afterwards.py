"""A run for those who do not sit before it: lines of JSON meanwhile, and at its end a file of metrics and a command."""

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import typer

from experiments.errors import InputError
from sweeps.configuration.config_file import DEFAULT_CONFIG
from sweeps.reported_errors import say
from sweeps.results.exit_codes import ExitCode

if TYPE_CHECKING:
    from sweeps.results.json_lines import JsonProgress
    from sweeps.results.progress import Progress
    from sweeps.results.result import SweepResult


class ToldAfterwards:
    """A context manager around a run, which ends with `typer.Exit` or with a bug; it changes neither.

    Args:
        config: What `run` was told; None is the default.
        log_format: "text" or "json".
        metrics_file: None writes none.
        notify: The command; None runs none.

    Attributes:
        result: To be set where there is one.
    """

    def __init__(self, config: str | None, log_format: str, metrics_file: Path | None, notify: str | None) -> None:
        self._config = config
        self._log_format = log_format
        self._metrics_file = metrics_file
        self._notify = notify
        self._error: str | None = None
        self._json: JsonProgress | None = None
        self._is_checked = False
        self.result: SweepResult | None = None

    def check(self) -> None:
        """Whether the options can be what they are.

        Raises:
            InputError: They cannot.
        """
        if self._log_format not in ("text", "json"):
            raise InputError(f"--log-format {self._log_format}: unknown.", "It is text or json.", "Choose one of them.")
        if self._metrics_file is not None:
            from sweeps.results.metrics_file import check_metrics_file

            check_metrics_file(self._metrics_file)
        if self._notify is not None:
            from sweeps.results.notify import words_of

            words_of(self._notify)
        if self._log_format == "json":
            from sweeps.results.json_lines import JsonProgress

            self._json = JsonProgress()
        self._is_checked = True

    def progress(self, *, is_quiet: bool) -> "Progress":
        """What the sweep tells how it gets on."""
        from sweeps.results.progress import LineProgress, LiveProgress, QuietProgress, SilentProgress

        if sys.stderr is None:
            return SilentProgress()
        if is_quiet:
            return QuietProgress(self.say)
        if self._json is not None:
            return self._json
        return LiveProgress() if sys.stderr.isatty() else LineProgress()

    def say(self, text: str) -> None:
        """A line on stderr, in the format that was asked for."""
        (say if self._json is None else self._json.say)(text)

    def tell_error(self, message: str) -> None:
        """Why the run ends: said at once as text, with all else that is known of the end as JSON."""
        self._error = message
        if self._json is None:
            say(message)

    def __enter__(self) -> Self:
        self._began_at = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._is_checked:
            return  # the options are wrong, which has been said
        if error is not None and not isinstance(error, typer.Exit):
            self._error = f"{type(error).__name__}: {error}"
        document = self._document(error.exit_code if isinstance(error, typer.Exit) else ExitCode.BUG)
        if self._json is not None:
            self._write_end(self._json, document)
        self._write_metrics(document)
        self._run_command(document)

    def _document(self, exit_code: int) -> dict[str, Any]:
        if self.result is not None and self._error is None:
            return self.result.to_dict()
        return {
            "config": self._config or DEFAULT_CONFIG,
            "state": "ERROR",
            "error": self._error,
            "elapsed_seconds": time.monotonic() - self._began_at,
            "exit_code": int(exit_code),
        }

    def _write_end(self, lines: "JsonProgress", document: dict[str, Any]) -> None:
        if self._error is not None:
            lines.write("failed", error=self._error, exit_code=document["exit_code"])
            return
        keys = (
            "state",
            "n_trials",
            "n_complete",
            "n_pruned",
            "n_failed",
            "best",
            "model",
            "elapsed_seconds",
            "exit_code",
        )
        lines.write("finished", **{"study": document["study"]} | {key: document[key] for key in keys})

    def _write_metrics(self, document: dict[str, Any]) -> None:
        if self._metrics_file is None:
            return
        from sweeps.results.metrics_file import write_metrics_file

        try:
            write_metrics_file(self._metrics_file, document, self._config or DEFAULT_CONFIG)
        except OSError as error:
            self.say(f"--metrics-file {self._metrics_file}: could not be written ({error.strerror}).")

    def _run_command(self, document: dict[str, Any]) -> None:
        if self._notify is None:
            return
        from sweeps.results.notify import notify, words_of

        if failure := notify(words_of(self._notify), document):
            self.say(failure)
