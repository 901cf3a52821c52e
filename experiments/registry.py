"""A study's models in MLflow: logged as models of its run, registered under the sweep's name, called by two aliases.

    winner      the newest single network, refitted       logged as `model`
    candidate   the newest model that is recommended: the winner, or the ensemble, which is logged as `ensemble`

However often this is repeated, and wherever a kill interrupted it, each step is done once: what a step makes carries
the digest of the model file in a tag and is looked for before it is made, and the run's own tag, with the digests of
all its models, is written last. Once that tag is there, nothing is touched any more: what a person deleted or renamed
afterwards stays as they left it.

Every call names its store: MLflow's fluent functions and `models:/` sources would use the process's global one.
"""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.facts import Score, SweepFinished
from experiments.mlflow_connection import is_database
from experiments.pyfunc import save_pyfunc
from experiments.together import N_AT_ONCE, make_together

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run

ALIAS = "candidate"
WINNER_ALIAS = "winner"
DIGEST = "sweeps.model_digest"
"""Tag of a logged model and of a version: of its file. Of a run: of all its models, the recommended one first."""

_VERSION = "sweeps.model_version"
_ENDED_AT = "sweeps.ended_at"  # Unix time, milliseconds; `SweepFinished.order`
STUDY = "sweeps.study"
"""Tag of a logged model and of a version: the study that made it."""


@dataclass(frozen=True, slots=True)
class _StudyModel:
    """A model of a study on its way to the registry.

    Attributes:
        name: The logged model's, by which MLflow resolves runs:/<run id>/<name>.
        kind: What it is called in descriptions.
        scores: On the sealed test set.
        scored_at: Unix time, milliseconds.
        tags: Of all that is made of it.
    """

    name: str
    kind: str
    file: Path
    scores: Sequence[Score]
    scored_at: int
    tags: dict[str, str]

    @property
    def digest(self) -> str:
        return self.tags[DIGEST]

    @property
    def description(self) -> str:
        of_study = f"{self.kind} of `{self.tags[STUDY]}`"
        scores = ", ".join(f"test_{score.name} {score.value:.4g}" for score in self.scores)
        return f"{of_study}: {scores}." if scores else f"{of_study}."


def registered_name(sweep: str) -> str:
    """The name of a sweep's registered model: not every name is allowed in MLflow and as the name of a folder."""
    return re.sub(r"[^\w. -]+", "_", sweep).strip(" .")[:250] or "_"


def publish_models(client: MlflowClient, run_id: str, sweep: str, finished: SweepFinished, folder: Path) -> None:
    """Log and register the winner of a study, and its ensemble if there is one, unless that is done already.

    Args:
        client: A client of the store that holds both the run and the registry.
        run_id: The study's run.
        sweep: The sweep's name.
        finished: The end of the study, with a winner.
        folder: Where the fact's relative paths start; the files are from `Model.save`.
    Raises:
        InputError, WeightsFileError: A file is not a model.
        OSError, MlflowException and others: MLflow could not be reached or refused; try again later.
    """
    winner, ensemble = _models_of(finished, folder)
    models = [winner] if ensemble is None else [winner, ensemble]
    recommended = ensemble if finished.recommended == "ensemble" and ensemble is not None else winner
    digests = " ".join(model.digest for model in sorted(models, key=lambda model: model is not recommended))
    run = client.get_run(run_id)
    if run.data.tags.get(DIGEST) == digests:
        return
    name = registered_name(sweep)
    versions = {model.digest: _published(client, run, name, model) for model in models}
    ended_at = recommended.tags[_ENDED_AT]
    _move_alias(client, name, WINNER_ALIAS, versions[winner.digest], ended_at)
    _move_alias(client, name, ALIAS, versions[recommended.digest], ended_at)
    client.set_tag(run_id, _VERSION, f"{name}/{versions[recommended.digest]}")
    client.set_tag(run_id, DIGEST, digests)


def _models_of(finished: SweepFinished, folder: Path) -> tuple[_StudyModel, _StudyModel | None]:
    """The winner and the ensemble.

    MLflow writes the scores of a logged model among its run's too, under the same names. The ensemble's bear an
    earlier time, so that the run's latest are the winner's.
    """
    ended_at = round(finished.ended_at * 1000)

    def model(name: str, kind: str, file: str, scores: Sequence[Score], scored_at: int) -> _StudyModel:
        digest = sha256((folder / file).read_bytes()).hexdigest()
        order = round((finished.order or finished.ended_at) * 1000)
        tags = {STUDY: finished.study, DIGEST: digest, _ENDED_AT: str(order)}
        return _StudyModel(name, kind, folder / file, scores, scored_at, tags)

    assert finished.model_file is not None, "a study that finished has a winner"
    winner = model("model", "Winner", finished.model_file, finished.scores, ended_at)
    if finished.ensemble_file is None:
        return winner, None
    return winner, model("ensemble", "Ensemble", finished.ensemble_file, finished.ensemble_scores, ended_at - 1)


def _published(client: MlflowClient, run: Run, name: str, model: _StudyModel) -> str:
    """Log and register one model, as far as that is not done; returns the number of its version."""
    logged = _logged_model(client, run, model)
    if str(logged.status) != "READY":
        _fill(client, run, logged, model)
    return _registered_version(client, name, logged, model)


def _logged_model(client: MlflowClient, run: Run, model: _StudyModel) -> LoggedModel:
    of_this_run = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'")
    found = next((logged for logged in of_this_run if logged.tags.get(DIGEST) == model.digest), None)
    return found or client.create_logged_model(
        run.info.experiment_id, model.name, source_run_id=run.info.run_id, tags=model.tags, model_type="sweeps"
    )


def _fill(client: MlflowClient, run: Run, logged: LoggedModel, model: _StudyModel) -> None:
    """Bind the logged model to its run, give it its scores and its files, and mark it READY."""
    from mlflow.entities import LoggedModelOutput, Metric
    from mlflow.models import Model as MlflowModel

    run_id, model_id = run.info.run_id, logged.model_id
    is_bound = run.outputs is not None and any(output.model_id == model_id for output in run.outputs.model_outputs)
    if not is_bound:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    scores = [
        Metric(key, value, model.scored_at, 0, model_id=model_id)
        for score in model.scores
        for key, value in score.metrics.items()
        if key.startswith("test_") and math.isfinite(value)  # MLflow 3.17 would keep a model's nan as 0.0
    ]
    client.log_batch(run_id, metrics=scores)
    described = MlflowModel(
        artifact_path=logged.artifact_location, run_id=run_id, model_uuid=model_id, model_id=model_id
    )
    folder = model.file.with_name("pyfunc.unfinished")
    shutil.rmtree(folder, ignore_errors=True)  # left by a delivery that was killed
    try:
        save_pyfunc(model.file, folder, described)
        if is_database(client.tracking_uri):
            client.log_model_artifacts(model_id, str(folder))
        else:
            _upload(folder, logged.artifact_location, client.tracking_uri)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    client.finalize_logged_model(model_id, "READY")


def _upload(folder: Path, location: str, tracking_uri: str) -> None:
    """As MLflow's `log_model_artifacts`, which sends some fifty files one after the other."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository = get_artifact_repository(location, tracking_uri=tracking_uri)
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    for begin in range(0, len(files), N_AT_ONCE):
        calls = []
        for file in files[begin : begin + N_AT_ONCE]:
            place = file.parent.relative_to(folder).as_posix()
            calls.append(partial(repository.log_artifact, str(file), None if place == "." else place))
        for error in make_together(calls):
            if error is not None:
                raise error


def _registered_version(client: MlflowClient, name: str, logged: LoggedModel, model: _StudyModel) -> str:
    """Register the model, unless that is done; returns the number of its version."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(
            name,
            description=f"Models of the sweep {name}: `{ALIAS}` is the newest that is recommended, "
            f"`{WINNER_ALIAS}` the newest single network.",
        )
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    versions = client.search_model_versions(f"name = '{name}' AND run_id = '{logged.source_run_id}'")
    found = next((version for version in versions if version.tags.get(DIGEST) == model.digest), None)
    version = found or client.create_model_version(
        name,
        logged.artifact_location,
        run_id=logged.source_run_id,
        tags=model.tags,
        description=model.description,
        model_id=logged.model_id,
    )
    link = json.dumps([{"name": name, "version": version.version}])
    client.set_logged_model_tags(logged.model_id, {"mlflow.modelVersions": link})  # as MLflow's own register_model
    number: str = str(version.version)
    return number


def _move_alias(client: MlflowClient, name: str, alias: str, version: str, ended_at: str) -> None:
    """Move an alias, but never back: a study that is delivered late may be older than what the alias names by then."""
    held = client.get_registered_model(name).aliases.get(alias)
    if held is not None:
        of_its_study = client.get_model_version(name, held).tags.get(_ENDED_AT, "")
        if of_its_study.isdigit() and int(of_its_study) > int(ended_at):
            return
    client.set_registered_model_alias(name, alias, version)
