"""The winner in MLflow: logged as a model of its study's run, registered under the sweep's name, alias `candidate`.

However often this is repeated, and wherever a kill interrupted it, each step is done once: what a step makes carries
the digest of the model file in a tag and is looked for before it is made, and the run's own tag is written last. Once
that tag is there, nothing is touched any more: what a person deleted or renamed afterwards stays as they left it.

Every call names its store: MLflow's fluent functions and `models:/` sources would use the process's global one.
"""

from __future__ import annotations

import json
import math
import re
import shutil
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.facts import SweepFinished
from experiments.pyfunc import save_pyfunc

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run

ALIAS = "candidate"
_NAME = "model"  # the logged model's name, by which MLflow resolves runs:/<run id>/model
_DIGEST = "sweeps.model_digest"
_VERSION = "sweeps.model_version"
_ENDED_AT = "sweeps.ended_at"  # Unix time, milliseconds
_STUDY = "sweeps.study"


def registered_name(sweep: str) -> str:
    """The name of a sweep's registered model: not every name is allowed in MLflow and as the name of a folder."""
    return re.sub(r"[^\w. -]+", "_", sweep).strip(" .")[:250] or "_"


def publish_model(client: MlflowClient, run_id: str, sweep: str, finished: SweepFinished, model_file: Path) -> None:
    """Log and register the winner of a study, unless that is done already.

    Args:
        client: A client of the store that holds both the run and the registry.
        run_id: The study's run.
        sweep: The sweep's name.
        finished: The end of the study.
        model_file: From `Model.save`.
    Raises:
        InputError, WeightsFileError: `model_file` is not a model.
        OSError, MlflowException and others: MLflow could not be reached or refused; try again later.
    """
    digest = sha256(model_file.read_bytes()).hexdigest()
    run = client.get_run(run_id)
    if run.data.tags.get(_DIGEST) == digest:
        return
    tags = {_STUDY: finished.study, _DIGEST: digest, _ENDED_AT: str(round(finished.ended_at * 1000))}
    logged = _logged_model(client, run, tags)
    if str(logged.status) != "READY":
        _fill(client, run, logged, finished, model_file)
    name = registered_name(sweep)
    version = _registered_version(client, name, logged, finished, tags)
    _call_it_candidate(client, name, version, tags[_ENDED_AT])
    client.set_tag(run_id, _VERSION, f"{name}/{version}")
    client.set_tag(run_id, _DIGEST, digest)


def _logged_model(client: MlflowClient, run: Run, tags: dict[str, str]) -> LoggedModel:
    of_this_run = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'")
    found = next((model for model in of_this_run if model.tags.get(_DIGEST) == tags[_DIGEST]), None)
    return found or client.create_logged_model(
        run.info.experiment_id, _NAME, source_run_id=run.info.run_id, tags=tags, model_type="sweeps"
    )


def _fill(client: MlflowClient, run: Run, logged: LoggedModel, finished: SweepFinished, model_file: Path) -> None:
    """Bind the logged model to its run, give it its scores and its files, and mark it READY."""
    from mlflow.entities import LoggedModelOutput, Metric
    from mlflow.models import Model as MlflowModel

    run_id, model_id = run.info.run_id, logged.model_id
    is_bound = run.outputs is not None and any(output.model_id == model_id for output in run.outputs.model_outputs)
    if not is_bound:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    ended_at = round(finished.ended_at * 1000)
    scores = [
        Metric(key, value, ended_at, 0, model_id=model_id)
        for score in finished.scores
        for key, value in score.metrics.items()
        if key.startswith("test_") and math.isfinite(value)  # MLflow 3.17 would keep a model's nan as 0.0
    ]
    client.log_batch(run_id, metrics=scores)
    described = MlflowModel(
        artifact_path=logged.artifact_location, run_id=run_id, model_uuid=model_id, model_id=model_id
    )
    folder = model_file.with_name("pyfunc.unfinished")
    shutil.rmtree(folder, ignore_errors=True)  # left by a delivery that was killed
    try:
        save_pyfunc(model_file, folder, described)
        client.log_model_artifacts(model_id, str(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    client.finalize_logged_model(model_id, "READY")


def _registered_version(
    client: MlflowClient, name: str, logged: LoggedModel, finished: SweepFinished, tags: dict[str, str]
) -> str:
    """Register the model, unless that is done; returns the number of its version."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description=f"Winners of the sweep {name}; `{ALIAS}` is the newest.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    versions = client.search_model_versions(f"name = '{name}' AND run_id = '{logged.source_run_id}'")
    found = next((version for version in versions if version.tags.get(_DIGEST) == tags[_DIGEST]), None)
    version = found or client.create_model_version(
        name,
        logged.artifact_location,
        run_id=logged.source_run_id,
        tags=tags,
        description=_description(finished),
        model_id=logged.model_id,
    )
    link = json.dumps([{"name": name, "version": version.version}])
    client.set_logged_model_tags(logged.model_id, {"mlflow.modelVersions": link})  # as MLflow's own register_model
    number: str = str(version.version)
    return number


def _call_it_candidate(client: MlflowClient, name: str, version: str, ended_at: str) -> None:
    """Move the alias, but never back: a study that is delivered late may be older than what the alias names by then."""
    held = client.get_registered_model(name).aliases.get(ALIAS)
    if held is not None:
        of_its_study = client.get_model_version(name, held).tags.get(_ENDED_AT, "")
        if of_its_study.isdigit() and int(of_its_study) > int(ended_at):
            return
    client.set_registered_model_alias(name, ALIAS, version)


def _description(finished: SweepFinished) -> str:
    scores = ", ".join(f"test_{score.name} {score.value:.4g}" for score in finished.scores)
    return f"Winner of `{finished.study}`: {scores}." if scores else f"Winner of `{finished.study}`."
