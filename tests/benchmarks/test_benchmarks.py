"""That the harness measures equal work; never how fast. Run with -m benchmark."""

import pytest

pytest.importorskip("sklearn")

from tests.benchmarks.bench_training import OURS_ONE, columns, measure, row
from tests.benchmarks.workloads import random_sample, textbook

pytestmark = pytest.mark.benchmark
PEERS = ["NumPy textbook", "scikit-learn"]


@pytest.mark.parametrize("n_networks", [1, 5])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_contenders_end_at_the_same_cost_and_fill_a_row(n_networks, dtype):
    breast_cancer = textbook()[1].variant(n_networks, dtype)
    outcome = measure(breast_cancer, PEERS, n_rounds=1)
    assert not outcome.absent
    assert not outcome.is_void, outcome.difference
    assert len(row(outcome, PEERS)) == len(columns(PEERS))
    assert outcome.seconds[OURS_ONE] > 0


def test_a_contender_that_does_other_work_voids_the_row():
    outcome = measure(textbook()[1].variant(1, "float64"), PEERS, n_rounds=1)
    outcome.difference["scikit-learn"] = 1e-6
    assert outcome.is_void
    outcome.difference["scikit-learn"] = float("nan")
    assert outcome.is_void


def test_the_random_sample_is_the_same_every_time():
    first, second = random_sample(4, "breast_cancer"), random_sample(4, "breast_cancer")
    assert [workload.architecture for workload in first] == [workload.architecture for workload in second]
