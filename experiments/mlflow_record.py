"""What a study looks like in MLflow, and how each fact gets there exactly once.

    experiment  `SweepStarted.experiment`
    └ parent run = the study            tags sweeps.kind = study, sweeps.study
      ├ one nested run per trial        tags sweeps.kind = trial, sweeps.study, sweeps.trial_number, sweeps.trial_state
      └ the winner as a logged model    registered under the experiment's name, and so is the ensemble, if there is one;
                                        aliases `candidate` and `winner` (`registry.py`), and `champion`, which verdicts
                                        move (`promotion/champion.py`)

Nothing here takes effect twice, however often it is repeated, because (a) a run is looked for by its tags before it is
created, and a second one that a slow server made is deleted at the end (`study_runs.py`), (b) start times, steps and
timestamps come from the fact, never from the clock, and MLflow's stores ignore a metric row that they already have, and
(c) a trial's status is written last, so a run that is no longer RUNNING is complete. Only one process writes at a time
(`delivery_session.py` holds a lock).

MLflow is imported when a record is opened, not before: it takes seconds.
"""

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.facts import SweepFinished, SweepStarted, TrialFinished, VerdictReached, metric_of_baseline
from experiments.mlflow_connection import connect, find_or_create_experiment, is_database
from experiments.promotion.champion import deliver_verdict
from experiments.registry import publish_models
from experiments.study_runs import StudyRuns, time_to_settle

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric, Run

_STATUS = {"COMPLETE": "FINISHED", "PRUNED": "FINISHED", "FAIL": "FAILED"}
_DIGEST_LENGTH = 36  # mlflow.utils.validation.MAX_DATASET_DIGEST_SIZE


class ArtifactsPending(Exception):  # noqa: N818 - a state, not only an error
    """Everything about a fact is in MLflow except files; the message says which and why."""


class MlflowRecord:
    """The record of one study, open for writing.

    Attributes:
        experiment_id: MLflow's id of the experiment.
        run_id: MLflow's id of the parent run.
        is_new: Whether the parent run was created just now, so that there are no trials to find.
        is_killed: Whether the parent run was found as KILLED.

    Raises (from everything here):
        MlflowException and others: MLflow could not be reached or refused; nothing is lost, try again later.
    """

    __slots__ = (
        "_client",
        "_inherited_tags",
        "_inputs",
        "_is_parent_running",
        "_runs",
        "_started",
        "_tracking_uri",
        "_trials",
        "experiment_id",
        "is_killed",
        "is_new",
        "run_id",
    )

    def __init__(self, tracking_uri: str, started: SweepStarted, run_id: str | None = None) -> None:
        """Connect; find, restore or create the experiment and the parent run.

        Args:
            run_id: The parent run of an earlier record, which is used again if it still exists.
        """
        self._client = connect(tracking_uri)
        self._tracking_uri = tracking_uri
        self._started = started
        self._inputs = _dataset_inputs(started)
        self._inherited_tags = {
            key: value for key, value in started.tags.items() if key.startswith(("mlflow.user", "mlflow.source."))
        }
        self.experiment_id = find_or_create_experiment(self._client, tracking_uri, started.experiment)
        self._runs = StudyRuns(self._client, self.experiment_id, started.study, _milliseconds(started.started_at))
        self._trials: dict[int, Run] = {}
        found = self._runs.parent(run_id)
        self.is_new = found is None
        parent = found or self._create_parent()
        self.run_id: str = self._active(parent)
        self._is_parent_running = parent.info.status == "RUNNING"
        self.is_killed = parent.info.status == "KILLED"

    def find_trials(self, since: float | None) -> None:
        """Learn which trials already have a run, deleted runs included, so that none gets a second one.

        Args:
            since: Unix time, seconds: start of the earliest trial that will be written; None if there is none.
        """
        if since is not None:
            self._trials = self._runs.trials(self.run_id, f"attributes.start_time >= {_milliseconds(since)}")

    @property
    def is_at_server(self) -> bool:
        """Whether each call waits for a server's answer."""
        return not is_database(self._tracking_uri)

    @property
    def is_running(self) -> bool:
        """Whether the parent run was RUNNING when we last saw it or wrote it."""
        return bool(self._is_parent_running)

    def was_stopped(self) -> bool:
        """Whether somebody has set the parent run, which we left RUNNING, to KILLED: asks MLflow."""
        return self.is_running and bool(self._client.get_run(self.run_id).info.status == "KILLED")

    def write_started(self, started: SweepStarted) -> None:
        """Write the study's configuration and data set.

        Raises:
            ArtifactsPending: config.toml could not be stored; the rest is.
        """
        from mlflow.entities import Param

        params = [Param(key, str(value)) for key, value in started.params.items()]
        self._client.log_batch(self.run_id, params=params)
        self._client.log_inputs(self.run_id, datasets=self._inputs)
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder, "config.toml")
            config.write_text(started.config_toml, encoding="utf-8")
            _say_what_is_pending(self._store_files({"config.toml": config}))

    def write_trial(self, trial: TrialFinished, *, is_sweep_running: bool) -> None:
        """Write one nested run: three or four calls, the status last."""
        from mlflow.entities import Param

        run = self._trials.get(trial.number)
        if run is not None and run.info.status != "RUNNING":
            return  # complete: the status is written last
        if is_sweep_running:
            self.reopen()
        if run is None:
            run = self._runs.create(_milliseconds(trial.started_at), self._trial_tags(trial), trial.key)
            self._trials[trial.number] = run
        run_id = self._active(run)
        params = [Param(key, str(value)) for key, value in trial.params.items()]
        self._client.log_batch(run_id, metrics=_points(trial), params=params)
        self._client.log_inputs(run_id, datasets=self._inputs)
        status = "KILLED" if trial.interrupted else _STATUS[trial.state]
        self._client.set_terminated(run_id, status, _milliseconds(trial.ended_at))

    def write_finished(self, finished: SweepFinished, folder: Path) -> None:
        """Write the study's end: results, description and status; then delete duplicates, store files and models.

        Args:
            folder: Where the fact's relative paths start.
        Raises:
            ArtifactsPending: a file or a model could not be stored; the rest is.
        """
        from mlflow.entities import Metric, RunTag

        tags = dict(finished.tags)
        if finished.description:
            tags["mlflow.note.content"] = finished.description
        ended_at = _milliseconds(finished.ended_at)
        named = dict(finished.metrics)
        for score in finished.scores:
            named |= score.metrics
        named |= {f"{metric_of_baseline(name)}_value": cost for name, cost in finished.baselines_out_of_fold.items()}
        if finished.ensemble_out_of_fold is not None:
            named["ensemble_value"] = finished.ensemble_out_of_fold
        for score in finished.ensemble_scores:  # the baselines are the winner's
            named |= {f"ensemble_{key}": value for key, value in score.metrics.items() if key.startswith("test_")}
        if finished.corrected is not None:
            named |= finished.corrected.metrics
        metrics = [Metric(key, value, ended_at, 0) for key, value in named.items()]
        self._client.log_batch(self.run_id, metrics=metrics, tags=[RunTag(k, v) for k, v in tags.items()])
        self._client.set_terminated(self.run_id, finished.state, ended_at)
        self._is_parent_running = False
        self._runs.delete_doubles(self.run_id)
        failures = self._store_files({target: folder / source for target, source in finished.artifacts.items()})
        if finished.state == "FINISHED" and finished.model_file is not None:
            try:
                with time_to_settle():
                    publish_models(self._client, self.run_id, self._started.experiment, finished, folder)
            except Exception as error:  # from the artifact store, the registry or the file
                failures.append(("the model", error))
        _say_what_is_pending(failures)

    def write_verdict(self, verdict: VerdictReached, folder: Path) -> None:
        """Store a verdict with the challenger's version, and move the alias `champion` if it says so.

        Args:
            folder: The study's, where what came of it is noted.
        Raises:
            ArtifactsPending: the challenger is not registered yet.
        """
        if not deliver_verdict(self._client, self._tracking_uri, self.run_id, verdict, folder):
            raise ArtifactsPending("the verdict: its model is not registered yet")

    def _create_parent(self) -> "Run":
        tags = {
            **self._started.tags,
            "sweeps.kind": "study",
            "sweeps.study": self._started.study,
            "mlflow.note.content": self._started.description,
        }
        started_at = _milliseconds(self._started.started_at)
        return self._runs.create(started_at, tags, self._started.study)

    def _active(self, run: "Run") -> str:
        """The run's id, after restoring the run if somebody deleted it: we still have to write to it."""
        run_id: str = run.info.run_id
        if run.info.lifecycle_stage != "active":
            self._client.restore_run(run_id)
        return run_id

    def reopen(self) -> None:
        """A continued study is RUNNING again, whatever its first end said."""
        if not self._is_parent_running:
            with time_to_settle():  # otherwise it may take effect after the end
                self._client.update_run(self.run_id, status="RUNNING")
            self._is_parent_running = True

    def _trial_tags(self, trial: TrialFinished) -> dict[str, str]:
        tags = {
            **self._inherited_tags,
            **trial.tags,
            "mlflow.parentRunId": self.run_id,
            "sweeps.kind": "trial",
            "sweeps.study": trial.study,
            "sweeps.trial_number": str(trial.number),
            "sweeps.trial_state": trial.state,
        }
        if trial.reason:
            tags["sweeps.reason"] = trial.reason
        return tags

    def _store_files(self, files: dict[str, Path]) -> list[tuple[str, Exception]]:
        """Log local files under the given paths, as many as possible; returns which failed, and why."""
        failures: list[tuple[str, Exception]] = []
        for target, source in files.items():
            try:
                self._store_file(target, source)
            except Exception as error:  # the artifact store is a system of its own, with errors of its own
                failures.append((f"artifact {target}", error))
        return failures

    def _store_file(self, target: str, source: Path) -> None:
        folder, _, name = target.rpartition("/")
        if source.name == name:
            self._client.log_artifact(self.run_id, str(source), folder or None)
            return
        with tempfile.TemporaryDirectory() as scratch:  # MLflow keeps the local file's name
            renamed = shutil.copyfile(source, Path(scratch, name))
            self._client.log_artifact(self.run_id, str(renamed), folder or None)


def _say_what_is_pending(failures: list[tuple[str, Exception]]) -> None:
    """Raise ArtifactsPending for the first failure, if there is one."""
    if failures:
        what, cause = failures[0]
        raise ArtifactsPending(f"{what}: {type(cause).__name__}: {cause}") from cause


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _points(trial: TrialFinished) -> "list[Metric]":
    """The trial's curves and final values as MLflow's points, the same at every replay.

    A curve's times are spread over the trial's duration in proportion to the iteration and end before `ended_at`, the
    time of the final values: so MLflow shows the final value as the latest, even where its curve ends in another.
    """
    from mlflow.entities import Metric

    last_step = max((iteration for curve in trial.curves.values() for iteration, _ in curve), default=0)
    start, end = _milliseconds(trial.started_at), _milliseconds(trial.ended_at)
    points = [
        Metric(key, value, start + (end - 1 - start) * iteration // max(last_step, 1), iteration)
        for key, curve in trial.curves.items()
        for iteration, value in curve
    ]
    for key, value in trial.metrics.items():
        curve = trial.curves.get(key)
        if not curve or curve[-1] != (last_step, value):  # otherwise the curve's last point already says it
            points.append(Metric(key, value, end, last_step))
    return points


def _dataset_inputs(started: SweepStarted) -> "list[DatasetInput]":
    from mlflow.entities import Dataset, DatasetInput, InputTag

    data = started.data
    profile = {
        "num_rows": data.n_train,
        "n_test": data.n_test,
        "n_features": data.n_features,
        "task": data.task,
        "class_balance": data.class_balance,
    }
    dataset = Dataset(
        name=data.name,
        digest=data.digest[:_DIGEST_LENGTH],
        source_type="local",
        source=json.dumps({"uri": data.source}),
        profile=json.dumps(profile),
    )
    return [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])]
