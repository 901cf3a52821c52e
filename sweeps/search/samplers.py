"""Optuna's samplers by the names of `[study] sampler`."""

import warnings

import numpy as np
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler

from sweeps.search.optuna_private import QuickTPESampler


def new_sampler(name: str, seed: int, number: int) -> BaseSampler:
    """A sampler seeded by the sweep's seed and the trial's number, with no other memory than the study."""
    trial_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    if name == "random":
        return RandomSampler(seed=trial_seed)
    assert name == "tpe", f"{name}: the configuration allows a sampler that is not made here"
    with warnings.catch_warnings():  # group is experimental, and needed for widths that depend on depth
        warnings.simplefilter("ignore", ExperimentalWarning)
        return QuickTPESampler(seed=trial_seed, group=True)
