"""Recipes: what is searched where a configuration does not say.

| recipe   | trains with                                                                                           |
|----------|-------------------------------------------------------------------------------------------------------|
| textbook | full-batch gradient descent and the ranges of `[search]`, as the course does                           |
| auto     | AdamW on minibatches, see below                                                                        |
"""

from typing import Any

from sweeps.configuration.config import FloatRange, SearchSection, SearchSpace, TrainingSection
from sweeps.trials.problem import Problem


def space_of(search: SearchSection, training: TrainingSection, problem: Problem) -> SearchSpace:
    """What `[search]` and `[training]` come to: what the user wrote, else the recipe's choice, else the textbook's."""
    written = {name: getattr(search, name) for name in search.model_fields_set}
    written |= {name: value for name, value in training if name != "recipe" and value is not None}
    chosen = {} if training.recipe == "textbook" else _auto(problem)
    return SearchSpace(**(chosen | written))


def _auto(problem: Problem) -> dict[str, Any]:
    return {
        "optimizer": ("adamw",),
        "minibatch_size": (32, 128, 512),
        "learning_rate": FloatRange(low=5e-4, high=3e-2, log=True),
        "learning_rate_schedule": ("averaged",),
    }
