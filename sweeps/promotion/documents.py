"""The command `verdict`: a document found again, whole or not at all, and its finding repeated.

In this folder no network is needed; where the study's folder is gone, MLflow has the document too.
"""

from dataclasses import dataclass
from pathlib import Path

from experiments.errors import InputError, listed, nearest
from experiments.model_lookup import ModelName
from experiments.promotion.by_hand import verdict_of_version
from experiments.promotion.ledger import Entry, Ledger
from experiments.promotion.outcome import Outcome
from experiments.promotion.verdict import Verdict, digest_of
from experiments.promotion.words import Promotion
from sweeps.storage.workspace import Workspace


@dataclass(frozen=True, slots=True, eq=False)
class FoundVerdict:
    """A verdict that was found again.

    Attributes:
        document: Its text.
        holds: Whether its finding is what its evidence comes to.
    """

    promotion: Promotion
    document: str
    holds: bool


def find_verdict(workspace: Workspace, text: str, tracking_uri: str | None = None) -> FoundVerdict:
    """The newest verdict of a sweep, or that of a version.

    Args:
        text: NAME or NAME/VERSION.
        tracking_uri: Which MLflow to ask for what is not here; None is where this folder's sweeps go.
    Raises:
        InputError: There is none, or the document, or the chain it belongs to, was changed.
    """
    model = None if workspace.ledger(text).exists() else ModelName.parse(text)
    name, version = (text, "") if model is None else (_local_name(workspace, text, model), model.version)
    entries = Ledger(workspace.ledger(name)).entries
    for entry in reversed(entries) if version else entries[-1:]:
        outcome = Outcome.load(workspace.study_folder(entry.study).outcome, entry.digest)
        file = workspace.study_folder(entry.study).verdict
        if file.exists() and (not version or (outcome is not None and outcome.version == version)):
            return _found(_whole(file, entry), outcome, str(file))
    if not version:
        known = sorted(path.parent.name for path in workspace.root.glob("*/verdicts.jsonl"))
        raise InputError(
            f"{text}: no document of the newest verdict on a sweep of this name in {workspace.root}."
            f"{'' if text in known else nearest(text, known)}",
            f"Here are verdicts on {listed(known, 10) or 'no sweep'}; MLflow has one of each version.",
            f"Name a version: python -m sweeps verdict {text.partition('/')[0]}/1",
        )
    assert model is not None, "it has a version"
    uri = tracking_uri or workspace.tracking_uri_of(name)
    document = verdict_of_version(uri, model.registered, version)
    return _found(document, None, f"{model.registered}/{version}")


def _local_name(workspace: Workspace, text: str, model: ModelName) -> str:
    """The name of the sweep's folder, which may hold what a registered model's must not."""
    name = text.rpartition("/")[0]
    return name if workspace.ledger(name).exists() else model.registered


def _whole(file: Path, entry: Entry) -> str:
    document = file.read_text("utf-8")
    if digest_of(document) != entry.digest:
        raise InputError(
            f"{file}: was changed since it was written (its digest is {digest_of(document)[:16]}, not "
            f"{entry.digest[:16]}).",
            "It must be as it was written, to the byte.",
            "Restore it from a backup, or read what MLflow has, in the tag sweeps.verdict of the version.",
        )
    return document


def _found(document: str, outcome: Outcome | None, place: str) -> FoundVerdict:
    verdict = Verdict.from_json(document, place)
    return FoundVerdict(Promotion(verdict, digest_of(document), outcome), document, verdict.holds)
