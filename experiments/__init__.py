"""One experiment: its data, its record, its models. See experiments/README.md.

Importing this package is light: the estimators, and scikit-learn with them, are loaded only when first asked for.
"""

from typing import Any

__all__ = ["DeepNetworkClassifier", "DeepNetworkRegressor"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  # a module's attribute can be anything
    if name in __all__:
        from experiments import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
