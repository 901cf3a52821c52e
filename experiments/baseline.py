"""What to beat: a constant and a linear model, on the same columns and the same sealed test set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.preparation import PreparedData
from experiments.preprocessing import FloatArray
from experiments.scores import scores

MAX_ITERATIONS = 10_000


@dataclass(frozen=True, slots=True)
class Baseline:
    """A simple model and its scores on the test set."""

    name: str
    scores: dict[str, float]


def baselines(prepared: PreparedData, seed: int) -> list[Baseline]:
    """Fit scikit-learn's constant and linear models on all training columns and score them on the test set.

    Returns:
        The constant first (the classes' shares, or the mean), then logistic or ridge regression. A logistic
        regression that has not converged says so in its name.
    """
    if prepared.dataset.task == "regression":
        return _regression(prepared, seed)
    return _classification(prepared, seed)


def _classification(prepared: PreparedData, seed: int) -> list[Baseline]:
    import warnings

    from sklearn.dummy import DummyClassifier
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    dataset = prepared.dataset
    constant = DummyClassifier(strategy="prior").fit(prepared.X.T, dataset.y_train)
    linear = LogisticRegression(max_iter=MAX_ITERATIONS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the name says it instead
        linear.fit(prepared.X.T, dataset.y_train)
    has_converged = linear.n_iter_.max() < MAX_ITERATIONS
    names = ("constant", "logistic regression" if has_converged else "logistic regression (not converged)")
    return [
        Baseline(name, _test_scores(prepared, model.predict_proba(prepared.X_test.T).T))
        for name, model in zip(names, (constant, linear), strict=True)
    ]


def _regression(prepared: PreparedData, seed: int) -> list[Baseline]:
    from sklearn.dummy import DummyRegressor
    from sklearn.linear_model import Ridge

    y = prepared.Y[0]
    models = {"constant": DummyRegressor(strategy="mean"), "ridge regression": Ridge(random_state=seed)}
    return [
        Baseline(name, _test_scores(prepared, _row(model.fit(prepared.X.T, y).predict(prepared.X_test.T))))
        for name, model in models.items()
    ]


def _row(values: NDArray[np.floating]) -> FloatArray:
    return np.asarray(values, dtype=np.float64)[np.newaxis, :]


def _test_scores(prepared: PreparedData, predictions: FloatArray) -> dict[str, float]:
    """Scores of predictions as trained: probabilities (C, m), or scaled targets (1, m)."""
    dataset = prepared.dataset
    return scores(dataset.task, dataset.y_test, prepared.target_scaling.to_original(predictions))
