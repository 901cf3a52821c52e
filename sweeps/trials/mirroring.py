"""Whether mirror images of the training pictures help: found empirically, before the first trial.

A cat that looks to the left is as good a cat, and a mirrored b is a d. So a small network is trained on both, and what
it says of pictures that it held out decides.
"""

from dataclasses import replace

import numpy as np

from engine import Architecture, Hyperparameters, TrainingData, advance, start
from engine.activations import BoolArray, FloatArray
from engine.worker import initial_parameters
from experiments.mirror_images import mirrored
from experiments.preparation import PreparedData

MAX_EXAMPLES = 500
N_STARTS = 2
HIDDEN_UNITS = (16,)
LEARNING_RATES = (0.003, 0.03, 0.3)
N_ITERATIONS = 100
SPACING = 4
LEAST_GAIN = 0.01
"""How much lower the cost must be, as a share."""


def with_mirror_images(prepared: PreparedData, flips: bool | None, seed: int) -> PreparedData:
    """The same data, whose networks train on each picture's mirror image, too, if that is asked for or helps.

    Args:
        prepared: Of pictures or anything else.
        flips: Whether to; None is where it lowers the cost out of fold.
        seed: Decides which examples are taken if there are many, and the initial weights.
    """
    if flips is False or prepared.dataset.image_shape is None:
        return prepared
    if flips:
        return replace(prepared, has_mirror_images=True)
    without, beside = costs_without_and_with(prepared, seed)
    if not np.isfinite(without) or beside > (1 - LEAST_GAIN) * without:
        return prepared
    note = (
        "Networks train on the mirror image of each picture, too: out of fold this lowers the cost of a small one "
        f"from {without:.3g} to {beside:.3g}. Write [training] flips = false to do without."
    )
    return replace(prepared, has_mirror_images=True, notes=(*prepared.notes, note))


def costs_without_and_with(prepared: PreparedData, seed: int) -> tuple[float, float]:
    """Cost of a small network on the pictures that it holds out, without and with mirror images of the others.

    Each is the mean over folds and initial weights, at the iteration where it is lowest.
    """
    m, n_folds = prepared.n_examples, prepared.n_folds
    chosen = np.sort(np.random.default_rng((seed, m)).permutation(m)[:MAX_EXAMPLES])
    dataset, transform = prepared.dataset, prepared.preprocessing.transform
    assert isinstance(dataset.X_train, np.ndarray), "only pictures have mirror images"
    assert dataset.image_shape is not None, "only pictures have mirror images"
    pictures = dataset.X_train[chosen]  # of many, no others are scaled
    X, Y = transform(pictures), prepared.Y[:, chosen]
    held_out, validated = prepared.held_out[:n_folds, chosen], prepared.validated[:n_folds, chosen]
    if held_out.all(axis=1).any() or not validated.any(axis=1).all():
        return np.inf, np.inf  # too few of them in a fold to tell
    without = _cost(X, Y, held_out, validated, dataset.task, seed)
    X, Y = np.hstack([X, transform(mirrored(pictures, dataset.image_shape))]), np.hstack([Y, Y])
    validated = np.hstack([validated, np.zeros_like(validated)])
    return without, _cost(X, Y, np.hstack([held_out, held_out]), validated, dataset.task, seed)


def _cost(X: FloatArray, Y: FloatArray, held_out: BoolArray, validated: BoolArray, head: str, seed: int) -> float:
    """Lowest mean validation cost in short trainings, by gradient descent with each of the learning rates."""
    n_folds = len(held_out)
    held_out, validated = np.tile(held_out, (N_STARTS, 1)), np.tile(validated, (N_STARTS, 1))
    data = TrainingData.of(X, Y, held_out, np.float32, leaves_span=False, validated=validated)
    architecture = Architecture(X.shape[0], HIDDEN_UNITS, Y.shape[0], "relu", head)
    initial = initial_parameters(architecture, (seed,), data.dtype, N_STARTS, n_folds)
    state, record_at, lowest = start(initial, data, architecture), range(0, N_ITERATIONS + 1, SPACING), np.inf
    for learning_rate in LEARNING_RATES:
        _, curve = advance(state, data, Hyperparameters(architecture, learning_rate), N_ITERATIONS, record_at)
        lowest = min(lowest, float(np.nan_to_num(curve.validation_cost.mean(axis=1), nan=np.inf).min()))
    return lowest
