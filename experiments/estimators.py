"""One deep network as a scikit-learn estimator: the engine behind `fit` and `predict`.

    network = DeepNetworkClassifier(hidden_units=(20, 7), learning_rate=0.03)
    cross_val_score(network, X, y)

Rows are examples here, as everywhere in scikit-learn; inside, columns are. What `fit` learns is kept as plain arrays.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from engine import Architecture, Hyperparameters, Parameters, TrainingData, advance, finish, forward, initialize, start
from engine.optimizers import OPTIMIZERS
from experiments.errors import InputError, how_many, in_rows
from experiments.preparation import one_hot
from experiments.scaling import CURVED, FloatArray, bend, learned, standardization

Activation = Literal["relu", "leaky_relu", "tanh", "sigmoid", "identity"]

Optimizer = Literal["gradient_descent", "momentum", "adamw"]
Schedule = Literal["constant", "averaged"]
InputScaling = Literal["standardize", "robust", "quantile", "none"]

N_POINTS = 100
"""The largest number of points in `cost_curve_`."""


class _DeepNetwork(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What classifier and regressor share: inputs, training and the forward pass. The public docstrings are theirs."""

    def __init__(
        self,
        hidden_units: Sequence[int] = (16, 8),
        activation: Activation = "relu",
        learning_rate: float = 0.1,
        n_iterations: int = 500,
        optimizer: Optimizer = "gradient_descent",
        minibatch_size: int = 0,
        weight_decay: float = 0.0,
        label_smoothing: float = 0.0,
        dropout: float = 0.0,
        learning_rate_schedule: Schedule = "constant",
        scaling: InputScaling = "standardize",
        dtype: Literal["float32", "float64"] = "float32",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.hidden_units = hidden_units
        self.activation = activation
        self.learning_rate = learning_rate
        self.n_iterations = n_iterations
        self.optimizer = optimizer
        self.minibatch_size = minibatch_size
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing
        self.dropout = dropout
        self.learning_rate_schedule = learning_rate_schedule
        self.scaling = scaling
        self.dtype = dtype
        self.random_state = random_state

    def _train(self, X: FloatArray, Y: FloatArray, head: str) -> Self:
        """Fit scaling and network to X (m, n[0]), already checked, and Y (n[L], m), already encoded or scaled."""
        self._check_parameters()
        m, n_features = X.shape
        self.input_offset_, self.input_scale_ = np.zeros(n_features), np.ones(n_features)
        self.input_quantiles_: FloatArray | None = None
        if self.scaling != "none":
            names = getattr(self, "feature_names_in_", [f"x{i}" for i in range(n_features)])
            self.input_offset_, self.input_scale_, self.input_quantiles_ = learned(self.scaling, X, names, "X")
        self.scaling_ = str(self.scaling)

        hidden_units = tuple(operator.index(n_units) for n_units in self.hidden_units)
        architecture = Architecture(n_features, hidden_units, len(Y), self.activation, head)
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        hyperparameters = Hyperparameters(
            architecture,
            self.learning_rate,
            optimizer=self.optimizer,
            minibatch_size=operator.index(self.minibatch_size),
            weight_decay=self.weight_decay,
            label_smoothing=self.label_smoothing,
            dropout=self.dropout,
            is_averaged=self.learning_rate_schedule == "averaged",
            seed=(seed, 1),
        )
        no_folds = np.zeros((1, m), np.bool_)
        leaves_span = hyperparameters.leaves_span(m)
        data = TrainingData.of(self._columns(X), Y, no_folds, self.dtype, leaves_span=leaves_span)
        data = hyperparameters.form_of(data)
        initial = initialize(architecture, np.random.default_rng(seed), data.dtype)

        state = start(initial, data, architecture)
        state, curve = advance(state, data, hyperparameters, self.n_iterations, _recorded(self.n_iterations))
        if curve.diverged_at is not None:
            raise InputError(
                f"{type(self).__name__}: the cost is not finite at iteration {curve.diverged_at} (learning_rate = "
                f"{self.learning_rate}, {self.activation}, {data.dtype}, scaling = {self.scaling!r}).",
                "Gradient descent needs steps small enough for these inputs.",
                "Lower learning_rate" + (", or set scaling = 'standardize'." if self.scaling == "none" else "."),
            )
        parameters = finish(state, initial, data, architecture)
        self.W_ = [W[0] for W in parameters.W]
        self.b_ = [b[0] for b in parameters.b]
        self.activation_, self.head_ = str(self.activation), head  # as fitted, whatever set_params says later
        self.n_iter_ = state.iteration
        self.cost_curve_ = curve.train_cost[:, 0]
        self.cost_iterations_ = np.array(curve.iterations)
        return self

    def _outputs(self, X: npt.ArrayLike) -> FloatArray:
        """A[L] (n[L], m) for examples X (m, n[0]) as the user gives them.

        Computed in float64 whatever the dtype of training, so that an example has the same prediction alone or among
        others.

        Raises:
            InputError: Values are so large that outputs overflow; the decision would always be the first class.
        """
        check_is_fitted(self)
        columns = self._columns(validate_data(self, X, reset=False, dtype=np.float64))
        hidden_units = tuple(len(W) for W in self.W_[:-1])
        architecture = Architecture(len(columns), hidden_units, len(self.W_[-1]), self.activation_, self.head_)
        parameters = Parameters.of_one_network(
            [W.astype(np.float64) for W in self.W_], [b.astype(np.float64) for b in self.b_]
        )
        with np.errstate(over="ignore", invalid="ignore"):  # checked below, where the row is known
            _, A = forward(parameters, columns, architecture)
        outputs = np.asarray(A[0], dtype=np.float64)
        bad = np.flatnonzero(~np.isfinite(outputs).all(axis=0))
        if len(bad):
            raise InputError(
                f"{type(self).__name__}: {how_many(len(bad), 'example has', 'examples have')} no finite prediction: "
                f"{in_rows(bad)}.",
                "Features must be in the units and the range of the training examples.",
                "Correct the very large values in these rows.",
            )
        return outputs

    def _columns(self, X: FloatArray) -> FloatArray:
        """(m, n[0]) to scaled columns (n[0], m)."""
        with np.errstate(over="ignore", invalid="ignore"):  # it shows as a cost or a prediction that is not finite
            columns: FloatArray = (X.T - self.input_offset_[:, np.newaxis]) / self.input_scale_[:, np.newaxis]
            if self.scaling_ in CURVED:
                bend(columns, self.input_quantiles_, range(len(columns)))
        return columns

    def _check_parameters(self) -> None:
        """Refuse values that the engine would not understand; those that it refuses itself are left to it."""
        try:
            tuple(operator.index(n_units) for n_units in self.hidden_units)
        except TypeError:
            raise _not_allowed(
                "hidden_units", self.hidden_units, "one whole number per hidden layer, () for none", "(16, 8)"
            ) from None
        if not isinstance(self.activation, str):
            raise _not_allowed("activation", self.activation, "the name of one activation", "'relu'")
        if not isinstance(self.learning_rate, Real) or isinstance(self.learning_rate, bool):
            raise _not_allowed("learning_rate", self.learning_rate, "a number above 0", "0.1")
        is_whole = isinstance(self.n_iterations, Integral) and not isinstance(self.n_iterations, bool)
        if not is_whole or self.n_iterations < 1:
            raise _not_allowed("n_iterations", self.n_iterations, "a whole number of 1 or more", "500")
        for name in ("weight_decay", "label_smoothing", "dropout"):
            value = getattr(self, name)
            if not isinstance(value, Real) or isinstance(value, bool):
                raise _not_allowed(name, value, "a number, 0 or more", "0.0")
        is_size = isinstance(self.minibatch_size, Integral) and not isinstance(self.minibatch_size, bool)
        if not is_size or self.minibatch_size < 0:
            raise _not_allowed("minibatch_size", self.minibatch_size, "a whole number, 0 for all examples", "128")
        for name, allowed in (
            ("optimizer", tuple(OPTIMIZERS)),
            ("learning_rate_schedule", ("constant", "averaged")),
            ("scaling", ("standardize", "robust", "quantile", "none")),
            ("dtype", ("float32", "float64")),
        ):
            if getattr(self, name) not in allowed:
                raise _not_allowed(name, getattr(self, name), f"one of {', '.join(allowed)}", repr(allowed[0]))


class DeepNetworkClassifier(ClassifierMixin, _DeepNetwork):  # type: ignore[misc]  # scikit-learn has no types
    """A deep network for two or more classes, trained by gradient descent or AdamW on the cross-entropy.

    Inputs are standardized inside, so that one learning rate serves data of any unit; no StandardScaler is needed.
    Training takes exactly `n_iterations` updates: there is no tolerance, and no warning that one was not met. An int as
    `random_state` gives the same bits each time, on the same machine with the same number of BLAS threads.

    Parameters
    ----------
    hidden_units : tuple of int, default=(16, 8)
        Units of each hidden layer; () is logistic regression.
    activation : {"relu", "leaky_relu", "tanh", "sigmoid", "identity"}, default="relu"
        Activation of the hidden layers.
    learning_rate : float, default=0.1
        Length of a step along the negative gradient of the mean loss.
    n_iterations : int, default=500
        Updates, each on a minibatch or on all examples.
    optimizer : {"gradient_descent", "momentum", "adamw"}, default="gradient_descent"
        How an update follows from the gradient.
    minibatch_size : int, default=0
        Examples an update is made from; 0 is all of them.
    weight_decay : float, default=0.0
        Each update also takes learning_rate * weight_decay of every weight from it; biases do not decay.
    label_smoothing : float, default=0.0
        Share of each target that goes to all classes alike in training; a regression has none.
    dropout : float, default=0.0
        Share of the hidden units that each iteration leaves out at random, below 1.
    learning_rate_schedule : {"constant", "averaged"}, default="constant"
        "averaged": the rate is constant, and the network is a mean of the iterates that gives late ones more weight.
    scaling : {"standardize", "robust", "quantile", "none"}, default="standardize"
        "standardize" brings each feature to mean 0 and deviation 1; "robust" to median 0 and quartiles that are 1
        apart, with a smooth end at -3 and 3; "quantile" to a normal distribution, by rank; "none" leaves inputs as they
        are, such as pixels between 0 and 1.
    dtype : {"float32", "float64"}, default="float32"
        Precision of training, as in a sweep. Predictions are computed in float64.
    random_state : int, RandomState instance or None, default=None
        Decides the initial weights, the minibatches and which units are left out.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_features_in_ : int
        Features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where X was a table whose column names are all text.
    n_iter_ : int
        Updates done.
    cost_curve_, cost_iterations_ : ndarray of shape (n_points,)
        Mean loss on the training examples, and the numbers of updates after which it was recorded; at most 100 points,
        denser where the curve is steep.
    W_, b_ : list of ndarray
        W[l] (n[l], n[l-1]) and b[l] (n[l], 1) for l = 1..L, in `dtype`.
    input_offset_, input_scale_ : ndarray of shape (n_features_in_,)
        The network is given (x - offset) / scale, of "robust" with its smooth end; of "quantile" see the next.
    input_quantiles_ : ndarray of shape (number of quantiles, n_features_in_) or None
        By which "quantile" finds ranks.

    Raises
    ------
    ValueError
        From `fit`: a parameter that is not allowed, fewer than two classes, or a cost that is not finite. From
        `predict`: a prediction that is not finite.
    """

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Train on examples X (m, n_features) and their labels y (m,), numbers or text."""
        rows, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        n_classes = len(self.classes_)
        if n_classes < 2:
            raise InputError(
                f"DeepNetworkClassifier: all labels are of one class, {self.classes_[0]}.",
                "There must be examples of two classes or more.",
                "Add examples of the other class.",
            )
        if n_classes == 2:
            return self._train(rows, codes[np.newaxis].astype(np.float64), "binary")
        return self._train(rows, one_hot(codes, n_classes), "multiclass")

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Probability of each class, (m, n_classes), in the order of `classes_`."""
        A = self._outputs(X)
        if len(A) == 1:
            A = np.concatenate([1 - A, A])
        return A.T

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """The most probable class of each example, (m,)."""
        A = self._outputs(X)
        codes = (A[0] >= 0.5).astype(np.intp) if len(A) == 1 else A.argmax(axis=0)
        labels: npt.NDArray[Any] = self.classes_[codes]
        return labels


class DeepNetworkRegressor(RegressorMixin, _DeepNetwork):  # type: ignore[misc]  # scikit-learn has no types
    """A deep network for one or several targets, trained by gradient descent or AdamW on the squared error.

    Inputs and targets are standardized inside, and predictions come back in the targets' own units: on targets in
    the thousands no usual learning rate would converge. Otherwise as `DeepNetworkClassifier`.

    Parameters
    ----------
    hidden_units : tuple of int, default=(16, 8)
        Units of each hidden layer; () is linear regression.
    activation : {"relu", "leaky_relu", "tanh", "sigmoid", "identity"}, default="relu"
        Activation of the hidden layers.
    learning_rate : float, default=0.03
        Length of a step along the negative gradient of the mean squared error of the scaled targets.
    n_iterations : int, default=500
        Updates, each on a minibatch or on all examples.
    optimizer : {"gradient_descent", "momentum", "adamw"}, default="gradient_descent"
        How an update follows from the gradient.
    minibatch_size : int, default=0
        Examples an update is made from; 0 is all of them.
    weight_decay : float, default=0.0
        Each update also takes learning_rate * weight_decay of every weight from it; biases do not decay.
    label_smoothing : float, default=0.0
        Share of each target that goes to all classes alike in training; a regression has none.
    dropout : float, default=0.0
        Share of the hidden units that each iteration leaves out at random, below 1.
    learning_rate_schedule : {"constant", "averaged"}, default="constant"
        "averaged": the rate is constant, and the network is a mean of the iterates that gives late ones more weight.
    scaling : {"standardize", "robust", "quantile", "none"}, default="standardize"
        For inputs: "standardize" brings each feature to mean 0 and deviation 1; "robust" to median 0 and quartiles that
        are 1 apart, with a smooth end at -3 and 3; "quantile" to a normal distribution, by rank; "none" leaves them as
        they are.
    nonnegative_target : bool, default=False
        For targets that cannot be negative, such as prices: the output is a ReLU, and scaling keeps 0 at 0.
    dtype : {"float32", "float64"}, default="float32"
        Precision of training, as in a sweep. Predictions are computed in float64.
    random_state : int, RandomState instance or None, default=None
        Decides the initial weights, the minibatches and which units are left out.

    Attributes
    ----------
    n_features_in_ : int
        Features seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where X was a table whose column names are all text.
    n_iter_ : int
        Updates done.
    cost_curve_, cost_iterations_ : ndarray of shape (n_points,)
        Mean squared error of the scaled targets on the training examples, summed over targets, and the numbers of
        updates after which it was recorded.
    W_, b_ : list of ndarray
        W[l] (n[l], n[l-1]) and b[l] (n[l], 1) for l = 1..L, in `dtype`.
    input_offset_, input_scale_ : ndarray of shape (n_features_in_,)
        The network is given (x - offset) / scale, of "robust" with its smooth end; of "quantile" see the next.
    input_quantiles_ : ndarray of shape (number of quantiles, n_features_in_) or None
        By which "quantile" finds ranks.
    target_offset_, target_scale_ : ndarray of shape (n_targets,)
        The network is trained on (y - offset) / scale.

    Raises
    ------
    ValueError
        From `fit`: a parameter that is not allowed, negative targets for `nonnegative_target`, or a cost that is not
        finite. From `predict`: a prediction that is not finite.
    """

    def __init__(
        self,
        hidden_units: Sequence[int] = (16, 8),
        activation: Activation = "relu",
        learning_rate: float = 0.03,
        n_iterations: int = 500,
        optimizer: Optimizer = "gradient_descent",
        minibatch_size: int = 0,
        weight_decay: float = 0.0,
        label_smoothing: float = 0.0,
        dropout: float = 0.0,
        learning_rate_schedule: Schedule = "constant",
        scaling: InputScaling = "standardize",
        nonnegative_target: bool = False,
        dtype: Literal["float32", "float64"] = "float32",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(
            hidden_units,
            activation,
            learning_rate,
            n_iterations,
            optimizer,
            minibatch_size,
            weight_decay,
            label_smoothing,
            dropout,
            learning_rate_schedule,
            scaling,
            dtype,
            random_state,
        )
        self.nonnegative_target = nonnegative_target

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Train on examples X (m, n_features) and their targets y, (m,) or (m, n_targets)."""
        rows, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, multi_output=True)
        targets = np.asarray(y, dtype=np.float64).reshape(len(rows), -1)
        names = [f"y{k}" for k in range(targets.shape[1])]
        self.target_offset_, self.target_scale_ = standardization(targets, names, "y")
        if self.nonnegative_target:
            if targets.min() < 0:
                raise InputError(
                    f"DeepNetworkRegressor: the lowest target is {targets.min()}, but nonnegative_target = True.",
                    "Targets must be 0 or more for a relu head.",
                    "Correct the targets, or set nonnegative_target = False.",
                )
            self.target_offset_ = np.zeros(len(names))
        Y = ((targets - self.target_offset_) / self.target_scale_).T
        return self._train(rows, Y, "nonnegative_regression" if self.nonnegative_target else "regression")

    def predict(self, X: npt.ArrayLike) -> FloatArray:
        """Predicted targets of each example in their own units: (m,), or (m, n_targets) if `fit` was given several."""
        rows: FloatArray = self._outputs(X).T * self.target_scale_ + self.target_offset_
        return rows[:, 0] if rows.shape[1] == 1 else rows

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401  # scikit-learn has no types
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _recorded(n_iterations: int) -> tuple[int, ...]:
    """Iterations whose cost is recorded, among them 0 (the untrained network) and the last."""
    grid = np.rint(np.geomspace(1, n_iterations, N_POINTS - 1)).astype(int)
    return (0, *sorted({int(i) for i in grid}))


def _not_allowed(name: str, value: object, allowed: str, example: str) -> InputError:
    return InputError(f"{name} = {value!r} is not allowed.", f"It must be {allowed}.", f"Write {name} = {example}.")
