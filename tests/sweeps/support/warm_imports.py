"""Imports all that a sweep and its delivery to MLflow import, in the process that others are forked from."""

import gc
import importlib
import sys
import threading

from experiments.mlflow_connection import prepare_environment

MODULES = (
    "alembic.command",
    "mlflow.genai",
    "mlflow.pyfunc",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "optuna.visualization",
    "plotly.io",
    "plotly.offline",
    "plotly.subplots",
    "sklearn.datasets",
    "sklearn.dummy",
    "sklearn.linear_model",
    "sklearn.model_selection",
    "sweeps.cli",
    "sweeps.needs",
    "sweeps.prediction.predict",
    "sweeps.report.page",
    "sweeps.results.summary",
    "sweeps.run",
)
DRAWN = ("bar", "box", "layout", "scatter")
"""Parts of Plotly's figures, each imported when a figure first has it."""


def _import_all() -> None:
    prepare_environment()
    sys.modules["matplotlib"] = None  # type: ignore[assignment]  # as `sweeps.cli.main` has it
    for module in MODULES:
        importlib.import_module(module)
    for name in DRAWN:
        drawn = importlib.import_module(f"plotly.graph_objs.{name}")
        for part in drawn.__all__:
            getattr(drawn, part)

    from mlflow.utils import requirements_utils
    from sqlalchemy.orm import configure_mappers

    configure_mappers()
    requirements_utils._init_packages_to_modules_map()  # of all that is installed, which takes a second of a core
    assert threading.active_count() == 1, f"who is forked beside a thread is not whole: {threading.enumerate()}"
    gc.freeze()  # what is shared with those that are forked is not copied for being looked at


_import_all()
