"""The engine as scikit-learn estimators: scikit-learn's own checks, and what its checks do not look at."""

import inspect
import os
import pickle
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_classification, make_regression
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_dataframe_column_names_consistency

from engine import Architecture, Hyperparameters, TrainingData, advance, finish, initialize, start
from experiments import DeepNetworkClassifier, DeepNetworkRegressor
from experiments.dataset import Dataset
from experiments.errors import InputError
from experiments.preprocessing import Preprocessing
from tests.conftest import REPOSITORY

BOTH = pytest.mark.parametrize(
    "estimator", [DeepNetworkClassifier(random_state=1), DeepNetworkRegressor(random_state=1)]
)


def test_scikit_learn_finds_nothing_to_object_to_whatever_the_parameters_and_skips_no_check():
    """One check wants SCIPY_ARRAY_API in the environment before SciPy is imported."""
    program = """
from sklearn.utils.estimator_checks import check_estimator
from experiments import DeepNetworkClassifier, DeepNetworkRegressor

for kind in (DeepNetworkClassifier, DeepNetworkRegressor):
    for parameters in ({}, {"hidden_units": ()}, {"scaling": "none", "activation": "tanh", "dtype": "float64"}):
        for result in check_estimator(kind(**parameters), on_fail=None, on_skip=None):
            if result["status"] != "passed":
                print(kind.__name__, parameters, result["check_name"], result["exception"])
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=REPOSITORY,
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "done\n", done.stdout + done.stderr


@BOTH
def test_column_names_are_kept_and_compared(estimator):
    check_dataframe_column_names_consistency(type(estimator).__name__, estimator)


@BOTH
def test_the_documented_defaults_are_those_of_the_constructor(estimator):
    documented = re.findall(r"^    (\w+) : .*default=(.+)$", type(estimator).__doc__, re.MULTILINE)
    signature = inspect.signature(type(estimator)).parameters
    assert {name: eval(default) for name, default in documented} == {  # noqa: S307  # our own docstring
        name: parameter.default for name, parameter in signature.items()
    }


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_fitted_is_what_the_engine_trains_bit_for_bit(dtype):
    X, y = load_iris(return_X_y=True)
    network = DeepNetworkClassifier((5, 3), "tanh", 0.2, 60, dtype=dtype, random_state=7).fit(X, y)

    columns = StandardScaler().fit_transform(X).T
    architecture = Architecture(4, (5, 3), 3, "tanh", "multiclass")
    data = TrainingData.of(columns, np.eye(3)[y].T, np.zeros((1, 150), bool), dtype)
    seed = np.random.RandomState(7).randint(np.iinfo(np.int32).max)
    initial = initialize(architecture, np.random.default_rng(seed), data.dtype)
    state, curve = advance(start(initial, data, architecture), data, Hyperparameters(architecture, 0.2), 60, [0, 60])
    parameters = finish(state, initial, data, architecture)

    for W, expected in zip(network.W_ + network.b_, parameters.W + parameters.b, strict=True):
        assert W.dtype == dtype
        np.testing.assert_array_equal(W, expected[0])
    assert network.n_iter_ == 60
    assert (network.cost_iterations_[0], network.cost_iterations_[-1]) == (0, 60)
    assert network.cost_curve_[[0, -1]].tolist() == curve.train_cost[:, 0].tolist()


@pytest.mark.parametrize(
    ("settings", "n_svds"), [({}, 0), ({"optimizer": "momentum", "minibatch_size": 30}, 0), ({"minibatch_size": 29}, 1)]
)
def test_wide_examples_are_rotated_only_for_a_training_that_leaves_their_span(settings, n_svds, monkeypatch):
    svds, svd = [], np.linalg.svd
    monkeypatch.setattr(np.linalg, "svd", lambda *args, **options: svds.append(1) or svd(*args, **options))
    X, y = make_regression(30, 50, random_state=1)
    DeepNetworkRegressor((), learning_rate=0.01, n_iterations=5, random_state=0, **settings).fit(X, y)
    assert len(svds) == n_svds


def test_without_hidden_layers_it_is_the_logistic_regression_of_scikit_learn():
    X, y = make_classification(300, 5, flip_y=0.2, random_state=1)
    network = DeepNetworkClassifier((), learning_rate=1, n_iterations=3000, dtype="float64").fit(X, y)
    oracle = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(network.predict_proba(X), oracle.predict_proba(X), rtol=1e-6)


def test_without_hidden_layers_it_is_the_linear_regression_of_scikit_learn():
    X, y = make_regression(100, 5, n_targets=2, noise=10, bias=1000, random_state=1)
    network = DeepNetworkRegressor((), learning_rate=0.1, n_iterations=3000, dtype="float64").fit(X * 50 + 7, y)
    np.testing.assert_allclose(network.predict(X * 50 + 7), LinearRegression().fit(X, y).predict(X), rtol=1e-9)


def test_hidden_layers_fit_what_a_line_cannot():
    generator = np.random.default_rng(0)
    X = generator.uniform(-2, 2, (200, 2))
    y = np.sign(X[:, 0] * X[:, 1])
    assert LogisticRegression().fit(X, y).score(X, y) < 0.7
    assert DeepNetworkClassifier(learning_rate=0.3, n_iterations=1000, random_state=0).fit(X, y).score(X, y) > 0.95


def test_defaults_serve_raw_measurements_of_any_unit():
    assert cross_val_score(DeepNetworkClassifier(random_state=0), *load_breast_cancer(return_X_y=True)).mean() > 0.95
    assert cross_val_score(DeepNetworkRegressor(random_state=0), *load_diabetes(return_X_y=True)).mean() > 0.4


def test_the_unit_of_the_targets_does_not_matter():
    X, y = load_diabetes(return_X_y=True)
    network = DeepNetworkRegressor(random_state=0, dtype="float64")
    predicted = clone(network).fit(X, y).predict(X)
    np.testing.assert_allclose(clone(network).fit(X, 1e9 * y - 1e12).predict(X), 1e9 * predicted - 1e12, rtol=1e-6)


@pytest.mark.parametrize("scaling", ["robust", "quantile"])
def test_other_scalings_are_those_of_a_sweep(scaling):
    X, y = load_breast_cancer(return_X_y=True)
    inside = DeepNetworkClassifier(scaling=scaling, n_iterations=20, random_state=0).fit(X, y)
    fitted = Preprocessing.fit(Dataset("d", "binary", X, y, X, y, ("no", "yes"), (), None, "d.npz"), scaling)
    columns = fitted.transform(X).T
    outside = DeepNetworkClassifier(scaling="none", n_iterations=20, random_state=0).fit(columns, y)
    np.testing.assert_array_equal(inside.predict_proba(X), outside.predict_proba(columns))


def test_scaling_none_leaves_inputs_as_they_are():
    X, y = load_iris(return_X_y=True)
    raw = DeepNetworkClassifier(scaling="none", learning_rate=0.01, random_state=0)
    inside = DeepNetworkClassifier(learning_rate=0.01, random_state=0).fit(X, y)
    before = make_pipeline(StandardScaler(), clone(raw)).fit(X, y)
    np.testing.assert_array_equal(inside.predict_proba(X), before.predict_proba(X))
    assert not np.allclose(raw.fit(X, y).predict_proba(X), inside.predict_proba(X))


def test_text_labels_come_back_and_probabilities_stand_in_the_order_of_classes():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    network = DeepNetworkClassifier(random_state=0).fit(X, names)
    probabilities = network.predict_proba(X)
    assert network.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    assert (network.predict(X) == network.classes_[probabilities.argmax(axis=1)]).all()
    assert network.score(X, names) > 0.95

    two = DeepNetworkClassifier(random_state=0).fit(X[:100], names[:100])
    assert two.predict_proba(X[:100]).shape == (100, 2)
    assert (two.predict(X[:100]) == names[:100]).all()


def test_an_example_has_one_prediction_alone_or_among_others():
    X, y = load_diabetes(return_X_y=True)
    network = DeepNetworkRegressor(random_state=0).fit(X, y)
    np.testing.assert_allclose(
        [network.predict(X[i : i + 1])[0] for i in range(50)], network.predict(X)[:50], rtol=1e-12
    )


def test_several_targets_have_a_scale_each():
    X, y = load_diabetes(return_X_y=True)
    both = np.column_stack([y, 1e6 * X[:, 0]])
    network = DeepNetworkRegressor(random_state=0, n_iterations=2000).fit(X, both)
    assert network.predict(X).shape == both.shape
    assert min(np.corrcoef(network.predict(X)[:, k], both[:, k])[0, 1] for k in (0, 1)) > 0.7
    assert DeepNetworkRegressor(n_iterations=1).fit(X, both[:, :1]).predict(X).shape == (len(X),)


def test_predictions_cannot_be_negative_where_targets_cannot():
    X, y = load_diabetes(return_X_y=True)
    y = np.maximum(y - 150, 0)
    assert DeepNetworkRegressor(random_state=0).fit(X, y).predict(X).min() < 0
    network = DeepNetworkRegressor(nonnegative_target=True, random_state=0).fit(X, y)
    assert network.predict(X).min() == 0
    assert network.score(X, y) > 0.3
    with pytest.raises(InputError, match=r"lowest target is -1\.0, but nonnegative_target = True"):
        network.fit(X, y - 1)


def test_more_features_than_examples():
    X, y = make_classification(40, 500, n_informative=10, random_state=0)
    network = DeepNetworkClassifier(learning_rate=0.01, n_iterations=200, random_state=0).fit(X, y)
    assert network.W_[0].shape == (16, 500)
    assert network.score(X, y) == 1


def test_a_grid_search_tries_architectures():
    X, y = load_iris(return_X_y=True)
    grid = {"hidden_units": [(), (8,), (8, 4)], "activation": ["relu", "tanh"], "n_iterations": [1, 200]}
    search = GridSearchCV(DeepNetworkClassifier(random_state=0), grid, cv=3).fit(X, y)
    assert len(search.cv_results_["params"]) == 12
    assert search.best_params_["n_iterations"] == 200
    assert search.best_score_ > 0.93


def test_a_table_keeps_its_column_names_and_refuses_others():
    table = load_diabetes(as_frame=True)
    network = DeepNetworkRegressor(n_iterations=5).fit(table.data, table.target)
    assert network.feature_names_in_.tolist() == list(table.data.columns)
    with pytest.raises(ValueError, match="feature names should match"):
        network.predict(table.data.rename(columns={"bmi": "BMI"}))


@BOTH
def test_the_same_seed_gives_the_same_bits(estimator):
    X, y = load_breast_cancer(return_X_y=True)

    def first_weights(random_state):
        return clone(estimator).set_params(random_state=random_state, n_iterations=3).fit(X, y).W_[0]

    np.testing.assert_array_equal(first_weights(3), first_weights(3))
    np.testing.assert_array_equal(first_weights(3), first_weights(np.random.RandomState(3)))
    assert not np.array_equal(first_weights(3), first_weights(4))
    assert not np.array_equal(first_weights(None), first_weights(None))


@BOTH
def test_the_state_is_plain_and_survives_a_pickle(estimator):
    X, y = load_breast_cancer(return_X_y=True)
    fitted = clone(estimator).set_params(n_iterations=5).fit(X, y)
    for name, value in vars(fitted).items():
        items = value if isinstance(value, list | tuple) else [value]
        assert all(type(item) in (np.ndarray, int, float, str, bool, type(None)) for item in items), name
    copied = pickle.loads(pickle.dumps(fitted))  # noqa: S301  # our own
    np.testing.assert_array_equal(copied.predict(X), fitted.predict(X))


@BOTH
def test_parameters_that_are_set_after_fit_wait_for_the_next_fit(estimator):
    X, y = load_breast_cancer(return_X_y=True)
    fitted = clone(estimator).set_params(n_iterations=5).fit(X, y)
    before = fitted.predict(X)
    fitted.set_params(activation="tanh", hidden_units=(2,), dtype="float64", scaling="none")
    np.testing.assert_array_equal(fitted.predict(X), before)


def test_a_curve_has_a_hundred_points_at_most_and_falls():
    X, y = load_iris(return_X_y=True)
    for n_iterations in (1, 2, 7, 1000):
        network = DeepNetworkClassifier(n_iterations=n_iterations, random_state=0).fit(X, y)
        iterations = network.cost_iterations_
        assert len(iterations) == len(network.cost_curve_) <= 100
        assert (iterations[0], iterations[-1]) == (0, n_iterations)
        assert (np.diff(iterations) > 0).all()
        assert network.cost_curve_[-1] < network.cost_curve_[0]


def test_a_cost_that_is_not_finite_says_what_to_change():
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(
        InputError, match=r"cost is not finite at iteration \d+ \(learning_rate = 50.*Lower learning_rate\."
    ):
        DeepNetworkRegressor(learning_rate=50, random_state=0).fit(X, y)
    with pytest.raises(InputError, match="Lower learning_rate, or set scaling = 'standardize'"):
        DeepNetworkRegressor(scaling="none", random_state=0).fit(1e6 * X, y)


def test_in_a_grid_search_it_is_a_fit_that_failed():
    X, y = load_diabetes(return_X_y=True)
    search = GridSearchCV(DeepNetworkRegressor(random_state=0), {"learning_rate": [50, 0.03]}, cv=2)
    with pytest.warns(FitFailedWarning, match="2 fits failed"), pytest.warns(UserWarning, match="non-finite"):
        search.fit(X, y)
    assert search.best_params_ == {"learning_rate": 0.03}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden_units": 16}, r"hidden_units = 16 is not allowed.*\(\) for none.*Write hidden_units = \(16, 8\)"),
        ({"hidden_units": (16, 2.5)}, "hidden_units = .* one whole number per hidden layer"),
        ({"hidden_units": (16, 0)}, "Every layer needs at least one unit"),
        ({"activation": "rely"}, "'rely' is unknown.*relu"),
        ({"activation": ["relu"]}, r"activation = \['relu'\] is not allowed.*name of one activation"),
        ({"learning_rate": True}, "learning_rate = True is not allowed.*number above 0"),
        ({"n_iterations": True}, "n_iterations = True is not allowed.*whole number of 1 or more"),
        ({"learning_rate": "constant"}, "learning_rate = 'constant' is not allowed.*number above 0"),
        ({"learning_rate": 0}, "learning_rate = 0.*above 0"),
        ({"n_iterations": 0}, "n_iterations = 0 is not allowed.*whole number of 1 or more"),
        ({"n_iterations": 10.0}, r"n_iterations = 10\.0 is not allowed"),
        ({"scaling": "unit"}, "scaling = 'unit' is not allowed.*standardize, robust, quantile, none"),
        ({"dtype": "float16"}, "dtype = 'float16' is not allowed.*float32, float64"),
        ({"random_state": "today"}, "'today' cannot be used to seed"),
    ],
)
@BOTH
def test_parameters_are_refused_in_three_parts(estimator, parameters, message):
    X, y = load_breast_cancer(return_X_y=True)
    with pytest.raises(ValueError, match=message):
        clone(estimator).set_params(**parameters).fit(X, y)


@pytest.mark.parametrize("estimator", [DeepNetworkClassifier(), DeepNetworkRegressor()])
@pytest.mark.parametrize("hidden_units", [(), (4,)])
def test_an_example_without_a_finite_output_is_refused_and_not_answered_with_a_class(estimator, hidden_units):
    X, y = load_iris(return_X_y=True)
    fitted = clone(estimator).set_params(hidden_units=hidden_units, n_iterations=20, random_state=0).fit(X, y)
    X[[1, 4]] = [1e308, -1e308, 1e308, -1e308]
    with pytest.raises(InputError, match=r"2 examples have no finite prediction: rows 1, 4 \(counted from 0\)"):
        fitted.predict(X)


def test_data_that_cannot_be_fitted():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(InputError, match=r"all labels are of one class, 0\..*Add examples"):
        DeepNetworkClassifier().fit(X[:50], y[:50])
    with pytest.raises(InputError, match=r"X: 'x1' has values up to 2e\+200, too large"):
        DeepNetworkClassifier().fit(X + np.array([0, 1e200, 0, 0]) * y[:, np.newaxis], y)
    with pytest.raises(InputError, match=r"y: 'y0' has values up to 2e\+200, too large"):
        DeepNetworkRegressor().fit(X, 1e200 * y)
    with pytest.raises(ValueError, match="could not convert string to float"):
        DeepNetworkRegressor().fit(pd.DataFrame({"city": ["Rome"] * 150}), y)
    with pytest.raises(NotFittedError, match="DeepNetworkClassifier instance is not fitted yet"):
        DeepNetworkClassifier().predict(X)
