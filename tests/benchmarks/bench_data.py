"""What large data cost before training begins, in two checkouts in turns: seconds and peak memory.

    python -m tests.benchmarks.bench_data --before FOLDER [--after FOLDER] [--cases tall wide ...] [--append]

Five files are made by this script: 200,000 x 50 numbers and 100 x 20,000 as CSV, 1,000,000 x 20 as Parquet, the same
beside a column of 300 categories, and 3 rows of 30,001 columns. Each is run by `sweeps run` until training would begin
(the last one by `sweeps validate`), a process of its own, in both checkouts, one after the other (`size_child.py`).

Seconds are those of the processor, imports included, so that a busy machine changes them little; beside the last the
seconds by the clock. "peak" is the most resident memory of the coordinator, in MB, with about 250 of imports.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from tests.benchmarks import results
from tests.benchmarks.timing import OtherLoad
from tests.conftest import REPOSITORY

CASES = {
    "tall": "200,000 x 50 CSV",
    "million": "1,000,000 x 20 Parquet",
    "wide": "100 x 20,000 CSV",
    "categories": "300 categories beside 1,000,000 x 20",
    "columns": "validate, 3 x 30,001 CSV",
}
COLUMNS = [
    "case",
    "checkout",
    "read, s",
    "prepared, s",
    "training begins, s",
    "by the clock, s",
    "peak, MB",
]
PATIENCE = 300.0
"""Seconds after which a checkout is given up on."""


def make(folder: Path, case: str) -> None:
    """Write the file of a case and its configuration."""
    rng = np.random.default_rng(1)
    m, n = {"tall": (200_000, 50), "wide": (100, 20_000), "columns": (3, 30_000)}.get(case, (1_000_000, 20))
    X = rng.normal(size=(m, n))
    frame = pd.DataFrame(X, columns=[f"f{j}" for j in range(n)])
    frame = frame.assign(y=X[:, 0] if case == "columns" else (X[:, 0] + X[:, 1] / 2 > 0).astype(int))
    if case == "categories":
        frame.insert(0, "kind", "k" + pd.Series(rng.integers(0, 300, m)).astype(str))
    name = f"{case}.parquet" if n == 20 else f"{case}.csv"
    if n == 20:
        frame.to_parquet(folder / name, index=False)
    else:
        frame.to_csv(folder / name, index=False)
    test = ""
    if case == "columns":
        frame.assign(**{column: frame[column] + 1 for column in ("f0", "y")}).to_csv(folder / "test.csv", index=False)
        test = 'test = "test.csv"\nfolds = 2\n'
    data = f'[sweep]\nname = "{case}"\n[data]\ntrain = "{name}"\ntarget = "y"\n{test}'
    (folder / f"{case}.toml").write_text(f"{data}[search]\nn_iterations = 30\ndepth = 1\n")


def measured(checkout: Path, folder: Path, case: str) -> dict[str, object]:
    """What `size_child.py` says of a case in a checkout."""
    command = "validate" if case == "columns" else "run"
    child = [sys.executable, str(Path(__file__).with_name("size_child.py")), command, str(folder / f"{case}.toml")]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    with tempfile.TemporaryDirectory() as there:
        try:
            done = subprocess.run(
                child, cwd=there, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            return {"error": f"given up after {PATIENCE:.0f} s"}
    marks: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    if "error" in marks:
        marks["error"] = f"{marks['error']} {done.stderr.strip()[-250:]}"
    return marks


def row(case: str, checkout: str, marks: dict[str, object]) -> list[str]:
    names = ("read_s", "prepared_s", "end_s", "end_wall_s", "end_mb")
    return [CASES[case], checkout, *(str(marks.get(name, "-")) for name in names)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="another checkout")
    parser.add_argument("--after", type=Path, default=REPOSITORY)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--append", action="store_true", help="add the table to RESULTS.md")
    options = parser.parse_args()
    rows, said = [], []
    with OtherLoad() as other, tempfile.TemporaryDirectory() as folder:
        for case in options.cases:
            make(Path(folder), case)
            for name, checkout in (("before", options.before), ("now", options.after)):
                if checkout is None:
                    continue
                marks = measured(checkout, Path(folder), case)
                rows.append(row(case, name, marks))
                print(rows[-1], marks.get("error", ""), flush=True)
                if "error" in marks:
                    said.append(f"- {CASES[case]}, {name}: {marks['error']}")
    paragraph, text = results.conditions(other.cores), "\n".join([results.table(COLUMNS, rows), "", *said])
    print(f"{paragraph}\n\n{text}")
    if options.append:
        results.append("bench_data", paragraph, text)


if __name__ == "__main__":
    main()
