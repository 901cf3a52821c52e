"""What to beat: a constant and a linear model, on the same columns, the same folds and the same sealed test set.

They take time, of many classes and examples seconds a fit, so a thread fits them while trials are trained:

    with fitted_meanwhile(prepared, seed) as fits:
        ...
        simple = fits.wait()
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.objectives import COST, Objective
from experiments.preparation import PreparedData
from experiments.scaling import FloatArray
from experiments.scores import scores

MAX_ITERATIONS = 10_000
MOST_NUMBERS = 2**26
"""Numbers, 512 MB, that models are fitted to: of more to as many examples drawn at random, and not in each fold."""
_SECONDS_BETWEEN_CHECKS = 0.05


@dataclass(frozen=True, slots=True)
class Baseline:
    """A simple model, fitted on all training columns and scored on the test set.

    Attributes:
        name: "constant", or that of the linear model, which says so where it has not converged, and to how many
            examples it was fitted where these are not all.
        out_of_fold: As a trial's value is: mean over the folds of the mean log-loss of what each holds out, of the
            squared error of targets that are scaled as the fold's are, or of another objective. None where it is not
            known (yet), or a class is in no fold's part.
    """

    name: str
    scores: dict[str, float]
    out_of_fold: float | None = None


class BaselineFits:
    """A daemon thread at work: first on what is scored on the test set, then on each fold.

    It imports scikit-learn, which takes a second, while the first trials are trained. It changes no warning filter
    itself; scikit-learn's checks do for microseconds (README, decisions), and what the main thread found when it
    entered `fitted_meanwhile` is put back at its end.
    """

    def __init__(self, prepared: PreparedData, seed: int, threshold: float | None, objective: Objective) -> None:
        self._n_folds = len(prepared.held_out) // prepared.n_starts
        self._fits: list[Callable[[], Any]] = [partial(_scored, prepared, seed, threshold, objective)]
        for fold in range(0 if _is_large(prepared) else self._n_folds):  # of the constant, then of the linear model
            self._fits += [partial(_value_of_fold, prepared, seed, fold, model, objective) for model in (0, 1)]
        self._results: list[Any] = []  # of the first so many fits
        self._error: Exception | None = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="baselines", daemon=True)
        self._thread.start()

    def wait(self, check: Callable[[], None] = lambda: None, *, for_folds: bool = True) -> list[Baseline]:
        """The constant, which predicts the classes' shares or the mean, and the logistic or ridge regression.

        Args:
            check: Called now and then while waiting; what it raises ends the wait.
            for_folds: Whether to wait for the values out of fold too; else those that are there are given.
        Raises:
            Whatever a fit raised.
        """
        while len(self._results) < (len(self._fits) if for_folds else 1) and self._error is None:
            self._thread.join(_SECONDS_BETWEEN_CHECKS)
            check()
        if self._error is not None:
            raise self._error
        simple, *values = self._results
        return [replace(baseline, out_of_fold=self._mean(values[number::2])) for number, baseline in enumerate(simple)]

    def stop(self) -> None:
        """Begin no further fit."""
        self._is_over.set()

    def _run(self) -> None:
        try:
            for fit in self._fits:
                if self._is_over.is_set():
                    return
                self._results.append(fit())
        except Exception as error:  # whoever waits is told
            self._error = error

    def _mean(self, values: list[float]) -> float | None:
        mean = float(np.mean(values)) if len(values) == self._n_folds else math.nan
        return mean if math.isfinite(mean) else None


@contextmanager
def fitted_meanwhile(
    prepared: PreparedData,
    seed: int,
    threshold: float | None = None,
    ignored: Sequence[type[Warning]] = (),
    objective: Objective = COST,
) -> Iterator[BaselineFits]:
    """Fit scikit-learn's constant and linear models while the block is at work; leaving it waits for nothing.

    Args:
        prepared: The same columns, folds and test set as the trials'.
        seed: Of models that draw something.
        threshold: As in `experiments.scores.scores`: all models of a sweep decide alike.
        ignored: Warnings that the block itself ignores now and then. scikit-learn changes the filters in the thread,
            for microseconds, and may undo that of the block; what is ignored all the while stays so.
        objective: What trials are judged by.
    """
    with warnings.catch_warnings():  # here, not in the thread: filters are those of the whole process
        # That a fit has not converged, which the baseline's name says instead; its class would have to be imported
        warnings.filterwarnings("ignore", category=UserWarning, module=r"sklearn\.linear_model")
        for category in ignored:
            warnings.simplefilter("ignore", category)
        fits = BaselineFits(prepared, seed, threshold, objective)
        try:
            yield fits
        finally:
            fits.stop()


def _in_span(X: FloatArray, *others: FloatArray) -> list[FloatArray]:
    """Columns in coordinates of the span of X, (n0, m), where features are more than examples: the same models, sooner.

    What penalizes the squared length of the weights has them in the span of the examples that it is fitted to, so what
    is orthogonal to all of them, of other examples too, says nothing (Hastie, Tibshirani, Friedman 2009, 18.3.5).
    """
    if X.shape[0] <= X.shape[1]:
        return [X, *others]
    Q, R = np.linalg.qr(X)
    return [R, *(Q.T @ other for other in others)]


def _models(prepared: PreparedData, seed: int) -> tuple[Any, Any]:
    """The constant and the linear model, to be fitted."""
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.linear_model import LogisticRegression, Ridge

    if prepared.dataset.task == "regression":
        return DummyRegressor(strategy="mean"), Ridge(random_state=seed)
    return DummyClassifier(strategy="prior"), LogisticRegression(max_iter=MAX_ITERATIONS, random_state=seed)


def _scored(prepared: PreparedData, seed: int, threshold: float | None, objective: Objective) -> list[Baseline]:
    dataset, y = prepared.dataset, _targets(prepared)
    parts: Iterable[FloatArray]
    if _is_large(prepared):
        fitted_to = _drawn(prepared, seed)
        rows, parts = prepared.rows_of(fitted_to), prepared.test_parts()
        note = f" (fitted to {len(rows):,} of {prepared.n_examples:,} examples)"
    else:
        fitted_to, note = np.ones(dataset.n_train, np.bool_), ""
        X, *parts = _in_span(prepared.X, prepared.X_test)
        rows = np.ascontiguousarray(X.T)
        del X  # it may be large, and fitting takes longest
    constant, linear = (_fitted(model, prepared, rows, y, fitted_to) for model in _models(prepared, seed))
    name = "ridge regression"
    if dataset.task != "regression":
        has_converged = linear.n_iter_.max() < MAX_ITERATIONS
        name = "logistic regression" if has_converged else "logistic regression (not converged)"
    judged: Any = {"objective": objective, "weights": dataset.weights_test}
    answers = zip(*([_outputs(model, part.T) for model in (constant, linear)] for part in parts), strict=True)
    outputs = [prepared.target_scaling.to_original(np.hstack(of_parts)) for of_parts in answers]
    return [
        Baseline(label, scores(dataset.task, dataset.y_test, predictions, threshold, **judged))
        for label, predictions in zip(("constant", name + note), outputs, strict=True)
    ]


def _is_large(prepared: PreparedData) -> bool:
    """Whether only some of the examples are fitted to; not of more features than examples, where it would not help."""
    n, m = prepared.n_features, prepared.n_examples
    return n <= m and n * m > MOST_NUMBERS


def _drawn(prepared: PreparedData, seed: int) -> NDArray[np.bool_]:
    """As many examples as are fitted to, at random, (m,)."""
    n_drawn = MOST_NUMBERS // prepared.n_features
    drawn = np.zeros(prepared.n_examples, np.bool_)
    drawn[np.random.default_rng(seed).permutation(prepared.n_examples)[:n_drawn]] = True
    return drawn


def _value_of_fold(prepared: PreparedData, seed: int, fold: int, which: int, objective: Objective) -> float:
    """The value of the columns that a fold is validated on, of a model fitted to its others; nan if those lack a class.

    X and Y are as the fold's network has them. `which` of the models is fitted: 0 is the constant, 1 the linear one.
    """
    from sklearn import metrics

    trained, validated = ~prepared.held_out[fold], prepared.validated[fold]
    n_classes = prepared.dataset.n_classes
    X, Y = prepared.of_fold(fold)
    (X,), y = _in_span(X), prepared.dataset.y_train if n_classes else Y[0]
    if len(np.unique(y[trained])) < n_classes:
        return math.nan
    rows, others = X.T[trained], X.T[validated]
    del X
    outputs = _outputs(_fitted(_models(prepared, seed)[which], prepared, rows, y, trained), others)
    weights = None if prepared.weights is None else prepared.weights[1, validated]
    if not objective.is_cost:
        unit = prepared.target_scalings[fold].scale
        return objective.of(unit * outputs[-len(Y) :], unit * Y[:, validated], weights)
    if n_classes:
        classes = np.arange(n_classes)
        return float(metrics.log_loss(y[validated], outputs.T, labels=classes, sample_weight=weights))
    return float(metrics.mean_squared_error(y[validated], outputs[0], sample_weight=weights))


def _fitted(
    model: Any,  # noqa: ANN401 - untyped
    prepared: PreparedData,
    rows: FloatArray,
    y: NDArray[Any],
    examples: NDArray[np.bool_],
) -> Any:  # noqa: ANN401 - untyped
    """The model, fitted to rows of these examples, by their weights."""
    weights = None if prepared.weights is None else prepared.weights[0, examples]
    return model.fit(rows, y[examples], sample_weight=weights)


def _targets(prepared: PreparedData) -> NDArray[Any]:
    """As trained, (m,): class codes, or scaled targets."""
    return prepared.Y[0] if prepared.dataset.task == "regression" else prepared.dataset.y_train


def _outputs(model: Any, X: FloatArray) -> FloatArray:  # noqa: ANN401 - untyped
    """Probabilities (C, m), or targets (1, m), for rows of examples."""
    rows = model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)[:, np.newaxis]
    return np.asarray(rows, dtype=np.float64).T
