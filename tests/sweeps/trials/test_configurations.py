"""What a search space holds: the hyperparameters that every trial has, and how many configurations there are."""

import optuna
import pytest
from optuna.samplers import BruteForceSampler, RandomSampler

from sweeps.configuration.search_space import SearchSpace
from sweeps.trials.configurations import n_configurations, n_trials_of, space_of
from sweeps.trials.space import suggest
from tests.sweeps.support.small_sweep import small_config

FIXED = {"learning_rate": 0.1, "n_iterations": 10, "depth": 2, "hidden_units": 3, "activation": "relu"}


def section(**values):
    return SearchSpace.model_validate(FIXED | values)


@pytest.mark.parametrize(
    ("values", "n"),
    [
        ({}, 1),
        ({"activation": ["relu", "tanh"]}, 2),
        ({"n_iterations": {"low": 10, "high": 14}}, 5),
        ({"learning_rate": {"low": 0.1, "high": 0.1}}, 1),
        ({"depth": {"low": 0, "high": 2}, "hidden_units": {"low": 2, "high": 4}}, 1 + 3 + 9),
        ({"depth": {"low": 1, "high": 2}, "hidden_units": {"low": 2, "high": 3}, "activation": ["relu", "tanh"]}, 12),
        ({"learning_rate": {"low": 0.1, "high": 0.2}}, None),
        ({"n_iterations": {"low": 1, "high": 31}}, None),
    ],
)
def test_the_configurations_of_a_space_are_counted_up_to_a_limit(values, n):
    assert n_configurations(section(**values), 30) == n


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_there_are_as_many_as_optunas_brute_force_finds(quiet_optuna):
    search = section(depth={"low": 0, "high": 2}, hidden_units={"low": 2, "high": 4}, activation=["relu", "tanh"])
    study = optuna.create_study(sampler=BruteForceSampler(seed=1))
    study.optimize(lambda trial: len(suggest(trial, search).hidden_units))  # until it stops by itself
    assert len(study.trials) == n_configurations(search, 100) == 26


def test_the_common_hyperparameters_are_those_of_every_trial_and_all_those_of_any(quiet_optuna):
    search = SearchSpace.model_validate({"depth": {"low": 1, "high": 3}, "n_iterations": 50})
    study = optuna.create_study(sampler=RandomSampler(seed=1))
    for _ in range(40):
        suggest(study.ask(), search)
    seen = [trial.distributions for trial in study.trials]
    space = space_of(search)
    assert space.all == {name: item for distributions in seen for name, item in distributions.items()}
    assert set(space.common) == set.intersection(*(set(distributions) for distributions in seen))
    assert not space.is_finite


def test_what_has_one_value_is_not_searched():
    space = space_of(section(n_iterations={"low": 5, "high": 5}))
    assert space.all == space.common == {}
    assert space.is_finite


def test_a_sweep_has_as_many_trials_as_configurations_or_as_were_asked_for():
    assert n_trials_of(small_config(search=FIXED | {"activation": ["relu", "tanh"]}, sweep={"n_trials": 30})) == 2
    assert n_trials_of(small_config(search=FIXED | {"activation": ["relu", "tanh"]}, sweep={"n_trials": 1})) == 1
    assert n_trials_of(small_config()) == 12
