"""A sweep that is judged by something else than its cost: the same word, the same direction, everywhere."""

import json

import numpy as np
import optuna
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import average_precision_score, roc_auc_score

from experiments.dataset import load_dataset
from experiments.errors import InputError
from experiments.model import Model
from experiments.outbox import Outbox
from sweeps.data import load_data, problem_of
from sweeps.results.summary import summary
from sweeps.run import run_sweep
from sweeps.storage.workspace import Workspace
from tests.sweeps.support.small_sweep import small_config

SEARCH = {"learning_rate": 0.3, "n_iterations": {"low": 4, "high": 40}, "depth": {"low": 0, "high": 1}}


def config_of(objective, train="sklearn:breast_cancer", **sections):
    sections = {"sweep": {"n_trials": 6}, "search": SEARCH, **sections}
    return small_config(data={"train": train, **sections.pop("data", {})}, study={"objective": objective}, **sections)


@pytest.fixture(scope="module")
def ranked(tmp_path_factory, with_store):
    """A sweep that is judged by the area under the ROC curve: result and folder."""
    directory = with_store(tmp_path_factory.mktemp("objective") / "auc")
    return run_sweep(config_of("roc_auc"), directory=directory), directory


def test_the_highest_value_wins_and_optuna_maximizes(ranked):
    result, directory = ranked
    complete = [row.value for row in result.rows if row.state.name == "COMPLETE"]
    assert result.best.value == max(complete)
    assert complete == sorted(complete, reverse=True)
    journal = Workspace(directory).root / "small" / "journal.log"
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(journal)))
    study = optuna.load_study(study_name=result.study, storage=storage)
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    assert study.best_trial.number == result.best.number


def test_a_value_is_the_mean_over_the_folds_of_scikit_learn_s_score_at_its_best_iteration(ranked):
    result, directory = ranked
    facts = Outbox(directory / ".sweeps" / result.study / "outbox.jsonl").trial(result.best.number)
    curve = dict(facts.curves["validation_roc_auc"])
    assert curve[result.best.best_iteration] == result.best.value == max(curve.values())
    assert all(0 <= value <= 1 for value in curve.values())


def test_the_baselines_have_the_same_score_out_of_fold(ranked):
    result, _ = ranked
    assert result.winner.baselines_out_of_fold["constant"] == 0.5
    assert 0.9 < result.winner.baselines_out_of_fold["logistic regression"] <= 1


def test_summary_json_and_report_say_it_by_its_name(ranked):
    result, directory = ranked
    text = summary(result)
    assert "AUC out of fold" in text
    assert "Cost out of fold" not in text
    document = json.loads(json.dumps(result.to_dict()))
    assert document["objective"] == "roc_auc"
    assert document["ensemble"]["out_of_fold"] >= result.ensemble.steps[0][1]  # the best single trial's
    page = (directory / result.report_file).read_text()
    assert "validation AUC" in page
    assert "validation cost" not in page.split("<script")[0]


def test_the_corrected_value_is_below_the_best_of_many(ranked):
    estimate = ranked[0].winner.estimate
    assert estimate.uncorrected == pytest.approx(ranked[0].best.value, abs=1e-9)
    assert estimate.value <= estimate.uncorrected


def test_the_model_s_test_score_is_scikit_learn_s(tmp_path, with_store):
    result = run_sweep(config_of("average_precision", sweep={"n_trials": 2}), directory=with_store(tmp_path))
    dataset = load_dataset("sklearn:breast_cancer", seed=2)
    probabilities = result.model.predict_proba(dataset.X_test)[:, 1]
    (score,) = (one for one in result.winner.scores if one.name == "average_precision")
    assert score.value == pytest.approx(average_precision_score(dataset.y_test, probabilities), rel=1e-6)
    assert score.low <= score.value <= score.high
    assert score.baselines["constant"] == pytest.approx(dataset.y_test.mean())
    assert result.winner.estimate is None  # would take minutes
    assert roc_auc_score(dataset.y_test, probabilities) > 0.9


def test_a_regression_is_judged_in_original_units(tmp_path, with_store):
    config = config_of("mae", "sklearn:diabetes", sweep={"n_trials": 2}, search={**SEARCH, "learning_rate": 0.03})
    result = run_sweep(config, directory=with_store(tmp_path))
    assert 30 < result.best.value < 80
    assert result.winner.scores[0].name == "mae"
    assert result.winner.baselines_out_of_fold["ridge regression"] < result.winner.baselines_out_of_fold["constant"]


@pytest.mark.parametrize(
    ("name", "train", "said"),
    [
        ("rmse", "sklearn:iris", '"rmse", and sklearn:iris is a multiclass task. It has classes to predict: cost, bal'),
        ("roc_auc", "sklearn:diabetes", '"roc_auc", and sklearn:diabetes is a regression task. It has numbers'),
    ],
)
def test_an_objective_of_another_task_is_refused(name, train, said):
    config = config_of(name, train)
    with pytest.raises(InputError, match=said):
        problem_of(config, load_data(config))


def test_an_objective_that_a_fold_leaves_undefined_is_refused(tmp_path):
    flat = pd.DataFrame({"x": np.arange(40.0), "y": [0.0] * 37 + [7.0, 8.0, 9.0]})
    flat.to_csv(tmp_path / "flat.csv", index=False)
    config = config_of("r2", str(tmp_path / "flat.csv"), data={"target": "y", "task": "regression", "folds": 5})
    with pytest.raises(InputError, match=r"undefined on the .* examples that fold . holds out.*targets that vary"):
        problem_of(config, load_data(config))


def test_the_decision_is_part_of_what_a_sweep_is_where_decisions_are_judged():
    def fingerprint(objective, decision):
        return small_config(study={"objective": objective, "decision": decision}).fingerprint("digest")

    assert fingerprint("cost", 0.3) == fingerprint("cost", 0.5) != fingerprint("f1", 0.5)
    assert fingerprint("f1", 0.3) != fingerprint("f1", 0.5)
    assert fingerprint("roc_auc", 0.3) == fingerprint("roc_auc", 0.5)


@pytest.fixture
def weighted(tmp_path):
    """Breast cancer as a table whose column `times` says how often a row counts, and the same rows that often."""
    X, y = load_breast_cancer(return_X_y=True)
    table = pd.DataFrame(X[:120, :5], columns=list("abcde")).assign(label=np.where(y[:120] == 1, "yes", "no"))
    times = 1 + np.arange(120) % 3
    table.assign(times=times).to_csv(tmp_path / "weighted.csv", index=False)
    table.loc[np.repeat(table.index, times)].to_csv(tmp_path / "repeated.csv", index=False)
    table.to_csv(tmp_path / "plain.csv", index=False)
    return tmp_path


def test_weights_count_in_training_judging_and_baselines_and_their_column_is_no_feature(weighted, with_store):
    config = config_of(
        "cost",
        str(weighted / "weighted.csv"),
        data={"target": "label", "sample_weight": "times"},
        sweep={"n_trials": 2},
    )
    prepared = load_data(config)
    assert prepared.preprocessing.inputs.feature_names_out == tuple("abcde")
    times = prepared.dataset.weights_train
    np.testing.assert_array_equal(prepared.weights, [times, times])
    assert set(times) == {1, 2, 3}
    result = run_sweep(config, directory=with_store(weighted / "run"))
    plain = config_of("cost", str(weighted / "plain.csv"), data={"target": "label"}, sweep={"n_trials": 2})
    other = run_sweep(plain, directory=with_store(weighted / "plain"))
    ours, theirs = ({score.name: score for score in one.winner.scores}["log_loss"] for one in (result, other))
    assert ours.baselines["logistic regression"] != theirs.baselines["logistic regression"]
    assert ours.baselines["constant"] != theirs.baselines["constant"]
    model = Model.load(weighted / "run" / result.model_file)
    assert model.ignored == ("times",)


@pytest.mark.parametrize(
    ("column", "said"),
    [("time", "no sample_weight column 'time'.*Did you mean 'times'"), ("label", "both target and sample_weight")],
)
def test_a_column_of_weights_that_cannot_be_is_refused(weighted, column, said):
    with pytest.raises(InputError, match=said):
        load_dataset("weighted.csv", target="label", sample_weight=column, directory=weighted)


@pytest.mark.parametrize(("weight", "said"), [("-1", "no weight, first -1"), ("", "no weight, first nan")])
def test_a_weight_that_is_none_is_refused(tmp_path, weight, said):
    (tmp_path / "rows.csv").write_text(
        "x,w,y\n" + "".join(f"{i},{weight if i == 4 else 2},{i % 2}\n" for i in range(20))
    )
    with pytest.raises(InputError, match=said):
        load_dataset("rows.csv", target="y", sample_weight="w", directory=tmp_path)


def test_class_weights_are_scikit_learn_s_balanced_ones_or_those_of_a_table():
    from sklearn.utils.class_weight import compute_sample_weight

    balanced = load_data(config_of("cost", training={"class_weight": "balanced"}))
    expected = compute_sample_weight("balanced", balanced.dataset.y_train)
    np.testing.assert_allclose(balanced.weights[0], expected, rtol=1e-12)
    np.testing.assert_array_equal(balanced.weights[1], 1)
    table = load_data(config_of("cost", training={"class_weight": {"malignant": 3.0}}))
    np.testing.assert_array_equal(table.weights[0], np.where(table.dataset.y_train == 0, 3.0, 1.0))


def test_a_weight_of_a_class_that_there_is_not_or_of_a_regression_is_refused():
    with pytest.raises(InputError, match=r"class 'malign', which is not there. Did you mean 'malignant'"):
        load_data(config_of("cost", training={"class_weight": {"malign": 3.0}}))
    with pytest.raises(InputError, match="class_weight is given, and this is a regression"):
        load_data(config_of("cost", "sklearn:diabetes", training={"class_weight": "balanced"}))


def test_a_trial_of_several_starts_has_a_network_of_each_in_every_fold_and_its_winner_begins_with_the_first(
    tmp_path, with_store
):
    search = {"learning_rate": 0.03, "n_iterations": 9, "depth": 1, "hidden_units": 4, "activation": "tanh"}
    plan = {"sweep": {"n_trials": 1}, "search": search}
    one = run_sweep(config_of("cost", "sklearn:iris", **plan), directory=with_store(tmp_path / "one"))
    config = config_of("cost", "sklearn:iris", **plan)
    study = config.study.model_copy(update={"seeds_per_trial": 3})
    three = run_sweep(config.model_copy(update={"study": study}), directory=with_store(tmp_path / "three"))
    assert {row.number: row.params for row in three.rows} == {row.number: row.params for row in one.rows}
    assert three.best.value != one.best.value
    assert (three.best.number, three.best.best_iteration) == (one.best.number, one.best.best_iteration)
    for found, expected in zip(three.model.members[0].parameters.W, one.model.members[0].parameters.W, strict=True):
        np.testing.assert_array_equal(found, expected)
    n_networks = [result.ensemble.model.members[0].parameters.W[0].shape[0] for result in (one, three)]
    assert n_networks == [2, 6]
    assert three.winner.baselines_out_of_fold == one.winner.baselines_out_of_fold
