"""`python -m sweeps sync`: what MLflow lacks of a folder's studies is delivered, while somebody watches."""

import math
import time
from collections.abc import Callable

from experiments.artifact_places import follow
from experiments.delivery import Delivery, DeliveryResult
from experiments.error_text import mask_password
from experiments.errors import InputError, how_many
from experiments.mlflow_connection import sqlite_file
from experiments.outbox import Outbox
from sweeps.storage.workspace import Workspace

SECONDS_BETWEEN_LINES = 5.0


def sync_all(
    workspace: Workspace,
    tracking_uri: str | None = None,
    timeout_seconds: float = math.inf,
    say: Callable[[str], None] = lambda text: None,
) -> list[tuple[str, DeliveryResult]]:
    """Deliver every outbox of the folder that has something pending; what is wrong with one keeps no other back.

    Args:
        workspace: The folder.
        tracking_uri: Where those studies are recorded from now on, all of each; None is where each was to go.
        timeout_seconds: For all of them.
        say: Told how far it is.
    Raises:
        InputError: There is no time.
        KeyboardInterrupt: Somebody does not want to wait; what was delivered by then is noted.
    """
    if not timeout_seconds > 0:
        raise InputError(
            f"--timeout {timeout_seconds:g}: leaves no time.", "It is seconds, more than 0.", "Leave it out to wait."
        )
    ends_at = time.monotonic() + timeout_seconds
    own = sqlite_file(workspace.tracking_uri())
    assert own is not None, "a folder's own MLflow is in SQLite"
    for folder_before in follow(own):
        say(f"{own} was moved or copied from {folder_before}; the addresses in it follow.")
    deliveries = []
    for folder in workspace.study_folders():
        if not folder.outbox.exists():
            continue
        outbox = Outbox(folder.outbox)
        n_pending, damage = outbox.n_pending, outbox.damage
        try:
            if n_pending and tracking_uri is not None:
                outbox.forget_delivered()
                folder.keep_tracking_uri(tracking_uri)
            if n_pending:
                uri = workspace.tracking_uri(folder)
                go = how_many(outbox.n_pending, "fact goes", "facts go")
                say(f"{folder.study_name}: {go} to {mask_password(uri)}.")
                watch = _Watch(folder.study_name, outbox, say)
                delivery = Delivery(outbox, uri).run_once(max(0.0, ends_at - time.monotonic()), watch)
                deliveries.append((folder.study_name, delivery))
            elif damage is not None:
                deliveries.append((folder.study_name, DeliveryResult(0, None, None, None, str(damage))))
        except InputError as error:
            deliveries.append((folder.study_name, DeliveryResult(n_pending, str(error), None, None)))
    return deliveries


class _Watch:
    """Says every few seconds how far the delivery of a study is."""

    def __init__(self, study: str, outbox: Outbox, say: Callable[[str], None]) -> None:
        self._study = study
        self._n_before = outbox.n_pending
        self._say = say
        self._says_at = time.monotonic() + SECONDS_BETWEEN_LINES

    def __call__(self, n_pending: int) -> None:
        if time.monotonic() >= self._says_at and n_pending:
            self._say(f"{self._study}: {self._n_before - n_pending} of {self._n_before} are delivered.")
            self._says_at = time.monotonic() + SECONDS_BETWEEN_LINES
