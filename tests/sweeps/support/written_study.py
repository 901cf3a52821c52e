"""A finished study of any size in a folder, journal and outbox, as a sweep leaves it; nothing is trained."""

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from engine.checksum import line_with_checksum
from experiments.fact_json import to_json
from experiments.facts import DataFact, Fact, Score, SweepFinished, SweepStarted, TrialFinished
from sweeps.configuration.search_space import SearchSpace
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.study_attributes import StudyAttributes
from sweeps.storage.workspace import Workspace
from sweeps.trials.rungs import Rungs

BEGAN_AT = 1_795_000_000.0
STATES = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
ACTIVATIONS = ("relu", "leaky_relu", "tanh", "sigmoid")


class _Memory(BaseJournalBackend):
    """Keeps the journal's lines until they are all there: one write instead of ten thousand."""

    def __init__(self) -> None:
        self.logs: list[dict[str, Any]] = []

    def read_logs(self, log_number_from: int):
        return iter(self.logs[log_number_from:])

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self.logs += logs


@dataclass
class WrittenStudy:
    """What to write.

    Attributes:
        states: Shares of complete, pruned and failed trials.
        class_names, reason, config_toml, source: Texts of a user's, which must reach no page unescaped.
        linear_out_of_fold: What the linear model's cost is.
        has_outbox: Without it, only the journal is written.
    """

    directory: Path
    n_trials: int = 40
    name: str = "made/20261123-020000"
    states: tuple[float, float, float] = (0.6, 0.35, 0.05)
    class_names: tuple[str, ...] = ("malignant", "benign")
    reason: str = "cost is nan at iteration 340 (learning_rate = 4.2, relu, float32)."
    config_toml: str = '[sweep]\nname = "made"\n'
    source: str = "sklearn:breast_cancer"
    linear_out_of_fold: float = 0.5
    has_outbox: bool = True
    is_regression: bool = False
    has_ended: bool = True
    trials: list[FrozenTrial] = field(default_factory=list)

    def write(self) -> Workspace:
        """Write it; the workspace it is in."""
        workspace = Workspace(self.directory)
        workspace.create()
        workspace.study_folder(self.name).create()
        generator = np.random.default_rng(7)
        memory = _Memory()
        storage = JournalStorage(memory)
        sweep = self.name.partition("/")[0]
        attributes = StudyAttributes(
            name=sweep,
            search=SearchSpace().model_dump(mode="json"),
            n_trials=self.n_trials,
            started_at=BEGAN_AT,
            state="FINISHED" if self.has_ended else "RUNNING",
        )
        stored = StoredStudy.create(storage, self.name, attributes)
        facts: list[Fact] = [self._started()]
        for number in range(self.n_trials):
            trial, fact = self._trial(number, generator)
            self._record(storage, memory, stored.study_id, trial)
            facts.append(fact)
        self.trials = stored.trials
        if self.has_ended:
            facts.append(self._finished())
        JournalFileBackend(str(workspace.journal(sweep))).append_logs(memory.logs)
        if self.has_outbox:
            with workspace.study_folder(self.name).outbox.open("w") as file:
                file.writelines(f"{line_with_checksum(to_json(fact))}\n" for fact in facts)
        return workspace

    def _record(self, storage: JournalStorage, memory: _Memory, study_id: int, trial: FrozenTrial) -> None:
        """The lines that a sweep writes of a trial, with the trial's own times."""
        asked = create_trial(state=TrialState.RUNNING, params=trial.params, distributions=trial.distributions)
        asked.datetime_start = trial.datetime_start
        trial_id = storage.create_new_trial(study_id, asked)
        for step, cost in trial.intermediate_values.items():
            storage.set_trial_intermediate_value(trial_id, step, cost)
        for key, note in trial.user_attrs.items():
            storage.set_trial_user_attr(trial_id, key, note)
        storage.set_trial_state_values(trial_id, trial.state, None if trial.value is None else [trial.value])
        assert trial.datetime_complete is not None
        memory.logs[-1]["datetime_complete"] = trial.datetime_complete.isoformat(timespec="microseconds")

    def _trial(self, number: int, generator: np.random.Generator) -> tuple[FrozenTrial, TrialFinished]:
        """A trial whose cost depends on learning rate and depth, with a curve of as many points as a real one."""
        search = SearchSpace()
        state = STATES[0] if number == 0 else STATES[int(generator.choice(3, p=self.states))]
        depth = int(generator.integers(0, 5))
        width = IntDistribution(4, 64, log=True)
        params: dict[str, Any] = {
            "depth": depth,
            "learning_rate": float(np.exp(generator.uniform(np.log(1e-3), 0))),
            "n_iterations": int(np.exp(generator.uniform(np.log(100), np.log(3000)))),
            **{f"hidden_units_{i}": int(generator.integers(4, 65)) for i in range(1, depth + 1)},
            "activation": ACTIVATIONS[int(generator.integers(4))],
        }
        distributions: dict[str, BaseDistribution] = {
            "depth": IntDistribution(0, 4),
            "learning_rate": FloatDistribution(1e-3, 1.0, log=True),
            "n_iterations": IntDistribution(100, 3000, log=True),
            **{f"hidden_units_{i}": width for i in range(1, depth + 1)},
            "activation": CategoricalDistribution(ACTIVATIONS),
        }
        iterations = np.array(Rungs(search.max_iterations).points(params["n_iterations"]))
        floor = 0.07 + 0.02 * abs(np.log10(params["learning_rate"]) + 0.7) + 0.01 * depth + 0.02 * generator.random()
        cost = floor + 0.6 * np.exp(-params["learning_rate"] * iterations / 30)
        best = int(cost.argmin())
        value = None if state == TrialState.FAIL else float(cost[best])
        reason = {TrialState.PRUNED: "pruned after 111 iterations", TrialState.FAIL: self.reason}.get(state, "")
        seconds = float(iterations[-1] * (1 + depth) * 2e-5)
        started_at = BEGAN_AT + number * 0.1
        trial = create_trial(
            state=state,
            value=value,
            params=params,
            distributions=distributions,
            user_attrs={"best_iteration": int(iterations[best])} | ({"reason": reason} if reason else {}),
            intermediate_values={
                end: float(cost[0]) for end in Rungs(search.max_iterations).ends(params["n_iterations"])
            },
        )
        trial.number = number
        trial.datetime_start = datetime.datetime.fromtimestamp(started_at)
        trial.datetime_complete = datetime.datetime.fromtimestamp(started_at + seconds)
        scores = ("rmse", "r2") if self.is_regression else ("accuracy",)
        curves = {f"{subset}_cost": cost * (0.9 if subset == "train" else 1) for subset in ("train", "validation")}
        curves |= {f"{subset}_{score}": 1 - cost for subset in ("train", "validation") for score in scores}
        metrics = {"training_seconds": seconds}
        if value is not None:
            metrics |= {"value": value, "best_iteration": float(iterations[best])}
        fact = TrialFinished(
            study=self.name,
            number=number,
            state=state.name,  # type: ignore[arg-type]
            interrupted=False,
            params=params,
            metrics=metrics,
            curves={
                key: [(int(i), float(v)) for i, v in zip(iterations, values, strict=True)]
                for key, values in curves.items()
            },
            started_at=started_at,
            ended_at=started_at + seconds,
            reason=reason,
        )
        return trial, fact

    def _started(self) -> SweepStarted:
        balance = {} if self.is_regression else dict.fromkeys(self.class_names, 200)
        task = "regression" if self.is_regression else "binary"
        data = DataFact("made", "abc123", self.source, 400, 100, 30, task, balance)
        tags = {"mlflow.user": "me", "sweeps.version": "0"}
        return SweepStarted(self.name, "made", BEGAN_AT, {}, tags, "", self.config_toml, data)

    def _finished(self) -> SweepFinished:
        names = ("rmse", "r2") if self.is_regression else ("accuracy",)
        metrics = {"value": min(t.value for t in self.trials if t.value is not None)}
        beside = {"constant": 0.6, "logistic regression": 0.94}
        simple = {"constant": 0.7, "logistic regression": self.linear_out_of_fold}
        scores = [Score(name, 0.95, 0.9, 0.98, beside) for name in names]
        return SweepFinished(
            self.name,
            "FINISHED",
            BEGAN_AT + 3725,
            metrics,
            {},
            "",
            {},
            None,
            scores=scores,
            baselines_out_of_fold=simple,
        )
