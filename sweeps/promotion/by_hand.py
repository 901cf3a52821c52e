"""The commands `promote`, `rollback` and `history`: what a person types, and the sentence that answers."""

from experiments.errors import InputError
from experiments.model_lookup import ModelName
from experiments.promotion.by_hand import back_to, champions_of, make_champion
from experiments.promotion.history import Reign
from experiments.registry import registered_name
from sweeps.storage.workspace import Workspace


def promote(workspace: Workspace, text: str, tracking_uri: str | None, *, is_forced: bool) -> str:
    """Make a version champion.

    Raises:
        InputError: See `experiments.promotion.by_hand.make_champion`; or `text` names no version.
    """
    model = ModelName.parse(text)
    if model is None or not model.version:
        raise InputError(
            f"{text}: names no version.",
            "It is NAME/VERSION, and a version is a number.",
            f"For example: python -m sweeps promote {text.partition('/')[0]}/1",
        )
    uri = tracking_uri or workspace.tracking_uri_of(model.registered)
    before = make_champion(uri, model.registered, model.version, is_forced=is_forced)
    place = f"{model.registered}/{model.version}"
    if before == model.version:
        return f"{place} is champion already."
    return f"{place} is champion. {_undo(model.registered, before)}"


def roll_back(workspace: Workspace, text: str, tracking_uri: str | None, to: str | None) -> str:
    """Make an earlier champion champion again.

    Raises:
        InputError: See `experiments.promotion.by_hand.back_to`; or `to` is no number.
    """
    name = registered_name(text)
    if to is not None and not to.isdecimal():
        raise InputError(
            f"--to {to}: is not a version.", "Versions are numbers.", f"See them: python -m sweeps history {name}"
        )
    now, before = back_to(tracking_uri or workspace.tracking_uri_of(name), name, to)
    return f"{name}/{now} is champion again. Before: {name}/{before}."


def history_of(workspace: Workspace, text: str, tracking_uri: str | None) -> tuple[str, list[Reign]]:
    """The registered model's name, and who was champion of it, oldest first.

    Raises:
        InputError: There is no such model.
    """
    name = registered_name(text)
    return name, champions_of(tracking_uri or workspace.tracking_uri_of(name), name)


def _undo(name: str, before: str) -> str:
    return f"Back to version {before}: python -m sweeps rollback {name}" if before else "There was none before."
