"""Training of a stack of networks, in rungs: the visible loop.

    initial = initialize(architecture, generator)
    state = start(initial, data, architecture)
    state, curve = advance(state, data, hyperparameters, n_iterations, record_at)
    parameters = finish(state, initial, data, architecture)

`advance` is pure: no I/O, no clock, no global random state. The same arguments give the same bits in any process.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from engine.activations import Float64Array, FloatArray
from engine.curve import Best, Curve, Recorder
from engine.data import TrainingData
from engine.descent import Descent
from engine.errors import EngineError, ShapeError
from engine.heads import HEADS
from engine.hyperparameters import Hyperparameters
from engine.memory import copied
from engine.network import Architecture, Parameters
from engine.objectives import COST, Objective
from engine.stack import SETTLE_EVERY, Stack, n_parameters, split

UFUNC_BUFFER = 256
"""Elements in NumPy's ufunc buffer during training. NumPy copies a view through this buffer if the view's contiguous
pieces are shorter than half of it."""


@dataclass(frozen=True, slots=True)
class State:
    """How far training has come: everything `advance` needs to continue, and nothing else.

    Attributes:
        iteration: Updates done so far.
        theta: All parameters, (F, P): one row per network, in the layout of `engine.stack.split`.
        offset: theta_0 [X; 1], (1 or F, n[1], m), if the first layer is trained in the span of the examples; else None.
        settled: The part of that layer's coefficients that `engine.stack` has settled, (F, n[1], m) in float64; else
            None.
        moments: What the optimizer remembers of earlier gradients, (n_moments, F, P); None before the first iteration.
        average: Mean of the iterates, (F, P), if they are averaged; else None.
        best: The networks where their mean value was best; None before a point of the curve was recorded, or if a
            network holds out nothing.
    """

    iteration: int
    theta: FloatArray
    offset: FloatArray | None
    settled: Float64Array | None
    moments: FloatArray | None = None
    average: FloatArray | None = None
    best: Best | None = None

    @property
    def at_its_best(self) -> "State":
        """The state with the parameters of `best`, for `finish`; training cannot go on from it."""
        assert self.best is not None, "no point of a curve has been recorded"
        return replace(
            self, iteration=self.best.iteration, theta=self.best.theta, settled=self.best.settled, average=None
        )


def start(initial: Parameters, data: TrainingData, architecture: Architecture) -> State:
    """State before the first iteration.

    Args:
        initial: One network, from which all folds start, or one network per fold.
        data: Examples, targets and folds.
        architecture: Shared by all networks.
    Raises:
        ShapeError: The parameters do not fit the architecture, the data or the number of folds.
    """
    initial.check(architecture)
    _check_fit(architecture, data)
    n_given, n_networks = initial.W[0].shape[0], data.n_networks
    if n_given not in (1, n_networks):
        raise ShapeError(
            f"parameters: {n_given} networks for {n_networks} folds. Pass one network for all folds or one per fold."
        )
    theta = np.zeros((n_networks, n_parameters(architecture, data)), data.dtype)
    layers = [np.concatenate([W, b], axis=-1) for W, b in zip(initial.W, initial.b, strict=True)]
    if data.basis is not None:
        V = initial.W[0] @ data.basis
        layers[0] = np.concatenate([V, np.broadcast_to(initial.b[0], (len(V), *initial.b[0].shape[1:]))], axis=-1)
    offset = None
    if data.gram is not None:
        offset = layers[0].astype(data.dtype) @ data.scaled.with_ones
    for layer, view in enumerate(split(theta, architecture, data)):
        if layer > 0 or offset is None:
            view[...] = layers[layer]
    settled = None if offset is None else np.zeros((n_networks, *offset.shape[1:]))
    return State(0, theta, offset, settled)


def advance(
    state: State,
    data: TrainingData,
    hyperparameters: Hyperparameters,
    n_iterations: int,
    record_at: Collection[int] = (),
    objective: Objective = COST,
) -> tuple[State, Curve]:
    """Continue training until `n_iterations` updates have been done in total.

    Args:
        state: From `start` or an earlier `advance`; not changed.
        data: The same as in the calls before.
        hyperparameters: The same as in the calls before.
        n_iterations: Total number of updates after this call.
        record_at: Iterations at which costs are recorded; those outside [state.iteration, n_iterations] are ignored.
        objective: Decides which recorded iteration is the best; training does not depend on it.
    Returns:
        The new state, and the costs at the recorded iterations. Training that diverges stops there: the state's
        iteration is then `curve.diverged_at`.
    Raises:
        EngineError: The state is past `n_iterations`, or the training would leave the span of the examples, in which
            the form of the data keeps the first layer.
    """
    if n_iterations < state.iteration:
        raise EngineError(
            f"n_iterations = {n_iterations}, but the state has done {state.iteration}. Training does not go back; pass "
            "a total that is at least as large."
        )
    if not hyperparameters.fits(data):
        raise EngineError(
            f"data: their first layer is reduced, which {hyperparameters.optimizer} with these minibatches, decay and "
            "averaging would not compute. Only a training in the span of the examples fits; pass "
            "hyperparameters.form_of(data), of data prepared with leaves_span = True."
        )
    theta = copied(state.theta)
    settled = None if state.settled is None else state.settled.copy()
    average = None
    if hyperparameters.is_averaged:
        average = copied(state.theta if state.average is None else state.average)
    record_at = frozenset(record_at)

    with np.errstate(over="ignore", invalid="ignore", under="ignore"):  # the recorder looks for divergence
        np.setbufsize(UFUNC_BUFFER)  # restored when this block is left
        stack = Stack(
            hyperparameters.architecture,
            data,
            theta,
            state.offset,
            settled,
            hyperparameters.learning_rate if hyperparameters.is_textbook else 1,
            evaluated=average,
            label_smoothing=hyperparameters.label_smoothing,
            minibatch_size=hyperparameters.minibatch_of(data),
            dropout=hyperparameters.dropout,
            seed=hyperparameters.seed,
        )
        descent = Descent(hyperparameters, theta, stack.flat_dtheta, stack.is_weight, state.moments, average)
        recorder = Recorder(stack, HEADS[hyperparameters.architecture.head], state.best, objective)
        for iteration in range(state.iteration, n_iterations + 1):
            is_last, is_recorded = iteration == n_iterations, iteration in record_at
            if is_last and not is_recorded:
                break
            stack.load(iteration)
            for part in stack.training:
                part.forward()
                if is_recorded:
                    recorder.add_training(part)
                if not is_last:
                    part.backward()
            if is_recorded and not recorder.record(iteration):
                break
            if not is_last:
                descent.step(iteration + 1)
                if (iteration + 1) % SETTLE_EVERY == 0:
                    stack.settle()

    state = State(iteration, theta, state.offset, settled, descent.moments, average, recorder.best)
    return state, recorder.curve()


def finish(state: State, initial: Parameters, data: TrainingData, architecture: Architecture) -> Parameters:
    """Full parameters of the F networks: theta[1] = theta_0 + C [X; 1]^T where the first layer was reduced.

    Args:
        state: As returned by the last `advance`.
        initial: As passed to `start`.
        data: As passed to `advance`.
        architecture: As passed to `start`.
    """
    layers = split(state.theta if state.average is None else state.average, architecture, data)
    if data.basis is not None:  # theta[1] = theta_0 + (V - theta_0 Q) Q^T, so what is outside of the span stays
        moved = layers[0][:, :, :-1] - (initial.W[0] @ data.basis).astype(data.dtype)
        W = (initial.W[0] + moved @ data.basis.mT).astype(data.dtype)
        layers[0] = np.concatenate([W, layers[0][:, :, -1:]], axis=-1)
    if state.settled is not None:
        theta_0 = np.concatenate([initial.W[0], initial.b[0]], axis=-1).astype(data.dtype)
        C = state.settled + data.spread(layers[0])  # float64, for the same reason as in `engine.stack`
        layers[0] = (theta_0 + C @ data.scaled.with_ones.mT).astype(data.dtype)
    return Parameters(
        W=tuple(layer[:, :, :-1].copy() for layer in layers),
        b=tuple(layer[:, :, -1:].copy() for layer in layers),
    )


def _check_fit(architecture: Architecture, data: TrainingData) -> None:
    expected = (architecture.n_features, architecture.n_outputs)
    found = (data.n_features, data.n_outputs)
    if expected != found:
        raise ShapeError(
            f"data: {found[0]} features and {found[1]} outputs. The architecture has n[0] = {expected[0]} and "
            f"n[L] = {expected[1]}; build it from the data's own shape."
        )
