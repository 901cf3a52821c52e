"""What we do with what other programs write, as a table of Markdown: python -m tests.experiments.writers

Each installed writer writes a small file that is then read. `experiments/README.md` has the table.
"""

from __future__ import annotations

import platform
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from tests.experiments.support.written import Written, outcome, version_of
from tests.experiments.support.written_arrays import ARRAYS
from tests.experiments.support.written_tables import TABLES

WRITTEN = [*TABLES, *ARRAYS]


def is_there(package: str) -> bool:
    """Whether it can write."""
    return package == "Python" or version_of(package) is not None


def markdown(outcomes: Sequence[tuple[Written, str]]) -> str:
    """One row a writer: its version, and what of its files works and what is refused."""
    lines = ["| writer | version | works | refused |", "|---|---|---|---|"]
    for package in dict.fromkeys(written.package for written, _ in outcomes):
        of_package = [(written.what, found) for written, found in outcomes if written.package == package]
        version = platform.python_version() if package == "Python" else version_of(package)
        works, refused = (
            ", ".join(f"`{what}`" for what, found in of_package if found == kind).replace("|", r"\|")
            for kind in ("works", "refused")
        )
        lines.append(f"| {package} | {version or 'not tried'} | {works} | {refused} |")
    return "\n".join(lines)


def main() -> int:
    """Print the table, and on stderr what is not as it should be."""
    outcomes = []
    for written in WRITTEN:
        found = "not tried"
        if is_there(written.package):
            with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    found = outcome(written, Path(folder))
                except Exception as error:
                    found = repr(error)[:300]
        outcomes.append((written, found))
        if found not in ("works", "refused", "not tried"):
            print(f"{written.package}, {written.what}: {found}", file=sys.stderr)
    print(markdown(outcomes))
    return int(any(found not in ("works", "refused", "not tried") for _, found in outcomes))


if __name__ == "__main__":
    sys.exit(main())
