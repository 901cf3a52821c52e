"""Checkpoints of running trials: one HDF5 file a study, replaced as a whole, gone when the study ends.

    /                attributes: format, format_version, study
    /trial-0012      attributes: params (JSON), started_at, training_seconds, iteration
        theta ...    the arrays of engine.training.State after the last rung
        best/        where the value was best: attributes iteration, value, cost; the arrays of engine.curve.Best
        curve-1 ...  one a rung, (5, points, F): costs, accuracies, values; attribute: iterations
        logits-1 ... of these curves

The file only saves work: losing it, or finding an older one, costs rungs that are trained again, to the same bits. It
ends in a checksum; where that does not fit, the file is put aside and nothing of it is used.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np

from engine import Best, Curve, State
from engine.checksum import Checksum, checksum_of_file, with_checksum
from engine.durable_file import name_of_damaged, write_durably
from sweeps.trials.trial import RunningTrial

FORMAT = "sweeps-checkpoint"
FORMAT_VERSION = 5  # an older file has no checksum, or lacks what the State of today has; its trials are trained again

SHARE_OF_TIME = 0.05
"""Part of one core that writing may take: after a write that took t, the next one begins t / SHARE_OF_TIME later."""

_STATE_ARRAYS = ("theta", "offset", "settled", "moments", "average")
_BEST_ARRAYS = ("theta", "settled", "logits")
_CURVE_ARRAYS = ("train_cost", "validation_cost", "train_accuracy", "validation_accuracy", "validation_value")


@dataclass(frozen=True, slots=True)
class TrialCheckpoint:
    """What a trial needs to go on after its last rung. Nothing in it is changed in place by anybody."""

    number: int
    params: dict[str, float | int | str]
    state: State
    curves: tuple[Curve, ...]
    started_at: float
    training_seconds: float


class Checkpoint:
    """Keeps the file up to date from a thread of its own, so that training never waits for it.

    Args:
        path: The file. What an earlier process left in it is read here, once.
        study_name: Must be the file's, else the file is not ours and is ignored.
        say: Told where a file that is damaged was put.
    """

    def __init__(self, path: Path, study_name: str, say: Callable[[str], None] = lambda text: None) -> None:
        self._path = path
        self._study_name = study_name
        self._kept = _read(path, study_name, say)
        self._latest: tuple[TrialCheckpoint, ...] = ()
        self._condition = threading.Condition()
        self._has_news = False
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="checkpoint", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write the latest news, for an interrupted study to go on from; or remove the file of one that ended."""
        with self._condition:
            self._is_closing = True
            self._condition.notify()
        self._thread.join()
        if error is None:
            self._path.unlink(missing_ok=True)

    def restore(self, trial: RunningTrial) -> None:
        """Give a trial that has just begun the rungs that an earlier process trained, if they are its own."""
        kept = self._kept.get(trial.number)
        if kept is not None and kept.params == trial.candidate.params:
            trial.state, trial.curves = kept.state, list(kept.curves)
            trial.started_at, trial.training_seconds = kept.started_at, kept.training_seconds

    def update(self, trials: Iterable[RunningTrial]) -> None:
        """Take note of the trials as they are now; they reach the disk soon."""
        latest = tuple(
            TrialCheckpoint(
                trial.number,
                trial.candidate.params,
                trial.state,
                tuple(trial.curves),
                trial.started_at,
                trial.training_seconds,
            )
            for trial in trials
            if trial.state is not None
        )
        with self._condition:
            self._latest = latest
            self._has_news = True
            self._condition.notify()

    def _run(self) -> None:
        pause_seconds = 0.0
        is_closing = False
        while not is_closing:
            with self._condition:
                self._condition.wait_for(lambda: self._is_closing, timeout=pause_seconds)
                self._condition.wait_for(lambda: self._has_news or self._is_closing)
                is_closing, has_news, latest = self._is_closing, self._has_news, self._latest
                self._has_news = False
            if has_news:
                began_at = time.monotonic()
                try:
                    _write(self._path, self._study_name, latest)
                except OSError:  # a full disk: the storage says so where it matters, and an older file is still right
                    self._has_news = True
                pause_seconds = (time.monotonic() - began_at) / SHARE_OF_TIME


def _write(path: Path, study_name: str, trials: Iterable[TrialCheckpoint]) -> None:
    image = BytesIO()  # in memory, because HDF5 itself answers a full disk with a crash of the process
    with h5py.File(image, "w") as file:
        file.attrs.update({"format": FORMAT, "format_version": FORMAT_VERSION, "study": study_name})
        for trial in trials:
            group = file.create_group(f"trial-{trial.number:04d}")
            group.attrs.update(
                {
                    "number": trial.number,
                    "params": json.dumps(trial.params),
                    "started_at": trial.started_at,
                    "training_seconds": trial.training_seconds,
                    "iteration": trial.state.iteration,
                }
            )
            _write_arrays(group, trial.state, _STATE_ARRAYS)
            if (best := trial.state.best) is not None:
                write_best(group.create_group("best"), best)
            for rung, curve in enumerate(trial.curves, start=1):
                points = np.stack([getattr(curve, name) for name in _CURVE_ARRAYS])
                group.create_dataset(f"curve-{rung}", data=points).attrs["iterations"] = curve.iterations
                if curve.logits is not None:
                    group[f"logits-{rung}"] = curve.logits
    write_durably(path, with_checksum(image))


def write_best(group: h5py.Group, best: Best) -> None:
    """Write the best networks of a trial into an empty group."""
    group.attrs.update({"iteration": best.iteration, "value": best.value, "cost": best.cost})
    _write_arrays(group, best, _BEST_ARRAYS)


def read_best(group: h5py.Group) -> Best:
    """What `write_best` wrote.

    Raises:
        KeyError: Something is missing.
    """
    value, cost = (float(group.attrs[name]) for name in ("value", "cost"))
    return Best(int(group.attrs["iteration"]), value, cost, **_read_arrays(group, _BEST_ARRAYS))


def _write_arrays(group: h5py.Group, source: object, names: tuple[str, ...]) -> None:
    for name in names:
        array = getattr(source, name)
        if array is not None:
            group[name] = array


def _read_arrays(group: h5py.Group, names: tuple[str, ...]) -> dict[str, Any]:
    """The arrays of these names; None for those that are not there."""
    return {name: group[name][()] if name in group else None for name in names}


def _read(path: Path, study_name: str, say: Callable[[str], None]) -> dict[int, TrialCheckpoint]:
    """The trials in the file by number; none where there is no file, or it is damaged, or another study's."""
    if not path.exists():
        return {}
    if checksum_of_file(path) is not Checksum.FITS:
        aside = path.replace(name_of_damaged(path))
        say(
            f"{path}: damaged, or of an earlier release: its checksum does not fit. It is kept as {aside.name}; the "
            "trials in it are trained again, to the same bits."
        )
        return {}
    with h5py.File(path, locking=False) as file:  # the lease keeps others away, and not every file system has locks
        ours = {"format": FORMAT, "format_version": FORMAT_VERSION, "study": study_name}
        if any(file.attrs.get(key) != value for key, value in ours.items()):
            return {}
        checkpoints = [_read_trial(group) for group in file.values()]
    return {checkpoint.number: checkpoint for checkpoint in checkpoints}


def _read_trial(group: h5py.Group) -> TrialCheckpoint:
    n_rungs = sum(name.startswith("curve-") for name in group)
    best = read_best(group["best"]) if "best" in group else None
    return TrialCheckpoint(
        number=int(group.attrs["number"]),
        params=json.loads(group.attrs["params"]),
        state=State(int(group.attrs["iteration"]), **_read_arrays(group, _STATE_ARRAYS), best=best),
        curves=tuple(_read_curve(group, rung) for rung in range(1, n_rungs + 1)),
        started_at=float(group.attrs["started_at"]),
        training_seconds=float(group.attrs["training_seconds"]),
    )


def _read_curve(group: h5py.Group, rung: int) -> Curve:
    points = group[f"curve-{rung}"]
    iterations = tuple(int(iteration) for iteration in points.attrs["iterations"])
    logits = group[f"logits-{rung}"][()] if f"logits-{rung}" in group else None
    return Curve(iterations, **dict(zip(_CURVE_ARRAYS, points[()], strict=True)), diverged_at=None, logits=logits)
