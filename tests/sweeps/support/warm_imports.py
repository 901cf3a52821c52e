"""All that a sweep and its delivery import, and no more than that: who is forked while a thread works is not whole."""

import importlib
import threading

from experiments.mlflow_connection import prepare_environment

prepare_environment()

MODULES = (
    "alembic.command",
    "mlflow.genai",
    "mlflow.pyfunc",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "sklearn.dummy",
    "sklearn.linear_model",
    "sklearn.model_selection",
    "sweeps.cli",
    "sweeps.needs",
    "sweeps.prediction.predict",
    "sweeps.run",
)

for module in MODULES:
    importlib.import_module(module)
assert threading.active_count() == 1, threading.enumerate()
