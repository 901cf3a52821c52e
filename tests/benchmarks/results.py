"""Tables for people, and RESULTS.md for the record."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.benchmarks.timing import blas_kernel

RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = ("numpy", "torch", "jax", "scikit-learn")
QUIET_CORES = 0.1
"""A run during which others used more than this many cores is marked."""


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, padded so that it also reads in a terminal."""
    widths = [max(len(line[i]) for line in [columns, *rows]) for i in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        padded = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join(("-" * (w + 1)) + ("-" if i == 0 else ":") for i, w in enumerate(widths)) + "|"
    return "\n".join([line(columns), rule, *map(line, rows)])


def conditions(other_cores: float) -> str:
    """When, where and with what a run was made, in one paragraph."""
    loaded = "" if other_cores <= QUIET_CORES else " NOT QUIET: to be repeated."
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {machine()}; Python {platform.python_version()}, "
        f"{', '.join(_versions())}; BLAS {blas_kernel()}; others used {other_cores:.2f} cores meanwhile.{loaded}"
    )


def append(title: str, paragraph: str, text: str) -> None:
    """Add a run to RESULTS.md."""
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(f"\n### {title}\n\n{paragraph}\n\n{text}\n")


def machine() -> str:
    """Processor, cores and memory in words; SWEEPS_BENCH_MACHINE overrides."""
    if words := os.environ.get("SWEEPS_BENCH_MACHINE"):
        return words
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        cpu = platform.processor() or platform.machine()
    gibibytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores of {cpu}, {gibibytes:.0f} GiB"


def microseconds(seconds: float) -> str:
    """Three significant digits."""
    return f"{1e6 * seconds:.3g}" if seconds < 1e-3 else f"{1e6 * seconds:.0f}"


def _versions() -> list[str]:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} absent")
    return found
