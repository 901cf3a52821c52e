"""The search space, define-by-run: a trial's depth decides how many widths it has."""

from dataclasses import dataclass
from typing import TypeVar

from optuna.trial import BaseTrial, FixedTrial, FrozenTrial

from engine import Architecture
from sweeps.configuration.search_space import DepthRange, FloatRange, IntRange, SearchSpace

_Choice = TypeVar("_Choice", str, int)


def hidden_units_name(layer: int) -> str:
    """What the width of hidden layer 1, 2, ... is called wherever hyperparameters have names."""
    return f"hidden_units_{layer}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """The hyperparameters of one trial; `hidden_units` has one width a hidden layer."""

    learning_rate: float
    n_iterations: int
    hidden_units: tuple[int, ...]
    activation: str
    optimizer: str = "gradient_descent"
    minibatch_size: int = 0
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    dropout: float = 0.0
    learning_rate_schedule: str = "constant"

    @property
    def params(self) -> dict[str, float | int | str]:
        """All hyperparameters, searched or fixed, under the names used everywhere."""
        return {
            "learning_rate": self.learning_rate,
            "n_iterations": self.n_iterations,
            "depth": len(self.hidden_units),
            **{hidden_units_name(layer): n for layer, n in enumerate(self.hidden_units, start=1)},
            "activation": self.activation,
            "optimizer": self.optimizer,
            "minibatch_size": self.minibatch_size,
            "weight_decay": self.weight_decay,
            "label_smoothing": self.label_smoothing,
            "dropout": self.dropout,
            "learning_rate_schedule": self.learning_rate_schedule,
        }

    @property
    def widths(self) -> str:
        """The widths of the hidden layers for a person: "20-7-5"; "none" for logistic or linear regression."""
        return "-".join(map(str, self.hidden_units)) or "none"

    def architecture(self, n_features: int, n_outputs: int, head: str) -> Architecture:
        """The network that this candidate describes, for data of these sizes."""
        return Architecture(n_features, self.hidden_units, n_outputs, self.activation, head)


def suggest(trial: BaseTrial, space: SearchSpace) -> Candidate:
    """Ask a trial for every hyperparameter that is not fixed."""
    depth = _suggest_int(trial, "depth", space.depth)
    return Candidate(
        learning_rate=_suggest_float(trial, "learning_rate", space.learning_rate),
        n_iterations=_suggest_int(trial, "n_iterations", space.n_iterations),
        hidden_units=tuple(
            _suggest_int(trial, hidden_units_name(layer), space.hidden_units) for layer in range(1, depth + 1)
        ),
        activation=_suggest_one(trial, "activation", space.activation),
        optimizer=_suggest_one(trial, "optimizer", space.optimizer),
        minibatch_size=_suggest_one(trial, "minibatch_size", space.minibatch_size),
        weight_decay=_suggest_float(trial, "weight_decay", space.weight_decay),
        label_smoothing=_suggest_float(trial, "label_smoothing", space.label_smoothing),
        dropout=_suggest_float(trial, "dropout", space.dropout),
        learning_rate_schedule=_suggest_one(trial, "learning_rate_schedule", space.learning_rate_schedule),
    )


def recall(trial: FrozenTrial, space: SearchSpace) -> Candidate:
    """The candidate that `suggest` made of a trial that is stored."""
    return suggest(FixedTrial(trial.params), space)


def _suggest_int(trial: BaseTrial, name: str, searched: IntRange | DepthRange | int) -> int:
    if isinstance(searched, int):
        return searched
    return trial.suggest_int(name, searched.low, searched.high, log=searched.log)


def _suggest_float(trial: BaseTrial, name: str, searched: FloatRange | float) -> float:
    if isinstance(searched, FloatRange):
        return trial.suggest_float(name, searched.low, searched.high, log=searched.log)
    return searched


def _suggest_one(trial: BaseTrial, name: str, choices: tuple[_Choice, ...]) -> _Choice:
    return choices[0] if len(choices) == 1 else trial.suggest_categorical(name, choices)
