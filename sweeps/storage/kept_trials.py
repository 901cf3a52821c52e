"""The best trials of a study, kept until a new one of its sweep begins: their fold models and held-out answers.

    /               attributes iteration, value, cost; the arrays of engine.curve.Best
    rung-end-1 ...  Z[L] of the held-out columns at the ends of other rungs, the latest first

One HDF5 file a trial, written before the storage hears of the trial's end, and removed when better ones push it out. A
file that is lost or damaged costs the ensemble a candidate, which is said, and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import h5py

from engine import Best
from engine.activations import FloatArray
from engine.checksum import Checksum, checksum_of_file, with_checksum
from engine.durable_file import name_of_damaged, write_durably
from engine.objectives import COST, Objective
from sweeps.storage.checkpoint import read_best, write_best
from sweeps.trials.stored_trial import StoredTrial, ranked
from sweeps.trials.trial import TrialResult

N_KEPT = 25
"""Trials that are kept: more candidates than an ensemble has members."""

MAX_ANSWERS = 5_000_000
"""Answers of all candidates to the examples they held out. Where examples are many, fewer ends of rungs are kept."""


@dataclass(frozen=True, slots=True, eq=False)
class KeptTrial:
    """A trial that may win or become a part of the ensemble.

    Attributes:
        best: Its networks where the mean of their values was best.
        rung_ends: Z[L] of the held-out columns at the ends of other rungs, as in `Best`, the latest first.
    """

    trial: StoredTrial
    best: Best
    rung_ends: tuple[FloatArray, ...] = ()


class KeptTrials:
    """The folder of the kept trials of one study.

    Args:
        directory: Made when there is something to keep.
        ended: Trials that have ended already, in an earlier process.
        objective: Says which trial is better.
    """

    def __init__(self, directory: Path, ended: list[StoredTrial], objective: Objective = COST) -> None:
        self._directory, self._objective = directory, objective
        self._best = [trial for trial in ranked(ended, objective) if trial.value is not None][:N_KEPT]

    def keep(self, result: TrialResult) -> None:
        """Keep a trial that has just ended, if it is among the best; another one may have to go.

        Raises:
            OSError: The disk is full, or the folder is not writable.
        """
        trial, best = result.trial, result.best
        if trial.value is None or best is None or best.iteration != trial.best_iteration:
            return
        self._best = ranked([*self._best, trial], self._objective)
        if trial in self._best[:N_KEPT]:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            image = BytesIO()  # in memory, because HDF5 itself answers a full disk with a crash of the process
            with h5py.File(image, "w") as file:
                write_best(file, best)
                for number, logits in enumerate(result.rung_ends[::-1][: n_rung_ends(best)], 1):
                    file[f"rung-end-{number}"] = logits
            write_durably(self._file(trial.number), with_checksum(image))
        for out in self._best[N_KEPT:]:
            self._file(out.number).unlink(missing_ok=True)
        del self._best[N_KEPT:]

    def load(self, say: Callable[[str], None] = lambda text: None) -> list[KeptTrial]:
        """The kept trials, best first; without those whose file is lost or damaged, of which the latter are said."""
        found = (_read(self._file(trial.number), trial, say) for trial in self._best)
        return [kept for kept in found if kept is not None and kept.best.iteration == kept.trial.best_iteration]

    def _file(self, number: int) -> Path:
        return self._directory / f"trial-{number:04d}.h5"


def n_rung_ends(best: Best) -> int:
    """Ends of rungs for which there is room beside the best iteration of each kept trial."""
    n_networks, _, n_columns = best.logits.shape
    n_candidates: int = MAX_ANSWERS // (N_KEPT * max(1, n_networks * n_columns))
    return max(0, n_candidates - 1)


def _read(path: Path, trial: StoredTrial, say: Callable[[str], None]) -> KeptTrial | None:
    if not path.exists():
        return None
    try:
        if checksum_of_file(path) is not Checksum.FITS:
            raise KeyError("checksum")
        with h5py.File(path, locking=False) as file:
            names = sorted(name for name in file if name.startswith("rung-end-"))
            return KeptTrial(trial, read_best(file), tuple(file[name][()] for name in names))
    except (OSError, KeyError):
        aside = path.replace(name_of_damaged(path))
        say(
            f"{path}: damaged, and kept as {aside.name}. Trial {trial.number} is on the leaderboard as before, but the "
            "ensemble is chosen without its fold models; for those, run the sweep anew (--new)."
        )
        return None
