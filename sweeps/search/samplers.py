"""Optuna's samplers by the names of `[study] sampler`: each trial gets a new one, whose only memory is the study."""

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import (
    BaseSampler,
    BruteForceSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
)
from optuna.trial import FrozenTrial, TrialState

from experiments.errors import InputError, how_many
from sweeps.configuration.config import Config
from sweeps.search.optuna_private import QuickTPESampler
from sweeps.trials.configurations import Space, n_trials_of

POPULATION_SIZE = 10
"""Complete trials in a generation of `nsgaii`; with Optuna's 50, 100 trials of which half are pruned are all random."""

_PACKAGES = {"cmaes": ("cmaes", "cmaes"), "gp": ("torch", "gp")}  # the package, and the extra that brings it

_NOTES = {
    "gp": "sampler = gp: once 10 trials are complete, each further trial costs 1 to 2 s of one core before it begins.",
    "cmaes": "sampler = cmaes learns from the numbers that every trial has; activation and widths that depend on "
    "the depth are drawn at random.",
    "nsgaii": f"sampler = nsgaii draws at random until {POPULATION_SIZE} trials are complete; pruned ones do not "
    "count.",
}


@dataclass(frozen=True, slots=True)
class Samplers:
    """Makes the sampler of each trial.

    Attributes:
        name: As in `[study] sampler`.
        seed: The sweep's.
        space: What is searched.
    """

    name: str
    seed: int
    space: Space

    @property
    def needs_window(self) -> bool:
        """Whether an ask would grow with the history, and does as well with a part of it: see `window.py`."""
        return self.name in ("tpe", "gp")

    @property
    def repeats_asks(self) -> bool:
        """Whether a resume asks again what was asked: the sampler goes by notes that earlier asks left in the study."""
        return self.name in ("cmaes", "qmc", "nsgaii")

    def new(self, number: int, attempt: int = 0) -> BaseSampler:
        """A sampler for a trial; `attempt` counts how often its proposals had been tried already."""
        entropy = [self.seed, number, attempt] if attempt else [self.seed, number]
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        common = self.space.common
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # group, consider_pruned_trials, brute force
            match self.name:
                case "tpe":
                    return QuickTPESampler(seed=seed, group=True)  # for widths that depend on depth
                case "random":
                    return RandomSampler(seed=seed)
                case "gp" if attempt:  # it would propose the same again, seconds later
                    return RandomSampler(seed=seed)
                case "gp":
                    return SamplerOfSpace(GPSampler(seed=seed), common, seed)
                case "cmaes":
                    numbers = {n: d for n, d in common.items() if not isinstance(d, CategoricalDistribution)}
                    return SamplerOfSpace(CmaEsSampler(seed=seed, consider_pruned_trials=True), numbers, seed)
                case "qmc":
                    sequence = int(np.random.SeedSequence([self.seed]).generate_state(1)[0])  # one for all trials
                    return SamplerOfSpace(QMCSampler(seed=sequence, scramble=True), self.space.all, seed)
                case "nsgaii":
                    return SamplerOfSpace(NSGAIISampler(seed=seed, population_size=POPULATION_SIZE), common, seed)
                case "brute_force":
                    return new_brute_force(seed)
        raise AssertionError(f"{self.name}: the configuration allows a sampler that is not made here")


class SamplerOfSpace(BaseSampler):
    """A sampler that models the same hyperparameters in every trial; the others are drawn at random.

    Optuna works out before each trial which hyperparameters its complete trials have in common. Where depth decides how
    many widths there are, the answer changes with them: CMA-ES then draws at random for good, and QMC begins another
    sequence.
    """

    def __init__(self, sampler: BaseSampler, space: dict[str, BaseDistribution], seed: int) -> None:
        self._sampler = sampler
        self._space = space
        self._random = RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As the interface says."""
        return self._space

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the interface says."""
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401  # a parameter's value
        """As the interface says."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)


class UntiredBruteForceSampler(BruteForceSampler):
    """Optuna's, which does not stop the study: that is an error outside `Study.optimize`, and a sweep counts."""

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:  # noqa: ANN401
        """As the interface says."""


def new_brute_force(seed: int) -> BaseSampler:
    """A sampler that proposes what no trial has, running ones included, as long as there is such a configuration."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return UntiredBruteForceSampler(seed=seed)


def check_package(name: str) -> None:
    """Notice that a sampler's package is missing before anything begins.

    Raises:
        InputError: It is not installed.
    """
    package, extra = _PACKAGES.get(name, ("optuna", ""))
    if find_spec(package) is None:
        raise InputError(
            f'[study] sampler = "{name}": the package {package} is not installed.',
            "It does not come with sweeps unless asked for.",
            f"Type: pip install 'sweeps[{extra}]'",
        )


def notes_on(config: Config) -> list[str]:
    """What a person should know of the search before it begins, a sentence or two each."""
    notes = [_NOTES[config.study.sampler]] if config.study.sampler in _NOTES else []
    if (n_trials := n_trials_of(config)) < config.sweep.n_trials:
        notes.append(
            f"The search space has {how_many(n_trials, 'configuration')}, and none is tried twice: "
            f"{how_many(n_trials, 'trial')} instead of {config.sweep.n_trials}."
        )
    return notes
