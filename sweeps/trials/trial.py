"""A trial: what it is trained on, where it stands, and what is known of it when it ends."""

import time
from concurrent.futures import Future
from dataclasses import dataclass, field

from optuna.trial import TrialState

from engine import Best, Curve, State
from engine.activations import FloatArray
from engine.curve import best_point, join
from engine.objectives import COST, Objective
from engine.worker import RungResult
from experiments.errors import how_many
from sweeps.trials.space import Candidate
from sweeps.trials.stored_trial import StoredTrial, TrialNotes


@dataclass(slots=True)
class RunningTrial:
    """A trial between its first and its last rung.

    Attributes:
        objective: What it is judged by.
        rung: Index of the present rung in `rung_ends`.
        values: At the ends of the rungs that have been applied.
        state, curves: After the rungs that are trained, which may be more than have been applied.
        future: The present rung, where it is being trained; None when it is known already.
        training_seconds: On workers, so far.
        imagined_seconds: How long the present rung takes on the imagined machine, see `sweeps.search.schedule`.
        pace: Real seconds an imagined second, in the latest rung that was trained here; 0 before there is one.
        cut: Costs of the present rung as far as it was trained when the time was over.
    """

    number: int
    candidate: Candidate
    rung_ends: tuple[int, ...]
    started_at: float
    objective: Objective = COST
    rung: int = 0
    values: list[float] = field(default_factory=list)
    state: State | None = None
    curves: list[Curve] = field(default_factory=list)
    future: "Future[RungResult] | None" = None
    training_seconds: float = 0.0
    imagined_seconds: float = 0.0
    pace: float = 0.0
    cut: Curve | None = None

    @property
    def rung_end(self) -> int:
        """Iteration at which the present rung ends."""
        return self.rung_ends[self.rung]

    @property
    def has_levelled_off(self) -> bool:
        """Whether the latest rung brought no better value than those before it."""
        return len(self.values) > 1 and self.values[-1] == self.values[-2]

    @property
    def early_stop(self) -> str:
        """That training ended before the present rung does, for a person; empty where it did not or is not known."""
        trained_to = self.curves[-1].iterations[-1] if self.curves else self.rung_end
        if trained_to >= self.rung_end:
            return ""
        better = "lower validation cost" if self.objective.is_cost else f"better validation {self.objective.name}"
        since = best_of(join(self.curves), self.objective)[1]
        return f"trained for {how_many(trained_to, 'iteration')}, no {better} since {since}"


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What is known of a trial when it ends.

    Attributes:
        trial: As the storage holds it from now on.
        curve: Recorded costs, all rungs together; None when this process did not train it.
        training_seconds: Time on workers.
        best: Its networks where its value was best; None when this process did not train it.
        rung_ends: Z[L] of the held-out columns at the ends of its rungs, as in `Best`, except where `best` is from.
        is_recalled: Whether the trial ended before this process began, and is known from the storage.
    """

    trial: StoredTrial
    curve: Curve | None
    training_seconds: float
    best: Best | None = None
    rung_ends: tuple[FloatArray, ...] = ()
    is_recalled: bool = False


def best_of(curve: Curve, objective: Objective = COST) -> tuple[float, int]:
    """The best value along a curve (mean over the folds) and its iteration: the value of a trial."""
    best = best_point(curve, objective)
    return float(curve.validation_value[best].mean()), curve.iterations[best]


def ended(trial: RunningTrial, state: TrialState, reason: str, is_interrupted: bool) -> TrialResult:
    """The result of a trial that ends now: with its present rung, or before it when the sweep ends."""
    curves = trial.curves[: trial.rung + (not is_interrupted)]  # a checkpoint may hold more than has been applied
    if is_interrupted and trial.cut is not None:
        curves = [*curves, trial.cut]
    curve = join(curves) if curves else None
    has_value = curve is not None and state != TrialState.FAIL
    value, best_iteration = best_of(curve, trial.objective) if curve is not None and has_value else (None, None)
    stored = StoredTrial(
        number=trial.number,
        state=state,
        value=value,
        candidate=trial.candidate,
        notes=TrialNotes(best_iteration, reason, is_interrupted),
        started_at=trial.started_at,
        ended_at=time.time(),
    )
    best = None if trial.state is None else trial.state.best
    rung_ends = tuple(
        part.logits
        for part in curves
        if part.logits is not None and (best is None or part.iterations[-1] != best.iteration)
    )
    return TrialResult(stored, curve, trial.training_seconds, best, rung_ends)
