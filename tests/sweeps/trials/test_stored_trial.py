"""A trial as it is read back: the same candidate, the same notes, its place on the leaderboard."""

import datetime
import itertools
from dataclasses import replace

import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.trial import TrialState, create_trial

from sweeps.configuration.search_space import SearchSpace
from sweeps.trials.space import suggest
from sweeps.trials.stored_trial import StoredTrial, TrialNotes, best_trial, ranked
from tests.sweeps.support.small_sweep import trial_of

COMPLETE, PRUNED, FAIL, RUNNING = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING


def numbers(trials):
    return [trial.number for trial in trials]


# --- the leaderboard ---


def test_complete_trials_come_first_by_value_then_pruned_ones_by_value_then_the_others():
    best_first = [
        trial_of(4, COMPLETE, 0.3),
        trial_of(0, COMPLETE, 0.5),
        trial_of(2, COMPLETE, 0.9),
        trial_of(5, PRUNED, 0.1),  # pruned trials stopped early: their values are of another length of training
        trial_of(1, PRUNED, 0.7),
        trial_of(6, PRUNED, None),
        trial_of(3, FAIL, None),
        trial_of(7, RUNNING, None),
    ]
    for order in (best_first[::-1], sorted(best_first, key=lambda trial: trial.number)):
        assert numbers(ranked(order)) == numbers(best_first)


@pytest.mark.parametrize(("state", "value"), [(COMPLETE, 0.5), (PRUNED, 0.5), (FAIL, None)])
def test_of_equal_trials_the_earlier_one_comes_first(state, value):
    trials = [trial_of(number, state, value) for number in range(3)]
    for order in itertools.permutations(trials):
        assert ranked(order) == trials


def test_the_best_is_a_complete_trial_however_low_a_pruned_one_came():
    leaderboard = ranked([trial_of(0, PRUNED, 0.1), trial_of(1, COMPLETE, 0.9), trial_of(2, FAIL, None)])
    assert best_trial(leaderboard).number == 1


def test_where_none_is_complete_the_best_is_a_pruned_one():
    leaderboard = ranked([trial_of(0, FAIL, None), trial_of(1, PRUNED, 0.4), trial_of(2, PRUNED, 0.2)])
    assert best_trial(leaderboard).number == 2


@pytest.mark.parametrize("trials", [[], [trial_of(0, FAIL, None), trial_of(1, PRUNED, None)]], ids=["none", "failed"])
def test_without_a_value_there_is_no_best(trials):
    assert best_trial(ranked(trials)) is None


# --- notes ---


@pytest.mark.parametrize(
    ("notes", "attributes"),
    [
        (TrialNotes(), {"best_iteration": None}),
        (TrialNotes(best_iteration=40), {"best_iteration": 40}),
        (TrialNotes(40, "pruned after 6 iterations"), {"best_iteration": 40, "reason": "pruned after 6 iterations"}),
        (
            TrialNotes(None, "the sweep's time was over", True),
            {"best_iteration": None, "reason": "the sweep's time was over", "is_interrupted": True},
        ),
    ],
)
def test_notes_are_read_back_as_they_were_and_what_is_usual_is_not_written(notes, attributes):
    assert notes.to_attributes() == attributes
    assert TrialNotes.read(attributes) == notes


def test_attributes_of_somebody_elses_are_no_notes():
    assert TrialNotes.read({"best_iteration": 3, "colour": "green"}) == TrialNotes(best_iteration=3)


# --- read from Optuna's record ---


@pytest.mark.parametrize(
    "search",
    [
        SearchSpace(),
        SearchSpace.model_validate({"learning_rate": 0.1, "depth": 2, "activation": "tanh"}),
        SearchSpace.model_validate(
            {"learning_rate": 0.0075, "n_iterations": 2500, "depth": 1, "hidden_units": 7, "activation": "relu"}
        ),
    ],
    ids=["all are searched", "some are fixed", "all are fixed"],
)
def test_the_record_of_a_trial_gives_the_candidate_that_was_asked(search):
    study = optuna.create_study(sampler=RandomSampler(seed=3))
    for number in range(10):
        asked = study.ask()
        candidate = suggest(asked, search)
        record = create_trial(
            state=COMPLETE,
            value=0.25,
            params=asked.params,
            distributions=asked.distributions,
            user_attrs={"best_iteration": 40, "reason": "trained no further"},
        )
        record.number = number
        trial = StoredTrial.read(record, search)
        assert trial == trial_of(number, COMPLETE, 0.25, reason="trained no further", candidate=candidate)
        assert trial.params == candidate.params


@pytest.mark.parametrize(("state", "seconds"), [(FAIL, 2.5), (RUNNING, None)])
def test_a_record_says_when_a_trial_began_and_ended(state, seconds):
    began_at = 1_795_000_000.25
    ended_at = None if seconds is None else began_at + seconds
    record = create_trial(state=state)
    record.datetime_start = datetime.datetime.fromtimestamp(began_at)
    record.datetime_complete = None if ended_at is None else datetime.datetime.fromtimestamp(ended_at)
    search = SearchSpace.model_validate({"learning_rate": 0.1, "n_iterations": 50, "depth": 0, "activation": "relu"})
    trial = StoredTrial.read(record, search)
    assert (trial.started_at, trial.ended_at) == (began_at, ended_at)


def test_trials_that_differ_only_in_their_times_are_equal():
    trial = trial_of(0)
    assert replace(trial, started_at=1.0, ended_at=2.0) == trial
    assert replace(trial, value=0.6) != trial
    assert replace(trial, notes=TrialNotes(best_iteration=41)) != trial


def test_a_trial_that_the_sweeps_time_ended_ranks_with_complete_ones_unless_it_has_no_value():
    by_time = [trial_of(1, PRUNED, 0.2), trial_of(2, PRUNED, None)]
    by_time = [replace(trial, notes=TrialNotes(9, "", is_interrupted=True)) for trial in by_time]
    trials = [trial_of(0, value=0.5), *by_time, trial_of(3, PRUNED, 0.1), trial_of(4, value=0.1)]
    assert numbers(ranked(trials)) == [4, 1, 0, 3, 2]
    assert best_trial(ranked(trials[:4])).number == 1
