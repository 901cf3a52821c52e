"""That `drift` finds what was injected and little else, over simulated nights. Run with -m benchmark."""

import pytest

from tests.benchmarks.bench_drift import CASES, by_score, nights_of, propose_locally

pytestmark = pytest.mark.benchmark
N_RUNS = 40
BY_NAME = {case.name: case for case in CASES}


def said(name):
    case = BY_NAME[name]
    return case, [by_score(nights_of(case, 9000 + seed, propose_locally)) for seed in range(N_RUNS)]


@pytest.mark.parametrize("name", [case.name for case in CASES if not case.moved])
def test_where_nothing_moves_at_most_one_history_in_twenty_is_said_to_have_moved(name):
    _, found = said(name)
    assert sum(bool(names) for names in found) <= 0.05 * N_RUNS


@pytest.mark.parametrize("name", ["learning rate steps 10 x", "learning rate steps 10 x, 24 nights"])
def test_a_learning_rate_that_steps_tenfold_is_found_in_two_histories_of_three(name):
    case, found = said(name)
    assert sum(set(case.moved) <= names for names in found) >= 2 / 3 * N_RUNS
