"""What to beat."""

import dataclasses
import sys
import threading
import warnings

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score

from engine.objectives import Objective
from experiments import baseline, preparation
from experiments.baseline import Baseline, fitted_meanwhile
from experiments.dataset import load_dataset
from experiments.preparation import PreparedData, prepare
from experiments.readers import room
from experiments.readers.room import NoRoomError


def baselines(prepared: PreparedData, seed: int) -> list[Baseline]:
    """All there is to know of them."""
    with fitted_meanwhile(prepared, seed) as fits:
        return fits.wait()


def test_classification_has_the_classes_shares_and_a_logistic_regression() -> None:
    prepared = prepare(load_dataset("sklearn:breast_cancer"))
    constant, linear = baselines(prepared, seed=0)
    assert (constant.name, linear.name) == ("constant", "logistic regression")
    y_train, y_test = prepared.dataset.y_train, prepared.dataset.y_test
    share = y_train.mean()
    assert constant.scores == {
        "accuracy": np.mean(y_test == np.bincount(y_train).argmax()),
        "log_loss": pytest.approx(-np.log(np.where(y_test == 1, share, 1 - share)).mean()),
        "roc_auc": 0.5,
    }
    assert linear.scores["accuracy"] > 0.95


def test_ten_classes() -> None:
    constant, linear = baselines(prepare(load_dataset("sklearn:digits")), seed=0)
    assert constant.scores["accuracy"] < 0.15
    assert linear.scores["accuracy"] > 0.95


@pytest.mark.parametrize("nonnegative", [False, True])
def test_regression_is_scored_in_original_units_whatever_the_target_scaling(nonnegative: bool) -> None:
    dataset = load_dataset("sklearn:diabetes")
    constant, linear = baselines(prepare(dataset, nonnegative_target=nonnegative), seed=0)
    assert (constant.name, linear.name) == ("constant", "ridge regression")
    spread = np.sqrt(np.mean((dataset.y_test - dataset.y_train.mean()) ** 2))
    assert constant.scores["rmse"] == pytest.approx(spread)
    assert constant.scores["r2"] <= 0
    assert linear.scores["rmse"] < 0.9 * spread


def test_the_same_seed_gives_the_same_baselines() -> None:
    prepared = prepare(load_dataset("sklearn:wine"))
    assert baselines(prepared, seed=3) == baselines(prepared, seed=3)


def test_a_regression_that_has_not_converged_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "MAX_ITERATIONS", 2)
    assert baselines(prepare(load_dataset("sklearn:iris")), seed=0)[1].name == "logistic regression (not converged)"


def test_a_baseline_never_trains_on_the_sealed_test_set() -> None:
    prepared = prepare(load_dataset("sklearn:iris"))
    other = dataclasses.replace(prepared.dataset, X_test=prepared.dataset.X_test[::-1].copy())
    shuffled = dataclasses.replace(prepared, dataset=other)
    assert baselines(prepared, 0)[1].scores != baselines(shuffled, 0)[1].scores


# --- out of fold ---


def test_costs_out_of_fold_are_those_of_refits_on_each_fold() -> None:
    prepared = prepare(load_dataset("sklearn:wine"), folds=4, seed=3)
    X, y = prepared.X.T, prepared.dataset.y_train
    models = DummyClassifier(strategy="prior"), LogisticRegression(max_iter=10_000, random_state=5)
    for found, model in zip(baselines(prepared, seed=5), models, strict=True):
        costs = [
            log_loss(y[held], model.fit(X[kept], y[kept]).predict_proba(X[held]))
            for kept, held in StratifiedKFold(4, shuffle=True, random_state=3).split(X, y)
        ]
        assert found.out_of_fold == np.mean(costs)


def test_a_regressions_cost_out_of_fold_is_the_squared_error_of_scaled_targets() -> None:
    prepared = prepare(load_dataset("sklearn:diabetes"), folds=3, seed=3)
    X, y = prepared.X.T, prepared.dataset.y_train
    for found, model in zip(baselines(prepared, seed=5), (DummyRegressor(), Ridge()), strict=True):
        errors = [
            mean_squared_error(y[held], model.fit(X[kept], y[kept]).predict(X[held])) / y.var()
            for kept, held in KFold(3, shuffle=True, random_state=3).split(X, y)
        ]
        assert found.out_of_fold == pytest.approx(np.mean(errors))


def test_a_hold_out_is_one_fold() -> None:
    prepared = prepare(load_dataset("sklearn:wine"), folds=None, validation_fraction=0.25)
    (held_out,) = prepared.held_out
    X, y = prepared.X.T, prepared.dataset.y_train
    model = LogisticRegression(max_iter=10_000).fit(X[~held_out], y[~held_out])
    assert baselines(prepared, 0)[1].out_of_fold == log_loss(y[held_out], model.predict_proba(X[held_out]))


def test_a_fold_that_trains_on_all_classes_but_one_leaves_the_cost_unknown() -> None:
    prepared = prepare(load_dataset("sklearn:wine"), folds=2)
    held_out = prepared.held_out.copy()
    held_out[0] = prepared.dataset.y_train == 1
    found = baselines(dataclasses.replace(prepared, held_out=held_out, validated=held_out), 0)
    assert [one.out_of_fold for one in found] == [None, None]
    assert found[1].scores["accuracy"] > 0.9


class Gate:
    """Lets so many fits of a logistic regression pass; the others wait until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, n_free: int) -> None:
        self.n_begun, self.is_open, fit = 0, threading.Event(), LogisticRegression.fit

        def gated(model: LogisticRegression, X: np.ndarray, y: np.ndarray, **weights: object) -> LogisticRegression:
            self.n_begun += 1
            if self.n_begun > n_free:
                assert self.is_open.wait(30)
            return fit(model, X, y, **weights)

        monkeypatch.setattr(LogisticRegression, "fit", gated)


def test_who_cannot_wait_gets_the_test_scores_and_only_the_costs_that_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared = prepare(load_dataset("sklearn:iris"), folds=3)
    whole = baselines(prepared, 0)
    gate = Gate(monkeypatch, n_free=3)  # one on all examples, two of three folds
    with fitted_meanwhile(prepared, 0) as fits:
        while gate.n_begun < 4:
            fits.wait(for_folds=False)
        constant, linear = fits.wait(for_folds=False)
        assert constant == whole[0]
        assert linear == dataclasses.replace(whole[1], out_of_fold=None)
        gate.is_open.set()
        assert fits.wait() == whole


def test_what_the_block_ignores_stays_ignored_when_the_thread_puts_back_the_filters_it_has_found() -> None:
    with fitted_meanwhile(prepare(load_dataset("sklearn:iris")), 0, ignored=(ImportWarning,)) as fits:
        fits.wait()
        of_thread = warnings.catch_warnings()
        of_thread.__enter__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ImportWarning)
            of_thread.__exit__(None, None, None)
            warnings.warn("would be an error in these tests", ImportWarning, stacklevel=1)


def test_an_interrupt_ends_the_wait_and_no_further_fit_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch, n_free=0)

    def check() -> None:
        if gate.n_begun:
            raise InterruptedError

    with pytest.raises(InterruptedError), fitted_meanwhile(prepare(load_dataset("sklearn:iris")), 0) as fits:
        fits.wait(check)
    gate.is_open.set()
    fits._thread.join(30)
    assert gate.n_begun == 1


def test_what_goes_wrong_in_a_fit_is_told_to_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LogisticRegression, "fit", lambda *_, **__: 1 / 0)
    with fitted_meanwhile(prepare(load_dataset("sklearn:iris")), 0) as fits, pytest.raises(ZeroDivisionError):
        fits.wait()


def test_regressions_that_do_not_converge_warn_nobody_and_the_filters_are_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(baseline, "MAX_ITERATIONS", 2)
    before = list(warnings.filters)
    linear = baselines(prepare(load_dataset("sklearn:iris")), 0)[1]  # a warning would be an error here
    assert linear.out_of_fold is not None
    assert warnings.filters == before
    with pytest.raises(ConvergenceWarning):
        warnings.warn("as before", ConvergenceWarning, stacklevel=1)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_of_more_features_than_examples_they_are_the_models_that_scikit_learn_fits_to_the_features(
    tmp_path, task
) -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 90))
    y = X[:, 0] + X[:, 1] if task == "regression" else (X[:, 0] > 0) + (task == "multiclass") * (X[:, 1] > 0)
    np.savez(tmp_path / "wide.npz", X=X, y=y)
    prepared = prepare(load_dataset("wide.npz", task=task, directory=tmp_path), folds=3)
    linear = baselines(prepared, seed=0)[1]
    dataset = prepared.dataset
    if task == "regression":
        fitted = Ridge().fit(prepared.X.T, prepared.Y[0])
        predicted = prepared.target_scaling.to_original(fitted.predict(prepared.X_test.T))
        assert linear.scores["rmse"] == pytest.approx(np.sqrt(np.mean((predicted - dataset.y_test) ** 2)), rel=1e-9)
        return
    fitted = LogisticRegression(max_iter=10_000, tol=1e-8).fit(prepared.X.T, dataset.y_train)
    cost = log_loss(dataset.y_test, fitted.predict_proba(prepared.X_test.T), labels=fitted.classes_)
    assert linear.scores["log_loss"] == pytest.approx(cost, rel=2e-3)  # each converges as far as its gradient is 1e-4


@pytest.mark.parametrize(("train", "name"), [("sklearn:breast_cancer", "f1"), ("sklearn:diabetes", "r2")])
def test_the_value_of_another_objective_out_of_fold_is_scikit_learn_s_cross_validation(train, name) -> None:
    prepared = prepare(load_dataset(train), folds=3)
    with fitted_meanwhile(prepared, 0, objective=Objective(name)) as fits:
        linear = fits.wait()[1]
    is_number = name == "r2"
    y = prepared.Y[0] if is_number else prepared.dataset.y_train
    split = [(np.flatnonzero(~held), np.flatnonzero(held)) for held in prepared.held_out]
    model = Ridge() if is_number else LogisticRegression(max_iter=10_000)
    expected = cross_val_score(model, prepared.X.T, y, cv=split, scoring=name).mean()
    assert linear.out_of_fold == pytest.approx(expected, rel=1e-6)
    assert name in linear.scores


def test_of_large_data_the_linear_model_is_fitted_to_some_of_the_examples_and_says_so(monkeypatch) -> None:
    prepared = prepare(load_dataset("sklearn:breast_cancer"), folds=3)
    everything = baselines(prepared, seed=0)
    monkeypatch.setattr(baseline, "MOST_NUMBERS", 100 * prepared.n_features)
    constant, linear = baselines(prepared, seed=0)
    assert linear.name == "logistic regression (fitted to 100 of 455 examples)"
    assert linear.out_of_fold is None
    assert constant == everything[0]
    assert 0.9 < linear.scores["accuracy"] != everything[1].scores["accuracy"]


@pytest.mark.parametrize("train", ["sklearn:breast_cancer", "sklearn:diabetes"])
def test_models_fitted_to_rows_in_a_file_and_scored_in_parts_are_the_same(monkeypatch, train) -> None:
    prepared = prepare(load_dataset(train), folds=3, scales_folds=True)
    in_memory = baselines(prepared, seed=0)
    monkeypatch.setattr(room, "memory_bytes", lambda: 100)
    monkeypatch.setattr(preparation, "_NUMBERS_AT_ONCE", 50 * prepared.n_features)
    for found, expected in zip(baselines(prepared, seed=0), in_memory, strict=True):
        assert found.name == expected.name
        assert found.scores == pytest.approx(expected.scores, rel=1e-12)
        assert found.out_of_fold == pytest.approx(expected.out_of_fold, rel=1e-12)


@pytest.mark.parametrize(
    ("n_free", "what"), [(0, "was not fitted"), (2, "was not fitted in each fold"), (4, None)], ids=str
)
def test_what_there_is_no_memory_for_is_said_and_the_rest_is_there(monkeypatch, n_free, what) -> None:
    prepared, fit = prepare(load_dataset("sklearn:iris"), folds=3), LogisticRegression.fit
    whole, calls = baselines(prepared, 0), []

    def short_of_memory(model: LogisticRegression, *rows: np.ndarray, **weights: object) -> LogisticRegression:
        calls.append(model)
        if len(calls) > n_free:
            raise MemoryError("Unable to allocate 9 TiB")
        return fit(model, *rows, **weights)

    monkeypatch.setattr(LogisticRegression, "fit", short_of_memory)
    with fitted_meanwhile(prepared, 0) as fits:
        found = fits.wait()
    said = f"The linear model to compare with {what}: memory ran out (Unable to allocate 9 TiB)."
    assert fits.shortage == (said if what else "")
    assert found[0] == whole[0]
    assert [one.scores for one in found[1:]] == [whole[1].scores] * (n_free > 0)
    assert [one.out_of_fold for one in found[1:]] == [whole[1].out_of_fold if what is None else None] * (n_free > 0)


def test_a_full_disk_costs_the_linear_model_alone(monkeypatch) -> None:
    def full(*shape: int) -> None:
        raise NoRoomError("3 x 4 numbers take 0.0 GB, and /tmp is full.", "They lie in a file.", "Make room there.")

    monkeypatch.setattr(baseline, "room_for", full)
    with fitted_meanwhile(prepare(load_dataset("sklearn:iris")), 0) as fits:
        assert [one.name for one in fits.wait()] == ["constant"]
    assert fits.shortage.endswith("was not fitted: 3 x 4 numbers take 0.0 GB, and /tmp is full.")


def test_where_the_process_is_limited_scikit_learn_is_imported_before_anything_is_trained(monkeypatch) -> None:
    prepared = prepare(load_dataset("sklearn:iris"))
    monkeypatch.setattr(baseline, "limits_of_process", lambda: [2**30])
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)  # as where its libraries cannot be mapped
    with pytest.raises(ImportError, match="linear_model"), fitted_meanwhile(prepared, 0):
        pytest.fail("trials would be trained, and lost at the end")
