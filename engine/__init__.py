"""NumPy deep networks, trained in stacks. See engine/README.md."""

from engine.curve import Best, Curve
from engine.data import TrainingData
from engine.ensemble import Member, mean_outputs
from engine.errors import EngineError, ShapeError, WeightsFileError
from engine.hyperparameters import Hyperparameters
from engine.initialization import initialize
from engine.network import Architecture, Parameters, forward
from engine.training import State, advance, finish, start
from engine.weights import Weights, load_weights, save_weights

__all__ = [
    "Architecture",
    "Best",
    "Curve",
    "EngineError",
    "Hyperparameters",
    "Member",
    "Parameters",
    "ShapeError",
    "State",
    "TrainingData",
    "Weights",
    "WeightsFileError",
    "advance",
    "finish",
    "forward",
    "initialize",
    "load_weights",
    "mean_outputs",
    "save_weights",
    "start",
]
