"""The search space: what is asked of Optuna, and that a trial on record gives the same candidate again."""

import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.trial import FixedTrial

from sweeps.configuration.search_space import SearchSpace
from sweeps.trials.space import Candidate, recall, suggest


def section(**values):
    return SearchSpace.model_validate(values)


@pytest.fixture
def study():
    return optuna.create_study(sampler=RandomSampler(seed=3))


def test_a_trial_has_one_width_for_each_of_its_hidden_layers(study):
    depths = set()
    for _ in range(40):
        trial = study.ask()
        candidate = suggest(trial, SearchSpace())
        depth = trial.params["depth"]
        depths.add(depth)
        assert len(candidate.hidden_units) == depth
        assert [key for key in trial.params if key.startswith("hidden")] == [
            f"hidden_units_{layer}" for layer in range(1, depth + 1)
        ]
    assert depths == {0, 1, 2, 3, 4}


def test_everything_stays_within_its_range(study):
    search = section(
        learning_rate={"low": 0.1, "high": 0.2},
        n_iterations={"low": 7, "high": 9},
        depth={"low": 1, "high": 2},
        hidden_units={"low": 3, "high": 4, "log": True},
        activation=["tanh", "relu"],
    )
    candidates = [suggest(study.ask(), search) for _ in range(40)]
    assert all(0.1 <= c.learning_rate <= 0.2 for c in candidates)
    assert {c.n_iterations for c in candidates} == {7, 8, 9}
    assert {len(c.hidden_units) for c in candidates} == {1, 2}
    assert {n for c in candidates for n in c.hidden_units} == {3, 4}
    assert {c.activation for c in candidates} == {"tanh", "relu"}


def test_a_logarithmic_range_is_sampled_by_its_logarithm(study):
    search = section(learning_rate={"low": 1e-4, "high": 1.0, "log": True})
    drawn = [suggest(study.ask(), search).learning_rate for _ in range(200)]
    below_a_hundredth = sum(value < 1e-2 for value in drawn) / len(drawn)
    assert 0.4 < below_a_hundredth < 0.6  # half of four decades; uniformly it would be one in a hundred


def test_fixed_hyperparameters_are_not_asked_for_and_still_named(study):
    trial = study.ask()
    candidate = suggest(
        trial, section(learning_rate=0.0075, n_iterations=2500, depth=3, hidden_units=7, activation="relu")
    )
    assert trial.params == {}
    assert candidate == Candidate(0.0075, 2500, (7, 7, 7), "relu")
    assert candidate.params == {
        "learning_rate": 0.0075,
        "n_iterations": 2500,
        "depth": 3,
        "hidden_units_1": 7,
        "hidden_units_2": 7,
        "hidden_units_3": 7,
        "activation": "relu",
        "optimizer": "gradient_descent",
        "minibatch_size": 0,
        "weight_decay": 0.0,
        "label_smoothing": 0.0,
        "dropout": 0.0,
        "learning_rate_schedule": "constant",
    }


@pytest.mark.parametrize(
    "search",
    [
        SearchSpace(),
        section(learning_rate=0.1, depth=2, activation="tanh"),
        section(depth={"low": 3, "high": 3}, n_iterations={"low": 5, "high": 5}),
    ],
)
def test_a_trial_on_record_gives_the_candidate_that_was_asked(study, search):
    for _ in range(10):
        trial = study.ask()
        candidate = suggest(trial, search)
        assert recall(study.trials[trial.number], search) == candidate


def test_depth_0_is_a_network_without_hidden_layers():
    architecture = Candidate(0.1, 10, (), "relu").architecture(4, 3, "multiclass")
    assert architecture.layer_sizes == (4, 3)
    assert Candidate(0.1, 10, (), "relu").params["depth"] == 0


def test_the_depth_is_asked_for_first_so_that_widths_can_depend_on_it():
    trial = FixedTrial(
        {"depth": 1, "hidden_units_1": 9, "learning_rate": 0.5, "n_iterations": 200, "activation": "relu"}
    )
    assert suggest(trial, SearchSpace()).hidden_units == (9,)
