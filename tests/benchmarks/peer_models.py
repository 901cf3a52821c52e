"""The models of `peer_tuned`: what is searched for each, how its inputs are prepared, and how it keeps to the time."""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from optuna import Trial
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.benchmarks.quality_data import Features, Labels

Params = dict[str, Any]
FloatArray = npt.NDArray[np.floating]


class TimeIsOverError(Exception):
    """The deadline of a fit that is of no use unless it ends."""


class Deadline:
    """When a fit must end, in seconds of `time.perf_counter`; a final one is then cut short and kept."""

    def __init__(self, at: float, *, is_final: bool) -> None:
        self.at, self.is_final = at, is_final

    def is_over(self) -> bool:
        """Whether a final fit must stop here.

        Raises:
            TimeIsOverError: The fit is not final.
        """
        if time.perf_counter() < self.at:
            return False
        if not self.is_final:
            raise TimeIsOverError
        return True


class Model(ABC):
    """One kind of model. `prepare` sees training rows only; `fit` starts from what was prepared.

    Attributes:
        first: Configurations to begin with; without any, nothing is tried before the final fit.
        is_grid: Whether these are all there is to try.
    """

    first: Sequence[Params] = ({},)
    is_grid = False

    def __init__(self, *, is_classifier: bool, seed: int) -> None:
        self.is_classifier, self.seed = is_classifier, seed

    def suggest(self, trial: Trial) -> Params:
        """A configuration of the search space."""
        return {}

    @abstractmethod
    def fit(self, X: Features, y: Labels, params: Params, deadline: Deadline) -> None:
        """Fit anew, inputs' preparation too."""

    @abstractmethod
    def predict(self, X: Features) -> npt.NDArray[np.float64]:
        """Probabilities (m, C), or targets (m,)."""


class Constant(Model):
    """The classes' shares, or the mean."""

    is_grid = True

    def fit(self, X: Features, y: Labels, params: Params, deadline: Deadline) -> None:
        self._answer = np.bincount(y) / len(y) if self.is_classifier else y.mean()

    def predict(self, X: Features) -> npt.NDArray[np.float64]:
        return np.tile(self._answer, (len(X), 1)) if self.is_classifier else np.full(len(X), self._answer)


class RealNumbers(Model):
    """Models that take numbers of one scale: missing ones filled, standardized, categories one-hot.

    A regression's target is standardized too.
    """

    def fit(self, X: Features, y: Labels, params: Params, deadline: Deadline) -> None:
        self._inputs = _numbers(X)
        self._offset, self._scale = (0.0, 1.0) if self.is_classifier else (y.mean(), y.std())
        target = y if self.is_classifier else ((y - self._offset) / self._scale).astype(np.float32)
        self._estimator = self.estimator_of(params, deadline)
        self._estimator.fit(self._inputs.fit_transform(_flat(X)).astype(np.float32), target)

    def predict(self, X: Features) -> npt.NDArray[np.float64]:
        inputs = self._inputs.transform(_flat(X)).astype(np.float32)
        if self.is_classifier:
            return _probabilities(self._estimator.predict_proba(inputs))
        return self._estimator.predict(inputs).astype(np.float64) * self._scale + self._offset

    @abstractmethod
    def estimator_of(self, params: Params, deadline: Deadline) -> Any:
        """What is fitted to such numbers, in scikit-learn's manner; it keeps to the deadline."""


class Linear(RealNumbers):
    """Logistic or ridge regression; the penalty by cross-validation."""

    first = tuple({"penalty": 10.0**exponent} for exponent in (0, 1, -1, 2, -2, 3, -3, 4, -4))
    is_grid = True

    def suggest(self, trial: Trial) -> Params:
        return {"penalty": trial.suggest_float("penalty", 1e-4, 1e4, log=True)}

    def estimator_of(self, params: Params, deadline: Deadline) -> Any:
        deadline.is_over()
        if self.is_classifier:
            return LogisticRegression(C=1 / params["penalty"], max_iter=1000)
        return Ridge(alpha=params["penalty"])


class _InTime:
    """scikit-learn's perceptrons, which look at the clock after each epoch."""

    deadline: Deadline

    def _update_no_improvement_count(self, *arguments: Any) -> None:
        super()._update_no_improvement_count(*arguments)  # type: ignore[misc]
        if self.deadline.is_over():
            self._no_improvement_count = self.n_iter_no_change + 1  # type: ignore[attr-defined]  # ends the training


class _Classifier(_InTime, MLPClassifier):
    pass


class _Regressor(_InTime, MLPRegressor):
    pass


class Perceptron(RealNumbers):
    """scikit-learn's MLP by Adam, with early stopping."""

    first = ({"learning_rate_init": 1e-3, "alpha": 1e-4, "batch_size": "auto", "depth": 1, "width_1": 100},)
    BATCH_SIZES = ("auto", 64, 256)

    def suggest(self, trial: Trial) -> Params:
        depth = trial.suggest_int("depth", 1, 3)
        return {
            "learning_rate_init": trial.suggest_float("learning_rate_init", 1e-4, 1e-1, log=True),
            "alpha": trial.suggest_float("alpha", 1e-6, 1e-1, log=True),
            "batch_size": trial.suggest_categorical("batch_size", self.BATCH_SIZES),
            "hidden_layer_sizes": [trial.suggest_int(f"width_{i + 1}", 16, 256, log=True) for i in range(depth)],
        }

    def estimator_of(self, params: Params, deadline: Deadline) -> Any:
        kind = _Classifier if self.is_classifier else _Regressor
        estimator = kind(**params, early_stopping=True, max_iter=500, random_state=self.seed)
        estimator.deadline = deadline
        return estimator


class _InTimeTrees:
    """scikit-learn's boosting, which looks at the clock after each iteration."""

    deadline: Deadline

    def _should_stop(self, scores: list[float]) -> bool:
        return self.deadline.is_over() or super()._should_stop(scores)  # type: ignore[misc]


class _BoostingClassifier(_InTimeTrees, HistGradientBoostingClassifier):
    pass


class _BoostingRegressor(_InTimeTrees, HistGradientBoostingRegressor):
    pass


class Boosting(Model):
    """scikit-learn's histogram gradient boosting with early stopping, on categories as they are."""

    first = (
        {
            "learning_rate": 0.1,
            "max_leaf_nodes": 31,
            "min_samples_leaf": 20,
            "l2_regularization": 1e-6,
            "max_iter": 100,
        },
    )

    def suggest(self, trial: Trial) -> Params:
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.5, log=True),
            "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 4, 128, log=True),
            "min_samples_leaf": trial.suggest_int("min_samples_leaf", 2, 100, log=True),
            "l2_regularization": trial.suggest_float("l2_regularization", 1e-6, 10, log=True),
            "max_iter": trial.suggest_int("max_iter", 50, 1000, log=True),
        }

    def fit(self, X: Features, y: Labels, params: Params, deadline: Deadline) -> None:
        self._categories = {}
        if isinstance(X, pd.DataFrame):
            self._categories = {name: X[name].dropna().unique() for name in _texts(X)}
        kind = _BoostingClassifier if self.is_classifier else _BoostingRegressor
        self._estimator = kind(**params, early_stopping=True, random_state=self.seed)
        self._estimator.deadline = deadline
        self._estimator.fit(self._columns(X), y)

    def predict(self, X: Features) -> npt.NDArray[np.float64]:
        if self.is_classifier:
            return _probabilities(self._estimator.predict_proba(self._columns(X)))
        return self._estimator.predict(self._columns(X))

    def _columns(self, X: Features) -> Features:
        if not isinstance(X, pd.DataFrame):
            return _flat(X)
        return X.assign(**{name: pd.Categorical(X[name], known) for name, known in self._categories.items()})


def _numbers(X: Features) -> Any:
    scaled = make_pipeline(SimpleImputer(), StandardScaler())
    if not isinstance(X, pd.DataFrame) or not _texts(X):
        return scaled
    one_hot = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing", missing_values=np.nan),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    numbers = [name for name in X.columns if name not in _texts(X)]
    return ColumnTransformer([("numbers", scaled, numbers), ("texts", one_hot, _texts(X))])


def _texts(X: pd.DataFrame) -> list[str]:
    return [str(name) for name, column in X.items() if column.dtype.kind not in "fiu"]


def _flat(X: Features) -> Features:
    return X if isinstance(X, pd.DataFrame) else X.reshape(len(X), -1)


def _probabilities(found: FloatArray) -> npt.NDArray[np.float64]:
    """In float64, rows sum to 1."""
    exact = found.astype(np.float64)
    return exact / exact.sum(axis=1, keepdims=True)
