"""What a worker process runs: load the data once, then advance any trial by any rung.

Imports nothing but the engine, so a worker starts in a fraction of a second and needs no database and no network.
"""

import os
import signal
import threading
import time
from dataclasses import dataclass, replace
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from engine.activations import FloatArray
from engine.curve import Curve, join
from engine.data import TrainingData
from engine.hyperparameters import Hyperparameters
from engine.initialization import initialize
from engine.network import Architecture, Parameters
from engine.objectives import COST, Objective
from engine.threads import one_blas_thread
from engine.training import State, advance, start

SLICE_SECONDS = 0.2
"""How often a rung that has a deadline looks at the clock."""

N_FIRST_SLICE = 8
"""Iterations after which it first does, and knows how fast it is."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One stretch of one trial's training: everything that a worker needs to know.

    Attributes:
        initial_seed: Seed of the initial weights; used when `state` is None.
        state: State at the end of the previous rung; None for the first rung.
        n_iterations: Total number of updates after this rung.
        record_at: Iterations at which costs are recorded.
        objective: What decides which of them is the best.
        n_starts: Initial weights that the trial is trained from, each in all folds.
        deadline: Unix time after which training stops where it is; None lets it come to its end.
    """

    hyperparameters: Hyperparameters
    initial_seed: tuple[int, ...]
    state: State | None
    n_iterations: int
    record_at: tuple[int, ...]
    objective: Objective = COST
    n_starts: int = 1
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class RungResult:
    """A worker's answer.

    Attributes:
        state, curve: After the rung, or where its deadline has stopped it.
        seconds: Wall time that the worker measured, on which no decision depends.
    """

    state: State
    curve: Curve
    seconds: float

    def is_cut(self, n_iterations: int) -> bool:
        """Whether a deadline has stopped the rung before so many updates were done."""
        return self.state.iteration < n_iterations and self.curve.diverged_at is None


def initial_parameters(
    architecture: Architecture, seed: tuple[int, ...], dtype: np.dtype[np.floating], n_starts: int = 1, n_folds: int = 1
) -> Parameters:
    """The initial parameters of a trial: the same in every fold, in every process, and for the refitted winner.

    With several starts, those of all folds of the first start, then those of the second; the first start is the same
    however many there are.
    """
    first = initialize(architecture, np.random.default_rng(seed), dtype)
    if n_starts == 1:
        return first
    others = [initialize(architecture, np.random.default_rng((*seed, start)), dtype) for start in range(1, n_starts)]

    def of_all(*arrays: FloatArray) -> FloatArray:
        return np.concatenate([np.repeat(array, n_folds, axis=0) for array in arrays])

    return Parameters(
        W=tuple(of_all(*layers) for layers in zip(*(start.W for start in (first, *others)), strict=True)),
        b=tuple(of_all(*layers) for layers in zip(*(start.b for start in (first, *others)), strict=True)),
    )


def run_rung(rung: Rung, data: TrainingData) -> RungResult:
    """Advance one trial by one rung; apart from `seconds`, and without a deadline, a pure function of its arguments."""
    started = perf_counter()
    data = rung.hyperparameters.form_of(data)
    state = rung.state
    if state is None:
        architecture = rung.hyperparameters.architecture
        n_folds = data.n_networks // rung.n_starts
        initial = initial_parameters(architecture, rung.initial_seed, data.dtype, rung.n_starts, n_folds)
        state = start(initial, data, architecture)
    if rung.deadline is None:
        state, curve = advance(state, data, rung.hyperparameters, rung.n_iterations, rung.record_at, rung.objective)
    else:
        state, curve = _advance_until(rung.deadline, state, data, rung)
    return RungResult(state, curve, perf_counter() - started)


def _advance_until(deadline: float, state: State, data: TrainingData, rung: Rung) -> tuple[State, Curve]:
    """Advance in slices, to the same bits, and stop after the one in which the deadline passes.

    The last point of what was stopped is recorded, so that it has a value.
    """
    curves: list[Curve] = []
    n_done, n_slice = state.iteration, N_FIRST_SLICE
    while True:
        began_at = perf_counter()
        end = min(rung.n_iterations, state.iteration + n_slice)
        record_at = [i for i in rung.record_at if i > n_done or not curves]
        n_done, is_last = end, end == rung.n_iterations
        state, curve = advance(state, data, rung.hyperparameters, end, record_at, rung.objective)
        curves.append(curve)
        if is_last or curve.diverged_at is not None:
            break
        if time.time() >= deadline:
            if end not in record_at:
                state, curve = advance(state, data, rung.hyperparameters, end, [end], rung.objective)
                curves.append(curve)
            break
        n_slice = max(1, round(n_slice * SLICE_SECONDS / max(perf_counter() - began_at, 1e-6)))
    return state, replace(join(curves), logits=curves[-1].logits)


_data: TrainingData | None = None  # this worker process's data, mapped once by `initialize_worker`


def initialize_worker(data_directory: Path) -> None:
    """Make this process a worker: one BLAS thread, data mapped, Ctrl-C left to the coordinator, exit with it."""
    global _data
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    one_blas_thread()
    _data = TrainingData.load(data_directory)


def run_rung_in_worker(rung: Rung) -> RungResult:
    """`run_rung` on the data of this worker."""
    assert _data is not None, "initialize_worker has not run in this process"
    return run_rung(rung, _data)


def serve(pipe: "Connection[Any, Any]") -> None:
    """Main loop of a worker process: report that the imports are done, then answer calls until the pipe is closed.

    A call is (function, arguments); an answer is (None, result), or (error, None).
    """
    pipe.send("ready")
    while True:
        try:
            call, arguments = pipe.recv()
        except EOFError:
            return
        answer: tuple[Exception | None, Any]
        try:
            answer = (None, call(*arguments))
        except Exception as error:  # for the coordinator to judge
            answer = (error, None)
        pipe.send(answer)


def _exit_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # the coordinator is gone: nobody will read a result
