"""What a new sweep tries first of what earlier ones of its name found."""

from optuna.trial import TrialState

from sweeps.configuration.search_space import EnqueuedConfiguration
from sweeps.trials.memory import remembered, with_memory
from sweeps.trials.space import Candidate
from tests.sweeps.support.small_sweep import small_config, trial_of


def leaderboard(*learning_rates, state=TrialState.COMPLETE):
    return [trial_of(n, state, candidate=Candidate(rate, 20, (3,), "relu")) for n, rate in enumerate(learning_rates)]


def rates(tables):
    return [table.learning_rate for table in tables]


def test_the_newest_study_comes_first_with_its_three_best_and_nothing_comes_twice():
    found = remembered([leaderboard(0.1, 0.2, 0.3, 0.4), leaderboard(0.2, 0.5)], n_trials=100)
    assert rates(found) == [0.1, 0.2, 0.3, 0.5]


def test_a_tenth_of_the_trials_is_memory_at_most_and_one_at_least():
    boards = [leaderboard(0.1, 0.2, 0.3), leaderboard(0.4, 0.5, 0.6)]
    assert len(remembered(boards, 40)) == 4
    assert len(remembered(boards, 3)) == 1


def test_pruned_trials_are_not_remembered():
    assert remembered([leaderboard(0.1, state=TrialState.PRUNED)], 100) == ()


def test_what_no_longer_fits_is_left_to_the_sampler_and_said():
    config = small_config(search={"activation": ["tanh"]})
    table = {"learning_rate": 0.1, "n_iterations": 20, "hidden_units": [3], "activation": "relu"}
    changed, notes = with_memory(config, [table])
    assert changed.enqueue == (EnqueuedConfiguration(learning_rate=0.1, n_iterations=20, hidden_units=(3,)),)
    assert notes[1] == "Outside today's search space, and left to the sampler there: activation."


def test_the_user_s_come_first_and_the_recipe_s_last():
    user = {"learning_rate": 0.5}
    table = {"learning_rate": 0.1}
    config = small_config(enqueue=[user])
    assert rates(with_memory(config, [table])[0].enqueue) == [0.5, 0.1]
    recipe = small_config().with_first((EnqueuedConfiguration(learning_rate=0.7),))
    assert rates(with_memory(recipe, [table])[0].enqueue) == [0.1, 0.7]


def test_without_memory_nothing_changes():
    config = small_config()
    assert with_memory(config, []) == (config, [])
