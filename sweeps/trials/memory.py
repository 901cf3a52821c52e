"""Memory: a new sweep tries first what did best in the earlier ones of its name.

A sweep is run again because its data have changed, and the best hyperparameters move slowly. Values on other data say
little about today's, so nothing but configurations is taken over: they are trained like any other trial, and the
sampler learns from what they come to today. (On unchanged data nothing is trained twice: the study itself goes on.)
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from optuna.trial import TrialState

from sweeps.configuration.config import Config
from sweeps.configuration.search_space import EnqueuedConfiguration, SearchSpace
from sweeps.trials.stored_trial import StoredTrial

N_OF_A_STUDY = 3
"""Configurations that each earlier study may give, its best ones."""

SHARE = 0.1
"""Of a sweep's trials, at most, that are given to memory; one at least."""


def remembered(leaderboards: Iterable[Sequence[StoredTrial]], n_trials: int) -> tuple[EnqueuedConfiguration, ...]:
    """Configurations to try first: the best of each earlier study, the newest study first; none twice.

    Args:
        leaderboards: Of earlier studies, the newest first; each best first.
        n_trials: Of the new sweep.
    """
    best = [
        trial.candidate
        for leaderboard in leaderboards
        for trial in [trial for trial in leaderboard if trial.state == TrialState.COMPLETE][:N_OF_A_STUDY]
    ]
    distinct = list(dict.fromkeys(best))[: max(1, int(SHARE * n_trials))]
    return tuple(EnqueuedConfiguration.model_validate(asdict(candidate)) for candidate in distinct)


def with_memory(config: Config, tables: Sequence[dict[str, Any]]) -> tuple[Config, list[str]]:
    """The configuration with these tried first, as far as its space holds them, and what a person should know of that.

    What the user enqueued comes before, what the recipe has tried first comes after.

    Args:
        config: With its recipe's choice.
        tables: As the study keeps them.
    """
    if not tables:
        return config, []
    asked = [EnqueuedConfiguration.model_validate(table) for table in tables]
    fitting = [table.within(config.space) for table in asked]
    known = tuple(table for table in fitting if table.hidden_units is not None or table.learning_rate is not None)
    first, last = (config.enqueue, ()) if config.as_written.enqueue else ((), config.enqueue)
    notes = [f"First the configurations that did best in earlier sweeps of {config.sweep.name}: {len(known)}."]
    if outside := _outside(asked, config.space):
        notes.append(f"Outside today's search space, and left to the sampler there: {', '.join(outside)}.")
    return config.with_first(tuple(dict.fromkeys((*first, *known, *last)))), notes


def _outside(tables: Iterable[EnqueuedConfiguration], space: SearchSpace) -> list[str]:
    """Hyperparameters of which an earlier configuration has a value that the space does not hold."""
    lost = {
        name
        for table in tables
        for name, value in table
        if value is not None and getattr(table.within(space), name) is None
    }
    return sorted(lost)
