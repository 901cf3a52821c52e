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
from experiments.readers.room import NoRoomError, limits_of_process, room_for, shortage
from experiments.scaling import FloatArray
from experiments.scores import scores

MAX_ITERATIONS = 10_000
_N_MODELS = 2
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

    Attributes:
        shortage: Which fits had no room, in a sentence; "" where all had.
    """

    def __init__(self, prepared: PreparedData, seed: int, threshold: float | None, objective: Objective) -> None:
        self.shortage = ""
        self._n_folds = prepared.n_folds
        self._fits: list[Callable[[], Any]] = [
            partial(fit, prepared, seed, threshold, objective) for fit in (_scored_constant, _scored_linear)
        ]
        for fold in range(0 if _is_large(prepared) else self._n_folds):
            self._fits.append(partial(_value_of_fold, prepared, fold, seed, objective))
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
            Whatever a fit raised, except where memory or disk have no room for a linear model: see `shortage`.
        """
        n_needed = len(self._fits) if for_folds else _N_MODELS
        while len(self._results) < n_needed and self._error is None and not self.shortage:
            self._thread.join(_SECONDS_BETWEEN_CHECKS)
            check()
        if self._error is not None:
            raise self._error
        constant, *linear = self._results[:_N_MODELS]
        values = self._results[_N_MODELS:]
        of_folds = _mean(values) if len(values) == self._n_folds else None
        return [constant, *(replace(model, out_of_fold=of_folds) for model in linear)]

    def stop(self) -> None:
        """Begin no further fit."""
        self._is_over.set()

    def _run(self) -> None:
        try:
            for fit in self._fits:
                if self._is_over.is_set():
                    return
                self._results.append(fit())
        except (MemoryError, NoRoomError) as error:
            if self._results:
                what = "was not fitted" if len(self._results) < _N_MODELS else "was not fitted in each fold"
                self.shortage = f"The linear model to compare with {what}: {shortage(error)}."
            else:
                self._error = error
        except Exception as error:  # whoever waits is told
            self._error = error


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
    if limits_of_process():  # then the import may fail, and better now than when all trials are over
        import sklearn.linear_model  # noqa: F401
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
    """Columns in coordinates of the span of X, (n0, m), which has more features than examples: the same models, sooner.

    What penalizes the squared length of the weights has them in the span of the examples that it is fitted to, so what
    is orthogonal to all of them, of other examples too, says nothing (Hastie, Tibshirani, Friedman 2009, 18.3.5).
    """
    Q, R = np.linalg.qr(X)
    return [R, *(Q.T @ other for other in others)]


def _mean(values: Sequence[float]) -> float | None:
    """Mean over the folds; None where one is not known."""
    mean = float(np.mean(values))
    return mean if math.isfinite(mean) else None


def _scored_constant(prepared: PreparedData, seed: int, threshold: float | None, objective: Objective) -> Baseline:
    """On the test set and, as it takes no time, on each fold."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    def fitted(y: NDArray[Any], examples: NDArray[np.bool_]) -> Any:  # noqa: ANN401 - untyped
        constant = DummyRegressor() if prepared.dataset.task == "regression" else DummyClassifier(strategy="prior")
        return _fitted(constant, prepared, np.zeros((np.count_nonzero(examples), 1)), y, examples)

    values = []
    for fold in range(prepared.n_folds):
        y, trained = _targets(prepared, fold), ~prepared.held_out[fold]
        outputs = _outputs(fitted(y, trained), np.zeros((np.count_nonzero(prepared.validated[fold]), 1)))
        values.append(_value(outputs, prepared, fold, objective) if _has_all_classes(prepared, fold) else math.nan)
    constant = fitted(_targets(prepared), np.ones(prepared.n_examples, np.bool_))
    scored = _scored("constant", constant, [np.zeros((1, prepared.dataset.n_test))], prepared, threshold, objective)
    return replace(scored, out_of_fold=_mean(values))


def _scored_linear(prepared: PreparedData, seed: int, threshold: float | None, objective: Objective) -> Baseline:
    fitted_to, note = np.ones(prepared.n_examples, np.bool_), ""
    parts: Iterable[FloatArray] = prepared.test_parts()
    if prepared.n_features > prepared.n_examples:
        X, *parts = _in_span(prepared.X, prepared.X_test)
        rows = np.ascontiguousarray(X.T)
        del X  # it may be large, and fitting takes longest
    else:
        if _is_large(prepared):
            fitted_to = _drawn(prepared, seed)
            note = f" (fitted to {np.count_nonzero(fitted_to):,} of {prepared.n_examples:,} examples)"
        rows = _rows(prepared, fitted_to)
    linear = _fitted(_linear_model(prepared, seed), prepared, rows, _targets(prepared), fitted_to)
    del rows
    name = "ridge regression"
    if prepared.dataset.task != "regression":
        has_converged = linear.n_iter_.max() < MAX_ITERATIONS
        name = "logistic regression" if has_converged else "logistic regression (not converged)"
    return _scored(name + note, linear, parts, prepared, threshold, objective)


def _scored(
    name: str,
    model: Any,  # noqa: ANN401 - untyped
    parts: Iterable[FloatArray],
    prepared: PreparedData,
    threshold: float | None,
    objective: Objective,
) -> Baseline:
    """A fitted model, scored on the test set, which comes in parts (n, m')."""
    dataset = prepared.dataset
    outputs = prepared.target_scaling.to_original(np.hstack([_outputs(model, part.T) for part in parts]))
    judged: Any = {"objective": objective, "weights": dataset.weights_test}
    return Baseline(name, scores(dataset.task, dataset.y_test, outputs, threshold, **judged))


def _rows(prepared: PreparedData, which: NDArray[np.bool_], fold: int | None = None) -> FloatArray:
    """X of some of the examples as rows, (m', n0): there once, and where that would fill the memory in a file."""
    rows, start = room_for(int(np.count_nonzero(which)), prepared.n_features), 0
    for part in prepared.parts(which, fold):
        rows[start : start + part.shape[1]] = part.T
        start += part.shape[1]
    return rows


def _linear_model(prepared: PreparedData, seed: int) -> Any:  # noqa: ANN401 - untyped
    """To be fitted to rows that nobody needs afterwards."""
    from sklearn.linear_model import LogisticRegression, Ridge

    if prepared.dataset.task == "regression":
        return Ridge(random_state=seed, copy_X=False)
    return LogisticRegression(max_iter=MAX_ITERATIONS, random_state=seed)


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


def _has_all_classes(prepared: PreparedData, fold: int) -> bool:
    """Whether the fold trains on some examples of each."""
    n_classes = prepared.dataset.n_classes
    return len(np.unique(prepared.dataset.y_train[~prepared.held_out[fold]])) >= n_classes


def _value_of_fold(prepared: PreparedData, fold: int, seed: int, objective: Objective) -> float:
    """The value of what a fold is validated on, of the linear model fitted to its others; nan if those lack a class.

    X and Y are as the fold's network has them.
    """
    if not _has_all_classes(prepared, fold):
        return math.nan
    trained, validated = ~prepared.held_out[fold], prepared.validated[fold]
    parts: Iterable[FloatArray] = prepared.parts(validated, fold)
    if prepared.n_features > prepared.n_examples:
        (X,) = _in_span(prepared.of_fold(fold)[0])
        rows, parts = X.T[trained], [X[:, validated]]
        del X
    else:
        rows = _rows(prepared, trained, fold)
    linear = _fitted(_linear_model(prepared, seed), prepared, rows, _targets(prepared, fold), trained)
    del rows
    return _value(np.hstack([_outputs(linear, part.T) for part in parts]), prepared, fold, objective)


def _value(outputs: FloatArray, prepared: PreparedData, fold: int, objective: Objective) -> float:
    """Of what a model says of the examples that a fold is validated on."""
    from sklearn import metrics

    validated, n_classes = prepared.validated[fold], prepared.dataset.n_classes
    weights = None if prepared.weights is None else prepared.weights[1, validated]
    if not objective.is_cost:
        Y = prepared.targets_of_fold(fold)
        unit = prepared.target_scalings[fold].scale
        return objective.of(unit * outputs[-len(Y) :], unit * Y[:, validated], weights)
    y = _targets(prepared, fold)[validated]
    if n_classes:
        return float(metrics.log_loss(y, outputs.T, labels=np.arange(n_classes), sample_weight=weights))
    return float(metrics.mean_squared_error(y, outputs[0], sample_weight=weights))


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


def _targets(prepared: PreparedData, fold: int | None = None) -> NDArray[Any]:
    """As trained, (m,): class codes, or targets as scaled for a fold, None for the winner."""
    if prepared.dataset.task != "regression":
        return prepared.dataset.y_train
    Y = prepared.Y if fold is None else prepared.targets_of_fold(fold)
    return np.asarray(Y[0])


def _outputs(model: Any, X: FloatArray) -> FloatArray:  # noqa: ANN401 - untyped
    """Probabilities (C, m), or targets (1, m), for rows of examples."""
    rows = model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)[:, np.newaxis]
    return np.asarray(rows, dtype=np.float64).T
