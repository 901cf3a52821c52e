"""How many trials are in flight."""

from dataclasses import replace

import pytest

from sweeps.search.flight import MOST, trials_in_flight, trials_in_flight_known
from sweeps.trials.problem import Problem
from sweeps.trials.recipe import with_recipe
from tests.sweeps.support.small_sweep import small_config

SMALL = Problem(4, 3, 100, 5, "multiclass", "float32", 1)
LARGE = replace(SMALL, n_features=500, n_examples=200_000)


def in_flight(problem, timeout_seconds, workers=1, **study):
    config = small_config(
        sweep={"timeout_seconds": timeout_seconds}, execution={"workers": workers}, training={"recipe": "auto"},
        search={"hidden_units": 64, "depth": 4, "n_iterations": 3000, "learning_rate": 0.01},
        study={"trials_in_flight": None} | study,
    )  # fmt: skip
    return trials_in_flight(with_recipe(config, problem), problem)


def test_without_a_limit_of_time_there_are_sixteen_for_any_number_of_workers():
    assert {in_flight(problem, None, workers) for problem in (SMALL, LARGE) for workers in (1, 2, 64)} == {MOST}


def test_as_many_as_can_come_to_their_end_in_the_time_that_there_is():
    numbers = [in_flight(LARGE, seconds) for seconds in (1, 60, 900, 10**6)]
    assert numbers[0] == 2
    assert numbers == sorted(numbers)
    assert 2 < numbers[2] < MOST
    assert numbers[3] == MOST


def test_every_worker_has_two_however_little_time_there_is():
    assert [in_flight(LARGE, 1, workers) for workers in (1, 2, 20)] == [2, 4, 40]


@pytest.mark.parametrize("timeout_seconds", [None, 1])
def test_what_is_configured_is_left_as_it_is(timeout_seconds):
    assert in_flight(LARGE, timeout_seconds, trials_in_flight=7) == 7


def test_before_the_data_are_read_it_is_known_unless_time_decides():
    def known(timeout_seconds, trials_in_flight):
        study = {"trials_in_flight": trials_in_flight}
        return trials_in_flight_known(small_config(sweep={"timeout_seconds": timeout_seconds}, study=study))

    assert [known(None, None), known(None, 7), known(60, 7), known(60, None)] == [MOST, 7, 7, None]
