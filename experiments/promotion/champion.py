"""The alias `champion` in MLflow: who has it, and its moves, each from the version that was expected there.

Moves are made one at a time by all that deliver to this store from this machine (a lock); whoever finds another
champion than the one that it was compared with moves nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from engine.durable_file import write_durably
from experiments.error_text import in_one_line, root_cause
from experiments.facts import VerdictReached
from experiments.mlflow_connection import connect, lock_file
from experiments.promotion.history import CHAMPION, Move, moves_in, now_unlike, write_move
from experiments.promotion.outcome import OUTCOME_FILE, Outcome
from experiments.promotion.verdict import ModelRef, Verdict, digest_of
from experiments.pyfunc import MODEL_FILE
from experiments.registry import DIGEST, STUDY, registered_name

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

VERDICT, VERDICT_DIGEST = "sweeps.verdict", "sweeps.verdict_digest"
"""Tags of a version: the document of its verdict, and the document's digest."""

_FETCHED = "champion.h5"
KNOWN_FILE = "champion.json"
"""In the folder of a sweep's name: who was champion when MLflow was last asked or told."""

PROMOTION = "sweeps.promotion"
"""Tag of a version: what became of it, in words."""


@dataclass(frozen=True, slots=True)
class Champion:
    """Who is champion, as far as is known.

    Attributes:
        model: None where there is no champion.
        file: Its model file on this machine; None where there is none to be had.
        problem: Why not.
        past: When decisions were made and what they spent, from the registry; only where this folder has no ledger.
    """

    model: ModelRef | None
    file: str | None = None
    problem: str = ""
    past: list[tuple[float, float]] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Keep it for a night without MLflow, in the folder of the sweep's name, which may be moved."""
        file = self.file and os.path.relpath(self.file, path.parent)
        write_durably(path, json.dumps(asdict(self) | {"file": file}).encode())

    @classmethod
    def load(cls, path: Path) -> Champion | None:
        """What was kept; None where there is none."""
        try:
            saved = json.loads(path.read_bytes())
            return cls(
                saved["model"] and ModelRef(**saved["model"]),
                saved["file"] and str(path.parent / saved["file"]),
                saved["problem"],
                [(at, alpha) for at, alpha in saved["past"]],
            )
        except (FileNotFoundError, KeyError, TypeError, ValueError):
            return None


def find_champion(tracking_uri: str, sweep: str, root: Path, *, with_past: bool) -> Champion:
    """Who is champion now, with its model file: a study's here, the one fetched before, else fetched now.

    Args:
        root: The folder of all sweeps; a file that is fetched becomes `<root>/<sweep>/champion.h5`.
        with_past: Whether to look up what earlier decisions have spent.
    Raises:
        MlflowException and others: MLflow or its artifact store does not answer.
    """
    client, name = connect(tracking_uri), registered_name(sweep)
    registered = registered_or_none(client, name)
    number = "" if registered is None else champion_in(registered)
    past = list(_spending(client, name)) if with_past and registered is not None else []
    if not number:
        return Champion(None, past=past)
    try:
        version = client.get_model_version(name, number)
        model = ModelRef(number, version.tags.get(STUDY, ""), version.tags.get(DIGEST, ""))
    except Exception as error:
        return Champion(ModelRef(number, "", ""), None, _why_gone(error, f"version {number}"), past)
    fetched = root / sweep / _FETCHED
    file = _file_here(root, sweep, model)
    if file is not None:
        return Champion(model, file, past=past)
    try:
        _fetch(client, name, number, tracking_uri, fetched)
    except Exception as error:
        return Champion(model, None, _why_gone(error, f"the model file of version {number}"), past)
    return Champion(model, str(fetched), past=past)


def _file_here(root: Path, sweep: str, model: ModelRef) -> str | None:
    """A model's file on this machine: a study's, or the one that was fetched."""
    for file in (root / model.study / "model.h5", root / model.study / "ensemble.h5", root / sweep / _FETCHED):
        if model.digest and file.is_file() and sha256(file.read_bytes()).hexdigest() == model.digest:
            return str(file)
    return None


def champion_in(registered: RegisteredModel) -> str:
    """The version that the alias names; "" for none."""
    return str(registered.aliases.get(CHAMPION, ""))


@contextmanager
def only_mover(tracking_uri: str) -> Iterator[None]:
    """Be the only one that moves the alias, of all on this machine that do."""
    with FileLock(lock_file(tracking_uri, CHAMPION), mode=0o600):
        yield


def move_champion(client: MlflowClient, name: str, expected: str, move: Move) -> str:
    """Move the alias, if it is where it was expected; `only_mover` must be entered.

    Returns:
        The version that is champion afterwards: the move's, or another that was not expected.
    """
    registered = client.get_registered_model(name)
    found, moves = champion_in(registered), moves_in(registered.tags)
    if found not in (expected, move.version):
        return found
    if found != move.version:
        client.set_registered_model_alias(name, CHAMPION, move.version)
    if not moves or (moves[-1].version, moves[-1].digest) != (move.version, move.digest):
        write_move(client, name, move)
    return move.version


def deliver_verdict(client: MlflowClient, tracking_uri: str, run_id: str, fact: VerdictReached, folder: Path) -> bool:
    """Bring a verdict to the challenger's version, move the alias if it says so, and note what came of it.

    Args:
        run_id: The study's run.
        folder: Where the outcome is noted.
    Returns:
        False while the challenger has no version yet: to be tried again.
    """
    verdict = Verdict.from_json(fact.document, fact.study)
    name, digest = registered_name(verdict.sweep), digest_of(fact.document)
    version = _version_of(client, name, run_id, verdict.challenger.digest)
    if version is None:
        is_published = verdict.challenger.digest in client.get_run(run_id).data.tags.get(DIGEST, "")
        if is_published:  # and a person has deleted its version since
            Outcome(digest, "", "", "its version was deleted").save(folder / OUTCOME_FILE)
        return is_published
    for key, text in ((VERDICT, fact.document), (VERDICT_DIGEST, digest)):
        client.set_model_version_tag(name, version, key, text)
    with only_mover(tracking_uri):
        registered = client.get_registered_model(name)
        champion, problem = champion_in(registered), ""
        if verdict.moves_alias:
            expected = "" if verdict.champion is None else verdict.champion.version
            at = now_unlike(moves_in(registered.tags))
            move = Move(at, version, champion, "verdict", _why(verdict), digest)
            champion = move_champion(client, name, expected, move)
            if champion != version:
                problem = (
                    f"it was compared with {f'version {expected}' if expected else 'nobody'}, and meanwhile version "
                    f"{champion or '(none)'} is champion"
                )
    told = f"not promoted: {problem}" if problem else f"{'promoted' if champion == version else 'not promoted'}"
    client.set_model_version_tag(name, version, PROMOTION, f"{told}: {_why(verdict)}"[:5000])
    Outcome(digest, version, champion, problem).save(folder / OUTCOME_FILE)
    if champion == version:
        model, sweep_folder = replace(verdict.challenger, version=version), folder.parent
        file = _file_here(sweep_folder.parent, sweep_folder.name, model)
        Champion(model, file).save(sweep_folder / KNOWN_FILE)
    return True


def _why(verdict: Verdict) -> str:
    return f"forced ({verdict.finding.reason})" if verdict.mode == "force" else verdict.finding.reason


def _version_of(client: MlflowClient, name: str, run_id: str, digest: str) -> str | None:
    if registered_or_none(client, name) is None:
        return None
    versions = client.search_model_versions(f"name = '{name}' AND run_id = '{run_id}'")
    return next((str(version.version) for version in versions if version.tags.get(DIGEST) == digest), None)


def registered_or_none(client: MlflowClient, name: str) -> RegisteredModel | None:
    """A registered model; None where there is none of this name."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def _spending(client: MlflowClient, name: str) -> Iterator[tuple[float, float]]:
    """What the verdicts of a model's versions have spent; one that is no verdict has spent nothing."""
    versions: list[ModelVersion] = []
    token: str | None = None
    while True:
        page: Any = client.search_model_versions(f"name = '{name}'", max_results=1000, page_token=token)
        versions.extend(page)
        token = page.token
        if not token:
            break
    for version in versions:
        try:
            document = json.loads(version.tags[VERDICT])
            yield float(document["decided_at"]), float(document["finding"]["alpha_spent"])
        except (KeyError, TypeError, ValueError):
            continue


def _fetch(client: MlflowClient, name: str, version: str, tracking_uri: str, target: Path) -> None:
    from mlflow.artifacts import download_artifacts

    location = client.get_model_version_download_uri(name, version)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        file = download_artifacts(
            f"{location}/{MODEL_FILE}", dst_path=folder, tracking_uri=tracking_uri, registry_uri=tracking_uri
        )
        shutil.move(file, target)


def _why_gone(error: Exception, what: str) -> str:
    """A sentence, if the thing is gone for good.

    Raises:
        Exception: The same error, if it may be there and only does not come.
    """
    status = getattr(error, "get_http_status_code", lambda: None)()
    is_gone = status == 404 or isinstance(root_cause(error), FileNotFoundError) or "No such file" in str(error)
    if not is_gone:
        raise error
    return f"{what} is gone ({in_one_line(root_cause(error))})"
