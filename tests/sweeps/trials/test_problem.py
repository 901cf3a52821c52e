"""What is the same for every trial of a sweep, and the little that is a trial's own."""

from engine.worker import initial_parameters
from sweeps.trials.problem import Problem
from sweeps.trials.space import Candidate
from tests.sweeps.support.small_sweep import small_problem


def test_a_candidate_becomes_the_network_of_the_problem():
    problem = Problem(30, 3, 100, 5, "multiclass", "float32", 7)
    hyperparameters = problem.hyperparameters(Candidate(0.01, 100, (20, 7), "relu"), 0)
    assert hyperparameters.learning_rate == 0.01
    assert hyperparameters.architecture.layer_sizes == (30, 20, 7, 3)
    assert (hyperparameters.architecture.activation, hyperparameters.architecture.head) == ("relu", "multiclass")


def test_every_trial_and_every_sweep_begins_at_weights_of_its_own():
    problem, data = small_problem()
    architecture = problem.hyperparameters(Candidate(0.1, 5, (4,), "tanh"), 0).architecture
    seeds = [
        problem.initial_seed(0),
        problem.initial_seed(1),
        Problem(3, 1, 30, 2, "regression", "", 2).initial_seed(0),
    ]
    weights = [initial_parameters(architecture, seed, data.dtype).W[0].ravel()[0] for seed in seeds]
    assert len(set(weights)) == 3
