"""One thing that the doctor found."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from experiments.errors import InputError
from sweeps.results.exit_codes import ExitCode


class Verdict(StrEnum):
    """What is to be done about a finding."""

    NOTE = "note"  # nothing; it is good to know
    MENDABLE = "mendable"  # --fix does it
    MENDED = "mended"  # --fix has done it
    PERSON = "person"  # somebody must


@dataclass(frozen=True, slots=True)
class Finding:
    """Where, what, what is to be done about it, and what to type for that ("" is nothing)."""

    place: str
    what: str
    verdict: Verdict
    fix: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For `doctor --json`."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.verdict.value:<9} {self.place}: {self.what}{f' {self.fix}' if self.fix else ''}"


def for_a_person(place: str, error: InputError) -> Finding:
    """An error that a command would end with."""
    return Finding(place, f"{error.what} {error.allowed}", Verdict.PERSON, error.fix)


def exit_code_of(findings: Iterable[Finding]) -> ExitCode:
    """2 where something is left to do."""
    left = any(finding.verdict in (Verdict.MENDABLE, Verdict.PERSON) for finding in findings)
    return ExitCode.INPUT if left else ExitCode.FINISHED


def mendable(place: str, what: str, *, is_mended: bool) -> Finding:
    """What `--fix` does, or has just done."""
    if is_mended:
        return Finding(place, what, Verdict.MENDED)
    return Finding(place, what, Verdict.MENDABLE, "Type: python -m sweeps doctor --fix")
