"""A live study and its storage: all of one is in the other, and what the storage knows is not asked again."""

import copy
import json
import os
import subprocess
import sys
import textwrap

import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from sweeps.search.live_study import LiveStudy
from sweeps.storage.stored_study import StoredStudy
from sweeps.trials.rungs import Rungs
from tests.conftest import REPOSITORY
from tests.sweeps.support.small_sweep import new_study, run_schedule, small_config, table, trial_of, undisturbed_table
from tests.sweeps.support.storages import reopened

pytestmark = pytest.mark.usefixtures("quiet_optuna")


def live(stored, config=None):
    config = config or small_config()
    return LiveStudy(stored, config, Rungs(config.search.max_iterations))


class TestEveryStorage:
    """What a LiveStudy owes its storage, whichever it is."""

    def test_a_trial_is_in_the_storage_with_all_parameters_when_it_has_been_asked(self, place):
        study = live(new_study(place.open()))
        number, candidate = study.ask()
        (trial,) = reopened(place).trials
        assert (trial.number, trial.state) == (number, TrialState.RUNNING)
        assert trial.params.items() <= candidate.params.items()
        assert {"learning_rate", "n_iterations", "depth", "activation"} <= set(trial.params)
        assert study.n_asked == 1
        assert study.outcome(number) is None

    def test_a_value_is_in_the_storage_when_it_has_been_reported(self, place):
        study = live(new_study(place.open()))
        number, _ = study.ask()
        study.report(number, 2, 0.1 + 0.2)
        study.report(number, 6, 0.1)
        (trial,) = reopened(place).trials
        assert trial.intermediate_values == {2: 0.1 + 0.2, 6: 0.1}

    @pytest.mark.parametrize(
        ("state", "value"), [(TrialState.COMPLETE, 0.25), (TrialState.PRUNED, 0.5), (TrialState.FAIL, None)]
    )
    def test_an_end_is_in_the_storage_when_it_has_been_told(self, place, state, value):
        study = live(new_study(place.open()))
        number, _ = study.ask()
        study.report(number, 2, 0.5)
        study.tell(trial_of(number, state, value, best_iteration=2, reason="because"))
        (trial,) = reopened(place).trials
        assert (trial.state, trial.value) == (state, value)
        assert trial.user_attrs == {"best_iteration": 2, "reason": "because"}
        assert trial.datetime_complete is not None

    def test_a_recorded_trial_is_read_back_and_not_asked_again(self, place):
        first = live(new_study(place.open()))
        asked = [first.ask() for _ in range(3)]
        again = live(reopened(place))
        assert [again.ask() for _ in range(3)] == asked
        assert len(reopened(place).trials) == 3
        assert again.ask()[0] == 3
        assert len(reopened(place).trials) == 4

    def test_an_outcome_is_what_an_earlier_process_told(self, place):
        first = live(new_study(place.open()))
        for _ in range(2):
            first.ask()
        first.report(0, 2, 0.5)
        first.tell(trial_of(0, TrialState.COMPLETE, 0.5, best_iteration=2))
        again = live(reopened(place))
        assert [again.ask()[0], again.ask()[0]] == [0, 1]
        assert again.outcome(0).state == TrialState.COMPLETE
        assert again.stored_value(0, 2) == 0.5
        assert again.stored_value(0, 3) is None
        assert again.outcome(1) is None

    def test_replaying_a_finished_trial_writes_nothing(self, place):
        first = live(new_study(place.open()))
        first.ask()
        first.report(0, 2, 0.5)
        first.tell(trial_of(0, TrialState.COMPLETE, 0.5, best_iteration=2))
        before = table(reopened(place))
        completed_at = reopened(place).trials[0].datetime_complete
        again = live(reopened(place))
        again.ask()
        assert again.report(0, 2, 0.5) is False
        again.tell(trial_of(0, TrialState.COMPLETE, 0.5))
        assert table(reopened(place)) == before
        assert reopened(place).trials[0].datetime_complete == completed_at

    def test_replaying_a_pruned_trial_gives_it_up_at_the_same_rung(self, place):
        first = live(new_study(place.open()))
        first.ask()
        first.report(0, 2, 0.5)
        first.report(0, 6, 0.4)
        first.tell(trial_of(0, TrialState.PRUNED, 0.4))
        again = live(reopened(place))
        again.ask()
        assert again.report(0, 2, 0.5) is False
        assert again.report(0, 6, 0.4) is True

    def test_a_whole_sweep_gives_the_table_of_a_sweep_in_memory(self, place):
        run_schedule(new_study(place.open()))
        assert table(reopened(place)) == undisturbed_table()

    def test_a_sweep_that_is_run_again_when_it_is_over_changes_nothing(self, place):
        run_schedule(new_study(place.open()))
        before = table(reopened(place))
        assert all(result.is_recalled for result in run_schedule(reopened(place)))
        assert table(reopened(place)) == before

    def test_a_sweep_that_is_given_more_trials_is_the_longer_sweep(self, place):
        run_schedule(new_study(place.open()), n_trials=5)
        run_schedule(reopened(place))
        longer = table(reopened(place))
        assert [trial["number"] for trial in longer] == list(range(12))
        assert longer[:5] == undisturbed_table(small_config(sweep={"n_trials": 5}))


@pytest.mark.parametrize("pruner", ["hyperband", "successive_halving", "median", "percentile", "none"])
def test_every_pruner_works_by_name(pruner):
    config = small_config(study={"pruner": pruner}, sweep={"n_trials": 24})
    states = [trial["state"] for trial in undisturbed_table(config)]
    assert len(states) == 24
    assert "COMPLETE" in states
    assert ("PRUNED" in states) == (pruner != "none")


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_every_sampler_works_by_name_and_its_trials_differ(sampler):
    trials = undisturbed_table(small_config(study={"sampler": sampler}))
    assert len({trial["params"]["learning_rate"] for trial in trials}) == len(trials)


def test_tpe_learns_from_its_trials_and_random_does_not():
    def learning_rates(sampler, **hooks):
        config = small_config(study={"sampler": sampler, "pruner": "none"}, sweep={"n_trials": 30})
        stored = new_study(InMemoryStorage())
        study = live(stored, config)
        for _ in range(30):
            number, candidate = study.ask()
            study.tell(trial_of(number, TrialState.COMPLETE, hooks["value"](candidate)))
        return [trial.params["learning_rate"] for trial in stored.trials]

    def high_is_good(candidate):
        return -candidate.learning_rate

    def low_is_good(candidate):
        return candidate.learning_rate

    assert learning_rates("random", value=high_is_good) == learning_rates("random", value=low_is_good)
    high, low = learning_rates("tpe", value=high_is_good), learning_rates("tpe", value=low_is_good)
    assert high[:10] == low[:10]  # TPE starts at random
    assert sorted(high[20:])[5] > sorted(low[20:])[5]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_seed_decides_the_asks(seed):
    one = live(new_study(InMemoryStorage()), small_config(sweep={"seed": 1}))
    other = live(new_study(InMemoryStorage()), small_config(sweep={"seed": seed}))
    assert ([one.ask() for _ in range(3)] == [other.ask() for _ in range(3)]) == (seed == 1)


PROGRAM = """
import json
from optuna.storages import InMemoryStorage
import optuna
from optuna.trial import TrialState
from tests.sweeps.support.small_sweep import new_study, small_config, trial_of
from sweeps.trials.rungs import Rungs
from sweeps.search.live_study import LiveStudy
optuna.logging.set_verbosity(optuna.logging.WARNING)
config = small_config()
study = LiveStudy(new_study(InMemoryStorage()), config, Rungs(54))
asked = []
for _ in range(30):
    number, candidate = study.ask()
    pruned = study.report(number, 2, candidate.learning_rate)
    study.tell(trial_of(number, TrialState.PRUNED if pruned else TrialState.COMPLETE, candidate.learning_rate))
    asked.append([candidate.params, pruned])
print(json.dumps(asked))
"""


def test_a_fresh_process_with_other_hashes_asks_and_prunes_the_same():
    """String hashes decide the order of sets; 30 trials take TPE past its random start, with conditional widths."""
    answers = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(PROGRAM)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        answers.append(json.loads(done.stdout))
    assert answers[0] == answers[1]
    assert len(answers[0]) == 30


def test_asking_needs_only_the_history_and_not_the_life_before_it():
    """A resumed study with 20 trials asks what the study that never stopped asks."""
    storage = InMemoryStorage()
    study = live(new_study(storage))
    for _ in range(20):
        number, candidate = study.ask()
        study.report(number, 2, candidate.learning_rate)
        study.tell(trial_of(number, TrialState.COMPLETE, candidate.learning_rate))
    (stored,) = StoredStudy.all_of(copy.deepcopy(storage))
    resumed = live(stored)
    for _ in range(20):
        number, candidate = resumed.ask()
        resumed.report(number, 2, candidate.learning_rate)
        outcome = resumed.outcome(number)
        resumed.tell(outcome)
    assert resumed.ask() == study.ask()
