"""Recipes: how trials are trained, and what is searched, where a configuration does not say.

| recipe   | data                        | trains with                                                            |
|----------|-----------------------------|------------------------------------------------------------------------|
| textbook | any                         | full-batch gradient descent in the ranges of `[search]`, as the course |
| auto     | more features than examples | the same with smaller learning rates: it keeps to the examples' span   |
|          | any other                   | AdamW on minibatches and a mean of its iterates, in wider layers       |

`auto` was chosen by measurement (README, decisions). The range of learning rates follows the optimizer and the task.
It also has two configurations tried first, unless the user has some: the linear model, which a network must beat, and a
network that does well on most tables. A sampler that knows nothing yet draws its first trials at random.
"""

from typing import Any

from sweeps.configuration.config import Config
from sweeps.configuration.search_space import (
    EnqueuedConfiguration,
    FloatRange,
    IntRange,
    SearchSection,
    SearchSpace,
    ShareRange,
)
from sweeps.trials.problem import Problem

ADAMW = FloatRange(low=5e-4, high=3e-2, log=True)
GRADIENT_DESCENT = FloatRange(low=1e-3, high=1.0, log=True)
GRADIENT_DESCENT_OF_STEEP_COSTS = FloatRange(low=1e-3, high=0.1, log=True)
"""Of squared errors, and of many features, whose gradients add up."""


def with_recipe(config: Config, problem: Problem) -> Config:
    """The configuration with its recipe's choice, for these data, wherever its user has said nothing."""
    chosen = dict(SearchSpace()) | (_auto(config, problem) if config.training.recipe == "auto" else {})
    search = {key: chosen[key] for key in SearchSection.model_fields if key not in config.search.model_fields_set}
    chosen["flips"] = problem.has_mirror_images
    training = {key: chosen[key] for key, value in config.training if value is None}
    filled_in = config.filled_in(config.search.model_copy(update=search), config.training.model_copy(update=training))
    if config.enqueue or config.training.recipe != "auto":
        return filled_in
    return filled_in.with_first(_first(filled_in.space, problem))


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
        "dropout": ShareRange(low=0.0, high=0.3),
        "learning_rate_schedule": ("averaged",),
    }


def _first(space: SearchSpace, problem: Problem) -> tuple[EnqueuedConfiguration, ...]:
    """The configurations to begin with, as far as the space holds them; what it does not hold is the sampler's."""
    tables: list[dict[str, Any]] = [{"hidden_units": ()}]
    if not problem.is_wide:
        tables.append({"hidden_units": (128, 64)})
    common = {
        "learning_rate": 0.005,
        "n_iterations": space.max_iterations,
        "minibatch_size": 128,
        "dropout": 0.1,
        "activation": "relu",
    }
    wanted = (EnqueuedConfiguration.model_validate(common | table) for table in tables)
    return tuple(dict.fromkeys(table.within(space) for table in wanted))
