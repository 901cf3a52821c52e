"""Tunes deep networks with every attempt on record. See README.md.

    from sweeps import load_config, run_sweep

    result = run_sweep(load_config("breast_cancer", sweep={"n_trials": 20}))
    result.best, result.trials, result.model

Importing this package is light: the two functions are loaded when they are first asked for.
"""

from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "load_config", "run_sweep"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  # a module's attribute can be anything
    if name == "load_config":
        from sweeps.configuration.config_file import load_config

        return load_config
    if name == "run_sweep":
        from sweeps.run import run_sweep

        return run_sweep
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
