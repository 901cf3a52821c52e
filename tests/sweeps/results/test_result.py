"""What a sweep returns to whoever uses it as a library; and the README's example of that."""

import json
import re
import runpy

import numpy as np
import pandas as pd
import pytest
from optuna.trial import TrialState

import sweeps
from experiments.errors import InputError
from experiments.facts import TrialFinished
from experiments.outbox import Outbox
from sweeps.results.trial_table import trial_table
from sweeps.trials.space import Candidate
from tests.conftest import REPOSITORY
from tests.sweeps.support.small_sweep import trial_of


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The names that the README's example leaves, after it ran in a folder of its own."""
    section = (REPOSITORY / "README.md").read_text("utf-8").partition("\n## As a library\n")[2]
    program, _ = re.findall(r"```python\n(.*?)```", section.partition("\n## ")[0], re.DOTALL)
    folder = tmp_path_factory.mktemp("library")
    script = folder / "example.py"
    script.write_text(program, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return runpy.run_path(str(script), run_name="__main__")


def test_the_example_of_the_readme_runs_and_its_network_is_worth_having(example):
    network, X, y = (example[name] for name in ("network", "X", "y"))
    assert example["cross_val_score"](network, X, y, cv=5).mean() > 0.94
    assert example["config"].sweep.n_trials == 12
    assert example["result"].exit_code == 0, example["result"].delivery
    assert example["config"].search.depth.high == 2


def test_the_best_is_the_one_of_the_json_document(example):
    result = example["result"]
    document = result.to_dict()["best"]
    assert document == json.loads(json.dumps(document))
    assert list(document) == ["number", "value", "params", "best_iteration"]
    best = result.best
    assert document == {
        "number": best.number,
        "value": best.value,
        "params": best.params,
        "best_iteration": best.best_iteration,
    }
    assert (best.number, best.value) == (result.winner.trial.number, result.winner.trial.value)


def test_the_table_has_the_leaderboards_trials_by_number_with_their_hyperparameters(example):
    result = example["result"]
    table = result.trials
    assert table.index.tolist() == list(range(12))
    assert table.index.name == "number"
    for row in result.rows:
        trial = table.loc[row.number]
        assert trial["state"] == row.state.name
        assert trial["value"] == row.value
        assert trial["best_iteration"] == row.best_iteration
        assert {name: trial[name] for name in row.params} == row.params
        assert trial.filter(like="hidden_units_").notna().sum() == row.params["depth"]
        assert row.notes.reason == ("" if pd.isna(trial["reason"]) else trial["reason"])
    assert set(table["state"]) == {"COMPLETE", "PRUNED"}
    assert table[table["state"] == "COMPLETE"]["value"].idxmin() == result.best.number


def test_the_table_says_when_a_trial_was_trained_and_how_long(example):
    table = example["result"].trials
    facts = Outbox(example["result"].folder / "outbox.jsonl").facts()
    trained = {fact.number: fact for _, fact in facts if isinstance(fact, TrialFinished)}
    for number, trial in table.iterrows():
        assert trial["training_seconds"] == trained[number].metrics["training_seconds"] > 0
        assert trial["started_at"].timestamp() == pytest.approx(trained[number].started_at, abs=1e-6)
        assert trial["ended_at"].timestamp() == pytest.approx(trained[number].ended_at, abs=1e-6)
        assert trial["started_at"] < trial["ended_at"]


def test_the_table_is_read_once_and_may_be_added_to(example):
    table = example["result"].trials
    assert example["result"].trials is table


def test_the_model_takes_raw_inputs(example):
    probabilities = example["result"].model.predict_proba(example["X"])
    assert (probabilities.argmax(axis=1) == example["y"]).mean() > 0.94
    assert example["result"].model is example["result"].model


def row(number, state=TrialState.COMPLETE, value=0.5, reason="", widths=()):
    candidate = Candidate(0.1, 50, widths, "relu")
    best_iteration = None if value is None else 40
    return trial_of(number, state, value, best_iteration=best_iteration, reason=reason, candidate=candidate)


def fact(number, metrics):
    return TrialFinished("s", number, "COMPLETE", False, {}, metrics, {}, 1e9 + number, 1e9 + number + 0.25)


def test_every_column_has_its_type_and_what_is_absent_is_missing():
    rows = [
        row(2, widths=(5,)),
        row(0, TrialState.FAIL, None, "trial 0: its worker died"),
        row(1, TrialState.PRUNED, 0.7, "pruned", widths=(4, 3)),
    ]
    table = trial_table(rows, [fact(0, {"training_seconds": 2.5}), fact(1, {})])
    expected = pd.DataFrame(
        {
            "state": ["FAIL", "PRUNED", "COMPLETE"],
            "value": [np.nan, 0.7, 0.5],
            "best_iteration": pd.array([None, 40, 40], dtype="Int64"),
            "learning_rate": [0.1] * 3,
            "n_iterations": [50] * 3,
            "depth": [0, 2, 1],
            "hidden_units_1": pd.array([None, 4, 5], dtype="Int64"),
            "hidden_units_2": pd.array([None, 3, None], dtype="Int64"),
            "activation": ["relu"] * 3,
            "optimizer": ["gradient_descent"] * 3,
            "minibatch_size": [0] * 3,
            "weight_decay": [0.0] * 3,
            "label_smoothing": [0.0] * 3,
            "dropout": [0.0] * 3,
            "learning_rate_schedule": ["constant"] * 3,
            "training_seconds": [2.5, np.nan, np.nan],
            "started_at": pd.to_datetime(["2001-09-09 01:46:40Z", "2001-09-09 01:46:41Z", None]).as_unit("us"),
            "ended_at": pd.to_datetime(["2001-09-09 01:46:40.25Z", "2001-09-09 01:46:41.25Z", None]).as_unit("us"),
            "reason": ["trial 0: its worker died", "pruned", None],
        },
        index=pd.Index([0, 1, 2], name="number"),
    )
    pd.testing.assert_frame_equal(table, expected)


def test_a_table_without_trials_has_the_columns_all_the_same():
    table = trial_table([], [])
    assert len(table) == 0
    assert {"state", "value", "learning_rate", "training_seconds", "reason"} <= set(table)


def test_hidden_layers_stand_in_their_order_whatever_the_number():
    deep = row(0, widths=tuple(range(1, 12)))
    assert [name for name in trial_table([deep], []) if name.startswith("hidden")] == [
        f"hidden_units_{layer}" for layer in range(1, 12)
    ]


@pytest.mark.parametrize(
    ("widths", "best_iteration", "expected"),
    [((), 30, ((), 30)), ((7, 5), 0, ((7, 5), 1))],
)
def test_the_best_trial_says_how_to_build_its_network(widths, best_iteration, expected):
    best = trial_of(3, best_iteration=best_iteration, candidate=Candidate(0.1, 50, widths, "relu"))
    assert best.estimator_params == {
        "hidden_units": expected[0],
        "activation": "relu",
        "learning_rate": 0.1,
        "n_iterations": expected[1],
        "optimizer": "gradient_descent",
        "minibatch_size": 0,
        "weight_decay": 0.0,
        "label_smoothing": 0.0,
        "dropout": 0.0,
        "learning_rate_schedule": "constant",
    }


def test_keys_given_in_python_go_before_the_files(tmp_path):
    file = tmp_path / "flowers.toml"
    file.write_text('[sweep]\nname = "flowers"\nn_trials = 5\n[data]\ntrain = "sklearn:iris"\nfolds = 3\n')
    config = sweeps.load_config(
        file, sweep={"seed": 4}, data={"folds": None, "validation_fraction": 0.25}, search={"depth": 1}
    )
    assert (config.sweep.name, config.sweep.n_trials, config.sweep.seed) == ("flowers", 5, 4)
    assert (config.data.folds, config.data.validation_fraction, config.search.depth) == (None, 0.25, 1)
    assert (config.source, config.directory, config.text) == (str(file), tmp_path, file.read_text())
    with pytest.raises(InputError, match=r"load_config \[sweep\] n_trials: 0 is not allowed"):
        sweeps.load_config(file, sweep={"n_trials": 0})
    with pytest.raises(InputError, match=r"load_config \[serch\]: unknown table. Did you mean 'search'"):
        sweeps.load_config(file, serch={"depth": 1})
    with pytest.raises(InputError, match=r"load_config \[search\] dept: unknown key. Did you mean 'depth'"):
        sweeps.load_config(file, search={"dept": 1})
