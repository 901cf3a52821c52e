"""One sweep of ours for `bench_quality`, in the working directory, with whichever checkout PYTHONPATH names first.

    python -P tests/benchmarks/our_sweep.py sweep.toml

It is a library call, so that seconds are counted from when packages are loaded, as a peer's are. Uses nothing but what
the product promises in public. The last line of stdout is JSON about the run.
"""

import json
import sys
import time


def main() -> None:
    from sweeps import load_config, run_sweep

    config = load_config(sys.argv[1])
    began_at = time.time()
    result = run_sweep(config)
    seconds = time.time() - began_at
    complete = sorted(
        (row.ended_at - began_at, row.value)
        for row in result.rows
        if row.state.name == "COMPLETE" and row.ended_at is not None
    )
    best = result.best
    ends = [*complete, *([(seconds, best.value)] if best is not None else [])]
    curve: list[tuple[float, float]] = []
    for ended_at, value in ends:
        if not curve or value < curve[-1][1]:
            curve.append((ended_at, value))
    said = {
        "seconds": seconds,
        "n_trials": len(result.rows),
        "n_complete": len(complete),
        "n_failed": sum(row.state.name == "FAIL" for row in result.rows),
        "validation": None if best is None else best.value,
        "ensemble": None if getattr(result, "ensemble", None) is None else result.ensemble.out_of_fold,
        "curve": curve,
        "params": None if best is None else best.params,
        "model": result.model_name,
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main()
