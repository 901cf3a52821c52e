"""How many trials are in flight, where a configuration does not say: fewer when time is short.

Trials in flight advance together. When the time is over, those that have not come to their end are stubs, so with a
limit there are only as many as could be trained to their very end one after the other, but enough to keep the workers
busy. It is a function of the configuration, the data and, where time is short, the number of workers; a study keeps the
number it began with.
"""

from engine import Hyperparameters
from sweeps.configuration.config import Config
from sweeps.configuration.search_space import DepthRange, IntRange
from sweeps.execution.cores import n_cores
from sweeps.trials.problem import Problem, imagined_seconds
from sweeps.trials.space import Candidate

MOST = 16
TRIALS_OF_A_WORKER = 2
"""Trials in flight for each worker that keep it busy (README)."""


def trials_in_flight(config: Config, problem: Problem) -> int:
    """As configured, else 16, or fewer where a limit of time would leave them unfinished.

    Args:
        config: With its recipe's choice.
        problem: Decides what an iteration costs.
    """
    if (known := trials_in_flight_known(config)) is not None:
        return known
    assert config.sweep.timeout_seconds is not None, "otherwise it is known"
    n_workers = config.execution.workers or n_cores()
    longest = imagined_seconds(_largest(config, problem), problem, config.search.max_iterations)
    n_to_the_end = int(config.sweep.timeout_seconds * n_workers / longest)
    return max(TRIALS_OF_A_WORKER * n_workers, min(MOST, n_to_the_end))


def trials_in_flight_known(config: Config) -> int | None:
    """As far as a configuration tells before its data are read; None where the time that there is decides."""
    has_no_limit = config.sweep.timeout_seconds is None
    return config.study.trials_in_flight or (MOST if has_no_limit else None)


def _largest(config: Config, problem: Problem) -> Hyperparameters:
    """The most expensive training that the space holds."""
    space = config.space
    depth = space.depth.high if isinstance(space.depth, DepthRange) else space.depth
    n_units = space.hidden_units.high if isinstance(space.hidden_units, IntRange) else space.hidden_units
    size = 0 if 0 in space.minibatch_size else max(space.minibatch_size)
    candidate = Candidate(1.0, space.max_iterations, (n_units,) * depth, space.activation[0], minibatch_size=size)
    return problem.hyperparameters(candidate, 0)
