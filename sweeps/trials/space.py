"""The search space, define-by-run: a trial's depth decides how many widths it has."""

from dataclasses import dataclass

from optuna.trial import BaseTrial, FixedTrial, FrozenTrial

from engine import Architecture
from sweeps.configuration.config import DepthRange, FloatRange, IntRange, SearchSection


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

    @property
    def params(self) -> dict[str, float | int | str]:
        """All hyperparameters, searched or fixed, under the names used everywhere."""
        return {
            "learning_rate": self.learning_rate,
            "n_iterations": self.n_iterations,
            "depth": len(self.hidden_units),
            **{hidden_units_name(layer): n for layer, n in enumerate(self.hidden_units, start=1)},
            "activation": self.activation,
        }

    @property
    def widths(self) -> str:
        """The widths of the hidden layers for a person: "20-7-5"; "none" for logistic or linear regression."""
        return "-".join(map(str, self.hidden_units)) or "none"

    def architecture(self, n_features: int, n_outputs: int, head: str) -> Architecture:
        """The network that this candidate describes, for data of these sizes."""
        return Architecture(n_features, self.hidden_units, n_outputs, self.activation, head)


def suggest(trial: BaseTrial, search: SearchSection) -> Candidate:
    """Ask a trial for every hyperparameter that is not fixed."""
    depth = _suggest_int(trial, "depth", search.depth)
    learning_rate = (
        trial.suggest_float(
            "learning_rate", search.learning_rate.low, search.learning_rate.high, log=search.learning_rate.log
        )
        if isinstance(search.learning_rate, FloatRange)
        else search.learning_rate
    )
    n_iterations = _suggest_int(trial, "n_iterations", search.n_iterations)
    hidden_units = tuple(
        _suggest_int(trial, hidden_units_name(layer), search.hidden_units) for layer in range(1, depth + 1)
    )
    activation = (
        trial.suggest_categorical("activation", search.activation)
        if len(search.activation) > 1
        else search.activation[0]
    )
    return Candidate(learning_rate, n_iterations, hidden_units, activation)


def recall(trial: FrozenTrial, search: SearchSection) -> Candidate:
    """The candidate that `suggest` made of a trial that is stored."""
    return suggest(FixedTrial(trial.params), search)


def _suggest_int(trial: BaseTrial, name: str, searched: IntRange | DepthRange | int) -> int:
    if isinstance(searched, int):
        return searched
    return trial.suggest_int(name, searched.low, searched.high, log=searched.log)
