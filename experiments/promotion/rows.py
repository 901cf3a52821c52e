"""Which rows two models may be compared on: told apart by a digest of each, so that no row itself is kept.

rows.npz   of each study, in its folder: the digests of its training rows and of its sealed rows
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.durable_file import write_durably
from experiments.dataset import Dataset
from experiments.errors import InputError
from experiments.readers.examples import Features
from experiments.row_hashes import row_hashes

Digests: TypeAlias = NDArray[np.uint64]

ENOUGH_NEW = 500
"""New rows from which on they alone decide; of fewer, all sealed rows do."""


@dataclass(frozen=True, slots=True, eq=False)
class StudyRows:
    """What a study was made of: a digest of each row with its label, (m,) and (m_test,), in the data's order."""

    train: Digests
    test: Digests

    @classmethod
    def of(cls, dataset: Dataset) -> StudyRows:
        """The rows of a data set."""
        names = np.array(dataset.class_names, dtype=object)
        train, test = (names[y] if len(names) else y for y in (dataset.y_train, dataset.y_test))
        return cls(row_digests(dataset.X_train, train), row_digests(dataset.X_test, test))

    def save(self, path: Path) -> None:
        """Write the file, private to its user, whole or not at all."""
        content = io.BytesIO()
        np.savez(content, train=self.train, test=self.test)
        write_durably(path, content.getbuffer())

    @classmethod
    def load(cls, path: Path) -> StudyRows | None:
        """Read a file that `save` wrote; None where there is none.

        Raises:
            InputError: It is damaged.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return cls(arrays["train"], arrays["test"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise InputError(
                f"{path}: damaged ({type(error).__name__}).",
                "It says which rows a study was trained on.",
                "Restore it from a backup, or delete it: then all sealed rows count as unseen.",
            ) from error


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The sealed rows that a comparison uses.

    Attributes:
        is_used: (m_test,).
        n_left_out: Sealed rows that only one of the two was trained on.
        are_new: Whether all that are used are new since the champion was made.
        digest: Of the rows that are used, whatever their order.
    """

    is_used: NDArray[np.bool_]
    n_left_out: int
    are_new: bool
    digest: str


def row_digests(X: Features, labels: NDArray[Any]) -> Digests:
    """64 bits of each row with its label, (m,): the same for the same values in any file, order or process.

    A digest cannot be turned back, but whoever guesses a row can tell whether it was there: keep them as private as
    the data.
    """
    import pandas as pd

    if isinstance(X, np.ndarray):
        rows = [row.tobytes() for row in X]
        of_inputs = np.array([int.from_bytes(blake2b(row, digest_size=8).digest()) for row in rows], dtype=np.uint64)
    else:
        of_inputs = row_hashes(X)
    both = pd.DataFrame({"inputs": of_inputs, "label": labels})
    return np.asarray(pd.util.hash_pandas_object(both, index=False), dtype=np.uint64)


def choose_rows(challenger: StudyRows, champion: StudyRows | None) -> Choice:
    """The sealed rows to compare on: none that only one of the two was trained on, new ones if there are enough.

    A row is new if the champion's study did not have it: no earlier decision can have used it for the champion.

    Args:
        challenger: Its study's rows; the sealed ones are what is chosen from.
        champion: Its study's; None where they are not known, and then nothing is left out and nothing is new.
    """
    sealed = challenger.test
    is_used, n_left_out, are_new = np.ones(len(sealed), dtype=np.bool_), 0, False
    if champion is not None:
        is_used = np.isin(sealed, challenger.train) == np.isin(sealed, champion.train)
        n_left_out = int((~is_used).sum())
        is_new = is_used & ~np.isin(sealed, champion.test)
        are_new = bool(is_new.sum() >= max(1, min(ENOUGH_NEW, is_used.sum())))
        is_used = is_new if are_new else is_used
    digest = sha256(np.sort(sealed[is_used]).astype("<u8").tobytes()).hexdigest()
    return Choice(is_used, n_left_out, are_new, digest)
