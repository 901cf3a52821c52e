"""Recipes: how trials are trained, and what is searched, where a configuration does not say.

| recipe   | data                        | trains with                                                            |
|----------|-----------------------------|------------------------------------------------------------------------|
| textbook | any                         | full-batch gradient descent in the ranges of `[search]`, as the course |
| auto     | more features than examples | the same with smaller learning rates: it keeps to the examples' span   |
|          | any other                   | AdamW on minibatches and a mean of its iterates, in wider layers       |

`auto` was chosen by measurement (README, decisions). The range of learning rates follows the optimizer and the task.
"""

from typing import Any

from sweeps.configuration.config import Config, FloatRange, IntRange, SearchSection, SearchSpace
from sweeps.trials.problem import Problem

ADAMW = FloatRange(low=5e-4, high=3e-2, log=True)
GRADIENT_DESCENT = FloatRange(low=1e-3, high=1.0, log=True)
GRADIENT_DESCENT_OF_STEEP_COSTS = FloatRange(low=1e-3, high=0.1, log=True)
"""Of squared errors, and of many features, whose gradients add up."""


def with_recipe(config: Config, problem: Problem) -> Config:
    """The configuration with its recipe's choice, for these data, wherever its user has said nothing."""
    chosen = dict(SearchSpace()) | (_auto(config, problem) if config.training.recipe == "auto" else {})
    search = {key: chosen[key] for key in SearchSection.model_fields if key not in config.search.model_fields_set}
    training = {key: chosen[key] for key, value in config.training if key != "recipe" and value is None}
    return config.filled_in(config.search.model_copy(update=search), config.training.model_copy(update=training))


def _auto(config: Config, problem: Problem) -> dict[str, Any]:
    optimizers = config.training.optimizer or (("gradient_descent",) if problem.is_wide else ("adamw",))
    is_steep = problem.is_wide or problem.head in ("regression", "nonnegative_regression")
    descent = GRADIENT_DESCENT_OF_STEEP_COSTS if is_steep else GRADIENT_DESCENT
    ranges = [ADAMW if optimizer == "adamw" else descent for optimizer in optimizers]
    low, high = min(item.low for item in ranges), max(item.high for item in ranges)
    chosen: dict[str, Any] = {"optimizer": optimizers, "learning_rate": FloatRange(low=low, high=high, log=True)}
    if optimizers == ("gradient_descent",) and problem.is_wide:
        return chosen
    return chosen | {
        "hidden_units": IntRange(low=8, high=128, log=True),
        "minibatch_size": (32, 128, 512),
        "learning_rate_schedule": ("averaged",),
    }
