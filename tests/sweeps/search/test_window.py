"""What a sampler is shown of a long history, and what Hyperband need not work out again."""

import optuna
import pytest
from optuna.pruners import HyperbandPruner
from optuna.samplers._tpe.sampler import _split_trials, default_gamma
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from sweeps.search import pruners
from sweeps.search.live_study import LiveStudy
from sweeps.search.window import WindowedMemory
from sweeps.storage.stored_study import StoredStudy
from sweeps.trials.rungs import Rungs
from tests.sweeps.support.small_sweep import new_study, run_schedule, small_config, table


def history(n_trials, n_running=0):
    """A study in memory: every third trial pruned, every seventh failed, values scattered, the last ones running."""
    memory = WindowedMemory()
    study = optuna.create_study(storage=memory, study_name="history")
    for number in range(n_trials):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        value = (number * 7919) % 1009 / 1009
        trial.report(value, 2 + number % 3)
        if number >= n_trials - n_running:
            continue
        if number % 7 == 0:
            study.tell(trial, state=TrialState.FAIL)
        elif number % 3 == 0:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, value)
    return study, memory


def shown(study, memory, states=None):
    with memory.windowed(study._study_id):
        return memory.get_all_trials(study._study_id, deepcopy=False, states=states)


def test_a_sampler_sees_all_of_a_short_history():
    study, memory = history(250, n_running=16)
    usable = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    assert shown(study, memory) == study.get_trials(deepcopy=False, states=usable)


def test_a_window_is_the_best_and_the_newest_in_their_order(monkeypatch):
    for name, value in (("N_BEST", 2), ("N_FINISHED", 4), ("N_RUNNING", 3)):
        monkeypatch.setattr(WindowedMemory, name, value)
    study, memory = history(60, n_running=5)
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    best = {trial.number for trial in sorted(complete, key=lambda trial: trial.value)[:2]}
    numbers = [trial.number for trial in shown(study, memory)]
    assert numbers == sorted({*best, 53, 54, 57, 58, 59})  # 55 and 56 run too; of the finished, 2 are the best
    assert [trial.number for trial in shown(study, memory, (TrialState.RUNNING,))] == [57, 58, 59]
    assert len(memory.get_all_trials(study._study_id)) == 60, "only while it is being shown"


@pytest.mark.parametrize("n_trials", [400, 900])
def test_the_half_that_tpe_models_as_good_is_that_of_the_whole_history(n_trials):
    study, memory = history(n_trials, n_running=16)

    def good(trials):
        ours = [trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
        return [trial.number for trial in _split_trials(study, ours, default_gamma(len(ours)))[0]]

    assert default_gamma(n_trials) == WindowedMemory.N_BEST
    seen = shown(study, memory)
    assert len(seen) <= WindowedMemory.N_FINISHED + WindowedMemory.N_RUNNING < n_trials + 100
    assert good(seen) == good(study.get_trials(deepcopy=False))


def test_with_few_complete_trials_the_pruned_ones_that_came_furthest_are_kept():
    memory = WindowedMemory()
    study = optuna.create_study(storage=memory)
    for number in range(400):
        trial = study.ask()
        trial.report(number / 400, 9 if number in (5, 6) else 1)
        study.tell(trial, state=TrialState.PRUNED)
    kept = [trial.number for trial in shown(study, memory)]
    assert {0, 1, 5, 6, 24, 399} <= set(kept)
    assert 25 not in kept


def test_a_study_longer_than_its_window_asks_the_same_after_a_resume(monkeypatch):
    for name, value in (("N_BEST", 3), ("N_FINISHED", 12), ("N_RUNNING", 2)):
        monkeypatch.setattr(WindowedMemory, name, value)
    config = small_config(sweep={"n_trials": 40})
    whole = new_study(InMemoryStorage())
    run_schedule(whole, config)
    storage = InMemoryStorage()
    run_schedule(new_study(storage), config, n_trials=25)
    run_schedule(StoredStudy.all_of(storage)[0], config)
    run_schedule(StoredStudy.all_of(storage)[0], config)
    first = [trial["params"] for trial in table(whole)[:25]]
    resumed = table(StoredStudy.all_of(storage)[0])
    assert [trial["params"] for trial in resumed[:25]] == first
    assert len(resumed) == 40


def test_hyperband_prunes_as_optunas_does(monkeypatch):
    config = small_config(sweep={"n_trials": 40}, study={"pruner": "hyperband"})
    ours, optunas = new_study(InMemoryStorage()), new_study(InMemoryStorage())
    run_schedule(ours, config)
    monkeypatch.setattr(pruners, "QuickHyperbandPruner", HyperbandPruner)
    run_schedule(optunas, config)
    assert table(ours) == table(optunas)
    assert "PRUNED" in {trial["state"] for trial in table(ours)}
    assert isinstance(LiveStudy(ours, config, Rungs(54))._live.pruner, HyperbandPruner)
