"""Recipes: how trials are trained, and what is searched, where a configuration does not say.

| recipe   | trains with                                                                                          |
|----------|------------------------------------------------------------------------------------------------------|
| textbook | full-batch gradient descent in the ranges of `[search]`, as the course does                          |
| auto     | AdamW on minibatches, and a mean of its iterates; chosen by measurement (README, decisions)          |
"""

from typing import Any

from sweeps.configuration.config import Config, FloatRange, IntRange, SearchSection, SearchSpace
from sweeps.trials.problem import Problem


def with_recipe(config: Config, problem: Problem) -> Config:
    """The configuration with its recipe's choice, for these data, wherever its user has said nothing."""
    chosen = dict(SearchSpace()) | (_auto(problem) if config.training.recipe == "auto" else {})
    search = {key: chosen[key] for key in SearchSection.model_fields if key not in config.search.model_fields_set}
    training = {key: chosen[key] for key, value in config.training if key != "recipe" and value is None}
    return config.filled_in(config.search.model_copy(update=search), config.training.model_copy(update=training))


def _auto(problem: Problem) -> dict[str, Any]:
    if problem.is_wide:
        return {"learning_rate": FloatRange(low=1e-3, high=0.1, log=True)}
    return {
        "hidden_units": IntRange(low=8, high=128, log=True),
        "optimizer": ("adamw",),
        "minibatch_size": (32, 128, 512),
        "learning_rate": FloatRange(low=5e-4, high=3e-2, log=True),
        "learning_rate_schedule": ("averaged",),
    }
