"""The best trials of a study, kept until it ends: their fold models and what these say of the examples they held out.

One HDF5 file a trial, written before the storage hears of the trial's end, and removed when better ones push it out. A
file that is lost or damaged costs the ensemble a candidate, nothing else.
"""

import shutil
from io import BytesIO
from pathlib import Path

import h5py

from engine import Best
from engine.durable_file import write_durably
from sweeps.storage.checkpoint import read_best, write_best
from sweeps.trials.stored_trial import StoredTrial, ranked

N_KEPT = 25
"""Trials that are kept: more candidates than an ensemble has members."""


class KeptTrials:
    """The folder of the kept trials of one study.

    Args:
        directory: Made when there is something to keep.
        ended: Trials that have ended already, in an earlier process.
    """

    def __init__(self, directory: Path, ended: list[StoredTrial]) -> None:
        self._directory = directory
        self._best = [trial for trial in ranked(ended) if trial.value is not None][:N_KEPT]

    def keep(self, trial: StoredTrial, best: Best | None) -> None:
        """Keep a trial that has just ended, if it is among the best; another one may have to go.

        Raises:
            OSError: The disk is full, or the folder is not writable.
        """
        if trial.value is None or best is None or best.iteration != trial.best_iteration:
            return
        self._best = ranked([*self._best, trial])
        if trial in self._best[:N_KEPT]:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            image = BytesIO()  # in memory, because HDF5 itself answers a full disk with a crash of the process
            with h5py.File(image, "w") as file:
                write_best(file, best)
            write_durably(self._file(trial.number), image.getbuffer())
        for out in self._best[N_KEPT:]:
            self._file(out.number).unlink(missing_ok=True)
        del self._best[N_KEPT:]

    def load(self) -> list[tuple[StoredTrial, Best]]:
        """The kept trials, best first; without those whose file is lost or damaged."""
        found = ((trial, _read(self._file(trial.number))) for trial in self._best)
        return [(trial, best) for trial, best in found if best is not None and best.iteration == trial.best_iteration]

    def remove(self) -> None:
        """Remove all files: the study has ended."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def _file(self, number: int) -> Path:
        return self._directory / f"trial-{number:04d}.h5"


def _read(path: Path) -> Best | None:
    try:
        with h5py.File(path) as file:
            return read_best(file)
    except (OSError, KeyError):
        return None
