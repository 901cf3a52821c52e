"""Per-row losses whose means are scikit-learn's scores, and models that have none, each with its reason."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics

from experiments.dataset import load_dataset
from experiments.preparation import prepare
from experiments.promotion.comparison import ACCURACY, Evidence, compare
from experiments.promotion.scoring import NotScorableError, decisive, score_constant, score_model
from tests.experiments.support.models import untrained


@pytest.fixture(scope="module")
def prepared():
    """Of each kind of task."""
    sets = {"binary": "breast_cancer", "multiclass": "iris", "regression": "diabetes"}
    return {task: prepare(load_dataset(f"sklearn:{name}", seed=1)) for task, name in sets.items()}


def normalized(P):
    """Their sums are 1 in float64 too, or scikit-learn warns."""
    return P / P.sum(axis=1, keepdims=True)


def every(data):
    return np.ones(data.dataset.n_test, dtype=np.bool_)


def weighted(data):
    """The same, with weights of the examples."""
    generator = np.random.default_rng(0)
    weights = (generator.integers(0, 5, m).astype(float) for m in (data.dataset.n_train, data.dataset.n_test))
    return replace(
        data, dataset=replace(data.dataset, **dict(zip(("weights_train", "weights_test"), weights, strict=True)))
    )


@pytest.mark.parametrize("has_weights", [False, True])
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_mean_losses_of_classes_are_scikit_learns_scores(prepared, task, has_weights):
    data = weighted(prepared[task]) if has_weights else prepared[task]
    model, y, w = untrained(prepared[task]), data.dataset.y_test, {"sample_weight": data.dataset.weights_test}
    P = normalized(model.predict_proba(data.dataset.X_test))
    labels = np.arange(data.dataset.n_classes)
    predicted = P.argmax(axis=1) if task == "multiclass" else (P[:, 1] >= 0.5).astype(int)
    expected = {
        "cost": metrics.log_loss(y, P, labels=labels, **w),
        "roc_auc": metrics.log_loss(y, P, labels=labels, **w),
        "brier": metrics.brier_score_loss(y, P[:, 1] if task == "binary" else P, **w),
        "balanced_accuracy": 1 - metrics.balanced_accuracy_score(y, predicted, **w),
        "balanced_cost": metrics.log_loss(y, P, labels=labels, sample_weight=balanced(y, **w)),
        "accuracy": 1 - metrics.accuracy_score(y, predicted, **w),
    }
    for objective, value in expected.items():
        scored = score_model(model, data, every(data), decisive(objective, data.dataset))
        assert scored.losses.mean() == pytest.approx(value, rel=1e-6), objective
        assert scored.is_right.mean() == metrics.accuracy_score(y, predicted)


def balanced(y, sample_weight):
    weights = np.ones(len(y)) if sample_weight is None else sample_weight
    return weights / np.bincount(y, weights=weights)[y]


@pytest.mark.parametrize("has_weights", [False, True])
def test_mean_losses_of_numbers_are_scikit_learns_scores(prepared, has_weights):
    data = weighted(prepared["regression"]) if has_weights else prepared["regression"]
    model, y, w = untrained(prepared["regression"]), data.dataset.y_test, {"sample_weight": data.dataset.weights_test}
    predicted = model.predict(data.dataset.X_test)
    absolute = score_model(model, data, every(data), decisive("mae", data.dataset))
    assert absolute.losses.mean() == pytest.approx(metrics.mean_absolute_error(y, predicted, **w))
    squared = score_model(model, data, every(data), decisive("r2", data.dataset))
    variance = data.dataset.y_train.var()
    assert squared.losses.mean() == pytest.approx(metrics.mean_squared_error(y, predicted, **w) / variance)
    assert squared.is_right is None


def test_a_constant_is_what_the_baseline_is(prepared):
    data = prepared["binary"]
    share = (data.dataset.y_train == 1).mean()
    y = data.dataset.y_test
    scored = score_constant(data, every(data), "log-loss")
    assert scored.losses.mean() == pytest.approx(metrics.log_loss(y, np.full(len(y), share)))
    assert scored.is_right.mean() == (y == 1).mean()
    numbers = prepared["regression"]
    assert score_constant(numbers, every(numbers), "squared error").losses.mean() == pytest.approx(1, rel=0.3)


def test_a_constant_knows_the_weights_of_the_training_examples(prepared):
    data = weighted(prepared["binary"])
    y, y_train, w = data.dataset.y_test, data.dataset.y_train, data.dataset.weights_test
    share = np.average(y_train == 1, weights=data.dataset.weights_train)
    scored = score_constant(data, every(data), decisive("cost", data.dataset))
    assert scored.losses.mean() == pytest.approx(metrics.log_loss(y, np.full(len(y), share), sample_weight=w))


def test_weighted_accuracy_is_decided_by_the_weights_and_not_by_counting_rows(prepared):
    data = weighted(prepared["binary"])
    what = decisive("accuracy", data.dataset)
    model, constant = score_model(untrained(data), data, every(data), what), score_constant(data, every(data), what)
    evidence = Evidence.of(what, constant, model, data.dataset.y_test, data.dataset.class_names)
    assert compare(evidence, 0.05, 0).name == "paired bootstrap"
    gain = np.average(model.is_right.astype(float) - constant.is_right, weights=data.dataset.weights_test)
    assert evidence.mean == pytest.approx(gain, rel=1e-6)


def test_only_the_rows_that_are_asked_for_are_scored(prepared):
    data = prepared["multiclass"]
    some = every(data)
    some[3:] = False
    scored = score_model(untrained(data), data, some, "log-loss")
    whole = score_model(untrained(data), data, every(data), "log-loss")
    np.testing.assert_allclose(scored.losses, whole.losses[:3], rtol=1e-6)
    assert len(score_model(untrained(data), data, ~every(data), ACCURACY).losses) == 0


def test_classes_in_another_order_are_the_same_classes(prepared):
    data = prepared["multiclass"]
    model = untrained(data)
    turned = replace(model, class_names=model.class_names[::-1])
    scored = score_model(turned, data, every(data), "log-loss")
    P = normalized(model.predict_proba(data.dataset.X_test)[:, ::-1])
    expected = metrics.log_loss(data.dataset.y_test, P, labels=np.arange(3))
    assert scored.losses.mean() == pytest.approx(expected, rel=1e-6)


def test_a_model_that_cannot_be_scored_says_why(prepared):
    data = prepared["multiclass"]
    names = ("setosa", "versicolor", "daisy")
    for model, why in (
        (untrained(prepared["regression"]), "it is a regression model, and the task is multiclass"),
        (replace(untrained(data), class_names=names), "it has the classes .*daisy, and the data have .*virginica"),
    ):
        with pytest.raises(NotScorableError, match=why):
            score_model(model, data, every(data), "log-loss")
    wine = prepare(load_dataset("sklearn:wine", seed=1))
    other = replace(untrained(data), class_names=wine.dataset.class_names)
    with pytest.raises(NotScorableError, match="the sealed rows"):
        score_model(other, wine, every(wine), "log-loss")
