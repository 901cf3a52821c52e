"""The alias `champion` moved by a person: to a version that a verdict speaks for, by force, or back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.error_text import mask_password
from experiments.errors import InputError, listed
from experiments.model_lookup import asked, model_version, registered_model
from experiments.promotion.champion import (
    PROMOTION,
    VERDICT,
    VERDICT_DIGEST,
    champion_in,
    move_champion,
    only_mover,
)
from experiments.promotion.history import Move, Reign, moves_in, now_unlike, reigns, version_before
from experiments.promotion.verdict import Verdict, digest_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion


def make_champion(tracking_uri: str, name: str, version: str, *, is_forced: bool) -> str:
    """Make a version champion, and note who was before.

    Returns:
        The version that was champion before; "" for none.
    Raises:
        InputError: There is no such version, or its verdict does not speak for it, beside the champion of now.
    """
    with asked(tracking_uri) as client, only_mover(tracking_uri):
        registered = registered_model(client, name, mask_password(tracking_uri))
        found = model_version(client, name, version)
        champion, moves = champion_in(registered), moves_in(registered.tags)
        verdict, digest = None, ""
        if not is_forced and champion != version:
            verdict, digest = _verdict_for(found, champion)
        reason = "by force" if verdict is None else verdict.finding.reason
        _moved(client, name, Move(now_unlike(moves), version, champion, "promote", reason, digest))
        return champion


def back_to(tracking_uri: str, name: str, version: str | None) -> tuple[str, str]:
    """Make an earlier champion champion again; None is the one before that of now.

    Returns:
        The version that is champion now, and the one that was.
    Raises:
        InputError: There is no such model or version, it never was champion, or nobody was before.
    """
    with asked(tracking_uri) as client, only_mover(tracking_uri):
        registered = registered_model(client, name, mask_password(tracking_uri))
        champion, moves = champion_in(registered), moves_in(registered.tags)
        former = list(dict.fromkeys(move.version for move in moves if move.version != champion))
        target = version_before(moves) if version is None else version
        if target is None or target == champion:
            raise InputError(
                f"{name}: {f'version {champion} is champion' if champion else 'has no champion'}, and "
                f"{'nobody was before it' if version is None else 'it cannot go back to itself'}.",
                f"Earlier champions: {listed(former, 10) or '(none)'}.",
                f"See them: python -m sweeps history {name}",
            )
        model_version(client, name, target)
        if target not in former:
            raise InputError(
                f"{name}/{target}: never was champion.",
                f"Earlier champions: {listed(former, 10) or '(none)'}.",
                f"Name one of them, or promote it: python -m sweeps promote {name}/{target}",
            )
        _moved(client, name, Move(now_unlike(moves), target, champion, "rollback", f"back from version {champion}"))
        return target, champion


def champions_of(tracking_uri: str, name: str) -> list[Reign]:
    """Who was champion from when to when, oldest first.

    Raises:
        InputError: There is no such model.
    """
    with asked(tracking_uri) as client:
        registered = registered_model(client, name, mask_password(tracking_uri))
        return reigns(moves_in(registered.tags), champion_in(registered))


def verdict_of_version(tracking_uri: str, name: str, version: str) -> str:
    """The document of a version's verdict, as MLflow keeps it; it is what was written.

    Raises:
        InputError: There is no such version, it has no verdict, or the document was changed.
    """
    with asked(tracking_uri) as client:
        registered_model(client, name, mask_password(tracking_uri))
        return _document(model_version(client, name, version))[0]


def _moved(client: MlflowClient, name: str, move: Move) -> None:
    if move.version == move.previous:
        return
    move_champion(client, name, move.previous, move)
    client.set_model_version_tag(name, move.version, PROMOTION, f"promoted: {move.reason}"[:5000])


def _document(version: ModelVersion) -> tuple[str, str]:
    """The document of a version's verdict, and its digest."""
    place = f"{version.name}/{version.version}"
    document, digest = version.tags.get(VERDICT), version.tags.get(VERDICT_DIGEST)
    if document is None:
        raise InputError(
            f"{place}: has no verdict.",
            "A version has one if its study came to an end with this release and recommended it.",
            "Name another version, or promote this one by force: --force",
        )
    if digest_of(document) != digest:
        raise InputError(
            f"{place}: the document of its verdict was changed (its digest is {digest_of(document)[:16]}, not "
            f"{str(digest)[:16]}).",
            "It must be as it was written, to the byte.",
            "Read the one in the study's folder, verdict.json, or promote by force: --force",
        )
    return document, digest or ""


def _verdict_for(version: ModelVersion, champion: str) -> tuple[Verdict, str]:
    """The verdict that speaks for a version."""
    place = f"{version.name}/{version.version}"
    document, digest = _document(version)
    verdict = Verdict.from_json(document, place)
    compared_with = "" if verdict.champion is None else verdict.champion.version
    if not verdict.holds:
        what = "its verdict does not follow from its evidence"
    elif verdict.finding.decision != "promote":
        what = f"its verdict is against it: {verdict.finding.reason}"
    elif compared_with != champion:
        was = f"version {compared_with}" if compared_with else "nobody"
        what = f"it was compared with {was}, and the champion is {f'version {champion}' if champion else 'nobody'}"
    else:
        return verdict, digest
    raise InputError(
        f"{place}: {what}.",
        "A version becomes champion if it proved better than the champion of now.",
        f"To promote it all the same: python -m sweeps promote {place} --force",
    )
