"""The ensemble: fold models of the best trials, whose answers are averaged. It costs no further training.

Each fold model has been trained on other examples than it held out, so what the fold models of a trial say of the
examples that they held out is a fair test. The members and their weights are chosen by it, see `experiments.ensemble`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine import Best, Member, State, TrainingData, finish
from engine.heads import HEADS
from engine.worker import initial_parameters
from experiments.ensemble import select_ensemble
from experiments.facts import Score
from experiments.model import Model
from experiments.preparation import PreparedData
from experiments.readers.room import room_for
from sweeps.storage.kept_trials import KeptTrial
from sweeps.trials.problem import Problem


@dataclass(frozen=True, slots=True)
class Share:
    """A trial whose fold models are members, and what all of them together weigh."""

    number: int
    weight: float


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Fold models of several trials, whose answers are averaged.

    Attributes:
        shares: The trials, heaviest first; their weights sum to 1.
        steps: How it was selected: the trial that each step added, and the objective's value of the mean after it, out
            of fold. The first is the best single trial.
        scores: On the test set, as the winner's.
        model: With all that a prediction from raw inputs needs.
        is_recommended: Whether it is the one to use, rather than the winner.
    """

    shares: tuple[Share, ...]
    steps: tuple[tuple[int, float], ...]
    scores: list[Score]
    model: Model
    is_recommended: bool

    @property
    def out_of_fold(self) -> float:
        """The objective on the examples that were held out, of the mean of the members that held them out."""
        return self.steps[-1][1]


def select(
    kept: Sequence[KeptTrial], problem: Problem, data: TrainingData, prepared: PreparedData, study: str, n_steps: int
) -> Ensemble | None:
    """The ensemble that the kept trials make, not scored yet; None where nothing was kept.

    Args:
        kept: Best first.
        problem, data: As the trials had them.
        prepared: With the targets that decide.
        study: The study's name, kept with the model.
        n_steps: The largest number of members; a trial that is added twice counts twice.
    Raises:
        NoRoomError: For what the trials say of all examples, where it does not fit into the memory.
    """
    if not kept:
        return None
    is_validated = prepared.validated.any(axis=0)
    outputs = room_for(len(kept), len(prepared.Y), int(np.count_nonzero(is_validated)))
    for of_trial, one in zip(outputs, kept, strict=True):
        of_trial[...] = out_of_fold(one.best, data, problem.head, prepared)[:, is_validated]
    Y = prepared.Y[:, is_validated]
    if not problem.objective.is_cost:  # in original units
        Y = prepared.target_scaling.scale * Y
        for of_trial in outputs:
            of_trial *= prepared.target_scaling.scale
    selected = select_ensemble(
        outputs,
        Y,
        prepared.dataset.task,
        n_steps,
        objective=problem.objective,
        weights=None if prepared.weights is None else prepared.weights[1, is_validated],
    )
    members = [_member(kept[member.candidate], member.weight, problem, data, prepared) for member in selected.members]
    return Ensemble(
        shares=tuple(Share(kept[member.candidate].trial.number, member.weight) for member in selected.members),
        steps=tuple((kept[step.candidate].trial.number, step.value) for step in selected.steps),
        scores=[],
        model=Model.ensemble(prepared, members, study),
        is_recommended=data.n_networks > 1,  # one network of less data than the winner's is no ensemble
    )


def out_of_fold(best: Best, data: TrainingData, head: str, prepared: PreparedData) -> NDArray[np.float64]:
    """What a trial's networks say of every example, scaled as `prepared.Y` is.

    Returns:
        (n[L], m), mean over the networks that were validated on the example; 0 for an example that none was.
    """
    A = HEADS[head].outputs(best.logits).astype(np.float64)
    for of_network, (factor, shift) in zip(A, _to_common(prepared), strict=True):
        of_network[...] = factor * of_network + shift
    m = prepared.n_examples  # mirror images come after it
    total, n = np.zeros((A.shape[1], m)), np.zeros(m)
    for of_network, columns, validated in zip(A, data.validation_columns, data.validated, strict=True):
        is_own = validated[columns]
        total[:, columns[is_own]] += of_network[:, is_own]
        n[columns[is_own]] += 1
    mean: NDArray[np.float64] = total / np.maximum(n, 1)
    return mean


def _member(kept: KeptTrial, weight: float, problem: Problem, data: TrainingData, prepared: PreparedData) -> Member:
    trial, best = kept.trial, kept.best
    hyperparameters = problem.hyperparameters(trial.candidate, trial.number)
    architecture = hyperparameters.architecture
    n_folds = data.n_networks // problem.n_starts
    seed = problem.initial_seed(trial.number)
    initial = initial_parameters(architecture, seed, data.dtype, problem.n_starts, n_folds)
    state = State(best.iteration, best.theta, offset=None, settled=best.settled)
    parameters = finish(state, initial, hyperparameters.form_of(data), architecture)
    for W, b, (factor, shift) in zip(parameters.W[-1], parameters.b[-1], _to_common(prepared), strict=True):
        W[...] = factor * W  # so that all networks answer in one unit; a factor above 0 passes a ReLU
        b[...] = factor * b + shift
    return Member(architecture, parameters, weight)


def _to_common(prepared: PreparedData) -> list[tuple[float, float]]:
    """Factor and shift by which each network's targets are scaled as `prepared.Y` is; (1, 0) for classes."""
    common = prepared.target_scaling
    return [(own.scale / common.scale, (own.offset - common.offset) / common.scale) for own in prepared.target_scalings]
